"""What each object is served with: types, cache rules, the target's own rules by pattern."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase

from ..bundle.headers import file_headers, forever, never, types

Rules = Mapping[str, Mapping[str, str]]


def headers_for(key: str, encoding: str | None, rules: Rules) -> dict[str, str]:
    """Return an object's headers.

    Args:
        key: below the bundle's root.
        encoding: it is stored in, or None.
        rules: the target's own, by pattern; later ones win.
    """
    headers = file_headers(key)
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
