"""A model learns a place of one's own, and never comes back worse."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ExportSmall

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tintype.cli import main  # noqa: E402
from tintype.errors import TrainingError, UsageError  # noqa: E402
from tintype.models import build  # noqa: E402
from tintype.runtime import Session  # noqa: E402
from tintype.training import finetune as finetuning  # noqa: E402
from tintype.training.finetune import FineTuned, FineTuning, finetune, recipe_for  # noqa: E402
from tintype.training.restore import network_of_graph  # noqa: E402

COUNT = 18


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of pictures of one place: brick below, sky above."""
    folder = tmp_path / "place"
    folder.mkdir()
    for seed in range(COUNT):
        rng = np.random.default_rng(seed)
        rgb = np.empty((96, 120, 3))
        horizon = int(rng.integers(20, 76))
        rgb[:horizon], rgb[horizon:] = (0.5, 0.7, 0.95), (0.6, 0.3, 0.2)
        rgb += np.kron(rng.normal(0, 0.1, (12, 15, 1)), np.ones((8, 8, 1)))
        Image.fromarray(np.uint8(rgb.clip(0, 1) * 255)).save(folder / f"{seed}.png")
    return folder


def test_a_place_is_learned(
    place: Path,
    tmp_path: Path,
    export_small: ExportSmall,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph, target = export_small("baseline")[1].path, tmp_path / "mine.onnx"
    arguments = ["finetune", str(place), "-o", str(target), "--model", str(graph)]
    arguments += ["--run", str(tmp_path / "run"), "--pictures-seen", "192"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(target)
    before, after = (
        float(part.split()[-2]) for part in said.err.split(" dB")[:2] for part in [part + " x"]
    )
    assert after > before + 0.2
    session = Session(target, device="cpu")
    assert session.metadata["name"] == "mine"
    # The same folder resumes; all is done, so nothing is trained and the answer is the same.
    exported: list[Path] = []
    monkeypatch.setattr(finetuning, "export", lambda _, path, *how: exported.append(path))
    answer: list[FineTuned] = []
    order = FineTuning(graph, place, target, tmp_path / "run", pictures_seen=192)
    stages = {progress.stage for progress in finetune(order, answer)}
    assert not any(stage.startswith("training") for stage in stages)
    assert answer[0].after_db == pytest.approx(after, abs=0.01)
    assert exported == [target]


def test_heads_that_the_graph_does_not_hold_stay_out(export_small: ExportSmall) -> None:
    restored = network_of_graph(export_small("siggraph17")[1].path)
    assert {name.partition(".")[0] for name in restored.missing} == {"model_class"}
    order = FineTuning(Path(), Path(), Path(), Path())
    recipe = recipe_for(restored.network, restored.missing, order, "val")
    assert recipe.task == "guided"
    assert (recipe.objective.regression, recipe.objective.classes) == (0.5, 0.0)
    assert set(recipe.freeze) == set(restored.missing)


def test_the_part_for_hints_stays_as_it_is() -> None:
    network = build("tintype", {"context_width": 16, "decoder_widths": (16, 16, 16), "guide": 8})
    recipe = recipe_for(network, (), FineTuning(Path(), Path(), Path(), Path()), "val")
    assert recipe.task == "supervised"
    assert recipe.freeze == ("guide",)
    assert recipe.objective.rebalancing == 1  # as its classes are read
    network.log_weights.fill_(0.3)
    recipe = recipe_for(network, (), FineTuning(Path(), Path(), Path(), Path()), "val")
    assert recipe.objective.rebalancing == 0.5


def test_a_run_is_of_one_place(place: Path, tmp_path: Path, export_small: ExportSmall) -> None:
    graph, target = export_small("baseline")[1].path, tmp_path / "mine.onnx"
    order = FineTuning(graph, place, target, tmp_path / "run", pictures_seen=16)
    list(finetune(order, []))
    written = target.read_bytes()
    (place / "0.png").unlink()
    with pytest.raises(TrainingError, match="run holds a run of other pictures"):
        list(finetune(order, []))
    assert target.read_bytes() == written
    judges = tmp_path / "judges"
    shutil.copytree(place, judges)
    (judges / "1.png").unlink()
    judged = dataclasses.replace(order, validation=judges, run=tmp_path / "judged")
    list(finetune(judged, []))
    for validation in (None, place):  # other pictures to judge by
        with pytest.raises(TrainingError, match="holds a run of other pictures"):
            list(finetune(dataclasses.replace(judged, validation=validation), []))
    with pytest.raises(UsageError, match="nowhere does not exist"):
        list(finetune(dataclasses.replace(order, pictures=tmp_path / "nowhere"), []))


def test_what_cannot_be_trained_is_said_first(place: Path, tmp_path: Path) -> None:
    (tmp_path / "rubbish.onnx").write_bytes(b"rubbish")
    order = FineTuning(tmp_path / "rubbish.onnx", place, tmp_path / "x.onnx", tmp_path / "run")
    with pytest.raises(TrainingError, match="rubbish"):
        list(finetune(order, []))
    assert not (tmp_path / "run").exists()
