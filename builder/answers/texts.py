"""Which inputs of a model take what a tokenizer makes of texts: ids, mask and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config.tokenizer import TokenizerConfig
from ..errors import ConfigError
from ..model import TensorSpec

endings = {
    "ids": ("input_ids", "input_word_ids", "token_ids", "ids", "tokens"),
    "mask": ("attention_mask", "input_mask", "padding_mask", "mask"),
    "types": ("token_type_ids", "input_type_ids", "segment_ids", "type_ids"),
}
"""How exports name these inputs, the usual ones first."""
number_types = frozenset({"int32", "float32"})


def tokenizer_of(given: str | TokenizerConfig) -> TokenizerConfig:
    """Return the whole table of a tokenizer that may only name its file."""
    return TokenizerConfig(file=given) if isinstance(given, str) else given


def texts_of(
    name: str,
    given: str | TokenizerConfig,
    tokenizer: Mapping[str, Any],
    inputs: Sequence[TensorSpec],
    rows: Mapping[str, int],
) -> dict[str, Any]:
    """Describe how texts become inputs: a tokenizer, and ``inputs`` with the names that take its numbers.

    Args:
        name: of the model.
        given: ``tokenizer`` of its table.
        tokenizer: as ``tokens.read`` describes it.
        inputs: of the model.
        rows: of the tables that inputs look up, by input.

    Raises:
        ConfigError: the inputs do not take texts, or not those of this tokenizer.
    """
    where, table = f"models.{name}.tokenizer", tokenizer_of(given)
    found: dict[str, TensorSpec] = {}
    for role, usual in endings.items():
        free = [spec for spec in inputs if spec not in found.values()]
        spec = _named(where, role, getattr(table, role), free) or _usual(role, usual, free)
        if spec:
            found[role] = spec
    if "ids" not in found:
        names = ", ".join(repr(spec.name) for spec in inputs)
        raise _unfit("no input is known to take ids", f"{where}.ids", f"Name one of {names}")
    for role, spec in found.items():
        if spec.dtype not in number_types or spec.shape is None or len(spec.shape) != 2:
            shape = list(spec.shape) if spec.shape is not None else "an unknown shape"
            what = f"the input {spec.name!r} is {spec.dtype} {shape}, and {role} are int32 [texts, length]"
            raise _unfit(what, f"{where}.{role}", "Name another input")
    lengths = {spec.shape[1] for spec in found.values() if spec.shape and spec.shape[1] is not None}
    if len(lengths) > 1:
        raise _unfit(f"inputs have the lengths {sorted(lengths)}", where, "Export the model with one length")
    below = rows.get(found["ids"].name)
    if below is not None and tokenizer["known"] > below:
        what = f"has {tokenizer['known']} words, but the model knows {below} ids"
        raise _unfit(what, where, "Name the tokenizer.json that the model was trained with")
    length = next(iter(lengths), None)
    named: dict[str, Any] = {role: spec.name for role, spec in found.items()}
    if length is not None:
        named["length"] = length
    if floats := sorted(spec.name for spec in found.values() if spec.dtype == "float32"):
        named["floats"] = floats
    return {**tokenizer, "inputs": named}


def _named(where: str, role: str, name: str, inputs: Sequence[TensorSpec]) -> TensorSpec | None:
    if not name:
        return None
    found = next((spec for spec in inputs if spec.name == name), None)
    if found is None:
        names = ", ".join(repr(spec.name) for spec in inputs)
        raise _unfit(f"there is no input {name!r}, or it is taken", f"{where}.{role}", f"Name one of {names}")
    return found


def _usual(role: str, usual: tuple[str, ...], inputs: Sequence[TensorSpec]) -> TensorSpec | None:
    plain = {spec.name.split(":")[0].lower().rsplit("/", 1)[-1]: spec for spec in inputs}
    for ending in usual:
        for name, spec in plain.items():
            if name == ending or (name.endswith(f"_{ending}") and role != "ids"):
                return spec
    for name, spec in plain.items():
        if name.endswith("input_ids"):
            return spec if role == "ids" else None
    return inputs[0] if role == "ids" and len(inputs) == 1 else None


def _unfit(what: str, where: str, hint: str) -> ConfigError:
    return ConfigError(what, code="SP-426", where=where, hint=hint)
