"""How fast networks are on this machine, and how much memory they take.

Each row is measured in a process of its own, one after another, with the others idle; figures are
ratios, since machines differ: to the machine's own rate of matrix products, and to the time of
ECCV16 and SIGGRAPH17, measured in the same run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tintype.errors import UsageError
from tintype.progress import Progress
from tintype.quantising import Feed, quantise

PEERS = ("eccv16", "siggraph17")
"""The published networks that times are compared with; random weights are as fast as any."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_CALIBRATION_PICTURES = 4
_TIMEOUT_S = 300


@dataclass(frozen=True)
class Job:
    """What one process measures.

    Attributes:
        model: its name in the table.
        precision: "fp32" or "int8".
        device: of ONNX Runtime.
        graph: the ONNX file; None measures the machine's matrix products instead.
        size: side of the square picture in px.
        threads: CPU threads.
        count: whether multiply-adds are counted (not in quantised graphs).
    """

    model: str
    precision: str
    device: str
    graph: Path | None
    size: int
    threads: int
    count: bool = True


@dataclass(frozen=True)
class SpeedRow:
    """What one process found.

    Attributes:
        model: its name.
        precision: "fp32" or "int8".
        device: it ran on.
        network_ms: times of the network alone, (runs,) ms.
        picture_ms: times of a whole picture, array to array, (runs,) ms.
        peak_memory_mb: largest resident set of the process; None where it cannot be told.
        gmac: 10⁹ multiply-adds; None where they were not counted.
        error: why there are no figures, "" otherwise.
    """

    model: str
    precision: str
    device: str
    network_ms: tuple[float, ...] = ()
    picture_ms: tuple[float, ...] = ()
    peak_memory_mb: float | None = None
    gmac: float | None = None
    error: str = ""


@dataclass
class Speeds:
    """A run of the bench.

    Attributes:
        jobs: what is measured.
        rows: what was found so far.
        matmul_gflops: the machine's rate of float32 matrix products, 10⁹ operations/s.
    """

    jobs: Sequence[Job]
    rows: list[SpeedRow]
    matmul_gflops: float = 0.0

    def measure(self) -> Iterator[Progress]:
        """Measure one job after another.

        Yields:
            Jobs done, of how many.

        Raises:
            UsageError: not even a matrix product can be measured.
        """
        total = len(self.jobs) + 1
        yield Progress(0, total, "matrix product")
        first = self.jobs[0]
        peak = Job("", "fp32", "cpu", None, first.size, first.threads)
        answer = _run(peak)
        if "error" in answer:
            raise UsageError(f"The machine cannot be measured: {answer['error']}")
        self.matmul_gflops = float(str(answer["matmul_gflops"]))
        for number, job in enumerate(self.jobs, 1):
            yield Progress(number, total, f"{job.model}, {job.precision}")
            self.rows.append(_row(job, _run(job)))
        yield Progress(total, total, "done")

    def table(self) -> str:
        """All rows as a Markdown table, the conditions above it."""
        first = self.jobs[0]
        work = {row.model: row.gmac for row in self.rows if row.gmac is not None}
        lines = [
            f"One picture of {first.size}×{first.size} px at a time, {first.threads} threads; "
            f"times are medians (10th to 90th percentile). Matrix products reach "
            f"{self.matmul_gflops:.0f} GFLOP/s here in fp32 by NumPy; int8 may pass them.",
            "",
            "| model | precision | device | network ms | part of the matrix product's rate | "
            + "".join(f"times faster than {peer} fp32 | " for peer in PEERS)
            + "whole picture ms | peak memory MB |",
            "|---|---|---|" + "---|" * (4 + len(PEERS)),
        ]
        lines += [self._line(row, work) for row in self.rows]
        return "\n".join(lines) + "\n"

    def _line(self, row: SpeedRow, work: dict[str, float]) -> str:
        head = f"| {row.model} | {row.precision} | {row.device} |"
        if row.error:
            return f"{head} {row.error} |" + " |" * (3 + len(PEERS))
        ms = float(np.median(row.network_ms))
        gflops = 2000 * work[row.model] / ms if row.model in work else None
        if gflops is None or row.device != "cpu":  # where the products were measured
            rate = "not counted"
        else:
            rate = f"{100 * gflops / self.matmul_gflops:.0f} %"
        peers = "".join(f" {_ratio(self._time_of(peer, row.device), ms)} |" for peer in PEERS)
        memory = "not told" if row.peak_memory_mb is None else f"{row.peak_memory_mb:.0f}"
        return (
            f"{head} {_spread(row.network_ms)} | {rate} |{peers} {_spread(row.picture_ms)} "
            f"| {memory} |"
        )

    def _time_of(self, peer: str, device: str) -> float | None:
        wanted = (peer, "fp32", device, "")
        found = (r for r in self.rows if (r.model, r.precision, r.device, r.error) == wanted)
        row = next(found, None)
        return None if row is None else float(np.median(row.network_ms))


def _spread(times: Sequence[float]) -> str:
    low, median, high = np.percentile(times, [10, 50, 90])
    return f"{median:.1f} ({low:.1f} to {high:.1f})"


def _ratio(peer_ms: float | None, ms: float) -> str:
    return "not measured" if peer_ms is None else f"{peer_ms / ms:.1f}"


def _run(job: Job) -> dict[str, object]:
    threads = dict.fromkeys(_THREAD_VARIABLES, str(job.threads))
    asked: dict[str, object] = {
        "graph": None if job.graph is None else str(job.graph),
        "size": job.size,
        "threads": job.threads,
        "device": job.device,
        "count": job.count,
    }
    try:
        done = _child(asked, threads)
    except subprocess.TimeoutExpired:
        return {"error": f"There was no answer within {_TIMEOUT_S} s."}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return {"error": f"The process ended: {last[:200]}"}
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def _child(asked: dict[str, object], threads: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # -P: a json.py in the folder that the user is in must not be imported.
        [sys.executable, "-P", "-m", "tintype.evaluation.speed_child"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **threads},
        timeout=_TIMEOUT_S,
    )


def _row(job: Job, answer: dict[str, object]) -> SpeedRow:
    if "error" in answer:
        return SpeedRow(job.model, job.precision, job.device, error=str(answer["error"]))
    memory, work = answer["peak_memory_mb"], answer["gmac"]
    return SpeedRow(
        job.model,
        job.precision,
        str(answer["device"]),
        _floats(answer["network_ms"]),
        _floats(answer["picture_ms"]),
        None if memory is None else float(str(memory)),
        None if work is None else float(str(work)),
    )


def _floats(values: object) -> tuple[float, ...]:
    return tuple(float(value) for value in values) if isinstance(values, list) else ()


def quantised(graph: Path, target: Path, size: int) -> Path:
    """An int8 graph to time, calibrated on noise; its colours are useless.

    Args:
        graph: a float graph that keeps the contract.
        target: the .onnx to write.
        size: side in px of the calibration pictures.

    Returns:
        ``target``.

    Raises:
        MissingExtra: without onnx.
        UsageError: ONNX Runtime cannot quantise this graph.
    """
    return quantise(graph, target, _noise(size))


def _noise(size: int) -> Iterator[Feed]:
    rng = np.random.default_rng(0)
    for _ in range(_CALIBRATION_PICTURES):
        yield {"L": rng.uniform(0, 100, (1, 1, size, size)).astype(np.float32)}
