"""Finds models and writes a first ``build.toml`` for them, with the reasons beside each key."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..answers.clues import Proposal
from ..answers.kinds import unknown_range
from ..bundle.format import worker_url
from ..bundle.render import render, render_worker
from ..config.frameworks import Framework, own_out
from ..config.schema import schema_name
from ..config.tables import model_name
from ..errors import ShardpressError, UsageError
from ..pipeline.proposals import lines_of
from ..program import program
from ..sources.detect import detect, foreign
from ..sources.members import archive_suffixes, model_members
from ..sources.model_folders import is_keras_folder, packed_model, teachable_labels, unpack
from ..sources.onnx_files import external_files
from ..sources.other_frameworks import export_hint, suffixes
from ..sources.tfjs import read_model

left_out = {"node_modules", own_out, "dist", "build", "venv", "env", "site-packages", "__pycache__", "variables"}
endings = {".h5", ".hdf5", ".keras", ".pb", ".json", ".bin", ".vec", ".zip", ".onnx", ".tflite", ".task"}
sure_endings = {".h5", ".hdf5", ".keras", ".onnx", ".tflite"}
most_topology = 64 << 20  # bytes of a model.json that are looked through
pictures = {".png", ".jpg", ".jpeg"}
kinds = {
    "tfjs": "TensorFlow.js model",
    "saved-model": "SavedModel",
    "keras-h5": "Keras HDF5 file",
    "keras-zip": "Keras 3 file",
    "frozen-graph": "frozen graph",
    "onnx": "ONNX file",
    "tflite": "TensorFlow Lite file",
    "word-vectors": "word vectors",
}
dull = {"model", "saved_model", "savedmodel", "models", "assets", "export", "exported", "web_model", "tfjs", "keras"}
headroom = 1.2
sample_bytes = 1000  # about what the sample answers take that a verified build puts into the head
large = 5_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """A model that was found.

    Attributes:
        name: for the loader.
        path: relative to build.toml's folder, with slashes.
        kind: as ``detect`` gives it.
        nbytes: length of its files.
        samples: pattern of pictures that lie by it, or empty.
        labels: text file with a label a line that lies by it, or empty.
        own_labels: what Teachable Machine wrote beside the model.
        member: which one it is of several in an archive, or empty.
    """

    name: str
    path: str
    kind: str
    nbytes: int
    samples: str = ""
    labels: str = ""
    own_labels: tuple[str, ...] = ()
    member: str = ""


def find_models(folder: Path, places: tuple[Path, ...], outputs: tuple[Path, ...] = ()) -> tuple[Found, ...]:
    """Find the models below some places, for a ``build.toml`` in ``folder``; what builds write is none of them.

    Raises:
        UsageError: a place does not exist.
    """
    seen: dict[Path, str] = {}
    for place in places:
        if not place.exists():
            raise UsageError(
                "does not exist", code="SP-109", where=str(place), hint="Name a model, or a folder that holds some"
            )
        seen |= dict(_models(place.absolute(), outputs))
    names: set[str] = set()
    found = []
    for path, kind in sorted(seen.items()):
        members = _members(path) if kind == "tflite" else {}
        for member, nbytes in sorted(members.items()) if len(members) > 1 else [("", _length(path, kind))]:
            name = _unique(_name(path / member, folder), names)
            names.add(name)
            found.append(
                Found(
                    name,
                    Path(os.path.relpath(path, folder)).as_posix(),
                    kind,
                    nbytes,
                    _samples(path, folder),
                    _labels(path, folder),
                    _own_labels(path, kind),
                    member,
                )
            )
    return tuple(found)


def find_unreadable(places: tuple[Path, ...]) -> tuple[tuple[Path, str], ...]:
    """Return the files below some places that are models of kinds which are not read, each with what to do instead."""
    files = {path for place in places for path in _files(place) if path.suffix.lower() in {*foreign, *suffixes}}
    return tuple((path, foreign.get(path.suffix.lower()) or export_hint(path)) for path in sorted(files))


def find_damaged(places: tuple[Path, ...]) -> ShardpressError | None:
    """Return what is wrong with the first file that looks like a model by its ending; of ``.json`` by its weights."""
    for path in sorted(path for place in places for path in _files(place)):
        is_json = path.suffix.lower() == ".json"
        if path.suffix.lower() not in sure_endings and not (is_json and b'"weightsManifest"' in _start(path)):
            continue
        try:
            detect(path)
            if is_json:
                read_model(path)
        except ShardpressError as error:
            return error
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return None


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most_topology)
    except OSError:
        return b""


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name not in left_out and not name.startswith(".")]
        yield from (Path(folder) / name for name in files)


def labels_name(name: str) -> str:
    """Return the name of the file beside ``build.toml`` that gets the labels which a model brings itself."""
    return f"{name}.labels.txt"


def write_config(
    found: tuple[Found, ...],
    wire: Mapping[str, int],
    framework: Framework | None = None,
    proposals: Mapping[str, Proposal] = MappingProxyType({}),
    ladders: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> str:
    """Write build.toml.

    Args:
        found: the models, at least one.
        wire: bytes on the wire of those that could be built.
        framework: of the project, if it has one.
        proposals: what is known of pictures and answers, by model; ``labels_name`` has the labels that they bring.
        ladders: lines that stand in place of the tables of models that are in one; none for all but the first.
    """
    out = own_out if framework else "dist"
    note = f"not {', '.join(framework.outputs)}: {framework.name} empties that" if framework else "what a build writes"
    lines = [
        f"#:schema {out}/{schema_name}",
        f"# Written by shardpress init. Paths start at this folder; {program()} schema explains every key.",
        "",
        "[build]",
        f'out = "{out}"'.ljust(32) + f"# {note}; {out}/cdn is what you publish",
        'cache = ".shardpress"           # earlier work, safe to delete',
        'shard_bytes = "256 KiB"         # about how large a file is: the unit of retry and of caching',
    ]
    for number, model in enumerate(found):
        if model.name in ladders:
            lines += ["", *ladders[model.name]] if ladders[model.name] else []
            continue
        lines += ["", f"[models.{model.name}]{' ' * max(1, 18 - len(model.name))}# {kinds[model.kind]}"]
        lines.append(f"source = {quoted(model.path)}")
        if model.member:
            lines.append(f"member = {quoted(model.member)}")
        lines += policy(number, model, len(found))
        lines.append(
            "rows_first = 5000               # words that come first; the rest follows while a page uses them"
            if model.kind == "word-vectors"
            else 'precision = "exact"             # bit for bit the source at the end; usable from 3/8 of the bytes'
        )
        if model.name in wire:
            lines.append(budget_of(wire[model.name]))
        else:
            lines.append('# budget = "600 kB"             # most bytes on the wire; over it the build fails')
        if model.labels:
            lines.append(f"labels = {quoted(model.labels)}")
        elif model.own_labels:
            count = f"{len(model.own_labels)} labels" if len(model.own_labels) > 1 else "label"
            lines.append(f"# its {count} come from Teachable Machine's metadata.json; labels = FILE takes others")
        lines += _run_lines(model, proposals.get(model.name))
        if model.samples:
            lines += ["", f"[models.{model.name}.verify]", f"inputs = {quoted(model.samples)}"]
    lines += _target_lines(framework)
    return "\n".join(lines) + "\n"


def _target_lines(framework: Framework | None) -> list[str]:
    """Return the target that puts the bundle where a framework serves it."""
    if not framework or not framework.copy:
        return []
    note = f"{framework.name} serves it at {framework.base}: {program()} deploy public"
    return ["", f"[targets.public]                # {note}", 'type = "directory"', f'path = "{framework.copy}"']


def _run_lines(model: Found, proposal: Proposal | None) -> list[str]:
    """Return what ``run`` needs to know; in comments where the range of the picture is a guess."""
    if proposal is None:
        return []
    brings = proposal.labels and not model.labels and not model.own_labels
    labels = [f"labels = {quoted(labels_name(model.name))}"] if brings else []
    sure = unknown_range not in proposal.reason
    return [f"# run(): {proposal.reason}", *labels, *((line if sure else f"# {line}") for line in lines_of(proposal))]


def budget_of(wire: int, count: int = 1) -> str:
    """Return the line with the budget of models that take so many bytes on the wire together."""
    limit = _round(wire * headroom + sample_bytes * count)
    return f'budget = "{limit} kB"'.ljust(32) + "# 20 % over today's size; over it the build fails"


def write_site_worker(base: str) -> str:
    """Write the site's own ``sw.js``, which brings in the offline worker of every build by this version.

    Args:
        base: address of the folder that holds ``loader.js``, with a closing slash.
    """
    return render("site-sw.js.j2", base=base, worker=worker_url(hashlib.sha256(render_worker()).hexdigest()))


def policy(number: int, model: Found, count: int) -> list[str]:
    """Choose when it loads: one small model may be what the page is for, a large one must not be in anybody's way."""
    note = "# now, idle, visible, interaction or manual"
    if model.nbytes > large:
        return [f'load = "interaction"            {note}: large, so only when asked for', 'priority = "low"']
    if number == 0 and count == 1:
        return [f'load = "visible"                {note}', 'priority = "high"']
    return [f'load = "visible"                {note}']


