"""Every failure of a store, a file or a setting is said as what it is: a paragraph, a status, one JSON document."""

from __future__ import annotations

import json
import os
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.publish import targets
from builder.stores import answers
from tests.helpers import s3_server
from tests.helpers.deploying import project
from tests.helpers.hostile_server import Site, hostile
from tests.publish.test_deploy_network import config, run

date = "Sat, 28 Nov 2026 07:00:00 GMT"
tag = '"0123456789abcdef0123456789abcdef"'
whole = {"ETag": tag, "Last-Modified": date, "Date": date}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    made = project(tmp_path / "site")
    assert main(["deploy", "-q", *config(made)]) == 0
    return made


@pytest.fixture
def store(folder: Path) -> Iterator[Site]:
    """Something that answers for S3."""
    with hostile(folder / "public") as running:
        add_s3(folder, running.url)
        yield running


def add_s3(folder: Path, url: str, **more: str) -> None:
    table = {"type": "s3", "bucket": "models", "endpoint_url": url, "addressing": "path", **more}
    path = folder / "build.toml"
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
    path.write_text(path.read_text().partition("[targets")[0] + f"[targets.prod]\n{text}\n")


def objects(folder: Path, headers: dict[str, str]) -> Callable[[str, str], tuple[int, dict[str, str], bytes]]:
    """Answer with what was deployed to the folder, below the bucket's name."""

    def answer(verb: str, path: str) -> tuple[int, dict[str, str], bytes]:
        file = folder / "public" / path.split("?")[0].removeprefix("/models/")
        if not file.is_file():
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
        return 200, headers, file.read_bytes()

    return answer


def error(code: str, **more: str) -> bytes:
    rest = "".join(f"<{name}>{text}</{name}>" for name, text in more.items())
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message>{rest}</Error>".encode()


commands = {
    "deploy": ["deploy", "--yes"],
    "dry run": ["deploy", "--dry-run"],
    "releases": ["releases"],
    "rollback": ["rollback"],
    "verify": ["verify"],
    "prune": ["prune", "--dry-run"],
    "bucket": ["bucket"],
}


def check(capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], status: int, *texts: str) -> str:
    found, document, said = run(capsys, *words, *config(folder))
    assert found == status, said
    assert document["ok"] is False
    told = json.dumps(document["errors"], ensure_ascii=False)
    for text in texts:
        assert text in said
        assert json.dumps(text, ensure_ascii=False)[1:-1] in told
    assert "bug in shardpress" not in said
    assert "Traceback" not in said
    return said


