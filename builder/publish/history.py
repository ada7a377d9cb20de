"""Releases that were live, the way back to one, and pins."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..bundle.format import loader_name
from ..bundle.index import IndexEntry, make_index, read_index, replace_index
from ..errors import StoreConflictError, StoreError, StoreLockedError, UsageError
from .apply import Deployer, perform
from .plan import Action
from .pointer import Pointer, fetch_loader, loader_hash, made_live, with_generation
from .pointer import Release as PastRelease
from .wholeness import check_whole

attempts = 8


@dataclass(frozen=True, slots=True)
class Rollback:
    """What a rollback did.

    Attributes:
        before, after: the releases, as their builds named them.
        models: whose entries changed.
        loader: names what is live now more closely: releases of the same models may have other code.
    """

    before: str
    after: str
    models: tuple[str, ...]
    loader: str


def find_release(base: Pointer, wanted: str, place: str) -> PastRelease:
    """Return the release whose name, or whose loader's hash, starts with ``wanted``.

    Raises:
        UsageError: none does, or several do.
    """
    known = base.state.releases
    found = [item for item in known if wanted and any(name.startswith(wanted) for name in (item.id, item.loader))]
    if len(found) != 1:
        names = ", ".join(f"{item.name} (loader.{item.loader}.js)" for item in found or known)
        raise UsageError(
            f"{'no release is' if not found else 'several releases are'} called {wanted!r}",
            code="SP-124",
            where=place,
            hint=f"Known: {names or 'none'}; give the hash of one's loader" if found else f"Known: {names or 'none'}",
        )
    return found[0]


def roll_back(deployer: Deployer, only: tuple[str, ...], to: str | None, *, dry_run: bool = False) -> Rollback:
    """Make an earlier release live again, whole or for some models.

    Args:
        deployer: the target.
        only: models to take back; () for all.
        to: names the release; None is the one deployed before the live one.
        dry_run: only tell what would be.

    Raises:
        UsageError: there is no such release or model.
        StoreConflictError: somebody else deployed meanwhile.
        StoreError: the store failed, or the release is not whole.
    """
    first: str | None = None
    for attempt in range(attempts):
        base = required(deployer, reading=dry_run)
        if first is not None and base.live != first:
            raise StoreConflictError(
                "another release was published in the meantime",
                code="SP-640",
                where=deployer.store.place,
                hint="Look at `releases`",
            )
        first = base.live
        target = find_release(base, to, deployer.store.place) if to else _previous(base, deployer.store.place)
        loader = fetch_loader(deployer.store, target.loader)
        if loader is None:
            raise StoreError(
                f"the pinned loader of release {target.name} is missing",
                code="SP-608",
                where=deployer.store.place,
                hint="Roll back to another release, or deploy the older bundle again",
            )
        stock: Mapping[str, str] = target.stock
        if only:
            loader, stock = _merged(base, loader, target, only)
        index = read_index(loader)
        check_whole(deployer.store, target.name, index, stock, base)
        changed = tuple(sorted(_changed(index.models, base.index.models)))
        result = Rollback(base.release, index.release, changed, loader_hash(loader))
        if dry_run or loader == base.loader:
            return result
        try:
            _write(deployer, base, loader, stock, again=not only)
        except StoreConflictError as error:
            if attempt == attempts - 1 or isinstance(error, StoreLockedError):
                raise
        else:
            return result
    raise AssertionError("unreachable")


def required(deployer: Deployer, *, reading: bool = False) -> Pointer:
    """Return the pointer of a target that has one.

    Args:
        deployer: the target.
        reading: only look, and write nothing.

    Raises:
        StoreError: nothing was ever deployed there.
    """
    if reading:
        deployer.repairs = False
    base = deployer.read() if reading else deployer.read_unleased()
    if base is None:
        raise StoreError("nothing is deployed here", code="SP-607", where=deployer.store.place, hint="Deploy first")
    if not reading:
        deployer.prepare()
    return base


def set_pin(deployer: Deployer, wanted: str, *, pinned: bool) -> PastRelease:
    """Keep a release from being pruned, or no longer.

    Raises:
        UsageError: there is no such release.
        StoreError: the store failed.
    """
    base = required(deployer)
    release = find_release(base, wanted, deployer.store.place)
    changed = msgspec.structs.replace(release, pinned=pinned)
    releases = tuple(changed if item is release else item for item in base.state.releases)
    deployer.swap(base.loader, with_generation(base.state, releases=releases, lease=None), base.tag)
    return changed


def _write(deployer: Deployer, base: Pointer, loader: bytes, stock: Mapping[str, str], *, again: bool) -> None:
    """Write the pinned loader, which a merge has made anew, then the pointer."""
    with tempfile.TemporaryDirectory() as folder:
        uploads = deployer.form.pinned(loader, Path(folder))
        if not again:
            deployer.announce({upload.key for upload in uploads})
        for upload in uploads:
            perform(deployer.store, Action("put", upload.key, "new", upload.nbytes, upload))
    state = made_live(base.state, loader, base.now, stock, again=again)
    deployer.swap(loader, state, base.tag, changes=loader_name)


def _previous(base: Pointer, place: str) -> PastRelease:
    names = [item.loader for item in base.state.releases]
    position = names.index(base.live) + 1 if base.live in names else 0
    if position >= len(names):
        raise UsageError(
            "there is no earlier release", code="SP-125", where=place, hint="`releases` shows what there is"
        )
    return base.state.releases[position]


def _merged(base: Pointer, loader: bytes, target: PastRelease, only: tuple[str, ...]) -> tuple[bytes, dict[str, str]]:
    past = read_index(loader).models
    entries = dict(base.index.models)
    stock = dict(base.stock)
    for name in only:
        if name not in past:
            raise UsageError(
                f"release {target.name} has no model {name!r}",
                code="SP-102",
                where="--only",
                hint=f"It has: {', '.join(past)}",
            )
        # The rungs of a ladder come and go with it.
        for rung in entries[name].rungs if name in entries else ():
            entries.pop(rung, None)
        entries |= {one: past[one] for one in (*past[name].rungs, name) if one in past}
        stock.pop(name, None)
        if name in target.stock:
            stock[name] = target.stock[name]
    return replace_index(base.loader, make_index(entries)), stock


def _changed(one: Mapping[str, IndexEntry], other: Mapping[str, IndexEntry]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}
