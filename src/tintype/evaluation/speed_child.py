"""One measurement of speed in a process of its own, so that its memory is its own, too.

``python -m tintype.evaluation.speed_child`` reads one JSON object on stdin (the fields of
``speed.Job``) and writes one (those of ``speed.Measured``) on stdout.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tintype.runtime import onnx_runtime

_LEAST_RUNS, _LONGEST_S = 5, 3.0
_MATMUL_SIDE = 2048


def timed_ms(call: Callable[[], object]) -> list[float]:
    """Milliseconds of each of several calls, after one that does not count."""
    call()
    times: list[float] = []
    end = time.perf_counter() + _LONGEST_S
    while len(times) < _LEAST_RUNS or (time.perf_counter() < end and len(times) < 100):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return times


def matmul_gflops() -> float:
    """The best rate of a float32 matrix product, 10⁹ operations/s (a multiply and an add are 2)."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, _MATMUL_SIDE, _MATMUL_SIDE), np.float32)
    return 2 * _MATMUL_SIDE**3 / min(timed_ms(lambda: a @ b)) / 1e6


def peak_memory_mb() -> float | None:
    """The largest resident set of this process so far; None where the system does not tell."""
    try:
        # Linux counts what was there before exec into ru_maxrss, so its own file is asked first.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS: bytes


def gmac(graph: Path, size: int) -> float:
    """10⁹ multiply-adds of a graph's convolutions and matrix products for one square picture.

    ONNX Runtime's profile of one run, without any optimisation, tells the shapes.

    Args:
        graph: an ONNX file that keeps the contract.
        size: side in px.
    """
    ort = onnx_runtime()

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Weights that were packed beforehand are missing in the profile.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_profiling = True
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        channels = {"L": 1, "hint_ab": 2, "hint_mask": 1}
        session.run(
            ["ab"],
            {
                each.name: np.zeros((1, channels[each.name], size, size), np.float32)
                for each in session.get_inputs()
            },
        )
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return sum(_macs(event["args"]) for event in events if "op_name" in event.get("args", {})) / 1e9


def _macs(node: dict[str, object]) -> float:
    """Multiply-adds of one node of a profile."""
    inputs, outputs = (_shapes(node.get(f"{side}_type_shape")) for side in ("input", "output"))
    match node["op_name"]:
        case "Conv":
            return math.prod(outputs[0]) * math.prod(inputs[1][1:])
        case "ConvTranspose":
            return math.prod(inputs[0]) * math.prod(inputs[1][1:])
        case "MatMul" | "Gemm":
            return math.prod(outputs[0]) * inputs[0][-1]
    return 0


def _shapes(described: object) -> list[list[int]]:
    """[{"float": [1, 64, 8, 8]}, ...] to the shapes alone."""
    each = described if isinstance(described, list) else []
    return [next(iter(shape.values())) for shape in each if isinstance(shape, dict)]


def _measure(job: dict[str, object]) -> dict[str, object]:
    if job["graph"] is None:
        return {"matmul_gflops": matmul_gflops()}
    from tintype.engine import Colorizer
    from tintype.options import Options

    graph, size, threads = Path(str(job["graph"])), int(str(job["size"])), int(str(job["threads"]))
    colorizer = Colorizer.load(graph, device=str(job["device"]), threads=threads)
    rng = np.random.default_rng(0)
    picture = np.repeat(rng.integers(0, 256, (size, size, 1), np.uint8), 3, axis=2)
    L = rng.uniform(0, 100, (1, 1, size, size)).astype(np.float32)
    options = Options(working_size=size)
    network = timed_ms(lambda: colorizer.predict(L))
    whole = timed_ms(lambda: colorizer.colorize(picture, options))
    memory = peak_memory_mb()
    return {
        "device": colorizer.device,
        "network_ms": network,
        "picture_ms": whole,
        "peak_memory_mb": memory,
        "gmac": gmac(graph, size) if job["count"] else None,
    }


def main() -> None:
    """Measure what stdin asks for."""
    from tintype.errors import TintypeError

    try:
        answer = _measure(json.load(sys.stdin))
    except TintypeError as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
