"""A page of another origin keeps working while releases come and go under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.cli.main import main
from tests.helpers import s3_server
from tests.helpers.browsing import chromium
from tests.helpers.deploying import change, project
from tests.helpers.serving import serve
from tests.publish.test_deploy_s3 import credentials, make_bucket, table

page = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script src="/modules/@tensorflow/tfjs/dist/tf.min.js"></script>
<script type="module">
import { models, configure } from "BASE/loader.js";
configure({ tf: window.tf });
window.answer = async (name) => {
  const model = await models[name].load().full;
  return Array.from(await model.execute({ x: tf.ones([1, 200]) }).data());
};
window.ready = true;
</script>"""


@contextmanager
def unverified(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Build without Node; the browser is still found."""
    with monkeypatch.context() as patch:
        patch.setattr("builder.verify.run.shutil.which", lambda name: None)
        yield


@pytest.fixture
def server(tmp_path: Path) -> Iterator[s3_server.S3]:
    with s3_server.seaweed(tmp_path / "seaweed") as running:
        yield running


@pytest.mark.slow
def test_an_open_page_outlives_a_deploy_and_a_prune(
    tmp_path: Path, server: s3_server.S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(monkeypatch)
    monkeypatch.setenv("BUCKET", "pages")
    make_bucket(server, "pages")
    with unverified(monkeypatch):
        folder = project(tmp_path / "site", targets=table(server, "pages") + "\nkeep_releases = 1")
    words = ["--config", str(folder / "build.toml")]
    assert main(["deploy", *words]) == 0
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.html").write_text(page.replace("BASE", f"{server.url}/pages/models"))
    (pages / "modules").symlink_to(Path(__file__).resolve().parents[2] / "node_modules")
    with serve(pages) as site, chromium() as browser:
        tab = browser.new_page()
        tab.goto(f"{site.url}index.html")
        tab.wait_for_function("window.ready", timeout=60_000)
        before = tab.evaluate("window.answer('a')")
        with unverified(monkeypatch):
            change(folder, "a", 7)
            change(folder, "b", 8)
        assert main(["deploy", *words]) == 0
        assert main(["prune", *words]) == 0
        other = tab.evaluate("window.answer('b')")  # of the release that the page began with
        assert len(before) == len(other) == 8
        fresh = browser.new_page()
        fresh.goto(f"{site.url}index.html")
        fresh.wait_for_function("window.ready", timeout=60_000)
        assert fresh.evaluate("window.answer('a')") != before
        assert fresh.evaluate("window.answer('b')") != other
