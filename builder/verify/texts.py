"""Texts that a page's ``run`` is given, as the tokenizers package turns them into a model's inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from ..tokens.vectorization import ids_of
from .types import TextInputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

most_bytes = 1 << 20


def text_cases(path: Path, texts: TextInputs) -> Iterator[tuple[str, dict[str, NDArray[np.generic]]]]:
    """Return each line of a file that is not blank, and the inputs it becomes.

    Args:
        path: UTF-8, up to a megabyte.
        texts: the tokenizer, and which inputs take what it makes.

    Raises:
        ConfigError: the file cannot be read, or the package is not installed.
    """
    tokenizer = _open(texts) if texts.tokenizer else None
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
        lines = [line.strip("\r") for line in content.decode().split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no text in UTF-8 ({error})", code="SP-224", where=str(path)) from error
    if len(content) > most_bytes:
        raise ConfigError("is longer than a megabyte", code="SP-224", where=str(path), hint="Give fewer lines")
    if tokenizer is None:
        yield from ((line, _vectorized(line, texts)) for line in filter(str.strip, lines))
        return
    names = texts.spec["inputs"]
    for line in filter(str.strip, lines):
        found = tokenizer.encode(line)
        rows = {"ids": found.ids, "mask": found.attention_mask, "types": found.type_ids}
        floats = names.get("floats", [])
        yield (
            line,
            {
                names[role]: np.array([row], np.float32 if names[role] in floats else np.int32)
                for role, row in rows.items()
                if role in names
            },
        )


def _vectorized(line: str, texts: TextInputs) -> dict[str, NDArray[np.generic]]:
    ((name, steps),) = texts.spec["texts"].items()
    entry = (texts.vocabulary or {})[name]
    return {name: np.array(ids_of([line], steps, entry["words"], entry["unknown"]), np.int32)}


def _open(texts: TextInputs) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigError(
            "text inputs need the package tokenizers",
            code="SP-209",
            where="verify.inputs",
            hint="Run pip install tokenizers, or use .npz files",
        ) from error
    tokenizer = Tokenizer.from_file(str(texts.tokenizer))
    length = texts.spec["inputs"].get("length")
    if length is not None:
        _fix(tokenizer, length, texts.spec["pad"])
    return tokenizer


def _fix(tokenizer: Any, length: int, pad: Mapping[str, Any]) -> None:
    """Cut texts off and fill them up to the length of a model's input."""
    before = tokenizer.truncation or {}
    kept = {key: before[key] for key in ("strategy", "direction") if key in before}
    tokenizer.enable_truncation(min(length, before.get("max_length", length)), **kept)
    tokenizer.enable_padding(length=length, pad_id=pad["id"], pad_type_id=pad["type"], direction=pad["side"])
