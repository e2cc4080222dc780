"""The adversarial networks, their discriminators and the tasks that set them against each other."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import gan_samples as samples  # noqa: E402
from tintype import export as exporting  # noqa: E402
from tintype.cli import main  # noqa: E402
from tintype.color import rgb_to_lab  # noqa: E402
from tintype.errors import TrainingError, UsageError  # noqa: E402
from tintype.models import build  # noqa: E402
from tintype.models.discriminators import (  # noqa: E402
    DomainDiscriminator,
    PatchDiscriminator,
    PictureDiscriminator,
)
from tintype.models.mcgan import Translator  # noqa: E402
from tintype.models.pix2pix import halving  # noqa: E402
from tintype.training.checkpoints import (  # noqa: E402
    Basis,
    Position,
    State,
    load_checkpoint,
    save_checkpoint,
)
from tintype.training.losses import deceit_loss, verdict_loss  # noqa: E402
from tintype.training.objectives import Adversarial, Saliency  # noqa: E402
from tintype.training.tasks.adversarial import AdversarialTask  # noqa: E402

NETWORKS = list(samples.OBJECTIVES)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "parameters", "gmac"),
    [
        # 54,414,531 with three grey inputs instead of one, as the paper's code has.
        ("pix2pix", 54_414_531 - 2 * 64 * 16, 6.015),
        ("dcgan", 42_019_203, 9.186),
        ("scgan", 43_271_299, 40.654),
        ("mcgan", 11_366_722, 56.388),
    ],
)
def test_full_sizes(name: str, parameters: int, gmac: float) -> None:
    with torch.device("meta"):
        model = build(name, {})
    model = model.to("meta").eval()
    assert sum(p.numel() for p in model.parameters()) == parameters
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.predict_ab(torch.zeros(1, 1, 256, 256, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, abs=0.001)


def test_sizes_are_those_of_the_public_code() -> None:
    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    assert count(PatchDiscriminator(6, 64)) == 2_768_705
    # The cycle's generator has biases before its normalisations, which take them away again; before
    # the first, which we have not, it needs them.
    biases = 128 + 256 + 9 * 2 * 256 + 128 + 64
    assert count(Translator(3, 3, 64, 9)) + biases == 11_378_179


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(32, 32), (224, 288)])
def test_any_multiple_of_32_will_do(name: str, size: tuple[int, int]) -> None:
    deep = {"downs": 8} if "downs" in samples.OPTIONS[name] else {}
    model = build(name, samples.OPTIONS[name] | {"width": 4} | deep).eval()
    with torch.no_grad():
        assert model.predict_ab(torch.rand(1, 1, *size) * 100).shape == (1, 2, *size)


def test_even_sizes_are_halved_as_the_paper_does() -> None:
    layer = halving(2, 3)
    plain = nn.Conv2d(2, 3, 4, 2, 1)
    plain.load_state_dict(layer[1].state_dict())
    x = torch.randn(1, 2, 8, 12)
    assert torch.allclose(layer(x), functional.leaky_relu(plain(x), 0.2), atol=1e-6)
    assert layer(torch.randn(1, 2, 7, 1)).shape == (1, 3, 4, 1)


def test_pix2pix_sees_grey_and_paints_rgb() -> None:
    model = build("pix2pix", samples.OPTIONS["pix2pix"]).eval()
    seen: list[torch.Tensor] = []
    model.encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.tensor([0.0, 64.0, 128.0, 255.0]).repeat_interleave(256).reshape(1, 1, 32, 32)
    L = rgb_to_lab(x.repeat(1, 3, 1, 1) / 255, axis=1)[:, :1]
    with torch.no_grad():
        prediction = model(L)
        assert torch.allclose(seen[0], x / 127.5 - 1, atol=1e-5)
        assert prediction.colour.shape == (1, 3, 32, 32)
        assert prediction.colour.abs().max() <= 1
        ab = rgb_to_lab((prediction.colour + 1) / 2, axis=1)[:, 1:]
        assert torch.equal(model.predict_ab(L), ab)


@pytest.mark.parametrize("name", NETWORKS)
def test_colours_come_back_from_the_networks_own_space(name: str) -> None:
    model, lab = build(name, samples.OPTIONS[name]), samples.batch().lab
    target = model.target(lab)
    assert (model.ab_of(target, lab[:, :1]) - lab[:, 1:]).abs().max() < 0.01
    assert (target / model.colour_span).abs().max() <= 1


def test_dcgan_predicts_lab_or_ab() -> None:
    lab = torch.tensor([0.0, 20.0, -30.0]).reshape(1, 3, 1, 1)
    whole, part = (build("dcgan", {"width": 2, "whole_lab": value}) for value in (True, False))
    assert whole.target(lab).flatten().tolist() == [-110, 20, -30]
    assert part.target(lab).flatten().tolist() == [20, -30]
    L = torch.rand(2, 1, 32, 32) * 100
    assert whole(L).colour.shape == (2, 3, 32, 32)
    assert part(L).colour.shape == (2, 2, 32, 32)


@pytest.mark.parametrize("name", ["pix2pix", "dcgan"])
def test_values_are_dropped_in_training_alone(name: str) -> None:
    model, L = build(name, samples.OPTIONS[name]), samples.batch().L
    with torch.no_grad():
        assert not torch.equal(model.train().predict_ab(L), model.predict_ab(L))
        assert torch.equal(model.eval().predict_ab(L), model.predict_ab(L))


def test_scgan_joins_the_encoder_and_leaves_the_map_out_of_the_colours() -> None:
    model, L = build("scgan", samples.OPTIONS["scgan"]).eval(), samples.batch().L
    with torch.no_grad():
        prediction = model(L)
        assert prediction.saliency.shape == (4, 1, 64, 64)
        assert torch.equal(prediction.colour, model.predict_ab(L))
        for parameter in model.saliency.parameters():
            parameter.zero_()
        assert torch.equal(prediction.colour, model.predict_ab(L))
        model.trunk.conv1.weight.mul_(3)
        assert not torch.equal(prediction.colour, model.predict_ab(L))
    groups = model.parameter_groups(1e-3, 1e-4)
    assert [group["lr"] for group in groups] == [1e-4, 1e-3]


def test_mcgan_colours_for_its_domain_or_the_mean() -> None:
    options = samples.OPTIONS["mcgan"]
    mean, first, second = (build("mcgan", options | {"domain": d}).eval() for d in (None, 0, 1))
    first.load_state_dict(mean.state_dict())
    second.load_state_dict(mean.state_dict())
    L = samples.batch().L
    assert mean.mask(L).tolist() == [[0.5, 0.5]]
    assert second.mask(L).tolist() == [[0, 1]]
    with torch.no_grad():
        ab = mean.colour_for(L, torch.tensor([[1.0, 0], [0, 1.0], [0, 1.0], [0.5, 0.5]]))
        assert torch.allclose(ab[:1], first.predict_ab(L)[:1], atol=1e-4)
        assert torch.allclose(ab[1:3], second.predict_ab(L)[1:3], atol=1e-4)
        assert torch.allclose(ab[3:], mean.predict_ab(L)[3:], atol=1e-4)
        assert not torch.allclose(first.predict_ab(L), second.predict_ab(L), atol=1.0)


def test_normalisation_does_not_hide_the_domain_away_from_the_border() -> None:
    torch.manual_seed(0)
    generator, L = Translator(3, 2, 8, 2), torch.rand(1, 1, 64, 64) * 2 - 1
    seen = []
    for mask in ([1.0, 0.0], [0.0, 1.0]):
        planes = torch.tensor(mask).view(1, 2, 1, 1).expand(1, 2, 64, 64)
        with torch.no_grad():
            inner = generator[1](generator[0](torch.cat([L, planes], 1)))
        seen.append(inner[..., 8:-8, 8:-8])
    # With normalisation in the first layer as well: 0.1 of the deviation, all of it the border's.
    assert (seen[0] - seen[1]).abs().mean() > 0.5 * seen[0].std()


@pytest.mark.parametrize(
    ("name", "options"),
    [("mcgan", {"domains": 2, "domain": 2}), ("scgan", {"downs": 4}), ("pix2pix", {"downs": 1})],
)
def test_impossible_options_are_refused(name: str, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=str(next(reversed(options.values())))):
        build(name, options)


def without_norms(module: nn.Module) -> nn.Module:
    """Normalisation by the batch ties all places together: it is left out."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        without_norms(child)
    return module


