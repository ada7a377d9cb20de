"""Every command and snippet of the documentation is one that the program, TOML, JSON and JavaScript understand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from builder.cli.main import cli
from builder.config.tables import load_config
from tests.project.test_project import project

root = Path(__file__).resolve().parents[2]
documents = sorted(
    [
        *root.glob("*.md"),
        *(root / "docs").rglob("*.md"),
        *(root / "packages").glob("*/README.md"),
    ]
)
fence = re.compile(r"^( *)```([\w-]+)[^\n`]*\n(.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)
indented = re.compile(r"^    ((?:python build\.py|shardpress|pip install|make|eval)\b.*)$", re.MULTILINE)
inline = re.compile(r"`((?:python build\.py|shardpress|make|\.venv/bin/python) [^`\n]+)`")
others = {  # programs that a reader has by other means, and what follows is theirs
    "aws", "cd", "eval", "export", "git", "mkdir", "node", "npm", "npx", "pipx", "source", "uv", "uvx",
}  # fmt: skip
made_by_steps = {"make_model.py"}  # `init` writes it
checked_as = {"js": "js", "mjs": "js", "ts": "ts", "tsx": "tsx", "html": "js"}


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of code: where it begins, of which language, and its text."""

    place: str
    language: str
    text: str


def snippets() -> list[Snippet]:
    """Return all pieces of code; those without a language are texts."""
    found = []
    for path in documents:
        text = path.read_text(encoding="utf-8")
        for match in fence.finditer(text):
            place = f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
            found.append(Snippet(place, match[2], re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)))
        plain = fence.sub("", text)
        for pattern in (indented, inline):
            found += [Snippet(f"{path.relative_to(root)}: {line}", "sh", line) for line in pattern.findall(plain)]
    return found


def of(*languages: str) -> list[Snippet]:
    return [one for one in snippets() if one.language in languages]


def test_languages_are_those_that_are_checked() -> None:
    known = {"bash", "json", "python", "sh", "text", "toml", "yaml", *checked_as}
    assert {one.language for one in snippets()} <= known
    assert len(snippets()) > 200


def commands(text: str) -> list[list[str]]:
    """Divide shell lines into commands, each as its words."""
    found: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;"):
                found += [words] if words else []
                words = []
            elif words or not re.match(r"\w+=", word):  # a variable for the command
                words.append(word)
    return found


def fault(words: list[str]) -> str:
    """Say what is wrong with a command of ours; nothing if it can be run as it stands."""
    command: click.Command = cli
    context = click.Context(cli)
    try:
        given, rest, _ = cli.make_parser(context).parse_args(list(words))
        if rest and not re.fullmatch(r"[A-Z…]+", rest[0]):  # COMMAND stands for any
            command = cli.commands[rest[0]]
            context = click.Context(command)
            given, rest, _ = command.make_parser(context).parse_args(rest[1:])
        for option in command.params:
            value = given.get(option.name or "")
            if isinstance(value, str) and isinstance(option.type, click.Choice | click.IntRange):
                option.type.convert(value, option, context)
    except KeyError as error:
        return f"there is no command {error}"
    except click.UsageError as error:
        return error.format_message()
    return ""


def extras_of(requirement: str) -> set[str]:
    return {name.strip() for part in re.findall(r"(?:\.|shardpress)\[(.+?)\]", requirement) for name in part.split(",")}


def test_commands_exist_with_their_options() -> None:
    table = project()["project"]
    assert isinstance(table, dict)
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    wrong = []
    for snippet in of("sh", "bash"):
        for words in commands(snippet.text):
            program, *rest = words
            problem = ""
            if program in {"python", ".venv/bin/python"} and rest and rest[0].endswith("build.py"):
                problem = fault(rest[1:])
            elif program in {"python", ".venv/bin/python"} and rest and rest[0].endswith(".py"):
                known = (root / rest[0]).is_file() or rest[0] in made_by_steps
                problem = "" if known else f"there is no {rest[0]}"
            elif program in {"python", ".venv/bin/python"}:
                problem = "" if rest[:1] == ["-m"] else f"python {rest}"
            elif program == "shardpress":
                problem = fault(rest)
            elif program == "make":
                names = {word for word in rest if "=" not in word and not word.startswith("-")}
                problem = "" if names <= targets else f"there is no target {names - targets}"
            elif program == "pip":
                missing = set().union(*map(extras_of, rest)) - set(table["optional-dependencies"])
                problem = f"there is no extra {missing}" if missing else ""
            elif program not in others:
                problem = f"what is {program}?"
            wrong += [f"{snippet.place}: {shlex.join(words)}: {problem}"] if problem else []
    assert wrong == []


