"""images.py: every format and mode goes in and comes out, whole or not at all."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

import image_samples as samples
from image_samples import HEIGHT, MARK, WIDTH, alpha8, as_pages, grey8, grey16, rgb8, rgb16
from tintype.errors import UnwritableImage, UsageError
from tintype.images import (
    SUFFIXES,
    Picture,
    encode_image,
    format_of,
    read_image,
    write_image,
)


def rgba8() -> np.ndarray:
    return np.dstack([rgb8(), alpha8()])


def vips(pixels: np.ndarray, saver: str, **options: Any) -> bytes:
    return bytes(getattr(samples.of_array(pixels), f"{saver}_buffer")(**options))


GREY, RGB = grey8(), rgb8()
GREY_ALPHA = np.dstack([GREY, alpha8()])
ONE_BIT = (GREY > 127).astype(np.uint8) * 255
BILEVEL = Image.fromarray(ONE_BIT).convert("1")
PLANES = RGB.transpose(2, 0, 1).copy()

# name: how to make the file, the pixels it holds, its transparency.
EXACT: dict[str, tuple[Callable[[], bytes], np.ndarray, np.ndarray | None]] = {
    "png-grey": (lambda: samples.pillow(GREY, "PNG"), GREY, None),
    "png-grey-alpha": (lambda: samples.pillow(GREY_ALPHA, "PNG"), GREY, alpha8()),
    "png-rgb": (lambda: samples.pillow(RGB, "PNG"), RGB, None),
    "png-rgba": (lambda: samples.pillow(rgba8(), "PNG"), RGB, alpha8()),
    "png-1-bit": (lambda: samples.pillow(BILEVEL, "PNG"), ONE_BIT, None),
    "png-grey-16": (lambda: samples.png16(grey16()), grey16(), None),
    "png-rgb-16": (lambda: samples.png16(rgb16()), rgb16(), None),
    "tiff-grey": (lambda: samples.tiff(GREY), GREY, None),
    "tiff-grey-big-endian": (lambda: samples.pillow(Image.fromarray(GREY), "TIFF"), GREY, None),
    "tiff-lzw": (lambda: samples.pillow(GREY, "TIFF", compression="tiff_lzw"), GREY, None),
    "tiff-rgb": (lambda: samples.tiff(RGB, compression="zlib"), RGB, None),
    "tiff-rgba": (lambda: samples.tiff(rgba8(), extrasamples=["unassalpha"]), RGB, alpha8()),
    "tiff-1-bit": (
        lambda: samples.pillow(BILEVEL, "TIFF", compression="group4"),
        ONE_BIT,
        None,
    ),
    "tiff-grey-16": (lambda: samples.tiff(grey16()), grey16(), None),
    "tiff-rgb-16": (lambda: samples.tiff(rgb16(), tile=(16, 32)), rgb16(), None),
    "tiff-planar": (lambda: samples.tiff(PLANES, planarconfig="separate"), RGB, None),
    "tiff-bigtiff": (lambda: samples.tiff(GREY, bigtiff=True), GREY, None),
    "webp-lossless": (lambda: samples.pillow(RGB, "WEBP", lossless=True), RGB, None),
    "webp-lossless-alpha": (
        lambda: samples.pillow(rgba8(), "WEBP", lossless=True, exact=True),
        RGB,
        alpha8(),
    ),
    "avif-lossless": (lambda: vips(RGB, "heifsave", compression="av1", lossless=True), RGB, None),
    "bmp-grey": (lambda: samples.pillow(GREY, "BMP"), GREY, None),
    "bmp-rgb": (lambda: samples.pillow(RGB, "BMP"), RGB, None),
    "bmp-1-bit": (lambda: samples.pillow(BILEVEL, "BMP"), ONE_BIT, None),
    "heic-lossless": (
        lambda: samples.heic(RGB, "RGB", quality=-1, chroma=444, matrix_coefficients=0),
        RGB,
        None,
    ),
}

LOSSY: dict[str, tuple[Callable[[], bytes], np.ndarray]] = {
    "jpeg-grey": (lambda: samples.pillow(GREY, "JPEG", quality=95), GREY),
    "jpeg-rgb": (lambda: samples.pillow(RGB, "JPEG", quality=92, subsampling=0), RGB),
    "jpeg-progressive": (lambda: samples.pillow(RGB, "JPEG", quality=92, progressive=True), RGB),
    "webp": (lambda: samples.pillow(RGB, "WEBP", quality=95), RGB),
    "avif": (lambda: samples.pillow(RGB, "AVIF", quality=95, subsampling="4:4:4"), RGB),
    "heic": (lambda: samples.heic(RGB, "RGB", quality=95, chroma=444), RGB),
    "heic-grey": (lambda: samples.heic(GREY, "L", quality=95), GREY),
    "tiff-jpeg": (lambda: samples.pillow(GREY, "TIFF", compression="jpeg", quality=95), GREY),
}


def values(image: pyvips.Image) -> np.ndarray:
    return np.asarray(image.numpy())


def rewritten(picture: Picture, **options: Any) -> Picture:
    data, _ = encode_image(picture, as_pages(picture), mark=MARK, **options)
    return read_image(data)


@pytest.mark.parametrize("name", EXACT)
def test_lossless_pictures_are_read_bit_for_bit(name: str) -> None:
    make, pixels, alpha = EXACT[name]
    picture = read_image(make())
    assert picture.size == (HEIGHT, WIDTH)
    assert picture.depth == pixels.dtype.itemsize * 8
    assert picture.has_alpha == (alpha is not None)
    np.testing.assert_array_equal(values(picture.pixels()), pixels)
    if alpha is None:
        assert picture.alpha() is None
    else:
        np.testing.assert_array_equal(values(picture.alpha()), alpha)


@pytest.mark.parametrize("name", EXACT)
def test_lossless_pictures_are_written_bit_for_bit(name: str) -> None:
    make, pixels, alpha = EXACT[name]
    picture = read_image(make())
    again = rewritten(picture)
    expected = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    assert (again.format, again.depth) == (picture.format, picture.depth)
    np.testing.assert_array_equal(values(again.pixels()), expected)
    if alpha is not None:
        np.testing.assert_array_equal(values(again.alpha()), alpha)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_pictures_stay_close_both_ways(name: str) -> None:
    make, pixels = LOSSY[name]
    picture = read_image(make())
    found = values(picture.pixels()).astype(int)
    assert found.shape == pixels.shape
    assert np.abs(found - pixels).mean() < 3
    again = values(rewritten(picture).pixels()).astype(int)
    assert np.abs(again.reshape(HEIGHT, WIDTH, 3) - np.atleast_3d(found)).mean() < 3


@pytest.mark.parametrize("name", [n for n in EXACT if not n.startswith(("heic", "tiff-planar"))])
def test_other_libraries_read_what_we_write(name: str) -> None:
    make, pixels, alpha = EXACT[name]
    picture = read_image(make())
    data, _ = encode_image(picture, as_pages(picture), mark=MARK)
    expected = np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels
    if alpha is not None:
        expected = np.dstack([expected, alpha])
    if picture.format == "tiff" and picture.encoding.compression != "lzw":
        found = tifffile.imread(io.BytesIO(data))
    elif picture.depth == 16:
        found = _png16_by_hand(data)
    else:
        found = np.asarray(samples.opened(data))
    np.testing.assert_array_equal(found, expected)


def _png16_by_hand(data: bytes) -> np.ndarray:
    """Pillow reads 16-bit RGB as 8 bits: undo the filters of a PNG ourselves."""
    import struct
    import zlib

    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        packed += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(HEIGHT, 1 + 6 * WIDTH)
    assert not rows[:, 0].any(), "only unfiltered rows are expected"
    return rows[:, 1:].reshape(HEIGHT, WIDTH, 3, 2).copy().view(">u2")[..., 0].astype(np.uint16)


def test_palettes_become_rgb_and_their_transparency_alpha() -> None:
    palette = Image.fromarray(RGB).quantize(30)
    for format in ("PNG", "TIFF", "BMP"):
        picture = read_image(samples.pillow(palette, format))
        np.testing.assert_array_equal(values(picture.pixels()), np.asarray(palette.convert("RGB")))
    clear = read_image(samples.pillow(palette, "PNG", transparency=3))
    expected = np.where(np.asarray(palette) == 3, 0, 255)
    np.testing.assert_array_equal(values(clear.alpha()), expected)


def test_cmyk_becomes_rgb() -> None:
    flat = Image.new("CMYK", (WIDTH, HEIGHT), (0, 0, 0, 200))
    for format in ("JPEG", "TIFF"):
        picture = read_image(samples.pillow(flat, format))
        rgb = values(picture.pixels())
        assert rgb.shape == (HEIGHT, WIDTH, 3)
        grey = rgb.reshape(-1, 3).mean(axis=0) / 65535
        assert 0.1 < grey.mean() < 0.5
        assert np.ptp(grey) < 0.05
        again = rewritten(picture)
        assert (again.format, again.depth) == (picture.format, 8)
    magenta = read_image(samples.pillow(Image.new("CMYK", (8, 8), (0, 255, 0, 0)), "TIFF"))
    red, green, blue = values(magenta.pixels())[0, 0] / 65535
    assert red > 0.7
    assert green < 0.3
    assert blue > 0.35


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_keeps_ten_and_twelve_bits(bits: int) -> None:
    white = np.full((HEIGHT, WIDTH, 3), 65535, np.uint16)
    pixels = np.where(alpha8()[..., None] > 80, rgb16(), white)
    data = vips(pixels, "heifsave", compression="av1", bitdepth=bits, lossless=True)
    picture = read_image(data)
    assert (picture.depth, picture.encoding.bits) == (16, bits)
    found = values(picture.pixels())
    assert found.max() == 65535, "white must be white"
    assert np.abs(found.astype(int) - pixels).max() <= 65535 >> bits
    again = read_image(encode_image(picture, as_pages(picture), mark=None)[0])
    assert again.encoding.bits == bits
    assert np.abs(values(again.pixels()).astype(int) - found).mean() < 65535 / 200


def test_heic_of_ten_bits_stays_deep() -> None:
    picture = read_image(samples.heic(rgb16(), "RGB;16", quality=95, chroma=444))
    assert (picture.depth, picture.encoding.bits) == (16, 10)
    again = rewritten(picture)
    assert (again.format, again.encoding.bits) == ("heic", 10)
    difference = values(again.pixels()).astype(int) - values(picture.pixels())
    assert np.abs(difference).mean() < 65535 / 100


@pytest.mark.parametrize("quality", [1, 30, 61, 75, 90, 95, 100])
def test_jpeg_keeps_its_quality_and_full_chroma(quality: int) -> None:
    original = samples.pillow(GREY, "JPEG", quality=quality)
    picture = read_image(original)
    assert picture.encoding.quality == quality
    data, _ = encode_image(picture, as_pages(picture), mark=MARK)
    with Image.open(io.BytesIO(data)) as ours, Image.open(io.BytesIO(original)) as theirs:
        assert ours.quantization[0] == theirs.quantization[0]
        assert {layer[1:3] for layer in ours.layer} == {(1, 1)}, "4:4:4"


def test_a_foreign_luma_table_gets_the_nearest_quality() -> None:
    table = [min(255, v + (i % 3)) for i, v in enumerate(_table_of(80))]
    data = samples.pillow(GREY, "JPEG", qtables=[table])
    assert abs(read_image(data).encoding.quality - 80) <= 2


def _table_of(quality: int) -> list[int]:
    with Image.open(io.BytesIO(samples.pillow(GREY, "JPEG", quality=quality))) as image:
        return list(image.quantization[0])


def test_progressive_jpeg_stays_progressive() -> None:
    for progressive in (False, True):
        picture = read_image(samples.pillow(GREY, "JPEG", progressive=progressive))
        data, _ = encode_image(picture, as_pages(picture), mark=None)
        assert bool(samples.opened(data).info.get("progressive")) is progressive


def test_quality_can_be_asked_for() -> None:
    picture = read_image(samples.pillow(RGB, "WEBP", lossless=True))
    small, _ = encode_image(picture, as_pages(picture), mark=None, quality=20)
    large, _ = encode_image(picture, as_pages(picture), mark=None, quality=95)
    assert len(small) < len(large)
    assert not read_image(small).encoding.lossless
    jpeg = read_image(samples.pillow(GREY, "JPEG", quality=95))
    assert rewritten(jpeg, quality=40).encoding.quality == 40


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_a_senseless_quality_is_refused(quality: int) -> None:
    picture = read_image(samples.pillow(GREY, "JPEG"))
    with pytest.raises(UsageError, match="1 to 100"):
        encode_image(picture, as_pages(picture), mark=None, quality=quality)


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif", "heic", "bmp"])
@pytest.mark.parametrize("source", ["png-rgb-16", "png-rgba", "tiff-grey-16", "bmp-grey"])
def test_any_picture_can_become_any_format(source: str, format: Any) -> None:
    picture = read_image(EXACT[source][0]())
    data, _notes = encode_image(picture, as_pages(picture), format=format, mark=MARK)
    again = read_image(data)
    assert again.format == format
    assert again.size == picture.size
    assert again.depth == (picture.depth if format in ("png", "tiff", "avif", "heic") else 8)
    assert again.has_alpha == (picture.has_alpha and format not in ("jpeg", "bmp"))
    assert again.tintype_mark == (format != "bmp")


def test_notes_say_what_a_format_cannot_hold() -> None:
    deep = read_image(EXACT["png-rgb-16"][0]())
    clear = read_image(EXACT["png-rgba"][0]())
    assert any(
        "8 bits" in n for n in encode_image(deep, as_pages(deep), format="jpeg", mark=None)[1]
    )
    data, notes = encode_image(clear, as_pages(clear), format="jpeg", mark=None)
    assert any("transparency" in n for n in notes)
    corner = np.asarray(samples.opened(data))[0, 0]
    assert corner.min() > 245, "transparent parts are laid on white"
    assert (
        "BMP cannot hold the mark or metadata"
        in encode_image(clear, as_pages(clear), format="bmp", mark=MARK)[1]
    )


def test_sixteen_bits_are_rounded_not_cut_when_a_format_needs_eight() -> None:
    pixels = np.full((HEIGHT, WIDTH, 3), 257 * 100 + 200, np.uint16)
    picture = read_image(samples.png16(pixels))
    data, _ = encode_image(picture, as_pages(picture), format="bmp", mark=None)
    assert np.asarray(samples.opened(data)).max() == 101


@pytest.mark.parametrize("as_path", [True, False])
def test_the_content_decides_not_the_name(tmp_path: Path, as_path: bool) -> None:
    data = samples.pillow(GREY, "PNG")
    path = tmp_path / "really a png.jpg"
    path.write_bytes(data)
    picture = read_image(path if as_path else data)
    assert picture.format == "png"
    assert picture.name == (str(path) if as_path else "the picture")


def test_odd_file_names_are_taken_literally(tmp_path: Path) -> None:
    for name in ("a[page=1].png", "ä ö 写真.png", "percent%20.png", os.fsdecode(b"\xff\xfe.png")):
        path = tmp_path / name
        path.write_bytes(samples.pillow(GREY, "PNG"))
        picture = read_image(path)
        write_image(picture, as_pages(picture), tmp_path / f"out {name}", mark=None)
        assert read_image(tmp_path / f"out {name}").size == (HEIGHT, WIDTH)


def test_a_changed_file_is_not_answered_from_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for value in (10, 200):
        flat = np.full((HEIGHT, WIDTH), value, np.uint8)
        path.write_bytes(samples.pillow(flat, "JPEG", exif=samples.exif(6)))
        assert abs(values(read_image(path).pixels()).mean() - value) < 2


def test_one_picture_serves_several_threads() -> None:
    picture = read_image(samples.pillow(RGB, "JPEG", quality=90))
    results: list[bytes] = []

    def work() -> None:
        for _ in range(5):
            results.append(encode_image(picture, as_pages(picture), mark=MARK)[0])
            picture.small(20, 20)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert len(set(results)) == 1


def test_too_long_for_the_format_gets_one_sentence() -> None:
    panorama = read_image(samples.pillow(np.zeros((1, 70_000), np.uint8), "PNG"))
    for format in ("jpeg", "webp", "avif"):
        with pytest.raises(UnwritableImage, match="pixels a side"):
            encode_image(panorama, as_pages(panorama), format=format, mark=None)
    assert encode_image(panorama, as_pages(panorama), format="tiff", mark=None)[0]


def test_pages_that_do_not_fit_are_refused() -> None:
    picture = read_image(samples.pillow(GREY, "PNG"))
    page = as_pages(picture)[0]
    for pages in ([], [page, page], [page[0]], [page.crop(0, 0, 5, 5)], [page.cast("float")]):
        with pytest.raises(UsageError):
            encode_image(picture, pages, mark=None)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP"])
def test_the_smallest_and_the_longest_pictures_pass(shape: tuple[int, int], format: str) -> None:
    rgb = np.full((*shape, 3), 90, np.uint8)
    picture = read_image(samples.pillow(rgb, format))
    assert rewritten(picture).size == shape
    assert picture.small(4, 4).shape == (4, 4, 3)


def test_format_of_knows_every_suffix_and_says_no_to_others() -> None:
    assert format_of("a/B.JPG") == format_of(".jpeg") == format_of(Path("x.jfif")) == "jpeg"
    assert {format_of(s) for s in SUFFIXES} == {
        "jpeg",
        "png",
        "tiff",
        "webp",
        "avif",
        "heic",
        "bmp",
    }
    for name in ("a.gif", "a", "a.txt", ""):
        with pytest.raises(UnwritableImage):
            format_of(name)


def test_long_names_in_any_script_can_be_written(tmp_path: Path) -> None:
    source = tmp_path / ("画" * 80 + ".png")  # 244 of the 255 bytes that a name may have
    pyvips.Image.black(8, 8).cast("uchar").write_to_file(str(tmp_path / "a.png"))
    (tmp_path / "a.png").rename(source)
    picture = read_image(source)
    rgb = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    write_image(picture, [rgb], source, mark=None)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
