"""metadata.py, xmp.py, containers.py: what travels with a picture, read back by Pillow."""

from __future__ import annotations

import io
import struct
import textwrap
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin

import image_samples as samples
from image_samples import (
    HEIGHT,
    MARK,
    NOTE,
    ORIENTATION,
    RDF,
    SOURCE,
    TOOL,
    WIDTH,
    XMP,
    as_pages,
    attributes,
    grey8,
    rgb8,
)
from tintype.images import encode_image, read_image
from tintype.images.metadata import clean_exif, clean_resources, iptc_of, resources_of_iptc
from tintype.images.xmp import SOURCE_TYPE

CARRIERS = ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"]
CAPTION = b"\x1c\x02\x78\x00\x0bOld harbour\x1c\x02\x50\x00\x05Ansel"


def source(format: str, **options: Any) -> bytes:
    if format == "TIFF" and "exif" in options:
        # Pillow leaves EXIF and GPS out of TIFF: their directories are laid behind by hand.
        return _tiff_with_exif(options["exif"])
    pixels = rgb8() if format in ("WEBP", "AVIF") else grey8()
    return samples.pillow(pixels, format, **options)


def _tiff_with_exif(block: Image.Exif) -> bytes:
    """A grey TIFF whose first directory is that of the EXIF block, with the pixels added."""
    pixels = grey8()
    for tag, value in ((256, WIDTH), (257, HEIGHT), (258, 8), (259, 1), (262, 1), (277, 1)):
        block[tag] = value
    # Pillow counts the place of the pixels from the end of what it writes.
    block[273], block[278], block[279] = 0, HEIGHT, pixels.size
    return block.tobytes().removeprefix(b"Exif\0\0") + pixels.tobytes()


def rewritten(data: bytes, **options: Any) -> bytes:
    picture = read_image(data)
    return encode_image(picture, as_pages(picture), **({"mark": MARK} | options))[0]


def xmp_of(data: bytes) -> bytes:
    image = samples.opened(data)
    if image.format == "TIFF":
        return bytes(image.tag_v2[700])
    found = image.info["xmp"]
    return found.encode() if isinstance(found, str) else found


@pytest.mark.parametrize("format", CARRIERS)
def test_the_mark_is_written_and_recognised(format: str) -> None:
    original = source(format)
    assert not read_image(original).tintype_mark
    marked = rewritten(original)
    assert read_image(marked).tintype_mark
    found = attributes(xmp_of(marked))
    assert found[TOOL] == [MARK]
    assert found[SOURCE] == [SOURCE_TYPE]
    assert SOURCE_TYPE.startswith("http://cv.iptc.org/newscodes/digitalsourcetype/composite")


@pytest.mark.parametrize("format", CARRIERS)
def test_without_a_mark_none_is_written(format: str) -> None:
    plain = rewritten(source(format), mark=None)
    assert b"DigitalSourceType" not in plain
    assert not read_image(plain).tintype_mark


@pytest.mark.parametrize("format", CARRIERS)
def test_the_mark_is_merged_into_existing_xmp(format: str) -> None:
    options: dict[str, Any] = {"xmp": XMP}
    if format == "TIFF":
        options = {"tiffinfo": {700: XMP}}
    elif format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options = {"pnginfo": text}
    original = source(format, **options)
    marked = rewritten(original)
    packet = xmp_of(marked)
    found = attributes(packet)
    assert found[TOOL] == [MARK]
    assert found[SOURCE] == [SOURCE_TYPE]
    assert ORIENTATION not in found
    assert found[NOTE] == ["two\nlines & more"]
    assert "Mädchen".encode() in packet
    assert b"xmlns:my=" in packet, "prefixes stay"
    assert found[f"{RDF}about"] == ["uuid:42", "uuid:42"]
    twice = rewritten(marked)
    assert attributes(xmp_of(twice))[TOOL] == [MARK], "once, also after a second run"


def test_packed_png_xmp_is_read() -> None:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
    marked = rewritten(source("PNG", pnginfo=text))
    assert attributes(xmp_of(marked))[NOTE] == ["two\nlines & more"]


