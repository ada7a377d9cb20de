"""S3 servers on loopback for tests: SeaweedFS, which is a real one, and rclone, which ignores conditions."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.helpers.credential_watch import reader_secret, secret

key = "testkey"
reader_key = "readerkey"


@dataclass(frozen=True, slots=True)
class S3:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]

    def client(self, name: str = key, word: str = secret) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=name,
            aws_secret_access_key=word,
            config=Config(
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=60,
                request_checksum_calculation="when_required",
                s3={"addressing_style": "path"},
            ),
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def weed_ports(count: int) -> list[int]:
    """Give ports whose gRPC twins, 10,000 above, are free too; all below those that clients get at random."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 22_700), 200):
        try:
            for number in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no ports are free")


def tool(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: pip install -e '.[dev]'"
    return found


def environment(name: str = key, word: str = secret) -> dict[str, str]:
    """Give the variables of a process that deploys, and nothing of this machine's own AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": name,
        "AWS_SECRET_ACCESS_KEY": word,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@contextmanager
def seaweed(folder: Path) -> Iterator[S3]:
    """Run SeaweedFS until the block ends."""
    identities = [
        identity("writer", key, secret, ["Admin", "Read", "List", "Tagging", "Write"]),
        identity("reader", reader_key, reader_secret, ["Read", "List"]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": identities}))
    data = folder / "data"
    data.mkdir(exist_ok=True)
    port, master, volume, filer = weed_ports(4)
    arguments = [
        "-dir=" + str(data), "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={port}",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-s3.autoCreateBucket=false",
        "-master.telemetry=false",
        f"-s3.config={config}",
    ]  # fmt: skip
    with _running([tool("weed"), "mini", *arguments], f"http://127.0.0.1:{port}", folder / "weed.log") as server:
        yield server


def identity(name: str, access: str, word: str, actions: list[str]) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": access, "secretKey": word}], "actions": actions}


@contextmanager
def rclone(folder: Path) -> Iterator[S3]:
    """Run rclone's server, which ignores all conditions, until the block ends."""
    data = folder / "data"
    data.mkdir(parents=True)
    port = free_port()
    command = [
        tool("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{key},{secret}",
        "--config", os.devnull, str(data),
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}", folder / "rclone.log") as server:
        yield server


@contextmanager
def _running(command: list[str], url: str, log: Path) -> Iterator[S3]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent)
    server = S3(url, process)
    try:
        _wait(server, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def _wait(server: S3, log: Path) -> None:
    """Wait until a signed upload succeeds: ports are open long before that."""
    client = server.client()
    end = time.monotonic() + 60
    while True:
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="probe", Body=b"1")
        except (BotoCoreError, ClientError) as error:
            if server.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text(errors="replace")[-2000:]) from error
            time.sleep(0.1)
        else:
            return
