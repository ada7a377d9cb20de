"""No hostile source gets anywhere: all are refused in a paragraph, by ``check`` as by a build, and leave no trace."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from builder.config.tables import load_config
from builder.convert.requests import ConvertRequest, ReferenceRequest, SourceOptions
from builder.errors import ShardpressError, SourceError
from builder.pipeline.check import check_models
from builder.precision.types import MeasureRequest
from builder.sources.detect import detect
from builder.sources.tfjs import read_model
from builder.verify.types import Gate
from builder.work.pool import ConversionPool
from tests.helpers.hostile_sources import Case, Target, cases, write_all

root = Path(__file__).resolve().parents[2]
light = [case for case in cases() if not case.needs_tensorflow]


@dataclass
class Scene:
    """Where attacks are made: everything beneath ``folder`` but ``sources`` and ``work`` must stay as it is."""

    folder: Path
    target: Target
    listener: socket.socket
    knocks: list[int] = field(default_factory=list)
    paths: dict[str, Path] = field(default_factory=dict)
    hashes: dict[tuple[str | int, ...], str] = field(default_factory=dict)

    @property
    def sources(self) -> Path:
        return self.folder / "sources"

    def state(self) -> dict[str, str]:
        """Give what is there, by path; only what the kernel says was changed, as by a link, is hashed again."""
        found = {}
        for parent, folders, names in os.walk(self.folder):
            if Path(parent) == self.folder:
                folders.remove("work")
            for path in (os.path.join(parent, name) for name in names):  # noqa: PTH118 of Path it would take seconds
                if os.path.isfile(path):  # noqa: PTH113
                    found[path] = self._hash(path)
        return found

    def _hash(self, path: str) -> str:
        status = os.stat(path)  # noqa: PTH116
        stamp = (path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if stamp not in self.hashes:
            self.hashes[stamp] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return self.hashes[stamp]

    def knocked(self) -> int:
        """Give how many connections came; none is left waiting when this returns."""
        mark = len(self.knocks) + 1
        with socket.create_connection(self.listener.getsockname()) as probe:
            probe.recv(1)  # the listener answers one after the other
        assert len(self.knocks) >= mark
        self.knocks.pop()
        return len(self.knocks)

    def listen(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.knocks.append(1)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi")


def scene_in(folder: Path) -> Scene:
    for name in ("outside", "secrets", "sources", "work"):
        (folder / name).mkdir()
    secret = folder / "secrets" / "credentials"
    secret.write_text("aws_secret_access_key = nobody's\n")
    listener = socket.create_server(("127.0.0.1", 0))
    target = Target(folder / "outside", listener.getsockname()[1], secret, folder / "evil.so")
    scene = Scene(folder, target, listener)
    threading.Thread(target=scene.listen, daemon=True).start()
    return scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All sources but those that TensorFlow has to write."""
    found = scene_in(tmp_path_factory.mktemp("hostile"))
    found.target.library.write_bytes(b"no library")
    found.paths = write_all(found.sources, found.target, light)
    yield found
    found.listener.close()


def one_paragraph(text: str) -> bool:
    return "\n" not in text and 30 < len(text) < 900


def said_by_check(case: Case, path: Path, extra: str = "") -> str:
    folder = path.parent
    config = folder / "build.toml"
    config.write_text(f"[models.evil]\nsource = {json.dumps(path.name)}\n{case.settings}\n{extra}\n")
    (found,) = check_models(load_config(config))
    config.unlink()
    return found.problem


def test_there_are_enough_of_them() -> None:
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names) >= 100
    assert all(case.tries for case in cases())


@pytest.mark.parametrize("case", light, ids=lambda case: case.name)
def test_check_refuses_it_in_a_paragraph(scene: Scene, case: Case) -> None:
    before = scene.state()
    problem = said_by_check(case, scene.paths[case.name])
    assert scene.state() == before
    if case.dropped:
        assert not problem
    else:
        assert re.search(case.says, problem), problem
        assert one_paragraph(problem)


@pytest.mark.parametrize("case", [case for case in light if case.confined], ids=lambda case: case.name)
def test_trust_is_no_way_out_of_the_folder(scene: Scene, case: Case) -> None:
    assert re.search(case.says, said_by_check(case, scene.paths[case.name], "trust = true"))


def test_nobody_called(scene: Scene) -> None:
    assert scene.knocked() == 0


@pytest.mark.slow
def test_builds_refuse_them_in_the_words_of_check_and_nothing_happens(tmp_path: Path) -> None:
    scene = scene_in(tmp_path)
    target = scene.target
    arguments = (scene.sources, target.folder, target.port, target.secret, target.library)
    made = subprocess.run(
        [sys.executable, "-m", "tests.helpers.hostile_sources", *map(str, arguments)],
        cwd=root,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    scene.paths = {name: Path(path) for name, path in json.loads(made.stdout.splitlines()[-1]).items()}
    problems = {case.name: said_by_check(case, scene.paths[case.name]) for case in cases()}
    before = scene.state()
    knocks = scene.knocked()
    wrong = {}
    with ConversionPool(1) as pool:
        for case in cases():
            said = _attempt(pool, case, scene)
            if case.dropped:
                fine = said == ["", ""]
            else:
                fine = all(re.search(case.says, text) and one_paragraph(text) for text in said)
                fine = fine and all(_without_place(text) == _without_place(problems[case.name]) for text in said)
            if not fine or scene.state() != before:
                wrong[case.name] = (said, problems[case.name], scene.state().keys() - before.keys())
    assert wrong == {}
    assert scene.knocked() == knocks == 0


def _attempt(pool: ConversionPool, case: Case, scene: Scene) -> list[str]:
    """Give what each task said; ``""`` where it was done."""
    path, work = scene.paths[case.name], scene.folder / "work" / case.name
    work.mkdir()
    inputs = work / "case.npz"
    np.savez(inputs, x=np.ones((1, 4), np.float32))
    said = []
    try:
        kind = detect(path)
        if kind == "tfjs":
            read_model(path)
            tasks = [("measure", MeasureRequest(path, (inputs,), work / "measured.npz", Gate(0.1)))]
        else:
            source = SourceOptions(path, kind)
            tasks = [
                ("convert", ConvertRequest(source, work / "out")),
                ("reference", ReferenceRequest(source, inputs, work / "answers.npz")),
            ]
    except ShardpressError as error:
        return [str(error)]
    for task, request in tasks:
        try:
            pool.submit(task, request, case.name).result()
            said.append("")
        except SourceError as error:
            said.append(str(error))
        except ShardpressError as error:
            said.append(f"{type(error).__name__}: {error}")
    return said


def _without_place(text: str) -> str:
    return re.sub(r"^.*?(model\.json|m\.h5|m\.keras|m\.pb|saved(/saved_model\.pb)?): ", "", text)
