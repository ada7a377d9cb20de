"""What becomes of ops, on small graphs without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.errors import UnsupportedOpsError
from builder.graphs.analysis import Analysis, analyse, candidates, refusal
from builder.graphs.cutting import cut_graph, find_tensors, fixed_cut
from builder.graphs.flatten import outline_saved_model
from builder.graphs.graphdef import messages
from builder.graphs.ops import advice_for, supported_ops
from builder.graphs.outline import Outline, outline_of
from builder.graphs.table import ops_table

docs = Path(__file__).resolve().parents[2] / "docs"


def graph(*nodes: str) -> Any:
    """Give a graph; a node is written ``name Op input input…``."""
    content = messages().GraphDef()
    for text in nodes:
        name, op, *inputs = text.split()
        content.node.add(name=name, op=op, input=inputs)
    return content


def outline(*nodes: str, inputs: tuple[str, ...] = ("in",), outputs: tuple[str, ...] = ("out",)) -> Outline:
    return outline_of(graph(*nodes), {name: f"{name}:0" for name in inputs}, {name: f"{name}:0" for name in outputs})


def outcome(found: Analysis) -> dict[str, str]:
    return {finding.op: finding.outcome for finding in found.findings}


photo = ("in Placeholder", "decode DecodeJpeg in", "cast Cast decode", "conv Conv2D cast kernel", "kernel Const",
         "byte Cast conv", "encode EncodeJpeg byte", "out Identity encode")  # fmt: skip


def test_decoding_and_encoding_are_cut_and_all_else_is_kept() -> None:
    found = analyse(outline(*photo))
    assert outcome(found) == {"DecodeJpeg": "cut", "EncodeJpeg": "cut"}
    assert found.cut.head == {"in", "decode"}
    assert found.cut.tail == {"encode", "out"}
    assert found.findings[0].path == ("in", "decode", "cast", "conv", "byte", "encode", "out")


def test_new_ends_are_named_after_the_old() -> None:
    content = graph(*photo)
    whole = outline_of(content, {"photo": "in:0"}, {"better": "out:0"})
    ends = cut_graph(content, whole, analyse(whole).cut, lambda name: (4, messages().NodeDef().attr["x"].shape))
    assert ends.inputs == {"photo": "photo:0"}
    assert ends.outputs == {"better": "byte:0"}
    assert ends.replaced_inputs == {"photo": ("photo",)}
    assert {node.name: list(node.input) for node in content.node if node.name == "cast"} == {"cast": ["photo"]}
    assert not {"in", "decode", "encode", "out"} & {node.name for node in content.node}


def test_a_decoder_behind_weights_is_refused() -> None:
    nodes = (
        "in Placeholder",
        "kernel Const",
        "conv Conv2D in kernel",
        "decode DecodeJpeg conv",
        "out MatMul decode kernel",
    )
    whole = outline(*nodes)
    found = analyse(whole)
    assert outcome(found) == {"DecodeJpeg": "refused"}
    assert candidates(whole, found) == (("decode",), ("conv",))
    said = str(refusal(whole, found, "m.pb"))
    assert "DecodeJpeg at 'decode' (on the way in → conv → decode → out)" in said
    assert 'cut = { inputs = ["decode"] }' in said


def test_unknown_ops_in_light_graphs_are_not_cut_silently() -> None:
    found = analyse(outline("in Placeholder", "odd Betainc in", "out Relu odd"))
    assert outcome(found) == {"Betainc": "refused"}
    assert found.findings[0].advice == advice_for("Betainc")


def test_what_does_not_depend_on_the_input_is_left_to_folding_unless_it_is_random() -> None:
    nodes = ("in Placeholder", "c Const", "odd Betainc c", "dice StatelessRandomUniformV2 c", "out AddN in odd dice")
    assert outcome(analyse(outline(*nodes))) == {"Betainc": "folded", "StatelessRandomUniformV2": "refused"}


def test_registered_ops_are_not_refused() -> None:
    nodes = ("in Placeholder", "odd Betainc in", "out Relu odd")
    assert not analyse(outline(*nodes), ("Betainc",)).findings


def test_an_asked_cut_replaces_the_search() -> None:
    nodes = ("in Placeholder", "odd Betainc in", "mid Relu odd", "bad Svd mid", "out Relu bad")
    whole = outline(*nodes)
    cut = fixed_cut(whole, find_tensors(whole, ("odd",), "m"), find_tensors(whole, ("mid",), "m"))
    assert outcome(analyse(whole, (), cut)) == {"Betainc": "cut", "Svd": "cut"}
    only_head = fixed_cut(whole, ("odd",), ())
    assert outcome(analyse(whole, (), only_head)) == {"Betainc": "cut", "Svd": "refused"}


def test_nodes_are_found_inside_and_outside_of_their_functions() -> None:
    whole = outline("in Placeholder", "call/odd Betainc in", "out Relu call/odd")
    assert find_tensors(whole, ("odd:0",), "m") == ("call/odd:0",)
    assert find_tensors(whole, ("outer/call/odd",), "m") == ("call/odd",)
    with pytest.raises(UnsupportedOpsError, match=r"'cdd'.*call/odd|The command check"):
        find_tensors(whole, ("cdd",), "m")


def test_functions_are_written_out_and_looked_into() -> None:
    message = messages()
    model = message.SavedModel()
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    content = graph("x Placeholder", "call StatefulPartitionedCall x", "loop StatelessWhile call")
    content.node[1].attr["f"].func.name = "inner"
    content.node[2].attr["body"].func.name = "body"
    inner = content.library.function.add()
    inner.signature.name = "inner"
    inner.signature.input_arg.add(name="photo")
    inner.node_def.add(name="decode", op="DecodeJpeg", input=["photo"])
    inner.ret["pixels"] = "decode:image:0"
    body = content.library.function.add()
    body.signature.name = "body"
    body.node_def.add(name="odd", op="Betainc")
    meta.graph_def.CopyFrom(content)
    meta.signature_def["serving_default"].inputs["photo"].name = "x:0"
    meta.signature_def["serving_default"].outputs["y"].name = "loop:0"
    whole = outline_saved_model(model, "serving_default", ("serve",))
    assert list(whole.nodes["call"].input) == ["call/decode"]
    assert outcome(analyse(whole)) == {"DecodeJpeg": "cut", "Betainc": "refused"}


def test_check_prints_a_table_and_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = graph(*photo)
    (tmp_path / "m.pb").write_bytes(content.SerializeToString())
    (tmp_path / "bad.pb").write_bytes(graph("in Placeholder", "odd Betainc in", "out Relu odd").SerializeToString())
    config = tmp_path / "build.toml"
    config.write_text('[models.photo]\nsource = "m.pb"\n[models.bad]\nsource = "bad.pb"\n')
    assert main(["check", "--config", str(config)]) == 1
    said = capsys.readouterr().out
    assert "cut        DecodeJpeg  decode: in → decode → cast → conv → byte → encode → out" in said
    assert "refused    Betainc  odd: in → odd → out" in said
    assert main(["check", "--config", str(config), "--json"]) == 1
    models = {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert [op["outcome"] for op in models["photo"]["ops"]] == ["cut", "cut"]
    assert models["bad"]["ops"][0]["nodes"] == ["odd"]
    assert not list(tmp_path.glob("dist*"))


@pytest.mark.parametrize(("page", "chinese"), [("ops.md", False), ("ops.zh.md", True)])
def test_the_page_of_ops_is_up_to_date_and_whole(page: str, chinese: bool) -> None:
    text = (docs / page).read_text(encoding="utf-8")
    assert text == ops_table(chinese=chinese)
    assert all(f"`{op}`" in text for op in supported_ops())
