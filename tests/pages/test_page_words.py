"""The page of words in Chromium: it shows what NumPy finds in the source vectors, first among few, then among all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from builder.sources.word_vectors import read_vectors
from builder.words.answers import unit_rows
from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, for_documents, patience, root, violations
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
models = root / "assets" / "models"
first = 5000

# Holds back the rest of the words until the test says so.
hold = """
let go;
const gate = new Promise((resolve) => { go = resolve; });
window.letRest = () => go();
const { fetch } = window;
window.fetch = async (address, options) => {
  if (String(address.url ?? address).includes("-rest-")) await gate;
  return fetch(address, options);
};
"""


@dataclass(frozen=True, slots=True)
class Source:
    """The vectors as they were before the build, at length 1."""

    words: list[str]
    units: np.ndarray

    def near(self, word: str, rows: int, k: int) -> list[str]:
        """Give the k words nearest to one among the first ``rows``."""
        scores = self.units[:rows] @ self.units[self.words.index(word)]
        return [self.words[row] for row in np.argsort(-scores) if self.words[row] != word][:k]

    def cosine(self, one: str, other: str) -> float:
        return float(self.units[self.words.index(one)] @ self.units[self.words.index(other)])


def source(path: Path, vocabulary: Path | None = None) -> Source:
    batches = list(read_vectors(path, vocabulary))
    words = [word for batch in batches for word in batch.words]
    return Source(words, unit_rows(np.concatenate([batch.rows for batch in batches])))


@pytest.fixture(scope="module")
def english() -> Source:
    return source(models / "words-en" / "vectors.npy", models / "words-en" / "words.txt")


@pytest.fixture(scope="module")
def chinese() -> Source:
    return source(models / "words-zh" / "vectors.bin")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("words")
    only = ["--only", "words-en", "--only", "words-zh"]
    command = [sys.executable, "build.py", "--quiet", "--fast", *only, "--out", str(folder / "dist")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nThe examples' sources come with make examples."
    for name in ("assets", "node_modules"):
        (folder / name).symlink_to(root / name)
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def open_page(browser: Browser, site: Site, witness: Witness, query: str, **options: object) -> Page:
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.set_default_timeout(patience)
    page.add_init_script(hold)
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/words.html{query}")
    page.wait_for_selector("header.site nav a[href]")
    return page


def answers(page: Page, place: str) -> list[tuple[str, float]]:
    items = page.locator(f"{place} li")
    return [
        (items.nth(number).locator("button").inner_text(), float(items.nth(number).locator("span").inner_text()))
        for number in range(items.count())
    ]


def wait(page: Page, name: str, rows: int) -> None:
    page.wait_for_function(f"document.body?.dataset.state === 'done' && document.body?.dataset.{name} === '{rows}'")


def assert_near(page: Page, found: Source, word: str, rows: int) -> None:
    """The page's twelve neighbours are the source's, but for ties that a hundredth decides."""
    got = answers(page, "#nearest")
    assert len(got) == 12
    known = set(found.words[:rows])
    for other, score in got:
        assert other in known
        assert abs(score - found.cosine(word, other)) < 0.015
    assert len({other for other, _ in got} & set(found.near(word, rows, 12))) >= 10
    assert got[0][0] in found.near(word, rows, 2)


def test_typing_suggests_and_answers_come_from_few_words_then_from_all(
    site: Site, browser: Browser, english: Source, tmp_path: Path
) -> None:
    witness = Witness()
    page = open_page(browser, site, witness, "?lang=en", viewport={"width": 1200, "height": 900})
    assert not [url for url in witness.asked if "/cdn/" in url and "loader" not in url]
    field = page.locator("#word")
    field.focus()
    page.wait_for_function("document.querySelector('#status').innerText.includes('5,000 of 100,000')")
    field.press_sequentially("Mus")
    page.wait_for_selector("#word-list li")
    offered = page.locator("#word-list li").all_inner_texts()
    assert set(offered) <= {word for word in english.words[:first] if word.startswith("mus")}
    assert "music" in offered
    for _ in range(offered.index("music") + 1):
        field.press("ArrowDown")
    assert page.locator("#word-list li[aria-selected=true]").inner_text() == "music"
    field.press("Enter")
    wait(page, "rows", first)
    assert_near(page, english, "music", first)
    assert page.locator("#word-list").is_hidden()
    svg = page.locator("#map svg")
    assert set(svg.locator("text").all_text_contents()) == {
        "music",
        *(word for word, _ in answers(page, "#nearest")),
    }
    assert (svg.get_attribute("aria-label") or "").startswith("A map of the words nearest to music")
    page.locator("#relations button").first.click()
    wait(page, "related", first)
    assert answers(page, "#analogy")[0][0] == "queen"
    page.screenshot(path=tmp_path / "base.png", full_page=True)
    for_documents(page, "words")
    field.fill(english.words[70_000])
    field.press("Enter")
    page.wait_for_function("document.querySelector('#nearest-say').innerText.includes('Waiting for the rest')")
    page.evaluate("letRest()")
    wait(page, "rows", 100_000)
    assert_near(page, english, english.words[70_000], 100_000)
    wait(page, "related", 100_000)
    assert "All 100,000 words are loaded" in page.locator("#status").inner_text()
    page.locator("#nearest button").first.click()
    page.wait_for_function(
        "(word) => document.querySelector('#nearest-say').innerText.includes(word)", arg=field.input_value()
    )
    page.screenshot(path=tmp_path / "all.png", full_page=True)
    field.fill("musicqqq")
    field.press("Enter")
    page.wait_for_function("document.querySelector('#nearest-say').innerText.includes('Did you mean')")
    assert [url for url in witness.asked if "tf.min.js" in url or "/tf." in url] == []
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


def test_chinese_in_chinese_on_a_phone_in_the_dark(
    site: Site, browser: Browser, chinese: Source, tmp_path: Path
) -> None:
    witness = Witness()
    size = {"width": 390, "height": 844}
    page = open_page(browser, site, witness, "?lang=zh", viewport=size, color_scheme="dark")
    assert page.locator("input[name=tongue][value=zh]").is_checked()
    page.get_by_role("button", name="春天").click()
    wait(page, "rows", first)
    assert_near(page, chinese, "春天", first)
    page.evaluate("letRest()")
    wait(page, "rows", len(chinese.words))
    assert_near(page, chinese, "春天", len(chinese.words))
    page.locator("#relations button").nth(1).click()
    wait(page, "related", len(chinese.words))
    assert answers(page, "#analogy")[0][0] == "巴黎"
    page.screenshot(path=tmp_path / "phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#word").fill("招聘")
    page.locator("#word").press("Enter")
    page.wait_for_function("document.querySelector('#nearest-say').innerText.includes('招聘')")
    page.wait_for_selector("#nearest li button:text-is('应聘')")
    assert violations(page) == []
    page.get_by_role("radio", name="英文").check()
    assert page.locator("#nearest li").count() == 0
    assert witness.troubles == []
    page.close()


def test_without_a_network_the_page_says_so(site: Site, browser: Browser) -> None:
    page = open_page(browser, site, Witness(), "?lang=en")
    page.context.route("**/cdn/assets/**", lambda route: route.abort())
    page.get_by_role("button", name="music", exact=True).click()
    page.wait_for_selector("body[data-state=failed]")
    assert "cannot be fetched" in page.locator("#nearest-say").inner_text()
    page.context.unroute("**/cdn/assets/**")
    page.get_by_role("button", name="music", exact=True).click()
    wait(page, "rows", first)
    page.close()


def test_the_scripts_pass_the_type_checker() -> None:
    folder = root / "assets" / "pages"
    check_types(folder, *(str(folder / name) for name in ("words.js", "words-map.js", "suggest.js")))
