"""Every layout of a data set: told from the others, listed, labelled, read; hostile refused."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prepare_samples import (
    encoded,
    make_cifar,
    make_folder,
    make_intel,
    make_kaggle,
    make_places,
    make_sports,
    make_tar,
    make_voc,
    picture,
    write,
)
from tintype.errors import UsageError
from tintype.training.prepare.found import Entry, Layout
from tintype.training.prepare.layouts import LAYOUTS, open_layout
from tintype.training.prepare.pickles import unpickle
from tintype.training.prepare.scanning import decode


def opened(path: Path, kind: str, forced: str | None = None) -> Layout:
    layout = open_layout(path, forced)
    assert layout.kind == kind
    return layout


def everything(layout: Layout) -> list[bytes]:
    return list(layout.read(range(len(layout.entries))))


def rgb(layout: Layout) -> list[np.ndarray]:
    return [decode(data, "x", 0, layout.pixels)[0] for data in everything(layout)]


def some(layout: Layout, numbers: list[int]) -> None:
    """Reading a part gives what reading everything gives."""
    whole = everything(layout)
    assert list(layout.read(numbers)) == [whole[number] for number in numbers]


def near(one: np.ndarray, other: np.ndarray, most: float) -> bool:
    return one.shape == other.shape and np.abs(one.astype(int) - other).mean() <= most


def test_a_nested_folder(tmp_path: Path) -> None:
    layout = opened(make_folder(tmp_path / "set", 7), "folder")
    assert [entry.name for entry in layout.entries][:2] == ["part-0/000.png", "part-0/003.png"]
    some(layout, [1, 4])
    assert near(rgb(layout)[1], picture(3), 0)


def test_kaggle_arrays(tmp_path: Path) -> None:
    layout = opened(make_kaggle(tmp_path / "set"), "kaggle")
    assert len(layout.entries) == 7
    for number, pixels in enumerate(rgb(layout)):
        assert near(pixels, picture(100 + number), 1.5)
    some(layout, [3, 6])


def test_kaggle_arrays_without_the_last_colours(tmp_path: Path) -> None:
    root = make_kaggle(tmp_path / "set")
    (root / "ab" / "ab3.npy").unlink()
    assert len(opened(root, "kaggle").entries) == 5


def test_arrays_lie_a_folder_deeper_in_the_published_set(tmp_path: Path) -> None:
    root = make_kaggle(tmp_path / "set")
    flat = list(opened(root, "kaggle").read([0, 6]))
    deeper = root / "ab" / "ab"
    deeper.mkdir()
    for path in (root / "ab").glob("*.npy"):
        path.rename(deeper / path.name)
    assert list(opened(root, "kaggle").read([0, 6])) == flat


@pytest.mark.parametrize("name", ["l/gray_scale.npy", "ab/ab2.npy"])
def test_truncated_arrays_end_in_a_sentence(tmp_path: Path, name: str) -> None:
    path = make_kaggle(tmp_path / "set") / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError, match=f"{path.name} is truncated or damaged"):
        open_layout(tmp_path / "set")


def test_arrays_that_do_not_fit_end_in_a_sentence(tmp_path: Path) -> None:
    root = make_kaggle(tmp_path / "set")
    np.save(root / "ab" / "ab2.npy", np.zeros((2, 9, 9, 2), np.uint8))
    with pytest.raises(UsageError, match="must be uint8"):
        open_layout(root)
    np.save(root / "ab" / "ab2.npy", np.zeros((9, 48, 64, 2), np.uint8))
    with pytest.raises(UsageError, match="must be uint8"):
        open_layout(root)
    np.save(root / "ab" / "ab2.npy", np.zeros((2, 48, 64, 2), np.float32))
    with pytest.raises(UsageError, match=r"must be uint8.*float32"):
        open_layout(root)
    np.save(root / "ab" / "ab2.npy", np.array([{"an": "object"}]), allow_pickle=True)
    with pytest.raises(UsageError, match="truncated or damaged"):
        open_layout(root)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_cifar_batches(tmp_path: Path, protocol: int) -> None:
    layout = opened(make_cifar(tmp_path / "set", protocol), "cifar10")
    assert layout.entries[1] == Entry("data_batch_1/1", "sea horse", "train")
    assert layout.entries[6] == Entry("test_batch/0", "airplane", "test")
    for number, pixels in enumerate(rgb(layout)):
        assert near(pixels, picture(200 + number, 32, 32), 0)
    some(layout, [2, 7])


def test_cifar_as_numpy_1_and_python_2_wrote_it(tmp_path: Path) -> None:
    data = np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072)
    # The opcodes of the published batches: Python 2 strings, numpy.core, align and copy as ints.
    batch = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray"
        b"\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nq\x06U\x02u1K\x00"
        b"K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + data.nbytes.to_bytes(4, "little")
        + data.tobytes()
        + b"tbU\x06labelsq\x08]q\x09(K\x03K\x01eu."
    )
    (tmp_path / "data_batch_1").write_bytes(batch)
    layout = opened(tmp_path, "cifar10")
    assert [entry.label for entry in layout.entries] == ["3", "1"]
    assert everything(layout) == [row.tobytes() for row in data]


class Hostile:
    """Unpickled as usual, it makes a folder."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "call",
    [
        (os.mkdir, "taken-over"),
        (os.system, "mkdir taken-over"),
        (eval, "__import__('os').mkdir('taken-over')"),
        (getattr, np.ndarray, "tofile"),
        (np.load, "x.npy"),
    ],
)
def test_hostile_pickles_are_refused(
    here: Path, call: tuple[Callable[..., object], ...], protocol: int
) -> None:
    content = {b"data": Hostile(*call), b"labels": [0]}
    (here / "data_batch_1").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(UsageError, match="is refused: it asks for"):
        open_layout(here)
    assert not (here / "taken-over").exists()


