"""Steps measured by running a model: on a network in NumPy, and through a whole build in TensorFlow."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from builder.cli.main import main
from builder.codecs import Layout
from builder.codecs.steps import Steps
from builder.model import BytesData, Weight
from builder.precision.distance import distance, entropy, interval
from builder.precision.frames import enter_frames
from builder.precision.layers import Feeds, LayerData, bits_of, choose_steps, quantized, ratio, trial_steps
from builder.precision.measure import _repeated as repeated
from builder.precision.network import find_layers, plain_nodes
from builder.precision.rounding import round_together
from builder.precision.search import _coarsest as coarsest
from builder.precision.search import _spare, search, split, spread
from builder.precision.yardstick import Yardstick
from builder.sources.tfjs import read_model
from builder.verify.compare import compare
from builder.verify.types import Gate
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks
from tests.helpers.tiny import node
from tests.precision.test_precision_stages import head_of, two_outputs

widths = (20, 64, 48, 10)
probs = Yardstick(("probs",))


class Network:
    """A perceptron whose inputs have a mean, so that biases need correction."""

    def __init__(self, cases: int = 24) -> None:
        generator = np.random.Generator(np.random.PCG64(8))
        self.kernels = {
            f"k{number}": (generator.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
            for number, shape in enumerate(itertools.pairwise(widths))
        }
        self.biases = {
            f"b{number}": generator.normal(size=width).astype(np.float32) for number, width in enumerate(widths[1:])
        }
        self.cases = [generator.normal(1.0, 1.0, (4, widths[0])).astype(np.float32) for _ in range(cases)]

    @property
    def layers(self) -> list[LayerData]:
        return [
            LayerData(
                Weight(name, kernel.shape, "float32", BytesData(kernel.tobytes())),
                kernel,
                Layout(kernel.shape[1], 1),
                (f"b{number}", self.biases[f"b{number}"]),
                f"z{number}",
                f"s{number}",
                f"d{number}",
                f"x{number}",
            )
            for number, (name, kernel) in enumerate(self.kernels.items())
        ]

    def run(self, case: int, feeds: Mapping[str, Any]) -> dict[str, Any]:
        values = {**self.kernels, **self.biases, **feeds}
        x, found = self.cases[case], {}
        for number in range(len(self.kernels)):
            if f"d{number}" in feeds:
                found[f"s{number}"] = x @ feeds[f"d{number}"]
            found[f"x{number}"] = x
            found[f"z{number}"] = z = x @ values[f"k{number}"] + values[f"b{number}"]
            x = np.maximum(z, 0)
        powers = np.exp(z - z.max(axis=-1, keepdims=True))
        return {**found, "probs": powers / powers.sum(axis=-1, keepdims=True)}

    def outputs(self, cases: Sequence[int], feeds: Feeds) -> list[Mapping[str, Any]]:
        return [{"probs": self.run(case, feeds)["probs"]} for case in cases]

    def covariances(self, cases: Sequence[int], results: Sequence[str]) -> list[Any]:
        runs = [self.run(case, {}) for case in cases]
        return [np.cov(np.concatenate([run[name] for run in runs]).astype(np.float64).T) for name in results]

    def means(self, cases: Sequence[int], feeds: Feeds, results: Sequence[str]) -> list[Any]:
        runs = [self.run(case, feeds) for case in cases]
        return [np.mean([run[name].mean(axis=0) for run in runs], axis=0) for name in results]


def test_the_base_is_coarse_and_within_its_limit_and_the_refinement_far_within() -> None:
    network = Network()
    found = search(network.layers, network, len(network.cases), Gate(), probs)
    base, full = found.stages
    assert found.met
    assert base.distance <= 0.0059
    assert full.distance <= base.distance / 10
    assert base.inputs == len(network.cases) // 2
    size = sum(layer.size for layer in found.layers)
    assert sum(layer.bits * layer.size for layer in found.layers) / size < 6.5
    assert {layer.weight for layer in found.layers} == {"k0", "k1", "k2"}


def test_a_small_layer_that_hurts_most_is_float16() -> None:
    network = Network()
    layers = network.layers
    trials = [trial_steps(layer) for layer in layers]
    sizes = [layer.weight.size for layer in layers]
    even = choose_steps(layers, trials, [1e-4 * size for size in sizes], 1e-2)
    assert not any(isinstance(steps, str) for steps in even)
    uneven = choose_steps(layers, trials, [10.0 * sizes[0], *(1e-4 * size for size in sizes[1:])], 1e-2)
    assert uneven[0] == "float16"
    assert not any(isinstance(steps, str) for steps in uneven[1:])
    values = quantized(layers[0], "float16", 1)
    assert np.array_equal(values, layers[0].values.astype(np.float16).astype(np.float32))
    huge = replace(layers[0], values=layers[0].values * np.float32(1e6))
    huge = replace(huge, weight=replace(huge.weight, data=BytesData(huge.values.tobytes())))
    (kept,) = choose_steps([huge], [trial_steps(huge)], [10.0 * sizes[0]], 1e-2)
    assert not isinstance(kept, str)


def test_corrected_biases_bring_the_outputs_closer() -> None:
    network = Network()
    found = search(network.layers, network, len(network.cases), Gate(), probs)
    coarse = {
        layer.weight.name: found.codes.get(layer.weight.name, np.rint(layer.values / (ratio * steps))) * (ratio * steps)
        for layer, steps in zip(network.layers, found.steps, strict=True)
        if not isinstance(steps, str)
    }
    every = range(len(network.cases))
    expected = network.outputs(every, {})
    assert distance(network.outputs(every, coarse | found.first), expected) < distance(
        network.outputs(every, coarse), expected
    )


def test_rounding_together_makes_errors_of_related_inputs_cancel() -> None:
    generator = np.random.Generator(np.random.PCG64(4))
    inputs = generator.normal(size=(4000, 6)) @ generator.normal(size=(6, 40)) + 0.3 * generator.normal(size=(4000, 40))
    values, steps = generator.normal(size=(40, 8)), np.full(8, 0.7)
    steps[3] = 0.0
    codes = round_together(values, steps, np.cov(inputs[:2000].T), 0.1)
    assert not codes[:, 3].any()
    kept = steps > 0
    nearest = np.rint(values[:, kept] / 0.7)
    assert np.abs(codes[:, kept] - nearest).max() == 1
    assert np.abs(codes[:, kept] - values[:, kept] / 0.7).max() <= 0.75

    def error(chosen: Any) -> float:
        return float(np.var(inputs[2000:] @ (chosen * 0.7 - values[:, kept])))

    assert error(codes[:, kept]) < 0.5 * error(nearest)


def test_codes_are_taken_as_they_are_and_the_refinement_makes_up_for_them() -> None:
    values = np.linspace(-1, 1, 12, dtype="<f4")
    weight = Weight("w", (6, 2), "float32", BytesData(values.tobytes()))
    steps = np.array([0.02, 0.03], "<f4")
    codes = np.arange(-6, 6, dtype=np.int8)
    codec = Steps(Layout(2, 1), 8, steps.tobytes(), codes.tobytes())
    base, _, rest = codec.planes(weight)
    assert base.read(3, 7) == codes[3:7].tobytes()
    planes = {0: base.read(0, 12), 1: steps.tobytes(), 2: rest.read(0, 12)}
    assert np.abs(np.frombuffer(codec.decode(planes), "<f4") - values).max() <= 0.03 / 2 + 1e-6
    assert codec.identity != replace(codec, codes=None).identity


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
def test_inputs_that_do_not_vary_get_the_nearest_codes(scale: float) -> None:
    random = np.random.default_rng(3)
    row = (scale * random.normal(size=(1, 48))).astype(np.float32)
    noise = (row.T @ row).astype(np.float64) - np.outer(row.astype(np.float64), row.astype(np.float64))
    values, steps = random.normal(size=(48, 5)), np.full(5, 0.1)
    assert np.array_equal(round_together(values, steps, noise, 0.1), np.rint(values / steps))


def test_a_gate_that_nothing_meets_leaves_all_layers_exact() -> None:
    network = Network(cases=4)
    found = search(network.layers, network, 4, Gate(1e-9), probs, True)
    assert not found.met
    assert found.steps == ("exact", "exact", "exact")
    assert all(layer.why.startswith("exact") for layer in found.layers)


@pytest.mark.parametrize("needed", range(1, 13))
def test_no_more_layers_stay_exact_than_have_to(needed: int) -> None:
    class Job:
        layers = 4 * Network().layers

        def fit(self, steps: Sequence[Any], *_: Any) -> int:
            return sum(isinstance(step, str) for step in steps)

    job: Any = Job()
    trials = [trial_steps(layer) for layer in job.layers]
    spared: Any = _spare(
        job, trials, [1e-3 * number for number in range(1, 13)], lambda fit: cast("Any", fit) >= needed
    )
    assert spared == needed


@pytest.mark.parametrize("error", [1e-2, 3e-3])
def test_float16_is_not_taken_where_exact_weights_meet_the_gate_with_less(
    monkeypatch: pytest.MonkeyPatch, error: float
) -> None:
    monkeypatch.setattr("builder.precision.layers.half_bits", 0.1)  # as if all layers suffered from bytes
    network = Network()
    network.kernels = {name: kernel.astype(np.float16).astype(np.float32) for name, kernel in network.kernels.items()}
    found = search(network.layers, network, len(network.cases), Gate(error), probs, True)
    assert found.met
    exact = sum(bits_of(layer, "exact") * layer.weight.size for layer in network.layers)
    assert sum(facts.bits * facts.size for facts in found.layers) <= exact


@pytest.mark.parametrize("error", [0.2, 0.05, 0.02])
def test_what_is_stored_meets_the_gate_on_all_inputs_not_only_on_those_that_judge(error: float) -> None:
    network = Network()
    network.cases[::2] = [case * 4 for case in network.cases[::2]]
    gate = Gate(error)
    found = search(network.layers, network, len(network.cases), gate, probs, True)
    assert found.met
    stored: dict[str, Any] = dict(found.first)
    for layer, steps in zip(network.layers, found.steps, strict=True):
        codes = found.codes.get(layer.weight.name)
        stored[layer.weight.name] = quantized(replace(layer, codes=codes), steps, 1)
    every = range(len(network.cases))
    assert gate.admits(compare("base", network.outputs(every, stored), network.outputs(every, {})))


def test_a_loose_gate_gives_coarser_steps_than_a_strict_one() -> None:
    network = Network()
    bits = [
        sum(layer.bits * layer.size for layer in search(network.layers, network, 24, gate, probs, True).layers)
        for gate in (Gate(0.2), Gate(0.02))
    ]
    assert bits[0] < bits[1]


def test_what_is_stored_is_fitted_to_all_inputs_and_judged_by_those_kept_apart() -> None:
    network = Network()
    network.cases[1::2] = [case + 2 for case in network.cases[1::2]]
    found = search(network.layers, network, len(network.cases), Gate(), probs)
    every = range(len(network.cases))
    coarse = {
        layer.weight.name: found.codes.get(layer.weight.name, np.rint(layer.values / (ratio * steps))) * (ratio * steps)
        for layer, steps in zip(network.layers, found.steps, strict=True)
        if not isinstance(steps, str)
    }
    (wanted,), (got,) = (network.means(every, feeds, ["z0"]) for feeds in ({}, coarse | found.first))
    assert np.allclose(got, wanted, atol=4e-3)  # biases have mantissas of 10 bits
    assert {stage.inputs for stage in found.stages} == {len(network.cases) // 2}


@pytest.mark.parametrize("most", [0.003, 0.9, 1.0, 3.7, 400.0])
def test_the_coarsest_factor_is_found_within_a_few_tries(most: float) -> None:
    tried = []

    def attempt(factor: float) -> tuple[float, bool, float]:
        tried.append(factor)
        return factor, factor <= most, most / factor

    factor, found = coarsest(1.0, attempt)
    assert factor == found
    assert most / 1.04 <= factor <= most
    assert len(tried) <= 10


@pytest.mark.parametrize("count", [1, 3, 4, 5, 24, 31, 32, 100, 512])
def test_runs_of_neighbours_calibrate_and_judge_in_turn(count: int) -> None:
    calibrating, judging = split(count)
    if count < 4:
        assert calibrating == judging == list(range(count))
        return
    assert sorted(calibrating + judging) == list(range(count))
    assert abs(len(calibrating) - len(judging)) <= max(1, count // 16)
    turns = sum(1 for case in range(1, count) if (case in calibrating) != (case - 1 in calibrating))
    assert turns >= min(count - 1, 15)
    assert turns <= 31


def test_a_few_are_taken_from_all_over() -> None:
    assert spread(range(10), 20) == list(range(10))
    assert spread(range(100), 4) == [0, 25, 50, 75]


def test_no_factor_is_found_where_none_fits() -> None:
    assert coarsest(1.0, lambda factor: (factor, False, 0.5)) == (0.0, None)


def test_distance_is_kl_for_probabilities_and_relative_for_others() -> None:
    wanted = [{"p": np.array([[0.5, 0.5]], np.float32), "i": np.array([3])}]
    got = [{"p": np.array([[0.25, 0.75]], np.float32), "i": np.array([9])}]
    assert distance(got, wanted) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3), rel=1e-5)
    wanted, got = [{"y": np.array([0.0, 2.0], np.float32)}], [{"y": np.array([0.0, 3.0], np.float32)}]
    assert distance(got, wanted) == pytest.approx(1.0)
    assert distance([{"y": np.array([0, np.nan], np.float32)}], wanted) == np.inf


def test_intervals_and_entropies() -> None:
    low, high = interval(0.99, 100)
    assert low == pytest.approx(0.9455, abs=1e-3)
    assert high == pytest.approx(0.9982, abs=1e-3)
    assert interval(1.0, 10)[0] < 0.75
    assert entropy(np.array([1, -1, 1, -1], np.int8)) == 1.0


def test_fused_ops_are_written_out() -> None:
    steps = [base64.b64encode(text).decode() for text in (b"BiasAdd", b"Prelu")]
    fused = node("y", "FusedDepthwiseConv2dNative", "x", "w", "b", "a", fused_ops={"list": {"s": steps}})
    found = plain_nodes({"node": [fused]})
    assert [(item["name"], item["op"]) for item in found] == [
        ("y/plain0", "DepthwiseConv2dNative"),
        ("y/plain1", "BiasAdd"),
        ("y/above", "Relu"),
        ("y/negated", "Neg"),
        ("y/below", "Relu"),
        ("y/scaled", "Mul"),
        ("y", "Sub"),
    ]
    assert found[0]["input"] == ["x", "w"]
    assert found[5]["input"] == ["y/below", "a"]


def test_an_activation_without_a_bias_is_written_out_too() -> None:
    """The converter writes NoOp where a depthwise convolution has none."""
    steps = [base64.b64encode(text).decode() for text in (b"NoOp", b"Relu6")]
    fused = node("y", "FusedDepthwiseConv2dNative", "x", "w", fused_ops={"list": {"s": steps}})
    found = plain_nodes({"node": [fused]})
    assert [(item["name"], item["op"]) for item in found] == [("y/plain0", "DepthwiseConv2dNative"), ("y", "Relu6")]
    assert [item["input"] for item in found] == [["x", "w"], ["y/plain0"]]


def test_what_the_converter_adds_in_a_fused_product_may_be_no_vector() -> None:
    fused = node(
        "y", "_FusedMatMul", "x", "w", "other", fused_ops={"list": {"s": [base64.b64encode(b"BiasAdd").decode()]}}
    )
    found = plain_nodes({"node": [fused]})
    assert [(item["name"], item["op"]) for item in found] == [("y/plain0", "MatMul"), ("y", "AddV2")]


def test_what_a_loop_uses_from_outside_enters_its_frame() -> None:
    kind = {"type": "DT_INT32"}
    loop, inner = ({"frame_name": {"s": name}, "T": kind} for name in ("bG9vcA==", "aW5uZXI="))
    nodes = [
        node("one", "Const", dtype=kind),
        node("start", "Const", dtype=kind),
        {**node("in", "Enter", "start"), "attr": loop},
        node("merge", "Merge", "in", "next"),
        node("add", "AddV2", "merge", "one", "^one"),
        {**node("deep", "Enter", "add"), "attr": inner},
        node("twice", "Mul", "deep", "one"),
        node("again", "Sub", "twice", "one:0"),
        node("back", "Exit", "again"),
        node("next", "NextIteration", "back"),
        node("out", "Exit", "merge"),
        node("y", "Mul", "out", "one"),
    ]
    found = {item["name"]: item for item in enter_frames(nodes)}
    assert found["add"]["input"][0] == "merge"
    assert found["add"]["input"][2] == "^one"
    entered = found[found["add"]["input"][1]]
    assert (entered["op"], entered["input"], entered["attr"]["frame_name"]) == ("Enter", ["one"], {"s": "bG9vcA=="})
    assert entered["attr"]["T"] == kind
    deeper = found[found["twice"]["input"][1]]
    assert deeper["attr"]["frame_name"] == {"s": "aW5uZXI="}
    assert found[deeper["input"][0]] == entered
    assert found["y"]["input"] == ["out", "one"]
    assert found["in"]["input"] == ["start"]
    assert enter_frames(nodes[:2]) == nodes[:2]


def test_a_constant_that_a_loop_holds_comes_from_outside() -> None:
    loop = {"frame_name": {"s": "bG9vcA=="}, "T": {"type": "DT_INT32"}}
    nodes = [
        node("start", "Const", dtype={"type": "DT_INT32"}),
        {**node("in", "Enter", "start"), "attr": loop},
        node("half", "Const", "^in", dtype={"type": "DT_FLOAT"}),
        node("sum", "AddV2", "in", "half:0"),
        node("out", "Exit", "sum", "^half"),
    ]
    found = {item["name"]: item for item in enter_frames(nodes)}
    assert "input" not in found["half"]
    assert found["sum"]["input"] == ["in", "half/held"]
    assert found["out"]["input"] == ["sum", "^half/held"]
    entered, control = found["half/held"]["input"]
    assert (found["half/held"]["op"], control) == ("Identity", "^in")
    assert (found[entered]["op"], found[entered]["input"]) == ("Enter", ["half"])
    assert found[entered]["attr"]["T"] == {"type": "DT_FLOAT"}


def test_a_loop_within_a_loop_begins_in_the_outer_one() -> None:
    outer, inner = ({"frame_name": {"s": text}, "T": {"type": "DT_INT32"}} for text in ("bG9vcA==", "aW5uZXI="))
    nodes = [
        node("start", "Const", dtype={"type": "DT_INT32"}),
        {**node("in", "Enter", "start"), "attr": outer},
        {**node("deeper", "Enter", "start", "^in"), "attr": inner},
        node("sum", "AddV2", "deeper", "start"),
    ]
    found = {item["name"]: item for item in enter_frames(nodes)}
    entered, control = found["deeper"]["input"]
    assert (found["in"]["input"], control) == (["start"], "^in")
    assert (found[entered]["input"], found[entered]["attr"]["frame_name"]) == (["start"], outer["frame_name"])
    within = found[found["sum"]["input"][1]]
    assert (within["input"], within["attr"]["frame_name"]) == ([entered], inner["frame_name"])


@pytest.mark.slow
def test_a_recurrent_model_is_measured(tmp_path: Path) -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        off, result = pool.submit(pool_tasks.measure_recurrent, tmp_path, "lstm").result()
    assert off < 1e-5
    assert [layer.size for layer in result.layers] == [16 * 80]


def test_layers_have_the_bias_that_only_they_use(tmp_path: Path) -> None:
    model = read_model(two_outputs(tmp_path))
    names = [weight.name for weight in model.weights]
    layers = find_layers(plain_nodes(model.artifacts["modelTopology"]), model, frozenset({0, 1}))
    assert [(names[layer.weight], layer.bias and names[layer.bias], layer.result) for layer in layers] == [
        ("second", "offset", "Identity_1"),
        ("first", None, "Identity"),
    ]


def test_repeated_weights_are_not_measured(tmp_path: Path) -> None:
    kernel = np.random.Generator(np.random.PCG64(1)).normal(size=(24, 24)).astype(np.float32)
    model = read_model(two_outputs(tmp_path))
    twins = replace(model, weights=tuple(replace(w, data=BytesData(kernel.tobytes())) for w in model.weights[:2]))
    assert repeated(model) == set()
    assert repeated(twins) == {0, 1}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["small", "auto"])
def test_a_measured_build_answers_within_its_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    two_outputs(tmp_path / "model")
    generator = np.random.Generator(np.random.PCG64(2))
    (tmp_path / "inputs").mkdir()
    for number in range(8):
        np.savez(tmp_path / "inputs" / f"{number}.npz", x=generator.normal(size=(8, 24)).astype(np.float32))
    (tmp_path / "build.toml").write_text(
        f'[models.face]\nsource = "model/model.json"\nprecision = "{precision}"\n'
        '[models.face.verify]\ninputs = "inputs/*.npz"\nmin_agreement = 0.9\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert main(["-q"]) == 0
    report = json.loads((tmp_path / "dist" / "report.json").read_bytes())["models"]["face"]
    base, full = report["verification"]["stages"]
    assert base["agreement"] >= (0.9 if precision == "auto" else 0.8)
    assert full["max_error"] <= base["max_error"] / 4
    assert {layer["weight"] for layer in report["precision"]["weights"]} == {"first", "second"}
    assert [stage["inputs"] for stage in report["precision"]["stages"]] == [4, 4]
    codecs = {weight["name"]: weight.get("codec", "raw") for weight in head_of(tmp_path)["weights"]}
    assert codecs == {"first": "steps", "second": "steps", "offset": "staged"}
