"""What the templates give: JavaScript that type-checks, stays small and touches nothing when it is imported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import brotli
import pytest

from builder.bundle.modules import module_templates
from builder.bundle.render import render, render_loader, render_module, render_package, render_worker
from builder.errors import ShardpressError

root = Path(__file__).resolve().parents[2]
empty: dict[str, Any] = {"format": 1, "release": "0" * 16, "models": {}}
entry = ["a" * 64, 1234, "manual", "normal", "graph-model", 5678, 4321]
models = [
    {
        "name": "faces",
        "kind": "graph-model",
        "inputs": ["image"],
        "outputs": ["boxes", 'a"b</script>'],
        "load": "now",
        "stages": ["detect", "refine"],
        "labels": ["face", "no face"],
    },
    {
        "name": "ears",
        "kind": "graph-model",
        "inputs": ["wave"],
        "outputs": ["y"],
        "load": "manual",
        "stages": ["base"],
        "labels": ["silence", "speech"],
        "answer": "classes",
        "hears": True,
    },
    {
        "name": "words-2",
        "kind": "layers-model",
        "inputs": [],
        "outputs": ["y"],
        "load": "manual",
        "stages": ["base"],
        "labels": [],
    },
    {
        "name": "words-3",
        "kind": "word-vectors",
        "inputs": ["word"],
        "outputs": ["vector"],
        "load": "idle",
        "stages": ["base"],
        "labels": [],
    },
    *(
        {
            "name": name,
            "kind": "graph-model",
            "inputs": ["x"],
            "outputs": ["y"],
            "load": "idle",
            "stages": ["rung:1", "rung:2"],
            "labels": [],
            "ladder": form,
            "answer": "classes",
        }
        for name, form in (("steps", "tensors"), ("strides", "run"))
    ),
    {
        "name": "far",
        "kind": "graph-model",
        "inputs": ["x"],
        "outputs": ["y"],
        "load": "idle",
        "stages": ["base"],
        "labels": [],
        "thread": "worker",
    },
]
package = render_package(
    {**empty, "models": {"faces": entry, "ears": entry, "words-2": entry, "words-3": entry}},
    models,
    "my-models",
    "1.2.3",
)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed; give what it printed."""
    parts = [str(part) for part in command]
    done = subprocess.run(parts, cwd=cwd, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def type_check(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    options = {"target": "es2022", "module": "esnext", "moduleResolution": "bundler", "lib": "es2022,dom", "types": ""}
    flags = ["--strict", "--checkJs", "--allowJs", "--noEmit"]
    for name, value in options.items():
        flags += [f"--{name}", value]
    tsc = str(root / "node_modules" / "typescript" / "bin" / "tsc")
    command = ["node", tsc, *flags, *files]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=120)


def check_types(folder: Path, *files: str) -> None:
    """Run the TypeScript compiler, which must find nothing."""
    done = type_check(folder, *files)
    assert done.returncode == 0, done.stdout + done.stderr


def said_of_types(folder: Path, *files: str) -> str:
    """Give all that the TypeScript compiler finds."""
    return type_check(folder, *files).stdout


def test_the_index_is_in_the_loader_once() -> None:
    index = {**empty, "models": {"zebra": entry, "ant": entry}}
    script = render_loader(index).decode()
    _, after = script.split("const CONFIG=")
    value, _ = json.JSONDecoder().raw_decode(after)
    assert value == index
    assert list(value["models"]) == ["zebra", "ant"]
    assert after.startswith('{"format":1,"release":"0000000000000000","models":{"zebra":["aaaa')


def test_nothing_in_the_index_can_end_a_script_element() -> None:
    hostile = "</script><!--&'\u2028"
    script = render_loader({**empty, "release": hostile}).decode()
    assert not re.search(r"</script|<!--|\u2028", script)
    value, _ = json.JSONDecoder().raw_decode(script.split("const CONFIG=")[1])
    assert value["release"] == hostile
    assert b"</script" not in b"".join(package.values())


def test_the_loader_keeps_its_size() -> None:
    assert len(brotli.compress(render_loader(empty), quality=11)) <= 10_000


def test_the_worker_is_the_same_for_all_and_small() -> None:
    assert render_worker() == render_worker()
    assert len(brotli.compress(render_worker(), quality=11)) <= 1500


@pytest.mark.parametrize("name", module_templates)
def test_a_module_is_the_same_for_all_and_small(name: str) -> None:
    assert render_module(name) == render_module(name)
    assert render_module(name).startswith(b"/*! Shardpress ")
    most = {"thread": 6500, "worker": 12_000}.get(name, 5000)  # the worker holds the loader's own code
    assert len(brotli.compress(render_module(name), quality=11)) <= most


def test_the_same_index_gives_the_same_bytes() -> None:
    assert render_loader(empty) == render_loader(dict(empty))


def test_a_missing_value_and_a_missing_template_are_errors() -> None:
    with pytest.raises(ShardpressError, match=r"templates/loader\.js\.j2: .*StrictUndefined"):
        render("loader.js.j2")
    with pytest.raises(ShardpressError, match="'base' is undefined"):
        render("preload.html.j2", pinned="loader.0.js", modules=[], preloads=[])
    with pytest.raises(ShardpressError, match=r"templates/nothing\.j2"):
        render("nothing.j2")


def test_the_sites_worker_brings_in_the_bundles() -> None:
    text = render("site-sw.js.j2", base="https://cdn.test/", worker="sw.0.js")
    assert 'base: "https://cdn.test/"' in text
    assert 'importScripts("https://cdn.test/sw.0.js");' in text


def test_the_preload_snippet_escapes_addresses() -> None:
    text = render(
        "preload.html.j2",
        base='./c"dn/',
        pinned="loader.0.js",
        modules=["tf.0.js"],
        preloads=["assets/a.json", "assets/<b>.bin"],
    )
    assert '<link rel="modulepreload" href="./c&#34;dn/loader.js">' in text
    assert '<link rel="modulepreload" href="./c&#34;dn/loader.0.js">' in text
    assert '<link rel="modulepreload" href="./c&#34;dn/tf.0.js">' in text
    assert '<link rel="preload" as="fetch" crossorigin href="./c&#34;dn/assets/&lt;b&gt;.bin">' in text


def test_the_preload_snippet_has_a_header_line() -> None:
    text = render(
        "preload.html.j2", base="https://cdn.test/", pinned="loader.0.js", modules=[], preloads=["a.json", "b.bin"]
    )
    (line,) = [line for line in text.splitlines() if line.startswith("Link: ")]
    assert line.removeprefix("Link: ").split(", ") == [
        "<https://cdn.test/loader.0.js>; rel=modulepreload",
        "<https://cdn.test/a.json>; rel=preload; as=fetch; crossorigin",
        "<https://cdn.test/b.bin>; rel=preload; as=fetch; crossorigin",
    ]


def test_the_package_describes_itself() -> None:
    described = json.loads(package["package.json"])
    assert (described["name"], described["version"], described["type"]) == ("my-models", "1.2.3", "module")
    assert described["sideEffects"] is False
    exports = described["exports"]
    targets = [described["main"], described["module"], described["types"], *exports["./inline"].values()]
    targets += [target for way in exports["."].values() for target in way.values()]
    assert {target.removeprefix("./") for target in targets} == {
        "index.js",
        "index.cjs",
        "inline.js",
        "index.d.ts",
        "index.d.cts",
    }
    assert {*described["files"], "package.json"} == set(package)


def test_the_package_has_no_address_of_its_own() -> None:
    assert b"import.meta" not in package["index.js"]
    assert b"import.meta" in render_loader(empty)


touches_nothing = """
const seen = [];
const watched = ["window", "document", "location", "navigator", "self", "crypto", "tf", "fetch", "scheduler", "caches"];
for (const name of watched) {
  Object.defineProperty(globalThis, name, { configurable: true, get() { seen.push(name); return undefined; } });
}
const before = Object.keys(globalThis).length;
const { models, configure, ModelError } = await import("./index.js");
if (seen.length) throw new Error("import touched " + seen);
if (Object.keys(globalThis).length !== before) throw new Error("import left something in the global object");
const handle = models["words-2"].load();
const error = await handle.ready.then(() => undefined, (reason) => reason);
if (!(error instanceof ModelError)) throw error;
console.log(JSON.stringify({ names: Object.keys(models), code: error.code, message: error.message }));
"""


def test_the_package_imports_under_node_and_asks_for_a_base_url(tmp_path: Path) -> None:
    for path, content in package.items():
        (tmp_path / path).write_bytes(content)
    (tmp_path / "use.mjs").write_text(touches_nothing)
    said = json.loads(run("node", "use.mjs", cwd=tmp_path))
    assert said["names"] == ["faces", "ears", "words-2", "words-3"]
    assert said["code"] == "manifest"
    assert "configure({ baseUrl" in said["message"]


@pytest.mark.slow
def test_the_scripts_pass_the_type_checker(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(root / "templates", templates)
    entries = [f"entries/{path.name}" for path in (templates / "entries").iterdir()]
    check_types(templates, "loader/globals.d.ts", "sw.js", *entries, *module_templates.values())
    used_early = re.compile(r"TS2448|TS2450|used before")
    (tmp_path / "small.js").write_bytes(render_loader(empty))
    (tmp_path / "sw.js").write_bytes(render_worker())
    for small in ("small.js", "sw.js"):
        # The minifier has put declarations before what they use.
        assert not used_early.search(said_of_types(tmp_path, small)), small
    (tmp_path / "early.js").write_text("function f() { const [a] = b || []; const b = [1]; return a; }")
    assert used_early.search(said_of_types(tmp_path, "early.js"))
    (templates / "wrong.js").write_text(
        'import { configure } from "./loader/index.js"; configure({ concurrency: "four" });', encoding="utf-8"
    )
    with pytest.raises(AssertionError, match=r"string.*not assignable.*number"):
        check_types(templates, "loader/globals.d.ts", "wrong.js")


uses_types = """
import { models, configure, runtime, ModelError, type Signatures } from "my-models";
import * as tf from "@tensorflow/tfjs";

configure({ tf: () => import("@tensorflow/tfjs"), baseUrl: "https://cdn.test/" });
const faces = models.faces.load({ priority: "high", onProgress: ({ loaded, total }) => loaded / total });
const model = await faces.ready;
const graph: tf.GraphModel = model;
const boxes: tf.Tensor = model.execute({ image: tf.zeros([1]) }, "boxes");
const words: tf.LayersModel = await models["words-2"].load().full;
const output: Signatures["faces"]["outputs"] = 'a"b</script>';
const policy: "now" = models.faces.policy;
await tf.loadGraphModel(models.faces.ioHandler());
const fit: boolean = models.faces.canRun() && (await faces.pickBackend()).passed;
const stage: "detect" | "refine" = ({} as Signatures["faces"]["stages"]);
await faces.until("detect");
const first: "face" | undefined = faces.labels?.[0];
console.log(stage, first);
// @ts-expect-error
await faces.until("nothing");
// @ts-expect-error
const wrongLabel: "cat" | undefined = faces.labels?.[0];
const weak = models.faces.load({ contract: "0", fallback: async () => 0 });
const error: number | undefined = (await weak.selfTest()).error;
console.log(fit, error, await runtime(), models.faces.older?.status());
console.log(graph, boxes, words, output, policy, new Error() instanceof ModelError);
// @ts-expect-error
models.nobody;
// @ts-expect-error
const unknown: Signatures["faces"]["outputs"] = "nothing";
// @ts-expect-error
const thenable: PromiseLike<unknown> = faces;
"""


@pytest.mark.slow
def test_the_package_is_required_as_commonjs_and_runs_with_its_modules_inlined(tmp_path: Path) -> None:
    folder = tmp_path / "node_modules" / "my-models"
    folder.mkdir(parents=True)
    for path, content in package.items():
        (folder / path).write_bytes(content)
    (tmp_path / "use.cjs").write_text("""
const { models, configure, ModelError } = require("my-models");
configure({ baseUrl: "https://cdn.test/" });
console.log(JSON.stringify([Object.keys(models), typeof ModelError]));
""")
    assert json.loads(run("node", "use.cjs", cwd=tmp_path)) == [["faces", "ears", "words-2", "words-3"], "function"]
    (tmp_path / "use.mjs").write_text('export * from "my-models/inline"; console.log("imported");')
    assert run("node", "use.mjs", cwd=tmp_path) == "imported\n"
    # In a service worker and in Jest nothing can be imported later.
    assert b'=> import("./' in package["index.js"]
    assert b'=> import("./' not in package["inline.js"]
    for path, content in package.items():
        if path.endswith(".cjs"):
            run("node", "-e", f"require('./{path}')", cwd=folder)
            assert not re.search(rb"^(import|export)\b", content, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compiler", "with_tensorflow"), [("typescript", False), ("typescript-5.0", False), ("typescript-5.6", True)]
)
def test_the_types_are_strict_for_old_and_new_compilers(compiler: str, with_tensorflow: bool, tmp_path: Path) -> None:
    folder = tmp_path / "node_modules" / "my-models"
    folder.mkdir(parents=True)
    for path, content in package.items():
        (folder / path).write_bytes(content)
    if with_tensorflow:
        (tmp_path / "node_modules" / "@tensorflow").symlink_to(root / "node_modules" / "@tensorflow")
    (tmp_path / "use.ts").write_text(uses_any_types)
    (tmp_path / "use.cts").write_text(
        'import my = require("my-models");\nconst stage: "detect" | "refine" = {} as my.Signatures["faces"]["stages"];'
    )
    flags = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom"]
    # The declarations of TensorFlow.js do not pass the check themselves.
    flags += ["--skipLibCheck", "true" if with_tensorflow else "false"]
    tsc = str(root / "node_modules" / compiler / "bin" / "tsc")
    for more in (
        ["--module", "esnext", "--moduleResolution", "bundler", "use.ts"],
        ["--module", "nodenext", "--moduleResolution", "nodenext", "use.cts"],
    ):
        run("node", tsc, *flags, *more, cwd=tmp_path)


uses_any_types = """
import { models, configure, type FileStore, type Tensor } from "my-models";

const store: FileStore = {
  get: async () => undefined,
  put: async (key, bytes) => new Response(bytes).arrayBuffer(),
  keys: async () => [],
  delete: async () => true,
};
configure({ baseUrl: "/models/", store, onEvent: (event) => event.type === "offline" && event.ms });
const model = await models.faces.load().until("detect");
const x = {} as Tensor;
const boxes: Tensor = model.execute({ image: x }, "boxes");
const ladder = models.steps.load();
await ladder.until("rung:2");
const climbing = await ladder.ready;
const step: Tensor = climbing.execute({ x }, "y");
const later: Promise<Tensor> = climbing.executeAsync({ x }, "y");
const rung: number | undefined = ladder.rung;
const why: string[] = (await models.steps.plan()).map((one) => one.why);
const best: number = (await models.strides.load().run(new Uint8Array(1))).score;
console.log(step, later, rung, why, best);
// @ts-expect-error
await ladder.until("base");
// @ts-expect-error
climbing.executor;
const far = await models.far.load().ready;
const described: string = far.inputs[0].name;
const awaited: Promise<any> = far.execute({ x: { data: new Float32Array(1), shape: [1] } }, "y");
const near = models.far.load({ thread: "page" }).ready.then((model) => model.predict(0 as unknown as Tensor));
const apart = await models.faces.load({ thread: "worker" }).full;
const moved = await apart.predict({ data: [1], shape: [1], dtype: "int32" });
const known: Promise<boolean> = models["words-3"].load({ thread: "worker" }).ready.then((words) => words.has("a"));
console.log(described, awaited, near, moved, known);
// @ts-expect-error
models.far.load({ thread: "elsewhere" });
const closed = await models.strides.load().full;
closed.dispose();
// @ts-expect-error
closed.execute;
const shape: number[] = boxes.shape;
const label: "face" | undefined = models.faces.load().labels?.[0];
const heard = await models.ears.load().run({ samples: new Float32Array(9), rate: 16000 });
const ends: number[] = heard.map(({ end, answer }) => end * answer.score);
const listening = await models.ears.load().run(await navigator.mediaDevices.getUserMedia({ audio: true }));
for await (const { start, answer } of listening) if (answer.index > start) listening.stop();
const video = document.createElement("video");
for await (const { answer, time, dropped } of models.strides.load().frames(video, { every: 2 })) {
  ends.push(answer.score, time, dropped);
}
console.log(shape, label, ends);
// @ts-expect-error
models.faces.load().until("nothing");
export {};
"""


@pytest.mark.slow
def test_the_package_knows_names_as_literals(tmp_path: Path) -> None:
    folder = tmp_path / "node_modules" / "my-models"
    folder.mkdir(parents=True)
    for path, content in package.items():
        (folder / path).write_bytes(content)
    (tmp_path / "node_modules" / "@tensorflow").symlink_to(root / "node_modules" / "@tensorflow")
    (tmp_path / "use.ts").write_text(uses_types)
    check_types(tmp_path, "--skipLibCheck", "use.ts")
    shutil.rmtree(folder)
