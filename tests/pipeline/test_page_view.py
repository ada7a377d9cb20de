"""What pages see of rungs, and what they do not: names of a single input, words, rates and windows."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from builder.bundle.head import Head
from builder.model import TensorSpec
from builder.pipeline.make_model import Built
from builder.pipeline.page_view import differences, seen_by_pages, takes_tensors

scores = TensorSpec("probs", "float32", (1, 3))
state = TensorSpec("after", "float32", (1, 8))
window = {"input": "sound", "rate": 16000, "samples": 400, "hop": 400}


def built(
    *names: str, outputs: Sequence[TensorSpec] = (scores,), file: str | None = None, contract: str = "", **facts: Any
) -> Built:
    """Give as much of a built model as a page sees of it; ``file`` is the tokenizer of its table."""
    given = {"answer": {"kind": "classes"}, **facts}
    plain = {"format": 1, "name": "what", "kind": "graph-model", "artifacts": {}}
    empty: dict[str, Any] = {"stages": (), "shards": (), "weights": ()}
    content = Head(contract=contract or f"{names}{given}", **plain, **empty, **given)
    inputs = tuple(TensorSpec(name, "float32", (1, 400)) for name in names)
    bundle = SimpleNamespace(content=content, inputs=inputs, outputs=tuple(outputs))
    return cast(Built, SimpleNamespace(bundle=bundle, settings=SimpleNamespace(tokenizer=file)))


def by_words(*names: str, also: Sequence[str] = ()) -> Built:
    """Give a model that begins with Keras' TextVectorization."""
    steps = {"lower": True, "strip": True, "split": "whitespace"}
    vocabulary = {name: {"words": ["", "a"], "unknown": 1} for name in names}
    texts = {"model": "vectorization", "texts": dict.fromkeys(names, steps)}
    return built(*names, *also, tokenizer=texts, vocabulary=vocabulary)


def by_tokens(ids: str = "input_ids", mask: str = "attention_mask", also: Sequence[str] = (), **more: Any) -> Built:
    """Give a model with a tokenizer.json."""
    inputs = {"ids": ids, "mask": mask}
    return built(ids, mask, *also, tokenizer={"model": "bpe", "inputs": inputs}, file="t.json", **more)


def by_sound(table: dict[str, Any] = window, also: Sequence[str] = (), **more: Any) -> Built:
    return built(table["input"], *also, audio=table, **more)


picture = built("x", picture={"input": "x"})


def takes(*rungs: Built) -> list[Any]:
    return [seen and seen["takes"] for seen in seen_by_pages(rungs)]


@pytest.mark.parametrize(
    ("rungs", "wanted"),
    [
        ((picture, built("y", picture={"input": "y"})), ["picture", "picture"]),
        ((by_words("text"), by_words("title")), ["text", "text"]),
        ((by_tokens(), by_tokens("words", "seen")), ["text or pair", "text or pair"]),
        ((by_words("text"), by_tokens()), ["text", "text"]),
        ((by_words("text"), by_tokens(), picture), ["text", "text", "picture"]),
        ((by_words("title", "body"), by_words("body", "title")), [["body", "title"], ["body", "title"]]),
        ((by_words("title", "body"), by_words("title", "text")), [["body", "title"], ["text", "title"]]),
        ((by_sound(), by_sound({**window, "input": "x", "rate": 8000, "samples": 9})), ["sound", "sound"]),
        ((by_sound(), by_sound({"input": "x", "rate": 8000})), ["sound", "whole sound"]),
        ((by_words("text", also=["age"]), by_tokens(also=["age"])), [None, None]),
        ((by_sound(also=["speaker"]), built("x")), [None, None]),
        ((built("input_ids", "attention_mask"), by_tokens()), [None, "text or pair"]),
        ((built("word", vocabulary={"word": {"words": ["a"]}}), by_words("word")), [None, "text"]),
    ],
)
def test_what_rungs_take(rungs: tuple[Built, ...], wanted: list[Any]) -> None:
    assert takes(*rungs) == wanted


def test_state_of_a_sound_is_nothing_that_a_page_sees() -> None:
    carried = {**window, "state": {"before": {"output": "after", "shape": [1, 8], "dtype": "float32"}}}
    plain, with_state = by_sound(answer=None), by_sound(carried, ["before"], outputs=(state, scores), answer=None)
    one, other = seen_by_pages((plain, with_state))
    assert one == other
    assert one is not None
    assert one["gives"] == [["probs", "float32", (1, 3)]]


def test_differences_are_told_in_words() -> None:
    def told(one: Built, other: Built) -> str:
        left, right = seen_by_pages((one, other))
        assert left is not None
        assert right is not None
        return differences(left, right)

    assert told(picture, by_tokens()) == "it takes a picture, not a text or two"
    assert told(by_sound(), by_words("text")) == "it takes a sound in windows, not a text"
    two = by_words("title", "body"), by_words("title", "text")
    assert told(*two) == "it takes the texts 'body', 'title', not the texts 'text', 'title'"
    named = by_tokens(labels=("a", "b")), by_tokens(labels=("a", "c"), answer={"kind": "points"})
    assert told(*named) == """it gives "classes", not "points" and its labels are ["a","b"], not ["a","c"]"""
    long = "x" * 99
    assert told(by_tokens(labels=(long,)), by_tokens()).endswith("xx…, not null")
    assert told(by_tokens(), by_tokens("words", "seen")) == ""


def test_tensors_are_taken_only_from_one_model_with_one_tokenizer() -> None:
    one = by_tokens(contract="c")
    other = built("input_ids", contract="c", file="other.json")
    assert takes_tensors((one, one))
    assert not takes_tensors((one, other))
    assert not takes_tensors((by_words("text"), by_words("title")))
    assert takes_tensors((picture, picture))
