"""A graph becomes the network again that it was exported from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from small_networks import SMALL

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tintype import zoo  # noqa: E402
from tintype.errors import TrainingError  # noqa: E402
from tintype.export import PARITY_AB, export  # noqa: E402
from tintype.models import ARCHITECTURES, random_network  # noqa: E402
from tintype.runtime import Session  # noqa: E402
from tintype.training.restore import network_of_graph  # noqa: E402


def agree(path: Path) -> None:
    network, _ = network_of_graph(path)
    L = np.random.default_rng(3).uniform(0, 100, (1, 1, 96, 128)).astype(np.float32)
    with torch.no_grad():
        ours = network.predict_ab(torch.from_numpy(L)).numpy()
    theirs = Session(path, device="cpu").run(L).ab
    assert np.abs(ours).max() > 1
    assert np.abs(ours - theirs).max() < PARITY_AB


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_was_exported_comes_back(name: str, tmp_path: Path) -> None:
    model = random_network(name, options=SMALL[name])
    export(model, tmp_path / "model.onnx", "model", "1", 256)
    agree(tmp_path / "model.onnx")


def test_the_shipped_weights_can_be_trained_further() -> None:
    agree(zoo.find("tintype").path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    import onnx

    (tmp_path / "rubbish.onnx").write_bytes(b"rubbish")
    foreign = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []))
    onnx.save(foreign, tmp_path / "foreign.onnx")
    broken = onnx.load(zoo.find("tintype").path)
    del broken.graph.initializer[5]
    onnx.save(broken, tmp_path / "broken.onnx")
    for name, message in [
        ("none", "cannot be trained further"),
        ("rubbish", "rubbish.onnx is no readable graph|rubbish.onnx cannot"),
        ("foreign", "foreign.onnx cannot be trained further"),
        ("broken", "not all there"),
    ]:
        with pytest.raises(TrainingError, match=message):
            network_of_graph(tmp_path / f"{name}.onnx")
