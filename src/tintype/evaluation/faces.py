"""Where a picture's faces are, by scikit-image's own cascade and the colour of what it found.

The cascade of local binary patterns (Liao et al. 2007, "Learning multi-scale block local binary
patterns for face recognition"; trained by OpenCV, part of scikit-image's wheel) looks at
lightness alone. It takes many a leaf and roof for a face, so its windows must agree, and what
they agree on must be mostly skin. Of 120 head shots of all ages and tones, 109 were found; in 120
everyday pictures, five faces and one chopping board, while faces that were turned, bent or smaller
than ``LEAST_FACE_PX`` were missed. A search of 256×256 px takes about 35 ms on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype.errors import MissingExtra
from tintype.evaluation.metrics import Picture8

if TYPE_CHECKING:
    from skimage.feature import Cascade

LEAST_FACE_PX = 44
"""The smallest face, brows to chin; smaller ones hold little skin and cost most of the search."""

LONGEST_SIDE_PX = 384
"""Larger pictures are searched on a smaller copy, where the smallest face is a ninth of them."""

_LEAST_PICTURE_PX = 64
_SCALE_STEP = 1.1  # with 1.2, half of the faces are lost
_AGREEING = 5  # windows; most false alarms have one to four, most faces six to forty
_ALIKE = 0.5  # two windows see one face when they share so much of the area of both
_APART = 0.3  # no face within another: windows may share so much of the smaller
_LEAST_SKIN = 0.7  # part of the ellipse; of faces in usual light it is 0.8 to 1


@dataclass(frozen=True)
class FaceBox:
    """A square around a face, brows to chin and ear to ear, in px of the picture.

    Attributes:
        top: upper edge; may be a fraction.
        left: left edge.
        side: length.
    """

    top: float
    left: float
    side: float

    def enlarged(self, by: float) -> tuple[slice, slice]:
        """Rows and columns of the box, wider by so many sides all around, as an index."""
        margin = by * self.side
        rows, columns = (
            slice(max(0, round(start - margin)), max(0, round(start + self.side + margin)))
            for start in (self.top, self.left)
        )
        return rows, columns

    def ellipse(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """(H, W) bool: the face within the box, forehead to chin, without ears and most hair."""
        y = (np.arange(shape[0]) + 0.5 - self.top) / self.side - 0.52
        x = (np.arange(shape[1]) + 0.5 - self.left) / self.side - 0.5
        return np.asarray((y[:, None] / 0.45) ** 2 + (x / 0.38) ** 2 <= 1)


def find_faces(picture: Picture8, skin: NDArray[np.bool_]) -> list[FaceBox]:
    """Find upright, roughly frontal faces.

    Args:
        picture: uint8 sRGB (H, W, 3); under 64 px on a side no faces are sought.
        skin: (H, W) bool, pixels of the colour of skin.

    Returns:
        Boxes, the surest first; none overlaps another by much.

    Raises:
        MissingExtra: without scikit-image.
    """
    if min(skin.shape) < _LEAST_PICTURE_PX:
        return []
    boxes = []
    windows = _windows(picture)
    while (group := _largest_group(windows)) is not None:
        box = FaceBox(*windows[group].mean(axis=0).tolist())
        if skin[box.ellipse(skin.shape)].mean() >= _LEAST_SKIN:
            boxes.append(box)
            group = _common_part(windows, windows[group].mean(axis=0)) > _APART
        windows = windows[~group]
    return boxes


def _largest_group(windows: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """(n,) bool: the windows around the one that most agree with; None when too few do."""
    if not len(windows):
        return None
    alike = np.stack([_common_part(windows, each, of_both=True) > _ALIKE for each in windows])
    best = alike[alike.sum(axis=1).argmax()]
    return best if best.sum() >= _AGREEING else None


def _common_part(
    windows: NDArray[np.float64], one: NDArray[np.float64], of_both: bool = False
) -> NDArray[np.float64]:
    """(n,) area that squares (n, 3) share with one (3,), as a part of the smaller or of both."""
    near = np.maximum(windows[:, :2], one[:2])
    far = np.minimum(windows[:, :2] + windows[:, 2:], one[:2] + one[2])
    common = np.clip(far - near, 0, None).prod(axis=1)
    areas, area = windows[:, 2] ** 2, one[2] ** 2
    return np.asarray(common / (areas + area - common if of_both else np.minimum(areas, area)))


@cache
def _cascade() -> Cascade:
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ModuleNotFoundError as error:
        raise MissingExtra("Finding faces", "eval") from error
    return Cascade(lbp_frontal_face_cascade_filename())


def _windows(picture: Picture8) -> NDArray[np.float64]:
    """(n, 3) top, left and side in px of every window that the cascade takes for a face."""
    grey = Image.fromarray(picture).convert("L")
    shrunk = max(1.0, max(grey.size) / LONGEST_SIDE_PX)
    if shrunk > 1:
        width, height = (max(1, round(side / shrunk)) for side in grey.size)
        grey = grey.resize((width, height), Image.Resampling.BOX)
    pixels, least, side = np.asarray(grey), LEAST_FACE_PX, min(grey.size)
    # Windows keep off the edges, and a large face often reaches them: repeat the edges for these.
    margin = side // 8
    small = _search(pixels, least, 2 * least)
    large = _search(np.pad(pixels, margin, mode="edge"), 2 * least, side + 2 * margin)
    return shrunk * np.array([*small, *(large - [margin, margin, 0])])


def _search(grey: NDArray[np.uint8], least: int, largest: int) -> NDArray[np.float64]:
    """(n, 3) windows of sides from ``least`` to below ``largest``, in px.

    The cascade's own grouping is switched off (no score exceeds 1), since what it gives depends
    on which of its threads is done first. The windows, sorted, are the same every time.
    """
    found = _cascade().detect_multi_scale(
        img=grey,
        scale_factor=_SCALE_STEP,
        step_ratio=1,
        min_size=(least, least),
        max_size=(largest, largest),
        min_neighbor_number=1,
        intersection_score_threshold=1.0,
    )
    windows = sorted((each["r"], each["c"], each["width"]) for each in found)
    return np.array(windows, np.float64).reshape(-1, 3)
