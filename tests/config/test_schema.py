"""The JSON Schema of build.toml: complete for every key, and understood by the checker that editors have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builder.cli.main import main
from builder.config.schema import json_schema, schema_file, schema_name
from builder.config.tables import Document, load_config
from builder.errors import ConfigError
from builder.typed import from_builtins
from tests.helpers import tiny

root = Path(__file__).resolve().parents[2]
schema = json_schema()


def keys() -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Give table, key, what the schema says of it, and whether it is required."""
    for name, table in schema["$defs"].items():
        for key, entry in table["properties"].items():
            yield name, key, entry, key in table["required"]


def taplo(*files: Path) -> subprocess.CompletedProcess[str]:
    """Let taplo check files by the schema that each of them names."""
    program = shutil.which("taplo", path=str(Path(sys.executable).parent)) or shutil.which("taplo")
    assert program, "pip install taplo, of the extra dev"
    return subprocess.run(
        [program, "lint", "--no-auto-config", "--colors", "never", *map(str, files)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_every_key_has_title_description_default_and_example() -> None:
    assert len(list(keys())) > 150
    for table, key, entry, required in keys():
        place = f"{table}.{key}"
        assert entry["title"].strip(), place
        assert entry["description"].endswith((".", ")", "…")), place
        assert entry["examples"], place
        assert required is not ("default" in entry), place
        assert required or entry["examples"][0] != entry["default"], f"{place}: an example shows another value"
    for name, table in schema["$defs"].items():
        assert table["title"], name
        assert "``" not in table["description"], "editors read Markdown"
        assert table["additionalProperties"] is False, name


def test_examples_and_defaults_are_values_of_their_keys() -> None:
    """Each example is read as the table's own field is, with its limits."""
    structs = {kind.__name__: kind for kind in _structs(Document)}
    assert set(structs) == set(schema["$defs"])
    for table, key, entry, _ in keys():
        fields = {field.name: field for field in msgspec.structs.fields(structs[table])}
        for example in entry["examples"]:
            if key in fields:
                from_builtins(example, fields[key].type)
            else:
                assert example == structs[table].__struct_config__.tag
        if entry.get("default") is not None:
            from_builtins(entry["default"], fields[key].type)


def _structs(kind: Any, seen: set[type] | None = None) -> set[type]:
    seen = set() if seen is None else seen
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind not in seen:
            seen.add(kind)
            for field in msgspec.structs.fields(kind):
                _structs(field.type, seen)
        return seen
    for part in getattr(kind, "__args__", ()):
        _structs(part, seen)
    return seen


def test_the_checker_takes_the_examples_of_every_key(tmp_path: Path) -> None:
    """A file for each example: its table with that key and what is required beside it."""
    (tmp_path / schema_name).write_bytes(schema_file())
    needed = {
        "source": "m.onnx", "type": "directory", "site": "s", "stride": 8, "count": 1, "name": "a", "outputs": ["b"],
        "boxes": "b", "file": "tokenizer.json",
    }  # fmt: skip
    for number, (table, key, entry, _) in enumerate(keys()):
        definition = schema["$defs"][table]
        (tmp_path / f"{number}.json").write_text(json.dumps({**schema, "$ref": f"#/$defs/{table}"}))
        beside = needed | {"kind": definition["properties"].get("kind", {}).get("examples", [""])[0]}
        for at, example in enumerate(entry["examples"]):
            either = [] if key == "ladder" else definition.get("anyOf", [{"required": []}])[0]["required"]
            values = {one: beside[one] for one in (*definition["required"], *either)} | {key: example}
            text = "\n".join(f"{name} = {_toml(value)}" for name, value in values.items())
            (tmp_path / f"{number}-{at}.toml").write_text(f"#:schema ./{number}.json\n{text}\n")
    done = taplo(*sorted(tmp_path.glob("*.toml")))
    assert done.returncode == 0, done.stderr[:3000]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def documents() -> list[tuple[str, str]]:
    """Give place and text of each build.toml in README and docs; parts of one get the sources that they leave out."""
    found = []
    for path in [*sorted(root.glob("README*.md")), *sorted((root / "docs").rglob("*.md"))]:
        for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)):
            if re.search(r"^\[(models|targets|build|runtime|serve|offline)\b", block, re.MULTILINE):
                found.append((f"{path.relative_to(root)}-{number}".replace("/", "_"), with_sources(block)))
    return found


