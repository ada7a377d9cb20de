"""The bundle's own TensorFlow.js: what is in it, who is told, and that pages need no other."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from builder.bundle.files import File
from builder.bundle.format import module_url, wasm_url
from builder.bundle.index import read_index
from builder.cache.local import Cache
from builder.cli.main import main
from builder.config.tables import load_config
from builder.errors import ConfigError, ContractError, RuntimeBuildError
from builder.pipeline import bundled_tfjs
from builder.pipeline.bundled_tfjs import BundledTfjs
from builder.pipeline.session import Session
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import read_local
from builder.publish.live import StoredSite, check_live
from builder.publish.plan import Choice
from builder.publish.prune import prune
from builder.tfjs_runtime.bundle import bundle_runtime
from builder.tfjs_runtime.functions import page_functions
from builder.tfjs_runtime.types import Uses, Wanted
from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.deploying import assert_live, build, deployer_of, project, target_of
from tests.helpers.serving import Site, serve

root = Path(__file__).resolve().parents[2]
node_modules = root / "node_modules"


def fused_model(folder: Path) -> Path:
    """Write ``relu(x @ kernel + bias)`` as the one fused op that converters make of it."""
    ops = [base64.b64encode(name).decode() for name in (b"BiasAdd", b"Relu")]
    fusion = {"fused_ops": {"list": {"s": ops}}, "num_args": {"i": "1"}}
    flags = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
    kind = {"type": "DT_FLOAT"}
    constant = {"dtype": kind, "value": {"tensor": {"dtype": "DT_FLOAT"}}}
    nodes = [
        tiny.node("x", "Placeholder", dtype=kind, shape={"shape": tiny.dimensions(-1, tiny.features)}),
        *(tiny.node(name, "Const", **constant) for name in ("kernel", "bias")),
        tiny.node("y", "_FusedMatMul", "x", "kernel", "bias", **fusion, **flags),
    ]
    signature = {
        "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": tiny.dimensions(-1, tiny.features)}},
        "outputs": {"y": {"name": "y:0", "dtype": "DT_FLOAT", "tensorShape": tiny.dimensions(-1, tiny.classes)}},
    }
    topology = {"node": nodes, "library": {}, "versions": {"producer": 1}}
    content = {"format": "graph-model", "signature": signature, "modelTopology": topology}
    return tiny.write(folder, content, tiny.weights())


def configure(folder: Path, runtime: str = "") -> Path:
    """Write a project of three models: one fused op, a loop, a layers model."""
    folder.mkdir(exist_ok=True)
    (folder / "node_modules").symlink_to(node_modules.resolve())
    fused_model(folder / "fused")
    tiny.loop_model(folder / "loop")
    tiny.layers_model(folder / "dense")
    tables = "".join(f'[models.{name}]\nsource = "{name}/model.json"\n' for name in ("fused", "loop", "dense"))
    (folder / "build.toml").write_text(f"[runtime]\nbuild = true\n{runtime}\n{tables}")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project that is built with its own TensorFlow.js."""
    folder = configure(tmp_path_factory.mktemp("made"))
    assert main(["--config", str(folder / "build.toml"), "--fast", "-q"]) == 0
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--use-angle=swiftshader", "--enable-unsafe-swiftshader") as running:
        yield running


@pytest.mark.slow
def test_it_has_what_the_models_and_their_pages_use_and_no_more(made: Path) -> None:
    manifest = json.loads((made / "dist/manifest.json").read_bytes())
    report = json.loads((made / "dist/report.json").read_bytes())
    code = manifest["modules"]["tf"]
    kernels = manifest["runtime"]["kernels"]
    assert {"_FusedMatMul", "BatchMatMul", "Softmax", "FromPixels", "TopK", "ResizeBilinear"} <= set(kernels)
    assert not {"Conv3D", "FusedConv2D", "FFT", "LRN"} & set(kernels)
    assert kernels == sorted(kernels)
    assert report["runtime"]["kernels"] == len(kernels)
    assert report["runtime"]["wire_bytes"] == code["encodings"]["br"]
    assert f"(webgl, wasm, cpu; {len(kernels)} kernels)" in (made / "dist/report.html").read_text()
    text = (made / "dist/cdn" / code["url"]).read_text()
    assert text.startswith("/*! TensorFlow.js 4.")
    assert str(node_modules.resolve()) not in text
    stock = node_modules / "@tensorflow/tfjs/dist/tf.min.js"
    assert code["bytes"] < 0.65 * stock.stat().st_size
    index = read_index((made / "dist/cdn/loader.js").read_bytes())
    assert code["sha256"] == index.modules["tf"]
    for file in manifest["runtime"]["wasm"]:
        assert file["url"] in text
        assert (made / "dist/cdn" / file["url"]).stat().st_size == file["bytes"]
    assert {wasm_url(name, digest) for name, digest in index.wasm.items()} == {
        file["url"] for file in manifest["runtime"]["wasm"]
    }


