"""Which layout a data set has: the table of all that can be read, and how each is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tintype.errors import UsageError
from tintype.training.prepare import arrays, files
from tintype.training.prepare.found import Layout


@dataclass(frozen=True)
class Kind:
    """A layout.

    Attributes:
        is_it: whether a path, which exists, looks like it.
        open: its pictures.
        what: for people.
    """

    is_it: Callable[[Path], bool]
    open: Callable[[Path], Layout]
    what: str


# The first that fits is taken, so the ones with the clearest marks stand first.
LAYOUTS: dict[str, Kind] = {
    "kaggle": Kind(arrays.is_planes, arrays.open_planes, "Kaggle's L and ab arrays"),
    "cifar10": Kind(arrays.is_batches, arrays.open_batches, "CIFAR-10 batches for Python"),
    "voc": Kind(files.is_voc, files.open_voc, "Pascal VOC"),
    "places": Kind(files.is_listed, files.open_lists, "list files as of Places205 and Places365"),
    "classes": Kind(files.has_side_folders, files.open_classes, "class folders in train and test"),
    "folder": Kind(files.has_pictures, files.open_folder, "a folder of pictures"),
    "tar": Kind(files.is_tar, files.open_tars, "tar files of pictures"),
}
"""By the name that ``--layout`` takes."""


def open_layout(path: Path, kind: str | None = None) -> tuple[str, Layout]:
    """The pictures of a data set.

    Args:
        path: a folder or a tar file.
        kind: a key of ``LAYOUTS``; None: found out.

    Returns:
        The key, and the layout, which has at least one picture.

    Raises:
        UsageError: there is nothing there, no layout fits, or what is there is damaged.
    """
    if not path.exists():
        raise UsageError(f"The source {path} does not exist.")
    name = kind or next((each for each, it in LAYOUTS.items() if it.is_it(path)), None)
    if name is None:
        what = "; ".join(f"{each} ({it.what})" for each, it in LAYOUTS.items())
        raise UsageError(f"{path} has no layout that can be read: {what}.")
    if name not in LAYOUTS:
        raise UsageError(f"There is no layout '{name}'; known are {', '.join(LAYOUTS)}.")
    layout = LAYOUTS[name].open(path)
    if not layout.entries:
        raise UsageError(f"There are no pictures in {path} (read as {LAYOUTS[name].what}).")
    return name, layout
