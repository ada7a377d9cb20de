"""What the format fixes: its version, the names of files, how JSON is written; see ``docs/format.md``."""

from __future__ import annotations

import json
import re
from typing import Literal

from .modules import module_templates, runtime_name

Kind = Literal["graph-model", "layers-model", "word-vectors"]
format_version = 1
hash_digits = 16  # of a file's hash that its name carries
loader_name = "loader.js"
index_mark = "const CONFIG="  # before the index in a loader, where it stands exactly once
immutable_name = re.compile(
    rf"((loader|sw|{'|'.join((*module_templates, runtime_name))})\.[0-9a-f]{{{hash_digits}}}\.js"
    rf"|tf-(plain|simd)\.[0-9a-f]{{{hash_digits}}}\.wasm"
    rf"|assets/[a-z][a-z0-9-]*\.[0-9a-f]{{{hash_digits}}}\.(json|bin|js))(\.br|\.gz)?"
)
suffixes = {"br": ".br", "gzip": ".gz"}  # of encoded copies
model_pattern = re.compile(r"[a-z][a-z0-9-]*")
digest_pattern = re.compile(r"[0-9a-f]{64}")


def head_url(name: str, sha256: str) -> str:
    """Return the address of a head."""
    return f"assets/{name}.{sha256[:hash_digits]}.json"


def shard_url(name: str, stage: str, number: int, sha256: str) -> str:
    """Return the address of a stage's shard."""
    return f"assets/{name}-{stage}-{number}.{sha256[:hash_digits]}.bin"


def ops_url(name: str, sha256: str) -> str:
    """Return the address of the module of a model's own ops."""
    return f"assets/{name}-ops.{sha256[:hash_digits]}.js"


def stock_url(name: str, sha256: str) -> str:
    """Return the address of a stock copy's ``model.json``."""
    return f"assets/{name}-stock.{sha256[:hash_digits]}.json"


def stock_shard_url(name: str, number: int, sha256: str) -> str:
    """Return the address of a stock copy's file of weights."""
    return f"assets/{name}-stock-{number}.{sha256[:hash_digits]}.bin"


def module_url(name: str, sha256: str) -> str:
    """Return the address of a module."""
    return f"{name}.{sha256[:hash_digits]}.js"


def wasm_url(name: str, sha256: str) -> str:
    """Return the address of a binary of TensorFlow.js."""
    return f"{name}.{sha256[:hash_digits]}.wasm"


def worker_url(sha256: str) -> str:
    """Return the address of the offline worker's module."""
    return module_url("sw", sha256)


def pinned_url(sha256: str) -> str:
    """Return the address of the unchanging copy of a loader."""
    return module_url("loader", sha256)


def to_json(value: object) -> bytes:
    """Write JSON as the format asks for: UTF-8, no white space.

    Raises:
        ValueError: a number is not finite; JSON has none of these.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JavaScript's strings may hold, has no UTF-8
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
