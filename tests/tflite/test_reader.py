"""Reading of TensorFlow Lite files: what is refused, and that nothing hostile gets further than a message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import ShardpressError, SourceError, UnsupportedOpsError
from builder.tflite import read
from builder.tflite.interface import interface_of
from builder.tflite.lower import lower_file
from builder.tflite.read import parse_tflite, read_tflite
from builder.tflite.registry import table
from builder.tflite.tasks import convert_tflite
from tests.helpers.lite import Lite

mutated = settings(max_examples=200, deadline=None)


def network() -> Lite:
    """A convolution with int8 weights and one scale a channel, a pool, a reshape, a product with float16 weights."""
    random = np.random.default_rng(3)
    lite = Lite()
    x = lite.input((1, 8, 8, 3), name="picture", signature=(-1, 8, 8, 3))
    kernel = lite.constant(random.integers(-127, 127, (4, 3, 3, 3)), "int8", scales=(np.full(4, 0.01), np.zeros(4), 0))
    bias = lite.constant(random.normal(size=4))
    options = {"strideH": 2, "strideW": 2, "fusedActivationFunction": 1}
    found = lite.op("CONV_2D", [x, kernel, bias], options="Conv2DOptions", **options)
    found = lite.op("RESHAPE", [found, lite.constant(np.array([-1, 64]))], options="ReshapeOptions")
    dense = lite.op("DEQUANTIZE", [lite.constant(random.normal(size=(5, 64)), "float16")])
    return lite.gives(lite.op("FULLY_CONNECTED", [found, dense, -1], options="FullyConnectedOptions"))


content = network().file()


def lower(data: bytes) -> None:
    file = parse_tflite(data, "m.tflite")
    lower_file(file, interface_of(file, "serving_default", "m.tflite"), "m.tflite")


def outcome(data: bytes) -> str:
    """Return the code of the refusal; "SP-3" for a model."""
    with np.errstate(all="ignore"):
        try:
            lower(data)
        except ShardpressError as error:
            return error.code
    return "SP-3"


def test_a_file_is_read_as_it_was_written() -> None:
    file = parse_tflite(content, "m.tflite")
    graph = file.subgraphs[0]
    assert [item.op for item in graph.operators] == ["CONV_2D", "RESHAPE", "DEQUANTIZE", "FULLY_CONNECTED"]
    assert graph.tensors[0].signature == (None, 8, 8, 3)
    kernel = graph.tensors[graph.operators[0].inputs[1]]
    assert kernel.type == "int8"
    assert kernel.scales is not None
    assert kernel.scales.axis == 0
    assert graph.operators[0].options["stride_h"] == 2
    lower(content)


@pytest.mark.parametrize("length", [0, 7, 8, 40, len(content) // 2, len(content) - 200])
def test_what_is_cut_off_is_damaged(length: int) -> None:
    with pytest.raises(SourceError, match="damaged or truncated") as caught:
        lower(content[:length])
    assert caught.value.code in {"SP-308", "SP-386"}


@mutated
@given(st.lists(st.tuples(st.integers(8, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_bytes_that_were_changed_end_in_a_message_or_a_model(changes: list[tuple[int, int]]) -> None:
    data = bytearray(content)
    for place, value in changes:
        data[place] = value
    assert outcome(bytes(data)).startswith("SP-3")


@mutated
@example(word=433, value=0)  # no channels
@example(word=425, value=16)  # a type that no schema has
@given(st.integers(2, len(content) // 4 - 1), st.sampled_from([0, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 4, 0xFFFF]))
def test_offsets_and_lengths_that_lie_end_in_a_message_or_a_model(word: int, value: int) -> None:
    data = content[: 4 * word] + value.to_bytes(4, "little") + content[4 * word + 4 :]
    assert outcome(data).startswith("SP-3")


def broken(change: str) -> bytes:
    """Return a file with one thing wrong."""
    lite = network()
    graph = lite.graph
    if change == "link":
        graph.operators[0].inputs = np.array([0, 99, 2], np.int32)
    elif change == "opcode":
        graph.operators[0].opcodeIndex = 77
    elif change == "buffer":
        graph.tensors[1].buffer = 1000
    elif change == "shape":
        graph.tensors[1].shape = np.array([4, 3, 3, 7], np.int32)
    elif change == "negative":
        graph.tensors[1].shape = np.array([4, -3, 3, -3], np.int32)
    elif change == "scales":
        graph.tensors[1].quantization.scale = np.array([1, 2], np.float32)
    elif change == "axis":
        graph.tensors[1].quantization.quantizedDimension = 9
    elif change == "cycle":
        graph.operators.reverse()
    elif change == "external":
        graph.tensors[1].externalBuffer = 1
    elif change == "beyond":
        lite.model.buffers[1].data = None
        lite.model.buffers[1].offset, lite.model.buffers[1].size = 1 << 40, 108
    elif change == "empty":
        lite.graphs.clear()
    return lite.file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("link", "damaged"),
        ("opcode", "damaged"),
        ("buffer", "damaged"),
        ("shape", "damaged"),
        ("negative", "damaged"),
        ("scales", "scales of 't1' are malformed"),
        ("axis", "scales of 't1' are malformed"),
        ("cycle", "which nothing gives before it"),
        ("external", "in another file"),
        ("beyond", "beyond the end of the file"),
        ("empty", "has no nodes"),
    ],
)
def test_what_is_malformed_is_said(change: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        lower(broken(change))
    assert caught.value.where == "m.tflite"
    assert caught.value.hint


def test_a_length_that_is_absurd_is_refused_before_it_is_walked_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "most_tensors", 3)
    with pytest.raises(SourceError, match="absurdly many tensors"):
        parse_tflite(content, "m.tflite")
    monkeypatch.setattr(read, "least_expansion", 100)
    monkeypatch.setattr(read, "most_expansion", 0)
    monkeypatch.setattr(read, "most_tensors", 1000)
    with pytest.raises(SourceError, match="absurdly many bytes"):
        parse_tflite(content, "m.tflite")


def test_a_buffer_that_a_thousand_tensors_name_is_refused() -> None:
    lite = Lite()
    x = lite.input((1,))
    number = lite.constant(np.zeros(1 << 18, np.int8), "int8")
    for _ in range(300):
        lite.tensor((1 << 18,), "int8", buffer=lite.graph.tensors[number].buffer)
    with pytest.raises(SourceError, match="absurdly many bytes of constants"):
        parse_tflite(lite.gives(lite.op("NEG", [x])).file(), "m.tflite")


def test_subgraphs_that_call_each_other_end() -> None:
    lite = Lite()
    x = lite.input((2,))
    condition = lite.input((), "bool")
    inner = lite.subgraph("inner")
    again, truth = lite.input((2,)), lite.input((), "bool")
    branches = {"thenSubgraphIndex": inner, "elseSubgraphIndex": inner}
    lite.gives(lite.op("IF", [truth, again, truth], [lite.tensor((2,))], "IfOptions", **branches))
    lite.main()
    found = lite.op("IF", [condition, x, condition], [lite.tensor((2,))], "IfOptions", **branches)
    with pytest.raises(SourceError, match="calls a subgraph that it cannot"):
        lower(lite.gives(found).file())


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("custom Landmarks2TransformMatrix", "operator custom Landmarks2TransformMatrix"),
        ("SVDF", "operator SVDF"),
    ],
)
def test_what_is_not_lowered_is_named(op: str, words: str) -> None:
    lite = Lite()
    with pytest.raises(UnsupportedOpsError, match=words):
        lower(lite.gives(lite.op(op, [lite.input((2, 3))])).file())


def test_state_between_calls_is_refused() -> None:
    lite = Lite()
    lite.op("VAR_HANDLE", [], [lite.tensor((), "RESOURCE")], "VarHandleOptions")
    with pytest.raises(SourceError, match="keeps state between calls") as caught:
        lower(lite.gives(lite.op("NEG", [lite.input((2, 3))])).file())
    assert caught.value.code == "SP-319"


def test_numbers_beyond_32_bits_are_refused() -> None:
    lite = Lite()
    x = lite.input((1,), "int64")
    total = lite.op("ADD", [x, lite.constant(np.array([1 << 40]), "int64")], ["int64"], "AddOptions")
    with pytest.raises(SourceError, match="beyond 32 bits"):
        lower(lite.gives(total).file())


def test_half_of_a_four_bit_number_is_unpacked() -> None:
    lite = Lite()
    x = lite.input((2, 3))
    buffer = schema.BufferT()
    buffer.data = np.array([0x21, 0xF3, 0x08], np.uint8)
    lite.model.buffers.append(buffer)
    kernel = lite.tensor((2, 3), "INT4", buffer=len(lite.model.buffers) - 1, scales=(0.5, 0, 0))
    lite.gives(lite.op("FULLY_CONNECTED", [x, kernel, -1], options="FullyConnectedOptions"))
    array: Any = parse_tflite(lite.file(), "m.tflite").subgraphs[0].tensors[kernel].array
    assert array.tolist() == [[1, 2, 3], [-1, -8, 0]]


def test_a_signature_names_inputs_and_outputs(tmp_path: Path) -> None:
    lite = network()
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"classify", 0
    signature.inputs, signature.outputs = [], []
    for name, number, entries in (
        (b"image", 0, signature.inputs),
        (b"scores", lite.graph.outputs[0], signature.outputs),
    ):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, number
        entries.append(entry)
    lite.model.signatureDefs = [signature]
    (tmp_path / "m.tflite").write_bytes(lite.file())
    file = read_tflite(tmp_path / "m.tflite")
    found = interface_of(file, "serving_default", "m.tflite")
    assert (found.key, dict(found.inputs), list(found.outputs)) == ("classify", {"image": 0}, ["scores"])
    with pytest.raises(SourceError, match="no signature 'other'") as caught:
        interface_of(file, "other", "m.tflite")
    assert "classify" in caught.value.hint
    made = convert_tflite(ConvertRequest(SourceOptions(tmp_path / "m.tflite", "tflite"), tmp_path / "out"))
    assert '"scores"' in made.model_json.read_text()


def test_the_page_lists_what_is_lowered() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "tflite.md").read_text(encoding="utf-8")
    lowered = text.partition("## What is lowered")[2].partition("## What is refused")[0]
    listed = {name.strip() for name in re.findall(r"`([^`]+)`", lowered)}
    refused = {"VAR_HANDLE", "ASSIGN_VARIABLE", "READ_VARIABLE", "CALL_ONCE"}
    assert listed == {op.removeprefix("custom ") for op in set(table) - refused}