def test_what_arrays_are_made_of_cannot_be_misused(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1"
    objects = pickle.dumps(np.array([{}, []], object), 4)
    path.write_bytes(objects)
    with pytest.raises(UsageError, match="an array of 'O8'"):
        unpickle(path)
    for hostile in (
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00xX\x03\x00\x00\x00zip\x86R.",  # another codec
        b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.",  # 2 GB out of nothing
        b"\x80\x02cbuiltins\neval\n.",
        b"\x80\x02c__builtin__\nopen\n.",
        b"\x80\x02cnumpy\nload\n.",
    ):
        path.write_bytes(hostile)
        with pytest.raises(UsageError, match=r"refused|damaged"):
            unpickle(path)


def test_damaged_pickles_end_in_a_sentence(tmp_path: Path) -> None:
    root = make_cifar(tmp_path / "set")
    path = root / "data_batch_2"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (0, 1, 50, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UsageError, match="data_batch_2 cannot be read: it is truncated"):
            open_layout(root)
    for _ in range(100):
        bytes_ = bytearray(whole)
        for place in rng.integers(0, 200, 3):
            bytes_[place] = int(rng.integers(256))
        path.write_bytes(bytes_)
        with warnings.catch_warnings():  # whatever the pickle is now, an error or a batch
            warnings.simplefilter("error")
            with contextlib.suppress(UsageError):
                open_layout(root)


def test_a_pickle_of_something_else(tmp_path: Path) -> None:
    for content in ([1, 2], {b"data": 3, b"labels": []}, {b"data": np.zeros((2, 9), np.uint8)}):
        (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, 2))
        with pytest.raises(UsageError, match="no batch of CIFAR-10"):
            open_layout(tmp_path)


def test_pascal_voc(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "VOCdevkit")
    layout = opened(root, "voc")
    sides = [entry.side for entry in layout.entries]
    assert sides == ["train", "train", "val", "val", "test", ""]
    assert opened(root / "VOC2012", "voc").entries == layout.entries
    assert near(rgb(layout)[5], picture(305), 6)
    (root / "VOC2012" / "JPEGImages" / "2007_000304.jpg").unlink()
    assert everything(layout).index(b"") == 4


