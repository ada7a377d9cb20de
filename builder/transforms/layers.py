"""The layers in the topology of a layers model, as Keras of any age writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Layer = Mapping[str, object]


def inner_layers(model: Layer) -> list[Layer]:
    """Return the layers of a model: Keras before 2.2.3 wrote a Sequential's config as their list."""
    body = model.get("config")
    layers = body.get("layers") if isinstance(body, Mapping) else body
    return [layer for layer in layers if isinstance(layer, Mapping)] if isinstance(layers, list) else []


def config_of(layer: Layer) -> Layer:
    """Return a layer's own settings; those of an old nested Sequential are none."""
    config = layer.get("config")
    return config if isinstance(config, Mapping) else {}


def name_of(layer: Layer) -> str:
    """Return a layer's name; "" where it has none."""
    return str(config_of(layer).get("name", layer.get("name", "")))


def walk_layers(topology: Layer) -> Iterator[Layer]:
    """Return all layers of a ``modelTopology``, outside in, in the order in which Keras saves them: by depth."""
    model = topology.get("model_config", topology)
    pending = inner_layers(model)[::-1] if isinstance(model, Mapping) else []
    while pending:
        layer = pending.pop()
        yield layer
        pending += inner_layers(layer)[::-1]
