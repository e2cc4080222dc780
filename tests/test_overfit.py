"""Every network that learns from pairs learns four pictures by heart."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from small_networks import SMALL

torch = pytest.importorskip("torch")

from tintype.models import ARCHITECTURES, Network, build  # noqa: E402
from tintype.training.config import Data, Optimizer, Phase, Recipe  # noqa: E402
from tintype.training.datasets import PictureCache  # noqa: E402
from tintype.training.distributed import Processes  # noqa: E402
from tintype.training.objectives import Supervised  # noqa: E402
from tintype.training.steps import Stepper, new_task  # noqa: E402
from tintype.training.tasks import Batch, lab_of_crops  # noqa: E402
from tintype.training.tasks.task import shrunk  # noqa: E402

ADVERSARIAL = {"pix2pix", "dcgan", "scgan", "mcgan"}
"""Networks that learn against an opponent: test_overfit_gans.py has them."""

SIDE = 32
STEPS = 120
PHASE = Phase(batch=4, size=SIDE, crops=(SIDE, SIDE), pictures=4 * STEPS)

PAINTS = np.array(
    [
        [0.05, 0.05, 0.30],  # from dark to light: navy, wine, brick, green, sky, cream
        [0.55, 0.05, 0.20],
        [0.75, 0.30, 0.15],
        [0.30, 0.70, 0.25],
        [0.60, 0.75, 0.95],
        [1.00, 0.95, 0.60],
    ]
)


def pictures() -> np.ndarray:
    """Four pictures of four fields in paints that tell themselves by their lightness.

    Returns:
        uint8 (4, 32, 32, 3).
    """
    fields = PAINTS[np.random.default_rng(1).permutation(np.arange(16) % len(PAINTS))]
    fields = fields.reshape(4, 2, 2, 3).repeat(SIDE // 2, 1).repeat(SIDE // 2, 2)
    return np.uint8(np.rint(255 * fields))


def batch() -> Batch:
    lab, _ = lab_of_crops(pictures(), SIDE, torch.device("cpu"))
    return Batch(lab[:, :1], lab, torch.zeros(4, dtype=torch.int64), [(0, row) for row in range(4)])


class FourPictures(Stepper):
    """Each step sees all four once, as they are; drawn at random, some would be missing."""

    def batch(self, step: int, phase: Phase, rows: range) -> Batch:
        return batch()


class Trained(NamedTuple):
    """A network that has learnt, and its losses on the four pictures before and after."""

    model: Network
    before: dict[str, float]
    after: dict[str, float]


@pytest.fixture(scope="module", params=[name for name in ARCHITECTURES if name not in ADVERSARIAL])
def trained(request: pytest.FixtureRequest) -> Trained:
    recipe = everything_of(request.param)
    starts, names = np.arange(4) * SIDE * SIDE * 3, np.array(list("1234"))
    cache = PictureCache(pictures().reshape(-1), starts, np.full((4, 2), SIDE), names)
    task = new_task(recipe, Path(), cache, None)
    stepper = FourPictures(recipe, cache, task, Processes(0, 1, torch.device("cpu")))

    def losses() -> dict[str, float]:
        with torch.no_grad():
            terms = task.eval().losses("model", batch(), np.random.default_rng(0))
        return {name: float(value) for name, value in terms.items()}

    before = losses()
    for step in range(STEPS):
        stepper.take(step, PHASE, rate=min(1.0, 2.5 * (1 - step / STEPS)))
    return Trained(task.model, before, losses())


def everything_of(name: str) -> Recipe:
    """A recipe that trains each head that a network has, without regularisation."""
    heads = build(name, SMALL[name]).eval()(torch.zeros(1, 1, 32, 32))
    objective = Supervised(
        regression=0.0 if heads.colour is None else 0.01,
        distance="l2",
        classes=0.0 if heads.logits is None else 1.0,
        class_step=1,
    )
    return Recipe(
        name,
        Data((), {}),
        (PHASE,),
        objective=objective,
        options=SMALL[name],
        optimizer=Optimizer(rate=5e-3, trunk_rate=5e-3, weight_decay=0),
        precision="fp32",
    )


def test_losses_fall(trained: Trained) -> None:
    _, before, after = trained
    assert before.keys() & {"regression", "classes"}
    if "regression" in before:
        assert after["regression"] < 0.1 * before["regression"]
    if "classes" in before:
        start, end = (terms["classes"] - terms["least_classes"] for terms in (before, after))
        assert end < 0.1 * start
        assert end > -1e-4


def test_colours_are_nearer_than_grey(trained: Trained) -> None:
    with torch.no_grad():
        ab = trained.model.eval().predict_ab(batch().L)
    true = shrunk(batch().lab[:, 1:], ab.shape[-2:])
    assert (ab - true).abs().mean() < 0.5 * true.abs().mean()
