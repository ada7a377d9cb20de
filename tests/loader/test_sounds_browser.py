"""Ladders of sounds and texts in Chromium: a stream that goes on during a climb, and both in the worker."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from builder.cli.main import main
from builder.verify.played import write_wav
from tests.helpers.browsing import chromium
from tests.helpers.rungs import ladder_of
from tests.helpers.serving import serve
from tests.helpers.tellers import write_rungs

root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"

begin = """
  const { models, configure } = await import("/models/loader.js");
  configure({ baseUrl: "/models/", cache: "none", workerTf: "/tf.min.js" });
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 440 });
  const microphone = new MediaStreamAudioDestinationNode(context);
  tone.connect(microphone);
  tone.start();
  const { stream } = microphone;
"""
listens = f"""async () => {{{begin}
  const handle = models.loud.load();
  await handle.ready;
  const before = tf.memory().numTensors;
  const heard = await handle.run(stream);
  const found = [];
  let climbing;
  for await (const {{ start, end, answer }} of heard) {{
    found.push({{ rung: handle.rung, start, length: end - start }});
    if (answer.label !== "loud") continue;
    // The last rung comes only now; the loop goes on meanwhile, and ends when that one hears the tone.
    climbing ??= fetch("/answered").then(() => handle.full);
    if (Math.abs(end - start - 0.05) < 1e-9) break;
  }}
  await climbing;
  const [track] = stream.getAudioTracks();
  handle.dispose();
  // Weights of the first rung went when its last window was answered.
  while (tf.memory().numTensors) await new Promise((next) => setTimeout(next));
  return {{ found, before, rung: handle.rung, track: track.readyState }};
}}"""
apart = f"""async () => {{{begin}
  const words = models.what.load({{ thread: "worker" }});
  const ears = models.loud.load({{ thread: "worker" }});
  const sound = await (await fetch("/tone.wav")).arrayBuffer();
  const ask = async () => [
    [words.rung, (await words.run(["red", "some blue"])).map(({{ label }}) => label)],
    [ears.rung, (await ears.run(sound)).map(({{ start, end, answer }}) => [start, end, answer.label])],
  ];
  await Promise.all([words.ready, ears.ready]);
  const low = await ask();
  const refused = await ears.run(stream).catch(({{ code }}) => code);
  await fetch("/answered");
  await Promise.all([words.full, ears.full]);
  const high = await ask();
  words.dispose();
  ears.dispose();
  return {{ low, high, refused, page: typeof tf }};
}}"""


@pytest.mark.slow
def test_a_stream_goes_from_rung_to_rung_and_the_worker_takes_texts_and_sounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rungs(tmp_path)
    texts = [f'source = "{one}/model.json", tokenizer = "{one}/tokenizer.json"' for one in ("small", "large")]
    sounds = [
        f'source = "{one}/model.json", audio = {{ rate = {rate} }}' for one, rate in (("short", 8000), ("long", 16000))
    ]
    table = ladder_of(*texts, more='labels = "labels.txt"\nanswer = "classes"')
    table += ladder_of(*sounds, more='labels = "moods.txt"\nanswer = "classes"').replace("models.what", "models.loud")
    (tmp_path / "build.toml").write_text(table)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("builder.verify.run.shutil.which", lambda name: None)
        assert main(["-q", "--fast"]) == 0
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "dist/cdn").rename(site / "models")
    (site / "tf.min.js").write_bytes(runtime.read_bytes())
    (site / "tone.wav").write_bytes(write_wav(np.sin(np.arange(3200) / 6)[None], 16_000))
    (site / "index.html").write_text('<!doctype html><title>page</title><script src="tf.min.js"></script>')
    (site / "bare.html").write_text("<!doctype html><title>page</title>")
    answered = threading.Event()

    def fail(path: str) -> int | None:
        """Let the files of the last rungs wait until the page has its first answer."""
        if path == "/answered":
            answered.set()
        elif path.startswith(("/models/assets/what-base-", "/models/assets/loud-base-")):
            assert answered.wait(60)
        return None

    with serve(site) as server, chromium("--autoplay-policy=no-user-gesture-required") as browser:
        server.fail = fail
        page = browser.new_page()
        page.goto(server.url + "index.html")
        stream = page.evaluate(listens)
        answered.clear()
        page.goto(server.url + "bare.html")
        worker = page.evaluate(apart)
    found = stream["found"]
    lengths = [round(one["length"], 6) for one in found]
    assert (lengths[0], lengths[-1], set(lengths)) == (0.02, 0.05, {0.02, 0.05})
    assert lengths == sorted(lengths), "once a rung answers, the one below does not any more"
    starts = [one["start"] for one in found]
    assert starts == sorted(set(starts))
    assert (found[0]["rung"], stream["rung"], stream["track"]) == (1, 2, "ended")
    assert worker["page"] == "undefined"
    assert worker["refused"] == "contract"
    assert [rung for rung, _ in worker["low"]] == [1, 1]
    assert [rung for rung, _ in worker["high"]] == [2, 2]
    for visit, length in ((worker["low"], 0.02), (worker["high"], 0.05)):
        assert visit[0][1] == ["red", "blue"]
        assert visit[1][1][0] == [0, length, "loud"]
        assert {label for _, _, label in visit[1][1]} == {"loud"}
