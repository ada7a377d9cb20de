"""Media types of what pages load; Python's own table differs from machine to machine."""

from __future__ import annotations

from pathlib import PurePath

from ...bundle.headers import types as bundle_types
from ...bundle.headers import unknown_type

text = "; charset=utf-8"
types = {
    **bundle_types,
    ".avif": "image/avif",
    ".css": "text/css" + text,
    ".csv": "text/csv" + text,
    ".gif": "image/gif",
    ".htm": "text/html" + text,
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".m4a": "audio/mp4",
    ".md": "text/plain" + text,
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
}


def media_type(name: str) -> str:
    """Return the media type of a file by its name."""
    return types.get(PurePath(name).suffix.lower(), unknown_type)
