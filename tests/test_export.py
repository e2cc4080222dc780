"""Exported graphs keep the contract and compute what torch computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from conftest import SCENES, ExportSmall
from small_networks import SMALL

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from tintype import export as exporting  # noqa: E402
from tintype.errors import TrainingError  # noqa: E402
from tintype.export import (  # noqa: E402
    PARITY_AB,
    PARITY_CONFIDENCE,
    Exported,
    difference_of,
    export,
    fold_batch_norm,
)
from tintype.models import ARCHITECTURES, build, random_network  # noqa: E402
from tintype.models.tintype import Tintype  # noqa: E402
from tintype.runtime import CONFIDENCE_WANTED, Session  # noqa: E402
from tintype.training.restore import network_of_graph  # noqa: E402


def hints(shape: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A few hints for L of a shape: ab and mask."""
    n, _, height, width = shape
    rng = np.random.default_rng(4)
    mask = (rng.random((n, 1, height, width)) < 0.02).astype(np.float32)
    return rng.uniform(-80, 80, (n, 2, height, width)).astype(np.float32) * mask, mask


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def exported(
    request: pytest.FixtureRequest, export_small: ExportSmall
) -> tuple[torch.nn.Module, Exported]:
    return export_small(request.param)


def test_contract_and_metadata(exported: tuple[torch.nn.Module, Exported]) -> None:
    _, result = exported
    session = Session(result.path, device="cpu")
    known = {"name": "model", "version": "7", "working_size": "192"}
    assert session.metadata.items() >= known.items()
    assert session.working_size == 192
    for shape in [(1, 1, 32, 32), (3, 1, 64, 160)]:
        ab = session.run(np.full(shape, 50, np.float32)).ab
        assert ab.shape[:2] == (shape[0], 2)


def test_parity_on_other_sizes(exported: tuple[torch.nn.Module, Exported]) -> None:
    model, result = exported
    assert result.parity_ab < PARITY_AB
    L = np.random.default_rng(3).uniform(0, 100, (2, 1, 96, 128)).astype(np.float32)
    session = Session(result.path, device="cpu")
    assert session.guided == model.guided
    answers = []
    for given in ((), hints(L.shape)) if model.guided else ((),):
        with torch.no_grad():
            ours = model.predict_ab(torch.from_numpy(L), *map(torch.from_numpy, given)).numpy()
        assert np.abs(ours).max() > 1
        answers.append(session.run(L, *given))
        assert answers[-1].stride == model.ab_stride
        assert np.abs(answers[-1].ab - ours).max() < PARITY_AB
    if model.guided:
        assert np.abs(answers[0].ab - answers[1].ab).max() > 1


def test_the_graph_becomes_the_network_again(
    exported: tuple[torch.nn.Module, Exported],
) -> None:
    model, result = exported
    restored = network_of_graph(result.path)
    assert restored.network.config == model.config
    assert difference_of(restored.network, result.path) < PARITY_AB
    heads = {name.partition(".")[0] for name in restored.missing}
    without_part_in_ab = {"model_class", "model_out", "saliency", "scenes"}
    assert heads <= without_part_in_ab


def test_the_confidence_is_torchs_and_only_that_of_a_distribution(
    exported: tuple[torch.nn.Module, Exported],
) -> None:
    model, result = exported
    session = Session(result.path, device="cpu")
    assert session.gives_confidence == isinstance(model, Tintype)
    if session.gives_confidence:
        assert result.parity_confidence < PARITY_CONFIDENCE
        L = np.random.default_rng(3).uniform(0, 100, (2, 1, 96, 128)).astype(np.float32)
        with torch.no_grad():
            ab, _, _, sure = model.read(torch.from_numpy(L))
        answer = session.run(L, confidence=True)
        assert np.abs(answer.ab - ab.numpy()).max() < PARITY_AB
        assert np.abs(answer.confidence - sure.numpy()).max() < PARITY_CONFIDENCE
        assert answer.confidence.min() >= 0
        assert np.ptp(answer.confidence) > 1e-4
        np.testing.assert_array_equal(answer.ab, session.run(L).ab)


def test_confidence_costs_nothing_unless_it_is_wanted(export_small: ExportSmall) -> None:
    path = export_small("tintype")[1].path
    graph = onnx.load(path).graph
    assert [output.name for output in graph.output] == ["ab", "confidence"]
    assert [node.op_type for node in graph.node].count("Softmax") == 1  # of the annealed mean
    plain = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.name for each in plain.get_inputs()] == ["L", "hint_ab", "hint_mask"]
    L = np.full((2, 1, 64, 32), 50, np.float32)
    empty = {"hint_ab": np.zeros((2, 2, 64, 32), np.float32), "hint_mask": np.zeros_like(L)}
    ab, confidence = plain.run(None, {"L": L, **empty})
    assert confidence.shape == (2, 1, 16, 8)
    again, absent = plain.run(None, {"L": L, **empty, CONFIDENCE_WANTED: np.array(False)})
    np.testing.assert_array_equal(again, ab)
    assert absent.size == 0


