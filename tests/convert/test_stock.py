"""Names of TensorFlow, Keras and the stock converter that may move in any version: are they where ``stock`` says?"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from builder import packages
from builder.convert import stock
from builder.errors import ConversionError
from builder.packages import package_folder
from builder.sources.keras_applications import application_layers
from builder.sources.slimming import load_functions
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks


@pytest.fixture(scope="module")
def moved() -> list[str]:
    """What a worker misses of the table in the packages that are installed."""
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        found: list[str] = pool.submit(pool_tasks.moved_names, None).result()
    return found


@pytest.mark.slow
def test_the_installed_versions_have_all_private_names_where_the_table_says(moved: list[str]) -> None:
    assert moved == []


def test_the_installed_versions_are_those_that_the_table_was_written_for() -> None:
    found = {package: packages.installed(package) for package in stock.seen_in}
    assert [
        name for name, version in found.items() if version and not packages.fits(version, stock.seen_in[name])
    ] == []


def test_the_table_was_written_for_the_versions_that_are_asked_for() -> None:
    wanted = packages.extras()[packages.lean] | packages.apart
    (wanted["tensorflow"],) = {wanted[name] for name in ("tensorflow", "tensorflow-cpu") if name in wanted}
    assert {name: SpecifierSet(wanted[name]) for name in stock.seen_in} == {
        name: SpecifierSet(versions) for name, versions in stock.seen_in.items()
    }
    assert {item.package for item in stock.private_names} <= set(stock.seen_in)


def test_a_name_that_moved_is_told_with_the_version_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (("json", "dumpz"), ("json.gone", "dumps")):
        moved = replace(stock.private_names[0], package="tensorflowjs", module=module, name=name, purpose="to write it")
        monkeypatch.setitem(stock._by_address, moved.address, moved)
        with pytest.raises(
            ConversionError, match=rf"tensorflowjs 4\.\S+ has no {moved.address}, .* needed to write it"
        ):
            stock.look_up(module, name)
        with pytest.raises(ConversionError, match=r"Install 'tensorflowjs==4\.22\.0'"):
            stock.look_up(module, name)


def test_names_that_are_looked_up_are_in_the_table() -> None:
    """A look-up of another one would be a KeyError, in the one conversion that needs it."""
    tree = ast.parse(Path(stock.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "look_up"]
    asked = set()
    for module in ("keras", "tf_keras"):
        for name in application_layers:
            known = {**vars(stock), "module": module, "name": name}
            asked |= {".".join(eval(ast.unparse(argument), known) for argument in call.args) for call in calls}
    assert len(calls) > 10
    assert asked <= set(stock._by_address)


def test_no_other_module_reaches_for_private_names() -> None:
    """Neither by import, which the linter's contract forbids, nor by text."""
    address = re.compile(r"[\"'](tensorflow|tensorflowjs|keras|tf_keras)\.[a-z_.]+|\btf\.python\b")
    others = [path for path in (package_folder / "convert").glob("*.py") if path.name != "stock.py"]
    assert [path.name for path in others if address.search(path.read_text(encoding="utf-8"))] == []


def test_the_functions_of_tables_that_slimming_keeps_are_guarded() -> None:
    names = {item.name.rpartition(".")[2] for item in stock.private_names}
    assert set(load_functions) <= names
