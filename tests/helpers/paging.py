"""The pages of ``assets/pages`` for tests: the site they lie on, and the rules that all of them keep."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, Request

from builder.bundle.format import loader_name
from tests.helpers.serving import Site, serve

root = Path(__file__).resolve().parents[2]
listed = re.findall(r'file: "([^"]+)"', (root / "assets" / "pages" / "list.js").read_text(encoding="utf-8"))
pages = ("index.html", *listed)
patience = 240_000
empty_loader = "export const models = {}; export const configure = () => {};"

# Waits of a second and more happen when `pass` says so, and only then: Playwright's clock, which turns back to real
# time, has lost timers on a busy machine.
held_waits = """() => {
  const [later, clear] = [setTimeout, clearTimeout];
  const waits = new Map();
  let now = 0;
  window.setTimeout = (action, ms = 0, ...given) => {
    if (ms < 1000) return later(action, ms, ...given);
    const id = later(() => {}, 0);
    waits.set(id, { at: now + ms, action: () => action(...given) });
    return id;
  };
  window.clearTimeout = (id) => waits.delete(id) || clear(id);
  window.waiting = (ms) => [...waits.values()].some(({ at }) => at === now + ms);
  window.pass = async (ms) => {
    const end = now + ms;
    for (;;) {
      const [id, next] = [...waits].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!next || next.at > end) break;
      waits.delete(id);
      now = next.at;
      next.action();
      await new Promise((done) => later(done, 0));
    }
    now = end;
  };
}"""

# A Chromium whose WebGL is drawn by the processor, and whose camera is a test picture.
drawing = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@contextmanager
def built_site(folder: Path) -> Iterator[Site]:
    """Build the examples below ``folder``, out of the cache where it has them, and serve them with the pages."""
    command = [sys.executable, "build.py", "--quiet", "--out", str(folder / "dist")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nThe examples' sources come with make examples."
    for name in ("assets", "node_modules"):
        (folder / name).symlink_to(root / name)
    with serve(folder) as running:
        yield running


@contextmanager
def bare_site(folder: Path, loader: str = empty_loader) -> Iterator[Site]:
    """Serve the pages with a loader of a test's own, and no bundle."""
    for name in ("assets", "node_modules"):
        (folder / name).symlink_to(root / name)
    (folder / "dist" / "cdn").mkdir(parents=True)
    (folder / "dist" / "cdn" / loader_name).write_text(loader, encoding="utf-8")
    (folder / "dist" / "manifest.json").write_text('{"models": {}}', encoding="utf-8")
    with serve(folder) as running:
        yield running


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """Give what axe-core finds wrong with the page as it is now: rules, with the elements that break them."""
    page.add_script_tag(path=root / "node_modules" / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]


def picturing() -> bool:
    """Tell whether ``SHARDPRESS_PICTURES`` asks for new pictures of the documents."""
    return bool(os.environ.get("SHARDPRESS_PICTURES"))


def for_documents(page: Page, name: str) -> None:
    """Make the picture ``docs/images/page-NAME.jpg`` of a page, if new ones are asked for."""
    if picturing():
        fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=True).stdout
        assert fonts, "no font has the Chinese of the language button: apt-get install fonts-wqy-microhei"
        page.evaluate("scrollTo(0, 0)")
        top = {"x": 0, "y": 0, "width": 1200, "height": 700}
        page.screenshot(path=root / "docs" / "images" / f"page-{name}.jpg", type="jpeg", quality=72, clip=top)


@dataclass(slots=True)
class Witness:
    """What a page did that no page may do.

    Attributes:
        troubles: errors in its console and uncaught ones.
        sent: requests that carry a body or are no GET: a picture could leave the page in them.
        asked: addresses of all requests.
    """

    troubles: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note what ``page`` does from now on."""
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self.troubles.append(message.text) if message.type == "error" else None)

        def note(request: Request) -> None:
            if request.url.startswith(("blob:", "data:")):
                return
            self.asked.append(request.url)
            # An address of more than 2000 characters could carry a picture, too.
            if request.method != "GET" or request.post_data_buffer or len(request.url) > 2000:
                self.sent.append(f"{request.method} {request.url[:100]}")

        page.on("request", note)
