"""What the Vite plugin preloads of a ladder: nothing but its first rung."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

plugin = Path(__file__).resolve().parents[2] / "packages" / "vite-plugin" / "preload.js"


def test_only_what_answers_first_is_preloaded() -> None:
    def model(name: str, **more: object) -> dict[str, object]:
        shards = [{"url": f"{name}-{stage}", "stage": stage} for stage in ("base", "refine")]
        return {"load": "now", "head": {"url": name}, "stages": [{"name": "base"}], "shards": shards, **more}

    models = {
        "plain": model("plain", ladder=None, rung_of=None),
        "old": model("old"),
        "what": model("what", ladder={"rungs": ["what-rung1", "what-rung2"]}, rung_of=None),
        "what-rung1": model("what-rung1", ladder=None, rung_of="what"),
        "what-rung2": model("what-rung2", ladder=None, rung_of="what"),
    }
    chunk = {"type": "chunk", "fileName": "a.js", "imports": [], "dynamicImports": [], "moduleIds": ["m"]}
    page = {"output": {"a.js": chunk}, "entry": "a.js", "id": "m", "manifest": {"models": models, "modules": {}}}
    code = f"""
      import {{ preloads }} from {json.dumps(plugin.as_uri())};
      const same = (file) => file;
      const found = preloads({{ ...{json.dumps(page)}, address: same, bundled: same }});
      console.log(JSON.stringify(found.map(({{ attrs }}) => attrs.href)));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == ["plain", "plain-base", "old", "old-base", "what-rung1", "what-rung1-base"]
