"""The job of ``prepare`` from top to bottom: scan, sort out, split, store, and say what it is.

Everything is made in ``DEST/.unfinished`` and moved into place at the end, the card last. A call
that was interrupted goes on there: what was scanned or encoded is not looked at again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from importlib.util import find_spec
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tintype.errors import MissingExtra, TrainingError
from tintype.images import atomic
from tintype.images.sets import pictures_in
from tintype.progress import Progress
from tintype.training.prepare import account, card, ready, shards
from tintype.training.prepare.found import Found, Layout
from tintype.training.prepare.layouts import open_layout
from tintype.training.prepare.measuring import Measures, decode_file, measured
from tintype.training.prepare.order import Order, plain
from tintype.training.prepare.place import CARD, Place
from tintype.training.prepare.prior import draw_prior
from tintype.training.prepare.scanning import Look, Notes, decode, in_threads, scan
from tintype.training.prepare.selecting import Selection, select
from tintype.training.prepare.splitting import NOT_TAKEN, rank_of

READY = "ready"
_SPEED_SAMPLE = 64


class Preparation:
    """One set to be prepared.

    Attributes:
        card: what came of it; None before the end.
    """

    def __init__(self, order: Order) -> None:
        """Find out before the work what would stop it.

        Raises:
            MissingExtra: a plot cannot be drawn, or faces not be found.
            UsageError: something stands in the target, or the format cannot be written.
        """
        if find_spec("matplotlib") is None:
            raise MissingExtra("Drawing the data card", "train")
        if order.stratify == "skin" and find_spec("skimage") is None:
            raise MissingExtra("Balancing by skin tone", "eval")
        shards.check_format(order.format, order.quality)
        self._order = order
        self._place = Place(order.target, overwrite=order.overwrite)
        self.card: card.Card | None = None

    def run(self) -> Iterator[Progress]:
        """Prepare the set.

        Yields:
            How far each stage is.

        Raises:
            UsageError: a source is missing, damaged or of no known layout.
            TrainingError: too few pictures are left, or a source changed during the work.
        """
        order = self._order
        yield Progress(0, 1, "listing pictures")
        opened = [open_layout(source.path, source.kind) for source in order.sources]
        layouts = [layout for _, layout in opened]
        self._place.begin()
        rows, faults = yield from self._scan(layouts)
        yield Progress(0, 1, "comparing pictures")
        selection = select(order, layouts, rows)
        chosen = np.flatnonzero(selection.side != NOT_TAKEN)
        spool = shards.Spool(self._place.work, _plan(order, rows[chosen]))
        yield from spool.fill(self._encoded(layouts, rows, chosen[len(spool) :]), len(chosen))
        written = yield from self._write(layouts, rows, selection, chosen, spool)
        measures = yield from self._measure(written)
        speeds = self._speeds(written) if order.ready else None
        kinds = [kind for kind, _ in opened]
        found = account.Account(order, kinds, layouts, rows, faults, selection, written, measures)
        self.card = found.card(self._place.work, speeds, self._files(written))
        self._describe(self.card, found.prior())
        self._place.move_in(self.card.files)

    def _scan(
        self, layouts: Sequence[Layout]
    ) -> Generator[Progress, None, tuple[NDArray[np.void], list[dict[int, str]]]]:
        """The rows of all sources, and of each why pictures cannot be read.

        Raises:
            TrainingError: all of them are so.
        """
        look = Look(self._order.short_side, self._order.stratify == "skin")
        rows, faults = [], []
        for index, (source, layout) in enumerate(zip(self._order.sources, layouts, strict=True)):
            notes = Notes()
            yield from scan(layout, source.path, look, self._place.work, notes)
            notes.rows["source"] = index
            rows.append(notes.rows)
            faults.append(notes.faults)
        if sum(map(len, rows)) == sum(map(len, faults)):
            first = next(iter(faults[0].values()))
            raise TrainingError(f"None of the pictures can be read; of the first: {first}")
        return np.concatenate(rows), faults

    def _encoded(
        self, layouts: Sequence[Layout], rows: NDArray[np.void], chosen: NDArray[np.int64]
    ) -> Iterator[bytes]:
        """The files of the chosen rows, source by source."""
        for index, layout in enumerate(layouts):
            mine = rows[chosen[rows["source"][chosen] == index]]
            digests = {int(row["number"]): row["digest"].tobytes() for row in mine}
            yield from in_threads(self._encoder(layout, digests), layout.read(digests.__contains__))

    def _encoder(self, layout: Layout, digests: dict[int, bytes]) -> Callable[[Found], bytes]:
        order = self._order

        def encoded(found: Found) -> bytes:
            name = layout.entries[found.number].name
            if hashlib.sha256(found.data).digest() != digests[found.number]:
                raise TrainingError(
                    f"{name} has changed since it was scanned; remove {self._place.work} and "
                    "call again."
                )
            pixels, _ = decode(found, name, order.short_side)
            return shards.encode(pixels, order.format, order.quality)

        return encoded

    def _write(
        self,
        layouts: Sequence[Layout],
        rows: NDArray[np.void],
        selection: Selection,
        chosen: NDArray[np.int64],
        spool: shards.Spool,
    ) -> Generator[Progress, None, dict[str, list[shards.Shard]]]:
        """Write the shards of every side that has pictures."""
        names = [_name(self._order, layouts, row) for row in rows[chosen]]
        # In the order of the hashes, so that the sources are mixed and their order is no matter.
        by_hash = np.argsort(rank_of(rows["digest"][chosen]), kind="stable")
        sizes, limit = np.diff(spool.ends).tolist(), self._order.shard_mb * 10**6
        done = 0
        written: dict[str, list[shards.Shard]] = {}
        for index, side in enumerate(selection.split.sides):
            mine = by_hash[selection.side[chosen[by_hash]] == index].tolist()
            planned = shards.plan_shards(side.name, mine, sizes, limit)
            for shard in planned:
                files = spool.pictures(shard.pictures)
                shards.write_shard(
                    self._place.work / shard.name, [names[i] for i in shard.pictures], files
                )
                done += len(shard.pictures)
                yield Progress(done, len(chosen), "writing shards")
            if planned:
                written[side.name] = planned
        return written

    def _measure(
        self, written: dict[str, list[shards.Shard]]
    ) -> Generator[Progress, None, dict[str, Measures]]:
        """Read every shard back; with ``ready``, the arrays are written on the way."""
        measures = {side: Measures() for side in written}
        folder = self._place.work / READY
        if self._order.ready:
            folder.mkdir(exist_ok=True)
        for side, mine in written.items():
            pictures = measured([self._place.work / each.name for each in mine], measures[side])
            if self._order.ready:
                passed = ready.write_ready(folder, side, pictures)
            else:
                passed = (number for number, _ in enumerate(pictures, 1))
            for number in passed:
                total = sum(len(each.pictures) for each in mine)
                yield Progress(number, total, f"measuring {side}")
        return measures

    def _speeds(self, written: dict[str, list[shards.Shard]]) -> ready.Speeds:
        side = account.training_side(written)
        first = pictures_in(self._place.work / written[side][0].name)
        files = [data for _, data in islice(first, _SPEED_SAMPLE)]
        arrays = ready.ReadyPictures.open(self._place.work / READY, side)
        return ready.measure_speeds(arrays, files, decode_file)

    def _files(self, written: dict[str, list[shards.Shard]]) -> list[str]:
        """Names of everything that belongs to the set."""
        arrays = [f"{READY}/{side}.{end}" for side in written for end in ("u8", "u16", "npz")]
        tars = [each.name for mine in written.values() for each in mine]
        own = ["prior.npy", "prior.png", "card.md", CARD]
        return [*tars, *(arrays if self._order.ready else []), *own]

    def _describe(self, made: card.Card, shares: NDArray[np.float64]) -> None:
        """Write the card and the prior."""
        work = self._place.work
        with atomic(work / "prior.npy") as file:
            np.save(file, shares)
        with atomic(work / "prior.png") as file:
            draw_prior(shares, file)
        with atomic(work / "card.md") as file:
            file.write(card.markdown_of(made).encode())
        with atomic(work / CARD) as file:
            file.write(card.json_of(made).encode())


def _plan(order: Order, chosen: NDArray[np.void]) -> str:
    """Changes with the pictures, their order and how they are encoded."""
    facts = json.dumps([order.short_side, order.format, order.quality])
    return hashlib.sha256(facts.encode() + chosen["digest"].tobytes()).hexdigest()


def _name(order: Order, layouts: Sequence[Layout], row: np.void) -> str:
    """SOURCE-HASH or SOURCE-CLASS-HASH, so that what precedes the last "-" is the domain."""
    source = int(row["source"])
    label = plain(layouts[source].entries[int(row["number"])].label)
    parts = order.sources[source].name, label, row["digest"].tobytes().hex()[:12]
    return f"{'-'.join(filter(None, parts))}.{order.format}"
