from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from tintype import runtime
from tintype.errors import DeviceUnavailable, ModelInvalid, UsageError
from tintype.runtime import Session, available_cores

Graph = Callable[[onnx.GraphProto], None]


def grey(height: int = 64, width: int = 96, n: int = 1) -> np.ndarray:
    return np.linspace(0, 100, n * height * width, dtype=np.float32).reshape(n, 1, height, width)


def changed(path: Path, change: Graph) -> bytes:
    model = onnx.load(path)
    change(model.graph)
    return model.SerializeToString()


def test_predicts_ab_and_knows_the_stride(tiny_model: Path) -> None:
    L = grey(n=2)
    answer = Session(tiny_model).run(L)
    means = L.reshape(2, 1, 16, 4, 24, 4).mean(axis=(3, 5))
    expected = np.concatenate([0.3 * means - 5, 40 - 0.2 * means], axis=1)
    np.testing.assert_allclose(answer.ab, expected, atol=1e-4)
    assert (answer.stride, answer.confidence) == (4, None)


def test_a_graph_may_come_as_bytes(tiny_model: Path) -> None:
    L = grey()
    from_bytes = Session(tiny_model.read_bytes()).run(L)
    np.testing.assert_array_equal(from_bytes.ab, Session(tiny_model).run(L).ab)


def test_metadata_is_read_with_and_without_prefix(tiny_model: Path) -> None:
    model = onnx.load(tiny_model)
    helper.set_model_props(model, {"tintype.name": "x", "version": "7", "working_size": "96"})
    session = Session(model.SerializeToString())
    assert session.metadata == {"name": "x", "version": "7", "working_size": "96"}
    assert session.working_size == 96


def test_a_working_size_must_be_a_number(tiny_model: Path) -> None:
    model = onnx.load(tiny_model)
    helper.set_model_props(model, {"tintype.working_size": "huge"})
    with pytest.raises(ModelInvalid, match="huge"):
        Session(model.SerializeToString())


def test_a_guided_graph_gets_hints_and_zeros_without(tiny_guided_model: Path) -> None:
    session = Session(tiny_guided_model)
    assert session.guided
    L, ab, mask = grey(), np.zeros((1, 2, 64, 96)), np.zeros((1, 1, 64, 96))
    ab[0, :, 8:12, 16:20] = np.array([30, -20])[:, None, None]
    mask[0, 0, 8:12, 16:20] = 1
    plain, hinted = session.run(L).ab, session.run(L, ab, mask).ab
    np.testing.assert_allclose(hinted[0, :, 2, 4], [30, -20], atol=1e-4)
    differs = (plain != hinted).any(axis=(0, 1))
    assert differs.sum() == 1


def test_hints_need_a_guided_graph_and_the_right_shape(
    tiny_model: Path, tiny_guided_model: Path
) -> None:
    with pytest.raises(UsageError, match="takes no colour hints"):
        Session(tiny_model).run(grey(), np.zeros((1, 2, 64, 96), np.float32))
    with pytest.raises(UsageError, match="hint_ab must be"):
        Session(tiny_guided_model).run(grey(), np.zeros((1, 2, 32, 32), np.float32))


def test_confidence_comes_when_it_is_asked_for(tiny_model: Path, tiny_sure_model: Path) -> None:
    session = Session(tiny_sure_model)
    plain, asked = session.run(grey()), session.run(grey(), confidence=True)
    assert plain.confidence is None
    assert asked.confidence is not None
    means = grey().reshape(1, 1, 16, 4, 24, 4).mean(axis=(3, 5))
    np.testing.assert_allclose(asked.confidence, means / 100, atol=1e-5)
    np.testing.assert_array_equal(asked.ab, plain.ab)
    assert (session.gives_confidence, Session(tiny_model).gives_confidence) == (True, False)
    with pytest.raises(UsageError, match="does not say how sure"):
        Session(tiny_model).run(grey(), confidence=True)


def test_confidence_must_be_numbers(tiny_sure_model: Path) -> None:
    def spoil(graph: onnx.GraphProto) -> None:
        (percent,) = (each for each in graph.initializer if each.name == "percent")
        percent.float_data[:] = [float("nan")]

    session = Session(changed(tiny_sure_model, spoil))
    session.run(grey())
    with pytest.raises(ModelInvalid, match="confidence that are not finite"):
        session.run(grey(), confidence=True)


def test_weights_may_be_stored_with_half_precision(tiny_model: Path) -> None:
    def halve(graph: onnx.GraphProto) -> None:
        for weights in list(graph.initializer):
            half = numpy_helper.to_array(weights).astype(np.float16)
            name = weights.name
            weights.CopyFrom(numpy_helper.from_array(half, f"{name}16"))
            graph.node.insert(
                0, helper.make_node("Cast", [f"{name}16"], [name], to=TensorProto.FLOAT)
            )

    L = grey()
    whole = Session(tiny_model).run(L).ab
    np.testing.assert_allclose(Session(changed(tiny_model, halve)).run(L).ab, whole, atol=0.05)


@pytest.mark.parametrize("shape", [(1, 1, 33, 32), (1, 3, 32, 32), (1, 32, 32), (0, 1, 32, 32)])
def test_shapes_that_no_network_takes(tiny_model: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="multiples of 32"):
        Session(tiny_model).run(np.zeros(shape, np.float32))


def _rename_input(graph: onnx.GraphProto) -> None:
    graph.input[0].name = graph.node[0].input[0] = "grey"


def _rename_output(graph: onnx.GraphProto) -> None:
    graph.output[0].name = graph.node[-1].output[0] = "colour"


