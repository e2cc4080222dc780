"""The job of ``prepare`` from top to bottom: scan, sort out, split, store, and say what it is.

Everything is made in ``DEST/.unfinished`` and moved into place at the end, the card last. A call
that was interrupted goes on there: what was scanned or encoded is not looked at again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.bins import bin_of_colour, in_gamut_centres
from tintype.color import rgb_to_lab
from tintype.errors import MissingExtra, TrainingError
from tintype.images.replacing import atomic
from tintype.images.sets import pictures_in
from tintype.progress import Progress
from tintype.training.prepare import card, place, ready, shards
from tintype.training.prepare.found import Layout
from tintype.training.prepare.layouts import open_layout
from tintype.training.prepare.order import Order, plain
from tintype.training.prepare.scanning import decode, faults, in_threads, scan
from tintype.training.prepare.selecting import KEPT, select
from tintype.training.prepare.splitting import rank_of

READY = "ready"
_SPEED_SAMPLE = 64
_EVERY = 2  # of the pixels, across and down, that the prior counts


class Preparation:
    """One set to be prepared.

    Attributes:
        card: what came of it; empty before the end.
    """

    def __init__(self, order: Order) -> None:
        """Find out before the work what would stop it.

        Raises:
            MissingExtra: a plot cannot be drawn, or faces not be found.
            UsageError: something stands in the target.
        """
        if find_spec("matplotlib") is None:
            raise MissingExtra("Drawing the data card", "train")
        if order.stratify == "skin" and find_spec("skimage") is None:
            raise MissingExtra("Balancing by skin tone", "eval")
        place.check_target(order.target, overwrite=order.overwrite)
        self._order = order
        self._work, self._made = order.target / place.WORK, order.target / place.MADE
        self.card: card.Card = {}

    def run(self) -> Iterator[Progress]:
        """Prepare the set.

        Raises:
            UsageError: a source is missing, damaged or of no known layout.
            TrainingError: too few pictures are left, or a source changed during the work.
        """
        order = self._order
        yield Progress(0, 1, "listing pictures")
        layouts = [open_layout(source.path, source.kind) for source in order.sources]
        place.begin(order.target)
        rows = yield from self._scan(layouts)
        yield Progress(0, 1, "comparing pictures")
        split = select(order, layouts, rows)
        kept = rows[rows["fate"] == KEPT]
        yield from self._encode(layouts, kept)
        # In the order of the hashes, so that the sources are mixed and their order is no matter.
        kept = kept[np.argsort(rank_of(kept["digest"]), kind="stable")]
        sides = {name: kept[kept["side"] == i] for i, name in enumerate(split.names)}
        sides = {name: mine for name, mine in sides.items() if len(mine)}
        bins = yield from self._write(layouts, sides)
        tars = {side: sorted(self._made.glob(f"{side}-*.tar")) for side in sides}
        speeds = self._speeds(tars) if order.ready else {}
        self.card = card.card_of(order, layouts, rows, sides, tars, speeds)
        place.move_in(order.target, self._describe(bins[card.training_side(sides)]))

    def _scan(self, layouts: Sequence[Layout]) -> Generator[Progress, None, NDArray[np.void]]:
        """The rows of all sources.

        Raises:
            TrainingError: none of the pictures can be read.
        """
        found = []
        for index, (source, layout) in enumerate(zip(self._order.sources, layouts, strict=True)):
            rows = yield from scan(layout, source.path, self._order, self._work)
            rows["source"] = index
            found.append(rows)
        if not any(rows["size"].any() for rows in found):
            first = next(iter(faults(layouts[0], found[0][:1]).values()), "it has changed.")
            raise TrainingError(f"None of the pictures can be read; of the first: {first}")
        return np.concatenate(found)

    def _file(self, row: np.void) -> Path:
        """Where a picture lies as it will be stored."""
        how = f"{self._order.format}-{self._order.quality}-{self._order.short_side}px"
        return self._work / how / row["digest"].tobytes().hex()

    def _encode(self, layouts: Sequence[Layout], kept: NDArray[np.void]) -> Iterator[Progress]:
        """Make the files of the chosen rows that an earlier call did not."""
        self._file(kept[0]).parent.mkdir(exist_ok=True)
        done = 0
        for index, layout in enumerate(layouts):
            mine = kept[kept["source"] == index]
            missing = [row for row in mine if not self._file(row).exists()]
            done += len(mine) - len(missing)
            files = layout.read([int(row["number"]) for row in missing])
            for _ in in_threads(partial(self._store, layout), zip(missing, files, strict=True)):
                done += 1
                yield Progress(done, len(kept), "encoding")

    def _store(self, layout: Layout, picture: tuple[np.void, bytes]) -> None:
        row, data = picture
        name, order = layout.entries[int(row["number"])].name, self._order
        if hashlib.sha256(data).digest() != row["digest"].tobytes():
            raise TrainingError(
                f"{name} has changed since it was scanned; remove {self._work} and call again."
            )
        pixels, _ = decode(data, name, order.short_side, layout.pixels)
        with atomic(self._file(row)) as file:
            file.write(shards.encode(pixels, order.format, order.quality))

    def _write(
        self, layouts: Sequence[Layout], sides: Mapping[str, NDArray[np.void]]
    ) -> Generator[Progress, None, dict[str, NDArray[np.int64]]]:
        """Write the shards and the ready arrays.

        Returns:
            For each side (313,) how many of the pixels counted are of each bin.
        """
        shutil.rmtree(self._made, ignore_errors=True)  # of another split, perhaps
        (self._made / READY).mkdir(parents=True)
        bins = {side: np.zeros(len(in_gamut_centres()), np.int64) for side in sides}
        for side, rows in sides.items():
            files = [(self._name(layouts, row), self._file(row)) for row in rows]
            stored = shards.write_shards(self._made, side, files, self._order.shard_mb * 10**6)
            pictures = _counted(stored, bins[side])
            if self._order.ready:
                passed = ready.write_ready(self._made / READY, side, pictures)
            else:
                passed = (number for number, _ in enumerate(pictures, 1))
            for number in passed:
                yield Progress(number, len(rows), f"writing {side}")
        return bins

    def _name(self, layouts: Sequence[Layout], row: np.void) -> str:
        """SOURCE-HASH or SOURCE-CLASS-HASH, so that what precedes the last "-" is the domain."""
        source, number = int(row["source"]), int(row["number"])
        label = plain(layouts[source].entries[number].label)
        parts = self._order.sources[source].name, label, row["digest"].tobytes().hex()[:12]
        return f"{'-'.join(filter(None, parts))}.{self._order.format}"

    def _speeds(self, tars: Mapping[str, Sequence[Path]]) -> dict[str, float]:
        side = card.training_side(tars)
        files = [data for _, data in islice(pictures_in(tars[side][0]), _SPEED_SAMPLE)]
        return ready.measure_speeds(ready.ReadyPictures.open(self._made / READY, side), files)

    def _describe(self, bins: NDArray[np.int64]) -> list[str]:
        """Write the card and the prior; gives the names of all files of the set, the card last."""
        shares = bins / bins.sum()
        np.save(self._made / "prior.npy", shares)
        card.draw_prior(shares, self._made / "prior.png")
        paths = (path for path in self._made.rglob("*") if path.is_file())
        files = [path.relative_to(self._made).as_posix() for path in sorted(paths)]
        files += ["card.md", place.CARD]
        content = json.dumps({**self.card, "files": files}, ensure_ascii=False, indent=1)
        (self._made / place.CARD).write_text(content + "\n", encoding="utf-8")
        text = card.markdown_of(self.card, self._order.target.resolve().name)
        (self._made / "card.md").write_text(text, encoding="utf-8")
        return files


def _counted(
    stored: Iterator[tuple[str, bytes]], bins: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Names and uint8 sRGB (H, W, 3) of pictures, whose bins (313,) are counted as they pass."""

    def measured(file: tuple[str, bytes]) -> tuple[str, NDArray[np.uint8], NDArray[np.int64]]:
        rgb = ready.decode(file[1])
        lab = rgb_to_lab(rgb[::_EVERY, ::_EVERY].astype(np.float32) / 255)
        counts = np.bincount(bin_of_colour(lab[..., 1:]).ravel(), minlength=len(bins))
        return file[0], rgb, counts

    for name, rgb, counts in in_threads(measured, stored):
        bins += counts
        yield name, rgb
