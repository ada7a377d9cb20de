"""The apps of ``docs/frameworks``: made as the pages say, built by npm's packages, opened in Chromium."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests import framework_apps as apps
from tests.browsing import chromium
from tests.developing import watching
from tests.s3_server import free_port
from tests.serving import serve

pytestmark = pytest.mark.slow
patience = 30_000


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return apps.install(tmp_path_factory.mktemp("frameworks"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


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
        early = tab.evaluate(
            """() => { const { loadEventStart } = performance.getEntriesByType("navigation")[0];
               return performance.getEntriesByType("resource").filter((entry) => entry.startTime < loadEventStart)
                 .map(({ name }) => new URL(name).pathname); }"""
        )
        own = re.compile(r"/(assets/(index|react|vite|hero)-[\w-]+\.(js|css|svg|png)|(icons|favicon)\.svg|picture.png)")
        assert early
        assert [path for path in early if not own.fullmatch(path)] == []
        tab.wait_for_function("navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')")
        assert [path for path in fetched(tab) if path.startswith("/models/")] == []
        tab.locator("#shapes").scroll_into_view_if_needed()
        says(tab, "green 100 %")
        assert [path for path in fetched(tab) if "/models/assets/shapes." in path] != []
        assert faults == []
        tab.context.set_offline(True)
        site.forget()
        tab.reload()
        tab.locator("#shapes").scroll_into_view_if_needed()
        says(tab, "green 100 %")
        tab.goto(f"{site.url}some/route")
        assert tab.locator("h1").first.inner_text() == "Get started"
        assert (site.paths(), faults) == ([], [])
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
    tab.wait_for_function("window.mount")
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
