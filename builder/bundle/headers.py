"""What the files of a bundle are served with: the one source for ``headers.json``, deploys and development."""

from __future__ import annotations

from .format import immutable_name

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


def file_headers(key: str) -> dict[str, str]:
    """Give type and age of a file.

    Args:
        key: its path below the bundle's root.
    """
    return {
        "Content-Type": types.get(f".{key.rpartition('.')[2]}", unknown_type),
        "Cache-Control": forever if immutable_name.fullmatch(key) else never,
    }
