"""This checkout's wheel, and environments that have it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

root = Path(__file__).resolve().parents[2]


def make_wheel(folder: Path) -> Path:
    """Make this checkout's wheel in ``folder``, as a registry would have it."""
    clone = _clone(folder)
    wheel_of(clone, folder)
    shutil.rmtree(clone)
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_sdist(folder: Path) -> Path:
    """Make this checkout's sdist in ``folder``."""
    tools = folder / "tools"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools), "hatchling>=1.27"]
    subprocess.run(pip, check=True, capture_output=True)
    clone = _clone(folder)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder)]
    subprocess.run(command, cwd=clone, env={**os.environ, "PYTHONPATH": str(tools)}, check=True, capture_output=True)
    shutil.rmtree(clone)
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


def wheel_of(source: Path, folder: Path, **environment: str) -> None:
    """Make the wheel of a checkout or an sdist in ``folder``."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(pip, check=True, capture_output=True, env={**os.environ, **environment})


def _clone(folder: Path) -> Path:
    """Copy what the package is built of."""
    clone = folder / "clone"
    for name in ("builder", "templates", "packages"):
        shutil.copytree(root / name, clone / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    for name in ("pyproject.toml", "package.json", "README.md", "LICENSE"):
        shutil.copy(root / name, clone)
    (clone / "node_modules").symlink_to(root / "node_modules")  # what the loader's scripts are bundled with
    return clone


def install_wheel(wheel: Path, folder: Path) -> Path:
    """Make a virtual environment with the wheel and the packages of this interpreter, and give its programs' folder.

    This checkout is not in it: what a ``.pth`` file of another environment says does not count.
    """
    venv.create(folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "packages-of-the-tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"
