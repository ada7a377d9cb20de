"""How often pages and the reference pipeline answer alike: ``python bench/answers.py [NAME …] [--keep FOLDER]``.

Builds models that others have published (``onnx_models.py``, ``tflite_models.py``), with a picture and an answer
each, and runs them in headless Chromium by ``load().run(picture)`` on 50 photographs out of packages. Beside it goes
the reference: Pillow and ``builder/answers/picture.py``, ONNX Runtime, LiteRT or plain TensorFlow.js on the source
itself, and ``builder/answers/``. Agreement is the share of equal labels; 2 · matches / boxes of both, of the same
class and an IoU of 0.9, where a box nearer than 0.02 to the least score may be on one side only; the IoU of masks;
the share of points within a pixel of the model's picture; the cosine of vectors. Ends with 1 where it is below 0.99
(masks: 0.98).
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root), str(root / "bench")]

import onnx_models  # noqa: E402
import precision_models  # noqa: E402
import tflite_models  # noqa: E402
from packaged import Packaged, bring  # noqa: E402

from builder.answers import boxes, classes, mask, overlaps, points, vector  # noqa: E402
from builder.answers.picture import to_input  # noqa: E402
from builder.config.answers import AnswerTable  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402
from tests.helpers.serving import serve  # noqa: E402

pictures = 50
longest = 1280  # pixels of a photograph's longer side
limits = {"mask": 0.98}
least = 0.99
near = 0.02  # so near to the least score a box may be on one side only
Outputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Subject:
    """A model, and how it takes pictures and gives answers.

    Attributes:
        kind: of the answer.
        picture, answer: the tables of build.toml.
        people: is looked for in portraits.
        shape: of the input, where the model leaves it open.
        labels: of the classes.
    """

    kind: str
    picture: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    people: bool = False
    shape: tuple[str, tuple[int, ...]] | None = None
    labels: tuple[str, ...] = ()


imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
letterboxed = {"fit": "letterbox", "resize": "bilinear"}
signed = {"range": [-1.0, 1.0]}
subjects = {
    "orientation": Subject(
        "classes",
        {"fit": "cover", "share": 0.875, **imagenet},
        labels=("0", "90", "180", "270"),
        shape=("x", (1, 3, 224, 224)),
    ),
    "unsafe": Subject(
        "classes",
        {"channels": "bgr", "range": [0, 255], "mean": [104.0, 117.0, 123.0]},
        shape=("input:0", (1, 224, 224, 3)),
    ),
    "yolo": Subject(
        "boxes",
        {**letterboxed, "colour": [114, 114, 114]},
        {"format": "yolo"},
        people=True,
        shape=("images", (1, 3, 320, 320)),
        labels=tuple(map(str, range(18))),
    ),
    "face-detection": Subject("boxes", {**letterboxed, **signed}, {"format": "blazeface"}, people=True),
    "face-detection-full": Subject("boxes", {**letterboxed, **signed}, {"format": "blazeface"}, people=True),
    "palms": Subject("boxes", letterboxed, {"format": "blazeface"}, people=True),
    "layout": Subject(
        "boxes",
        {"channels": "bgr", **imagenet},
        {
            "boxes": ["transpose_1.tmp_0", "transpose_3.tmp_0", "transpose_5.tmp_0", "transpose_7.tmp_0"],
            "scores": ["transpose_0.tmp_0", "transpose_2.tmp_0", "transpose_4.tmp_0", "transpose_6.tmp_0"],
            "decode": "distances",
            "bins": 8,
            "anchors": [{"stride": stride} for stride in (8, 16, 32, 64)],
            "score": 0.3,
        },
    ),
    "captcha-boxes": Subject(
        "boxes",
        {**letterboxed, "range": [0, 255], "channels": "bgr"},
        {"format": "yolo", "family": "x"},
        labels=("letter",),
    ),
    "selfie": Subject("mask", {"resize": "bilinear"}, people=True),
    "selfie-landscape": Subject("mask", {"resize": "bilinear"}, {"threshold": 0.5}, people=True),
    "focus": Subject("mask", {"resize": "bilinear", **imagenet}, shape=("input_image", (1, 3, 224, 224))),
    "face-landmarks": Subject(
        "points",
        letterboxed,
        {"output": "conv2d_21", "order": "xyz", "scores": "conv2d_31", "activation": "sigmoid"},
        people=True,
    ),
    "hand": Subject("points", letterboxed, {"output": "Identity", "order": "xyz", "scores": "Identity_1"}, people=True),
    "pose": Subject(
        "points", letterboxed, {"output": "Identity", "order": "xyzs_", "activation": "sigmoid"}, people=True
    ),
    "style-predict": Subject("vector", {"resize": "bilinear"}),
    "face-description": Subject(
        "vector", {"range": [0, 255], "resize": "bilinear"}, {"output": "global_pooling/Mean"}, people=True
    ),
}
graph_models = {
    "face-description": Packaged(
        "npm",
        "@vladmandic/human",
        "3.3.6",
        "MIT",
        "package/models/faceres.json",
        "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
        "faces, their description",
        beside=(("package/models/faceres.bin", "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b"),),
    ),
}
known = {**onnx_models.models, **tflite_models.models, **graph_models}

page = """async ([name, file]) => {
  const { models } = await import("/dist/cdn/loader.js");
  window.handles ??= {};
  const handle = (handles[name] ??= models[name].load({ when: "now" }));
  await handle.full;
  const blob = await (await fetch(file)).blob();
  const begun = performance.now();
  const answer = await handle.run(blob);
  const ms = performance.now() - begun;
  const { data } = answer;
  if (data) {
    let text = "";
    for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
    return { ms, answer: { soft: answer.soft, width: answer.width, height: answer.height, data: btoa(text) } };
  }
  return { ms, answer: answer.values instanceof Float32Array ? [...answer.values] : answer };
}"""


def toml(value: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {toml(item)}' for key, item in value.items())} }}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list | tuple) else json.dumps(value)


def project(chosen: Sequence[str], files: Mapping[str, Path], folder: Path) -> None:
    """Write a build.toml, and build it."""
    lines = ["[runtime]", "build = true", 'backends = ["wasm", "cpu"]']
    for name in chosen:
        subject = subjects[name]
        lines += ["", f"[models.{name}]", f'source = "{files[name].resolve()}"', known[name].settings]
        if subject.labels:
            (folder / f"{name}.txt").write_text("\n".join(subject.labels))
            lines.append(f'labels = "{name}.txt"')
        if subject.shape:
            lines.append(f'inputs = {{ "{subject.shape[0]}" = {{ shape = {list(subject.shape[1])} }} }}')
        lines += [f"picture = {toml(subject.picture)}", f"answer = {toml({'kind': subject.kind, **subject.answer})}"]
        lines += [f"[models.{name}.verify]", f"max_error = {known[name].error}"]
    (folder / "build.toml").write_text("\n".join(lines) + "\n")
    command = [sys.executable, str(root / "build.py"), "--config", str(folder / "build.toml"), "--fast"]
    subprocess.run(command, cwd=root, check=True, timeout=3600)


def photographs(people: bool, work: Path, folder: Path) -> list[Path]:
    """Write 50 photographs as PNG: what decoders make of a JPEG is another question."""
    groups = (
        (precision_models.evaluation_people, precision_models.calibration_people, precision_models.evaluation_photos)
        if people
        else (precision_models.evaluation_photos, precision_models.calibration_photos)
    )
    found = []
    for photo in dict.fromkeys(item for group in groups for item in group):
        if len(found) == pictures:
            break
        path = folder / f"{'people' if people else 'photo'}-{len(found):02}.png"
        if not path.exists():
            (image,) = precision_models.photos(work, (photo,))
            image.thumbnail((longest, longest))
            image.save(path, icc_profile=None)  # browsers convert colours by it, the reference does not
        found.append(path)
    return found


def in_node(path: Path, output: str) -> Callable[[dict[str, np.ndarray]], Outputs]:
    """Give what runs a TensorFlow.js graph model as it is, in a process that ends with this one."""
    command = ["node", str(root / "bench" / "graph_model.mjs"), str(path), output]
    node = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(given: dict[str, np.ndarray]) -> Outputs:
        (array,) = given.values()
        values = base64.b64encode(array.astype("<f4").tobytes()).decode()
        assert node.stdin
        assert node.stdout
        print(json.dumps({"shape": array.shape, "values": values}), file=node.stdin, flush=True)
        found = json.loads(node.stdout.readline())
        return {output: np.frombuffer(base64.b64decode(found["values"]), "<f4").reshape(found["shape"])}

    return run


def runner(path: Path, output: str) -> Callable[[dict[str, np.ndarray]], Outputs]:
    """Give what runs a source in its own runtime."""
    if path.suffix == ".json":
        return in_node(path, output)
    if path.suffix == ".onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [item.name for item in session.get_outputs()]
        return lambda given: dict(zip(names, session.run(names, given), strict=True))
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()

    def run(given: dict[str, np.ndarray]) -> Outputs:
        (array,) = given.values()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], array)
        interpreter.invoke()
        details = interpreter.get_output_details()
        return {item["name"].removesuffix(":0"): interpreter.get_tensor(item["index"]) for item in details}

    return run


def answer_of(head: Mapping[str, Any], outputs: Outputs, frame: Any) -> Any:
    """Give the answer of the reference."""
    table, labels = msgspec.convert(head["answer"], AnswerTable), head.get("labels") or ()
    kind = head["answer"]["kind"]
    if kind == "vector":
        return vector.answer(outputs, table)
    if kind == "classes":
        return classes.answer(outputs, table, labels)
    return {"boxes": boxes, "mask": mask, "points": points}[kind].answer(outputs, table, labels, frame)


def same_classes(got: Any, expected: classes.Classes, _: Any, __: float) -> tuple[float, float]:
    return float(got["index"] == expected.index and got.get("label") == expected.label), 1


def same_boxes(got: Any, expected: tuple[boxes.Box, ...], _: Any, score: float) -> tuple[float, float]:
    free, alone = list(got), []
    for other in expected:
        there = np.array([other.x, other.y, other.x + other.width, other.y + other.height])
        for one in free:
            corners = np.array([[one["x"], one["y"], one["x"] + one["width"], one["y"] + one["height"]]])
            if other.index == one["index"] and overlaps.overlap(there, corners)[0] >= 0.9:
                free.remove(one)
                break
        else:
            alone.append(other.score)
    matches = len(expected) - len(alone)
    alone += [one["score"] for one in free]
    return 2 * matches, 2 * matches + sum(found > score + near for found in alone)


def same_mask(got: Any, expected: mask.Mask, _: Any, __: float) -> tuple[float, float]:
    data = np.frombuffer(base64.b64decode(got["data"]), np.uint8).reshape(expected.data.shape)
    there, here = ((array > 127) if expected.soft else (array > 0) for array in (data, expected.data))
    union = (there | here).sum()
    return (float((there & here).sum() / union) if union else 1.0), 1


def same_points(got: Any, expected: tuple[points.Point, ...], frame: Any, __: float) -> tuple[float, float]:
    apart = [
        max(abs(one["x"] - other.x) * frame.scale_x, abs(one["y"] - other.y) * frame.scale_y)
        for one, other in zip(got, expected, strict=True)
    ]
    return sum(distance <= 1 for distance in apart), len(apart)


def same_vector(got: Any, expected: vector.Vector, _: Any, __: float) -> tuple[float, float]:
    return expected.similarity(vector.Vector(np.array(got))), 1


agreements = {
    "classes": same_classes,
    "boxes": same_boxes,
    "mask": same_mask,
    "points": same_points,
    "vector": same_vector,
}


def judge(name: str, source: Path, folder: Path, files: Sequence[Path], give: Callable[[list[str]], Any]) -> list[str]:
    """Give a model's row: how often both agree, and what a page takes for an answer."""
    subject = subjects[name]
    (path,) = (folder / "dist" / "cdn" / "assets").glob(f"{name}.*.json")
    head = json.loads(path.read_bytes())
    run = runner(source, subject.answer.get("output", ""))
    agreed = total = 0.0
    worst, times, things = 1.0, [], 0
    for file in files:
        array, frame = to_input(Image.open(file), head["picture"])
        expected = answer_of(head, run({head["picture"]["input"]: array}), frame)
        got = give([name, f"/pictures/{file.name}"])
        times.append(got["ms"])
        part, whole = agreements[subject.kind](got["answer"], expected, frame, head["answer"].get("score", 0.0))
        agreed, total = agreed + part, total + whole
        worst = min(worst, part / whole if whole else 1.0)
        things += len(expected) if isinstance(expected, tuple) else 1
    share = agreed / total if total else 0.0
    right = "yes" if share >= limits.get(subject.kind, least) else "no"
    row = [name, subject.kind, known[name].package, f"{len(files)}", f"{things}"]
    return [*row, f"{share:.4f}", f"{worst:.3f}", f"{np.median(times):.0f} ms", right]


def main() -> int:
    """Build, run and compare; give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*subjects, []], metavar="NAME")
    parser.add_argument("--keep", type=Path, help="folder that keeps models, photographs and packages from run to run")
    options = parser.parse_args()
    chosen = options.names or list(subjects)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="answers-") as temporary:
        kept = (options.keep or Path(temporary)).resolve()
        folder = Path(temporary) / "site"
        shown = folder / "pictures"
        shown.mkdir(parents=True)
        files = bring({name: known[name] for name in chosen}, kept / "models")
        project(chosen, files, folder)
        print(
            "| model | answer | package | pictures | answers | agreement | worst picture | run | enough |\n"
            + "|---" * 9
            + "|"
        )
        with serve(folder) as site, chromium() as browser:
            tab = browser.new_page()
            (folder / "index.html").write_text("<!doctype html>")
            tab.goto(site.url)
            for name in chosen:
                begun = time.monotonic()
                photos = photographs(subjects[name].people, kept, shown)
                row = judge(name, files[name], folder, photos, partial(tab.evaluate, page))
                wrong += row[-1] != "yes"
                print(f"| {' | '.join(row)} |", flush=True)
                print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
