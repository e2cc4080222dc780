"""Whether skin of every tone is coloured equally well: colour errors on faces, by group of tones.

Faces are sought in the true picture (``evaluation.faces``); in an ellipse within a face's box,
pixels whose true chroma is that of skin are its skin. A face belongs to the group of its
individual typology angle (ITA), taken of the whole face, since a shadow moves single pixels by
several groups. Nothing is downloaded.

What the figures cannot say:

- Only upright, roughly frontal faces of 44 px or more are found, and not all of them. The cascade
  may well have a bias of its own, and now and then takes something brown for a face. Where
  pictures are squeezed into squares, so are faces.
- The chroma rule has its bias too. Its published limits lose the lightest and the darkest tones
  of the Monk scale and vivid brown skin, so they were moved (see ``SKIN_CR``); the darkest swatch
  still falls outside. A face most of which fails the rule (coloured light, toned prints) is left
  out. Lips, brows, beards and teeth often pass.
- ITA is meant for a colorimeter on the skin under known light. Of a photograph it tells how the
  skin was rendered, exposure, white balance and make-up included: the same person can fall into
  two groups. It orders faces, and says nothing about who somebody is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.color import rgb_to_lab, rgb_to_ycbcr
from tintype.errors import UsageError
from tintype.evaluation.faces import find_faces
from tintype.evaluation.metrics import Picture8, delta_e2000
from tintype.evaluation.results import Fairness, Figure, SkinGroup
from tintype.evaluation.statistics import interval, resamples

GROUPS = ("very light", "light", "intermediate", "tan", "brown", "dark")
"""The six groups of ITA, lightest first (Chardon 1991; Del Bino and Bernerd 2013)."""

_ITA_LIMITS = np.array([55.0, 41.0, 28.0, 10.0, -30.0])  # degrees; a limit is of the darker group

SKIN_CB = (77, 127)
"""Cb of skin in 8-bit levels of BT.601, as Chai and Ngan 1999 published it."""

SKIN_CR = (132, 180)
"""Cr of skin in 8-bit levels of BT.601; Chai and Ngan 1999 published 133 to 173.

