"""Deep zoom: a result as static tiles under the IIIF Image API 3, level 0.

A folder of JPEG files whose paths are the requests that a viewer makes, and ``info.json``, which
says which there are; any web server that serves files is an image server then. The rules are
those of the IIIF Image API 3.0, its compliance document (level 0) and its implementation notes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pyvips

from tintype.errors import UnwritableImage, UsageError
from tintype.images import Encoding, Page, Picture, read_image
from tintype.images.metadata import Metadata
from tintype.images.reading import reason_of, unreadable
from tintype.images.replacing import part_prefix
from tintype.images.writing import Order, Sheet, encode
from tintype.images.xmp import mark_of, updated_xmp

TILE_PX = 512
"""The sides of a tile; those at the right and lower edge are smaller."""

MAX_SIDE_PX = 2048
"""The longest side of the pictures of the whole that are kept beside the tiles."""

_SMALLEST_PX = 256  # the longest side of the smallest whole picture: something for a list
_QUALITY = 85
_INFO = "info.json"

Size = tuple[int, int]
"""(height, width) in pixels."""


def write_level0(result: Path, folder: Path, *, identifier: str, page: int = 0) -> None:
    """Write the tiles of a picture; the folder appears whole, or not at all.

    The tiles are 8-bit sRGB JPEG, upright; transparency is laid on white. Each carries Tintype's
    mark if the picture does; the pictures of the whole carry its XMP and captions besides. Pixels
    stream through, so that a scan of any size takes little memory.

    Args:
        result: the picture, in any format that is read.
        folder: where ``info.json`` and the tiles go; tiles that are there are replaced.
        identifier: the address at which the folder will be served, without a slash at its end; see
            :func:`address_of`.
        page: of a TIFF of several pages, counted from 0.

    Raises:
        UnreadableImage: the picture cannot be read, or turned out to be damaged.
        UnwritableImage: a read-only folder, a full disk, or a folder that holds something else.
        UsageError: the identifier is no such address, or there is no such page.
    """
    check_identifier(identifier)
    picture = read_image(result)
    if not 0 <= page < picture.n_pages:
        raise UsageError(f"{result} has no page {page}: its pages are 0 to {picture.n_pages - 1}.")
    size = picture.pages[page].size
    with _blamed(picture, page, folder), _whole_folder(folder) as unfinished:
        _write_tiles(picture, page, unfinished)
        _write_wholes(picture, page, unfinished)
        info = json.dumps(info_of(size, identifier), indent=2) + "\n"
        (unfinished / _INFO).write_text(info, encoding="utf-8")


def address_of(base: str, key: str) -> str:
    """The identifier of a picture that is kept under a key.

    Args:
        base: the address of the folder of all tiles, "https://example.org/iiif".
        key: "sub/folder/name", in any letters; what an address cannot hold is percent-encoded.
    """
    return f"{base.rstrip('/')}/{quote(key.strip('/'), safe='/')}"


def info_of(size: Size, identifier: str) -> dict[str, object]:
    """The image information, section 5 of the specification.

    Args:
        size: of the picture.
        identifier: its address.
    """
    height, width = size
    wholes = [reduced(size, factor) for factor in whole_factors(size)]
    limit = {} if wholes[0] == size else {"maxWidth": max(wholes[0])}
    return {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": identifier,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level0",
        "width": width,
        "height": height,
        **limit,
        "sizes": [{"width": w, "height": h} for h, w in reversed(wholes)],
        "tiles": [{"width": TILE_PX, "height": TILE_PX, "scaleFactors": tile_factors(size)}],
    }


def reduced(size: Size, factor: int) -> Size:
    """A size divided by a factor, rounded up."""
    return -(-size[0] // factor), -(-size[1] // factor)


def tile_factors(size: Size) -> list[int]:
    """The factors at which there are tiles: 1, 2, 4... until one tile holds the whole."""
    factors = [1]
    while max(reduced(size, factors[-1])) > TILE_PX:
        factors.append(2 * factors[-1])
    return factors


def whole_factors(size: Size) -> list[int]:
    """The factors at which there are pictures of the whole, the largest picture first.

    Those that hold in a tile are among them: their canonical address is that of the whole.
    """
    factors = [1]
    while max(reduced(size, factors[-1])) > _SMALLEST_PX:
        factors.append(2 * factors[-1])
    return [factor for factor in factors if max(reduced(size, factor)) <= MAX_SIDE_PX]


def check_identifier(identifier: str) -> None:
    """Refuse what cannot be the address of a folder of tiles.

    Raises:
        UsageError: it is none.
    """
    try:
        parts = urlsplit(identifier)
    except ValueError:
        parts = urlsplit("")
    plain = identifier == quote(identifier, safe="/:@!$&'()*+,;=-._~%[]")
    known = parts.scheme in ("http", "https") and parts.netloc and parts.path.strip("/")
    if not (known and plain) or identifier.endswith(("/", f"/{_INFO}")):
        raise UsageError(
            f"{identifier!r} cannot be the identifier of tiles: it should be the address of "
            "their folder, such as https://example.org/iiif/name, percent-encoded and without a "
            "slash at its end."
        )


@contextmanager
def _blamed(picture: Picture, page: int, folder: Path) -> Iterator[None]:
    """Say of what failed whether the picture or the folder was to blame."""
    try:
        yield
    except OSError as error:
        raise UnwritableImage(f"{folder} cannot be written: {error.strerror or error}.") from error
    except pyvips.Error as error:
        with unreadable(picture.name):
            picture.pixels(page).avg()  # once more, every one of them
        raise UnwritableImage(f"{folder} cannot be written: {reason_of(error)}.") from error


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the one wanted that takes its place when all went well.

    Raises:
        UnwritableImage: what stands in its place are no tiles.
    """
    if os.path.lexists(folder) and not _are_tiles(folder):
        raise UnwritableImage(f"{folder} cannot be written: it exists and holds no tiles.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f"{part_prefix(folder)}{secrets.token_hex(6)}.part")
    unfinished.mkdir()
    try:
        yield unfinished
        _put_in_place(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _are_tiles(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return (folder / _INFO).is_file() or not any(folder.iterdir())


def _put_in_place(unfinished: Path, folder: Path) -> None:
    """Give a folder its name; older tiles of that name are moved away first, then removed."""
    old = folder.with_name(f"{part_prefix(folder)}{secrets.token_hex(6)}.part")
    with suppress(FileNotFoundError):
        os.rename(folder, old)
    try:
        os.rename(unfinished, folder)
    except OSError:
        with suppress(FileNotFoundError):
            os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _pixels(picture: Picture, page: int) -> pyvips.Image:
    """8-bit sRGB of three bands, upright, without transparency and metadata."""
    image = _at_8_bits(picture.pixels(page))
    image = image if image.bands == 3 else image.bandjoin([image, image])
    alpha = picture.alpha(page)
    if alpha is not None:
        image = image.bandjoin(_at_8_bits(alpha)).flatten(background=255)
    image = image.copy(interpretation="srgb", xres=1.0, yres=1.0)
    for name in image.get_fields():
        if name != "vips-sequential":  # by it shrinking knows to read from top to bottom
            image.remove(name)
    return image


def _at_8_bits(image: pyvips.Image) -> pyvips.Image:
    return image if image.format == "uchar" else image.linear(255 / 65535, 0.5, uchar=True)


def _write_tiles(picture: Picture, page: int, folder: Path) -> None:
    """All tiles, named by libvips, in a folder that is empty."""
    image = _pixels(picture, page)
    mark = mark_of(picture.pages[page].metadata.xmp)
    if mark is not None:
        xmp, _ = updated_xmp(None, mark)
        image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    inside = folder / "tiles"
    image.dzsave(
        bytes(inside),
        layout="iiif3",
        suffix=f".jpg[Q={_QUALITY}]",
        tile_size=TILE_PX,
        overlap=0,
        keep="xmp",
    )
    (inside / _INFO).unlink()  # its identifier would end in the name of the folder
    for part in inside.iterdir():
        os.rename(part, folder / part.name)
    inside.rmdir()
    (folder / "vips-properties.xml").unlink(missing_ok=True)


def _write_wholes(picture: Picture, page: int, folder: Path) -> None:
    """Pictures of the whole, "full/w,h", and the largest of them once more as "full/max"."""
    header = picture.pages[page]
    image, before = _pixels(picture, page), 1
    for factor in whole_factors(header.size):
        step = factor // before
        image = (image.shrink(step, step, ceil=True) if step > 1 else image).copy_memory()
        before = factor
        height, width = size = reduced(header.size, factor)
        sheet = Sheet(image, None, _header_of_whole(header, size), _captions(header.metadata))
        place = folder / "full" / f"{width},{height}" / "0"
        place.mkdir(parents=True, exist_ok=True)
        with (place / "default.jpg").open("w+b") as file:
            encode(file, [sheet], Order("jpeg", _QUALITY), picture.name)
    largest = reduced(header.size, whole_factors(header.size)[0])
    shutil.copytree(folder / "full" / f"{largest[1]},{largest[0]}", folder / "full" / "max")


def _header_of_whole(header: Page, size: Size) -> Page:
    return replace(
        header,
        size=size,
        depth=8,
        has_alpha=False,
        profile=None,
        encoding=Encoding(),
        resolution=None,
        extra_bands=0,
    )


def _captions(metadata: Metadata) -> Metadata:
    """What stays true of a smaller picture: XMP with the mark, and captions; not EXIF."""
    return Metadata(xmp=metadata.xmp, resources=metadata.resources)
