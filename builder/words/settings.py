"""Which keys of build.toml apply to word vectors."""

from __future__ import annotations

from ..config.models import ModelConfig
from ..errors import ConfigError

foreign = (
    "precision",
    "stages",
    "labels",
    "compat",
    "signature",
    "tags",
    "outputs",
    "cut",
    "custom_ops",
    "trust",
    "picture",
    "audio",
    "answer",
    "tokenizer",
)


def check_settings(name: str, model: ModelConfig) -> None:
    """Refuse keys that do not apply to word vectors.

    Args:
        name: of the model.
        model: its table.

    Raises:
        ConfigError: such a key is set.
    """
    plain = ModelConfig(source=model.source)
    for key in foreign:
        if getattr(model, key) != getattr(plain, key):
            raise ConfigError(
                "does not apply to word vectors",
                code="SP-215",
                where=f"models.{name}.{key}",
                hint="Remove it; see docs/words.md",
            )
    if model.verify.inputs is not None or model.verify.metric != plain.verify.metric:
        key = "inputs" if model.verify.inputs is not None else "metric"
        raise ConfigError(
            "does not apply to word vectors, which are checked with neighbours and analogies of their own words",
            code="SP-215",
            where=f"models.{name}.verify.{key}",
            hint="Remove it; max_error and min_agreement are allowed",
        )


def check_others(name: str, model: ModelConfig) -> None:
    """Refuse keys that apply only to word vectors.

    Raises:
        ConfigError: such a key is set.
    """
    if model.vocabulary is not None:
        raise ConfigError(
            "applies only to word vectors",
            code="SP-215",
            where=f"models.{name}.vocabulary",
            hint="Remove it, or correct source",
        )
