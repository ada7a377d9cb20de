"""Where models run in pages, and what cannot leave the page's thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import ConfigError

if TYPE_CHECKING:
    from .models import ModelConfig

Thread = Literal["page", "worker"]


def check_threads(path: Path, models: Mapping[str, ModelConfig]) -> None:
    """Refuse what a worker cannot do.

    Args:
        path: of build.toml.
        models: its tables, of a ladder one for each rung.

    Raises:
        ConfigError: a model that pages train is to run in a worker.
    """
    for name, model in models.items():
        if model.thread == "worker" and not model.weights:
            raise ConfigError(
                'a model that pages train does not go with thread = "worker": compile and fit need it on their thread',
                code="SP-252",
                where=f"{path}, models.{name}.thread",
                hint="Remove one of the two",
            )
