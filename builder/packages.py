"""This package: its folder, its name, the hash of its code, and which Python packages each of its extras needs."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import tomllib
from pathlib import Path

distribution = "shardpress"
package_folder = Path(__file__).resolve().parent
package_name = __name__.rpartition(".")[0]  # "builder" in a checkout, "shardpress" where a wheel is installed
source = package_folder.parent / "pyproject.toml"
for_us = "dev"  # the extra of those who work on this package


def extras() -> dict[str, dict[str, str]]:
    """Return for each extra its packages, and the versions that will do, as ``">=2.1,<3"``."""
    from packaging.requirements import Requirement

    if source.is_file():  # a checkout, which may be newer than what is installed
        lines = tomllib.loads(source.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        found = {extra: list(map(Requirement, lines[extra])) for extra in lines}
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
    """Return the version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
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
