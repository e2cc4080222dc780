"""FID, LPIPS and SqueezeNet features: figures where the network is there, reasons where not."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from tintype.errors import UsageError
from tintype.evaluation import deep

torch = pytest.importorskip("torch")

SQUEEZENET = Path(__file__).parents[2] / "shared/data/encoders/squeezenet1.1_caffe_fp16.npz"
RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (48, 48, 3), np.uint8) for _ in range(12)]


def test_squeezenet_distance(random_squeezenet) -> None:
    distance = deep.SqueezeDistance(random_squeezenet)
    one, other = PICTURES[:2]
    assert distance.add(one, one) == 0
    near = np.clip(one.astype(int) + 3, 0, 255).astype(np.uint8)
    # Features of unit length: two layers' squared distance is at most 2 for ReLU outputs.
    assert 0 < distance.add(near, one) < distance.add(other, one) <= 2 * len(deep._KEPT)
    assert distance.total() is None


def test_squeezenet_distance_is_as_defined(random_squeezenet) -> None:
    distance = deep.SqueezeDistance(random_squeezenet)
    layers = [[np.asarray(t)[0] for t in distance._layers(p)] for p in PICTURES[:2]]
    assert [layer.shape[0] for layer in layers[0]] == [64, 128, 256, 384, 512, 512]
    assert np.linalg.norm(layers[0][0], axis=0).max() == pytest.approx(1, abs=1e-5)
    by_hand = sum(((a - b) ** 2).sum(0).mean() for a, b in zip(*layers, strict=True))
    assert distance.add(*PICTURES[:2]) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.skipif(not SQUEEZENET.exists(), reason="the SqueezeNet weights are not here")
def test_real_squeezenet_tells_grey_from_colour() -> None:
    data = pytest.importorskip("skimage.data")
    distance = deep.SqueezeDistance(SQUEEZENET)
    colour = data.astronaut()[:256, :256]
    grey = np.repeat(colour.mean(2, keepdims=True), 3, axis=2).astype(np.uint8)
    half = ((colour.astype(int) + grey) // 2).astype(np.uint8)
    assert 0 < distance.add(half, colour) < distance.add(grey, colour)


def test_other_files_are_refused(tmp_path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "text.npz").write_text("no arrays")
    for name in ("other.npz", "text.npz", "missing.npz"):
        with pytest.raises(UsageError, match="does not hold SqueezeNet"):
            deep.SqueezeDistance(tmp_path / name)


class Means(torch.nn.Module):
    """The mean of each channel as features: a distance that can be computed by hand."""

    num_features = 3

    def forward(self, pictures):
        return pictures.float().mean((2, 3))


def test_fid_is_the_frechet_distance_of_the_features() -> None:
    pytest.importorskip("torchmetrics")
    linalg = pytest.importorskip("scipy.linalg")
    meter = deep.Fid(Means())
    meter.add(PICTURES[0], PICTURES[0])
    assert meter.total() is None  # one picture has no covariance
    meter = deep.Fid(Means())
    darker = [picture // 2 for picture in PICTURES]
    for result, truth in zip(darker, PICTURES, strict=True):
        assert meter.add(result, truth) is None
    features = [np.array([p.mean((0, 1)) for p in some]) for some in (darker, PICTURES)]
    means, covariances = [f.mean(0) for f in features], [np.cov(f.T) for f in features]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    assert meter.total() == pytest.approx(expected, rel=1e-4)


def test_what_cannot_be_had_says_why(monkeypatch) -> None:
    made, missing = deep.meters(None, downloads=False)
    assert made == []
    assert "--features" in missing["SqueezeNet-feature distance"]
    assert "not asked for" in missing["FID"]

    def offline() -> deep.Meter:
        raise URLError("no route to host")

    def absent() -> deep.Meter:
        raise ModuleNotFoundError("torch_fidelity")

    assert deep._why_not(offline) == "Its network cannot be had: <urlopen error no route to host>."
    assert "pip install" in (deep._why_not(absent) or "")
