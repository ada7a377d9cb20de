"""Every command of the README is run, and the installed package works like the checkout."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest

from builder import __version__
from builder.bundle.scripts import ready_scripts, script
from builder.config.schema import schema_file, schema_name
from tests.helpers.models import write_frozen_graph, write_model
from tests.helpers.wheels import install_wheel, make_sdist, make_wheel, wheel_of
from tests.helpers.whole import assert_whole

root = Path(__file__).resolve().parents[2]
readme = (root / "README.md").read_text(encoding="utf-8")
chinese = (root / "README.zh-CN.md").read_text(encoding="utf-8")
run_by_ci = {"make build", "make test"}


def commands() -> list[str]:
    """Give the commands of both languages, each once."""
    blocks = re.findall(r"```sh\n(.*?)```", readme + chinese, re.DOTALL)
    found = [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    return list(dict.fromkeys(found))


def test_ci_runs_the_two_commands() -> None:
    assert run_by_ci <= set(commands())
    assert run_by_ci <= set((root / ".ci" / "run").read_text().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in commands() if command not in run_by_ci])
def test_a_command_does_what_the_readme_says(command: str, tmp_path: Path) -> None:
    words = command.split()
    assert words[:2] == ["python", "build.py"]
    folder = tmp_path if "init" in words else root  # which writes a folder of its own
    done = subprocess.run(
        [sys.executable, str(root / "build.py"), *words[2:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


def test_the_chinese_readme_names_files_and_options_that_exist(tmp_path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", chinese):
        assert (root / link).exists(), link
    (init,) = re.findall(r"^python build.py (init .*)$", chinese, re.MULTILINE)
    words = init.split()
    done = subprocess.run(
        [sys.executable, "build.py", *words[:-1], str(tmp_path / words[-1])],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / words[-1] / "build.toml").is_file()


def test_the_readme_explains_every_option_of_a_build() -> None:
    help_text = subprocess.run(
        [sys.executable, "build.py", "--help"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    named = set(re.findall(r"--[a-z][a-z-]+", readme))
    options = set(re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", help_text, re.MULTILINE))
    assert options - named <= {"--help", "--version", "--quiet", "--verbose"}


def test_make_serve_serves_the_pages() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["make", "serve", f"PORT={port}", f"PY={sys.executable}"]
    server = subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert server.stdout
        for line in server.stdout:
            if "Serving HTTP" in line:
                break
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/assets/pages/", timeout=60) as answer:
            assert answer.status == 200
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=60)
        server.stdout.close()


@pytest.mark.slow
def test_the_wheel_holds_all_it_needs(tmp_path: Path) -> None:
    """Installed into a clean environment the package is shardpress, not builder; its workers and Node run too."""
    wheel = make_wheel(tmp_path)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"shardpress/templates/scripts.json", "shardpress/templates/loader.js.j2"} <= names
    assert zipfile.ZipFile(wheel).read(f"shardpress/{schema_name}") == schema_file(), "for editors"
    assert [name for name in names if "/templates/loader/" in name or "node_modules" in name] == [], "made, not modules"
    programs = install_wheel(wheel, tmp_path / "environment")
    project = tmp_path / "project"
    write_model(project / "m", seed=1)
    write_frozen_graph(project / "frozen.pb")
    (project / "build.toml").write_text('[models.m]\nsource = "m/model.json"\n')
    (project / "node_modules").symlink_to(root / "node_modules")
    done = subprocess.run(
        [programs / "shardpress", "--strict"], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(assert_whole(project / "dist" / "cdn").models) == {"m"}
    loader = (project / "dist" / "cdn" / "loader.js").read_bytes()
    assert loader.endswith(script("loader.js").encode()), "as of the checkout"
    (project / "dist" / "cdn" / "loader.js").unlink()
    done = subprocess.run(
        [programs / "shardpress"],
        cwd=project,
        env={**os.environ, "PATH": str(programs)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (project / "dist" / "cdn" / "loader.js").read_bytes() == loader, "without Node on the PATH too"
    write_frozen_graph(project / "frozen.pb")  # needs TensorFlow, which stays where it is
    (project / "build.toml").write_text('[models.frozen]\nsource = "frozen.pb"\n')
    (site,) = programs.parent.glob("lib/python3*/site-packages")
    code = "import sys; from shardpress.cli.main import main; sys.exit(main(['--strict']))"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(assert_whole(project / "dist" / "cdn").models) == {"frozen"}
    for name, found in (("shardpress.cli.main", True), ("builder.cli", False)):
        done = subprocess.run(
            [programs / "python", "-c", f"import {name}"], cwd=project, capture_output=True, check=False
        )
        assert (done.returncode == 0) is found, name


@pytest.mark.slow
def test_a_wheel_is_made_of_an_sdist_without_node(tmp_path: Path) -> None:
    sdist = make_sdist(tmp_path)
    wheel_of(sdist, tmp_path, PATH=str(tmp_path / "nothing"))
    (wheel,) = tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive, zipfile.ZipFile(wheel) as made:
        (member,) = [name for name in archive.getnames() if name.endswith("/templates/scripts.json")]
        content = archive.extractfile(member)
        assert content
        assert made.read("shardpress/templates/scripts.json") == content.read() == ready_scripts()


def table_of_figures() -> list[list[str]]:
    """Give the rows of the README's comparison with what people use today."""
    section = readme.split("## What it is better at")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return rows[1:]


def test_the_readme_compares_with_measured_figures_only() -> None:
    """Each number of the table, and of what it is worse at, is one of docs/figures.md."""
    figures = (root / "docs" / "figures.md").read_text(encoding="utf-8")
    rows = table_of_figures()
    assert len(rows) >= 8
    worse = readme.split("**Only the speed")[1].split("\n- ")[0]
    told = [cell for row in rows for cell in row[1:3]] + re.findall(r"[\d.]+ ms", worse)
    numbers = [number for cell in told for number in re.findall(r"\d[\d,.]*\d|\d", cell)]
    assert len(numbers) > 15
    for number in numbers:
        assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", figures), number


@pytest.mark.slow
def test_the_commands_behind_the_figures_start() -> None:
    """They take from minutes to hours, so they are only asked what they would do."""
    found = {name for row in table_of_figures() for name in re.findall(r"python (bench/\w+\.py)", row[-1])}
    assert len(found) >= 4
    for name in sorted(found):
        command = [sys.executable, str(root / name), "--help"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "usage" in done.stdout, name


def test_pictures_and_links_of_the_readme_are_there() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (root / link).exists(), link
    picture = (root / "docs/images/classify.webp").read_bytes()
    assert picture[:4] == b"RIFF"
    assert picture.count(b"ANMF") > 5, "it moves"
    assert len(picture) < 200_000


@pytest.mark.slow
def test_what_is_published_works_from_a_folder_alone(tmp_path: Path) -> None:
    """Metadata is right, and ``uvx`` builds a model with nothing of this checkout: what the release workflow runs."""
    tools = tmp_path / "tools"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools), "build", "twine", "uv"]
    subprocess.run(pip, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(tools)}
    command = [sys.executable, "packages/check_release.py", str(tmp_path / "made")]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name.removeprefix(f"shardpress-{__version__}") for path in (tmp_path / "made").iterdir()} == {
        "-py3-none-any.whl", ".tar.gz"
    }  # fmt: skip
    again = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)
