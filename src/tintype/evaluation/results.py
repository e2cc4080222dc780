"""What one run of the bench found: the tables and per-picture figures that every report is made of.

Plain data, written as ``results.json`` and read back from it.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from tintype.errors import UsageError

FORMAT = 1
"""Counts up when results.json changes so that older files can no longer be read."""

Better = Literal["higher", "lower", "truth", "neither"]


@dataclass(frozen=True)
class Metric:
    """A column of the tables.

    Attributes:
        key: its name in results.json and results.csv.
        title: its heading, without the unit.
        unit: "dB", "%", "ab" or "".
        better: which way is good; "truth" is nearest to the true pictures' own figure.
        digits: decimals that are printed.
        protocol: how it is computed, in one sentence; ``evaluation.metrics`` says all of it.
        main: whether the summary shows it, or only the full table.
    """

    key: str
    title: str
    unit: str
    better: Better
    digits: int
    protocol: str
    main: bool = False


@dataclass(frozen=True)
class Figure:
    """A mean over pictures and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Timing:
    """How long one picture took, alone on the machine, apart from the quality figures.

    Attributes:
        median_ms: of ``runs`` calls of the engine, array to array.
        low_ms: the 10th percentile.
        high_ms: the 90th.
        runs: how many.
        threads: CPU threads that were used.
        size: what was coloured, "256×256".
    """

    median_ms: float
    low_ms: float
    high_ms: float
    runs: int
    threads: int
    size: str


@dataclass(frozen=True)
class Row:
    """What one model scored.

    Attributes:
        label: unique in the run: "tintype", "tintype@1.2" (strength), a file's name.
        version: of the weights; "" for grey and oracle.
        kind: a model, or the floor (grey) or ceiling (oracle).
        sha256: of the graph; "" for grey and oracle.
        strength: factor on ab.
        seen: True when its training or its encoder saw pictures of this set's family; None when
            nobody knows.
        figures: metric key to mean and interval.
        values: metric key to one value for each of ``Results.names``; a metric that only a whole
            set has, such as FID, is not in it.
        curve: accuracy at thresholds 0..150, in [0, 1].
        curve_rebalanced: the same, every class of colour weighing the same.
        timing: None for grey and oracle, or when it was not asked for.
    """

    label: str
    version: str
    kind: Literal["model", "grey", "oracle"]
    sha256: str
    strength: float
    seen: bool | None
    figures: dict[str, Figure]
    values: dict[str, tuple[float, ...]]
    curve: tuple[float, ...]
    curve_rebalanced: tuple[float, ...]
    timing: Timing | None = None


@dataclass(frozen=True)
class LeftOut:
    """A file of the set that could not be measured."""

    name: str
    reason: str


@dataclass(frozen=True)
class SkinGroup:
    """How one model treats the skin of one group of tones.

    Attributes:
        group: name of the ITA group, "very light" to "dark".
        faces: how many faces.
        pixels: how many of their pixels are skin.
        enough: whether that is enough to say anything.
        delta_e: mean CIEDE2000.
        hue_shift: signed mean change of hue in degrees, positive towards yellow.
        chroma_shift: mean change of C*ab; negative is paler.
        true_positive: part of the skin that was coloured as skin.
        false_positive: part of the surroundings that was coloured as skin.
    """

    group: str
    faces: int
    pixels: int
    enough: bool
    delta_e: Figure | None = None
    hue_shift: Figure | None = None
    chroma_shift: Figure | None = None
    true_positive: Figure | None = None
    false_positive: Figure | None = None


@dataclass(frozen=True)
class Fairness:
    """One model's skin groups and the largest gap between those that are large enough.

    Attributes:
        label: of the row.
        groups: lightest first, all six.
        gap_true_positive: largest difference of the true-positive rate between two groups.
        gap_false_positive: likewise.
    """

    label: str
    groups: tuple[SkinGroup, ...]
    gap_true_positive: Figure | None
    gap_false_positive: Figure | None


@dataclass(frozen=True)
class Protocol:
    """How everything was measured.

    Attributes:
        set_name: file or folder.
        set_sha256: of the names and contents of what was measured, in order.
        family: what the pictures were drawn from ("ImageNet"), "" when not said.
        size: "256" or "native".
        grey: lightness, luma601 or luma709.
        pictures: how many were measured.
        left_out: which were not, and why.
        true_figures: metric key to the true pictures' own mean, where that makes sense.
        versions: of Tintype, Python and the libraries.
        machine: processor and threads.
        command: that made this.
        made: ISO 8601 date.
    """

    set_name: str
    set_sha256: str
    family: str
    size: str
    grey: str
    pictures: int
    left_out: tuple[LeftOut, ...]
    true_figures: dict[str, float]
    versions: dict[str, str]
    machine: str
    command: str
    made: str


@dataclass(frozen=True)
class Results:
    """One run of the bench.

    Attributes:
        protocol: how.
        metrics: the columns.
        names: the pictures, in order.
        rows: grey first when it was asked for, then as asked for.
        fairness: one for each row that is no grey and no oracle, if there were faces at all.
        missing: what was not measured (a metric's name) to why not.
    """

    protocol: Protocol
    metrics: tuple[Metric, ...]
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    fairness: tuple[Fairness, ...]
    missing: dict[str, str]


def to_json(results: Results) -> str:
    """The content of results.json."""
    return json.dumps({"format": FORMAT, **dataclasses.asdict(results)}, indent=1, sort_keys=True)


def read_results(path: Path) -> Results:
    """Read results.json.

    Raises:
        UsageError: when it cannot be read or is not of this format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise UsageError(f"{path} was written by another version of the bench.")
        return _built(Results, content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no results.json: {error}") from error


Built = TypeVar("Built")


def _built(kind: type[Built], value: object) -> Built:
    """JSON back to the annotated type."""
    return typing.cast(Built, _of(kind, value))


def _of(kind: object, value: object) -> object:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        return kind(**{key: _of(hints[key], each) for key, each in value.items()})
    if type(None) in arguments:
        return None if value is None else _of(arguments[0], value)
    if origin is tuple and isinstance(value, list):
        return tuple(_of(arguments[0], each) for each in value)
    if origin is dict and isinstance(value, dict):
        return {str(key): _of(arguments[1], each) for key, each in value.items()}
    return value
