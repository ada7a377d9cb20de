"""What the documentation's site does beyond Markdown: MkDocs calls these functions (``mkdocs.yml``, ``hooks``).

Pages are written for two readers, a repository's viewer and the site. Here is what the site needs besides: titles of
code blocks, the pages that stand outside of ``docs/``, reference pages made of the program itself, a page for each
error code, an index for the search in each language, and the example pages as a playground.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

root = Path(__file__).resolve().parents[2]
if str(root) not in sys.path:
    sys.path.insert(0, str(root))

import docs_commands  # noqa: E402 they need the path above
import docs_errors  # noqa: E402
import docs_outside  # noqa: E402
import docs_playground  # noqa: E402
import docs_search  # noqa: E402
import docs_settings  # noqa: E402
import docs_types  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

made_of_the_program = {
    "<!-- made: commands -->": docs_commands.commands,
    "<!-- made: build.toml -->": docs_settings.config_keys,
    "<!-- made: manifest.json -->": docs_settings.manifest_keys,
    "<!-- made: types -->": docs_types.declarations,
    "<!-- made: playground -->": docs_playground.listing,
}
fence_title = re.compile(r"^(\s*```+)(\w+) (\S[^\n\"{}]*)$", re.MULTILINE)
chinese_lines = re.compile(r"(?<=[\u3001-\u9fff\uff01-\uff5e])\n *(?=[\u3001-\u9fff\uff01-\uff5e])")
after_a_stop = re.compile(
    r"(^ *```.*?^ *```$)|(?<=[\u3001\u3002\uff01\uff09\uff0c\uff1a\uff1b\uff1f])\n *(?=`[^`\n]|[A-Za-z\[])",
    re.MULTILINE | re.DOTALL,
)
nested = re.compile(r"^ {2,3}(?=(?:[-*]|\d+\.) )", re.MULTILINE)
alternate = re.compile(r'\s*<link rel="alternate" href="(?!https?:)[^"]*" hreflang="[^"]*">')
no_addresses = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"/>\n'
virtual: dict[str, str] = {}  # text of the pages that are not files of docs/, by their place in it


def language_of(source: str) -> str:
    """Return ``zh`` or ``en``: what the file of a page is written in."""
    return "zh" if source.endswith(".zh.md") else "en"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made: i18n, which comes later, takes them for files of docs/."""
    virtual.clear()
    virtual.update(docs_outside.pages())
    virtual.update(docs_errors.pages())
    for source in virtual:
        files.append(File(source, config.docs_dir, config.site_dir, config.use_directory_urls))
    return files


def on_page_read_source(*, page: Page, config: MkDocsConfig) -> str | None:
    """Give the text of a page that is no file."""
    return virtual.get(page.file.src_uri)


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn what a repository's viewer reads into what Python-Markdown reads."""
    language = language_of(page.file.src_uri)
    for mark, make in made_of_the_program.items():
        if mark in markdown:
            markdown = markdown.replace(mark, make(language))
    if page.file.src_uri in {"errors.md", "errors.zh.md"}:
        markdown = docs_errors.linked(markdown)
    if language == "zh":  # a line break between two characters, or after a stop, is no space in Chinese
        markdown = docs_outside.outside_code(markdown, lambda text: chinese_lines.sub("", text))
        markdown = after_a_stop.sub(lambda match: match[1] or "", markdown)
    # A list in a list begins with four spaces here, with two or three elsewhere.
    markdown = docs_outside.outside_code(markdown, lambda text: nested.sub("    ", text))
    markdown = docs_outside.inside(markdown, page.file.src_uri)
    return fence_title.sub(r'\1{.\2 title="\3"}', markdown)


def on_post_template(output: str, *, template_name: str, config: MkDocsConfig) -> str:
    """Leave the site map empty until the site has an address: its places would be wrong, and the theme asks for it."""
    return no_addresses if template_name == "sitemap.xml" and not config.site_url else output


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Have Chinese pages search the index of Chinese pages; other languages by their full addresses or not at all."""
    output = alternate.sub("", output)
    return docs_search.own_index(output) if page.url.startswith("zh/") else output


@event_priority(-200)
def on_post_build(*, config: MkDocsConfig, **_: Any) -> None:
    """Divide the search index by language and bring in the playground, after all plugins."""
    site = Path(config.site_dir)
    docs_search.divide(site / "search")
    shutil.copyfile(site / "sitemap.xml", site / "zh" / "sitemap.xml")  # where the theme looks for it
    docs_playground.copy(root, site / "playground")
