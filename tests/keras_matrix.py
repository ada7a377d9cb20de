"""Every layer of Keras 3 and Keras 2, found by introspection, as models in all forms; run as a program.

Usage: python keras_matrix.py FOLDER keras|tf_keras [--alone] [--forms FORM …] [--only NAME …]

Makes models in this process, converts them, and writes ``outcomes.json``: for each model what became of it, and beside
it inputs of two batch sizes with Keras' own answers. Layers share models unless ``--alone``: each then is a branch with
inputs and an output of its own. A class that neither the tables below nor its defaults can make is an error, so that a
new release of Keras is noticed.
"""

# ruff: noqa: E501, PLW0108 - one line an item; layers are made when the model is

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

libraries = ("keras", "tf_keras")
forms = (
    "functional-keras",
    "functional-h5",
    "functional-saved",
    "sequential-keras",
    "sequential-h5",
    "sequential-saved",
)
together = 10  # layers of one model

# What the constructors ask for, by name of the argument.
arguments: dict[str, Any] = {
    "axes": -1, "cell": None, "dims": (2, 1), "equation": "ab,bc->ac", "factor": 0.2, "filters": 4, "function": None,
    "head_dim": 4, "height": 4, "height_factor": 0.1, "input_dim": 9, "kernel_size": 2, "key_dim": 4, "max_number": 3,
    "n": 3, "num_bins": 5, "num_heads": 2, "num_key_value_heads": 1, "num_query_heads": 2, "output_dim": 4,
    "output_shape": 4, "output_size": 2, "pool_size": 2, "rate": 0.3, "scale": 0.5, "stddev": 0.1,
    "target_shape": (-1, 2), "units": 4, "width": 4, "width_factor": 0.1, "activation": "tanh",
}  # fmt: skip
# Inputs that are tried one after another where no table says.
vector, steps, picture, volume = (6,), (6, 4), (6, 6, 3), (4, 4, 4, 2)
candidates = {"1D": (steps,), "2D": (picture,), "3D": (volume,), "": (vector, steps, picture)}
# Classes that are nothing by themselves: bases of others, or parts that only others call.
abstract = {"AbstractRNNCell", "InputLayer", "Layer", "RNN", "Wrapper"}


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the matrix.

    Attributes:
        name: the class, and what is special about it.
        inputs: shape and kind (float32, ids, text, ...) of each input.
        apply: gives the output for the library and the inputs.
        outcome: ``built``, or words of the refusal.
        is_sequence: a Sequential can hold it: one layer, one input.
    """

    name: str
    inputs: tuple[tuple[tuple[int | None, ...], str], ...]
    apply: Callable[..., Any]
    outcome: str = "built"
    is_sequence: bool = True
    layers: Callable[[], list[Any]] = field(default=list)


def layer(name: str, make: Callable[[], Any], shape: tuple[int | None, ...] = vector, kind: str = "float32",
          outcome: str = "built") -> Item:  # fmt: skip
    """Give the item of one layer with one input."""
    return Item(name, ((shape, kind),), lambda x: make()(x), outcome, layers=lambda: [make()])


def pair(name: str, apply: Callable[..., Any], *shapes: tuple[int | None, ...], kind: str = "float32") -> Item:
    """Give the item of what takes several inputs."""
    return Item(name, tuple((shape, kind) for shape in shapes), apply, is_sequence=False)


def classes(library: Any) -> dict[str, Any]:
    """Give all layer classes by the name that is their own."""
    found = {}
    for name in dir(library.layers):
        value = getattr(library.layers, name)
        if inspect.isclass(value) and issubclass(value, library.layers.Layer) and name not in abstract:
            found.setdefault(value.__name__, value)
    return found


def required(kind: Any) -> list[str]:
    """Give the names of the arguments that a constructor must have."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [item.name for item in parameters if item.default is inspect.Parameter.empty and item.kind in kinds]


