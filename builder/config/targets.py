"""The tables ``[targets.NAME]`` of ``build.toml``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .table import Table


class TargetConfig(Table, frozen=True):
    """The table ``[targets.NAME]``: where releases are published."""

    type: Annotated[
        Literal["s3", "directory"],
        Meta(description="A bucket of S3 or of a store like it, or a folder of this machine."),
    ]
    path: Annotated[str | None, Meta(description="Folder of a directory target.", examples=["public/models"])] = None
    bucket: Annotated[str | None, Meta(description="Bucket of an s3 target.", examples=["my-bucket"])] = None
    prefix: Annotated[str, Meta(description="What all keys start with: 'models/'.", examples=["models/"])] = ""
    public_url: Annotated[
        str | None,
        Meta(
            title="Public address",
            description="Where pages find loader.js' folder.",
            examples=["https://cdn.example.com/models/"],
        ),
    ] = None
    endpoint_url: Annotated[
        str,
        Meta(
            title="Address of the store",
            description="Address of an S3-compatible store; empty for AWS.",
            examples=["https://s3.example.com"],
        ),
    ] = ""
    addressing: Annotated[Literal["auto", "path", "virtual"], Meta(description="Where the bucket's name goes.")] = (
        "auto"
    )
    region: Annotated[str, Meta(description="AWS region; empty for the environment's.", examples=["eu-central-1"])] = ""
    profile: Annotated[str, Meta(description="AWS profile; empty for the standard chain.", examples=["publisher"])] = ""
    no_overwrite_header: Annotated[
        str,
        Meta(
            title="Header against overwriting",
            description="Header that makes a store without If-None-Match refuse to overwrite.",
            examples=["x-oss-forbid-overwrite"],
        ),
    ] = ""
    encoding: Annotated[
        Literal["br", "gzip", "identity"], Meta(description="The one encoding objects are stored in.")
    ] = "br"
    headers: Annotated[
        dict[str, dict[str, str]],
        Meta(
            description="More headers, by pattern of the path: later ones win.",
            examples=[{"*.bin": {"Timing-Allow-Origin": "*"}}],
        ),
    ] = field(default_factory=dict)
    keep_releases: Annotated[
        int, Meta(title="Releases to keep", ge=1, description="How many releases prune keeps.", examples=[10])
    ] = 5
    grace: Annotated[
        str,
        Meta(
            title="Grace period",
            description="Nothing that was live or written more recently is pruned.",
            examples=["7 d", "90 min"],
        ),
    ] = "24 h"
    origin: Annotated[
        str,
        Meta(
            title="Origin of the pages",
            description="Origin of the pages, for the check of CORS.",
            examples=["https://app.example.com"],
        ),
    ] = "https://example.com"
    cloudfront: Annotated[
        str,
        Meta(
            title="CloudFront distribution",
            description="Distribution whose copy of loader.js is invalidated.",
            examples=["E2EXAMPLE1234"],
        ),
    ] = ""
    hook: Annotated[
        tuple[str, ...],
        Meta(
            title="Command after a release",
            description="Command run after a release, with the changed paths.",
            examples=[["python", "purge.py"]],
        ),
    ] = ()
