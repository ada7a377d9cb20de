"""The tables ``[targets.NAME]`` of ``build.toml``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .table import Table


class TargetConfig(Table, frozen=True):
    """The table ``[targets.NAME]``: where releases are published."""

    type: Literal["s3", "directory"]
    path: Annotated[str | None, Meta(description="Folder of a directory target.")] = None
    bucket: Annotated[str | None, Meta(description="Bucket of an s3 target.")] = None
    prefix: Annotated[str, Meta(description="What all keys start with: 'models/'.")] = ""
    public_url: Annotated[str | None, Meta(description="Where pages find loader.js' folder.")] = None
    endpoint_url: Annotated[str, Meta(description="Address of an S3-compatible store; empty for AWS.")] = ""
    addressing: Annotated[Literal["auto", "path", "virtual"], Meta(description="Where the bucket's name goes.")] = (
        "auto"
    )
    region: Annotated[str, Meta(description="AWS region; empty for the environment's.")] = ""
    profile: Annotated[str, Meta(description="AWS profile; empty for the standard chain.")] = ""
    no_overwrite_header: Annotated[
        str, Meta(description="Header that makes a store without If-None-Match refuse to overwrite.")
    ] = ""
    encoding: Annotated[
        Literal["br", "gzip", "identity"], Meta(description="The one encoding objects are stored in.")
    ] = "br"
    headers: Annotated[
        dict[str, dict[str, str]], Meta(description="More headers, by pattern of the path: later ones win.")
    ] = field(default_factory=dict)
    keep_releases: Annotated[int, Meta(ge=1, description="How many releases prune keeps.")] = 5
    grace: Annotated[str, Meta(description="Nothing that was live or written more recently is pruned.")] = "24 h"
    origin: Annotated[str, Meta(description="Origin of the pages, for the check of CORS.")] = "https://example.com"
    cloudfront: Annotated[str, Meta(description="Distribution whose copy of loader.js is invalidated.")] = ""
    hook: Annotated[tuple[str, ...], Meta(description="Command run after a release, with the changed paths.")] = ()
