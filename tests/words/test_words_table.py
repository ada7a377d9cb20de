"""Word vectors keep their order and their neighbours on the way into shards, and the page's module answers as NumPy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.bundle.head import head_shard, make_head, write_head
from builder.bundle.render import render_module
from builder.codecs.front import decode_words, encode_words
from builder.errors import FormatError
from builder.packing.shards import read
from builder.words.answers import best_rows, unit_rows
from builder.words.bands import bands
from builder.words.decode import Decoded, decode_vectors
from builder.words.rows import quantize_rows, scales_of, values_of
from builder.words.table import Table, make_table, plan
from tests.helpers.word_tables import batch, table


def packed(found: Table) -> tuple[dict[str, Any], list[bytes]]:
    """Give head and shards, uncompressed."""
    model, codecs, stages, plans = plan(found)
    contents = [read(shard) for _, shard in plans]
    shards = tuple(
        head_shard(stage, shard, len(content), len(content), "0" * 64)
        for (stage, shard), content in zip(plans, contents, strict=True)
    )
    return json.loads(write_head(make_head("w", model, stages, shards, codecs, (None,) * 3, None))), contents


def decoded(found: Table, stages: int | None = None) -> Decoded:
    head, contents = packed(found)
    return decode_vectors(head, contents.__getitem__, stages)


def test_a_row_is_a_code_times_a_scale_and_off_by_half_a_step() -> None:
    _, vectors = table(500, 9)
    codes, halves = quantize_rows(vectors)
    scales = scales_of(halves)
    values = values_of(codes, halves)
    np.testing.assert_array_equal(values, codes.astype(np.float64) * scales[:, None])
    largest = np.abs(vectors).max(axis=1)
    assert (np.abs(values - vectors) <= scales[:, None] * 0.5000001).all()
    assert (scales >= largest / 127 * (1 - 1e-6)).all()
    assert (scales <= largest / 127 * (1 + 2**-7) + 1e-44).all()
    assert halves[-1] == 0
    assert not codes[-1].any()


def test_the_smallest_and_largest_rows() -> None:
    rows = np.array([[1e-45, 0], [1e-40, -1e-40], [3.4e38, -3.4e38], [-0.0, 0.0]], np.float32)
    codes, halves = quantize_rows(rows)
    values = values_of(codes, halves)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values[2], rows[2], rtol=0.01)
    assert not codes[3].any()


def test_words_come_back() -> None:
    some = [word.encode() for word in ["a", "an", "and", "x" * 300, "x" * 299 + "y", "水", "水土", "b", ""]]
    content = encode_words(some)
    assert decode_words(content, len(some)) == some
    assert content[:9] == bytes([0, 1, 2, 0, 0xAB, 2, 0, 3, 0])  # 299 in common takes two bytes, before the last ones
    for cut in range(len(content)):
        with pytest.raises(FormatError):
            decode_words(content[:cut], len(some))
    with pytest.raises(FormatError):
        decode_words(content + b"x", len(some))
    with pytest.raises(FormatError):
        decode_words(b"\x05\x00", 1)


def test_the_order_of_frequency_is_kept_within_a_quarter() -> None:
    names, vectors = table(3000, 4)
    found = decoded(make_table([batch(names, vectors)], 500, 4096))
    rank = {name: place for place, name in enumerate(names)}
    for row, word in enumerate(found.words):
        assert abs(rank[word] - row) < max(64, rank[word] / 4, row / 4)
    assert list(bands(400)) == [(0, 64), (64, 128), (128, 192), (192, 256), (256, 320), (320, 400)]


@pytest.mark.parametrize(("count", "first", "shard_bytes"), [(3000, 500, 4096), (40, 5000, 1 << 20), (1, 1, 16)])
def test_all_rows_come_back_with_their_words(count: int, first: int, shard_bytes: int) -> None:
    names, vectors = table(count, 6)
    made = make_table(
        [batch(names[:7], vectors[:7]), *([batch(names[7:], vectors[7:])] if count > 7 else [])], first, shard_bytes
    )
    codes, halves = quantize_rows(vectors)
    expected = dict(zip(names, values_of(codes, halves), strict=True))
    found = decoded(made)
    assert sorted(found.words) == sorted(names)
    for word, row in zip(found.words, found.vectors, strict=True):
        np.testing.assert_array_equal(row, expected[word])
    assert set(decoded(made, 1).words) == set(names[:first])
    head, contents = packed(made)
    assert head["stages"] == (["base", "rest"] if first < count else ["base"])
    assert max(map(len, contents)) < 2 * shard_bytes + 40


def ask(tmp_path: Path, found: Table, questions: list[Any], order: list[int] | None = None) -> list[dict[str, Any]]:
    head, contents = packed(found)
    files = []
    for number, content in enumerate(contents):
        files.append(tmp_path / f"{number}.bin")
        files[-1].write_bytes(content)
    (tmp_path / "head.json").write_text(json.dumps(head))
    (tmp_path / "vectors.mjs").write_bytes(render_module("vectors"))
    asked = {"questions": questions, "order": order or list(range(len(contents)))}
    (tmp_path / "questions.json").write_text(json.dumps(asked))
    script = Path(__file__).resolve().parents[1] / "js" / "vectors.mjs"
    names = ["vectors.mjs", "head.json", "questions.json", *(file.name for file in files)]
    done = subprocess.run(
        ["node", script, *names], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def test_a_page_answers_as_numpy(tmp_path: Path) -> None:
    names, vectors = table(3000, 12)
    made = make_table([batch(names, vectors)], 600, 16384)
    a, b, c, late = names[3], names[40], names[500], names[2500]
    questions: list[Any] = [
        ["has", a],
        ["has", late],
        ["has", a + "x"],
        ["vector", a],
        ["vector", late],
        ["nearest", a, 8],
        ["nearest", [1.0] * 12, 5],
        ["nearest", late, 3],
        ["analogy", a, b, c, 6],
        ["similarity", a, b],
        ["complete", "水", 20],
        ["complete", "", 5],
        ["complete", "nothing like it", 5],
        ["nearest", [1.0], 5],
        ["nearest", names[-1], 5],
    ]
    steps = ask(tmp_path, made, questions)
    final = decoded(made)
    for step in steps:
        size = step["size"]
        rows = {word: row for row, word in enumerate(final.words[:size])}
        units = unit_rows(final.vectors[:size])
        targets = [units[rows[a]], np.ones(12), units[rows[b]] - units[rows[a]] + units[rows[c]]] if c in rows else []
        got = dict(enumerate(step["answers"]))
        assert [got[0], got[1], got[2]] == [True, late in rows, False]
        np.testing.assert_array_equal(np.float32(got[3]), final.vectors[rows[a]])
        assert (got[4] is None) == (late not in rows)
        assert (got[7] == f"RangeError: {late} is not in the vocabulary, or has not come yet") == (late not in rows)
        assert got[10] == [word for word in final.words[:size] if word.startswith("水")][:20]
        assert got[11] == list(final.words[:5])
        assert got[12] == []
        assert got[13] == "RangeError: A vector has 12 numbers, not 1"
        if not targets:
            continue
        without = [[rows[a]], [], [rows[a], rows[b], rows[c]]]
        best, scores = best_rows(units, np.array(targets, np.float32), without, 8)
        for answer, wanted, values in zip((got[5], got[6], got[8]), best, scores, strict=True):
            assert [item["word"] for item in answer] == [final.words[row] for row in wanted[: len(answer)]]
            np.testing.assert_allclose([item["score"] for item in answer], values[: len(answer)], atol=1e-5)
        assert [len(got[5]), len(got[6]), len(got[8])] == [8, 5, 6]
        assert got[9] == pytest.approx(float(units[rows[a]] @ units[rows[b]]), abs=1e-5)
    assert steps[-1]["size"] == steps[-1]["rows"] == 3000
    # What has no direction is like nothing and nothing is like it.
    assert all(item["score"] == 0 for item in steps[-1]["answers"][14])
    assert all(item["word"] != names[-1] for step in steps for item in step["answers"][6])


def test_shards_may_come_in_any_order(tmp_path: Path) -> None:
    names, vectors = table(900, 4)
    made = make_table([batch(names, vectors)], 300, 2048)
    count = len(made.blocks)
    questions = [["complete", "", 1000], ["nearest", names[5], 10]]
    forward = ask(tmp_path, made, questions)
    back = ask(tmp_path, made, questions, list(reversed(range(count))))
    assert count > 3
    assert back[-1] == forward[-1]
    assert [step["size"] for step in back] != [step["size"] for step in forward]


def test_one_block_needs_no_places(tmp_path: Path) -> None:
    made = make_table([batch(*table(30, 4))], 5000, 1 << 20)
    head, _ = packed(made)
    assert head["shards"][0]["segments"] == [[0, 0], [1, 0], [2, 0]]
    (step,) = ask(tmp_path, made, [["complete", "", 100]])
    assert step["answers"][0] == list(decoded(made).words)
