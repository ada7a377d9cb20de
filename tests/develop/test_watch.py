"""Snapshots, the loop's patience, and a storm of edits against running watch mode."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import pytest

from builder.bundle.head import read_head, shard_urls
from builder.cli.main import main
from builder.config.tables import load_config
from builder.develop.hints import Hints
from builder.develop.loop import Change, Loop, Pace, folders, nearest
from builder.develop.server.app import Site
from builder.develop.server.asked import Asked, most
from builder.develop.server.hub import Hub
from builder.develop.session import Callbacks, Developer, Development, content_of, shape_of
from builder.develop.snapshot import Camera, Inputs, inputs_of
from builder.pipeline import verify_models
from builder.pipeline.session import BuildOptions
from builder.verify.types import Check, Comparison, Verification
from builder.work.workers import LocalWorkers
from tests.helpers import tiny
from tests.helpers.developing import Watched, watching
from tests.helpers.whole import assert_whole

quick = Pace(look=0.05, poll=0.05, quiet=0.02, quiet_models=0.05, patience=0.2)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.01)


class Acting:
    """A loop in a thread, and what it acted on."""

    def __init__(self, inputs: Inputs, *, native: bool = True, during: Callable[[int], None] = lambda _: None) -> None:
        self.changes: list[Change] = []
        self._hints = Hints(native=native)
        self._during = during
        self._inputs = inputs
        self.loop = Loop(lambda: inputs, self._act, self._hints, quick)
        self._thread = threading.Thread(target=self.loop.run, args=(inputs,))

    def _act(self, change: Change) -> None:
        self._during(len(self.changes))
        self.changes.append(change)

    def __enter__(self) -> Self:
        self._hints.__enter__()
        self._thread.start()
        until(lambda: len(self.changes) == 1)
        return self

    def rest(self) -> None:
        """Wait until the last change was acted on."""
        until(lambda: len(self.changes) > 1 and self._is_settled())

    def _is_settled(self) -> bool:
        return self.loop._camera.take(self._inputs) == self.loop._done

    def __exit__(self, *error: object) -> None:
        self.loop.stop()
        self._thread.join()
        self._hints.__exit__(None, None, None)


def test_a_snapshot_sees_all_that_a_build_reads(tmp_path: Path) -> None:
    model = tiny.graph_model(tmp_path / "m")
    (tmp_path / "saved/variables").mkdir(parents=True)
    (tmp_path / "saved/variables/data").write_text("1")
    (tmp_path / "labels.txt").write_text("cat")
    (tmp_path / "inputs").mkdir()
    (tmp_path / "build.toml").write_text(
        '[models.a]\nsource = "m/model.json"\nlabels = "labels.txt"\nverify.inputs = "inputs/*.npz"\n'
        '[models.b]\nsource = "saved"\n[models.c]\nsource = "missing/c.h5"\n'
    )
    asked = Asked()
    asked.note(tmp_path / "pages/deep/index.html")
    inputs = inputs_of(load_config(tmp_path / "build.toml"), (), asked)
    camera = Camera()
    before = camera.take(inputs)
    assert camera.take(inputs) == before
    for path in ("build.toml", "labels.txt", "m/model.json", "m/weights.bin", "saved/variables/data"):
        (tmp_path / path).write_bytes((tmp_path / path).read_bytes() + b"\n")
        after = camera.take(inputs)
        assert after != before, path
        before = after
    for path in ("inputs/1.npz", "saved/variables/new", "missing/c.h5", "pages/deep/index.html"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
        after = camera.take(inputs)
        assert after != before, path
        before = after
    model.unlink()
    assert camera.take(inputs) != before


def test_folders_that_are_missing_are_watched_from_above(tmp_path: Path) -> None:
    inputs = Inputs((tmp_path / "build.toml",), sources=(tmp_path / "a/b/c.h5",))
    assert folders(Camera().take(inputs), inputs) == {tmp_path}
    (tmp_path / "a/b").mkdir(parents=True)
    assert folders(Camera().take(inputs), inputs) == {tmp_path, tmp_path / "a/b"}
    assert nearest(tmp_path / "x/y") == tmp_path


def test_only_what_pages_are_made_of_is_looked_at(tmp_path: Path) -> None:
    """However many files lie below, one that no page asked for costs nothing and reloads nothing."""
    for name in ("index.html", "src/app.js", "node_modules/a/index.js", "dist/cdn/loader.js", ".git/HEAD", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    for number in range(200):
        folder = tmp_path / f"node_modules/p{number}"
        folder.mkdir(parents=True)
        (folder / "index.js").write_text("1")
    settings = tmp_path / "build.toml"
    settings.write_text("")
    asked = Asked()
    inputs = Inputs((settings,), pages=asked)
    with Acting(inputs) as acting:
        asked.note(tmp_path / "index.html")
        asked.note(tmp_path / "src/app.js")
        until(lambda: acting.loop._known.keys() == {tmp_path / "index.html", tmp_path / "src/app.js"})
        # What must be watched is known: a few folders, none of those with packages or outputs.
        taken = Camera().take(inputs)
        assert folders(taken, inputs) == {tmp_path, tmp_path / "src"}
        assert set(taken.pages) == set(asked.known())
        for name in ("node_modules/a/index.js", "dist/cdn/loader.js", ".git/HEAD", "notes.txt", "new.txt"):
            (tmp_path / name).write_text("22")
        (tmp_path / "src/app.js").write_text("333")
        acting.rest()
        assert acting.changes[1:] == [Change(settings=False, sources=False, templates=False, pages=True)]


def test_an_idle_loop_hardly_looks(tmp_path: Path) -> None:
    """Events of files that are none of ours come by the hundreds while packages are installed."""
    looks = []
    settings = tmp_path / "build.toml"
    settings.write_text("")
    inputs = Inputs((settings,))
    pace = replace(quick, quiet=0.1, look=60)
    with Hints(native=True) as hints:
        loop = Loop(lambda: inputs, lambda change: None, hints, pace)
        take = loop._camera.take
        loop._camera.take = lambda given: (looks.append(1), take(given))[1]  # type: ignore[method-assign]
        thread = threading.Thread(target=loop.run, args=(inputs,))
        thread.start()
        until(lambda: len(looks) >= 3)
        begun, before = time.monotonic(), len(looks)
        for number in range(600):
            (tmp_path / f"other-{number % 50}").write_text("x")
        seconds = time.monotonic() - begun
        assert len(looks) - before <= 2 + seconds / pace.quiet
        loop.stop()
        thread.join()


def test_edits_behind_links_count(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for place in (project / "saved", elsewhere / "variables", elsewhere / "pages"):
        place.mkdir(parents=True)
    (elsewhere / "variables/data").write_text("1")
    (elsewhere / "pages/index.html").write_text("1")
    (elsewhere / "variables/round").symlink_to(elsewhere / "variables")
    (project / "saved/variables").symlink_to(elsewhere / "variables")
    (project / "pages").symlink_to(elsewhere / "pages")
    asked = Asked()
    asked.note(project / "pages/index.html")
    inputs = Inputs((), sources=(project / "saved",), pages=asked)
    camera = Camera()
    before = camera.take(inputs)
    (elsewhere / "variables/data").write_text("22")
    middle = camera.take(inputs)
    assert middle.sources != before.sources
    (elsewhere / "pages/index.html").write_text("22")
    assert camera.take(inputs).pages != middle.pages
    # The system tells of them where they lie.
    assert {elsewhere / "pages", elsewhere / "variables"} <= folders(before, inputs)


def site_of(folder: Path, pages: Path | None = None) -> Site:
    development = Development(folder / "build.toml", BuildOptions(), pages=pages)
    nobody = Callbacks(*[lambda *_: None] * 4)  # type: ignore[list-item]
    developer = Developer(development, nullcontext, nobody, Hub(), LocalWorkers(1))  # type: ignore[arg-type]
    developer.prepare()
    return developer.site()


def test_where_pages_are(tmp_path: Path) -> None:
    def prefixes(site: Site) -> dict[str, Path]:
        return {mount.prefix: mount.folder for mount in site.mounts if mount.prefix not in {"node_modules/", "sw.js"}}

    site, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for place in (site / "assets", site / "web", elsewhere):
        place.mkdir(parents=True)
    (site / "build.toml").write_text(
        '[build]\nout = "public/models"\ncache = "work"\n[serve]\nhosts = ["me.example"]\n'
    )
    usual = {"assets/": site / "assets"}
    nothing = site_of(site)  # whoever writes an index.html sees it
    assert (nothing.home, prefixes(nothing)) == (site / "index.html", usual | {"": site})
    assert (nothing.out, nothing.access.hosts) == (site / "public/models", ("me.example",))
    assert {site / "build.toml", site / "work", site / ".shardpress"} <= set(nothing.secret)
    (site / "assets/pages").mkdir()
    folder = site_of(site)
    assert (folder.home, folder.pages, prefixes(folder)) == (
        None,
        site / "assets/pages",
        usual | {"": site / "assets/pages"},
    )
    (site / "index.html").write_text("<p>")
    both = site_of(site)
    assert (both.home, prefixes(both)) == (site / "index.html", usual | {"": site})
    named = site_of(site, site / "web")
    assert (named.home, named.pages, prefixes(named)) == (
        None,
        site / "web",
        usual | {"web/": site / "web", "": site / "web"},
    )
    assert site_of(site, site).home == site / "index.html"
    outside = site_of(site, elsewhere)
    assert (outside.home, prefixes(outside)) == (None, usual | {"pages/": elsewhere, "": elsewhere})


def test_what_pages_ask_for_is_bounded(tmp_path: Path) -> None:
    asked = Asked()
    for number in range(most + 10):
        asked.note(tmp_path / str(number))
    assert len(asked.known()) == most
    assert tmp_path / "0" not in asked.known()
    asked.note(tmp_path / "10")  # the oldest, but in use
    asked.note(tmp_path / "new")
    assert tmp_path / "10" in asked.known()
    asked.note(tmp_path / ("x" * 300))
    asked.note(tmp_path.joinpath(*["long"] * 1000))
    assert len(asked.known()) == most
    assert max(len(str(path)) for path in asked.known()) < 300


def test_a_file_counts_as_it_was_when_a_page_asked_for_it(tmp_path: Path) -> None:
    """What changes between a page's request and the next look is a change."""
    page = tmp_path / "index.html"
    page.write_text("1")
    asked = Asked()
    with Acting(Inputs((), pages=asked)) as acting:
        asked.wake = lambda: None
        asked.note(page)
        page.write_text("22")
        acting._hints.wake()
        until(lambda: len(acting.changes) == 2)
        assert acting.changes[1].pages


