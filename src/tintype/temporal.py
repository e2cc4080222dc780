"""How colours stay steady from frame to frame: cuts found, motion followed, colour carried along.

Pure arrays, no codec. Lightness is matched against the frame before, block by block; colour is
carried along the motion found and averaged with each new prediction, cell by cell, as far as the
match can be trusted. The same code serves files, streams and the live view: it never looks ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tintype.errors import UsageError

Float = NDArray[np.float32]
Vectors = NDArray[np.int32]
Pyramid = tuple[Float, Float, Float]

STRIDE = 4
"""Pixels of the network's view that one cell of ab covers, along each side."""

STEADY = 0.85
"""How steady colours are unless asked otherwise."""

LONGEST = 30
"""A cell's colour is the mean of at most so many predictions, at ``steady`` 1."""

_BLOCK = 8  # side of a block at half size: 16 pixels of the view
_RESTING = 0.98  # part of the blocks that fit unmoved, so that motion is not looked for
_ZERO_BONUS = 0.3  # L: so much better must a motion be than standing still
_REST_GAP = 12  # frames: the longest time without a prediction
_REST_SHARE = 0.04  # so much of the picture may change before a new prediction is wanted
_BLACK = 3.0  # L below which a pixel may belong to a bar
_FEWEST = 64  # pixels that tell how bright a frame is
_UNSEEN = 0.5  # L: a change of brightness that is left alone
_EDGE_SHARE = 0.25  # of the step to the next pixel: what an edge may differ by in passing
_DRIFT = 3.0  # L: how far a cell may have changed since its colours were predicted
_LEAST_SURE = 0.05  # even the least confident prediction counts for so much
_PATIENCE = 3  # frames after which an interrupted scene is given up


@dataclass(frozen=True)
class Scene:
    """What is known of the scene at a frame.

    Attributes:
        L: (h, w) lightness of the view, as bright as the scene began.
        lab: (3, gh, gw) its steady colours, after the L that they were predicted at; gh is
            h / STRIDE, rounded up.
        weight: (gh, gw) how many predictions each cell is the mean of.
        noise: what L differs by where nothing changes, in units of L.
        rested: frames since the last prediction.
    """

    L: Float
    lab: Float
    weight: Float
    noise: float
    rested: int


@dataclass(frozen=True)
class Match:
    """How a frame follows from the one before.

    Attributes:
        L: (h, w) this frame's lightness, as bright as the scene began.
        lab: (3, gh, gw) what is carried along.
        trust: (gh, gw) in [0, 1], whether a cell shows the same thing.
        weight: (gh, gw) the carried weights.
        noise: as of ``Scene``, of this pair.
        same_scene: False after a cut.
    """

    L: Float
    lab: Float
    trust: Float
    weight: Float
    noise: float
    same_scene: bool

    @property
    def held(self) -> Float:
        """(gh, gw) how much what is carried along counts here."""
        return cast(Float, self.weight * self.trust)


