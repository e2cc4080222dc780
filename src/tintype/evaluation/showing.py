"""Which pictures are shown of a run, and the picture files themselves."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype.color import rgb_to_lab
from tintype.errors import UnreadableImage, UsageError
from tintype.evaluation.benchmark import Bench, Order, read_truth
from tintype.evaluation.contestants import contestants_of, grey_of, paint_grey
from tintype.evaluation.metrics import Picture8
from tintype.evaluation.report.gallery import GREY, TRUTH, Gallery, Section, Shot
from tintype.evaluation.report.wording import number
from tintype.evaluation.results import Row
from tintype.images.sets import names_in, pictures_in

BEST, WORST, RANDOM = 6, 12, 24
"""How many pictures of each kind a report shows."""

_LONGEST_PX = 512
_QUALITY = 90
_LEAST_CHROMA = 4.0
"""Mean C*ab below which a photograph is too grey to ask anyone about."""


def gallery_of(bench: Bench, rows: Sequence[Row]) -> Gallery:
    """Each model's best and worst pictures, and some drawn at random, in everyone's version.

    Args:
        bench: after :meth:`Bench.measure`.
        rows: its rows.
    """
    names = [entry.name for entry in bench.entries]
    positions = [entry.position for entry in bench.entries]
    chosen: list[tuple[str, str, list[tuple[int, str]]]] = []
    grey = next((row for row in rows if row.kind == "grey"), None)
    for row in rows:
        if row.kind == "model":
            gains, what = _gains(row, grey)
            order = np.argsort(gains, kind="stable")
            worst = [(int(i), _decibels(gains[i])) for i in order[:WORST]]
            best = [(int(i), _decibels(gains[i])) for i in order[::-1][:BEST]]
            chosen += [(f"Worst of {row.label}", f"Lowest {what}.", worst)]
            chosen += [(f"Best of {row.label}", f"Highest {what}.", best)]
    count = min(RANDOM, len(names))
    drawn = np.random.default_rng(0).choice(len(names), count, replace=False)
    note = "Drawn from the whole set by lot, the same in every run."
    chosen.append(("At random", note, [(int(i), "") for i in sorted(drawn)]))

    wanted = {positions[i] for _, _, picks in chosen for i, _ in picks}
    views = dict(_views(bench, wanted))
    return Gallery(
        tuple(
            Section(
                title, note, tuple(Shot(names[i], text, views[positions[i]]) for i, text in picks)
            )
            for title, note, picks in chosen
        )
    )


def _gains(row: Row, grey: Row | None) -> tuple[NDArray[np.float64], str]:
    values = np.array(row.values["psnr"])
    if grey is None:
        return values, "PSNR"
    return values - np.array(grey.values["psnr"]), "PSNR over the grey picture's"


def _decibels(gain: float) -> str:
    return f"{number(gain, 1, signed=True)} dB"


def _views(bench: Bench, wanted: set[int]) -> Iterator[tuple[int, dict[str, bytes]]]:
    """The pictures at the chosen places of the set, coloured once more, as JPEG."""
    order = bench.order
    for position, (name, data) in enumerate(pictures_in(order.data)):
        if position in wanted:
            truth = read_truth(name, data, order.size)
            given = grey_of(truth, order.grey)
            shown = {TRUTH: as_jpeg(truth), GREY: as_jpeg(paint_grey(given, truth))}
            for each in bench.contestants:
                if each.kind != "grey":
                    shown[each.label] = as_jpeg(each.colour(given, truth))
            yield position, shown


def as_jpeg(picture: Picture8) -> bytes:
    """A picture for a page: JPEG 4:4:4, its longer side at most 512 px."""
    image = Image.fromarray(picture)
    image.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY, subsampling=0)
    return stream.getvalue()


def blind_pairs(order: Order, count: int, seed: int = 0) -> list[tuple[bytes, bytes]]:
    """True and coloured versions of photographs drawn by lot, for a blind test of one model.

    Args:
        order: the set, its size and grey, and one model.
        count: how many; all, when the set has fewer.
        seed: of the lot.

    Returns:
        (real, coloured), both JPEG.

    Raises:
        UsageError: more than one model, or no photograph in colour.
    """
    models = contestants_of(order.models, order.size, order.threads)
    if len(models) != 1:
        raise UsageError(f"A blind test is of one model, not {len(models)}.")
    total = sum(1 for _ in islice(names_in(order.data), order.limit))
    ranks = np.random.default_rng(seed).permutation(total)
    found: list[tuple[int, tuple[bytes, bytes]]] = []
    for rank, (name, data) in zip(ranks, pictures_in(order.data), strict=False):
        # Some will be unreadable or grey: half as many again stand by.
        if rank >= count + count // 2 + 4:
            continue
        if (pair := _pair(name, data, order, models[0].colour)) is not None:
            found.append((int(rank), pair))
    if not found:
        raise UsageError(f"There is no colour photograph to show in {order.data}.")
    return [pair for _, pair in sorted(found)[:count]]


def _pair(
    name: str, data: bytes, order: Order, colour: Callable[[Picture8, Picture8], Picture8]
) -> tuple[bytes, bytes] | None:
    try:
        truth = read_truth(name, data, order.size)
    except UnreadableImage:
        return None
    lab = rgb_to_lab(truth[::4, ::4] / 255.0)
    if np.hypot(lab[..., 1], lab[..., 2]).mean() < _LEAST_CHROMA:
        return None
    return as_jpeg(truth), as_jpeg(colour(grey_of(truth, order.grey), truth))


def source_name(path: Path) -> str:
    """What a set is called in reports: its last part, not where it lies."""
    return path.resolve().name