def test_a_draft_differs_from_the_build_in_nothing_that_a_page_has(tmp_path: Path) -> None:
    model = tiny.graph_model(tmp_path / "one", {**tiny.weights(1), "kernel": np.zeros((24, 10), np.float32)})
    plain = tiny.bundle(tmp_path / "cdn", {"one": model}).models[0]
    shards = tuple(msgspec.structs.replace(shard, wire=shard.wire + 9) for shard in plain.content.shards)
    content = msgspec.structs.replace(plain.content, shards=shards, sample={"outputs": []}, avoid=("wasm",))
    checked = replace(plain, content=content)
    other = tiny.graph_model(tmp_path / "two", tiny.weights(2))
    changed = tiny.bundle(tmp_path / "other", {"one": other}).models[0]
    assert content_of(checked) == content_of(plain)
    assert content_of(changed) != content_of(plain)
    assert shape_of(changed) == shape_of(plain)


@pytest.mark.parametrize("native", [True, False])
def test_a_burst_is_one_change(tmp_path: Path, native: bool) -> None:
    settings, page = tmp_path / "build.toml", tmp_path / "pages/index.html"
    page.parent.mkdir()
    asked = Asked()
    asked.note(page)
    with Acting(Inputs((settings,), pages=asked), native=native) as acting:
        for number in range(30):
            settings.write_text(str(number))
        acting.rest()
        page.write_text("x")
        until(lambda: acting.changes[-1].pages)
        assert acting.changes[-1] == Change(settings=False, sources=False, templates=False, pages=True)
        bursts = acting.changes[1:-1]
        assert set(bursts) == {Change(settings=True, sources=False, templates=False, pages=False)}
        assert len(bursts) < 10  # one, where the machine is not too busy to write without a rest


