"""This package: its folder, its name, the hash of its code, and which Python packages each of its extras needs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import tomllib
from collections.abc import Container, Mapping
from pathlib import Path

distribution = "shardpress"
package_folder = Path(__file__).resolve().parent
package_name = __name__.rpartition(".")[0]  # "builder" in a checkout, "shardpress" where a wheel is installed
source = package_folder.parent / "pyproject.toml"
for_us = "dev"  # the extra of those who work on this package
# The converter's extra without what the converter names and never uses, and the two that are therefore installed apart.
lean = "tensorflow"
apart = {"tensorflowjs": "==4.22.0", "tf-keras": ">=2.19,<2.22"}
# Distributions with the same modules.
also_called = {"tensorflow": ("tensorflow-cpu",)}
to_convert = (
    f"""Run pip install "{distribution}[{lean}]", then pip install --no-deps tensorflowjs==4.22.0 "tf-keras<2.22\""""
)


def extras() -> dict[str, dict[str, str]]:
    """Return for each extra its packages on this Python, and the versions that will do, as ``">=2.1,<3"``."""
    from packaging.requirements import Requirement

    if source.is_file():  # a checkout, which may be newer than what is installed
        lines = tomllib.loads(source.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        asked = {extra: map(Requirement, lines[extra]) for extra in lines}
        found = {extra: [item for item in asked[extra] if not item.marker or item.marker.evaluate()] for extra in asked}
    else:
        named = importlib.metadata.metadata(distribution).get_all("Provides-Extra") or []
        all_of_them = list(map(Requirement, importlib.metadata.requires(distribution) or ()))
        found = {
            extra: [item for item in all_of_them if item.marker and item.marker.evaluate({"extra": extra})]
            for extra in named
        }
    return {
        extra: {item.name: str(item.specifier) for item in items}
        for extra, items in sorted(found.items())
        if extra not in {for_us, "docs"}  # which builds the documentation
    }


def for_conversion() -> dict[str, str]:
    """Return what conversion needs, however it was installed, and the versions that will do.

    Versions that TensorFlow asks of what it shares with others are among them where it is installed, and those of
    ``tf-keras``, which goes with one version of TensorFlow only.
    """
    from packaging.requirements import Requirement

    wanted = {_usual_name(name): versions for name, versions in extras()[lean].items()} | apart
    for name in also_called["tensorflow"] + ("tensorflow",):
        try:
            version, lines = importlib.metadata.version(name), importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        asked = {item.name: item for item in map(Requirement, lines) if not item.marker or item.marker.evaluate()}
        shared = {item: str(asked[item].specifier) for item in ("numpy", "protobuf") if item in asked}
        keras = ".".join(map(str, numbers(version)[:2]))
        return wanted | {"tf-keras": f"=={keras}.*"} | shared
    return wanted


def _usual_name(package: str) -> str:
    return next((usual for usual, others in also_called.items() if package in others), package)


def fix(extra: str, needs: Mapping[str, str], lacking: Container[str], wrong: Container[str] = ()) -> str:
    """Return the commands that bring what an extra lacks and replace what does not fit, as the end of "Run …".

    Args:
        extra: of ours.
        needs: its packages and the versions that will do.
        lacking: packages that are not there.
        wrong: packages that do not fit.
    """
    converts = extra == "convert"
    alone = [name for name in apart if converts and (name in lacking or name in wrong)]
    commands = []
    if any(name in lacking for name in needs if name not in alone):
        commands.append(f'pip install "{distribution}[{lean if converts else extra}]"')
    if others := [f'"{name}{needs[name]}"' for name in needs if name in wrong and name not in alone]:
        commands.append(f"pip install {' '.join(others)}")
    if alone:
        commands.append("pip install --no-deps " + " ".join(f'"{name}{needs[name]}"' for name in alone))
    return " and ".join(commands)


@functools.cache  # the code that runs is that of the start
def code_hash(*parts: str) -> str:
    """Hash our own code, so that a changed tool makes what it cached void.

    Args:
        parts: folders of the package, as ``"pipeline/report"``; without any, all of it.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for place in [package_folder / part for part in parts] or [package_folder]:
        for path in sorted((*place.rglob("*.py"), *place.rglob("*.mjs"))):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def installed(package: str) -> str | None:
    """Return the version of a package, or of another with the same modules; None where there is none."""
    for name in (package, *also_called.get(package, ())):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return None


def fits(version: str, wanted: str) -> bool:
    """Return whether a version is one of those wanted, as ``>=2.1,<3,!=2.5`` or ``==2.19.*`` (PEP 440)."""
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(version, prereleases=True)


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: ``"1.2.3rc1"`` is (1, 2, 3), what is no version ()."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version).release
    except InvalidVersion:
        return ()
