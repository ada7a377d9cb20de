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
        "frames": "modules/frames.js",  # the newest frame of a video, again and again
        "glue": "modules/glue.js",  # pictures in and out
        "ladder": "modules/ladder.js",  # models that take the place of smaller ones
        "listen": "modules/listen.js",  # a microphone, sample by sample
        "mask": "modules/mask.js",
        "mel": "modules/mel.js",  # spectrograms
        "picture": "modules/picture.js",  # answers that are pictures
        "points": "modules/points.js",
        "storage": "modules/storage.js",  # lasting room, and what was taken away
        "thread": "thread/thread.js",  # models that run off the page's thread
        "tokens": "modules/tokens.js",  # tokenizers
        "vector": "modules/vector.js",  # one that stands for a meaning
        "vectorization": "modules/vectorization.js",  # texts to ids of a model's own words
        "vectors": "vectors/vectors.js",  # word vectors
        "worker": "thread/worker.js",  # what runs them there
    }
)
"""Template of each module; a name here makes its files immutable ones of the bundle, for deploy and prune too."""

always = frozenset({"device", "digest", "fit", "frames", "glue", "ladder", "storage", "thread", "vectors", "worker"})
"""Modules that every bundle has; it has the others if one of its heads names them."""

worker_name = "worker"
"""Name of the module that a worker runs: it holds the loader's own code, and is in no ES package."""

packaged = tuple(name for name in module_templates if name != worker_name)
"""Modules that are files of the ES package, too."""

runtime_name = "tf"
"""Name of the module that is TensorFlow.js, where ``[runtime]`` asks for it; it is bundled, not rendered."""
