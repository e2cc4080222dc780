"""Training that builds on a finished model: a teacher, its trunk, new parts beside frozen ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from conftest import ExportSmall  # noqa: E402
from small_networks import SMALL  # noqa: E402
from tintype import zoo  # noqa: E402
from tintype.errors import TrainingError  # noqa: E402
from tintype.training.checkpoints import load_trained  # noqa: E402
from tintype.training.config import Data, Optimizer, Phase, Recipe  # noqa: E402
from tintype.training.objectives import Guided, Supervised  # noqa: E402
from tintype.training.records import read_rows  # noqa: E402
from tintype.training.restore import network_of_graph  # noqa: E402
from tintype.training.trainer import train  # noqa: E402

FROZEN = ("trunk", "context", "up16", "up8", "up4", "last", "regression", "classes")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of a few coloured pictures."""
    rng = np.random.default_rng(1)
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        tones = rng.uniform(0, 255, (4, 5, 3)).astype(np.uint8)
        picture = Image.fromarray(tones).resize((50, 40), Image.Resampling.BICUBIC)
        picture.save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        architecture="tintype",
        data=Data(("pictures",), {"same": "pictures"}, short_side=32, validation_size=64),
        phases=(Phase(2, 32, (24, 32), pictures=8),),
        options=dict(SMALL["tintype"]),
        optimizer=Optimizer(warmup_pictures=2),
        validate_every=8,
    )


def trained(recipe: Recipe, data: Path, start: Path | None = None) -> Path:
    for _ in train(recipe, data, data / "run", start):
        pass
    return data / "run"


def test_a_model_teaches_and_lends_its_trunk(data: Path, recipe: Recipe) -> None:
    objective = Supervised(regression=0.0, classes=0.0, teaching=1.0)
    taught = dataclasses.replace(recipe, encoder="tintype", freeze=("trunk",), objective=objective)
    run = trained(taught, data)
    losses = {row["term"]: float(row["value"]) for row in read_rows(run / "log.csv")}
    assert losses["loss"] == pytest.approx(losses["teaching"], rel=1e-4)
    network, _ = load_trained(run / "checkpoint.safetensors")
    lender = network_of_graph(zoo.fetch("tintype")).network
    ours, theirs = (each.get_submodule("trunk").state_dict() for each in (network, lender))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_pupil_may_be_finer_than_its_teacher(
    data: Path, recipe: Recipe, export_small: ExportSmall
) -> None:
    teacher = str(export_small("tintype")[1].path)
    fine = dataclasses.replace(
        recipe,
        architecture="baseline",
        options={},
        objective=Supervised(regression=0.0, classes=0.0, teaching=1.0, teacher=teacher),
    )
    rows = read_rows(trained(fine, data) / "log.csv")
    assert {row["term"] for row in rows} >= {"loss", "teaching"}


def test_a_teacher_that_is_not_to_be_had(data: Path, recipe: Recipe) -> None:
    objective = Supervised(teaching=1.0, teacher="nobody")
    with pytest.raises(TrainingError, match="'nobody' is not to be had"):
        trained(dataclasses.replace(recipe, objective=objective), data)
    with pytest.raises(TrainingError, match="'nobody' is not to be had"):
        trained(dataclasses.replace(recipe, encoder="nobody"), data)


def test_a_new_part_learns_while_the_rest_stays(
    data: Path, recipe: Recipe, export_small: ExportSmall
) -> None:
    start = export_small("tintype")[1].path
    guided = dataclasses.replace(
        recipe,
        options={**SMALL["tintype"], "guide": 4},
        task="guided",
        objective=Guided(regression=1.0, classes=0.0),
        freeze=FROZEN,
    )
    run = trained(guided, data, start)
    network, _ = load_trained(run / "checkpoint.safetensors")
    before = network_of_graph(start).network
    L = torch.rand(2, 1, 64, 64) * 100
    hint, mask = torch.full((2, 2, 64, 64), 40.0), torch.zeros(2, 1, 64, 64)
    mask[0, :, 20:24, 20:24] = 1
    with torch.no_grad():
        automatic = network.predict_ab(L)
        assert torch.equal(automatic, before.predict_ab(L))
        hinted = network.predict_ab(L, hint * mask, mask)
    assert not torch.equal(hinted[0], automatic[0])
    assert torch.equal(hinted[1], automatic[1])
