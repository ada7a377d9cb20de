"""Whether the sizes in ``build.toml`` are sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigError
from .units import parse_size

if TYPE_CHECKING:
    from .tables import Config

smallest_shard = 1024


def check_sizes(config: Config) -> None:
    """Read every size.

    Raises:
        ConfigError: one cannot be read, or is too small.
    """
    sizes: list[tuple[str, int | str | None]] = [
        ("build.shard_bytes", config.build.shard_bytes),
        ("runtime.budget", config.runtime.budget),
    ]
    for name, model in config.models.items():
        sizes += [(f"models.{name}.budget", model.budget), (f"models.{name}.first_budget", model.first_budget)]
    sizes += [(f"models.{name}, budget of all rungs", ladder.budget) for name, ladder in config.ladders.items()]
    for key, size in sizes:
        try:
            count = parse_size(size) if size is not None else smallest_shard
        except ValueError as error:
            raise ConfigError(
                str(error), code="SP-205", where=f"{config.path}, {key}", hint="Correct the value"
            ) from error
        if key == "build.shard_bytes" and count < smallest_shard:
            raise ConfigError(
                f"shards of {count} bytes are too small",
                code="SP-205",
                where=f"{config.path}, {key}",
                hint="Use at least 1 KiB",
            )
