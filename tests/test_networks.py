"""The classic networks that learn from pairs are what their files say: counts, layers, outputs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from small_networks import SMALL

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from tintype.color import lab_to_rgb, rgb_to_lab, rgb_to_ycbcr  # noqa: E402
from tintype.errors import TrainingError, UsageError  # noqa: E402
from tintype.models import build, random_network  # noqa: E402
from tintype.models.heads import REACH, calibrated, mass_near  # noqa: E402
from tintype.models.layers import layer_table, weightless  # noqa: E402
from tintype.models.unetpp import UNetPP, UNetPPConfig  # noqa: E402
from tintype.training.config import Phase, Recipe  # noqa: E402
from tintype.training.datasets import PictureCache  # noqa: E402
from tintype.training.distributed import Processes  # noqa: E402
from tintype.training.objectives import Supervised  # noqa: E402
from tintype.training.recipes import load_recipe  # noqa: E402
from tintype.training.steps import Stepper, new_task  # noqa: E402

RECIPES = Path(__file__).parents[1] / "recipes"

SIZES = {
    "baseline": (2_690, 0.043, 1, 2),
    "autoencoder": (3_102_530, 7.361, 1, 8),
    "resnet18": (3_166_466, 2.033, 1, 16),
    "fusion": (17_008_450, 11.110, 2, 8),
    "unet_palette": (34_520_016, 50.841, 1, 16),
    "unetpp": (9_159_138, 34.450, 1, 16),
}
"""Trainable parameters, billions of multiplications at 256×256, stride of ab, step of the size."""

STUDY_WIDTHS = {
    "baseline": 2976,
    "autoencoder": 33,
    "resnet18": 64,
    "fusion": 27,
    "unet_palette": 13,
    "unetpp": 8,
    "eccv16": 14,
    "siggraph17": 10,
}
"""With which all networks take about 2 billion multiplications."""


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    network = weightless(name, {})
    table = layer_table(network)
    parameters, macs, ab_stride, size_multiple = SIZES[name]
    assert table.trainable == parameters
    assert table.macs / 1e9 == pytest.approx(macs, abs=0.001)
    assert (network.ab_stride, network.size_multiple) == (ab_stride, size_multiple)


@pytest.mark.parametrize("name", STUDY_WIDTHS)
def test_widths_bring_all_to_one_cost(name: str) -> None:
    table = layer_table(weightless(name, {"width": STUDY_WIDTHS[name]}))
    assert table.macs / 1e9 == pytest.approx(2, rel=0.09)


@pytest.mark.parametrize("name", SIZES)
def test_the_least_size_and_odd_multiples_of_it_do(name: str) -> None:
    network = random_network(name, options=SMALL[name])
    step, stride = network.size_multiple, network.ab_stride
    for height, width in [(step, step), (3 * step, 5 * step)]:
        with torch.no_grad():
            ab = network.predict_ab(torch.rand(1, 1, height, width) * 100)
        assert ab.shape == (1, 2, height // stride, width // stride)
        assert ab.abs().max() <= 128


@pytest.mark.parametrize("name", SIZES)
def test_gradients_reach_every_layer(name: str) -> None:
    options = SMALL[name] | ({"scenes": 3} if name == "fusion" else {})
    network = random_network(name, options=options).train()
    heads = network(torch.rand(2, 1, 32, 32) * 100)
    sum((head**2).mean() for head in heads if head is not None).backward()
    named = dict(network.named_parameters())
    assert [key for key, value in named.items() if value.grad is None] == []
    assert all(value.grad.abs().max() > 0 for value in named.values())


@pytest.mark.parametrize("name", ["baseline", "autoencoder", "resnet18", "fusion"])
def test_the_target_leads_back_to_ab(name: str) -> None:
    network = build(name, SMALL[name])
    lab = rgb_to_lab(torch.rand(1, 3, 8, 8, generator=torch.manual_seed(0)), axis=1)
    target = network.target(lab)
    assert target.abs().max() <= network.colour_span
    assert torch.allclose(network.ab_of(target, lab[:, :1]), lab[:, 1:], atol=1e-3)


def test_the_baseline_is_two_convolutions() -> None:
    leaves = [module for module in build("baseline", {}).modules() if not list(module.children())]
    assert [type(module) for module in leaves] == [nn.Conv2d, nn.ConvTranspose2d]


@pytest.mark.parametrize("norm_first", [False, True])
def test_autoencoder_layer_by_layer(norm_first: bool) -> None:
    table = layer_table(weightless("autoencoder", {"norm_first": norm_first}))
    # As the study's framework lists them: it counts running statistics.
    assert [layer.parameters for layer in table.layers if layer.parameters] == [
        *(640, 256, 73_856, 512, 295_168, 1_024, 1_180_160, 2_048),
        *(1_179_904, 1_024, 295_040, 512, 73_792, 256, 1_154),
    ]
    assert (table.trainable, table.other) == (3_102_530, 2_816)
    relu_and_norm = ["BatchNorm2d", "ReLU"] if norm_first else ["ReLU", "BatchNorm2d"]
    full = ["Conv2d", *relu_and_norm]
    expected = [*full, "MaxPool2d"] * 3 + full + [*full, "Upsample"] * 3 + ["Conv2d", "Tanh"]
    assert [layer.kind for layer in table.layers] == expected
    shapes = [layer.output for layer in table.layers if layer.kind == "Conv2d"]
    assert [channels for channels, _, _ in shapes] == [64, 128, 256, 512, 256, 128, 64, 2]
    assert [height for _, height, _ in shapes] == [256, 128, 64, 32, 32, 64, 128, 256]


def test_the_autoencoder_speaks_in_128ths() -> None:
    network = random_network("autoencoder", options=SMALL["autoencoder"])
    L = torch.rand(1, 1, 16, 16) * 100
    with torch.no_grad():
        colour = network(L).colour
        assert colour.abs().max() <= 1
        assert torch.equal(network.predict_ab(L), 128 * colour)
    lab = torch.tensor([50.0, 64.0, -32.0]).reshape(1, 3, 1, 1)
    assert network.target(lab).flatten().tolist() == [0.5, -0.25]


def test_resnet18_is_cut_at_stride_16() -> None:
    network = weightless("resnet18", {})
    L = torch.zeros(1, 1, 224, 224, device="meta")
    assert network.trunk(L)[-1].shape == (1, 256, 14, 14)
    assert network(L).colour.shape == (1, 2, 224, 224)
    *ups, last = network.decoder
    kinds = [nn.Conv2d, nn.Upsample, nn.BatchNorm2d, nn.ReLU]
    assert [[type(layer) for layer in up] for up in ups] == [kinds] * 4
    assert all(up[0].kernel_size == (3, 3) and up[1].scale_factor == 2 for up in ups)
    assert (last.kernel_size, last.out_channels) == ((1, 1), 2)


def test_resnet18_takes_the_encoder_and_moves_it_slower(tmp_path: Path) -> None:
    arrays = {
        key.replace("downsample", "downsample.0"): value.numpy()
        for key, value in build("resnet18", {}).trunk.state_dict().items()
    }
    np.savez(tmp_path / "encoder.npz", **arrays | {"conv1.weight": np.ones((64, 3, 7, 7))})
    network = build("resnet18", {})
    network.trunk.load_encoder(tmp_path / "encoder.npz")
    trunk, new = network.parameter_groups(1e-3, 1e-4)
    assert (trunk["lr"], new["lr"]) == (1e-4, 1e-3)
    assert {id(p) for p in trunk["params"]} == {id(p) for p in network.trunk.parameters()}
    assert {id(p) for p in new["params"]} == {id(p) for p in network.decoder.parameters()}
    with pytest.raises(TrainingError, match="encoder"):
        build("resnet18", {"width": 32}).trunk.load_encoder(tmp_path / "encoder.npz")


def test_the_global_path_carries_a_corner_everywhere() -> None:
    network = random_network("fusion", options=SMALL["fusion"])
    L = torch.rand(1, 1, 64, 512, generator=torch.manual_seed(0)) * 100
    other = L.clone()
    other[..., :64] = 100 - other[..., :64]
    with torch.no_grad():
        far = (network.predict_ab(L) - network.predict_ab(other))[..., -64:]
        assert far.abs().max() > 0.01
        network.global_part[-1].weight.zero_()
        far = (network.predict_ab(L) - network.predict_ab(other))[..., -64:]
    assert far.abs().max() < 1e-4


def test_scenes_are_named_when_asked_for() -> None:
    L = torch.rand(2, 1, 40, 24) * 100
    assert build("fusion", SMALL["fusion"]).eval()(L).scene is None
    assert build("fusion", SMALL["fusion"] | {"scenes": 7}).eval()(L).scene.shape == (2, 7)


@pytest.mark.parametrize("colours", [16, 24, 32])
def test_palettes(colours: int) -> None:
    network = random_network("unet_palette", options=SMALL["unet_palette"] | {"colours": colours})
    L = torch.rand(1, 1, 32, 48) * 100
    with torch.no_grad():
        logits = network(L).logits
    classes = network.classes_of()
    assert logits.shape == (1, colours, 32, 48)
    assert classes.palette is network.colours.rgb
    assert torch.allclose(classes.centres, rgb_to_lab(classes.palette)[:, 1:])
    kinds = Counter(type(module) for module in network.modules())
    assert kinds[nn.LeakyReLU] == kinds[nn.BatchNorm2d] == 22
    assert kinds[nn.ReLU] == 0
    with pytest.raises(UsageError, match="top 9 of 8"):
        build("unet_palette", {"colours": 8, "top": 9})


def test_the_mean_of_the_top_three_has_no_rings() -> None:
    """As confidence moves from colour to colour, hard classes jump, the mean of three does not."""
    rng = np.random.default_rng(0)
    stops = torch.from_numpy(rng.normal(0, 3, (1, 16, 1, 8)))
    logits = nn.functional.interpolate(stops, (1, 4000), mode="bilinear", align_corners=True)
    largest = {}
    for top in (1, 3):
        colours = build("unet_palette", {"width": 2, "colours": 16, "top": top}).double().colours
        ab = colours.mean(logits)
        largest[top] = float(ab.diff(dim=-1).abs().max())
        assert ab.std() > 5
    assert largest[1] > 30
    assert largest[3] < 3


def test_every_node_of_the_nested_unet_sees_all_before_it() -> None:
    network = weightless("unetpp", {})
    inputs = {name: pair[0][0].in_channels for name, pair in network.nodes.items()}
    widths = [32, 64, 128, 256, 512]
    assert len(inputs) == 15
    for name, channels in inputs.items():
        i, j = map(int, name.split("_"))
        before = widths[i - 1] if i else 1
        assert channels == (j * widths[i] + widths[i + 1] if j else before)
    assert not any(isinstance(module, nn.ConvTranspose2d) for module in network.modules())


def test_a_flat_picture_gets_no_checkerboard() -> None:
    network = random_network("unetpp", options=SMALL["unetpp"])
    with torch.no_grad():
        ab = network.predict_ab(torch.full((1, 1, 400, 400), 50.0))[0]
        inside = ab[:, 184:216, 184:216]
        assert (inside.amax((1, 2)) - inside.amin((1, 2))).max() < 1e-3
        # The zeros around the picture do show, so that the network is not merely constant.
        assert (ab.amax((1, 2)) - ab.amin((1, 2))).max() > 1


def test_u_and_v_turn_into_ab_at_this_lightness() -> None:
    """All of sRGB comes back."""
    network = UNetPP(UNetPPConfig(width=1))
    line = torch.linspace(0, 1, 25)
    rgb = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).reshape(1, 3, 125, 125)
    lab = rgb_to_lab(rgb, axis=1)
    uv = network.target(lab)
    assert torch.allclose(uv, rgb_to_ycbcr(rgb, axis=1)[:, 1:], atol=1e-4)
    assert uv.abs().max() == pytest.approx(network.colour_span, abs=1e-3)
    error = (network.ab_of(uv, lab[:, :1]) - lab[:, 1:]).abs()
    assert error.max() < 0.6
    assert error.mean() < 0.01


def test_no_u_and_v_leave_srgb() -> None:
    """Whatever is predicted, the ab that comes out is a colour of sRGB with this L."""
    network = UNetPP(UNetPPConfig(width=1))
    L = torch.linspace(0, 100, 41).reshape(1, 1, 41, 1).expand(-1, -1, -1, 441)
    line = torch.linspace(-0.5, 0.5, 21)
    plane = torch.stack(torch.meshgrid(line, line, indexing="ij")).reshape(1, 2, 1, 441)
    uv = plane.expand(-1, -1, 41, -1).clone().requires_grad_()
    ab = network.ab_of(uv, L)
    rgb = lab_to_rgb(torch.cat([L, ab], 1), axis=1)
    assert rgb.min() > -1e-3
    assert rgb.max() < 1 + 1e-3
    assert ab[:, :, [0, -1]].abs().max() < 0.1  # black and white have no colour
    assert ab.abs().max() > 80
    ab.square().sum().backward()
    assert torch.isfinite(uv.grad).all()
    assert uv.grad.abs().max() > 1


def supervised(name: str, *changes: str) -> tuple[Recipe, Supervised]:
    recipe = load_recipe(RECIPES / f"{name}.yaml", changes)
    assert isinstance(recipe.objective, Supervised)
    return recipe, recipe.objective


@pytest.mark.parametrize(
    "name",
    [
        "baseline",
        "autoencoder",
        "autoencoder-paper",
        "resnet18",
        "resnet18-paper",
        "fusion",
        "unet_palette",
        "unet_palette-paper",
        "unetpp",
    ],
)
def test_recipes_move_every_weight(name: str) -> None:
    architecture = name.removesuffix("-paper")
    small = [f"options.{key}={value}" for key, value in SMALL[architecture].items()]
    if name == "fusion":
        small += ["options.scenes=2", "objective.scenes=0.1"]
    recipe, _ = supervised(name, *small, "encoder=null", "objective.perceptual_encoder=null")
    pixels = np.random.default_rng(0).integers(0, 256, 4 * 48 * 48 * 3, np.uint8)
    names = np.array(["beach-1.png", "beach-2.png", "wood-1.png", "wood-2.png"])
    cache = PictureCache(pixels, np.arange(4) * 48 * 48 * 3, np.full((4, 2), 48), names)
    task = new_task(recipe, Path(), cache, None)
    before = {key: value.clone() for key, value in task.model.named_parameters()}
    stepper = Stepper(recipe, cache, task, Processes(0, 1, torch.device("cpu")))
    terms = stepper.take(0, Phase(batch=4, size=32, crops=(32, 48), pictures=4), rate=1.0)
    assert all(torch.isfinite(value) for value in terms["model"].values())
    assert ("scenes" in terms["model"]) == (name == "fusion")
    assert {"perceptual", "dullness"} <= terms["model"].keys() or name != "unetpp"
    still = [key for key, value in task.model.named_parameters() if value.equal(before[key])]
    assert still == []


def test_a_frozen_encoder_stays() -> None:
    recipe, _ = supervised("resnet18", "freeze=[trunk]", "encoder=null", "options.width=4")
    pixels = np.random.default_rng(0).integers(0, 256, 48 * 48 * 3, np.uint8)
    cache = PictureCache(pixels, np.zeros(1, np.int64), np.full((1, 2), 48), np.array(["one.png"]))
    task = new_task(recipe, Path(), cache, None)
    before = {key: value.clone() for key, value in task.model.named_parameters()}
    stepper = Stepper(recipe, cache, task, Processes(0, 1, torch.device("cpu")))
    stepper.take(0, Phase(batch=2, size=32, crops=(32, 48), pictures=4), rate=1.0)
    for key, value in task.model.named_parameters():
        assert value.equal(before[key]) == key.startswith("trunk.")


def test_the_nested_unet_keeps_a_wide_range_of_colours() -> None:
    _, objective = supervised("unetpp")
    assert objective.distance != "l2"
    assert objective.colourfulness > 0
    assert objective.perceptual > 0
    assert objective.perceptual_encoder


def test_the_studies_own_settings() -> None:
    recipe, objective = supervised("autoencoder-paper")
    assert (recipe.phases[0].batch, recipe.phases[0].size, recipe.phases[0].epochs) == (
        128,
        256,
        800,
    )
    assert (recipe.optimizer.weight_decay, recipe.optimizer.schedule) == (0, "constant")
    assert (objective.distance, objective.classes) == ("l2", 0)
    recipe, _ = supervised("autoencoder-paper", "phases.0.epochs=1000")
    assert recipe.phases[0].epochs == 1000
    recipe, objective = supervised("resnet18-paper")
    phase = recipe.phases[0]
    assert (phase.size, phase.crops, phase.epochs) == (224, (224, 224), 100)
    assert (recipe.augment.flip, recipe.data.short_side) == (0.5, 256)
    assert (objective.distance, objective.classes) == ("l2", 0)
    recipe, objective = supervised("unet_palette-paper")
    assert recipe.options["colours"] == 16
    assert recipe.phases[0].size == recipe.data.short_side == 256
    assert (objective.regression, objective.rebalancing) == (0, 1)


def test_mass_near_counts_what_lies_within_reach() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [60.0, 0.0]])
    probs = torch.tensor([0.5, 0.3, 0.2])[None, :, None, None].expand(2, 3, 4, 5)
    ab = torch.zeros(2, 2, 4, 5)
    mass = mass_near(probs, centres, ab)
    assert mass.shape == (2, 1, 4, 5)
    assert torch.allclose(mass, torch.tensor(0.75), atol=0.03)
    ab[:, 0] = REACH  # half of the first, all of the second, nothing of the third
    assert torch.allclose(mass_near(probs, centres, ab), torch.tensor(0.54), atol=0.01)


def test_calibration_is_monotone_and_can_do_nothing() -> None:
    mass = torch.linspace(0, 1, 101)
    assert torch.allclose(calibrated(mass, 1.0, 0.0), mass, atol=2e-4)
    steeper = calibrated(mass, 1.3, 0.5)
    assert bool((steeper.diff() >= 0).all())
    assert 0 <= steeper.min() < 0.001
    assert 0.999 < steeper.max() <= 1


def test_confidence_needs_bins_that_have_a_share() -> None:
    L = torch.rand(1, 1, 32, 32) * 100
    for changes, sure in (({}, True), ({"bins_share": 0.0}, False), ({"colours": 6}, False)):
        network = random_network("tintype", options=SMALL["tintype"] | changes)
        with torch.no_grad():
            reading = network.read(L)
            assert torch.equal(reading.ab, network.predict_ab(L))
        assert (reading.confidence is not None) == sure == network.leans