def test_places_lists(tmp_path: Path) -> None:
    layout = opened(make_places(tmp_path / "set"), "places")
    assert list(layout.entries) == [
        Entry("data_256/a/airfield/1.jpg", "airfield", "train"),
        Entry("data_256/z/zoo/1.jpg", "zoo/outdoor", "train"),
        Entry("data_256/z/zoo/gone.jpg", "zoo/outdoor", "train"),
        Entry("val_256/Places365_val_403.jpg", "zoo/outdoor", "val"),
        Entry("val_256/Places365_val_404.jpg", "airfield", "val"),
    ]
    assert [bool(data) for data in everything(layout)] == [1, 1, 0, 1, 1]


def test_places205_lists_with_commas_in_a_folder_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a" / "abbey" / "gsun_1.jpg", 410)
    (tmp_path / "trainvalsplit_places205").mkdir()
    (tmp_path / "trainvalsplit_places205" / "train_places205.csv").write_text(
        "a/abbey/gsun_1.jpg,0\n"
    )
    entries = opened(tmp_path, "places").entries
    assert list(entries) == [Entry("images/a/abbey/gsun_1.jpg", "0", "train")]


def test_a_list_that_is_no_text_ends_in_a_sentence(tmp_path: Path) -> None:
    root = make_places(tmp_path / "set")
    (root / "places365_val.txt").write_bytes(b"Places365_val_403.jpg 1\n\xff\xfe")
    with pytest.raises(UsageError, match=r"The list .*places365_val\.txt cannot be read"):
        open_layout(root)


def test_class_folders(tmp_path: Path) -> None:
    layout = opened(make_intel(tmp_path / "intel"), "classes")
    assert [(entry.label, entry.side) for entry in layout.entries] == [
        ("", ""),
        ("sea", "test"),
        ("buildings", "train"),
        ("sea", "train"),
        ("sea", "train"),
    ]
    sports = opened(make_sports(tmp_path / "sports"), "classes")
    assert [(entry.label, entry.side) for entry in sports.entries] == [
        ("golf", "test"),
        ("air hockey", "train"),
        ("golf", "train"),
        ("golf", "val"),
    ]
    for name in ("cats", "dogs"):
        write(tmp_path / "pets" / name / "1.png", len(name))
    assert [e.label for e in opened(tmp_path / "pets", "folder").entries] == ["", ""]
    forced = opened(tmp_path / "pets", "classes", "classes")
    assert [entry.label for entry in forced.entries] == ["cats", "dogs"]


def test_tar_shards(tmp_path: Path) -> None:
    names = ["coco-000001.avif", "places-rooms-00ff00ff00ff.avif", "plain.avif", "a-b.avif"]
    files = {name: encoded(picture(i), "avif") for i, name in enumerate(names)}
    one = make_tar(tmp_path / "shards" / "train-00.tar", files)
    make_tar(tmp_path / "shards" / "train-01.tar", {"x/y-7.png": encoded(picture(9)), "z.txt": b""})
    assert len(opened(one, "tar").entries) == 4
    layout = opened(tmp_path / "shards", "tar")
    assert [entry.label for entry in layout.entries] == ["coco", "places-rooms", "", "", "y"]
    assert list(layout.read([1, 4])) == [files[names[1]], encoded(picture(9))]


def test_a_truncated_tar_ends_in_a_sentence(tmp_path: Path) -> None:
    files = {f"{i}.png": encoded(picture(i)) for i in range(5)}
    path = make_tar(tmp_path / "set.tar", files)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UsageError, match=r"Cannot read the pictures in .*set\.tar"):
        open_layout(path)


def test_what_has_no_layout(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no pictures")
    for path in (tmp_path / "empty", tmp_path / "notes.txt"):
        with pytest.raises(UsageError, match="in a layout that can be read: kaggle"):
            open_layout(path)
    with pytest.raises(UsageError, match="does not exist"):
        open_layout(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no layout 'zip'; known are kaggle"):
        open_layout(tmp_path / "empty", "zip")
    with pytest.raises(UsageError, match=r"read: folder \(a folder of pictures\)\."):
        open_layout(tmp_path / "empty", "folder")


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_wrong_layout_ends_in_a_sentence(tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "empty", tmp_path / "file"):
        with pytest.raises(UsageError):
            open_layout(path, kind)


def test_every_entry_is_found_again_after_a_move(tmp_path: Path) -> None:
    first = opened(make_places(tmp_path / "a"), "places").entries
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert opened(tmp_path / "b", "places").entries == first
