"""Make the first rung of the example that names what is on a picture: ``python assets/recipes/student.py [--judge]``.

A MobileNetV2 of width 0.35 with a narrow last layer, an eighth of the teacher's weights, distilled from the teacher
(``mobilenet.py``) on some forty photographs out of packages (``student_pictures.py``). It begins as the teacher cut
down (``student_start.py``) and then learns the teacher's probabilities and what its blocks give, in minutes on two
cores; seeds are fixed and kernels deterministic. So few photographs do not show a thousand classes: the student agrees
on pictures like those that it has seen, and hardly on others. ``--judge`` says how often: it trains another one
without some of the photographs, asks it about those, and writes nothing. Needs what ``python assets/fetch.py`` brings.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mobilenet import Convolution, Network, export, read_teacher, run
from small_savedmodel import assets, hushed
from student_pictures import exams, fingerprint, lessons, photographs
from student_start import Axes, begin

destination = assets / "models" / "student"
edge = 160
features = 160
lesson_count, fitted = 2400, 384
mixed = 0.4  # share of lessons that show two photographs
steps, batch, rate = 480, 32, 6e-4
warmth = 2.0  # temperature of the probabilities
taught = (0, 2, 5, 9, 12, 15, 16)  # blocks whose output is learned: the last of each width
Array = Any


def logits(tf: Any, network: Network, pictures: Array) -> Array:
    """Give the logits of pictures of uint8, [n, 1000]."""
    look = tf.function(
        lambda x: run(tf, network, tf.cast(x, tf.float32) / 255.0)[2],
        input_signature=[tf.TensorSpec([None, *pictures.shape[1:]], tf.uint8)],
    )
    return np.concatenate([look(pictures[start : start + 64]).numpy() for start in range(0, len(pictures), 64)])


def changed(network: Any, change: Any) -> Any:
    """Give the network with every array changed."""
    if isinstance(network, Convolution):
        return Convolution(change(network.kernel), change(network.bias))
    if isinstance(network, tuple):
        return tuple(changed(one, change) for one in network)
    if dataclasses.is_dataclass(network) and not isinstance(network, type):
        fields = {field.name: getattr(network, field.name) for field in dataclasses.fields(network)}
        return type(network)(**{name: changed(value, change) for name, value in fields.items()})
    return network


def learn(tf: Any, student: Network, teacher: Network, axes: tuple[Axes, ...], pictures: Array) -> Network:
    """Give the student after its lessons."""
    variables: list[Any] = []

    def variable(array: Array) -> Any:
        variables.append(tf.Variable(array))
        return variables[-1]

    student = changed(student, variable)
    answers = logits(tf, teacher, pictures)
    guide = dataclasses.replace(teacher, edge=edge)
    optimizer = tf.keras.optimizers.Adam(rate)

    @tf.function  # type: ignore[untyped-decorator]
    def step(shown: Any, wanted: Any) -> None:
        x = tf.cast(shown, tf.float32) / 255.0
        shapes = run(tf, guide, x)[0]
        with tf.GradientTape() as tape:
            mine, _, given = run(tf, student, x)
            soft = tf.nn.softmax(wanted / warmth)
            loss = warmth * tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(soft, given / warmth))
            apart = given - wanted
            apart -= tf.reduce_mean(apart, 1, keepdims=True)
            loss += 0.1 * tf.reduce_mean(tf.square(apart))
            for number in taught:
                one = axes[number]
                along = tf.tensordot(shapes[number] - one.mean, one.axes, 1)
                loss += tf.reduce_mean(tf.reduce_sum(tf.square(mine[number] - along), -1)) / one.spread
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 5.0)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    generator = np.random.default_rng(13)
    order = np.concatenate([generator.permutation(len(pictures)) for _ in range(1 + steps * batch // len(pictures))])
    for number in range(steps):
        falling = 0.5 * (1 + np.cos(np.pi * number / steps)) + 0.01
        optimizer.learning_rate.assign(rate * min(1.0, (number + 1) / 20) * falling)
        chosen = order[number * batch : (number + 1) * batch]
        shown = pictures[chosen]
        step(shown[:, :, ::-1] if generator.random() < 0.5 else shown, answers[chosen])
    return changed(student, lambda one: one.numpy())


def make(tf: Any, teacher: Network, pictures: list[Any]) -> Network:
    """Give a student of some photographs."""
    shown = lessons(pictures, lesson_count, mixed, 5)
    student, axes = begin(tf, teacher, shown[:fitted].astype(np.float32) / 255, edge, features)
    return learn(tf, student, teacher, axes, shown)


def agreement(tf: Any, student: Network, teacher: Network, pictures: Array) -> str:
    """Say how often the student's first answer is the teacher's, and among its first five."""
    wanted, given = (logits(tf, network, pictures) for network in (teacher, student))
    right = wanted.argmax(1)
    among = (np.argsort(-given, 1)[:, :5] == right[:, None]).any(1).mean()
    return f"{(given.argmax(1) == right).mean():.0%} ({among:.0%} among its first five) of {len(right)} crops"


def recipe() -> str:
    """Give what changes when the student would be another one."""
    files = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("student*.py"))]
    return hashlib.sha256(b"".join(files)).hexdigest() + fingerprint()


def main() -> int:
    """Make the student unless it is there; give the exit status."""
    judge = "--judge" in sys.argv[1:]
    made_by, model = destination / "made-by.txt", destination / "model"
    there = (model / "saved_model.pb").is_file() and made_by.is_file() and made_by.read_text() == recipe()
    if there and not judge and "--force" not in sys.argv[1:]:
        print("student: already here")
        return 0
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with hushed():
        tf = importlib.import_module("tensorflow")
    tf.keras.utils.set_random_seed(13)
    tf.config.experimental.enable_op_determinism()
    begun = time.monotonic()
    teacher = read_teacher()
    seen = photographs(unseen=False if judge else None)
    student = make(tf, teacher, seen)
    told = agreement(tf, student, teacher, exams(seen, 10, 17))
    print(f"student: agrees with its teacher on {told}, of photographs that it has learned on", flush=True)
    if judge:
        told = agreement(tf, student, teacher, exams(photographs(unseen=True), 20, 19))
        print(f"student: on {told}, of photographs that it has never seen, after {time.monotonic() - begun:.0f} s")
        return 0
    made_by.unlink(missing_ok=True)
    export(tf, student, model)
    made_by.write_text(recipe())
    print(f"student: made of {len(seen)} photographs in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
