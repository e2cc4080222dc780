"""Shards, the spool they are cut from, and measurements of single pictures."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from prepare_samples import encoded, picture
from tintype.bins import in_gamut_centres
from tintype.errors import UnreadableImage, UsageError
from tintype.training.prepare.found import Found
from tintype.training.prepare.prior import colours_of_bins
from tintype.training.prepare.scanning import decode
from tintype.training.prepare.shards import (
    Spool,
    check_format,
    encode,
    plan_shards,
    write_shard,
)


def filled(folder: Path, plan: str, files: list[bytes]) -> Spool:
    spool = Spool(folder, plan)
    for _ in spool.fill(iter(files[len(spool) :]), len(files)):
        pass
    return spool


def test_a_spool_gives_back_what_was_put_in(tmp_path: Path) -> None:
    files = [bytes([number]) * number for number in range(5)]
    spool = filled(tmp_path, "plan", files)
    assert list(spool.pictures([3, 0, 4])) == [files[3], files[0], files[4]]
    assert len(Spool(tmp_path, "plan")) == 5
    assert len(Spool(tmp_path, "another plan")) == 0


def test_a_spool_that_was_cut_short_starts_anew(tmp_path: Path) -> None:
    files = [b"abc", b"defg"]
    filled(tmp_path, "plan", files)
    (tmp_path / "encoded").write_bytes(b"abcd")
    assert list(filled(tmp_path, "plan", files).pictures([0, 1])) == files


def test_shards_are_full_and_never_too_large(tmp_path: Path) -> None:
    sizes = np.random.default_rng(0).integers(1, 5000, 200).tolist()
    planned = plan_shards("val", list(range(200)), sizes, 60_000)
    assert [i for shard in planned for i in shard.pictures] == list(range(200))
    assert [shard.name for shard in planned][:2] == ["val-00.tar", "val-01.tar"]
    for shard in planned:
        names = [f"{i}.png" for i in shard.pictures]
        write_shard(tmp_path / shard.name, names, (bytes(sizes[i]) for i in shard.pictures))
        with tarfile.open(tmp_path / shard.name) as tar:
            assert tar.getnames() == names
        used = sum(512 * (1 + -(-sizes[i] // 512)) for i in shard.pictures)
        assert 60_000 - 6200 < used <= 60_000 - 1024 or shard is planned[-1]
    assert len(plan_shards("a", list(range(150)), [9999] * 150, 10_000)) == 150
    assert plan_shards("a", list(range(150)), [9999] * 150, 10_000)[-1].name == "a-149.tar"
    assert plan_shards("a", [], [], 10_000) == []


@pytest.mark.parametrize("kind", ["avif", "webp", "png"])
def test_encoded_pictures_are_files_without_metadata(kind: str) -> None:
    data = encode(picture(0), kind, None)  # type: ignore[arg-type]
    assert decode(Found(0, data), "x", 0)[0].shape == (48, 64, 3)
    assert b"Exif" not in data


def test_avif_keeps_the_chroma_at_full_size() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (220, 60, 60), (60, 60, 220)
    back, _ = decode(Found(0, encode(stripes, "avif", 90)), "x", 0)
    assert np.abs(back.astype(int) - stripes).mean() < 12


def test_formats_that_cannot_be_written_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    check_format("png", 90)
    with pytest.raises(UsageError, match="cannot write avif; take png"):
        check_format("avif", None)
    with pytest.raises(UsageError, match="A quality of 101"):
        check_format("png", 101)


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
    for found in (Found(0, encoded(pixels)), Found(0, b"", lambda: pixels)):
        reduced, before = decode(found, "x", short_side)
        assert (reduced.shape, reduced.dtype, before) == ((*expected, 3), np.uint8, size)


def test_arrays_and_files_are_reduced_alike() -> None:
    pixels = picture(5, 100, 140)
    one, _ = decode(Found(0, encoded(pixels)), "x", 48)
    other, _ = decode(Found(0, b"", lambda: pixels), "x", 48)
    assert np.abs(one.astype(int) - other).mean() < 1.5


def test_what_is_no_picture_has_a_sentence() -> None:
    for data in (b"", b"text", encoded(picture(0))[:200]):
        with pytest.raises(UnreadableImage, match="x "):
            decode(Found(0, data), "x", 32)


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
    rgb, _ = decode(Found(0, file.getvalue()), "x", 0)
    assert (rgb.shape, rgb.dtype) == ((40, 40, 3), np.uint8)
    assert (rgb[..., 0] == np.rint(ramp / 257)).all()
    assert (rgb == rgb[..., :1]).all()
    reduced, _ = decode(Found(0, file.getvalue()), "x", 20)
    assert reduced.shape == (20, 20, 3)