def special(library: Any) -> dict[str, list[Item]]:
    """Give the items of classes that defaults cannot make, by class."""
    layers = library.layers
    two = (vector, vector)

    def merge(name: str) -> Item:
        return pair(name, lambda *x: getattr(layers, name)()(list(x)), *two)

    def words(make: Any, outcome: str = "built") -> Any:
        return lambda name: layer(name, make, (1,), "text", outcome)

    def normalised() -> Any:
        return layers.Normalization(mean=[0.5, -1.0, 0.25, 2, 0, 1], variance=[1.0, 4.0, 0.25, 1, 9, 2])

    table: dict[str, list[Item]] = {name: [merge(name)] for name in
        ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")}  # fmt: skip
    table |= {
        "Dot": [pair("Dot", lambda a, b: layers.Dot(-1)([a, b]), *two),
                pair("Dot-normalised", lambda a, b: layers.Dot((2, 1), normalize=True)([a, b]), (3, 4), (4, 5))],
        "Attention": [pair("Attention", lambda q, v: layers.Attention()([q, v]), steps, steps),
                      pair("Attention-scaled", lambda q, v, k: layers.Attention(use_scale=True)([q, v, k]), steps, (5, 4), (5, 4)),
                      pair("Attention-causal", lambda q, v: layers.Attention()([q, v], use_causal_mask=True), steps, steps)],
        "AdditiveAttention": [pair("AdditiveAttention", lambda q, v: layers.AdditiveAttention()([q, v]), steps, (5, 4))],
        "MultiHeadAttention": [
            pair("MultiHeadAttention", lambda q, v: layers.MultiHeadAttention(2, 4)(q, v), steps, (5, 4)),
            pair("MultiHeadAttention-causal", lambda x: layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True), steps),
        ],
        "Activation": [layer("Activation", lambda: layers.Activation("tanh"))],
        "Discretization": [layer("Discretization", lambda: layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.7]))],
        "CategoryEncoding": [layer("CategoryEncoding", lambda: layers.CategoryEncoding(num_tokens=9, output_mode="multi_hot"), (3,), "ids")],
        "EinsumDense": [layer("EinsumDense", lambda: layers.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"), steps)],
        "Embedding": [layer("Embedding", lambda: layers.Embedding(9, 4), (5,), "ids")],
        "Normalization": [layer("Normalization", normalised)],
        "Bidirectional": [layer("Bidirectional", lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)), steps)],
        "TimeDistributed": [layer("TimeDistributed", lambda: layers.TimeDistributed(layers.Conv1D(3, 2)), (4, 6, 2))],
        "SpectralNormalization": [layer("SpectralNormalization", lambda: layers.SpectralNormalization(layers.Dense(4)))],
        "StackedRNNCells": [layer("StackedRNNCells", lambda: layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(4)])), steps)],
        "Hashing": [words(lambda: layers.Hashing(5))("Hashing")],
        "HashedCrossing": [Item("HashedCrossing", (((1,), "text"), ((1,), "text")), lambda a, b: layers.HashedCrossing(5)((a, b)), is_sequence=False)],
        "StringLookup": [words(lambda: layers.StringLookup(vocabulary=["one", "two"]))("StringLookup")],
        "IntegerLookup": [layer("IntegerLookup", lambda: layers.IntegerLookup(vocabulary=[3, 5, 8]), (4,), "ids")],

        "GroupNormalization": [layer("GroupNormalization", lambda: layers.GroupNormalization(groups=2), steps)],
        "Lambda": [layer("Lambda", lambda: layers.Lambda(lambda x: x * 2), outcome="Lambda")],
        "Masking": [layer("Masking", layers.Masking, steps)],
        "TextVectorization": [words(lambda: layers.TextVectorization(max_tokens=8, output_sequence_length=4, vocabulary=["one", "two"]))("TextVectorization")],
    }  # fmt: skip
    for cell in ("LSTMCell", "GRUCell", "SimpleRNNCell"):
        table[cell] = [
            layer(cell, lambda cell=cell: layers.RNN(getattr(layers, cell)(4), return_sequences=True), steps)
        ]
    if library.__name__ == "keras":
        table |= {
            "GroupedQueryAttention": [pair("GroupedQueryAttention", lambda q, v: layers.GroupQueryAttention(4, 2, 1)(q, v), steps, (5, 4))],
            "Pipeline": [layer("Pipeline", lambda: layers.Pipeline([layers.Rescaling(2.0), layers.RandomFlip()]), picture)],
            "MelSpectrogram": [layer("MelSpectrogram", lambda: layers.MelSpectrogram(64, 32, sampling_rate=8000, num_mel_bins=8, max_freq=3000), (400,))],
            "STFTSpectrogram": [layer("STFTSpectrogram", lambda: layers.STFTSpectrogram(frame_length=32, frame_step=16, fft_length=32), (200, 1))],
            "Equalization": [],  # Keras itself cannot put it into a model with symbolic inputs
            "RandomPosterization": [layer("RandomPosterization", lambda: layers.RandomPosterization(4), picture)],
            "MaxNumBoundingBoxes": [],  # takes dictionaries of boxes in data pipelines, never tensors of a model
            **{name: [] for name in ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper")},  # other frameworks' code
        }  # fmt: skip
    else:
        table |= {"DenseFeatures": []}  # takes feature columns, for estimators
    return table


def by_default(library: Any, kind: Any) -> Item:
    """Make the item of a class from what its constructor asks for and the first input that it accepts.

    Raises:
        LookupError: neither is enough; the tables above need an entry.
    """
    import numpy as np

    name = kind.__name__
    rank = next((suffix for suffix in ("1D", "2D", "3D") if suffix in name), "")
    try:
        given = {key: arguments[key] for key in required(kind)}
    except KeyError as error:
        raise LookupError(
            f"{library.__name__}.layers.{name} needs the argument {error}: give it in arguments or special"
        ) from error
    shapes = candidates[rank]
    if name.startswith("ConvLSTM"):
        shapes = ((3, *shapes[0]),)
    troubles = []
    for shape in shapes:
        try:
            kind(**given)(library.Input(shape))
            kind(**given)(np.zeros((2, *shape), np.float32))
        except Exception as error:  # whatever a layer says to an input that it does not take
            troubles.append(f"{shape}: {error}")
            continue
        return layer(name, lambda: kind(**given), shape)
    raise LookupError(f"{library.__name__}.layers.{name} takes none of the inputs: {troubles}; give it in special")


def items(library: Any) -> list[Item]:
    """Give the whole matrix of a library: its classes, activations and the options of layers.

    Raises:
        LookupError: a class cannot be made.
    """
    table = special(library)
    found: list[Item] = []
    troubles = []
    for name, kind in classes(library).items():
        try:
            found += table[name] if name in table else [by_default(library, kind)]
        except LookupError as error:
            troubles.append(str(error))
    if troubles:
        raise LookupError("; ".join(troubles))
    return [*found, *_activations(library), *_options(library)]


def _activations(library: Any) -> Iterator[Item]:
    for name in dir(library.activations):
        function = getattr(library.activations, name)
        if inspect.isfunction(function) and name not in {"deserialize", "get", "serialize", "threshold"}:
            yield layer(f"activation-{name}", lambda name=name: library.layers.Activation(name), steps)


def _options(library: Any) -> Iterator[Item]:
    layers = library.layers
    yield from _recurrent(library)
    for options in ({"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 3}, {"use_bias": False}):
        for suffix, shape in (("1D", (9, 6)), ("2D", (7, 8, 6)), ("3D", (5, 5, 5, 3))):
            yield layer(
                _named(f"Conv{suffix}", options),
                lambda s=suffix, o=options: getattr(layers, f"Conv{s}")(6, 3, **o),
                shape,
            )
    for suffix, shape in (("1D", (6, 4)), ("2D", (5, 6, 4)), ("3D", (3, 4, 3, 2))):
        for options in (
            {"padding": "same", "strides": 2},
            {"padding": "valid", "strides": 2},
            {"padding": "same", "strides": 3, "use_bias": False},
        ):
            yield layer(
                _named(f"Conv{suffix}Transpose", options),
                lambda s=suffix, o=options: getattr(layers, f"Conv{s}Transpose")(3, 3, **o),
                shape,
            )
    yield layer("Conv1D-causal", lambda: layers.Conv1D(3, 3, padding="causal", dilation_rate=2), steps)
    yield layer(
        "DepthwiseConv2D-wide",
        lambda: layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same"),
        picture,
    )
    yield layer("SeparableConv1D-wide", lambda: layers.SeparableConv1D(5, 3, depth_multiplier=2, padding="same"), steps)
    yield layer(
        "SeparableConv2D-dilated", lambda: layers.SeparableConv2D(5, 2, dilation_rate=2, activation="relu"), picture
    )
    for kind in ("AveragePooling", "MaxPooling"):
        for suffix, shape in (("1D", (7, 3)), ("2D", (7, 6, 3)), ("3D", (5, 4, 5, 2))):
            yield layer(
                f"{kind}{suffix}-same",
                lambda k=kind, s=suffix: getattr(layers, f"{k}{s}")(3, strides=2, padding="same"),
                shape,
            )
            yield layer(
                f"Global{kind}{suffix}-kept",
                lambda k=kind, s=suffix: getattr(layers, f"Global{k}{s}")(keepdims=True),
                shape,
            )
    for interpolation in ("bilinear", "bicubic", "lanczos3", "lanczos5") + (
        ("gaussian", "area", "mitchellcubic") if library.__name__ == "tf_keras" else ()
    ):
        yield layer(
            f"UpSampling2D-{interpolation}",
            lambda i=interpolation: layers.UpSampling2D((2, 3), interpolation=i),
            picture,
        )
        yield layer(
            f"Resizing-{interpolation}", lambda i=interpolation: layers.Resizing(9, 4, interpolation=i), picture
        )
    yield layer("Resizing-cropped", lambda: layers.Resizing(4, 4, crop_to_aspect_ratio=True), (6, 8, 3))
    yield layer("BatchNormalization-plain", lambda: layers.BatchNormalization(center=False, scale=False), picture)
    yield layer("BatchNormalization-axis-1", lambda: layers.BatchNormalization(axis=1), steps)
    yield layer("LayerNormalization-axes", lambda: layers.LayerNormalization(axis=[-2, -1]), steps)
    yield layer("GroupNormalization-each", lambda: layers.GroupNormalization(groups=-1), picture)
    yield layer("Softmax-axis-1", lambda: layers.Softmax(axis=1), steps)
    yield layer("ReLU-full", lambda: layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.5))
    yield layer(
        "Embedding-masked",
        lambda: _stack(library, layers.Embedding(9, 4, mask_zero=True), layers.GlobalAveragePooling1D()),
        (5,),
        "ids",
    )
    yield layer(
        "StringLookup-hot", lambda: layers.StringLookup(vocabulary=["one", "two"], output_mode="one_hot"), (1,), "text"
    )
    yield layer(
        "IntegerLookup-hot", lambda: layers.IntegerLookup(vocabulary=[3, 5, 8], output_mode="multi_hot"), (4,), "ids"
    )
    yield layer(
        "CategoryEncoding-count", lambda: layers.CategoryEncoding(num_tokens=9, output_mode="count"), (3,), "ids"
    )
    yield layer(
        "CategoryEncoding-hot", lambda: layers.CategoryEncoding(num_tokens=9, output_mode="one_hot"), (1,), "ids"
    )
    yield layer(
        "Discretization-hot", lambda: layers.Discretization(bin_boundaries=[-0.5, 0.7], output_mode="one_hot"), (1,)
    )
    yield layer("TimeDistributed-Dense", lambda: layers.TimeDistributed(layers.Dense(3, activation="relu")), steps)
    yield layer(
        "Nested",
        lambda: _stack(
            library, layers.Dense(5, activation="gelu" if library.__name__ == "keras" else "swish"), layers.Dense(2)
        ),
    )
    yield layer("Concatenate-axis", lambda: _stack(library, layers.Reshape((3, 2)), layers.Permute((2, 1))))


def _recurrent(library: Any) -> Iterator[Item]:
    layers = library.layers
    options: list[dict[str, Any]] = [
        {"return_sequences": True}, {"go_backwards": True}, {"go_backwards": True, "return_sequences": True},
        {"unroll": True}, {"use_bias": False}, {"dropout": 0.2, "recurrent_dropout": 0.2}, {"activation": "relu"},
    ]  # fmt: skip
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        make = getattr(layers, kind)
        gated = [] if kind == "SimpleRNN" else [{"recurrent_activation": "hard_sigmoid"}, {"implementation": 1}]
        before = [{"reset_after": False}] if kind == "GRU" else []
        for changed in (*options, *gated, *before):
            yield layer(_named(kind, changed), lambda m=make, o=changed: m(4, **o), steps)
        yield layer(f"{kind}-bidirectional", lambda m=make: layers.Bidirectional(m(4)), steps)
        yield layer(
            f"{kind}-bidirectional-sum",
            lambda m=make: layers.Bidirectional(m(4, return_sequences=True), merge_mode="sum"),
            steps,
        )
        yield layer(f"{kind}-masked", lambda m=make: _stack(library, layers.Masking(), m(4)), steps)
        yield layer(
            f"{kind}-bidirectional-masked",
            lambda m=make: _stack(library, layers.Masking(), layers.Bidirectional(m(4))),
            steps,
        )
        yield pair(f"{kind}-state", lambda x, m=make: layers.Concatenate()(m(4, return_state=True)(x)), steps)
        if kind == "LSTM":
            yield pair("LSTM-initial", lambda x, h, c, m=make: m(4)(x, initial_state=[h, c]), steps, (4,), (4,))
        else:
            yield pair(f"{kind}-initial", lambda x, h, m=make: m(4)(x, initial_state=h), steps, (4,))
        yield layer(f"{kind}-open", lambda m=make: m(4), (None, 4))


def _stack(library: Any, *layers: Any) -> Any:
    return library.Sequential(list(layers))


def _named(kind: str, options: dict[str, Any]) -> str:
    return "-".join([kind, *(f"{key}-{value}" for key, value in options.items())]).replace("_", "-")


# --- models -----------------------------------------------------------------------------------------------------------


def make_model(library: Any, group: Sequence[Item], form: str) -> Any:
    """Give a model of some items: each a branch of a functional one, or the layers of a Sequential."""
    if form.startswith("sequential"):
        (item,) = group
        ((shape, kind),) = item.inputs
        return library.Sequential([_input(library, shape, kind, None), *item.layers()])
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for item in group:
        tensors = []
        for number, (shape, kind) in enumerate(item.inputs):
            name = f"{_plain(item.name)}_{number}"
            inputs[name] = _input(library, shape, kind, name)
            tensors.append(inputs[name])
        outputs[item.name] = item.apply(*tensors)
    return library.Model(inputs, outputs)


def _plain(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")


def _input(library: Any, shape: tuple[int | None, ...], kind: str, name: str | None) -> Any:
    dtype = {"ids": "int32", "text": "string"}.get(kind, kind)
    return library.Input(shape, dtype=dtype, name=name)


def shake(model: Any, random: Any) -> None:
    """Give all float weights other numbers: zeros and ones of a new model hide mistakes."""
    for variable in model.weights:
        if "float" in str(variable.dtype):
            values = random.normal(scale=0.4, size=tuple(variable.shape)).astype("float32")
            name = getattr(variable, "path", variable.name)
            variable.assign(abs(values) + 0.3 if "variance" in name else values)


def save(library: Any, model: Any, form: str, path: Path) -> Path:
    """Write a model in a form; gives where."""
    kind = form.partition("-")[2]
    if kind == "saved":
        if library.__name__ == "keras":
            model.export(str(path), verbose=False)
        else:
            model.save(str(path), save_format="tf")
        return path
    file = path.with_suffix(f".{kind}")
    model.save(str(file))
    return file


def arrays(group: Sequence[Item], rows: int, random: Any) -> list[Any]:
    """Give numbers for the inputs of some items, in their order."""
    import numpy as np

    found = []
    for item in group:
        for shape, kind in item.inputs:
            lengths = [rows, *(7 if length is None else length for length in shape)]
            if kind == "ids":
                found.append(random.integers(0, 9, lengths).astype(np.int32))
            elif kind == "text":
                found.append(random.choice(["one", "two", "three"], lengths))
            else:
                values = random.normal(size=lengths).astype(np.float32)
                # Steps of nothing but zeros are what masks are made of.
                if "masked" in item.name:
                    values[:, -2:] = 0
                found.append(values)
    return found


# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """What all models of a run share."""

    library: Any
    folder: Path
    random: Any

    def one(self, group: Sequence[Item], form: str, name: str) -> dict[str, Any]:
        """Make, save, convert and answer one model; gives its outcome."""
        from builder.convert import worker
        from builder.convert.requests import ConvertRequest, SourceOptions
        from builder.errors import ShardpressError
        from builder.sources.detect import detect

        start = time.monotonic()
        outcome: dict[str, Any] = {"name": name, "form": form, "items": [item.name for item in group]}
        self.library.backend.clear_session()
        try:
            model = make_model(self.library, group, form)
            shake(model, self.random)
            path = save(self.library, model, form, self.folder / name)
        except Exception as error:  # Keras itself cannot make or write it: no fault of a conversion
            return outcome | {"unmade": f"{type(error).__name__}: {error}"[:600]}
        made = time.monotonic()
        outcome["parameters"] = sum(int(variable.numpy().nbytes) for variable in _kept_weights(model))
        try:
            result = worker.convert(ConvertRequest(SourceOptions(path, detect(path)), self.folder / name / "out"))
        except ShardpressError as error:
            return outcome | {"error": str(error), "type": type(error).__name__}
        except Exception as error:  # what a build would call "TensorFlow cannot convert it"
            return outcome | {"error": f"{type(error).__name__}: {error}"[:1500], "type": "Exception"}
        converted = time.monotonic()
        outcome["model"] = str(result.model_json)
        self._answers(group, form, model, result.model_json, self.folder / name)
        return outcome | {
            "seconds": [round(made - start, 2), round(converted - made, 2), round(time.monotonic() - converted, 2)]
        }

    def _answers(self, group: Sequence[Item], form: str, model: Any, model_json: Path, folder: Path) -> None:
        import numpy as np

        from builder.sources.tfjs import read_model

        inputs = [spec.name for spec in read_model(model_json).inputs]
        outputs = [spec.name for spec in read_model(model_json).outputs]
        for number, rows in enumerate((2, 3)):
            fed = arrays(group, rows, self.random)
            names = [f"{_plain(item.name)}_{place}" for item in group for place in range(len(item.inputs))]
            if form.startswith("sequential"):
                names = inputs
            given = {name: _tensor(array) for name, array in zip(names, fed, strict=True)}
            answers = model(given if not form.startswith("sequential") else next(iter(given.values())), training=False)
            answers = answers if isinstance(answers, dict) else {outputs[0]: answers}
            np.savez(
                folder / f"inputs{number}.npz",
                **{name: array for name, array in zip(names, fed, strict=True) if name in inputs},
            )
            np.savez(folder / f"outputs{number}.npz", **{name: _array(answer) for name, answer in answers.items()})


def _kept_weights(model: Any) -> list[Any]:
    return [variable for variable in model.weights if "seed" not in getattr(variable, "path", variable.name)]


def _tensor(array: Any) -> Any:
    import tensorflow as tf

    return tf.constant(array)


def _array(answer: Any) -> Any:
    import numpy as np

    array = np.asarray(answer)
    return array.astype("S") if array.dtype == object else array


def groups(found: Sequence[Item], form: str, *, alone: bool) -> list[list[Item]]:
    """Divide items into models. What shall be refused, and what a Sequential holds, is alone."""
    if form.startswith("sequential"):
        return [[item] for item in found if item.is_sequence]
    single = [[item] for item in found if alone or item.outcome != "built"]
    rest = [item for item in found if [item] not in single]
    return [*single, *(list(rest[start : start + together]) for start in range(0, len(rest), together))]


def main(arguments_: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("library", choices=libraries)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--forms", nargs="*", default=None)
    parser.add_argument("--only", nargs="*", default=None)
    options = parser.parse_args(arguments_)
    import importlib

    import numpy as np

    library = importlib.import_module(options.library)
    options.folder.mkdir(parents=True, exist_ok=True)
    library.utils.set_random_seed(3)
    run = Run(library, options.folder.resolve(), np.random.Generator(np.random.PCG64(5)))
    outcomes = []
    found = [item for item in items(library) if options.only is None or item.name in options.only]
    for form in options.forms or forms:
        for number, group in enumerate(groups(found, form, alone=options.alone)):
            outcome = run.one(group, form, f"{form}-{number}")
            if len(group) > 1 and ("error" in outcome or "unmade" in outcome):
                outcomes += [run.one([item], form, f"{form}-{number}-{place}") for place, item in enumerate(group)]
            else:
                outcomes.append(outcome)
            words = outcome.get("error", outcome.get("unmade", ""))
            print(form, outcome["items"], words[:200], outcome.get("seconds", ""), flush=True)  # noqa: T201
    (options.folder / "outcomes.json").write_text(json.dumps(outcomes, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
