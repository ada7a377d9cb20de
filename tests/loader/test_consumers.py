"""``dist/package`` as front-end projects use it: Vite, webpack, a server under Node, TypeScript."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from builder.bundle.render import render_package
from builder.verify.run import find_node_modules
from tests.helpers import tiny
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
package_name = "@acme/tiny-models"

use_models = """
import { configure, models, ModelError } from "@acme/tiny-models";

export async function answer(baseUrl, loadTf, input, backend, fetch = globalThis.fetch) {
  configure({ tf: loadTf, baseUrl, fetch });
  const x = () => tf.tensor2d(input.flat(), [input.length, input[0].length]);
  const faces = models.faces.load();
  const [tf, graph] = await Promise.all([loadTf(), faces.full]);
  await tf.setBackend(backend);
  const probs = graph.execute({ x: x() }, "probs");
  const words = models["two-words"].load();
  const layers = await words.full;
  const scores = layers.predict(x());
  const result = { probs: await probs.array(), scores: await scores.array(), same: (await faces.ready) === graph };
  tf.dispose([probs, scores]);
  faces.dispose();
  words.dispose();
  const lost = await models.lost.load().ready.catch((error) => [error instanceof ModelError, error.code, error.model]);
  return { ...result, lost };
}
"""
page_script = """
import { answer } from "./use-models.js";

window.answer = (input) =>
  answer(new URL("../cdn/", location.href), () => import("@tensorflow/tfjs"), input, "cpu");
"""
page = '<!doctype html><meta charset="utf-8"><title>Tiny</title><link rel="icon" href="data:,">{script}'


@dataclass(frozen=True, slots=True)
class Workshop:
    """A project folder with the package installed, below the root of a site that also has the bundle.

    Attributes:
        app: the project.
        modules: where TensorFlow.js and the bundlers are installed.
        site: serves the folder above the project; the bundle is at ``cdn/``.
        bundle: what the package describes.
    """

    app: Path
    modules: Path
    site: Site
    bundle: tiny.Bundle


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    root = tmp_path_factory.mktemp("consumers")
    modules = find_node_modules(Path(__file__).parent)
    assert modules is not None, "run npm ci"
    sources = {
        "faces": tiny.graph_model(root / "sources" / "faces"),
        "two-words": tiny.layers_model(root / "sources" / "words"),
        "lost": tiny.graph_model(root / "sources" / "lost", tiny.weights(seed=9)),
    }
    bundle = tiny.bundle(root / "cdn", dict(sources))
    next((root / "cdn" / "assets").glob("lost.*.json")).unlink()
    app = root / "app"
    install_package(bundle, app / "node_modules" / package_name)
    (app / "node_modules" / "@tensorflow").symlink_to(modules / "@tensorflow")
    (app / "package.json").write_text('{"private": true, "type": "module"}')
    (app / "use-models.js").write_text(use_models)
    (app / "main.js").write_text(page_script)
    (app / "index.html").write_text(page.format(script='<script type="module" src="./main.js"></script>'))
    with serve(root) as site:
        yield Workshop(app, modules, site, bundle)


def install_package(bundle: tiny.Bundle, folder: Path) -> None:
    types = [
        {
            "name": model.name,
            "kind": model.content.kind,
            "inputs": [spec.name for spec in model.inputs],
            "outputs": [spec.name for spec in model.outputs],
            "load": "manual",
            "stages": list(model.content.stages),
            "labels": [],
        }
        for model in bundle.models
    ]
    folder.mkdir(parents=True)
    for name, content in render_package(bundle.index.encode(), types, package_name, "0.0.0-r1").items():
        (folder / name).write_bytes(content)


def run(workshop: Workshop, program: str, *arguments: str, status: int = 0) -> str:
    """Run a script of an installed package with Node in the project; give all it printed."""
    command = ["node", str(workshop.modules / program), *arguments]
    done = subprocess.run(command, cwd=workshop.app, capture_output=True, text=True, timeout=300, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == status, output
    return output


def tiny_input() -> np.ndarray:
    return np.random.Generator(np.random.PCG64(3)).random((2, tiny.features), dtype=np.float32)


def assert_right(answer: dict[str, Any]) -> None:
    expected = tiny.softmax(tiny_input())
    assert np.abs(np.array(answer["probs"]) - expected).max() < 1e-6
    assert np.abs(np.array(answer["scores"]) - expected).max() < 1e-6
    assert answer["same"] is True
    assert answer["lost"] == [True, "network", "lost"]


def assert_fetches(workshop: Workshop, paths: list[str], *, cache: bool) -> None:
    """Check that the two whole models and the missing head were fetched; what models share only once with a cache."""
    faces, words, lost = (
        next(model for model in workshop.bundle.models if model.name == name) for name in ("faces", "two-words", "lost")
    )
    files = [file for model in (words, faces) for file in model.files]
    urls = {file.blob.sha256 if cache else file.url: file.url for file in files}
    assert sorted(paths) == sorted(f"/cdn/{url}" for url in (*urls.values(), lost.head.url))


def ask_page(workshop: Workshop, browser: Browser, path: str) -> None:
    """Open a built page and check what it computes, what it fetches, and that nothing goes wrong on the way."""
    workshop.site.forget()
    tab = browser.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(workshop.site.url + path)
    tab.wait_for_function("() => Boolean(window.answer)")
    assert workshop.site.paths("/cdn/") == []
    assert_right(tab.evaluate("input => window.answer(input)", tiny_input().tolist()))
    assert faults == []
    assert_fetches(workshop, workshop.site.paths("/cdn/"), cache=True)
    tab.close()


def test_a_vite_app(workshop: Workshop, browser: Browser) -> None:
    run(workshop, "vite/bin/vite.js", "build", "--base", "./", "--outDir", "../vite", "--logLevel", "warn")
    ask_page(workshop, browser, "vite/index.html")


def test_a_webpack_app(workshop: Workshop, browser: Browser) -> None:
    config = workshop.app / "webpack.config.cjs"
    out = workshop.site.root / "webpack"
    settings = {
        "mode": "production",
        "entry": "./main.js",
        "output": {"path": str(out), "filename": "main.js", "publicPath": "auto"},
        "performance": {"hints": False},
        "optimization": {"minimize": False},  # of TensorFlow.js; Vite's build is minified
    }
    config.write_text(f"module.exports = {json.dumps(settings)};")
    run(workshop, "webpack/bin/webpack.js", "--config", str(config))
    (out / "index.html").write_text(page.format(script='<script src="main.js" defer></script>'))
    ask_page(workshop, browser, "webpack/index.html")


server = """
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { answer } from "./use-models.js";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
const [baseUrl, input] = JSON.parse(readFileSync(0, "utf8"));
const asked = [];
const counting = (url, init) => (asked.push(new URL(url).pathname), fetch(url, init));
const result = await answer(baseUrl, async () => tf, input, "cpu", counting);
process.stdout.write("\\n" + JSON.stringify({ ...result, asked }));
"""


def test_a_server_side_import(workshop: Workshop) -> None:
    (workshop.app / "server.js").write_text(server)
    workshop.site.forget()
    done = subprocess.run(
        ["node", "server.js"],
        cwd=workshop.app,
        input=json.dumps([workshop.site.url + "cdn", tiny_input().tolist()]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert_right(answer)
    assert_fetches(workshop, workshop.site.paths("/cdn/"), cache=False)
    assert_fetches(workshop, answer["asked"], cache=False)


bare = """
const before = Object.getOwnPropertyNames(globalThis);
const { models, ModelError } = await import("@acme/tiny-models");
const left = Object.getOwnPropertyNames(globalThis).filter((name) => !before.includes(name));
const error = await models.faces.load().ready.catch((reason) => reason);
console.log(JSON.stringify({ left, known: error instanceof ModelError, code: error.code, message: error.message }));
"""


def test_without_a_base_url_the_package_says_what_to_do(workshop: Workshop) -> None:
    script = workshop.app / "bare.js"
    script.write_text(bare)
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, timeout=60, check=True)
    result = json.loads(done.stdout)
    assert (result["left"], result["known"], result["code"]) == ([], True, "manifest")
    assert "configure({ baseUrl })" in result["message"]


typed = """
import * as tf from "@tensorflow/tfjs";
import { configure, models, ModelError, type ErrorCode, type LoadEvent, type Signatures } from "@acme/tiny-models";

