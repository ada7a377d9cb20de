"""The apps of ``docs/frameworks``: made as the pages say, built by npm's packages, opened in Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.helpers import framework_apps as apps
from tests.helpers.developing import watching
from tests.helpers.s3_server import free_port
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
patience = 60_000
# Paths of all that a page had asked for when its load event began.
before_load = """() => { const { loadEventStart } = performance.getEntriesByType("navigation")[0];
  return performance.getEntriesByType("resource").filter(({ startTime }) => startTime < loadEventStart)
    .map(({ name }) => new URL(name).pathname); }"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return apps.install(tmp_path_factory.mktemp("frameworks"))


@pytest.fixture(scope="module")
def react_app(workshop: Path) -> Path:
    """Make the app of docs/frameworks/vite-react.md, with its models built and a picture far below the first screen."""
    create = workshop / "node_modules" / "create-vite" / "index.js"
    apps.run("node", create, "my-app", "--template", "react-ts", "--no-interactive", cwd=workshop)
    app = workshop / "my-app"
    files = apps.blocks("vite-react")
    files["build.toml"] = files["build.toml"].replace('"models/shapes" ', '"models/shapes/model.json" ')
    files["src/vue/useModel.ts"] = files.pop("src/useModel.vue.ts")
    text = (app / "src/App.tsx").read_text().replace("import './App.css'", "import './App.css'\n" + shows_shapes)
    before, after = text.rsplit("    </>", 1)
    files["src/App.tsx"] = before + '<div style={{ height: 3000 }} /><Shapes picture="/picture.png" /></>' + after
    apps.write_files(app, files | {"probe.html": probe_page, "src/probe.ts": probe})
    apps.picture(app / "public")
    apps.write_model(app / "models/shapes")
    apps.build_models(app)
    apps.link_package(app)
    return app


shows_shapes = 'import { Shapes } from "./Shapes.tsx"'
icon = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
probe_page = icon + '<main></main><script type="module" src="/src/probe.ts"></script>'
# Both hooks with the real loader, in a page that mounts them and takes them away.
probe = """
import { StrictMode, createElement, useRef } from "react";
import { createRoot } from "react-dom/client";
import { createApp, defineComponent, h, ref } from "vue";
import { configure, models, type Handle, type LoadOptions } from "shapes-models";
import * as tf from "@tensorflow/tfjs";
import { useModel as useInReact } from "./useModel.ts";
import { useModel as useInVue } from "./vue/useModel.ts";

configure({ tf });
const loads: Handle<unknown>[] = [];
const record = { loads, shown: "", tensors: () => tf.memory().numTensors };
async function load(options: LoadOptions) {
  const handle = models.shapes.load(options);
  record.loads.push(handle);
  return handle;
}

function InReact() {
  const target = useRef<HTMLParagraphElement>(null);
  const { handle, error } = useInReact(load, target);
  record.shown = error ? String(error) : handle ? "ready" : "waiting";
  return createElement("p", { ref: target }, record.shown);
}

const InVue = defineComponent(() => {
  const target = ref<Element | null>(null);
  const { handle, error } = useInVue(load, target);
  return () => {
    record.shown = error.value ? String(error.value) : handle.value ? "ready" : "waiting";
    return h("p", { ref: target }, record.shown);
  };
});

function mount(framework: string, above: number) {
  record.loads = [];
  record.shown = "";
  const main = document.querySelector("main")!;
  main.style.paddingTop = `${above}px`;
  if (framework === "vue") {
    const app = createApp(InVue);
    app.mount(main);
    return () => app.unmount();
  }
  const root = createRoot(main);
  root.render(createElement(StrictMode, null, createElement(InReact)));
  return () => root.unmount();
}

Object.assign(window, { record, mount });
"""


@contextmanager
def vite(app: Path, *options: str, package: str = "vite") -> Iterator[str]:
    """Run ``vite dev`` until the block ends; give its address."""
    port = free_port()
    program = app.parent / "node_modules" / package / "bin" / "vite.js"
    command = ["node", str(program), "--host", "127.0.0.1", "--port", str(port), "--strictPort", *options]
    process = subprocess.Popen(command, cwd=app, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if "ready in" in line:
                ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(60), "".join(lines)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=60)
        reader.join()
        assert process.stdout
        process.stdout.close()


def open_page(browser: Browser, url: str) -> tuple[Page, list[str]]:
    """Open a page in a profile of its own; give it and what goes wrong in it."""
    tab = browser.new_context().new_page()
    tab.set_default_timeout(patience)
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(url)
    return tab, faults


