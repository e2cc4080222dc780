"""The record of what is done: read back as written, whole after a broken write."""

from __future__ import annotations

import os
from pathlib import Path

from tintype.batch.manifest import MANIFEST_NAME, Manifest, Recipe, Record, sha256_of, target_stamp

RECIPE = Recipe("tiny", "1", "ab" * 32, {"strength": 1.0, "hints": [], "quality": None})


def record(target: str, checksum: str = "00") -> Record:
    return Record(target, f"in/{target}", checksum, (1, 2, 3, 4), (5, 6), RECIPE)


def test_records_come_back(tmp_path: Path) -> None:
    odd = os.fsdecode(b"two\nlines \xe9 \xd0\xb4.jpg")
    manifest = Manifest(tmp_path)
    for name in ("a.jpg", odd):
        manifest.add(record(name))
    manifest.add(record("a.jpg", "11"))
    again = Manifest(tmp_path)
    assert again.get(tmp_path / odd) == record(odd)
    assert again.get(tmp_path / "a.jpg") == record("a.jpg", "11")
    assert again.get(tmp_path / "b.jpg") is None


def test_broken_lines_are_passed_over_and_the_next_is_whole(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.add(record("a.jpg"))
    path = tmp_path / MANIFEST_NAME
    whole = path.read_bytes()
    for torn in (whole[:-20], b"[]\n", b'{"target": 3}\n', b"\xff\xfe\n", b"null"):
        path.write_bytes(whole + torn)
        Manifest(tmp_path).add(record("b.jpg"))
        assert Manifest(tmp_path).get(tmp_path / "a.jpg") == record("a.jpg")
        assert Manifest(tmp_path).get(tmp_path / "b.jpg") == record("b.jpg")


def test_wrote_knows_an_untouched_result(tmp_path: Path) -> None:
    result = tmp_path / "a.jpg"
    result.write_bytes(b"colours")
    manifest = Manifest(tmp_path)
    assert not manifest.wrote(result)
    manifest.add(Record("a.jpg", "x", "00", (), target_stamp(result), RECIPE))
    assert manifest.wrote(result)
    result.write_bytes(b"retouched")
    assert not manifest.wrote(result)


def test_sha256_of_file_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "a") == sha256_of(b"abc") == known
