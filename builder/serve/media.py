"""Media types of what pages load; Python's own table differs from machine to machine."""

from __future__ import annotations

from pathlib import PurePath

unknown = "application/octet-stream"


def media_type(name: str) -> str:
    """Give the media type of a file by its name."""
    text = "; charset=utf-8"
    types = {
        ".avif": "image/avif",
        ".bin": unknown,
        ".css": "text/css" + text,
        ".csv": "text/csv" + text,
        ".gif": "image/gif",
        ".htm": "text/html" + text,
        ".html": "text/html" + text,
        ".ico": "image/vnd.microsoft.icon",
        ".jpeg": "image/jpeg",
        ".jpg": "image/jpeg",
        ".js": "text/javascript" + text,
        ".json": "application/json",
        ".map": "application/json",
        ".md": "text/plain" + text,
        ".mjs": "text/javascript" + text,
        ".mp4": "video/mp4",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain" + text,
        ".wasm": "application/wasm",
        ".webm": "video/webm",
        ".webmanifest": "application/manifest+json",
        ".webp": "image/webp",
        ".woff2": "font/woff2",
    }
    return types.get(PurePath(name).suffix.lower(), unknown)
