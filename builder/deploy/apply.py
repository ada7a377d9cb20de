"""Deploying: plan, upload, one swap; again from the start when somebody else was faster with another model."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from builder.bundle import loader_name
from builder.deploy.local import Local
from builder.deploy.plan import Action, Choice, Plan, level, make_plan, newer
from builder.deploy.pointer import (
    Pointer,
    Preview,
    State,
    join_pointer,
    loader_hash,
    made_live,
    read_pointer,
    release_id,
    trimmed,
    with_generation,
)
from builder.deploy.probe import probe
from builder.deploy.proof import difference, proven
from builder.deploy.records import check_foreign, record_uploads
from builder.deploy.uploads import Form, Upload
from builder.deploy.weaker import NumberedStore, SingleWriterStore
from builder.errors import StoreConflictError, StoreError, UsageError
from builder.progress import Progress
from builder.publish import write_release
from builder.stores import TargetStore

attempts = 12
longest_wait = 90.0  # for a prune under way; longer than a lease lasts
uploaders = 12


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long releases stay.

    Attributes:
        releases: how many.
        grace: seconds after a release was live in which it stays anyway.
    """

    releases: int
    grace: float


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy did.

    Attributes:
        plan: what was to do.
        swapped: something was written to a pointer.
    """

    plan: Plan
    swapped: bool

    @property
    def release(self) -> str:
        """Name what is live now, or the preview, as its build did."""
        return release_id(self.plan.loader)

    @property
    def loader(self) -> str:
        """Tell it from releases of the same models with other code or policies."""
        return loader_hash(self.plan.loader)


class Deployer:
    """One run of deploys and the like against one target."""

    def __init__(self, store: TargetStore, form: Form, keeping: Keeping, *, unsafe: bool = False) -> None:
        """Work on ``store``.

        Args:
            store: the target.
            form: how it keeps files.
            keeping: how long releases stay.
            unsafe: the user vouches that nobody else writes.
        """
        self.store = store
        self.form = form
        self.keeping = keeping
        self.unsafe = unsafe
        self.ability = ""
        self.mends = True  # off for what only looks
        self._announced: set[str] = set()

    def read(self) -> Pointer | None:
        """Read the pointer, in the way its store needs; unless ``mends`` is off, a pointer left behind follows.

        Raises:
            StoreError: the store fails.
        """
        base = read_pointer(self.store)
        if base and not self.ability and base.state.store.endswith(f":{self.store.identity}"):
            self.ability = base.state.store
            self._adapt()
            if isinstance(self.store, NumberedStore):
                base = read_pointer(self.store)
        return base

    def prepare(self) -> None:
        """Find out what the store honours, unless the pointer says so.

        Raises:
            StoreError: it honours too little.
        """
        if not self.ability:
            self.ability = f"{'full' if self.store.is_sure else probe(self.store)}:{self.store.identity}"
            self._adapt()

    def _adapt(self) -> None:
        if self.ability.startswith("create:"):
            self.store = NumberedStore(self.store, mends=self.mends)
        elif self.ability.startswith("none:"):
            if not self.unsafe:
                raise StoreError(
                    "this store ignores conditions, so two deploys at once could mix releases",
                    where=self.store.place,
                    hint="Set no_overwrite_header if it has one, or vouch for a single writer: --unsafe-single-writer",
                )
            self.store = SingleWriterStore(self.store)

    def read_quiet(self) -> Pointer | None:
        """Read the pointer once no prune is under way.

        Raises:
            StoreConflictError: one goes on for too long.
        """
        end = time.monotonic() + longest_wait
        while (base := self.read()) is not None and base.lease_left > 0:
            if time.monotonic() > end:
                raise StoreConflictError(
                    "a prune is under way", where=self.store.place, hint="Wait for its end, then run the command again"
                )
            time.sleep(min(2.0, base.lease_left) + random.random() / 4)  # noqa: S311
        return base

    def swap(self, loader: bytes, state: State, tag: str | None) -> None:
        """Write the pointer, if it is still the one that was read.

        Raises:
            StoreConflictError: it is not.
        """
        state = msgspec.structs.replace(state, store=self.ability)
        self.store.swap(loader_name, join_pointer(loader, state), tag, self.form.pointer_headers())

    def announce(self, keys: Collection[str]) -> None:
        """Write down what is going to be written, so that it is known as ours whatever happens.

        Raises:
            StoreError: that failed.
        """
        if not self._announced.issuperset(keys):
            record_uploads(self.store, keys)
            self._announced.update(keys)

    def state_of(self, base: Pointer | None) -> State:
        """Give the state to go on from, without what is too old."""
        if base is None:
            return State()
        return trimmed(base.state, self.keeping.releases, self.keeping.grace, base.now)


def plan_deploy(deployer: Deployer, local: Local, choice: Choice) -> Plan:
    """Tell what a deploy would do; write nothing.

    Raises:
        ShardpressError: it would fail.
    """
    deployer.mends = False
    with tempfile.TemporaryDirectory() as folder:
        base = deployer.read()
        plan = make_plan(local, deployer.store, deployer.form, base, choice, Path(folder))
        check_foreign(deployer.store, plan, choice.preview)
        return plan


def deploy(
    deployer: Deployer,
    local: Local,
    choice: Choice,
    progress: Progress,
    *,
    ttl: float = 0.0,
    confirm: Callable[[Plan], bool] | None = None,
) -> Deployed:
    """Deploy a bundle.

    Args:
        deployer: the target.
        local: the bundle.
        choice: what of it, and how.
        progress: told of the uploads.
        ttl: seconds a preview lives.
        confirm: asked once before anything is written.

    Raises:
        StoreConflictError: somebody else changed the same models.
        ShardpressError: the store failed; what was live still is.
    """
    started: Mapping[str, Any] | None = None
    for attempt in range(attempts):
        base = deployer.read_quiet()
        with tempfile.TemporaryDirectory() as folder:
            plan = make_plan(local, deployer.store, deployer.form, base, choice, Path(folder))
            if plan.idle:
                return Deployed(plan, swapped=False)
            check_foreign(deployer.store, plan, choice.preview)
            entries = _concerned(base, choice)
            if started is not None and entries != started:
                raise StoreConflictError(
                    "somebody else deployed the same models meanwhile; theirs are live",
                    where=deployer.store.place,
                    hint="Look at `releases`, then deploy again if yours is the newer one",
                )
            if started is None and confirm and not confirm(plan):
                raise UsageError("not deployed", where=deployer.store.place, hint="Say yes, or give --yes")
            deployer.prepare()
            if base is None and deployer.read() is not None:
                continue  # a record of a first deploy that was killed, now mended
            started = entries
            try:
                return _apply(deployer, plan, local, choice, progress, ttl)
            except StoreConflictError:
                if attempt == attempts - 1:
                    raise
        time.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 5)))  # noqa: S311
    raise AssertionError("unreachable")


def _concerned(base: Pointer | None, choice: Choice) -> dict[str, Any]:
    """Give the live entries that this deploy replaces: if they change meanwhile, it must not win."""
    if base is None or choice.preview:
        return {}
    models = base.index["models"]
    return {name: models.get(name) for name in choice.only} if choice.only else dict(models)


def _apply(deployer: Deployer, plan: Plan, local: Local, choice: Choice, progress: Progress, ttl: float) -> Deployed:
    base = plan.base
    state = deployer.state_of(base)

    def swap() -> None:
        if choice.preview and base:
            previews = {
                **state.previews,
                choice.preview: Preview(loader_hash(plan.loader), int(base.now + ttl), id=release_id(plan.loader)),
            }
            deployer.swap(base.loader, with_generation(state, previews=previews, lease=None), base.tag)
            key = f"loader-{choice.preview}.js"
            deployer.store.replace(key, plan.loader, deployer.form.pointer_headers(key))
            return
        now = base.now if base else time.time()
        live = made_live(state, plan.loader, now, plan.stock)
        if not (base and choice.only):
            live = msgspec.structs.replace(live, headers=deployer.form.hash)
        tool = base.state.tool if base and choice.only and newer(base.state.tool, local.tool) else local.tool
        live = msgspec.structs.replace(live, tool=tool, worker=plan.worker)
        deployer.swap(plan.loader, live, base.tag if base else None)

    work = [action for action in plan.actions if action.do in ("put", "overwrite", "headers")]
    progress.begin("", "upload", len(work))

    def write(action: Action) -> None:
        perform(deployer.store, action)
        progress.advance("")

    keys = {action.key for action in work if action.do != "headers"}
    if choice.preview:
        keys.add(f"loader-{choice.preview}.js")
    deployer.announce(keys)
    try:
        write_release(_steps(work), write, swap, uploaders)
    finally:
        progress.end("")
    return Deployed(plan, swapped=True)


def perform(store: TargetStore, action: Action) -> None:
    """Do to one object what was planned.

    Raises:
        FormatError: the file that is to go up is not what the manifest says.
        StoreError: it failed.
    """
    upload = action.upload
    if upload is None:
        return
    if action.do == "headers":
        store.set_headers(upload.key, upload.headers)
        return
    with proven(upload) as checked:
        if action.do == "overwrite":
            store.overwrite(checked.key, checked.path, checked.headers)
        elif not store.put(checked.key, checked.path, checked.headers):
            _settle(store, upload, checked)


def _settle(store: TargetStore, upload: Upload, checked: Upload) -> None:
    """Look at an object that was there before ours."""
    stat = store.stat(upload.key)
    if stat is None or difference(upload, stat, store, thorough=False):
        store.overwrite(checked.key, checked.path, checked.headers)
    elif dict(stat.headers) != dict(upload.headers):
        store.set_headers(upload.key, upload.headers)


def _steps(work: list[Action]) -> list[list[Action]]:
    """Split the sorted actions by what must be there first: shards and ops, heads, the pinned loader."""
    steps: list[list[Action]] = [[], [], []]
    for action in work:
        steps[level(action.key)].append(action)
    return steps
