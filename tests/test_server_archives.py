"""Zips that come from anywhere: nothing is written where it should not be."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from tintype.errors import TintypeError
from tintype.server.jobs.archives import pack, unpack
from tintype.server.settings import Limits


def zip_of(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def test_members_keep_their_folders(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "a.zip", {"one/two.jpg": b"2", "ü/ñ.png": b"n", "empty/": b""})
    unpack(source, tmp_path / "out", Limits())
    assert (tmp_path / "out/one/two.jpg").read_bytes() == b"2"
    assert (tmp_path / "out/ü/ñ.png").read_bytes() == b"n"


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/etc/a.png", "a/../../b.png", "..\\a.png", "C:\\a.png", "x" * 300 + ".png"],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    source = zip_of(tmp_path / "a.zip", {"fine.png": b"1", name: b"2"})
    with pytest.raises(TintypeError, match="cannot be used"):
        unpack(source, tmp_path / "in/out", Limits())
    assert not (tmp_path / "in/out").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"a.zip", "in"}


def test_links_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(TintypeError, match="link"):
        unpack(tmp_path / "a.zip", tmp_path / "out", Limits())


def test_bombs_are_counted_as_they_unpack(tmp_path: Path) -> None:
    bomb = zip_of(tmp_path / "a.zip", {"zero.png": bytes(5_000_000)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(TintypeError, match="larger, when unpacked"):
        unpack(bomb, tmp_path / "out", Limits(unzipped_bytes=1_000_000))
    many = zip_of(tmp_path / "b.zip", {f"{n}.png": b"" for n in range(50)})
    with pytest.raises(TintypeError, match="50 files"):
        unpack(many, tmp_path / "out", Limits(zip_files=40))


@pytest.mark.parametrize("cut", [30, 60, 100])
def test_damaged_zips_are_told(tmp_path: Path, cut: int) -> None:
    data = zip_of(tmp_path / "a.zip", {"a.png": bytes(100)}).read_bytes()
    (tmp_path / "b.zip").write_bytes(data[:cut] + data[cut + 40 :])
    with pytest.raises(TintypeError):
        unpack(tmp_path / "b.zip", tmp_path / "out", Limits())


def test_the_report_is_packed_beside_the_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "made/deep"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"1")
    pack(tmp_path / "made", tmp_path / "out.zip", [{"file": "deep/a.png"}])
    with zipfile.ZipFile(io.BytesIO((tmp_path / "out.zip").read_bytes())) as packed:
        assert packed.read("deep/a.png") == b"1"
        assert json.loads(packed.read("report.json")) == [{"file": "deep/a.png"}]
