"""Reading a live site as a browser would: every hash, header and CORS answer, and that nothing named is missing."""

from __future__ import annotations

import hashlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from builder.bundle import (
    head_url,
    immutable_name,
    loader_name,
    module_urls,
    ops_url,
    pinned_url,
    read_index,
    shard_urls,
)
from builder.deploy.headers import headers_for
from builder.deploy.plan import is_older
from builder.deploy.pointer import digits_of, loader_hash, split_pointer
from builder.deploy.targets import Target
from builder.errors import FormatError, StoreError
from builder.stores import TargetStore
from builder.stores.encoding import decode

fetchers = 12
timeout = 20.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be: where, and what; ``passing`` if a CDN's old copy may be the reason."""

    url: str
    what: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Attributes:
        release: names what is live, or "" where no loader could be read.
        files: how many were read.
        nbytes: their decoded bytes.
        problems: all there are.
    """

    release: str
    files: int
    nbytes: int
    problems: tuple[Problem, ...]


class Site(Protocol):
    """Where files are read from."""

    def fetch(self, key: str, *, origin: bool = True) -> tuple[bytes, Mapping[str, str]]:
        """Give a file's decoded bytes and headers (lower-case names).

        Raises:
            StoreError: it cannot be had.
        """

    def complaints(self, key: str, headers: Mapping[str, str]) -> list[str]:
        """Tell what is wrong with a file's headers."""


class WebSite:
    """A site behind its public address."""

    def __init__(self, target: Target) -> None:
        """Read ``target.public_url``."""
        self.target = target
        self.origin = target.config.origin

    def fetch(self, key: str, *, origin: bool = True) -> tuple[bytes, Mapping[str, str]]:
        """Ask as a page of another origin does."""
        url = self.target.public_url + key
        headers = {"Accept-Encoding": "br, gzip", **({"Origin": self.origin} if origin else {})}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:  # noqa: S310
                body = answer.read()
                found = {name.lower(): value for name, value in answer.headers.items()}
        except urllib.error.HTTPError as error:
            with error:
                raise StoreError(f"answers {error.code}", where=url) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise StoreError(f"cannot be fetched ({error})", where=url, hint="Check public_url") from error
        return decode(body, found.get("content-encoding", ""), url), found

    def complaints(self, key: str, headers: Mapping[str, str]) -> list[str]:
        """Compare with what the target's rules ask for."""
        rules = self.target.form.rules
        wanted = headers_for(key, None, rules)
        complaints = [
            f"{name} is {headers.get(name.lower())!r}, not {value!r}"
            for name, value in wanted.items()
            if name in ("Content-Type", "Cache-Control") and not _alike(headers.get(name.lower(), ""), value)
        ]
        allowed = headers.get("access-control-allow-origin")
        if allowed not in ("*", self.origin):
            complaints.append(f"pages of {self.origin} may not read it (no Access-Control-Allow-Origin)")
        elif allowed != "*" and "origin" not in headers.get("vary", "").lower():
            complaints.append("Vary: Origin is missing, so caches mix up the answers for two sites")
        return complaints


class StoredSite:
    """A target without a public address, read from its store."""

    def __init__(self, store: TargetStore) -> None:
        """Read ``store``."""
        self.store = store

    def fetch(self, key: str, *, origin: bool = True) -> tuple[bytes, Mapping[str, str]]:  # noqa: ARG002
        """Read an object."""
        found = self.store.read(key)
        if found is None:
            raise StoreError("is missing", where=self.store.place + key)
        return found.content, {}

    def complaints(self, key: str, headers: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        """Have none: there is no web server in between."""
        return []


def site_of(target: Target) -> Site:
    """Give the way to read a target."""
    return WebSite(target) if target.public_url else StoredSite(target.store)


def check_live(
    site: Site, *, expected: str = "", pointer: str = loader_name, only: Collection[str] | None = None
) -> Checked:
    """Check what is live.

    Args:
        site: where.
        expected: the release that should be live, or "" for any.
        pointer: which one is followed.
        only: addresses of the files that are read; None for all.
    """
    problems: list[Problem] = []
    try:
        content, headers = site.fetch(pointer)
        problems += [Problem(pointer, what) for what in site.complaints(pointer, headers)]
        again, _ = site.fetch(pointer, origin=False)
        loader, state = split_pointer(content)
        index = read_index(loader)
    except (StoreError, FormatError) as error:
        return Checked("", 0, 0, (Problem(pointer, str(error), passing=True),))
    if split_pointer(again)[0] != loader:
        problems.append(Problem(pointer, "another release is answered when no Origin is sent", passing=True))
    live = loader_hash(loader)
    if expected and live != expected:
        problems.append(Problem(pointer, f"release {live} is live, not {expected}", passing=True))
    code = {pinned_url(live): live, **module_urls(index)}
    if immutable_name.fullmatch(state.worker):
        code[state.worker] = digits_of(state.worker)
    files = [(url, digest, -1) for url, digest in code.items()]
    with ThreadPoolExecutor(fetchers) as pool:
        heads = [
            head
            for name, entry in index["models"].items()
            for head in ((name, entry[0], entry[1]), *((name, *item["older"][1:3]) for item in entry if is_older(item)))
        ]
        for shards, found in pool.map(lambda head: _shards(site, head, only), heads):
            files += shards
            problems += found
        wanted = [file for file in files if only is None or file[0] in only]
        results = list(pool.map(lambda file: _check(site, *file), wanted))
    for _, found in results:
        problems += found
    return Checked(live, len(results) + len(heads) + 1, sum(nbytes for nbytes, _ in results), tuple(problems))


def _shards(
    site: Site, head: tuple[str, str, int], only: Collection[str] | None
) -> tuple[list[tuple[str, str, int]], list[Problem]]:
    name, digest, length = head
    url = head_url(name, digest)
    if only is not None and url not in only:
        return [], []
    try:
        content, headers = site.fetch(url)
    except StoreError as error:
        return [], [Problem(url, str(error), passing=True)]
    if len(content) != length or hashlib.sha256(content).hexdigest() != digest:
        return [], [Problem(url, "is not what the index says")]
    parsed: dict[str, Any] = json.loads(content)
    urls = zip(shard_urls(name, parsed), parsed["shards"], strict=True)
    problems = [Problem(url, what) for what in site.complaints(url, headers)]
    files = [(shard_url, shard["sha256"], shard["bytes"]) for shard_url, shard in urls]
    if ops := parsed.get("ops"):
        files.append((ops_url(name, ops), ops, -1))
    return files, problems


def _check(site: Site, url: str, digest: str, length: int) -> tuple[int, list[Problem]]:
    try:
        content, headers = site.fetch(url)
    except StoreError as error:
        return 0, [Problem(url, str(error), passing=True)]
    problems = [Problem(url, what) for what in site.complaints(url, headers)]
    if not hashlib.sha256(content).hexdigest().startswith(digest) or length not in (-1, len(content)):
        problems.append(Problem(url, "is not what is said of it"))
    return len(content), problems


def _alike(one: str, other: str) -> bool:
    """Compare header values as their readers do."""
    return one.replace(" ", "").lower() == other.replace(" ", "").lower()