@pytest.mark.parametrize("format", CARRIERS)
def test_exif_is_kept_without_its_orientation(format: str) -> None:
    original = source(format, exif=samples.exif(6))
    found = samples.opened(rewritten(original)).getexif()
    assert found.get(0x0112, 1) == 1
    assert found[0x013B] == "Ansel"
    assert found[0x8298] == "(c) somebody"
    inner = found.get_ifd(0x8769)
    assert inner[0x9003] == "1936:03:06 12:00:00"
    assert bytes(inner[0x927C]) == b"MAKERNOTE" * 9
    assert (inner[0xA002], inner[0xA003]) == (HEIGHT, WIDTH), "turned with the picture"
    assert found.get_ifd(0x8825)[2] == (47.0, 10.0, 1.5)
    if format != "AVIF":
        assert found[0xFDE8] == "unknown to all"
        assert 0x0112 not in found


@pytest.mark.parametrize("to", ["jpeg", "png", "tiff", "webp", "avif", "heic"])
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_exif_is_kept_from_format_to_format(format: str, to: Any) -> None:
    import pillow_heif

    original = source(format, exif=samples.exif(1))
    data = rewritten(original, format=to)
    if to == "heic":
        block = Image.Exif()
        block.load(pillow_heif.open_heif(io.BytesIO(data)).info["exif"])
    else:
        block = samples.opened(data).getexif()
    assert block[0x013B] == "Ansel"
    assert block.get_ifd(0x8769)[0x9003] == "1936:03:06 12:00:00"
    assert block.get_ifd(0x8825)[1] == "N"


def test_pictures_without_exif_get_none() -> None:
    for format in ("JPEG", "PNG", "WEBP", "AVIF"):
        assert not samples.opened(rewritten(source(format), mark=None)).getexif()


def _with_thumbnail(order: str) -> bytes:
    """An EXIF block with orientation, a stale bit depth, an artist and a thumbnail."""
    thumbnail = b"\xff\xd8thumbnail\xff\xd9"
    entries = [
        (0x0102, 3, 1, struct.pack(order + "HH", 8, 0)),
        (0x0112, 3, 1, struct.pack(order + "HH", 6, 0)),
        (0x013B, 2, 4, b"Joe\0"),
    ]
    first = 8 + 2 + 12 * len(entries) + 4
    blob = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    for tag, kind, count, value in entries:
        blob += struct.pack(order + "HHI", tag, kind, count) + value
    blob += struct.pack(order + "I", first) + struct.pack(order + "H", 2)
    at = first + 2 + 24 + 4
    blob += struct.pack(order + "HHII", 0x0201, 4, 1, at)
    blob += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail)) + struct.pack(order + "I", 0)
    return blob + thumbnail


@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnail_and_storage_tags_go(order: str) -> None:
    cleaned = clean_exif(b"Exif\0\0" + _with_thumbnail(order), turned=False)
    assert cleaned is not None
    assert b"thumbnail" not in cleaned
    block = Image.Exif()
    block.load(cleaned)
    assert dict(block) == {0x013B: "Joe"}
    assert not block.get_ifd(1)


