"""What servers may answer without harm: too slowly, too much, what cannot be read; and how each is told."""

from __future__ import annotations

import dataclasses
import gzip
import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest

from builder.cli.main import main
from builder.errors import StoreError
from builder.publish import fetch
from builder.stores.encoding import decode, decode_stream
from tests.helpers.deploying import project
from tests.helpers.hostile_server import Site, bomb, bomb_bytes, hostile


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return project(tmp_path / "site")


@pytest.fixture
def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A deployed project behind a server."""
    with hostile(folder / "public") as running:
        add_target(folder, running.url)
        assert main(["deploy", "-q", *config(folder)]) == 0
        running.asked.clear()
        yield running


def add_target(folder: Path, url: str, more: str = "") -> None:
    path = folder / "build.toml"
    text = f'\n[targets.web]\ntype = "directory"\npath = "public"\npublic_url = "{url}"\n{more}\n'
    path.write_text(path.read_text() + text)


def config(folder: Path) -> list[str]:
    return ["--config", str(folder / "build.toml")]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Run a command with --json; give its status, its one document, and what it said."""
    capsys.readouterr()
    status = main([*words, "--json"])
    taken = capsys.readouterr()
    document: dict[str, Any] = json.loads(taken.out)  # two documents, or none, are an error here
    return status, document, taken.err


ways = {
    "denied": "answers 403: the public may not read it",
    "missing": "answers 404",
    "redirect": "answers 302, a redirect to https://",
    "plain 302": "answers 302, a redirect",
    "bomb": "exceeds the size limit",
    "unknown encoding": "has the Content-Encoding 'zstd'",
    "corrupt gzip": "cannot be decoded as its Content-Encoding (gzip)",
    "not brotli": "cannot be decoded as its Content-Encoding (br)",
    "larger": "exceeds the size limit",
    "endless": "exceeds the size limit",
    "cut short": "ends 7 bytes too early",
    "not HTTP": "cannot be fetched",
    "html": "is not what is said of it",
    "silent": "is not answered in time",
    "drips its head": "is not answered in time",
    "drips its body": "is not answered in time",
}
of_the_pointer = ways | {
    "bomb": "unpacks to more than 1000 times",
    "larger": "has a damaged last line",
    "html": "is not a Shardpress loader",
}


@pytest.mark.slow
@pytest.mark.parametrize("way", ways)
@pytest.mark.parametrize("victim", ["pointer", "shard"])
def test_whatever_a_server_answers_the_check_ends_and_says_it(
    folder: Path,
    site: Site,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    victim: str,
) -> None:
    shard = next((folder / "dist" / "cdn" / "assets").glob("a-base-0.*.bin"))
    key = "loader.js" if victim == "pointer" else f"assets/{shard.name}"
    site.ways[key] = way

    def hasty(url: str, headers: Any, limits: fetch.Limits) -> Any:
        """Lose patience with what is slow, and not with the others on a machine that is."""
        short = url.endswith(key) and ways[way] == "is not answered in time"
        return fetch.fetch(url, headers, fetch.Limits(limits.nbytes, time.monotonic() + 0.5) if short else limits)

    monkeypatch.setattr("builder.publish.live.fetch", hasty)
    begun = time.monotonic()
    status, document, said = run(capsys, "verify", *config(folder))
    assert time.monotonic() - begun < 25
    assert status == 4
    assert document["ok"] is False
    assert [item["url"] for item in document["checked"]["problems"]] == [key]
    assert (of_the_pointer if victim == "pointer" else ways)[way] in document["checked"]["problems"][0]["what"]
    assert "bug in shardpress" not in said
    assert "Traceback" not in said
    assert "hunter2" not in said + json.dumps(document), "a redirect's address may hold credentials"
    assert "abcdef0123" not in said + json.dumps(document)


def test_a_small_body_that_unpacks_to_much_takes_no_memory(folder: Path, site: Site) -> None:
    assert len(bomb()) < bomb_bytes / 10_000
    site.every = "bomb"
    tracemalloc.start()
    try:
        assert main(["verify", "-q", *config(folder)]) == 4
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_the_check_as_a_whole_has_an_end(folder: Path, site: Site) -> None:
    from builder.config.tables import load_config
    from builder.publish.live import check_live, site_of
    from builder.publish.targets import find_target

    head = next((folder / "dist" / "cdn" / "assets").glob("a.*.json"))
    site.ways[f"assets/{head.name}"] = "drips its body"
    target = find_target(load_config(folder / "build.toml"), None)
    begun = time.monotonic()
    checked = check_live(site_of(target), seconds=0.3)
    assert time.monotonic() - begun < 25
    assert any("took too long" in problem.what for problem in checked.problems)


