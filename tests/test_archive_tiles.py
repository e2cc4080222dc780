"""Static tiles against the rules of the IIIF Image API 3.0, each by its section."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from image_samples import MARK, exif, of_array, pillow, tiff
from tintype.archive import tiles
from tintype.archive.tiles import address_of, info_of, write_level0
from tintype.errors import TintypeError, UnreadableImage, UnwritableImage, UsageError
from tintype.images import read_image, write_image

ADDRESS = "https://example.org/iiif/some/scan"
SIZES = [
    (1, 1),
    (48, 64),
    (512, 512),
    (513, 511),
    (700, 1025),
    (1300, 1999),
    (33, 4097),
    (2049, 3),
    (1537, 2048),
]


def colours(height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8, whose colour tells where a pixel is; smooth."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 40 + 170 * x / max(1, width), 40 + 170 * y / max(1, height)
    return np.stack([red, green, 250 - (red + green) / 2], axis=-1).astype(np.uint8)


def written(folder: Path, size: tuple[int, int]) -> Path:
    source = folder / "scan.png"
    Image.fromarray(colours(*size)).save(source)
    write_level0(source, folder / "tiles", identifier=ADDRESS)
    return folder / "tiles"


def opened(path: Path) -> Image.Image:
    image = Image.open(path)
    image.load()
    assert image.format == "JPEG"
    assert image.mode == "RGB"
    return image


def promised_tiles(info: dict[str, Any]) -> Iterator[tuple[str, tuple[int, int]]]:
    """The request for every tile and its (width, height): implementation notes, section 3.

    Region and size are in their canonical forms (section 4.8), as static images must be kept.
    """
    width, height = info["width"], info["height"]
    for described in info["tiles"]:
        tw, th = described["width"], described.get("height", described["width"])
        for s in described["scaleFactors"]:
            for n, m in itertools.product(
                range(-(-width // (tw * s))), range(-(-height // (th * s)))
            ):
                xr, yr = n * tw * s, m * th * s
                wr, hr = min(tw * s, width - xr), min(th * s, height - yr)
                ws = (width - xr + s - 1) // s if xr + tw * s > width else tw
                hs = (height - yr + s - 1) // s if yr + th * s > height else th
                whole = (xr, yr, wr, hr) == (0, 0, width, height)
                region = "full" if whole else f"{xr},{yr},{wr},{hr}"
                yield f"{region}/{ws},{hs}/0/default.jpg", (ws, hs)


def promised_wholes(info: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The requests for the whole: of every size listed (5.3), and "max" (compliance, 3.2)."""
    sizes = [(each["width"], each["height"]) for each in info["sizes"]]
    found = {f"full/{w},{h}/0/default.jpg": (w, h) for w, h in sizes}
    return found | {"full/max/0/default.jpg": max(sizes)}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_promised_request_has_its_file_of_the_demanded_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    folder = written(tmp_path, size)
    info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    promised = dict(promised_tiles(info)) | promised_wholes(info)
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {*promised, "info.json"}
    assert {path: opened(folder / path).size for path in promised} == promised
    assert sorted(tmp_path.iterdir()) == [tmp_path / "scan.png", folder]


