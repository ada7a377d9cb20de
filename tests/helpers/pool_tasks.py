"""Functions that tests run in conversion workers, and a program whose worker must not outlive it."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import ShardpressError, SourceError
from builder.precision.types import MeasureRequest, MeasureResult
from builder.verify.types import BoxRules, Gate
from builder.work.pool import ConversionPool

code = (Path(__file__).resolve().parents[1],)  # what workers read that run these


def slimmed(folder: Path) -> tuple[int, int]:
    """Load a SavedModel slimmed; give the number of its functions before and after."""
    from builder.convert.checked_copies import part_folder
    from builder.convert.session import load_tensorflow
    from builder.graphs.graphdef import read_saved_model
    from builder.sources.safety import prepare_saved_model

    tf = load_tensorflow()
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "model"
        plain.symlink_to(folder)
        part = prepare_saved_model(read_saved_model(folder), "serving_default", ("serve",))
        copy = part_folder(part, plain, "part")
        tf.saved_model.load(str(copy))
        return _count_functions(folder), _count_functions(copy)


def _count_functions(folder: Path) -> int:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return len(content.meta_graphs[0].graph_def.library.function)


def covariances(folder: Path) -> list[list[float]]:
    """Give the covariances of the input of a graph model over the cases of ``rows.npy`` beside it."""
    import numpy as np

    from builder.convert.graph_runner import GraphRunner
    from builder.sources.tfjs import read_model

    model, rows = read_model(folder / "model.json"), np.load(folder / "rows.npy")
    runner = GraphRunner(model, model.artifacts["modelTopology"]["node"], [{"x": case} for case in rows])
    found: list[list[float]] = runner.covariances(range(len(rows)), ["x"])[0].tolist()
    return found


def measure_recurrent(folder: Path) -> tuple[float, MeasureResult]:
    """Give how far an LSTM's graph is from Keras, and what a measurement finds of it."""
    from builder.convert import worker
    from builder.convert.graph_runner import GraphRunner
    from builder.convert.session import load_tensorflow

    load_tensorflow()
    import numpy as np
    import tf_keras as keras

    from builder.precision.network import plain_nodes
    from builder.sources.tfjs import read_model

    net = keras.Sequential([keras.layers.Input((5, 12)), keras.layers.LSTM(16), keras.layers.Dense(80)])
    net.save(folder / "net.h5")
    worker.convert(ConvertRequest(SourceOptions(folder / "net.h5", "keras-h5"), folder / "tfjs"))
    model = read_model(folder / "tfjs" / "model.json")
    paths, cases = [folder / f"{number}.npz" for number in range(6)], []
    for number, path in enumerate(paths):
        cases.append({model.inputs[0].name: np.random.default_rng(number).normal(size=(1, 5, 12)).astype(np.float32)})
        np.savez(path, **cases[-1])
    runner = GraphRunner(model, plain_nodes(model.artifacts["modelTopology"]), cases)
    answers = [next(iter(answer.values())) for answer in runner.outputs(range(6), {})]
    expected = [net(next(iter(case.values()))).numpy() for case in cases]
    off = max(float(np.abs(left - right).max()) for left, right in zip(answers, expected, strict=True))
    request = MeasureRequest(folder / "tfjs" / "model.json", tuple(paths), folder / "found.npz", Gate(0.05))
    return off, worker.measure(request)


