"""The current state of the files a build depends on: equal snapshots need no build between them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..answers.texts import tokenizer_of
from ..config.tables import Config
from .server.asked import Asked, Stamp, is_folder, stamp

Stamps = dict[Path, Stamp]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where to look.

    Attributes:
        settings: build.toml, labels, vocabularies and custom ops.
        sources: models, files or folders.
        patterns: folder and pattern of verification inputs.
        templates: folders.
        pages: files that pages have requested; other files beside them are not inputs.
    """

    settings: tuple[Path, ...]
    sources: tuple[Path, ...] = ()
    patterns: tuple[tuple[Path, str], ...] = ()
    templates: tuple[Path, ...] = ()
    pages: Asked = field(default_factory=Asked)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Length, time and inode of every file (None: missing), by its purpose."""

    settings: Stamps = field(default_factory=dict)
    sources: Stamps = field(default_factory=dict)
    templates: Stamps = field(default_factory=dict)
    pages: Stamps = field(default_factory=dict)


def inputs_of(config: Config, templates: tuple[Path, ...], pages: Asked) -> Inputs:
    """Return what a build with these settings reads."""
    models = config.models.values()
    texts = [file for model in models for file in (model.labels, model.vocabulary, model.custom_ops)]
    texts += [tokenizer_of(model.tokenizer).file for model in models if model.tokenizer]
    return Inputs(
        settings=(config.path, *(config.folder / file for file in texts if file)),
        sources=tuple(config.folder / model.source for model in models),
        patterns=tuple((config.folder, model.verify.inputs) for model in models if model.verify.inputs),
        templates=templates,
        pages=pages,
    )


class Camera:
    """Takes snapshots; remembers which files each ``model.json`` names."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._named: dict[Path, tuple[Stamp, tuple[Path, ...]]] = {}

    def take(self, inputs: Inputs) -> Snapshot:
        """Look at everything, each file once: a file that a build reads does not by itself reload a page."""
        sources: Stamps = {}
        for source in inputs.sources:
            sources |= stamps(self._files(source))
        for folder, pattern in inputs.patterns:
            sources |= stamps(_matching(folder, pattern))
        settings = stamps(inputs.settings)
        return Snapshot(
            settings=settings,
            sources=sources,
            templates=stamps(file for folder in inputs.templates for file in _below(folder)),
            pages=stamps(file for file in inputs.pages.known() if file not in settings and file not in sources),
        )

    def _files(self, source: Path) -> Iterator[Path]:
        yield source
        if source.suffix == ".json":
            yield from self._weights(source)
        elif is_folder(source):
            yield from _below(source)

    def _weights(self, source: Path) -> tuple[Path, ...]:
        now = stamp(source)
        known = self._named.get(source)
        if known is None or known[0] != now:
            known = self._named[source] = (now, _named_files(source))
        return known[1]


def stamps(paths: Iterator[Path] | tuple[Path, ...]) -> Stamps:
    """Return the stamps of files."""
    return {path: stamp(path) for path in paths}


def _below(folder: Path) -> Iterator[Path]:
    """Return the files below a folder, including behind links, but each folder once: links may be circular."""
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        try:
            status = Path(place).stat()
        except OSError:  # it went away while it was listed
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    try:
        path = Path(pattern)
        yield from Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.anchor else folder.glob(pattern)
    except (OSError, ValueError, NotImplementedError):
        return


def _named_files(source: Path) -> tuple[Path, ...]:
    """Return the weight files that a ``model.json`` names, as far as it can be read."""
    try:
        content: Any = json.loads(source.read_bytes())
        paths = [path for group in content["weightsManifest"] for path in group["paths"]]
        return tuple(source.parent / str(path) for path in paths if ".." not in str(path))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ()
