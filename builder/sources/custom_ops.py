"""Reads the module of a model's own ops, which pages register in TensorFlow.js: ``docs/custom-ops.md``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError

largest = 1 << 20
_comments = re.compile(r"^\s*//[^\n]*$|/\*.*?\*/", re.MULTILINE | re.DOTALL)
_register = re.compile(r"\bregisterOp\s*\(\s*([\"'`])([A-Za-z_][\w>./-]*)\1")
_default = re.compile(r"\bexport\s+default\b|\bas\s+default\b")
_imports = re.compile(r"^\s*(?:import|export)\b[^;\n]*?[\"'](\.{1,2}/[^\"']*|[^\"'/:]+)[\"']|\bimport\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CustomOps:
    """A module that registers ops.

    Attributes:
        names: the ops it registers, sorted.
        code: the module, as it is.
    """

    names: tuple[str, ...]
    code: bytes


def read_custom_ops(folder: Path, name: str, file: str | None) -> CustomOps | None:
    """Read the module that ``custom_ops`` of a model names; None when there is none.

    Args:
        folder: where the path starts.
        name: the model's.
        file: what build.toml says.

    Raises:
        ConfigError: it cannot be read, registers no op by a literal name, has no default export, or imports others.
    """
    if file is None:
        return None
    where = f"models.{name}.custom_ops = {file!r}"
    try:
        code = (folder / file).read_bytes()
        text = _comments.sub("", code.decode())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot be read ({reason})", code="SP-216", where=where, hint="Correct the path") from error
    form = 'Write export default function register(tf) { tf.registerOp("Name", (node) => …); }'
    if len(code) > largest:
        raise ConfigError("is larger than 1 MiB", code="SP-217", where=where, hint="Keep only the ops in it")
    names = tuple(sorted({found[2] for found in _register.finditer(text)}))
    if not names:
        raise ConfigError(
            'registers no op: no registerOp("Name" with a literal name in it', code="SP-217", where=where, hint=form
        )
    if not _default.search(text):
        raise ConfigError("has no default export", code="SP-217", where=where, hint=form)
    if _imports.search(text):
        raise ConfigError(
            "imports other modules, which would not be published",
            code="SP-217",
            where=where,
            hint="Bundle them into this one file",
        )
    return CustomOps(names, code)
