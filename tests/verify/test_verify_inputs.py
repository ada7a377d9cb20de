"""Seeded inputs and the user's own."""

from __future__ import annotations

import struct
import tempfile
import zlib
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import ConfigError, VerificationError
from builder.model import BytesData, Model, TensorSpec, Weight
from builder.verify.ids import ids_below
from builder.verify.input_files import read_inputs
from builder.verify.inputs import load_inputs, seeded_inputs
from builder.verify.types import InputsRequest
from builder.work.pool import ConversionPool

picture = TensorSpec("image", "float32", (None, 4, 6, 3))


def test_unknown_lengths_have_documented_values() -> None:
    specs = (
        TensorSpec("image", "float32", (None, None, None, 3)),
        TensorSpec("clip", "float32", (None, None, 32, None, None)),
        TensorSpec("ids", "int32", (None, None)),
        TensorSpec("rankless", "float32", None),
        TensorSpec("scalar", "float32", ()),
        TensorSpec("mask", "bool", (2, 50)),
    )
    case = seeded_inputs(specs, ids_below={"ids": 3})
    shapes = {name: array.shape for name, array in case.items()}
    assert shapes == {
        "image": (1, 64, 64, 3),
        "clip": (1, 64, 32, 64, 3),
        "ids": (1, 16),
        "rankless": (1,),
        "scalar": (),
        "mask": (2, 50),
    }
    assert [array.dtype for array in case.values()] == ["f4", "f4", "i4", "f4", "f4", "?"]
    assert set(np.unique(case["ids"])) == {0, 1, 2}
    assert set(np.unique(case["mask"])) == {False, True}


def test_a_picture_without_batch_is_seeded_as_one() -> None:
    specs = (TensorSpec("picture", "float32", (None, None, 3)), TensorSpec("steps", "float32", (None, None, 8)))
    case = seeded_inputs(specs)
    assert [case[spec.name].shape for spec in specs] == [(64, 64, 3), (1, 16, 8)]


def test_a_picture_with_its_channels_first_is_as_wide_as_high() -> None:
    shapes = [(None, 3, None, None), (1, 3, None, 96), (None, None, None, None), (None, None, None, 3)]
    specs = tuple(TensorSpec(f"x{number}", "float32", shape) for number, shape in enumerate(shapes))
    case = seeded_inputs(specs)
    assert [case[spec.name].shape for spec in specs] == [(1, 3, 64, 64), (1, 3, 64, 96), (1, 64, 64, 3), (1, 64, 64, 3)]


def test_whole_numbers_of_pictures_are_bytes() -> None:
    shapes = {"photo": (None, None, 3), "batch": (None, 192, 192, 3), "steps": (None, None, 8), "grid": (1, 8, 8, 5)}
    case = seeded_inputs(tuple(TensorSpec(name, "int32", shape) for name, shape in shapes.items()))
    assert {name: int(array.max()) for name, array in case.items()} == {
        "photo": 255,
        "batch": 255,
        "steps": 3,
        "grid": 3,
    }


@given(st.integers(1, 1000))
def test_ids_stay_below_the_rows_of_the_table(rows: int) -> None:
    ids = seeded_inputs((TensorSpec("ids", "int32", (8, 16)),), ids_below={"ids": rows})["ids"]
    assert ids.min() >= 0
    assert ids.max() < rows


def test_ids_may_be_floats_and_are_small_where_nothing_is_known() -> None:
    specs = (TensorSpec("ids", "float32", (64,)), TensorSpec("free", "int32", (64,)))
    case = seeded_inputs(specs, ids_below={"ids": 30})
    assert case["ids"].dtype == np.float32
    assert np.array_equal(case["ids"], np.round(case["ids"]))
    assert 4 < case["ids"].max() < 30
    assert set(np.unique(case["free"])) == {0, 1, 2, 3}


def lookup_graph(op: str, axis: int = 0, through: str = "Cast") -> Model:
    nodes = [
        {"name": "tokens", "op": "Placeholder"},
        {"name": "table", "op": "Const"},
        {"name": "read", "op": "Identity", "input": ["table"]},
        {"name": "axis", "op": "Const"},
        {"name": "cast", "op": through, "input": ["tokens:0"]},
        {"name": "rows", "op": op, "input": ["read", "cast", "axis"]},
    ]
    artifacts = {"modelTopology": {"node": nodes}, "signature": {"inputs": {"words": {"name": "tokens:0"}}}}
    table = Weight("table", (50, 2), "float32", BytesData(bytes(400)))
    along = Weight("axis", (), "int32", BytesData(axis.to_bytes(4, "little")))
    return Model("graph-model", artifacts, (table, along), (TensorSpec("words", "int32", (None, None)),), ())


