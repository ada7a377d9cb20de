"""S3, and stores that speak its protocol."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TypeVar

from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError

from ..config.units import show_size
from ..errors import StoreConflictError, StoreDeniedError, StoreError
from . import Fence, Found, Headers, Listed, Removed, Stat, multipart, no_headers
from .encoding import decode, encode, largest
from .s3_client import Location, connect, connections, guarded, hurried
from .s3_deletes import Deleter, longest_delete
from .s3_failures import AbsentError, Asked, RefusedError, credential_codes, explain, failures
from .s3_fields import age_of, arguments_of, checksum_of, headers_of, server_time, tag_of
from .s3_types import ObjectAnswer, S3Client, Setting, Tagged

body_attempts = 4
more_when_encoded = 64 << 10  # what an encoding may add to bytes that it cannot shorten
body_hash = "shardpress-sha256"
nonce_mark = "shardpress-nonce"
Answer = TypeVar("Answer")


class S3Store:
    """Objects of one bucket below a prefix."""

    def __init__(self, location: Location, client: S3Client | None = None) -> None:
        """Use ``location``; ``client`` is for tests."""
        self.location = location
        self.client = client or connect(location)
        self._creator = guarded(location) if location.no_overwrite_header else self.client
        self._deleter = Deleter(lambda: client or connect(hurried(location)))
        self._lock = Lock()
        self.requests = 0
        self.sent = 0

    @property
    def place(self) -> str:
        """The bucket and prefix."""
        return self.location.url

    @property
    def keeps_headers(self) -> bool:
        """Yes."""
        return True

    @property
    def is_sure(self) -> bool:
        """No: some stores accept conditions and ignore them."""
        return False

    @property
    def identity(self) -> str:
        """Hash of endpoint and bucket."""
        text = f"{self.location.endpoint_url}|{self.location.bucket}|{self.location.no_overwrite_header}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's decoded bytes and its ETag."""
        found = self.read(key)
        return None if found is None else (found.content, found.tag)

    def read(self, key: str, most: int = largest) -> Found | None:
        """Return an object; its age is by the store's own clock."""
        where = self.place + key

        def fetch() -> tuple[ObjectAnswer, bytes]:
            for attempt in range(body_attempts):
                answer = self.client.get_object(**self._at(key))
                if answer.get("ContentLength", 0) > most + more_when_encoded:
                    raise StoreError(
                        f"exceeds the size limit of {show_size(most)}",
                        code="SP-606",
                        where=where,
                        hint="Deploy with --repair",
                    )
                try:
                    return answer, answer["Body"].read()
                except (ResponseStreamingError, ReadTimeoutError):  # the SDK retries only up to the first byte
                    if attempt == body_attempts - 1:
                        raise
            raise AssertionError("unreachable")

        try:
            answer, body = self._ask(key, "s3:GetObject", fetch)
        except AbsentError:
            return None
        headers = headers_of(answer)
        now = server_time(answer)
        content = decode(body, headers.get("Content-Encoding", ""), where, most)
        return Found(content, tag_of(answer, where), age_of(answer, now), now, headers)

    def stat(self, key: str) -> Stat | None:
        """Return an object's length, headers and hash by HEAD: the store's own hash, else the recorded one."""
        try:
            answer = self._ask(
                key, "s3:GetObject", lambda: self.client.head_object(**self._at(key), ChecksumMode="ENABLED")
            )
        except AbsentError:
            return None
        own = checksum_of(answer)
        noted = answer.get("Metadata", {}).get(body_hash)
        # Without a length nothing is known of it, so it differs from whatever is compared with it.
        return Stat(answer.get("ContentLength", -1), headers_of(answer), own or noted, proven=own is not None)

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        """Write an object unless it exists; the store checks its SHA-256."""
        try:
            self._send(key, content, headers, self._creation())
        except RefusedError:
            return False
        return True

    def overwrite(self, key: str, content: Path, headers: Headers) -> None:
        """Write an object, overwriting any existing one."""
        self._send(key, content, headers, {})

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:
        """Replace one object with ``If-Match``; an ambiguous answer is resolved by reading back a nonce."""
        body = encode(content, headers.get("Content-Encoding", ""))
        nonce = uuid.uuid4().hex
        condition = self._creation() if tag is None else {"IfMatch": tag}
        try:
            answer = self._write(key, body, headers, {nonce_mark: nonce}, condition)
        except (RefusedError, AbsentError) as error:
            # The SDK may have sent it twice, and the first one won.
            if (tag_now := self._own(key, nonce)) is not None:
                return tag_now
            raise StoreConflictError(
                "another release was published in the meantime",
                code="SP-640",
                where=self.place + key,
                hint="Run the command again",
            ) from error
        except StoreError:
            if (tag_now := self._own(key, nonce)) is not None:
                return tag_now
            raise
        return tag_of(answer, self.place + key)

    def replace(self, key: str, content: bytes, headers: Headers) -> None:
        """Replace one object without any condition."""
        self._write(key, encode(content, headers.get("Content-Encoding", "")), headers, {}, {})

    def set_headers(self, key: str, headers: Headers) -> None:
        """Copy an object onto itself with other headers."""
        stat = self.stat(key)
        metadata = {body_hash: stat.sha256} if stat and stat.sha256 else {}
        place = self._at(key)
        self._ask(
            key,
            "s3:PutObject",
            lambda: self.client.copy_object(
                **place, CopySource=place, MetadataDirective="REPLACE", Metadata=metadata, **arguments_of(headers)
            ),
        )

    def list(self) -> Iterator[str]:
        """Return all keys."""
        for item in self.listing():
            yield item.key

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Iterate over all objects below ``prefix``, a thousand per request."""
        token: dict[str, str] = {}
        start = self.location.prefix + prefix
        while True:
            arguments = {"Bucket": self.location.bucket, "Prefix": start, **token}
            page = self._ask("", "s3:ListBucket", partial(self.client.list_objects_v2, **arguments))
            if "IsTruncated" not in page:
                raise StoreError(
                    "the answer to a listing request is not a listing",
                    code="SP-614",
                    where=self.place,
                    hint="Check endpoint_url",
                )
            now = server_time(page)
            for item in page.get("Contents", ()):
                yield Listed(item["Key"][len(self.location.prefix) :], item.get("Size", 0), age_of(item, now))
            if not page.get("IsTruncated"):
                return
            if not (more := page.get("NextContinuationToken")):
                raise StoreError(
                    "returned an incomplete listing without a continuation token",
                    code="SP-614",
                    where=self.place,
                    hint="Ask the store's owner",
                )
            token = {"ContinuationToken": more}

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        try:
            self._ask(key, "s3:DeleteObject", lambda: self._deleter.delete(self._at(key)))
        except AbsentError:
            return

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        """Remove objects with requests that the store refuses after the fence's end, however late they arrive."""
        errors: list[StoreError] = []

        def delete(key: str) -> tuple[bool, bool]:
            """Return whether the object is gone, and whether each request for that was answered."""
            if fence.left() < longest_delete():
                return False, True
            try:
                retried = self._ask(key, "s3:DeleteObject", lambda: self._deleter.delete(self._at(key), fence))
            except AbsentError:
                return True, False
            except StoreError as error:
                if fence.left() > 0:
                    errors.append(error)
                return False, isinstance(error, StoreDeniedError)
            return True, not retried

        with ThreadPoolExecutor(connections) as pool:
            done = list(pool.map(delete, keys))
        gone = [key for key, (is_gone, _) in zip(keys, done, strict=True) if is_gone]
        if errors and not gone:
            raise errors[0]
        return Removed(gone, all(answered for _, answered in done))

    @property
    def holds_fences(self) -> bool:
        """No: a store may execute expired requests."""
        return False

    def create(self, key: str, content: bytes, headers: Headers = no_headers) -> bool:
        """Write a small object unless it exists; return False if it does."""
        nonce = uuid.uuid4().hex
        body = encode(content, headers.get("Content-Encoding", ""))
        try:
            self._write(key, body, headers, {nonce_mark: nonce}, self._creation())
        except RefusedError:
            return self._own(key, nonce) is not None
        return True

    def setting(self, operation: str) -> Setting | None:
        """Return one of the bucket's settings, by the name of the client's method; None if access is denied.

        Raises:
            StoreError: the store failed.
        """
        self.requests += 1
        try:
            answer: Setting = getattr(self.client, operation)(Bucket=self.location.bucket)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "NoSuchBucket" or code in credential_codes:
                raise explain(error, self._asked("", operation)) from error
            return {} if code.startswith("NoSuch") else None
        except failures as error:
            raise explain(error, self._asked("", operation)) from error
        return answer

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.location.bucket, "Key": self.location.prefix + key}

    def _creation(self) -> dict[str, str]:
        return {"NoOverwrite": "1"} if self.location.no_overwrite_header else {"IfNoneMatch": "*"}

    def _send(self, key: str, content: Path, headers: Headers, condition: Mapping[str, str]) -> None:
        try:
            if content.stat().st_size >= multipart.threshold and "NoOverwrite" not in condition:
                self._send_parts(key, content, headers, condition)
                return
            body = content.read_bytes()
        except OSError as error:
            raise StoreError(
                f"cannot be read ({error.strerror})", code="SP-601", where=str(content), hint="Build again, then deploy"
            ) from error
        self._write(key, body, headers, {body_hash: hashlib.sha256(body).hexdigest()}, condition)

    def _send_parts(self, key: str, content: Path, headers: Headers, condition: Mapping[str, str]) -> None:
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        arguments = {**arguments_of(headers), "Metadata": {body_hash: digest}}
        sent = self._ask(
            key,
            "s3:PutObject",
            lambda: multipart.send_parts(self.client, self._at(key), content, arguments, condition),
        )
        with self._lock:
            self.sent += sent.nbytes
        if sent.resumed:
            self.set_headers(key, headers)

    def _write(
        self, key: str, body: bytes, headers: Headers, metadata: Mapping[str, str], condition: Mapping[str, str]
    ) -> Tagged:
        arguments: dict[str, object] = {
            **self._at(key),
            **arguments_of(headers),
            "Metadata": dict(metadata),
            **condition,
        }
        arguments["ChecksumSHA256"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
        client = self._creator if arguments.pop("NoOverwrite", None) else self.client
        answer = self._ask(key, "s3:PutObject", lambda: client.put_object(Body=body, **arguments))
        with self._lock:
            self.sent += len(body)
        return answer

    def _own(self, key: str, nonce: str) -> str | None:
        """Return an object's tag if it carries our nonce."""
        try:
            answer = self._ask(key, "s3:GetObject", lambda: self.client.head_object(**self._at(key)))
        except AbsentError:
            return None
        return tag_of(answer, self.place + key) if answer.get("Metadata", {}).get(nonce_mark) == nonce else None

    def _ask(self, key: str, action: str, call: Callable[[], Answer]) -> Answer:
        with self._lock:
            self.requests += 1
        try:
            return call()
        except StoreError:
            raise
        except failures as error:
            raise explain(error, self._asked(key, action)) from error

    def _asked(self, key: str, action: str) -> Asked:
        place = self.location
        endpoint = place.endpoint_url or self.client.meta.endpoint_url
        return Asked(place.bucket, self.place, key, action, endpoint, place.profile)
