"""JavaScript that a bundle carries beside its loader, which imports it at first need: what there is, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

module_templates: Mapping[str, str] = MappingProxyType(
    {
        "answers": "modules/answers.js",  # from a picture to an answer
        "audio": "modules/audio.js",  # from a sound to answers
        "boxes": "modules/boxes.js",
        "classes": "modules/classes.js",
        "device": "modules/device.js",  # tests of backends, warm-up, recovery
        "digest": "modules/digest.js",  # SHA-256 on pages without crypto.subtle
        "fit": "modules/fit.js",  # how long a model takes on a device, against its budgets
        "glue": "modules/glue.js",  # pictures in and out
        "ladder": "modules/ladder.js",  # models that take the place of smaller ones
        "listen": "modules/listen.js",  # a microphone, sample by sample
        "mask": "modules/mask.js",
        "mel": "modules/mel.js",  # spectrograms
        "picture": "modules/picture.js",  # answers that are pictures
        "points": "modules/points.js",
        "storage": "modules/storage.js",  # lasting room, and what was taken away
        "tokens": "modules/tokens.js",  # tokenizers
        "vector": "modules/vector.js",  # one that stands for a meaning
        "vectorization": "modules/vectorization.js",  # texts to ids of a model's own words
        "vectors": "vectors/vectors.js",  # word vectors
    }
)
"""Template of each module; a name here makes its files immutable ones of the bundle, for deploy and prune too."""

always = frozenset({"device", "digest", "fit", "glue", "ladder", "storage", "vectors"})
"""Modules that every bundle has; it has the others if one of its heads names them."""

runtime_name = "tf"
"""Name of the module that is TensorFlow.js, where ``[runtime]`` asks for it; it is bundled, not rendered."""