@pytest.mark.slow
def test_the_same_models_give_the_same_bytes_and_a_second_build_does_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = configure(tmp_path / "elsewhere ü")
    assert main(["--config", str(other / "build.toml"), "--fast", "-q"]) == 0
    names = [sorted(path.name for path in (folder / "dist/cdn").iterdir()) for folder in (made, other)]
    assert names[0] == names[1]
    monkeypatch.setattr("builder.tfjs_runtime.bundle.subprocess.run", lambda *a, **k: pytest.fail("esbuild ran again"))
    monkeypatch.setattr("builder.verify.node.Jobs.run", lambda *a, **k: pytest.fail("Node ran again"))
    capsys.readouterr()
    assert main(["--config", str(other / "build.toml"), "--fast"]) == 0
    said = capsys.readouterr().out
    assert "nothing changed" in said
    assert re.search(r"^TensorFlow\.js 4\.\d+\.\d+: \d+ kB \(webgl, wasm, cpu; \d+ kernels\)", said, re.MULTILINE)


use = """async (backend) => {
  const { models, runtime } = await import("/cdn/loader.js");
  const before = performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname);
  await models.fused.prefetch();
  const unasked = performance.getEntriesByType("resource").some(({ name }) => name.includes("/tf"));
  if (backend) await (await runtime()).setBackend(backend);
  const load = async (name) => {
    const handle = models[name].load();
    return [await handle.full, handle];
  };
  const [fused, one] = await load("fused");
  const tf = await runtime();
  const tensors = tf.memory().numTensors;
  const [dense, two] = await load("dense");
  const [loop, three] = await load("loop");
  const x = tf.linspace(-1, 1, 24).reshape([1, 24]);
  const list = (tensor) => Array.from(tensor.dataSync());
  const answers = {
    fused: list(fused.execute(x)),
    dense: list(dense.predict(x)),
    loop: list(await loop.executeAsync(tf.ones([1, 80]))),
    best: list(tf.topk(dense.predict(x), 2).indices),
    picture: tf.image.resizeBilinear(tf.browser.fromPixels(new ImageData(8, 8)).toFloat().div(255), [4, 4]).shape,
  };
  const used = tf.getBackend();
  for (const handle of [one, two, three]) handle.dispose();
  let lacking = "";
  try {
    tf.conv3d(tf.ones([2, 2, 2, 1]), tf.ones([1, 1, 1, 1, 1]), 1, "same");
  } catch ({ message }) {
    lacking = message;
  }
  return { before, unasked, answers, used, lacking, mine: globalThis.tf === undefined };
}"""


def check_answers(answers: dict[str, Any]) -> None:
    x = np.linspace(-1, 1, tiny.features)[None]
    tensors = tiny.weights()
    expected = np.maximum(x @ tensors["kernel"] + tensors["bias"], 0).ravel()
    scores = tiny.softmax(x).ravel()
    assert np.abs(np.array(answers["fused"]) - expected).max() < 1e-3
    assert np.abs(np.array(answers["dense"]) - scores).max() < 1e-4
    assert np.abs(np.array(answers["loop"]) - (32 + tiny.loop_offset())).max() < 1e-3
    assert answers["best"] == np.argsort(-scores)[:2].tolist()
    assert answers["picture"] == [4, 4, 3]


@pytest.fixture(scope="module")
def site(made: Path) -> Iterator[Site]:
    (made / "dist/index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>x</title><link rel="icon" href="data:,">'
    )
    with serve(made / "dist") as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["", "wasm", "cpu"])
def test_pages_need_no_other_and_it_comes_at_first_need(backend: str, browser: Browser, site: Site) -> None:
    site.forget()
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.goto(f"{site.url}index.html")
    result = page.evaluate(use, backend or None)
    asked = site.paths("/cdn/tf")
    context.close()
    check_answers(result["answers"])
    assert result["used"] == (backend or "webgl")
    assert not result["unasked"]
    assert result["mine"]
    assert "Kernel 'Conv3D' not registered" in result["lacking"]
    manifest = json.loads((site.root / "manifest.json").read_bytes())
    code = f"/cdn/{manifest['modules']['tf']['url']}"
    wasm = [path for path in asked if path.endswith(".wasm")]
    assert [path for path in asked if path not in wasm] == [code]
    assert len(wasm) == (backend == "wasm")
    assert not [text for text in said if "GPU stall" not in text], said


