"""The test server itself: a wrong one would make other tests pass for wrong reasons."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.helpers.serving import serve


def test_it_serves_files_with_types_cors_and_a_log(tmp_path: Path) -> None:
    (tmp_path / "a b.js").write_text("export {}")
    (tmp_path / "c.bin").write_bytes(b"12")
    with serve(tmp_path) as site:
        with urllib.request.urlopen(site.url + "a%20b.js?x=1") as answer:
            assert answer.read() == b"export {}"
            assert answer.headers["Content-Type"].startswith("text/javascript")
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(site.url + "no.bin")
        missing.value.close()
        site.fail = lambda path: 503 if path == "/c.bin" else None
        with pytest.raises(urllib.error.HTTPError) as broken:
            urllib.request.urlopen(site.url + "c.bin")
        broken.value.close()
        assert site.paths() == ["/a b.js", "/no.bin", "/c.bin"]
        assert [item.status for item in site.requests] == [200, 404, 503]
        site.forget()
        assert site.paths() == []
