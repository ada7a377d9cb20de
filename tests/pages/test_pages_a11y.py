"""What all pages keep to: no accessibility violation, no error, no model before it is wanted, two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, bare_site, drawing, pages, patience, root, violations
from tests.helpers.serving import Site

folder = root / "assets" / "pages"
modules = ("language.js", "list.js", "page.js", "pictures.js", "compare.js", "tiles.js", "network.js")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # The bundle is not needed: without one every page must still be whole, so an empty one is served.
    with bare_site(tmp_path_factory.mktemp("bare")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*drawing) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("name", pages)
def test_no_violation_in_either_language_light_and_dark(site: Site, browser: Browser, name: str) -> None:
    witness = Witness()
    for width, scheme, language in ((1100, "light", "en"), (380, "dark", "zh")):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        page.set_default_timeout(patience)
        witness.watch(page)
        page.goto(f"{site.url}assets/pages/{name}?lang={language}")
        page.wait_for_selector("header.site nav a[href]")
        assert violations(page) == [], f"{name}, {scheme}, {language}"
        # Nothing is cut off at the side of a phone.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width} pixels"
        page.close()
    assert witness.troubles == []


@pytest.mark.slow
@pytest.mark.parametrize("name", pages)
def test_the_first_screen_takes_nothing_of_a_model(site: Site, browser: Browser, name: str) -> None:
    witness = Witness()
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{site.url}assets/pages/{name}")
    assert page.locator("h1").inner_text().strip()
    assert page.locator("main img").first.evaluate("(image) => image.naturalWidth") > 100
    assert re.search(r"[\u4e00-\u9fff]", page.locator("main").inner_text()) is None
    page.close()
    page = browser.new_page()
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/{name}", wait_until="load")
    page.wait_for_selector("header.site nav a[href]")
    assert [url for url in witness.asked if "/node_modules/" in url or "/cdn/assets/" in url] == []
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", pages)
def test_the_language_can_be_changed_and_stays(site: Site, browser: Browser, name: str) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(patience)
    page.goto(f"{site.url}assets/pages/{name}")
    page.wait_for_selector("header.site nav a[href]")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert re.search(r"[\u4e00-\u9fff]", page.title() + page.locator("h1").inner_text())
    page.get_by_role("button", name="English").click()
    assert not re.search(r"[\u4e00-\u9fff]", page.title() + page.locator("main").inner_text())
    assert "lang=en" in page.url
    page.goto(f"{site.url}assets/pages/index.html")
    assert page.locator("html").get_attribute("lang") == "en"
    context.close()


@pytest.mark.slow
def test_a_phone_shows_which_page_this_is_and_stays_where_it_was(site: Site, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 340, "height": 700})
    page.set_default_timeout(patience)
    page.goto(f"{site.url}assets/pages/create.html?lang=zh")
    inside = """() => {
      const { left, right } = document.querySelector("nav [aria-current]")?.getBoundingClientRect() ?? {};
      return left >= 0 && right <= innerWidth;
    }"""
    page.wait_for_function(inside)
    page.evaluate("scrollTo(0, 300)")
    page.reload()
    page.wait_for_function(inside)
    page.wait_for_function("scrollY === 300")
    page.close()


@pytest.mark.slow
def test_the_types_of_the_pages_modules() -> None:
    check_types(folder, *modules, "index.js", "beautify.js", "style.js", "examples.js", "examples-page.js")


@pytest.mark.parametrize("name", pages)
def test_each_page_has_the_shell(name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    head = text[: text.index("</head>")]
    assert head.index('<script src="language.js">') < head.index('href="style.css"') < head.index('type="module"')
    for part in (
        'class="skip"',
        'fetchpriority="low"',
        '<header class="site">',
        '<main id="main"',
        'name="viewport"',
        "<title data-zh=",
    ):
        assert part in text
    assert text.count("<h1>") == 1
    # Each text is there twice.
    assert text.count('lang="en">') - 1 == text.count('lang="zh">')


def test_every_page_is_in_the_header_and_on_the_index() -> None:
    files = {path.name for path in folder.glob("*.html")}
    assert set(pages) == files
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert {name for name in files if f'<a href="{name}">' not in index} == {"index.html"}