def test_a_verdict_sees_a_patch_of_70() -> None:
    judge = without_norms(PatchDiscriminator(3, 2))
    picture = torch.randn(1, 3, 256, 256, requires_grad=True)
    verdicts = judge(picture)
    assert verdicts.shape == (1, 1, 30, 30)
    verdicts[0, 0, 15, 12].backward()
    rows, columns = picture.grad.abs().sum((0, 1)).nonzero().unbind(1)
    assert rows.max() - rows.min() + 1 == 70
    assert columns.max() - columns.min() + 1 == 70


def test_a_verdict_on_the_picture_sees_all_of_it() -> None:
    judge = without_norms(PictureDiscriminator(3, 2))
    for size in ((256, 256), (32, 64)):
        picture = torch.randn(2, 3, *size, requires_grad=True)
        verdicts = judge(picture)
        assert verdicts.shape == (2, 1)
        verdicts[0].backward()
        assert (picture.grad[0].abs().sum(0) > 0).float().mean() > 0.99
        assert picture.grad[1].abs().max() == 0


def test_domains_are_named_beside_the_verdict() -> None:
    verdicts, domains = DomainDiscriminator(3, 4, 5).judge(torch.randn(2, 3, 64, 64))
    assert verdicts.shape == (2, 1, 6, 6)
    assert domains.shape == (2, 5)


