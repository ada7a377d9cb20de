"""A ladder with a budget in Chromium, on devices made weak and strong by a clock and costs of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from tests.helpers.browsing import chromium
from tests.helpers.rungs import labels, ladder_of, write_convolver
from tests.helpers.serving import serve

root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"

# The clock goes by what kernels would take on the device, and by nothing else.
use = """async (slowness) => {
  let now = 1000;
  let kernels = 0;
  performance.now = () => now;
  await tf.setBackend("cpu");
  const engine = tf.engine();
  const own = engine.runKernel;
  engine.runKernel = function (name, inputs, attributes) {
    const answer = own.call(this, name, inputs, attributes);
    kernels++;
    if (/Conv2D/.test(name)) now += (slowness * answer.size * inputs.filter.size) / inputs.filter.shape[3] / 1e6;
    return answer;
  };
  const { models, configure } = await import("./models/loader.js");
  const told = [];
  configure({ onEvent: ({ type, model, why }) => type === "plan" && told.push(`${model}: ${why}`) });
  const handle = models.what.load();
  const canvas = new OffscreenCanvas(30, 20);
  canvas.getContext("2d").fillRect(0, 0, 30, 20);
  await handle.run(canvas);
  await handle.full;
  const plan = (await models.what.plan()).map(({ take, why }) => [take, why]);
  kernels = 0;
  const { backend, passed } = await handle.pickBackend();
  return { rung: handle.rung, told, plan, backend, passed, kernels };
}"""


@pytest.mark.slow
def test_a_weak_device_fetches_what_it_can_run_and_a_strong_one_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_convolver(tmp_path / "small", side=64, channels=16)
    write_convolver(tmp_path / "large", side=112, channels=64)
    (tmp_path / "labels.txt").write_text("\n".join(labels))
    rungs = ('source = "small/model.json"', 'source = "large/model.json"')
    more = 'frame_ms = 33\nlabels = "labels.txt"\npicture = {}\nanswer = "classes"'
    (tmp_path / "build.toml").write_text(ladder_of(*rungs, more=more))
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    monkeypatch.chdir(tmp_path)
    assert main(["-q", "--fast"]) == 0
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "dist/cdn").rename(site / "models")
    (site / "tf.min.js").write_bytes(runtime.read_bytes())
    (site / "index.html").write_text('<!doctype html><title>page</title><script src="tf.min.js"></script>')

    def visit(context: Any, slowness: float) -> tuple[dict[str, Any], list[str]]:
        """Return what the page tells, and the files of the last rung that were asked for."""
        before = len(server.paths())
        page = context.new_page()
        page.goto(server.url + "index.html")
        found = page.evaluate(use, slowness)
        page.close()
        return found, [path for path in server.paths()[before:] if "/assets/what-base-" in path]

    with serve(site) as server, chromium() as browser:
        # 16 and 200 ms a run: 1.8 and 21.7 million multiply-adds.
        weak_phone, strong_one = browser.new_context(), browser.new_context()
        weak, weak_files = visit(weak_phone, 9)
        again, again_files = visit(weak_phone, 9)
        strong, strong_files = visit(strong_one, 0.5)
    for visited, files in ((weak, weak_files), (again, again_files)):
        assert (visited["rung"], files) == (1, [])
        assert len(visited["told"]) == 1
        assert "ms a run here, more than the 33 ms of frame_ms" in visited["told"][0]
        (first, _), (second, why) = visited["plan"]
        assert (first, second) == (True, False)
        assert "more than the 33 ms of frame_ms" in why
    assert (strong["rung"], strong["told"]) == (2, [])
    assert strong_files
    assert [take for take, _ in strong["plan"]] == [False, True], "the last rung is kept now"
    assert weak["kernels"] > 0
    assert again["kernels"] == 0, "no sample is run again"
    assert (again["backend"], again["passed"]) == (weak["backend"], True)
