"""The JSON Schema of build.toml, for editors: made of the tables, which hold every description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from .models import ModelConfig
from .tables import Document

draft = "http://json-schema.org/draft-07/schema#"  # the newest one that all editors of TOML know
schema_name = "build.schema.json"
"""The schema's file in a build's folder and in the installed package."""
whole = "build.toml of Shardpress"

Schema = dict[str, Any]


def json_schema() -> Schema:
    """Return the JSON Schema of build.toml as editors take it.

    Every key has a title, a description, an example, and a default unless it is required. null, which TOML does not
    have, stands for a key that is not there.
    """
    found = described_schema()
    older: Schema = {name: _older(table) for name, table in found["$defs"].items()}
    about = {key: older[Document.__name__][key] for key in ("title", "description")}
    return {"$schema": draft, **about, "$ref": found["$ref"], "$defs": older}


def described_schema() -> Schema:
    """Return the same in the newest draft, where a reference may stand beside a description: for documents."""
    found = msgspec.json.schema(Document)
    for name, table in found["$defs"].items():
        _complete(table)
        kind = name.removesuffix("Config").removesuffix("Table")
        table["title"] = whole if name == Document.__name__ else _words(kind)
        for key, entry in table["properties"].items():
            _complete_key(key, entry, table)
    # The struct itself says so in words.
    found["$defs"][ModelConfig.__name__]["anyOf"] = [{"required": [key]} for key in ("source", "ladder")]
    return found


def schema_file() -> bytes:
    """Return the schema as its file has it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False).encode() + b"\n"


def _complete(table: Schema) -> None:
    # Docstrings mark names as reStructuredText does, editors as Markdown does.
    table["description"] = str(table["description"]).replace("``", "`")


def _complete_key(key: str, entry: Schema, table: Schema) -> None:
    entry.setdefault("title", "Kind of answer" if key == "kind" else _words(key))
    entry.setdefault("description", table["description"])  # of the tag alone: which table it is
    entry["description"] = _sentence(str(entry["description"]))
    if "default" in entry:
        entry["default"] = _without_null(entry["default"])
    if "examples" not in entry:
        choices = [choice for choice in _choices(entry) if choice != entry.get("default")]
        entry["examples"] = choices[:1] if choices == [True] else choices


def _words(name: str) -> str:
    """Return the title of a key or a class that needs no other: its own words."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "…", ")")) else f"{text}."


def _choices(entry: Schema) -> Iterator[Any]:
    """Return the values of a key that can have only some."""
    for branch in (entry, *entry.get("anyOf", [])):
        if branch.get("type") == "boolean":
            yield from (True, False)
        yield from (value for value in branch.get("enum", []) if value is not None)


def _without_null(value: Any) -> Any:
    """Return a default as JSON has it, without keys that are not set."""
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list | tuple) else value


def _older(schema: Any) -> Any:
    """Write a schema as draft 7 has it: fixed arrays by ``items``, and ``$ref`` with nothing beside it."""
    if isinstance(schema, list):
        return [_older(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value if key in {"default", "examples", "enum"} else _older(value) for key, value in schema.items()}
    if "prefixItems" in found:
        found |= {"items": found.pop("prefixItems"), "additionalItems": False}
    if "$ref" in found and len(found) > 1:
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    found.pop("discriminator", None)
    return found
