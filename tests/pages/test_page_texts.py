"""What pages say, with a bundle and a TensorFlow.js that answer what a test wants: names, doubts, times."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.bundle.test_render import check_types
from tests.helpers.paging import Witness, bare_site, root, violations
from tests.helpers.serving import Site

pytestmark = pytest.mark.slow
ids = list(tomllib.loads((root / "build.toml").read_text(encoding="utf-8"))["models"])

# Gives something of its kind for whatever is asked of it, so that inputs can be prepared. Runs take as long as the size
# of their picture says, on a clock of their own.
tensorflow = """
const anything = new Proxy(() => {}, {
  get: (_, key) => (key === "then" ? undefined : anything),
  apply: (_, self, [first]) => (typeof first === "function" ? first() : anything),
});
globalThis.tf = anything;
"""

loader = """
const labels = { classify: ["tabby, tabby cat", "cup", "fountain"], emotion: ["happy", "sad", "angry"] };
const classes = (name, scores) => {
  const top = scores.map((score, index) => ({ label: labels[name][index], index, score }));
  top.sort((a, b) => b.score - a.score);
  return { ...top[0], top };
};
const answers = {
  classify: () => classes("classify", fake.scores),
  face: () => {
    fake.looks = (fake.looks ?? 0) + 1;
    if (!fake.face) return [];
    const { score, side, again = score } = fake.face;
    return [{ x: 9, y: 9, width: side, height: side, score: fake.looks > 1 ? again : score, points: [] }];
  },
  emotion: () => classes("emotion", fake.emotion),
};
const sizes = new Set();
const entry = (name) => {
  const ready = Promise.resolve({});
  const progress = { phase: "full", loaded: 1e6, total: 1e6 };
  return {
    name, policy: "interaction", format: "graph-model", wireBytes: 1e6, status: async () => "absent",
    load({ onProgress } = {}) {
      for (const phase of ["waiting", "head", "refine", "full"]) {
        onProgress?.({ ...progress, phase });
        fake.said?.();
      }
      return {
        ready, full: ready, progress, labels: labels[name], dispose() {},
        async run(given, { as } = {}) {
          if (answers[name]) return answers[name]();
          const { width, height } = given.image ?? given;
          const first = !sizes.has(width + "x" + height);
          sizes.add(width + "x" + height);
          fake.clock += (width * height) / 100 + (first ? 2000 : 0);
          await fake.gate;
          const scale = name === "enlarge" ? 2 : 1;
          if (as === "imagedata") return new ImageData(width * scale, height * scale);
          return Object.assign(document.createElement("canvas"), { width: width * scale, height: height * scale });
        },
      };
    },
  };
};
export const models = Object.fromEntries(IDS.map((name) => [name, entry(name)]));
export const configure = ({ onEvent }) => Object.assign(fake, { onEvent });
"""

start = """
window.fake = { clock: 1000, scores: [0.9, 0.05, 0.05], emotion: [0.8, 0.1, 0.1], face: undefined };
"""
shut = "() => { fake.gate = new Promise((go) => (fake.go = go)); }"
shut_after = """(clock) => {
  const shut = new Promise(() => {});
  fake.clock = 0;
  Object.defineProperty(fake, "gate", { get: () => (fake.clock > clock ? shut : undefined) });
}"""
own_clock = "performance.now = () => fake.clock;"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with bare_site(tmp_path_factory.mktemp("texts"), loader.replace("IDS", repr(ids))) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1100, "height": 900}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.route("**/tf.min.js", lambda route: route.fulfill(body=tensorflow, content_type="text/javascript"))
    page.add_init_script(start)
    witness = Witness()
    witness.watch(page)
    yield page
    context.close()
    assert witness.troubles == []


def names_model(page: Page, name: str) -> None:
    """Wait until the status line names a model."""
    status = "document.querySelector('#status').textContent.toLowerCase()"
    page.wait_for_function(f"(name) => {status}.includes(name)", arg=name.lower())


def state(page: Page, *wanted: str) -> None:
    page.wait_for_function("wanted => wanted.includes(document.body?.dataset.state)", arg=list(wanted))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_models_name_stands_as_the_bundle_has_it(page: Page, site: Site, language: str) -> None:
    page.goto(f"{site.url}assets/pages/index.html?lang={language}")
    heads = page.locator("tbody th")
    page.wait_for_selector("tbody th")
    assert [row.get_attribute("id") for row in page.locator("tbody tr").all()] == ids
    names = heads.all_inner_texts()
    assert len(set(names)) == len(ids)
    assert not set(names) & set(ids)
    assert all(bool(re.search("[\u4e00-\u9fff]", name)) is (language == "zh") for name in names)
    for number, name in enumerate(ids):
        row = page.locator("tbody tr").nth(number)
        button = row.locator("button")
        assert names[number].lower() in (button.get_attribute("aria-label") or "").lower()
        button.click()
        names_model(page, names[number])
        if language == "zh":
            told = row.inner_text() + page.locator("#status").inner_text()
            assert not re.search(rf"\\b({re.escape(name)}|base|refine|graph-model)\\b", told)
    page.goto(f"{site.url}assets/pages/examples.html?lang={language}")
    page.wait_for_function("document.querySelectorAll('[data-part=facts]').length === 7")
    facts = page.locator("[data-part=facts]").all_inner_texts()
    assert len(facts) == 7
    assert not [one for one in facts if re.split("[:：]", one)[0] in ids or "graph-model" in one]


def test_a_load_tells_the_models_name_in_the_language_of_the_page(page: Page, site: Site) -> None:
    page.goto(f"{site.url}assets/pages/style.html?lang=zh")
    told = page.evaluate("""async () => {
      const { load, StatusLine, PageError, explain } = await import("./page.js");
      const line = new StatusLine(document.querySelector("#status"));
      const told = [];
      fake.said = () => told.push(line.element.querySelector(".say").textContent);
      await load("words-en", line);
      return [...told, explain(new PageError("nomodel", { model: "style" }))];
    }""")
    assert [bool(re.search("英文词库", one)) for one in told] == [True] * 4 + [False]
    assert "画风模型" in told[4]
    assert not re.search("words-en|style", "".join(told))


sure = [0.9, 0.1, 0]
happy = [0.8, 0.1, 0.1]
doubtful = ("Hard to say: perhaps happy", "不好判断，也许是开心")
# scores, face, emotion; the answer and the mood in both languages
cases = [
    (sure, (0.95, 60), happy, ("tabby", "tabby"), ("Mostly happy", "看起来开心")),
    ([0.2, 0.1], (0.95, 60), [0.4, 0.3, 0.3], ("Not sure: perhaps tabby", "不太确定，可能是 tabby"), doubtful),
    (sure, (0.95, 60), [0.52, 0.4, 0.08], ("tabby", "tabby"), doubtful),
    (sure, (0.6, 60), happy, ("tabby", "tabby"), None),
    (sure, (0.95, 8), happy, ("tabby", "tabby"), None),
    (sure, None, happy, ("tabby", "tabby"), None),
    # A cat is a face at the first look.
    (sure, (0.95, 60, 0.7), happy, ("tabby", "tabby"), None),
]


def test_a_mood_is_told_of_certain_faces_only_and_doubts_are_told(page: Page, site: Site) -> None:
    for scores, face, emotion, answers, moods in cases:
        seen = face and dict(zip(("score", "side", "again"), face, strict=False))
        page.goto(f"{site.url}assets/pages/classify.html?lang=en")
        page.evaluate("(given) => Object.assign(fake, given)", {"scores": scores, "emotion": emotion, "face": seen})
        page.get_by_role("button", name="An astronaut, smiling").click()
        page.wait_for_selector("#view canvas")
        state(page, "done", "failed")
        assert page.locator("#view canvas").get_attribute("aria-label") == "An astronaut, smiling"
        for wanted, told in zip(answers, moods or (None, None), strict=True):
            assert page.locator("#answer").inner_text() == wanted
            assert page.locator("#faces").is_visible() is (told is not None)
            if told:
                assert page.locator("#faces strong").inner_text() == told
            page.locator(".language").click()
        assert page.locator("body").get_attribute("data-state") == "done"


def test_the_words_of_a_language_are_shown_on_a_map_of_it(page: Page, site: Site) -> None:
    shown = """() => [...document.querySelectorAll('#map img')].filter((one) => one.getClientRects().length)
      .map((one) => [one.src.split('/').pop(), one.alt, one.naturalWidth])"""
    for language, own, other in (("zh", "words-zh.svg", "words.svg"), ("en", "words.svg", "words-zh.svg")):
        page.goto(f"{site.url}assets/pages/words.html?lang={language}")
        page.wait_for_selector("header.site nav a[href]")
        ((name, told, width),) = page.evaluate(shown)
        assert (name, width) == (own, 640)
        assert bool(re.search("[\u4e00-\u9fff]", told)) is (language == "zh")
        page.locator(f"input[name=tongue]:not([value={language}])").check()
        ((name, told, _),) = page.evaluate(shown)
        assert name == other
        assert bool(re.search("[\u4e00-\u9fff]", told)) is (language == "zh")
        assert violations(page) == []
        # The page's language is another matter than the words': those stay that were chosen, until the visitor asks.
        page.locator(f"input[name=tongue][value={language}]").check()
        ((name, _, _),) = page.evaluate(shown)
        assert name == own
    picture = (root / "assets/pages/pictures/words-zh.svg").read_text(encoding="utf-8")
    assert re.findall(r">([^<\s]+)</text>", picture)
    assert not re.search(r">[a-z]+</text>", picture)


def test_the_index_shows_times_and_failures_and_not_what_else_is_told(page: Page, site: Site) -> None:
    page.goto(f"{site.url}assets/pages/index.html?lang=en")
    page.wait_for_selector("tbody tr")
    times = page.locator("#face .times")
    assert times.inner_text() == "not yet"
    tell = "(record) => fake.onEvent({ model: 'face', release: '', ms: 1500, ...record })"
    for kind in ("offline", "online", "recovery", "eviction"):
        page.evaluate(tell, {"type": kind})
        assert times.inner_text() == "not yet"
    page.evaluate(tell, {"type": "stage", "stage": "head"})
    page.evaluate(tell, {"type": "offline"})
    assert times.inner_text() == "head: 1.50 s"
    page.evaluate(tell, {"type": "failure", "code": "network"})
    assert times.inner_text().splitlines() == ["head: 1.50 s", "failed: network"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_style_and_beautify_tell_the_time_that_this_device_takes(page: Page, site: Site, language: str) -> None:
    page.add_init_script(own_clock)
    said = page.locator("#status .say")
    about, left = r"about (\d+) s", r"about (\d+) s left"
    if language == "zh":
        about, left = r"约 (\d+) 秒", r"还需约 (\d+) 秒"

    def told(pattern: str = about) -> int:
        page.wait_for_function("text => document.querySelector('#status').textContent.match(text)", arg=pattern)
        found = re.search(pattern, page.locator("#status").inner_text())
        assert found
        return int(found[1])

    # 600 x 400 pixels at 100 pixels a millisecond, and 2 s for the shaders of a new size.
    page.goto(f"{site.url}assets/pages/style.html?lang={language}")
    state(page, "idle")
    assert not re.search(about, said.inner_text())
    page.evaluate(shut)
    page.locator("#styles input").first.check(force=True)
    page.wait_for_function("document.querySelector('#status').textContent.match(/speed of this device|测量/)")
    page.evaluate("fake.go()")
    state(page, "done")
    page.evaluate(shut)
    page.locator("#styles input").nth(3).check(force=True)
    assert told() == 2
    page.evaluate("fake.go()")
    state(page, "done")
    page.reload()
    # Known from the visit before.
    assert told() == 4
    page.locator("#size").select_option("384")
    assert told() == 3

    page.goto(f"{site.url}assets/pages/beautify.html?lang={language}")
    state(page, "idle")
    assert not re.search(about, said.inner_text())
    page.evaluate(shut)
    page.locator("#start").click()
    page.wait_for_function("document.querySelector('#status').textContent.match(/speed of this device|测量/)")
    page.evaluate("fake.go()")
    state(page, "done")
    page.reload()
    # Nine tiles of 256 x 256 pixels, and 2 s.
    assert told() == 8
    # Three of them are done when the gate shuts.
    page.evaluate(shut_after, 2000 + 4 * 655)
    page.locator("#start").click()
    assert told(left.replace(r"\d+", "4")) == 4
    page.get_by_role("button", name=re.compile("English|中文")).click()
    other = page.locator("#status").inner_text()
    assert re.search(r"还需约 4 秒" if language == "en" else r"about 4 s left", other)


def test_the_types_of_all_modules() -> None:
    folder = root / "assets" / "pages"
    check_types(folder, *sorted(path.name for path in folder.glob("*.js") if path.name != "language.js"))
