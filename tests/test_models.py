"""Every network of the table keeps the contract and is the network it claims to be."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import pytest

from small_networks import SMALL

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from tintype.bins import in_gamut_centres  # noqa: E402
from tintype.errors import ModelNotFound, TrainingError  # noqa: E402
from tintype.models import (  # noqa: E402
    ARCHITECTURES,
    build,
    random_network,
)
from tintype.models.blocks import GREY_CENTRE, IMAGENET_MEAN, IMAGENET_STD, ResNet18Trunk  # noqa: E402
from tintype.models.layers import weightless  # noqa: E402

ENCODER = (
    Path(__file__).parents[2] / "shared/data/encoders/resnet18_conv1_layer1-3_bnfolded_fp16.npz"
)

Shapes = dict[str, tuple[int, ...]]


def block(name: str, *widths: int, first: int = 0) -> Shapes:
    """Keys and shapes of 3×3 convolutions (each before a ReLU) and the closing normalisation."""
    shapes: Shapes = {}
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        shapes |= conv(f"{name}.{first + 2 * index}", inputs, outputs, 3)
    norm = f"{name}.{first + 2 * (len(widths) - 1)}"
    vectors = ("weight", "bias", "running_mean", "running_var")
    shapes |= {f"{norm}.{key}": (widths[-1],) for key in vectors}
    return shapes | {f"{norm}.num_batches_tracked": ()}


def conv(name: str, inputs: int, outputs: int, kernel: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def up(name: str, inputs: int, outputs: int) -> Shapes:
    """A transposed 4×4 convolution, whose weights have the inputs first."""
    return {f"{name}.weight": (inputs, outputs, 4, 4), f"{name}.bias": (outputs,)}


def encoder(inputs: int) -> Shapes:
    return (
        block("model1", inputs, 64, 64)
        | block("model2", 64, 128, 128)
        | block("model3", 128, 256, 256, 256)
        | block("model4", 256, 512, 512, 512)
        | block("model5", 512, 512, 512, 512)
        | block("model6", 512, 512, 512, 512)
        | block("model7", 512, 512, 512, 512)
    )


LAYERS: dict[str, Shapes] = {
    "eccv16": encoder(1)
    | up("model8.0", 512, 256)
    | conv("model8.2", 256, 256, 3)
    | conv("model8.4", 256, 256, 3)
    | conv("model8.6", 256, 313, 1)
    | {"model_out.weight": (2, 313, 1, 1)},
    "siggraph17": encoder(4)
    | up("model8up.0", 512, 256)
    | conv("model3short8.0", 256, 256, 3)
    | block("model8", 256, 256, 256, first=1)
    | up("model9up.0", 256, 128)
    | conv("model2short9.0", 128, 128, 3)
    | block("model9", 128, 128, first=1)
    | up("model10up.0", 128, 128)
    | conv("model1short10.0", 64, 128, 3)
    | conv("model10.1", 128, 128, 3)
    | conv("model_class.0", 256, 529, 1)
    | conv("model_out.0", 128, 2, 1),
}
"""Keys and shapes of the authors' checkpoints."""

