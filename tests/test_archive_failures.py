"""Three machines, of which one loses a process, one goes, and then the driver is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive_samples import plain_rows, rows_of, write_jpegs
from conftest import files
from tintype.archive import ledger
from tintype.images import read_image

pytest.importorskip("ray")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

SCANS = 600


@pytest.fixture
def cluster() -> Iterator[object]:
    """Three machines of one core each, all of them here."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    small = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=dict(small))
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=100_000_000)
    made.wait_for_nodes()
    yield made
    made.shutdown()


def entered(out: Path) -> int:
    try:
        return len({row["id"] for row in plain_rows(out)})
    except (FileNotFoundError, OSError):
        return 0


def results(out: Path) -> set[str]:
    return {name for name in files(out) if not name.startswith(("_tintype", "."))}


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def workers(node: object) -> list[int]:
    """The processes of a machine's workers that colour now."""
    raylet = next(
        each.process.pid
        for processes in node.all_processes.values()  # type: ignore[attr-defined]
        for each in processes
        if "raylet" in str(each.process.args[0])
    )
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    named = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, name in named.items() if b"_Actor" in name]


def start(cluster: object, scans: Path, out: Path, model: Path) -> subprocess.Popen[str]:
    command = ["archive", "run", str(scans), str(out), "--model", str(model), "--group", "1"]
    return subprocess.Popen(
        [sys.executable, "-m", "tintype.cli", *command, "--ray", cluster.address],  # type: ignore[attr-defined]
        text=True,
        stderr=subprocess.PIPE,
    )


def test_every_scan_is_done_once_whatever_dies(
    cluster: object, tmp_path: Path, tiny_sure_model: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    paths = write_jpegs(scans, SCANS, 700)
    sys.stdout.write("\n")

    def say(what: str) -> None:
        rows = plain_rows(out) if (out / ledger.FOLDER).exists() else []
        twice = sum(n > 1 for n in Counter(row["id"] for row in rows).values())
        errors = sum(bool(row["error"]) for row in rows)
        line = f"{what}: {len(results(out))} results, {len(rows) - twice} scans in the ledger, "
        line += f"{twice} of them twice, {errors} errors"
        sys.stdout.write(line + "\n")

    driver = start(cluster, scans, out, tiny_sure_model)
    second, third = cluster.worker_nodes  # type: ignore[attr-defined]
    wait_until(lambda: len(results(out)) > 20 and bool(workers(second)))
    victim = workers(second)[0]
    os.kill(victim, signal.SIGKILL)
    say(f"a worker process ({victim}) killed")
    before = len(results(out))
    wait_until(lambda: len(results(out)) > before + 60)
    cluster.remove_node(third, allow_graceful=False)  # type: ignore[attr-defined]
    say("a machine removed")
    before = len(results(out))
    wait_until(lambda: len(results(out)) > before + 60 and entered(out) > 0)
    driver.kill()
    driver.communicate()
    assert (out / "_tintype/lease.json").exists()
    say("the driver killed with SIGKILL")
    for name in results(out):  # no half-written result at any time
        assert read_image(out / name).tintype_mark
    again = start(cluster, scans, out, tiny_sure_model)
    _, told = again.communicate(timeout=400)
    say("a new run at its end")
    assert again.returncode == 0, told
    rows = rows_of(out)
    assert set(rows) == {str(path.relative_to(scans)) for path in paths}
    assert len(plain_rows(out)) == SCANS
    assert all(row["error"] is None for row in rows.values())
    assert results(out) == set(rows)
    assert not list((out / "_tintype/parts").iterdir())
    for name, row in rows.items():
        assert (out / name).stat().st_size == row["result_bytes"]
        read_image(out / name).pixels().avg()


def test_a_run_goes_on_when_a_machine_goes(
    cluster: object, tmp_path: Path, tiny_sure_model: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    write_jpegs(scans, SCANS, 500)
    driver = start(cluster, scans, out, tiny_sure_model)
    wait_until(lambda: len(results(out)) > 60)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)  # type: ignore[attr-defined]
    _, told = driver.communicate(timeout=500)
    assert driver.returncode == 0, told
    assert told == f"{SCANS} coloured; the ledger has {SCANS} scans.\n"
    assert len(rows_of(out)) == len(plain_rows(out)) == len(results(out)) == SCANS
