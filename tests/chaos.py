"""Deployers and pruners, killed at random instants behind a faulty proxy, and a reader that never stops looking."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from builder.deploy.pointer import split_pointer
from builder.stores.s3 import Location, S3Store
from tests import s3_server
from tests.deploying import assert_live, change, project
from tests.fault_proxy import faulty

root = Path(__file__).parents[1]
# The same prune, but a killed one keeps everybody away for seconds rather than for more than a minute.
prune_quickly = f"""
import sys
sys.path.insert(0, {str(root)!r})
from builder.cli import main
from builder.deploy import prune
prune.lease_seconds, prune.work_seconds = 8, 1.0
sys.exit(main(sys.argv[1:]))
"""
variants = 4
table = """
[targets.test]
type = "s3"
bucket = "{bucket}"
prefix = "models"
endpoint_url = "{url}"
addressing = "path"
keep_releases = 2
grace = "10 s"
"""


@dataclass(slots=True)
class Tally:
    """What happened."""

    checks: int = 0
    violations: list[str] = field(default_factory=list)
    generations: int = 0
    releases: set[str] = field(default_factory=set)
    statuses: dict[int, int] = field(default_factory=dict)
    kills: int = 0
    broken_prunes: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, status: int) -> None:
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.kills += status == -signal.SIGKILL


def chaos(
    server: s3_server.S3,
    folder: Path,
    seconds: float,
    seed: int,
    *,
    rate: float = 0.08,
    enough: Callable[[Tally], bool] = lambda _: True,
    longest: float = 0.0,
) -> Tally:
    """Let two deployers and a pruner loose for some time; a last deploy must then succeed.

    Args:
        server: a real one.
        folder: empty.
        seconds: how long.
        seed: of all chances.
        rate: share of requests that go wrong.
        enough: asked whether all that should happen has happened; a slow machine goes on until then.
        longest: seconds after which it ends nevertheless.
    """
    bucket = f"chaos-{seed}"
    server.client().create_bucket(Bucket=bucket)
    store = S3Store(Location(bucket, "models/", server.url, "path"), server.client())
    tally = Tally()
    over = threading.Event()
    with faulty(server.url, rate=rate, seed=seed) as proxy:
        project(folder, targets=table.format(bucket=bucket, url=proxy.url))
        _build_variants(folder)
        first = _run(folder, ["deploy", "--out", "dist-0"], None)
        for _ in range(5):  # even the first may meet more faults than its retries outlast
            if first == 0:
                break
            first = _run(folder, ["deploy", "--out", "dist-0"], None)
        assert first == 0
        threads = [
            threading.Thread(target=_read, args=(store, tally, over)),
            threading.Thread(target=_deploy, args=(folder, "a", tally, over, random.Random(seed + 1))),
            threading.Thread(target=_deploy, args=(folder, "b", tally, over, random.Random(seed + 2))),
            threading.Thread(target=_prune, args=(folder, store, tally, over)),
        ]
        for thread in threads:
            thread.start()
        begun = time.monotonic()
        over.wait(seconds)
        tally.faults = proxy.faults
        while not enough(tally) and time.monotonic() - begun < longest:
            over.wait(0.5)
        over.set()
        for thread in threads:
            thread.join()
        proxy.rate = 0.0
        tally.faults = dict(proxy.faults)
        status = _run(folder, ["deploy", "--out", "dist-3", "-q"], None)
        if status != 0:
            tally.violations.append(f"the last deploy ended with {status}")
    assert_live(store)
    return tally


def _build_variants(folder: Path) -> None:
    for number in range(variants):
        change(folder, "a", 11 + number)
        change(folder, "b", 31 + number)
        shutil.copytree(folder / "dist", folder / f"dist-{number}")


def _run(folder: Path, words: list[str], patience: float | None) -> int:
    """Run a command, killed when it takes longer than ``patience``; give its status."""
    process = _start(folder, [str(root / "build.py"), *words])
    try:
        return process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait(timeout=60)


def _start(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    with (folder / "errors.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=s3_server.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def _deploy(folder: Path, name: str, tally: Tally, over: threading.Event, chance: random.Random) -> None:
    while not over.is_set():
        words = ["deploy", "-q", "--no-verify", "--out", f"dist-{chance.randrange(variants)}"]
        if chance.random() < 0.8:
            words += ["--only", name]
        patience = chance.uniform(0.5, 2.5) if chance.random() < 0.6 else None
        tally.note(_run(folder, words, patience))


def _prune(folder: Path, store: S3Store, tally: Tally, over: threading.Event) -> None:
    """Prune now and then, and kill every third one that got its lease, in the middle of its deletes."""
    leases = 0
    while not over.wait(1.0):
        process = _start(folder, ["-c", prune_quickly, "prune", "-q"])
        seen = False
        while process.poll() is None:
            found = store.get("loader.js")
            if not seen and found is not None and split_pointer(found[0])[1].lease is not None:
                seen = True
                leases += 1
                if leases % 3 == 1:
                    process.send_signal(signal.SIGKILL)
                    tally.broken_prunes += process.wait(timeout=60) == -signal.SIGKILL
        tally.note(process.wait(timeout=60))


def _read(store: S3Store, tally: Tally, over: threading.Event) -> None:
    generation = 0
    while not over.is_set():
        begun = time.monotonic()
        try:
            found = store.get("loader.js")
            assert found is not None, "there is no loader"
            now = split_pointer(found[0])[1].generation
            assert now >= generation, f"generation {now} after {generation}"
            generation = now
            tally.releases.add(assert_live(store)[0])
        except AssertionError as error:
            tally.violations.append(str(error))
        tally.checks += 1
        tally.generations = generation
        assert time.monotonic() - begun < 60
