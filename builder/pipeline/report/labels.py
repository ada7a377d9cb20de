"""Which part of a weight's name tells it from the others: what a box of a treemap is labelled with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """What is written into a box: the part that tells most, and what comes after it in the name, or ""."""

    main: str
    rest: str = ""


def telling(names: Sequence[str]) -> list[Label]:
    """Return a label for each name: its rarest part, the first one of those that are as rare.

    Names such as ``model/block_3/conv/kernel`` share most of their parts with others; ``block_3`` is what a reader
    looks for, ``conv/kernel`` says which of its weights it is.
    """
    parts = [[part for part in name.split("/") if part] or [name] for name in names]
    often = Counter(part for name in parts for part in set(name))
    labels = []
    for name in parts:
        at = min(range(len(name)), key=lambda number: often[name[number]])
        labels.append(Label(name[at], "/".join(name[at + 1 :])))
    return labels
