"""Bundles TensorFlow.js' npm packages into one file with esbuild; knows neither models nor builds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..bundle.format import wasm_url
from ..bundle.render import render
from ..cache.local import Blob, Cache, key_of
from ..errors import ConfigError, RuntimeBuildError
from .types import Runtime, Wanted, wasm_binaries

script = Path(__file__).with_name("bundle.mjs")
entry_template = "runtime/entry.js.j2"
timeout = 300.0
loaders = {"tfjs-converter": "loadGraphModel", "tfjs-layers": "loadLayersModel"}
supported = (4, 22)
install = "npm install --save-dev esbuild {}"


def bundle_runtime(wanted: Wanted, node_modules: Path | None, cache: Cache) -> Runtime:
    """Build TensorFlow.js, or return the cached result of the same build.

    Args:
        wanted: what it must support.
        node_modules: where esbuild and the packages are installed.
        cache: keeps the files.

    Raises:
        RuntimeBuildError: Node, esbuild or a package is missing, or esbuild failed.
        ConfigError: ``wanted`` names a function that TensorFlow.js does not have.
    """
    folder, versions = find_packages(wanted.packages, wanted.backends, node_modules)
    version = versions["@tensorflow/tfjs-core"]
    wasm, renamed = _wasm(folder, cache) if "wasm" in wanted.backends else ({}, None)
    entry = render(
        entry_template,
        packages=wanted.packages,
        backends=wanted.backends,
        loaders=[(loaders[name], name) for name in wanted.packages if name in loaders],
        wasm=renamed,
    )
    job = {"entry": entry, "banner": _banner(version), "kernels": _kernels(wanted), "gradients": wanted.gradients}
    key = key_of(job, versions, script.read_text(encoding="utf-8"))
    record = cache.record("runtime", key)
    code = cache.find(record["code"]) if record else None
    if record is None or code is None:
        with cache.work() as work:
            record, content = _run(job, folder, work)
        if record["unknown"]:
            raise ConfigError(
                f"TensorFlow.js has no function tf.{record['unknown'][0]}",
                code="SP-230",
                where="runtime.functions",
                hint='Write functions as they follow tf., for example "topk" or "image.cropAndResize"',
            )
        code = cache.put(content)
        cache.put_record("runtime", key, {**record, "code": code.sha256})
    kernels = None if record["kernels"] is None else tuple(record["kernels"])
    return Runtime(code, wasm, version, wanted.backends, kernels)


def find_packages(
    more: tuple[str, ...], backends: tuple[str, ...], node_modules: Path | None
) -> tuple[Path, dict[str, str]]:
    """Return the folder and versions of esbuild and of the packages that TensorFlow.js is built from.

    Args:
        more: packages beside the core and the converter, without ``@tensorflow/``.
        backends: of the bundle.
        node_modules: where they are installed.

    Raises:
        RuntimeBuildError: Node or one of them is missing, or does not fit.
    """
    names = ("tfjs-core", "tfjs-converter", *more, *(f"tfjs-backend-{name}" for name in backends))
    packages = [f"@tensorflow/{name}" for name in dict.fromkeys(names)]
    if shutil.which("node") is None:
        raise RuntimeBuildError(
            "Node is not installed",
            code="SP-520",
            where="runtime.build",
            hint="Install Node 20.19 or later, or set build = false",
        )
    if node_modules is None:
        raise RuntimeBuildError(
            "TensorFlow.js is not installed for Node",
            code="SP-521",
            where="runtime.build",
            hint=f"Run {_command(packages)}",
        )
    return node_modules, _versions(node_modules, ("esbuild", *packages), packages)


def _kernels(wanted: Wanted) -> dict[str, Any] | None:
    if wanted.uses is None:
        return None
    uses = asdict(wanted.uses)
    return {"ops": uses["ops"], "names": uses["kernels"], "functions": uses["functions"]}


def _versions(node_modules: Path, names: tuple[str, ...], packages: list[str]) -> dict[str, str]:
    versions = {}
    for name in names:
        try:
            versions[name] = str(json.loads((node_modules / name / "package.json").read_bytes())["version"])
        except (OSError, ValueError, KeyError) as error:
            raise RuntimeBuildError(
                f"{name} is not installed", code="SP-521", where=str(node_modules), hint=f"Run {_command(packages)}"
            ) from error
        numbers = tuple(int(part) for part in versions[name].split(".")[:2] if part.isdigit())
        if name != "esbuild" and not supported <= numbers < (5,):
            raise RuntimeBuildError(
                f"{name} {versions[name]} is not supported: version 4.22 or later, below 5, is needed",
                code="SP-522",
                where=str(node_modules),
                hint=f"Run {_command(packages)}",
            )
    return versions


def _command(packages: list[str]) -> str:
    return install.format(" ".join(f"{name}@4.22.0" for name in packages))


def _banner(version: str) -> str:
    return f"/*! TensorFlow.js {version}, Apache-2.0, with long.js (Apache-2.0) and seedrandom (MIT) */"


def _wasm(node_modules: Path, cache: Cache) -> tuple[dict[str, Blob], dict[str, str]]:
    """Return the binaries by address, and the addresses by TensorFlow.js' own names; there is one thread only."""
    folder = node_modules / "@tensorflow" / "tfjs-backend-wasm" / "dist"
    plain, simd, threaded = wasm_binaries
    wasm, renamed = {}, {}
    for name, label in ((plain, "tf-plain"), (simd, "tf-simd")):
        try:
            blob = cache.put((folder / name).read_bytes())
        except OSError as error:
            raise RuntimeBuildError(
                f"cannot be read ({error.strerror})",
                code="SP-524",
                where=str(folder / name),
                hint="Install the package again",
            ) from error
        url = wasm_url(label, blob.sha256)
        wasm[url] = blob
        renamed[name] = url
    renamed[threaded] = renamed[simd]
    return wasm, renamed


def _run(job: Mapping[str, Any], node_modules: Path, work: Path) -> tuple[dict[str, Any], bytes]:
    out = work / "tf.js"
    path = work / "job.json"
    path.write_text(json.dumps({**job, "nodeModules": str(node_modules.resolve()), "out": str(out)}), encoding="utf-8")
    command = ["node", str(script), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeBuildError(
            f"esbuild did not finish within {timeout:g} seconds", code="SP-523", where="runtime.build", hint="Try again"
        ) from error
    if done.returncode or not out.is_file():
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeBuildError(
            f"esbuild failed: {' | '.join(lines[:4]) or 'without a message'}",
            code="SP-523",
            where="runtime.build",
            hint="Install the packages again (npm ci), or set build = false",
        )
    result: dict[str, Any] = json.loads((work / "result.json").read_bytes())
    return result, out.read_bytes()
