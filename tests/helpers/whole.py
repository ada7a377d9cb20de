"""Whether a published bundle is whole: every file that loader.js reaches is there, with the bytes it says."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import brotli

from builder.bundle.bundle import module_urls, ops_url, read_index, shard_urls


def assert_whole(cdn: Path) -> dict[str, Any]:
    """Follow all hashes from loader.js down; give the index."""
    index = read_index((cdn / "loader.js").read_bytes())
    for url, digest in module_urls(index).items():
        read(cdn / url, digest, (cdn / url).stat().st_size)
    for name, (digest, length, *_) in index["models"].items():
        head = json.loads(read(cdn / f"assets/{name}.{digest[:16]}.json", digest, length))
        assert head["name"] == name
        for url, shard in zip(shard_urls(name, head), head["shards"], strict=True):
            read(cdn / url, shard["sha256"], shard["bytes"])
        if ops := head.get("ops"):
            path = cdn / ops_url(name, ops)
            read(path, ops, path.stat().st_size)
    return index


def read(path: Path, digest: str, length: int) -> bytes:
    """Give a file's bytes after checking them and its encoded copies."""
    content = path.read_bytes()
    assert len(content) == length, path
    assert hashlib.sha256(content).hexdigest() == digest, path
    for suffix, decoder in ((".br", brotli.decompress), (".gz", gzip.decompress)):
        copy = path.with_name(path.name + suffix)
        if copy.exists():
            assert decoder(copy.read_bytes()) == content, copy
    return content
