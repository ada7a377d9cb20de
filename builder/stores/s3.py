"""S3 and what speaks its language. The one module that imports boto3."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import boto3
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError

from ..config.units import show_size
from ..errors import ShardpressError, StoreConflictError, StoreDeniedError, StoreError
from . import Fence, Found, Headers, Listed, Removed, Stat, multipart, no_headers, s3_deletes
from .answers import TimedResponse
from .encoding import decode, encode, largest
from .s3_deletes import Deleter, longest_delete
from .s3_failures import (
    AbsentError,
    Asked,
    RefusedError,
    credential_codes,
    explain,
    failures,
)

connections = 16
body_attempts = 4
more_when_encoded = 64 << 10  # what an encoding may add to bytes that it cannot shorten
body_hash = "shardpress-sha256"
nonce_mark = "shardpress-nonce"
header_arguments = {
    "Content-Type": "ContentType",
    "Cache-Control": "CacheControl",
    "Content-Encoding": "ContentEncoding",
    "Content-Disposition": "ContentDisposition",
    "Content-Language": "ContentLanguage",
}
refusals = failures
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a bucket is and how it is spoken to; credentials come from the standard AWS chain.

    Attributes:
        bucket, prefix: where objects lie; the prefix ends with a slash or is empty.
        endpoint_url: of a store that is not AWS, or empty.
        addressing: ``auto``, ``path`` or ``virtual``.
        region, profile: or empty for the chain's own.
        no_overwrite_header: a header that makes a store refuse to overwrite, where it knows no ``If-None-Match``.
        attempts: how often a request is tried in all.
        connect_seconds, read_seconds: how long a connection, and then each part of an answer, may take.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str = ""
    addressing: str = "auto"
    region: str = ""
    profile: str = ""
    no_overwrite_header: str = ""
    attempts: int = 6
    connect_seconds: int = 10
    read_seconds: int = 30

    @property
    def url(self) -> str:
        """The place as people write it."""
        return f"s3://{self.bucket}/{self.prefix}"


def connect(location: Location, service: str = "s3") -> Any:
    """Give a client of an AWS service.

    Raises:
        ConfigError: the profile does not exist, or a setting cannot be used.
        StoreError: the client cannot be made.
    """
    for kind in (AWSHTTPConnection, AWSHTTPSConnection):
        kind.response_class = TimedResponse  # botocore has timeouts for silence only
    endpoint = location.endpoint_url if service == "s3" else ""
    try:
        session = boto3.Session(profile_name=location.profile or None)
        region = location.region or session.region_name or "us-east-1"
        config = Config(
            connect_timeout=location.connect_seconds,
            read_timeout=location.read_seconds,
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": location.attempts},
            # The default checksums of newer SDKs come in chunked bodies, which other stores than AWS refuse.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": location.addressing},
        )
        return session.client(service, region_name=region, endpoint_url=endpoint or None, config=config)
    except failures as error:
        place = location.url if service == "s3" else service
        asked = Asked(location.bucket, place, endpoint_url=endpoint, profile=location.profile)
        raise explain(error, asked) from error


def hurried(location: Location) -> Location:
    """Give the same place, spoken to as deletes are: in a time that is known."""
    return replace(
        location,
        attempts=s3_deletes.attempts,
        connect_seconds=s3_deletes.connect_seconds,
        read_seconds=s3_deletes.read_seconds,
    )


def location_client(region: str, profile: str, service: str) -> Any:
    """Give a client of another service than S3, with the same credentials.

    Raises:
        ConfigError: the profile does not exist.
        StoreError: the client cannot be made.
    """
    return connect(Location("", region=region, profile=profile), service)


def cloudfront_failure(error: Exception, profile: str) -> ShardpressError:
    """Say why CloudFront did not take a request; ``error`` is one of ``refusals``."""
    return explain(error, Asked("", "cloudfront", action="cloudfront:CreateInvalidation", profile=profile))


class S3Store:
    """Objects of one bucket below a prefix."""

    def __init__(self, location: Location, client: Any = None) -> None:
        """Speak to ``location``; ``client`` is for tests."""
        self.location = location
        self.client = client or connect(location)
        self._creator = _guarded(location) if location.no_overwrite_header else self.client
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
        """No: some stores take conditions and ignore them."""
        return False

    @property
    def identity(self) -> str:
        """Hash of endpoint and bucket."""
        text = f"{self.location.endpoint_url}|{self.location.bucket}|{self.location.no_overwrite_header}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Give an object's decoded bytes and its ETag."""
        found = self.read(key)
        return None if found is None else (found.content, found.tag)

    def read(self, key: str, most: int = largest) -> Found | None:
        """Give an object; the store's own clock tells its age."""
        where = self.place + key

        def fetch() -> tuple[Any, bytes]:
            for attempt in range(body_attempts):
                answer = self.client.get_object(**self._at(key))
                if answer.get("ContentLength", 0) > most + more_when_encoded:
                    raise StoreError(
                        f"is larger than the {show_size(most)} it may be",
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
        headers = _headers_of(answer)
        now = _server_time(answer)
        content = decode(body, headers.get("Content-Encoding", ""), where, most)
        return Found(content, _tag(answer, where), _age(answer, now), now, headers)

    def stat(self, key: str) -> Stat | None:
        """Give an object's length, headers and hash by HEAD: the store's own one, else what was noted with it."""
        try:
            answer = self._ask(
                key, "s3:GetObject", lambda: self.client.head_object(**self._at(key), ChecksumMode="ENABLED")
            )
        except AbsentError:
            return None
        own = _checksum(answer)
        noted = answer.get("Metadata", {}).get(body_hash)
        # Without a length nothing is known of it, so it differs from whatever is compared with it.
        return Stat(answer.get("ContentLength", -1), _headers_of(answer), own or noted, proven=own is not None)

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        """Write an object unless there is one; the store checks its SHA-256."""
        try:
            self._send(key, content, headers, self._creation())
        except RefusedError:
            return False
        return True

    def overwrite(self, key: str, content: Path, headers: Headers) -> None:
        """Write an object whatever was there."""
        self._send(key, content, headers, {})

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:
        """Replace one object with ``If-Match``; an unclear answer is made clear by reading a nonce back."""
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
                "another release was published meanwhile",
                code="SP-640",
                where=self.place + key,
                hint="Run the command again",
            ) from error
        except StoreError:
            if (tag_now := self._own(key, nonce)) is not None:
                return tag_now
            raise
        return _tag(answer, self.place + key)

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
                **place, CopySource=place, MetadataDirective="REPLACE", Metadata=metadata, **_arguments(headers)
            ),
        )

    def list(self) -> Iterator[str]:
        """Give all keys."""
        for item in self.listing():
            yield item.key

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Give all objects below ``prefix``, a thousand a request."""
        token: dict[str, str] = {}
        start = self.location.prefix + prefix
        while True:
            arguments = {"Bucket": self.location.bucket, "Prefix": start, **token}
            page = self._ask("", "s3:ListBucket", partial(self.client.list_objects_v2, **arguments))
            if "IsTruncated" not in page:
                raise StoreError(
                    "a listing is asked for, and what comes is none",
                    code="SP-614",
                    where=self.place,
                    hint="Check endpoint_url",
                )
            now = _server_time(page)
            for item in page.get("Contents", ()):
                yield Listed(item["Key"][len(self.location.prefix) :], item.get("Size", 0), _age(item, now))
            if not page.get("IsTruncated"):
                return
            if not (more := page.get("NextContinuationToken")):
                raise StoreError(
                    "gives half of a listing and no way to the rest",
                    code="SP-614",
                    where=self.place,
                    hint="Ask the store's owner",
                )
            token = {"ContinuationToken": more}

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        try:
            self._ask(key, "s3:DeleteObject", lambda: self._deleter.delete(self._at(key)))
        except AbsentError:
            return

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        """Remove objects by requests that the store refuses after the fence's end, however late they arrive."""
        errors: list[StoreError] = []

        def delete(key: str) -> tuple[bool, bool]:
            """Tell whether the object is gone, and whether each request for that was answered."""
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
        """No: a store may carry out what has expired."""
        return False

    def create(self, key: str, content: bytes, headers: Headers = no_headers) -> bool:
        """Write small bytes unless there is an object; give False when there is."""
        nonce = uuid.uuid4().hex
        body = encode(content, headers.get("Content-Encoding", ""))
        try:
            self._write(key, body, headers, {nonce_mark: nonce}, self._creation())
        except RefusedError:
            return self._own(key, nonce) is not None
        return True

    def setting(self, operation: str) -> dict[str, Any] | None:
        """Give one of the bucket's settings by the name of the client's method; None where that may not be asked.

        Raises:
            StoreError: the store does not answer.
        """
        self.requests += 1
        try:
            answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self.location.bucket)
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
        arguments = {**_arguments(headers), "Metadata": {body_hash: digest}}
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
    ) -> Any:
        arguments = {**self._at(key), **_arguments(headers), "Metadata": dict(metadata), **condition}
        arguments["ChecksumSHA256"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
        client = self._creator if arguments.pop("NoOverwrite", None) else self.client
        answer = self._ask(key, "s3:PutObject", lambda: client.put_object(Body=body, **arguments))
        with self._lock:
            self.sent += len(body)
        return answer

    def _own(self, key: str, nonce: str) -> str | None:
        """Give the tag of an object that carries our nonce."""
        try:
            answer = self._ask(key, "s3:GetObject", lambda: self.client.head_object(**self._at(key)))
        except AbsentError:
            return None
        return _tag(answer, self.place + key) if answer.get("Metadata", {}).get(nonce_mark) == nonce else None

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


def _guarded(location: Location) -> Any:
    """Give a client whose uploads carry the store's own no-overwrite header."""
    client = connect(location)

    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"][location.no_overwrite_header] = "true"

    client.meta.events.register("before-call.s3.PutObject", add)
    return client


def _arguments(headers: Headers) -> dict[str, Any]:
    return {header_arguments[name]: value for name, value in headers.items() if name in header_arguments}


def _headers_of(answer: Mapping[str, Any]) -> dict[str, str]:
    found = {name: answer.get(argument) for name, argument in header_arguments.items()}
    return {name: value for name, value in found.items() if value and value != "identity"}


def _checksum(answer: Mapping[str, Any]) -> str | None:
    """Give the SHA-256 that the store has computed; one of an object in parts is of something else."""
    text = answer.get("ChecksumSHA256", "")
    if answer.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else None


def _server_time(answer: Mapping[str, Any]) -> float:
    """Give the store's clock, or ours where it shows none."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return time.time()


def _age(answer: Mapping[str, Any], now: float) -> float:
    """Give the seconds since something was written; what has no date counts as new, so nobody deletes it."""
    written = answer.get("LastModified")
    return max(0.0, now - written.timestamp()) if isinstance(written, datetime) else 0.0


def _tag(answer: Mapping[str, Any], where: str) -> str:
    """Give an object's ETag.

    Raises:
        StoreError: there is none, so nothing could be swapped on condition.
    """
    if not (tag := answer.get("ETag")):
        raise StoreError(
            "comes without an ETag",
            code="SP-614",
            where=where,
            hint="Speak to the store itself, or have the proxy before it pass ETag on",
        )
    return str(tag)
