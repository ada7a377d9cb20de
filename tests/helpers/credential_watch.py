"""Watches that no credential of the test servers appears in anything that tests print, log, raise or leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import s3_server

watched = ("test_deploy_", "test_shared_cache", "test_cluster")
wrong_secret = "wrong-secret-word"  # what tests of refused credentials use
words = (s3_server.secret, s3_server.reader_secret, wrong_secret)
servers = {"seaweed", "rclone"}  # their own folders hold their configuration
largest = 64 << 20


def leaks(text: str) -> list[str]:
    """Give the credentials that a text holds."""
    return [word for word in words if word in text]


def leaking_files(folder: Path) -> Iterator[Path]:
    """Give the files below a test's folder that hold credentials, those of the servers themselves left out."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if servers & set(inside) or not path.is_file() or path.is_symlink() or path.stat().st_size > largest:
            continue
        content = path.read_bytes()
        if any(word.encode() in content for word in words):
            yield path


class Watch:
    """The pytest plugin: a test that leaks fails, whatever else it asserts."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.looked_at = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        report: pytest.TestReport = yield  # type: ignore[assignment,misc]
        if not item.path.name.startswith(watched):
            return report  # type: ignore[return-value]
        texts = [content for _, content in report.sections]
        if call.excinfo is not None:
            texts += [str(call.excinfo.value), repr(call.excinfo.value)]
        if call.when == "teardown":
            texts += self.texts
            self.texts.clear()
        found = {word for text in texts for word in leaks(text)}
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        files = list(leaking_files(folder)) if call.when == "teardown" and folder is not None else []
        self.looked_at += sum(map(len, texts))
        if found or files:
            report.outcome = "failed"
            where = ", ".join(str(file) for file in files) or "what was printed, logged or raised"
            report.longrepr = f"a credential appears in {where} (the words themselves are not repeated here)"
        return report  # type: ignore[return-value]

    def note(self, text: str) -> None:
        """Take what a test has read from a capture, which no report holds any more."""
        self.texts.append(text)


def watch_captures(watch: Watch, patch: pytest.MonkeyPatch) -> None:
    """Have every ``readouterr`` told to the watch."""
    read = pytest.CaptureFixture.readouterr

    def told(self: pytest.CaptureFixture[str]) -> object:
        result = read(self)
        watch.note(f"{result.out}\n{result.err}")
        return result

    patch.setattr(pytest.CaptureFixture, "readouterr", told)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch."""
    watch, patch = Watch(), pytest.MonkeyPatch()
    config.pluginmanager.register(watch)
    watch_captures(watch, patch)
    config.add_cleanup(patch.undo)
