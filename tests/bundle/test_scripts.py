"""The loader's scripts: made of modules in a checkout, ready everywhere else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from builder.bundle import scripts
from builder.bundle.format import index_mark
from builder.bundle.modules import module_templates, packaged
from builder.errors import ShardpressError

root = Path(__file__).resolve().parents[2]
templates = root / "templates"
modules = sorted(path for folder in scripts.folders for path in (templates / folder).glob("*.js"))
imported = re.compile(r'^(?:import|export)\b[^;]*? from "([^"]+)";|^import "([^"]+)";', re.MULTILINE)


@pytest.fixture
def made() -> bytes:
    """Give the scripts of this checkout; asked for before ``checkout``."""
    return scripts.ready_scripts()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a checkout of its own, as far as the scripts are concerned."""
    shutil.copytree(templates, tmp_path / "templates")
    shutil.copy(root / "package.json", tmp_path)
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    monkeypatch.setattr(scripts, "template_folder", lambda: tmp_path / "templates")
    return tmp_path


def without_node(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(folder / "nothing"))


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / "templates" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.slow
def test_what_is_made_is_kept_until_a_module_changes(
    made: bytes, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scripts.ready_scripts() == made == (checkout / ".bundled" / "scripts.json").read_bytes()
    with monkeypatch.context() as patch:
        without_node(patch, checkout)
        assert scripts.ready_scripts() == made
    edit(checkout, "loader/errors.js", "was cancelled", "was given up")
    assert "was given up" in scripts.script("loader.js")
    assert "was given up" in scripts.script("package/index.js")


def test_other_versions_of_the_tools_make_them_anew(checkout: Path) -> None:
    before = scripts.sources_hash(checkout / "templates")
    package = json.loads((checkout / "package.json").read_text())
    package["devDependencies"]["terser"] = "0.0.1"
    (checkout / "package.json").write_text(json.dumps(package))
    assert scripts.sources_hash(checkout / "templates") != before


def test_an_sdist_brings_them_and_needs_no_node(made: bytes, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "node_modules").unlink()
    (checkout / "templates" / scripts.ready_name).write_bytes(made)
    without_node(monkeypatch, checkout)
    assert scripts.ready_scripts() == made
    edit(checkout, "loader/errors.js", "was cancelled", "was given up")
    with pytest.raises(ShardpressError, match=r"esbuild and terser of npm are not installed.*make setup"):
        scripts.ready_scripts()


def test_a_checkout_without_node_says_what_to_do(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_node(monkeypatch, checkout)
    with pytest.raises(
        ShardpressError, match=r"Node is not installed.*Install Node 20\.19 or later and run make setup"
    ):
        scripts.ready_scripts()


@pytest.mark.slow
def test_a_mistake_in_a_module_is_told_with_its_place(checkout: Path) -> None:
    edit(checkout, "loader/hash.js", "async function sha256(", "async function sha256(()")
    with pytest.raises(ShardpressError, match=r"cannot be bundled: .*loader/hash\.js:\d+"):
        scripts.ready_scripts()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_no_failure(made: bytes, checkout: Path) -> None:
    (checkout / ".bundled").write_text("in the way")
    assert scripts.ready_scripts() == made, "the same bytes each time and everywhere"


def test_the_mark_before_the_index_is_in_no_script() -> None:
    """The line before the code has it, and tools look for the only one."""
    assert [name for name, code in scripts.scripts().items() if index_mark in code] == []


def test_only_the_loader_and_its_forms_ask_for_an_index() -> None:
    using = {name for name, code in scripts.scripts().items() if re.search(r"\bCONFIG\b", code)}
    assert using == {"loader.js", "package/index.js", "package/index.cjs", "package/inline.js"}


def test_the_readable_form_keeps_every_comment_of_the_modules() -> None:
    code = scripts.script("package/index.js")
    wanted = [
        line
        for path in sorted((templates / "loader").glob("*.js"))
        for line in map(str.strip, path.read_text().splitlines())
        if line.startswith(("//", "/**", "* ")) and "@import" not in line
    ]
    assert len(wanted) > 400
    assert [line for line in wanted if line not in code] == []


def test_bundlers_are_told_to_leave_imports_by_address_alone() -> None:
    """What they would look for themselves fails in the page: Next put "Cannot find module" in its place."""
    for form in ("package/index.js", "package/inline.js"):
        code = scripts.script(form)
        by_address = re.findall(r"\bimport\(([^\"')]+)\)", code)
        assert by_address
        for argument in by_address:
            assert "webpackIgnore: true" in argument, form
            assert "@vite-ignore" in argument, form


def test_modules_are_short_and_import_each_other_without_a_circle() -> None:
    assert [path.name for path in templates.rglob("*.js") if len(path.read_text().splitlines()) > 250] == []
    needs = {
        path: {(path.parent / (one or other)).resolve() for one, other in imported.findall(path.read_text())}
        for path in modules
    }
    assert all(target in needs for targets in needs.values() for target in targets)
    order: list[Path] = []
    while ready := [path for path in needs if path not in order and needs[path] <= set(order)]:
        order += ready
    assert sorted(path.name for path in needs if path not in order) == []


def test_every_form_gives_what_the_types_promise_and_knows_all_modules() -> None:
    declared = (templates / "package/index.d.ts.j2").read_text()
    exported = re.search(r"\{([^}]*)\}", scripts.script("package/index.js").rpartition("export")[2])
    assert exported
    names = sorted(name.strip() for name in exported[1].split(","))
    assert [name for name in names if not re.search(rf"^export .*\b{name}\b", declared, re.MULTILINE)] == []
    for entry in ("package", "inline"):
        text = (templates / "entries" / f"{entry}.js").read_text()
        assert [name for name in packaged if f'"../{module_templates[name]}"' not in text] == [], entry


def test_shortened_names_of_properties_are_the_loaders_own() -> None:
    """Where strings, other modules, pages or files of a bundle had one too, it would have two names."""
    found = re.search(r"const internal = \{(.*)\};", (root / "builder/bundle/scripts.mjs").read_text())
    assert found
    pairs = re.findall(r'(\w+): "(\w+)"', found[1])
    internal = [name for name, _ in pairs]
    assert len({short for _, short in pairs}) == len(internal)
    assert len(internal) > 3
    bundled = set(scripts.folders) - {"entries"}  # all have the same short names
    others = [
        *(path for path in templates.rglob("*") if path.is_file() and path.parent.name not in bundled),
        *(path for room in ("verify", "words") for path in (root / "builder" / room).rglob("*.mjs")),
        root / "docs/format.md",
        *(root / "node_modules/typescript-5.6/lib").glob("lib.*.d.ts"),
    ]
    comment = re.compile(r"/\*[\s\S]*?\*/|(?<!:)//[^\n]*")
    property_name = re.compile(r"(?:^|[\s.{,?])(\w+)\??(?=[:(.<=;,)\]}])", re.MULTILINE)
    texts = (comment.sub("", path.read_text(errors="replace")) for path in others)
    named = {name for text in texts for name in property_name.findall(text)}
    assert [name for name in internal if name in named] == []
    own = "".join(path.read_text() for path in modules)
    assert [name for name in internal if re.search(rf"[\"'`]{name}[\"'`]", own)] == []
    assert [name for name in internal if not re.search(rf"\.{name}\b", own)] == [], "no longer needed"
