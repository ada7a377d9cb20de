"""The reference of ``build.toml`` and of ``manifest.json``, from their JSON Schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from click.testing import CliRunner
from docs_wording import cell, plain_code, say, translated

names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "nothing"}


def config_keys(language: str) -> str:
    """Return a section for each table of ``build.toml``."""
    return _Reference(schema("config"), language, toml=True).sections()


def manifest_keys(language: str) -> str:
    """Return a section for each object of ``manifest.json``."""
    return _Reference(schema("manifest"), language, toml=False).sections()


def schema(what: str) -> dict[str, Any]:
    """Return the schema that the command ``schema`` prints for users' editors."""
    from builder.cli.main import cli

    result = CliRunner().invoke(cli, ["schema", what], catch_exceptions=False)
    return dict(json.loads(result.stdout))


class _Reference:
    """One schema on its way to Markdown.

    Args:
        schema: with all its objects in ``$defs``.
        language: of columns and descriptions.
        toml: whether places are written as tables of TOML.
    """

    def __init__(self, schema: Mapping[str, Any], language: str, *, toml: bool) -> None:
        self.defs = schema["$defs"]
        self.first = schema["$ref"].rsplit("/", 1)[1]
        self.language = language
        self.toml = toml
        self.table = "table" if toml else "object"
        self.places = {self.first: ""}
        self.said: dict[str, str] = {}  # of the keys that hold the objects
        self._find([self.first])
        keys = [key for one in self.defs.values() for key in one.get("properties", {}).values()]
        self.explained = any(key.get("description") for key in keys)

    def _find(self, names: list[str]) -> None:
        """Say where in the document each object stands: at its highest place, the first in the order of keys."""
        found = []
        for name in names:
            for other, below, said in self._below(name):
                if other not in self.places:
                    self.places[other], self.said[other] = below, said
                    found.append(other)
        if found:
            self._find(found)

    def _below(self, name: str) -> list[tuple[str, str, str]]:
        place = f"{self.places[name]}." if self.places[name] else ""
        return [
            (other, below, value.get("description", ""))
            for key, value in self.defs[name].get("properties", {}).items()
            for other, below in _objects(value, f"{place}{key}")
        ]

    def _in_order(self, name: str) -> list[str]:
        """Return an object and those that stand in it, each once."""
        inside = [other for other, place, _ in self._below(name) if self.places[other] == place]
        return list(dict.fromkeys([name, *(one for other in inside for one in self._in_order(other))]))

    def sections(self) -> str:
        """Return all sections."""
        return "\n\n".join(
            self._section(name, self.places[name])
            for name in self._in_order(self.first)
            if self._keys(name, self.places[name])
        )

    def _keys(self, name: str, place: str) -> list[tuple[str, dict[str, Any]]]:
        keys = list(self.defs[name].get("properties", {}).items())
        return keys if place or not self.toml else []  # build.toml itself has tables only, each with its own section

    def _section(self, name: str, place: str) -> str:
        kind = self._kind(name)
        heading = f"`{_table(place)}`" if self.toml else f"`{place or 'manifest.json'}`"
        heading += f" · `{kind}`" if kind else ""
        required = self.defs[name].get("required", ())
        about = plain_code(self.defs[name].get("description", "")).strip()
        about = re.sub(rf"^The table `\[{re.escape(place)}\]`(?:\.$|: )", "", about)  # as the heading says
        about = about or self.said.get(name, "")
        about = translated(about[:1].upper() + about[1:], self.language)
        columns = ["key", "type", "by default", *(["meaning"] if self.explained else [])]
        rows = [
            [f"`{key}`", cell(self._type(value)), self._default(key, value, required), self._meaning(value)]
            for key, value in self._keys(name, place)
        ]
        table = [[say(word, self.language) for word in columns], ["---"] * len(columns), *rows]
        lines = [f"| {' | '.join(row[: len(columns)])} |" for row in table]
        return "\n".join([f"## {heading} {{ #{self._anchor(name)} }}", "", about, "", *lines])

    def _kind(self, name: str) -> str:
        """Return what tells an object from others that may stand in its place: the one value of its key ``kind``."""
        values = self.defs[name].get("properties", {}).get("kind", {}).get("enum", ())
        return str(values[0]) if len(values) == 1 else ""

    def _anchor(self, name: str) -> str:
        kind = self._kind(name)
        words = f"{self.places[name]} {f'kind {kind}' if kind else ''}".lower()
        return re.sub(r"[^a-z0-9]+", "-", words).strip("-") or "document"

    def _meaning(self, value: Mapping[str, Any]) -> str:
        text = translated(plain_code(value.get("description", "")), self.language)
        if examples := value.get("examples", ()):
            shown = _as_toml(examples[0]) if self.toml else json.dumps(examples[0], ensure_ascii=False)
            text += f"{say(' For example: ', self.language)}`{shown}`"
        return cell(text)

    def _default(self, key: str, value: Mapping[str, Any], required: tuple[str, ...]) -> str:
        if key in required:
            return say("required", self.language)
        default = value.get("default")
        if default is None or default in ("", [], {}) or isinstance(default, dict):
            return ""
        return f"`{cell(json.dumps(default, ensure_ascii=False))}`"

    def _type(self, value: Mapping[str, Any]) -> str:
        if len(value.get("allOf", ())) == 1:  # a title beside a reference needs this form
            return self._type(value["allOf"][0])
        if "$ref" in value:
            name = value["$ref"].rsplit("/", 1)[1]
            if "properties" not in self.defs[name]:
                return self._type(self.defs[name])
            kind = self._kind(name)
            return f"[{f'`{kind}`' if kind else say(self.table, self.language)}](#{self._anchor(name)})"
        if "enum" in value:
            return say(", ", self.language).join(f"`{json.dumps(one, ensure_ascii=False)}`" for one in value["enum"])
        if "anyOf" in value:
            kinds = [self._type(one) for one in value["anyOf"] if one.get("type") != "null"]
            return say(", ", self.language).join(dict.fromkeys(kinds))
        kind = value.get("type", "")
        if kind == "array":
            return say("list of ", self.language) + self._type(_element(value))
        if kind == "object":
            inner = value.get("additionalProperties")
            return (
                say(f"{self.table}: ", self.language) + self._type(inner)
                if isinstance(inner, dict)
                else say(self.table, self.language)
            )
        return say(names.get(kind, kind), self.language)


def _element(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a list holds; of one with a type for each place, those are the same."""
    items = value.get("items") or value.get("prefixItems") or {}
    return items[0] if isinstance(items, list) else items


def _objects(value: Mapping[str, Any], place: str) -> list[tuple[str, str]]:
    """Return the objects that a key may hold, and where they then stand."""
    if "$ref" in value:
        return [(value["$ref"].rsplit("/", 1)[1], place)]
    kinds = [*value.get("allOf", ()), *value.get("anyOf", ())]
    found = [one for kind in kinds for one in _objects(kind, place)]
    if isinstance(value.get("items"), dict):
        found += _objects(value["items"], f"{place}[]")
    if isinstance(value.get("additionalProperties"), dict):
        found += _objects(value["additionalProperties"], f"{place}.NAME")
    return found


def _as_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_as_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _table(place: str) -> str:
    """Return the head of a table in TOML; of a list of tables it has two brackets."""
    return f"[[{place[:-2]}]]" if place.endswith("[]") else f"[{place}]"