def measure_detector(folder: Path) -> MeasureResult:
    """Give what a measurement finds of a model with random weights that suppresses boxes in its graph."""
    from builder.convert import worker
    from builder.convert.session import load_tensorflow

    tf = load_tensorflow()
    import numpy as np

    from builder.sources.tfjs import read_model

    generator = np.random.default_rng(5)

    def kernel(*shape: int) -> Any:
        return tf.Variable((generator.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32))

    class Detector(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kernels = [kernel(3, 3, 3, 48), kernel(1, 1, 48, 96), kernel(1, 1, 96, 5)]

        @tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.float32, name="picture")])
        def __call__(self, picture: Any) -> dict[str, Any]:
            first, second, third = self.kernels
            found = tf.nn.relu(tf.nn.conv2d(picture, first, 4, "SAME"))
            found = tf.nn.relu(tf.nn.conv2d(found, second, 1, "SAME"))
            found = tf.reshape(tf.nn.conv2d(found, third, 1, "SAME"), (64, 5))
            low = tf.constant(generator.uniform(size=(64, 2)).astype(np.float32))
            boxes = tf.concat([low, low + 0.2 + 0.1 * tf.sigmoid(found[:, 2:4])], 1)
            scores = tf.sigmoid(found[:, 4])
            kept = tf.image.non_max_suppression(boxes, scores, 20, 0.5, 0.6)
            return {"boxes": tf.gather(boxes, kept), "scores": tf.gather(scores, kept)}

    net = Detector()
    tf.saved_model.save(net, str(folder / "net"))
    worker.convert(ConvertRequest(SourceOptions(folder / "net", "saved-model"), folder / "tfjs"))
    model = read_model(folder / "tfjs" / "model.json")
    paths = [folder / f"{number}.npz" for number in range(16)]
    for path in paths:
        np.savez(path, **{model.inputs[0].name: generator.normal(size=(1, 32, 32, 3)).astype(np.float32)})
    rules = BoxRules("boxes", "scores", format="yxyx", min_score=0.6)
    gate = Gate(min_agreement=0.9, metric="boxes", boxes=rules)
    return worker.measure(MeasureRequest(folder / "tfjs" / "model.json", tuple(paths), folder / "found.npz", gate))