def test_too_small_pictures_are_named() -> None:
    judge = PatchDiscriminator(3, 4)
    assert judge(torch.randn(2, 3, 24, 24)).shape == (2, 1, 1, 1)
    with pytest.raises(UsageError, match="16×40 are too small"):
        judge(torch.randn(2, 3, 16, 40))


def test_verdicts_become_losses_by_the_formulas() -> None:
    v = rng().normal(0, 2, (2, 1, 3, 3))
    verdict, sigmoid = torch.from_numpy(v), 1 / (1 + np.exp(-v))
    cases = {
        ("bce", 1.0): -np.log(sigmoid),
        ("bce", 0.0): -np.log(1 - sigmoid),
        ("bce", 0.9): -0.9 * np.log(sigmoid) - 0.1 * np.log(1 - sigmoid),
        ("least_squares", 1.0): (v - 1) ** 2,
        ("least_squares", 0.0): v**2,
        ("least_squares", 0.9): (v - 0.9) ** 2,
        ("hinge", 1.0): np.maximum(0, 1 - v),
        ("hinge", 0.9): np.maximum(0, 1 - v),
        ("hinge", 0.0): np.maximum(0, 1 + v),
    }
    for (kind, wanted), each in cases.items():
        assert float(verdict_loss(verdict, wanted, kind)) == pytest.approx(each.mean(), rel=1e-5)
    assert float(deceit_loss(verdict, "bce")) == pytest.approx(-np.log(sigmoid).mean(), rel=1e-5)
    squares = ((v - 1) ** 2).mean()
    assert float(deceit_loss(verdict, "least_squares")) == pytest.approx(squares, rel=1e-5)
    assert float(deceit_loss(verdict, "hinge")) == pytest.approx(-v.mean(), rel=1e-5)


def test_pix2pix_minimises_what_the_paper_says() -> None:
    """The discriminator's losses are summed and not halved; lambda is 100."""
    assert Adversarial().l1 == 100
    task, batch = samples.new_task(samples.recipe("pix2pix")).eval(), samples.batch()
    with torch.no_grad():
        lost = {player: task.losses(player, batch, rng()) for player in task.players}
        painted, true = task.model(batch.L).colour, task.model.target(batch.lab)
        judge, L = task.judges["picture"], batch.L / 50 - 1
        on_real, on_fake = (judge(torch.cat([L, each], 1)) for each in (true, painted))
    bce = functional.binary_cross_entropy_with_logits
    real, fake = bce(on_real, torch.ones_like(on_real)), bce(on_fake, torch.zeros_like(on_fake))
    judged, deceived = lost["discriminator"], lost["generator"]
    assert set(judged) == {"loss", "real", "fake"}
    assert float(judged["real"]) == pytest.approx(float(real), rel=1e-5)
    assert float(judged["loss"]) == pytest.approx(float(real + fake), rel=1e-5)
    l1, deceit = (painted - true).abs().mean(), bce(on_fake, torch.ones_like(on_fake))
    assert set(deceived) == {"loss", "adversarial", "l1"}
    assert float(deceived["l1"]) == pytest.approx(float(l1), rel=1e-5)
    assert float(deceived["loss"]) == pytest.approx(float(deceit + 100 * l1), rel=1e-5)


def test_dcgan_smooths_the_label_of_true_pictures_alone() -> None:
    recipe, batch = samples.recipe("dcgan"), samples.batch()
    objective = dataclasses.replace(recipe.objective, smooth_real=1.0)
    plain = dataclasses.replace(recipe, objective=objective)
    with torch.no_grad():
        smooth, hard = (
            {
                player: task.losses(player, batch, rng())
                for player, task in (
                    (p, samples.new_task(how).eval()) for p in ("discriminator", "generator")
                )
            }
            for how in (recipe, plain)
        )
    assert smooth["discriminator"]["real"] != hard["discriminator"]["real"]
    assert smooth["discriminator"]["fake"] == hard["discriminator"]["fake"]
    assert smooth["generator"]["adversarial"] == hard["generator"]["adversarial"]


