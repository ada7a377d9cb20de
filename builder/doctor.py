"""What works on this machine, and how to mend what does not."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from builder import __version__
from builder.sandbox.wall import missing
from builder.verify.run import find_node_modules

pins = {"tensorflowjs": "4.22", "tensorflow": "2.19", "tf-keras": "2.19"}
least_node = 18
needed_tfjs = (4, 22)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what.
        state: what was found.
        ok: it works.
        needed_for: what does not work without it.
        hint: how to mend it; empty when it works.
    """

    subject: str
    state: str
    ok: bool
    needed_for: str
    hint: str = ""


def examine(folder: Path) -> tuple[Finding, ...]:
    """Look at versions, pins, Node and TensorFlow.js; nothing heavy is imported.

    Args:
        folder: the project's, where ``node_modules`` is looked for.
    """
    return (_python(), *map(_package, pins), _ydf(), _node(), *_tfjs(folder), _wall())


def _python() -> Finding:
    version = platform.python_version()
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    hint = "" if ok else "Use Python 3.11 or 3.12: TensorFlow Decision Forests has no wheel for others"
    return Finding("Python", version, ok, "conversion", hint)


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(package: str) -> Finding:
    version = _installed(package)
    ok = version is not None and version.startswith(pins[package])
    hint = (
        "" if ok else f'Run pip install "shardpress[convert]" with the constraints file; {pins[package]} is what works'
    )
    return Finding(package, version or "not installed", ok, "sources other than TensorFlow.js", hint)


def _ydf() -> Finding:
    version = _installed("ydf")
    numbers = tuple(map(int, re.findall(r"\d+", version or "")[:2]))
    ok = version is not None and (0, 11) <= numbers < (0, 16)
    hint = "" if ok else 'Run pip install "ydf>=0.11,<0.14": later ones need another protobuf and break tensorflowjs'
    return Finding("ydf", version or "not installed", ok, "sources other than TensorFlow.js", hint)


def _node() -> Finding:
    path = shutil.which("node")
    version = ""
    if path:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30)
        version = answer.stdout.strip().lstrip("v")
    ok = bool(re.match(r"\d+", version)) and int(version.split(".")[0]) >= least_node
    return Finding(
        "Node", version or "not installed", ok, "verification", "" if ok else f"Install Node {least_node} or later"
    )


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
        numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
        ok = needed_tfjs <= numbers < (5, 0)
        hint = "" if ok else f"Run npm install {package}@4.22 in your project"
        findings.append(Finding(package, version or "not found", ok, "verification", hint))
    return tuple(findings)


def _wall() -> Finding:
    """Tell whether untrusted models are confined; a build goes on without, and notes it."""
    lacking = missing()
    state = "stands (Landlock and seccomp)" if not lacking else f"does not stand: {'; '.join(lacking)}"
    hint = "" if not lacking else "Build strangers' models on Linux 5.13 or later, in a container that allows Landlock"
    return Finding("the wall around untrusted models", state, not lacking, "models that you do not trust", hint)


def show(findings: tuple[Finding, ...]) -> str:
    """Give the findings as text."""
    lines = [f"shardpress {__version__}"]
    for finding in findings:
        lines.append(f"{'ok ' if finding.ok else 'NO '} {finding.subject} {finding.state}")
        if not finding.ok:
            lines.append(f"    needed for {finding.needed_for}. {finding.hint}.")
    return "\n".join(lines)
