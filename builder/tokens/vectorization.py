"""Keras' TextVectorization as a page does it: its settings, and the reference for ``modules/vectorization.js``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

punctuation = "[!\"#$%&()\\*\\+,-\\./:;<=>?@\\[\\\\\\]^_`{|}~\\']"
"""What the layer takes for punctuation, as its graph has it."""
spaces = re.compile("[ \t\n\v\f\r]+")
capitals = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}  # TensorFlow lowers no other letters
marks = re.compile("[!-/:-@\\[-`{-~]")  # the same set as ``punctuation``, all of ASCII's


class TextSteps(TypedDict):
    """How a text becomes words.

    Attributes:
        lower, strip: letters of ASCII become small; punctuation is taken out.
        split: at spaces, between code points, or not at all.
        ngrams: how many neighbours make one, width by width; absent: each word is one.
        length: number of ids; absent: as many as there are words.
    """

    lower: bool
    strip: bool
    split: Literal["whitespace", "character", "none"]
    ngrams: NotRequired[list[int]]
    length: NotRequired[int]


def words_of(text: str, steps: Mapping[str, Any]) -> list[str]:
    """Return the words, or sequences of them, that are looked up."""
    if steps["lower"]:
        text = text.translate(capitals)
    if steps["strip"]:
        text = marks.sub("", text)
    split = steps["split"]
    if split == "none":
        return [text]
    words = list(text) if split == "character" else [word for word in spaces.split(text) if word]
    widths = steps.get("ngrams")
    if widths is None:
        return words
    return [" ".join(words[at : at + width]) for width in widths for at in range(len(words) - width + 1)]


def ids_of(texts: Sequence[str], steps: Mapping[str, Any], words: Sequence[str], unknown: int) -> list[list[int]]:
    """Return the ids of texts, cut off and filled up with 0 to the length of the steps, or of the longest.

    Args:
        texts: whole, without halves of characters.
        steps: as ``TextSteps``.
        words: by id; where one comes twice, the first id counts.
        unknown: the id of all other words.
    """
    known = {word: number for number, word in reversed(list(enumerate(words)))}
    rows = [[known.get(word, unknown) for word in words_of(text, steps)] for text in texts]
    length = steps.get("length")
    if length is None:
        length = max(map(len, rows), default=0)
    return [[*row[:length], *[0] * (length - len(row))] for row in rows]
