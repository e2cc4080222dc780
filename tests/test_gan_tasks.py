"""What the tasks of SCGAN and MC-GAN add: saliency maps, and greys and colours without pairs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

import gan_samples as samples  # noqa: E402
from tintype.errors import TrainingError  # noqa: E402
from tintype.training.saliency_maps import frequency_tuned  # noqa: E402
from tintype.training.tasks import Batch  # noqa: E402
from tintype.training.tasks.cycle import CycleTask  # noqa: E402
from tintype.training.tasks.saliency import SALIENT, SaliencyTask  # noqa: E402


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_map_finds_a_coloured_disc() -> None:
    rows, columns = np.mgrid[:64, :64]
    disc = torch.from_numpy(np.hypot(rows - 20, columns - 40) < 10)
    lab = torch.tensor([60.0, 0, 0])[:, None, None].repeat(1, 64, 64)
    lab[1:, disc] = torch.tensor([[50.0], [30.0]])  # as light as all around
    flat = torch.full((3, 64, 64), 40.0)
    found = frequency_tuned(torch.stack([lab, flat]))
    assert found.shape == (2, 1, 64, 64)
    assert found[0, 0][disc].mean() > 0.9
    assert found[0, 0][~disc].mean() < 0.1
    assert (found[0].min(), found[0].max()) == (0, 1)
    assert found[1].max() == 0


def test_the_map_is_blurred_by_five_binomials() -> None:
    lab = torch.rand(1, 3, 12, 14, generator=torch.manual_seed(0)) * 50
    line = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernel = (line[:, None] * line).expand(3, 1, 5, 5)
    blurred = functional.conv2d(functional.pad(lab, (2,) * 4, mode="replicate"), kernel, groups=3)
    distance = (blurred - lab.mean((2, 3), keepdim=True)).norm(dim=1, keepdim=True)
    wanted = (distance - distance.min()) / (distance.max() - distance.min())
    assert torch.allclose(frequency_tuned(lab), wanted, atol=1e-4)


def test_the_second_discriminator_sees_the_salient_part() -> None:
    task, batch = samples.new_task(samples.recipe("scgan")), samples.batch()
    assert isinstance(task, SaliencyTask)
    with torch.no_grad():
        painted = task.painted(batch)
        true = task.true(batch, painted)
    saliency = frequency_tuned(batch.lab)
    whole, salient = task.shown(true)["picture"], task.shown(true)[SALIENT]
    assert torch.allclose(salient, whole * saliency, atol=1e-6)
    assert torch.allclose(whole[:, 1:], batch.lab[:, 1:] / 110, atol=1e-6)
    assert not torch.equal(painted.saliency, true.saliency)
    with torch.no_grad():
        terms = task.deceived(painted, true, batch)
    assert set(terms) == {"adversarial", "adversarial_salient", "l1", "saliency", "attention"}
    wanted = (painted.colour * painted.saliency - true.colour * saliency).abs().mean()
    assert float(terms["attention"][1]) == pytest.approx(float(wanted), rel=1e-5)


def test_the_perceptual_loss_joins_in() -> None:
    recipe = samples.recipe("scgan")
    objective = dataclasses.replace(recipe.objective, perceptual=2.0)
    task = samples.new_task(dataclasses.replace(recipe, objective=objective))
    lost = task.losses("generator", samples.batch(), rng())
    assert lost["perceptual"] > 0
    lost["loss"].backward()
    assert all(p.grad is None for p in task.perceptual.parameters())


def cycle_task(**changes: float) -> CycleTask:
    recipe = samples.recipe("mcgan")
    objective = dataclasses.replace(recipe.objective, **changes)
    task = samples.new_task(dataclasses.replace(recipe, objective=objective))
    assert isinstance(task, CycleTask)
    return task


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_greys_never_meet_their_own_colours(player: str) -> None:
    """Colours of pictures that give greys, and the undisturbed L of the others, do not matter."""
    task, batch = cycle_task(), samples.batch()
    data = task.unpaired(batch)
    assert torch.equal(data.grey, batch.L[:2] / 50 - 1)
    assert torch.equal(data.picture[:, 1:], batch.lab[2:, 1:] / 110)
    lab = batch.lab.clone()
    lab[:2], lab[2:, :1] = 17, 23
    with torch.no_grad():
        ours = task.losses(player, batch, rng())
        others = task.losses(player, batch._replace(lab=lab), rng())
        assert all(torch.equal(value, others[key]) for key, value in ours.items())
        lab[2:] += 5
        changed = task.losses(player, batch._replace(lab=lab), rng())
        assert changed["loss"] != ours["loss"]


def test_masks_name_the_greys_own_domain_or_none() -> None:
    batch = samples.batch()._replace(label=torch.tensor([1, 0, 0, 1]))
    named = cycle_task(without_domain=0.0).unpaired(batch)
    assert named.wanted.tolist() == [[0, 1], [1, 0]]
    assert named.mask.tolist() == [[1, 0], [0, 1]]
    assert named.domain.tolist() == [0, 1]
    mean = cycle_task(without_domain=1.0)
    assert mean.unpaired(batch).wanted.tolist() == [[0.5, 0.5]] * 2
    assert mean.unpaired(batch).mask.tolist() == [[0.5, 0.5]] * 2  # or nothing teaches its colours
    with torch.no_grad():
        assert mean.losses("generator", batch, rng())["domain"] == 0


def test_the_way_back_is_measured_from_where_it_began() -> None:
    task, batch = cycle_task(), samples.batch()
    data = task.unpaired(batch)
    with torch.no_grad():
        lost = task.losses("generator", batch, rng())
        grey = task.to_grey(data.picture)
        back = task.to_picture(grey, data.mask)
        assert torch.equal(back[:, :1], grey)
        assert float(lost["cycle"]) == pytest.approx(float((back - data.picture).abs().mean()))
        there = task.to_grey(task.to_picture(data.grey, data.wanted))
        assert float(lost["cycle_grey"]) == pytest.approx(float((there - data.grey).abs().mean()))
        still = task.to_grey(functional.pad(data.grey, (0, 0, 0, 0, 0, 2)))
        assert float(lost["identity"]) == pytest.approx(float((still - data.grey).abs().mean()))
        assert "identity" not in cycle_task(identity=0.0).losses("generator", batch, rng())


def test_domains_must_fit_the_pictures() -> None:
    recipe = samples.recipe("mcgan")
    wrong = dataclasses.replace(recipe, options=recipe.options | {"domains": 3})
    with pytest.raises(TrainingError, match=r"2 sources \(a, b\): set options.domains to 2"):
        samples.new_task(wrong)
    one = Batch(*(part[:1] for part in samples.batch()))
    with pytest.raises(TrainingError, match="two pictures or more"):
        cycle_task().losses("generator", one, rng())
