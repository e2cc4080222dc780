"""Which pictures lie in arrays: Kaggle's "image-colorization" L and ab, CIFAR-10's batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.color import lab_to_rgb
from tintype.errors import UsageError
from tintype.training.prepare.found import Entry, Layout
from tintype.training.prepare.pickles import StoredArray, unpickle

_CIFAR_SHAPE = (3, 32, 32)


def open_planes(root: Path) -> Layout | None:
    """The Kaggle set "image-colorization": ``l/gray_scale.npy``, ``ab/ab/ab1.npy``, ``ab2.npy``...

    The first is (N, H, W) uint8, L scaled to 0-255, the others are (n, H, W, 2) uint8, ab + 128.
    All are mapped. ``ab/ab1.npy`` will do, too. Where the last of the ab arrays are missing, so
    are their pictures.

    Raises:
        UsageError: an array is truncated or of another shape.
    """
    folder = root / "ab"
    folder = folder / "ab" if (folder / "ab").is_dir() else folder
    paths = [root / "l" / "gray_scale.npy", folder / "ab1.npy"]
    if not all(path.exists() for path in paths):
        return None
    while (following := folder / f"ab{len(paths)}.npy").exists():
        paths.append(following)
    lightness, *colours = arrays = [_mapped(path) for path in paths]
    shape, ends = lightness.shape[1:], np.cumsum(list(map(len, colours)))
    if (
        any(array.dtype != np.uint8 for array in arrays)
        or len(shape) != 2
        or any(array.shape[1:] != (*shape, 2) for array in colours)
        or not 0 < ends[-1] <= len(lightness)
    ):
        found = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
        raise UsageError(
            f"The arrays in {root} must be uint8, (N, H, W) of L and (n, H, W, 2) of ab for at "
            f"most N pictures, not {found}."
        )

    def read(numbers: Sequence[int]) -> Iterator[bytes]:
        for number in numbers:
            part = int(np.searchsorted(ends, number, side="right"))
            ab = colours[part][number - ends[part]]  # negative: counted from the end
            yield lightness[number].tobytes() + ab.tobytes()

    def pixels(data: bytes) -> NDArray[np.uint8]:
        planes = np.frombuffer(data, np.uint8).astype(np.float32)
        L, ab = np.split(planes, [len(planes) // 3])
        lab = np.dstack([L.reshape(shape) * (100 / 255), ab.reshape(*shape, 2) - 128])
        return np.rint(255 * np.clip(lab_to_rgb(lab), 0, 1)).astype(np.uint8)

    return Layout([Entry(f"{number:06}") for number in range(ends[-1])], read, pixels)


def _mapped(path: Path) -> NDArray[np.uint8]:
    try:
        return np.atleast_1d(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"The array {path} is truncated or damaged: {error}.") from error


def open_batches(root: Path) -> Layout | None:
    """CIFAR-10's ``data_batch_1`` to ``5`` and ``test_batch``, the classes by ``batches.meta``.

    Raises:
        UsageError: one is damaged, hostile or of another kind.
    """
    paths = sorted(p for p in root.glob("data_batch_*") if p.suffix != ".bin")
    if not paths:
        return None
    paths += filter(Path.exists, [root / "test_batch"])
    names = _class_names(root / "batches.meta")
    batches = {path.name: _batch(path) for path in paths}
    rows = np.concatenate([pictures for pictures, _ in batches.values()])
    entries = [
        Entry(
            f"{batch}/{number}",
            names[label] if label < len(names) else str(label),
            "test" if batch == "test_batch" else "train",
        )
        for batch, (_, labels) in batches.items()
        for number, label in enumerate(labels)
    ]

    def read(numbers: Sequence[int]) -> Iterator[bytes]:
        return (rows[number].tobytes() for number in numbers)

    def pixels(data: bytes) -> NDArray[np.uint8]:
        planes = np.frombuffer(data, np.uint8).reshape(_CIFAR_SHAPE)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1))

    return Layout(entries, read, pixels)


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
    content = content if isinstance(content, dict) else {}
    stored, labels = content.get(b"data"), content.get(b"labels")
    if (
        not isinstance(stored, StoredArray)
        or stored.pixels.shape[1:] != (np.prod(_CIFAR_SHAPE),)
        or not isinstance(labels, list)
        or len(labels) != len(stored.pixels)
        or not all(isinstance(label, int) and label >= 0 for label in labels)
    ):
        raise UsageError(f"{path} is no batch of CIFAR-10: uint8 (n, 3072) and n labels.")
    return stored.pixels, labels