def test_a_change_while_acting_is_kept(tmp_path: Path) -> None:
    settings = tmp_path / "build.toml"
    settings.write_text("first")

    def during(number: int) -> None:
        if number == 1:
            settings.write_text("while acting")

    with Acting(Inputs((settings,)), during=during) as acting:
        settings.write_text("second")
        until(lambda: len(acting.changes) == 3)


def test_a_folder_that_is_replaced_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "a").write_text("1")
    with Acting(Inputs((), sources=(folder,))) as acting:
        for number in range(2, 5):
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / "a").write_text("1" * number)
            seen = len(acting.changes)
            until(lambda seen=seen: len(acting.changes) > seen)  # type: ignore[misc]


def fuzz(folder: Path, watched: Watched, count: int, seed: int) -> int:
    """Edit at random ``count`` times, mend everything, and give the seed of the weights that must be served."""
    chance = random.Random(seed)
    source, settings, page = folder / "m", folder / "build.toml", folder / "assets/pages/index.html"
    good = settings.read_text()

    def retrain() -> None:
        tiny.graph_model(source, tiny.weights(chance.randrange(50)))

    def truncate() -> None:
        path = chance.choice([source / "model.json", source / "weights.bin"])
        if path.exists():
            os.truncate(path, chance.randrange(path.stat().st_size + 1))

    def rename() -> None:
        if source.exists():
            shutil.rmtree(folder / "moved", ignore_errors=True)
            source.rename(folder / "moved")
            if chance.random() < 0.5:
                (folder / "moved").rename(source)

    def save_by_rename() -> None:
        (folder / "new.toml").write_text(good + f"# {chance.random()}\n")
        (folder / "new.toml").replace(settings)

    edits: list[Callable[[], object]] = [
        retrain,
        retrain,
        truncate,
        rename,
        save_by_rename,
        lambda: shutil.rmtree(source, ignore_errors=True),
        lambda: settings.write_text(chance.choice(["[models", good + "x = 1\n", "", "[models.a]\nsource = 'none'\n"])),
        lambda: settings.write_text(good),
        lambda: settings.unlink(missing_ok=True),
        lambda: page.write_text(f"<p>{chance.random()}"),
        lambda: page.unlink(missing_ok=True),
    ]
    for number in range(count):
        chance.choice(edits)()
        if number % 10 == 0:
            assert watched.process.poll() is None
            # From time to time a build gets to work on what was left.
            threading.Event().wait(chance.choice([0.0, 0.02, 0.6]))
    shutil.rmtree(folder / "moved", ignore_errors=True)
    last = 100 + seed
    tiny.graph_model(source, tiny.weights(last))
    settings.write_text(good)
    page.write_text(f"<p>the last of {seed}")
    return last


