"""The table of ``docs/sources.md``: what becomes of each layer class, written from a run of the whole matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from builder.graphs.ops import advice_for
from tests.matrix.judge import Verdict
from tests.matrix.models import forms
from tests.matrix.special import left_out

begin = "<!-- matrix: begin. bench/sources.py --write-docs writes what is between. -->"
end = "<!-- matrix: end -->"
titles = {"keras": "Keras 3", "tf_keras": "Keras 2 (`tf_keras`)"}
good = ("built", "cut")
longest_reason = 240


def write_section(text: str, section: str) -> str:
    """Put a section between the marks of a page.

    Raises:
        ValueError: the page has no marks.
    """
    before, mark, rest = text.partition(begin)
    _, second, behind = rest.partition(end)
    if not mark or not second:
        raise ValueError(f"the page lacks {begin} and {end}")
    return f"{before}{begin}\n\n{section}\n{end}{behind}"


def layers_of(text: str) -> dict[str, set[str]]:
    """Give the layer classes that the page names, by library."""
    section = text.partition(begin)[2].partition(end)[0]
    found = {}
    for name, title in titles.items():
        part = section.partition(f"### {title}\n")[2].partition("### ")[0]
        lines = [line.split(" | ")[0] for line in part.splitlines() if line.startswith(("Built", "| `"))]
        found[name] = {layer for line in lines for layer in re.findall(r"`([A-Z]\w+)`", line)}
    return found


def section(verdicts: Sequence[Verdict], versions: Mapping[str, str], classes: Mapping[str, Sequence[str]]) -> str:
    """Write the section: for each library the layers that are built, and a table of the others."""
    parts = []
    for library, title in titles.items():
        mine = [verdict for verdict in verdicts if verdict.library == library and verdict.outcome != "unmade"]
        kinds = {kind: [verdict for verdict in mine if verdict.kind == kind] for kind in classes[library]}
        whole = [kind for kind, found in kinds.items() if found and all(item.outcome in good for item in found)]
        cut = [kind for kind in whole if any(item.outcome == "cut" for item in kinds[kind])]
        rest = {kind: found for kind, found in kinds.items() if kind not in whole}
        parts.append(f"### {title}\n\nVersion {versions[library]}, {len(kinds)} layer classes; {_tried(mine)}.\n")
        listed = ", ".join(f"`{kind}`" for kind in whole if kind not in cut)
        parts.append(f"Built and equal ({len(whole) - len(cut)}): {listed}\n")
        parts.append(f"Built, with text cut off and ids as input ({len(cut)}): {', '.join(f'`{k}`' for k in cut)}\n")
        parts.append("| layers | forms | what becomes of them |\n|---|---|---|")
        rows: dict[tuple[str, str], list[str]] = {}
        for kind, found in rest.items():
            for layer, there, words in _rows(kind, found, [item for item in verdicts if item.library == library]):
                rows.setdefault((there, words), []).append(layer)
        parts += [f"| {', '.join(layers)} | {there} | {words} |" for (there, words), layers in rows.items()]
        parts.append("")
    return "\n".join(parts)


def _tried(found: Sequence[Verdict]) -> str:
    whole = [form for form in forms if len({item.kind for item in found if item.form == form}) > 50]
    if set(whole) == set(forms):
        return "all forms were run"
    listed = ", ".join(form.replace("-", " ") for form in whole)
    return f"run in whole: {listed or 'no form'}; of the other forms a sample"


def _rows(kind: str, found: Sequence[Verdict], every: Sequence[Verdict]) -> Iterator[tuple[str, str, str]]:
    """Give the layer, its forms and what becomes of it, for each reason."""
    if not found:
        is_tried = any(item.kind == kind for item in every)
        yield f"`{kind}`", "all", left_out.get(kind, "Keras itself cannot write it" if is_tried else "not tried")
        return
    said: dict[tuple[str, str], dict[str, None]] = {}
    for verdict in found:
        if verdict.outcome not in good:
            said.setdefault((verdict.item.partition("-")[2], _reason(verdict)), {})[verdict.form] = None
    for (variant, words), there in said.items():
        of = f" ({variant.replace('-', ' ')})" if variant else ""
        yield f"`{kind}`{of}", _forms(there, found), words


def _forms(there: Iterable[str], found: Sequence[Verdict]) -> str:
    kinds = list(dict.fromkeys(form.rpartition("-")[2] for form in there))
    tried = {verdict.form.rpartition("-")[2] for verdict in found}
    shown = {"keras": "`.keras`", "h5": "`.h5`", "saved": "SavedModel"}
    return "all" if set(kinds) == tried and len(tried) == len(shown) else ", ".join(shown[kind] for kind in kinds)


def _reason(verdict: Verdict) -> str:
    """Say why it is refused and what to do, without the names that only its test has."""
    words = verdict.words.partition(": ")[2] or verdict.words
    found = re.search(r"lacks ops of this model: (\w+) at .*?\): (.*?)(?:; \w+ at |\. To keep|$)", words)
    if found:
        return f"TensorFlow.js lacks `{found[1]}`: {advice_for(found[1])}"
    words = re.sub(r" \(layer [\w/]+\)", "", words)
    words = re.sub(r"^layer '\w+' \(\w+\) ", "", words)
    words = re.sub(r"^holds layer \w+ \(\w+\) with the axes", "has the axes", words).replace("|", "/").rstrip(". ")
    return words if len(words) <= longest_reason else words[: longest_reason - 1] + "…"


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Give the figures of a run: outcomes by library, and layer classes that are built in all forms."""
    found: dict[str, Any] = {}
    for library in titles:
        mine = [verdict for verdict in verdicts if verdict.library == library]
        counts: dict[str, int] = {}
        for verdict in mine:
            counts[verdict.outcome] = counts.get(verdict.outcome, 0) + 1
        kinds = {verdict.kind for verdict in mine}
        whole = {kind for kind in kinds if all(item.outcome in (*good, "unmade") for item in mine if item.kind == kind)}
        found[library] = {"outcomes": counts, "classes": len(kinds), "whole": len(whole), "not": sorted(kinds - whole)}
    return found
