"""Credentials are taken out of everything that is printed, in one place, and what is no credential stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.redact import redact, redacted

secret = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "https://user:hunter2@cdn.example.com/models/: answers 403",
        "https://hunter2@cdn.example.com/",
        "https://user:pa/ss/hunter2@cdn.example.com/models/",
        "https://user:p@ss@hunter2@cdn.example.com/",
        "a (https://u:hunter2@h/x) and 'http://u:hunter2@h:80/y', s3://key:hunter2@bucket/prefix",
        "https://b.s3.amazonaws.com/x?X-Amz-Algorithm=A&X-Amz-Signature=hunter2&x=1",
        "https://b.s3.amazonaws.com/x?X-Amz-Security-Token=hunter2",
        "https://d.cloudfront.net/x?Expires=1&Signature=hunter2&Key-Pair-Id=hunter2",
        "https://a.blob.core.windows.net/x?sv=2024&sig=hunter2",
        "https://cdn.example.com/?token=hunter2",
        "https://cdn.example.com/?a=1&amp;api_key=hunter2",
        "{'Authorization': 'Bearer hunter2'}",
        "Authorization: Basic hunter2",
        "s3://bucket/prefix?endpoint_url=https://user:hunter2@s3.example.com&addressing=path",
        'Failed to connect to proxy URL: "http://user:hunter2@proxy:3128"',
    ],
)  # fmt: skip
def test_credentials_go(text: str) -> None:
    assert secret not in redact(text, {})
    assert "***" in redact(text, {})
    assert json.loads(json.dumps(redacted({"a": [text], text: (text,)}))) == {
        "a": [redact(text)],
        redact(text): [redact(text)],
    }


@pytest.mark.parametrize(
    "text",
    [
        "https://cdn.example.com:8443/models/loader.js?v=1&keyboard=2",
        "s3://bucket/prefix/loader.js: is missing",
        "model a@2: 3 files; see docs://x",
        "mail me@example.com about http://127.0.0.1:8000/",
        "the token file /run/token cannot be read",
        "npm: https://registry.example.com:4873/@tensorflow/tfjs",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert redact(text, {}) == text


def test_values_of_secret_variables_go() -> None:
    environment = {
        "CDN_API_KEY": "abcdefgh12",
        "HOOK_PASSWORD": "short",
        "PATH": "/usr/bin:/bin",
        "TOKEN_FILE": "/run/token",
    }
    assert redact("abcdefgh12 short /usr/bin:/bin /run/token", environment) == "*** short /usr/bin:/bin /run/token"


@pytest.mark.parametrize("words", [["deploy"], ["verify"], ["releases"], ["rollback"], ["bucket"], ["prune"], []])
@pytest.mark.parametrize("form", [[], ["--json"], ["-vv"]])
def test_addresses_in_settings_are_not_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    form: list[str],
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setattr("builder.publish.targets.attempts", 1)
    monkeypatch.setattr("builder.cache.shared.attempts", 1)
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "word"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "build.toml").write_text(
        f'[build]\ncache = "s3://b/c?endpoint_url=http://user:{secret}@127.0.0.1:9"\n'
        f'[targets.t]\ntype = "s3"\nbucket = "b"\nendpoint_url = "http://user:{secret}@127.0.0.1:9"\n'
        f'public_url = "http://user:{secret}@127.0.0.1:9/x/"\nencoding = "gzip"\n'
    )
    main([*words, *form, "--config", str(tmp_path / "build.toml")])
    taken = capfd.readouterr()
    assert secret not in taken.out + taken.err
    assert "bug in shardpress" not in taken.err
    if form == ["--json"]:
        json.loads(taken.out)
    for file in tmp_path.rglob("*"):
        assert file.name == "build.toml" or not file.is_file() or secret.encode() not in file.read_bytes()
