"""Which pictures a folder or a tar holds: nested folders, class folders, VOC, Places, shards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from pathlib import Path, PurePosixPath

from tintype.errors import UsageError
from tintype.images import SUFFIXES
from tintype.images.sets import names_in, pictures_in
from tintype.training.prepare.found import SIDES, Entry, Found, Wanted

_TAR_NAME = re.compile(r".+\.(tar(\.(gz|bz2|xz))?|tgz|tbz2?|txz)", re.IGNORECASE)
_SHARD_MEMBER = re.compile(r"(.+)-(?:\d+|[0-9a-f]{12})")
_LIST_NAME = re.compile(r"(^|.*[_.-])(train|val|test)([_.-].*|places.*|)", re.IGNORECASE)
_CATEGORIES = "categor*"  # categories_places365.txt, categoryIndex_places205.csv
_PROBED_LINES = 50
_VOC_LISTS = ("train", "val", "test", "trainval")


@dataclass(frozen=True)
class Files:
    """Picture files below a folder.

    Attributes:
        root: the folder.
        entries: their paths relative to it.
    """

    root: Path
    entries: Sequence[Entry]

    def read(self, wanted: Wanted) -> Iterator[Found]:
        """See ``found.Layout``."""
        for number, entry in enumerate(self.entries):
            if wanted(number):
                try:
                    data = (self.root / entry.name).read_bytes()
                except OSError:
                    data = b""
                yield Found(number, data)


@dataclass(frozen=True)
class Shards:
    """Picture files in tar files.

    Attributes:
        tars: the files.
        entries: the pictures of all, one tar after the other.
        ends: for each tar, the number of pictures up to its end; 0 before the first.
    """

    tars: Sequence[Path]
    entries: Sequence[Entry]
    ends: Sequence[int]

    def read(self, wanted: Wanted) -> Iterator[Found]:
        """See ``found.Layout``."""
        for tar, (start, end) in zip(self.tars, pairwise(self.ends), strict=True):
            mine = {number - start for number in range(start, end) if wanted(number)}
            if mine:
                pictures = pictures_in(tar, mine.__contains__)
                for number, (_, data) in zip(sorted(mine), pictures, strict=True):
                    yield Found(start + number, data)


def has_pictures(root: Path) -> bool:
    """Whether it is a folder with a picture anywhere below."""
    return root.is_dir() and next(_pictures_below(root), None) is not None


def open_folder(root: Path) -> Files:
    """All pictures of a folder, however deep."""
    return Files(root, [Entry(name) for name in names_in(root)])


def is_tar(path: Path) -> bool:
    """Whether it is a tar file, or a folder of them."""
    return bool(_tars(path))


def open_tars(path: Path) -> Shards:
    """Tar files; a name such as ``coco-000123.avif`` gives the label ``coco``.

    Raises:
        UsageError: there is none, or one is damaged.
    """
    tars = _tars(path)
    if not tars:
        raise UsageError(f"{path} is no tar file and holds none.")
    names = [list(names_in(tar)) for tar in tars]
    ends = [0, *accumulate(map(len, names))]
    return Shards(tars, [Entry(name, _shard_label(name)) for each in names for name in each], ends)


def _tars(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if _TAR_NAME.fullmatch(path.name) else []
    return sorted(each for each in path.iterdir() if _TAR_NAME.fullmatch(each.name))


def _shard_label(name: str) -> str:
    matched = _SHARD_MEMBER.fullmatch(PurePosixPath(name).stem)
    return matched[1] if matched else ""


def has_side_folders(root: Path) -> bool:
    """Whether there are folders called train, valid, test, seg_train or the like."""
    return root.is_dir() and any(
        each.name.lower() in SIDES and has_pictures(each) for each in sorted(root.iterdir())
    )


def open_classes(root: Path) -> Files:
    """Folders of classes: the folder that holds a picture is its class.

    A folder at the top that is called train, valid, test, seg_train or the like names the side
    instead; Intel's set repeats that folder's name one level down.
    """
    return Files(root, [_in_classes(name) for name in names_in(root)])


def _in_classes(name: str) -> Entry:
    folders = PurePosixPath(name).parts[:-1]
    label = folders[-1] if folders and folders[-1].lower() not in SIDES else ""
    return Entry(name, label, SIDES.get(folders[0].lower(), "") if folders else "")


def _pictures_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def is_voc(root: Path) -> bool:
    """Whether it is a Pascal VOC year, or the folder above one."""
    return _below(root, "JPEGImages") is not None


def open_voc(root: Path) -> Files:
    """Pascal VOC: all of ``JPEGImages``, the sides by the lists of ``ImageSets/Main``.

    Raises:
        UsageError: there is no ``JPEGImages``.
    """
    year = _below(root, "JPEGImages")
    if year is None:
        raise UsageError(f"{root} is not Pascal VOC: there is no JPEGImages.")
    sides = dict.fromkeys(names_in(year / "JPEGImages"), "")
    for which in _VOC_LISTS:
        path = year / "ImageSets" / "Main" / f"{which}.txt"
        for line in _lines(path) if path.exists() else []:
            name = f"{PurePosixPath(line.split()[0]).name}.jpg"
            sides[name] = sides.get(name) or SIDES[which]
    return Files(
        year, [Entry(f"JPEGImages/{name}", side=side) for name, side in sorted(sides.items())]
    )


def _below(root: Path, marker: str) -> Path | None:
    """The folder, or its first child, that holds the marker."""
    if not root.is_dir():
        return None
    places = [root, *sorted(each for each in root.iterdir() if each.is_dir())]
    return next((each for each in places if (each / marker).exists()), None)


def is_listed(root: Path) -> bool:
    """Whether there are list files as Places205 and Places365 have them."""
    return bool(_lists(root))


def open_lists(root: Path) -> Files:
    """Places205 and Places365: the pictures of the lists for train, val and test.

    A line is "path label", a label's name comes from a file of categories. Paths count from the
    folder itself or from one below it (``data_256``, ``val_256``).

    Raises:
        UsageError: there is no such list, or one cannot be read.
    """
    lists = _lists(root)
    if not lists:
        raise UsageError(f"{root} has no list files for train, val or test with paths that exist.")
    categories = _categories(root)
    found: dict[str, Entry] = {}
    for side, path, base in lists:
        for name, label in _listed(path):
            inside = f"{base}{name}"
            found.setdefault(inside, Entry(inside, categories.get(label, label), side))
    return Files(root, list(found.values()))


def _lists(root: Path) -> list[tuple[str, Path, str]]:
    """Side, file and the prefix of its paths, for each list whose pictures are there."""
    if not root.is_dir():
        return []
    folders = [root, *sorted(each for each in root.iterdir() if each.is_dir())]
    bases = ["", *(f"{folder.name}/" for folder in folders[1:])]
    found = []
    for path in sorted(p for f in folders for end in ("txt", "csv") for p in f.glob(f"*.{end}")):
        matched = _LIST_NAME.fullmatch(path.stem)
        if matched:
            names = [name for name, _ in islice(_listed(path), _PROBED_LINES)]
            there = [sum((root / f"{base}{name}").is_file() for name in names) for base in bases]
            if max(there):
                found.append((matched[2].lower(), path, bases[there.index(max(there))]))
    return found


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    """Name and label of each line that names a picture within the set."""
    for line in _lines(path):
        name, _, label = line.replace(",", " ").strip().partition(" ")
        inside = PurePosixPath(name.lstrip("/"))
        if inside.suffix.lower() in SUFFIXES and ".." not in inside.parts:
            yield str(inside), label.strip()


def _categories(root: Path) -> dict[str, str]:
    """Names of labels by number, from lines such as ``/a/airfield 0``."""
    names = {}
    for path in sorted([*root.glob(_CATEGORIES), *root.glob(f"*/{_CATEGORIES}")]):
        for line in _lines(path) if path.suffix in (".txt", ".csv") else []:
            name, _, number = line.replace(",", " ").strip().rpartition(" ")
            names[number] = re.sub("^/?[a-z]/", "", name.strip())
    return names


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