def with_sources(text: str) -> str:
    for name, table in tomllib.loads(text).get("models", {}).items():
        if "source" not in table and "ladder" not in table:
            header = f"[models.{name}]"
            text = text if f"{header}\n" in text else f"{text}\n{header}\n"
            text = text.replace(f"{header}\n", f'{header}\nsource = "x"\n')
    return text


def test_the_checker_takes_our_own_files_and_those_of_the_documents(tmp_path: Path) -> None:
    own = [root / "build.toml", *sorted((root / "templates/examples").glob("*/build.toml"))]
    texts = [(f"own-{number}", path.read_text()) for number, path in enumerate(own)]
    assert all(text.startswith(f"#:schema dist/{schema_name}\n") for _, text in texts)
    blocks = documents()
    assert len(blocks) >= 15
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / schema_name).write_bytes(schema_file())
    for name, text in [*texts, *blocks]:
        line = "" if text.startswith("#:schema") else f"#:schema dist/{schema_name}\n"
        (tmp_path / f"{name}.toml").write_text(line + text)
    done = taplo(*sorted(tmp_path.glob("*.toml")))
    assert done.returncode == 0, done.stderr[:3000]


@pytest.mark.parametrize(
    "text",
    [
        '[models.face]\nsource = "x"\nlod = "now"',
        '[models.face]\nsource = "x"\nload = "soon"',
        '[models.Face]\nsource = "x"',
        "[models.face]\nload = 'now'",
        '[models.face]\nsource = "x"\nbudget = "1 parsec"',
        '[models.face]\nsource = "x"\nanswer = { kind = "boxes", most = 0 }',
        '[models.face]\nsource = "x"\npicture = { colour = [0, 0] }',
        '[models.face.verify]\nmax_eror = 1\n[models.face]\nsource = "x"',
        "[bild]",
    ],
)
def test_the_checker_finds_what_a_build_refuses(tmp_path: Path, text: str) -> None:
    (tmp_path / schema_name).write_bytes(schema_file())
    path = tmp_path / "build.toml"
    path.write_text(f"#:schema {schema_name}\n{text}\n")
    done = taplo(path)
    assert done.returncode != 0
    assert "\nerror: " in done.stderr
    with pytest.raises(ConfigError):
        load_config(path)


def test_init_names_a_schema_that_is_there(tmp_path: Path) -> None:
    tiny.graph_model(tmp_path / "face")
    config = tmp_path / "build.toml"
    assert main(["init", str(tmp_path), "--config", str(config), "--no-build"]) == 0
    assert config.read_text().splitlines()[0] == f"#:schema dist/{schema_name}"
    assert (tmp_path / "dist" / schema_name).read_bytes() == schema_file()
    assert taplo(config).returncode == 0
    config.write_text(config.read_text().replace("priority", "priorty"))
    assert "priorty" in taplo(config).stderr


def test_init_leaves_a_folder_of_somebody_else_alone(tmp_path: Path) -> None:
    tiny.graph_model(tmp_path / "face")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/mine.html").write_text("mine")
    assert main(["init", str(tmp_path), "--config", str(tmp_path / "build.toml"), "--no-build"]) == 0
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["mine.html"]


@pytest.mark.parametrize("example", ["ar", "beautify", "classify", "words"])
def test_an_example_names_a_schema_that_is_there(tmp_path: Path, example: str) -> None:
    assert main(["init", "--example", example, str(tmp_path / "site")]) == 0
    config = tmp_path / "site/build.toml"
    first = config.read_text().splitlines()[0].removeprefix("#:schema ")
    assert json.loads((config.parent / first).read_bytes()) == json_schema()
    assert tomllib.loads(config.read_text())
