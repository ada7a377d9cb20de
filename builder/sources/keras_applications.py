"""Tells layers that only networks of ``keras.applications`` have from layers of others with the same names."""

from __future__ import annotations

# Layers of the networks in keras.applications, which Keras knows by their module only: that, and what they are given.
application_layers = {
    "CustomScaleLayer": ("inception_resnet_v2", frozenset({"scale"})),
    "LayerScale": ("convnext", frozenset({"init_values", "projection_dim"})),
    "StochasticDepth": ("convnext", frozenset({"drop_path_rate"})),
}


def is_application_layer(item: dict[str, object]) -> bool:
    """Return whether an object is a layer that a network of ``keras.applications`` has of its own.

    HDF5 files name its class only, which others may have chosen too; so it must be given exactly what Keras' own is.
    """
    kind, inner, module = item.get("class_name"), item.get("config"), item.get("module")
    name = kind.removeprefix("Custom>") if isinstance(kind, str) else ""
    if name not in application_layers or not isinstance(inner, dict):
        return False
    family, own = application_layers[name]
    roots = ("keras", "keras.src", "tf_keras", "tf_keras.src")
    return (
        module in [None, *(f"{root}.applications.{family}" for root in roots)]
        and item.get("registered_name") in [None, name, f"Custom>{name}"]
        and inner.keys() == own | {"name", "trainable", "dtype"}
        and all(type(inner[key]) in {int, float} for key in own)
        and (name != "CustomScaleLayer" or _takes_two(item.get("inbound_nodes")))
    )


def application_layers_in(config: object) -> set[str]:
    """Return the classes of such layers in a configuration, without those that others' layers have too."""
    found: set[str] = set()
    others: set[str] = set()
    queue = [config]
    for item in queue:  # grows
        if isinstance(item, dict):
            if isinstance(item.get("class_name"), str):
                name = item["class_name"].rpartition(">")[2]
                (found if is_application_layer(item) else others).add(name)
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)
    return found - others


def _takes_two(inbound: object) -> bool:
    """Return whether a layer is called with two tensors, as Keras 2 and 3 write it."""
    if not isinstance(inbound, list) or len(inbound) != 1:
        return False
    (node,) = inbound
    if isinstance(node, dict):
        args = node.get("args")
        node = args[0] if isinstance(args, list) and len(args) == 1 else None
    return isinstance(node, list) and len(node) == 2
