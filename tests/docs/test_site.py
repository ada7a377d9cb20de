"""The site as `make docs` builds it: without a warning, every link leads somewhere, nothing is from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import click
import pytest
from playwright.sync_api import Browser, Page

from builder.cli.main import cli
from tests.docs.test_snippets import config_schema
from tests.helpers.serving import serve
from tests.project.test_errors import explained

root = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does; any warning or word about what is wrong is a failure."""
    target = tmp_path_factory.mktemp("docs") / "site"
    (command,) = re.findall(r"^\t(?:\w+=\w+ )?\$\(PY\) (-m mkdocs .+)$", (root / "Makefile").read_text(), re.MULTILINE)
    done = subprocess.run(
        [sys.executable, *command.split(), "--site-dir", str(target)],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return target


class _Reader(HTMLParser):
    """What a page refers to, and what can be referred to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag in {"a", "area"} and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") != "canonical" and "href" in given:
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])


@cache
def read(path: Path) -> _Reader:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def place(site: Path, page: Path, link: str) -> tuple[Path, str]:
    """Return the file that a link of a page leads to, and the name in it."""
    address, name = urldefrag(link)
    path = unquote(urlsplit(address).path)
    target = page if not path else site / path[1:] if path.startswith("/") else page.parent / path
    target = Path(os.path.normpath(target))
    return (target / "index.html" if target.is_dir() else target), unquote(name)


def test_every_link_leads_somewhere(site: Path) -> None:
    lost = []
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 500
    for page in pages:
        for link in [*read(page).links, *read(page).loads]:
            if re.match(r"[a-z]+:", link):
                continue
            target, name = place(site, page, link)
            known = target.is_file() and (not name or target.suffix != ".html" or name in read(target).names)
            known |= name.startswith("__")  # the theme's own marks
            if not known:
                lost.append(f"{page.relative_to(site)}: {link}")
    assert lost == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert [link for link in read(page).loads if re.match(r"(?!data:)[a-z]+:|//", link)] == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text(encoding="utf-8")), style


def test_links_to_elsewhere_are_few_and_known(site: Path) -> None:
    hosts = {urlsplit(link).hostname for page in site.rglob("*.html") for link in read(page).links if ":" in link}
    assert hosts - {None, "127.0.0.1", "localhost"} <= {"keepachangelog.com", "semver.org", "www.apache.org"}


def test_lists_in_lists_are_lists(site: Path) -> None:
    text = (site / "project/contributing.html").read_text(encoding="utf-8")
    steps = text.split('id="how-to-add-an-onnx-operator"')[1].split("</ol>")[0]
    assert "<ul>" in steps


@pytest.mark.parametrize("language", ["", "zh/"])
def test_every_error_code_has_its_page(site: Path, language: str) -> None:
    for code in explained():
        text = (site / f"{language}errors/{code}/index.html").read_text(encoding="utf-8")
        assert code in re.findall(r"<h1.*?</h1>", text, re.DOTALL)[0], code
    table = read(site / f"{language}errors.html")
    assert {f"errors/{code}/index.html" for code in explained()} <= set(table.links)


@pytest.mark.parametrize("language", ["", "zh/"])
def test_the_reference_has_every_option_and_key(site: Path, language: str) -> None:
    commands = (site / f"{language}cli.html").read_text(encoding="utf-8")
    for command in (cli, *cli.commands.values()):
        for option in command.params:
            if isinstance(option, click.Option):
                assert all(re.search(rf"<code>{name}[ <]", commands) for name in option.opts), (
                    command.name,
                    option.opts,
                )
    keys = (site / f"{language}build-toml.html").read_text(encoding="utf-8")
    for name, one in config_schema()["$defs"].items():
        if name != "Document":
            missing = [key for key in one.get("properties", {}) if f"<code>{key}</code>" not in keys]
            assert missing == [], name


def test_each_language_has_an_index_of_its_own(site: Path) -> None:
    for folder, other in (("search", "zh/"), ("zh/search", "../")):
        text = (site / folder / "search_index.json").read_text(encoding="utf-8")
        docs = json.loads(text)["docs"]
        assert len(docs) > 500
        assert [doc["location"] for doc in docs if doc["location"].startswith(other)] == []
        assert (site / folder / "search_index.js").read_text(encoding="utf-8") == f"var __index = {text}"


def found(page: Page, words: str) -> list[str]:
    """Type into the search as a reader does; give the titles that come, the best first."""
    page.wait_for_load_state("load")
    page.keyboard.press("/")
    box = page.locator(".md-search__input")
    box.fill(words)
    box.press("End")  # the theme waits for a key to be released
    item = page.locator(".md-search-result__item").first
    item.wait_for(timeout=60_000)
    return page.locator(".md-search-result__item h1").all_inner_texts()


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    with serve(site) as served:
        yield served.url


searches = [
    ("index.html", "SP-403", "SP-403"),
    ("index.html", "holds several models", "SP-311"),
    ("index.html", "keep_releases", "build.toml"),
    ("index.html", "word vectors", "Word vectors"),
    ("zh/index.html", "镜像", "安装"),
    ("zh/index.html", "操作指南", "操作指南"),
]


@pytest.mark.parametrize("way", ["http", "file"])
def test_a_reader_finds_what_is_there(site: Path, address: str, browser: Browser, way: str) -> None:
    """From a server and from a disk, where browsers start no workers; nothing is asked for elsewhere, or in vain."""
    base = address if way == "http" else f"{site.as_uri()}/"
    visitor = browser.new_context()
    page = visitor.new_page()
    wrong: list[str] = []
    page.on("request", lambda asked: asked.url.startswith((base, "data:", "blob:")) or wrong.append(asked.url))
    page.on("console", lambda line: line.type == "error" and "sitemap" not in line.text and wrong.append(line.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for start, words, title in searches:
        page.goto(f"{base}{start}")
        titles = found(page, words)
        assert any(title in one.replace("\u200b", "") for one in titles[:5]), (words, titles)
    if way == "http":
        assert wrong == []
    visitor.close()


def test_pages_fit_a_phone_and_print(site: Path, address: str, browser: Browser) -> None:
    visitor = browser.new_context(viewport={"width": 390, "height": 844})
    page = visitor.new_page()
    for name in (
        "index",
        "zh/index",
        "cli",
        "build-toml",
        "format",
        "zh/errors",
        "playground",
        "frameworks/vite-react",
    ):
        page.goto(f"{address}{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
    page.emulate_media(media="print")
    hidden = [page.locator(part).first.is_visible() for part in (".md-header", ".md-footer", ".md-sidebar--primary")]
    assert not any(hidden)
    assert page.pdf().startswith(b"%PDF")
    visitor.close()


def test_the_playground_is_in_the_site(site: Path) -> None:
    for language in ("", "zh/"):
        links = read(site / f"{language}playground.html").links
        pages = {
            place(site, site / f"{language}playground.html", link)[0] for link in links if "/assets/pages/" in link
        }
        assert {page.name for page in pages} == {path.name for path in (root / "assets/pages").glob("*.html")} - {
            "index.html"
        }
    built = (root / "dist/cdn/loader.js").is_file()
    assert (site / "playground/dist/cdn/loader.js").is_file() is built


def test_a_page_of_the_playground_works(site: Path, address: str, browser: Browser) -> None:
    """With the models of `make build` it answers, without them it says so; nothing is asked for elsewhere."""
    visitor = browser.new_context()
    page = visitor.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda asked: asked.url.startswith((address, "data:", "blob:")) or elsewhere.append(asked.url))
    page.goto(f"{address}zh/playground.html")
    page.locator(".sp-card").first.click()
    page.wait_for_function("document.body?.dataset.state === 'idle'")
    page.click("#start")
    page.wait_for_function("/done|failed/.test(document.body?.dataset.state)", timeout=240_000)  # a processor draws
    built = (site / "playground/dist/cdn/loader.js").is_file()
    assert page.locator("body").get_attribute("data-state") == ("done" if built else "failed")
    assert elsewhere == []
    visitor.close()


def test_every_page_is_in_the_navigation(site: Path) -> None:
    """From the first page a reader comes to each other one; made pages of error codes are in their table."""
    shown = set(read(site / "index.html").links)
    pages = [path.relative_to(root / "docs").as_posix() for path in (root / "docs").rglob("*.md")]
    english = {name.replace("README.md", "index.md").removesuffix(".md") for name in pages if ".zh." not in name}
    assert {name for name in english - {"index"} if f"{name}.html" not in shown} == set()
