"""The page Understand: sentences by their meaning, and ``run`` on texts of every kind, against ONNX Runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, drawing, for_documents, patience, root, violations
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
model = root / "assets" / "models" / "meaning"
odd = {
    "empty": "",
    "spaces": " \t\n\u3000 ",
    "lone surrogates": "\ud83d half \ude00 a character \ud800",
    "right to left": "متى يصل الطرد؟ מתי תגיע החבילה? \u202eabc\u202c",
    "emoji": "👩🏽‍🚀 👨‍👩‍👧‍👦 🇨🇳 ☕️ 1️⃣",
    "joined": "e\u0301 ﬁ ½ \u00ad\ufeff\0x",
    "a megabyte": "你好 hello, " * 65_000,
    "a megabyte in one word": "é" * 524_288,
}
vectors = """async (given) => {
  const { models } = await import("/dist/cdn/loader.js");
  const handle = models.meaning.load({ when: "now" });
  await handle.full;
  const before = tf.memory().numTensors;
  const found = (await handle.run(given.map((text) => JSON.parse(text)))).map(({ values }) => [...values]);
  return { found, left: tf.memory().numTensors - before };
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("understand")
    command = [sys.executable, "build.py", "--quiet", "--fast", "--only", "meaning", "--out", str(folder / "dist")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nThe examples' sources come with make examples."
    for name in ("assets", "node_modules"):
        (folder / name).symlink_to(root / name)
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*drawing) as running:
        yield running


def nearest(page: Page) -> list[str]:
    return page.locator("#nearest b").all_inner_texts()


def test_what_means_the_same_comes_first_in_both_languages(site: Site, browser: Browser) -> None:
    witness = Witness()
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(patience)
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/understand.html?lang=en")
    page.wait_for_selector("nav a")
    assert [url for url in witness.asked if "/cdn/" in url] == []
    page.get_by_role("button", name="what are your opening hours").click()
    page.wait_for_selector("body[data-state=done]")
    assert set(nearest(page)[:2]) == {"你们几点营业\uff1f", "When are you open?"}
    for_documents(page, "understand")
    page.locator("#text").fill("包裹怎么还没有到")
    page.get_by_role("button", name="Find", exact=True).click()
    page.wait_for_function("document.querySelector('#nearest b').textContent.startsWith('我的')")
    assert set(nearest(page)[:2]) == {"我的包裹到哪里了\uff1f", "Where is my package?"}
    page.locator("#sentences").fill("Cats sleep all day.\n\n  狗喜欢跑步。\n狗喜欢跑步。")
    page.locator("#text").fill("dogs love running")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#nearest b').length === 2")
    assert nearest(page) == ["狗喜欢跑步。", "Cats sleep all day."]
    assert violations(page) == []
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


def test_run_makes_of_any_text_what_the_reference_makes(site: Site, browser: Browser) -> None:
    """The package tokenizers and ONNX Runtime: lines in both languages, and texts that are hardly any."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    options = onnxruntime.SessionOptions()
    # Optimised, it would multiply rounded activations where weights are bytes.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model / "model.onnx"), options, providers=["CPUExecutionProvider"])
    lines = (root / "assets" / "texts" / "meaning.txt").read_text("utf-8").splitlines()
    texts = [*lines[::5], *odd.values()]  # bench/texts.py takes all
    page = browser.new_page()
    page.set_default_timeout(patience)
    page.goto(f"{site.url}assets/pages/understand.html")
    page.add_script_tag(url=f"{site.url}node_modules/@tensorflow/tfjs/dist/tf.min.js")
    page.evaluate("import('/dist/cdn/loader.js').then(({ configure }) => configure({ tf }))")
    given = page.evaluate(vectors, [json.dumps(text) for text in texts])
    assert given["left"] == 0
    apart = {}
    for text, found in zip(texts, given["found"], strict=True):
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        one = tokenizer.encode(whole)
        fed = {"input_ids": np.array([one.ids]), "attention_mask": np.array([one.attention_mask])}
        cosine = float(session.run(None, fed)[0][0] @ np.array(found, np.float32))
        if not cosine >= 0.999:
            apart[text[:40]] = cosine
    assert apart == {}
    page.close()


def test_the_script_is_typed_and_short() -> None:
    check_types(root, "assets/pages/understand.js")
    assert len((root / "assets" / "pages" / "understand.js").read_text().splitlines()) < 65
