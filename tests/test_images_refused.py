"""images.py with bad files and bad targets: one sentence each, and nothing half-written."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

import image_samples as samples
from image_samples import HEIGHT, MARK, WIDTH, as_pages, grey8, rgb8, rgb16
from tintype.errors import MissingExtra, UnreadableImage, UnwritableImage
from tintype.images import encode_image, read_image, write_image
from tintype.images.replacing import atomic

GREY, RGB = grey8(), rgb8()


TRUNCATED: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: samples.pillow(_noise(), "JPEG", quality=90),
    "jpeg-progressive": lambda: samples.pillow(_noise(), "JPEG", progressive=True),
    "png": lambda: samples.pillow(_noise(), "PNG"),
    "tiff-strips": lambda: vips_tiff(compression="none"),
    "tiff-deflate": lambda: vips_tiff(compression="deflate"),
    "tiff-by-pillow": lambda: samples.pillow(_noise(), "TIFF"),
    "webp": lambda: samples.pillow(_noise(), "WEBP"),
    "avif": lambda: samples.pillow(_noise(), "AVIF"),
    "bmp": lambda: samples.pillow(_noise(), "BMP"),
    "heic": lambda: samples.heic(_noise()[:HEIGHT, :WIDTH].copy(), "L", quality=95),
}


def _noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (200, 300), dtype=np.uint8)


def vips_tiff(**options: Any) -> bytes:
    return bytes(pyvips.Image.new_from_array(_noise()).tiffsave_buffer(**options))


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_files_raise_and_leave_nothing(tmp_path: Path, name: str, share: float) -> None:
    whole = TRUNCATED[name]()
    path = tmp_path / "cut.bin"
    path.write_bytes(whole[: int(len(whole) * share)])
    target = tmp_path / "out" / "result.png"
    target.parent.mkdir()

    def colorize() -> None:
        picture = read_image(path)
        write_image(picture, as_pages(picture), target, mark=MARK)

    with pytest.raises(UnreadableImage, match=r"cut\.bin.*\.$") as caught:
        colorize()
    assert "\n" not in str(caught.value)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["jpeg", "png", "tiff-strips"])
def test_small_of_a_truncated_file_raises(name: str) -> None:
    whole = TRUNCATED[name]()
    with pytest.raises(UnreadableImage, match="broken"):
        read_image(whole[: len(whole) // 2], name="broken").small(20, 30)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"hello",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"II*\0",
        b"RIFF\0\0\0\0WEBP",
        b"\xff\xd8\xff\xe0",
        b"\0\0\0\x18ftypheic" + bytes(20),
        b"\0\0\0\x18ftypavif" + bytes(20),
        b"\0\0\0\x18ftypmp42" + bytes(20),
        b"%PDF-1.7",
    ],
)
def test_what_is_no_picture_gets_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"file\.jpg (is|cannot be).*\.$"):
        read_image(path)


def test_folders_missing_files_and_devices_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(UnreadableImage, match="No such file"):
        read_image(tmp_path / "missing.jpg")
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    with pytest.raises(UnreadableImage, match="not a regular file"):
        read_image(pipe)


def test_a_full_disk_is_told_with_the_file_that_it_was_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, atomic(tmp_path / "a.png"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    private = tmp_path / "a.png"
    private.touch(mode=0o600)
    with atomic(private) as file:
        file.write(b"new")
    assert (private.read_bytes(), private.stat().st_mode & 0o777) == (b"new", 0o600)


def test_a_file_without_permission_gets_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(samples.pillow(GREY, "JPEG"))
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableImage, match=r"secret\.jpg cannot be read: Permission denied\."):
        read_image(path)


def bomb(format: str) -> bytes:
    """A picture of 40,000 pixels a side by its header, which nothing may look behind."""
    side, small = 40_000, samples.pillow(Image.new("1", (40, 40)), format)
    if format == "PNG":
        header = b"IHDR" + struct.pack(">II", side, side) + small[24:29]
        return small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    if format == "BMP":
        return small[:18] + struct.pack("<ii", side, side) + small[26:]
    for tag in (256, 257):  # width and length, one LONG or SHORT
        for kind, code in ((3, "H"), (4, "I")):
            one = struct.pack(f"<HHI{code}", tag, kind, 1, 40)
            small = small.replace(one, struct.pack(f"<HHI{code}", tag, kind, 1, side))
    return small


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_a_bomb_is_refused_by_its_header(format: str) -> None:
    data = bomb(format)
    with pytest.raises(UnreadableImage, match=r"40000 × 40000 pixels \(1600 megapixels\)"):
        read_image(data, name="bomb")


def test_the_limit_of_pixels_is_a_parameter() -> None:
    data = samples.pillow(GREY, "JPEG")
    with pytest.raises(UnreadableImage, match="64 × 48"):
        read_image(data, max_pixels=HEIGHT * WIDTH - 1)
    assert read_image(data, max_pixels=HEIGHT * WIDTH).size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_are_pointed_to_their_frames(format: str) -> None:
    frames = [Image.fromarray(np.roll(RGB, 5 * i, axis=1)) for i in range(4)]
    data = samples.pillow(frames[0], format, save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableImage, match=r"moving (is an animation|is a GIF).*frame"):
        read_image(data, name="moving")


@pytest.mark.parametrize("dtype", [np.float32, np.uint32, np.int16])
def test_samples_of_other_kinds_are_refused(dtype: Any) -> None:
    data = samples.tiff(GREY.astype(dtype))
    with pytest.raises(UnreadableImage, match="8 and 16 bits"):
        read_image(data)


def test_heic_without_its_package_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    data = samples.heic(RGB, "RGB", quality=80)
    png = read_image(samples.pillow(RGB, "PNG"))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtra, match=r'pip install "tintype\[heic\]"'):
        read_image(data)
    with pytest.raises(MissingExtra, match="Writing HEIC"):
        encode_image(png, as_pages(png), format="heic", mark=None)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["jpeg", "png", "tiff-deflate", "webp", "avif", "bmp", "heic"])
def test_damaged_bytes_raise_only_our_own_errors(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    damaged = bytearray(TRUNCATED[name]())
    for at in rng.integers(0, min(len(damaged), 2000), 12):
        damaged[at] = rng.integers(0, 256)
    try:
        picture = read_image(bytes(damaged), max_pixels=1_000_000)
        encode_image(picture, as_pages(picture), format="png", mark=MARK)
    except (UnreadableImage, pyvips.Error):
        pass


def test_a_write_replaces_the_target_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    picture = read_image(samples.pillow(GREY, "PNG"))
    assert write_image(picture, as_pages(picture), target, mark=MARK) == ()
    assert read_image(target).tintype_mark
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]


def test_a_picture_can_replace_itself(tmp_path: Path) -> None:
    path = tmp_path / "self.tif"
    path.write_bytes(samples.tiff(rgb16()))
    picture = read_image(path)
    write_image(picture, as_pages(picture), path, mark=None)
    np.testing.assert_array_equal(tifffile.imread(path), rgb16())


class _FullDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize(
    "name", ["jpeg", "png", "tiff-strips", "tiff-deflate", "webp", "avif", "heic", "bmp"]
)
def test_a_full_disk_gets_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    picture = read_image(TRUNCATED[name]())
    monkeypatch.setattr("tintype.images.io.BytesIO", _FullDisk)
    with pytest.raises(UnwritableImage, match=r"cannot be written: No space left on device\.$"):
        encode_image(picture, as_pages(picture), mark=MARK)


_LIMITED = """
import resource, sys
from pathlib import Path
from tintype.errors import UnwritableImage
from tintype.images import read_image, write_image
source, target = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
picture = read_image(source)
grey = picture.pixels()
page = grey.bandjoin([grey, grey]).copy(interpretation="srgb")
try:
    write_image(picture, [page], target, mark=None)
except UnwritableImage as error:
    print(error)
"""


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".bmp"])
def test_a_write_the_system_stops_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    source.write_bytes(samples.pillow(_noise(), "PNG"))
    target.write_bytes(b"old")
    command = [sys.executable, "-c", _LIMITED, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{target} cannot be written: File too large."
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", target.name]


def test_a_folder_that_cannot_be_written_gets_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = read_image(samples.pillow(GREY, "PNG"))
    with pytest.raises(UnwritableImage, match="No such file"):
        write_image(picture, as_pages(picture), tmp_path / "no" / "a.png", mark=None)
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # the superuser may write everywhere

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnwritableImage, match=r"a\.png cannot be written: Permission denied\."):
        write_image(picture, as_pages(picture), folder / "a.png", mark=None)
    assert list(folder.iterdir()) == []


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    picture = read_image(samples.pillow(GREY, "PNG"))
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("folder.png", "pipe.png"):
        with pytest.raises(UnwritableImage, match=r"it is (a folder|not a regular file)\."):
            write_image(picture, as_pages(picture), tmp_path / name, mark=None)
