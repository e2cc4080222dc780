"""A graph becomes the network again that it was exported from."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from tintype import zoo
from tintype.errors import TrainingError
from tintype.export import PARITY_AB, difference_of
from tintype.training.restore import network_of_graph


def test_the_shipped_weights_can_be_trained_further() -> None:
    path = zoo.find("tintype").path
    assert difference_of(network_of_graph(path).network, path) < PARITY_AB


def test_int8_is_too_coarse_to_be_trained_further() -> None:
    with pytest.raises(TrainingError, match="is int8, whose weights are too coarse"):
        network_of_graph(zoo.find("tintype-fast").path)


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
        ("broken", "cannot be trained further"),
    ]:
        with pytest.raises(TrainingError, match=message):
            network_of_graph(tmp_path / f"{name}.onnx")
