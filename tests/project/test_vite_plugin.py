"""``packages/vite-plugin`` by itself: its types, what npm would publish, and builds with the checkout's own Vite."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.test_render import check_types
from tests.helpers import framework_apps as apps

vite = apps.root / "node_modules" / "vite" / "bin" / "vite.js"
settings = """
[build]
package = "my-models"
out = 'models-dist'  # not dist

[models.first]
source = "models/first/model.json"
load = "now"
[models.later]
source = "models/later/model.json"
"""
config = """
import shardpress from "{plugin}/index.js";
export default {{ plugins: [shardpress({options})], base: "{base}", logLevel: "info",
  build: {{ rollupOptions: {{ input: ["index.html", "pages/two.html", "pages/none.html"] }} }} }};
"""
page = '<!doctype html><html><head><title>A page</title></head><body><script type="module" src="{}"></script></body>'
# What a module does when it is run, without a browser.
global_tests = """
import assert from "node:assert/strict";
import {{ expression, siteFiles, usual }} from "{plugin}/offline.js";
import {{ buildKey, Bundle, isBundled }} from "{plugin}/bundle.js";
import shardpress from "{plugin}/index.js";

const matches = (glob, name) => expression(glob).test(name);
for (const [glob, name] of [
  ["**/*.js", "a.js"], ["**/*.js", "a/b/c.js"], ["*.js", "a.js"], ["a/**", "a/b/c"], ["a/**/c.js", "a/c.js"],
  ["**/*.{{js,css}}", "x/y.css"], ["?.js", "a.js"], ["./a.js", "a.js"], ["/a.js", "a.js"], ["a+(b).js", "a+(b).js"],
]) assert(matches(glob, name), `${{glob}} ${{name}}`);
for (const [glob, name] of [
  ["*.js", "a/b.js"], ["**/*.js", "a.jsx"], ["?.js", "ab.js"], ["a.js", "aXjs"], ["**/*.{{js,css}}", "y.html"],
  ["a/**", "ab/c"],
]) assert(!matches(glob, name), `${{glob}} ${{name}}`);
assert.throws(() => expression("*.{{js"), /without its/);

const toml = `[build]\\nout = "a/b"\\npackage = 'p'\\n[models.x]\\nout = "no"\\ncache = "no"\\n`;
assert.equal(buildKey(toml, "out"), "a/b");
assert.equal(buildKey(toml, "package"), "p");
assert.equal(buildKey(toml, "cache"), undefined);
assert.equal(buildKey(`[models.x]\\nout = "no"`, "out"), undefined);
assert.equal(buildKey(`[build] # a comment\\nout = "yes"`, "out"), "yes");
assert.equal(buildKey(`[build]\\n# out = "no"\\nout = "y\\\\u0065s"`, "out"), "yes");

const hash = "0123456789abcdef";
assert(isBundled("loader.js") && isBundled(`assets/a-base-0.${{hash}}.bin.br`));
const others = ["../loader.js", "assets/../loader.js", "other.js", "assets/a.json", `assets/a/b.${{hash}}.bin`];
for (const name of others) assert(!isBundled(name), name);

for (const base of ["/", "", "../models", "a/../../b"]) {{
  assert.throws(() => shardpress({{ base }}), /no folder of the site/, base);
}}
shardpress({{ base: "/models" }});
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the plugin as npm would install it, not its source folder."""
    return apps.unpack_plugin(tmp_path_factory.mktemp("packed") / "vite-plugin-shardpress")


@pytest.mark.slow
def test_globs_settings_and_names_are_read_as_they_are_meant(plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "try.mjs").write_text(global_tests.format(plugin=plugin))
    apps.run("node", "try.mjs", cwd=tmp_path)


@pytest.mark.slow
def test_the_plugin_is_typed(plugin: Path, tmp_path: Path) -> None:
    """Its own code under strict, and a use of it with every option and without."""
    shutil.copytree(plugin, tmp_path / "plugin")
    (tmp_path / "node_modules").symlink_to(apps.root / "node_modules")
    (tmp_path / "use.ts").write_text("""
