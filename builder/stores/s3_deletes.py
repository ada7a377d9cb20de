"""Deletes that the store itself refuses if they arrive too late: their signature expires with the right to delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock, local
from typing import Protocol

from botocore import UNSIGNED
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth

from . import Fence
from .s3_types import S3Client

attempts, connect_seconds, read_seconds = 2, 5, 10


class Request(Protocol):
    """A request of the SDK before it is sent."""

    @property
    def context(self) -> dict[str, object]:
        """What its signing needs to know."""


class Auth(Protocol):
    """What signs for some credentials."""

    @property
    def credentials(self) -> object:
        """The credentials."""


class Signer(Protocol):
    """The SDK's signer of a client."""

    def get_auth_instance(self, signing_name: str, region_name: str, signature_version: str) -> Auth:
        """Return what signs in one way."""


def longest_delete() -> float:
    """How many seconds a delete may take, including its retry and the wait before that."""
    return attempts * (connect_seconds + read_seconds) + 1.0


class Deleter:
    """Deletes objects in bounded time; under a fence, with requests whose signature expires with it."""

    def __init__(self, make_client: Callable[[], S3Client]) -> None:
        """Use the client from ``make_client``, created at the first delete."""
        self._make_client = make_client
        self._fences = local()
        self._lock = Lock()

    @cached_property
    def _client(self) -> S3Client:
        client = self._make_client()
        client.meta.events.register("choose-signer.s3.DeleteObject", self._choose)
        client.meta.events.register("before-sign.s3.DeleteObject", self._sign)
        return client

    def delete(self, place: Mapping[str, str], fence: Fence | None = None) -> int:
        """Delete one object; return how often the request was retried."""
        with self._lock:
            client = self._client
        self._fences.own = fence if fence and fence.enforced else None
        try:
            answer = client.delete_object(**place)
        finally:
            self._fences.own = None
        return int(answer["ResponseMetadata"].get("RetryAttempts", 0))

    def _choose(self, **_: object) -> object:
        """Make the SDK leave a fenced request unsigned; all others are signed as usual."""
        return UNSIGNED if getattr(self._fences, "own", None) else None

    def _sign(self, request: Request, signing_name: str, region_name: str, request_signer: Signer, **_: object) -> None:
        """Sign each attempt with the fence's start by the store's clock, so that no local clock can extend it."""
        if (fence := getattr(self._fences, "own", None)) is None:
            return
        known = request_signer.get_auth_instance(signing_name, region_name, "s3v4-query")
        _ExpiringAuth(known.credentials, signing_name, region_name, fence).add_auth(request)


class _ExpiringAuth(S3SigV4QueryAuth):  # type: ignore[misc]
    """Signs a request that the store refuses after a fence's end."""

    def __init__(self, credentials: object, service: str, region: str, fence: Fence) -> None:
        super().__init__(credentials, service, region, expires=max(1, int(fence.until - fence.since)))
        self._since = datetime.fromtimestamp(fence.since, UTC).strftime(SIGV4_TIMESTAMP)

    def _modify_request_before_signing(self, request: Request) -> None:
        request.context["timestamp"] = self._since
        super()._modify_request_before_signing(request)
