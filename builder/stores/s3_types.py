"""What is used of boto3's clients, which have no types of their own: their calls, and the fields of the answers.

A store may leave out any field, so none is required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypedDict


class AnswerFacts(TypedDict, total=False):
    """What the SDK says of an answer itself."""

    HTTPStatusCode: int
    HTTPHeaders: dict[str, str]
    RetryAttempts: int


class Answer(TypedDict, total=False):
    """What every answer has."""

    ResponseMetadata: AnswerFacts


class Dated(TypedDict, total=False):
    """Something with the time it was written."""

    LastModified: datetime


class Tagged(Answer, total=False):
    """An answer about one object or part."""

    ETag: str


class Body(Protocol):
    """The bytes of an object, still to be received."""

    def read(self) -> bytes:
        """Receive them all."""


class ObjectAnswer(Tagged, Dated, total=False):
    """An object, or its head alone."""

    Body: Body
    ContentLength: int
    ContentType: str
    CacheControl: str
    ContentEncoding: str
    ContentDisposition: str
    ContentLanguage: str
    Metadata: dict[str, str]
    ChecksumSHA256: str
    ChecksumType: str


class ListedObject(Dated, total=False):
    """An object in a listing."""

    Key: str
    Size: int


class Listing(Answer, total=False):
    """A page of a listing."""

    IsTruncated: bool
    NextContinuationToken: str
    Contents: Sequence[ListedObject]


class Upload(TypedDict, total=False):
    """An upload in parts that has begun."""

    Key: str
    UploadId: str
    Initiated: datetime


class Uploads(Answer, total=False):
    """The uploads that have begun."""

    Uploads: Sequence[Upload]


class Part(TypedDict, total=False):
    """A part that has been uploaded."""

    PartNumber: int
    ETag: str
    Size: int


class Parts(Answer, total=False):
    """A page of the parts of an upload."""

    Parts: Sequence[Part]


class CorsRule(TypedDict, total=False):
    """Which pages may read a bucket, and how."""

    AllowedMethods: Sequence[str]
    AllowedOrigins: Sequence[str]


class Setting(Answer, total=False):
    """One of a bucket's settings: its CORS rules, its versioning, or its lifecycle rules."""

    CORSRules: Sequence[CorsRule]
    Status: str
    Rules: Sequence[dict[str, object]]


class ErrorFacts(TypedDict, total=False):
    """What a store says of a request that it refuses."""

    Code: str
    Region: str


class Refusal(Answer, total=False):
    """The answer to a request that a store refuses."""

    Error: ErrorFacts


class Events(Protocol):
    """The SDK's hooks."""

    def register(self, event: str, handler: Callable[..., object]) -> None:
        """Have a handler called at an event."""


class Meta(Protocol):
    """A client's own facts."""

    @property
    def endpoint_url(self) -> str:
        """Where requests go."""

    @property
    def events(self) -> Events:
        """What can be hooked into."""


class Exceptions(Protocol):
    """The errors of a client."""

    @property
    def ClientError(self) -> type[Exception]:  # noqa: N802
        """A request was refused; it has a ``response``, see ``s3_failures.status_of``."""


class Paginator(Protocol):
    """A request whose answer comes in pages."""

    def paginate(self, **arguments: object) -> Iterable[Parts]:
        """Return the pages."""


class S3Client(Protocol):
    """A client of S3, as ``boto3.Session.client`` makes it."""

    @property
    def meta(self) -> Meta:
        """Its own facts."""

    @property
    def exceptions(self) -> Exceptions:
        """Its errors."""

    def get_object(self, **arguments: object) -> ObjectAnswer:
        """Read an object."""

    def head_object(self, **arguments: object) -> ObjectAnswer:
        """Read an object's head."""

    def put_object(self, **arguments: object) -> Tagged:
        """Write an object."""

    def copy_object(self, **arguments: object) -> Answer:
        """Copy an object."""

    def delete_object(self, **arguments: object) -> Answer:
        """Remove an object."""

    def list_objects_v2(self, **arguments: object) -> Listing:
        """List objects."""

    def get_paginator(self, operation: str) -> Paginator:
        """Return an operation page by page; only ``list_parts`` is used."""

    def list_multipart_uploads(self, **arguments: object) -> Uploads:
        """List the uploads that have begun."""

    def create_multipart_upload(self, **arguments: object) -> Upload:
        """Begin an upload in parts."""

    def upload_part(self, **arguments: object) -> Tagged:
        """Send a part."""

    def complete_multipart_upload(self, **arguments: object) -> Answer:
        """Make an object of the parts."""

    def abort_multipart_upload(self, **arguments: object) -> Answer:
        """Forget the parts."""

    def get_bucket_cors(self, **arguments: object) -> Setting:
        """Read the CORS rules."""

    def get_bucket_versioning(self, **arguments: object) -> Setting:
        """Read the versioning."""

    def get_bucket_lifecycle_configuration(self, **arguments: object) -> Setting:
        """Read the lifecycle rules."""


class Invalidation(TypedDict):
    """A request to forget copies."""

    Id: str


class InvalidationAnswer(TypedDict):
    """What CloudFront answers to one."""

    Invalidation: Invalidation


class CloudFrontClient(Protocol):
    """A client of CloudFront."""

    def create_invalidation(self, **arguments: object) -> InvalidationAnswer:
        """Ask for copies to be forgotten."""
