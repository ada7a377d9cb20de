"""What each object is served with: types, cache rules, the target's own rules by pattern."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase

from builder.bundle import immutable_name

forever = "public, max-age=31536000, immutable"
never = "no-cache"
suffixes = {"br": ".br", "gzip": ".gz"}
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
Rules = Mapping[str, Mapping[str, str]]


def headers_for(key: str, encoding: str | None, rules: Rules) -> dict[str, str]:
    """Give an object's headers.

    Args:
        key: below the bundle's root.
        encoding: it is stored in, or None.
        rules: the target's own, by pattern; later ones win.
    """
    headers = {
        "Content-Type": types.get(f".{key.rpartition('.')[2]}", "application/octet-stream"),
        "Cache-Control": forever if immutable_name.fullmatch(key) else never,
    }
    for pattern, more in rules.items():
        if fnmatchcase(key, pattern):
            headers.update(more)
    if encoding:
        headers["Content-Encoding"] = encoding
    return headers


def rules_hash(encoding: str, rules: Rules) -> str:
    """Hash all that decides on headers, so that a change of them is seen without asking for any object."""
    facts = [encoding, sorted(types.items()), forever, never, {key: dict(value) for key, value in rules.items()}]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
