"""Where training pictures come from: tar shards and folders, decoded once into a uint8 cache."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tintype.color import rgb_to_lab
from tintype.errors import TrainingError, UnreadableImage
from tintype.images.profiles import role_of_rgb
from tintype.images.replacing import atomic, part_prefix
from tintype.images.sets import DAMAGED, open_checked, pictures_in
from tintype.training.config import Data, Phase
from tintype.training.prepare.ready import ReadyPictures
from tintype.training.prepare.scanning import decode

DECODERS = 2

_ABANDONED_S = 3600

_LONGEST = 16  # times the short side: longer ones are no photographs, and large when enlarged

Use = Literal["crop", "film", "task", "emulsion"]


def decode_rgb(data: bytes, size: tuple[int, int] | int) -> NDArray[np.uint8] | None:
    """Decode a picture to sRGB uint8 (H, W, 3), upright.

    Args:
        data: the file's bytes.
        size: (height, width) to squash to, or the length of the short side (the long one is cut
            in the middle to at most twice that).

    Returns:
        The pixels, or None when the file is no readable picture, or a strip.

    Raises:
        MissingExtra: HEIC, and the package for it is not installed.
    """
    image = _opened(data)
    if image is None or max(image.size) > _LONGEST * min(image.size):
        return None
    if isinstance(size, tuple):
        if image.size != (size[1], size[0]):
            image = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
        return np.asarray(image)
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = max(0, width - 2 * size) // 2, max(0, height - 2 * size) // 2
    return np.asarray(image)[top : top + 2 * size, left : left + 2 * size]


def _opened(data: bytes) -> Image.Image | None:
    """A picture upright in sRGB; None when it cannot be read."""
    try:
        with open_checked(data) as opened:
            profile = opened.info.get("icc_profile")
            if profile is None or (opened.mode == "RGB" and role_of_rgb(profile) == "none"):
                return ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        pass  # HEIC, which Pillow does not know
    except (*DAMAGED, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    try:
        return Image.fromarray(decode(data, "a picture", 0)[0])
    except UnreadableImage:
        return None


@dataclass(frozen=True)
class PictureCache:
    """Decoded pictures of one short side, in one flat memory-mapped file.

    Attributes:
        pixels: uint8, all pictures (H, W, 3) one after another.
        offsets: (n,) where each starts.
        sizes: (n, 2) height and width.
        names: (n,) file names.
        ready: whether the pixels are the codes of Lab that ``prepare`` writes, not sRGB.
    """

    pixels: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    names: NDArray[np.str_]
    ready: bool = False

    def __len__(self) -> int:
        return len(self.offsets)

    def of_at_least(self, side: int) -> PictureCache:
        """The pictures whose short side is at least that, in px."""
        kept = self.sizes.min(1) >= side
        parts = self.offsets[kept], self.sizes[kept], self.names[kept]
        return PictureCache(self.pixels, *parts, self.ready)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """One picture, uint8 (H, W, 3)."""
        height, width = self.sizes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)

    @property
    def digest(self) -> str:
        """What tells these pictures from others: a hash of their names and sizes."""
        hashed = hashlib.sha256("/".join(self.names).encode())
        hashed.update(np.ascontiguousarray(self.sizes, np.int64).tobytes())
        return hashed.hexdigest()

    def labels(self) -> tuple[NDArray[np.int64], list[str]]:
        """The kind of each picture, (n,) numbers, and the kinds' names in their order.

        The kind is a file's name up to the last "-": its source, or source and class.
        """
        kinds = [str(name).rpartition("-")[0] or "other" for name in self.names]
        known, numbers = np.unique(kinds, return_inverse=True)
        return numbers.astype(np.int64), known.tolist()


@dataclass(frozen=True)
class Sampler:
    """Draws the crops of each step: functions of seed and step, so that training resumes exactly.

    Attributes:
        cache: the pictures.
        bounds: (n,) running sum of how often each picture is drawn, relative.
        seed: of the run.
        flip: probability of a mirrored crop.
    """

    cache: PictureCache
    bounds: NDArray[np.float64]
    seed: int
    flip: float = 0.5

    def crops(
        self, step: int, phase: Phase, rows: range
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Some rows of a step's batch; they do not depend on which rows are asked for.

        Args:
            step: number of the step in the whole run.
            phase: batch size and crop sides.
            rows: which of the batch.

        Returns:
            uint8 (rows, side, side, 3), the side drawn from ``phase.crops``, and the pictures'
            numbers (rows,).
        """
        rng = np.random.default_rng((self.seed, step))
        side = int(rng.integers(phase.crops[0], phase.crops[1] + 1))
        draws = rng.random(phase.batch) * self.bounds[-1]
        chosen = np.searchsorted(self.bounds, draws, side="right")[rows.start : rows.stop]
        crops = np.empty((len(rows), side, side, 3), np.uint8)
        for crop, index, row in zip(crops, chosen, rows, strict=True):
            own = self.row_rng(step, row, "crop")
            picture = self.cache.picture(int(index))
            top, left = (int(own.integers(length - side + 1)) for length in picture.shape[:2])
            part = picture[top : top + side, left : left + side]
            crop[:] = part[:, ::-1] if own.random() < self.flip else part
        return crops, chosen

    def row_seed(self, step: int, row: int, use: Use) -> tuple[int, ...]:
        """What the random numbers of one picture of a step begin with, for one use."""
        return self.seed, step, row, _USES[use]

    def row_rng(self, step: int, row: int, use: Use) -> np.random.Generator:
        """The random numbers of one picture of a step, for one use."""
        return np.random.default_rng(self.row_seed(step, row, use))


