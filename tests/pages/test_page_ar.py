"""The page with live video: a fake camera that shows a real face, and no camera at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, built_site, drawing, for_documents, patience, root
from tests.helpers.serving import Site

pytestmark = pytest.mark.slow

# The unconverted models look at the frame that the page has looked at last.
compare = """
async () => {
  const { latest } = await import("/assets/pages/ar.js");
  const { findFaces } = await import("/assets/pages/emotion.js");
  const { readMesh } = await import("/assets/pages/vision.js");
  const { models } = await import("/dist/cdn/loader.js");
  let last;
  for (;;) {
    last = latest();
    if (last?.seen.mesh && last.seen.pose) break;
    await new Promise(requestAnimationFrame);
  }
  const { frame: shown, seen } = last;
  // Drawn in the same breath: the page closes it when it has looked at the next one.
  const frame = document.createElement("canvas");
  Object.assign(frame, { width: shown.displayWidth, height: shown.displayHeight });
  frame.getContext("2d").drawImage(shown, 0, 0);
  document.querySelector("#stop").click();
  // Each source in the place of what was built of it, in between what makes inputs and answers.
  const instead = async (name, path) => {
    const handle = models[name].load();
    const built = await handle.full;
    const source = await tf.loadGraphModel(`/assets/models/${path}.json`);
    const run = async (picture, options) => {
      const { execute } = built;
      built.execute = (fed, names) => source.execute(Object.values(fed), names);
      try {
        return await handle.run(picture, options);
      } finally {
        built.execute = execute;
      }
    };
    return { run };
  };
  const face = await instead("face", "face/blazeface");
  const mesh = await instead("mesh", "mesh/facemesh");
  const pose = await instead("pose", "pose/movenet-lightning");
  const [found] = await findFaces(face, frame);
  const points = await readMesh(mesh, frame, found);
  const joints = await pose.run(frame);
  const ours = await models.pose.load().run(frame);
  const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
  const far = (a, b) => Math.max(...a.map((point, i) => distance(point, b[i])));
  return {
    size: [frame.width, frame.height],
    counts: [seen.mesh.length, seen.pose.length],
    face: far(found.points, seen.faces[0].points),
    mesh: far(points, seen.mesh),
    pose: far(joints, ours),
    noses: distance(found.points[2], seen.mesh[1]),
    body: distance(found.points[2], seen.pose[0]),
    width: found.width,
  };
}
"""


def clip(path: Path) -> Path:
    """Write a short film of a real face that sways to and fro: JPEG files in a row."""
    with Image.open(root / "assets" / "samples" / "astronaut.png") as file:
        photo = file.convert("RGB")
    frames = io.BytesIO()
    for number in range(24):
        left = 40 + 2 * abs(number - 12)
        piece = photo.crop((left, 0, left + 400, 300)).resize((640, 480), Image.Resampling.BILINEAR)
        piece.save(frames, "JPEG", quality=92)
    path.write_bytes(frames.getvalue())
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with built_site(tmp_path_factory.mktemp("ar")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    film = clip(tmp_path_factory.mktemp("clip") / "face.mjpeg")
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    with chromium(*drawing, *camera) as running:
        yield running


def opened(site: Site, browser: Browser, *permissions: str) -> tuple[Page, Witness]:
    context = browser.new_context(viewport={"width": 1100, "height": 900}, permissions=list(permissions))
    page = context.new_page()
    page.set_default_timeout(patience)
    witness = Witness()
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/ar.html?lang=en")
    page.wait_for_selector("#parts [data-state=waiting]")
    return page, witness


def see(page: Page, condition: str) -> None:
    """Wait until what was seen on the last frame meets a condition."""
    page.wait_for_function(
        f"import('/assets/pages/ar.js').then(({{ latest }}) => {{ const seen = latest()?.seen; return {condition}; }})"
    )


def test_the_camera_shows_face_mesh_mood_and_body_as_the_source_models_see_them(site: Site, browser: Browser) -> None:
    page, witness = opened(site, browser, "camera")
    assert [url for url in witness.asked if "/cdn/assets/" in url] == []
    page.get_by_role("button", name="Use the camera").click()
    see(page, "seen?.mesh && seen.emotion && seen.pose")
    for part in ("face", "mesh", "emotion", "pose"):
        page.wait_for_selector(f"#parts [data-part={part}][data-state=full]")
    page.wait_for_selector("#mood[data-emotion=happy]")
    assert page.locator("#mood").inner_text() == "Looks happy"
    page.wait_for_function("document.querySelector('#pace').textContent.includes('frames per second')")
    assert page.locator("#view video").evaluate("(video) => [video.videoWidth, video.videoHeight]") == [640, 480]
    order = [url.split("/cdn/assets/")[1].split("-")[0].split(".")[0] for url in witness.asked if "/cdn/assets/" in url]
    # The detector is usable before anything of the others is asked for, and the body comes last.
    assert set(order) == {"face", "mesh", "emotion", "pose"}
    others = [order.index(name) for name in ("mesh", "emotion", "pose")]
    assert order.index("face") < min(others)
    assert others == sorted(others)
    # How fast the processor draws what a GPU should is of no interest to a reader.
    page.locator("#pace").evaluate("(pace) => { pace.style.visibility = 'hidden'; }")
    for_documents(page, "ar")
    found = page.evaluate(compare)
    assert found["size"] == [640, 480]
    assert found["counts"] == [468, 17]
    assert found["face"] < 0.5
    assert found["mesh"] < 0.5
    assert found["pose"] < 0.5
    assert found["noses"] < found["width"] / 6
    assert found["body"] < found["width"] / 2
    assert page.locator("body").get_attribute("data-state") == "idle"
    assert page.locator("#view img").is_visible()
    assert witness.troubles == []
    assert witness.sent == []
    page.context.close()


def test_frames_are_skipped_while_one_is_looked_at(site: Site, browser: Browser) -> None:
    page, witness = opened(site, browser, "camera")
    page.evaluate(
        """async () => {
          const { Tracker } = await import("/assets/pages/ar-tracker.js");
          window.looks = 0;
          Tracker.prototype.look = () => {
            looks++;
            return new Promise((done) => { window.letGo = () => done({ faces: [] }); });
          };
        }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_function("window.looks === 1")
    frames = """() => new Promise((done) => {
      const video = document.querySelector("#view video");
      let left = 12;
      const count = () => (--left ? video.requestVideoFrameCallback(count) : done());
      count();
    })"""
    page.evaluate(frames)
    assert page.evaluate("window.looks") == 1
    page.evaluate("letGo()")
    page.wait_for_function("window.looks === 2")
    page.evaluate(frames)
    assert page.evaluate("window.looks") == 2
    assert witness.troubles == []
    page.context.close()


@pytest.mark.parametrize(
    ("hindrance", "words"),
    [
        ("", "is not allowed to use the camera"),
        (
            "void (navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); })",
            "There is no camera",
        ),
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "over HTTPS or on localhost"),
    ],
)
def test_without_a_camera_it_says_why_and_plays_the_clip(
    site: Site, browser: Browser, hindrance: str, words: str
) -> None:
    page, witness = opened(site, browser)
    if hindrance:
        page.evaluate(hindrance)
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector("body[data-state=running]")
    assert words in page.locator("#notice").inner_text()
    assert "sample clip" in page.locator("#notice").inner_text()
    see(page, "seen?.faces.length === 1")
    page.get_by_role("button", name="Stop").click()
    assert page.locator("body").get_attribute("data-state") == "idle"
    assert page.locator("#notice").is_hidden()
    assert witness.troubles == []
    page.context.close()


def test_the_types_of_the_pages_modules() -> None:
    check_types(root / "assets" / "pages", "ar.js", "ar-source.js", "ar-tracker.js", "ar-overlay.js")
