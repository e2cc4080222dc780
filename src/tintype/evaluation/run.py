"""One run of ``tintype evaluate``, from the order to results that can be written."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype import __version__
from tintype.evaluation.benchmark import Bench, read_truth
from tintype.evaluation.columns import COLUMNS, REBALANCED
from tintype.evaluation.contestants import grey_of
from tintype.evaluation.deep import Meter, meters, one_thread
from tintype.evaluation.metrics import Picture8
from tintype.evaluation.results import Figure, Protocol, Results, Row
from tintype.evaluation.showing import source_name
from tintype.evaluation.statistics import mean_figure, resamples
from tintype.images.sets import pictures_in
from tintype.progress import Progress
from tintype.runtime import available_cores

_PART = 16  # pictures coloured at a time
_LIBRARIES = ("numpy", "onnxruntime", "pillow", "scikit-image", "torch", "torchmetrics")


@dataclass
class Run:
    """Collects everything that a report says.

    Attributes:
        bench: measures.
        family: what the pictures were drawn from, "" when nobody said.
        features: SqueezeNet 1.1 arrays for the feature distance.
        downloads: whether torchmetrics may download its networks.
        command: that was called, for the report.
        results: when :meth:`measure` is through.
    """

    bench: Bench
    family: str = ""
    features: Path | None = None
    downloads: bool = False
    command: str = ""
    results: Results | None = None

    def measure(self) -> Iterator[Progress]:
        """Do all of it.

        Yields:
            How far it is, stage by stage.

        Raises:
            As :meth:`Bench.measure` and ``deep.meters``.
        """
        made, missing = meters(self.features, self.downloads)
        yield from self.bench.measure()
        rows = list(self.bench.rows(self.family))
        metrics = [*COLUMNS, REBALANCED]
        if made:
            everyone = [[make() for make in made] for _ in rows]
            metrics += [meter.metric for meter in everyone[0]]
            yield from self._deep(rows, everyone)
        if self.bench.order.timed:
            yield Progress(0, 0, "timing")
            times = self.bench.timings()
            rows = [replace(row, timing=times.get(row.label)) for row in rows]
        self.results = Results(
            protocol=self._protocol(),
            metrics=tuple(metrics),
            names=tuple(entry.name for entry in self.bench.entries),
            rows=tuple(rows),
            fairness=self.bench.fairness(),
            missing=missing,
        )

    def _deep(self, rows: list[Row], everyone: list[list[Meter]]) -> Iterator[Progress]:
        """Colour every picture once more for the distances that need a trained network."""
        positions = {entry.position for entry in self.bench.entries}
        values: list[list[list[float]]] = [[[] for _ in own] for own in everyone]
        with one_thread():
            for done, (truth, results) in enumerate(self._coloured(positions), 1):
                for result, own, lists in zip(results, everyone, values, strict=True):
                    for meter, column in zip(own, lists, strict=True):
                        if (figure := meter.add(result, truth)) is not None:
                            column.append(figure)
                yield Progress(done, len(positions), "feature distances")
        weights = resamples(len(positions))
        for index, (own, lists) in enumerate(zip(everyone, values, strict=True)):
            figures = dict(rows[index].figures)
            per_picture = dict(rows[index].values)
            for meter, column in zip(own, lists, strict=True):
                total = meter.total()
                figures[meter.metric.key] = _figure(total, np.array(column), weights)
                if total is None:
                    per_picture[meter.metric.key] = tuple(round(each, 6) for each in column)
            rows[index] = replace(rows[index], figures=figures, values=per_picture)

    def _coloured(self, positions: set[int]) -> Iterator[tuple[Picture8, list[Picture8]]]:
        """The pictures at these places of the set, each with everyone's result."""
        order = self.bench.order

        def colour(each: tuple[str, bytes]) -> tuple[Picture8, list[Picture8]]:
            truth = read_truth(*each, order.size)
            given = grey_of(truth, order.grey)
            return truth, [one.colour(given, truth) for one in self.bench.contestants]

        chosen = (each for i, each in enumerate(pictures_in(order.data)) if i in positions)
        with ThreadPoolExecutor(order.threads or available_cores()) as pool:
            while part := list(islice(chosen, _PART)):
                yield from pool.map(colour, part)

    def _protocol(self) -> Protocol:
        order = self.bench.order
        return Protocol(
            set_name=source_name(order.data),
            set_sha256=self.bench.set_sha256,
            family=self.family,
            size="native" if order.size is None else str(order.size),
            grey=order.grey,
            pictures=len(self.bench.entries),
            left_out=tuple(self.bench.left_out),
            true_figures=self.bench.true_figures,
            versions=versions(),
            machine=f"{processor()}; threads: {order.threads or available_cores()}",
            command=self.command,
            made=datetime.date.today().isoformat(),
        )


def _figure(
    total: float | None, values: NDArray[np.float64], weights: NDArray[np.float64]
) -> Figure:
    """Of the pictures; or the set's own, which has no interval."""
    return mean_figure(values, weights) if total is None else Figure(total, total, total)


def versions() -> dict[str, str]:
    """Tintype, Python and the libraries that figures depend on."""
    found = {"tintype": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