export async function run(): Promise<tf.Tensor> {
  configure({ tf: () => import("@tensorflow/tfjs"), baseUrl: "/models/", onEvent: (event: LoadEvent) => void event });
  const onProgress = ({ loaded, total }: { loaded: number; total: number }) => loaded / total;
  const handle = models.faces.load({ signal: AbortSignal.timeout(1000), onProgress });
  const model = await handle.ready;
  const probs: tf.Tensor = model.execute({ x: tf.zeros([1, 24]) }, "probs");
  const layers: tf.LayersModel = await models["two-words"].load().full;
  const again: tf.GraphModel = await tf.loadGraphModel(models.faces.ioHandler());
  layers.predict(probs);
  again.dispose();
  handle.dispose();
  await models.faces.prefetch();
  const name: "faces" = models.faces.name;
  const input: Signatures["faces"]["inputs"] = "x";
  const output: Signatures["faces"]["outputs"] = "probs";
  void [name, input, output];
  return probs;
}

export const code = (error: unknown): ErrorCode | undefined => (error instanceof ModelError ? error.code : undefined);
"""


def type_check(workshop: Workshop, name: str, text: str, status: int) -> str:
    (workshop.app / name).write_text(text)
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    return run(
        workshop,
        "typescript/bin/tsc",
        *options,
        *("--lib", "es2022,dom,dom.iterable", "--types", "", "--skipLibCheck", name),
        status=status,
    )


def test_typescript_accepts_right_use(workshop: Workshop) -> None:
    type_check(workshop, "right.ts", typed, 0)


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("models.faces.load({", "models.fases.load({", "fases"),
        ('["outputs"] = "probs"', '["outputs"] = "probes"', "probes"),
        ('["inputs"] = "x"', '["inputs"] = "y"', '"x"'),
        ('models["two-words"]', 'models["three-words"]', "three-words"),
        ('const name: "faces"', 'const name: "mesh"', '"mesh"'),
        ("const layers: tf.LayersModel", "const layers: tf.GraphModel", "GraphModel"),
        ("signal: AbortSignal.timeout(1000)", "signals: 1", "signals"),
    ],
)
def test_typescript_refuses_wrong_use(workshop: Workshop, right: str, wrong: str, complaint: str) -> None:
    assert typed.count(right) == 1
    assert complaint in type_check(workshop, "wrong.ts", typed.replace(right, wrong), 1)


def test_the_declarations_are_sound_themselves(workshop: Workshop) -> None:
    declarations = workshop.app / "node_modules" / package_name / "index.d.ts"
    type_check(workshop, "declarations.ts", declarations.read_text(), 0)