def measure_network(folder: Path) -> MeasureResult:
    """Convert a Keras network and measure it in TensorFlow; leaves ``tfjs``, inputs and ``statistics.npz``."""
    from builder.convert import worker
    from builder.convert.session import load_tensorflow

    load_tensorflow()
    import numpy as np
    import tf_keras as keras

    from builder.sources.tfjs import read_model

    keras.utils.set_random_seed(6)
    layers = keras.layers
    net = keras.Sequential(
        [
            layers.Input((24, 24, 3)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.DepthwiseConv2D(3, activation="relu6", bias_initializer="random_normal"),
            layers.Conv2D(48, 1, bias_initializer="random_normal"),
            layers.PReLU(alpha_initializer="random_normal", shared_axes=[1, 2]),
            layers.Conv2D(32, 3, padding="same", activation="sigmoid"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(96, activation="tanh"),
            layers.Dense(12, activation="softmax", kernel_initializer=keras.initializers.RandomNormal(stddev=1.0)),
        ]
    )
    net.save(folder / "net.h5")
    worker.convert(ConvertRequest(SourceOptions(folder / "net.h5", "keras-h5"), folder / "tfjs"))
    (spec,) = read_model(folder / "tfjs" / "model.json").inputs
    paths = [folder / f"{number}.npz" for number in range(12)]
    for number, path in enumerate(paths):
        picture = np.random.default_rng(number).uniform(size=(1, 24, 24, 3)) ** (1 + number % 3)
        np.savez(path, **{spec.name: picture.astype(np.float32)})
    np.savez(folder / "statistics.npz", **statistics_of(folder, in_tensorflow=True))
    found: MeasureResult = worker.measure(measure_request(folder))
    return found


def measure_request(folder: Path) -> MeasureRequest:
    """Give the request for what ``measure_network`` has made."""
    paths = tuple(folder / f"{number}.npz" for number in range(12))
    return MeasureRequest(folder / "tfjs" / "model.json", paths, folder / "found.npz", Gate(0.05))


def statistics_of(folder: Path, *, in_tensorflow: bool, process: Any = None) -> dict[str, Any]:
    """Give what a runner answers about what ``measure_network`` has made: in a Node process, or in TensorFlow."""
    import numpy as np

    from builder.convert.graph_runner import GraphRunner
    from builder.precision.network import add_shadows, find_layers, plain_nodes, product_input, shadow, shadow_input
    from builder.precision.node_runner import NodeRunner
    from builder.sources.tfjs import read_model

    model = read_model(folder / "tfjs" / "model.json")
    nodes = plain_nodes(model.artifacts["modelTopology"])
    weights = {
        weight.name: np.frombuffer(weight.data.read(0, weight.data.nbytes), "<f4").reshape(weight.shape)
        for weight in model.weights
        if weight.dtype == "float32"
    }
    places = find_layers(nodes, model, frozenset(range(len(model.weights))))
    cases = [dict(np.load(path)) for path in measure_request(folder).cases]
    shadowed = add_shadows(nodes, places)
    runner = GraphRunner(model, shadowed, cases) if in_tensorflow else NodeRunner(process, model, shadowed, cases)
    every = range(len(cases))
    names = {place.op: model.weights[place.weight].name for place in places}
    by_name = {node["name"]: node for node in nodes}
    rows = [product_input(by_name[op], weights[name].shape) for op, name in names.items()]
    products = [name for name in rows if name is not None]
    rounded = {name: np.round(weights[name] * 8) / 8 for name in names.values()}
    changes = {shadow_input(op): rounded[name] - weights[name] for op, name in names.items()}
    plain, coarse, again = (runner.outputs(every, feeds) for feeds in ({}, rounded, {}))
    found: dict[str, Any] = {}
    for stage, answers in (("plain", plain), ("coarse", coarse), ("again", again)):
        found |= {f"{stage} {number} {name}": answer[name] for number, answer in enumerate(answers) for name in answer}
    means = runner.means(every, changes, [shadow(op) for op in names])
    found |= {f"mean {name}": mean for name, mean in zip(names.values(), means, strict=True)}
    spreads = runner.covariances(every, products)
    return found | {f"spread {name}": spread for name, spread in zip(products, spreads, strict=True)}


def square(number: int) -> int:
    return number * number


def read_text(path: Path) -> str:
    return path.read_text()


def process(_: object) -> int:
    return os.getpid()


def modules(_: object) -> list[str]:
    return sorted(sys.modules)


def crash(number: int) -> None:
    os.write(2, b"the last words\n")
    os.kill(os.getpid(), number)


def leave(status: int) -> None:
    os._exit(status)


def fail(text: str) -> None:
    raise ValueError(text)


def refuse(where: str) -> None:
    raise SourceError("is damaged", where=where, hint="Save it again")


def speak(text: str) -> str:
    print(text)  # noqa: T201
    os.write(1, b"and from C++\n")
    return text


def make_pipe(pool: ConversionPool) -> str:
    """Make a pipe in the folder of the one worker, by which ``wait_forever`` tells that it has begun."""
    pool.submit(square, 1).result()
    pipe = pool._all[0].folder / "out" / "started"
    os.mkfifo(pipe)
    return str(pipe)


def wait_forever(pipe: str) -> None:
    Path(pipe).write_text(str(os.getpid()))
    threading.Event().wait()


if __name__ == "__main__":
    pool_tasks = importlib.import_module("tests.helpers.pool_tasks")  # by the name that workers know it by
    with ConversionPool(1, reads=code) as pool:
        pipe = pool_tasks.make_pipe(pool)
        sys.stdout.write(f"{pool._all[0].process.pid}\n{pipe}\n")
        sys.stdout.flush()
        if sys.argv[1] == "busy":
            pool.submit(pool_tasks.wait_forever, pipe)
        signal.pause()


def kept_from_collections(_: object) -> int:
    """Give how many objects the collections of a process that has converted something never look at."""
    import gc

    from builder.convert import worker

    worker.versions()
    return gc.get_freeze_count()


def moved_names(_: object) -> list[str]:
    """Give what of the table of private names is not there, takes other parameters, or is not used where it was."""
    import inspect

    from builder.convert import stock
    from builder.convert.keras_ends import ends_of
    from builder.convert.session import load_keras, load_tensorflow

    tf = load_tensorflow()
    moved = []
    for item in stock.private_names:
        try:
            found = stock.look_up(item.module, item.name)
        except ShardpressError as error:
            moved.append(str(error))
            continue
        if item.parameters:
            known = inspect.signature(found).parameters
            moved += [f"{item.address} takes no {name}" for name in item.parameters if name not in known]
    converter = sys.modules["tensorflowjs.converters.tf_saved_model_conversion_v2"]
    if "fold_batch_norms" not in converter.optimize_graph.__code__.co_names:
        moved.append("optimize_graph does not call what fold_batch_norms is replaced by")
    for generation, tree in ((2, tf.nest), (3, load_keras(3).tree)):
        keras = load_keras(generation)
        into = keras.Input((2,), name="into")
        chain = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, name="out")])
        for model in (keras.Model({"into": into}, keras.layers.Dense(1, name="out")(into)), chain):
            ends = ends_of(model, tree)
            if ends is None or ends.outputs != ["out"]:
                moved.append(f"Keras {generation} has the ends of a {type(model).__name__} elsewhere: {ends}")
    return moved
