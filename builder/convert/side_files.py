"""What lies beside a converted ``model.json``: glue and words, where something was cut off, and facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

glue_name = "glue.json"
vocabulary_name = "vocabulary.json"
texts_name = "texts.json"
facts_name = "facts.json"
words_name = "words.json"


def write_glue(model_json: Path, glue: Mapping[str, object] | None) -> None:
    """Write what was cut off, if anything was."""
    _write(model_json.with_name(glue_name), glue)


def read_glue(model_json: Path) -> dict[str, Any] | None:
    """Read what was cut off; None if nothing was."""
    return _read(model_json.with_name(glue_name))


def write_vocabulary(model_json: Path, vocabulary: Mapping[str, object] | None) -> None:
    """Write the words of inputs that take ids, if there are some."""
    _write(model_json.with_name(vocabulary_name), vocabulary)


def read_vocabulary(model_json: Path) -> dict[str, Any] | None:
    """Read the words of inputs that take ids; None if there are none."""
    return _read(model_json.with_name(vocabulary_name))


def write_texts(model_json: Path, texts: Mapping[str, object] | None) -> None:
    """Write how texts become ids of words, if a page can do it."""
    _write(model_json.with_name(texts_name), texts)


def read_texts(model_json: Path) -> dict[str, Any] | None:
    """Read how texts become ids of words, by input; None if a page cannot do it."""
    return _read(model_json.with_name(texts_name))


def write_step(model_json: Path, step: float, *, is_hybrid: bool = False) -> None:
    """Write the longest step that the model rounds to, or that its runtime rounds what goes into quantised weights."""
    _write(model_json.with_name(facts_name), {"step": step, "hybrid": is_hybrid} if step or is_hybrid else None)


def read_step(model_json: Path) -> float:
    """Read the longest step that the model rounds to; 0 for models that do not simulate quantisation."""
    return float((_read(model_json.with_name(facts_name)) or {}).get("step", 0))


def is_hybrid(model_json: Path) -> bool:
    """Read whether the source's runtime rounds what goes into quantised weights, as pages do not."""
    return bool((_read(model_json.with_name(facts_name)) or {}).get("hybrid"))


def write_own_words(model_json: Path, words: Mapping[str, object]) -> None:
    """Write what the source says of itself, if anything."""
    _write(model_json.with_name(words_name), words or None)


def read_own_words(model_json: Path) -> dict[str, Any]:
    """Read what the source says of itself."""
    return _read(model_json.with_name(words_name)) or {}


def _write(path: Path, content: Mapping[str, object] | None) -> None:
    if content is not None:
        path.write_text(json.dumps(content), encoding="utf-8")


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content
