"""What came of a preparation, counted for its card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tintype
from tintype.evaluation.fairness import GROUPS
from tintype.training.prepare.card import Card, Fault, SideFacts, SourceFacts, privacy_remark
from tintype.training.prepare.duplicates import MOST_BITS, WORDS
from tintype.training.prepare.found import Layout
from tintype.training.prepare.measuring import Measures
from tintype.training.prepare.order import DEFAULT_SPLIT, QUALITY, Order
from tintype.training.prepare.ready import Speeds
from tintype.training.prepare.selecting import Fate, Selection
from tintype.training.prepare.shards import Shard


def training_side(sides: Collection[str]) -> str:
    """The side that is trained on: "train", or the first where there is none of that name."""
    return "train" if "train" in sides else min(sides)


@dataclass(frozen=True)
class Account:
    """Everything that a preparation knows in the end.

    Attributes:
        order: what was asked for.
        kinds: the layout of each source.
        layouts: of the sources.
        rows: (n,) of ``scanning.ROW``.
        faults: for each source, why pictures cannot be read, by number.
        selection: what became of the rows.
        written: the shards by side.
        measures: of the sides.
    """

    order: Order
    kinds: Sequence[str]
    layouts: Sequence[Layout]
    rows: NDArray[np.void]
    faults: Sequence[dict[int, str]]
    selection: Selection
    written: dict[str, list[Shard]]
    measures: dict[str, Measures]

    def card(self, folder: Path, speeds: Speeds | None, files: Sequence[str]) -> Card:
        """The data card.

        Args:
            folder: where the shards lie.
            speeds: with and without ready arrays.
            files: everything that belongs to the set.
        """
        sides = [self._side(name, folder) for name in self.written]
        measures = self.measures.values()
        readable = self.rows["size"][self.selection.fate != Fate.UNREADABLE]
        stored = np.array([size for each in measures for size in each.sizes])
        colourful = [value for each in measures for value in each.colourfulness]
        return Card(
            name=self.order.target.resolve().name,
            made_by=f"Tintype {tintype.__version__}",
            options=self._options(),
            balanced=self.order.stratify != "none",
            sources=[self._source(index) for index in range(len(self.layouts))],
            sides=sides,
            found_sides_px=_range(readable),
            stored_sides_px=_range(stored),
            colourfulness=float(np.mean(colourful)),
            prior_side=training_side(self.written),
            privacy=privacy_remark(self.order.privacy, [side.by_skin for side in sides]),
            unreadable=[
                Fault(source.name, layout.entries[number].name, why)
                for source, layout, faults in zip(
                    self.order.sources, self.layouts, self.faults, strict=True
                )
                for number, why in faults.items()
            ],
            ready=speeds,
            files=files,
        )

    def prior(self) -> NDArray[np.float64]:
        """(313,) the share of each bin in the pixels that are trained on."""
        bins = self.measures[training_side(self.written)].bins
        return np.asarray(bins / bins.sum(), np.float64)

    def _source(self, index: int) -> SourceFacts:
        source, mine = self.order.sources[index], self.rows["source"] == index
        fates = Counter(self.selection.fate[mine].tolist())
        kept = self.rows["number"][mine & (self.selection.fate == Fate.KEPT)].tolist()
        labels = {self.layouts[index].entries[number].label for number in kept}
        return SourceFacts(
            name=source.name,
            path=source.path.resolve().name,
            layout=self.kinds[index],
            licence=source.licence,
            found=int(mine.sum()),
            kept=len(kept),
            left_out={
                fate.words: fates[fate] for fate in Fate if fate != Fate.KEPT and fates[fate]
            },
            classes=len(labels - {""}),
        )

    def _side(self, name: str, folder: Path) -> SideFacts:
        mine = self.selection.side == self.selection.split.index(name)
        sources = Counter(self.rows["source"][mine].tolist())
        skins = Counter(self.rows["skin"][mine].tolist())
        by_skin = {group: skins[index] for index, group in enumerate(GROUPS)}
        by_skin["no face found"] = skins[-1]
        return SideFacts(
            name=name,
            pictures=int(mine.sum()),
            shards=len(self.written[name]),
            size_bytes=sum((folder / shard.name).stat().st_size for shard in self.written[name]),
            lent=int(self.selection.lent[mine].sum()),
            own=int(self.selection.own[mine].sum()),
            by_source={self.order.sources[i].name: sources[i] for i in sorted(sources)},
            by_skin=by_skin if self.order.stratify == "skin" else None,
            colourfulness=float(np.mean(self.measures[name].colourfulness)),
        )

    def _options(self) -> dict[str, str]:
        order = self.order
        quality = QUALITY[order.format] if order.quality is None else order.quality
        takes = [f"{source.name}={source.take}" for source in order.sources if source.take]
        return {
            "split": order.split.text if order.split else DEFAULT_SPLIT,
            "the sets' own splits": "first" if order.own_splits else "not asked for",
            "drawn": ", ".join(takes) or "all that can be used",
            "balanced by": order.stratify,
            "short side": f"{order.short_side} px at most" if order.short_side else "as found",
            "grey": f"mean C*ab below {order.least_chroma:g}",
            "near-duplicates": f"{MOST_BITS} of {16 * WORDS} bits of the fingerprint at most",
            "stored as": f"{order.format}, quality {quality}, shards of {order.shard_mb} MB",
        }


def _range(sizes: NDArray[np.int64]) -> tuple[int, int, int]:
    """Least, median and largest short side of sizes (n, 2)."""
    short = sizes.min(axis=1)
    return int(short.min()), round(float(np.median(short))), int(short.max())