def test_hints_and_variants_of_one_network(export_small: ExportSmall) -> None:
    model, result = export_small("tintype")
    assert isinstance(model, Tintype)
    assert model.guided
    assert model.leans
    path = result.path
    top = [node.op_type for node in onnx.load(path).graph.node]
    assert top.count("If") == 3  # what is not wanted is not computed
    L = np.random.default_rng(3).uniform(0, 100, (2, 1, 96, 128)).astype(np.float32)
    hint_ab, mask = hints(L.shape)
    hint_ab[1], mask[1] = 0, 0
    lean = np.array([0.01, 0.02], np.float32)
    session = Session(path, device="cpu")
    plain = session.run(L).ab
    for given in ({}, {"lean": lean}, {"hint_ab": hint_ab, "hint_mask": mask}):
        everything = {"L": L, "hint_ab": hint_ab * 0, "hint_mask": mask * 0, **given}
        with torch.no_grad():
            reading = model.read(**{k: torch.from_numpy(v) for k, v in everything.items()})
        parts = (reading.ab, reading.variation, reading.correction)
        ours = sum(part.numpy() for part in parts if part is not None)
        answer = session.run(L, **given, confidence=True)
        assert np.abs(answer.ab - ours).max() < PARITY_AB
        assert np.abs(answer.confidence - reading.confidence.numpy()).max() < PARITY_CONFIDENCE
        changed = np.abs(answer.ab - plain).max((1, 2, 3))
        assert (changed > 0.1).tolist() == ["lean" in given or "hint_ab" in given, "lean" in given]
        if not given:
            np.testing.assert_array_equal(answer.ab, plain)
        if "hint_ab" in given:  # a picture without hints is what it is alone
            np.testing.assert_array_equal(answer.ab[1], plain[1])
    restored = network_of_graph(path)
    assert restored.missing == ()
    assert restored.network.config == model.config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["eccv16", "siggraph17"])
def test_full_networks_with_random_weights_pass(name: str, tmp_path: Path) -> None:
    result = export(random_network(name), tmp_path / "model.onnx", name, "random", 256)
    session = Session(result.path, device="cpu")
    L = np.random.default_rng(3).uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)
    for given in ((), hints(L.shape)) if session.guided else ((),):
        prediction = session.run(L, *given)
        assert prediction.ab.shape == (1, 2, 64 // prediction.stride, 96 // prediction.stride)


def test_the_head_for_training_is_left_out(export_small: ExportSmall) -> None:
    _, result = export_small("siggraph17")
    graph = onnx.load(result.path).graph
    assert [output.name for output in graph.output] == ["ab"]
    assert not any(529 in tensor.dims for tensor in graph.initializer)
    # The decoder's tail is there once: three transposed convolutions in all.
    assert [node.op_type for node in graph.node].count("ConvTranspose") == 3


def test_the_scene_head_is_left_out(export_small: ExportSmall) -> None:
    model, result = export_small("fusion")
    assert any(SCENES in parameter.shape for parameter in model.parameters())
    graph = onnx.load(result.path).graph
    assert [output.name for output in graph.output] == ["ab"]
    assert not any(SCENES in tensor.dims for tensor in graph.initializer)


def test_normalisation_after_relu_is_not_folded() -> None:
    model = random_network("eccv16", options=SMALL["eccv16"])
    L = torch.rand(1, 1, 32, 32) * 100
    with torch.no_grad():
        before = model.predict_ab(L)
        fold_batch_norm(model)
        assert torch.equal(model.predict_ab(L), before)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 7


def test_weights_are_stored_as_half_and_nothing_else_is_in_the_file(
    exported: tuple[torch.nn.Module, Exported],
) -> None:
    model, result = exported
    count = sum(p.numel() for p in model.parameters())
    assert result.size_bytes == result.path.stat().st_size
    assert result.size_bytes < 2 * count + 120_000
    content = result.path.read_bytes()
    assert str(Path(__file__).parents[1]).encode() not in content
    assert b"site-packages" not in content


def test_a_graph_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build("baseline", SMALL["baseline"]).eval()
    target = tmp_path / "model.onnx"
    target.write_bytes(b"the one before")
    monkeypatch.setattr(exporting, "PARITY_AB", 0.0)
    with pytest.raises(TrainingError, match="differs from torch"):
        export(model, target, "model", "1", 256)
    assert target.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [target]
