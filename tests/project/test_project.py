"""The project's own files: pins, lock file, addresses, the commands that people are told to run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from builder import __version__, packages
from builder.config.tables import load_config

root = Path(__file__).resolve().parents[2]
registry = re.compile(
    r"\b(registry|pypi|pythonhosted|npmmirror)\.\w|--(extra-)?index.url|--find.links|/simple\b|_authToken"
)
machine = re.compile(r"(?<![\w.~/-])/(work|root|tmp|home)/\w")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [root / name for name in listed.split("\0") if name and (root / name).is_file()]


def project() -> dict[str, object]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def pins(python: str) -> dict[str, str]:
    """Give the versions that ``constraints.txt`` has for a Python."""
    lines = [line for line in (root / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    here = [item for item in map(Requirement, lines) if not item.marker or item.marker.evaluate(on(python))]
    assert len({item.name for item in here}) == len(here)
    return {item.name.lower().replace("_", "-"): str(item.specifier).removeprefix("==") for item in here}


def on(python: str) -> dict[str, str]:
    """Give what a requirement's marker asks, for a Python on an ordinary computer."""
    return {"python_version": python, "python_full_version": f"{python}.1", "platform_machine": "x86_64"}


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "package.json", "package-lock.json", ".npmrc"])
def test_package_files_name_no_registry(name: str) -> None:
    assert registry.findall((root / name).read_text()) == []


def test_lock_file_holds_no_resolved_addresses_but_hashes() -> None:
    locked = json.loads((root / "package-lock.json").read_text())["packages"]
    installed = [entry for name, entry in locked.items() if name]
    assert len(installed) > 50
    assert all("resolved" not in entry and entry["integrity"] for entry in installed)


def test_lock_file_and_package_json_agree() -> None:
    wanted = json.loads((root / "package.json").read_text())["devDependencies"]
    locked = json.loads((root / "package-lock.json").read_text())["packages"]
    assert locked[""]["devDependencies"] == wanted
    # An older compiler of the same name is installed under another one: npm:NAME@VERSION.
    versions = {name: version.rpartition("@")[2] for name, version in wanted.items()}
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == versions


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_constraints_pin_what_make_setup_installs(python: str) -> None:
    table = project()["project"]
    assert isinstance(table, dict)
    extras = table["optional-dependencies"]
    asked = [Requirement(line) for line in (*table["dependencies"], *extras[packages.lean], *extras["dev"])]
    asked += [Requirement(f"{name}{versions}") for name, versions in packages.apart.items()]
    pinned = pins(python)
    for requirement in asked:
        if not requirement.marker or requirement.marker.evaluate(on(python)):
            assert requirement.specifier.contains(pinned[requirement.name.lower()]), requirement
    minor = {pinned[name].rpartition(".")[0] for name in ("tensorflow", "tensorflow-cpu", "tf-keras", "tensorboard")}
    assert len(minor) == 1, "one TensorFlow, whatever it is called"


def test_what_is_installed_apart_is_the_same_everywhere() -> None:
    table = project()["project"]
    assert isinstance(table, dict)
    full = {item.name: item.specifier for item in map(Requirement, table["optional-dependencies"]["convert"])}
    assert {name: full[name] for name in packages.apart} == {
        name: SpecifierSet(versions) for name, versions in packages.apart.items()
    }
    makefile = (root / "Makefile").read_text()
    assert f"--editable '.[{packages.lean},dev]'" in makefile
    assert f"--no-deps {' '.join(packages.apart)}\n" in makefile
    line = re.search(r"pip install --no-deps .*", packages.to_convert)
    assert line
    for path in (*root.glob("README*.md"), *(root / "docs").glob("*.md")):
        for told in re.findall(r"pip install [^\n`]*--no-deps[^\n`]*", path.read_text(encoding="utf-8")):
            assert "constraints.txt" in told or line[0].replace('"', "'") in told.replace("--quiet ", ""), path


def test_make_says_in_one_line_how_to_get_a_python(tmp_path: Path) -> None:
    """A line that can be pasted, where no Python fits."""
    place = tmp_path / ".ready"
    done = subprocess.run(
        ["make", "PYTHON=", f"VENV={tmp_path}", str(place)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert re.search(
        r"3\.11, 3\.12 or 3\.13.* pip install uv && uv python install 3\.12 && make PYTHON=\"\$\(uv ", line
    )
    assert not place.exists()


def test_tracked_files_name_no_place_of_one_machine() -> None:
    found = {}
    for path in tracked():
        if path == Path(__file__).resolve() or path.suffix in {".png", ".bin"}:
            continue
        if places := machine.findall(path.read_text(errors="replace")):
            found[path.name] = places
    assert found == {}


def test_no_weights_and_no_generated_files_are_tracked() -> None:
    heavy = {str(path.relative_to(root)): path.stat().st_size for path in tracked() if path.stat().st_size > 200_000}
    assert heavy == {}
    made = ("assets/models/", "assets/samples/", "dist/", "node_modules/", ".venv/", ".shardpress/")
    assert [path for path in tracked() if str(path.relative_to(root)).startswith(made)] == []


def test_the_package_says_its_version_and_that_it_is_typed() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert (root / "builder" / "py.typed").is_file()
    assert "## [Unreleased]" in (root / "CHANGELOG.md").read_text()


def test_all_packages_have_one_version() -> None:
    """Python's is the first; npm's cannot read it."""
    packed = {path: json.loads(path.read_text())["version"] for path in (root / "packages").glob("*/package.json")}
    assert packed
    assert set(packed.values()) == {__version__}
    assert f"## [{__version__}]" in (root / "CHANGELOG.md").read_text()


def test_examples_are_configured_and_their_labels_are_there() -> None:
    models = load_config(root / "build.toml").models
    assert set(models) == {
        *(
            "beautify",
            "classify",
            "classify-rung1",
            "denoise",
            "drawing",
            "emotion",
            "enlarge",
            "face",
            "faces",
            "meaning",
            "mesh",
            "people",
            "pose",
            "speech",
            "style",
            "upscale",
            "words-en",
            "words-zh",
        ),
    }
    for model in models.values():
        assert model.labels is None or (root / model.labels).read_text().split()


@pytest.mark.parametrize("target", ["build", "test", "check", "setup", "serve"])
def test_make_knows_what_people_are_told_to_run(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=root, check=True, capture_output=True)


def test_every_make_command_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    for path in [*root.glob("*.md"), *(root / "docs").glob("**/*.md"), *(root / "assets" / "pages").glob("*.*")]:
        commands = re.findall(r"(?:`|>|^ {4}|\$ )make ([a-z]+)", path.read_text(), re.MULTILINE)
        assert set(commands) <= targets, path


def test_ci_runs_what_the_readme_says() -> None:
    ci = (root / ".ci" / "run").read_text().splitlines()
    readme = (root / "README.md").read_text()
    for command in ("make build", "make test"):
        assert command in ci
        assert command in readme


def test_a_python_without_the_packages_is_told_which_one_has_them() -> None:
    command = [sys.executable, "-S", str(root / "build.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"error: \w+ is not installed for .*make setup.*\n", done.stderr)
