"""What the files of a bundle are served with: the one source for ``headers.json``, deploys and development."""

from __future__ import annotations

from typing import TypedDict

from .format import (
    head_url,
    immutable_name,
    loader_name,
    module_url,
    ops_url,
    pinned_url,
    shard_url,
    wasm_url,
    worker_url,
)
from .modules import module_templates, runtime_name

forever = "public, max-age=31536000, immutable"
never = "no-cache"
unknown_type = "application/octet-stream"
# Python's mimetypes misses some of these, and differs between machines.
types = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".bin": "application/octet-stream",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
cross_origin = {"Cross-Origin-Resource-Policy": "cross-origin"}  # pages under COEP take nothing without it
anybody = {"Access-Control-Allow-Origin": "*", **cross_origin}


class HeaderRule(TypedDict):
    """A pattern of paths below ``cdn/`` and the headers of the files that match it."""

    path: str
    headers: dict[str, str]


def file_headers(key: str) -> dict[str, str]:
    """Return type and age of a file.

    Args:
        key: its path below the bundle's root.
    """
    return {
        "Cache-Control": forever if immutable_name.fullmatch(key) else never,
        "Content-Type": types.get(f".{key.rpartition('.')[2]}", unknown_type),
    }


def header_rules() -> list[HeaderRule]:
    """Return the headers that a server of ``cdn/`` must send, first match first; patterns as in shells."""
    digest = "0" * 64
    examples = {
        loader_name: loader_name,
        "loader.*.js": pinned_url(digest),
        "sw.*.js": worker_url(digest),
        **{f"{name}.*.js": module_url(name, digest) for name in (*module_templates, runtime_name)},
        "tf-*.wasm": wasm_url("tf-simd", digest),
        "assets/*.json": head_url("model", digest),
        "assets/*.js": ops_url("model", digest),
        "assets/*.bin": shard_url("model", "base", 0, digest),
    }
    return [{"path": path, "headers": {**file_headers(key), **anybody}} for path, key in examples.items()]
