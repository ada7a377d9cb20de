"""Settings of all tests."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.helpers.credential_watch import pytest_configure, tmp_path  # noqa: F401 what looks for credentials

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

# A busy machine is no failure: speed is measured in bench/, never in tests. CI tries the same examples each time, so
# that it tells of the change under test; everybody else looks for new ones.
settings.register_profile("shardpress", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("shardpress")

# Containers often ask for no compiled modules: then all are compiled anew in each of pytest's processes, and in each
# that a test starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and ends by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Deploys of small bundles write and remove tens of thousands of files: in memory where there is plenty, 8 GB at least.
memory = Path("/dev/shm")
if memory.is_dir() and shutil.disk_usage(memory).free > 8e9:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))

# Files that take a minute or more, which would otherwise be the last ones to run, each alone on one core.
long_files = frozenset(
    f"test_{name}.py"
    for name in [
        "backends",
        "determinism",
        "frameworks",
        "graphs_corpus",
        "keras_matrix",
        "kill",
        "page_ar",
        "page_classify",
        "page_create",
        "page_photos",
        "page_retrain",
        "pages",
        "pipelines",
        "second_wall",
        "source_cases",
        "worker",
    ]
)


def pytest_sessionstart() -> None:
    """Bundle the loader's scripts once, before many workers do and tests hide Node; the templates stay as they are."""
    from builder.bundle import scripts
    from builder.errors import ShardpressError

    with suppress(ShardpressError):  # the tests that need them tell it
        scripts.ready_scripts()
    hashed, own = scripts.sources_hash, scripts.template_folder()
    known = hashed(own)
    scripts.sources_hash = lambda folder: known if folder == own else hashed(folder)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep what was imported out of the collector's rounds."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files."""
    items.sort(key=lambda item: item.path.name not in long_files)


@pytest.fixture(scope="session", autouse=True)
def untouched_checkout() -> Iterator[None]:
    """Refuse tests that touch files of this checkout: watch modes of other tests would build and reload by them."""
    root = Path(__file__).resolve().parents[1]
    watched = [path for name in ("templates", "builder") for path in (root / name).rglob("*.*[!c]")]
    before = {path: path.stat().st_mtime_ns for path in watched if path.is_file()}
    yield
    touched = [str(path) for path, time in before.items() if not path.exists() or path.stat().st_mtime_ns != time]
    assert not touched, f"a test has written to {touched}: copy the checkout, as tests/helpers/developing.py does"


@pytest.fixture(autouse=True)
def quick_brotli(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Encode quickly what fast tests build and deploy, 0.1 s for each loader otherwise: they ask for no size of it."""
    if "slow" not in request.keywords:
        monkeypatch.setattr("builder.stores.encoding.quality", 5)
        monkeypatch.setattr("builder.packing.compress.best_quality", 6)  # the least that takes the way of the best
        monkeypatch.setattr("builder.codecs.fitting.thorough", 6)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a Chromium; files that need another one have a fixture of this name themselves."""
    from tests.helpers.browsing import chromium  # most tests need none

    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give a visitor who has never been here."""
    visitor = browser.new_context()
    yield visitor
    visitor.close()