class Steadier:
    """Steady colours for one film, frame after frame.

    For each frame call :meth:`look` with its lightness, predict its colours if that says so, and
    call :meth:`settle` with them.

    Args:
        steady: 0 leaves every prediction as it is; 1 averages over the longest time.

    Raises:
        UsageError: ``steady`` outside [0, 1].
    """

    def __init__(self, steady: float) -> None:
        if not 0 <= steady <= 1:
            raise UsageError(f"steady must be from 0 to 1, not {steady}.")
        self.steady = steady
        self._most = min(LONGEST, steady / (1 - steady)) if steady < 1 else LONGEST
        self.scene: Scene | None = None
        self.number = 0
        """Of the scene, counted from 0."""
        self._before: Scene | None = None  # the scene before a cut, which may be but a flash
        self._since_cut = 0
        self._L: Float | None = None
        self._match: Match | None = None

    def look(self, L: Float) -> bool:
        """Take in the next frame; whether its colours are to be predicted.

        Args:
            L: (h, w) float32 lightness in [0, 100], of one size for the whole film.
        """
        self._L, self._match = L, None
        if self.steady == 0 or self.scene is None:
            return True
        match = match_scene(self.scene, L)
        if not match.same_scene and self._before is not None and self._since_cut < _PATIENCE:
            earlier = match_scene(self._before, L)
            if earlier.same_scene:  # that was no cut but a flash or a damaged frame
                match, self._before = earlier, None
                self.number -= 1
        if not match.same_scene:
            if self._before is None:
                self._before, self._since_cut = self.scene, 0
                self.number += 1
            self.scene = None
            return True
        self._match = match
        changed = float(np.mean(1 - match.trust * np.minimum(match.weight, 1)))
        gap = min(_REST_GAP, int(_REST_SHARE / max(changed, 1e-4)))
        return self.scene is None or self.scene.rested >= gap

    @property
    def lost(self) -> bool:
        """Whether the frame that was looked at cannot do without a prediction."""
        return self._match is None

    def settle(self, predicted: Float | None, confidence: Float | None = None) -> Float:
        """The frame's steady colours.

        Args:
            predicted: (2, gh, gw) its predicted ab; None when :meth:`look` wanted none.
            confidence: (gh, gw) in [0, 1], how far each cell of the prediction is to be believed;
                1 everywhere when None.

        Returns:
            (2, gh, gw) ab.

        Raises:
            UsageError: no frame was looked at, or it needs a prediction.
        """
        L, match = self._L, self._match
        if match is not None and predicted is None:
            self._leave_cut()
            rested = self.scene.rested + 1 if self.scene is not None else 1
            self.scene = Scene(match.L, match.lab, match.held, match.noise, rested)
            return match.lab[1:]
        if L is None or predicted is None:
            raise UsageError("settle() follows look(), with a prediction when that asks for one.")
        self._leave_cut()
        sure = np.ones(predicted.shape[1:], np.float32) if confidence is None else confidence
        sure, most = np.maximum(sure, _LEAST_SURE), max(self._most, _LEAST_SURE)
        if match is None:
            noise = self._before.noise if self._before is not None else 1.0
            lab = np.concatenate([cells_of(L)[None], predicted])
            self.scene = Scene(L, lab, np.minimum(sure, most), noise, 0)
            return predicted
        held = match.held
        seen = np.concatenate([cells_of(match.L)[None], predicted])
        lab = (held * match.lab + sure * seen) / (held + sure)
        self.scene = Scene(match.L, lab, np.minimum(held + sure, most), match.noise, 0)
        return cast(Float, lab[1:])

    def _leave_cut(self) -> None:
        self._since_cut += 1
        if self._since_cut >= _PATIENCE:
            self._before = None

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything remembered, as arrays that a file can hold; :meth:`restore` takes it back."""
        arrays: dict[str, NDArray[np.generic]] = {
            "since_cut": np.asarray(self._since_cut),
            "number": np.asarray(self.number),
        }
        for name, scene in (("scene", self.scene), ("before", self._before)):
            if scene is not None:
                numbers = np.array([scene.noise, scene.rested])
                parts = {"L": scene.L, "lab": scene.lab, "weight": scene.weight, "n": numbers}
                arrays |= {f"{name}.{part}": value for part, value in parts.items()}
        return arrays

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Go on from a :meth:`state`."""
        self._since_cut, self.number = int(arrays["since_cut"]), int(arrays["number"])
        self.scene, self._before = (_scene_of(arrays, name) for name in ("scene", "before"))


def _scene_of(arrays: dict[str, NDArray[np.generic]], name: str) -> Scene | None:
    if f"{name}.L" not in arrays:
        return None
    L, lab, weight = (np.asarray(arrays[f"{name}.{p}"], np.float32) for p in ("L", "lab", "weight"))
    noise, rested = (float(n) for n in np.asarray(arrays[f"{name}.n"], np.float64))
    return Scene(L, lab, weight, noise, int(rested))


