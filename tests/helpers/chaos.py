"""Deploys, rollbacks, prunes and previews, killed or stopped at random instants, and a reader that looks each time.

``python -m tests.helpers.chaos FOLDER < SETTINGS`` plays one scene in a process of its own and prints its tally as
JSON. It has no threads and has imported everything, so that each command is one cheap fork. A seed gives the same
commands and the same plans for kills and stops again; how far a command got until then is up to the machine.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import brotli
import msgspec

from builder.bundle.index import read_index
from builder.cli.main import main
from builder.publish import follow_up, prune, uploads
from builder.publish.pointer import Pointer, loader_hash, read_pointer, split_pointer
from builder.publish.previews import empty, preview_key
from builder.publish.targets import Target
from builder.stores import TargetStore, s3, s3_deletes
from builder.stores.directory import DirectoryStore
from builder.stores.encoding import encode
from tests.helpers import s3_server
from tests.helpers.deploying import assert_live, change, project, target_of
from tests.helpers.fault_proxy import faulty

root = Path(__file__).resolve().parents[2]
variants = 4
previews = ("one", "two")
lanes = 3
most_asleep = 3
longest_command = 120.0
kinds = {"deploy": 25, "only": 25, "rollback": 12, "prune": 20, "preview": 18}
at_directory = """
[targets.test]
type = "directory"
path = "public"
keep_releases = 2
grace = "{grace} s"
hook = ["none"]
"""
at_s3 = """
[targets.test]
type = "s3"
bucket = "{bucket}"
prefix = "models"
endpoint_url = "{url}"
addressing = "path"
keep_releases = 1
grace = "{grace} s"
hook = ["none"]
"""


class Settings(msgspec.Struct, frozen=True):
    """One scene.

    Attributes:
        seed: of all chances.
        kills: after so many it ends.
        seconds: after which it ends nevertheless.
        bucket, direct, url: on an S3 server, as it is read, and as it is written to, through a faulty proxy; "" for a
            directory.
        lease, margin: of prunes, in seconds.
        grace: in seconds.
        slow: up to how many seconds a delete takes in a directory.
    """

    seed: int
    kills: int
    seconds: float
    bucket: str = ""
    direct: str = ""
    url: str = ""
    lease: int = 1
    margin: float = 0.2
    grace: int = 1
    slow: float = 0.02


@dataclass(slots=True)
class Tally:
    """What happened."""

    commands: dict[str, int] = field(default_factory=dict)
    killed: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    outlasted: int = 0
    checks: int = 0
    overtaken: int = 0
    generation: int = 0
    releases: int = 0
    purges: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """All of them."""
        return sum(self.killed.values())


@dataclass(slots=True)
class Command:
    """A command under way."""

    kind: str
    pid: int
    begun: float
    chance: random.Random
    stop_at: float
    go_on_at: float
    kill_at: float
    in_lease: str = ""
    asleep: bool = False


class Reader:
    """Reads what is live: new objects whole, known ones in the listing, now and then everything."""

    def __init__(self, store: TargetStore, known: dict[str, set[str]]) -> None:
        self.store = store
        self.known = known
        self.hashed: dict[str, tuple[bytes, str]] = {}
        self.listed: set[str] = set()

    def get(self, key: str) -> tuple[bytes, str] | None:
        if key in self.listed and key in self.hashed:
            return self.hashed[key]
        found = self.store.get(key)
        if found is not None and not key.startswith(("loader.js", "loader-")):
            self.hashed[key] = found
        return found

    def look(self, tally: Tally, *, whole: bool) -> None:
        """Check the live release, all that are kept, and all previews; note what is wrong."""
        tally.checks += 1
        base = read_pointer(self.store)
        if base is None:
            tally.violations.append("there is no loader.js")
            return
        if base.state.generation < tally.generation:
            tally.violations.append(f"generation {base.state.generation} after {tally.generation}")
        tally.generation = base.state.generation
        self.listed = set() if whole else set(self.store.list())
        for pointer in _kept(base):
            try:
                self._follow(pointer)
            except AssertionError as error:
                now = read_pointer(self.store)
                if now is not None and pointer in _kept(now):
                    tally.violations.append(f"{pointer} at generation {base.state.generation}: {error}")
                else:
                    tally.overtaken += 1

    def _follow(self, pointer: str) -> None:
        if pointer.startswith("loader-"):
            found = self.store.get(pointer)
            if found is None or split_pointer(found[0])[0] == empty:
                return  # not there, or not yet
        _, index = assert_live(self, pointer)  # type: ignore[arg-type]
        for name, entry in index.models.items():
            assert json.dumps(entry.encode()) in self.known[name], f"{name} was never built like this"


def _kept(base: Pointer) -> list[str]:
    """Give the pointers that must be whole: the live one, those that one can go back to, and the previews."""
    ended = {name for name, item in base.state.previews.items() if item.until <= base.now}
    return [
        "loader.js",
        *(f"loader.{item.loader}.js" for item in base.state.releases),
        *(preview_key(name) for name in base.state.previews if name not in ended),
    ]


class Scene:
    """One target and all that happens to it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.chance = random.Random(settings.seed)
        self.tally = Tally()
        self.under_way: list[Command] = []
        self.usual: dict[str, float] = dict.fromkeys(kinds, 0.15)
        self.purged = folder / "purged"
        self._prepare()
        self.reader = Reader(self._store(), self._known())

    def play(self) -> Tally:
        """Let it happen; at the end a last deploy and both previews must succeed and be whole."""
        begun = time.monotonic()
        first = ["deploy", "--out", "dist-0", "-q"]
        assert any(self._wait_for(self._fork(first)) == 0 for _ in range(6)), "the first deploy failed"
        number = 0
        while self.tally.kills < self.settings.kills and time.monotonic() - begun < self.settings.seconds:
            awake = sum(not command.asleep for command in self.under_way)
            if awake < lanes and len(self.under_way) < lanes + most_asleep:
                self._start(number)
                number += 1
            self._act()
            if number % 8 == 0:
                self.reader.look(self.tally, whole=False)
            time.sleep(0.001)
        for command in self.under_way:
            command.kill_at = command.stop_at = command.go_on_at = float("inf")
            command.in_lease = ""
            os.kill(command.pid, signal.SIGCONT)
        while self.under_way:
            self._act()
            time.sleep(0.01)
        self._finish()
        self.tally.seconds = time.monotonic() - begun
        return self.tally

    def _finish(self) -> None:
        table = self.folder / "build.toml"  # nothing goes wrong any more
        table.write_text(table.read_text().replace(self.settings.url or "none", self.settings.direct or "none"))
        last = [["deploy", "--out", "dist-3"], *(["deploy", "--out", "dist-2", "--preview", name] for name in previews)]
        for words in [*last, ["prune"]]:
            if (status := self._wait_for(self._fork([*words, "-q"]))) != 0:
                self.tally.violations.append(f"at the end {' '.join(words)} ended with {status}")
        self.reader.look(self.tally, whole=True)
        base = read_pointer(self.reader.store)
        assert base is not None
        for name in previews:
            found = self.reader.store.get(preview_key(name))
            if found is None or split_pointer(found[0])[0] == empty:
                self.tally.violations.append(f"at the end the preview {name} is not there")
        lines = self.purged.read_text().splitlines()
        self.tally.purges = len(lines)
        self.tally.releases = len({line.split()[1] for line in lines})
        of_loader = [line for line in lines if line.startswith("loader.js ")]
        if base.state.owed or of_loader[-1].split()[1] != base.live:
            self.tally.violations.append(f"at the end a purge is owed: {base.state.owed}, {of_loader[-1]}")

    def _start(self, number: int) -> None:
        chance = random.Random(self.settings.seed * 1_000_003 + number)
        kind = chance.choices(list(kinds), list(kinds.values()))[0]
        words = _words(kind, chance)
        now, usual = time.monotonic(), self.usual[kind]
        stop_at = go_on_at = kill_at = float("inf")
        in_lease = chance.choice(("stop", "stop", "kill", "")) if kind == "prune" else ""
        if in_lease:
            pass  # as soon as a lease is seen
        elif chance.random() < 0.15:
            stop_at = now + chance.uniform(0, 1.2 * usual)
            go_on_at = stop_at + chance.uniform(0.05, 2.5 * self.settings.lease)
        elif chance.random() < 0.75:
            kill_at = now + chance.uniform(0, 1.3 * usual)
        command = Command(kind, self._fork(words), now, chance, stop_at, go_on_at, kill_at, in_lease)
        self.under_way.append(command)
        self.tally.commands[kind] = self.tally.commands.get(kind, 0) + 1

    def _act(self) -> None:
        """Stop, wake and kill whose time has come; count who has ended."""
        for command in list(self.under_way):
            pid, status = os.waitpid(command.pid, os.WNOHANG)
            if pid:
                self.under_way.remove(command)
                self._count(command, os.waitstatus_to_exitcode(status))
                continue
            now = time.monotonic()
            if now - command.begun > longest_command:
                self.tally.violations.append(f"{command.kind} did not end within {longest_command:.0f} s")
                command.begun, command.kill_at = float("inf"), now
            if command.in_lease and self._is_leased():
                self._aim(command, now)
            if now >= command.kill_at:
                os.kill(command.pid, signal.SIGKILL)
                command.kill_at = float("inf")
            elif command.asleep and now >= command.go_on_at:
                os.kill(command.pid, signal.SIGCONT)
                command.asleep = False
                if command.chance.random() < 0.4:
                    command.kill_at = now + command.chance.uniform(0, self.usual[command.kind])
            elif not command.asleep and now >= command.stop_at:
                os.kill(command.pid, signal.SIGSTOP)
                command.asleep, command.stop_at = True, float("inf")
                self.tally.stopped[command.kind] = self.tally.stopped.get(command.kind, 0) + 1
                self.tally.outlasted += command.go_on_at - now > self.settings.lease

    def _is_leased(self) -> bool:
        base = read_pointer(self.reader.store)
        return base is not None and base.state.lease is not None and base.lease_left > 0

    def _aim(self, command: Command, now: float) -> None:
        """Have a prune stopped or killed amid its deletes; one that is stopped wakes when its lease has ended."""
        lease, chance = self.settings.lease, command.chance
        at = now + chance.uniform(0, 0.3 * lease)
        if command.in_lease == "kill":
            command.kill_at = at
        else:
            command.stop_at, command.go_on_at = at, at + chance.uniform(1.1, 2.5) * lease
        command.in_lease = ""

    def _count(self, command: Command, status: int) -> None:
        tally, kind = self.tally, command.kind
        tally.statuses[str(status)] = tally.statuses.get(str(status), 0) + 1
        if status == -signal.SIGKILL:
            tally.killed[kind] = tally.killed.get(kind, 0) + 1
            self.reader.look(tally, whole=tally.kills % 25 == 0)
        elif status == 0 and command.go_on_at == float("inf"):
            self.usual[kind] = 0.8 * self.usual[kind] + 0.2 * (time.monotonic() - command.begun)
        elif status not in {0, 2, 3, 4}:
            tally.violations.append(f"{kind} ended with {status}")

    def _fork(self, words: list[str]) -> int:
        """Run a command in a process of its own."""
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            random.seed(os.urandom(8))
            log = os.open(self.folder / "errors.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(self.folder)
            status = main(words)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _wait_for(self, pid: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _prepare(self) -> None:
        """Write the project and its builds, and make what takes minutes take seconds."""
        settings = self.settings
        table = at_s3 if settings.bucket else at_directory
        project(self.folder, targets=table.format(bucket=settings.bucket, url=settings.url, grace=settings.grace))
        for number in range(variants):
            change(self.folder, "a", 11 + number)
            change(self.folder, "b", 31 + number)
            shutil.copytree(self.folder / "dist", self.folder / f"dist-{number}")
        prune.lease_seconds, prune.store_seconds = settings.lease, settings.margin
        prune.work_seconds = settings.lease / 4
        follow_up.follow_up = self._purge
        # Brotli at its best takes most of a deploy's time.
        uploads.encode = s3.encode = lambda content, encoding: (
            brotli.compress(content, quality=1) if encoding == "br" else encode(content, encoding)
        )
        if settings.bucket:
            s3_deletes.attempts, s3_deletes.connect_seconds, s3_deletes.read_seconds = 1, 1, 1
            _keep_clients(target_of(self.folder))
        else:
            _slow_down(settings.slow)

    def _purge(self, target: Target, pointer: str, release: str) -> None:
        """Be a CDN: take a fresh copy when told to."""
        found = target.store.get(pointer)
        live = loader_hash(split_pointer(found[0])[0]) if found else "none"
        with self.purged.open("a") as file:
            file.write(f"{pointer} {live} {release}\n")

    def _store(self) -> TargetStore:
        settings = self.settings
        if not settings.bucket:
            return DirectoryStore(self.folder / "public")
        client = s3_server.S3(settings.direct, None).client()  # type: ignore[arg-type]
        return s3.S3Store(s3.Location(settings.bucket, "models/", settings.direct, "path"), client)

    def _known(self) -> dict[str, set[str]]:
        known: dict[str, set[str]] = {}
        for number in range(variants):
            index = read_index((self.folder / f"dist-{number}" / "cdn" / "loader.js").read_bytes())
            for name, entry in index.models.items():
                known.setdefault(name, set()).add(json.dumps(entry.encode()))
        return known


def _words(kind: str, chance: random.Random) -> list[str]:
    """Give the words of a command."""
    built = ["--out", f"dist-{chance.randrange(variants)}", "--no-verify", "-q"]
    if kind == "deploy":
        return ["deploy", *built, *(["--repair"] if chance.random() < 0.1 else [])]
    if kind == "only":
        return ["deploy", *built, "--only", chance.choice("ab")]
    if kind == "preview":
        ttl = [] if chance.random() < 0.3 else ["--ttl", chance.choice(("1 s", "5 s", "1 h"))]
        return ["deploy", *built, "--preview", chance.choice(previews), *ttl]
    if kind == "rollback":
        return ["rollback", "--no-verify", "-q", *(["--only", chance.choice("ab")] if chance.random() < 0.3 else [])]
    return ["prune", "-q"]


def _keep_clients(target: Target) -> None:
    """Have the SDK's clients made once, unused, for all forks: each then connects by itself."""
    s3.connect = functools.cache(s3.connect)
    assert isinstance(target.store, s3.S3Store)
    for location in (target.store.location, s3.hurried(target.store.location)):
        s3.connect(location)


def _slow_down(longest: float) -> None:
    """Let each delete in a directory take its time."""
    delete = DirectoryStore.delete

    def slowly(self: DirectoryStore, key: str) -> None:
        time.sleep(random.uniform(0, longest))
        delete(self, key)

    DirectoryStore.delete = slowly  # type: ignore[method-assign]


def play(folder: Path, settings: Settings) -> Tally:
    """Play a scene in a process of its own, which has no threads and may fork."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.chaos", str(folder)],
        input=msgspec.json.encode(settings),
        stdout=subprocess.PIPE,
        cwd=root,
        env={**s3_server.environment(), "PATH": str(Path(sys.executable).parent), "TMPDIR": str(folder.parent)},
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Tally)


def play_on_s3(server: s3_server.S3, folder: Path, settings: Settings, *, rate: float, slow_deletes: float) -> Tally:
    """Play a scene on an S3 server behind a proxy that loses, cuts and delays.

    Args:
        server: a real one.
        folder: empty.
        settings: but for the bucket and the addresses.
        rate: share of requests that go wrong.
        slow_deletes: share of DELETEs that arrive late, up to two leases.
    """
    bucket = f"chaos-{settings.seed}"
    server.client().create_bucket(Bucket=bucket)
    with faulty(server.url, rate=rate, seed=settings.seed) as proxy:
        proxy.slow_deletes, proxy.longest_delay = slow_deletes, 2.0 * settings.lease
        there = msgspec.structs.replace(settings, bucket=bucket, direct=server.url, url=proxy.url)
        tally = play(folder, there)
    tally.faults = dict(proxy.faults)
    return tally


if __name__ == "__main__":
    scene = Scene(Path(sys.argv[1]), msgspec.json.decode(sys.stdin.buffer.read(), type=Settings))
    sys.stdout.buffer.write(msgspec.json.encode(scene.play()))
