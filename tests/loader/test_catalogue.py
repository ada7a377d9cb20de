"""A thousand models: the index stays small, and a page pays for the one it uses."""

from __future__ import annotations

from pathlib import Path

import brotli
import numpy as np
import pytest

from builder.cli.main import main
from tests.helpers.browsing import chromium
from tests.helpers.models import write_model
from tests.helpers.serving import serve
from tests.helpers.whole import assert_whole

count = 1000

page = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script src="/modules/@tensorflow/tfjs/dist/tf.min.js"></script>
<script type="module">
import { models } from "/cdn/loader.js";
const model = await models["model-0412"].load().full;
const answer = model.execute({ x: tf.ones([1, 8]) });
window.result = Array.from(await answer.data());
</script>"""


@pytest.mark.slow
def test_a_thousand_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    for number in range(count):
        name = f"model-{number:04}"
        write_model(tmp_path / name, seed=number + 1)
        tables.append(f'[models.{name}]\nsource = "{name}/model.json"')
    (tmp_path / "build.toml").write_text("\n".join(tables))
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as without_node:  # the page below verifies one of them; all would take minutes
        without_node.setenv("PATH", "")
        assert main(["-q"]) == 0
    cdn = tmp_path / "dist" / "cdn"
    index = assert_whole(cdn)
    assert len(index.models) == count
    assert len(brotli.compress((cdn / "loader.js").read_bytes(), quality=11)) <= 60_000

    site = tmp_path / "site"
    site.mkdir()
    (site / "page.html").write_text(page)
    (site / "cdn").symlink_to(cdn)
    (site / "modules").symlink_to(Path(__file__).resolve().parents[2] / "node_modules")
    with serve(site) as server, chromium() as browser:
        tab = browser.new_page()
        tab.goto(f"{server.url}page.html")
        tab.wait_for_function("window.result", timeout=60_000)
        source = np.frombuffer((tmp_path / "model-0412" / "shard0.bin").read_bytes(), "<f4")
        expected = source[:64].reshape(8, 8).sum(axis=0) + source[64:]
        assert np.allclose(tab.evaluate("window.result"), expected, atol=1e-5)
        fetched = server.paths("/cdn/")
        digest = index.models["model-0412"].head_sha256[:16]
        assert fetched[:2] == ["/cdn/loader.js", f"/cdn/assets/model-0412.{digest}.json"]
        assert len(fetched) == len(set(fetched))
        code = "/cdn/device."  # of the loader itself, in idle time where WebGL is
        assert all(path.startswith(("/cdn/assets/model-0412-", code)) for path in fetched[2:])
