"""JavaScript that a bundle carries beside its loader, which imports it at first need: what there is, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

module_templates: Mapping[str, str] = MappingProxyType(
    {
        "glue": "modules/glue.js",  # pictures in and out
        "vectors": "vectors/vectors.js",  # word vectors
    }
)
"""Template of each module; a name here makes its files immutable ones of the bundle, for deploy and prune too."""


def module_url(name: str, sha256: str) -> str:
    """Give the address of a module."""
    return f"{name}.{sha256[:16]}.js"
