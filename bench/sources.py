"""Every layer of Keras 3 and Keras 2 in every form, and the applications: what is built, cut, refused.

    python bench/sources.py [--work FOLDER] [--libraries …] [--forms …] [--only ITEM …] [--applications] [--write-docs]

Runs ``tests.matrix.run`` in one TensorFlow process a library, then what was built in TensorFlow.js on wasm and cpu
with two batch sizes; a model of many layers that fails is taken apart. Ends with 1 where anything is wrong: different
answers, a refusal that names no layer or no way out, a layer that nobody put into the matrix. ``--judge`` takes
outcomes that lie in FOLDER already. ``--write-docs`` writes the table of ``docs/sources.md``; it wants all forms of
both libraries. ``--applications`` adds the smallest member of every family of ``keras.applications``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from tests.matrix.judge import Verdict, judge, read_outcomes  # noqa: E402
from tests.matrix.models import forms  # noqa: E402
from tests.matrix.page import section, summary, write_section  # noqa: E402

libraries = ("keras", "tf_keras")
packages = {"keras": "keras", "tf_keras": "tf-keras"}


def run(folder: Path, *arguments: str) -> None:
    """Make and convert models in a process of their own."""
    command = [sys.executable, "-m", "tests.matrix.run", str(folder), *arguments]
    subprocess.run(command, check=True, cwd=root, stderr=subprocess.DEVNULL)


def verdicts_of(folder: Path, library: str) -> tuple[list[str], list[Verdict]]:
    """Judge the outcomes of a folder; groups that fail are run again, each item alone."""
    classes, outcomes = read_outcomes(folder)
    found = judge(outcomes)
    shared = {(outcome["form"], item) for outcome in outcomes if len(outcome["items"]) > 1 for item in outcome["items"]}
    again = [item for item in found if item.outcome == "failed" and (item.form, item.item) in shared]
    for form in dict.fromkeys(item.form for item in again):
        only = [item.item for item in again if item.form == form]
        run(folder / f"again-{form}", "--libraries", library, "--forms", form, "--alone", "--only", *only)
        for verdict in judge(read_outcomes(folder / f"again-{form}")[1]):
            place = next(n for n, old in enumerate(found) if (old.form, old.item) == (form, verdict.item))
            found[place] = replace(verdict)
    return classes[library], found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--libraries", nargs="*", default=libraries, choices=libraries)
    parser.add_argument("--forms", nargs="*", default=forms, choices=forms)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--applications", action="store_true")
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--write-docs", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="matrix-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        verdicts: list[Verdict] = []
        classes: dict[str, Any] = {}
        for library in options.libraries:
            if not options.judge:
                only = ["--only", *options.only] if options.only else []
                run(work / library, "--libraries", library, "--forms", *options.forms, *only)
            classes[library], found = verdicts_of(work / library, library)
            verdicts += found
        models = []
        for library in options.libraries if options.applications else ():
            folder = work / f"{library}-applications"
            if not options.judge:
                run(folder, "--libraries", library, "--applications")
            models += judge(read_outcomes(folder)[1])
    for verdict in (*verdicts, *models):
        if verdict.outcome in {"failed", "unmade"}:
            print(f"{verdict.library} {verdict.form} {verdict.item}: {verdict.outcome}: {verdict.words}")
    for verdict in models:
        print(f"{verdict.library} {verdict.form} {verdict.item}: {verdict.outcome}")
    print(json.dumps(summary(verdicts), indent=1))
    if options.write_docs:
        page = root / "docs" / "sources.md"
        versions = {library: version(packages[library]) for library in options.libraries}
        page.write_text(write_section(page.read_text(), section(verdicts, versions, classes)))
    if any(verdict.outcome == "failed" for verdict in (*verdicts, *models)):
        sys.exit(1)


if __name__ == "__main__":
    main()
