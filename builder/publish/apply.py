"""Deploying: plan, upload, one swap; again from the start when somebody else was faster with another model."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..bundle.format import loader_name
from ..bundle.index import IndexEntry
from ..errors import StoreConflictError, StoreError, StoreLockedError, UsageError
from ..progress import Progress
from ..stores import TargetStore
from .dist import Local
from .emulated_conditions import NumberedStore, SingleWriterStore
from .plan import Action, Choice, Plan, level, make_plan, newer
from .pointer import (
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
from .previews import preview_key, settle_preview
from .probe import Honours, probe
from .proof import difference, proven
from .protocol import write_release
from .records import check_foreign, record_uploads
from .uploads import Form, Upload

attempts = 12
preview_seconds = 7 * 86_400.0
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
        owes: a CDN has to be told, perhaps of what an earlier run changed.
        until: when the preview ends, by the store's clock; 0.0 for a release.
    """

    plan: Plan
    swapped: bool
    owes: bool = False
    until: float = 0.0

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

    def __init__(
        self, store: TargetStore, form: Form, keeping: Keeping, *, unsafe: bool = False, purges: bool = False
    ) -> None:
        """Work on ``store``.

        Args:
            store: the target.
            form: how it keeps files.
            keeping: how long releases stay.
            unsafe: the user guarantees that nobody else writes.
            purges: a CDN keeps copies of pointers, so each change owes it a purge.
        """
        self.store = store
        self.form = form
        self.keeping = keeping
        self.unsafe = unsafe
        self.purges = purges
        self.honours: Honours | None = None
        self.overtook = False  # a lease that ended because its holder was killed, or sleeps
        self.repairs = True  # off for what only looks
        self._announced: set[str] = set()

    def read(self) -> Pointer | None:
        """Read the pointer, in the way its store needs; unless ``repairs`` is off, a pointer left behind follows.

        Raises:
            StoreError: the store fails.
        """
        base = read_pointer(self.store)
        known = Honours.read(base.state.store) if base and self.honours is None else None
        if known and known.identity == self.store.identity:
            self._adapt(known)
            if isinstance(self.store, NumberedStore):
                base = read_pointer(self.store)
        return base

    def prepare(self) -> None:
        """Find out what the store honours, unless the pointer says so.

        Raises:
            StoreError: it honours too little.
        """
        if self.honours is None:
            self._adapt(Honours("full" if self.store.is_sure else probe(self.store), self.store.identity))

    def _adapt(self, honours: Honours) -> None:
        self.honours = honours
        if honours.capability == "create":
            self.store = NumberedStore(self.store, repairs=self.repairs)
        elif honours.capability == "none":
            if not self.unsafe:
                raise StoreError(
                    "this store ignores conditions, so two deploys at once could mix releases",
                    code="SP-615",
                    where=self.store.place,
                    hint="Set no_overwrite_header if it has one, or guarantee a single writer: --unsafe-single-writer",
                )
            self.store = SingleWriterStore(self.store)

    def read_unleased(self) -> Pointer | None:
        """Read the pointer once no prune is under way.

        A lease that has ended is taken away by a write first: only then does its holder, should he wake, delete nothing
        more, and what is there can be relied on.

        Raises:
            StoreConflictError: one goes on for too long.
        """
        end = time.monotonic() + longest_wait
        while (base := self.read()) is not None and base.state.lease is not None:
            if base.lease_left <= 0:
                self._take_away(base)
                continue
            if time.monotonic() > end:
                raise StoreConflictError(
                    "a prune is under way",
                    code="SP-641",
                    where=self.store.place,
                    hint="Wait for its end, then run the command again",
                )
            time.sleep(min(2.0, base.lease_left) + random.random() / 4)  # noqa: S311
        return base

    def _take_away(self, base: Pointer) -> None:
        """End a lease that has ended for its holder too; unless somebody else was faster."""
        self.prepare()
        try:
            self.swap(base.loader, with_generation(base.state, lease=None), base.tag)
        except StoreLockedError:
            raise
        except StoreConflictError:
            return
        self.overtook = True

    def swap(self, loader: bytes, state: State, tag: str | None, *, changes: str = "") -> None:
        """Write the pointer, if it is still the one that was read.

        Args:
            loader: what is live from then on.
            state: the other facts.
            tag: of the pointer that was read.
            changes: the key that pages will find changed, and of which the CDN may have a copy.

        Raises:
            StoreConflictError: it is not.
        """
        owed = {**state.owed, changes: state.generation} if changes and self.purges else state.owed
        state = msgspec.structs.replace(state, store=self.honours.text if self.honours else "", owed=owed)
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
        """Return the state to go on from, without what is too old."""
        if base is None:
            return State()
        return trimmed(base.state, self.keeping.releases, self.keeping.grace, base.now)


