"""Models with ops that TensorFlow.js lacks and the project brings along: files, deploy, Node, Chromium."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from builder.bundle.format import immutable_name, ops_url
from builder.bundle.head import Head, named_urls, read_head
from builder.bundle.index import reachable, read_index
from builder.cli.main import main
from builder.errors import ConfigError
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import read_local
from builder.publish.live import StoredSite, check_live
from builder.publish.plan import Choice, level
from builder.publish.prune import prune
from builder.sources.custom_ops import read_custom_ops
from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.deploying import assert_live, build, deployer_of, project, target_of
from tests.helpers.serving import serve
from tests.helpers.whole import assert_whole

root = Path(__file__).resolve().parents[2]
erfc = """// registerOp("NotThis") is only said here
export default function register(tf) {
  tf.registerOp("Erfc", ({ inputs }) => tf.sub(1, tf.erf(inputs[0])));
}
"""
igamma = """// of the first order
export default function register(tf) {
  tf.registerOp("Igamma", ({ inputs }) => tf.sub(1, tf.exp(tf.neg(inputs[1]))));
}
"""
freeze = """
import sys
import numpy as np
import tensorflow as tf

class Net(tf.Module):
    def __init__(self):
        self.kernel = tf.Variable(np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x):
        z = tf.nn.relu(x @ self.kernel)
        return {"y": tf.nn.relu(tf.raw_ops.Igamma(a=tf.ones_like(z), x=z) - 0.1) @ tf.transpose(self.kernel)}

net = Net()
tf.saved_model.save(net, sys.argv[1], signatures=net.__call__)
x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
np.save(sys.argv[2], net(tf.constant(x))["y"].numpy())
"""
ask = """async () => {
  const { models, configure } = await import("/dist/cdn/loader.js");
  await import("/tf.min.js");
  configure({ tf });
  await tf.setBackend("cpu");
  const x = tf.tensor(Array.from({ length: 8 }, (_, i) => -1 + (2 * i) / 7), [2, 4]);
  const handle = models.net.load();
  const found = [await (await handle.full).execute({ x }, "y").array()];
  const own = await tf.loadGraphModel(models.net.ioHandler());
  found.push(await own.execute({ x }, "y").array());
  return { found, progress: [handle.progress.loaded, handle.progress.total] };
}"""

ask_elsewhere = """async (base) => {
  const { models, configure } = await import("/dist/cdn/loader.js");
  await import("/tf.min.js");
  configure({ tf, baseUrl: base, fallbackUrls: base === "/lost/" ? ["/dist/cdn/"] : [] });
  await tf.setBackend("cpu");
  try {
    return (await models.net.load().full).outputs.length;
  } catch (error) {
    return [error.code, error.model, error.message];
  }
}"""


def write(folder: Path, text: str) -> Path:
    (folder / "ops.js").write_text(text)
    return folder


def test_names_are_read_from_the_module(tmp_path: Path) -> None:
    text = "const register = (tf) => { tf.registerOp('B', f); tf\n.registerOp( `A.b`, f); };\n"
    text += "export { register as default };"
    found = read_custom_ops(write(tmp_path, text), "m", "ops.js")
    assert found is not None
    assert found.names == ("A.b", "B")
    assert found.code == text.encode()
    erf = read_custom_ops(write(tmp_path, erfc), "m", "ops.js")
    assert erf is not None
    assert erf.names == ("Erfc",)
    assert read_custom_ops(tmp_path, "m", None) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("export default (tf) => tf.registerOp(name, f);", "registers no op"),
        ('// registerOp("A")\nexport default () => 1;', "registers no op"),
        ('export function register(tf) { tf.registerOp("A", f); }', "no default export"),
        ('import { f } from "./f.js";\nexport default (tf) => tf.registerOp("A", f);', "imports other modules"),
        ('import "tf";\nexport default (tf) => tf.registerOp("A", f);', "imports other modules"),
        ("x" * (1 << 20) + erfc, "larger than 1 MiB"),
    ],
)
def test_a_module_that_cannot_work_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_custom_ops(write(tmp_path, text), "m", "ops.js")


def test_a_missing_module_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"models\.m\.custom_ops = 'ops\.js': cannot be read \(No such file"):
        read_custom_ops(tmp_path, "m", "ops.js")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built project whose model ``a`` brings ops along; verification is another test's."""
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    folder = project(tmp_path / "site")
    path = folder / "build.toml"
    line = 'source = "a/model.json"'
    path.write_text(path.read_text().replace(line, f'{line}\ncustom_ops = "ops.js"'))
    build(write(folder, erfc))
    return folder