@pytest.mark.parametrize("name", NETWORKS)
def test_only_the_mover_changes(name: str) -> None:
    """Weights and running statistics; the other side gets no gradient either."""
    stepper = samples.new_stepper(samples.recipe(name))
    task, generators = stepper.task, ("model.", "bleach.")
    stepper.take(0, stepper.recipe.phases[0], 1.0)  # what starts as zero stops gradients
    for player in task.players:
        before = {key: value.clone() for key, value in task.state_dict().items()}
        task.zero_grad()
        task.losses(player, samples.batch(), rng())["loss"].backward()
        touched = {key for key, p in task.named_parameters() if p.grad is not None}
        stepper.optimizers[player].step()
        moved = {k for k, value in task.state_dict().items() if not torch.equal(value, before[k])}
        for keys in (touched, moved):
            assert keys
            assert {key.startswith(generators) for key in keys} == {player == "generator"}
    weights = {key for key, _ in task.named_parameters() if key.startswith(generators)}
    norms_zeroed = weights - moved  # a bias before a normalisation may have no gradient at all
    assert len(norms_zeroed) < len(weights) / 10


@pytest.mark.parametrize("name", NETWORKS)
def test_a_checkpoint_holds_both_sides(name: str, tmp_path: Path) -> None:
    recipe = samples.recipe(name)
    phase, path = recipe.phases[0], tmp_path / "checkpoint.safetensors"
    first, second = samples.new_stepper(recipe), samples.new_stepper(recipe)
    states = [State(s.task, copy.deepcopy(s.task.model), s.optimizers) for s in (first, second)]
    first.take(0, phase, 1.0)
    save_checkpoint(path, states[0], Basis(recipe), Position(1, 4, (8,)))
    assert load_checkpoint(path, states[1], Basis(recipe)).step == 1
    terms = [stepper.take(1, phase, 1.0) for stepper in (first, second)]
    assert terms[0] == terms[1]
    ours, theirs = first.task.state_dict(), second.task.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_a_domain_may_be_chosen_when_the_network_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = samples.recipe("mcgan")
    stepper = samples.new_stepper(recipe)
    state = State(stepper.task, copy.deepcopy(stepper.task.model), stepper.optimizers)
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, state, Basis(recipe), Position(1, 4, (8,)))
    exported = []

    def stop(model: nn.Module, *_: object) -> None:
        exported.append(model.config)
        raise TrainingError("This is far enough.")

    monkeypatch.setattr(exporting, "export", stop)
    line = ["export", str(path), "-o", str(tmp_path / "x.onnx"), "--set"]
    assert main([*line, "domain=1"]) == 1
    assert [config.domain for config in exported] == [1]
    assert main([*line, "domain"]) == 2
    assert main([*line, "domain: ["]) == 2
    assert main([*line, "width=3"]) == 1  # a matter of the weights


def test_any_network_with_colours_can_be_set_against_a_discriminator() -> None:
    """The default network's colours have a quarter of the size: so has the grey beside them."""
    recipe = dataclasses.replace(
        samples.recipe("pix2pix"),
        architecture="tintype",
        options={"context_width": 16, "decoder_widths": (16, 16, 16), "bins_share": 0.0},
    )
    task = samples.new_task(recipe)
    assert isinstance(task, AdversarialTask)
    lab = samples.batch().lab.repeat(1, 1, 2, 2)
    batch = samples.batch()._replace(L=lab[:, :1], lab=lab)
    shown = task.shown(task.true(batch, task.painted(batch)))["picture"]
    small = functional.avg_pool2d(lab, 4)
    assert torch.allclose(shown[:, :1], small[:, :1] / 50 - 1, atol=1e-5)
    assert torch.allclose(shown[:, 1:], small[:, 1:] / 110, atol=1e-5)
    for player in task.players:
        task.losses(player, batch, rng())["loss"].backward()
    with pytest.raises(UsageError, match="16×16 are too small"):
        task.losses("generator", samples.batch(), rng())


def test_networks_that_do_not_fit_a_task_are_named() -> None:
    classes = dataclasses.replace(
        samples.recipe("pix2pix"), architecture="eccv16", options={"width": 4}
    )
    with pytest.raises(TrainingError, match="'eccv16' predicts no colours"):
        samples.new_task(classes).losses("generator", samples.batch(), rng())
    no_map = dataclasses.replace(samples.recipe("pix2pix"), task="saliency", objective=Saliency())
    with pytest.raises(TrainingError, match="'pix2pix' predicts no saliency map"):
        samples.new_task(no_map).losses("generator", samples.batch(), rng())
    cycle = samples.recipe("mcgan")
    other = dataclasses.replace(cycle, architecture="dcgan", options=samples.OPTIONS["dcgan"])
    with pytest.raises(TrainingError, match="'cycle' trains mcgan alone, not 'dcgan'"):
        samples.new_task(other)