def plan_deploy(deployer: Deployer, local: Local, choice: Choice) -> Plan:
    """Tell what a deploy would do; write nothing.

    Raises:
        ShardpressError: it would fail.
    """
    deployer.repairs = False
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
    confirm: Callable[[Plan], bool] | None = None,
) -> Deployed:
    """Deploy a bundle.

    Args:
        deployer: the target.
        local: the bundle.
        choice: what of it, and how.
        progress: told of the uploads.
        confirm: asked once before anything is written.

    Raises:
        StoreConflictError: somebody else changed the same models.
        ShardpressError: the store failed; what was live still is.
    """
    started: Mapping[str, IndexEntry | None] | None = None
    for attempt in range(attempts):
        base = deployer.read_unleased()
        with tempfile.TemporaryDirectory() as folder:
            plan = make_plan(local, deployer.store, deployer.form, base, choice, Path(folder))
            if plan.idle:
                return _nothing_done(deployer, plan, choice)
            check_foreign(deployer.store, plan, choice.preview)
            entries = _concerned(base, choice)
            if started is not None and entries != started:
                raise StoreConflictError(
                    "somebody else deployed the same models in the meantime; their release is live",
                    code="SP-642",
                    where=deployer.store.place,
                    hint="Look at `releases`, then deploy again if yours is the newer one",
                )
            if started is None and confirm and not confirm(plan):
                raise UsageError(
                    "not deployed", code="SP-121", where=deployer.store.place, hint="Answer yes, or give --yes"
                )
            deployer.prepare()
            if base is None and deployer.read() is not None:
                continue  # a record of a first deploy that was killed, now complete
            started = entries
            try:
                return _apply(deployer, plan, local, choice, progress)
            except StoreConflictError as error:
                if attempt == attempts - 1 or isinstance(error, StoreLockedError):
                    raise
        time.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 5)))  # noqa: S311
    raise AssertionError("unreachable")


def _nothing_done(deployer: Deployer, plan: Plan, choice: Choice) -> Deployed:
    state = plan.base.state if plan.base else State()
    until = state.previews[choice.preview].until if choice.preview else 0.0
    return Deployed(plan, swapped=False, owes=deployer.purges and bool(state.owed), until=until)


def _concerned(base: Pointer | None, choice: Choice) -> dict[str, IndexEntry | None]:
    """Return the live entries that this deploy replaces: if they change meanwhile, it must not win."""
    if base is None or choice.preview:
        return {}
    models = base.index.models
    rungs = {rung for name in choice.only if name in models for rung in models[name].rungs}
    return {name: models.get(name) for name in (*choice.only, *rungs)} if choice.only else dict(models)


def _apply(deployer: Deployer, plan: Plan, local: Local, choice: Choice, progress: Progress) -> Deployed:
    base = plan.base
    state = deployer.state_of(base)
    ttl = preview_seconds if choice.ttl is None else choice.ttl
    end = int(base.now + ttl) if choice.preview and base else 0

    def swap() -> None:
        if choice.preview and base:
            loader, generation = loader_hash(plan.loader), state.generation + 1
            previews = {
                **state.previews,
                choice.preview: Preview(loader, end, release_id(plan.loader), generation),
            }
            noted = with_generation(state, previews=previews, lease=None)
            deployer.swap(base.loader, noted, base.tag, changes=preview_key(choice.preview))
            settle_preview(deployer.store, deployer.form, choice.preview, plan.loader)
            return
        now = base.now if base else time.time()
        live = made_live(state, plan.loader, now, plan.stock)
        if not (base and choice.only):
            live = msgspec.structs.replace(live, headers=deployer.form.hash)
        tool = base.state.tool if base and choice.only and newer(base.state.tool, local.tool) else local.tool
        live = msgspec.structs.replace(live, tool=tool, worker=plan.worker)
        deployer.swap(plan.loader, live, base.tag if base else None, changes=loader_name)

    work = [action for action in plan.actions if action.do in ("put", "overwrite", "headers")]
    progress.begin("", "upload", len(work))

    def write(action: Action) -> None:
        perform(deployer.store, action)
        progress.advance("")

    keys = {action.key for action in work if action.do != "headers"}
    if choice.preview:
        keys.add(preview_key(choice.preview))
    deployer.announce(keys)
    try:
        write_release(_steps(work), write, swap, uploaders)
    finally:
        progress.end("")
    return Deployed(plan, swapped=True, owes=deployer.purges, until=end)


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
            _reconcile(store, upload, checked)


def _reconcile(store: TargetStore, upload: Upload, checked: Upload) -> None:
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
