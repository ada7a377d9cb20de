"""``[offline]``: a build writes the service worker of a finished site, with the list of its files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from builder.config.tables import load_config
from builder.errors import ConfigError
from builder.pipeline.offline import write_offline

worker = "sw.0123456789abcdef.js"


def project(folder: Path, offline: str, *files: str) -> Path:
    """Write build.toml and the files of a site."""
    (folder / "build.toml").write_text(f'[offline]\nsite = "site"\n{offline}\n[models.a]\nsource = "a"\n')
    for name in files:
        (folder / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "site" / name).write_text(name)
    return folder


def write(folder: Path) -> str | None:
    return write_offline(load_config(folder / "build.toml"), worker)


def settings(script: Path) -> dict[str, Any]:
    found = re.search(r"^self\.shardpress = (.*);$", script.read_text(), re.MULTILINE)
    assert found
    result: dict[str, Any] = json.loads(found[1])
    return result


def test_the_files_are_listed_by_pattern_and_address(tmp_path: Path) -> None:
    files = ["index.html", "about/index.html", "app.js", "a b#é.css", "static/app.123.js", "raw.psd", ".secret.html"]
    project(tmp_path, 'runtime = ["static/**/*"]\nfallback = "index.html"', *files, "models/loader.js", ".git/x.js")
    (tmp_path / "outside.html").write_text("elsewhere")
    (tmp_path / "site" / "linked.html").symlink_to(tmp_path / "outside.html")
    assert write(tmp_path) is None
    script = tmp_path / "site" / "sw.js"
    assert settings(script) == {
        "base": "./models/",
        "shell": ["./a%20b%23%C3%A9.css", "./about/index.html", "./app.js", "./index.html"],
        "runtime": ["./static/app.123.js"],
        "fallback": "./index.html",
    }
    assert f'importScripts("./models/{worker}");' in script.read_text()
    before = script.stat()
    assert write(tmp_path) is None
    assert script.stat().st_ino == before.st_ino  # the same bytes are not written again
    (tmp_path / "site" / "new.html").write_text("new")
    assert write(tmp_path) is None
    assert "./new.html" in settings(script)["shell"]


def test_a_worker_in_a_folder_and_a_bundle_elsewhere(tmp_path: Path) -> None:
    project(tmp_path, 'worker = "app/sw.js"\nbase = "https://cdn.example.com/m/"', "index.html", "models/mine.html")
    assert write(tmp_path) is None
    found = settings(tmp_path / "site/app/sw.js") if (tmp_path / "site/app").is_dir() else {}
    assert found == {
        "base": "https://cdn.example.com/m/",
        "shell": ["../index.html", "../models/mine.html"],
        "runtime": [],
    }


def test_binaries_are_kept_from_the_first_visit_on(tmp_path: Path) -> None:
    project(tmp_path, "", "index.html")
    assert write_offline(load_config(tmp_path / "build.toml"), worker, ("tf-simd.0123456789abcdef.wasm",)) is None
    assert settings(tmp_path / "site/sw.js")["runtime"] == ["./models/tf-simd.0123456789abcdef.wasm"]


def test_somebody_elses_worker_stays(tmp_path: Path) -> None:
    project(tmp_path, "", "index.html", "sw.js")
    with pytest.raises(ConfigError, match="is not one that a build has written"):
        write(tmp_path)
    assert (tmp_path / "site" / "sw.js").read_text() == "sw.js"


def test_a_link_in_the_workers_place_is_not_followed(tmp_path: Path) -> None:
    project(tmp_path, "", "index.html")
    target = tmp_path / "elsewhere.js"
    target.write_text("// Written by shardpress")
    (tmp_path / "site" / "sw.js").symlink_to(target)
    with pytest.raises(ConfigError, match="is not one that a build has written"):
        write(tmp_path)
    assert target.read_text() == "// Written by shardpress"


def test_a_site_that_is_not_there_yet_is_told_and_no_failure(tmp_path: Path) -> None:
    project(tmp_path, "")
    assert "build again when it does" in (write(tmp_path) or "")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("offline", "words"),
    [
        ('shell = ["../*.html"]', "not below"),
        ('shell = ["/etc/*"]', "not below"),
        ('runtime = ["a/../../b"]', "not below"),
        ('worker = "../sw.js"', "not below"),
        ('worker = "C:sw.js"', "not below"),
        ('base = "models"', "neither a folder"),
        ('base = "../models/"', "neither a folder"),
        ('shell = ["*.htm"]', "match no file"),
        ('fallback = "app.html"', "not among the files"),
        ('shel = ["*"]', "Did you mean 'shell'"),
    ],
)
def test_wrong_settings_are_told_with_their_key(offline: str, words: str, tmp_path: Path) -> None:
    project(tmp_path, offline, "index.html")
    with pytest.raises(ConfigError) as caught:
        write(tmp_path)
    text = f"{caught.value.what} {caught.value.where} {caught.value.hint}"
    assert words in text
    assert "offline" in text
    assert not (tmp_path / "site" / "sw.js").exists()
