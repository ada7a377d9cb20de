"""Headless Chromium for tests."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

switches = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
)

patience = 300.0  # seconds for one call; what Playwright itself gives up is given up before


def without_workers(page: Page) -> bool:
    """Wait until a page has no workers; the browser tells of their end a little later."""
    for _ in range(6000):
        if not page.workers:
            return True
        page.wait_for_timeout(10)
    return False


@contextmanager
def limited_calls() -> Iterator[None]:
    """Have Playwright's calls fail when they are not done after ``patience`` seconds, until the block ends.

    ``evaluate`` and its like have no timeout of their own: a promise that nobody fulfils would be waited for for ever.
    """
    real = Page._sync

    def limited(self: Any, awaitable: Awaitable[Any]) -> Any:
        call = sys._getframe(1)

        async def within() -> Any:
            try:
                async with asyncio.timeout(patience):
                    return await awaitable
            except TimeoutError:
                what = call.f_locals.get("expression", "")
                raise AssertionError(f"{call.f_code.co_name} is not done after {patience:g} s: {what}") from None

        return real(self, within())

    with pytest.MonkeyPatch.context() as patch:
        for base in Page.__mro__:
            if "_sync" in vars(base):
                patch.setattr(base, "_sync", limited)
        yield


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Run the system's Chromium until the block ends; ``more`` are further command line switches."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "Chromium is not installed: run make test, or apt-get install chromium"
    with sync_playwright() as playwright, limited_calls():
        browser = playwright.chromium.launch(executable_path=path, args=[*switches, *more])
        try:
            yield browser
        finally:
            browser.close()
