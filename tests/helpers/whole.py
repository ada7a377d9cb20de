"""Whether a published bundle is whole: every file that loader.js reaches is there, with the bytes it says."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import brotli

from builder.bundle.format import ops_url
from builder.bundle.head import read_head, shard_urls
from builder.bundle.index import Index, read_index


def assert_whole(cdn: Path) -> Index:
    """Follow all hashes from loader.js down; give the index."""
    index = read_index((cdn / "loader.js").read_bytes())
    for url, digest in index.module_urls().items():
        read(cdn / url, digest, (cdn / url).stat().st_size)
    for name, entry in index.models.items():
        digest, length = entry.head_sha256, entry.head_bytes
        head = read_head(read(cdn / f"assets/{name}.{digest[:16]}.json", digest, length))
        assert head.name == name
        for url, shard in zip(shard_urls(name, head), head.shards, strict=True):
            read(cdn / url, shard.sha256, shard.bytes)
        if head.ops:
            path = cdn / ops_url(name, head.ops)
            read(path, head.ops, path.stat().st_size)
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
