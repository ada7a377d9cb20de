"""Stages and packing: nothing lost, nothing twice, changes stay local."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.codecs import Codec
from builder.codecs.raw import Raw
from builder.model import BytesData, Model, Weight
from builder.packing.segments import choose_codecs, plan_stages
from builder.packing.shards import Shard, pack, read
from builder.transforms.dedupe import find_same


def floats(name: str, size: int, fill: int = 1) -> Weight:
    content = random.Random(fill).randbytes(4 * size)  # what repeats itself would be stored whole
    return Weight(name, (size,), "float32", BytesData(content))


weights = st.lists(
    st.tuples(st.sampled_from(["float32", "int32", "bool"]), st.integers(0, 700), st.integers(0, 255)), max_size=12
).map(
    lambda specs: tuple(
        Weight(f"w{i}", (n,), kind, BytesData(bytes((fill + j) % 256 for j in range(n * (1 if kind == "bool" else 4)))))
        for i, (kind, n, fill) in enumerate(specs)
    )
)


def codecs(found: tuple[Weight, ...]) -> tuple[Codec, ...]:
    return choose_codecs(Model("graph-model", {"modelTopology": {"node": []}}, found, (), ()))


def names(found: tuple[Weight, ...]) -> tuple[str, ...]:
    return tuple(codec.name for codec in codecs(found))


def collect(shards: list[Shard]) -> dict[tuple[int, int], bytes]:
    planes: dict[tuple[int, int], bytes] = defaultdict(bytes)
    for shard in shards:
        content = read(shard)
        offset = 0
        for segment in shard:
            assert segment.start == len(planes[segment.weight, segment.plane.index])
            planes[segment.weight, segment.plane.index] += content[offset : offset + segment.nbytes]
            offset += segment.nbytes
        assert offset == len(content)
    return planes


@pytest.mark.slow
@given(weights, st.integers(64, 2000))
def test_every_plane_is_there_once_and_whole(found: tuple[Weight, ...], shard_bytes: int) -> None:
    same = find_same(found, names(found))
    stages = plan_stages(found, codecs(found), same)
    shards = [shard for stage in stages for shard in pack(stage, shard_bytes)]
    planes = collect(shards)
    expected = {
        (segment.weight, segment.plane.index): segment.read()
        for stage in stages
        for group in stage.groups
        for segment in group
    }
    assert planes == expected
    assert all(0 < len(read(shard)) <= shard_bytes + len(shard) for shard in shards)
    for index, earlier in enumerate(same):
        assert any(weight == index for weight, _ in planes) is (earlier is None and found[index].data.nbytes > 0)


def test_a_changed_layer_changes_only_its_shards() -> None:
    before = tuple(floats(f"w{i}", 200, i) for i in range(20))
    after = tuple(floats(f"w{i}", 200, 99 if i == 11 else i) for i in range(20))

    def contents(found: tuple[Weight, ...]) -> list[tuple[set[int], bytes]]:
        return [
            ({segment.weight for segment in shard}, read(shard))
            for stage in plan_stages(found, codecs(found), (None,) * 20)
            for shard in pack(stage, 1000)
        ]

    for (held, old), (_, new) in zip(contents(before), contents(after), strict=True):
        assert (old != new) is (11 in held)


def test_a_model_without_float_weights_has_one_stage() -> None:
    (stage,) = plan_stages((Weight("i", (3,), "int32", BytesData(bytes(12))),), (Raw(),), (None,))
    assert stage.name == "base"


def test_identical_tensors_are_found_by_content_and_type() -> None:
    one, two = floats("a", 100), floats("b", 100)
    integers = Weight("c", (100,), "int32", one.data)
    empty = Weight("d", (0,), "float32", BytesData(b""))
    assert find_same((one, two, integers, empty, empty, two), ("exact", "exact", "raw", "raw", "raw", "raw")) == (
        None,
        0,
        None,
        None,
        None,
        None,
    )


def test_what_an_initializer_uses_is_whole_at_once() -> None:
    nodes = {"node": [{"name": "keys", "op": "Const"}]}
    artifacts = {"modelTopology": {"node": []}, "modelInitializer": nodes}
    model = Model("graph-model", artifacts, (floats("keys", 100), floats("other", 100)), (), ())
    assert [codec.name for codec in choose_codecs(model)] == ["raw", "exact"]


def test_weights_that_repeat_each_other_share_a_shard() -> None:
    """Brotli finds in a shard what another part of it says already; two others stay apart."""
    pool = random.Random(7).randbytes(4 * 64)
    symbols = [pool[at : at + 4] for at in range(0, len(pool), 4)]

    def content(seed: int) -> list[bytes]:
        made = random.Random(seed)
        return [b"".join(made.choices(symbols, k=256)) for _ in range(40)]

    def shards_of(first: list[bytes], second: list[bytes]) -> tuple[Shard, ...]:
        found = tuple(
            Weight(f"w{i}", (256 * 40,), "float32", BytesData(b"".join(rows))) for i, rows in enumerate((first, second))
        )
        return pack(plan_stages(found, (Raw(), Raw()), (None, None))[0], 1 << 15)

    one = content(1)
    (joined,) = shards_of(one, one[::-1])
    assert [segment.weight for segment in joined] == [0, 1]
    assert len(shards_of(one, content(2))) > 1
    collect(list(shards_of(one, content(2))))
