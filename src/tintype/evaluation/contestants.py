"""Who is measured: models of the zoo, local graphs, and grey and oracle as floor and ceiling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from tintype import zoo
from tintype.color import lab_to_rgb, luma, rgb_to_lab
from tintype.engine import Colorizer
from tintype.engine.chroma import Chroma
from tintype.engine.join import join
from tintype.errors import UsageError
from tintype.evaluation.metrics import Picture8
from tintype.options import Options

Grey = Literal["lightness", "luma601", "luma709"]

GREYS: tuple[Grey, ...] = ("lightness", "luma601", "luma709")
"""How a colour picture becomes the grey one that is coloured."""

ORACLE_STRIDE = 4
"""The ceiling has the true ab at a quarter of the size, as our networks predict them."""


def grey_of(truth: Picture8, grey: Grey) -> Picture8:
    """What the engine is given.

    Args:
        truth: uint8 sRGB (H, W, 3).
        grey: "lightness" gives the truth itself, of which the engine takes nothing but its L*;
            "luma601" and "luma709" repeat 8-bit Y' to R, G and B (ITU-R BT.601 and BT.709).

    Returns:
        uint8 (H, W, 3).
    """
    if grey == "lightness":
        return truth
    standard: Literal["bt601", "bt709"] = "bt601" if grey == "luma601" else "bt709"
    y = np.rint(luma(truth.astype(np.float64), standard)).astype(np.uint8)
    return np.repeat(y[..., None], 3, axis=2)


class Contestant(Protocol):
    """Something that colours a picture.

    Attributes:
        version: of its weights.
        sha256: of its graph.
        strength: factor on ab.
        kind: model, grey or oracle.
        families: what its training or encoder has seen; None when nobody knows.
    """

    version: str
    sha256: str
    strength: float
    kind: Literal["model", "grey", "oracle"]
    families: tuple[str, ...] | None

    @property
    def label(self) -> str:
        """Unique in a run."""
        ...

    @property
    def colour(self) -> Callable[[Picture8, Picture8], Picture8]:
        """Colours the first picture, uint8 (H, W, 3); only the oracle looks at the second."""
        ...


@dataclass
class Reference:
    """The floor or the ceiling: no model, but a row beside the models."""

    kind: Literal["model", "grey", "oracle"]
    colour: Callable[[Picture8, Picture8], Picture8]
    strength: float
    version: str = ""
    sha256: str = ""
    families: tuple[str, ...] | None = ()

    @property
    def label(self) -> str:
        """What it is called is what it is."""
        return self.kind


def paint_grey(given: Picture8, truth: Picture8) -> Picture8:
    """The floor: no colour at all, a = b = 0 at the picture's own L."""
    lab = rgb_to_lab(given / 255.0)
    lab[..., 1:] = 0
    return np.rint(np.clip(lab_to_rgb(lab), 0, 1) * 255).astype(np.uint8)


def paint_truth(given: Picture8, truth: Picture8) -> Picture8:
    """The ceiling: the true ab, averaged to a quarter of the size and joined by the engine."""
    ab = rgb_to_lab(truth / 255.0)[..., 1:]
    height, width = ab.shape[:2]
    down, across = -height % ORACLE_STRIDE, -width % ORACLE_STRIDE
    padded = np.pad(ab, ((0, down), (0, across), (0, 0)), mode="edge")
    cells = padded.reshape(
        (height + down) // ORACLE_STRIDE, ORACLE_STRIDE, -1, ORACLE_STRIDE, 2
    ).mean(axis=(1, 3))
    small = np.ascontiguousarray(cells.transpose(2, 0, 1), np.float32)
    covered = (height / ORACLE_STRIDE, width / ORACLE_STRIDE)
    return np.asarray(join(given, Chroma(small, (height, width), covered, 1.0)), np.uint8)


GREY = Reference("grey", paint_grey, 0.0)
ORACLE = Reference("oracle", paint_truth, 1.0)


class Model:
    """A model, run by the public engine, so that its figures are what users get."""

    kind: Literal["model", "grey", "oracle"] = "model"

    def __init__(self, name: str, strength: float, size: int | None, threads: int | None) -> None:
        """Load it.

        Args:
            name: of the zoo, or a graph's path.
            strength: factor on ab.
            size: working size in px; None is the model's own.
            threads: CPU threads of one call.
        """
        self.colorizer = Colorizer.load(name, device="cpu", threads=threads)
        self.strength = strength
        self.version = self.colorizer.version
        record = next((r for r in zoo.list_models() if r.name == name), None)
        title = name if record else Path(name).name
        self.label = title if strength == 1 else f"{title}@{strength:g}"
        self.sha256 = zoo.graph_sha256(name)
        self.families = record.seen if record else None
        # The truth is in colour, and its own grey may look toned: both are meant.
        self._options = Options(strength=strength, working_size=size, force=True)

    def colour(self, given: Picture8, truth: Picture8) -> Picture8:
        """Colour it as ``Colorizer.colorize`` does."""
        return np.asarray(self.colorizer.colorize(given, self._options), np.uint8)


def contestants_of(
    names: tuple[str, ...], size: int | None, threads: int | None
) -> tuple[Contestant, ...]:
    """Load everyone that takes part.

    Args:
        names: "grey", "oracle", a model's name or an .onnx file, the last two perhaps with
            "@STRENGTH", for example "tintype@1.2".
        size: working size in px; None is each model's own.
        threads: CPU threads of one call.

    Raises:
        UsageError: a strength that is none, or the same contestant twice.
        ModelNotFound, ModelInvalid, ChecksumMismatch: as ``Colorizer.load``.
    """
    chosen = tuple(_contestant(name, size, threads) for name in names)
    labels = [each.label for each in chosen]
    for name, each in zip(names, chosen, strict=True):
        if labels.count(each.label) > 1 and isinstance(each, Model) and len(Path(name).parts) > 1:
            each.label = f"{Path(name).parent.name}/{each.label}"
    labels = [each.label for each in chosen]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice or not labels:
        raise UsageError(f"Each model can take part once, not {', '.join(twice) or 'none at all'}.")
    return chosen


def _contestant(name: str, size: int | None, threads: int | None) -> Contestant:
    for reference in (GREY, ORACLE):
        if name == reference.kind:
            return reference
    plain, at, strength = name.rpartition("@")
    if not at or Path(name).is_file():
        return Model(name, 1.0, size, threads)
    try:
        return Model(plain, float(strength), size, threads)
    except ValueError as error:
        raise UsageError(f'"{name}": the strength after "@" must be a number.') from error
