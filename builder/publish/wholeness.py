"""Whether an earlier release is still whole in a target, before anything is made live again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from ..bundle.format import ops_url, stock_url
from ..bundle.head import Head, shard_urls
from ..bundle.index import HeadName, Index
from ..errors import StoreError
from ..stores import TargetStore
from .pointer import Pointer, digits_of, fetch_head, fetch_json

askers = 16
shown = 3


@dataclass(frozen=True, slots=True)
class _File:
    """A file that a release needs.

    Attributes:
        url: its address.
        sha256: its hash, or the first digits of it.
        nbytes, wire: its decoded length, and that of its brotli copy if that pays; -1 where they are not known.
    """

    url: str
    sha256: str
    nbytes: int = -1
    wire: int = -1


Names = Callable[[], Iterator[_File] | None]


def check_whole(store: TargetStore, release: str, index: Index, stock: Mapping[str, str], base: Pointer) -> None:
    """Look for everything that a release names and the live one does not.

    Args:
        store: the target.
        release: its name, for people.
        index: of its loader.
        stock: hashes of its stock copies, by model.
        base: what is live; its files are not asked for.

    Raises:
        StoreError: something is missing or damaged.
    """
    heads = index.heads() - base.index.heads()
    copies = sorted(stock.items() - base.stock.items())
    modules = dict(index.module_urls().items() - base.index.module_urls().items())
    problems: list[str] = []
    files = [_File(url, digest) for url, digest in modules.items()]
    with ThreadPoolExecutor(askers) as pool:
        asked: list[tuple[str, Names]] = [(head.url, partial(_of_head, store, head)) for head in sorted(heads)]
        asked += [(stock_url(name, digest), partial(_of_stock, store, name, digest)) for name, digest in copies]
        for found in pool.map(lambda item: _follow(*item), asked):
            files += found if isinstance(found, list) else ()
            problems += [found] if isinstance(found, str) else ()
        problems += filter(None, pool.map(lambda file: _problem(store, file), files))
    if problems:
        more = f" and {len(problems) - shown} more" if len(problems) > shown else ""
        raise StoreError(
            f"release {release} is no longer complete: {'; '.join(problems[:shown])}{more}",
            code="SP-608",
            where=store.place,
            hint="Deploy its bundle again, or roll back to another release; nothing was changed",
        )


def _follow(url: str, names: Names) -> list[_File] | str:
    """Return what a file names, or what is wrong with it."""
    try:
        files = names()
        return f"{url} is missing" if files is None else list(files)
    except StoreError as error:
        return f"{url} {error.what}"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return f"{url} names nothing"


def _of_head(store: TargetStore, named: HeadName) -> Iterator[_File] | None:
    head = fetch_head(store, named)
    return None if head is None else _named(named.model, head)


def _named(name: str, head: Head) -> Iterator[_File]:
    for url, shard in zip(shard_urls(name, head), head.shards, strict=True):
        yield _File(url, shard.sha256, shard.bytes, shard.wire)
    if head.ops:
        yield _File(ops_url(name, head.ops), head.ops)


def _of_stock(store: TargetStore, name: str, digest: str) -> Iterator[_File] | None:
    content = fetch_json(store, stock_url(name, digest), digest)
    if content is None:
        return None
    paths = [f"assets/{path}" for group in content["weightsManifest"] for path in group["paths"]]
    return (_File(path, digits_of(path)) for path in paths)


def _problem(store: TargetStore, file: _File) -> str:
    """Tell what is wrong with a file, as far as that is known without fetching it."""
    stat = store.stat(file.url)
    if stat is None:
        return f"{file.url} is missing"
    encoding = stat.headers.get("Content-Encoding")
    # Of another encoding than the best, neither length nor hash is known.
    length = {None: file.nbytes, "br": file.wire}.get(encoding, -1)
    wrong = length not in (-1, stat.nbytes) or (
        encoding is None and not (stat.sha256 or file.sha256).startswith(file.sha256)
    )
    return f"{file.url} is damaged" if wrong else ""