def test_tables_of_graph_models_are_found() -> None:
    assert ids_below(lookup_graph("GatherV2")) == {"words": 50}
    assert ids_below(lookup_graph("ResourceGather")) == {"words": 50}
    assert ids_below(lookup_graph("GatherV2", axis=1)) == {}
    assert ids_below(lookup_graph("GatherV2", through="Mul")) == {}
    assert ids_below(lookup_graph("Select")) == {}


def test_ids_that_may_count_from_the_end_are_found() -> None:
    made = lookup_graph("GatherV2")
    *before, lookup = made.artifacts["modelTopology"]["node"]
    choice = [
        {"name": "less", "op": "Less", "input": ["cast", "axis"]},
        {"name": "add", "op": "AddV2", "input": ["cast", "rows"]},
        {"name": "chosen", "op": "SelectV2", "input": ["less", "add", "cast", "^read"]},
        {**lookup, "input": ["read", "chosen", "axis"]},
    ]
    made.artifacts["modelTopology"]["node"] = [*before, *choice]
    assert ids_below(made) == {"words": 50}
    made.artifacts["modelTopology"]["node"] = [*before, *choice[:2], {**choice[2], "input": ["cast", "add", "read"]}]
    assert ids_below(made) == {}


def test_tables_of_layers_models_are_found() -> None:
    def layer(kind: str, name: str, *inbound: str, **config: object) -> dict[str, object]:
        nodes = [[[source, 0, 0, {}] for source in inbound]] if inbound else []
        return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}

    def model(body: object, *inputs: str) -> Model:
        specs = tuple(TensorSpec(name, "float32", (None, 3)) for name in inputs)
        return Model("layers-model", {"modelTopology": {"model_config": {"config": body}}}, (), specs, ())

    functional = {
        "layers": [
            layer("InputLayer", "words"),
            layer("InputLayer", "marks"),
            layer("Embedding", "big", "words", input_dim=90),
            layer("Embedding", "small", "words", input_dim=7),
            layer("Dense", "dense", "marks"),
            layer("Embedding", "late", "dense", input_dim=2),
        ],
        "input_layers": [["words", 0, 0], ["marks", 0, 0]],
    }
    assert ids_below(model(functional, "words", "marks")) == {"words": 7}
    assert ids_below(model([layer("Embedding", "e", input_dim=9)], "e_input")) == {"e_input": 9}
    nested = {"class_name": "Sequential", "config": [layer("Dense", "d")], "name": "old"}  # of Keras before 2.2.3
    assert ids_below(model([nested, layer("Embedding", "e", input_dim=9)], "old")) == {"old": 9}
    sequential = {"layers": [layer("InputLayer", "in"), layer("Embedding", "e", input_dim=9)]}
    assert ids_below(model(sequential, "in")) == {"in": 9}


def test_the_same_numbers_everywhere_whatever_the_order() -> None:
    one, other = TensorSpec("a", "float32", (4,)), TensorSpec("b", "float32", (4,))
    case = seeded_inputs((one, other))
    assert np.array_equal(case["a"], seeded_inputs((other, one))["a"])
    assert not np.array_equal(case["a"], case["b"])
    golden = np.array([0.019685328006744385, 0.9121043682098389, 0.283153772354126, 0.8873205780982971], np.float32)
    assert np.array_equal(case["a"], golden)
    assert case["a"].min() >= 0
    assert case["a"].max() < 1


def test_strings_are_words_and_giants_are_refused() -> None:
    words = seeded_inputs((TensorSpec("text", "string", (2, 50)),))["text"]
    assert words.shape == (2, 50)
    assert set(words.ravel().tolist()) > {"", "the", "模型"}
    with pytest.raises(VerificationError, match="type complex64 cannot be generated"):
        seeded_inputs((TensorSpec("x", "complex64", (None,)),))
    with pytest.raises(VerificationError, match="too large"):
        seeded_inputs((TensorSpec("x", "float32", (1, 1 << 20, 1 << 20)),))


def run_here(task: str, request: InputsRequest, name: str) -> Future[None]:
    """Stand in for a worker."""
    assert (task, name) == ("read_inputs", "")
    future: Future[None] = Future()
    try:
        future.set_result(read_inputs(request))
    except ConfigError as error:
        future.set_exception(error)
    return future


def load(pattern: str, specs: tuple[TensorSpec, ...], folder: Path) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as work:
        return load_inputs(pattern, specs, folder, Path(work), run_here).cases