def match_scene(scene: Scene, L: Float) -> Match:
    """Find where each part of a frame was in the frame before, and what it carries along.

    Args:
        scene: at the frame before.
        L: (h, w) lightness of this one.

    Raises:
        UsageError: the frames differ in size.
    """
    if L.shape != scene.L.shape:
        raise UsageError(f"A frame of {L.shape} follows one of {scene.L.shape}.")
    L = as_bright(L, scene.L)
    now, then = _pyramid(L), _pyramid(scene.L)
    motion = find_motion(now, then, calm=1.5 * scene.noise + 1)
    whole = np.rint(motion).astype(np.int32).repeat(_BLOCK, 1).repeat(_BLOCK, 2)
    error = np.abs(now[0] - _moved(then[0], whole))
    gh, gw = scene.weight.shape
    error = smooth(_halved(error)[:gh, :gw])
    cells = _per_cell(motion, (gh, gw))
    lab = _carried(scene.lab, cells)
    # Motion is known to half a pixel, so edges never fit quite.
    excess = error - 1.3 * scene.noise - _EDGE_SHARE * _steepness(now[0])[:gh, :gw]
    drift = np.abs(cells_of(L) - lab[0]) - scene.noise - _DRIFT
    trust = _trust(excess, 1.5 + scene.noise) * _trust(drift, _DRIFT)
    strange = error > 3 * scene.noise + 5
    same = not (strange.mean() > 0.5 and error.mean() > 3 * scene.noise + 6)
    noise = 0.8 * scene.noise + 0.2 * min(float(np.median(error)), 5.0)
    weight = _carried(scene.weight[None], cells)[0]
    return Match(L, lab, trust, weight, noise, same)


def _trust(excess: Float, scale: float) -> Float:
    """1 up to an excess of 0, then falling like a Gaussian of this scale."""
    return np.asarray(np.exp(-((np.maximum(excess, 0) / np.float32(scale)) ** 2)), np.float32)


def _steepness(half: Float) -> Float:
    """How much lightness differs from one pixel at half size to the next, for each cell."""
    down = np.abs(np.diff(half, axis=0, append=half[-1:]))
    right = np.abs(np.diff(half, axis=1, append=half[:, -1:]))
    return smooth(_halved(down + right))


def cells_of(L: Float) -> Float:
    """The mean L of each cell, (gh, gw)."""
    height, width = L.shape
    whole = np.pad(L, ((0, -height % STRIDE), (0, -width % STRIDE)), mode="edge")
    return _halved(_halved(whole))


def as_bright(L: Float, like: Float) -> Float:
    """L with the median and spread of another frame: old film breathes in brightness.

    Quartiles, since dust and things that move must not change the rest of the picture; without
    the blackest parts, which are bars beside many films and do not breathe.
    """
    ours, theirs = (x[::4, ::4][x[::4, ::4] > _BLACK] for x in (L, like))
    if min(ours.size, theirs.size) < _FEWEST:
        return L
    low, middle, high = np.percentile(ours, (25, 50, 75))
    low_then, middle_then, high_then = np.percentile(theirs, (25, 50, 75))
    spread = np.clip((high_then - low_then + 1) / (high - low + 1), 0.5, 2.0)
    if abs(middle_then - middle) < _UNSEEN and abs(spread - 1) < _UNSEEN / 20:
        return L
    return np.asarray(np.where(L > _BLACK, (L - middle) * spread + middle_then, L), np.float32)


def _pyramid(L: Float) -> Pyramid:
    """L at a half, a quarter and an eighth of its size, padded to whole blocks."""
    height, width = L.shape
    whole = 2 * _BLOCK
    L = np.pad(L, ((0, -height % whole), (0, -width % whole)), mode="edge")
    half = _halved(L)
    quarter = _halved(half)
    return half, quarter, _halved(quarter)


def _halved(x: Float) -> Float:
    return 0.25 * (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2])


def smooth(x: Float) -> Float:
    """The mean of each cell and its eight neighbours, over the last two axes."""
    p = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)], mode="edge")
    rows = p[..., :-2, :] + p[..., 1:-1, :] + p[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) * np.float32(1 / 9)