def says(tab: Page, answer: str) -> None:
    tab.wait_for_function("word => document.querySelector('[role=status]')?.textContent.includes(word)", arg=answer)


def fetched(tab: Page) -> list[str]:
    """Give the paths of all that a page has asked for, in order."""
    names = tab.evaluate("performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)")
    return [str(name) for name in names]


def vite_build(app: Path, package: str = "vite", *options: str) -> str:
    return apps.run("node", app.parent / "node_modules" / package / "bin" / "vite.js", "build", *options, cwd=app)


def test_a_react_app_is_typed_built_and_opens_offline_at_the_second_visit(react_app: Path, browser: Browser) -> None:
    apps.run("node", apps.root / "node_modules/typescript/bin/tsc", "-b", cwd=react_app)
    vite_build(react_app)
    with serve(react_app / "dist") as site:
        tab, faults = open_page(browser, site.url)
        tab.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
        # The first screen is the one of create-vite: nothing that the plugin has brought was asked for until it stood.
        early = tab.evaluate(before_load)
        own = re.compile(r"/(assets/(index|react|vite|hero)-[\w-]+\.(js|css|svg|png)|(icons|favicon)\.svg|picture.png)")
        assert early
        assert [path for path in early if not own.fullmatch(path)] == []
        tab.wait_for_function("navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')")
        assert [path for path in fetched(tab) if path.startswith("/models/")] == []
        tab.locator("#shapes").scroll_into_view_if_needed()
        says(tab, "green 100 %")
        assert [path for path in fetched(tab) if "/models/assets/shapes." in path] != []
        assert faults == []
        site.gone = True
        tab.reload()
        tab.locator("#shapes").scroll_into_view_if_needed()
        says(tab, "green 100 %")
        tab.goto(f"{site.url}some/route")
        assert tab.locator("h1").first.inner_text() == "Get started"
        assert faults == []
        tab.context.close()


def test_new_weights_go_into_the_page_of_a_vite_server(react_app: Path, browser: Browser) -> None:
    with watching(react_app / "build.toml", "--fast") as watched, vite(react_app) as url:
        watched.wait_for("release")
        tab, faults = open_page(browser, url)
        tab.locator("#shapes").scroll_into_view_if_needed()
        says(tab, "green")
        tab.evaluate("window.token = 1")
        apps.write_model(react_app / "models/shapes", (0, 2, 1))
        says(tab, "blue")
        apps.write_model(react_app / "models/shapes")
        says(tab, "green")
        assert tab.evaluate("window.token") == 1
        # Another model of that name is another page.
        apps.write_model(react_app / "models/shapes", generatedBy="another topology")
        tab.wait_for_function("!window.token")
        tab.locator("#shapes").scroll_into_view_if_needed()
        says(tab, "green")
        assert faults == []
        tab.context.close()


@pytest.mark.parametrize("framework", ["react", "vue"])
def test_a_hook_loads_once_and_stops_when_its_component_goes(
    framework: str, react_app: Path, dev_url: str, browser: Browser
) -> None:
    tab, faults = open_page(browser, f"{dev_url}probe.html")
    tab.wait_for_function("'mount' in window")
    tab.evaluate("framework => { window.leave = mount(framework, 5000); }", framework)
    tab.wait_for_function("record.loads.length")
    phases = "record.loads.map(({ progress }) => progress.phase)"
    assert tab.evaluate(phases) == ["waiting"]
    tab.evaluate("leave()")
    code = "record.loads[0].ready.then(() => 'ready', ({ code }) => code)"
    assert tab.evaluate(code) == "abort"
    assert [path for path in fetched(tab) if "/assets/shapes" in path] == []
    tab.evaluate("framework => { window.leave = mount(framework, 0); }", framework)
    tab.wait_for_function("record.shown === 'ready'")
    assert tab.evaluate(phases) == ["full"]
    assert tab.evaluate("record.tensors()") > 0
    tab.evaluate("leave()")
    tab.wait_for_function("record.tensors() === 0")
    assert faults == []
    tab.context.close()


@pytest.fixture(scope="module")
def dev_url(react_app: Path) -> Iterator[str]:
    with vite(react_app) as url:
        yield url


apart_page = icon + '<script type="module" src="/src/apart.ts"></script>'
# Blue, as the worker sees it; what an event says of the page's thread; whether that has TensorFlow.js.
apart = """
import { configure } from "shapes-models";
import { loadInWorker } from "./inWorker.ts";
const told: string[] = [];
configure({ onEvent: (event) => event.type === "thread" && told.push(event.why) });
const handle = loadInWorker({ when: "now" });
const data = Float32Array.from({ length: 3072 }, (_, i) => Number(i % 3 === 2));
const { data: scores } = await (await handle.full).predict({ data, shape: [1, 32, 32, 3] });
const label = handle.labels![scores.indexOf(Math.max(...scores))];
Object.assign(window, { answer: [label, told, "tf" in globalThis] });
"""