_USES: dict[Use, int] = {"crop": 4, "film": 5, "task": 6, "emulsion": 7}


def open_cache(data: Data, root: Path, folder: Path) -> PictureCache:
    """The cache of a recipe's training pictures, made on first use (about 1,000 pictures/s·core).

    Ready arrays of ``prepare``, named by their index (``ready/train.npz``), are used as they are.

    Args:
        data: which pictures and how large.
        root: the data directory.
        folder: where caches live; one subfolder per set of sources.

    Raises:
        TrainingError: when a source is missing or holds no usable picture.
        UsageError: when a source is neither a folder nor a tar file.
    """
    sources = [source for name in data.train for source in _sources(root, name)]
    if sources[0].suffix == ".npz":
        return _ready(sources, data.share)
    facts = [*map(identity_of, sources), [data.short_side, data.least_chroma]]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    pixels, index = folder / f"{key}.u8", folder / f"{key}.npz"
    try:
        offsets, sizes, names = _whole(pixels, index)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        folder.mkdir(parents=True, exist_ok=True)
        _fill(data, sources, pixels, index)
        offsets, sizes, names = _whole(pixels, index)
    kept = _share(names, data.share)
    mapped = np.memmap(pixels, np.uint8, "r")
    return PictureCache(mapped, offsets[kept], sizes[kept], names[kept])


def _whole(
    pixels: Path, index: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.str_]]:
    """Offsets, sizes and names of a cache.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: it is not there, or not whole.
    """
    with np.load(index, allow_pickle=False) as stored:
        offsets, sizes, names = (stored[key] for key in ("offsets", "sizes", "names"))
    if pixels.stat().st_size != offsets[-1] + 3 * sizes[-1].prod():
        raise ValueError("pixels are missing")
    return offsets, sizes, names


def identity_of(source: Path) -> tuple[str, str]:
    """What tells one set of pictures from another: where it is, and how large and old its files."""
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else []
    told = [(str(path.relative_to(source)), path.stat()) for path in files]
    own = [] if files else [("", source.stat())]
    parts = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in (*told, *own)]
    return str(source.resolve()), hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _ready(sources: list[Path], share: float) -> PictureCache:
    if len(sources) > 1:
        raise TrainingError("Of ready arrays a recipe can train on one set only.")
    stored = ReadyPictures.open(sources[0].parent, sources[0].stem)
    kept = _share(stored.names, share)
    offsets, sizes, names = stored.offsets[kept], stored.sizes[kept], stored.names[kept]
    return PictureCache(stored.pixels, offsets, sizes, names, ready=True)


def _sources(root: Path, name: str) -> list[Path]:
    """What a name of the recipe stands for; "*" for anything."""
    found = sorted(root.glob(name)) if "*" in name else [root / name]
    if not found or not found[0].exists():
        raise TrainingError(f"Training data not found: {root / name}.")
    return found


def _share(names: NDArray[np.str_], share: float) -> NDArray[np.int64]:
    """Which pictures are used: those whose names have the lowest hashes, in their old order."""
    if share >= 1:
        return np.arange(len(names))
    hashes = [hashlib.sha256(str(name).encode()).digest() for name in names]
    order = np.asarray(sorted(range(len(names)), key=lambda index: hashes[index]))
    return np.sort(order[: max(1, round(share * len(names)))])


def _fill(data: Data, sources: list[Path], pixels: Path, index: Path) -> None:
    """Decode everything; both files appear when they are whole, the index last."""
    offsets, sizes, names, end = [], [], [], 0
    for left in pixels.parent.glob(f"{part_prefix(pixels)}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_S:  # else another run is at it
            left.unlink()
    with atomic(pixels) as file, ThreadPoolExecutor(DECODERS) as pool:
        for source in sources:
            stream = pictures_in(source)
            while part := list(islice(stream, 256)):
                decoded = pool.map(lambda item: decode_rgb(item[1], data.short_side), part)
                for (name, _), rgb in zip(part, decoded, strict=True):
                    if rgb is None or _mean_chroma(rgb) < data.least_chroma:
                        continue
                    file.write(np.ascontiguousarray(rgb).data)
                    offsets.append(end)
                    sizes.append(rgb.shape[:2])
                    names.append(PurePosixPath(name).name)
                    end += rgb.size
        if not names:
            raise TrainingError(f"No colour pictures in {', '.join(map(str, sources))}.")
    with atomic(index) as file:
        np.savez(file, offsets=offsets, sizes=sizes, names=names)


def _mean_chroma(rgb: NDArray[np.uint8]) -> float:
    lab = rgb_to_lab(rgb[::8, ::8].astype(np.float32) / 255)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def draw_weights(names: NDArray[np.str_], by_prefix: dict[str, float]) -> NDArray[np.float64]:
    """How often each picture is drawn: 1, or the weight of the prefix that its name starts with."""
    weights = np.ones(len(names))
    for prefix, weight in by_prefix.items():
        weights[np.char.startswith(names, prefix)] = weight
    return weights


def validation_pictures(source: Path, limit: int, size: int = 256) -> NDArray[np.uint8]:
    """The first colour pictures of a set, squashed to a square: uint8 (n, size, size, 3).

    Grey ones are left out: there is nothing to gain on them.

    Raises:
        TrainingError: when the source is missing or empty.
    """
    decoded = (decode_rgb(data, (size, size)) for _, data in islice(pictures_in(source), limit))
    pictures = [rgb for rgb in decoded if rgb is not None and _mean_chroma(rgb) >= 1]
    if not pictures:
        raise TrainingError(f"No pictures to validate on in {source}.")
    return np.stack(pictures)
