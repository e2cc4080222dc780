"""Exported graphs keep the contract and compute what torch computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from tintype import export as exporting  # noqa: E402
from tintype.errors import TrainingError  # noqa: E402
from tintype.export import PARITY_AB, Exported, export  # noqa: E402
from tintype.models import ARCHITECTURES, build  # noqa: E402
from tintype.runtime import Session  # noqa: E402

SMALL = {"tintype": {"context_width": 16, "decoder_widths": (24, 24, 24)}}


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[torch.nn.Module, Exported]:
    torch.manual_seed(0)
    model = build(request.param, SMALL.get(request.param, {})).eval()
    for module in model.modules():  # statistics as after training, so that folding is tested
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    target = tmp_path_factory.mktemp("export") / "model.onnx"
    return model, export(model, target, "model", "7", 192)


def test_contract_and_metadata(exported: tuple[torch.nn.Module, Exported]) -> None:
    _, result = exported
    session = Session(result.path, device="cpu")
    assert session.metadata == {"name": "model", "version": "7", "working_size": "192"}
    assert session.working_size == 192
    for shape in [(1, 1, 32, 32), (3, 1, 64, 160)]:
        ab = session.run(np.full(shape, 50, np.float32)).ab
        assert ab.shape[:2] == (shape[0], 2)


def test_parity_on_other_sizes(exported: tuple[torch.nn.Module, Exported]) -> None:
    model, result = exported
    assert result.parity_ab < PARITY_AB
    L = np.random.default_rng(3).uniform(0, 100, (2, 1, 96, 128)).astype(np.float32)
    with torch.no_grad():
        ours = model.predict_ab(torch.from_numpy(L)).numpy()
    assert np.abs(ours).max() > 1
    assert np.abs(Session(result.path, device="cpu").run(L).ab - ours).max() < PARITY_AB


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
    model = build("tintype", SMALL["tintype"]).eval()
    target = tmp_path / "model.onnx"
    target.write_bytes(b"the one before")
    monkeypatch.setattr(exporting, "PARITY_AB", 0.0)
    with pytest.raises(TrainingError, match="differs from torch"):
        export(model, target, "model", "1", 256)
    assert target.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [target]
