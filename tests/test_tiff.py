"""tiff.py: pages of any size and kind, their tags and their storage."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import image_samples as samples
from image_samples import MARK, alpha8, as_pages, grey8, grey16, rgb8, rgb16
from tintype.errors import UnreadableImage, UnwritableImage
from tintype.images import encode_image, read_image, tiff


def rewritten(data: bytes, **options: Any) -> bytes:
    picture = read_image(data)
    return encode_image(picture, as_pages(picture), **({"mark": MARK} | options))[0]


MIXED = [grey8(), rgb16()[:20, :30].copy(), np.dstack([grey8()[:17]] * 3), grey16()[:, :9].copy()]


def test_a_large_scan_in_one_strip_is_read() -> None:
    """libtiff wants the strip and the rows at once, more than libvips grants it by itself."""
    grey = np.add.outer(np.arange(7500), np.arange(8000)).astype(np.uint8)
    picture = read_image(samples.tiff(grey, compression="zlib", rowsperstrip=len(grey)))
    assert picture.small(64, 64).shape == (64, 64, 3)


def test_photoshops_layers_are_not_read() -> None:
    with io.BytesIO(samples.tiff(grey8())) as file:
        plain = len(file.getbuffer())
    data = samples.tiff(grey8(), extratags=[(37724, 7, 3_000_000, bytes(3_000_000), True)])
    assert len(data) > plain + 3_000_000
    assert 37724 not in tiff.read_directories(io.BytesIO(data))[0].tags


def test_tags_that_share_their_bytes_do_not_fill_the_memory() -> None:
    blob = 100_000
    tags = b"".join(struct.pack("<HHII", 40_000 + i, 7, blob, 8) for i in range(20))
    data = struct.pack("<2sHI", b"II", 42, 8 + blob) + bytes(blob)
    data += struct.pack("<H", 20) + tags + bytes(4)
    with pytest.raises(ValueError, match="larger than the file"):
        tiff.read_directories(io.BytesIO(data))
    with pytest.raises(UnreadableImage):
        read_image(data)


def test_smaller_copies_of_a_page_are_no_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for pixels, subfile in ((grey8(), 2), (grey8()[::2, ::2], 1), (255 - grey8(), 2)):
            writer.write(pixels, photometric="minisblack", metadata=None, subfiletype=subfile)
    picture = read_image(file.getvalue())
    assert [(page.directory, page.copies) for page in picture.pages] == [(0, 1), (2, 0)]
    assert (picture.pixels(1).numpy().squeeze() == 255 - grey8()).all()
    data, notes = encode_image(picture, as_pages(picture), mark=None)
    assert notes == ("smaller copies of the page are not kept",)
    assert read_image(data).n_pages == 2


@pytest.mark.parametrize("bigtiff", [False, True])
def test_every_page_is_kept_whatever_its_size_and_depth(bigtiff: bool) -> None:
    picture = read_image(samples.tiff(MIXED, bigtiff=bigtiff))
    assert picture.n_pages == 4
    assert [p.size for p in picture.pages] == [m.shape[:2] for m in MIXED]
    data, _ = encode_image(picture, as_pages(picture), mark=MARK)
    assert (data[2:4] == b"+\0") is bigtiff
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert len(file.pages) == 4
        for page, pixels in zip(file.pages, MIXED, strict=True):
            expected = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
            np.testing.assert_array_equal(page.asarray(), expected)
            assert 700 in page.tags
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 4
        image.seek(2)
        np.testing.assert_array_equal(np.asarray(image), MIXED[2])
    assert read_image(data).n_pages == 4


def test_small_and_alpha_know_the_page() -> None:
    rgba = np.dstack([rgb8(), alpha8()])
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(grey8(), photometric="minisblack")
        writer.write(rgba, photometric="rgb", extrasamples=["unassalpha"])
    picture = read_image(file.getvalue())
    assert picture.alpha(0) is None
    np.testing.assert_array_equal(picture.alpha(1).numpy(), alpha8())
    np.testing.assert_allclose(picture.small(48, 64, 1) * 255, rgb8(), atol=1e-4)
    again = read_image(encode_image(picture, as_pages(picture), mark=None)[0])
    np.testing.assert_array_equal(again.alpha(1).numpy(), alpha8())


def test_several_pages_fit_only_tiff() -> None:
    picture = read_image(samples.tiff([grey8(), grey8()]))
    with pytest.raises(UnwritableImage, match=r"PNG holds one page, not 2.*\.tif"):
        encode_image(picture, as_pages(picture), format="png", mark=None)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("raw", "none"),
        ("tiff_lzw", "lzw"),
        ("tiff_adobe_deflate", "deflate"),
        ("packbits", "packbits"),
        ("jpeg", "jpeg"),
    ],
)
def test_compression_is_kept(asked: str, kept: str) -> None:
    data = rewritten(samples.pillow(grey8(), "TIFF", compression=asked))
    assert read_image(data).encoding.compression == kept
    shown = np.asarray(samples.opened(data)).astype(int)
    assert np.abs(shown - np.dstack([grey8()] * 3)).mean() < (8 if asked == "jpeg" else 1e-9)


@pytest.mark.parametrize("asked", ["group3", "group4"])
def test_fax_compression_cannot_hold_rgb_and_becomes_deflate(asked: str) -> None:
    one_bit = Image.fromarray(grey8()).convert("1")
    data = rewritten(samples.pillow(one_bit, "TIFF", compression=asked))
    assert read_image(data).encoding.compression == "deflate"
    np.testing.assert_array_equal(
        np.asarray(samples.opened(data))[..., 0], np.asarray(one_bit.convert("L"))
    )


@pytest.mark.parametrize("quality", [60, 77, 95])
def test_jpeg_in_tiff_keeps_quality_and_full_chroma(quality: int) -> None:
    data = samples.pillow(grey8(), "TIFF", compression="jpeg", quality=quality)
    picture = read_image(data)
    assert picture.encoding.quality == quality
    coloured = samples.of_array(rgb8())
    result, _ = encode_image(picture, [coloured], mark=None)
    assert read_image(result).encoding.quality == quality
    with tifffile.TiffFile(io.BytesIO(result)) as file:
        tags = file.pages[0].tags
        assert 530 not in tags or tags[530].value == (1, 1)
    assert np.abs(np.asarray(samples.opened(result)).astype(int) - rgb8()).mean() < 4


def test_tiles_stay_tiles_and_strips_strips() -> None:
    tiled = rewritten(samples.tiff(grey8(), tile=(16, 32)))
    striped = rewritten(samples.tiff(grey8(), rowsperstrip=7))
    with tifffile.TiffFile(io.BytesIO(tiled)) as file:
        assert (file.pages[0].tilelength, file.pages[0].tilewidth) == (16, 32)
        np.testing.assert_array_equal(file.pages[0].asarray()[..., 1], grey8())
    with tifffile.TiffFile(io.BytesIO(striped)) as file:
        assert not file.pages[0].is_tiled


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_descriptive_tags_stay_and_storage_tags_go(byteorder: str) -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=byteorder) as writer:
        for number in (1, 2):
            writer.write(
                grey16(),
                photometric="minisblack",
                description=f"page {number}",
                software="scanner",
                metadata=None,
                extratags=[
                    (315, 2, 0, "Ansel", True),
                    (50000, 3, 3, (1, 2, 40000), True),
                    (50001, 12, 1, 0.125, True),
                    (301, 3, 3, (0, 1, 2), True),
                    (37724, 7, 4, b"8BPS", True),
                ],
            )
    data = rewritten(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as result:
        for number, page in enumerate(result.pages, 1):
            tags = page.tags
            assert tags[270].value == f"page {number}"
            assert tags[305].value == "scanner"
            assert tags[315].value == "Ansel"
            assert tags[50000].value == (1, 2, 40000)
            assert tags[50001].value == 0.125
            assert 301 not in tags, "a grey response curve would be wrong for RGB"
            assert 37724 not in tags, "Photoshop's layers are the old pixels"
            np.testing.assert_array_equal(page.asarray()[..., 0], grey16())


def test_orientation_is_removed_from_each_page() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for orientation in (6, 1, 3):
            tag = (274, 3, 1, orientation, True)
            writer.write(grey8(), photometric="minisblack", metadata=None, extratags=[tag])
    picture = read_image(file.getvalue())
    assert [p.size for p in picture.pages] == [(64, 48), (48, 64), (48, 64)]
    data, _ = encode_image(picture, as_pages(picture), mark=None)
    with tifffile.TiffFile(io.BytesIO(data)) as result:
        assert all(274 not in p.tags or p.tags[274].value == 1 for p in result.pages)
        np.testing.assert_array_equal(result.pages[0].asarray()[..., 0], np.rot90(grey8(), -1))
        np.testing.assert_array_equal(result.pages[2].asarray()[..., 0], np.rot90(grey8(), 2))


def test_raw_camera_files_are_pointed_out() -> None:
    raw = samples.tiff(grey16(), extratags=[(50706, 1, 4, b"\1\4\0\0", True)])
    with pytest.raises(UnreadableImage, match="raw camera file"):
        read_image(raw)


def test_directories_that_run_in_a_circle_are_refused() -> None:
    data = bytearray(samples.tiff([grey8(), grey8()]))
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    data[first + 2 + 12 * count : first + 6 + 12 * count] = first.to_bytes(4, "little")
    with pytest.raises(UnreadableImage, match="circle"):
        read_image(bytes(data))


@pytest.mark.parametrize("content", [b"", b"II*\0", b"XX*\0\0\0\0\0", b"II*\0\xff\xff\xff\xff"])
def test_what_is_no_tiff_raises_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="TIFF"):
        tiff.read_directories(io.BytesIO(content))


def test_an_exif_block_survives_parsing_and_building() -> None:
    block = samples.exif(1).tobytes().removeprefix(b"Exif\0\0")
    directory = tiff.parsed_block(block)
    again = tiff.exif_block(directory)
    assert again is not None
    found = Image.Exif()
    found.load(again)
    assert found[0x013B] == "Ansel"
    assert found.get_ifd(0x8825)[2] == (47.0, 10.0, 1.5)
    assert tiff.exif_block(tiff.Directory()) is None
    assert tiff.parsed_block(b"junk").tags == {}


def test_a_channel_that_is_no_transparency_makes_nothing_transparent() -> None:
    rgba = np.dstack([rgb8(), alpha8()])
    picture = read_image(samples.tiff(rgba, extrasamples=["unspecified"]))
    assert not picture.has_alpha
    assert (picture.pixels().numpy() == rgb8()).all()
    data, notes = encode_image(picture, as_pages(picture), mark=None)
    assert notes == ("channels beyond colour and transparency are not kept",)
    assert (read_image(data).pixels().numpy() == rgb8()).all()


def test_a_mask_that_is_a_page_is_no_page() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for subfile in (2, 3, 2):
            writer.write(grey8(), photometric="minisblack", metadata=None, subfiletype=subfile)
    kinds = [struct.pack("<HHII", 254, 4, 1, kind) for kind in (3, 4)]
    assert file.getvalue().count(kinds[0]) == 1
    picture = read_image(file.getvalue().replace(*kinds))
    assert [(page.directory, page.copies, page.masks) for page in picture.pages] == [
        (0, 0, 1),
        (2, 0, 0),
    ]
    _, notes = encode_image(picture, as_pages(picture), mark=None)
    assert notes == ("transparency that a TIFF keeps as a page of its own is not kept",)


def test_premultiplied_and_extra_channels() -> None:
    five = np.dstack([rgb8(), alpha8(), alpha8()])
    picture = read_image(samples.tiff(five, extrasamples=["unassalpha", "unspecified"]))
    assert picture.has_alpha
    _, notes = encode_image(picture, as_pages(picture), mark=None)
    assert any("channels beyond" in n for n in notes)


def test_a_large_scan_streams_in_little_memory(tmp_path: Path) -> None:
    """24 megapixels would take 144 MB as 16-bit RGB and 288 MB as float."""
    code = """
import resource, sys
from pathlib import Path
import pyvips
from tintype.images import read_image, write_image
folder = Path(sys.argv[1])
pyvips.Image.black(6000, 4000).copy(interpretation="b-w").cast("ushort").tiffsave(
    str(folder / "in.tif"), tile=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
picture = read_image(folder / "in.tif")
grey = picture.pixels()
page = (grey.bandjoin([grey, grey]).cast("float") * 0.5 + 3).cast("ushort")
write_image(picture, [page], folder / "out.tif", mark="Tintype 0 (a 1)")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100
