"""What models score on a set of colour photographs, through the public engine.

Pictures pass one after another; what belongs to the true one is computed once and shared by all
models. Each picture is scored alone on one thread, so that neither the number of threads nor an
interruption changes a figure.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tintype import __version__
from tintype.bins import in_gamut_centres
from tintype.errors import ModelInvalid, UnreadableImage, UsageError
from tintype.evaluation.columns import COLUMNS, REBALANCED, TRUE_COLUMNS, Score, Truth, score
from tintype.evaluation.contestants import Contestant, Grey, contestants_of, grey_of
from tintype.evaluation.fairness import summarize
from tintype.evaluation.ledger import Ledger
from tintype.evaluation.metrics import AUC_THRESHOLDS, Picture8, curve_of, rebalanced_curve
from tintype.evaluation.results import Fairness, LeftOut, Row, Timing
from tintype.evaluation.statistics import class_mean_figure, mean_figure, resamples
from tintype.images.sets import DAMAGED, names_in, open_checked, pictures_in
from tintype.progress import Progress
from tintype.runtime import available_cores

_SAVE_EVERY_S = 20.0
_TIMED_RUNS = 15
_LEAST_SIDE_PX = 32
_DEEP_MODES = ("I", "F")  # Pillow would cut them off at 255


@dataclass(frozen=True)
class Order:
    """What is to be measured.

    Attributes:
        data: tar file or folder of colour photographs.
        models: as :func:`contestants.contestants_of` takes them.
        limit: only so many of the first pictures.
        size: the truth is resized to a square of this side in px, aspect ignored, and the engine
            works at that size; None measures at full size with the engine's own choice.
        grey: how a colour picture becomes grey.
        threads: pictures at a time; one per core when None.
        timed: whether the time per picture is measured, too.
    """

    data: Path
    models: tuple[str, ...]
    limit: int | None = None
    size: int | None = 256
    grey: Grey = "lightness"
    threads: int | None = None
    timed: bool = True


@dataclass(frozen=True)
class _Entry:
    """A picture that was measured; ``position`` is its place in the set, names may repeat."""

    position: int
    name: str
    digest: str
    true_figures: tuple[float, ...]


@dataclass
class Bench:
    """One run; :meth:`measure` does the work, then the rest reads what came of it.

    Attributes:
        order: what is measured.
        state: folder of the unfinished state.
        entries: pictures measured, in the set's order.
        left_out: files that could not be measured.
    """

    order: Order
    state: Path
    entries: list[_Entry] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    contestants: tuple[Contestant, ...] = ()
    _ledgers: list[Ledger] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Load the models, before any work is done.

        Raises:
            UsageError, ModelNotFound, ModelInvalid, ChecksumMismatch: as their loading does.
        """
        self.contestants = contestants_of(self.order.models, self.order.size, threads=1)
        facts = [__version__, str(self.order.size), self.order.grey]
        for each in self.contestants:
            own = [each.label, each.version, each.sha256, str(each.strength)]
            self._ledgers.append(Ledger(self.state, [*facts, *own]))

    def measure(self) -> Iterator[Progress]:
        """Score every picture for everyone; what an earlier run has scored is kept.

        Yields:
            Pictures done, of how many (0 while that is not known).

        Raises:
            UsageError: the set cannot be read or holds no picture that can be measured.
            ModelInvalid: a model fails at a picture, which is then named.
            MissingExtra: without scikit-image.
        """
        total = sum(1 for _ in islice(names_in(self.order.data), self.order.limit))
        stream = enumerate(islice(pictures_in(self.order.data), self.order.limit), 1)
        workers = self.order.threads or available_cores()
        waiting: deque[tuple[int, str, Future[_Measured]]] = deque()
        saved = time.monotonic()
        with ThreadPoolExecutor(workers, thread_name_prefix="tintype-evaluate") as pool:
            try:
                for number, (name, data) in stream:
                    waiting.append(
                        (number, name, pool.submit(self._measured, number - 1, name, data))
                    )
                    if len(waiting) > 2 * workers:
                        yield self._taken(*waiting.popleft(), total)
                    if time.monotonic() - saved > _SAVE_EVERY_S:
                        self._save()
                        saved = time.monotonic()
                while waiting:
                    yield self._taken(*waiting.popleft(), total)
            finally:
                for _, _, future in waiting:
                    future.cancel()
                self._save()
        if not self.entries:
            why = f": {self.left_out[0].reason}" if self.left_out else "."
            raise UsageError(f"There is no picture to measure on in {self.order.data}{why}")

    def _save(self) -> None:
        for ledger in self._ledgers:
            ledger.save()

    def _measured(self, position: int, name: str, data: bytes) -> _Measured:
        digest = hashlib.sha256(data).hexdigest()
        truth = Truth.of(read_truth(name, data, self.order.size))
        given = grey_of(truth.rgb, self.order.grey)
        try:
            scores = [
                ledger.scores.get(digest) or score(each.colour(given, truth.rgb), truth)
                for each, ledger in zip(self.contestants, self._ledgers, strict=True)
            ]
        except ModelInvalid as error:
            raise ModelInvalid(f"{str(error).rstrip('.')}, at the picture {name}.") from error
        return _Measured(_Entry(position, name, digest, truth.figures), scores)

    def _taken(self, number: int, name: str, future: Future[_Measured], total: int) -> Progress:
        """Keep what a worker found, in the set's order."""
        try:
            measured = future.result()
        except UnreadableImage as error:
            self.left_out.append(LeftOut(name, str(error)))
        else:
            self.entries.append(measured.entry)
            for ledger, each in zip(self._ledgers, measured.scores, strict=True):
                ledger.scores[measured.entry.digest] = each
        return Progress(number, total, "measuring")

    @property
    def set_sha256(self) -> str:
        """Of the names and contents of what was measured."""
        lines = "".join(f"{each.digest}  {each.name}\n" for each in self.entries)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def true_figures(self) -> dict[str, float]:
        """The true pictures' own means."""
        means = np.mean([each.true_figures for each in self.entries], axis=0)
        return dict(zip(TRUE_COLUMNS, map(float, means), strict=True))

    def rows(self, family: str) -> tuple[Row, ...]:
        """Everyone's figures.

        Args:
            family: what the pictures were drawn from, "" when not known.
        """
        weights = resamples(len(self.entries))
        return tuple(
            self._row(each, ledger, weights, family)
            for each, ledger in zip(self.contestants, self._ledgers, strict=True)
        )

    def _row(
        self, each: Contestant, ledger: Ledger, weights: NDArray[np.float64], family: str
    ) -> Row:
        scores = [ledger.scores[entry.digest] for entry in self.entries]
        values = np.stack([one.values for one in scores])
        figures = {
            column.key: mean_figure(values[:, i], weights) for i, column in enumerate(COLUMNS)
        }
        total, sums, counts = _by_class(scores)
        figures[REBALANCED.key] = class_mean_figure(sums, counts, weights)
        curves = np.stack([_curve(one) for one in scores])
        return Row(
            label=each.label,
            version=each.version,
            kind=each.kind,
            sha256=each.sha256,
            strength=each.strength,
            seen=_has_seen(each, family),
            figures=figures,
            values={c.key: _rounded(values[:, i]) for i, c in enumerate(COLUMNS)},
            curve=_rounded(curves.mean(axis=0)),
            curve_rebalanced=_rounded(rebalanced_curve(total)),
        )

    def fairness(self) -> tuple[Fairness, ...]:
        """How everyone treats skin; empty when there is no face in the set."""
        found = []
        for each, ledger in zip(self.contestants, self._ledgers, strict=True):
            faces = [f for entry in self.entries for f in ledger.scores[entry.digest].faces]
            if each.kind == "model" and faces:
                found.append(summarize(each.label, faces))
        return tuple(found)

    def timings(self) -> dict[str, Timing]:
        """The time of one picture, models one after another, with all threads.

        Returns:
            A model's label to its time; grey and oracle have none.
        """
        threads = self.order.threads or available_cores()
        named = [n for n in self.order.models if n not in ("grey", "oracle")]
        models = contestants_of(tuple(named), self.order.size, threads) if named else ()
        name, data = next(islice(pictures_in(self.order.data), self.entries[0].position, None))
        truth = read_truth(name, data, self.order.size)
        given = grey_of(truth, self.order.grey)
        return {model.label: _time(model, given, truth, threads) for model in models}

    def finish(self) -> None:
        """Forget the unfinished state, since it is finished."""
        for ledger in self._ledgers:
            ledger.discard()
        with contextlib.suppress(OSError):  # another run keeps its own state there
            self.state.rmdir()