Chroma shrinks towards white and towards black, so a lower limit cuts off both ends: with 133,
tones 1 and 9 of the Monk scale (ten swatches from light to dark) are no skin, with 132 they are,
and tone 10 is not. Vivid skin in warm light exceeds 173: of 109 faces, a tenth of the tan ones
lost a quarter of their pixels and more, and to leave out the most vivid would flatter pale results.
With 180 it is a twentieth (tan: 97 % of the ellipse pass on average, 94 % before; dark: 96 % and
94 %), and deep red lips are still no skin.
"""

LEAST_FACES = 10
"""Faces that a group needs: below, one odd photograph decides the mean and its interval."""

LEAST_PIXELS = 2000
"""Pixels of skin that a group needs; ten faces have them unless they are cut off by the edge."""

LEAST_CHROMA = 5.0
"""C*ab below which a pixel has no hue to speak of: 8-bit rounding turns it by several degrees."""

_AROUND = 0.5
"""Surroundings start so many box sides from the box, beyond hair, ears and neck."""


@dataclass(frozen=True)
class Face:
    """A face in a true picture.

    Attributes:
        mask: (H, W) bool, its skin.
        group: index into ``GROUPS``.
        ita: individual typology angle in degrees.
    """

    mask: NDArray[np.bool_]
    group: int
    ita: float


@dataclass(frozen=True)
class TrueSkin:
    """Where skin is in a true picture, and where it certainly is not.

    Attributes:
        faces: largest agreement of the cascade first; empty when there are none.
        surroundings: (H, W) bool, pixels away from every face that have no colour of skin.
    """

    faces: tuple[Face, ...]
    surroundings: NDArray[np.bool_]


@dataclass(frozen=True)
class FaceFigures:
    """How one face was coloured.

    Attributes:
        group: index into ``GROUPS``, of the true face.
        pixels: how many are skin.
        delta_e: mean CIEDE2000 over them.
        hue_shift: circular mean of the change of hue h_ab, result minus truth, in degrees; pixels
            with C*ab under ``LEAST_CHROMA`` before or after are left out; NaN when that is all.
        chroma_shift: mean change of C*ab, result minus truth.
        as_skin: skin pixels that :func:`is_skin` holds for skin in the result too.
        surroundings: pixels of the picture's surroundings; a picture of two faces counts twice.
        surroundings_as_skin: those that the result made the colour of skin.
    """

    group: int
    pixels: int
    delta_e: float
    hue_shift: float
    chroma_shift: float
    as_skin: int
    surroundings: int
    surroundings_as_skin: int

    def to_row(self) -> NDArray[np.float64]:
        """(8,) float64, the fields in order."""
        return np.array(dataclasses.astuple(self), np.float64)

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> FaceFigures:
        """The inverse of :meth:`to_row`; what follows the fields in a longer row is ignored."""
        group, pixels, error, hue, chroma, skin, around, false = row[:8].tolist()
        counts = int(skin), int(around), int(false)
        return cls(int(group), int(pixels), error, hue, chroma, *counts)


def is_skin(rgb: Picture8) -> NDArray[np.bool_]:
    """Whether a pixel has the chroma of skin, whatever its lightness.

    Chai and Ngan 1999, "Face segmentation using skin-color map in videophone applications":
    limits on Cb and Cr, here ``SKIN_CB`` and ``SKIN_CR``. Levels are 128 + 224 Cb and 128 + 224 Cr
    (BT.601-7 section 2.5.3), not rounded. Wood, sand and brick pass as well: the rule tells skin
    from clothes and sky, and finds no face by itself.

    Args:
        rgb: (..., 3) uint8 sRGB.

    Returns:
        (...) bool.
    """
    _, cb, cr = np.moveaxis(128 + 224 * rgb_to_ycbcr(rgb / np.float32(255)), -1, 0)
    inside_cb = (cb >= SKIN_CB[0]) & (cb <= SKIN_CB[1])
    return np.asarray(inside_cb & (cr >= SKIN_CR[0]) & (cr <= SKIN_CR[1]))


def typology_angle(L: float, b: float) -> float:
    """Individual typology angle in degrees: atan((L* - 50) / b*) · 180 / π (Chardon 1991).

    Taken with arctan2, which is the same for b* > 0, as all skin has it, and goes on beyond
    ±90° without a jump where a bluish light makes b* zero or negative.
    """
    return float(np.degrees(np.arctan2(L - 50, b)))


def group_of(ita: float) -> int:
    """The index into ``GROUPS``: limits 55°, 41°, 28°, 10° and -30° (Del Bino 2013)."""
    return int((ita <= _ITA_LIMITS).sum())


def find_skin(truth: Picture8) -> TrueSkin:
    """Find the faces of a true picture, their skin, and the surroundings.

    Args:
        truth: uint8 sRGB (H, W, 3); under 64 px on a side no faces are sought.

    Raises:
        UsageError: when the array is not uint8 (H, W, 3).
        MissingExtra: without scikit-image.
    """
    if truth.dtype != np.uint8 or truth.ndim != 3 or truth.shape[2] != 3:
        raise UsageError(f"The truth must be uint8 (H, W, 3), not {truth.dtype} {truth.shape}.")
    skin = is_skin(truth)
    surroundings = ~skin
    faces = []
    for box in find_faces(truth, skin):
        faces.append(_face(truth, skin & box.ellipse(skin.shape)))
        surroundings[box.enlarged(_AROUND)] = False
    return TrueSkin(tuple(faces), surroundings)


def _face(truth: Picture8, mask: NDArray[np.bool_]) -> Face:
    L, _, b = np.median(rgb_to_lab(truth[mask] / 255.0), axis=0)
    ita = typology_angle(float(L), float(b))
    return Face(mask, group_of(ita), ita)


def measure_skin(result: Picture8, truth: Picture8, skin: TrueSkin) -> tuple[FaceFigures, ...]:
    """Compare the skin of a coloured picture with the truth, face by face.

    Args:
        result: uint8 sRGB (H, W, 3).
        truth: the same shape.
        skin: as :func:`find_skin` found it in the truth.

    Raises:
        UsageError: when the shapes differ.
    """
    if not result.shape == truth.shape == (*skin.surroundings.shape, 3):
        raise UsageError(f"The result is {result.shape} but the truth is {truth.shape}.")
    if not skin.faces:
        return ()
    around = is_skin(result[skin.surroundings])
    counts = around.size, int(around.sum())
    return tuple(
        _figures(result[each.mask], truth[each.mask], each.group, counts) for each in skin.faces
    )


def _figures(result: Picture8, truth: Picture8, group: int, around: tuple[int, int]) -> FaceFigures:
    """Of one face's pixels, both (n, 3)."""
    lab, true_lab = rgb_to_lab(result / 255.0), rgb_to_lab(truth / 255.0)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    true_chroma = np.hypot(true_lab[:, 1], true_lab[:, 2])
    coloured = np.minimum(chroma, true_chroma) >= LEAST_CHROMA
    return FaceFigures(
        group=group,
        pixels=len(truth),
        delta_e=float(delta_e2000(lab, true_lab).mean()),
        hue_shift=_hue_shift(lab[coloured], true_lab[coloured]),
        chroma_shift=float((chroma - true_chroma).mean()),
        as_skin=int(is_skin(result).sum()),
        surroundings=around[0],
        surroundings_as_skin=around[1],
    )