def _fix_height(graph: onnx.GraphProto) -> None:
    graph.input[0].type.tensor_type.shape.dim[2].dim_value = 256


def _three_channels(graph: onnx.GraphProto) -> None:
    graph.initializer[0].CopyFrom(
        helper.make_tensor("slope", TensorProto.FLOAT, [1, 3, 1, 1], [1.0, 2.0, 3.0])
    )
    graph.initializer[1].CopyFrom(
        helper.make_tensor("offset", TensorProto.FLOAT, [1, 3, 1, 1], [1.0, 2.0, 3.0])
    )
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_rename_input, r"takes \['grey'\] where \['L'\]"),
        (_rename_output, "and no ab"),
        (_fix_height, "fixed shape"),
        (_three_channels, r"has ab as .*not \(N, 2, H, W\)"),
    ],
)
def test_graphs_that_break_the_contract(tiny_model: Path, change: Graph, says: str) -> None:
    with pytest.raises(ModelInvalid, match=says):
        Session(changed(tiny_model, change))


def test_a_file_that_is_no_graph(tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(b"certainly no graph")
    with pytest.raises(ModelInvalid, match=r"no\.onnx cannot be loaded") as caught:
        Session(path)
    assert "\n" not in str(caught.value)


def test_ab_that_are_not_finite(tiny_model: Path) -> None:
    def divide(graph: onnx.GraphProto) -> None:
        graph.node[1].op_type = "Div"
        zeros = helper.make_tensor("slope", TensorProto.FLOAT, [1, 2, 1, 1], [0.0, 0.0])
        graph.initializer[0].CopyFrom(zeros)

    with pytest.raises(ModelInvalid, match="not finite"):
        Session(changed(tiny_model, divide)).run(grey())


def test_an_answer_of_another_size(tiny_model: Path) -> None:
    def crop(graph: onnx.GraphProto) -> None:
        graph.node[0].attribute[0].ints[:] = [5, 5]  # a pool that drops a row at the edge

    with pytest.raises(ModelInvalid, match="answers L"):
        Session(changed(tiny_model, crop)).run(grey())


def test_too_little_memory_is_said_and_raised(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tiny_model)

    class Full:
        def run(self, *_: object) -> None:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 9")

    monkeypatch.setattr(session, "_session", Full())
    with pytest.raises(UsageError, match="not enough memory"):
        session.run(grey())


def test_other_failures_of_the_graph(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tiny_model)

    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : bad\nnode")

    monkeypatch.setattr(session, "_session", Broken())
    with pytest.raises(ModelInvalid, match="fails when it runs: bad node"):
        session.run(grey())


@pytest.mark.parametrize(
    ("device", "package"),
    [
        ("cuda", "onnxruntime-gpu"),
        ("cuda:1", "onnxruntime-gpu"),
        ("directml", "onnxruntime-directml"),
        ("openvino", "onnxruntime-openvino"),
    ],
)
def test_a_missing_device_names_its_package(
    tiny_model: Path, device: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceUnavailable, match=f"pip install {package}"):
        Session(tiny_model, device=device)


def test_coreml_is_only_for_macos(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceUnavailable, match="macOS"):
        Session(tiny_model, device="coreml")


@pytest.mark.parametrize("device", ["gpu", "", "cpu:0", "auto:1", "cuda:x", "cuda:-1"])
def test_unknown_devices(tiny_model: Path, device: str) -> None:
    with pytest.raises(UsageError, match="Unknown device"):
        Session(tiny_model, device=device)


def test_auto_takes_the_best_and_falls_back(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = ["OpenVINOExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    assert runtime._choose("auto", present) == ("cuda", None)
    assert runtime._choose("auto", ["CoreMLExecutionProvider"]) == ("cpu", None)
    assert runtime._choose("cuda:1", present) == ("cuda", 1)
    assert Session(tiny_model, device="auto").device == "cpu"


def test_a_provider_that_does_not_start(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: both)
    real = ort.InferenceSession

    def falls_back(source: object, options: object, providers: list[object], **_: object) -> object:
        return real(source, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", falls_back)
    assert Session(tiny_model, device="auto").device == "cpu"
    with pytest.raises(DeviceUnavailable, match="does not start"):
        Session(tiny_model, device="cuda")


def test_a_device_that_is_full_prints_nothing(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: both)
    real = ort.InferenceSession._create_inference_session

    def full(self: object, providers: list[object], *more: object) -> None:
        if "CUDAExecutionProvider" in providers:
            raise RuntimeError("CUDA failure 2: out of memory")
        real(self, providers, *more)

    monkeypatch.setattr(ort.InferenceSession, "_create_inference_session", full)
    assert Session(tiny_model, device="auto").device == "cpu"
    with pytest.raises(DeviceUnavailable, match=r'"cuda" does not start.*out of memory'):
        Session(tiny_model, device="cuda")
    with pytest.raises(ModelInvalid, match="cannot be loaded"):
        Session(b"no graph", device="cuda")
    assert capfd.readouterr() == ("", "")


def test_threads(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="threads must be 1 or more, not 0"):
        Session(tiny_model, threads=0)
    answers = [Session(tiny_model, threads=n).run(grey()).ab for n in (1, None)]
    np.testing.assert_allclose(*answers, atol=1e-5)
    assert available_cores() >= 1


def test_onnx_runtime_is_told_to_send_nothing(tiny_model: Path, tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from tintype.runtime import Session
Session(Path({str(tiny_model)!r}), "cpu", 1)
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
"""
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    given = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=given | home, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))  # where it keeps the number of this device
