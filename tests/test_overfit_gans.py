"""Every adversarial network can learn four pictures by heart."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import gan_samples as samples  # noqa: E402
from tintype.models import Network  # noqa: E402
from tintype.models.mcgan import MCGAN  # noqa: E402
from tintype.training.schedule import rate_at  # noqa: E402
from tintype.training.tasks import Task  # noqa: E402

CASES = {  # steps, learning rate, and the term that must fall
    "pix2pix": (140, 4e-3, "l1"),
    "dcgan": (140, 4e-3, "l1"),
    "scgan": (80, 4e-3, "l1"),
    "mcgan": (90, 1e-3, "cycle"),
}


def term_of(task: Task, name: str) -> float:
    """A term of the generator over all four pictures, nothing dropped."""
    task.eval()
    with torch.no_grad():
        return float(task.losses("generator", samples.batch(), np.random.default_rng(0))[name])


def ab_error(ab: np.ndarray) -> float:
    return float(np.abs(ab - samples.batch().lab[:, 1:].numpy()).mean())


def colours_of(model: Network) -> np.ndarray:
    """The ab of the four greys; where a network knows domains, each for its picture's own."""
    batch = samples.batch()
    with torch.no_grad():
        if isinstance(model, MCGAN):
            return model.colour_for(batch.L, torch.eye(2)[batch.label]).numpy()
        return model.predict_ab(batch.L).numpy()


@pytest.fixture(scope="module", params=list(CASES))
def learned(request: pytest.FixtureRequest) -> tuple[Network, float]:
    """A network that has seen the four pictures, and how far its term has fallen."""
    steps, rate, term = CASES[request.param]
    recipe = samples.recipe(request.param, rate)
    stepper = samples.new_stepper(recipe)
    before = term_of(stepper.task, term)
    for step in range(steps):
        stepper.take(step, recipe.phases[0], rate_at(recipe.optimizer, step, steps))
    return stepper.task.model.eval(), 1 - term_of(stepper.task, term) / before


def test_four_pictures_are_learned(learned: tuple[Network, float]) -> None:
    model, fallen = learned
    assert fallen > 0.7
    ab = colours_of(model)
    grey = ab_error(np.zeros_like(ab))
    assert grey > 25
    assert ab_error(ab) < grey / 2