def served_weights(folder: Path) -> np.ndarray:
    """Give the kernel of the model that dist/ serves, from the planes of its shards."""
    index = assert_whole(folder / "dist/cdn")
    digest = index.models["a"].head_sha256
    head = json.loads((folder / f"dist/cdn/assets/a.{digest[:16]}.json").read_bytes())
    number = next(i for i, weight in enumerate(head["weights"]) if weight["name"] == "kernel")
    planes = {}
    for url, shard in zip(shard_urls("a", read_head(json.dumps(head).encode())), head["shards"], strict=True):
        content, at = (folder / "dist/cdn" / url).read_bytes(), 0
        for weight, plane, *_ in shard["segments"]:
            size = 240 if weight == number else 40
            if weight == number:
                planes[plane] = np.frombuffer(content[at : at + size], np.uint8).astype(np.uint32)
            at += size
    bits = (planes[1] & 0x80) << 24 | planes[0] << 23 | (planes[1] & 0x7F) << 16 | planes[2] << 8 | planes[3]
    return bits.astype(np.uint32).view(np.float32).reshape(24, 10)


@pytest.mark.slow
def test_after_a_storm_of_edits_the_state_on_disk_is_served(tmp_path: Path) -> None:
    tiny.graph_model(tmp_path / "m")
    (tmp_path / "assets/pages").mkdir(parents=True)
    (tmp_path / "assets/pages/index.html").write_text("<p>first")
    (tmp_path / "build.toml").write_text('[models.a]\nsource = "m/model.json"\n')
    with watching(tmp_path / "build.toml", "--fast") as watched:
        watched.wait_for("release")
        for seed in range(3):
            last = fuzz(tmp_path, watched, 50, seed)

            def is_served(last: int = last) -> bool:
                try:
                    return bool((served_weights(tmp_path) == tiny.weights(last)["kernel"]).all())
                except FileNotFoundError:  # a newer build took the place of what was being read
                    return False

            until(is_served, 120)
            with urllib.request.urlopen(f"{watched.url}assets/pages/", timeout=60) as answer:
                assert f"the last of {seed}".encode() in answer.read()
            with urllib.request.urlopen(f"{watched.url}cdn/loader.js", timeout=60) as answer:
                assert answer.read() == (tmp_path / "dist/cdn/loader.js").read_bytes()
            until(lambda: errors_of(watched) == [], 60)


