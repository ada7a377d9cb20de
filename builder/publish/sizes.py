"""How large the models of a build are, and how that differs from another build, for people who review a change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..config.units import show_size
from ..errors import UsageError
from ..typed import from_json


class _File(msgspec.Struct):
    """What is read of a file's entry; manifests of other versions may hold more."""

    url: str
    bytes: int
    encodings: dict[str, int]

    @property
    def wire(self) -> int:
        return self.encodings.get("br", self.bytes)


class _Stage(msgspec.Struct):
    name: str
    wire_bytes: int


class _Model(msgspec.Struct):
    contract: str
    head: _File
    stages: list[_Stage]
    shards: list[_File]
    ops: _File | None = None

    @property
    def files(self) -> list[_File]:
        return [*self.shards, self.head, *([self.ops] if self.ops else [])]

    @property
    def wire(self) -> int:
        return sum(file.wire for file in self.files)

    @property
    def first(self) -> int:
        """Bytes until the first stage is usable."""
        return self.head.wire + (self.ops.wire if self.ops else 0) + (self.stages[0].wire_bytes if self.stages else 0)


class _Loader(msgspec.Struct):
    pinned: _File


class _Manifest(msgspec.Struct):
    release: str
    loader: _Loader
    models: dict[str, _Model]


@dataclass(frozen=True, slots=True)
class Row:
    """A model's size, all in bytes on the wire.

    Attributes:
        name: of the model, or of the loader.
        first: until it is usable; None for the loader.
        wire: of all its files; 0 when it is gone.
        before: of all its files in the other build; None when it was not there or nothing is compared.
        fetched: of the files that the other build had not: what a returning visitor fetches.
        contract_changed: its inputs, outputs or labels are others.
    """

    name: str
    first: int | None
    wire: int
    before: int | None
    fetched: int
    contract_changed: bool = False


@dataclass(frozen=True, slots=True)
class Sizes:
    """The models of a build, compared with those of another one unless ``base`` is ""."""

    release: str
    base: str
    rows: tuple[Row, ...]


def compare_sizes(manifest: Path, base: Path | None) -> Sizes:
    """Compare two builds by their ``manifest.json``; a ``base`` that does not exist is none.

    Raises:
        UsageError: one of them cannot be read.
    """
    now = _read(manifest)
    before = _read(base) if base is not None and base.exists() else None
    known = {file.url for model in before.models.values() for file in model.files} if before else set()
    rows = []
    for name in sorted({*now.models, *(before.models if before else ())}):
        model, old = now.models.get(name), before.models.get(name) if before else None
        rows.append(
            Row(
                name,
                model.first if model else 0,
                model.wire if model else 0,
                old.wire if old else None,
                sum(file.wire for file in model.files if file.url not in known) if model else 0,
                model is not None and old is not None and model.contract != old.contract,
            )
        )
    loader, old_loader = now.loader.pinned, before.loader.pinned if before else None
    fetched = 0 if old_loader and loader.url == old_loader.url else loader.wire
    rows.append(Row("loader.js", None, loader.wire, old_loader.wire if old_loader else None, fetched))
    return Sizes(now.release, before.release if before else "", tuple(rows))


def markdown(sizes: Sizes) -> str:
    """Write a table for a pull request or a job's summary."""
    compared = bool(sizes.base)
    title = "### Model sizes on the wire"
    if not compared:
        lines = [
            title,
            "",
            "There is no other build to compare with.",
            "",
            "| model | usable after | all |",
            "|---|--:|--:|",
        ]
        lines += [f"| {row.name} | {_size(row.first)} | {show_size(row.wire)} |" for row in sizes.rows]
        return "\n".join([*lines, ""])
    lines = [
        title,
        "",
        f"Release `{sizes.release}` against `{sizes.base}`; the last column is what a returning visitor fetches.",
        "",
        "| model | usable after | all | change | fetched anew |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in sizes.rows:
        name = f"{row.name} ⚠️" if row.contract_changed else row.name
        size = "gone" if not row.wire else show_size(row.wire)
        lines.append(f"| {name} | {_size(row.first)} | {size} | {_change(row)} | {show_size(row.fetched)} |")
    total, before = sum(row.wire for row in sizes.rows), sum(row.before or 0 for row in sizes.rows)
    fetched = sum(row.fetched for row in sizes.rows)
    whole = Row("", None, total, before, fetched)
    lines.append(f"| **all** | | **{show_size(total)}** | **{_change(whole)}** | **{show_size(fetched)}** |")
    if changed := [row.name for row in sizes.rows if row.contract_changed]:
        lines += ["", f"⚠️ other inputs, outputs or labels than before: {', '.join(changed)}; pages may have to change."]
    return "\n".join([*lines, ""])


def _size(count: int | None) -> str:
    return show_size(count) if count else ""


def _change(row: Row) -> str:
    if row.before is None:
        return "new"
    difference = row.wire - row.before
    if not difference:
        return "0 B"
    share = f" ({100 * difference / row.before:+.1f} %)" if row.before else ""
    return f"{'+' if difference > 0 else '-'}{show_size(abs(difference))}{share}"


def _read(path: Path) -> _Manifest:
    try:
        return from_json(path.read_bytes(), _Manifest)
    except OSError as error:
        raise UsageError(
            f"cannot be read ({error.strerror})", code="SP-122", where=str(path), hint="Run the build first"
        ) from error
    except msgspec.DecodeError as error:
        raise UsageError(
            "is not a manifest this version reads", code="SP-123", where=str(path), hint="Build again"
        ) from error
