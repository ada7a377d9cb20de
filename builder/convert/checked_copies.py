"""Makes the copies that TensorFlow and Keras load: of a source only what was checked."""

from __future__ import annotations

import inspect
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ..graphs.messages import SavedModel
from ..sources.keras_applications import application_layers_in
from ..sources.keras_h5 import copy_with_config, read_keras_h5
from ..sources.keras_safety import without_training
from ..sources.keras_zip import read_keras_zip
from . import stock


def part_folder(part: SavedModel, plain: Path, name: str) -> Path:
    """Write a checked part of a SavedModel, beside links to its variables and assets.

    Args:
        part: what ``safety.prepare_saved_model`` gave.
        plain: the whole SavedModel, in which no link leads outside.
        name: of the folder that is made beside it.

    Returns:
        The folder. Nothing else of the SavedModel is in it: TensorFlow reads more files than one of the same name.
    """
    folder = plain.with_name(name)
    folder.mkdir()
    assets = [Path("assets") / asset.filename for asset in part.meta_graphs[0].asset_file_def]
    variables = [path.relative_to(plain) for path in (plain / "variables").glob("variables*")]
    for place in dict.fromkeys((*variables, *assets)):
        if (plain / place).is_file():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).symlink_to((plain / place).resolve())
    (folder / "saved_model.pb").write_bytes(part.SerializeToString())
    return folder


def keras_copy(plain: Path, config: object, *, is_changed: bool = False) -> Path:
    """Return a Keras file without what only training needs.

    Args:
        plain: an HDF5 file or a ``.keras`` file.
        config: its configuration.
        is_changed: the file has another one.

    Returns:
        A copy beside it, or the file itself if there is nothing to leave out.
    """
    slim = without_training(config)
    if slim is config and not is_changed:
        return plain
    copy = plain.with_name(f"slim{plain.suffix}")
    if plain.suffix == ".keras":
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(copy, "w") as target:
            for entry in source.infolist():
                if entry.filename == "config.json":
                    target.writestr(entry.filename, json.dumps(slim))
                else:
                    with source.open(entry) as content, target.open(entry.filename, "w", force_zip64=True) as written:
                        shutil.copyfileobj(content, written)
        return copy
    copy_with_config(plain, copy, slim)
    return copy


def custom_objects(keras: ModuleType, plain: Path) -> dict[str, object]:
    """Return the custom objects that a Keras needs to load a file of its own making.

    HDF5 files name classes without their modules, and Keras 2 does not look into the modules that others name.

    Args:
        keras: the module ``keras`` or ``tf_keras``.
        plain: the file, checked.
    """
    is_hdf5 = plain.suffix == ".h5"
    found: dict[str, object] = {}
    if is_hdf5 and keras.__name__ == "keras":
        found |= literal_names(stock.keras_layers())
    config = read_keras_h5(plain).config if is_hdf5 else read_keras_zip(plain).config
    for name in application_layers_in(config):
        layer = stock.application_layer(keras.__name__, name)
        found |= dict.fromkeys((name, f"Custom>{name}"), layer)
    return found


def literal_names(layers: Mapping[str, object]) -> dict[str, str]:
    """Return custom objects that let words of a configuration be words.

    Keras 3 takes a word in an HDF5 file that is also the name of one of its functions for that function: nobody can
    load Attention, whose ``score_mode`` is "dot", as ``keras.layers.dot`` is.

    Args:
        layers: what it looks up, by name, see ``stock.keras_layers``.
    """
    return {name: name for name, value in layers.items() if inspect.isfunction(value)}