@pytest.mark.slow
def test_a_binary_that_cannot_be_had_leaves_its_turn_to_the_next_backend(browser: Browser, site: Site) -> None:
    site.fail = lambda path: 404 if path.endswith(".wasm") else None
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{site.url}index.html")
    start = "import('/cdn/loader.js').then(({ runtime }) => runtime())"
    try:
        assert page.evaluate(f"{start}.then((tf) => tf.setBackend('wasm'))") is False
        check_answers(page.evaluate(use, "cpu")["answers"])
    finally:
        site.fail = None
        context.close()


@pytest.mark.slow
def test_after_one_visit_it_is_there_without_a_network(browser: Browser, site: Site) -> None:
    (site.root / "site.js").write_bytes((site.root / "sw.js").read_bytes().replace(b"BASE/", b"/cdn/"))
    shutil.copy(site.root / "site.js", site.root / "worker.js")
    text = (site.root / "worker.js").read_text().replace('shell: ["/"]', 'shell: ["/index.html"]')
    (site.root / "worker.js").write_text(text)
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{site.url}index.html")
    page.evaluate("navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)")
    page.wait_for_function("navigator.serviceWorker.controller")
    check_answers(page.evaluate(use, "wasm")["answers"])
    page.close()
    context.set_offline(True)
    site.forget()
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{site.url}index.html")
    check_answers(page.evaluate(use, "wasm")["answers"])
    context.close()
    assert site.requests == []


