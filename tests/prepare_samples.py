"""Small data sets in the layouts that ``prepare`` reads, of pictures that all differ."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tintype.color import rgb_to_lab
from tintype.images.sets import names_in
from tintype.training.prepare import card, ready
from tintype.training.prepare.job import Preparation
from tintype.training.prepare.order import Order, sources_of
from tintype.training.prepare.splitting import Split

HALVES = Split.parse("train=0.5,val=0.5")


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Soft blotches of many colours: uint8 (height, width, 3); no two seeds look alike."""
    blotches = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    image = Image.fromarray(blotches).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def encoded(pixels: np.ndarray, kind: str = "png", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def write(path: Path, pixels: np.ndarray | int, **options: object) -> Path:
    """Save pixels, or the picture of a seed, in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = picture(pixels) if isinstance(pixels, int) else pixels
    Image.fromarray(rgb).save(path, **options)
    return path


def make_folder(root: Path, count: int, first: int = 0) -> Path:
    """A nested folder of PNG."""
    for seed in range(first, first + count):
        write(root / f"part-{seed % 3}" / f"{seed:03}.png", seed)
    return root


def make_tar(path: Path, names: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in names.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def make_kaggle(root: Path, counts: tuple[int, ...] = (3, 2, 2)) -> Path:
    """L and ab of the pictures 100, 101 and so on, as Kaggle's "image-colorization" has them."""
    (root / "l").mkdir(parents=True)
    (root / "ab").mkdir()
    lab = np.stack([rgb_to_lab(picture(100 + i) / 255.0) for i in range(sum(counts))])
    np.save(root / "l" / "gray_scale.npy", np.rint(lab[..., 0] * 2.55).astype(np.uint8))
    ab = np.rint(lab[..., 1:] + 128).astype(np.uint8)
    ends = np.cumsum(counts)[:-1]
    for number, part in enumerate(np.split(ab, ends), 1):
        np.save(root / "ab" / f"ab{number}.npy", part)
    return root


def make_cifar(root: Path, protocol: int = 2) -> Path:
    """Two training batches of three pictures and a test batch of two, 32×32."""
    root.mkdir(parents=True)
    seed = 200
    for name, count in (("data_batch_1", 3), ("data_batch_2", 3), ("test_batch", 2)):
        rows = [np.moveaxis(picture(seed + i, 32, 32), -1, 0).reshape(-1) for i in range(count)]
        seed += count
        content = {
            b"batch_label": b"a batch",
            b"labels": [i % 2 for i in range(count)],
            b"data": np.stack(rows),
            b"filenames": [b"x.png"] * count,
        }
        (root / name).write_bytes(pickle.dumps(content, protocol))
    meta = {b"label_names": [b"airplane", b"sea horse"], b"num_vis": 3072}
    (root / "batches.meta").write_bytes(pickle.dumps(meta, protocol))
    return root


def make_voc(root: Path) -> Path:
    """Six pictures: two for train, two for val, one for test, one in no list."""
    year = root / "VOC2012"
    for seed in range(300, 306):
        write(year / "JPEGImages" / f"2007_{seed:06}.jpg", seed, quality=95)
    lists = {"train": (300, 301), "val": (302, 303), "test": (304,), "trainval": range(300, 304)}
    for name, seeds in lists.items():
        path = year / "ImageSets" / "Main" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"2007_{seed:06}\n" for seed in seeds))
    path.with_name("aeroplane_train.txt").write_text("2007_000300  1\n2007_000301 -1\n")
    return root


def make_places(root: Path) -> Path:
    """Places365's folders and lists; one listed file is missing, one file is not listed."""
    for seed, name in ((400, "a/airfield/1.jpg"), (401, "a/airfield/2.jpg"), (402, "z/zoo/1.jpg")):
        write(root / "data_256" / name, seed, quality=95)
    for seed in (403, 404):
        write(root / "val_256" / f"Places365_val_{seed}.jpg", seed, quality=95)
    (root / "places365_train_standard.txt").write_text(
        "/a/airfield/1.jpg 0\n/z/zoo/1.jpg 1\n/z/zoo/gone.jpg 1\n/../../outside.jpg 1\n"
    )
    (root / "places365_val.txt").write_text("Places365_val_403.jpg 1\nPlaces365_val_404.jpg 0\n")
    (root / "categories_places365.txt").write_text("/a/airfield 0\n/z/zoo/outdoor 1\n")
    return root


def make_intel(root: Path) -> Path:
    """Intel's landscapes: seg_train/seg_train/CLASS and seg_test/seg_test/CLASS."""
    for seed, name in (
        (500, "seg_train/seg_train/buildings/1.jpg"),
        (501, "seg_train/seg_train/sea/1.jpg"),
        (502, "seg_train/seg_train/sea/2.jpg"),
        (503, "seg_test/seg_test/sea/1.jpg"),
        (504, "seg_pred/seg_pred/5.jpg"),
    ):
        write(root / name, seed, quality=95)
    return root


def make_sports(root: Path) -> Path:
    """100-sports: train, valid and test, each with classes."""
    for seed, name in (
        (600, "train/air hockey/1.jpg"),
        (601, "train/golf/1.jpg"),
        (602, "valid/golf/1.jpg"),
        (603, "test/golf/1.jpg"),
    ):
        write(root / name, seed, quality=95)
    return root


def make_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plots and no measured speeds, which take most of the time of a small set."""
    speeds = {"images": 1.0, "pixels": 2.0, "ready": 3.0}
    monkeypatch.setattr(ready, "measure_speeds", lambda *_: speeds)
    monkeypatch.setattr(card, "draw_prior", lambda _, path: path.write_bytes(b"a plot"))


def order_of(target: Path, *places: str | Path, **how: object) -> Order:
    return dataclasses.replace(
        Order(sources_of([str(each) for each in places]), target, format="png"), **how
    )


def prepare(target: Path, *places: str | Path, **how: object) -> dict:
    """Prepare a set; what its card says."""
    return run(order_of(target, *places, **how))


def run(order: Order) -> dict:
    for _ in Preparation(order).run():
        pass
    return json.loads((order.target / "card.json").read_text())


def left_out(card: dict) -> dict[str, int]:
    return {why: n for why, n in card["counts"].items() if why not in ("found", "kept")}


def by_side(card: dict, what: str = "pictures") -> dict:
    return {side["side"]: side[what] for side in card["sides"]}


def sides(target: Path) -> dict[str, str]:
    """Content hash to side."""
    return {
        Path(name).stem.rpartition("-")[2]: tar.name.rpartition("-")[0]
        for tar in sorted(target.glob("*.tar"))
        for name in names_in(tar)
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
