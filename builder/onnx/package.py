"""The packages that only those need who build ONNX models."""

from __future__ import annotations

from typing import Any

from ..convert.own_runtime import needed

extra = "onnx"


def load_onnx() -> Any:
    """Import onnx.

    Raises:
        ConversionError: it is not installed.
    """
    with needed("onnx", extra):
        import onnx

        return onnx


def load_runtime() -> Any:
    """Import onnxruntime.

    Raises:
        ConversionError: it is not installed.
    """
    with needed("onnxruntime", extra):
        import onnxruntime

        return onnxruntime
