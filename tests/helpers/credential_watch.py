"""Watches that no credential of the test servers appears in anything that tests print, log, raise or leave behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

watched = ("test_deploy_", "test_shared_cache", "test_cluster")
secret, reader_secret = "testsecret123", "readersecret456"  # of the servers
wrong_secret = "wrong-secret-word"  # what tests of refused credentials use
words = (secret, reader_secret, wrong_secret)
encoded_words = [word.encode() for word in words]
servers = {"seaweed", "rclone"}  # their own folders hold their configuration
largest = 64 << 20
left_behind = pytest.StashKey[list[Path]]()


def leaks(text: str) -> list[str]:
    """Give the credentials that a text holds."""
    return [word for word in words if word in text]


def leaking_files(folder: Path) -> Iterator[Path]:
    """Give the files below a test's folder that hold credentials, those of the servers themselves left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - servers)
        for path in (os.path.join(parent, name) for name in names):  # noqa: PTH118 of Path it would take seconds
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
                continue
            with open(path, "rb") as file:  # noqa: PTH123
                content = file.read()
            if any(word in content for word in encoded_words):
                yield Path(path)


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Look through a test's folder when all else of the test has ended, before pytest removes it."""
    yield tmp_path
    if request.path.name.startswith(watched):
        request.node.stash[left_behind] = list(leaking_files(tmp_path))


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
        files = item.stash.get(left_behind, []) if call.when == "teardown" else []
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
