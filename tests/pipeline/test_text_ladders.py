"""Ladders of texts and of sounds: what a page sees of their rungs, and how often these agree."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.bundle.index import Index
from builder.cli.main import main
from builder.verify.played import write_wav
from tests.helpers.rungs import ladder_of, write_classifier
from tests.helpers.tellers import (
    words,
    write_rungs,
    write_sound_classifier,
    write_text_classifier,
    write_tokenizer,
)
from tests.helpers.whole import assert_whole

root = Path(__file__).resolve().parents[2]
small = 'source = "small/model.json", tokenizer = "small/tokenizer.json"'
large = 'source = "large/model.json", tokenizer = "large/tokenizer.json"'
short = 'source = "short/model.json", audio = { rate = 8000, hop = 80 }'
long = 'source = "long/model.json", audio = { rate = 16000, hop = 400 }'
texts = 'labels = "labels.txt"\nanswer = "classes"'
sounds = 'labels = "moods.txt"\nanswer = "classes"'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with rungs that take texts, and such that take sounds; without Node in reach."""
    write_rungs(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    return tmp_path


def build(folder: Path, text: str) -> tuple[Index, dict[str, Any]]:
    (folder / "build.toml").write_text(text)
    assert main(["-q", "--fast"]) == 0
    manifest: dict[str, Any] = json.loads((folder / "dist/manifest.json").read_bytes())
    return assert_whole(folder / "dist" / "cdn"), manifest["models"]


def failure(folder: Path, text: str, capsys: pytest.CaptureFixture[str], status: int = 1) -> str:
    (folder / "build.toml").write_text(text)
    assert main(["-q", "--fast"]) == status
    assert not (folder / "dist/cdn/loader.js").exists()
    return capsys.readouterr().err


def test_rungs_that_take_texts_have_words_and_inputs_of_their_own(project: Path) -> None:
    index, models = build(project, ladder_of(small, large, more=f'{texts}\nload = "now"'))
    assert index.models["what"].rungs == ("what-rung1",)
    assert models["what"]["ladder"]["tensors"] is False
    seen = models["what"]["contract"]
    assert models["what-rung1"]["contract"] == seen
    assert "RunOnly," in (project / "dist/cdn/loader.d.ts").read_text()
    preload = (project / "dist/preload.html").read_text()
    for name in ("answers", "classes", "ladder", "tokens"):
        assert f'rel="modulepreload" href="BASE/{name}.{index.modules[name][:16]}.js"' in preload
    write_text_classifier(project / "large", hidden=2000, order=words[:4], name="ids")
    _, again = build(project, ladder_of(small, large, more=texts))
    assert again["what"]["contract"] == seen, "neither words nor inputs are anything that a page sees"
    (project / "labels.txt").write_text("rouge\nvert\nbleu")
    _, others = build(project, ladder_of(small, large, more=texts))
    assert others["what"]["contract"] != seen


def test_ids_are_taken_only_where_all_rungs_have_one_tokenizer(project: Path) -> None:
    coarse = large.replace("source", 'precision = "float16", source')
    _, models = build(project, ladder_of(coarse, large, more=texts))
    assert models["what"]["ladder"]["tensors"] is True
    write_tokenizer(project / "other.json", words)
    other = coarse.replace("large/tokenizer.json", "other.json")
    _, models = build(project, ladder_of(other, large, more=texts))
    assert models["what"]["ladder"]["tensors"] is False, "the same numbers are other words"


def test_rungs_that_take_sounds_have_rates_and_windows_of_their_own(project: Path) -> None:
    index, models = build(project, ladder_of(short, long, more=sounds))
    assert models["what"]["ladder"]["tensors"] is False
    assert models["what"]["contract"] == models["what-rung1"]["contract"]
    types = (project / "dist/cdn/loader.d.ts").read_text()
    assert '"classes",\n    true' in types, "run() takes sounds and microphones"
    assert {"audio", "listen", "classes", "ladder"} <= set(index.modules)
    write_sound_classifier(project / "short", samples=240, hidden=50)
    _, again = build(project, ladder_of(short.replace("8000", "12000"), long, more=sounds))
    assert again["what"]["contract"] == models["what"]["contract"]


def test_rungs_that_take_something_else_are_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classifier(project / "picture", side=8, hidden=300)
    picture = 'source = "picture/model.json", picture = {}'
    said = failure(project, ladder_of(picture, large, more=texts), capsys)
    assert "SP-563" in said
    assert "it takes a picture, not a text or two" in said
    said = failure(project, ladder_of(short, large, more=texts), capsys)
    assert "it takes a sound in windows, not a text or two" in said
    said = failure(project, ladder_of('source = "small/model.json"', large, more=texts), capsys)
    assert "rung 1 takes none of these, or more" in said
    assert "Set picture, tokenizer or audio" in said
    write_text_classifier(project / "large", hidden=3000, more="place")
    said = failure(project, ladder_of(small, large, more=texts), capsys)
    assert "rung 2 takes none of these, or more" in said


def test_rungs_that_give_something_else_are_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = f'{large}, answer = "vector"'
    said = failure(project, ladder_of(small, other, more=texts), capsys, 2)
    assert "SP-251" in said
    assert "vectors of two models cannot be compared" in said
    said = failure(project, ladder_of(f"{large}, answer = 'vector'", other, more='labels = "labels.txt"'), capsys, 2)
    assert "SP-251" in said
    said = failure(project, ladder_of(small, large.replace("large/tok", "gone/tok"), more=texts), capsys, 2)
    assert "SP-216" in said
    assert re.search(r"models\.what(\.ladder\[1\])?\.tokenizer = 'gone/tokenizer.json'", said)
    (project / "build.toml").write_text(ladder_of(small.replace("small/tok", "gone/tok"), large, more=texts))
    assert main(["-q", "--fast"]) == 2
    assert re.search(r"models\.what(-rung1|\.ladder\[0\])\.tokenizer", capsys.readouterr().err)


page = """
import { readFile } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
await tf.setBackend("cpu");
let open;
const answered = new Promise((resolve) => (open = resolve));
const fetchFile = async (url) => {
  // The last rungs come when the first ones have answered.
  if (/(what|loud)-(base|refine)-.*bin$/.test(url)) await answered;
  return new Response(await readFile(new URL(url)));
};
const { configure, models } = await import(new URL("dist/cdn/loader.js", import.meta.url));
configure({ tf, fetch: fetchFile, cache: "none", baseUrl: new URL("dist/cdn/", import.meta.url).href });
const texts = ["Red red", "some green", "blue blue red", "cold", ""];
const what = [...texts, texts, { text: "red" }, { text: "red", pair: "blue" }];
const given = { what, loud: [await readFile("steps.wav")] };
const all = async (handle, name) => {
  const answers = [];
  for (const one of given[name]) answers.push(await handle.run(one));
  return { rung: handle.rung, answers };
};
const before = tf.memory().numTensors;
const found = {};
const ladders = ["what", "loud"].map((name) => [name, models[name].load()]);
for (const [name, handle] of ladders) found[name] = [await all(handle, name)];
open();
for (const [name, handle] of ladders) {
  await handle.full;
  found[name].push(await all(handle, name));
  handle.dispose();
}
for (const [name, alone] of [["what", "words"], ["loud", "ears"]]) {
  const handle = models[alone].load();
  await handle.full;
  found[name].push(await all(handle, name));
  handle.dispose();
}
await new Promise((done) => setTimeout(done));
console.log(JSON.stringify({ found, left: tf.memory().numTensors - before }));
"""


def climbed(folder: Path) -> dict[str, Any]:
    """Run both ladders under Node, at their first rungs and their last ones, and the last ones' models alone."""
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "page.mjs").write_text(page)
    done = subprocess.run(["node", "page.mjs"], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert result["left"] == 0
    found: dict[str, Any] = result["found"]
    return found


@pytest.mark.slow
def test_texts_and_sounds_go_the_whole_way_and_their_agreement_is_measured(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(project)
    (project / "node_modules").symlink_to(root / "node_modules")
    # Of four lines the small model takes one for another: it does not know the word.
    write_text_classifier(project / "small", hidden=30, order=words[:3])
    (project / "lines.txt").write_text("Red red\n\nsome green\nblue blue red\ncold\n")
    # Louder and louder, and then a tone that the rate of the small model does not know: it hears nothing.
    time = np.arange(4410) / 44_100
    low, high = (np.sin(2 * np.pi * frequency * time) for frequency in (440, 6000))
    wave = np.concatenate([0 * low, 0.15 * low, 0.9 * low, 0 * low, 0.15 * high, 0 * low])
    (project / "steps.wav").write_bytes(write_wav(wave[None], 44_100))
    timed = "frame_ms = 60_000\nverify.inputs ="
    table = ladder_of(small, large, more=f'{texts}\n{timed} "lines.txt"')
    more = ladder_of(short, long, more=f'{sounds}\n{timed} "steps.wav"').replace("models.what", "models.loud")
    alone = "".join(
        f"[models.{name}]\n{one.replace(', ', chr(10), 1)}\n{rest}\n"
        for name, one, rest in (("words", large, texts), ("ears", long, sounds))
    )
    _, models = build(project, table + more + alone)
    assert models["what"]["ladder"]["agreement"] == [0.75]
    (share,) = models["loud"]["ladder"]["agreement"]
    assert 0.7 <= share <= 0.9, "of 0.6 s, 0.1 s is the tone"
    report = json.loads((project / "dist/report.json").read_bytes())["models"]
    assert report["what"]["verification"]["answers"] == [4, 4]
    assert report["what"]["ladder"] == models["what"]["ladder"]
    assert "what-rung1 answers as what in 75.0% of the cases" in (project / "dist/report.html").read_text()
    found = climbed(project)
    for low, high, wanted in found.values():
        assert (low["rung"], high["rung"]) == (1, 2)
        assert low["answers"] != high["answers"] == wanted["answers"]
    one_by_one, together = (found["what"][1]["answers"][at] for at in (slice(0, 5), 5))
    assert together == one_by_one
    assert [answer["label"] for answer in together[:4]] == ["red", "green", "blue", "green"]
    spans = [[(one["start"], one["end"]) for one in visit["answers"][0]] for visit in found["loud"]]
    assert spans[0][:2] == [(0, 0.02), (0.01, 0.03)]
    assert spans[1][:2] == [(0, 0.05), (0.025, 0.075)]