@pytest.mark.slow
def test_answers_without_their_usual_headers_are_taken_or_told(
    folder: Path, store: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    store.answer = objects(folder, whole)
    assert main(["verify", *config(folder)]) == 0
    for missing in ("Date", "Last-Modified"):
        store.answer = objects(folder, {name: text for name, text in whole.items() if name != missing})
        assert main(["verify", *config(folder)]) == 0
        assert main(["releases", *config(folder)]) == 0
    store.answer = objects(folder, whole | {"Date": "yesterday", "Last-Modified": date})
    assert main(["releases", *config(folder)]) == 0
    store.answer = objects(folder, {"Date": date, "Last-Modified": date})
    for name in ("verify", "releases", "dry run", "rollback"):
        check(capsys, folder, commands[name], 4, "was returned without an ETag")


odd: dict[str, tuple[int, dict[str, str], bytes, int, str]] = {
    "plain 302": (302, {}, b"", 4, "answers with endless redirects"),
    "302 elsewhere": (302, {"Location": "https://elsewhere.example.com/"}, b"", 4, "answers with endless redirects"),
    "html": (
        200,
        {"Content-Type": "text/html"},
        b"<html><body>Sign in</body></html>",
        4,
        "was returned without an ETag",
    ),
    "corrupt gzip": (200, whole | {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08\0\0junk", 4, "Content-Encoding (gzip)"),
    "other encoding": (200, whole | {"Content-Encoding": "aws-chunked"}, b"x", 4, "Content-Encoding 'aws-chunked'"),
    "not ours": (200, whole, b"alert(1)", 4, "is not a Shardpress loader"),
    "nothing": (200, whole, b"", 4, "is not a Shardpress loader"),
    "damaged index": (200, whole, b"const CONFIG={]", 4, "has a damaged index"),
    "index of strangers": (200, whole, b'const CONFIG={"format": 1, "models": [1]}', 4, "has a damaged index"),
    "deep index": (200, whole, b"const CONFIG=" + b"[" * 100_000, 4, "has a damaged index"),
    "damaged state": (200, whole, b'const CONFIG={"format":1,"models":{}}\n//# shardpress={"a', 4, "damaged last line"),
    "no bucket": (404, {}, error("NoSuchBucket"), 4, "the bucket 'models' does not exist"),
    "denied": (403, {}, error("AccessDenied"), 4, "access is denied (AccessDenied)"),
    "key unknown": (403, {}, error("InvalidAccessKeyId"), 4, "the credentials are refused"),
    "clock": (403, {}, error("RequestTimeTooSkewed"), 4, "clock is wrong by more than S3 allows"),
    "other region": (
        400,
        {},
        error("AuthorizationHeaderMalformed", Region="eu-west-3"),
        4,
        "another region, eu-west-3",
    ),
    "moved": (301, {}, error("PermanentRedirect"), 4, "answers with endless redirects"),
    "bad bucket": (400, {}, error("InvalidBucketName"), 2, "'models' is not a valid bucket name"),
    "broken xml": (500, {}, b"<Error><Code>Inter", 4, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", odd)
def test_odd_answers_of_a_store_are_told(
    folder: Path, store: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(targets, "attempts", 1)
    status, headers, body, expected, text = odd[kind]
    store.answer = lambda verb, path: (status, headers, body)
    for command in ("releases", "deploy", "verify"):
        check(capsys, folder, commands[command], expected, *([text] if text else []))


def test_a_listing_that_is_no_listing_is_told(folder: Path, store: Site, capsys: pytest.CaptureFixture[str]) -> None:
    kept = objects(folder, whole)

    def answer(verb: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return kept(verb, path) if path.startswith("/models/") else (200, {}, b"<html>Sign in</html>")

    store.answer = answer
    check(capsys, folder, commands["prune"], 4, "the answer to a listing request is not a listing")


@pytest.mark.slow
def test_a_store_that_drips_is_given_up(
    folder: Path, store: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "read_seconds", 0.3)
    monkeypatch.setattr(targets, "attempts", 1)
    monkeypatch.setattr("builder.stores.s3.body_attempts", 1)
    monkeypatch.setattr(answers, "slowest", 1 << 30)
    for way in ("drips its head", "drips its body"):
        store.ways = {"models/loader.js": way}
        store.every = "html"
        check(capsys, folder, ["releases"], 4, "does not answer in time")


def unlike(name: str, text: str) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", name: text}


settings: dict[str, tuple[dict[str, str], dict[str, str], int, str, str]] = {
    # name: (variables, keys of the target, status, what, what next)
    "no credentials": (unlike("X", ""), {}, 4, "no credentials were found", "web identity"),
    "half of them": (unlike("AWS_ACCESS_KEY_ID", "key"), {}, 4, "the credentials lack AWS_SECRET_ACCESS_KEY", ""),
    "no such profile": ({}, {"profile": "nobody"}, 2, "the AWS profile 'nobody' does not exist", "aws configure"),
    "no profile of AWS_PROFILE": ({"AWS_PROFILE": "ghost"}, {}, 2, "the AWS profile 'ghost' does not exist", ""),
    "no token file": (
        unlike("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token") | {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/a"},
        {}, 4, "the token file /nowhere/token of the web identity cannot be read", "AWS_WEB_IDENTITY_TOKEN_FILE",
    ),
    "never signed in": (unlike("AWS_PROFILE", "sso"), {}, 4, "the AWS sign-in (SSO) has expired", "aws sso login"),
    "expired sign-in": (unlike("AWS_PROFILE", "expired"), {}, 4, "the AWS sign-in (SSO) has expired", "--profile"),
    "process fails": (unlike("AWS_PROFILE", "process"), {}, 4, "credentials cannot be obtained", "profile's settings"),
    "circle of roles": (unlike("AWS_PROFILE", "circle"), {}, 2, "the AWS configuration cannot be used", ".aws/config"),
    "damaged configuration": ({"AWS_CONFIG_FILE": "damaged"}, {}, 2, "the AWS configuration cannot be used", ""),
    "no region": ({}, {"region": "eu west 1!"}, 2, "the region is not valid", "Correct region"),
    "bad bucket": ({}, {"bucket": "my bucket/with folder"}, 2, "is not a valid bucket name", "3 to 63"),
    "no address": ({}, {"endpoint_url": "s3.example.com"}, 2, "is not a web address", "https://host/path/"),
    "nobody of that name": (
        {}, {"endpoint_url": "https://store.invalid"}, 4, "the name store.invalid cannot be resolved", "spelling",
    ),
    "nobody listens": ({}, {"endpoint_url": "http://127.0.0.1:9"}, 4, "127.0.0.1 refuses the connection", "runs"),
    "a proxy nobody runs": (
        {"HTTP_PROXY": "http://user:hunter2@127.0.0.1:9", "NO_PROXY": ""},
        {"endpoint_url": "http://store.example.com"}, 4, "the proxy does not allow connections", "HTTP_PROXY",
    ),
}  # fmt: skip
sso = """
[profile sso]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = deploy
[profile expired]
sso_session = work
sso_account_id = 123456789012
sso_role_name = deploy
[sso-session work]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[profile process]
credential_process = sh -c 'echo no such vault >&2; exit 1'
[profile circle]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = other
[profile other]
role_arn = arn:aws:iam::123456789012:role/b
source_profile = circle
"""


@pytest.mark.parametrize("kind", settings)
def test_settings_are_said_as_what_they_are(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    variables, keys, status, what, following = settings[kind]
    (tmp_path / "config").write_text(sso)
    (tmp_path / "damaged").write_text("[profile\nnothing")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr(targets, "attempts", 1)
    for name, text in variables.items():
        if text:
            monkeypatch.setenv(name, str(tmp_path / text) if name == "AWS_CONFIG_FILE" else text)
        else:
            monkeypatch.delenv(name, raising=False)
    add_s3(folder, "http://127.0.0.1:9", **keys)
    said = check(capsys, folder, ["releases"], status, what)
    assert following in said
    assert "hunter2" not in said


def test_a_certificate_that_nobody_signed_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from builder.develop.server.certificate import write_certificate

    monkeypatch.setattr(targets, "attempts", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*write_certificate(tmp_path, ("127.0.0.1",)))
    with hostile(folder / "public", context) as server:
        add_s3(folder, server.url)
        check(capsys, folder, ["releases"], 4, "the certificate of 127.0.0.1 is not trusted")
        text = f'[targets.web]\ntype = "directory"\npath = "public"\npublic_url = "{server.url}"\n'
        path = folder / "build.toml"
        path.write_text(path.read_text().partition("[targets")[0] + text)
        found, _, said = run(capsys, "verify", *config(folder))
        assert found == 4
        assert "the certificate of 127.0.0.1 is not trusted" in said
        path.write_text(path.read_text().replace("https://", "http://"))
        assert run(capsys, "verify", *config(folder))[0] == 4
    with hostile(folder / "public") as server:
        path.write_text(
            path.read_text().partition("[targets")[0]
            + text.replace(text.split('"')[5], server.url.replace("http:", "https:"))
        )
        assert "the TLS connection to 127.0.0.1 failed" in check(capsys, folder, ["verify"], 4)


@pytest.mark.parametrize("way", ["a folder", "not ours", "nowhere", "full"])
def test_a_summary_that_cannot_be_written_fails_no_release(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    places = {
        "a folder": tmp_path,
        "not ours": Path("/proc/version"),
        "nowhere": tmp_path / "no" / "file",
        "full": Path("/dev/full"),
    }
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(places[way]))
    for words in (["deploy", "--repair"], ["sizes"]):
        status, document, said = run(capsys, *words, *config(folder))
        assert status == 0
        assert document["ok"] is True
        assert "the job's summary" in said
        assert "cannot be written" in said


def test_files_that_the_system_refuses_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "/somewhere/file")

    monkeypatch.setattr("builder.publish.apply.write_release", refuse)
    said = check(capsys, folder, ["deploy", "--repair"], 1, "cannot be read or written (No space left on device)")
    assert "/somewhere/file" in said


def test_wrong_words_and_interruptions_give_a_document_too(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["deploy", "--no-such-option"], ["deploy", "one", "two"], ["no-such-command"]):
        status, document, said = run(capsys, *words)
        assert status == 2
        assert document["ok"] is False
        assert document["errors"][0]["what"] in said

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("builder.publish.live.check_live", interrupt)
    status, document, said = run(capsys, "verify", *config(folder))
    assert (status, document["ok"]) == (130, False)


def test_a_fault_of_ours_is_a_document_too(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("at https://user:hunter2@example.com/?X-Amz-Signature=abcdef0123")

    monkeypatch.setattr("builder.publish.live.check_live", fail)
    status, document, said = run(capsys, "verify", "-vv", *config(folder))
    assert (status, document["ok"]) == (1, False)
    assert "This is a bug in shardpress" in said
    assert "Traceback" in said
    assert "hunter2" not in said + json.dumps(document)
    assert "abcdef0123" not in said + json.dumps(document)


def test_the_words_of_a_failed_hook_are_shown_without_secrets(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDN_TOKEN", "s3same-open-wide")
    code = "import os, sys; print('x' * 99_999, file=sys.stderr); sys.exit('zone 7 refused ' + os.environ['CDN_TOKEN'])"
    hook = json.dumps([sys.executable, "-c", code])
    path = folder / "build.toml"
    path.write_text(path.read_text() + f'\n[targets.web]\ntype = "directory"\npath = "public"\nhook = {hook}\n')
    said = check(capsys, folder, ["deploy", "--repair"], 4, "ended with status 1: …x", "zone 7 refused ***")
    assert "s3same" not in said
    assert len(said) < 4000
    path.write_text(path.read_text().replace(hook, '["sh", "-c", "sleep 60 & echo waiting; wait"]'))
    monkeypatch.setattr("builder.publish.follow_up.hook_seconds", 0.2)
    check(capsys, folder, ["deploy", "--repair"], 4, "did not end within 0.2 s: waiting")