@dataclass(frozen=True)
class _Measured:
    """One picture, measured for everyone."""

    entry: _Entry
    scores: list[Score]


def read_truth(name: str, data: bytes, size: int | None) -> Picture8:
    """Decode a true picture as the protocol says.

    Args:
        name: for messages.
        data: the file.
        size: side of the square that it is resized to, aspect ignored (Pillow's bicubic), in px;
            None leaves it as it is.

    Returns:
        uint8 sRGB (H, W, 3), upright; an embedded profile is not looked at.

    Raises:
        UnreadableImage: it is damaged, no picture, too large, too small or deeper than 8 bits.
    """
    try:
        with open_checked(data) as opened:
            if opened.mode.startswith(_DEEP_MODES):
                raise UnreadableImage(f"{name} has grey levels of more than 8 bits.")
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImage(f"{name} has too many pixels to be measured on.") from error
    except DAMAGED as error:
        raise UnreadableImage(f"{name} is truncated, damaged or no picture.") from error
    if size is not None:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    elif min(image.size) < _LEAST_SIDE_PX:
        raise UnreadableImage(f"{name} is smaller than {_LEAST_SIDE_PX} px.")
    return np.asarray(image)


def _has_seen(each: Contestant, family: str) -> bool | None:
    """Whether its training saw pictures of this family; None when that cannot be told."""
    if each.kind != "model":
        return False
    if each.families is None or not family:
        return None
    return family.casefold() in [known.casefold() for known in each.families]


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    """More digits than any table prints, and a third of the file."""
    return tuple(np.round(values, 6).tolist())


