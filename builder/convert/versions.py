"""Which packages convert, and in which versions, known without importing any."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

converter_packages = ("tensorflow", "tensorflowjs", "tf-keras", "keras")
# Of kinds of sources that are read without TensorFlow: what reads them, and what answers for them.
own_packages = {"onnx": ("onnx", "onnxruntime"), "tflite": ("ai-edge-litert",)}


def installed_versions() -> dict[str, str]:
    """Return the versions a conversion depends on."""
    versions = {}
    for package in (*converter_packages, *(name for names in own_packages.values() for name in names)):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "none"
    return versions


def versions_for(kind: str, installed: Mapping[str, str]) -> dict[str, str]:
    """Return those versions that sources of a kind depend on."""
    wanted = own_packages.get(kind, converter_packages)
    return {name: version for name, version in installed.items() if name in wanted}
