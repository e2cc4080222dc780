"""Shards, the spool they are cut from, and measurements of single pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from prepare_samples import encoded, picture
from tintype.bins import in_gamut_centres
from tintype.errors import UnreadableImage, UsageError
from tintype.images.sets import names_in, pictures_in
from tintype.training.prepare.card import colours_of_bins
from tintype.training.prepare.order import Order
from tintype.training.prepare.scanning import decode
from tintype.training.prepare.shards import encode, write_shards


def test_shards_are_full_and_never_too_large(tmp_path: Path) -> None:
    sizes = np.random.default_rng(0).integers(1, 5000, 200).tolist()
    files = [(f"{i}.png", tmp_path / str(i)) for i in range(200)]
    for (_, path), size in zip(files, sizes, strict=True):
        path.write_bytes(bytes(size))
    passed = list(write_shards(tmp_path, "val", files, 60_000))
    assert [(name, len(data)) for name, data in passed] == [
        (f"{i}.png", size) for i, size in enumerate(sizes)
    ]
    tars = sorted(tmp_path.glob("*.tar"))
    assert [path.name for path in tars][:2] == ["val-00.tar", "val-01.tar"]
    assert [name for path in tars for name in names_in(path)] == [name for name, _ in files]
    for path in tars:
        used = sum(512 * (1 + -(-len(data) // 512)) for _, data in pictures_in(path))
        assert 60_000 - 6200 < used <= 60_000 - 1024 or path is tars[-1]


def test_shards_too_small_for_a_picture_hold_one_each(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(9999))
    list(write_shards(tmp_path, "a", [("x.png", tmp_path / "file")] * 150, 10_000))
    assert sorted(tmp_path.glob("*.tar"))[-1].name == "a-149.tar"
    assert list(write_shards(tmp_path, "b", [], 10_000)) == []
    assert not list(tmp_path.glob("b*"))


@pytest.mark.parametrize("kind", ["avif", "webp", "png"])
def test_encoded_pictures_are_files_without_metadata(kind: str) -> None:
    data = encode(picture(0), kind, None)  # type: ignore[arg-type]
    assert decode(data, "x", 0)[0].shape == (48, 64, 3)
    assert b"Exif" not in data


def test_avif_keeps_the_chroma_at_full_size() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (220, 60, 60), (60, 60, 220)
    back, _ = decode(encode(stripes, "avif", 90), "x", 0)
    assert np.abs(back.astype(int) - stripes).mean() < 12


def test_formats_that_cannot_be_written_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    Order((), Path("set"), format="png", quality=90)
    with pytest.raises(UsageError, match="cannot write avif; take png"):
        Order((), Path("set"))
    with pytest.raises(UsageError, match="A quality of 101"):
        Order((), Path("set"), format="png", quality=101)


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((60, 90), 30, (30, 45)),
        ((90, 60), 30, (45, 30)),
        ((60, 90), 0, (60, 90)),
        ((60, 90), 100, (60, 90)),
        ((20, 900), 10, (10, 450)),
    ],
)
def test_pictures_are_reduced_and_never_enlarged(
    size: tuple[int, int], short_side: int, expected: tuple[int, int]
) -> None:
    pixels = picture(0, *size)
    for data, pixels_of in ((encoded(pixels), None), (b"", lambda _: pixels)):
        reduced, before = decode(data, "x", short_side, pixels_of)
        assert (reduced.shape, reduced.dtype, before) == ((*expected, 3), np.uint8, size)


def test_arrays_and_files_are_reduced_alike() -> None:
    pixels = picture(5, 100, 140)
    one, _ = decode(encoded(pixels), "x", 48)
    other, _ = decode(b"", "x", 48, lambda _: pixels)
    assert np.abs(one.astype(int) - other).mean() < 1.5


def test_what_is_no_picture_has_a_sentence() -> None:
    for data in (b"", b"text", encoded(picture(0))[:200]):
        with pytest.raises(UnreadableImage, match="x "):
            decode(data, "x", 32)


def test_bins_are_drawn_in_their_own_colours() -> None:
    colours, centres = colours_of_bins(), in_gamut_centres()
    for ab, strongest in (((80, 60), 0), ((-80, 70), 1), ((70, -100), 2)):
        index = int(np.flatnonzero((centres == ab).all(axis=1))[0])
        assert colours[index].argmax() == strongest
    grey = colours[np.flatnonzero((centres == 0).all(axis=1))[0]]
    assert np.ptp(grey) < 1e-6


def test_16_bits_and_grey_become_8_bits_of_srgb() -> None:
    ramp = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "png")
    rgb, _ = decode(file.getvalue(), "x", 0)
    assert (rgb.shape, rgb.dtype) == ((40, 40, 3), np.uint8)
    assert (rgb[..., 0] == np.rint(ramp / 257)).all()
    assert (rgb == rgb[..., :1]).all()
    reduced, _ = decode(file.getvalue(), "x", 20)
    assert reduced.shape == (20, 20, 3)