def head_of(folder: Path) -> Head:
    index = read_index((folder / "dist/cdn/loader.js").read_bytes())
    return read_head((folder / f"dist/cdn/assets/a.{index.models['a'].head_sha256[:16]}.json").read_bytes())


def test_the_module_is_a_file_of_the_bundle(site: Path) -> None:
    digest = hashlib.sha256(erfc.encode()).hexdigest()
    url = ops_url("a", digest)
    index = assert_whole(site / "dist/cdn")
    head = head_of(site)
    assert head.ops == digest
    assert immutable_name.fullmatch(url)
    assert url in named_urls("a", head)
    assert url in reachable(index, {"a": head, "b": msgspec.structs.replace(head, ops=None)})
    assert (site / "dist/cdn" / url).read_text() == erfc
    model = json.loads((site / "dist/manifest.json").read_bytes())["models"]
    assert model["a"]["ops"]["sha256"] == digest
    assert model["b"]["ops"] is None
    # Progress counts what is fetched as data.
    assert index.models["a"].nbytes == model["a"]["head"]["bytes"] + sum(item["bytes"] for item in model["a"]["shards"])


def test_the_module_comes_with_pages_that_load_its_model_at_once(site: Path) -> None:
    path = site / "build.toml"
    path.write_text(path.read_text().replace('custom_ops = "ops.js"', 'custom_ops = "ops.js"\nload = "now"'))
    build(site)
    url = ops_url("a", hashlib.sha256(erfc.encode()).hexdigest())
    assert json.loads((site / "dist/manifest.json").read_bytes())["preload"]["ops"] == [url]
    assert f'<link rel="modulepreload" href="BASE/{url}">' in (site / "dist/preload.html").read_text()


