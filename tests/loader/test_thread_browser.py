"""Models off the page's thread in Chromium: a ladder, all kinds of answers, forbidden workers, and a worker's end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from builder.cli.main import main
from tests.helpers.firefox import firefox
from tests.helpers.rungs import labels, ladder_of, write_classifier
from tests.helpers.serving import Site, media_types, serve
from tests.helpers.tints import write_tint
from tests.helpers.word_tables import table, write_text

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
settings = """
[models.tint]
source = "tint/model.json"
picture = { range = [0, 1] }
answer = { kind = "picture", range = [0, 1] }

[models.cut]
source = "tint/model.json"
labels = "labels.txt"
picture = { range = [0, 1] }
answer = "mask"

[models.meaning]
source = "small/model.json"
picture = {}
answer = "vector"

[models.words]
source = "words.txt"
thread = "worker"
"""
begin = """
  const { models, configure } = await import("/models/loader.js");
  const events = [];
  configure({ baseUrl: "/models/", onEvent: (event) => events.push(event), workerTf: "/tf.min.js" });
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 32, height: 24 });
  const context = canvas.getContext("2d");
  context.fillStyle = "#20f030";
  context.fillRect(0, 0, 32, 24);
"""
answers = f"""async () => {{{begin}
  configure({{ workerTf: ["tf.min.js", "tf-backend-wasm.min.js", new URL("/choose.js", location)] }});
  const handle = models.what.load();
  const model = await handle.full;
  const [bitmap, kept] = await Promise.all([createImageBitmap(canvas), createImageBitmap(canvas)]);
  const frame = new VideoFrame(canvas, {{ timestamp: 0 }});
  const blob = await new Promise((done) => canvas.toBlob(done));
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  const pixels = context.getImageData(0, 0, 32, 24);
  const given = [canvas, bitmap, kept, frame, blob, image, pixels, await blob.arrayBuffer()];
  const found = [];
  for (const one of given) found.push((await handle.run(one, {{ transfer: one !== kept }})).label);
  const values = {{ data: new Float32Array(192).fill(0.5), shape: [1, 8, 8, 3] }};
  const {{ shape, dtype, data }} = await (await models.meaning.load({{ thread: "worker" }}).full).predict(values);
  return {{
    found: [...new Set(found)], widths: [bitmap.width, kept.width], rung: handle.rung, page: typeof tf,
    told: [shape, dtype, data.constructor.name],
    stages: events.filter(({{ model }}) => model === "what").map(({{ stage }}) => stage),
    backend: events.at(-1).backend, threads: events.filter(({{ type }}) => type === "thread").length,
  }};
}}"""
alike = f"""async () => {{{begin}
  await import("/tf.min.js");
  await tf.setBackend("cpu");
  const look = async (value) => {{
    if (value instanceof Blob) value = await createImageBitmap(value);
    const kind = value.constructor.name;
    if (value instanceof ImageBitmap) {{
      const drawn = new OffscreenCanvas(value.width, value.height).getContext("2d");
      drawn.drawImage(value, 0, 0);
      value = drawn.canvas;
    }}
    const {{ width, height }} = value;
    const pixels = value instanceof ImageData ? value : value.getContext("2d").getImageData(0, 0, width, height);
    return [kind, pixels.width, ...pixels.data];
  }};
  const all = {{}};
  for (const thread of ["page", "worker"]) {{
    const handles = ["tint", "cut", "meaning", "words"].map((name) => models[name].load({{ thread }}));
    const [tint, cut, meaning, words] = handles;
    const pictures = [];
    for (const as of ["canvas", "imagedata", "bitmap", "blob"]) {{
      pictures.push(await look(await tint.run(canvas, {{ as }})));
    }}
    const mask = await cut.run(canvas);
    const {{ width, height, soft, classes }} = mask;
    const vector = await meaning.run(canvas);
    const table = await words.full;
    const first = (await table.complete("", 3))[0];
    const control = new AbortController();
    const stopped = table.nearest(first, 3, {{ signal: control.signal }}).catch(({{ name }}) => name);
    control.abort();
    all[thread] = {{
      pictures, mask: [width, height, soft, classes, ...mask.data, ...mask.toImageData().data, ...mask.alpha(1)],
      vector: [...vector.values, vector.similarity(vector)],
      wrong: await Promise.resolve().then(() => vector.similarity([1])).catch(({{ code }}) => code),
      words: [table.rows, table.dim, await table.has(first), [...await table.vector(first)]],
      near: [await table.similarity(first, first), await table.nearest(first, 3)],
      nobody: await table.nearest("nobody").catch((error) => `${{error.name}}: ${{error.message}}`),
      stopped: await stopped,
    }};
    for (const one of handles) one.dispose();
  }}
  return all;
}}"""
threaded = f"""async () => {{{begin}
  configure({{ workerTf: ["tf.min.js", "tf-backend-wasm.min.js", new URL("/choose.js", location)] }});
  await tf.setBackend("cpu");
  const found = {{}};
  for (const thread of ["page", "worker"]) {{
    const handle = models.what.load({{ thread }});
    await handle.full;
    found[thread] = await handle.run(canvas);
  }}
  return {{ ...found, isolated: crossOriginIsolated }};
}}"""
forbidden = f"""async () => {{{begin}
  const handle = models.what.load();
  const {{ label }} = await handle.run(canvas);
  await handle.full;
  const {{ why }} = events.find(({{ type }}) => type === "thread");
  const stages = events.filter(({{ model, stage }}) => model === "what" && stage).map(({{ stage }}) => stage);
  return {{ label, why, stages }};
}}"""
ended = f"""async () => {{{begin}
  const workers = [];
  const Own = Worker;
  window.Worker = class extends Own {{
    constructor(...given) {{
      super(...given);
      workers.push(this);
    }}
  }};
  const handle = models.what.load();
  await handle.full;
  const found = [];
  const told = (asked) => events.filter(({{ type }}) => type === asked);
  for (let end = 1; end < 3; end++) {{
    workers.at(-1).terminate();
    while (told("recovery").length < end && !told("failure").length) await new Promise((done) => setTimeout(done, 10));
    found.push((await handle.run(canvas)).label);
  }}
  const why = told("thread").map(({{ why: reason }}) => reason);
  return {{ found, workers: workers.length, why, page: tf.memory().numTensors > 0 }};
}}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a site with models of all kinds."""
    folder = tmp_path_factory.mktemp("thread")
    write_classifier(folder / "small", side=8, hidden=30)
    write_classifier(folder / "large", side=12, hidden=600)
    write_tint(folder / "tint")
    (folder / "labels.txt").write_text("\n".join(labels))
    write_text(folder / "words.txt", *table(60, 8), header=True)
    more = 'labels = "labels.txt"\npicture = {}\nanswer = "classes"\nthread = "worker"'
    rungs = ('source = "small/model.json"', 'source = "large/model.json"')
    (folder / "build.toml").write_text(ladder_of(*rungs, more=more) + settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("builder.verify.run.shutil.which", lambda name: None)
        assert main(["-q", "--fast"]) == 0
    pages = folder / "site"
    pages.mkdir()
    (folder / "dist/cdn").rename(pages / "models")
    (folder / "dist/package").rename(pages / "package")
    (pages / "tf.min.js").write_bytes(runtime.read_bytes())
    wasm = runtime.parents[2] / "tfjs-backend-wasm/dist"
    for path in (wasm / "tf-backend-wasm.min.js", *wasm.glob("*.wasm")):
        (pages / path.name).write_bytes(path.read_bytes())
    (pages / "choose.js").write_text('await tf.setBackend("wasm");')
    (pages / "index.html").write_text("<!doctype html><title>page</title>")
    policy = "<meta http-equiv='Content-Security-Policy' content=\"worker-src 'none'\">"
    script = '<script src="tf.min.js"></script>'
    (pages / "strict.html").write_text(f"<!doctype html><title>page</title>{policy}{script}")
    (pages / "both.html").write_text(f"<!doctype html><title>page</title>{script}")
    with serve(pages) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a page that has stored nothing."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("form", ["models/loader.js", "package/index.js", "package/inline.js"])
def test_a_page_without_tensorflow_runs_a_ladder_in_a_worker(form: str, site: Site, page: Page) -> None:
    page.goto(site.url + "index.html")
    told = page.evaluate(answers.replace("models/loader.js", form))
    assert (told["found"], told["rung"], told["page"]) == (["green"], 2, "undefined")
    assert told["widths"] == [0, 32], "what is not given away stays"
    assert told["told"] == [[1, 3], "float32", "Float32Array"]
    assert told["stages"] == ["head", "rung:1", "rung:2", "full"]
    assert told["backend"] == "wasm"
    assert told["threads"] == 0
    (worker,) = page.workers
    assert worker.evaluate("tf.memory().numTensors") > 0


def test_answers_are_those_of_the_pages_thread(site: Site, page: Page) -> None:
    page.goto(site.url + "index.html")
    found = page.evaluate(alike)
    here, there = found["page"], found["worker"]
    assert [picture[0] for picture in here["pictures"]] == [
        "HTMLCanvasElement",
        "ImageData",
        "ImageBitmap",
        "ImageBitmap",
    ]
    for one, other in zip(here["pictures"], there["pictures"], strict=True):
        assert one[:2] == other[:2]
        assert max(abs(a - b) for a, b in zip(one[2:], other[2:], strict=True)) <= 1, (
            "another backend rounds another way"
        )
    assert there["mask"] == here["mask"]
    assert there["vector"] == pytest.approx(here["vector"], abs=1e-3)
    assert there["wrong"] == here["wrong"] == "contract"
    assert (there["words"], there["near"]) == (here["words"], here["near"])
    assert there["nobody"] == here["nobody"]
    assert "RangeError" in there["nobody"]
    assert there["stopped"] == here["stopped"] == "AbortError"


def test_in_an_isolated_page_the_worker_computes_with_threads(site: Site, page: Page) -> None:
    def isolated(address: str) -> tuple[int, dict[str, str], bytes] | None:
        path = site.root / urlsplit(address).path.lstrip("/")
        policy = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
        return (200, policy | {"Content-Type": media_types[path.suffix]}, path.read_bytes()) if path.is_file() else None

    site.forget()
    site.special = isolated
    try:
        page.goto(site.url + "both.html")
        told = page.evaluate(threaded)
        assert told["isolated"]
        worker = next(one for one in page.workers if "/worker." in one.url)
        assert worker.evaluate("tf.getBackend()") == "wasm"
        assert worker.evaluate("tf.env().getBool('WASM_HAS_MULTITHREAD_SUPPORT')")
        assert site.paths("/tfjs-backend") == ["/tfjs-backend-wasm-threaded-simd.wasm"]
        here, there = told["page"], told["worker"]
        assert (there["label"], there["index"]) == (here["label"], here["index"]) == ("green", 1)
        assert there["score"] == pytest.approx(here["score"], abs=1e-3)
    finally:
        site.special = None


def test_where_a_policy_forbids_workers_the_pages_thread_answers(site: Site, page: Page) -> None:
    page.goto(site.url + "strict.html")
    told = page.evaluate(forbidden)
    assert told["label"] == "green"
    assert told["stages"] == ["head", "rung:1", "rung:2", "full"]
    assert "does not start" in told["why"]


def test_a_page_goes_on_when_its_worker_ends_twice(site: Site, page: Page) -> None:
    page.goto(site.url + "both.html")
    told = page.evaluate(ended)
    assert told == {"found": ["green", "green"], "workers": 2, "why": ["it ended twice"], "page": True}


def test_firefox_does_all_of_it_as_well(site: Site) -> None:
    with firefox() as other:
        context = other.new_context()
        found = {}
        for name, script in (("index", answers), ("strict", forbidden), ("both", ended)):
            page = context.new_page()
            page.goto(f"{site.url}{name}.html")
            found[name] = page.evaluate(script)
            page.close()
        context.close()
    told = found["index"]
    assert (told["found"], told["page"], told["backend"], told["threads"]) == (["green"], "undefined", "wasm", 0)
    assert found["strict"]["label"] == "green"
    assert "does not start" in found["strict"]["why"]
    assert found["both"]["found"] == ["green", "green"]
    assert found["both"]["why"] == ["it ended twice"]
