"""What a device can do: golden samples, the choice of a backend, fallbacks, warm-up, lost graphics contexts, leaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from builder.cli.main import main
from tests.helpers import tiny
from tests.helpers.browsing import chromium, without_workers
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.es2017.min.js"

page_text = """<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<script src="tf.min.js"></script><script type="module">
window.loader = await import("./dist/cdn/loader.js");
window.events = [];
loader.configure({ tf, onEvent: (event) => events.push(event) });
window.x = Float32Array.from({ length: 24 }, (_, i) => i / 24 - 0.5);
window.ask = (model) => tf.tidy(() => Array.from(model.execute({ x: tf.tensor2d(x, [1, 24]) }, "logits").dataSync()));
document.documentElement.dataset.ready = "";
</script>
"""

# A backend that computes as cpu does, but for the product, which comes out wrong; it claims to be the best one.
wrong_backend = """() => {
  const { constructor } = tf.findBackend("cpu");
  tf.registerBackend("webgpu", () => new constructor(), 9);
  for (const kernel of tf.getKernelsForBackend("cpu")) {
    const kernelFunc = (args) => {
      const { inputs, backend } = args;
      const a = ["BatchMatMul", "_FusedMatMul"].includes(kernel.kernelName) && backend.data.get(inputs.a.dataId);
      if (!a) return kernel.kernelFunc(args);
      const { values } = a;
      a.values = values.map((value) => -value);
      try {
        return kernel.kernelFunc(args);
      } finally {
        a.values = values;
      }
    };
    tf.registerKernel({ ...kernel, backendName: "webgpu", kernelFunc });
  }
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--use-angle=swiftshader", "--enable-unsafe-swiftshader") as running:
        yield running


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("device")
    tiny.graph_model(folder / "source")
    (folder / "node_modules").symlink_to(root / "node_modules")
    rows = [f"word{n} " + " ".join(str(value) for value in np.cos(np.arange(8) * n + n)) for n in range(300)]
    (folder / "words.vec").write_text("\n".join(["300 8", *rows]) + "\n")
    (folder / "build.toml").write_text(
        '[models.tiny]\nsource = "source/model.json"\n[models.words]\nsource = "words.vec"\n'
    )
    assert main(["--config", str(folder / "build.toml"), "--fast", "--strict", "-q"]) == 0
    (folder / "tf.min.js").write_bytes(runtime.read_bytes())
    (folder / "index.html").write_text(page_text)
    return folder


@pytest.fixture
def site(built: Path) -> Iterator[Site]:
    with serve(built) as running:
        yield running


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Give a page of a visitor who has never been here; what its console says is in ``page.said``."""
    context = browser.new_context()
    context.set_default_timeout(120_000)
    opened = context.new_page()
    opened.goto(site.url + "index.html")
    opened.wait_for_selector("html[data-ready]", state="attached")
    yield opened
    context.close()


def expected() -> np.ndarray:
    tensors = tiny.weights()
    x = np.arange(24, dtype=np.float32) / 24 - 0.5
    return x @ tensors["kernel"] + tensors["bias"]


def near(values: Any) -> bool:
    return bool(np.abs(np.array(values) - expected()).max() < 1e-4)


def test_a_head_holds_a_small_sample(built: Path) -> None:
    manifest = json.loads((built / "dist/manifest.json").read_bytes())
    head = json.loads((built / "dist/cdn" / manifest["models"]["tiny"]["head"]["url"]).read_bytes())
    sample = head["sample"]
    assert sample["inputs"] == [["x", "float32", [1, 24], 0]]
    assert [output[:2] for output in sample["outputs"]] == [["probs", 10], ["logits", 10]]
    assert sample["tolerance"] == 0.01
    assert 0 < sample["base"] < 0.1
    assert len(json.dumps(sample)) < 2000


def test_the_first_backend_that_answers_right_is_taken(page: Page) -> None:
    page.evaluate("() => tf.setBackend('cpu')")
    page.evaluate(wrong_backend)
    result = page.evaluate("""async () => {
      await tf.setBackend("webgpu");
      const handle = loader.models.tiny.load();
      await handle.full;
      const wrong = await handle.selfTest();
      const picked = await handle.pickBackend();
      const answer = ask(await handle.ready);
      const before = tf.memory().numTensors;
      await handle.selfTest();
      const kept = tf.memory().numTensors - before;
      handle.dispose();
      return { wrong, picked, answer, kept, left: tf.memory().numTensors, backend: tf.getBackend() };
    }""")
    assert result["wrong"]["passed"] is False
    assert result["wrong"]["backend"] == "webgpu"
    assert result["wrong"]["error"] > 0.1
    assert result["picked"]["passed"] is True
    assert result["picked"]["backend"] == result["backend"] == "webgl"
    assert near(result["answer"])
    assert (result["kept"], result["left"]) == (0, 0)


@pytest.mark.parametrize("why", ["memory", "answers"])
def test_a_device_that_is_too_weak_asks_the_fallback(page: Page, site: Site, why: str) -> None:
    page.evaluate("() => tf.setBackend('cpu')")
    if why == "memory":
        page.evaluate("() => Object.defineProperty(navigator, 'deviceMemory', { value: 0.25 })")
    else:
        page.evaluate(wrong_backend)
        page.evaluate("() => { for (const name of ['webgl', 'cpu']) tf.removeBackend(name); }")
        page.evaluate("() => tf.setBackend('webgpu')")
    site.forget()
    result = page.evaluate("""async () => {
      const handle = loader.models.tiny.load({ fallback: async (given) => ["elsewhere", given] });
      const answers = [await handle.run("a picture"), await handle.run("another")];
      const code = await loader.models.tiny.load({ fallback: () => 1 }).pickBackend().catch(({ code }) => code);
      handle.dispose();
      return { answers, can: loader.models.tiny.canRun(), code };
    }""")
    assert result["answers"] == [["elsewhere", "a picture"], ["elsewhere", "another"]]
    assert result["can"] == (why == "answers")
    assert result["code"] == "runtime"
    assert bool(site.paths("/dist/cdn/assets/")) == (why == "answers")


def test_a_device_that_is_able_does_not_ask_the_fallback(page: Page) -> None:
    result = page.evaluate("""async () => {
      const handle = loader.models.tiny.load({ fallback: () => "elsewhere" });
      await handle.full;
      const input = tf.tensor2d(x, [1, 24]);
      const { logits, probs } = await handle.run({ x: input });
      const values = Array.from(await logits.data());
      tf.dispose([input, logits, probs]);
      handle.dispose();
      return values;
    }""")
    assert near(result)


def test_word_vectors_have_no_backend_to_test(page: Page) -> None:
    codes = page.evaluate("""async () => {
      const handle = loader.models.words.load({ warmup: true });
      await handle.full;
      return Promise.all([handle.selfTest(), handle.pickBackend()].map((asked) => asked.catch(({ code }) => code)));
    }""")
    assert codes == ["contract", "contract"]


def test_a_model_comes_back_after_a_lost_graphics_context_without_a_network(page: Page, site: Site) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    assert page.evaluate("tf.ready().then(() => tf.getBackend())") == "webgl"
    before = page.evaluate("""async () => {
      window.handle = loader.models.tiny.load();
      window.model = await handle.full;
      return ask(model);
    }""")
    assert near(before)
    # The module that brings models back is there before it is needed.
    page.wait_for_function(
        "performance.getEntriesByType('resource').some(({ name }) => /device[.][0-9a-f]{16}/.test(name))"
    )
    tensors = page.evaluate("tf.memory().numTensors")
    page.context.set_offline(True)
    for _ in range(2):
        site.forget()
        page.evaluate(
            "() => { events.length = 0; tf.backend().gpgpu.gl.getExtension('WEBGL_lose_context').loseContext(); }"
        )
        page.wait_for_function("events.some(({ type }) => type === 'recovery' || type === 'failure')")
        assert page.evaluate("events.map(({ type, backend }) => [type, backend])") == [["recovery", "webgl"]]
        assert near(page.evaluate("ask(model)"))
        assert page.evaluate("handle.ready.then((same) => same === model)")
        assert page.evaluate("tf.memory().numTensors") == tensors
        assert site.requests == []
    assert page.evaluate("handle.selfTest()")["passed"]
    page.evaluate("handle.dispose()")
    assert page.evaluate("tf.memory().numTensors") == 0
    assert not [text for text in said if "CONTEXT_LOST" not in text and "ReadPixels" not in text], said


def test_shaders_are_compiled_beside_the_page_and_nothing_else_sees_them_before(page: Page) -> None:
    assert page.evaluate("tf.ready().then(() => tf.getBackend())") == "webgl"
    page.evaluate("""() => {
      const backend = tf.backend();
      // Software rendering has no such extension; the link status is an answer too, if not one without waiting.
      backend.gpgpu.parallelCompilationExtension ??= { COMPLETION_STATUS_KHR: backend.gpgpu.gl.LINK_STATUS };
      window.log = [];
      window.runs = 0;
      // Warming up may begin at any time from now on, so whatever looks at it is there before the load.
      const { execute } = tf.GraphModel.prototype;
      tf.GraphModel.prototype.execute = function (...args) {
        runs++;
        return execute.apply(this, args);
      };
      const { checkCompileCompletionAsync: check } = backend;
      backend.checkCompileCompletionAsync = async function () {
        const answer = check.call(this);
        log.push("compiling");
        await answer;
        // An answer meanwhile is right, though shaders of the same kind are under way.
        log.push(...ask(await handle.full));
      };
      window.handle = loader.models.tiny.load({ warmup: true });
    }""")
    # The first run only compiles, the one meanwhile is ours, the third warms up.
    page.wait_for_function("runs === 3")
    result = page.evaluate("""async () => {
      const { binaryCache } = tf.backend();
      const programs = Object.keys(binaryCache).length;
      const answer = ask(await handle.full);
      const later = Object.keys(binaryCache).length;
      handle.dispose();
      return { log, programs, later, answer, flag: tf.env().get("ENGINE_COMPILE_ONLY") };
    }""")
    page.wait_for_function("tf.memory().numTensors === 0")
    assert near(result["answer"])
    assert result["flag"] is False
    assert result["programs"] > 0
    assert result["log"][0] == "compiling"
    assert near(result["log"][1:])
    # What was compiled beside the page is what its runs use.
    assert result["later"] == result["programs"]


@pytest.mark.parametrize("backend", ["cpu", "webgl"])
def test_a_hundred_loads_leave_nothing_behind(page: Page, backend: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    result = page.evaluate(
        """async (backend) => {
      await tf.setBackend(backend);
      const once = async (stage) => {
        const handle = loader.models.tiny.load();
        const answer = ask(await handle[stage]);
        handle.dispose();
        return answer;
      };
      await once("full");
      const level = { ...tf.memory() };
      let last;
      for (let round = 0; round < 100; round++) last = await once(round % 3 ? "full" : "ready");
      last = await once("full");
      const { numTensors, numBytes, numDataBuffers, numBytesInGPUAllocated } = tf.memory();
      return { level, now: { numTensors, numBytes, numDataBuffers, numBytesInGPUAllocated }, last };
    }""",
        backend,
    )
    assert near(result["last"])
    level, now = result["level"], result["now"]
    assert (level["numTensors"], level["numBytes"]) == (0, 0)
    assert {name: level.get(name) for name in now if now[name] is not None} == {
        name: value for name, value in now.items() if value is not None
    }
    assert without_workers(page)
    # Reading pixels at once is this test's own way.
    assert not [text for text in said if "ReadPixels" not in text], said
