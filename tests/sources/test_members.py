"""TensorFlow Lite models in archives: which one is taken, and that an archive cannot do harm."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from builder.errors import SourceError, UnsafeModelError
from builder.sources import members
from builder.sources.members import chosen_member
from builder.sources.model_folders import locate, unpack

lite = b"\x1c\0\0\0TFL3 a model"


def archive(entries: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as written:
        for name, entry in entries.items():
            written.writestr(name, entry)
    return content.getvalue()


def write(path: Path, entries: dict[str, bytes]) -> Path:
    path.write_bytes(archive(entries))
    return path


def taken(path: Path, folder: Path, member: str = "") -> bytes:
    """Return what ``locate`` and ``unpack`` make of a source."""

    def unpacked(source: Path) -> Path:
        folder.mkdir()
        unpack(source, folder, member)
        return folder

    return locate(path, unpacked, member).read_bytes()


def test_the_only_model_of_an_archive_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "face.task", {"models/face.tflite": lite, "labels.txt": b"a"})
    assert taken(path, tmp_path / "out") == lite


def test_a_zip_of_teachable_machine_for_tensorflow_lite_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "converted_tflite.zip", {"model_unquant.tflite": lite, "labels.txt": b"0 cat"})
    assert taken(path, tmp_path / "out") == lite


def test_a_member_is_named_where_there_are_several(tmp_path: Path) -> None:
    path = write(tmp_path / "hand.task", {"detector.tflite": lite, "landmarks.tflite": lite + b"2"})
    with pytest.raises(SourceError, match="holds several models") as caught:
        locate(path, lambda _: tmp_path)
    assert caught.value.code == "SP-311"
    assert "detector.tflite, landmarks.tflite" in caught.value.hint
    assert taken(path, tmp_path / "out", "landmarks.tflite") == lite + b"2"


def test_a_member_of_an_archive_in_an_archive(tmp_path: Path) -> None:
    inner = archive({"hand.tflite": lite, "other.tflite": b"x"})
    path = write(tmp_path / "gestures.task", {"hand.task": inner, "canned.tflite": b"y"})
    with pytest.raises(SourceError) as caught:
        chosen_member(path, "")
    assert "hand.task/hand.tflite, hand.task/other.tflite, canned.tflite" in caught.value.hint
    assert taken(path, tmp_path / "out", "hand.task/hand.tflite") == lite


@pytest.mark.parametrize("member", ["other.tflite", "../face.tflite", "/etc/passwd", "labels.txt", "x.task/y.tflite"])
def test_a_member_that_is_not_there_is_said(tmp_path: Path, member: str) -> None:
    path = write(tmp_path / "face.task", {"face.tflite": lite, "labels.txt": b"a"})
    with pytest.raises(SourceError, match="holds no TensorFlow Lite model") as caught:
        locate(path, lambda _: tmp_path, member)
    assert (caught.value.code, caught.value.hint) == ("SP-388", "Name one of these: face.tflite")


def test_only_archives_have_members(tmp_path: Path) -> None:
    (tmp_path / "face.tflite").write_bytes(lite)
    for path, words in ((tmp_path / "face.tflite", "is no archive"), (tmp_path, "is no file")):
        with pytest.raises(SourceError, match=words):
            locate(path, lambda _: tmp_path, "a.tflite")
    (tmp_path / "llm.task").write_bytes(lite)
    with pytest.raises(SourceError, match=r"not a \.task archive inside"):
        locate(tmp_path / "llm.task", lambda _: tmp_path)


def test_other_sources_are_left_alone(tmp_path: Path) -> None:
    other = write(tmp_path / "other.zip", {"notes.txt": b"a"})
    (tmp_path / "face.tflite").write_bytes(lite)
    for path in (other, tmp_path / "face.tflite"):
        assert locate(path, lambda _: tmp_path / "never") == path


@pytest.mark.parametrize("name", ["../out.tflite", "/out.tflite", "a\\b.tflite"])
def test_an_entry_outside_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    content = archive({"aaaaaaaaaaaaa": lite}).replace(b"a" * 13, name.ljust(13, "e").encode())
    (tmp_path / "m.task").write_bytes(content)
    with pytest.raises(UnsafeModelError, match="outside its folder"):
        chosen_member(tmp_path / "m.task", "")


def test_a_bomb_is_refused_outside_and_inside(tmp_path: Path) -> None:
    bomb = {"m.tflite": bytes(32 << 20)}
    with pytest.raises(UnsafeModelError, match="unpacks to 33554432 bytes"):
        chosen_member(write(tmp_path / "m.task", bomb), "")
    with pytest.raises(UnsafeModelError, match="unpacks to 33554432 bytes"):
        chosen_member(write(tmp_path / "n.task", {"inner.task": archive(bomb)}), "")


def test_limits_of_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.task", {"inner.task": archive({"m.tflite": lite})})
    monkeypatch.setattr(members, "most_unpacked", 10)
    with pytest.raises(SourceError, match="more than 1 GiB"):
        taken(path, tmp_path / "out")
    monkeypatch.setattr(members, "largest_inner", 10)
    with pytest.raises(SourceError, match="more than 256 MiB"):
        chosen_member(path, "")


def test_what_is_cut_off_is_damaged(tmp_path: Path) -> None:
    content = bytearray(archive({"m.tflite": bytes(range(256)) * 40}))
    content[60] ^= 255
    (tmp_path / "m.task").write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        taken(tmp_path / "m.task", tmp_path / "out")
