"""What the fields of S3's requests and answers mean: headers, checksums, dates and tags."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import datetime
from email.utils import parsedate_to_datetime

from ..errors import StoreError
from . import Headers
from .s3_types import Answer, Dated, ObjectAnswer, Tagged

header_arguments = {
    "Content-Type": "ContentType",
    "Cache-Control": "CacheControl",
    "Content-Encoding": "ContentEncoding",
    "Content-Disposition": "ContentDisposition",
    "Content-Language": "ContentLanguage",
}


def arguments_of(headers: Headers) -> dict[str, str]:
    """Return headers as arguments of a request."""
    return {header_arguments[name]: value for name, value in headers.items() if name in header_arguments}


def headers_of(answer: ObjectAnswer) -> dict[str, str]:
    """Return the headers that an object is stored with."""
    found = {name: answer.get(argument) for name, argument in header_arguments.items()}
    return {name: value for name, value in found.items() if isinstance(value, str) and value and value != "identity"}


def checksum_of(answer: ObjectAnswer) -> str | None:
    """Return the SHA-256 that the store has computed; one of an object in parts is of something else."""
    text = answer.get("ChecksumSHA256", "")
    if answer.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else None


def server_time(answer: Answer) -> float:
    """Return the store's clock, or ours where it shows none."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return time.time()


def age_of(answer: Dated, now: float) -> float:
    """Return the seconds since something was written; what has no date counts as new, so nobody deletes it."""
    written = answer.get("LastModified")
    return max(0.0, now - written.timestamp()) if isinstance(written, datetime) else 0.0


def tag_of(answer: Tagged, where: str) -> str:
    """Return an object's ETag.

    Raises:
        StoreError: there is none, so nothing could be swapped on condition.
    """
    if not (tag := answer.get("ETag")):
        raise StoreError(
            "was returned without an ETag",
            code="SP-614",
            where=where,
            hint="Access the store directly, or configure the proxy in front of it to pass ETag on",
        )
    return str(tag)
