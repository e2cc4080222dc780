"""Which pictures a data set on disk holds: the layouts that can be read, and how each is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

from tintype.errors import UsageError
from tintype.images import SUFFIXES
from tintype.images.sets import names_in, pictures_in
from tintype.training.prepare.arrays import open_batches, open_planes
from tintype.training.prepare.found import Entry, Layout

_NAMES = {
    "train": "train training seg_train trainval",
    "val": "val valid validation",
    "test": "test testing seg_test",
    "": "seg_pred",
}
SIDES = {name: side for side, names in _NAMES.items() for name in names.split()}
"""What known sets call their folders and lists, and the side that each stands for."""

_TAR_NAME = re.compile(r".+\.(tar(\.(gz|bz2|xz))?|tgz|tbz2?|txz)", re.IGNORECASE)
_SHARD_MEMBER = re.compile(r"(.+)-(?:\d+|[0-9a-f]{12})")
_LIST_NAME = re.compile(r"(^|.*[_.-])(train|val|test)([_.-].*|places.*|)", re.IGNORECASE)
_CATEGORIES = "categor*"  # categories_places365.txt, categoryIndex_places205.csv
_PROBED_LINES = 50


def open_layout(path: Path, kind: str | None = None) -> Layout:
    """The pictures of a data set, at least one.

    Args:
        path: a folder or a tar file.
        kind: a key of ``LAYOUTS``; None: found out.

    Raises:
        UsageError: there is nothing there, no layout fits, or what is there is damaged.
    """
    if not path.exists():
        raise UsageError(f"The source {path} does not exist.")
    if kind is not None and kind not in LAYOUTS:
        raise UsageError(f"There is no layout '{kind}'; known are {', '.join(LAYOUTS)}.")
    tried = {each: LAYOUTS[each] for each in ([kind] if kind else LAYOUTS)}
    for each, (_, opener) in tried.items():
        layout = opener(path)
        found = layout.entries if layout else ()
        # Any folder of folders could be one of classes; unasked, it takes names of sides to tell.
        if layout and found and (kind or each != "classes" or any(one.side for one in found)):
            return replace(layout, kind=each)
    known = "; ".join(f"{each} ({what})" for each, (what, _) in tried.items())
    raise UsageError(f"There are no pictures in {path} in a layout that can be read: {known}.")


def _files(root: Path, entries: Sequence[Entry]) -> Layout:
    """Picture files below a folder, by their paths relative to it."""

    def read(numbers: Sequence[int]) -> Iterator[bytes]:
        for number in numbers:
            try:
                yield (root / entries[number].name).read_bytes()
            except OSError:
                yield b""

    return Layout(entries, read)


def _folder(root: Path, entry_of: Callable[[str], Entry] = Entry) -> Layout | None:
    return _files(root, list(map(entry_of, names_in(root)))) if root.is_dir() else None


def _tars(path: Path) -> Layout | None:
    """Tar files; a name such as ``coco-000123.avif`` gives the label ``coco``."""
    tars = [p for p in sorted(path.glob("*")) or [path] if _TAR_NAME.fullmatch(p.name)]
    names = {tar: list(names_in(tar)) for tar in tars}

    def read(numbers: Sequence[int]) -> Iterator[bytes]:
        wanted, start = set(numbers), 0
        for tar, inside in names.items():
            mine = {number for number in range(len(inside)) if start + number in wanted}
            if mine:
                yield from (data for _, data in pictures_in(tar, mine.__contains__))
            start += len(inside)

    entries = [Entry(name, _shard_label(name)) for inside in names.values() for name in inside]
    return Layout(entries, read) if tars else None


def _folders(root: Path) -> list[Path]:
    """A folder and those in it."""
    return [root, *sorted(filter(Path.is_dir, root.glob("*")))]


def _shard_label(name: str) -> str:
    matched = _SHARD_MEMBER.fullmatch(PurePosixPath(name).stem)
    return matched[1] if matched else ""


def _in_classes(name: str) -> Entry:
    """A picture whose folder is its class.

    A folder at the top that is called train, valid, test, seg_train or the like names the side
    instead; Intel's set repeats that folder's name one level down.
    """
    folders = ["", *PurePosixPath(name).parts[:-1]]
    label = folders[-1] if folders[-1].lower() not in SIDES else ""
    return Entry(name, label, SIDES.get(folders[:2][-1].lower(), ""))


def _voc(root: Path) -> Layout | None:
    """Pascal VOC: all of ``JPEGImages``, the sides by the lists of ``ImageSets/Main``."""
    year = next((each for each in _folders(root) if (each / "JPEGImages").is_dir()), None)
    if year is None:
        return None
    sides = dict.fromkeys(names_in(year / "JPEGImages"), "")
    for which in ("train", "val", "test", "trainval"):
        path = year / "ImageSets" / "Main" / f"{which}.txt"
        for line in _lines(path) if path.exists() else []:
            name = f"{PurePosixPath(line.split()[0]).name}.jpg"
            sides[name] = sides.get(name) or SIDES[which]
    return _files(year, [Entry(f"JPEGImages/{name}", "", sides[name]) for name in sorted(sides)])


def _places(root: Path) -> Layout | None:
    """Places205 and Places365: the pictures of the lists for train, val and test.

    A line is "path label", a label's name comes from a file of categories. Paths count from the
    folder itself or from one below it (``data_256``, ``val_256``).
    """
    lists = _lists(_folders(root))
    categories = _categories(_folders(root)) if lists else {}
    found: dict[str, Entry] = {}
    for side, path, base in lists:
        for name, label in _listed(path):
            inside = (base / name).relative_to(root).as_posix()
            found.setdefault(inside, Entry(inside, categories.get(label, label), side))
    return _files(root, list(found.values())) if lists else None


def _lists(folders: Sequence[Path]) -> list[tuple[str, Path, Path]]:
    """Side, file and the folder of its paths, for each list whose pictures are there."""
    found = []
    for path in _tables(folders, "*"):
        matched = _LIST_NAME.fullmatch(path.stem)
        if matched:
            names = [name for name, _ in islice(_listed(path), _PROBED_LINES)]
            there = [sum((base / name).is_file() for name in names) for base in folders]
            if max(there):
                found.append((matched[2].lower(), path, folders[there.index(max(there))]))
    return found


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    """Name and label of each line that names a picture within the set."""
    for line in _lines(path):
        name, _, label = line.replace(",", " ").strip().partition(" ")
        inside = PurePosixPath(name.lstrip("/"))
        if inside.suffix.lower() in SUFFIXES and ".." not in inside.parts:
            yield str(inside), label.strip()


def _categories(folders: Sequence[Path]) -> dict[str, str]:
    """Names of labels by number, from lines such as ``/a/airfield 0``."""
    names = {}
    for path in _tables(folders, _CATEGORIES):
        for line in _lines(path):
            name, _, number = line.replace(",", " ").strip().rpartition(" ")
            names[number] = re.sub("^/?[a-z]/", "", name.strip())
    return names


def _tables(folders: Sequence[Path], name: str) -> list[Path]:
    return sorted(p for f in folders for end in ("txt", "csv") for p in f.glob(f"{name}.{end}"))


def _lines(path: Path) -> Iterator[str]:
    """The lines that are not empty.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            yield from (line for line in file if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The list {path} cannot be read: {error}.") from error


# The first that fits is taken, so the ones with the clearest marks stand first.
LAYOUTS: dict[str, tuple[str, Callable[[Path], Layout | None]]] = {
    "kaggle": ("Kaggle's L and ab arrays", open_planes),
    "cifar10": ("CIFAR-10 batches for Python", open_batches),
    "voc": ("Pascal VOC", _voc),
    "places": ("list files as of Places205 and Places365", _places),
    "classes": ("class folders in train and test", partial(_folder, entry_of=_in_classes)),
    "folder": ("a folder of pictures", _folder),
    "tar": ("tar files of pictures", _tars),
}
"""By the name that ``--layout`` takes: what it is, and what opens it; None: it is not that."""
