"""Model cards: what a reader has to know of a model, a Markdown file a model and language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ... import __version__
from ...bundle.render import render
from ...config.units import show_size
from ...model import TensorSpec
from ...verify.run import Verification
from ..fit import cost_of
from ..make_model import Built
from .card_names import cards_of
from .languages import Both, both, word
from .page import cost_text
from .support import support_of

Text: TypeAlias = Callable[[str, str], str]
most_files = 12
plain_name = re.compile(r"[a-z][a-z0-9]*")
address = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]+")
special = re.compile(r"([\\`*_\[\]<>|&~$])")


def write_cards(built: Built, verification: Verification | None, *, own_runtime: bool) -> dict[str, bytes]:
    """Describe a model for people, by the name of the file.

    The same build gives the same bytes: there are no times in them. Texts of the model and its settings cannot change
    the document's form.

    Args:
        built: the model.
        verification: what became of its check.
        own_runtime: the bundle has its own TensorFlow.js.
    """
    english, chinese = cards_of(built.bundle.name)
    told = verification if verification is not None and verification.passed else None
    values = {
        "name": built.bundle.name,
        "generator": f"shardpress {__version__}",
        "kept": built.is_kept and not built.origin,
        "draws": built.bundle.content.kind != "word-vectors",
        "source": _source(built),
        "license": _line(built.settings.license or ""),
        "card": _link(built.settings.card or ""),
        "inputs": [_spec(spec) for spec in built.bundle.inputs],
        "outputs": [_spec(spec) for spec in built.bundle.outputs],
        "labels": _labels(built),
        "run": _run(built),
        "stages": _sizes(built),
        "cost": _cost(verification),
        "precision": _precision(built),
        "measured": _measured(built),
        "checked": told,
        "problem": both(verification.problem) if verification is not None and verification.problem else None,
        "wrong": [(backend, both(problem)) for backend, problem in told.wrong] if told else [],
        "notes": [both(note) for note in (*built.assembly.notes, *((*told.notes, *told.doubts) if told else ()))],
        "browser": [both(what) for what in support_of(built)["browser"]],
        "custom": support_of(built)["custom"],
        "load": built.settings.load,
        "priority": built.settings.priority,
        "code": load_lines(built, own_runtime=own_runtime),
        "line": _line,
        "span": code_span,
    }
    return {
        english: _card(t=_first, say=_english, other=chinese.rpartition("/")[2], **values),
        chinese: _card(t=_second, say=_chinese, other=english.rpartition("/")[2], **values),
    }


def _card(**values: Any) -> bytes:
    text = render("card.md.j2", **values)
    text = re.sub(r"^(- .*\n)\n+(?=- )", r"\1", text, flags=re.MULTILINE)  # the items of a list stand together
    return (re.sub(r"\n{3,}", "\n\n", text).strip() + "\n").encode()


def _first(english: str, _: str) -> str:
    return english


def _second(_: str, chinese: str) -> str:
    return chinese


def _english(text: Both | str) -> str:
    return text.en if isinstance(text, Both) else word(text).en


def _chinese(text: Both | str) -> str:
    return text.zh if isinstance(text, Both) else word(text).zh


def code_span(text: str) -> str:
    """Write any text as code on one line: its fence is longer than what it holds, and nothing in it is markup."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    space = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) or not text else ""
    return f"{fence}{space}{text}{space}{fence}"


def _line(text: str) -> str:
    """Write any text as text on one line."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return special.sub(r"\\\1", " ".join(shown.split()))


def _link(text: str) -> str:
    return f"<{text}>" if address.fullmatch(text) else _line(text)


def _source(built: Built) -> dict[str, Any]:
    files, given = built.digests, Path(built.settings.source)
    return {
        "kind": built.origin,
        "name": given.name if given.is_absolute() else given.as_posix(),  # a card may leave this machine
        "member": built.settings.member,
        "files": files[:most_files],
        "more": max(0, len(files) - most_files),
    }


def _spec(spec: TensorSpec) -> dict[str, str]:
    lengths = None if spec.shape is None else ", ".join("?" if one is None else str(one) for one in spec.shape)
    return {"name": spec.name, "dtype": spec.dtype, "shape": "[…]" if lengths is None else f"[{lengths}]"}


def _labels(built: Built) -> int:
    return len(built.bundle.content.labels or ())


def _run(built: Built) -> list[tuple[str, str]]:
    """Return what ``run`` knows of inputs and answers: the tables of the head, the tokenizer's rules in short."""
    head = built.bundle.content
    tables: Mapping[str, Mapping[str, Any] | None] = {
        "picture": head.picture,
        "audio": head.audio,
        "tokenizer": _tokenizer(head.tokenizer),
        "answer": head.answer,
    }
    return [(key, json.dumps(table, ensure_ascii=False)) for key, table in tables.items() if table]


def _tokenizer(spec: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return spec and {key: spec[key] for key in ("model", "words", "truncate", "pad", "inputs") if key in spec}


def _sizes(built: Built) -> list[tuple[str, str, str, str]]:
    """Return what arrives, in order: name, bytes, bytes as sent, and as sent from the start up to there."""
    bundle = built.bundle
    parts = [("head", bundle.head.blob.nbytes, bundle.head.wire)]
    parts += [(stage.name, stage.nbytes, stage.wire) for stage in bundle.stage_sizes()]
    rows, sent = [], 0
    for name, nbytes, wire in parts:
        sent += wire
        rows.append((name, f"{nbytes:,}", f"{wire:,}", show_size(sent)))
    return rows


def _cost(verification: Verification | None) -> Both | None:
    cost = cost_of(verification)
    return cost_text({"macs": cost.macs, "ops": cost.ops}) if cost else None


def _precision(built: Built) -> list[tuple[str, str]]:
    if built.bundle.content.kind == "word-vectors":
        return [("", "int8")]
    given = built.settings.precision
    return [("", given)] if isinstance(given, str) else list(given.items())


def _measured(built: Built) -> list[dict[str, Any]]:
    found: Mapping[str, Any] = built.assembly.precision or {}
    return list(found.get("stages", []))


def load_lines(built: Built, *, own_runtime: bool) -> list[str]:
    """Return the lines of JavaScript that load a model and use it, beside the bundle's folder.

    Args:
        built: the model.
        own_runtime: the bundle has its own TensorFlow.js, so pages bring none.
    """
    head, name = built.bundle.content, built.bundle.name
    place = f"models.{name}" if plain_name.fullmatch(name) else f"models[{json.dumps(name)}]"
    words = head.kind == "word-vectors"
    brings = not own_runtime and not words
    lines = [f'import {{ models{", configure" if brings else ""} }} from "./dist/cdn/loader.js";']
    if brings:
        worker = ', workerTf: "/tf.min.js"' if built.runs_apart else ""
        lines.append(f'configure({{ tf: () => import("@tensorflow/tfjs"){worker} }});')
    given = _given(built)
    if words:
        lines.append(f"const words = await {place}.load().ready;")
    elif given:
        lines.append(f"const answer = await {place}.load().run({given});")
    else:
        lines.append(f"const model = await {place}.load().ready;")
    return lines


def _given(built: Built) -> str:
    """Name what ``run`` takes, or nothing where it has no use."""
    head = built.bundle.content
    if head.audio:
        return "sound"
    if head.tokenizer or head.vocabulary:
        return '"a text"'
    if head.picture or head.glue:
        return 'document.querySelector("img")'
    return ""
