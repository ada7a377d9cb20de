"""``init`` in a project of a web framework: an ``out`` that no bundler empties, ``sw.js`` where it is served."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.config.frameworks import find_framework
from builder.config.tables import load_config
from tests.helpers import tiny

projects: list[tuple[str, dict[str, object], tuple[str, ...], str, str, str]] = [
    ("Vite", {"devDependencies": {"vite": "^8"}}, (), "public/sw.js", "/models/", "plugins: [shardpress()]"),
    ("Vite", {}, ("vite.config.ts",), "public/sw.js", "/models/", "vite-plugin-shardpress"),
    ("Next", {"dependencies": {"next": "16"}}, (), "public/sw.js", "/models/", "deploy public"),
    ("Next", {}, ("next.config.mjs",), "public/sw.js", "/models/", '"prebuild": '),
    ("Astro", {"dependencies": {"astro": "5"}}, (), "public/sw.js", "/models/", '"prebuild": '),
    (
        "SvelteKit",
        {"devDependencies": {"@sveltejs/kit": "2", "vite": "7"}},
        ("vite.config.js", "svelte.config.js"),
        "static/sw.js",
        "/models/",
        '"prebuild": ',
    ),
    ("Angular", {"dependencies": {"@angular/core": "20"}}, ("public/x",), "public/sw.js", "/models/", '"prebuild": '),
    ("Angular", {}, ("angular.json", "src/assets/x"), "src/sw.js", "/assets/models/", "assets of angular.json"),
    (
        "Next",
        {"dependencies": {"next": "16"}},
        ("public/models/mine.bin",),
        "public/sw.js",
        "/bundle/",
        "deploy public",
    ),
]


@pytest.mark.parametrize(("name", "package", "files", "worker", "base", "line"), projects)
def test_a_projects_framework_is_seen(
    name: str,
    package: dict[str, object],
    files: tuple[str, ...],
    worker: str,
    base: str,
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"name": "app", **package}))
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    tiny.graph_model(tmp_path / "models/shapes")
    framework = find_framework(tmp_path)
    assert framework
    assert framework.name == name
    for output in framework.outputs:  # what a bundler has written is no source
        tiny.graph_model(tmp_path / output / "copied")
    config = tmp_path / "build.toml"
    assert main(["init", "--no-build", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert line in said
    assert f"a project of {name}" in said
    settings = load_config(config)
    assert set(settings.models) == {"shapes"}
    assert settings.build.out == "models-dist"
    assert settings.build.out not in framework.outputs
    script = (tmp_path / worker).read_text()
    assert f'base: "{base}"' in script
    assert not (tmp_path / "sw.js").exists()
    if framework.uses_plugin:
        assert settings.targets == {}
    else:
        assert settings.targets["public"].type == "directory"
        assert settings.targets["public"].path == framework.copy
        assert framework.copy.endswith(base.strip("/"))


def test_the_line_names_the_plugin_as_npm_does() -> None:
    packages = Path(__file__).resolve().parents[2] / "packages/vite-plugin/package.json"
    if packages.is_file():
        assert json.loads(packages.read_bytes())["name"] == "vite-plugin-shardpress"


@pytest.mark.parametrize("text", ["", "[]", '{"dependencies": ["vite"]}', '{"dependencies": null}', "{", "\xff"])
def test_any_package_json_is_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_bytes(text.encode("latin-1"))
    assert find_framework(tmp_path) is None


def test_a_project_without_one_is_as_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.graph_model(tmp_path / "m")
    assert main(["init", "--no-build", "--json", "--config", str(tmp_path / "build.toml")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["framework"], document["line"]) == (None, None)
    assert load_config(tmp_path / "build.toml").build.out == "dist"
    assert re.search('base: "/dist/cdn/"', (tmp_path / "sw.js").read_text())


@pytest.mark.slow
def test_the_bundle_it_has_published_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"dependencies": {"next": "16"}}')
    tiny.graph_model(tmp_path / "models/shapes")
    config = str(tmp_path / "build.toml")
    assert main(["init", "--no-build", "--config", config]) == 0
    assert main(["--config", config, "--quiet"]) == 0
    assert main(["--config", config, "deploy", "public", "--yes", "--quiet"]) == 0
    assert (tmp_path / "public/models/loader.js").is_file()
    (tmp_path / "models-dist/model.json").write_bytes((tmp_path / "models/shapes/model.json").read_bytes())
    assert main(["init", "--no-build", "--force", "--config", config]) == 0
    assert set(load_config(Path(config)).models) == {"shapes"}
