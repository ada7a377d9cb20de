"""The package onnx, which only those need who build ONNX models."""

from __future__ import annotations

from typing import Any

from ..errors import ConversionError

install_hint = 'Run pip install "shardpress[onnx]"'


def load_onnx() -> Any:
    """Import onnx.

    Raises:
        ConversionError: it is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ConversionError("onnx cannot be imported: not installed", code="SP-405", hint=install_hint) from error
    return onnx
