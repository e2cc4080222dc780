"""Which pictures lie in arrays: Kaggle's "image-colorization" L and ab, CIFAR-10's batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.color import lab_to_rgb
from tintype.errors import UsageError
from tintype.training.prepare.found import Entry, Found, Wanted
from tintype.training.prepare.pickles import StoredArray, unpickle

_CIFAR_SIDE = 32
_CIFAR_BYTES = 3 * _CIFAR_SIDE**2


@dataclass(frozen=True)
class Planes:
    """The Kaggle set "image-colorization": L and ab of 224×224 pictures, memory-mapped.

    Attributes:
        lightness: (N, H, W) uint8, L scaled to 0-255.
        colours: arrays (n, H, W, 2) uint8, ab + 128, one after another.
        entries: as many as there are colours.
    """

    lightness: NDArray[np.uint8]
    colours: Sequence[NDArray[np.uint8]]
    entries: Sequence[Entry]

    def read(self, wanted: Wanted) -> Iterator[Found]:
        """See ``found.Layout``."""
        number = 0
        for colours in self.colours:
            for ab in colours:
                if wanted(number):
                    L = np.asarray(self.lightness[number])
                    data = L.tobytes() + ab.tobytes()
                    yield Found(number, data, partial(_rgb_of_planes, L, np.asarray(ab)))
                number += 1


def _rgb_of_planes(L: NDArray[np.uint8], ab: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 sRGB (H, W, 3) of L (H, W) scaled to 0-255 and ab + 128 (H, W, 2)."""
    lab = np.dstack([L * np.float32(100 / 255), ab - np.float32(128)])
    return np.rint(255 * np.clip(lab_to_rgb(lab), 0, 1)).astype(np.uint8)


def is_planes(root: Path) -> bool:
    """Whether the folder holds ``l/gray_scale.npy`` and ``ab/ab1.npy``."""
    return (root / "l" / "gray_scale.npy").exists() and (root / "ab" / "ab1.npy").exists()


def open_planes(root: Path) -> Planes:
    """The arrays of a folder ``l`` and of ``ab/ab1.npy``, ``ab2.npy`` and so on.

    Where the last of the ab arrays are missing, so are their pictures.

    Raises:
        UsageError: an array is missing, truncated or of another shape.
    """
    lightness = _mapped(root / "l" / "gray_scale.npy", 3)
    colours: list[NDArray[np.uint8]] = []
    while not colours or (root / "ab" / f"ab{len(colours) + 1}.npy").exists():
        path = root / "ab" / f"ab{len(colours) + 1}.npy"
        colours.append(_mapped(path, 4))
        if colours[-1].shape[1:] != (*lightness.shape[1:], 2):
            raise UsageError(
                f"{path} has the shape {colours[-1].shape}, which does not go with "
                f"{lightness.shape} of l/gray_scale.npy."
            )
    count = sum(map(len, colours))
    if count > len(lightness):
        raise UsageError(
            f"{root} has the colours of {count} pictures, and l/gray_scale.npy the lightness "
            f"of {len(lightness)} only."
        )
    return Planes(lightness, colours, [Entry(f"{number:06}") for number in range(count)])


def _mapped(path: Path, dimensions: int) -> NDArray[np.uint8]:
    try:
        array: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"The array {path} is missing, truncated or damaged: {error}.") from error
    if array.dtype != np.uint8 or array.ndim != dimensions or not array.size:
        raise UsageError(
            f"The array {path} must be uint8 of {dimensions} dimensions, "
            f"not {array.dtype} {array.shape}."
        )
    return array


@dataclass(frozen=True)
class Batches:
    """CIFAR-10 as Python batches.

    Attributes:
        paths: the batches.
        entries: the pictures of all, one batch after another.
        ends: for each batch, the number of pictures up to its end; 0 before the first.
    """

    paths: Sequence[Path]
    entries: Sequence[Entry]
    ends: Sequence[int]

    def read(self, wanted: Wanted) -> Iterator[Found]:
        """See ``found.Layout``."""
        for path, start in zip(self.paths, self.ends[:-1], strict=True):
            for number, row in enumerate(_batch(path)[0], start):
                if wanted(number):
                    yield Found(number, row.tobytes(), partial(_rgb_of_row, row))


def _rgb_of_row(row: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 sRGB (32, 32, 3) of the three planes in a row (3072,)."""
    return np.ascontiguousarray(np.moveaxis(row.reshape(3, _CIFAR_SIDE, _CIFAR_SIDE), 0, -1))


def is_batches(root: Path) -> bool:
    """Whether the folder holds CIFAR-10's batches."""
    return root.is_dir() and next(root.glob("data_batch_*"), None) is not None


def open_batches(root: Path) -> Batches:
    """CIFAR-10's ``data_batch_1`` to ``5`` and ``test_batch``, the classes by ``batches.meta``.

    Raises:
        UsageError: there is no batch, or one is damaged, hostile or of another kind.
    """
    paths = sorted(p for p in root.glob("data_batch_*") if p.suffix != ".bin")
    test = root / "test_batch"
    paths += [test] if test.exists() else []
    if not paths:
        raise UsageError(f"{root} holds no data_batch_1 of CIFAR-10 for Python.")
    names = _class_names(root / "batches.meta")
    entries, ends = [], [0]
    for path in paths:
        side = "test" if path == test else "train"
        for number, label in enumerate(_batch(path)[1]):
            named = names[label] if label < len(names) else str(label)
            entries.append(Entry(f"{path.name}/{number}", named, side))
        ends.append(len(entries))
    return Batches(paths, entries, ends)


def _class_names(path: Path) -> list[str]:
    """The names of the labels; none without the file."""
    content = unpickle(path) if path.exists() else {}
    names = content.get(b"label_names", []) if isinstance(content, dict) else []
    return [bytes(name).decode("utf-8", "replace") for name in names if isinstance(name, bytes)]


def _batch(path: Path) -> tuple[NDArray[np.uint8], list[int]]:
    """Pictures (n, 3072) and labels (n,) of a batch.

    Raises:
        UsageError: it is something else.
    """
    content = unpickle(path)
    stored = content.get(b"data") if isinstance(content, dict) else None
    labels = content.get(b"labels") if isinstance(content, dict) else None
    rows = stored.pixels if isinstance(stored, StoredArray) else np.empty(0, np.uint8)
    if (
        rows.shape[1:] != (_CIFAR_BYTES,)
        or not isinstance(labels, list)
        or len(labels) != len(rows)
        or not all(isinstance(label, int) and label >= 0 for label in labels)
    ):
        raise UsageError(f"{path} is no batch of CIFAR-10: uint8 (n, 3072) and n labels.")
    return rows, labels
