"""Reads what is needed of Keras' HDF5 files: the one module that imports h5py, which comes with TensorFlow."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ConversionError, SourceError, UnsafeModelError
from ..packages import to_convert
from .keras_safety import parse_config


@dataclass(frozen=True, slots=True)
class KerasFile:
    """The descriptions in an HDF5 file.

    Attributes:
        config: the model's configuration.
        version: of the Keras that wrote it.
        has_optimizer: it holds an optimiser's state.
    """

    config: object
    version: str
    has_optimizer: bool

    @property
    def is_keras2(self) -> bool:
        """Keras before 3 wrote it."""
        return self.version.split(".")[0] in {"1", "2"}


def read_keras_h5(path: Path, where: str = "") -> KerasFile:
    """Read what describes a model, and look at every link.

    Raises:
        SourceError: damaged, or holds no model.
        UnsafeModelError: its data are in other files.
        ConversionError: h5py is not installed.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            _check_links(file, where)
            text, version = file.attrs.get("model_config"), _version(file)
            has_optimizer = "optimizer_weights" in file
    except OSError as error:
        raise SourceError(
            f"is a damaged or truncated HDF5 file ({error})",
            code="SP-308",
            where=where,
            hint="Download or save the model again",
        ) from error
    return KerasFile(parse_config(text, where), version, has_optimizer)


def check_keras_weights(path: Path, where: str = "") -> bool:
    """Look at every link in the weights of a ``.keras`` file; tell whether an optimiser's state is among them.

    Raises:
        SourceError, UnsafeModelError, ConversionError: as ``read_keras_h5``.
    """
    h5py = _h5py()
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as weights:
        try:
            with h5py.File(weights, "r") as content:
                _check_links(content, where)
                return bool(content.get("optimizer") or content.get("_optimizer"))
        except OSError as error:
            raise SourceError(
                f"has damaged weights ({error})", code="SP-308", where=where, hint="Download or save the model again"
            ) from error


def copy_with_config(source: Path, target: Path, config: object) -> None:
    """Copy an HDF5 file under another configuration."""
    shutil.copyfile(source, target)
    with _h5py().File(target, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
        if "model_weights" in file and _version(file).startswith("1"):
            file["model_weights"].attrs["keras_version"] = "1"  # so Keras 2 knows all versions of Keras 1


def _version(file: Any) -> str:
    version = file.attrs.get("keras_version", "1")
    return version.decode() if isinstance(version, bytes) else str(version)


def _check_links(file: Any, where: str) -> None:
    """Refuse data that lie in other files: a model must not read them."""
    h5py = _h5py()

    def visit(name: str, link: Any) -> str | None:
        if isinstance(link, h5py.ExternalLink):
            return name
        item = file[name] if isinstance(link, h5py.HardLink) else None
        return name if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None

    if name := file.visititems_links(visit):
        raise UnsafeModelError(
            f"keeps {name!r} in another file", code="SP-361", where=where, hint="Save the model again, as one file"
        )


def _h5py() -> ModuleType:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ConversionError("h5py cannot be imported: not installed", code="SP-405", hint=to_convert) from error
    module: ModuleType = h5py
    return module