def test_inputs_are_decoded_in_a_worker_behind_the_wall(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.full((4, 6, 3), 51, np.uint8))
    np.savez(tmp_path / "b.npz", np.ones((1, 4, 6, 3)))
    (tmp_path / "work").mkdir()
    with ConversionPool(1) as pool:
        cases = load_inputs("*.*", (picture,), tmp_path, tmp_path / "work", pool.submit).cases
        with pytest.raises(ConfigError, match=str(tmp_path / "b.npz")):
            load_inputs("b.npz", (TensorSpec("x", "float32", (3,)),), tmp_path, tmp_path / "work", pool.submit)
    assert [float(case["image"].mean()) for case in cases] == [pytest.approx(0.2), 1]


def test_each_npz_is_a_case_in_order_of_name(tmp_path: Path) -> None:
    folder = tmp_path / "odd [1] folder"
    folder.mkdir()
    specs = (TensorSpec("x", "float32", (None, 2)), TensorSpec("ids", "int32", (None,)))
    for name in "ba":
        np.savez(folder / f"{name}.npz", ids=np.array([ord(name)]), x=np.full((1, 2), ord(name), np.float64))
    cases = load("*.npz", specs, folder)
    assert [case["ids"].tolist() for case in cases] == [[97], [98]]
    assert [list(case) for case in cases] == [["x", "ids"]] * 2
    assert cases[0]["x"].dtype == np.float32
    assert cases[0]["ids"].dtype == np.int32
    assert len(load(str(tmp_path / "odd*" / "a.npz"), specs, Path("elsewhere"))) == 1
    with pytest.raises(ConfigError, match="is not a valid pattern"):
        load("", specs, folder)


def test_a_single_input_may_have_any_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.zeros((1, 4, 6, 3), np.uint8))
    (case,) = load("a.npz", (picture,), tmp_path)
    assert case["image"].shape == (1, 4, 6, 3)


def test_words_are_kept_as_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", text=np.array(["招聘", "b"]))
    (case,) = load("a.npz", (TensorSpec("text", "string", (None,)),), tmp_path)
    assert case["text"].tolist() == ["招聘".encode(), b"b"]


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"x": np.zeros((4, 6, 3))}, "has shape \\[4, 6, 3\\], the model takes \\[any, 4, 6, 3\\]"),
        ({"x": np.zeros((1, 4, 7, 3))}, "has shape"),
        ({"x": np.array([["a"]])}, "has shape"),
        ({"x": np.zeros((1, 4, 6, 3), np.complex64)}, "is complex64, the model takes float32"),
        ({"x": np.zeros((1, 4, 6, 3)), "y": np.zeros(1)}, "lacks the inputs 'image', it has 'x', 'y'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], complaint: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ConfigError, match=complaint):
        load("a.npz", (picture,), tmp_path)


def test_files_that_are_no_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file matches"):
        load("*.npz", (picture,), tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ConfigError, match="cannot be read as"):
        load("a.npz", (picture,), tmp_path)
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ConfigError, match="cannot be read as"):
        load("a.npz", (picture,), tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match="neither"):
        load("notes.txt", (picture,), tmp_path)


def test_pictures_ask_for_one_picture_input(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="pictures can only be used"):
        load("a.png", (picture, TensorSpec("size", "int32", ())), tmp_path)
    with pytest.raises(ConfigError, match="pictures can only be used"):
        load("a.png", (TensorSpec("x", "float32", (None, 4, 6, 7)),), tmp_path)


def test_pictures_are_resized_and_scaled_or_say_what_is_missing(tmp_path: Path) -> None:
    colours = np.zeros((8, 12, 3), np.uint8)
    colours[:, 6:] = (255, 51, 0)
    write_png(tmp_path / "a.png", colours)
    try:
        import PIL  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match="picture inputs need Pillow"):
            load("a.png", (picture,), tmp_path)
        return
    (case,) = load("a.png", (picture,), tmp_path)
    assert case["image"].shape == (1, 4, 6, 3)
    assert np.allclose(case["image"][0, 1, -1], [1, 0.2, 0], atol=1e-6)
    assert np.allclose(case["image"][0, 1, 0], 0)
    (grey,) = load("a.png", (TensorSpec("x", "int32", (None, None, None, 1)),), tmp_path)
    assert grey["x"].shape == (1, 8, 12, 1)
    assert grey["x"].max() == 106
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match="cannot be decoded"):
        load("a.png", (picture,), tmp_path)


def write_png(path: Path, pixels: np.ndarray) -> None:

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
