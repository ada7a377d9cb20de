"""Cache and compression: what is kept, what pays, what is remembered."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import brotli
import numpy as np
import pytest

from builder.cache.local import Cache, key_of, stale_seconds
from builder.codecs.exact import Exact
from builder.errors import ShardpressError
from builder.files.atomic import write_atomically
from builder.model import BytesData, Weight
from builder.packing.compress import Compressor, compress_brotli, compress_gzip


def noise(count: int) -> bytes:
    return random.Random(1).randbytes(count)


def test_encodings_decode_to_the_content_and_pay(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    content = b"shard press " * 500
    encodings = Compressor(cache, 2).encode(cache.put(content))
    assert brotli.decompress(encodings["br"].path.read_bytes()) == content
    assert gzip.decompress(encodings["gzip"].path.read_bytes()) == content
    assert encodings["br"].nbytes < encodings["gzip"].nbytes < len(content)


def test_noise_is_stored_as_it_is_and_that_is_remembered(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    blob = cache.put(noise(5000))
    compressor = Compressor(cache, 1)
    assert compressor.encode(blob) == {}
    blob.path.unlink()
    assert compressor.encode(blob) == {}


@pytest.mark.parametrize("content", [b"", b"a", noise(3000), bytes(3000), bytes(range(256)) * 9])
@pytest.mark.parametrize("quality", [5, 11])
def test_a_copy_that_does_not_pay_is_not_made(content: bytes, quality: int) -> None:
    for made, read in (
        (compress_brotli(content, quality), brotli.decompress),
        (compress_gzip(content), gzip.decompress),
    ):
        assert made is None or (read(made) == content and len(made) <= 0.98 * len(content))


def test_encoding_twice_gives_the_same_bytes() -> None:
    content = b"".join(i.to_bytes(2, "little") for i in range(5000))
    assert compress_brotli(content, 11) == compress_brotli(content, 11)
    assert compress_gzip(content) == compress_gzip(content)


def test_a_noisy_plane_does_not_cost_its_neighbours() -> None:
    values = np.random.Generator(np.random.PCG64(1)).normal(size=(8, 7000))
    values = (values * 2.0 ** -np.arange(8)[:, None]).astype("<f4")
    weight = Weight("w", values.shape, "float32", BytesData(values.tobytes()))
    exponents, tops, *_ = (plane.read(0, plane.nbytes) for plane in Exact().planes(weight))
    content = exponents + values[0, :350].tobytes() + tops
    made = compress_brotli(content, 11)
    assert made is not None
    assert brotli.decompress(made) == content
    assert len(made) < len(brotli.compress(exponents)) + 4 * 350 + len(tops) + 100
    assert len(made) < len(brotli.compress(content))


def test_many_blobs_over_threads(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    blobs = [cache.put(bytes([i]) * 1000) for i in range(20)]
    done: list[str] = []
    encodings = Compressor(cache, 4, fast=True).encode_all([*blobs, blobs[0]], lambda blob: done.append(blob.sha256))
    assert set(encodings) == {blob.sha256 for blob in blobs} == set(done)
    assert len(done) == 20


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "new")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_digests_follow_content(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    file = tmp_path / "f"
    file.write_bytes(b"one")
    os.utime(file, (1, 1))
    first = cache.file_digest(file)
    cache.close()
    assert Cache(tmp_path / "c").file_digest(file) == first
    file.write_bytes(b"two")
    assert cache.file_digest(file) != first


def test_a_fresh_file_is_hashed_again_as_its_time_may_lie(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    file = tmp_path / "f"
    file.write_bytes(b"one")
    first = cache.file_digest(file)
    stamp = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert cache.file_digest(file) != first


def test_damaged_records_count_as_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put_record("built", "k", {"a": 1})
    assert cache.record("built", "k") == {"a": 1}
    next((tmp_path / "records").iterdir()).write_bytes(b'{"a"')
    assert cache.record("built", "k") is None


def test_keys_depend_on_content_not_on_order_of_keys() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of("a") != key_of(["a"])


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ShardpressError, match="cache"):
        Cache(tmp_path / "f")


def test_work_that_a_killed_build_left_goes_when_it_is_old(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for name, age in (("old", stale_seconds + 60), ("new", 0)):
        folder = tmp_path / "work" / name
        folder.mkdir()
        os.utime(folder, (folder.stat().st_mtime - age,) * 2)
    with cache.work() as mine:
        Cache(tmp_path)
        assert {folder.name for folder in (tmp_path / "work").iterdir()} == {"new", mine.name}
    assert not mine.exists()
