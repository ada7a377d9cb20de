"""Recognises Keras' TextVectorization in what is cut off a graph, and proves that a page can do the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..graphs.messages import GraphDef
from ..graphs.outline import Outline, ancestors, source_of
from ..tokens.vectorization import TextSteps, ids_of, punctuation
from .frozen import Frozen, run_frozen
from .session import load_tensorflow
from .tables import Words, ids_shape
from .tf_types import Tensor, TensorShape

probes = (
    "",
    " ",
    "a",
    "The quick brown Fox, jumps over the LAZY dog's back.",
    " \t tabs\nand\r\nlines\v\fof  white\u00a0space\u2003\u3000x\u0085y\x1cz ",
    "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'",
    "ÀÉÎÕÜ ẞ İstanbul ΑΣ ПРИВЕТ mixed Élan",
    "今天天气真好，我们去公园吧。 中文 and English",
    "👍🏽 👩‍👩‍👧 🇨🇳 e\u0301 ﬁ ½",
    "\ufeffmark \x00 null \x7f \u200b \ufffd",
    "العربية مرحبا עברית",
    "one two three four five six seven eight nine ten " * 20,
)
"""Texts that layers with other settings, or other layers, would take apart in another way."""


def steps_of(outline: Outline, tensor: Tensor, shape: TensorShape) -> tuple[TextSteps | None, str]:
    """Return how the ops above a tensor take texts apart, if they look like those of a TextVectorization.

    Args:
        outline: of the graph before it was cut.
        tensor: the ids.
        shape: of the text input.

    Returns:
        The steps, not proven; or None, and why a page cannot do the same.
    """
    if shape.rank not in {1, 2} or shape.as_list()[1:] not in ([], [1]):
        return None, "it takes more than one text at a time"
    nodes = [outline.nodes[name] for name in ancestors(outline, [source_of(tensor.name)]) if name in outline.nodes]
    found = {node.op: node for node in nodes}
    patterns = {(node.attr["pattern"].s, node.attr["rewrite"].s) for node in nodes if node.op == "StaticRegexReplace"}
    if patterns - {(punctuation.encode(), b"")} or "RegexReplace" in found:
        return None, "it replaces by a pattern of its own"
    lower, ngrams = found.get("StringLower"), found.get("StringNGrams")
    if lower is not None and lower.attr["encoding"].s:
        return None, "it lowers letters beyond ASCII"
    steps = TextSteps(
        lower=lower is not None,
        strip=bool(patterns),
        split="whitespace" if "StringSplitV2" in found else "character" if "UnicodeEncode" in found else "none",
    )
    if ngrams is not None:
        if ngrams.attr["separator"].s != b" ":
            return None, "it joins words by something else than a space"
        steps["ngrams"] = list(ngrams.attr["ngram_widths"].list.i)
    if (rank := ids_shape(tensor).rank) != 2:
        return None, f"its ids have {rank} axes"
    length = ids_shape(tensor).as_list()[1]
    if length is not None:
        steps["length"] = length
    return steps, ""


def prove(part: GraphDef, frozen: Frozen, name: str, tensor: Tensor, entry: Words, steps: TextSteps) -> bool:
    """Run the cut-off part on odd texts, and tell whether the reference makes the same ids of each.

    Args:
        part: the nodes that make ids of text.
        frozen: the whole graph's tables and inputs.
        name: of the text input.
        tensor: the ids.
        entry: the words.
        steps: as ``steps_of`` gives them.
    """
    tf = load_tensorflow()
    if not frozen.resources or "unknown" not in entry:
        return False
    there = {node.name for node in part.node}
    text = frozen.inputs[name]
    tables = {key: value for key, value in frozen.resources.items() if value.op.name in there}
    head = dataclasses.replace(frozen, graph_def=part, inputs={name: text}, outputs={"ids": tensor}, resources=tables)
    try:
        for texts in (*([probe] for probe in probes), list(probes)):
            given = np.array([probe.encode() for probe in texts], object).reshape((-1, 1)[: text.shape.rank])
            got = run_frozen(head, {name: given})["ids"]
            wanted = ids_of(texts, steps, entry["words"], entry["unknown"])
            if got.tolist() != wanted:
                return False
    except (tf.errors.OpError, ValueError):
        return False
    return True


def copy_head(graph_def: GraphDef, outline: Outline, head: frozenset[str]) -> GraphDef:
    """Return a copy of what is about to be cut off, with what it needs."""
    part: GraphDef = load_tensorflow().compat.v1.GraphDef(versions=graph_def.versions)
    needed = ancestors(outline, head) | head
    part.node.extend(node for node in graph_def.node if node.name in needed)
    return part


def texts_of(
    outline: Outline,
    part: GraphDef,
    frozen: Frozen,
    entries: Mapping[str, Tensor],
    inputs: Mapping[str, str],
    vocabulary: Mapping[str, Words],
) -> tuple[dict[str, TextSteps], dict[str, str]]:
    """Tell how texts become ids, where that can be told and proven.

    Args:
        outline: of the graph before it was cut.
        part: what makes ids of text, as ``copy_head`` gives it.
        frozen: the graph, with its own inputs and tables.
        entries: the ids, by new input.
        inputs: the text input that each of them stands for.
        vocabulary: as ``tables.vocabulary_of`` gives it.

    Returns:
        The steps by new input; and for those without, why.
    """
    found, reasons = {}, {}
    for name, entry in vocabulary.items():
        text = frozen.inputs[inputs[name]]
        steps, why = steps_of(outline, entries[name], text.shape)
        if steps and not prove(part, frozen, inputs[name], entries[name], entry, steps):
            steps, why = None, "it makes other ids of some texts than a TextVectorization with these ops would"
        if steps:
            found[name] = steps
        else:
            reasons[name] = why
    return found, reasons