def test_an_address_with_a_login_works_and_the_login_is_not_shown(
    folder: Path, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "build.toml"
    path.write_text(path.read_text().replace("http://", "http://reader:open%20sesame@"))
    assert main(["verify", *config(folder)]) == 0
    assert {login for _, login in site.asked} == {"Basic cmVhZGVyOm9wZW4gc2VzYW1l"}
    site.every = "denied"
    assert main(["verify", "-vv", *config(folder)]) == 4
    taken = capsys.readouterr()
    assert "sesame" not in taken.out + taken.err
    assert "reader" not in taken.out + taken.err


def test_encodings_are_undone_whole_and_in_pieces() -> None:
    content = bytes(range(256)) * 1000
    for encoding, body in (
        ("br", brotli.compress(content)),
        ("gzip", gzip.compress(content)),
        ("gzip", gzip.compress(content[:1000]) + gzip.compress(content[1000:])),
        ("GZIP", gzip.compress(content)),
        ("identity", content),
        ("", content),
    ):
        assert decode(body, encoding) == content
        assert decode_stream((body[at : at + 7] for at in range(0, len(body), 7)), encoding) == content
        assert decode(body, encoding, most=len(content)) == content
        with pytest.raises(StoreError, match="exceeds the size limit"):
            decode(body, encoding, most=len(content) - 1)
        if encoding not in ("identity", ""):
            for damaged in (body[:-1], body[: len(body) // 2], body + b"x", b"", b"\0" * 40):
                with pytest.raises(StoreError, match="cannot be decoded as its Content-Encoding"):
                    decode(damaged, encoding)
    for encoding in ("zstd", "br, gzip", "aws-chunked", "deflate"):
        with pytest.raises(StoreError, match="has the Content-Encoding"):
            decode(content, encoding)


@pytest.mark.parametrize("way", ["denied", "missing", "bare"])
def test_nothing_to_do_is_verified_like_a_deploy(
    folder: Path, site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The first deploy told it; the second has nothing to send, and visitors still get nothing."""
    monkeypatch.setattr("builder.publish.follow_up.patience_without", 0.1)
    site.every = way
    for words in (["deploy", "--repair"], ["deploy"], ["deploy"]):
        status, document, said = run(capsys, *words, *config(folder))
        assert (status, document["ok"]) == (4, False)
        assert document["checked"]["problems"]
        assert ("Let the web server serve" in said) == (way == "denied")
        assert ("--repair" in said) == (way != "denied"), "repairing opens no door"
    assert main(["deploy", "--no-verify", *config(folder)]) == 0
    site.every = ""
    status, document, _ = run(capsys, "deploy", *config(folder))
    assert (status, document["idle"], document["checked"]["problems"]) == (0, True, [])
    assert document["checked"]["files"] > 5


def test_a_bucket_that_the_public_may_not_read_is_named(site: Site, folder: Path) -> None:
    from builder.config.targets import TargetConfig
    from builder.publish.bucket import _public
    from builder.publish.live import advice, check_live, site_of
    from builder.publish.targets import open_target

    class Stored:
        """A store in which everything is."""

        keeps_headers = True

        def stat(self, key: str) -> str:
            return key

    table = TargetConfig(type="s3", bucket="models", public_url=site.url, encoding="gzip")
    target = dataclasses.replace(open_target("prod", table, folder), store=Stored())  # type: ignore[arg-type]
    assert _public(target).ok is True
    site.ways["assets/" + next((folder / "dist" / "cdn" / "assets").glob("a.*.json")).name] = "denied"
    some = advice(check_live(site_of(target)), target)
    assert "Block Public Access" in some
    assert "403 also stands for a missing file" in some
    site.every = "denied"
    finding = _public(target)
    assert (finding.ok, finding.bars) == (False, True)
    assert "Block Public Access" in finding.advice
    assert "--repair" not in advice(check_live(site_of(target)), target)
