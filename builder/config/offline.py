"""The table ``[offline]`` of build.toml."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

kinds = ("html", "js", "mjs", "css", "json", "webmanifest", "svg", "png", "webp", "avif", "ico", "woff2")


class OfflineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[offline]``: the service worker of a finished site."""

    site: Annotated[
        str,
        Meta(
            title="Folder of the site",
            description="Folder of the finished site; the worker is written into it.",
            min_length=1,
            examples=["public"],
        ),
    ]
    base: Annotated[
        str,
        Meta(
            title="Address of the bundle",
            description="Where the bundle is: a folder of the site, or a full address.",
            examples=["https://cdn.example.com/models/", "models/"],
        ),
    ] = "models/"
    shell: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of pages and their files: asked for first, else the kept copy.",
            examples=[["**/*.html", "**/*.js", "**/*.css"]],
        ),
    ] = tuple(f"**/*.{kind}" for kind in kinds)
    runtime: Annotated[
        tuple[str, ...],
        Meta(
            title="Files that never change",
            description="Patterns of files that never change in place: kept copy first.",
            examples=[["assets/**"]],
        ),
    ] = ()
    fallback: Annotated[
        str | None,
        Meta(
            title="Fallback page",
            description="Page that answers for all routes of a single-page app.",
            examples=["index.html"],
        ),
    ] = None
    worker: Annotated[
        str, Meta(title="Service worker", description="File to write, in the site.", examples=["service-worker.js"])
    ] = "sw.js"

    def __post_init__(self) -> None:
        """Check that all of it is below the site's folder."""
        for pattern in (*self.shell, *self.runtime, self.worker):
            if not _is_below(pattern):
                raise ValueError(f"{pattern!r} is not below the site's folder")
        if not self.base.endswith("/") or ("//" not in self.base and not _is_below(self.base)):
            raise ValueError(
                f"the base {self.base!r} is neither a folder like 'models/' nor an address like 'https://…/'"
            )


def _is_below(pattern: str) -> bool:
    return (
        bool(pattern) and not pattern.startswith(("/", "\\")) and ":" not in pattern and ".." not in pattern.split("/")
    )
