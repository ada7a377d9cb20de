"""Deploys to a real S3 server: fresh, changed, headers only, nothing, refused; prune, verify, and secrets kept."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from builder.cli.main import main
from builder.config.targets import TargetConfig
from builder.errors import StoreDeniedError, StoreError
from builder.publish.dist import read_local
from builder.publish.probe import holds_fence, probe
from builder.publish.records import record_uploads
from builder.publish.targets import open_target
from builder.stores import Fence, Found, Removed, clock, multipart
from builder.stores.s3 import S3Store
from builder.stores.s3_client import Location
from tests.helpers import s3_server
from tests.helpers.credential_watch import leaking_files, leaks, wrong_secret
from tests.helpers.deploying import assert_live, change, project, state_of
from tests.helpers.fault_proxy import faulty

root = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.S3]:
    with s3_server.seaweed(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, server: s3_server.S3, monkeypatch: pytest.MonkeyPatch, request: Any) -> Path:
    """A built project with a target in a bucket of its own."""
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    credentials(monkeypatch)
    monkeypatch.setenv("BUCKET", bucket := f"bucket-{abs(hash(request.node.name))}")
    make_bucket(server, bucket)
    return project(tmp_path / "site", targets=table(server, bucket))


def credentials(monkeypatch: pytest.MonkeyPatch, key: str = s3_server.key, secret: str = s3_server.secret) -> None:
    for name, value in s3_server.environment(key, secret).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


def make_bucket(server: s3_server.S3, bucket: str) -> None:
    client = server.client()
    client.create_bucket(Bucket=bucket)
    allow(server, bucket, "*")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def allow(server: s3_server.S3, bucket: str, origin: str) -> None:
    rule = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": [origin], "AllowedHeaders": ["*"]}
    server.client().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


def table(server: s3_server.S3, bucket: str, **more: str) -> str:
    lines = {
        "type": "s3",
        "bucket": "${BUCKET}",
        "prefix": "models/",
        "endpoint_url": server.url,
        "addressing": "path",
        "public_url": f"{server.url}/{bucket}/models",
        **more,
    }
    return "[targets.test]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items())


def run(folder: Path, *words: str) -> int:
    return main([words[0], "--config", str(folder / "build.toml"), *words[1:]])


def answer(capfd: pytest.CaptureFixture[str], folder: Path, *words: str, status: int = 0) -> Any:
    capfd.readouterr()
    assert run(folder, *words, "--json") == status
    return json.loads(capfd.readouterr().out)


def filled(folder: Path) -> Any:
    from builder.config.tables import load_config
    from builder.publish.targets import find_target

    return find_target(load_config(folder / "build.toml"), "test")


def test_fresh_changed_and_nothing_to_do(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = answer(capfd, folder, "deploy")
    assert first["ok"]
    assert first["checked"]["problems"] == []
    store = filled(folder).store
    assert assert_live(store)[0] == first["release"]
    sent = [action for action in first["actions"] if action["do"] == "put"]
    assert first["sent"] - sum(action["bytes"] for action in sent) < 12_000, "only the pointer comes on top"

    again = answer(capfd, folder, "deploy")
    assert again["idle"]
    assert (again["requests"], again["sent"]) == (1, 0)

    change(folder, "a", 7)
    changed = answer(capfd, folder, "deploy")
    keys = [action["key"] for action in changed["actions"] if action["do"] == "put"]
    assert keys
    assert all(key.startswith(("assets/a", "loader.")) for key in keys)
    assert changed["sent"] - sum(a["bytes"] for a in changed["actions"] if a["do"] == "put") < 12_000
    assert assert_live(store)[0] == changed["release"]

    assert answer(capfd, folder, "rollback")["release"] == first["release"]
    assert answer(capfd, folder, "verify")["release"] == first["release"]


def test_objects_carry_the_headers_that_browsers_need(folder: Path) -> None:
    assert run(folder, "deploy") == 0
    store = filled(folder).store
    _, index = assert_live(store)
    head = store.stat(f"assets/a.{index.models['a'].head_sha256[:16]}.json")
    assert head is not None
    assert head.headers == {
        "Content-Type": "application/json",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Encoding": "br",
    }
    loader = store.stat("loader.js")
    assert loader is not None
    assert loader.headers["Cache-Control"] == "no-cache"
    assert loader.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_changed_headers_are_set_without_sending_bytes_again(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "deploy") == 0
    path = folder / "build.toml"
    path.write_text(
        path.read_text() + '\n[targets.test.headers]\n"assets/*.bin" = { "Cache-Control" = "max-age=60" }\n'
    )
    done = answer(capfd, folder, "deploy")
    assert {action["do"] for action in done["actions"]} == {"headers", "skip", "swap"}
    assert done["sent"] < 12_000
    store = filled(folder).store
    shards = [key for key in store.list() if key.endswith(".bin")]
    assert shards
    assert {store.stat(key).headers["Cache-Control"] for key in shards} == {"max-age=60"}
    assert_live(store)
    assert answer(capfd, folder, "deploy")["idle"]


def test_another_encoding_is_stored_anew(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "deploy") == 0
    path = folder / "build.toml"
    path.write_text(path.read_text() + '\nencoding = "gzip"\n')
    done = answer(capfd, folder, "deploy")
    assert "overwrite" in {action["do"] for action in done["actions"]}
    store = filled(folder).store
    assert store.stat("loader.js").headers["Content-Encoding"] == "gzip"
    assert_live(store)
    assert run(folder, "verify") == 0


def test_what_a_killed_deploy_has_sent_is_not_sent_again(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = filled(folder)
    local = read_local(folder / "dist")
    uploads = list(target.form.uploads(local.root, local.models["a"].shards))
    for upload in uploads:
        assert target.store.put(upload.key, upload.path, upload.headers)
        assert not target.store.put(upload.key, upload.path, upload.headers), "it is there"
    done = answer(capfd, folder, "deploy")
    skipped = {action["key"] for action in done["actions"] if action["do"] == "skip"}
    assert {upload.key for upload in uploads} <= skipped


def test_refused_credentials_are_told_without_the_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    credentials(monkeypatch, secret=wrong_secret)
    assert run(folder, "deploy", "-vv") == 4
    taken = capfd.readouterr()
    assert "credentials are refused" in taken.err
    assert wrong_secret not in taken.out + taken.err


def test_a_missing_bucket_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUCKET", "nowhere")
    assert run(folder, "deploy") == 4
    assert "the bucket 'nowhere' does not exist" in capfd.readouterr().err
    monkeypatch.delenv("BUCKET")
    assert run(folder, "deploy") == 2
    assert "BUCKET is not set" in capfd.readouterr().err


def test_a_key_that_may_only_read_is_told_what_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    credentials(monkeypatch, s3_server.reader_key, s3_server.reader_secret)
    assert run(folder, "deploy") == 4
    taken = capfd.readouterr()
    assert "s3:PutObject" in taken.err
    assert list(filled(folder).store.list()) == []


def test_a_store_that_is_not_there_is_told(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = folder / "build.toml"
    path.write_text(path.read_text().replace('endpoint_url = "http', 'endpoint_url = "http://127.0.0.1:9" #'))
    assert run(folder, "deploy", "--dry-run") == 4
    assert "refuses the connection" in capfd.readouterr().err


def test_verify_finds_missing_files_and_wrong_headers(
    folder: Path, server: s3_server.S3, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "deploy") == 0
    store = filled(folder).store
    bins = [key for key in store.list() if key.endswith(".bin")]
    heads = [key for key in store.list() if key.endswith(".json")]
    store.delete(bins[0])
    store.set_headers(heads[0], {**store.stat(heads[0]).headers, "Content-Type": "text/plain"})
    assert run(folder, "verify") == 4
    taken = capfd.readouterr().err
    assert bins[0] in taken
    assert f"{heads[0]}: Content-Type" in taken
    assert run(folder, "deploy", "--repair") == 0
    assert run(folder, "verify") == 0
    allow(server, store.location.bucket, "https://other.example")
    assert run(folder, "verify") == 4
    assert "may not read it" in capfd.readouterr().err


def forge(store: Any, key: str, *, noted: bool) -> None:
    """Put other bytes of the same length in an object's place, with or without the note that a deploy left."""
    place = store._at(key)
    found = store.client.get_object(**place)
    body = found["Body"].read()
    kept = {name: found[name] for name in ("ContentType", "CacheControl", "ContentEncoding") if name in found}
    metadata = found["Metadata"] if noted else {}
    store.client.put_object(**place, Body=body[:-1] + bytes([body[-1] ^ 1]), Metadata=metadata, **kept)


