"""The stock form of a model: ``model.json`` and weight files, for plain ``tf.loadGraphModel`` and for comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..bundle.files import File
from ..bundle.format import stock_shard_url, stock_url, to_json
from ..cache.local import Cache
from ..model import Model, Weight, chunks
from ..packing.compress import Compressor

stock_shard_bytes = 4 << 20  # what the stock converter writes


@dataclass(frozen=True, slots=True)
class StockForm:
    """The smallest form that the stock converter has of a model.

    Attributes:
        form: ``graph-model`` or ``layers-model``.
        nbytes, wire: its bytes, as it is and with brotli at the best quality.
    """

    form: str
    nbytes: int
    wire: int


def stock_files(name: str, model: Model, cache: Cache, compressor: Compressor) -> tuple[File, ...]:
    """Write a model as the stock converter would, under names that carry hashes; the last file is the model.json."""
    blobs = [cache.put(content) for content in _cut(model.weights)]
    encodings = compressor.encode_all(blobs)
    shards = [
        File(stock_shard_url(name, number, blob.sha256), blob, encodings[blob.sha256])
        for number, blob in enumerate(blobs)
    ]
    content = to_json(
        {
            **model.artifacts,
            "weightsManifest": [
                {"paths": [file.url.removeprefix("assets/") for file in shards], "weights": _specs(model.weights)}
            ],
        }
    )
    blob = cache.put(content)
    return *shards, File(stock_url(name, blob.sha256), blob, compressor.encode(blob))


def measure_stock(model: Model, cache: Cache, compressor: Compressor) -> tuple[int, int]:
    """Return the bytes of the stock form, as it is and with brotli at the best quality."""
    return _sizes(stock_files("measured", model, cache, compressor))


def measure_folder(folder: Path, cache: Cache, compressor: Compressor) -> tuple[int, int]:
    """Return the same of what the stock converter has written into a folder."""
    blobs = [cache.put(path.read_bytes()) for path in sorted(folder.iterdir())]
    encodings = compressor.encode_all(blobs)
    return _sizes([File(blob.sha256, blob, encodings[blob.sha256]) for blob in blobs])


def _sizes(files: Iterable[File]) -> tuple[int, int]:
    found = list(files)
    return sum(file.blob.nbytes for file in found), sum(file.wire for file in found)


def _specs(weights: Iterable[Weight]) -> list[dict[str, object]]:
    return [
        {"name": weight.name, "shape": list(weight.shape), "dtype": weight.dtype}
        | ({"quantization": weight.quantization} if weight.quantization else {})
        for weight in weights
    ]


def _cut(weights: Iterable[Weight]) -> Iterator[bytes]:
    buffer = bytearray()
    for weight in weights:
        for chunk in chunks(weight.data, stock_shard_bytes):
            buffer += chunk
            while len(buffer) >= stock_shard_bytes:
                yield bytes(buffer[:stock_shard_bytes])
                del buffer[:stock_shard_bytes]
    if buffer:
        yield bytes(buffer)
