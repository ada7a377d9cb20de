"""``python build.py``: the same program as the installed command ``shardpress``."""

from __future__ import annotations

# Conversion workers are spawned and import this file again; they must not start a build of their own.
if __name__ == "__main__":
    from builder.cli import main

    raise SystemExit(main())
