"""A Vite app's way to its first answer: all that it takes is named by the page, and each file travels once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.helpers import framework_apps as apps
from tests.helpers.rungs import labels, ladder_of, write_classifier
from tests.helpers.serving import media_types, serve

pytestmark = pytest.mark.slow
rungs = ('source = "small/model.json"', 'source = "large/model.json"')
pictures = 'labels = "labels.txt"\npicture = {}\nanswer = "classes"\nload = "now"'
html = """<!doctype html><html><head><title>A page</title><link rel="icon" href="data:,"></head>
<body><canvas width="8" height="8"></canvas><script type="module" src="/main.js"></script></body></html>"""
npm = '\nconfigure({ tf: () => import("@tensorflow/tfjs") });'
lazily = f'const {{ configure, models }} = await import("my-models");{npm}'
at_once = f'import {{ configure, models }} from "my-models";{npm}'
apart = 'const { models } = await import("my-models");'
script = """
const canvas = document.querySelector("canvas");
const context = canvas.getContext("2d");
context.fillStyle = "lime";
context.fillRect(0, 0, 8, 8);
const handle = models.what.load();
const { label } = await handle.run(canvas);
window.answer = { label, asked: performance.getEntriesByType("resource").map(({ name }) => name) };
await handle.full;
window.complete = true;
"""
config = """
import shardpress from "./plugin/index.js";
export default { plugins: [shardpress()], base: "./", logLevel: "warn", build: { target: "es2022" } };
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an app with a ladder that loads at once, and TensorFlow.js from npm."""
    return make_app(tmp_path_factory.mktemp("first-answer"))


def make_app(folder: Path, runtime: str = "", thread: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    apps.unpack_plugin(folder / "plugin")
    (folder / "node_modules").symlink_to(apps.root / "node_modules")
    write_classifier(folder / "small", side=8, hidden=30)
    write_classifier(folder / "large", side=12, hidden=3000)
    settings = (
        f'[build]\npackage = "my-models"\nout = "models-dist"\n{runtime}{ladder_of(*rungs, more=pictures + thread)}'
    )
    described = '{"private": true, "type": "module"}'
    files = {"build.toml": settings, "labels.txt": "\n".join(labels), "index.html": html, "vite.config.js": config}
    apps.write_files(folder, files | {"package.json": described})
    apps.build_models(folder)
    return folder


def built(app: Path, code: str) -> set[str]:
    """Build the app with this script; give the addresses that its page asks for at once."""
    (app / "main.js").write_text(code)
    apps.run("node", app / "node_modules/vite/bin/vite.js", "build", cwd=app)
    return set(re.findall(r' (?:href|src)="\./([^"]+)"', (app / "dist/index.html").read_text()))


@pytest.mark.parametrize("importing", [lazily, at_once], ids=["lazily", "at once"])
def test_all_that_the_first_answer_takes_is_asked_for_with_the_page(
    importing: str, app: Path, browser: Browser
) -> None:
    named = built(app, importing + script)
    with serve(app / "dist") as site:
        tab = browser.new_context().new_page()
        faults: list[str] = []
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda message: faults.append(message.text) if "preload" in message.text else None)
        tab.goto(site.url)
        tab.wait_for_function("window.complete")
        answer = tab.evaluate("answer")
        assert answer["label"] == "green"
        early = {name.removeprefix(site.url) for name in answer["asked"]}
        # The rung that follows, and what compiles it, come behind the first one's answer.
        behind = re.compile(r"models/assets/what(\.|-base-|-refine-|-rung1-refine-).*|assets/device-.*")
        late = {name for name in early - named if not behind.fullmatch(name)}
        assert late == set()
        assert {name.split("-")[0] for name in named} >= {f"assets/{name}" for name in ("answers", "classes", "ladder")}
        asked = [path.removeprefix("/") for path in site.paths()]
        assert sorted(asked) == sorted(set(asked)), "a file travels once"
        assert named <= set(asked), "nothing is asked for in vain"
        assert faults == []
        tab.context.close()


def kept(root: Path) -> Callable[[str], tuple[int, dict[str, str], bytes] | None]:
    """Serve the bundle as headers.json says: a worker takes what the page has preloaded out of the browser's cache."""

    def answer(path: str) -> tuple[int, dict[str, str], bytes] | None:
        file = root / path.lstrip("/")
        if not path.startswith("/models/") or not file.is_file():
            return None
        kind = media_types[file.suffix]
        return 200, {"Content-Type": kind, "Cache-Control": "public, max-age=31536000, immutable"}, file.read_bytes()

    return answer


def test_all_that_a_worker_runs_comes_with_the_page(tmp_path: Path, browser: Browser) -> None:
    app = make_app(tmp_path / "apart", "[runtime]\nbuild = true\nbackends = ['cpu']\n", '\nthread = "worker"')
    named = built(app, apart + script)
    with serve(app / "dist") as site:
        site.special = kept(app / "dist")
        tab = browser.new_context().new_page()
        tab.goto(site.url)
        tab.wait_for_function("window.complete")
        assert tab.evaluate("answer.label") == "green"
        asked = [path.removeprefix("/") for path in site.paths()]
        assert sorted(asked) == sorted(set(asked)), "a file travels once"
        assert named <= set(asked), "nothing is asked for in vain"
        behind = re.compile(r"models/assets/what(\.|-base-|-refine-|-rung1-refine-).*|models/device\..*|")
        assert {name for name in set(asked) - named if not behind.fullmatch(name)} == set()
        scripts = {name.split(".")[0] for name in named if name.startswith("models/") and name.endswith(".js")}
        assert scripts == {f"models/{name}" for name in ("tf", "answers", "classes", "ladder", "worker")}
        tab.context.close()