def errors_of(watched: Watched) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{watched.url}.shardpress/events", timeout=60) as answer:
        state = json.loads(answer.readline().removeprefix(b"data: "))
    errors: list[dict[str, str]] = state["errors"]
    return errors


@pytest.mark.slow
def test_a_port_in_use_and_bad_settings_do_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "build.toml").write_text("nonsense")
    with watching(tmp_path / "build.toml", "--poll") as first:
        at = first.wait_for("is not valid TOML")
        tiny.graph_model(tmp_path / "m")
        (tmp_path / "build.toml").write_text('[models.a]\nsource = "m/model.json"\n')
        first.wait_for("release", at)
        port = first.url.rsplit(":", 1)[1].strip("/")
        other = tmp_path / "other"
        other.mkdir()
        (other / "build.toml").write_text("")
        with watching(other / "build.toml", "--port", port) as second:
            assert second.url != first.url
            second.wait_for(f"port {port} is in use")


@pytest.mark.slow
def test_a_draft_becomes_the_build_and_what_fails_its_check_gives_way(tmp_path: Path) -> None:
    # Large enough for brotli 5 and 11 to differ.
    weights = {
        "kernel": np.linspace(-1, 1, 240, dtype=np.float32).reshape(24, 10) ** 3,
        "bias": tiny.weights(1)["bias"],
    }
    tiny.graph_model(tmp_path / "m", weights)
    good = '[models.a]\nsource = "m/model.json"\n'
    (tmp_path / "build.toml").write_text(good)
    plain = ["--config", str(tmp_path / "build.toml"), "--out", str(tmp_path / "plain"), "--no-cache", "--quiet"]
    assert main(plain) == 0
    with watching(tmp_path / "build.toml") as watched:
        watched.wait_for("live: release")
        at = watched.wait_for("checked: release")
        files = {path.name: path.read_bytes() for path in (tmp_path / "plain/cdn").rglob("*") if path.is_file()}
        assert {path.name: path.read_bytes() for path in (tmp_path / "dist/cdn").rglob("*") if path.is_file()} == files
        (tmp_path / "build.toml").write_text(good + 'precision = "uint8"\nverify.max_error = 1e-12\n')
        watched.wait_for("the last good bundle is still served", watched.wait_for("live: release", at))
        assert "allowed is 1e-12" in errors_of(watched)[0]["what"]
        assert {path.name: path.read_bytes() for path in (tmp_path / "dist/cdn").rglob("*") if path.is_file()} == files
        (tmp_path / "build.toml").write_text(good)
        until(lambda: errors_of(watched) == [], 60)


def test_a_source_that_changes_while_it_is_checked_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a check says of a model must not be remembered when it was compared with the next one."""
    monkeypatch.chdir(tmp_path)
    tiny.graph_model(tmp_path / "m", tiny.weights(1))
    (tmp_path / "build.toml").write_text('[models.a]\nsource = "m/model.json"\n')
    edits = [True, False]

    def check(checks: list[Check], **_: object) -> list[Verification]:
        if edits.pop(0):
            tiny.graph_model(tmp_path / "m", tiny.weights(2))
        wrong = (("cpu", "differs"),)
        return [
            Verification("tfjs", passed=True, stages=(Comparison("full", 0.0, 1.0, "x"),), wrong=wrong) for _ in checks
        ]

    monkeypatch.setattr(verify_models, "missing_runtime", lambda modules: "")
    monkeypatch.setattr(verify_models, "verify_all", check)
    assert main([]) == 0
    assert "its source was changed while it was checked" in capsys.readouterr().err
    assert '"avoid"' not in head_of(tmp_path)
    assert main([]) == 0
    assert '"avoid"' in head_of(tmp_path)
    # Back to the first weights: nothing wrong is known of them.
    tiny.graph_model(tmp_path / "m", tiny.weights(1))
    edits.append(True)
    assert main([]) == 0
    assert edits == []


def head_of(folder: Path) -> str:
    (head,) = (folder / "dist/cdn/assets").glob("a.*.json")
    return head.read_text()
