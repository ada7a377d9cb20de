"""What in a build's folder is ours: only that is replaced or removed, and a folder of somebody else's is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from ..bundle.format import immutable_name, loader_name
from ..bundle.index import read_index
from ..bundle.modules import packaged
from ..bundle.render import client_names
from ..config.schema import schema_file, schema_name
from ..errors import FormatError, UsageError
from ..files.atomic import is_stale, write_atomically
from ..typed import from_json
from .report.card_names import card_name, cards_of

record_name = ".shardpress.json"
types_name = "cdn/loader.d.ts"
package_files = (
    *("index.js", "index.cjs", "inline.js", "index.d.ts", "index.d.cts", "package.json"),
    *(f"{name}.{kind}" for name in packaged for kind in ("js", "cjs")),
)
beside = (
    *(f"package/{name}" for name in package_files),
    types_name,
    "preload.html",
    "sw.js",
    "headers.json",
    "manifest.json",
    "report.json",
    "report.html",
    schema_name,
)
"""What a build writes beside ``cdn``, the scripts of development servers apart."""

old_locks = (".lock", ".cdn.lock")  # of earlier versions
harmless = frozenset((record_name, *old_locks, ".DS_Store", ".gitignore", ".gitkeep"))
shown = 3


class Record(msgspec.Struct, frozen=True):
    """The files of a build's folder that are ours, relative to it."""

    files: tuple[str, ...]


def all_beside() -> tuple[str, ...]:
    """Return all that a build writes beside ``cdn``."""
    return *beside, *client_names()


def check_claim(out: Path, project: Path) -> None:
    """Tell before any work whether a build may write to a folder.

    Args:
        out: the folder.
        project: where build.toml lies.

    Raises:
        UsageError: it holds files that are not ours.
    """
    ours = None if project.resolve().is_relative_to(out.resolve()) else owned(out)
    if ours is None:
        foreign = list(islice(_files(out), shown))
    else:
        foreign = sorted(
            name for name in (f"cdn/{loader_name}", *all_beside()) if name not in ours and (out / name).exists()
        )
    if foreign:
        raise _refusal(out, foreign)


def claim(out: Path, names: Collection[str]) -> frozenset[str]:
    """Write down what a build is going to write, before it does; give what was ours already.

    Raises:
        UsageError: one of the files is there and not ours.
        OSError: the folder cannot be written.
    """
    ours = owned(out) or frozenset[str]()
    # A file with a hash in its name is compared with its content, and is the same.
    fixed = (name for name in names if not immutable_name.fullmatch(name.removeprefix("cdn/")))
    if foreign := sorted(name for name in fixed if name not in ours and (out / name).exists()):
        raise _refusal(out, foreign)
    note(out, {*ours, *names})
    return ours


def write_schema(out: Path, project: Path) -> None:
    """Write the schema of build.toml where builds will, so that editors have it before the first one.

    Nothing is written into a folder of somebody else's, or one that cannot be written: the build will say so.

    Args:
        out: the folder of builds.
        project: where build.toml lies.
    """
    with suppress(UsageError, OSError):
        check_claim(out, project)
        claim(out, {schema_name})
        write_atomically(out / schema_name, schema_file())


def note(out: Path, names: Collection[str]) -> None:
    """Write the record, unless it says so already.

    Raises:
        OSError: the folder cannot be written.
    """
    content = msgspec.json.format(msgspec.json.encode(Record(tuple(sorted(names)))), indent=1) + b"\n"
    path = out / record_name
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)


def owned(out: Path) -> frozenset[str] | None:
    """Return our files, by the record or as an earlier version left them; None: the folder is not ours."""
    recorded = _recorded(out)
    return _unrecorded(out) if recorded is None else recorded


def _recorded(out: Path) -> frozenset[str] | None:
    try:
        names = from_json((out / record_name).read_bytes(), Record).files
    except (OSError, msgspec.DecodeError):
        return None
    # Whatever a record says, no other names than those a build gives are replaced or removed.
    known = all_beside()
    return frozenset(name for name in names if name in known or card_name.fullmatch(name) or _in_bundle(name))


def _unrecorded(out: Path) -> frozenset[str] | None:
    """Know a build by loader and manifest: versions that wrote no record, and records that got lost on the way."""
    try:
        read_index((out / "cdn" / loader_name).read_bytes())
        manifest = json.loads((out / "manifest.json").read_bytes())
        if not manifest["generator"].startswith("shardpress "):
            return None
    except (OSError, FormatError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    named = (f"cdn/{url}{suffix}" for url in _urls(manifest) for suffix in ("", ".br", ".gz"))
    models = manifest.get("models")
    cards = {name for model in (models if isinstance(models, dict) else ()) for name in cards_of(model)}
    ours = (*filter(card_name.fullmatch, cards), *filter(_in_bundle, named))
    return frozenset((*all_beside(), *old_locks, f"cdn/{loader_name}", *ours))


def _urls(value: object) -> Iterator[str]:
    """Return the addresses that a manifest of any version names."""
    if isinstance(value, dict):
        if isinstance(value.get("url"), str):
            yield value["url"]
        for item in value.values():
            yield from _urls(item)
    elif isinstance(value, list):
        for item in value:
            yield from _urls(item)


def _in_bundle(name: str) -> bool:
    key = name.removeprefix("cdn/")
    return key != name and (key == loader_name or bool(immutable_name.fullmatch(key)))


def _files(folder: Path) -> Iterator[str]:
    """Return the files of a folder that somebody may miss."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(root, name)
            if not is_stale(path) and not (path.parent == folder and name in harmless):
                yield path.relative_to(folder).as_posix()


def _refusal(out: Path, foreign: list[str]) -> UsageError:
    more = " …" if len(foreign) >= shown else ""
    return UsageError(
        f"holds files that no build wrote: {', '.join(foreign[:shown])}{more}",
        code="SP-117",
        where=str(out),
        hint="Name a folder for builds alone in [build] out or --out, or move these files away",
    )
