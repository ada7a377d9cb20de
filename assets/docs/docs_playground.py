"""The example pages as a part of the site, with the models of ``dist/`` if they are built."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path

root = Path(__file__).resolve().parents[2]
pages = root / "assets" / "pages"
tfjs = Path("node_modules/@tensorflow/tfjs/dist/tf.min.js")
card = re.compile(r'<li class="card page-card">(.*?)</li>', re.DOTALL)
span = re.compile(r'<span lang="(en|zh)">(.*?)</span>', re.DOTALL)


def is_built() -> bool:
    """Say whether the examples have models here, and TensorFlow.js to run them."""
    return (root / "dist" / "cdn" / "loader.js").is_file() and (root / tfjs).is_file()


def listing(language: str) -> str:
    """Return a card for each example page, as the pages' own start page has them."""
    way = "" if language == "en" else "../"  # the Chinese page stands one folder deeper
    parts = []
    if not is_built():
        parts.append(
            '!!! warning "本站构建时没有模型"\n\n    先运行 `make build`，再运行 `make docs`，这些页面就能使用。'
            if language == "zh"
            else '!!! warning "Built without models"\n\n    Run `make build`, then `make docs`: these pages then work.'
        )
    cards = []
    for content in card.findall((pages / "index.html").read_text(encoding="utf-8")):
        title, text = content.split("<p>")
        name = dict(span.findall(title))[language]
        about = dict(span.findall(text))[language]
        (file,) = re.findall(r'href="(.+?)"', title)
        picture = re.findall(rf'<img(?: lang="{language}")? src="(.+?)"', title)[0]
        place = f"{way}playground/assets/pages/"
        cards.append(
            f'<a class="sp-card" href="{place}{file}"><img src="{place}{picture}" alt="" loading="lazy">'
            f"<strong>{unescape(name)}</strong><span>{unescape(about)}</span></a>"
        )
    parts.append(f'<div class="sp-cards">{"".join(cards)}</div>')
    return "\n\n".join(parts)


def copy(source: Path, target: Path) -> None:
    """Put the example pages and what they load where the site has its playground.

    Args:
        source: the repository.
        target: the folder of the playground, made anew.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source / "assets" / "pages", target / "assets" / "pages")
    if not is_built():
        return
    shutil.copytree(source / "dist" / "cdn", target / "dist" / "cdn")
    shutil.copy2(source / "dist" / "manifest.json", target / "dist" / "manifest.json")
    (target / tfjs).parent.mkdir(parents=True)
    shutil.copy2(source / tfjs, target / tfjs)
