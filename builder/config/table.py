"""What all tables of ``build.toml`` have in common."""

from __future__ import annotations

import msgspec


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of build.toml: unknown keys are errors."""