SIZES = {"eccv16": (32.24e6, 41.8e9), "siggraph17": (34.19e6, 75.2e9)}
"""Parameters, and multiplications (each with an addition) at 256 by 256, as reported."""


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (128, 32)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_networks_keep_the_contract(name: str, size: tuple[int, int]) -> None:
    model = build(name, SMALL[name]).eval()
    L = torch.rand(2, 1, *size) * 100
    with torch.no_grad():
        ab = model.predict_ab(L)
    assert ab.shape == (2, 2, size[0] // model.ab_stride, size[1] // model.ab_stride)
    assert ab.dtype == torch.float32
    assert torch.isfinite(ab).all()
    assert model.guided == (name == "siggraph17")


@pytest.mark.parametrize("name", LAYERS)
def test_names_and_shapes_are_those_of_the_released_checkpoint(name: str) -> None:
    ours = {key: tuple(value.shape) for key, value in weightless(name, {}).state_dict().items()}
    assert ours == LAYERS[name]


@pytest.mark.parametrize("name", LAYERS)
def test_sizes_are_the_reported_ones(name: str) -> None:
    model = weightless(name, {})
    count = sum(parameter.numel() for parameter in model.parameters())
    no_parameters = ("running_mean", "running_var", "num_batches_tracked")
    shapes = (s for key, s in LAYERS[name].items() if not key.endswith(no_parameters))
    reported, operations = SIZES[name]
    assert count == sum(prod(shape) for shape in shapes)
    assert count == {"eccv16": 32_236_011, "siggraph17": 34_187_027}[name]
    assert count == pytest.approx(reported, abs=0.005e6)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.predict_ab(torch.zeros(1, 1, 256, 256, device="meta"))
    assert counter.get_total_flops() / 2 == pytest.approx(operations, rel=0.01)


@pytest.mark.parametrize("name", LAYERS)
def test_strides_and_dilations(name: str) -> None:
    convolutions = {
        key: module
        for key, module in weightless(name, {}).named_modules()
        if type(module) is nn.Conv2d
    }
    strided = {key for key, module in convolutions.items() if module.stride == (2, 2)}
    dilated = {key for key, module in convolutions.items() if module.dilation == (2, 2)}
    # The U-Net takes every second row and column between its blocks instead.
    assert strided == ({"model1.2", "model2.2", "model3.4"} if name == "eccv16" else set())
    assert dilated == {f"model{i}.{j}" for i in (5, 6) for j in (0, 2, 4)}
    for module in convolutions.values():  # each keeps the size but for its stride
        assert module.padding[0] == module.dilation[0] * (module.kernel_size[0] // 2)


@pytest.mark.parametrize("name", LAYERS)
def test_normalisation_comes_last_in_a_block(name: str) -> None:
    model = weightless(name, {})
    for index, count in zip(range(1, 8), (2, 2, 3, 3, 3, 3, 3), strict=True):
        kinds = [type(layer) for layer in model.get_submodule(f"model{index}")]
        assert kinds == [nn.Conv2d, nn.ReLU] * count + [nn.BatchNorm2d]


def test_the_annealed_mean_is_that_of_the_logits() -> None:
    model = random_network("eccv16", options=SMALL["eccv16"])
    L = torch.rand(1, 1, 32, 64) * 100
    with torch.no_grad():
        logits, ab = model(L).logits.numpy(), model.predict_ab(L).numpy()
    assert logits.shape == (1, 313, 8, 16)
    sharp = np.exp(logits.astype(np.float64) / 0.38)
    mean = np.einsum("nqhw,qc->nchw", sharp / sharp.sum(1, keepdims=True), in_gamut_centres())
    assert np.abs(ab - mean).max() < 1e-3
    assert np.abs(ab).max() > 1


def test_the_released_mean_goes_through_the_last_layer() -> None:
    model = build("eccv16", SMALL["eccv16"] | {"released_mean": True})
    logits = 3 * torch.randn(1, 313, 4, 5, generator=torch.manual_seed(0))
    centres = torch.from_numpy(in_gamut_centres().copy())
    plain = torch.einsum("nqhw,qc->nchw", logits.softmax(1), centres)
    assert (model.mean(logits) - plain).abs().max() < 1e-3  # new weights are the centres
    nn.init.normal_(model.model_out.weight)
    weight = model.model_out.weight[:, :, 0, 0]
    other = 110 * torch.einsum("nqhw,cq->nchw", logits.softmax(1), weight)
    assert (model.mean(logits) - other).abs().max() < 1e-3


def test_the_guided_network_has_two_heads() -> None:
    model = random_network("siggraph17", options=SMALL["siggraph17"])
    L = torch.rand(2, 1, 32, 64) * 100
    hints = 50 * torch.ones(2, 2, 32, 64), (torch.rand(2, 1, 32, 64) < 0.1).float()
    with torch.no_grad():
        ab, logits, _, _ = model(L, *hints)
        assert ab.shape == (2, 2, 32, 64)
        assert logits.shape == (2, 529, 8, 16)
        assert ab.abs().max() <= 110
        assert torch.equal(ab, model.predict_ab(L, *hints))


def test_hints_matter_where_they_are() -> None:
    """A hint moves the colours around it, and none beyond the network's view of about 190."""
    model = random_network("siggraph17", options=SMALL["siggraph17"])
    L = torch.rand(1, 1, 32, 448, generator=torch.manual_seed(0)) * 100
    hint_ab, mask = torch.zeros(1, 2, 32, 448), torch.zeros(1, 1, 32, 448)
    mask[..., 8:16, 8:16] = 1
    red = torch.tensor([60.0, 40.0])[:, None, None]
    with torch.no_grad():
        without = model.predict_ab(L)
        assert torch.equal(without, model.predict_ab(L, hint_ab, 0 * mask))
        # Colours outside the mask are no hints; a hint of grey is one.
        assert torch.equal(without, model.predict_ab(L, hint_ab + red, 0 * mask))
        grey = model.predict_ab(L, hint_ab, mask)
        colour = model.predict_ab(L, hint_ab + red * mask, mask)
    assert (grey - without)[..., 8:16, 8:16].abs().mean() > 1
    moved = (colour - grey).abs()
    assert moved[..., 8:16, 8:16].mean() > 1
    assert moved[..., 8:16, 8:16].mean() > 2 * moved[..., 64:].mean()
    assert moved[..., 224:].max() < 1e-3


def test_the_mask_goes_in_as_the_options_say() -> None:
    """With 0.5 taken off, no hints look as hints of -0.5 do without."""
    plain, centred = (
        random_network("siggraph17", options=SMALL["siggraph17"] | {"mask_centre": centre})
        for centre in (0.0, 0.5)
    )
    centred.load_state_dict(plain.state_dict())
    L, mask = torch.rand(1, 1, 32, 32) * 100, torch.zeros(1, 1, 32, 32)
    hint_ab = torch.zeros(1, 2, 32, 32)
    with torch.no_grad():
        ours, theirs = centred.predict_ab(L), plain.predict_ab(L, hint_ab, mask - 0.5)
    assert torch.equal(ours, theirs)
    assert not torch.allclose(ours, plain.predict_ab(L), atol=0.1)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_reach_every_layer(name: str) -> None:
    model = random_network(name, options=SMALL[name]).train()
    heads = model(torch.rand(2, 1, 32, 32) * 100)
    sum((head**2).mean() for head in heads if head is not None).backward()
    # model_out of ECCV 2016 only reads colours off the classes; it has no part in learning them.
    still = {"model_out.weight"} if name == "eccv16" else set()
    named = dict(model.named_parameters())
    assert {key for key, value in named.items() if value.grad is None} == still
    assert all(named[key].grad.abs().max() > 0 for key in named.keys() - still)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_random_networks_behave(name: str) -> None:
    before = torch.random.get_rng_state()
    model = random_network(name, 3, SMALL[name])
    assert torch.equal(torch.random.get_rng_state(), before)
    again = random_network(name, 3, SMALL[name]).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items())
    assert not model.training
    L = nn.functional.interpolate(torch.rand(2, 1, 6, 4) * 100, scale_factor=16, mode="bilinear")
    with torch.no_grad():
        assert 1 < model.predict_ab(L).std() < 100


def test_calm_takes_the_rebalancing_back() -> None:
    options = {"decoder_widths": (16, 16, 16), "context_width": 16, "bins_share": 1.0}
    calm, vivid = (
        build("tintype", options | {"calm": value, "temperature": 1.0}).eval()
        for value in (1.0, 0.0)
    )
    weights = torch.linspace(0.2, 5, 313)
    probs = torch.softmax(torch.randn(1, 313, 2, 2, generator=torch.manual_seed(0)), 1)
    trained = probs * weights[:, None, None]  # what weighted classes learn, but for the scale
    heads = torch.zeros(1, 2, 2, 2), torch.log(trained)
    calm.log_weights.copy_(torch.log(weights))
    vivid.log_weights.copy_(torch.log(weights))
    mean = (probs.movedim(1, -1) @ calm.centres).movedim(-1, 1)
    assert torch.allclose(calm.mix(*heads), mean, atol=1e-3)
    assert not torch.allclose(vivid.mix(*heads), mean, atol=1e-1)


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