def test_another_module_is_another_file_and_the_same_one_is_cached(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = head_of(site).ops
    build(write(site, erfc + "// changed\n"))
    assert head_of(site).ops != before
    assert not (site / "dist/cdn" / ops_url("a", before or "")).exists()
    capsys.readouterr()
    assert main(["--fast", "--json", "--config", str(site / "build.toml")]) == 0
    assert json.loads(capsys.readouterr().out)["models"]["a"]["cached"]


def test_a_deploy_carries_checks_keeps_and_prunes_the_module(site: Path) -> None:
    target = target_of(site)
    deployer = deployer_of(target, grace=0, keep=1)

    def release() -> str:
        deploy(deployer, read_local(site / "dist"), Choice(breaking=True), Silent())
        assert_live(target.store)
        return ops_url("a", head_of(site).ops or "")

    first = release()
    assert target.store.get(first) is not None
    assert check_live(StoredSite(target.store)).problems == ()
    build(write(site, erfc + "// changed\n"))
    second = release()
    assert second != first
    for path in (site / "public").rglob("*"):
        os.utime(path, (time.time() - 1e6,) * 2)
    gone = [action.key for action in prune(deployer, Silent()).actions]
    assert first in gone
    # A prune that is cut off must not leave a head without what it names.
    assert gone.index(first) > max(i for i, key in enumerate(gone) if ".json" in key)
    assert target.store.get(first) is None
    assert target.store.get(second) is not None
    assert_live(target.store)
    target.store.delete(second)
    assert [problem.url for problem in check_live(StoredSite(target.store)).problems] == [second]


def test_the_module_goes_before_the_head_and_the_loader() -> None:
    keys = ["loader.0123456789abcdef.js.br", "assets/a.0123456789abcdef.json", "assets/a-ops.0123456789abcdef.js.gz"]
    assert [level(key) for key in keys] == [2, 1, 0]


def build_net(folder: Path, line: str = "") -> int:
    table = f'[models.net]\nsource = "net"\nload = "manual"\n{line}\n'
    (folder / "build.toml").write_text(table)
    return main(["--config", str(folder / "build.toml"), "--fast", "--strict", "-q"])


@pytest.mark.slow
def test_an_op_that_is_refused_runs_with_a_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Build, verify and run in Chromium what TensorFlow.js alone refuses."""
    answers = tmp_path / "y.npy"
    subprocess.run([sys.executable, "-c", freeze, str(tmp_path / "net"), str(answers)], check=True, capture_output=True)
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    assert build_net(tmp_path) == 1
    assert "Igamma" in capsys.readouterr().err
    assert main(["check", "--config", str(tmp_path / "build.toml")]) == 1
    write(tmp_path, igamma.replace("tf.sub(1, ", "tf.sub(2, "))
    assert build_net(tmp_path, 'custom_ops = "ops.js"') == 1
    assert "differs from the source model's" in capsys.readouterr().err
    write(tmp_path, igamma)
    assert build_net(tmp_path, 'custom_ops = "ops.js"') == 0, capsys.readouterr().err
    assert main(["check", "--config", str(tmp_path / "build.toml")]) == 0
    manifest = json.loads((tmp_path / "dist/manifest.json").read_bytes())
    assert manifest["models"]["net"]["verified"]["max_error"] < 1e-5
    (tmp_path / "index.html").write_text("<!doctype html><meta charset=utf-8><title>page</title>")
    (tmp_path / "tf.min.js").write_bytes((root / "node_modules/@tensorflow/tfjs/dist/tf.min.js").read_bytes())
    with serve(tmp_path) as site, chromium() as browser:
        page = browser.new_page()
        page.goto(site.url + "index.html")
        got = page.evaluate(ask)
        assert got["progress"][0] == got["progress"][1]
        for found in got["found"]:
            assert np.allclose(found, np.load(answers), atol=1e-5)
        assert len([path for path in site.paths("/dist/cdn/assets/") if path.endswith(".js")]) == 1
        page.goto(site.url + "index.html?fallback")
        assert page.evaluate(ask_elsewhere, "/lost/") == 1
        site.fail = lambda path: 404 if path.endswith(".js") and "/assets/" in path else None
        fresh = browser.new_page()
        fresh.goto(site.url + "index.html?failure")
        code, model, message = fresh.evaluate(ask_elsewhere, "/dist/cdn/")
        assert (code, model) == ("network", "net")
        assert "ops" in message


@pytest.mark.slow
def test_a_source_of_tensorflow_js_runs_with_its_ops(tmp_path: Path) -> None:
    source = tiny.graph_model(tmp_path / "net")
    content = json.loads(source.read_bytes())
    for node in content["modelTopology"]["node"]:
        if node["name"] == "softmax":
            node["op"] = "Erfc"
    source.write_text(json.dumps(content))
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    (tmp_path / "build.toml").write_text('[models.net]\nsource = "net/model.json"\n')
    assert main(["--config", str(tmp_path / "build.toml"), "--fast", "--strict", "-q"]) == 1
    write(tmp_path, erfc)
    (tmp_path / "build.toml").write_text('[models.net]\nsource = "net/model.json"\ncustom_ops = "ops.js"\n')
    assert main(["--config", str(tmp_path / "build.toml"), "--fast", "--strict", "-q"]) == 0
    assert json.loads((tmp_path / "dist/manifest.json").read_bytes())["models"]["net"]["verified"]["max_error"] == 0
