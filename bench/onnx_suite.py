"""All tests of the onnx package on the whole way: converted, bundled, run by TensorFlow.js on wasm and cpu under Node.

    python bench/onnx_suite.py [--only PATTERN] [--sample N] [--groups GROUP …] [--write FILE.md] [--keep FOLDER]

Compares with the tests' own outputs; the networks of ``light`` get seeded random weights, and ONNX Runtime's answers.
Prints a line for every test that did not pass, and two Markdown tables: counts by group, and reasons. Ends with 1 where
anything is wrong. Needs shardpress[onnx] and Node; takes a few minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from tests.onnx_suite.cases import find_cases, groups  # noqa: E402
from tests.onnx_suite.judge import judge, summary  # noqa: E402
from tests.onnx_suite.table import write_table  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a pattern of GROUP/NAME")
    parser.add_argument("--sample", type=int, default=0, help="so many, the same each time")
    parser.add_argument("--groups", nargs="*", choices=groups, default=groups)
    parser.add_argument("--write", type=Path, help="write the tables there")
    parser.add_argument("--keep", type=Path, help="leave models and bundles there")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # NumPy's, of the tests' own infinities
    cases = find_cases(options.only, options.sample, options.groups)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="onnx-suite-") as temporary:
        work = (options.keep or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        verdicts = judge(cases, work, lambda text: print(text, file=sys.stderr, flush=True))
    for verdict in verdicts:
        if verdict.outcome != "passed":
            print(f"{verdict.outcome}: {verdict.case.label}: {verdict.words}")
    table = write_table(verdicts)
    print(f"\n{table}\n{summary(verdicts)} of {len(verdicts)}, {time.monotonic() - begun:.0f} s")
    if options.write:
        options.write.write_text(table, encoding="utf-8")
    return int(any(verdict.outcome == "wrong" for verdict in verdicts))


if __name__ == "__main__":
    raise SystemExit(main())
