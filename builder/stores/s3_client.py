"""Clients of S3 and of the other services of AWS: addresses, credentials, time limits. The one module with boto3."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Literal, overload

import boto3
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.session import get_session

from ..errors import ShardpressError
from . import s3_deletes
from .answers import TimedResponse
from .s3_failures import Asked, explain, failures
from .s3_types import CloudFrontClient, S3Client

connections = 16
refusals = failures


@dataclass(frozen=True, slots=True)
class Location:
    """Where a bucket is and how it is accessed; credentials come from the standard AWS chain.

    Attributes:
        bucket, prefix: where the objects are; the prefix ends with a slash or is empty.
        endpoint_url: of a store that is not AWS, or empty.
        addressing: ``auto``, ``path`` or ``virtual``.
        region, profile: or empty for the chain's defaults.
        no_overwrite_header: a header that forbids overwriting, for stores without ``If-None-Match``.
        attempts: total number of attempts per request.
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


@overload
def connect(location: Location) -> S3Client: ...
@overload
def connect(location: Location, service: Literal["cloudfront"]) -> CloudFrontClient: ...
def connect(location: Location, service: str = "s3") -> S3Client | CloudFrontClient:
    """Return a client of an AWS service.

    Raises:
        ConfigError: the profile does not exist, or a setting cannot be used.
        StoreError: the client cannot be made.
    """
    for kind in (AWSHTTPConnection, AWSHTTPSConnection):
        kind.response_class = TimedResponse  # botocore has timeouts for silence only
    endpoint = location.endpoint_url if service == "s3" else ""
    try:
        core = get_session()
        if location.profile:
            core.set_config_variable("profile", location.profile)
        core.register_component("data_loader", _descriptions(core.get_config_variable("data_path")))
        session = boto3.Session(botocore_session=core)
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
        client: S3Client | CloudFrontClient = session.client(
            service, region_name=region, endpoint_url=endpoint or None, config=config
        )
    except failures as error:
        place = location.url if service == "s3" else service
        asked = Asked(location.bucket, place, endpoint_url=endpoint, profile=location.profile)
        raise explain(error, asked) from error
    return client


@functools.cache
def _descriptions(folders: str | None) -> Loader:
    """Return what reads the descriptions of AWS's services, once: to read them is most of the work for a client."""
    return create_loader(folders)


def hurried(location: Location) -> Location:
    """Return the same location with the time limits of deletes."""
    return replace(
        location,
        attempts=s3_deletes.attempts,
        connect_seconds=s3_deletes.connect_seconds,
        read_seconds=s3_deletes.read_seconds,
    )


def location_client(region: str, profile: str, service: Literal["cloudfront"]) -> CloudFrontClient:
    """Return a client of a service other than S3, with the same credentials.

    Raises:
        ConfigError: the profile does not exist.
        StoreError: the client cannot be made.
    """
    return connect(Location("", region=region, profile=profile), service)


def cloudfront_failure(error: Exception, profile: str) -> ShardpressError:
    """Explain why CloudFront refused a request; ``error`` is one of ``refusals``."""
    return explain(error, Asked("", "cloudfront", action="cloudfront:CreateInvalidation", profile=profile))


def guarded(location: Location) -> S3Client:
    """Return a client whose uploads carry the store's own no-overwrite header."""
    client = connect(location)

    def add(params: dict[str, dict[str, str]], **_: object) -> None:
        params["headers"][location.no_overwrite_header] = "true"

    client.meta.events.register("before-call.s3.PutObject", add)
    return client
