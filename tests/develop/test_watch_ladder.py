"""A ladder while somebody works on its rungs: the page climbs anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.developing import watching

html = """<!doctype html>
<html><head><link rel="icon" href="data:,"><script src="/node_modules/@tensorflow/tfjs/dist/tf.min.js"></script></head>
<body><script type="module">
import { models, configure } from "../../dist/cdn/loader.js";
configure({ tf, workerTf: "/node_modules/@tensorflow/tfjs/dist/tf.min.js" });
await tf.setBackend("cpu");
const handle = models.what.load({ thread: "THREAD" });
const model = await handle.full;
const ones = { data: new Float32Array(24).fill(1), shape: [1, 24] };
const probs = {
  page: () => model.execute(tf.ones([1, 24]), "probs").data(),
  worker: async () => (await model.execute(ones, "probs")).data,
};
window.answer = async () => ({ rung: handle.rung, probs: Array.from(await probs.THREAD()) });
window.token = Math.random();
</script></body></html>
"""
settings = """
[models.what]
ladder = [{ source = "small/model.json", precision = "float16" }, { source = "large/model.json" }]
"""


@pytest.mark.slow
@pytest.mark.parametrize("thread", ["page", "worker"])
def test_a_page_with_a_ladder_loads_again_when_a_rung_changes(thread: str, tmp_path: Path) -> None:
    ones = np.ones((1, tiny.features), np.float32)
    tiny.graph_model(tmp_path / "small", tiny.weights(1))
    tiny.graph_model(tmp_path / "large", tiny.weights(1))
    (tmp_path / "build.toml").write_text(settings)
    (tmp_path / "assets/pages").mkdir(parents=True)
    (tmp_path / "assets/pages/index.html").write_text(html.replace("THREAD", thread))
    with watching(tmp_path / "build.toml") as running, chromium() as browser:
        running.wait_for("release")
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.goto(running.url)
        page.wait_for_function("window.token")
        for changed in ("small", "large"):
            token = page.evaluate("token")
            tiny.graph_model(tmp_path / changed, tiny.weights(2))
            page.wait_for_function(f"window.token && token !== {token}")
            answer = page.evaluate("answer()")
            assert answer["rung"] == 2
        np.testing.assert_allclose(answer["probs"], tiny.softmax(ones, tiny.weights(2))[0], atol=1e-6)
