"""Thousands of kills: deploys, rollbacks, prunes and previews that are killed or stopped at random instants.

    python bench/chaos.py [--kills N] [--s3-kills N] [--seed N] [--keep FOLDER]

After each kill, and all the time in between, a reader checks every hash of the live release, of all that are kept for a
rollback and of all previews, and that each model is one that was built. On S3 (SeaweedFS) the commands speak through a
proxy that loses, cuts and delays; DELETEs arrive up to two leases late. Each scene begins with an empty target and a
seed of its own; ``--seed`` with the seed of a scene that went wrong plays that one first.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from tests.helpers import s3_server  # noqa: E402
from tests.helpers.chaos import Settings, Tally, play, play_on_s3  # noqa: E402

kills_a_scene = 250
kills_a_scene_on_s3 = 100
fault_rate, late_rate = 0.02, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=2000, help="on the directory target")
    parser.add_argument("--s3-kills", type=int, default=400, help="on the S3 server")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 20))
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is written")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.keep or Path(name)
        tallies = on_directory(folder, chosen.kills, chosen.seed)
        if chosen.s3_kills:
            with s3_server.seaweed(folder / "seaweed") as server:
                tallies += on_s3(server, folder, chosen.s3_kills, chosen.seed)
    sys.exit(any(tally.violations for tally in tallies))


def on_directory(folder: Path, kills: int, seed: int) -> list[Tally]:
    tallies: list[Tally] = []
    while (left := kills - sum(tally.kills for tally in tallies)) > 0:
        settings = Settings(seed + len(tallies), min(kills_a_scene, left), 1200.0)
        tallies.append(play(made(folder / f"directory-{settings.seed}"), settings))
        show(f"directory, seed {settings.seed}", tallies[-1:])
    show("directory, all", tallies)
    return tallies


def on_s3(server: s3_server.S3, folder: Path, kills: int, seed: int) -> list[Tally]:
    tallies: list[Tally] = []
    while (left := kills - sum(tally.kills for tally in tallies)) > 0:
        number = seed + len(tallies)
        settings = Settings(number, min(kills_a_scene_on_s3, left), 1800.0, lease=6, margin=1.5, grace=1)
        place = made(folder / f"s3-{number}")
        tallies.append(play_on_s3(server, place, settings, rate=fault_rate, slow_deletes=late_rate))
        show(f"S3, seed {number}", tallies[-1:])
    show("S3, all", tallies)
    return tallies


def made(place: Path) -> Path:
    """Make the folder around a scene, which makes its own."""
    place.mkdir(parents=True)
    return place / "site"


def show(title: str, tallies: list[Tally]) -> None:
    def total(name: str) -> int:
        return sum(sum(getattr(tally, name).values()) for tally in tallies)

    def by_kind(name: str) -> str:
        counts: Counter[str] = Counter()
        for tally in tallies:
            counts.update(getattr(tally, name))
        return ", ".join(f"{key} {count}" for key, count in counts.most_common())

    seconds = sum(tally.seconds for tally in tallies)
    violations = [violation for tally in tallies for violation in tally.violations]
    print(
        f"{title}: {total('commands')} commands, {total('killed')} kills, {len(violations)} violations, {seconds:.0f} s"
    )
    print(f"  killed: {by_kind('killed')}")
    print(
        f"  stopped: {by_kind('stopped')}; {sum(tally.outlasted for tally in tallies)} of them for longer than a lease"
    )
    checks, overtaken = sum(tally.checks for tally in tallies), sum(tally.overtaken for tally in tallies)
    print(f"  {checks} checks, {overtaken} releases pruned while they were read; statuses: {by_kind('statuses')}")
    if faults := by_kind("faults"):
        print(f"  faults: {faults}")
    for violation in violations:
        print(f"  VIOLATION {violation}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
