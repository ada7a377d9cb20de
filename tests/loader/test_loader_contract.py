"""Pages that were built against an older contract, on a site where a breaking release is live."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from builder.bundle.index import read_index
from builder.cli.main import main
from tests.helpers.deploying import project, relabel
from tests.helpers.models import write_model
from tests.helpers.serving import serve

root = Path(__file__).resolve().parents[2]

script = """
import { createRequire } from "node:module";
const [, , modules, base, loader, contracts] = process.argv;
const require = createRequire(modules + "/index.js");
const tf = require("@tensorflow/tfjs");
await tf.setBackend("cpu");
const { models, configure, prune } = await import(loader);
const kept = new Map();
const store = {
  get: async (key) => kept.get(key),
  put: async (key, bytes) => kept.set(key, bytes.slice().buffer),
  keys: async () => [...kept.keys()],
  delete: async (key) => kept.delete(key),
};
// Node imports no module over HTTP.
const resolveUrl = (address) => {
  const [, name] = /\\/(storage\\.\\w+)\\.js$/.exec(address) ?? [];
  return name ? new URL(`${name}.mjs`, import.meta.url).href : address;
};
configure({ tf, baseUrl: base, store, resolveUrl });
const answers = [];
for (const contract of [undefined, ...JSON.parse(contracts), "0123456789abcdef"]) {
  const handle = models.a.load({ contract });
  const other = models.a.load({ contract });
  try {
    const model = await handle.full;
    const same = model === (await other.full);
    const { loaded, total } = handle.progress;
    const y = tf.tidy(() => Array.from(model.execute(tf.ones([1, 200]), "y").dataSync()));
    answers.push({ y, labels: handle.labels ?? null, same, whole: loaded === total });
  } catch ({ code, message }) {
    answers.push({ code, message });
  }
  handle.dispose();
  other.dispose();
}
const fresh = models.a.load();
await fresh.full;
fresh.dispose();
const status = [await models.a.status(), await models.a.older.status()];
console.log(JSON.stringify({ answers, status, pruned: await prune(), tensors: tf.memory().numTensors }));
"""


def contract_of(folder: Path) -> str:
    manifest = json.loads((folder / "dist/manifest.json").read_bytes())
    return str(manifest["models"]["a"]["contract"])


@pytest.mark.slow
def test_a_page_gets_the_model_it_was_built_against(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("builder.verify.run.shutil.which", lambda name: None)
        folder = project(tmp_path / "site", seeds={"a": 1})
        config = str(folder / "build.toml")
        assert main(["deploy", "--config", config]) == 0
        contracts = [contract_of(folder)]
        write_model(folder / "a", width=200, seed=5)
        relabel(folder, "a", ["one", "two"])
        contracts.append(contract_of(folder))
        assert main(["deploy", "--config", config, "--breaking"]) == 0
    entry = read_index((folder / "public/loader.js").read_bytes()).models["a"]
    assert entry.extras.older
    assert entry.extras.older.contract == contracts[0]
    (tmp_path / "loader.mjs").write_bytes((folder / "public/loader.js").read_bytes())
    (storage,) = (folder / "public").glob("storage.*.js")
    (tmp_path / storage.with_suffix(".mjs").name).write_bytes(storage.read_bytes())
    (tmp_path / "use.mjs").write_text(script)
    with serve(folder / "public") as site:
        command = ["node", "use.mjs", str(root / "node_modules"), site.url, "./loader.mjs", json.dumps(contracts)]
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    live, older, pinned, unknown = said["answers"]
    assert live == pinned
    assert live["labels"] == ["one", "two"]
    assert older["labels"] is None
    assert older["y"] != live["y"]
    assert older["same"]
    assert older["whole"]
    assert live["whole"]
    assert unknown["code"] == "contract"
    assert contracts[1] in unknown["message"]
    assert said["status"] == ["cached", "cached"]
    assert (said["pruned"], said["tensors"]) == (0, 0)
