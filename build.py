"""``python build.py``: the same program as the installed command ``shardpress``."""

from __future__ import annotations

import sys

# Conversion workers are spawned and import this file again; they must not start a build of their own.
if __name__ == "__main__":
    try:
        from builder.cli.main import main
    except ModuleNotFoundError as error:
        # The one error that no module of the package can tell: the likeliest of a first day.
        sys.stderr.write(
            f"error: {error.name} is not installed for {sys.executable}. "
            "Run `make setup` in shardpress' folder, then use .venv/bin/python of that folder.\n"
        )
        raise SystemExit(2) from None
    raise SystemExit(main())
