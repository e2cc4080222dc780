"""Every network of the table keeps the contract; the trunk is the encoder it claims to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tintype.errors import ModelNotFound, TrainingError  # noqa: E402
from tintype.models import ARCHITECTURES, build  # noqa: E402
from tintype.models.blocks import GREY_CENTRE, IMAGENET_MEAN, IMAGENET_STD, ResNet18Trunk  # noqa: E402
from tintype.models.tintype import Heads  # noqa: E402

ENCODER = (
    Path(__file__).parents[2] / "shared/data/encoders/resnet18_conv1_layer1-3_bnfolded_fp16.npz"
)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_networks_keep_the_contract(name: str) -> None:
    model = build(name, {}).eval()
    L = torch.rand(2, 1, 64, 96) * 100
    with torch.no_grad():
        ab = model.predict_ab(L)
    assert ab.shape == (2, 2, 64 // model.ab_stride, 96 // model.ab_stride)
    assert ab.dtype == torch.float32
    assert torch.isfinite(ab).all()


def test_calm_takes_the_rebalancing_back() -> None:
    options = {"decoder_widths": (16, 16, 16), "context_width": 16, "bins_share": 1.0}
    calm, vivid = (
        build("tintype", options | {"calm": value, "temperature": 1.0}).eval()
        for value in (1.0, 0.0)
    )
    weights = torch.linspace(0.2, 5, 313)
    probs = torch.softmax(torch.randn(1, 313, 2, 2, generator=torch.manual_seed(0)), 1)
    trained = probs * weights[:, None, None]  # what weighted classes learn, but for the scale
    heads = Heads(torch.zeros(1, 2, 2, 2), torch.log(trained))
    calm.log_weights.copy_(torch.log(weights))
    vivid.log_weights.copy_(torch.log(weights))
    mean = (probs.movedim(1, -1) @ calm.centres).movedim(-1, 1)
    assert torch.allclose(calm.mix(heads), mean, atol=1e-3)
    assert not torch.allclose(vivid.mix(heads), mean, atol=1e-1)


def test_unknown_networks_are_named() -> None:
    with pytest.raises(ModelNotFound, match="'nonsense'"):
        build("nonsense", {})


def test_tintype_sizes() -> None:
    model = build("tintype", {"decoder_widths": (224, 160, 96)})
    count = sum(p.numel() for p in model.parameters())
    trunk = sum(p.numel() for p in model.trunk.parameters())
    # conv1 of one channel and its bias, then the folded layers 1 to 3 of ResNet-18.
    assert trunk == 64 * 49 + 64 + 147_712 + 524_928 + 2_098_432
    assert count == 10_139_483


def test_mixture_follows_its_share() -> None:
    torch.manual_seed(0)
    model = build("tintype", {"decoder_widths": (16, 16, 16), "context_width": 16}).eval()
    L = torch.rand(1, 1, 32, 32) * 100
    results = []
    for share in (0.0, 0.5, 1.0):
        other = build(
            "tintype",
            {"decoder_widths": (16, 16, 16), "context_width": 16, "bins_share": share},
        ).eval()
        other.load_state_dict(model.state_dict())
        results.append(other.predict_ab(L).detach())
    assert (results[0] - results[2]).abs().max() > 1
    assert torch.allclose(results[1], (results[0] + results[2]) / 2, atol=1e-4)


def test_the_summed_first_layer_equals_rgb(tmp_path: Path) -> None:
    """On grey, conv1 of one channel gives what conv1 of normalised RGB gives (borders aside)."""
    torch.manual_seed(1)
    trunk = ResNet18Trunk()
    arrays = {
        k.replace("downsample", "downsample.0"): v.clone() for k, v in trunk.state_dict().items()
    }
    arrays["conv1.weight"] = torch.randn(64, 3, 7, 7)
    np.savez(tmp_path / "encoder.npz", **{k: v.numpy() for k, v in arrays.items()})
    trunk.load_encoder(tmp_path / "encoder.npz")
    grey = torch.rand(1, 1, 32, 32)
    rgb = (grey - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[
        :, None, None
    ]
    theirs = torch.nn.functional.conv2d(
        rgb, arrays["conv1.weight"], arrays["conv1.bias"], stride=2, padding=3
    )
    ours = trunk.conv1(grey - GREY_CENTRE)
    assert (ours - theirs)[..., 2:-2, 2:-2].abs().max() < 1e-3


def test_broken_encoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="encoder"):
        ResNet18Trunk().load_encoder(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", **{"conv1.weight": np.zeros((64, 3, 7, 7))})
    with pytest.raises(TrainingError, match="encoder"):
        ResNet18Trunk().load_encoder(tmp_path / "other.npz")


def test_the_shared_encoder_fits() -> None:
    if not ENCODER.exists():
        pytest.skip("the ImageNet encoder (shared/data/encoders) is not here")
    ResNet18Trunk().load_encoder(ENCODER)
