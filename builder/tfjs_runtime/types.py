"""What TensorFlow.js must support, and the result of building it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..cache.local import Blob

wasm_binaries = ("tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm", "tfjs-backend-wasm-threaded-simd.wasm")
node_backends = ("wasm", "cpu")  # those that Node can run


@dataclass(frozen=True, slots=True)
class Uses:
    """What the models and their pages use; only kernels for that are registered.

    Attributes:
        ops: ops of the graphs, sorted.
        kernels: names of kernels that ran when the models did, sorted.
        functions: functions that pages call, as after ``tf.``, sorted.
    """

    ops: tuple[str, ...]
    kernels: tuple[str, ...]
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make.

    Attributes:
        packages: npm packages beyond tfjs-core and the backends, sorted.
        backends: in order of preference.
        uses: what it has to be able to do; None for everything.
        gradients: models are trained with it.
    """

    packages: tuple[str, ...]
    backends: tuple[str, ...]
    uses: Uses | None
    gradients: bool = False


@dataclass(frozen=True, slots=True)
class Runtime:
    """TensorFlow.js, made.

    Attributes:
        code: an ES module, which finds ``wasm`` beside itself.
        wasm: the binaries that it names, by address below the bundle's root.
        version: of TensorFlow.js.
        backends: in order of preference.
        kernels: names of those it has, sorted; None for all.
    """

    code: Blob
    wasm: Mapping[str, Blob]
    version: str
    backends: tuple[str, ...]
    kernels: tuple[str, ...] | None
