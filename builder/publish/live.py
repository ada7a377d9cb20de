"""Reading a live site as a browser would: every hash, header and CORS answer, and that nothing named is missing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from ..bundle.format import immutable_name, loader_name, ops_url, pinned_url
from ..bundle.head import read_head, shard_urls
from ..bundle.index import HeadName, read_index
from ..errors import DeniedError, FormatError, StoreError
from ..stores import TargetStore
from ..stores.encoding import largest
from .copies import wrong_copies
from .fetch import Limits, fetch
from .headers import headers_for
from .pointer import digits_of, loader_hash, split_pointer
from .targets import Target

fetchers = 12
check_seconds = 1800.0  # for all files together
unknown_length = -1


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        url: where.
        what: is wrong.
        hint: what to do, where that is known.
        denied: the public may not read it.
        passing: a CDN's old copy may be the reason.
    """

    url: str
    what: str
    hint: str = ""
    denied: bool = False
    passing: bool = False

    @classmethod
    def of(cls, url: str, error: StoreError | FormatError) -> Problem:
        """Note a failure to read a file."""
        return cls(url, error.what, error.hint, isinstance(error, DeniedError), passing=True)


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
    """Where files are read from; ``store`` is what lies behind it."""

    store: TargetStore

    def fetch(self, key: str, limits: Limits, *, origin: bool = True) -> tuple[bytes, Mapping[str, str]]:
        """Return a file's decoded bytes and headers (lower-case names).

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
        self.store = target.store
        self.origin = target.config.origin

    def fetch(self, key: str, limits: Limits, *, origin: bool = True) -> tuple[bytes, Mapping[str, str]]:
        """Ask as a page of another origin does."""
        headers = {"Accept-Encoding": "br, gzip", **({"Origin": self.origin} if origin else {})}
        return fetch(self.target.public_url + key, headers, limits)

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

    def fetch(self, key: str, limits: Limits, *, origin: bool = True) -> tuple[bytes, Mapping[str, str]]:  # noqa: ARG002
        """Read an object."""
        if limits.deadline is not None and time.monotonic() > limits.deadline:
            raise StoreError(
                "was not checked: the whole check took too long", code="SP-654", where=self.store.place + key
            )
        found = self.store.read(key, largest if limits.nbytes is None else limits.nbytes)
        if found is None:
            raise StoreError("is missing", code="SP-608", where=self.store.place + key)
        return found.content, {}

    def complaints(self, key: str, headers: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        """Have none: there is no web server in between."""
        return []


def site_of(target: Target) -> Site:
    """Return the way to read a target."""
    return WebSite(target) if target.public_url else StoredSite(target.store)


def check_live(
    site: Site,
    *,
    expected: str = "",
    pointer: str = loader_name,
    only: Collection[str] | None = None,
    seconds: float = check_seconds,
) -> Checked:
    """Check what is live.

    Args:
        site: where.
        expected: hash of the loader that should be live, or "" for any.
        pointer: which one is followed.
        only: addresses of the files that are read; None for all.
        seconds: for all of it; what is not read by then counts as a problem.
    """
    problems: list[Problem] = []
    end = time.monotonic() + seconds
    some_code = Limits(None, end)
    try:
        content, headers = site.fetch(pointer, some_code)
        problems += [Problem(pointer, what) for what in site.complaints(pointer, headers)]
        again, _ = site.fetch(pointer, some_code, origin=False)
        loader, state = split_pointer(content)
        index = read_index(loader)
        same = split_pointer(again)[0] == loader
    except (StoreError, FormatError) as error:
        return Checked("", 0, 0, (Problem.of(pointer, error),))
    if not same:
        problems.append(Problem(pointer, "another release is answered when no Origin is sent", passing=True))
    live = loader_hash(loader)
    if expected and live != expected:
        problems.append(Problem(pointer, f"loader.{live}.js is live, not loader.{expected}.js", passing=True))
    code, heads = index.module_urls(), sorted(index.heads())
    code[pinned_url(live)] = live
    if immutable_name.fullmatch(state.worker):
        code[state.worker] = digits_of(state.worker)
    files = [(url, digest, unknown_length) for url, digest in code.items()]
    with ThreadPoolExecutor(fetchers) as pool:
        for shards, found in pool.map(lambda head: _shards(site, head, only, end), heads):
            files += shards
            problems += found
        wanted = [file for file in files if only is None or file[0] in only]
        results = list(pool.map(lambda file: _check(site, file, end), wanted))
    for _, found in results:
        problems += found
    named = [*wanted, *((head.url, head.sha256, head.nbytes) for head in heads)]
    copies = (file for file in named if only is None or file[0] in only)
    problems += [Problem(*wrong) for wrong in wrong_copies(site.store, copies)]
    return Checked(index.release, len(results) + len(heads) + 1, sum(nbytes for nbytes, _ in results), tuple(problems))


Named = tuple[str, str, int]  # a file's address, its hash, its length


def _shards(site: Site, head: HeadName, only: Collection[str] | None, end: float) -> tuple[list[Named], list[Problem]]:
    url, length = head.url, head.nbytes
    if only is not None and url not in only:
        return [], []
    try:
        content, headers = site.fetch(url, Limits(length, end))
    except StoreError as error:
        return [], [Problem.of(url, error)]
    if len(content) != length or hashlib.sha256(content).hexdigest() != head.sha256:
        return [], [Problem(url, "is not what the index says")]
    problems = [Problem(url, what) for what in site.complaints(url, headers)]
    try:
        parsed = read_head(content)
    except FormatError:
        return [], [*problems, Problem(url, "is not a head that this version reads")]
    urls = zip(shard_urls(head.model, parsed), parsed.shards, strict=True)
    files = [(shard_url, shard.sha256, shard.bytes) for shard_url, shard in urls]
    if parsed.ops:
        files.append((ops_url(head.model, parsed.ops), parsed.ops, unknown_length))
    return files, problems


def _check(site: Site, file: Named, end: float) -> tuple[int, list[Problem]]:
    url, digest, length = file
    try:
        content, headers = site.fetch(url, Limits(None if length == unknown_length else length, end))
    except StoreError as error:
        return 0, [Problem.of(url, error)]
    problems = [Problem(url, what) for what in site.complaints(url, headers)]
    if not hashlib.sha256(content).hexdigest().startswith(digest) or length not in (unknown_length, len(content)):
        problems.append(Problem(url, "is not what is said of it"))
    return len(content), problems


def _alike(one: str, other: str) -> bool:
    """Compare header values as their readers do."""
    return one.replace(" ", "").lower() == other.replace(" ", "").lower()


def advice(checked: Checked, target: Target) -> str:
    """Tell what to do about the problems of a check."""
    if any(problem.denied for problem in checked.problems):
        if not checked.release:
            return reading_advice(target)
        # The pointer can be read, so 403 may be a bucket's way not to say that something is missing.
        return f"{reading_advice(target)}. Where listing is denied, 403 also stands for a missing file: try --repair"
    hints = {problem.hint for problem in checked.problems}
    if len(hints) == 1 and "" not in hints:
        return hints.pop()
    return "Deploy with --repair, correct headers and CORS, or `rollback`"


def reading_advice(target: Target) -> str:
    """Tell how to let visitors read a target."""
    if target.config.type == "directory":
        return "Let the web server serve this folder to everybody"
    return (
        "Let the public read it: by a bucket policy that allows everybody s3:GetObject, with Block Public Access off, "
        "or by the CDN's own right to read the bucket (origin access control)"
    )
