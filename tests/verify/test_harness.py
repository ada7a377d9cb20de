"""Models really run in TensorFlow.js under Node, the good and the broken ones."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from builder.errors import VerificationError
from builder.sources.tfjs import read_model
from builder.verify import run
from builder.verify.compare import Gate
from builder.verify.inputs import seeded_inputs
from builder.verify.run import Check, Verification, find_node_modules, verify, verify_all
from tests.helpers import tiny

pytestmark = pytest.mark.slow
modules = find_node_modules(Path(__file__).parent)
gate = Gate(1e-5)


def check(bundle: tiny.Bundle, name: str, source: Path, /, **changes: object) -> Check:
    settings: dict[str, object] = {"gate": gate, "source": source} | changes
    if "cases" not in settings:
        settings["cases"] = [seeded_inputs(read_model(source).inputs)]
    return Check(name, bundle.loader, **settings)  # type: ignore[arg-type]


def verified(tmp_path: Path, item: Check) -> Verification:
    return verify(item, work=tmp_path, node_modules=modules, timeout=120)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("odd name é")
    return {
        "graph": tiny.graph_model(folder / "graph"),
        "layers": tiny.layers_model(folder / "layers"),
        "loop": tiny.loop_model(folder / "loop"),
    }


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, sources: dict[str, Path]) -> tiny.Bundle:
    return tiny.bundle(tmp_path_factory.mktemp("site") / "cdn é", dict(sources))


def test_tensorflow_js_is_there() -> None:
    assert modules is not None, "run npm ci"


@pytest.mark.parametrize("name", ["graph", "layers", "loop"])
def test_a_bundle_answers_as_its_source(
    tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path], name: str
) -> None:
    result = verified(tmp_path, check(bundle, name, sources[name]))
    assert result.problem == ""
    assert result.passed
    assert result.runtime == "tfjs 4.22.0 wasm, cpu"
    assert result.wrong == ()
    assert result.notes == ()
    base, full = result.stages
    assert (base.stage, full.stage) == ("base", "full")
    assert full.max_error == 0
    assert 0 < base.max_error < 0.01
    assert result.seconds > 0


def test_refine_shards_come_after_the_base_stage_and_each_file_once(
    tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]
) -> None:
    verified(tmp_path, check(bundle, "graph", sources["graph"]))
    requests = json.loads((tmp_path / "0" / "result.json").read_bytes())["requests"]
    model = next(model for model in bundle.models if model.name == "graph")
    stages = model.content.stages
    first = [file.url for file in model.stage_files(0)]
    rest = [file.url for file in model.shards if file.url not in first]
    assert len(stages) == 2
    assert rest
    assert requests[0] == model.head.url
    assert sorted(requests[1 : len(first) + 1]) == sorted(first)
    assert sorted(requests[len(first) + 1 :]) == sorted(rest)


def test_every_case_is_compared_with_the_references(
    tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]
) -> None:
    cases = [{"x": np.full((rows, tiny.features), rows / 10, np.float32)} for rows in (1, 3)]
    right = [{"probs": tiny.softmax(case["x"])} for case in cases]
    result = verified(tmp_path, check(bundle, "graph", sources["graph"], cases=cases, source=None, references=right))
    assert result.passed, result.problem
    right[1]["probs"][2, 4] += 0.25
    result = verified(tmp_path, check(bundle, "graph", sources["graph"], cases=cases, source=None, references=right))
    assert not result.passed
    assert "output 'probs' differs from the source model's by 0.25, allowed is 1e-05" in result.problem
    assert result.stages[1].max_error == pytest.approx(0.25, abs=1e-5)


def test_another_batch_that_goes_wrong_is_told_and_fails_nothing(
    tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]
) -> None:
    one, two = ({"x": np.linspace(0, 1, rows * tiny.features, dtype=np.float32).reshape(rows, -1)} for rows in (1, 2))
    right = {"probs": tiny.softmax(two["x"])}
    wrong = {"probs": right["probs"][::-1].copy()}
    settings = {"cases": [one], "source": None, "references": [{"probs": tiny.softmax(one["x"])}], "extra": two}
    items = [check(bundle, "graph", sources["graph"], **settings, extra_reference=each) for each in (right, wrong)]
    good, bad = verify_all(items, work=tmp_path, node_modules=modules)
    assert (good.passed, good.doubts) == (True, ())
    assert bad.passed
    (doubt,) = bad.doubts
    assert f"with x [2, {tiny.features}] output 'probs' differs" in doubt


def test_a_backend_that_never_ends_is_ended_and_the_other_one_runs(
    tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]
) -> None:
    hangs = tmp_path / "hangs" / "loader.js"
    hangs.parent.mkdir()
    real = shutil.copy(bundle.loader, hangs.with_name("real.mjs")).as_uri()
    trap = "if (options.tf.getBackend() === 'wasm') for (;;); real.configure(options);"
    hangs.write_text(
        f"import * as real from '{real}';\nexport const models = real.models;\n"
        f"export const configure = (options) => {{ {trap} }};\n"
    )
    files = {file.url: file.blob.path for model in bundle.models for file in model.files}
    item = Check("graph", hangs, [seeded_inputs(read_model(sources["graph"]).inputs)], gate, files, sources["graph"])
    result = verify(item, work=tmp_path, node_modules=modules, timeout=10)
    assert result.passed, result.problem
    assert result.runtime == "tfjs 4.22.0 cpu"
    assert result.wrong == (("wasm", "Node gave no answer within 10 seconds"),)


def test_a_layers_model_may_be_fed_by_another_name(
    tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]
) -> None:
    case = {"input_1": np.full((2, tiny.features), 0.3, np.float32)}
    right = [{"output_0": tiny.softmax(case["input_1"])}]
    result = verified(tmp_path, check(bundle, "layers", sources["layers"], cases=[case], source=None, references=right))
    assert result.passed, result.problem


def test_files_may_lie_in_the_cache(tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]) -> None:
    lone = tmp_path / "lone" / "loader.js"
    lone.parent.mkdir()
    shutil.copy(bundle.loader, lone)
    files = {file.url: file.blob.path for model in bundle.models for file in model.files}
    item = check(bundle, "graph", sources["graph"], files=files)
    moved = Check(item.model, lone, item.cases, item.gate, files, item.source)
    assert verified(tmp_path, moved).passed


def test_wrong_weights_do_not_pass(tmp_path: Path, bundle: tiny.Bundle) -> None:
    other = tiny.graph_model(tmp_path / "other", tiny.weights(seed=8))
    result = verified(tmp_path, check(bundle, "graph", other))
    assert not result.passed
    assert "differs from the source model's" in result.problem


def test_nan_weights_pass_when_the_source_answers_nan_too(tmp_path: Path) -> None:
    tensors = tiny.weights()
    tensors["kernel"][0, 0] = np.nan
    source = tiny.graph_model(tmp_path / "nan", tensors)
    built = tiny.bundle(tmp_path / "site", {"nan": source})
    assert verified(tmp_path, check(built, "nan", source)).passed
    sound = tiny.graph_model(tmp_path / "sound")
    result = verified(tmp_path, check(built, "nan", sound))
    assert not result.passed
    assert "without bound" in result.problem


def test_what_wasm_lacks_runs_on_cpu_and_is_said(tmp_path: Path) -> None:
    source = tiny.graph_model(tmp_path / "odd")
    content = json.loads(source.read_bytes())
    product = next(node for node in content["modelTopology"]["node"] if node["op"] == "MatMul")
    product["op"] = "Einsum"
    product["attr"] |= {"equation": {"s": base64.b64encode(b"ab,bc->ac").decode()}, "N": {"i": "2"}}
    source.write_text(json.dumps(content))
    built = tiny.bundle(tmp_path / "site", {"odd": source})
    result = verified(tmp_path, check(built, "odd", source))
    assert result.passed, result.problem
    assert result.runtime == "tfjs 4.22.0 cpu"
    ((backend, reason),) = result.wrong
    assert backend == "wasm"
    assert "Einsum" in reason


def test_a_damaged_shard_is_named(tmp_path: Path, sources: dict[str, Path]) -> None:
    built = tiny.bundle(tmp_path / "site", {"graph": sources["graph"]})
    shard = next((tmp_path / "site" / "assets").glob("graph-base-0.*.bin"))
    content = bytearray(shard.read_bytes())
    content[7] ^= 1
    shard.write_bytes(content)
    result = verified(tmp_path, check(built, "graph", sources["graph"]))
    assert not result.passed
    assert "cannot load the bundle (integrity)" in result.problem
    assert result.stages == ()


def test_a_missing_refine_shard_fails_the_full_stage(tmp_path: Path, sources: dict[str, Path]) -> None:
    built = tiny.bundle(tmp_path / "site", {"graph": sources["graph"]})
    next((tmp_path / "site" / "assets").glob("graph-refine-0.*.bin")).unlink()
    result = verified(tmp_path, check(built, "graph", sources["graph"]))
    assert not result.passed
    assert "refined model (network)" in result.problem


def test_a_broken_topology_says_what_is_wrong(tmp_path: Path) -> None:
    source = tiny.graph_model(tmp_path / "broken")
    source.write_text(source.read_text().replace('"product", "bias"', '"product", "bias", "nowhere"'))
    built = tiny.bundle(tmp_path / "site", {"broken": source})
    result = verified(tmp_path, check(built, "broken", source))
    assert not result.passed
    assert "nowhere" in result.problem or "undefined" in result.problem


def test_an_op_unknown_to_tensorflow_js_is_named(tmp_path: Path) -> None:
    source = tiny.graph_model(tmp_path / "op")
    source.write_text(source.read_text().replace('"Softmax"', '"Nonsense"'))
    built = tiny.bundle(tmp_path / "site", {"op": source})
    result = verified(tmp_path, check(built, "op", source))
    assert not result.passed
    assert "Nonsense" in result.problem


def test_a_kernel_that_fills_half_of_its_shape_fails_its_model(tmp_path: Path) -> None:
    # TensorFlow.js multiplies matrices of crossed batches, [3, 1] and [1, 2], into the right shape and half of it.
    kernel = np.ones((1, 2, 4, 2), np.float32)
    shape, kind = {"shape": tiny.dimensions(3, 1, 3, 4)}, {"type": "DT_FLOAT"}
    content = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape["shape"]}},
            "outputs": {"y": {"name": "y:0", "dtype": "DT_FLOAT", "tensorShape": tiny.dimensions(3, 2, 3, 2)}},
        },
        "modelTopology": {
            "node": [
                tiny.node("x", "Placeholder", dtype=kind, shape=shape),
                tiny.node("kernel", "Const", dtype=kind, value={"tensor": {"dtype": "DT_FLOAT"}}),
                tiny.node("y", "BatchMatMulV2", "x", "kernel"),
            ],
            "library": {},
            "versions": {"producer": 1882},
        },
    }
    source = tiny.write(tmp_path / "crossed", content, {"kernel": kernel})
    built = tiny.bundle(tmp_path / "site", {"crossed": source})
    result = verified(tmp_path, check(built, "crossed", source))
    assert not result.passed
    assert "output y has 18 numbers, its shape [3,2,3,2] needs 36" in result.problem


def test_a_model_the_loader_does_not_know_fails(tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]) -> None:
    result = verified(tmp_path, check(bundle, "other", sources["graph"]))
    assert not result.passed
    assert "the loader knows no model other" in result.problem


def test_many_models_share_a_process_and_a_bad_one_spoils_no_other(
    tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]
) -> None:
    evil = stand_in(tmp_path / "evil", "process.kill(process.pid, 'SIGKILL');")
    items = [check(bundle, name, sources[name]) for name in ("graph", "layers", "loop")]
    items.insert(1, check(evil, "graph", sources["graph"]))
    results = verify_all(items, work=tmp_path, node_modules=modules, timeout=120)
    assert [result.passed for result in results] == [True, False, True, True]
    assert "Node ended by signal 9" in results[1].problem


@pytest.mark.parametrize("words", ["Aborted(). Build with -sASSERTIONS", "memory access out of bounds"])
def test_what_ends_the_wasm_backend_ends_its_process_too(tmp_path: Path, sources: dict[str, Path], words: str) -> None:
    bodies = (f"throw new Error(`{words} in ${{process.pid}}`);", "throw new Error(`nothing in ${process.pid}`);")
    items = [check(stand_in(tmp_path / str(n), body), "graph", sources["graph"]) for n, body in enumerate(bodies)]
    results = verify_all(items, work=tmp_path, node_modules=modules, timeout=120)
    first, second = (re.findall(r" in (\d+)", result.problem)[0] for result in results)
    assert first != second


def test_a_model_fails_on_wasm_only_in_a_process_of_its_own(tmp_path: Path, sources: dict[str, Path]) -> None:
    bodies = ("globalThis.spoilt = true; throw new Error('first');", "throw new Error(`spoilt: ${globalThis.spoilt}`);")
    items = [check(stand_in(tmp_path / str(n), body), "graph", sources["graph"]) for n, body in enumerate(bodies)]
    wasm = verify_all(items, work=tmp_path, node_modules=modules, timeout=120)[1].problem.partition("; on cpu")[0]
    assert "spoilt: undefined" in wasm


def stand_in(folder: Path, body: str) -> tiny.Bundle:
    """Write a loader that is not ours, to see the harness catch it; ``body`` is the body of ``load()``."""
    folder.mkdir()
    script = f"export const configure = () => {{}};\nexport const models = {{ graph: {{ load() {{ {body} }} }} }};\n"
    (folder / "loader.js").write_text(script)
    return tiny.Bundle(folder, {}, ())


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return {ready: new Promise(() => {}), full: new Promise(() => {}), dispose() {}};", "never settles"),
        ("return {ready: Promise.resolve({}), full: Promise.resolve({}), dispose() {}};", "another object"),
        ("const e = Promise.reject(new Error('no room')); e.catch(() => {}); return {ready: e, full: e, dispose() {}};",
         "no room"),
        ("throw new TypeError('no such thing');", "no such thing"),
    ],
)  # fmt: skip
def test_a_misbehaving_loader_is_found_out(tmp_path: Path, sources: dict[str, Path], body: str, complaint: str) -> None:
    result = verified(tmp_path, check(stand_in(tmp_path / "bad", body), "graph", sources["graph"]))
    assert result.runtime is not None
    assert not result.passed
    assert complaint in result.problem


def test_a_loader_that_never_ends_is_stopped(tmp_path: Path, sources: dict[str, Path]) -> None:
    endless = stand_in(tmp_path / "endless", "for (;;);")
    result = verify(check(endless, "graph", sources["graph"]), work=tmp_path, node_modules=modules, timeout=3)
    assert not result.passed
    assert "Node gave no answer within 3 seconds" in result.problem


def test_a_check_needs_something_to_compare_with(tmp_path: Path, bundle: tiny.Bundle, sources: dict[str, Path]) -> None:
    with pytest.raises(VerificationError, match="nothing to compare with"):
        verified(tmp_path, check(bundle, "graph", sources["graph"], source=None))


def test_without_node_or_tensorflow_js_a_model_is_unverified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: dict[str, Path]
) -> None:
    item = check(stand_in(tmp_path / "any", ""), "graph", sources["graph"])
    result = verify(item, work=tmp_path, node_modules=None)
    assert (result.runtime, result.passed) == (None, False)
    assert "TensorFlow.js is not installed for Node" in result.problem
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    result = verify(item, work=tmp_path, node_modules=modules)
    assert (result.runtime, result.passed) == (None, False)
    assert "Node is not installed" in result.problem


def test_an_old_node_is_told_from_a_broken_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: tiny.Bundle, sources: dict[str, Path]
) -> None:
    monkeypatch.setenv("NODE_OPTIONS", "--no-experimental-fetch")
    result = verified(tmp_path, check(bundle, "graph", sources["graph"]))
    assert not result.passed
    assert "cannot be started: Node v" in result.problem
    assert "install Node 20" in result.problem


def test_every_type_goes_in_and_comes_out(tmp_path: Path) -> None:
    kinds = {"words": "DT_STRING", "numbers": "DT_INT32", "flags": "DT_BOOL"}
    nodes = []
    for name, kind in kinds.items():
        nodes += [
            tiny.node(name, "Placeholder", dtype={"type": kind}, shape={"shape": tiny.dimensions(-1)}),
            tiny.node(f"{name}_out", "Identity", name) | {"attr": {"T": {"type": kind}}},
        ]
    entries = {name: {"dtype": kind, "tensorShape": tiny.dimensions(-1)} for name, kind in kinds.items()}
    content = {
        "format": "graph-model",
        "signature": {
            "inputs": {name: {"name": f"{name}:0", **entry} for name, entry in entries.items()},
            "outputs": {name: {"name": f"{name}_out:0", **entry} for name, entry in entries.items()},
        },
        "modelTopology": {"node": nodes, "versions": {"producer": 1882}},
    }
    source = tiny.write(tmp_path / "types", content, {})
    built = tiny.bundle(tmp_path / "site", {"types": source})
    case = {
        "flags": np.array([True, False]),
        "words": np.array([b"", "招聘".encode(), b"\xff\x00a"], dtype=object),
        "numbers": np.array([-(2**31), 2**31 - 1], np.int32),
    }
    item = check(built, "types", source, cases=[case], source=None, references=[case], gate=Gate(0.0))
    result = verified(tmp_path, item)
    assert result.passed, result.problem
    other = case | {"words": np.array([b"", b"b", b"c"], dtype=object)}
    item = check(built, "types", source, cases=[case], source=None, references=[other], gate=Gate(0.0))
    assert not verified(tmp_path, item).passed


def test_node_modules_are_found_upwards(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "@tensorflow" / "tfjs"
    package.mkdir(parents=True)
    (package / "package.json").write_text("{}")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_node_modules(deep) == tmp_path / "node_modules"