def test_a_worker_runs_the_model_in_a_vite_app(react_app: Path, dev_url: str, browser: Browser) -> None:
    config = (react_app / "vite.config.ts").read_text()
    inputs = 'build: { outDir: "dist-apart", rollupOptions: { input: ["apart.html"] } },\n  plugins:'
    files = {"apart.html": apart_page, "src/apart.ts": apart, "apart.config.ts": config.replace("plugins:", inputs)}
    apps.write_files(react_app, files)
    vite_build(react_app, "vite", "--config", "apart.config.ts")
    with serve(react_app / "dist-apart") as site:
        for url in (dev_url, site.url):
            tab, faults = open_page(browser, f"{url}apart.html")
            tab.wait_for_function("'answer' in window")
            assert tab.evaluate("answer") == ["blue", [], False]
            assert faults == []
            tab.context.close()


@pytest.fixture(scope="module")
def plain_site(workshop: Path) -> Path:
    """Make the site of docs/frameworks/html.md, as it says."""
    folder = workshop / "plain"
    make_project(folder, "html", folder / "site")
    apps.build_models(folder)
    deploy_models(folder, "site")
    return folder / "site"


def make_project(folder: Path, page: str, pictures: Path) -> None:
    """Write the files that a page of the docs shows, a model and a picture."""
    files = apps.blocks(page)
    files["build.toml"] = files["build.toml"].replace('"models/shapes" ', '"models/shapes/model.json" ')
    apps.write_files(folder, files)
    pictures.mkdir(parents=True, exist_ok=True)
    apps.picture(pictures)
    apps.write_model(folder / "models/shapes")


def deploy_models(folder: Path, target: str) -> None:
    apps.run(
        sys.executable, apps.root / "build.py", "deploy", target, "--config", folder / "build.toml", cwd=folder
    )  # fmt: skip


def opens_offline(tab: Page, site: Site) -> None:
    """Wait for the worker, then open the page a second time, without a network."""
    tab.wait_for_function("navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')")
    site.gone = True
    tab.reload()
    says(tab, "green 100 %")


def test_a_plain_page_opens_offline(plain_site: Path, browser: Browser) -> None:
    with serve(plain_site) as site:
        tab, faults = open_page(browser, site.url)
        says(tab, "green 100 %")
        early = tab.evaluate(before_load)
        assert [path for path in early if path != "/picture.png"] == []
        opens_offline(tab, site)
        assert faults == []
        tab.context.close()


def test_a_next_app_opens_offline(workshop: Path, browser: Browser) -> None:
    app = workshop / "next-app"
    make_project(app, "next", app / "public")
    hook = apps.blocks("vite-react")["src/useModel.ts"]
    layout = "export default function Layout({ children }: { children: React.ReactNode }) {"
    apps.write_files(
        app,
        {
            "app/useModel.ts": hook,
            "app/layout.tsx": layout + ' return <html lang="en"><body>{children}</body></html>; }',
            "package.json": '{"private": true}',
            "tsconfig.json": '{"compilerOptions": {"strict": true}}',
        },
    )
    # The site is not there yet, which is told and no failure.
    assert "build again when it does" in apps.build_models(app)
    deploy_models(app, "public")
    apps.link_package(app)
    apps.run("node", workshop / "node_modules/next/dist/bin/next", "build", cwd=app)
    apps.build_models(app)
    with serve(app / "out") as site:
        tab, faults = open_page(browser, site.url)
        says(tab, "green 100 %")
        early = tab.evaluate(before_load)
        assert early
        assert [path for path in early if not path.startswith("/_next/static/") and path != "/picture.png"] == []
        assert [path for path in early if "/models/" in path] == []
        opens_offline(tab, site)
        assert faults == []
        tab.context.close()
    assert models_links(app / "out/index.html") == []
    # A model that loads at once comes with the page, as Preloads writes it.
    settings = app / "build.toml"
    settings.write_text(settings.read_text().replace('load = "visible"', 'load = "now"'))
    apps.build_models(app)
    deploy_models(app, "public")
    apps.run("node", workshop / "node_modules/next/dist/bin/next", "build", cwd=app)
    manifest = json.loads((app / "models-dist/manifest.json").read_bytes())
    assert len(manifest["preload"]["files"]) > 1
    assert models_links(app / "out/index.html") == [manifest["modules"]["tf"]["url"], *manifest["preload"]["files"]]


