"""What the Vite plugin preloads: what the build names, where the app has it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

plugin = Path(__file__).resolve().parents[2] / "packages" / "vite-plugin" / "preload.js"
tfjs = "/app/node_modules/@tensorflow/tfjs"


def chunk(name: str, *ids: str, imports: tuple[str, ...] = (), later: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        "type": "chunk",
        "fileName": name,
        "moduleIds": list(ids),
        "imports": list(imports),
        "dynamicImports": list(later),
    }


def manifest(**changes: Any) -> dict[str, Any]:
    names = ("answers", "classes", "ladder", "thread", "worker")
    preload = {"modules": ["tf", "answers", "ladder"], "worker": [], "ops": [], "files": ["assets/a.json"]}
    return {
        "modules": {name: {"url": f"{name}.0.js"} for name in names} | changes.pop("more", {}),
        "preload": preload | changes if changes.get("files", True) is not None else None,
    }


def found(chunks: list[dict[str, Any]], told: dict[str, Any], folders: tuple[str, ...] = ("/p",)) -> list[str]:
    """Give the addresses of what a page preloads whose script is in the first of ``chunks``."""
    output = {one["fileName"]: one for one in chunks} | {"style.css": {"type": "asset"}}
    page = {"output": output, "entry": chunks[0]["fileName"], "id": "m", "folders": folders, "manifest": told}
    code = f"""
      import {{ preloads }} from {json.dumps(plugin.as_uri())};
      const at = (folder) => (file) => folder + file;
      const found = preloads({{ ...{json.dumps(page)}, address: at("app/"), bundled: at("cdn/") }});
      console.log(JSON.stringify(found.map(({{ attrs }}) => attrs)));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code], capture_output=True, text=True, timeout=60, check=True
    )
    links = json.loads(done.stdout)
    for link in links:
        assert (link["crossorigin"], link["fetchpriority"]) == (True, "low")
        assert link["rel"] == ("modulepreload" if link["href"].endswith(".js") else "preload"), link
        assert link.get("as") == (None if link["href"].endswith(".js") else "fetch")
    return [link["href"] for link in links]


lazily = [
    chunk("main.js", "/main.js", imports=("helper.js",), later=("models.js", "tf.js", "route.js")),
    chunk("helper.js", "/vite/preload-helper.js"),
    chunk("models.js", "m", "/p/index.js", imports=("helper.js", "own.js"), later=("a.js", "l.js", "c.js", "t.js")),
    chunk("own.js", "/shared.js"),
    chunk("a.js", "/p/answers.js", imports=("shared.js",)),
    chunk("c.js", "/p/classes.js"),
    chunk("l.js", "/p/ladder.js", imports=("shared.js", "main.js")),
    chunk("t.js", "/p/thread.js"),
    chunk("shared.js", "/p/shared.js"),
    chunk("tf.js", f"{tfjs}/dist/index.js", imports=("core.js",)),
    chunk("core.js", f"{tfjs}-core/dist/index.js"),
    chunk("route.js", "/route.js", later=("backend.js",)),
    chunk("backend.js", f"{tfjs}-backend-webgpu/dist/index.js", imports=("core.js",)),
]


def test_chunks_that_make_the_first_answer_are_asked_for_at_once() -> None:
    """Each once, with what it imports; not what the page runs first, and no module or backend that may never be run."""
    app = ["models.js", "own.js", "tf.js", "core.js", "a.js", "shared.js", "l.js"]
    assert found(lazily, manifest()) == [*(f"app/{name}" for name in app), "cdn/assets/a.json"]


def test_what_the_bundle_brings_comes_from_there() -> None:
    told = manifest(more={"tf": {"url": "tf.0.js"}}, ops=["assets/a.0.js"], modules=["tf"])
    assert found(lazily, told) == [
        "app/models.js",
        "app/own.js",
        "cdn/tf.0.js",
        "cdn/assets/a.0.js",
        "cdn/assets/a.json",
    ]


def test_a_worker_asks_the_bundle_and_the_page_the_app() -> None:
    told = manifest(more={"tf": {"url": "tf.0.js"}}, modules=["thread"], worker=["tf", "answers", "worker"])
    assert found(lazily, told) == [
        "app/models.js",
        "app/own.js",
        "app/t.js",
        *(f"cdn/{name}.0.js" for name in ("tf", "answers", "worker")),
        "cdn/assets/a.json",
    ]


def test_modules_that_the_page_runs_first_need_no_line() -> None:
    one = [chunk("main.js", "m", "/p/index.js", "/p/answers.js", later=("l.js",)), chunk("l.js", "/q/ladder.js")]
    assert found(one, manifest(), ("/p", "/q")) == ["app/l.js", "cdn/assets/a.json"]
    assert found(one, manifest(), ("/p",)) == ["cdn/assets/a.json"], "another module of the same name"


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        (lazily, manifest(files=[])),  # no model loads at once
        (lazily, manifest(files=None)),  # a bundle of an earlier version
        ([chunk("main.js", "/main.js", later=("tf.js",)), lazily[-4]], manifest()),  # a page without models
    ],
)
def test_pages_without_models_that_load_at_once_are_left_alone(
    chunks: list[dict[str, Any]], told: dict[str, Any]
) -> None:
    assert found(chunks, told) == []