def _curve(one: Score) -> NDArray[np.float64]:
    return curve_of(np.bincount(one.cells % (AUC_THRESHOLDS + 2), one.counts))


def _by_class(
    scores: list[Score],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Counts of the set (313, 152); per picture and class, summed areas in per cent and pixels."""
    classes, columns = len(in_gamut_centres()), AUC_THRESHOLDS + 2
    # The area of one pixel's own curve, a step at t: by the trapezoidal rule.
    area = np.clip(100 * (AUC_THRESHOLDS + 0.5 - np.arange(columns)) / AUC_THRESHOLDS, 0, 100)
    total = np.zeros(classes * columns, np.int64)
    sums, counts = np.zeros((2, len(scores), classes))
    for i, one in enumerate(scores):
        total[one.cells] += one.counts
        counts[i] = np.bincount(one.cells // columns, one.counts, classes)
        sums[i] = np.bincount(one.cells // columns, one.counts * area[one.cells % columns], classes)
    return total.reshape(classes, columns), sums, counts


def _time(model: Contestant, given: Picture8, truth: Picture8, threads: int) -> Timing:
    model.colour(given, truth)
    times = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        model.colour(given, truth)
        times.append(1000 * (time.perf_counter() - start))
    low, median, high = np.percentile(times, [10, 50, 90])
    size = f"{given.shape[0]}×{given.shape[1]}"
    return Timing(float(median), float(low), float(high), _TIMED_RUNS, threads, size)