def _models(place: Path, outputs: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    if kind := _kind(place):
        yield place, kind
        return
    if not place.is_dir():
        return
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in left_out or entry.is_symlink() or entry in outputs:
            continue
        yield from _models(entry, outputs)


def _kind(path: Path) -> str:
    """Return what kind of model a path is, or nothing: also for what only looks like one."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "saved-model"
        return "keras-zip" if is_keras_folder(path) and not any(path.glob("*.keras")) else ""
    if path.suffix.lower() not in endings or path.name.endswith(".weights.h5"):
        return ""
    if path.suffix.lower() in archive_suffixes and not packed_model(path):
        return "tflite" if _members(path) else ""
    if path.suffix.lower() == ".zip":
        return "tfjs"
    try:
        kind = detect(path)
        if kind == "tfjs":
            read_model(path)
    except (ShardpressError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return ""
    return kind


def _members(path: Path) -> dict[str, int]:
    """Return the models in an archive with their lengths; none of what is no archive, or damaged."""
    try:
        return model_members(path)
    except (ShardpressError, OSError):
        return {}


def _length(path: Path, kind: str) -> int:
    if kind == "tfjs" and path.suffix.lower() != ".zip":
        return path.stat().st_size + sum(weight.data.nbytes for weight in read_model(path).weights)
    beside = external_files(path) if kind == "onnx" else ()
    files = path.rglob("*") if path.is_dir() else [path, *beside]
    return sum(file.stat().st_size for file in files if file.is_file())


def _name(path: Path, folder: Path) -> str:
    """Name a model by its file, or by the nearest folder that says something."""
    parts = [path.stem, *(parent.name for parent in path.parents if parent != folder and folder in parent.parents)]
    for part in parts:
        name = re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")
        if name and name not in dull and not name.isdigit():
            break
    else:
        name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "model"
    return name if model_name.fullmatch(name) else f"m-{name}"


def _unique(name: str, taken: set[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _samples(path: Path, folder: Path) -> str:
    """Find pictures by a model: in its folder, or in a folder of samples or inputs by it."""
    near = path if path.is_dir() else path.parent
    for place in (near / "samples", near / "inputs", near.parent / "samples" / near.name, near):
        for ending in sorted(pictures):
            if place.is_dir() and any(place.glob(f"*{ending}")):
                return f"{Path(os.path.relpath(place, folder)).as_posix()}/*{ending}"
    return ""


def _labels(path: Path, folder: Path) -> str:
    near = path if path.is_dir() else path.parent
    for place in (near / "labels.txt", path.with_suffix(".txt"), near.parent / "labels" / f"{path.stem}.txt"):
        if place.is_file():
            return Path(os.path.relpath(place, folder)).as_posix()
    return ""


def _own_labels(path: Path, kind: str) -> tuple[str, ...]:
    if kind != "tfjs":
        return ()
    with tempfile.TemporaryDirectory(prefix="shardpress-") as folder:
        try:
            if packed_model(path):
                unpack(path, Path(folder))
                path = Path(folder) / "model.json"
            return teachable_labels(path) or ()
        except ShardpressError:  # the build will say it
            return ()


def _round(nbytes: float) -> int:
    """Return whole kilobytes, of two or three digits that say something."""
    kilobytes = max(1, int(-(-nbytes // 1000)))
    step = 10 if kilobytes >= 100 else 1
    return -(-kilobytes // step) * step


def quoted(text: str) -> str:
    """Return a text as TOML has it."""
    return json.dumps(text, ensure_ascii=False)