@pytest.mark.slow
def test_one_that_lacks_a_kernel_is_found_out_and_has_all_instead(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forgetful(*_: Any) -> Uses:
        return Uses((), ("Add", "Cast", "Identity"), ("add",))

    monkeypatch.setattr(bundled_tfjs, "_uses", forgetful)
    out = made / "other"
    assert main(["--config", str(made / "build.toml"), "--fast", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "all kernels" in said.out
    assert "TensorFlow.js has all kernels: dense: " in said.err
    assert "not registered for backend" in said.err
    assert json.loads((out / "manifest.json").read_bytes())["runtime"]["kernels"] is None


@pytest.mark.slow
def test_one_over_its_budget_fails_the_build(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = made / "small.toml"
    small.write_text((made / "build.toml").read_text().replace("build = true", 'build = true\nbudget = "20 kB"'))
    assert main(["--config", str(small), "--fast", "--out", str(made / "small")]) == 1
    assert "are over the budget of 20 kB" in capsys.readouterr().err
    assert not (made / "small/cdn").exists()


train = """async () => {
  const { models, runtime } = await import("/cdn/loader.js");
  const model = await models.fresh.load().full;
  const tf = await runtime();
  model.compile({ optimizer: tf.train.adam(0.05), loss: "categoricalCrossentropy" });
  const x = tf.eye(24);
  const y = tf.oneHot(tf.tensor1d([...Array(24).keys()].map((i) => i % 10), "int32"), 10);
  const { history } = await model.fit(x, y, { epochs: 40, shuffle: false });
  return [history.loss[0], history.loss.at(-1)];
}"""


@pytest.mark.slow
def test_models_without_weights_can_be_trained_with_it(
    tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules.resolve())
    tiny.layers_model(tmp_path / "fresh")
    tables = (
        '[runtime]\nbuild = true\nbackends = ["cpu"]\n[models.fresh]\nsource = "fresh/model.json"\nweights = false\n'
    )
    (tmp_path / "build.toml").write_text(tables)
    assert main(["--config", str(tmp_path / "build.toml"), "--fast"]) == 0
    assert "TensorFlow.js has all kernels: fresh is there to be trained" in capsys.readouterr().err
    (tmp_path / "dist/index.html").write_text("<!doctype html><title>x</title>")
    with serve(tmp_path / "dist") as running:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{running.url}index.html")
        first, last = page.evaluate(train)
        page.close()
    assert last < 0.5 * first


@pytest.mark.slow
def test_a_function_that_does_not_exist_is_named(tmp_path: Path) -> None:
    wanted = Wanted((), ("cpu",), Uses((), (), ("topk", "image.cropAndResize", "topc")))
    with pytest.raises(ConfigError, match=r"no function tf\.topc"):
        bundle_runtime(wanted, node_modules, Cache(tmp_path))


def test_it_has_what_the_loader_itself_calls() -> None:
    plain = {
        *(
            "backend",
            "buffer",
            "dispose",
            "engine",
            "env",
            "findBackendFactory",
            "getBackend",
            "io.decodeWeights",
            "keep",
        ),
        *("loadGraphModel", "registerBackend", "removeBackend", "setBackend", "tensor", "tidy", "zeros"),
    }  # these run no kernel
    folders = (root / "templates/loader", root / "templates/modules")
    text = "".join(path.read_text() for folder in folders for path in sorted(folder.glob("*.js")))
    called = set(re.findall(r"\btf\.([a-zA-Z]+(?:\.[a-zA-Z]+)?)\(", text))
    assert "matMul" in called
    assert called - plain <= set(page_functions)


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Wanted(("tfjs-converter",), ("webgl",), None)
    cache = Cache(tmp_path / "cache")
    with pytest.raises(RuntimeBuildError, match=r"not installed for Node.*npm install --save-dev esbuild @tensorflow/"):
        bundle_runtime(wanted, None, cache)
    with pytest.raises(RuntimeBuildError, match=r"esbuild is not installed"):
        bundle_runtime(wanted, tmp_path, cache)
    for name, version in (("esbuild", "0.28.2"), ("@tensorflow/tfjs-core", "4.20.0")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "package.json").write_text(json.dumps({"version": version}))
    with pytest.raises(RuntimeBuildError, match=r"tfjs-core 4\.20\.0 is not supported"):
        bundle_runtime(wanted, tmp_path, cache)
    monkeypatch.setattr("builder.tfjs_runtime.bundle.shutil.which", lambda name: None)
    with pytest.raises(RuntimeBuildError, match=r"Node is not installed.*build = false"):
        bundle_runtime(wanted, node_modules, cache)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('backends = ["webgl", "gpu"]', "runtime.backends"),
        ("backends = []", "runtime.backends"),
        ('backends = ["cpu", "cpu"]', "named twice"),
        ('kernel = "all"', "Did you mean 'kernels'"),
        ('budget = "much"', "runtime.budget"),
    ],
)
def test_a_wrong_table_is_told(table: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "build.toml"
    path.write_text(f"[runtime]\nbuild = true\n{table}\n")
    with pytest.raises(ConfigError, match=re.escape(says)):
        load_config(path)


def test_what_fails_with_all_kernels_is_told_its_own_way_out() -> None:
    from builder.pipeline.bundled_tfjs import _way_out

    assert '"cpu"' in _way_out("TensorFlow.js cannot run it: kernel X is not registered", ("wasm",))
    for problem, backends in (("output 'y' differs from the source model's", ("wasm",)), ("it fails", ("cpu",))):
        assert '"cpu"' not in _way_out(problem, backends)
        assert "build = false" in _way_out(problem, backends)


def fake(content: bytes, kernels: tuple[str, ...] | None = None) -> Callable[..., BundledTfjs]:
    """Give a stand-in for ``make_bundled_tfjs`` that makes files of these bytes."""

    def make(session: Session, *_: Any, **__: Any) -> BundledTfjs:
        blobs = [session.cache.put(content), session.cache.put(b"\0asm" + content)]
        code = File(module_url("tf", blobs[0].sha256), blobs[0], {})
        wasm = {"tf-simd": File(wasm_url("tf-simd", blobs[1].sha256), blobs[1], {})}
        return BundledTfjs(code, wasm, "4.22.0", ("wasm",), kernels, ())

    return make


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return project(tmp_path / "site", seeds={"a": 1, "b": 2})


def test_a_deploy_carries_checks_and_prunes_it(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_of(deployed)
    deployer = deployer_of(target, grace=-1, keep=1)

    def release(content: bytes) -> set[str]:
        monkeypatch.setattr("builder.pipeline.run.make_bundled_tfjs", fake(content))
        build(deployed)
        deploy(deployer, read_local(deployed / "dist"), Choice(), Silent())
        assert_live(target.store)
        assert check_live(StoredSite(target.store)).problems == ()
        return {path.name for path in (deployed / "public").glob("tf*")}

    first = release(b"export const one = 1;")
    assert {name.partition(".")[0] for name in first} == {"tf", "tf-simd"}
    both = release(b"export const two = 2;")
    assert first < both
    prune(deployer, Silent())
    assert {path.name for path in (deployed / "public").glob("tf*")} == both - first


def test_a_deploy_of_some_models_does_not_change_the_runtime_of_others(
    deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployer = deployer_of(target_of(deployed))

    def release(make: Callable[..., BundledTfjs | None], choice: Choice) -> None:
        monkeypatch.setattr("builder.pipeline.run.make_bundled_tfjs", make)
        build(deployed)
        deploy(deployer, read_local(deployed / "dist"), choice, Silent())

    release(fake(b"export const one = 1;"), Choice())
    text = (deployed / "build.toml").read_text()
    (deployed / "build.toml").write_text(re.sub(r"\[models\.b\]\n.*\n", "", text))
    with pytest.raises(ContractError, match=r"was not run with the live b"):
        release(fake(b"export const two = 2;"), Choice(only=("a",)))
    with pytest.raises(ContractError, match=r"brings TensorFlow\.js with it and this bundle does not"):
        release(lambda *a, **k: None, Choice(only=("a",)))
    (deployed / "build.toml").write_text(text)
    release(fake(b"export const two = 2;"), Choice(only=("a",)))