@pytest.mark.parametrize(
    "block",
    [b"", b"Exif\0\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"junk" * 9],
)
def test_damaged_exif_is_dropped(block: bytes) -> None:
    assert clean_exif(block, turned=True) is None
    assert read_image(samples.pillow(grey8(), "JPEG", exif=block)).pages[0].metadata.exif is None


def jpeg_with_captions(extra: bytes = b"") -> bytes:
    plain = source("JPEG")
    content = b"Photoshop 3.0\0" + extra + resources_of_iptc(CAPTION)
    segment = struct.pack(">BBH", 0xFF, 0xED, len(content) + 2) + content
    return plain[:2] + segment + plain[2:]


def test_captions_stay_in_jpeg() -> None:
    with Image.open(io.BytesIO(rewritten(jpeg_with_captions()))) as image:
        found = IptcImagePlugin.getiptcinfo(image)
    assert found is not None
    assert found[(2, 120)] == b"Old harbour"
    assert found[(2, 80)] == b"Ansel"


def test_captions_go_from_jpeg_to_tiff_and_back() -> None:
    as_tiff = rewritten(jpeg_with_captions(), format="tiff")
    with tifffile.TiffFile(io.BytesIO(as_tiff)) as file:
        assert bytes(file.pages[0].tags[33723].value) == CAPTION
    again = rewritten(as_tiff)
    with tifffile.TiffFile(io.BytesIO(again)) as file:
        assert bytes(file.pages[0].tags[33723].value) == CAPTION
    back = read_image(rewritten(again, format="jpeg"))
    assert iptc_of(back.pages[0].metadata.resources) == CAPTION


def test_captions_of_a_tiff_without_photoshop_block_stay() -> None:
    data = samples.tiff(grey8(), extratags=[(33723, 7, len(CAPTION), CAPTION, True)])
    with tifffile.TiffFile(io.BytesIO(rewritten(data))) as file:
        assert bytes(file.pages[0].tags[33723].value) == CAPTION


def test_formats_without_captions_say_so() -> None:
    picture = read_image(jpeg_with_captions())
    for format in ("png", "webp", "avif"):
        _, notes = encode_image(picture, as_pages(picture), format=format, mark=MARK)  # type: ignore[arg-type]
        assert any("IPTC-IIM" in n for n in notes)


def test_stale_photoshop_resources_go() -> None:
    def resource(kind: int) -> bytes:
        return b"8BIM" + struct.pack(">H", kind) + b"\x03abc" + struct.pack(">I", 5) + b"grey!\0"

    block = resource(0x040C) + resource(0x03ED) + resource(0x040F) + resources_of_iptc(CAPTION)
    assert clean_resources(block) == resource(0x03ED) + resources_of_iptc(CAPTION)
    assert clean_resources(b"8BIMbroken") is None
    assert clean_resources(None) is None


def test_large_caption_blocks_span_segments() -> None:
    long = b"\x1c\x02\x78\x00\x0bOld harbour" + b"\x1c\x02\x19\x7f\xff" + b"k" * 32767
    big = resources_of_iptc(long * 3)
    plain = source("TIFF")
    picture = read_image(plain)
    from dataclasses import replace

    page = replace(picture.pages[0], metadata=replace(picture.pages[0].metadata, resources=big))
    data, _ = encode_image(
        replace(picture, pages=(page,)), as_pages(picture), format="jpeg", mark=None
    )
    assert read_image(data).pages[0].metadata.resources == big


def test_jpeg_comments_and_extended_xmp_are_carried() -> None:
    plain = source("JPEG", comment=b"from the attic")
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"F" * 32 + bytes(8) + b"<more/>"
    segment = struct.pack(">BBH", 0xFF, 0xE1, len(extended) + 2) + extended
    signed = struct.pack(">BBH", 0xFF, 0xEB, 10) + b"JP signed"[:8]
    result = rewritten(plain[:2] + segment + signed + plain[2:])
    assert samples.opened(result).info["comment"] == b"from the attic"
    assert segment in result
    assert signed not in result, "a signature of the old pixels would be false"


def test_png_texts_are_carried_but_not_stale_ones() -> None:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Title", "Harbour")
    text.add_text("Description", "ä" * 2000, zip=True)
    text.add_text("Raw profile type icc", "grey")
    found = samples.opened(rewritten(source("PNG", pnginfo=text))).text
    assert found["Title"] == "Harbour"
    assert found["Description"] == "ä" * 2000
    assert "Raw profile type icc" not in found
    picture = read_image(source("PNG", pnginfo=text))
    assert any(
        "texts" in n for n in encode_image(picture, as_pages(picture), format="jpeg", mark=None)[1]
    )


@pytest.mark.parametrize(("kind", "packed"), [("exif", True), ("exif", False), ("APP1", True)])
def test_exif_that_a_png_keeps_as_text_is_carried(kind: str, packed: bool) -> None:
    from PIL.PngImagePlugin import PngInfo

    data = samples.exif().tobytes()
    lines = "\n".join(textwrap.wrap(data.hex(), 72))
    text = PngInfo()
    text.add_text(f"Raw profile type {kind}", f"\n{kind}\n{len(data):8}\n{lines}\n", zip=packed)
    result = samples.opened(rewritten(source("PNG", pnginfo=text)))
    assert result.getexif()[0x013B] == "Ansel"
    assert 0x0112 not in result.getexif()
    broken = PngInfo()
    broken.add_text(f"Raw profile type {kind}", "no hexadecimal", zip=packed)
    assert not samples.opened(rewritten(source("PNG", pnginfo=broken))).getexif()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_resolution_is_kept(format: str) -> None:
    data = rewritten(source(format, dpi=(300, 600)))
    dpi = samples.opened(data).info["dpi"]
    np.testing.assert_allclose([float(v) for v in dpi], (300, 600), rtol=1e-3)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_resolution_is_not_invented(format: str) -> None:
    info = samples.opened(rewritten(source(format))).info
    if format == "TIFF":
        with tifffile.TiffFile(io.BytesIO(rewritten(source(format)))) as file:
            assert 282 not in file.pages[0].tags
    else:
        assert "dpi" not in info


def test_resolution_turns_with_the_picture_and_keeps_centimetres() -> None:
    turned = samples.exif(6)
    data = rewritten(source("PNG", dpi=(300, 600), exif=turned))
    np.testing.assert_allclose(samples.opened(data).info["dpi"], (600, 300), rtol=1e-3)
    metric = samples.tiff(grey8(), resolution=(118, 118), resolutionunit="centimeter")
    with tifffile.TiffFile(io.BytesIO(rewritten(metric))) as file:
        tags = file.pages[0].tags
        assert tags[296].value == 3
        assert tags[282].value[0] / tags[282].value[1] == pytest.approx(118, rel=1e-4)


def test_exif_too_large_for_jpeg_is_noted_not_fatal() -> None:
    data = samples.tiff(grey8(), extratags=[(33432, 2, 70_000, "x" * 69_999, True)])
    picture = read_image(data)
    result, notes = encode_image(picture, as_pages(picture), format="jpeg", mark=MARK)
    assert any("EXIF" in n for n in notes)
    assert read_image(result).tintype_mark
    with tifffile.TiffFile(io.BytesIO(rewritten(data))) as file:
        assert len(file.pages[0].tags[33432].value) == 69_999


def test_heic_metadata_passes() -> None:
    import pillow_heif

    file = io.BytesIO()
    carried = {"xmp": XMP, "exif": samples.exif(1).tobytes()}
    pillow_heif.encode("RGB", (WIDTH, HEIGHT), rgb8().tobytes(), file, quality=80, **carried)
    for format in ("heic", "jpeg", "avif"):
        again = read_image(rewritten(file.getvalue(), format=format))
        assert again.tintype_mark
        packet = again.pages[0].metadata.xmp
        assert packet is not None
        assert attributes(packet)[NOTE] == ["two\nlines & more"]
        assert b"Ansel" in (again.pages[0].metadata.exif or b"")


def test_the_mark_stays_where_the_xmp_is_too_large_for_jpeg() -> None:
    long = XMP.replace(
        b"</rdf:Description>", b"<dc:x>" + b"a" * 70_000 + b"</dc:x></rdf:Description>"
    )
    assert len(long) > 70_000
    picture = read_image(samples.tiff(grey8(), extratags=[(700, 1, len(long), long, True)]))
    data, notes = encode_image(picture, as_pages(picture), format="jpeg", mark=MARK)
    assert any("too large for JPEG" in note and "but for the mark" in note for note in notes)
    assert read_image(data).tintype_mark


def test_a_tag_that_stands_twice_costs_no_exif() -> None:
    entries = [(271, 2, 4, b"Leic"), (271, 2, 4, b"Agfa"), (272, 2, 4, b"III\0")]
    packed = b"".join(struct.pack("<HHI", tag, kind, n) + v for tag, kind, n, v in entries)
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)
    cleaned = clean_exif(block, turned=False)
    assert cleaned is not None
    assert b"Leic" in cleaned
    assert b"III" in cleaned
    assert b"Agfa" not in cleaned
    assert len(cleaned) == len(block)


def test_fewer_bits_than_before_are_told() -> None:
    deep = read_image(samples.png16(samples.grey16()))
    _, notes = encode_image(deep, as_pages(deep), format="avif", mark=None)
    assert "AVIF holds 12 bits per sample: the original's 16 are rounded" in notes
    again = read_image(encode_image(deep, as_pages(deep), format="avif", mark=None)[0])
    assert encode_image(again, as_pages(again), mark=None)[1] == ()


def test_exif_that_is_too_damaged_is_told() -> None:
    whole = samples.exif().tobytes()
    broken = whole[:10] + b"\xff\xff\xff\x7f" + whole[14:]  # where the first directory lies
    for block, told in ((whole, False), (broken, True)):
        picture = read_image(samples.pillow(grey8(), "PNG", exif=block))
        _, notes = encode_image(picture, as_pages(picture), mark=None)
        assert ("the EXIF data were damaged and are lost" in notes) is told
