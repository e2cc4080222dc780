"""Picture files for the tests, made by other libraries than the one under test."""

from __future__ import annotations

import io
import struct
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pillow_heif
import pyvips
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tintype.images import Picture

HEIGHT, WIDTH = 48, 64
MARK = "Tintype 0.1.0 (tintype 1)"


def grey8() -> NDArray[np.uint8]:
    """(48, 64) uint8, no symmetry."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return ((3 * x + 5 * y + (x * y) // 40) % 256).astype(np.uint8)


def grey16() -> NDArray[np.uint16]:
    """(48, 64) uint16 whose low bytes matter."""
    rng = np.random.default_rng(1)
    return (
        (grey8().astype(np.int64) * 257 - rng.integers(0, 200, (HEIGHT, WIDTH)))
        .clip(0)
        .astype(np.uint16)
    )


def rgb8() -> NDArray[np.uint8]:
    """(48, 64, 3) uint8, smooth and coloured."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([4 * x, 5 * y, 255 - 2 * x - 2 * y], axis=-1).astype(np.uint8)


def rgb16() -> NDArray[np.uint16]:
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3))
    return (rgb8().astype(np.int64) * 256 + noise).astype(np.uint16)


def alpha8() -> NDArray[np.uint8]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (2 * x + y).astype(np.uint8)


def pillow(picture: NDArray[Any] | Image.Image, format: str, **options: Any) -> bytes:
    """A file written by Pillow."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, format, **options)
    return file.getvalue()


def heic(pixels: NDArray[Any], mode: str, **options: Any) -> bytes:
    """A file written by pillow-heif."""
    file = io.BytesIO()
    pillow_heif.encode(mode, (WIDTH, HEIGHT), pixels.tobytes(), file, **options)
    return file.getvalue()


def tiff(pages: NDArray[Any] | list[NDArray[Any]], **options: Any) -> bytes:
    """A file written by tifffile; several arrays make several pages."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=options.pop("bigtiff", False)) as writer:
        for page in pages if isinstance(pages, list) else [pages]:
            photometric = "rgb" if page.ndim == 3 else "minisblack"
            writer.write(page, **{"photometric": photometric, "metadata": None} | options)
    return file.getvalue()


def png16(pixels: NDArray[np.uint16]) -> bytes:
    kind = "grey16" if pixels.ndim == 2 else "rgb16"
    return bytes(pyvips.Image.new_from_array(pixels).copy(interpretation=kind).pngsave_buffer())


def opened(data: bytes) -> Image.Image:
    """The same file read by Pillow."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def as_pages(picture: Picture) -> list[pyvips.Image]:
    """The picture's own pixels as pages to write: grey becomes three equal bands."""
    pages = []
    for number in range(picture.n_pages):
        image = picture.pixels(number)
        if image.bands == 1:
            kind = "srgb" if image.format == "uchar" else "rgb16"
            image = image.bandjoin([image, image]).copy(interpretation=kind)
        pages.append(image)
    return pages


def of_array(rgb: NDArray[Any]) -> pyvips.Image:
    kind = "srgb" if rgb.dtype == np.uint8 else "rgb16"
    return pyvips.Image.new_from_array(rgb).copy(interpretation=kind)


_ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71187, 0.0), (0.03135, 0.00009, 0.8252))
_SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def profile(space: str, gamma: float, colorants: tuple[Any, ...] = ()) -> bytes:
    """A minimal ICC profile (version 2) of one gamma."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = [(b"desc", b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78))]
    tags.append((b"wtpt", b"XYZ \0\0\0\0" + _fixed(0.9642, 1, 0.8249)))
    if colorants:
        tags += [
            (f"{c}XYZ".encode(), b"XYZ \0\0\0\0" + _fixed(*v))
            for c, v in zip("rgb", colorants, strict=True)
        ]
        tags += [(f"{c}TRC".encode(), curve) for c in "rgb"]
    else:
        tags.append((b"kTRC", curve))
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags:
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(padded))
        body += padded
    head = struct.pack(
        ">I4sI4s4s4s", at + len(body), b"none", 0x02400000, b"mntr", space.encode(), b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(0.9642, 1, 0.8249) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


ADOBE_RGB = profile("RGB ", 2.19921875, _ADOBE)
PROPHOTO = profile("RGB ", 1.8, _PROPHOTO)
SMALL_RGB = profile("RGB ", 1.8, _SRGB)
GREY_GAMMA_18 = profile("GRAY", 1.8)


def exif(orientation: int = 6) -> Image.Exif:
    """A rich EXIF block: orientation, artist, maker note, GPS, a tag nobody knows."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x013B] = "Ansel"
    block[0x8298] = "(c) somebody"
    block[0xFDE8] = "unknown to all"
    inner = block.get_ifd(0x8769)
    inner[0x9003] = "1936:03:06 12:00:00"
    inner[0x927C] = b"MAKERNOTE" * 9
    inner[0xA002], inner[0xA003] = WIDTH, HEIGHT
    gps = block.get_ifd(0x8825)
    gps[1], gps[2] = "N", (47.0, 10.0, 1.5)
    return block


XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="uuid:42" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    'xmlns:my="http://example.org/own/" xmlns:p="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmp:CreatorTool="Old scanner" tiff:Orientation="6" my:note="two&#10;lines &amp; more">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="de">Mädchen</rdf:li></rdf:Alt></dc:title>'
    "<p:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm"
    "</p:DigitalSourceType><my:tree><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag></my:tree>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
TOOL = "{http://ns.adobe.com/xap/1.0/}CreatorTool"
SOURCE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
ORIENTATION = "{http://ns.adobe.com/tiff/1.0/}Orientation"
NOTE = "{http://example.org/own/}note"


def attributes(packet: bytes) -> dict[str, list[str]]:
    """Every property of a packet, as attribute or simple element, by its full name."""
    found: dict[str, list[str]] = {}
    for description in ET.fromstring(packet.strip(b"\0")).iter(f"{RDF}Description"):
        for name, value in description.attrib.items():
            found.setdefault(name, []).append(value)
        for child in description:
            found.setdefault(child.tag, []).append(child.text or "")
    return found
