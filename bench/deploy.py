"""Deploys against `aws s3 sync` and `rclone sync` on one S3 server on loopback, each after a fresh checkout.

    python bench/deploy.py [--aws PATH] [--catalogue MODELS]

``--aws`` is an aws-cli in an environment of its own (its botocore is another one). ``--catalogue`` plans a catalogue of
that many models of 20 shards each instead: fresh, unchanged, one model changed, all changed. A fresh checkout is played
by giving all files the time of now. ``bench/chaos.py`` has the kills and faults.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from tests.helpers import s3_server  # noqa: E402
from tests.helpers.deploying import change, project  # noqa: E402
from tests.helpers.models import write_model  # noqa: E402

models = 40
width = 8000  # floats in eight columns: 256 kB a model
rounds = 3
catalogue_width = 610  # floats in eight columns: 19.5 kB a model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aws", help="an aws-cli to compare with")
    parser.add_argument("--catalogue", type=int, metavar="MODELS", help="only plan a large catalogue")
    chosen = parser.parse_args()
    os.environ["PATH"] = str(Path(sys.executable).parent)  # without Node: no verification
    with tempfile.TemporaryDirectory() as name, s3_server.seaweed(Path(name) / "seaweed") as server:
        folder = Path(name) / "site"
        if chosen.catalogue:
            plan_catalogue(server, folder, chosen.catalogue)
            return
        compare(server, folder, chosen.aws)


def plan_catalogue(server: s3_server.S3, folder: Path, count: int) -> None:
    """Time plans, each in a process of its own as a pipeline runs it; the deploys between them are not timed."""
    server.client().create_bucket(Bucket="catalogue")
    table = f'[targets.t]\ntype = "s3"\nbucket = "catalogue"\nendpoint_url = "{server.url}"\naddressing = "path"\n'
    seeds = {f"m{number}": number + 1 for number in range(count)}
    begun = time.monotonic()
    make_catalogue(folder, seeds, table)
    cdn = folder / "dist" / "cdn" / "assets"
    heads, shards = (sum(1 for _ in cdn.glob(f"*.{kind}")) for kind in ("json", "bin"))
    print(f"{heads} models, {shards} shards (made in {time.monotonic() - begun:.0f} s)\n")
    print("plan of             seconds   of it without imports   requests   objects to write")
    plan_once(folder, "first release")
    timed([sys.executable, str(root / "build.py"), "deploy", "--json", "--no-verify"], folder)
    plan_once(folder, "nothing changed")
    make_catalogue(folder, {**seeds, "m0": 100_001}, table)
    plan_once(folder, "one changed")
    make_catalogue(folder, {name: seed + 200_000 for name, seed in seeds.items()}, table)
    plan_once(folder, "all changed")


def plan_once(folder: Path, name: str) -> None:
    fresh_checkout(folder)
    seconds, text = timed([sys.executable, str(root / "build.py"), "deploy", "--dry-run", "--json"], folder)
    document = json.loads(text)
    writes = sum(action["do"] != "skip" for action in document["actions"])
    print(
        f"{name:18}  {seconds:7.2f}   {document['seconds']:21.2f}   {document['requests']:8}   {writes:16}", flush=True
    )


def make_catalogue(folder: Path, seeds: dict[str, int], table: str) -> None:
    """Write models of 20 shards each and build them."""
    for name, seed in seeds.items():
        write_model(folder / name, width=catalogue_width, seed=seed)
    tables = "\n".join(f'[models.{name}]\nsource = "{name}/model.json"' for name in seeds)
    (folder / "build.toml").write_text(f'[build]\nshard_bytes = "1 KiB"\n{tables}\n{table}')
    timed([sys.executable, str(root / "build.py"), "-q", "--fast"], folder)


def compare(server: s3_server.S3, folder: Path, aws: str | None) -> None:
    table = f'[targets.t]\ntype = "s3"\nbucket = "ours"\nendpoint_url = "{server.url}"\naddressing = "path"\n'
    seeds = {f"m{number}": number + 1 for number in range(models)}
    project(folder, targets=table, seeds=seeds, width=width, shard_bytes="64 KiB")
    client = server.client()
    for bucket in ("ours", "aws", "rclone"):
        client.create_bucket(Bucket=bucket)
    files = [path for path in (folder / "dist" / "cdn").rglob("*") if path.is_file()]
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB in dist/cdn\n")
    print("tool      cold s   no-op s   one model changed s   sent bytes (cold, no-op, changed)")
    ours(folder)
    if aws:
        command = [aws, "--endpoint-url", server.url, "s3", "sync", "--only-show-errors", "dist/cdn", "s3://aws"]
        other("aws", folder, command)
    options = "provider=Other,env_auth=true,force_path_style=true"
    address = urlsplit(server.url).netloc
    remote = f':s3,{options},endpoint="http://{address}":rclone'
    other("rclone", folder, [s3_server.tool("rclone"), "--config", os.devnull, "sync", "dist/cdn", remote])


def ours(folder: Path) -> None:
    times, sent, requests = [], [], []

    def once() -> None:
        fresh_checkout(folder)
        command = [sys.executable, str(root / "build.py"), "deploy", "--json", "--no-verify"]
        seconds, text = timed(command, folder)
        document = json.loads(text)
        times.append(seconds)
        sent.append(document.get("sent", 0))
        requests.append((document.get("requests"), document["seconds"]))

    once()
    noops = []
    for _ in range(rounds):
        once()
        noops.append(times.pop())
    change(folder, "m0", 1001, width)
    once()
    changed = times.pop()
    print(f"ours     {times[0]:7.2f}  {min(noops):8.2f}  {changed:20.2f}   {sent[0]}, {sent[1]}, {sent[-1]}")
    print(f"         no-op: {requests[1][0]} request, {min(item[1] for item in requests[1:-1]):.3f} s without imports")
    wire = sum(
        item["bytes"]
        for item in json.loads(timed([sys.executable, str(root / "build.py"), "deploy", "--json"], folder)[1])[
            "actions"
        ]
    )
    assert wire == 0


def other(name: str, folder: Path, command: list[str]) -> None:
    change(folder, "m0", 1, width)
    fresh_checkout(folder)
    cold, _ = timed(command, folder)
    noops = []
    for _ in range(rounds):
        fresh_checkout(folder)
        noops.append(timed(command, folder)[0])
    change(folder, "m0", 1001, width)
    fresh_checkout(folder)
    changed, _ = timed(command, folder)
    print(f"{name:8} {cold:7.2f}  {min(noops):8.2f}  {changed:20.2f}")


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    environment = {**s3_server.environment(), "AWS_DEFAULT_REGION": "us-east-1"}
    begun = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr[-1000:]}")
    return time.monotonic() - begun, done.stdout


def fresh_checkout(folder: Path) -> None:
    """Copy everything, as a runner does that has just fetched it."""
    fresh = folder / "fresh"
    shutil.copytree(folder / "dist", fresh, copy_function=shutil.copyfile)
    shutil.rmtree(folder / "dist")
    fresh.rename(folder / "dist")


if __name__ == "__main__":
    main()
