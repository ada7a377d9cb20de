"""Steps measured by running a model: on a network in NumPy, and through a whole build in TensorFlow."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.cli import main
from builder.codecs import Layout
from builder.codecs.steps import Steps
from builder.model import BytesData, Weight
from builder.precision import search as search_module
from builder.precision.distance import distance, entropy, interval
from builder.precision.measure import _repeated as repeated
from builder.precision.network import find_layers, plain_nodes
from builder.precision.rounding import round_together
from builder.precision.search import Feeds, LayerData, search
from builder.sources.tfjs import read_model
from builder.verify.nouns import Gate
from tests.test_precision_stages import head_of, two_outputs
from tests.tiny import node

widths = (20, 64, 48, 10)


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
    found = search(network.layers, network, len(network.cases), Gate())
    base, full = found.stages
    assert found.met
    assert base.distance <= 0.01
    assert full.distance <= base.distance / 10
    assert base.inputs == len(network.cases) // 2
    size = sum(layer.size for layer in found.layers)
    assert sum(layer.bits * layer.size for layer in found.layers) / size < 6.5
    assert {layer.weight for layer in found.layers} == {"k0", "k1", "k2"}


def test_a_small_layer_that_hurts_most_is_float16() -> None:
    network = Network()
    layers = network.layers
    trials = [search_module._trial(layer) for layer in layers]
    sizes = [layer.weight.size for layer in layers]
    even = search_module._choose(layers, trials, [1e-4 * size for size in sizes], 1e-2)
    assert not any(isinstance(steps, str) for steps in even)
    uneven = search_module._choose(layers, trials, [10.0 * sizes[0], *(1e-4 * size for size in sizes[1:])], 1e-2)
    assert uneven[0] == "float16"
    assert not any(isinstance(steps, str) for steps in uneven[1:])
    values = search_module._quantized(layers[0], "float16", 1)
    assert np.array_equal(values, layers[0].values.astype(np.float16).astype(np.float32))
    huge = replace(layers[0], values=layers[0].values * np.float32(1e6))
    huge = replace(huge, weight=replace(huge.weight, data=BytesData(huge.values.tobytes())))
    (kept,) = search_module._choose([huge], [search_module._trial(huge)], [10.0 * sizes[0]], 1e-2)
    assert not isinstance(kept, str)


def test_corrected_biases_bring_the_outputs_closer() -> None:
    network = Network()
    found = search(network.layers, network, len(network.cases), Gate())
    coarse = {
        layer.weight.name: found.codes.get(layer.weight.name, np.rint(layer.values / (8 * steps))) * (8 * steps)
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
    assert np.abs(codes[:, kept] - nearest).max() <= 15

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
    found = search(network.layers, network, 4, Gate(1e-9), True)
    assert not found.met
    assert found.steps == ("exact", "exact", "exact")
    assert all(layer.why.startswith("exact") for layer in found.layers)


def test_a_loose_gate_gives_coarser_steps_than_a_strict_one() -> None:
    network = Network()
    bits = [
        sum(layer.bits * layer.size for layer in search(network.layers, network, 24, gate, True).layers)
        for gate in (Gate(0.2), Gate(0.02))
    ]
    assert bits[0] < bits[1]


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
