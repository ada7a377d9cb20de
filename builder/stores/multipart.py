"""Uploads large objects in parts, so that an interrupted upload continues where it stopped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreError
from .s3_failures import status_of
from .s3_types import S3Client

part_bytes = 8 << 20
threshold = 4 * part_bytes  # below, one request is safer and as fast


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes sent, and whether an earlier upload was resumed, possibly with other headers."""

    nbytes: int
    resumed: bool


def send_parts(
    client: S3Client,
    place: Mapping[str, str],
    content: Path,
    arguments: Mapping[str, object],
    condition: Mapping[str, str],
) -> Sent:
    """Write a large object; parts sent by an earlier attempt are not sent again.

    Args:
        client: of S3.
        place: bucket and key.
        content: the file.
        arguments: headers and metadata.
        condition: ``IfNoneMatch`` or nothing; checked when the upload is completed.

    Raises:
        StoreError: the file changed in the meantime.
    """
    begun = _unfinished(client, place)
    upload = begun or client.create_multipart_upload(**place, **arguments)["UploadId"]
    known = _parts(client, place, upload)
    parts = []
    sent = 0
    length = content.stat().st_size
    with content.open("rb") as file:
        for number in range(1, -(-length // part_bytes) + 1):
            body = file.read(part_bytes)
            digest = hashlib.md5(body, usedforsecurity=False)
            tag = digest.hexdigest()
            if known.get(number) != (tag, len(body)):
                proof = base64.b64encode(digest.digest()).decode()
                answer = client.upload_part(**place, UploadId=upload, PartNumber=number, Body=body, ContentMD5=proof)
                tag = answer["ETag"].strip('"')
                sent += len(body)
            parts.append({"PartNumber": number, "ETag": f'"{tag}"'})
    if content.stat().st_size != length:
        raise StoreError("changed while it was being sent", code="SP-610", where=str(content), hint="Deploy again")
    try:
        client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
    except client.exceptions.ClientError as error:
        if status_of(error) == 412:
            client.abort_multipart_upload(**place, UploadId=upload)
        raise
    return Sent(sent, begun is not None)


def _unfinished(client: S3Client, place: Mapping[str, str]) -> str | None:
    """Return the newest unfinished upload of this key."""
    found = client.list_multipart_uploads(Bucket=place["Bucket"], Prefix=place["Key"]).get("Uploads", ())
    begun = [item for item in found if item["Key"] == place["Key"]]
    return max(begun, key=lambda item: item["Initiated"])["UploadId"] if begun else None


def _parts(client: S3Client, place: Mapping[str, str], upload: str) -> dict[int, tuple[str, int]]:
    """Return hash and length of the uploaded parts; stores whose tags are not MD5 get them again."""
    pages = client.get_paginator("list_parts").paginate(**place, UploadId=upload)
    return {
        part["PartNumber"]: (part["ETag"].strip('"'), part["Size"]) for page in pages for part in page.get("Parts", ())
    }
