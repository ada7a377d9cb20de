"""What of build.toml can be told to be wrong at once, before anything converts."""

from __future__ import annotations

from ..answers.texts import tokenizer_of
from ..config.tables import Config
from ..errors import ConfigError
from ..sources.custom_ops import read_custom_ops


def check_files(config: Config, name: str) -> None:
    """Look for the files that a model's table names besides its source.

    Raises:
        ConfigError: labels, custom ops, the vocabulary, tokenizer or inputs are not there or cannot be read.
    """
    model = config.models[name]
    read_labels(config, name)
    read_custom_ops(config.folder, name, model.custom_ops)
    tokenizer = tokenizer_of(model.tokenizer).file if model.tokenizer else None
    for key, file in (("vocabulary", model.vocabulary), ("tokenizer", tokenizer)):
        if file is not None and not (config.folder / file).is_file():
            raise ConfigError(
                "does not exist",
                code="SP-216",
                where=f"models.{name}.{key} = {file!r}",
                hint="Correct the path; it is relative to build.toml's folder",
            )
    if model.verify.inputs is not None:
        from ..verify.inputs import matching_files  # numpy with it

        try:
            matching_files(model.verify.inputs, config.folder)
        except ConfigError as error:
            raise ConfigError(
                error.what, code=error.code, where=f"models.{name}.verify.inputs", hint=error.hint
            ) from error


def read_labels(config: Config, name: str) -> tuple[str, ...] | None:
    """Read a model's labels, a line each; None where it names none.

    Raises:
        ConfigError: the file cannot be read.
    """
    labels = config.models[name].labels
    if labels is None:
        return None
    try:
        return tuple((config.folder / labels).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"cannot be read ({reason})",
            code="SP-216",
            where=f"models.{name}.labels = {labels!r}",
            hint="Correct the path",
        ) from error
