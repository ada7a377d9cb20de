"""What a deploy would do, and why: asks the target as little as it can, writes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from ..bundle.format import loader_name
from ..bundle.head import Head, named_urls
from ..bundle.index import IndexEntry, OlderHead, make_index, replace_index
from ..bundle.manifest import FileEntry
from ..errors import ContractError, UsageError
from ..stores import TargetStore
from .dist import Local, check_heads
from .live_runtime import check_runtime
from .pointer import Pointer, fetch_head, loader_hash
from .previews import is_settled, preview_key
from .proof import difference
from .uploads import Form, Upload

few = 32  # objects that are asked for one by one rather than listed
askers = 16
ttl_slack = 60.0  # a rerun at once has nothing to do
Kind = Literal["put", "overwrite", "headers", "skip", "swap", "delete"]


@dataclass(frozen=True, slots=True)
class Action:
    """One object and what becomes of it.

    Attributes:
        do: ``put`` a new one, ``overwrite`` a wrong one, change only its ``headers``, ``skip``, ``swap``, ``delete``.
        key: of the object.
        why: for people.
        nbytes: that are sent, or freed.
        upload: what is sent.
    """

    do: Kind
    key: str
    why: str
    nbytes: int = 0
    upload: Upload | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a bundle is deployed, and how.

    Attributes:
        only: models to change; () for all.
        breaking: live contracts may change.
        repair: ask for every object rather than trust the live release.
        preview: name of a preview, or "" for the release itself.
        ttl: seconds that a preview lives from now on; None leaves one that is there as it is.
    """

    only: tuple[str, ...] = ()
    breaking: bool = False
    repair: bool = False
    preview: str = ""
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """How it is found out what a target has.

    Attributes:
        store: the target.
        listing: many objects are listed rather than asked for one by one.
        thorough: what the store itself has not hashed is read.
    """

    store: TargetStore
    listing: bool
    thorough: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A deploy before it is done.

    Attributes:
        base: the pointer it starts from.
        loader: the release's loader.
        stock: its stock copies.
        worker: address of its offline worker.
        actions: in order.
        notes: sentences the user should read.
        idle: there is nothing to do.
    """

    base: Pointer | None
    loader: bytes
    stock: Mapping[str, str]
    worker: str
    actions: tuple[Action, ...]
    notes: tuple[str, ...]
    idle: bool

    @property
    def nbytes(self) -> int:
        """Bytes that would be sent."""
        return sum(action.nbytes for action in self.actions if action.do in ("put", "overwrite", "swap"))


def make_plan(local: Local, store: TargetStore, form: Form, base: Pointer | None, choice: Choice, folder: Path) -> Plan:
    """Compare a bundle with what is live.

    Args:
        local: the bundle.
        store: the target.
        form: how it keeps files.
        base: what is live.
        choice: what is wanted.
        folder: for files of the merged loader.

    Raises:
        ContractError: pages would break.
        UsageError: ``only`` names a model that is not in the bundle, or a preview would be the first release.
    """
    if choice.preview and base is None:
        raise UsageError(
            "there is no release to preview beside", code="SP-125", where=store.place, hint="Deploy one first"
        )
    touched = _touched(local, choice.only)
    live: Mapping[str, IndexEntry] = base.index.models if base else {}
    old_heads = _old_heads(local, live, touched, store)
    entries, notes = _entries(local, live, touched, old_heads, choice)
    code = base.loader if base and choice.only and newer(base.state.tool, local.tool) else local.loader
    if base and code is local.loader and not choice.breaking and not choice.preview:
        check_runtime(local, base.index, entries)
    loader = replace_index(code, make_index(entries))
    stock = _stock(local, base, touched, choice)
    pointer_there = base is not None and (choice.preview == "" or _preview_there(base, choice, loader, store))
    same = base is not None and loader == (base.loader if not choice.preview else loader)
    headers_same = base is not None and (base.state.headers == form.hash or bool(choice.only))
    worker = local.worker.url if code is local.loader or not base else base.state.worker
    rest_same = base is not None and stock == base.stock and (bool(choice.preview) or worker == base.state.worker)
    if pointer_there and same and headers_same and rest_same and not choice.repair:
        return Plan(base, loader, stock, worker, (), notes, idle=True)
    known = _known(local, base, live, touched, old_heads)
    code_files = (local.worker, *local.modules) if code is local.loader else ()
    files = [*code_files, *(file for name in touched for file in _files(local, name))]
    distrust = choice.repair or not headers_same
    there = [file for file in files if file.url in known and not distrust]
    actions = [Action("skip", key, "the live release has it") for file in there for key in form.keys(file)]
    asked = (file for file in files if distrust or file.url not in known)
    check_heads(local, (name for name in touched if distrust or local.models[name].head.url not in known))
    search = Search(store, listing=not (distrust and base), thorough=choice.repair)
    actions += _decide(form.uploads(local.root, asked), search)
    actions += _decide(form.pinned(loader, folder), replace(search, listing=False))
    if choice.preview:
        actions.append(Action("swap", preview_key(choice.preview), "makes the preview live", len(loader)))
        actions.append(Action("swap", loader_name, "notes the preview", len(base.loader if base else b"")))
    elif base is None:
        actions.append(Action("swap", loader_name, "first release", len(loader)))
    else:
        why = "makes the release live" if not same else "notes what changed beside the loader"
        actions.append(Action("swap", loader_name, why, len(loader)))
    return Plan(base, loader, stock, worker, tuple(sorted(actions, key=_rank)), notes, idle=False)


def _touched(local: Local, only: tuple[str, ...]) -> tuple[str, ...]:
    for name in only:
        if name not in local.models:
            raise UsageError(
                f"there is no model {name!r} in the bundle",
                code="SP-102",
                where="--only",
                hint=f"Its models: {', '.join(local.models) or 'none'}",
            )
    if not only:
        return tuple(local.models)
    rungs = {rung for name in only for rung in local.index.models[name].rungs}
    return tuple(sorted({*only, *(rung for rung in rungs if rung in local.models)}))


def _old_heads(
    local: Local, live: Mapping[str, IndexEntry], touched: Iterable[str], store: TargetStore
) -> dict[str, Head | None]:
    """Fetch the live heads of the models that change; None for one that is missing."""
    changed = [
        live[name].heads(name)[0]
        for name in touched
        if name in live and live[name].head_sha256 != local.models[name].head.sha256
    ]
    with ThreadPoolExecutor(askers) as pool:
        return {
            head.model: found
            for head, found in zip(changed, pool.map(partial(fetch_head, store), changed), strict=True)
        }


def _entries(
    local: Local,
    live: Mapping[str, IndexEntry],
    touched: tuple[str, ...],
    old_heads: Mapping[str, Head | None],
    choice: Choice,
) -> tuple[dict[str, IndexEntry], tuple[str, ...]]:
    """Merge the index entries; a live contract that changes stays reachable as the entry's older head.

    Rungs below the last one of a ladder go with it: no page names them, so they have no contract of their own to keep.
    """
    outgoing = _rungs(live, touched)
    entries = {name: entry for name, entry in live.items() if name not in outgoing} if choice.only else {}
    lower = outgoing | _rungs(local.index.models, touched)
    broken: list[str] = []
    notes: list[str] = []
    for name in touched:
        entry = local.index.models[name]
        if name in live and name not in lower:
            older = live[name].extras.older
            if name in old_heads:
                head = old_heads[name]
                if head is None:
                    notes.append(f"{name}: its live head is missing, so its contract cannot be compared")
                elif head.contract != local.models[name].contract:
                    broken.append(name)
                    older = OlderHead(head.contract, live[name].head_sha256, live[name].head_bytes)
            entry = replace(entry, extras=replace(entry.extras, older=older or entry.extras.older))
        entries[name] = entry
    gone = [] if choice.only else sorted(set(live) - set(entries) - outgoing)
    if (broken or gone) and not choice.breaking and not choice.preview:
        what = [f"{name} has other inputs, outputs or labels than the live one" for name in broken]
        what += [f"{name} is live but not in this bundle" for name in gone]
        raise ContractError(
            f"pages may break: {'; '.join(what)}",
            code="SP-670",
            where="deploy",
            hint="Deploy with --breaking if that is wanted, or with --only for single models",
        )
    notes += [f"{name}: the contract changes; the last head of the older one stays" for name in broken]
    notes += [f"{name}: is taken out of the live release" for name in gone]
    return entries, tuple(notes)


def _rungs(models: Mapping[str, IndexEntry], names: Iterable[str]) -> set[str]:
    """Return the models that only stand in for the last rung of some ladders."""
    return {rung for name in names if name in models for rung in models[name].rungs}


def _stock(local: Local, base: Pointer | None, touched: Iterable[str], choice: Choice) -> dict[str, str]:
    stock = dict(base.stock) if base and choice.only else {}
    for name in touched:
        stock.pop(name, None)
        if digest := local.models[name].stock_hash:
            stock[name] = digest
    return stock


def _preview_there(base: Pointer, choice: Choice, loader: bytes, store: TargetStore) -> bool:
    """Return whether a preview is there, whole, and lives about as long as is wanted."""
    preview = base.state.previews.get(choice.preview)
    if preview is None or preview.loader != loader_hash(loader) or preview.until <= base.now:
        return False
    if choice.ttl is not None and abs(base.now + choice.ttl - preview.until) >= ttl_slack:
        return False
    return is_settled(store, choice.preview, preview)


def _files(local: Local, name: str) -> list[FileEntry]:
    model = local.models[name]
    return [*model.shards, *model.stock, model.head]


def _known(
    local: Local,
    base: Pointer | None,
    live: Mapping[str, IndexEntry],
    touched: Iterable[str],
    old_heads: Mapping[str, Head | None],
) -> set[str]:
    """Return the addresses that the live release names, among modules, worker and those of the touched models."""
    known = {base.state.worker, *base.index.module_urls()} if base else set()
    for name in touched:
        if name not in live:
            continue
        model = local.models[name]
        if name not in old_heads:
            known.update(file.url for file in (*model.shards, model.head))
        elif head := old_heads[name]:
            known.update(named_urls(name, head))
        if base and model.stock_hash and base.stock.get(name) == model.stock_hash:
            known.update(file.url for file in model.stock)
    return known


def _decide(uploads: Iterable[Upload], search: Search) -> list[Action]:
    actions = []
    asked = list(uploads)
    if len(asked) > few and search.listing:
        there = {item.key for item in search.store.listing()}
        actions += [_put(upload) for upload in asked if upload.key not in there]
        asked = [upload for upload in asked if upload.key in there]
    with ThreadPoolExecutor(askers) as pool:
        actions += pool.map(lambda upload: _compare(upload, search), asked)
    return actions


def _put(upload: Upload) -> Action:
    return Action("put", upload.key, "new", upload.nbytes, upload)


def _compare(upload: Upload, search: Search) -> Action:
    stat = search.store.stat(upload.key)
    if stat is None:
        return _put(upload)
    if why := difference(upload, stat, search.store, thorough=search.thorough):
        return Action("overwrite", upload.key, why, upload.nbytes, upload)
    changed = sorted(
        name for name in {*upload.headers, *stat.headers} if upload.headers.get(name) != stat.headers.get(name)
    )
    if changed:
        return Action("headers", upload.key, f"other {', '.join(changed)}", 0, upload)
    return Action("skip", upload.key, "already exists")


def plain(key: str) -> str:
    """Return the address without the suffix of an encoded copy."""
    return key.removesuffix(".br").removesuffix(".gz")


def _rank(action: Action) -> tuple[int, str]:
    """Order: shards and modules, what names them, the pinned loader, the pointers; previews before the main one."""
    if action.do == "swap":
        return (3 if action.key == loader_name else 4), action.key
    return level(action.key), action.key


def level(key: str) -> int:
    """Tell how many files name others below an object: 0 shards, ops and modules, 1 heads, 2 loaders and records."""
    name = plain(key)
    if name.endswith(".js") and name.startswith(("loader", "releases/")):
        return 2
    return 1 if name.endswith(".json") else 0


def newer(one: str, other: str) -> bool:
    """Return whether a generator is of a later version than another."""
    return [int(part) for part in re.findall(r"\d+", one)] > [int(part) for part in re.findall(r"\d+", other)]
