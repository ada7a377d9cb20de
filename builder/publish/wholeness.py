"""Whether an earlier release is still whole in a target, before anything is made live again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..bundle.bundle import head_url, module_urls, ops_url, shard_urls
from ..errors import StoreError
from ..stores import TargetStore
from .plan import heads_of
from .pointer import Pointer, digits_of, fetch_json

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


Names = Callable[[Mapping[str, Any]], Iterator[_File]]


def check_whole(
    store: TargetStore, release: str, index: Mapping[str, Any], stock: Mapping[str, str], base: Pointer
) -> None:
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
    heads = {head for entry in index["models"].items() for head in heads_of(*entry)}
    heads -= {head for entry in base.index["models"].items() for head in heads_of(*entry)}
    copies = sorted(stock.items() - base.stock.items())
    modules = dict(module_urls(index).items() - module_urls(base.index).items())
    problems: list[str] = []
    files = [_File(url, digest) for url, digest in modules.items()]
    with ThreadPoolExecutor(askers) as pool:
        asked: list[tuple[str, str, Names]] = [
            (head_url(*head), head[1], partial(_named, head[0])) for head in sorted(heads)
        ]
        asked += [(f"assets/{name}-stock.{digest}.json", digest, _of_stock) for name, digest in copies]
        for found in pool.map(lambda item: _follow(store, *item), asked):
            files += found if isinstance(found, list) else ()
            problems += [found] if isinstance(found, str) else ()
        problems += filter(None, pool.map(lambda file: _problem(store, file), files))
    if problems:
        more = f" and {len(problems) - shown} more" if len(problems) > shown else ""
        raise StoreError(
            f"release {release} is not whole any more: {'; '.join(problems[:shown])}{more}",
            code="SP-608",
            where=store.place,
            hint="Deploy its bundle again, or roll back to another release; nothing was changed",
        )


def _follow(store: TargetStore, url: str, digest: str, names: Names) -> list[_File] | str:
    """Give what a file names, or what is wrong with it."""
    try:
        content = fetch_json(store, url, digest)
        return f"{url} is missing" if content is None else list(names(content))
    except StoreError as error:
        return f"{url} {error.what}"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return f"{url} names nothing"


def _named(name: str, head: Mapping[str, Any]) -> Iterator[_File]:
    for url, shard in zip(shard_urls(name, head), head["shards"], strict=True):
        yield _File(url, shard["sha256"], shard["bytes"], shard["wire"])
    if ops := head.get("ops"):
        yield _File(ops_url(name, ops), ops)


def _of_stock(content: Mapping[str, Any]) -> Iterator[_File]:
    for group in content["weightsManifest"]:
        for path in group["paths"]:
            yield _File(f"assets/{path}", digits_of(path))


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