def test_an_object_of_the_right_length_is_not_believed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "deploy") == 0
    store = filled(folder).store
    first, second, *_ = sorted(key for key in store.list() if key.endswith(".bin"))
    forge(store, first, noted=False)
    forge(store, second, noted=True)
    seen = answer(capfd, folder, "deploy", status=4)
    assert seen["idle"], "the live release is trusted, and yet verified"
    assert {problem["url"] for problem in seen["checked"]["problems"]} == {first, second}
    done = answer(capfd, folder, "deploy", "--repair")
    assert {action["key"] for action in done["actions"] if action["do"] == "overwrite"} == {first, second}
    assert_live(store)
    again = answer(capfd, folder, "deploy", "--repair")
    assert {action["do"] for action in again["actions"]} == {"skip", "swap"}


def test_a_first_deploy_does_not_believe_what_it_finds(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = filled(folder)
    local = read_local(folder / "dist")
    upload = next(iter(target.form.uploads(local.root, local.models["a"].shards)))
    assert target.store.put(upload.key, upload.path, upload.headers)
    forge(target.store, upload.key, noted=False)
    capfd.readouterr()
    assert run(folder, "deploy") == 2
    assert upload.key in capfd.readouterr().err, "it may be anybody's"
    record_uploads(target.store, [upload.key])
    assert run(folder, "deploy") == 0
    assert_live(target.store)


def test_a_release_that_lacks_an_object_is_not_gone_back_to(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = answer(capfd, folder, "deploy")["release"]
    store = filled(folder).store
    shard = min(key for key in store.list() if key.startswith("assets/a-"))
    place = store._at(shard)
    found = store.client.get_object(**place)
    body = found["Body"].read()
    headers = {name: found[name] for name in ("ContentType", "CacheControl", "ContentEncoding") if name in found}
    change(folder, "a", 7)
    live = answer(capfd, folder, "deploy")["release"]
    store.delete(shard)
    assert run(folder, "rollback") == 4
    assert f"{shard} is missing" in capfd.readouterr().err
    store.client.put_object(**place, Body=body + b"more", **headers)
    assert run(folder, "rollback") == 4
    assert f"{shard} is damaged" in capfd.readouterr().err
    assert assert_live(store)[0] == live
    store.client.put_object(**place, Body=body, **headers)
    assert answer(capfd, folder, "rollback")["release"] == first


def test_objects_of_others_in_the_bucket_stay(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = folder / "build.toml"
    path.write_text(path.read_text() + '\nkeep_releases = 1\ngrace = "0 s"\n')
    assert run(folder, "deploy") == 0
    store = filled(folder).store
    others = {"assets/main.0123456789abcdef.js", "loader-old.js", "loader.0123456789abcdef.js"}
    for key in others:
        store.replace(key, b"another program's", {})
    change(folder, "a", 7)
    assert run(folder, "deploy") == 0
    gone = {item["key"] for item in answer(capfd, folder, "prune")["deleted"]}
    assert gone
    assert others <= set(store.list())


def test_a_swap_whose_answer_is_lost_is_recognised(folder: Path, server: s3_server.S3) -> None:
    """The server has written it, the SDK sends it again, and the condition no longer holds."""
    assert run(folder, "deploy") == 0
    change(folder, "a", 7)
    lost: list[str] = []

    def lose(verb: str, path: str) -> str:
        if verb == "PUT" and path.endswith("/loader.js") and not lost:
            lost.append(path)
            return "lost"
        return ""

    with faulty(server.url, rate=0.0, seed=1) as proxy:
        proxy.choose = lose
        path = folder / "build.toml"
        path.write_text(path.read_text().replace(f'endpoint_url = "{server.url}"', f'endpoint_url = "{proxy.url}"'))
        assert run(folder, "deploy", "--no-verify") == 0
    assert lost
    path.write_text(path.read_text().replace(proxy.url, server.url))
    store = filled(folder).store
    assert assert_live(store)[1] == read_local(folder / "dist").index
    assert state_of(store)["generation"] == 2


def test_a_large_upload_that_broke_off_goes_on(folder: Path, server: s3_server.S3, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(random.Random(1).randbytes(multipart.threshold + 1000))
    store = filled(folder).store
    headers = {"Content-Type": "application/octet-stream", "Cache-Control": "max-age=1"}
    tries: list[str] = []

    def cut(verb: str, path: str) -> str:
        tries.extend([path] if "partNumber=3" in path else [])
        return "unavailable" if "partNumber=3" in path else ""

    with faulty(server.url, rate=0.0, seed=1) as proxy:
        proxy.choose = cut
        broken = S3Store(replace(store.location, endpoint_url=proxy.url))
        with pytest.raises(StoreError):
            broken.put("large.bin", large, {**headers, "Cache-Control": "max-age=2"})
    assert len(tries) > 1, "it was tried again before it was given up"
    assert store.read("large.bin") is None
    assert store.put("large.bin", large, headers)
    assert store.sent == large.stat().st_size - 2 * multipart.part_bytes, "two parts were there"
    found = store.read("large.bin")
    assert found.content == large.read_bytes()
    assert found.headers == headers
    assert not store.put("large.bin", large, headers)
    assert "Uploads" not in store.client.list_multipart_uploads(Bucket=store.location.bucket)
    store.delete("large.bin")


def test_the_policy_allows_what_is_called_and_no_more(
    folder: Path, server: s3_server.S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deploys, a large upload that broke off, its repetition and refusal, a prune: each call has its action."""
    from builder.publish.bucket import actions_of_calls, minimal_policy
    from builder.stores import s3

    called: set[str] = set()
    made = s3.connect

    def watched(location: Location, service: str = "s3") -> Any:
        client = made(location, service)
        client.meta.events.register("provide-client-params.s3", lambda model, **_: called.add(model.name))
        return client

    monkeypatch.setattr(s3, "connect", watched)
    path = folder / "build.toml"
    path.write_text(path.read_text() + '\nkeep_releases = 1\ngrace = "0 s"\n')
    assert run(folder, "deploy") == 0
    path.write_text(path.read_text() + '[targets.test.headers]\n"*.bin" = { "Cache-Control" = "max-age=9" }\n')
    change(folder, "a", 7)
    for words in (["deploy"], ["deploy", "--preview", "p"], ["prune"], ["releases"], ["verify"]):
        assert run(folder, *words) == 0
    monkeypatch.setattr(multipart, "threshold", 0)
    large = tmp_path / "large"
    large.write_bytes(bytes(1000))
    store = filled(folder).store
    assert store.put("large.bin", large)
    assert not store.put("large.bin", large), "refused, and given up"
    store.delete("large.bin")
    policy = minimal_policy(filled(folder).config)
    allowed = {
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert called == set(actions_of_calls)
    assert {action for call in called for action in actions_of_calls[call]} == allowed


def test_a_full_store_and_a_wrong_clock_are_told(folder: Path) -> None:
    store = filled(folder).store
    for code, status, what in (
        ("InsufficientStorage", 507, "is full"),
        ("RequestTimeTooSkewed", 403, "clock is wrong by more than S3 allows"),
    ):
        with Stubber(store.client) as stub:
            stub.add_client_error("get_object", code, http_status_code=status)
            with pytest.raises(StoreError, match=what):
                store.get("loader.js")


def test_prune_removes_what_no_release_names(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "deploy") == 0
    path = folder / "build.toml"
    path.write_text(path.read_text() + '\nkeep_releases = 1\ngrace = "0 s"\n')
    change(folder, "a", 7)
    done = answer(capfd, folder, "deploy")
    pruned = answer(capfd, folder, "prune")
    gone = [item["key"] for item in pruned["deleted"]]
    assert gone
    store = filled(folder).store
    assert not set(gone) & set(store.list())
    assert assert_live(store)[0] == done["release"]
    assert run(folder, "verify") == 0


def fence_of(found: Found, seconds: float) -> Fence:
    return Fence("loader.js", found.tag, found.now - 30.0, found.now + seconds, clock() + 3600.0)


def test_a_delete_that_comes_after_its_fence_is_refused_by_the_store(folder: Path, server: s3_server.S3) -> None:
    run(folder, "deploy", "--no-verify")
    store = filled(folder).store
    shard = next(key for key in store.list() if key.endswith(".bin"))
    found = store.read(shard)
    assert found is not None
    with pytest.raises(StoreDeniedError):
        store.remove((shard,), fence_of(found, -5.0))
    ended = Fence("loader.js", found.tag, found.now - 60.0, found.now + 600.0, clock() - 700.0)
    assert store.remove((shard,), ended) == Removed([]), "not even sent"
    assert store.get(shard) is not None
    assert store.remove((shard, "assets/none.bin"), fence_of(found, 60.0)).keys == [shard, "assets/none.bin"]
    assert store.get(shard) is None
    assert holds_fence(store)
    assert not [key for key in store.list() if "probe" in key]


def test_a_delete_that_is_late_in_the_network_spares_the_next_release(folder: Path, server: s3_server.S3) -> None:
    """It is sent in time, waits in a proxy until a deploy has overtaken the lease, and only then arrives."""
    with faulty(server.url, rate=0.0, seed=1) as proxy:
        proxy.choose = lambda verb, path: "late" if verb == "DELETE" and "/assets/" in path else ""
        location = replace(filled(folder).store.location, endpoint_url=proxy.url)
        run(folder, "deploy", "--no-verify")
        store = S3Store(location, s3_server.S3(proxy.url, server.process).client())
        shard = next(key for key in store.list() if key.endswith(".bin"))
        found = store.read(shard)
        # Signed as if half a minute ago, so that its end comes while it is on its way.
        fence = Fence("loader.js", found.tag, found.now - 30.0, found.now + 1.0, clock() + 3600.0)
        errors: list[Exception] = []

        def remove() -> None:
            try:
                store.remove((shard,), fence)
            except StoreError as error:
                errors.append(error)

        thread = threading.Thread(target=remove)
        thread.start()
        while (now := store.read("loader.js")) and now.now <= fence.until:  # the store's clock, not ours
            pass
        proxy.released.set()
        thread.join(60)
    assert isinstance(errors[0], StoreDeniedError)
    assert_live(filled(folder).store)


def test_this_server_honours_conditions_and_rclone_does_not(
    server: s3_server.S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    credentials(monkeypatch)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.setenv("BUCKET", "lies")
    assert probe(S3Store(Location("ready", endpoint_url=server.url, addressing="path"))) == "full"
    with s3_server.rclone(tmp_path / "rclone") as liar:
        liar.client().create_bucket(Bucket="lies")
        assert probe(S3Store(Location("lies", endpoint_url=liar.url, addressing="path"))) == "none"
        folder = project(tmp_path / "site", targets=table(liar, "lies", public_url=""))
        assert run(folder, "deploy") == 4
        assert "--unsafe-single-writer" in capfd.readouterr().err
        assert run(folder, "deploy", "--unsafe-single-writer") == 0
        assert_live(filled(folder).store)
        change(folder, "a", 7)
        assert run(folder, "deploy") == 4
        assert run(folder, "deploy", "--unsafe-single-writer") == 0
        assert_live(filled(folder).store)


def test_brotli_needs_https_or_loopback(tmp_path: Path) -> None:
    from builder.errors import ConfigError

    table = TargetConfig(type="s3", bucket="name", public_url="http://cdn.example.com/")
    with pytest.raises(ConfigError, match="https"):
        open_target("test", table, tmp_path)


def test_the_command_line_says_no_secret_anywhere(folder: Path) -> None:
    """What all other tests print, log, raise or leave is looked through by tests.helpers.credential_watch."""
    outputs: list[str] = []
    for words in (["deploy", "-vv"], ["releases"], ["verify"], ["prune", "--dry-run"], ["deploy", "--json"]):
        done = subprocess.run(
            [sys.executable, str(root / "build.py"), *words],
            cwd=folder,
            env={**s3_server.environment(), "BUCKET": filled(folder).store.location.bucket},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.extend((done.stdout, done.stderr))
    text = "\n".join(outputs)
    assert len(text) > 1000
    assert not leaks(text)
    assert not list(leaking_files(folder))
