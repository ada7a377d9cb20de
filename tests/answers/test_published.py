"""Published models give the same answers in the generated loader as in the reference, on photographs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parents[2]
models = root / "assets" / "models"
config = f"""
[models.face]
source = "{models}/face/blazeface.json"
picture = {{ fit = "letterbox", range = [-1, 1], resize = "bilinear" }}
answer = {{ kind = "boxes", format = "blazeface" }}

[models.pose]
source = "{models}/pose/movenet-lightning.json"
picture = {{ fit = "letterbox", range = [0, 255], resize = "bilinear" }}
answer = {{ kind = "points", order = "yxs", unit = "normalised" }}

[models.emotion]
source = "{models}/emotion/emotion_model.hdf5"
labels = "{root}/assets/labels/emotions.txt"
picture = {{ range = [-1, 1] }}
answer = {{ kind = "classes", top = 3 }}
"""
verify = '[models.{name}.verify]\ninputs = "photos/*.png"\nmin_agreement = 0.99\n'


@pytest.mark.slow
def test_boxes_points_and_classes_of_published_models(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("astronaut", "camera", "chelsea", "coffee"):
        (photos / f"{name}.png").symlink_to(root / "assets" / "samples" / f"{name}.png")
    names = ("face", "pose", "emotion")
    (tmp_path / "build.toml").write_text(config + "\n".join(verify.format(name=name) for name in names))
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    command = [sys.executable, str(root / "build.py"), "--fast"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "dist" / "report.json").read_text())["models"]
    assert {name: found[name]["verification"]["answers"] for name in names} == {key: [4, 4] for key in names}
