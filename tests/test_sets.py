"""Sets of pictures in folders and tar files."""

from __future__ import annotations

import random
import tarfile

import pytest

from tintype.errors import UsageError
from tintype.images.sets import names_in, pictures_in


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.JPG", "b/c/1.png", "a.webp", "a.txt", "no suffix"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "set" / "folder.png").mkdir()
    return tmp_path / "set"


def test_folders_are_read_in_the_order_of_names(folder) -> None:
    names = ["a.webp", "b/2.JPG", "b/c/1.png"]
    assert list(pictures_in(folder)) == [(name, name.encode()) for name in names]
    assert list(names_in(folder)) == names


def test_tar_files_are_read_in_their_own_order(folder, tmp_path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for name in ("b/c/1.png", "a.txt", "a.webp"):
            tar.add(folder / name, f"x/{name}")
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    expected = [("x/b/c/1.png", b"b/c/1.png"), ("x/a.webp", b"a.webp")]
    assert list(pictures_in(tmp_path / "set.tar")) == expected


def test_what_is_no_set_is_refused(folder, tmp_path) -> None:
    (folder / "a.webp").write_bytes(bytes(5000))
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(folder / "a.webp", "a.webp")
    cut = tmp_path / "cut.tar"
    cut.write_bytes((tmp_path / "set.tar").read_bytes()[:3000])
    for wrong in (folder / "a.txt", tmp_path / "missing", cut):
        with pytest.raises(UsageError, match="Cannot read the pictures"):
            list(pictures_in(wrong))


def test_a_damaged_header_is_not_the_end(folder, tmp_path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for name in ("a.webp", "b/2.JPG", "b/c/1.png"):
            tar.add(folder / name, name)
    content = bytearray((tmp_path / "set.tar").read_bytes())
    content[1024:1100] = b"?" * 76
    (tmp_path / "set.tar").write_bytes(content)
    with pytest.raises(UsageError, match="damaged"):
        list(pictures_in(tmp_path / "set.tar"))


def test_compressed_tar_files(folder, tmp_path) -> None:
    (folder / "a.webp").write_bytes(random.Random(0).randbytes(5000))
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        tar.add(folder / "a.webp", "a.webp")
    assert [name for name, _ in pictures_in(tmp_path / "set.tar.gz")] == ["a.webp"]
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes((tmp_path / "set.tar.gz").read_bytes()[:2500])
    with pytest.raises(UsageError, match="Cannot read"):
        list(pictures_in(cut))


def test_a_file_that_cannot_be_read_has_no_content(folder) -> None:
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    assert dict(pictures_in(folder))["gone.png"] == b""
