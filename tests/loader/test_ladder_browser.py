"""A ladder in Chromium: the first rung answers, the climb, its failure, and the next visit."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from builder.cli.main import main
from tests.helpers.browsing import chromium
from tests.helpers.rungs import labels, ladder_of, write_classifier
from tests.helpers.serving import serve

root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"

use = """async () => {
  const { models, configure } = await import("./models/loader.js");
  const events = [];
  configure({ onEvent: ({ model, type, stage, code }) => model === "what" && events.push(stage ?? code) });
  const canvas = new OffscreenCanvas(30, 20);
  const context = canvas.getContext("2d");
  context.fillStyle = "#20f030";
  context.fillRect(0, 0, 30, 20);
  const plan = await models.what.plan();
  const handle = models.what.load();
  const answers = [(await handle.run(canvas)).label];
  const first = handle.rung;
  await fetch("answered");
  let over = false;
  const full = handle.full.then(() => "full", ({ code }) => code).finally(() => (over = true));
  while (!over) answers.push((await handle.run(canvas)).label);
  answers.push((await handle.run(canvas)).label);
  const last = handle.rung;
  const refused = await handle.ready.then((model) => model.executeAsync(null)).catch(({ code }) => code);
  await new Promise((done) => setTimeout(done, 100));
  handle.dispose();
  const tensors = tf.memory().numTensors;
  const taken = plan.map(({ take }) => take);
  return { first, last, full: await full, answers: [...new Set(answers)], refused, events, tensors, plan: taken };
}"""


@pytest.mark.slow
def test_a_page_gets_the_first_answer_soon_and_the_best_one_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classifier(tmp_path / "small", side=8, hidden=30)
    write_classifier(tmp_path / "large", side=12, hidden=6000)
    (tmp_path / "labels.txt").write_text("\n".join(labels))
    rungs = ('source = "small/model.json"', 'source = "large/model.json"')
    more = 'labels = "labels.txt"\npicture = {}\nanswer = "classes"'
    (tmp_path / "build.toml").write_text('[build]\nshard_bytes = "16 KiB"\n' + ladder_of(*rungs, more=more))
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("builder.verify.run.shutil.which", lambda name: None)
        assert main(["-q", "--fast"]) == 0
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "dist/cdn").rename(site / "models")
    (site / "tf.min.js").write_bytes(runtime.read_bytes())
    (site / "index.html").write_text('<!doctype html><title>page</title><script src="tf.min.js"></script>')
    answered = threading.Event()
    missing = True

    def fail(path: str) -> int | None:
        """Let the files of the last rung wait until the page has its first answer."""
        if path == "/answered":
            answered.set()
        elif path.startswith("/models/assets/what-base-"):
            assert answered.wait(30)
            return 404 if missing else None
        return None

    with serve(site) as server, chromium() as browser:
        server.fail = fail
        page = browser.new_page()
        page.goto(server.url + "index.html")
        failed = page.evaluate(use)
        missing = False
        answered.clear()
        page.reload()
        climbed = page.evaluate(use)
        page.reload()
        before = len(server.paths())
        again = page.evaluate(use)
        later = [path for path in server.paths()[before:] if "/assets/" in path]
    assert (failed["first"], failed["last"], failed["full"]) == (1, 1, "network")
    assert failed["events"] == ["head", "rung:1", "network"]
    assert (climbed["first"], climbed["last"], climbed["full"]) == (1, 2, "full")
    assert climbed["events"] == ["head", "rung:1", "rung:2", "full"]
    assert (again["first"], again["plan"]) == (2, [False, True])
    assert later == [], "all of it is kept"
    for visit in (failed, climbed, again):
        assert visit["answers"] == ["green"]
        assert visit["refused"] == "contract"
        assert visit["tensors"] == 0
