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
from tintype.motion import (
    BLOCK,
    STRIDE,
    carried,
    find_motion,
    halved,
    moved,
    per_cell,
    pyramid,
    smooth,
)

Float = NDArray[np.float32]
STEADY = 0.85
"""How steady colours are unless asked otherwise."""

LONGEST = 30
"""A cell's colour is the mean of at most so many predictions, at ``steady`` 1."""

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
        if self.scene is None:
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
        return self.steady == 0 or self.scene is None or self.scene.rested >= gap

    @property
    def lost(self) -> bool:
        """Whether the frame that was looked at cannot do without a prediction."""
        return self._match is None or self.steady == 0

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
        return predicted if self.steady == 0 else cast(Float, lab[1:])

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
    now, then = pyramid(L), pyramid(scene.L)
    motion = find_motion(now, then, calm=1.5 * scene.noise + 1)
    whole = np.rint(motion).astype(np.int32).repeat(BLOCK, 1).repeat(BLOCK, 2)
    error = np.abs(now[0] - moved(then[0], whole))
    gh, gw = scene.weight.shape
    error = smooth(halved(error)[:gh, :gw])
    cells = per_cell(motion, (gh, gw))
    lab = carried(scene.lab, cells)
    # Motion is known to half a pixel, so edges never fit quite.
    excess = error - 1.3 * scene.noise - _EDGE_SHARE * _steepness(now[0])[:gh, :gw]
    drift = np.abs(cells_of(L) - lab[0]) - scene.noise - _DRIFT
    trust = _trust(excess, 1.5 + scene.noise) * _trust(drift, _DRIFT)
    strange = error > 3 * scene.noise + 5
    same = not (strange.mean() > 0.5 and error.mean() > 3 * scene.noise + 6)
    noise = 0.8 * scene.noise + 0.2 * min(float(np.median(error)), 5.0)
    weight = carried(scene.weight[None], cells)[0]
    return Match(L, lab, trust, weight, noise, same)


def _trust(excess: Float, scale: float) -> Float:
    """1 up to an excess of 0, then falling like a Gaussian of this scale."""
    return np.asarray(np.exp(-((np.maximum(excess, 0) / np.float32(scale)) ** 2)), np.float32)


def _steepness(half: Float) -> Float:
    """How much lightness differs from one pixel at half size to the next, for each cell."""
    down = np.abs(np.diff(half, axis=0, append=half[-1:]))
    right = np.abs(np.diff(half, axis=1, append=half[:, -1:]))
    return smooth(halved(down + right))


def cells_of(L: Float) -> Float:
    """The mean L of each cell, (gh, gw)."""
    height, width = L.shape
    whole = np.pad(L, ((0, -height % STRIDE), (0, -width % STRIDE)), mode="edge")
    return halved(halved(whole))


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