def models_links(page: Path) -> list[str]:
    """Give what a page's lines fetch of the models, in order."""
    return re.findall(r'<link rel="(?:modulepreload|preload)" href="/models/([^"]+)"', page.read_text())


jest_test = """
const { configure, models, ModelError } = require("shapes-models");

test("a model loads and answers", async () => {
  const tf = require("@tensorflow/tfjs");
  configure({ tf, baseUrl: process.env.MODELS });
  const handle = models.shapes.load();
  const model = await handle.full;
  const scores = model.predict(tf.ones([1, 32, 32, 3]).mul([0, 0, 1]));
  expect(handle.labels[scores.argMax(1).dataSync()[0]]).toBe("blue");
  handle.dispose();
});

test("a failure is the package's own", async () => {
  configure({ baseUrl: process.env.MODELS + "nowhere/", cache: "none" });
  const error = await models.shapes.load().ready.catch((reason) => reason);
  expect(error).toBeInstanceOf(ModelError);
  expect(error.code).toBe("network");
});
"""


def test_jest_requires_the_package(react_app: Path, workshop: Path) -> None:
    folder = workshop / "jest"
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    (folder / "models.test.js").write_text(jest_test)
    (folder / "node_modules").mkdir()
    shutil.copytree(react_app / "models-dist/package", folder / "node_modules/shapes-models")
    with serve(react_app / "models-dist/cdn") as site:
        said = apps.run("node", workshop / "node_modules/jest/bin/jest.js", "--ci", cwd=folder, MODELS=site.url)
    assert "Tests:       2 passed" in said


old_page = icon + '<p role="status">waiting</p><script type="module" src="{}main.js"></script>'
old_settings = """
[build]
out = "models-dist"
package = "shapes-models"
[models.shapes]
source = "models/shapes/model.json"
labels = "models/labels.txt"
load = "now"
"""
old_main = """
import { configure, models } from "shapes-models";
configure({ tf: () => import("@tensorflow/tfjs") });
const handle = models.shapes.load();
const show = async () => {
  const [tf, model] = await Promise.all([import("@tensorflow/tfjs"), handle.full]);
  const scores = model.predict(tf.ones([1, 32, 32, 3]).mul([0, 1, 0]));
  document.querySelector("[role=status]").textContent = handle.labels[scores.argMax(1).dataSync()[0]];
};
document.addEventListener("shardpress:swap", show);
show();
"""
old_config = """
import shardpress from "vite-plugin-shardpress";
const input = ["index.html", "deep/er/index.html"];
const build = { rollupOptions: { input } };
export default { plugins: [shardpress({ offline: true })], base: process.env.BASE, build };
"""


def test_the_oldest_vite_serves_swaps_and_builds_below_any_base(
    workshop: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = workshop / "site"
    pages = {"index.html": old_page.format("/"), "deep/er/index.html": old_page.format("/")}
    described = {"package.json": '{"private": true, "type": "module"}', "build.toml": old_settings}
    apps.write_files(app, {**pages, **described, "main.js": old_main, "vite.config.js": old_config})
    apps.write_model(app / "models/shapes")
    monkeypatch.setenv("BASE", "/app/")
    with vite(app, package="vite-5") as url:
        # There is no bundle when the server starts, and a page says so.
        tab, faults = open_page(browser, f"{url}app/")
        for _ in range(300):
            if faults:
                break
            tab.wait_for_timeout(100)
        assert any("build it with shardpress" in fault for fault in faults), faults
        faults.clear()
        apps.build_models(app)
        says(tab, "green")
        tab.evaluate("window.token = 1")
        apps.write_model(app / "models/shapes", (0, 2, 1))
        apps.build_models(app)
        says(tab, "blue")
        assert (tab.evaluate("window.token"), faults) == (1, [])
        tab.context.close()
    monkeypatch.setenv("BASE", "./")
    vite_build(app, "vite-5")
    moved = workshop / "site" / "root" / "some" / "where"
    moved.parent.mkdir(parents=True)
    shutil.move(app / "dist", moved)
    with serve(app / "root") as site:
        for path in ("some/where/", "some/where/deep/er/"):
            site.forget()
            tab, faults = open_page(browser, site.url + path)
            says(tab, "blue")
            asked = site.paths()
            assert [file for file in asked if file.startswith("/some/where/models/assets/shapes")]
            assert sorted(asked) == sorted(set(asked))  # what was preloaded is what the app and the loader take
            assert faults == []
            tab.context.close()
