"""This package: its folder, its name, the hash of its code, and which Python packages each of its extras needs."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

distribution = "shardpress"
package_folder = Path(__file__).resolve().parent
package_name = __name__.rpartition(".")[0]  # "builder" in a checkout, "shardpress" where a wheel is installed
source = package_folder.parent / "pyproject.toml"
for_us = "dev"  # the extra of those who work on this package
requirement = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*\(?([^;()]*)\)?\s*(?:;(.*))?")
of_extra = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def extras() -> dict[str, dict[str, str]]:
    """Give for each extra its packages, and the versions that will do, as ``">=2.1,<3"``."""
    found: dict[str, dict[str, str]] = {}
    if source.is_file():  # a checkout, which may be newer than what is installed
        tables = tomllib.loads(source.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        for extra, lines in tables.items():
            found[extra] = dict(_parsed(lines))
    else:
        for line in importlib.metadata.requires(distribution) or ():
            parts = requirement.fullmatch(line)
            extra_of = of_extra.search((parts[3] if parts else None) or "")
            if extra_of:
                found.setdefault(extra_of[1], {}).update(_parsed([line]))
    return {extra: packages for extra, packages in sorted(found.items()) if extra != for_us}


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
    """Give the version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def fits(version: str, wanted: str) -> bool:
    """Tell whether a version is one of those wanted, as ``>=2.1,<3,!=2.5`` or ``==2.19.*``."""
    return all(_fits(version, clause.strip()) for clause in wanted.split(",") if clause.strip())


def _fits(version: str, clause: str) -> bool:
    found = re.fullmatch(r"(>=|<=|==|!=|~=|>|<)\s*([0-9][0-9a-zA-Z.+-]*?)(\.\*)?", clause)
    if not found:
        return True  # nothing that this package writes
    sign, text, any_below = found.groups()
    have, limit = numbers(version), numbers(text)
    if any_below or sign == "~=":
        length = len(limit) if any_below else len(limit) - 1
        same = have[:length] == limit[:length]
        return same and have >= limit if sign == "~=" else same == (sign == "==")
    length = max(len(have), len(limit))
    have, limit = (one + (0,) * (length - len(one)) for one in (have, limit))
    return {
        ">=": have >= limit,
        "<=": have <= limit,
        ">": have > limit,
        "<": have < limit,
        "==": have == limit,
        "!=": have != limit,
    }[sign]


def numbers(version: str) -> tuple[int, ...]:
    """Give the leading numbers of a version: ``"1.2.3rc1"`` is (1, 2, 3)."""
    found = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _parsed(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        if parts := requirement.fullmatch(line):
            yield parts[1], parts[2].strip()
