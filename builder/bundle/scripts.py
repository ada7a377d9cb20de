"""Scripts of a bundle, made of the modules in ``templates/``: ready in an installed package, made by a checkout.

Needs nothing but the standard library: the hook that builds the package imports it as well.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..errors import ShardpressError
from ..files.atomic import write_atomically
from ..packages import package_folder
from .modules import module_templates

ready_name = "scripts.json"
folders = ("entries", "loader", "modules", "thread", "tokens", "vectors")
tools = ("esbuild", "terser")
timeout = 120.0


def script(name: str) -> str:
    """Return a script.

    Args:
        name: as ``scripts.mjs`` names them, such as ``"loader.js"`` or ``"package/index.js"``.

    Raises:
        ShardpressError: as ``scripts``.
    """
    return scripts()[name]


def scripts() -> Mapping[str, str]:
    """Return all scripts by name.

    Raises:
        ShardpressError: in a checkout, Node or its packages are missing, or the modules have a mistake.
    """
    return _of(ready_scripts())


def ready_scripts() -> bytes:
    """Return the file ``scripts.json``, made anew where a module has changed: ``{"sources": HASH, "scripts": {…}}``.

    Raises:
        ShardpressError: as ``scripts``.
    """
    folder = template_folder()
    delivered = folder / ready_name
    if folder.parent == package_folder:  # installed: there are no modules to compare it with
        return _read_delivered(delivered)
    sources = sources_hash(folder)
    kept = folder.parent / ".bundled" / ready_name
    for path in (delivered, kept):  # an sdist has it too
        content = _content(path)
        if content.startswith(_start(sources)):
            return content
    content = _start(sources) + _make(folder, folder.parent / "node_modules") + b"}\n"
    with contextlib.suppress(OSError):  # in a folder that may not be written they are made each time
        write_atomically(kept, content)
    return content


def sources_hash(folder: Path) -> str:
    """Hash all that the scripts of a checkout are made of."""
    digest = hashlib.sha256()
    for path in (*source_files(folder), Path(__file__).with_suffix(".mjs")):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    wanted = json.loads((folder.parent / "package.json").read_bytes())["devDependencies"]
    digest.update(json.dumps([dict(module_templates), *(wanted[tool] for tool in tools)]).encode())
    return digest.hexdigest()


def source_files(folder: Path) -> list[Path]:
    """Return the modules of templates that are bundled; what they are made of goes into no wheel."""
    return [folder / "sw.js", *(path for name in folders for path in sorted((folder / name).glob("*.[jt]s")))]


def template_folder() -> Path:
    """Return where the templates lie: in the package, or beside it in a checkout."""
    installed = package_folder / "templates"
    return installed if installed.is_dir() else package_folder.parent / "templates"


@functools.lru_cache(maxsize=2)
def _of(content: bytes) -> Mapping[str, str]:
    made: Mapping[str, str] = json.loads(content)["scripts"]
    return made


@functools.cache
def _read_delivered(path: Path) -> bytes:
    content = _content(path)
    if not content:
        raise ShardpressError("is missing", code="SP-904", where=str(path), hint="Install shardpress again")
    return content


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _start(sources: str) -> bytes:
    return f'{{"sources":"{sources}","scripts":'.encode()


def _make(templates: Path, node_modules: Path) -> bytes:
    missing = [tool for tool in tools if not (node_modules / tool).is_dir()]
    if missing:
        raise ShardpressError(
            f"{' and '.join(missing)} of npm are not installed; a checkout bundles the loader's modules with them",
            code="SP-906",
            where=str(node_modules),
            hint="Run make setup, or npm ci --ignore-scripts",
        )
    program = Path(__file__).with_suffix(".mjs")
    command = ["node", str(program), str(templates), str(node_modules), json.dumps(dict(module_templates))]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise ShardpressError(
            "Node is not installed; a checkout bundles the loader's modules with it",
            code="SP-906",
            where=str(templates),
            hint="Install Node 20.19 or later and run make setup; an installed package does without",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ShardpressError(
            f"the loader's modules were not bundled within {timeout:g} seconds",
            code="SP-907",
            where=str(templates),
            hint="Try again",
        ) from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise ShardpressError(
            f"the loader's modules cannot be bundled: {' | '.join(lines[:4]) or 'esbuild gave no reason'}",
            code="SP-907",
            where=str(templates),
            hint="Fix the module that is named, or run make setup",
        )
    return done.stdout
