"""Where the client goes in HTML of every kind, and which charset a page is declared to have."""

from __future__ import annotations

import pytest

from builder.develop.server.pages import answer_page, charset_of, head_start, missing_page, with_client

mark = b"<script defer src="


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("", ""),
        ("hello", ""),
        ("<!doctype html>", "<!doctype html>"),
        ("<!DOCTYPE html>\n<title>x</title><p>y", "<!DOCTYPE html>"),
        ("<!doctype html><html><head><title>x</title></head></html>", "<!doctype html><html><head>"),
        ("<HTML LANG='en'><HEAD DATA-X=\"a>b\"><BASE HREF='//x/'>", "<HTML LANG='en'><HEAD DATA-X=\"a>b\">"),
        ("<!-- </head> <head> -->\n<html>\n<head>\n<meta>", "<!-- </head> <head> -->\n<html>\n<head>"),
        ("<!--> <head>", "<!--> <head>"),
        ("<!-- a --!> <head>x", "<!-- a --!> <head>"),
        ("<?xml version='1.0'?><!doctype html><html><body>", "<?xml version='1.0'?><!doctype html><html>"),
        ("<header>no head</header>", ""),
        ("<body title='</head>'>x", ""),
        ("<script>'<head>'</script>", ""),
        ("<head/><p>", "<head/>"),
        ("<html it's><head>", ""),  # no valid HTML: a tag before all of it does no harm
    ],
)
def test_the_client_is_first_in_the_head(html: str, before: str) -> None:
    content = html.encode()
    assert content[: head_start(content)] == before.encode()
    made = with_client(content, "s-1")
    assert made.startswith(before.encode() + mark)
    assert b'data-shardpress-pages="s-1"' in made
    at = made.index(b"</script>\n", len(before)) + len(b"</script>\n")
    assert made[: len(before)] + made[at:] == content


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_pages_stay_what_they_are(encoding: str) -> None:
    html = "\ufeff<!doctype html><html><head><title>Grüße 你好 🙂</title>"
    made = with_client(html.encode(encoding), "s")
    text = made.decode(encoding)
    assert text.index("<head>") < text.index("page.js") < text.index("<title>")
    assert "<title>Grüße 你好 🙂</title>" in text
    broken = html.encode(encoding) + b"\x00"  # half a character at the end
    assert with_client(broken, "s").endswith(b"\x00")


def test_a_mark_of_order_stays_in_front() -> None:
    made = with_client("\ufeff<p>é".encode(), "s")
    assert made.startswith("\ufeff".encode() + mark)


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b"<p>plain", "utf-8"),
        ("<p>é".encode("latin-1"), ""),
        (b"<meta charset=windows-1251><p>\xcf", "windows-1251"),
        (b"<META http-equiv='Content-Type' content='text/html; charset=Shift_JIS'>\x82", "shift_jis"),
        (b"<!-- <meta charset=koi8-r> --><meta charset='utf-8'>", "utf-8"),
        (b"<meta charset=utf-16>", "utf-8"),
        ("\ufeffx".encode("utf-16-le"), "utf-16"),
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "utf-8"),
        (b"<p>" + b"x" * 1100 + b"<meta charset=koi8-r>\xc0", ""),
    ],
)
def test_the_charset_is_the_pages_own(content: bytes, charset: str) -> None:
    assert charset_of(content) == charset
    kind = answer_page(content, "s", {}, {}).headers["content-type"]
    assert kind == ("text/html" + (f"; charset={charset}" if charset else ""))


def test_the_nonce_of_a_policy_is_taken_over() -> None:
    policy = """<meta http-equiv="Content-Security-Policy" content="script-src 'nonce-aB3+/_-='">"""
    assert b'nonce="aB3+/_-="' in with_client(f"<head>{policy}".encode(), "s")
    made = with_client(b"<p>'nonce-abc'</p><meta name=x content=\"'nonce-abc'\">", "s")
    assert b"nonce" not in made.split(b"</script>")[0]


def test_what_a_script_fetches_stays_as_it_is() -> None:
    content = b"<li>a part of a page"
    assert answer_page(content, "s", {"sec-fetch-dest": "empty"}, {}).body == content
    assert mark in bytes(answer_page(content, "s", {"sec-fetch-dest": "iframe"}, {}).body)
    assert mark in bytes(answer_page(content, "s", {}, {}).body)


def test_what_is_missing_is_named_and_escaped() -> None:
    body = bytes(missing_page("<script>x", "hint", "s").body)
    assert b"<script>x" not in body
    assert b"&lt;script&gt;x" in body
    assert mark in body
