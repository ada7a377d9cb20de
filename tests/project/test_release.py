"""What publishes this package, what tries its versions, and the action: linted, least in rights, their steps run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from builder import __version__, packages
from tests.helpers.deploying import change, project
from tests.project.test_pipelines import complaints, pinned, run_step

root = Path(__file__).resolve().parents[2]
release, versions = (root / "docs" / "pipelines" / f"{name}.yml" for name in ("release", "versions"))
node = shutil.which("node")  # which the builds of the fixture do not find
action: dict[str, Any] = yaml.safe_load((root / "packages" / "action" / "action.yml").read_text())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built project with a target."""
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    site = project(tmp_path / "site")
    with (site / "build.toml").open("a") as settings:
        settings.write('\n[targets.prod]\ntype = "directory"\npath = "public"\n')
    return site


def step(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in action["runs"]["steps"] if one["name"].startswith(name))
    return found


@pytest.mark.slow
def test_the_workflows_and_the_action_have_no_complaints() -> None:
    for path in (release, versions):
        assert complaints(path.read_text()) == [], path.name
    assert complaints(release.read_text().replace("needs: build", "needs: biuld", 1))
    # A composite action is linted as the job of a workflow that takes the same inputs.
    inputs = {name: {"type": "string", "default": str(value["default"])} for name, value in action["inputs"].items()}
    job = {"runs-on": "ubuntu-24.04", "steps": action["runs"]["steps"]}
    workflow = yaml.safe_dump({"name": "action", "on": {"workflow_call": {"inputs": inputs}}, "jobs": {"all": job}})
    assert complaints(workflow) == []
    assert complaints(workflow.replace("inputs.target", "inputs.taget"))


def test_identities_are_asked_for_only_where_nothing_is_built() -> None:
    for path in (release, versions):
        found = yaml.safe_load(path.read_text())
        assert found["permissions"] == {}
        assert found["defaults"]["run"]["shell"] == "bash"
        assert "secrets." not in path.read_text()
        uses = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses: " in line]
        assert [line for line in uses if not pinned.fullmatch(line)] == []
        for job in found["jobs"].values():
            assert job["timeout-minutes"] <= 20
            assert all("${{" not in one.get("run", "") for one in job["steps"])
    jobs = yaml.safe_load(release.read_text())["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "pypi": {"id-token": "write"},
        "npm": {"id-token": "write"},
    }
    for name in ("pypi", "npm"):
        assert (jobs[name]["environment"], jobs[name]["needs"]) == ("release", "build")
        lines = " ".join(one.get("run", "") for one in jobs[name]["steps"])
        assert "install" not in lines
    assert "--provenance" in release.read_text()
    assert "attestations: true" in release.read_text()


def test_a_tag_that_is_not_the_version_publishes_nothing(tmp_path: Path) -> None:
    steps = yaml.safe_load(release.read_text())["jobs"]["build"]["steps"]
    (check,) = (one["run"] for one in steps if "TAG" in one.get("env", {}))
    (tmp_path / "builder").mkdir()
    (tmp_path / "builder" / "__init__.py").write_bytes((root / "builder" / "__init__.py").read_bytes())
    for changelog, tag, status in (
        (f"## [{__version__}] - 2026-12-01\n", f"v{__version__}", 0),
        (f"## [{__version__}] - 2026-12-01\n", "v9.9.9", 1),
        ("## [Unreleased]\n", f"v{__version__}", 1),
        (f"## [{__version__}] - not yet published\n", f"v{__version__}", 1),
    ):
        (tmp_path / "CHANGELOG.md").write_text(changelog)
        command = ["bash", "-eo", "pipefail", "-c", check]
        done = subprocess.run(
            command, cwd=tmp_path, env={"TAG": tag, "PATH": "/usr/bin:/bin"}, capture_output=True, check=False
        )
        assert done.returncode == status, (changelog, tag)


