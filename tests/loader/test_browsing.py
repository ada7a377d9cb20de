"""The browsers of tests: nothing waits for ever in them."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.helpers import browsing, firefox

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["page", "frame", "locator"])
def test_a_promise_that_nobody_fulfils_ends_the_call_and_leaves_the_page(
    kind: str, context: BrowserContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = context.new_page()
    place = {"page": page, "frame": page.main_frame, "locator": page.locator("body")}[kind]
    monkeypatch.setattr(browsing, "patience", 0.5)
    with pytest.raises(AssertionError, match=r"evaluate is not done after 0\.5 s: .*new Promise\(\(\) => \{\}\)"):
        place.evaluate("() => new Promise(() => {})")
    monkeypatch.undo()
    assert page.evaluate("Promise.resolve(2)") == 2


def test_a_page_that_is_busy_for_ever_ends_the_call(context: BrowserContext, monkeypatch: pytest.MonkeyPatch) -> None:
    page: Page = context.new_page()
    monkeypatch.setattr(browsing, "patience", 0.5)
    with pytest.raises(AssertionError, match=r"evaluate is not done after 0\.5 s: .*for \(;;\);"):
        page.evaluate("() => { for (;;); }")


def test_firefox_says_what_it_did_not_answer() -> None:
    never = "new Promise(() => console.log(setInterval(() => console.log('busy'), 10)))"
    with firefox.firefox() as browser:
        page = browser.new_context().new_page()
        browser.connection.patience = 0.5
        with pytest.raises(firefox.FirefoxError, match=r"(?s)evaluate is not done after 0\.5 s: .*setInterval"):
            page.evaluate(never)
