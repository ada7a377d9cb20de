"""Refuses Keras 3 models for what no page can run of them, by their configurations, for builds and ``check``."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import SourceError
from ..graphs.float_types import refuse_bfloat16

stateless_hint = "Save it with stateful=False, and give states as inputs if pages need them"
# Layers that do nothing in inference, or compute nothing themselves.
idle = ("InputLayer", "Random", "Dropout", "SpatialDropout", "Gaussian", "AlphaDropout")
recurrent = frozenset(("RNN", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"))


def check_keras_limits(config: object, where: str = "", *, is_hdf5: bool = False) -> None:
    """Look for layers that keep state from call to call, or compute in bfloat16, at any depth.

    Args:
        config: decoded JSON of Keras 3; older ones say these things otherwise.
        where: the file, for messages.
        is_hdf5: Keras reads it from an HDF5 file, and then takes one axis for several.

    Raises:
        SourceError: there is one; the first is named.
    """
    queue = [config]
    for item in queue:  # grows
        if isinstance(item, dict):
            inner = item.get("config")
            if isinstance(inner, dict) and isinstance(item.get("class_name"), str):
                _check_layer(item["class_name"], inner, where)
                if is_hdf5:
                    _check_axes(item["class_name"], inner, where)
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)


def _check_axes(kind: str, config: Mapping[str, object], where: str) -> None:
    """Refuse what Keras 3 would load as another model: of HDF5 files it forgets an axis that is not one number."""
    axes = config.get("axis", 0)
    is_kept = isinstance(axes, int) or (isinstance(axes, list) and len(axes) == 1)
    if not is_kept and (axes is not None or kind == "Normalization"):
        raise SourceError(
            f"holds layer {config.get('name', kind)} ({kind}) with the axes {axes}, which Keras 3 loses in HDF5 files",
            code="SP-325",
            where=where,
            hint="Save the model as a .keras file, or export a SavedModel with model.export(PATH)",
        )


def _check_layer(kind: str, config: Mapping[str, object], where: str) -> None:
    name = str(config.get("name", kind))
    if kind in recurrent and config.get("stateful") is True:
        raise SourceError(
            f"keeps state from call to call (layer {name})", code="SP-319", where=where, hint=stateless_hint
        )
    policy = config.get("dtype")
    if isinstance(policy, dict) and isinstance(policy.get("config"), dict):
        policy = policy["config"].get("name")
    if policy in {"bfloat16", "mixed_bfloat16"} and "layers" not in config and not kind.startswith(idle):
        refuse_bfloat16(name, where)
