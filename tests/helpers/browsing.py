"""Headless Chromium for tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

switches = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
)


def without_workers(page: Page) -> bool:
    """Wait until a page has no workers; the browser tells of their end a little later."""
    for _ in range(6000):
        if not page.workers:
            return True
        page.wait_for_timeout(10)
    return False


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Run the system's Chromium until the block ends; ``more`` are further command line switches."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "Chromium is not installed: run make test, or apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*switches, *more])
        try:
            yield browser
        finally:
            browser.close()
