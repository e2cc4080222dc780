"""Ready arrays: right to the rounding, read back by index, whole or refused, and faster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prepare_samples import encoded, picture
from tintype.bins import in_gamut_centres, nearest_bin
from tintype.color import rgb_to_lab
from tintype.errors import TrainingError
from tintype.training.prepare.ready import (
    ReadyPictures,
    codes_of,
    lab_of_codes,
    measure_speeds,
    write_ready,
)

SIZES = [(40, 30), (17, 50), (160, 130)]


@pytest.fixture
def pictures() -> list[np.ndarray]:
    return [picture(seed, *size) for seed, size in enumerate(SIZES)]


@pytest.fixture
def stored(tmp_path: Path, pictures: list[np.ndarray]) -> ReadyPictures:
    named = ((f"a-{number}.png", each) for number, each in enumerate(pictures))
    assert list(write_ready(tmp_path, "train", named)) == [1, 2, 3]
    return ReadyPictures.open(tmp_path, "train")


def test_every_picture_comes_back(stored: ReadyPictures, pictures: list[np.ndarray]) -> None:
    assert stored.names.tolist() == ["a-0.png", "a-1.png", "a-2.png"]
    for index, rgb in enumerate(pictures):
        lab = rgb_to_lab(rgb / 255.0)
        codes = stored.codes(index)
        assert (codes.dtype, codes.shape) == (np.uint8, rgb.shape)
        error = np.abs(lab_of_codes(codes) - lab).reshape(-1, 3).max(axis=0)
        assert (error <= [0.2, 0.501, 0.501]).all()
        bins = stored.bins(index)
        assert (bins.dtype, bins.shape) == (np.uint16, rgb.shape[:2])
        assert (bins == nearest_bin(lab[..., 1:], in_gamut_centres())).mean() > 0.999


def test_codes_of_the_corners_of_srgb() -> None:
    corners = np.array([[[0, 0, 0], [255, 255, 255], [0, 255, 0], [0, 0, 255]]], np.uint8)
    codes, bins = codes_of(corners)
    assert codes[0, :2].tolist() == [[0, 128, 128], [255, 128, 128]]
    assert codes[0, 2].tolist() == [224, 128 - 86, 128 + 83]
    assert in_gamut_centres()[bins[0]].tolist() == [[0, 0], [0, 0], [-90, 80], [80, -110]]


def test_what_is_not_whole_is_refused(tmp_path: Path, stored: ReadyPictures) -> None:
    with pytest.raises(TrainingError, match="No ready pictures of val"):
        ReadyPictures.open(tmp_path, "val")
    for name in ("train.u8", "train.u16", "train.npz"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-6])
        with pytest.raises(TrainingError, match="ready pictures of train"):
            ReadyPictures.open(tmp_path, "train")
        (tmp_path / name).write_bytes(whole)
    assert len(ReadyPictures.open(tmp_path, "train").names) == 3


def test_an_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    writing = write_ready(tmp_path, "train", iter([("a", picture(0)), ("b", picture(1))]))
    next(writing)
    writing.close()
    assert not list(tmp_path.iterdir())


def test_ready_arrays_are_faster_than_images(
    stored: ReadyPictures, pictures: list[np.ndarray]
) -> None:
    files = [encoded(each, "webp", lossless=True) for each in pictures]
    speeds = measure_speeds(stored, files)
    assert speeds["ready"] > 1.5 * speeds["images"] > 0
    assert speeds["pixels"] > 0
