"""Each error has a code, and docs/errors.md explains exactly these."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from builder import errors
from builder.cli.options import error_text
from tests.helpers.modules import error_classes

root = Path(__file__).parents[2]
table_row = re.compile(r"\| (SP-\d{3}) \|(?: [^|]+ \|){3}")
form = re.compile(r"SP-\d{3}")


def used() -> set[str]:
    text = "\n".join(path.read_text() for path in (root / "builder").rglob("*.py"))
    return set(form.findall(text))


def explained() -> list[str]:
    return table_row.findall((root / "docs" / "errors.md").read_text())


def test_the_document_explains_the_codes_in_use_and_no_others() -> None:
    assert used() == set(explained())
    assert len(set(explained())) == len(explained())
    assert sorted(explained()) == explained()


@pytest.mark.parametrize("name", sorted(error_classes))
def test_a_code_survives_the_way_between_processes_and_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    error = getattr(errors, name)("is wrong", where="a", hint="Correct it", code="SP-999")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code) == (type(error), "SP-999")
    assert error_text(again, "m") == "error: model m: a: is wrong. Correct it. [SP-999]"
