"""The speed bench: its counts by hand, its processes, its table, its command."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tintype.cli import main
from tintype.errors import UsageError
from tintype.evaluation import speed, speed_child
from tintype.evaluation.speed import Job, SpeedRow, Speeds
from tintype.runtime import Session

F = onnx.TensorProto.FLOAT


@pytest.fixture
def convolutions(tmp_path):
    """A 3×3 convolution to 4 channels with stride 2, then a transposed one to 2 channels."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(4, 1, 3, 3)), "v": rng.normal(size=(4, 2, 2, 2))}
    nodes = [
        helper.make_node("Conv", ["L", "w"], ["x"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("ConvTranspose", ["x", "v"], ["ab"], strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("L", F, ["N", 1, "H", "W"])],
        [helper.make_tensor_value_info("ab", F, ["N", 2, "h", "w"])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    path = tmp_path / "two.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_multiply_adds_by_hand(convolutions) -> None:
    conv = 32 * 32 * 4 * 9
    transposed = 32 * 32 * 4 * 2 * 4
    assert speed_child.gmac(convolutions, 64) == pytest.approx((conv + transposed) / 1e9)


def test_int8_graphs_keep_the_contract(convolutions, tmp_path) -> None:
    int8 = speed.quantised(convolutions, tmp_path / "int8.onnx", 64)
    L = np.full((1, 1, 64, 64), 50, np.float32)
    exact, rounded = (Session(path, device="cpu").run(L).ab for path in (convolutions, int8))
    assert exact.shape == rounded.shape
    assert any("Quantize" in node.op_type for node in onnx.load(int8).graph.node)
    assert [path.name for path in tmp_path.glob("*folded*")] == []


def test_a_run_in_processes_of_their_own(tiny_model, tmp_path, monkeypatch) -> None:
    missing = tmp_path / "missing.onnx"
    jobs = [
        Job("tiny", "fp32", "cpu", tiny_model, 64, 1),
        Job("gone", "fp32", "cpu", missing, 64, 1),
    ]
    speeds = Speeds(jobs, [])
    stages = [state.stage for state in speeds.measure()]
    assert stages == ["matrix product", "tiny, fp32", "gone, fp32", "done"]
    tiny, gone = speeds.rows
    assert len(tiny.network_ms) >= 5
    assert 0 < np.median(tiny.network_ms) < np.median(tiny.picture_ms)
    assert tiny.peak_memory_mb is None or 20 < tiny.peak_memory_mb < 400
    assert "missing.onnx" in gone.error
    assert speeds.matmul_gflops > 0.1
    assert "missing.onnx" in speeds.table()


def test_ratios_of_the_table() -> None:
    rows = [
        SpeedRow("ours", "fp32", "cpu", (10.0,), (12.0,), 100.0, 1.0),
        SpeedRow("ours", "int8", "cpu", (5.0,), (7.0,), 90.0),
        SpeedRow("eccv16", "fp32", "cpu", (200.0,), (210.0,), None, 40.0),
    ]
    speeds = Speeds([Job("ours", "fp32", "cpu", None, 256, 2)], rows, matmul_gflops=400)
    ours, int8, eccv16 = speeds.table().splitlines()[-3:]
    # 1 GMAC in 10 ms is 200 GFLOP/s, half of the machine's 400; int8 does the same work.
    assert "| 50 % | 20.0 | not measured |" in ours
    assert "| 100 % | 40.0 |" in int8
    assert "not told" in eccv16
    # Another device is compared with nothing that was measured here.
    speeds.rows.insert(0, SpeedRow("eccv16", "fp32", "cuda", (4.0,), (5.0,), None, 40.0))
    cuda, again, *_ = speeds.table().splitlines()[-4:]
    assert "not counted" in cuda
    assert again == ours


def test_the_command_tells_what_failed(tmp_path, capsys) -> None:
    (tmp_path / "text.onnx").write_text("no graph")
    model = str(tmp_path / "text.onnx")
    assert main(["bench", "--models", model, "--no-peers", "--no-int8", "--size", "64"]) == 1
    assert "text.onnx, fp32, cpu:" in capsys.readouterr().err


def test_files_of_the_current_folder_are_not_run(tiny_model, here) -> None:
    (here / "json.py").write_text("raise SystemExit('mine')")
    speeds = Speeds([Job("tiny", "fp32", "cpu", tiny_model, 64, 1)], [])
    list(speeds.measure())
    assert speeds.rows[0].error == ""


def test_what_is_in_int8_is_told_and_not_made_so_again(convolutions, tmp_path, capfd) -> None:
    made = speed.quantised(convolutions, tmp_path / "int8.onnx", 32)
    with pytest.raises(UsageError, match=r"int8\.onnx is in int8 already"):
        speed.quantised(made, tmp_path / "again.onnx", 32)
    assert main(["bench", "--models", str(made), "--no-peers", "--size", "64"]) == 0
    said = capfd.readouterr()
    assert said.out.count("| int8 | cpu |") == 1
    assert "fp32 | cpu" not in said.out
    assert said.err == ""


def test_the_command(tiny_model, capsys) -> None:
    assert main(["bench", "--models", str(tiny_model), "--no-peers", "--size", "64"]) == 0
    out = capsys.readouterr().out
    assert "tiny.onnx" in out
    assert main(["bench", "--size", "100"]) == 2
    assert main(["bench", "--models", ","]) == 2
    assert main(["bench", "--models", "nonsense", "--no-peers"]) == 1
