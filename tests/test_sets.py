"""Sets of pictures in folders and tar files."""

from __future__ import annotations

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