def _hue_shift(lab: NDArray[np.floating], true_lab: NDArray[np.floating]) -> float:
    """Direction of the mean of unit vectors (Mardia and Jupp 2000, section 2.2), in degrees."""
    if not len(lab):
        return float("nan")
    turn = np.arctan2(lab[:, 2], lab[:, 1]) - np.arctan2(true_lab[:, 2], true_lab[:, 1])
    return float(np.degrees(np.angle(np.exp(1j * turn).mean())))


@dataclass(frozen=True)
class _Estimate:
    """A mean over faces and the same from each bootstrap resample, (2000,)."""

    value: float
    drawn: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], weights: NDArray[np.float64]) -> _Estimate | None:
        """None when no face has a value; faces that have none (NaN) are left out."""
        known = np.isfinite(values)
        if not known.any():
            return None
        with np.errstate(invalid="ignore"):
            drawn = weights[:, known] @ values[known] / weights[:, known].sum(axis=1)
        return cls(float(values[known].mean()), drawn)


def summarize(label: str, faces: Sequence[FaceFigures], seed: int = 0) -> Fairness:
    """The figures of each group of tones and the largest gaps between groups.

    Figures are means over faces, every face weighing the same, with 95 % percentile intervals of
    2000 bootstrap resamples of a group's faces (faces of one picture are taken as independent).
    A group of fewer than ``LEAST_FACES`` faces or ``LEAST_PIXELS`` pixels has counts only.

    The gaps are equalized odds (Hardt, Price and Srebro 2016, arXiv 1610.02413, definition 2.1):
    the class is "skin in the truth", the prediction :func:`is_skin` of the result, and neither the
    true nor the false positive rate should depend on the group. A largest gap is biased upward,
    since noise alone sets groups apart, the more the fewer their faces; its interval is of the
    same biased quantity and does not reach 0 even where groups are treated alike.

    Args:
        label: of the row.
        faces: of all pictures.
        seed: the same seed gives the same intervals.
    """
    groups, true_rates, false_rates = [], [], []
    for index, name in enumerate(GROUPS):
        own = [face for face in faces if face.group == index]
        pixels = sum(face.pixels for face in own)
        if len(own) < LEAST_FACES or pixels < LEAST_PIXELS:
            groups.append(SkinGroup(name, len(own), pixels, enough=False))
            continue
        estimates = _estimates(own, seed + index)
        figures = {key: _figure(each) for key, each in estimates.items()}
        groups.append(SkinGroup(name, len(own), pixels, enough=True, **figures))
        true_rates.append(estimates["true_positive"])
        false_rates.append(estimates["false_positive"])
    return Fairness(label, tuple(groups), _gap(true_rates), _gap(false_rates))


def _estimates(faces: Sequence[FaceFigures], seed: int) -> dict[str, _Estimate | None]:
    """A group's figures by their name in SkinGroup."""
    columns = np.stack([face.to_row() for face in faces]).T
    _, pixels, error, hue, chroma, as_skin, around, false = columns
    values = {
        "delta_e": error,
        "hue_shift": hue,
        "chroma_shift": chroma,
        "true_positive": as_skin / pixels,
        "false_positive": np.where(around > 0, false / np.maximum(around, 1), np.nan),
    }
    weights = resamples(len(faces), seed)
    return {key: _Estimate.of(each, weights) for key, each in values.items()}


def _figure(estimate: _Estimate | None) -> Figure | None:
    return None if estimate is None else interval(estimate.value, estimate.drawn)


def _gap(rates: Sequence[_Estimate | None]) -> Figure | None:
    """The largest rate less the smallest, None between fewer than two groups."""
    known = [rate for rate in rates if rate is not None]
    if len(known) < 2:
        return None
    drawn = np.ptp(np.stack([rate.drawn for rate in known]), axis=0)
    return interval(float(np.ptp([rate.value for rate in known])), drawn)
