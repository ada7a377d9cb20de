"""``doctor``: what it knows of Node and of the extras is what the project's own files say."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import sys
import tomllib
from email.message import Message
from pathlib import Path

import pytest

from builder import packages
from builder.cli import doctor
from builder.cli.doctor import examine, least_node, show
from builder.cli.main import main
from builder.packages import extras, fits, numbers

root = Path(__file__).resolve().parents[2]


def test_node_is_as_new_as_the_project_says() -> None:
    engines = json.loads((root / "package.json").read_bytes())["engines"]["node"]
    assert numbers(engines.removeprefix(">=")) == least_node
    (said,) = re.findall(r"Node (\d+\.\d+) or later", (root / "README.md").read_text())
    assert numbers(said) == least_node


@pytest.mark.parametrize(
    ("version", "ok"), [("v20.18.9", False), ("v20.19.0", True), ("v22.1.0", True), ("v8.0.0", False), ("", False)]
)
def test_an_older_node_will_not_do(version: str, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho '{version}'\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    (found,) = (finding for finding in examine(root) if finding.subject == "Node")
    assert found.ok == ok
    assert ok or "20.19" in found.hint


def test_all_extras_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tables = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = set(tables) - {"dev", "docs"}
    assert set(extras()) == wanted
    told = {f"[{extra}]" for extra in wanted - {packages.lean}}  # which is a way to what [convert] has
    assert {finding.subject for finding in examine(root)} >= told

    # An installed package has no pyproject.toml: its metadata says the same.
    def in_metadata(line: str, extra: str) -> str:
        requirement, _, marker = line.partition(";")
        return f'{requirement}; ({marker}) and extra == "{extra}"' if marker else f'{line}; extra == "{extra}"'

    from_source = extras()
    lines = [in_metadata(line, extra) for extra, lines in tables.items() for line in lines]
    monkeypatch.setattr(packages, "source", tmp_path / "none")
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["click>=8.1", *lines])
    described = Message()
    for extra in tables:
        described.add_header("Provides-Extra", extra)
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: described)
    assert set(extras()) == wanted
    assert extras() == from_source
    assert set(from_source["convert"]) >= {"tensorflow", "tensorflowjs", "tf-keras"} - (
        {"tensorflowjs"} if sys.version_info >= (3, 13) else set()
    )


class Distribution:
    """Stands in for the packages of another machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], asks: dict[str, list[str]]) -> None:
        def version(name: str) -> str:
            if name not in versions:
                raise importlib.metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(importlib.metadata, "version", version)
        monkeypatch.setattr(importlib.metadata, "requires", lambda name: asks.get(name, []))


apart = 'pip install --no-deps "tensorflowjs==4.22.0" "tf-keras>=2.19,<2.22"'


@pytest.mark.parametrize(
    ("versions", "hint"),
    [
        ({}, f'Run pip install "shardpress[tensorflow]" and {apart}'),
        ({"tensorflow-cpu": "2.20.0"}, 'Run pip install --no-deps "tensorflowjs==4.22.0" "tf-keras==2.20.*"'),
        ({"tensorflow": "2.20.0", "tensorflowjs": "4.22.0", "tf-keras": "2.19.0"},
         'Run pip install --no-deps "tf-keras==2.20.*"'),
        ({"tensorflow-cpu": "2.20.0", "tensorflowjs": "4.22.0", "tf-keras": "2.20.1", "protobuf": "4.25.3"},
         'Run pip install "protobuf>=5.28.0"'),
        ({"tensorflow": "2.18.0", "tensorflowjs": "4.22.0", "tf-keras": "2.18.0"}, 'Run pip install "tensorflow'),
        ({"tensorflow-cpu": "2.20.0", "tensorflowjs": "4.22.0", "tf-keras": "2.20.1"}, ""),
    ],
)  # fmt: skip
def test_conversion_is_told_the_commands_that_fix_it(
    versions: dict[str, str], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way it was installed, TensorFlow by whichever name."""
    fine = (
        {"keras": "3.15.1", "pillow": "12.0", "scipy": "1.17", "numpy": "2.1", "protobuf": "5.29"} if versions else {}
    )
    asks = ["protobuf>=5.28.0", "numpy>=1.26", 'nothing==1; extra == "cuda"']
    Distribution(monkeypatch, fine | versions, {"tensorflow": asks, "tensorflow-cpu": asks})
    (found,) = (finding for finding in examine(root) if finding.subject == "[convert]")
    assert found.hint.startswith(hint) if hint else found.ok
    assert not found.optional


@pytest.mark.parametrize(
    ("version", "wanted", "ok"),
    [
        ("2.19.3", "==2.19.*", True),
        ("2.20.0", "==2.19.*", False),
        ("4.22.0", "==4.22.0", True),
        ("4.22", "==4.22.0", True),
        ("0.14.0", ">=0.11,<0.14", False),
        ("0.13.0", ">=0.11,<0.14", True),
        ("10", ">=9.5", True),
        ("2.1", "!=2.1", False),
        ("1.4.9", "~=1.4.2", True),
        ("1.5.0", "~=1.4.2", False),
        ("5.0rc1", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, wanted: str, ok: bool) -> None:
    assert fits(version, wanted) == ok


def test_what_nobody_asked_for_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    have = {"one": {"a": ">=1"}, "two": {"b": ">=2", "c": ""}, "convert": {"d": ">=1"}}
    versions = {"b": "1.0", "d": "1.0"}
    monkeypatch.setattr(doctor, "extras", lambda: have)
    monkeypatch.setattr(doctor, "installed", versions.get)
    found = {finding.subject: finding for finding in examine(root)}
    assert (found["[one]"].ok, found["[one]"].optional) == (False, True)
    assert (found["[two]"].ok, found["[two]"].optional) == (False, False)  # half of it, and too old
    assert "b>=2" in found["[two]"].hint
    assert "--  [one] not installed" in show(tuple(found.values()))
    versions |= {"b": "2.0", "c": "1"}
    assert main(["doctor", "--json"]) in {0, 1}
    document = json.loads(capsys.readouterr().out)
    others = [one for one in document["findings"] if one["subject"] != "[one]"]
    assert document["ok"] == all(one["ok"] for one in others)
