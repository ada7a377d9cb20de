"""Classifiers of texts and of sounds, in several sizes: rungs of ladders that take no pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers import tiny

words = ("red", "green", "blue", "warm", "cold")
moods = ("quiet", "soft", "loud")
answers = 3
number = {"type": "DT_FLOAT"}
whole = {"type": "DT_INT32"}
plain = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}


def write_tokenizer(path: Path, order: tuple[str, ...] = words) -> None:
    """Write a tokenizer.json of these words, whose ids follow their order."""
    vocabulary = {word: number for number, word in enumerate(("[UNK]", *order))}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    steps = {"normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"}}
    nothing = dict.fromkeys(("truncation", "padding", "post_processor", "decoder"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], **nothing, **steps, "model": model}))


def write_text_classifier(
    folder: Path, *, hidden: int, order: tuple[str, ...] = words, name: str = "input_ids", more: str = ""
) -> Path:
    """Write a model that says which of three colours a text names most, with the tokenizer.json of its own words.

    Args:
        folder: to write.
        hidden: numbers for each word.
        order: of the words in its vocabulary; those that are no colours say a little of the colour before them.
        name: of its input.
        more: name of a second input, which is added to the scores.
    """
    chance = np.random.Generator(np.random.PCG64(hidden))
    spread = np.abs(chance.normal(size=hidden)).astype(np.float32) + 0.1
    owner = np.arange(hidden) % answers
    table = np.zeros((len(order) + 1, hidden), np.float32)
    for row, word in enumerate(order, 1):
        colour = words.index(word)
        table[row] = (owner == colour % answers) * spread * (1 if colour < answers else 0.4)
    last = np.zeros((hidden, answers), np.float32)
    last[np.arange(hidden), owner] = 30 / (spread * hidden)
    shape = tiny.dimensions(-1, -1)
    nodes = [
        tiny.node(name, "Placeholder", dtype=whole, shape={"shape": shape}),
        *(_constant(one, number) for one in ("table", "last")),
        *(_constant(one, whole) for one in ("zero", "one")),
        tiny.node("rows", "GatherV2", "table", name, "zero", Tindices=whole, Tparams=number, Taxis=whole),
        tiny.node("mean", "Mean", "rows", "one", Tidx=whole, keep_dims={"b": False}),
        tiny.node("scores", "MatMul", "mean", "last", **plain),
        tiny.node("Identity", "Softmax", "scores"),
    ]
    inputs: dict[str, Any] = {name: {"name": f"{name}:0", "dtype": "DT_INT32", "tensorShape": shape}}
    if more:
        row = tiny.dimensions(-1, answers)
        nodes.insert(0, tiny.node(more, "Placeholder", dtype=number, shape={"shape": row}))
        nodes[-1:] = [tiny.node("both", "AddV2", "scores", more), tiny.node("Identity", "Softmax", "both")]
        inputs[more] = {"name": f"{more}:0", "dtype": "DT_FLOAT", "tensorShape": row}
    write_tokenizer(folder / "tokenizer.json", order)
    tensors = {"table": table, "last": last, "zero": np.array(0, np.int32), "one": np.array(1, np.int32)}
    return _write(folder, nodes, inputs, tensors, -1)


def write_sound_classifier(folder: Path, *, samples: int, hidden: int) -> Path:
    """Write a model that says how loud a window of so many samples is: quiet, soft or loud."""
    shape = tiny.dimensions(1, samples)
    spread = np.random.Generator(np.random.PCG64(hidden)).uniform(0.5, 1.5, (1, hidden)).astype(np.float32)
    first = spread / hidden
    last = np.array([0, 40, 80], np.float32) / spread.T
    nodes = [
        tiny.node("sound", "Placeholder", dtype=number, shape={"shape": shape}),
        *(_constant(one, number) for one in ("first", "last", "least")),
        _constant("one", whole),
        tiny.node("size", "Abs", "sound"),
        tiny.node("mean", "Mean", "size", "one", Tidx=whole, keep_dims={"b": True}),
        tiny.node("middle", "MatMul", "mean", "first", **plain),
        tiny.node("all", "MatMul", "middle", "last", **plain),
        tiny.node("scores", "AddV2", "all", "least"),
        tiny.node("Identity", "Softmax", "scores"),
    ]
    inputs = {"sound": {"name": "sound:0", "dtype": "DT_FLOAT", "tensorShape": shape}}
    least = np.array([0, -2, -14], np.float32)
    tensors = {"first": first, "last": last, "least": least, "one": np.array(1, np.int32)}
    return _write(folder, nodes, inputs, tensors, 1)


def write_rungs(folder: Path) -> None:
    """Write rungs of two ladders, and their labels.

    Args:
        folder: gets ``small`` and ``large``, which take texts and tell three words apart (``labels.txt``), and
            ``short`` and ``long``, which take sounds (``moods.txt``).
    """
    write_text_classifier(folder / "small", hidden=30)
    write_text_classifier(folder / "large", hidden=3000, order=words[::-1], name="tokens")
    write_sound_classifier(folder / "short", samples=160, hidden=50)
    write_sound_classifier(folder / "long", samples=800, hidden=3000)
    (folder / "labels.txt").write_text("\n".join(words[:3]))
    (folder / "moods.txt").write_text("\n".join(moods))


def _constant(name: str, kind: dict[str, str]) -> dict[str, Any]:
    return tiny.node(name, "Const", dtype=kind, value={"tensor": {"dtype": kind["type"], "tensorShape": {}}})


def _write(
    folder: Path,
    nodes: list[dict[str, Any]],
    inputs: dict[str, Any],
    tensors: dict[str, Any],
    batch: int,
) -> Path:
    output = {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": tiny.dimensions(batch, answers)}
    content: dict[str, Any] = {
        "format": "graph-model",
        "signature": {"inputs": inputs, "outputs": {"probs": output}},
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    return tiny.write(folder, content, tensors)
