"""What an ONNX file says of itself, as far as proposals can use it."""

from __future__ import annotations

from typing import Any

read_keys = frozenset({"description", "kpt_shape", "names", "task"})  # Ultralytics' exporter writes them
longest = 1 << 20


def own_words(model: Any) -> dict[str, str]:
    """Return what the model's ``metadata_props`` say under known keys, without what is too long to be meant."""
    found = {item.key: item.value for item in model.metadata_props if item.key in read_keys}
    return {key: value for key, value in found.items() if len(value) <= longest}