def find_motion(now: Pyramid, then: Pyramid, calm: float) -> Float:
    """Where each block of ``now`` was in ``then``: block matching, from coarse to fine.

    Args:
        now: a frame's pyramid.
        then: that of the frame before.
        calm: mean |ΔL| at which a block that has not moved fits; when all do, none is searched.

    Returns:
        (2, blocks down, blocks across): rows and columns to add, at half size, to parts of a
        pixel.
    """
    still = _block_means(np.abs(now[0] - then[0]), _BLOCK)
    motion = np.zeros((2, *still.shape), np.int32)
    if (still <= calm).mean() > _RESTING:
        return motion.astype(np.float32)
    costs = still[None]
    for level, offsets in ((2, _WIDE), (1, _NEAR), (0, _NEAR)):
        motion *= 2
        costs = _costs(now[level], then[level], motion, offsets, _BLOCK >> level)
        motion += offsets[costs.argmin(0)].transpose(2, 0, 1)
    motion = np.where(costs.min(0) < still - _ZERO_BONUS, motion, 0)
    return motion + _fractions(_costs(now[0], then[0], motion, _CROSS, _BLOCK))


def _costs(now: Float, then: Float, motion: Vectors, offsets: Vectors, side: int) -> Float:
    """How badly each block fits at each offset (n, 2) from its motion: (n, down, across)."""
    tried = motion + offsets[:, :, None, None]
    there = _moved(then, tried.repeat(side, 2).repeat(side, 3))
    return _block_means(np.abs(now - there), side)


def _fractions(costs: Float) -> Float:
    """Where between the pixels the least cost lies: (2, down, across) in [-0.5, 0.5].

    Args:
        costs: (5, down, across) at the offsets of ``_CROSS``; mean absolute differences rise
            about evenly on both sides of the best place, as the sides of a V do.
    """
    here, up, below, left, right = costs
    less, more = np.stack([up, left]), np.stack([below, right])
    steep = np.maximum(np.maximum(less, more) - here, 1e-3)
    return np.clip((less - more) / (2 * steep), -0.5, 0.5)


def _offsets(reach: int) -> Vectors:
    """All offsets of at most ``reach`` along each axis, (n, 2)."""
    line = np.arange(-reach, reach + 1, dtype=np.int32)
    return np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)


_NEAR, _WIDE = _offsets(1), _offsets(3)
_CROSS = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)], np.int32)
"""What is tried: three pixels each way, 24 of the view, at an eighth of its size; then one."""


def _block_means(error: Float, side: int) -> Float:
    """The mean of (..., height, width) over each block and its neighbours."""
    *n, height, width = error.shape
    blocks = error.reshape(*n, height // side, side, width // side, side).mean((-3, -1))
    return smooth(blocks)


def _per_cell(motion: Float, shape: tuple[int, int]) -> Float:
    """Motion in cells, (2, gh, gw), smooth between the blocks."""
    side = 2 * _BLOCK // STRIDE
    whole = motion.repeat(side, 1).repeat(side, 2)
    return smooth(whole[:, : shape[0], : shape[1]]) * np.float32(0.5)


def _moved(x: Float, motion: Vectors) -> Float:
    """x (height, width) read where each pixel was, the edge repeated.

    Args:
        x: a plane.
        motion: (..., 2, height, width) rows and columns to add.

    Returns:
        (..., height, width).
    """
    height, width = x.shape
    rows = np.clip(np.arange(height)[:, None] + motion[..., 0, :, :], 0, height - 1)
    columns = np.clip(np.arange(width) + motion[..., 1, :, :], 0, width - 1)
    return cast(Float, x.ravel()[rows * width + columns])


def _carried(planes: Float, motion: Float) -> Float:
    """Planes (n, gh, gw) read where each cell was, bilinearly, the edge repeated."""
    if not motion.any():
        return planes
    _, height, width = planes.shape
    rows = np.clip(np.arange(height)[:, None] + motion[0], 0, height - 1)
    columns = np.clip(np.arange(width)[None] + motion[1], 0, width - 1)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    down, right = rows - top, columns - left
    below, beside = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    flat = planes.reshape(len(planes), -1)

    def at(row: NDArray[np.intp], column: NDArray[np.intp]) -> Float:
        return cast(Float, flat[:, row * width + column])

    upper = at(top, left) * (1 - right) + at(top, beside) * right
    lower = at(below, left) * (1 - right) + at(below, beside) * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
