"""The reference of the loader's interface, from the types that a build writes."""

from __future__ import annotations

import re

from docs_wording import translated

sample = {  # the model of the examples in docs/loader.md
    "name": "faces",
    "kind": "graph-model",
    "inputs": ["image"],
    "outputs": ["boxes", "scores"],
    "load": "visible",
    "stages": ["base", "full"],
    "labels": ["face"],
    "answer": "boxes",
    "hears": False,
}
start = re.compile(r"^export (?:declare )?(?:class|const|function|interface|type) (\w+)")
comment = re.compile(r"(?<=/\*\* ).+?(?= \*/)")


def declarations(language: str) -> str:
    """Return a section for each exported name: what it is for, and its declaration.

    What a page imports comes first, then the types that it speaks of.

    Args:
        language: of all comments; the files that a build writes have them in English.
    """
    from builder.bundle.render import render_types

    lines = render_types([sample]).decode().splitlines()
    parts: list[tuple[bool, str]] = []
    about: list[str] = []
    place = 0
    while place < len(lines):
        if lines[place].startswith("/**"):
            end = next(n for n in range(place, len(lines)) if lines[n].endswith("*/"))
            about = lines[place : end + 1]
            place = end + 1
        elif match := start.match(lines[place]):
            end = _end(lines, place)
            is_type = not lines[place].startswith("export declare")
            parts.append((is_type, _section(match[1], about, lines[place : end + 1], language)))
            about, place = [], end + 1
        else:
            about, place = [], place + 1
    return "\n\n".join(text for _, text in sorted(parts, key=lambda part: part[0]))


def _end(lines: list[str], begin: int) -> int:
    """Return the last line of a declaration: all lines between are indented, or close what it opened."""
    open_brackets = 0
    for place in range(begin, len(lines)):
        text = re.sub(r'"[^"]*"|/\*.*?\*/|//.*', "", lines[place])
        open_brackets += sum(text.count(one) for one in "({[") - sum(text.count(one) for one in ")}]")
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if open_brackets == 0 and text.rstrip().endswith((";", "}")) and not following.startswith(" "):
            return place
    return len(lines) - 1


def _section(name: str, about: list[str], code: list[str], language: str) -> str:
    text = " ".join(line.strip().removesuffix("*/").removeprefix("/**").removeprefix("*").strip() for line in about)
    said = [comment.sub(lambda match: translated(match[0], language), line) for line in code]
    return "\n".join([f"## `{name}` {{ #{name.lower()} }}", "", translated(text, language), "", "```ts", *said, "```"])
