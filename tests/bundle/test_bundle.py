"""Heads, index and publication: golden bytes, reachability, and kills at every step."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.bundle.files import File
from builder.bundle.format import pinned_url, to_json
from builder.bundle.head import read_head, shard_urls
from builder.bundle.index import Index, make_index, reachable, read_index
from builder.cache.local import Blob, Cache
from builder.codecs.exact import Exact
from builder.codecs.raw import Raw
from builder.errors import FormatError, StoreConflictError, StoreError
from builder.model import BytesData, Model, TensorSpec, Weight
from builder.packing.compress import Compressor
from builder.pipeline.assemble import Assembly, assemble, from_record, to_record
from builder.publish.protocol import publish, remove_unnamed
from builder.stores import Store
from builder.stores.directory import DirectoryStore
from builder.stores.memory import MemoryStore


def small_model(fill: int = 1) -> Model:
    noise = random.Random(fill).randbytes(4000)
    weights = (
        Weight("kernel", (1000,), "float32", BytesData(noise)),
        Weight("again", (10, 100), "float32", BytesData(noise)),
        Weight("bias", (2,), "float32", BytesData(bytes(range(8)))),
        Weight("words", (1,), "string", BytesData(b"\x02\x00\x00\x00hi")),
        Weight("codes", (3,), "float32", BytesData(b"abc"), {"dtype": "uint8", "scale": 0.5, "min": -1.0}),
        Weight("empty", (0, 4), "float32", BytesData(b"")),
    )
    topology = {"node": [{"name": weight.name, "op": "Const"} for weight in weights]}
    spec = (TensorSpec("x", "float32", (None, 2)),)
    return Model("graph-model", {"modelTopology": topology, "format": "graph-model"}, weights, spec, spec)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def make(cache: Cache, model: Model, name: str = "m", shard_bytes: int = 1024) -> Assembly:
    return assemble(
        name,
        model,
        labels=("a", "</script>"),
        shard_bytes=shard_bytes,
        cache=cache,
        compressor=Compressor(cache, 2, fast=True),
        begin=lambda total: None,
        advance=lambda blob: None,
    )


def loader_of(cache: Cache, *assemblies: Assembly) -> tuple[Index, File]:
    bundles = [assembly.bundle for assembly in assemblies]
    index = make_index({bundle.name: bundle.entry("visible", "normal") for bundle in bundles})
    blob = cache.put(b"/* loader */const CONFIG=" + to_json(index.encode()) + b";export const x=1;")
    return index, File(pinned_url(blob.sha256), blob, {})


def decode(assembly: Assembly) -> dict[str, bytes]:
    """Read a bundle as docs/format.md says, with nothing but its files."""
    head = json.loads(assembly.bundle.head.blob.path.read_bytes())
    planes: dict[tuple[int, int], bytes] = {}
    by_url = {file.url: file.blob.path for file in assembly.bundle.shards}
    for url, shard in zip(shard_urls(head["name"], assembly.bundle.content), head["shards"], strict=True):
        content = by_url[url].read_bytes()
        offset = 0
        for weight, plane, *part in shard["segments"]:
            entry = head["weights"][weight]
            count = 1
            for length in entry["shape"]:
                count *= length
            size = {"uint8": 1}.get(entry.get("quantization", {}).get("dtype", ""), 4)
            whole = count if entry.get("codec") == "exact" else entry.get("bytes", count * size)
            length = part[1] - part[0] if part else whole
            planes[weight, plane] = planes.get((weight, plane), b"") + content[offset : offset + length]
            offset += length
        assert offset == len(content) == shard["bytes"]
    decoded: dict[str, bytes] = {}
    for number, entry in enumerate(head["weights"]):
        owner = entry.get("same", number)
        found = {plane: content for (weight, plane), content in planes.items() if weight == owner}
        codec = Exact() if head["weights"][owner].get("codec") == "exact" else Raw()
        decoded[entry["name"]] = codec.decode(found) if found else b""
    return decoded


def test_a_reader_of_the_format_gets_every_weight_back(cache: Cache) -> None:
    model = small_model()
    assembly = make(cache, model)
    expected = {weight.name: weight.data.read(0, weight.data.nbytes) for weight in model.weights}
    assert decode(assembly) == expected
    assert assembly.bundle.content.stages == ("base", "refine")
    assert assembly.bundle.content.weights[1].same == 0


def test_golden_head(cache: Cache) -> None:
    weights = (Weight("k", (2,), "int32", BytesData(bytes(8))),)
    spec = (TensorSpec("x", "float32", (None,)),)
    assembly = make(cache, Model("graph-model", {"modelTopology": {"node": []}}, weights, spec, spec))
    assert assembly.bundle.head.blob.path.read_bytes() == (
        b'{"format":1,"name":"m","kind":"graph-model","contract":"497740248a0edfd6",'
        b'"artifacts":{"modelTopology":{"node":[]}},"labels":["a","</script>"],"stages":["base"],'
        b'"shards":[{"stage":0,"bytes":8,"wire":8,'
        b'"sha256":"af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc","segments":[[0,0]]}],'
        b'"weights":[{"name":"k","shape":[2],"dtype":"int32"}]}'
    )


def test_records_bring_an_assembly_back_or_nothing(cache: Cache) -> None:
    compressor = Compressor(cache, 1, fast=True)
    assembly = make(cache, small_model())
    record = json.loads(json.dumps(to_record(assembly)))
    assert from_record(record, cache, compressor) == assembly
    assembly.bundle.shards[0].blob.path.unlink()
    assert from_record(record, cache, compressor) is None


def test_the_index_is_read_back(cache: Cache) -> None:
    index, loader = loader_of(cache, make(cache, small_model()))
    assert read_index(loader.blob.path.read_bytes()) == index


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>", b"const CONFIG=", b"const CONFIG={}", b"const CONFIG=[1]", b"const CONFIG={const CONFIG=",
        b'const CONFIG={"format":2,"release":"x","models":{}}', b'const CONFIG={"format":1,"models":{"a":[1]}}',
        b'const CONFIG={"format":true,"models":{}}', b"const CONFIG=" + b"[" * 100_000, b"const CONFIG=\xff",
    ],
)  # fmt: skip
def test_what_is_no_loader_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        read_index(content)


class Dying:
    """A store whose process dies at step N: everything after it never happens."""

    def __init__(self, inner: MemoryStore, steps: int) -> None:
        self.inner = inner
        self.steps = steps

    def _step(self) -> None:
        if self.steps == 0:
            raise KeyboardInterrupt
        self.steps -= 1

    def get(self, key: str) -> tuple[bytes, str] | None:
        return self.inner.get(key)

    def put(self, key: str, content: Path) -> bool:
        self._step()
        return self.inner.put(key, content)

    def swap(self, key: str, content: bytes, tag: str | None) -> str:
        self._step()
        return self.inner.swap(key, content, tag)

    def list(self) -> Iterator[str]:
        return self.inner.list()

    def delete(self, key: str) -> None:
        self._step()
        self.inner.delete(key)


def assert_whole(store: Store) -> str:
    """Everything that loader.js reaches is there; gives the release."""
    found = store.get("loader.js")
    assert found
    index = read_index(found[0])
    heads = {}
    for name, entry in index.models.items():
        head = store.get(f"assets/{name}.{entry.head_sha256[:16]}.json")
        assert head
        heads[name] = read_head(head[0])
    assert reachable(index, heads) <= set(store.list())
    return index.release


def test_a_publisher_killed_at_any_step_leaves_a_whole_release(cache: Cache) -> None:
    releases = set()
    before, after = make(cache, small_model(1)), make(cache, small_model(2))
    steps = 0
    while True:
        inner = MemoryStore()
        old = loader_of(cache, before)
        new = loader_of(cache, after)
        publish((*before.bundle.shards, before.bundle.head), old[1], inner)
        try:
            dying = Dying(inner, steps)
            publish((*after.bundle.shards, after.bundle.head), new[1], dying)
            remove_unnamed((*after.bundle.shards, after.bundle.head), new[1], dying, set(inner.objects))
        except KeyboardInterrupt:
            releases.add(assert_whole(inner))
            steps += 1
            continue
        break
    assert steps > 10
    assert releases == {old[0].release, new[0].release}
    assert assert_whole(inner) == new[0].release


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else DirectoryStore(tmp_path / "cdn")


def test_unchanged_content_is_not_written_again(cache: Cache, store: Store) -> None:
    assembly = make(cache, small_model())
    _, loader = loader_of(cache, assembly)
    first = publish((*assembly.bundle.shards, assembly.bundle.head), loader, store)
    assert first.put
    assert first.swapped
    again = publish((*assembly.bundle.shards, assembly.bundle.head), loader, store)
    assert again.put == ()
    assert not again.swapped
    assert again.skipped == first.put


def test_only_unnamed_bundle_files_are_removed(cache: Cache, store: Store) -> None:
    before, after = make(cache, small_model(1)), make(cache, small_model(2))
    publish((*before.bundle.shards, before.bundle.head), loader_of(cache, before)[1], store)
    store.put("assets/users-own.txt", before.bundle.head.blob.path)
    _, loader = loader_of(cache, after)
    files = (*after.bundle.shards, after.bundle.head)
    publish(files, loader, store)
    foreign = "assets/main.0123456789abcdef.js"
    store.put(foreign, before.bundle.head.blob.path)
    removed = remove_unnamed(files, loader, store, {key for key in store.list() if key != foreign})
    assert before.bundle.head.url in removed
    assert {"assets/users-own.txt", foreign} <= set(store.list())
    assert_whole(store)


def test_a_swap_needs_the_tag_that_was_read(store: Store) -> None:
    tag = store.swap("loader.js", b"one", None)
    with pytest.raises(StoreConflictError):
        store.swap("loader.js", b"two", None)
    store.swap("loader.js", b"two", tag)
    with pytest.raises(StoreConflictError):
        store.swap("loader.js", b"three", tag)
    found = store.get("loader.js")
    assert found
    assert found[0] == b"two"


def test_a_torn_file_is_healed(cache: Cache, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "cdn")
    assembly = make(cache, small_model())
    _, loader = loader_of(cache, assembly)
    publish((*assembly.bundle.shards, assembly.bundle.head), loader, store)
    torn = tmp_path / "cdn" / assembly.bundle.shards[0].url
    torn.write_bytes(torn.read_bytes()[:-1])
    assert publish((*assembly.bundle.shards, assembly.bundle.head), loader, store).put == (
        assembly.bundle.shards[0].url,
    )


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "cdn").write_text("not a folder")
    with pytest.raises(StoreError, match="cdn"):
        DirectoryStore(tmp_path / "cdn")


def test_blobs_have_the_hash_they_are_named_by(cache: Cache) -> None:
    blob = cache.put(b"abc")
    assert blob == Blob(blob.path, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert cache.find(blob.sha256) == blob