def test_the_matrix_is_what_the_page_says() -> None:
    """Each cell is allowed by the packages' own limits, and the page names the ends of all ranges."""
    matrix = yaml.safe_load(versions.read_text())["jobs"]["build"]["strategy"]["matrix"]
    wanted = packages.extras()[packages.lean]
    tensorflow = SpecifierSet(next(wanted[name] for name in ("tensorflow-cpu", "tensorflow") if name in wanted))
    assert all(tensorflow.contains(f"{version}.0") for version in matrix["tensorflow"])
    assert all(SpecifierSet(wanted["keras"]).contains(f"{one}.0") for one in matrix["keras"] if one != "newest")
    page = (root / "docs" / "install.md").read_text()
    said = re.search(r"^Python (\S+) to (\S+), TensorFlow (\S+) to (\S+), Keras (\S+) or later\.", page, re.MULTILINE)
    assert said
    python = matrix["python"]
    assert said.groups() == (
        python[0], python[-1], matrix["tensorflow"][0], matrix["tensorflow"][-1], matrix["keras"][0]
    )  # fmt: skip


def test_the_action_installs_what_is_asked_for(tmp_path: Path) -> None:
    pip = tmp_path / "pip"
    pip.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\n')
    pip.chmod(0o755)
    converter = "install --no-deps tensorflowjs==4.22.0 tf-keras<2.22"
    for extra, version, target, asked in (
        ("onnx", "", "", ["install shardpress[onnx]"]),
        ("", "", "", ["install shardpress"]),
        ("", "", "prod", ["install shardpress[deploy]"]),
        ("tensorflow,onnx", "0.1.0", "prod", ["install shardpress[tensorflow,onnx,deploy]==0.1.0", converter]),
    ):
        (tmp_path / "asked").unlink(missing_ok=True)
        variables = {"EXTRA": extra, "VERSION": version, "TARGET": target, "PATH": f"{tmp_path}:/usr/bin:/bin"}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Install")["run"]]
        subprocess.run(command, env=variables, check=True)
        assert (tmp_path / "asked").read_text().splitlines() == asked


@pytest.mark.slow
def test_the_steps_of_the_action_run(folder: Path) -> None:
    """Build, sizes, comment and deploy in a project, as a workflow would run them."""
    (folder / "node_modules").symlink_to(root / "node_modules")
    (folder / "base").mkdir()
    (folder / "base" / "manifest.json").write_bytes((folder / "dist" / "manifest.json").read_bytes())
    change(folder, "a", 7)
    outputs, fake = folder / "outputs", folder / "bin" / "gh"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "$@" >> calls.txt\ncase "$*" in *paginate*) :;; *) cp body.md sent.md;; esac\n')
    fake.chmod(0o755)
    assert node
    for name, program in (("python", sys.executable), ("node", node)):
        (fake.parent / name).symlink_to(program)
    run_step(step("Build"), folder, GITHUB_OUTPUT=str(outputs))
    built = json.loads((folder / "build.json").read_text())
    assert outputs.read_text() == f"release={built['release']}\n"
    run_step(step("Tell"), folder, BASE="base/manifest.json", GITHUB_STEP_SUMMARY=str(folder / "summary.md"))
    run_step(step("Write"), folder, REPOSITORY="owner/name", NUMBER="5", GH_TOKEN="x")
    assert (folder / "sent.md").read_text().endswith((folder / "sizes.md").read_text())
    run_step(step("Deploy"), folder, TARGET="prod")
    assert json.loads((folder / "deploy.json").read_text())["ok"]
    assert (folder / "public" / "loader.js").is_file()


def test_the_action_puts_no_expression_into_shell_text_and_deploys_no_pull_request() -> None:
    for one in action["runs"]["steps"]:
        assert one["shell"] == "bash"
        assert "${{" not in one["run"]
    assert "github.event_name != 'pull_request'" in step("Deploy")["if"]