def test_a_wrong_command_would_be_found() -> None:
    assert "No such option" in fault(["--wach"])
    assert "no command" in fault(["deply"])
    assert "No such option" in fault(["deploy", "--watch"])
    assert "not one of" in fault(["init", "--example", "clasify"])
    assert fault(["deploy", "prod", "--dry-run"]) == ""
    assert commands("A=1 make x && cd y  # z\npython build.py | cat") == [
        ["make", "x"], ["cd", "y"], ["python", "build.py"], ["cat"],
    ]  # fmt: skip


@cache
def config_schema() -> dict[str, Any]:
    """Return the schema of build.toml as the command prints it."""
    return dict(json.loads(CliRunner().invoke(cli, ["schema"], catch_exceptions=False).stdout))


def whole(tables: dict[str, object]) -> dict[str, object]:
    """Make a part of build.toml a whole one: keys of a model or its sound stand in one, and each model has a source."""
    schema = config_schema()["$defs"]
    document = {key: value for key, value in tables.items() if key in schema["Document"]["properties"]}
    models = document.get("models", {})
    assert isinstance(models, dict)
    model = {key: value for key, value in tables.items() if key in schema["ModelConfig"]["properties"]}
    sound = {key: value for key, value in tables.items() if key not in {*document, *model}}
    if sound:
        model["audio"] = sound
    named = {**models, **({"only-here": model} if model else {})}
    sources = {name: {} if "ladder" in table else {"source": "model.onnx"} for name, table in named.items()}
    return {**document, "models": {name: sources[name] | table for name, table in named.items()}}


def alternatives(text: str) -> list[str]:
    """Divide a snippet whose lines all set the same key: a reader chooses one of them."""
    lines = text.strip().splitlines()
    keys = {line.partition("=")[0] for line in lines}
    return lines if len(keys) == 1 and "=" in lines[0] else [text]


def as_toml(value: object) -> str:
    """Write tables in TOML's one-line form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def test_settings_are_read_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    for number, text in enumerate(text for snippet in of("toml") for text in alternatives(snippet.text)):
        tables = tomllib.loads(text)
        if set(tables) == {"index"}:  # uv's
            continue
        for name in re.findall(r"\$\{(\w+)\}", text):
            monkeypatch.setenv(name, "value")
        path = tmp_path / str(number) / "build.toml"
        path.parent.mkdir()
        path.write_text("\n".join(f"{key} = {as_toml(value)}" for key, value in whole(tables).items()))
        load_config(path)
        read += 1
    assert read > 20


def test_json_and_python_parse() -> None:
    for snippet in of("json"):
        json.loads(snippet.text)
    for snippet in of("python"):
        compile(snippet.text, snippet.place, "exec")


checker = """
import { transformSync } from "esbuild";
const wrong = [];
for (const { place, loader, text } of JSON.parse(process.argv[1])) {
  try {
    transformSync(text, { loader, format: "esm", logLevel: "silent", sourcefile: place });
  } catch (error) {
    wrong.push(`${place}: ${error.errors.map(({ text, location }) => `${text} (line ${location?.line})`)}`);
  }
}
console.log(JSON.stringify(wrong));
"""


def syntax_faults(pieces: list[dict[str, str]]) -> list[str]:
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", checker, "--", json.dumps(pieces)],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [str(one) for one in json.loads(done.stdout)]


def test_scripts_parse() -> None:
    pieces = []
    for snippet in of(*checked_as):
        texts = [snippet.text]
        if snippet.language == "html":
            texts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", snippet.text, re.DOTALL)
        pieces += [{"place": snippet.place, "loader": checked_as[snippet.language], "text": text} for text in texts]
    assert len(pieces) > 30
    assert syntax_faults(pieces) == []
    assert len(syntax_faults([{"place": "here", "loader": "js", "text": "const = 1;"}])) == 1
