"""What works on this machine, and how to fix what does not."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..packages import extras, fits, fix, for_conversion, installed, lean, numbers
from ..sandbox.wall import missing
from ..verify.run import find_node_modules

least_node = (20, 19)  # as package.json's engines say, and the README
needed_tfjs = (4, 22)
# What each extra is for; a machine that does not do that is none the worse without it.
uses = {
    "convert": "sources of TensorFlow and Keras",
    "onnx": "ONNX sources",
    "tflite": "TensorFlow Lite sources",
    "cluster": "building on a Dask cluster (--scheduler)",
    "deploy": "S3 targets and shared caches",
    "tokens": "texts as inputs of verification, for models with a tokenizer",
    "watch": "--watch",
}
usual = frozenset({"convert"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what.
        state: what was found.
        ok: it works.
        needed_for: what does not work without it.
        hint: how to fix it; empty when it works.
        optional: most can do without it.
    """

    subject: str
    state: str
    ok: bool
    needed_for: str
    hint: str = ""
    optional: bool = False


def examine(folder: Path) -> tuple[Finding, ...]:
    """Look at versions, pins, Node and TensorFlow.js; nothing heavy is imported.

    Args:
        folder: the project's, where ``node_modules`` is looked for.
    """
    found = extras()
    if lean in found:  # another way to install what [convert] has
        found["convert"] = for_conversion()
        del found[lean]
    return (_python(), *map(_extra, found.items()), _node(), *_tfjs(folder), _wall())


def _python() -> Finding:
    version = platform.python_version()
    ok = (3, 11) <= sys.version_info[:2] < (3, 14)
    hint = "" if ok else "TensorFlow has no wheel for it. Use Python 3.11 to 3.13, as with uv venv --python 3.12"
    return Finding("Python", version, ok, "conversion", hint)


def _extra(item: tuple[str, dict[str, str]]) -> Finding:
    extra, packages = item
    found = {package: installed(package) for package in packages}
    lacking = [package for package, version in found.items() if version is None]
    wrong = [
        package
        for package, wanted in packages.items()
        if (version := found[package]) is not None and not fits(version, wanted)
    ]
    told = [f"{package} {version}" for package, version in found.items() if version is not None]
    if len(lacking) == len(packages):
        state = "not installed"
    else:
        state = ", ".join(told) + (f"; without {', '.join(lacking)}" if lacking else "")
    ok = not lacking and not wrong
    hint = "" if ok else f"Run {fix(extra, packages, lacking, wrong)}"
    needed_for = uses.get(extra, f"what needs shardpress[{extra}]")
    # What is there but does not fit breaks what it is for; what is not there may not be wanted.
    return Finding(f"[{extra}]", state, ok, needed_for, hint, optional=extra not in usual and not told)


def _node() -> Finding:
    path = shutil.which("node")
    version = ""
    if path:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30)
        version = answer.stdout.strip().lstrip("v")
    ok = numbers(version) >= least_node
    hint = "" if ok else f"Install Node {'.'.join(map(str, least_node))} or later"
    return Finding("Node", version or "not installed", ok, "verification", hint)


def _tfjs(folder: Path) -> tuple[Finding, ...]:
    modules = find_node_modules(folder)
    findings = []
    for package in ("@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"):
        version = ""
        if modules:
            try:
                version = json.loads((modules / package / "package.json").read_bytes())["version"]
            except (OSError, ValueError, KeyError):
                version = ""
        ok = needed_tfjs <= numbers(version)[:2] < (5, 0)
        hint = "" if ok else f"Run npm install {package}@4.22 in your project"
        findings.append(Finding(package, version or "not found", ok, "verification", hint))
    return tuple(findings)


def _wall() -> Finding:
    """Return whether untrusted models are confined; a build goes on without, and notes it."""
    lacking = missing()
    state = "stands (Landlock and seccomp)" if not lacking else f"does not stand: {'; '.join(lacking)}"
    hint = "" if not lacking else "Build strangers' models on Linux 5.13 or later, in a container that allows Landlock"
    return Finding("the wall around untrusted models", state, not lacking, "models that you do not trust", hint)


def show(findings: tuple[Finding, ...]) -> str:
    """Return the findings as text."""
    lines = [f"shardpress {__version__}"]
    for finding in findings:
        mark = "ok " if finding.ok else "-- " if finding.optional else "NO "
        lines.append(f"{mark} {finding.subject} {finding.state}")
        if not finding.ok:
            lines.append(f"    needed for {finding.needed_for}. {finding.hint}.")
    return "\n".join(lines)
