"""What a data set is: its card, the same sections for programs and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tintype
from tintype.bins import in_gamut_centres
from tintype.color import lab_to_rgb
from tintype.evaluation.fairness import GROUPS
from tintype.evaluation.report.tables import plain
from tintype.training.prepare.found import Layout
from tintype.training.prepare.order import DEFAULT_SPLIT, QUALITY, Order, Source
from tintype.training.prepare.scanning import NO_FACE, faults, reduced
from tintype.training.prepare.selecting import KEPT, UNREADABLE, left_out

Cell = str | int | float | Mapping[str, int]
Row = Mapping[str, Cell]
Card = dict[str, str | Row | Sequence[Row]]
"""Sections by their headings: a text, a list or a table; empty ones have nothing to say."""

LISTED = 50
"""Rows of a table that the Markdown has; the JSON has all."""

_UNKNOWN = (
    "Whether people can be seen, and whether they agreed to this use, was not checked: take it "
    "that they can, and that they did not."
)
_LEFT_BEHIND = (
    "Metadata such as places, cameras and captions were left behind; of the pictures' own file "
    "names only classes were kept."
)
_OPTIONS = ("own_splits", "stratify", "short_side", "least_chroma", "shard_mb", "format")
_RAREST = 1e-7  # a share of the pixels that is drawn as the smallest dot
_LARGEST_PT2 = 190.0  # of a dot: neighbours, 10 ab units apart, just touch


def training_side(sides: Collection[str]) -> str:
    """The side that is trained on: "train", or the first where there is none of that name."""
    return "train" if "train" in sides else min(sides)


def card_of(
    order: Order,
    layouts: Sequence[Layout],
    rows: NDArray[np.void],
    sides: Mapping[str, NDArray[np.void]],
    tars: Mapping[str, Sequence[Path]],
    speeds: Mapping[str, float],
) -> Card:
    """The card of what was prepared.

    Args:
        order: what was asked for.
        layouts: of its sources.
        rows: (n,) of ``scanning.ROW`` after the selection.
        sides: the rows of each side that has pictures.
        tars: the shards of each.
        speeds: see ``ready.measure_speeds``; empty without ready arrays.
    """
    kept = rows[rows["fate"] == KEPT]
    by_source = [rows[rows["source"] == index] for index in range(len(layouts))]
    sources = list(zip(order.sources, layouts, by_source, strict=True))
    readable = rows["size"][rows["fate"] != UNREADABLE].tolist()
    stored = [reduced(size, order.short_side) for size in kept["size"].tolist()]
    skin = order.stratify == "skin"
    out = left_out(rows)
    said = ", ".join(f"{len(mine):,} {name}" for name, mine in sides.items())
    return {
        "summary": f"{len(rows):,} found{''.join(f', {n:,} {why}' for why, n in out.items())}; "
        f"{len(kept):,} kept: {said}.",
        "counts": {"found": len(rows), **out, "kept": len(kept)},
        "sources": [_source(*each) for each in sources],
        "sides": [_side(order, name, mine, tars[name]) for name, mine in sides.items()],
        "not by hash alone": _moved(order, sides),
        "skin of the surest face": [_skin(*each) for each in sides.items()] if skin else [],
        "short sides in px": [_sizes("found", readable), _sizes("stored", stored)],
        "colour": "Colourfulness (Hasler and Süsstrunk 2003, signed, 8 bits) is "
        f"{kept['colourfulness'].mean():.1f} on average. prior.png shows the 313 ab bins by "
        f"their share of the pixels of {training_side(sides)}; prior.npy has the shares, not "
        "smoothed.",
        "ready arrays": _speed(speeds) if speeds else "",
        "people and privacy": order.privacy or _people(kept if skin else None),
        "made with": _options(order),
        "unreadable": [
            {"source": source.name, "name": name, "why": why}
            for source, layout, mine in sources
            for name, why in faults(layout, mine).items()
        ],
    }


def _source(source: Source, layout: Layout, rows: NDArray[np.void]) -> Row:
    return {
        "source": source.name,
        "from": source.path.resolve().name,
        "layout": layout.kind,
        "found": len(rows),
        "asked for": source.take or "all",
        "kept": int((rows["fate"] == KEPT).sum()),
        "left out": left_out(rows),
        "licence": source.licence,
    }


def _side(order: Order, name: str, rows: NDArray[np.void], tars: Sequence[Path]) -> Row:
    sources = Counter(order.sources[index].name for index in rows["source"].tolist())
    return {
        "side": name,
        "pictures": len(rows),
        "shards": len(tars),
        "MB": sum(path.stat().st_size for path in tars) / 1e6,
        "colourfulness": float(rows["colourfulness"].mean()),
        "of each source": dict(sorted(sources.items())),
    }


def _skin(name: str, rows: NDArray[np.void]) -> Row:
    counts = Counter(rows["skin"].tolist())
    kinds = [*enumerate(GROUPS), (NO_FACE, "no face found")]
    return {"side": name, **{kind: counts[index] for index, kind in kinds}}


def _sizes(what: str, sizes: Sequence[tuple[int, int]]) -> Row:
    short = sorted(map(min, sizes))
    return {"": what, "least": short[0], "median": short[len(short) // 2], "most": short[-1]}


def _moved(order: Order, sides: Mapping[str, NDArray[np.void]]) -> str:
    lent = {name: int(rows["lent"].sum()) for name, rows in sides.items()}
    said = [
        f"{count:,} pictures on the side {name} were left over by others, since too few hashes "
        "fall on its own."
        for name, count in lent.items()
        if count
    ]
    if said and (len(sides) > 2 or order.stratify != "none"):
        said.append(
            "Such a picture can change sides when sources are added; with more pictures to choose "
            "from there would be none."
        )
    own = sum(int(rows["own"].sum()) for rows in sides.values())
    said += [f"{own:,} pictures are on the side that their set's own lists give."] if own else []
    return " ".join(said)


def _speed(speeds: Mapping[str, float]) -> str:
    images, pixels, ready = (speeds[each] for each in ("images", "pixels", "ready"))
    return (
        f"Lab and bins of crops for a batch, per second of one core's time: {ready:,.0f} pictures "
        f"from the ready arrays, {ready / images:.1f} times as many as from the images "
        f"({images:,.0f}) and {ready / pixels:.1f} times as many as from RGB decoded beforehand "
        f"({pixels:,.0f})."
    )


def _people(sought: NDArray[np.void] | None) -> str:
    """What is known of people, perhaps from pictures in which faces were sought."""
    if sought is None:
        return f"{_UNKNOWN} {_LEFT_BEHIND}"
    return (
        f"Upright faces of 44 pixels and more were sought and found in "
        f"{(sought['skin'] != NO_FACE).sum()} of {len(sought)} pictures; people can be in the "
        f"others as well. Whether they agreed to this use was not checked. {_LEFT_BEHIND}"
    )


def _options(order: Order) -> dict[str, str]:
    own = {name: str(getattr(order, name)) for name in _OPTIONS}
    split = order.split.text if order.split else DEFAULT_SPLIT
    quality = QUALITY[order.format] if order.quality is None else order.quality
    return {
        "made by": f"Tintype {tintype.__version__}",
        "split": split,
        **own,
        "quality": str(quality),
    }


def markdown_of(card: Card, name: str) -> str:
    """The card of a set of this name for people."""
    shown = [f"## {title.capitalize()}\n\n{_shown(each)}" for title, each in card.items() if each]
    plot = "![how often each colour occurs](prior.png)"
    return "\n\n".join([f"# Data card: {plain(name)}", *shown, plot]) + "\n"


def _shown(content: str | Row | Sequence[Row]) -> str:
    if isinstance(content, str):
        return plain(content)
    if isinstance(content, Mapping):
        return "\n".join(f"- {plain(key)}: {_cell(value)}" for key, value in content.items())
    lines = [list(content[0]), ["---"] * len(content[0])]
    lines += [list(map(_cell, row.values())) for row in content[:LISTED]]
    more = len(content) - LISTED
    note = f"\n\nAnd {more:,} more, which card.json has." if more > 0 else ""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + note


def _cell(value: Cell) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{count:,} {plain(name)}" for name, count in value.items()) or "none"
    if isinstance(value, str):
        return plain(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}"


def colours_of_bins() -> NDArray[np.float64]:
    """The 313 bins as sRGB (313, 3) in [0, 1], all at one lightness."""
    lab = np.insert(in_gamut_centres().astype(np.float64), 0, 65, axis=1)
    return np.clip(lab_to_rgb(lab), 0, 1)


def draw_prior(shares: NDArray[np.float64], path: Path) -> None:
    """Draw the shares (313,) of the bins as PNG, the area of a dot by their logarithm."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 7), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_facecolor("#e8e8e8")
    a, b = in_gamut_centres().T
    seen = shares > 0
    size = np.log(np.maximum(shares, _RAREST) / _RAREST)
    areas = np.maximum(_LARGEST_PT2 * size / size.max(), 3)
    axes.scatter(a[seen], b[seen], areas[seen], colours_of_bins()[seen], linewidths=0)
    axes.scatter(a[~seen], b[~seen], 6, "none", edgecolors="#999999", linewidths=0.5)
    axes.set(xlabel="a*", ylabel="b*", xlim=(-115, 115), ylim=(-115, 115), aspect="equal")
    axes.set_title("Area by the logarithm of a bin's share; rings: bins that do not occur")
    figure.savefig(path, dpi=110, format="png")
