"""Inserts the client into any HTML, and makes the page that is shown while a page is missing."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from html import escape

from starlette.responses import Response

from .files import answer_bytes

page_path = "/.shardpress/page.js"
page_endings = frozenset({".html", ".htm"})
scanned = 1024  # bytes in which browsers look for a declaration of the charset
marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
comment = re.compile(rb"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
before_head = (
    re.compile(rb"\s*" + comment.pattern, re.DOTALL),
    re.compile(rb"""\s*<(?:html|head)(?=[\s/>])(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE),
    re.compile(rb"\s*<[!?][^>]*(?:>|\Z)"),  # the doctype among them
)
meta_tag = re.compile(rb"""<meta(?=[\s/])(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
declared = re.compile(rb"""\bcharset\s*=\s*["']?\s*([a-z0-9_:.-]+)""", re.IGNORECASE)
nonce = re.compile(rb"""(?:'|&#39;|&apos;)nonce-([a-z0-9+/_-]+={0,2})""", re.IGNORECASE)


def wants_client(request: Mapping[str, str]) -> bool:
    """Whether a request is for a page to be shown; pages that scripts fetch as text stay unchanged."""
    return request.get("sec-fetch-dest", "document") in {"document", "iframe", "frame", "embed", "object"}


def answer_page(content: bytes, state: str, request: Mapping[str, str], headers: Mapping[str, str]) -> Response:
    """Answer with a page that has the client.

    Args:
        content: the HTML, in any charset.
        state: of the pages, that the client compares with later ones.
        request: its headers.
        headers: to add to the answer.
    """
    charset = charset_of(content)
    kind = "text/html" + (f"; charset={charset}" if charset else "")
    if wants_client(request):
        content = with_client(content, state)
    return answer_bytes(content, kind, request, headers)


def with_client(content: bytes, state: str) -> bytes:
    """Return HTML with the client as the first element of its head, explicit or implied.

    There no ``<base>`` redirects it, no policy of a ``<meta>`` stops it, and it comes before all scripts. It is a
    classic script, which an import map may follow.
    """
    mark, encoding = next(((mark, name) for mark, name in marks if content.startswith(mark)), (b"", ""))
    wide = encoding.startswith("utf-16")
    plain = content[len(mark) :].decode(encoding, "replace").encode("utf-8") if wide else content[len(mark) :]
    at = head_start(plain)
    tag = client_tag(plain, state)
    if not wide:
        return mark + plain[:at] + tag + plain[at:]
    # What could not be decoded is kept: only the place is found in the decoded copy.
    units = len(plain[:at].decode("utf-8").encode(encoding))
    body = content[len(mark) :]
    return mark + body[:units] + tag.decode().encode(encoding) + body[units:]


def client_tag(content: bytes, state: str) -> bytes:
    """Return the tag of the client, with the nonce that the page's own policy asks for."""
    policies = [tag for tag in meta_tag.findall(content) if b"content-security-policy" in tag.lower()]
    found = nonce.search(b" ".join(policies))
    secret = f' nonce="{found[1].decode()}"' if found else ""
    return f'<script defer src="{page_path}" data-shardpress-pages="{escape(state)}"{secret}></script>\n'.encode()


def head_start(content: bytes) -> int:
    """Return where the head's content begins: after doctype, comments, ``<html>`` and ``<head>``, as far as written."""
    at = 0
    while True:
        found = next(filter(None, (one.match(content, at) for one in before_head)), None)
        if not found:
            return at
        at = found.end()


def charset_of(content: bytes) -> str:
    """Return the charset to declare: that of the page, which its own declaration may come too late for; else UTF-8.

    Nothing where it declares none and is no UTF-8: browsers guess then.
    """
    for mark, name in marks:
        if content.startswith(mark):
            return name.removesuffix("-le").removesuffix("-be")
    head = re.sub(comment, b"", content[:scanned])
    if found := next(filter(None, map(declared.search, meta_tag.findall(head))), None):
        name = found[1].decode("ascii").lower()
        return "utf-8" if name.startswith("utf-16") else name
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "utf-8"


def missing_page(path: str, hint: str, state: str) -> Response:
    """Return a page that says that the page is missing, and reloads when it exists."""
    html = (
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>Not found</title>\n<style>body{font:17px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:40rem;"
        "padding:0 1rem;color-scheme:light dark}</style>\n"
        f"<h1>There is no {escape(repr(path))} here</h1>\n<p>{hint}</p>\n"
        "<p>This page loads again as soon as there is one.</p>\n</html>\n"
    )
    content = with_client(html.encode(), state)
    return Response(content, 404, {"Cache-Control": "no-store"}, "text/html; charset=utf-8")
