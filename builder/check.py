"""What ``check`` does: look at every source as far as that goes without building anything."""

from __future__ import annotations

from dataclasses import dataclass

from builder.config import Config
from builder.errors import ShardpressError, SourceError
from builder.sources.detect import detect
from builder.sources.graphdef import read_graph, read_saved_model
from builder.sources.safety import check_graph, check_saved_model
from builder.sources.tfjs import read_model


@dataclass(frozen=True, slots=True)
class Checked:
    """One model that was looked at: its kind of source, and the paragraph of what would fail, or ``""``."""

    name: str
    kind: str
    problem: str


def check_models(config: Config) -> tuple[Checked, ...]:
    """Look at every model of build.toml."""
    return tuple(_check(config, name) for name in config.models)


def _check(config: Config, name: str) -> Checked:
    model = config.models[name]
    path = config.folder / model.source
    kind = "unknown"
    try:
        if not path.exists():
            raise SourceError(
                "does not exist", where=model.source, hint="Mend the path; it starts at build.toml's folder"
            )
        kind = detect(path)
        if kind == "tfjs":
            read_model(path)
        elif kind == "saved-model":
            check_saved_model(read_saved_model(path), model.signature, model.tags)
        elif kind == "frozen-graph":
            check_graph(read_graph(path))
    except ShardpressError as error:
        return Checked(name, kind, str(error))
    return Checked(name, kind, "")
