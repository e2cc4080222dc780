"""Where training pictures come from: tar shards and folders, decoded once into a uint8 cache."""

from __future__ import annotations

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tintype.color import rgb_to_lab
from tintype.errors import TrainingError
from tintype.images.sets import pictures_in
from tintype.training.config import Data, Phase

DECODERS = 2


def decode_rgb(data: bytes, size: tuple[int, int] | int) -> NDArray[np.uint8] | None:
    """Decode a picture to sRGB uint8 (H, W, 3).

    Args:
        data: the file's bytes.
        size: (height, width) to squash to, or the length of the short side (the long one is cut
            in the middle to at most twice that).

    Returns:
        The pixels, or None when the file is no readable picture.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            image = opened.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
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


@dataclass(frozen=True)
class PictureCache:
    """Decoded pictures of one short side, in one flat memory-mapped file.

    Attributes:
        pixels: uint8, all pictures (H, W, 3) one after another.
        offsets: (n,) where each starts.
        sizes: (n, 2) height and width.
        names: (n,) file names.
    """

    pixels: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    names: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.offsets)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """One picture, uint8 (H, W, 3)."""
        height, width = self.sizes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)

    def batch(
        self, step: int, phase: Phase, seed: int, weights: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """The crops of a step: a pure function of its arguments, so that training resumes exactly.

        Args:
            step: number of the step in the whole run.
            phase: batch size and crop sides.
            seed: of the run.
            weights: (n,) how often each picture is drawn, relative.

        Returns:
            uint8 (batch, side, side, 3), the side drawn from ``phase.crops``, half of them flipped.
        """
        rng = np.random.default_rng((seed, step))
        side = int(rng.integers(phase.crops[0], phase.crops[1] + 1))
        bounds = np.cumsum(weights)
        chosen = np.searchsorted(bounds, rng.random(phase.batch) * bounds[-1], side="right")
        crops = np.empty((phase.batch, side, side, 3), np.uint8)
        for crop, index in zip(crops, chosen, strict=True):
            picture = self.picture(int(index))
            top, left = (int(rng.integers(length - side + 1)) for length in picture.shape[:2])
            part = picture[top : top + side, left : left + side]
            crop[:] = part[:, ::-1] if rng.random() < 0.5 else part
        return crops


def open_cache(data: Data, root: Path, folder: Path) -> PictureCache:
    """The cache of a recipe's training pictures, made on first use (about 1,000 pictures/s·core).

    Args:
        data: which pictures and how large.
        root: the data directory.
        folder: where caches live; one subfolder per set of sources.

    Raises:
        TrainingError: when a source is missing or holds no usable picture.
        UsageError: when a source is no tar file.
    """
    sources = [root / name for name in data.train]
    missing = [str(s) for s in sources if not s.exists()]
    if missing:
        raise TrainingError(f"Training data not found: {', '.join(missing)}.")
    facts = [[s.name, s.stat().st_size] for s in sources] + [[data.short_side, data.least_chroma]]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    pixels, index = folder / f"{key}.u8", folder / f"{key}.npz"
    if not index.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fill(data, sources, pixels, index)
    with np.load(index, allow_pickle=False) as stored:
        return PictureCache(
            np.memmap(pixels, np.uint8, "r"), stored["offsets"], stored["sizes"], stored["names"]
        )


def _fill(data: Data, sources: list[Path], pixels: Path, index: Path) -> None:
    """Decode everything; the index is renamed into place last and makes the cache valid."""
    offsets, sizes, names, end = [], [], [], 0
    with pixels.open("wb") as file, ThreadPoolExecutor(DECODERS) as pool:
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
    part_file = index.with_suffix(".part.npz")
    np.savez(part_file, offsets=offsets, sizes=sizes, names=names)
    part_file.replace(index)


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
