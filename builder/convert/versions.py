"""Which packages convert, and in which versions, known without importing any."""

from __future__ import annotations

import importlib.metadata

converter_packages = ("tensorflow", "tensorflowjs", "tf-keras", "keras")


def installed_versions() -> dict[str, str]:
    """Return the versions a conversion depends on."""
    versions = {}
    for package in converter_packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "none"
    return versions