import { defineConfig } from "vite";
import shardpress, { type Options } from "./plugin/index.js";
const options: Options = {
  config: "build.toml", dist: "models-dist", base: "models/", preload: false,
  offline: { file: "sw.js", include: ["**/*.html"], exclude: ["a"], fallback: false },
};
export default defineConfig({ plugins: [shardpress(), shardpress(options), shardpress({ offline: true })] });
// @ts-expect-error
shardpress({ ofline: true });
""")
    modules = [str(path.relative_to(tmp_path)) for path in (tmp_path / "plugin").glob("*.js")]
    check_types(tmp_path, "--types", "node", "--skipLibCheck", "use.ts", *modules)


@pytest.mark.slow
def test_npm_would_publish_all_that_it_needs(tmp_path: Path) -> None:
    (packed,) = json.loads(apps.run("npm", "pack", "--json", "--dry-run", apps.plugin, cwd=tmp_path))
    names = {file["path"] for file in packed["files"]}
    assert names == {path.name for path in apps.plugin.iterdir()}
    described = json.loads((apps.plugin / "package.json").read_text())
    assert "dependencies" not in described
    assert (apps.plugin / "LICENSE").read_text() == (apps.root / "LICENSE").read_text()
    assert described["version"] == packed["version"]
    readme = (apps.plugin / "README.md").read_text()
    for option in re.findall(r"^  (\w+)\?:", (apps.plugin / "index.d.ts").read_text(), re.MULTILINE):
        assert f"`{option}`" in readme or option in ("file", "include", "exclude", "fallback"), option


@pytest.mark.slow
def test_linters_of_packages_have_no_complaints(tmp_path: Path) -> None:
    """By ``publint`` and ``attw`` every way to import it finds code and types. It is for ES modules alone."""
    packed = apps.pack_plugin(tmp_path)
    modules = apps.root / "node_modules"
    assert "All good!" in apps.run("node", modules / "publint/src/cli.js", "run", packed, "--strict", cwd=tmp_path)
    attw = modules / "@arethetypeswrong/cli/dist/index.js"
    apps.run("node", attw, packed, "--profile", "esm-only", cwd=tmp_path)
    with pytest.raises(AssertionError, match="CJSResolvesToESM"):  # a linter that finds nothing proves nothing
        apps.run("node", attw, packed, cwd=tmp_path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vite")
    apps.unpack_plugin(folder / "plugin")
    use = 'import("my-models").then(({ models }) => (window.models = models));'
    pages = {"index.html": "./main.js", "pages/two.html": "../main.js", "pages/none.html": "../none.js"}
    apps.write_files(
        folder,
        {
            "build.toml": settings,
            "main.js": use,
            "none.js": "console.log(1)",
            "public/robots.txt": "",
            "public/icon.svg": "<svg/>",
            "package.json": '{"type": "module"}',
            **{name: page.format(script) for name, script in pages.items()},
        },
    )
    apps.write_model(folder / "models/first")
    apps.write_model(folder / "models/later", (1, 2, 0))
    apps.build_models(folder)
    return folder


def build(project: Path, base: str, options: str) -> subprocess.CompletedProcess[str]:
    (project / "vite.config.js").write_text(config.format(plugin=project / "plugin", base=base, options=options))
    return subprocess.run(
        ["node", str(vite), "build"], cwd=project, capture_output=True, text=True, check=False, timeout=120
    )


def built(project: Path, base: str, options: str) -> Path:
    done = build(project, base, options)
    assert done.returncode == 0, done.stdout + done.stderr
    return project / "dist"


def links(page: Path) -> list[tuple[str, str]]:
    found = re.findall(r"<link [^>]*>", page.read_text())
    attributes = [dict(re.findall(r'(\w+)="([^"]*)"', link)) for link in found]
    assert all("fetchpriority" not in one or one["fetchpriority"] == "low" for one in attributes)
    return [(one["rel"], one["href"]) for one in attributes if one.get("fetchpriority")]


def worker(file: Path) -> dict[str, Any]:
    found = re.search(r"self\.shardpress = (\{.*?\n\});", file.read_text(), re.DOTALL)
    assert found
    result: dict[str, Any] = json.loads(found[1])
    return result


def manifest(project: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((project / "models-dist/manifest.json").read_text())
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "options", "at", "deep"),
    [
        ("/", "", "/models/", "/models/"),
        ("/app/", "{ base: 'ml' }", "/app/ml/", "/app/ml/"),
        ("./", "", "./models/", "../models/"),
        ("https://cdn.test/a/", "", "https://cdn.test/a/models/", "https://cdn.test/a/models/"),
        ("/", "{ base: 'https://cdn.test/m' }", "https://cdn.test/m/", "https://cdn.test/m/"),
    ],
)
def test_pages_preload_what_loads_at_once_from_where_it_is(
    base: str, options: str, at: str, deep: str, project: Path
) -> None:
    dist = built(project, base, options)
    first = manifest(project)["models"]["first"]
    files = [first["head"]["url"], *(shard["url"] for shard in first["shards"] if shard["stage"] == "base")]
    for name, where in (("index.html", at), ("pages/two.html", deep)):
        wanted = links(dist / name)
        assert [href for rel, href in wanted if rel == "preload"] == [where + url for url in files]
        (module,) = (href for rel, href in wanted if rel == "modulepreload")
        assert "shardpress" in module
        if not base.startswith("https"):
            place = dist / module.removeprefix(base) if base != "./" else (dist / name).parent / module
            assert place.resolve().is_file(), module
    assert links(dist / "pages/none.html") == []
    if "https" in options:
        assert not (dist / "models").exists()
        return
    folder = dist / at.removeprefix(base).removeprefix("https://cdn.test/a/")
    assert (folder / "loader.js").read_bytes() == (project / "models-dist/cdn/loader.js").read_bytes()
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names == {path.name for path in (project / "models-dist/cdn").rglob("*") if path.is_file()} - {"loader.d.ts"}


@pytest.mark.slow
def test_the_worker_lists_what_the_site_is_made_of(project: Path) -> None:
    dist = built(project, "./", "{ offline: { exclude: ['pages/none.html'] } }")
    found = worker(dist / "sw.js")
    assert found["base"] == "./models/"
    assert found["shell"] == ["./icon.svg", "./index.html", "./pages/two.html"]
    assert found["fallback"] == "./index.html"
    scripts = {f"./assets/{path.name}" for path in (dist / "assets").glob("*.js")}
    assert set(found["runtime"]) == scripts
    importing = re.search(r'importScripts\("\./([^"]+)"\)', (dist / "sw.js").read_text())
    assert importing
    assert (dist / importing[1]).is_file()
    # In a folder of its own, addresses are still right.
    dist = built(project, "/", "{ offline: { file: 'a/b/sw.js', include: ['**/*.html'], fallback: false } }")
    found = worker(dist / "a/b/sw.js")
    assert found["shell"][0] == "../../index.html"
    assert (found["base"], found["runtime"], "fallback" in found) == ("../../models/", [], False)


@pytest.mark.slow
def test_what_cannot_be_right_is_told_before_anything_is_lost(project: Path) -> None:
    dist = project / "dist"
    dist.mkdir(exist_ok=True)
    (dist / "kept.txt").write_text("kept")
    # The bundle in the folder that Vite empties.
    shutil.copytree(project / "models-dist", dist / "bundle", dirs_exist_ok=True)
    done = build(project, "/", "{ dist: 'dist/bundle' }")
    assert done.returncode != 0
    assert "vite build empties" in done.stderr
    assert "another folder" in done.stderr
    assert (dist / "bundle/cdn/loader.js").is_file()
    # No bundle at all.
    done = build(project, "/", "{ dist: 'nowhere' }")
    assert done.returncode != 0
    assert re.search(r"my-models|There is no bundle", done.stderr)
    # A bundle that lacks a file of the package.
    (project / "broken").mkdir()
    shutil.copytree(project / "models-dist", project / "broken", dirs_exist_ok=True)
    next((project / "broken/cdn/assets").glob("first.*.json")).unlink()
    done = build(project, "/", "{ dist: 'broken' }")
    assert done.returncode != 0
    assert "is missing" in done.stderr
    # The site's own worker.
    (project / "public/sw.js").write_text("// mine")
    done = build(project, "/", "{ offline: true }")
    (project / "public/sw.js").unlink()
    assert done.returncode != 0
    assert "is a service worker already" in done.stderr
    shutil.rmtree(dist)
