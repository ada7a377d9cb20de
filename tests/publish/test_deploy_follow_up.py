"""What follows a release, what a key must be allowed, and the settings of targets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.stub import ANY, Stubber

from builder.cli.main import main
from builder.config.tables import Config, load_config
from builder.config.targets import TargetConfig
from builder.config.units import parse_duration
from builder.errors import ConfigError, StoreError, UsageError
from builder.publish.bucket import examine_bucket, minimal_policy
from builder.publish.follow_up import invalidate, mutable_path
from builder.publish.headers import headers_for, rules_hash
from builder.publish.targets import find_target, open_target
from builder.stores.s3_client import location_client
from tests.helpers import s3_server
from tests.helpers.deploying import project


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


def s3_table(**more: Any) -> TargetConfig:
    return TargetConfig(type="s3", bucket="models", prefix="m", public_url="https://cdn.example.com/m", **more)


def test_cloudfront_forgets_the_pointer_and_nothing_else(tmp_path: Path) -> None:
    target = open_target("prod", s3_table(cloudfront="E123"), tmp_path)
    client = location_client("us-east-1", "", "cloudfront")
    batch = {"Paths": {"Quantity": 1, "Items": ["/m/loader.js"]}, "CallerReference": ANY}
    answer = {"Invalidation": {"Id": "I1", "Status": "InProgress", "CreateTime": 0, "InvalidationBatch": batch}}
    answer["Invalidation"]["InvalidationBatch"] = {**batch, "CallerReference": "x"}
    with Stubber(client) as stub:
        stub.add_response("create_invalidation", answer, {"DistributionId": "E123", "InvalidationBatch": batch})
        assert invalidate(target, "loader.js", client) == "I1"
        stub.assert_no_pending_responses()
        stub.add_client_error("create_invalidation", "AccessDenied")
        with pytest.raises(StoreError, match=r"the release is live, but .*AccessDenied"):
            invalidate(target, "loader.js", client)


def test_paths_are_those_of_the_public_address(tmp_path: Path) -> None:
    assert mutable_path(open_target("prod", s3_table(), tmp_path), "loader.js") == "/m/loader.js"
    plain = TargetConfig(type="s3", bucket="models")
    assert mutable_path(open_target("prod", plain, tmp_path), "loader.js") == "/loader.js"


def test_the_hook_gets_the_changed_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    script = tmp_path / "hook.py"
    script.write_text(
        "import os, sys, pathlib\n"
        "pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + ' ' + os.environ['SHARDPRESS_RELEASE'])\n"
        "sys.exit(int(sys.argv[3] == 'fail') if len(sys.argv) > 3 else 0)\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "told")]
    table = f'[targets.test]\ntype = "directory"\npath = "out"\nhook = {json.dumps(command)}\n'
    folder = project(tmp_path / "site", targets=table)
    words = ["--config", str(folder / "build.toml")]
    assert main(["deploy", *words]) == 0
    path, release = (tmp_path / "told").read_text().split()
    assert path == "/loader.js"
    assert len(release) == 16
    (tmp_path / "told").unlink()
    assert main(["deploy", *words]) == 0
    assert not (tmp_path / "told").exists(), "nothing was released"
    config = (folder / "build.toml").read_text().replace(json.dumps(command), '["no-such-command"]')
    (folder / "build.toml").write_text(config)
    assert main(["deploy", "--repair", *words]) == 4


def test_the_policy_is_minimal() -> None:
    policy = minimal_policy(s3_table(cloudfront="E123"))
    actions = [statement["Action"] for statement in policy["Statement"]]
    assert actions == [
        ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "cloudfront:CreateInvalidation",
    ]
    assert policy["Statement"][0]["Resource"] == "arn:aws:s3:::models/m/*"
    assert policy["Statement"][1]["Condition"] == {"StringLike": {"s3:prefix": "m/*"}}


def test_the_policy_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "build.toml").write_text('[targets.prod]\ntype = "s3"\nbucket = "models"\n')
    assert main(["bucket", "--policy", "--config", str(tmp_path / "build.toml")]) == 0
    assert json.loads(capsys.readouterr().out)["Version"] == "2012-10-17"


def test_a_bucket_is_examined(tmp_path: Path) -> None:
    target = open_target("prod", s3_table(origin="https://shop.example.com"), tmp_path)
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://other.example.com"]}
    with Stubber(target.store.client) as stub:  # type: ignore[attr-defined]
        stub.add_response("get_bucket_cors", {"CORSRules": [rule]})
        stub.add_response("get_bucket_versioning", {"Status": "Enabled"})
        stub.add_client_error("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        stub.add_client_error("head_object", "404", http_status_code=404)
        assert [finding.ok for finding in examine_bucket(target)] == [None, False, False, False]
        stub.add_response("get_bucket_cors", {"CORSRules": [{**rule, "AllowedOrigins": ["*"]}]})
        stub.add_response("get_bucket_versioning", {})
        stub.add_client_error("get_bucket_lifecycle_configuration", "AccessDenied")
        stub.add_client_error("head_object", "404", http_status_code=404)
        assert [finding.ok for finding in examine_bucket(target)] == [None, True, True, None]


def test_variables_are_filled_in_where_a_target_is_used(tmp_path: Path) -> None:
    path = tmp_path / "build.toml"
    path.write_text('[targets.a]\ntype = "directory"\npath = "${WHERE}/out"\n[targets.b]\ntype = "directory"\n')
    config = load_config(path)
    assert find_target(config, "a", {"WHERE": "there"}).config.path == "there/out"
    with pytest.raises(ConfigError, match="WHERE is not set"):
        find_target(config, "a", {})
    assert find_target(config, "b", {}).name == "b"
    with pytest.raises(UsageError, match="no target given"):
        find_target(config, None, {})


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"grace": "soon"}, "not a duration"),
        ({"headers": {"*.bin": {"X-Mine": "1"}}}, "cannot be set"),
        ({"bucket": None}, "bucket"),
    ],
)
def test_wrong_tables_are_told(tmp_path: Path, more: dict[str, Any], what: str) -> None:
    table = msgspec.structs.replace(s3_table(), **more)
    with pytest.raises(ConfigError, match=what):
        open_target("prod", table, tmp_path)


def test_rules_by_pattern_change_headers_and_their_hash() -> None:
    rules = {"assets/*.bin": {"Cache-Control": "max-age=60"}}
    assert headers_for("assets/a-base-0.0123456789abcdef.bin", None, rules)["Cache-Control"] == "max-age=60"
    assert "immutable" in headers_for("assets/a.0123456789abcdef.json", None, rules)["Cache-Control"]
    assert headers_for("loader.js", "br", {})["Cache-Control"] == "no-cache"
    assert headers_for("loader-pr-1.js", "br", {})["Cache-Control"] == "no-cache"
    assert len({rules_hash("br", {}), rules_hash("gzip", {}), rules_hash("br", rules)}) == 3


def test_durations() -> None:
    assert [parse_duration(text) for text in ("24 h", "7d", "90 s", "1.5min")] == [86_400, 604_800, 90, 90]
    for text in ("", "7", "d", "-1 h"):
        with pytest.raises(ValueError, match="is not a duration"):
            parse_duration(text)


def test_a_build_imports_nothing_of_a_deploy() -> None:
    import subprocess

    code = "import sys, builder.cli.main; print([m for m in sys.modules if m.startswith(('boto', 'builder.publish'))])"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_configuration_without_targets_has_one(tmp_path: Path) -> None:
    config = Config(path=tmp_path / "build.toml", build=load_config_of(tmp_path).build, models={}, targets={})
    assert find_target(config, None, {}).store.place == f"{tmp_path}/public/"


def load_config_of(folder: Path) -> Config:
    (folder / "build.toml").write_text("")
    return load_config(folder / "build.toml")