@pytest.mark.parametrize("size", [*SIZES, (20_000, 70_001), (300, 90_000)], ids=str)
def test_the_information_keeps_the_rules_of_section_5(size: tuple[int, int]) -> None:
    info: dict[str, Any] = json.loads(json.dumps(info_of(size, ADDRESS)))
    # 5.2: what is required, and that the context comes first.
    assert next(iter(info)) == "@context"
    assert info["@context"] == "http://iiif.io/api/image/3/context.json"
    assert info["id"] == ADDRESS
    assert info["type"] == "ImageService3"
    assert info["protocol"] == "http://iiif.io/api/image"
    assert info["profile"] == "level0"
    assert (info["height"], info["width"]) == size
    # 5.2: limits; listed sizes and tiles must be within them, and "max" is the largest.
    sizes = [(each["width"], each["height"]) for each in info["sizes"]]
    limit = info.get("maxWidth", max(size))
    assert "maxHeight" not in info
    assert max(max(each) for each in sizes) == limit
    assert all(max(each) <= limit for _, each in promised_tiles_of_edges(info))
    # 5.3: whole pictures of the same shape, none larger than the picture.
    assert sizes == sorted(set(sizes))
    assert all(0 < w <= info["width"] and 0 < h <= info["height"] for w, h in sizes)
    # 5.4: positive factors, each once, the combination of width and height unique.
    (described,) = info["tiles"]
    factors = described["scaleFactors"]
    assert factors == [2**i for i in range(len(factors))]
    last = factors[-1]
    assert max(-(-size[0] // last), -(-size[1] // last)) <= described["width"]


def promised_tiles_of_edges(info: dict[str, Any]) -> list[tuple[str, tuple[int, int]]]:
    return list(itertools.islice(promised_tiles(info), 2000))


def test_tiles_show_their_region(tmp_path: Path) -> None:
    size = (700, 1025)
    folder = written(tmp_path, size)
    truth = colours(*size).astype(float)
    for path in folder.glob("*,*,*,*/*/0/default.jpg"):
        x, y, w, h = map(int, path.relative_to(folder).parts[0].split(","))
        there = np.asarray(opened(path), float).mean((0, 1))
        assert there == pytest.approx(truth[y : y + h, x : x + w].mean((0, 1)), abs=2.5)
    for path in folder.glob("full/*/0/default.jpg"):
        assert np.asarray(opened(path), float).mean((0, 1)) == pytest.approx(
            truth.mean((0, 1)), abs=2.5
        )


def test_16_bits_orientation_and_transparency_are_applied(tmp_path: Path) -> None:
    deep, turned, clear = (tmp_path / name for name in ("deep.tif", "turned.jpg", "clear.png"))
    deep.write_bytes(tiff(colours(40, 600).astype(np.uint16) * 257, photometric="rgb"))
    turned.write_bytes(pillow(colours(40, 600), "JPEG", quality=95, exif=exif(6)))
    Image.fromarray(np.dstack([colours(40, 600), np.zeros((40, 600), np.uint8)])).save(clear)
    found = {}
    for source in (deep, turned, clear):
        write_level0(source, tmp_path / source.stem, identifier=ADDRESS)
        found[source.stem] = np.asarray(opened(tmp_path / source.stem / "full/max/0/default.jpg"))
    assert np.abs(found["deep"].astype(int) - colours(40, 600)).mean() < 2
    upright = np.rot90(colours(40, 600), -1)
    assert np.abs(found["turned"].astype(int) - upright).mean() < 3
    assert found["clear"].min() == 255


@pytest.mark.parametrize("mark", [MARK, None])
def test_the_mark_is_kept_where_there_is_one(tmp_path: Path, mark: str | None) -> None:
    original = tmp_path / "original.jpg"
    said = exif()
    said[0x0112] = 1
    original.write_bytes(pillow(colours(600, 900), "JPEG", exif=said))
    picture = read_image(original)
    result = tmp_path / "result.jpg"
    write_image(picture, [of_array(colours(600, 900))], result, mark=mark)
    write_level0(result, tmp_path / "tiles", identifier=ADDRESS)
    for path in (tmp_path / "tiles").rglob("*.jpg"):
        kept = read_image(path)
        assert kept.tintype_mark == (mark is not None), path
        assert kept.pages[0].metadata.exif is None  # it speaks of the size of the whole scan


def test_each_page_has_its_own_tiles(tmp_path: Path) -> None:
    pages = [np.full((30, 40, 3), shade, np.uint8) for shade in (40, 200)]
    (tmp_path / "scan.tif").write_bytes(tiff(pages, photometric="rgb"))
    for page in (0, 1):
        write_level0(tmp_path / "scan.tif", tmp_path / str(page), identifier=ADDRESS, page=page)
        shade = np.asarray(opened(tmp_path / str(page) / "full/max/0/default.jpg")).mean()
        assert shade == pytest.approx((40, 200)[page], abs=2)
    with pytest.raises(UsageError, match="has no page 2: its pages are 0 to 1"):
        write_level0(tmp_path / "scan.tif", tmp_path / "2", identifier=ADDRESS, page=2)


@pytest.mark.parametrize(
    "identifier",
    [
        *("", "scan", "/iiif/scan", "ftp://h/scan", "https://h", "https://h/a b", "https://h/é"),
        *("https://h/a?b", "https://h/a#b", f"{ADDRESS}/", f"{ADDRESS}/info.json", "http://[/a"),
        *('https://h/"a', "https://h/a\n", "https://h/<a>"),
    ],
)
def test_what_is_no_address_is_no_identifier(tmp_path: Path, identifier: str) -> None:
    with pytest.raises(UsageError, match="cannot be the identifier"):
        write_level0(tmp_path / "scan.png", tmp_path / "tiles", identifier=identifier)


@pytest.mark.parametrize("key", ["a/b c.jpg", "ü/日本", "a%b", 'q"<?#>&', "new\nline", "[x]"])
def test_any_key_has_an_address(tmp_path: Path, key: str) -> None:
    address = address_of("https://example.org/iiif/", key)
    source = tmp_path / "scan.png"
    Image.fromarray(colours(5, 5)).save(source)
    folder = tmp_path / "a [Q=1]" / key
    write_level0(source, folder, identifier=address)
    assert json.loads((folder / "info.json").read_text("utf-8"))["id"] == address
    assert (folder / "full/max/0/default.jpg").is_file()


def damaged() -> dict[str, bytes]:
    whole = pillow(colours(900, 1200), "JPEG", quality=95)
    deep = tiff(colours(900, 1200), photometric="rgb", compression="deflate")
    return {
        "empty": b"",
        "text": b"no picture at all, only words" * 9,
        "truncated jpeg": whole[: len(whole) * 2 // 3],
        "truncated png": (png := pillow(colours(900, 1200), "PNG"))[: len(png) // 2],
        "truncated tiff": deep[: len(deep) * 2 // 3],
        "bomb": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\2\0\0\0",
    }


@pytest.mark.parametrize("name", damaged())
def test_hostile_pictures_get_one_sentence_and_leave_nothing(tmp_path: Path, name: str) -> None:
    source = tmp_path / "scan"
    source.write_bytes(damaged()[name])
    with pytest.raises(UnreadableImage) as caught:
        write_level0(source, tmp_path / "deep" / "tiles", identifier=ADDRESS)
    assert "\n" not in str(caught.value)
    assert str(source) in str(caught.value)
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / "deep" / "tiles").exists()


def test_tiles_are_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    folder = written(tmp_path, (600, 700))
    assert written(tmp_path, (40, 50)) == folder
    assert json.loads((folder / "info.json").read_text())["width"] == 50
    assert not list(folder.glob("*,*,*,*"))
    others = tmp_path / "others"
    others.mkdir()
    (others / "diary.txt").write_text("mine")
    (tmp_path / "link").symlink_to(folder)
    for place in (others, others / "diary.txt", tmp_path / "link"):
        with pytest.raises(UnwritableImage, match="exists and holds no tiles"):
            write_level0(tmp_path / "scan.png", place, identifier=ADDRESS)
    with pytest.raises(UnwritableImage, match="cannot be written"):
        write_level0(tmp_path / "scan.png", others / "diary.txt" / "t", identifier=ADDRESS)
    assert (others / "diary.txt").read_text() == "mine"


@pytest.mark.parametrize("step", ["_write_tiles", "_write_wholes", "_put_in_place"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_interrupts_leaves_the_old_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    folder = written(tmp_path, (40, 50))
    before = (folder / "info.json").read_bytes()

    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr(tiles, step, stop)
    expected = UnwritableImage if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        written(tmp_path, (600, 700))
    assert (folder / "info.json").read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [tmp_path / "scan.png", folder]


def test_a_kill_leaves_no_folder_of_that_name(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from tintype.archive import tiles
tiles._write_wholes = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tiles.write_level0(Path({str(tmp_path / "scan.png")!r}), Path({str(tmp_path / "tiles")!r}),
                   identifier={ADDRESS!r})
"""
    Image.fromarray(colours(600, 700)).save(tmp_path / "scan.png")
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert not (tmp_path / "tiles").exists()
    assert written(tmp_path, (600, 700)).is_dir()


def test_a_full_disk_is_not_the_pictures_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise pyvips.Error("write failed", "unable to write")

    monkeypatch.setattr(tiles, "_write_tiles", full)
    with pytest.raises(UnwritableImage, match="tiles cannot be written") as caught:
        written(tmp_path, (40, 50))
    assert isinstance(caught.value, TintypeError)


@pytest.mark.slow
def test_a_large_scan_streams_through(tmp_path: Path) -> None:
    """60 megapixels of 16 bits, 360 MB of samples, pass through less than 250 MB."""
    source = tmp_path / "scan.tif"
    small = pyvips.Image.gaussnoise(900, 667, mean=128, sigma=20).resize(10)
    deep = (small.bandjoin([small, small]) * 200).cast("ushort")
    deep.copy(interpretation="rgb16").write_to_file(str(source))
    code = f"""
import re
from pathlib import Path
from tintype.archive.tiles import write_level0
write_level0(Path({str(source)!r}), Path({str(tmp_path / "tiles")!r}), identifier={ADDRESS!r})
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert int(done.stdout) < 250
