"""The stock converter's own command, also where what it names and never uses is not installed (docs/decisions/0013).

python bench/stock_converter.py --input_format=keras FILE OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

command = (sys.executable, str(Path(__file__).resolve()))


def main() -> None:
    """Run it with this process' arguments."""
    from builder.convert.stock import import_converter

    import_converter()
    from tensorflowjs.converters.converter import pip_main

    pip_main()


if __name__ == "__main__":
    main()
