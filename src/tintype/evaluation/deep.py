"""Distances that need a trained network: FID and LPIPS by torchmetrics, and SqueezeNet features.

None of these networks comes with Tintype. torchmetrics downloads its own on first use; where that
fails, the tables say why instead of a figure.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zipfile import BadZipFile

import numpy as np

from tintype.errors import MissingExtra, UsageError
from tintype.evaluation.metrics import Picture8
from tintype.evaluation.results import Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

FID = Metric(
    "fid",
    "FID",
    "",
    "lower",
    2,
    "Heusel 2017 by torchmetrics: Inception v3 at 2048 features, 8-bit pictures of this set "
    "against the true ones; falls with the number of pictures, so comparable within a set only.",
)
LPIPS = Metric(
    "lpips",
    "LPIPS",
    "",
    "lower",
    4,
    "Zhang 2018 by torchmetrics: AlexNet, version 0.1, RGB scaled to [-1, 1], then mean.",
)
SQUEEZE = Metric(
    "squeeze_distance",
    "SqueezeNet-feature distance",
    "",
    "lower",
    4,
    "Squared distance of unit-length SqueezeNet 1.1 features after conv1 and fire 3, 5, 7, 8 and "
    "9, mean over positions, summed over layers; no learned weights: not LPIPS.",
)

# BGR means that SqueezeNet 1.1's public Caffe weights were trained with, in 8-bit levels.
_CAFFE_MEAN_BGR = (104.0, 117.0, 123.0)
_FIRE = range(2, 10)
_POOL_AFTER = (1, 3, 5)
_KEPT = (1, 3, 5, 7, 8, 9)


class Meter(Protocol):
    """Takes pictures one by one.

    Attributes:
        metric: what it measures.
    """

    metric: Metric

    def add(self, result: Picture8, truth: Picture8) -> float | None:
        """Take a pair; its own figure, or None where only the whole set has one."""
        ...

    def total(self) -> float | None:
        """The set's figure, or None where it is the mean of the pictures'."""
        ...


def meters(
    features: Path | None, downloads: bool
) -> tuple[list[Callable[[], Meter]], dict[str, str]]:
    """What can be measured here.

    Args:
        features: SqueezeNet 1.1 as arrays (.npz); None leaves that distance out.
        downloads: whether torchmetrics may download its networks.

    Returns:
        How to make each meter anew, and the title of what is missing to why.

    Raises:
        UsageError: ``features`` holds something else.
        MissingExtra: ``features`` without torch.
    """
    made: list[Callable[[], Meter]] = []
    missing: dict[str, str] = {}
    if features is None:
        missing[SQUEEZE.title] = "No file of features was named (--features)."
    else:
        distance = SqueezeDistance(features)
        made.append(lambda: distance)
    makers: tuple[tuple[Metric, Callable[[], Meter]], ...] = ((FID, Fid), (LPIPS, Lpips))
    for metric, make in makers:
        reason = _why_not(make) if downloads else "It was not asked for (--downloads)."
        if reason is None:
            made.append(make)
        else:
            missing[metric.title] = reason
    return made, missing


def _why_not(make: Callable[[], Meter]) -> str | None:
    """Try to make a meter; the reason why that fails, as a sentence."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            make()
    except ModuleNotFoundError:
        return (
            "torchmetrics or what it builds on is not installed: pip install torchmetrics[image]."
        )
    except Exception as error:
        # What a download or its cache can raise is not for us to list.
        return f"Its network cannot be had: {_line(error)}."
    return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: the others colour meanwhile, and figures depend on no number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Fid:
    """Fréchet Inception distance of a set of results to the set of true pictures."""

    metric = FID

    def __init__(self, network: nn.Module | None = None) -> None:
        """Load Inception v3, or use another network of 8-bit pictures to (N, features)."""
        from torchmetrics.image.fid import FrechetInceptionDistance

        self._fid = FrechetInceptionDistance(feature=2048 if network is None else network)

    def add(self, result: Picture8, truth: Picture8) -> float | None:
        """Take a pair."""
        self._fid.update(_tensor(truth), real=True)
        self._fid.update(_tensor(result), real=False)
        return None

    def total(self) -> float | None:
        """The distance; None of fewer than two pictures, which have no covariance."""
        return float(self._fid.compute()) if self._fid.real_features_num_samples > 1 else None


class Lpips:
    """Learned perceptual image patch similarity."""

    metric = LPIPS

    def __init__(self) -> None:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        self._lpips = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)

    def add(self, result: Picture8, truth: Picture8) -> float | None:
        """Take a pair."""
        return float(self._lpips(_tensor(result) / 255, _tensor(truth) / 255))

    def total(self) -> float | None:
        """The mean says it all."""
        return None


class SqueezeDistance:
    """A perceptual distance by plain SqueezeNet 1.1 features (Iandola 2016, arXiv 1602.07360)."""

    metric = SQUEEZE

    def __init__(self, features: Path) -> None:
        """Load the weights.

        Args:
            features: .npz of conv1 and fire 2 to 9, keys ``conv1__w``, ``fire2__squeeze1x1__b``.

        Raises:
            UsageError: the file cannot be read or holds something else.
            MissingExtra: without torch.
        """
        try:
            import torch
        except ModuleNotFoundError as error:
            raise MissingExtra("The SqueezeNet-feature distance", "train") from error
        self._truth: Picture8 | None = None
        self._true_layers: Sequence[Tensor] = ()
        try:
            with features.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                self._weights = {
                    name: torch.from_numpy(arrays[name].astype(np.float32))
                    for name in arrays.files
                    if name.startswith(("conv1__", "fire"))
                }
            self._layers(np.zeros((64, 64, 3), np.uint8))
        except (OSError, EOFError, ValueError, KeyError, RuntimeError, BadZipFile) as error:
            raise UsageError(
                f"{features} does not hold SqueezeNet 1.1 as arrays (.npz)."
            ) from error

    def add(self, result: Picture8, truth: Picture8) -> float | None:
        """The distance of a pair."""
        if truth is not self._truth:  # all models come with the same one
            self._truth, self._true_layers = truth, self._layers(truth)
        pairs = zip(self._layers(result), self._true_layers, strict=True)
        return float(sum(((a - b) ** 2).sum(1).mean() for a, b in pairs))

    def total(self) -> float | None:
        """The mean says it all."""
        return None

    def _layers(self, picture: Picture8) -> Sequence[Tensor]:
        """Features of unit length along channels, (1, C, h, w) each."""
        import torch
        from torch.nn import functional

        mean = torch.tensor(_CAFFE_MEAN_BGR)[:, None, None]
        x = _tensor(picture).flip(1).float() - mean
        kept = []
        with torch.inference_mode():
            for stage in (1, *_FIRE):
                x = self._conv(x, "conv1", stride=2) if stage == 1 else self._fire(x, stage)
                if stage in _KEPT:
                    kept.append(functional.normalize(x, dim=1))
                if stage in _POOL_AFTER:
                    x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        return kept

    def _fire(self, x: Tensor, stage: int) -> Tensor:
        import torch

        x = self._conv(x, f"fire{stage}__squeeze1x1")
        wide = (self._conv(x, f"fire{stage}__expand{k}x{k}", padding=k // 2) for k in (1, 3))
        return torch.cat(list(wide), 1)

    def _conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        from torch.nn import functional

        weight, bias = self._weights[f"{name}__w"], self._weights[f"{name}__b"]
        return functional.conv2d(x, weight, bias, stride, padding).relu()


def _tensor(picture: Picture8) -> Tensor:
    import torch

    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
