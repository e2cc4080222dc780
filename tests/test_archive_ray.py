"""The same through Ray: workers that die, files that kill them, and what a terminal sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive_samples import order_for, rows_of, write_jpegs
from conftest import files
from tintype.archive.cluster import Pool
from tintype.archive.run import Runner

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own


def _hook() -> Callable[[], None]:
    """Makes the decoder of every worker crash on files of some names, as a hostile file would."""

    def crash_on_some() -> None:
        import ctypes
        import os
        import time
        from pathlib import Path

        from tintype.archive import worker
        from tintype.archive.scan import Scanner

        worker.LIMIT_S = 20.0
        real = Scanner.do

        def do(self, entry):  # type: ignore[no-untyped-def]
            once = Path(os.environ["TMPDIR"]) / "died" if "once" in entry.source else None
            if "always" in entry.source or (once is not None and not once.exists()):
                if once is not None:
                    once.touch()
                # In this thread: a signal sent to the process may be met by another one, while
                # this goes on and finishes the scan.
                ctypes.string_at(0)
            if "hangs" in entry.source:
                time.sleep(1000)
            return real(self, entry)

        Scanner.do = do

    return crash_on_some


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray on two cores, whose workers crash on some names."""
    temporary = str(tmp_path_factory.mktemp("t"))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100_000_000,
        runtime_env={
            "env_vars": {"TMPDIR": temporary},
            "worker_process_setup_hook": _hook(),
        },
    )
    yield
    ray.shutdown()


def test_a_file_that_kills_its_worker_is_an_error_and_harms_no_other(
    started: None, tmp_path: Path, tiny_model: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    paths = write_jpegs(scans, 30)
    (scans / "always.jpg").write_bytes(paths[0].read_bytes())
    (scans / "once.jpg").write_bytes(paths[0].read_bytes())
    runner = Runner(order_for(scans, out, tiny_model), Pool(group=1).started)
    states = list(runner.run())
    assert states[-1].done == states[-1].total == 32
    rows = rows_of(out)
    assert len(rows) == 32
    assert {key for key, row in rows.items() if row["error"]} == {"always.jpg"}
    assert rows["always.jpg"]["error_kind"] == "crashed"
    results = {name for name in files(out) if not name.startswith("_tintype")}
    assert results == set(rows) - {"always.jpg"}


@pytest.mark.slow
def test_a_file_that_hangs_its_worker_is_an_error(
    started: None, tmp_path: Path, tiny_model: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    paths = write_jpegs(scans, 10)
    (scans / "hangs.jpg").write_bytes(paths[0].read_bytes())
    for _ in Runner(order_for(scans, out, tiny_model), Pool(group=1).started).run():
        pass
    failed = {key: row["error_kind"] for key, row in rows_of(out).items() if row["error"]}
    assert failed == {"hangs.jpg": "crashed"}


def test_the_terminal_sees_one_line(tmp_path: Path, tiny_model: Path) -> None:
    write_jpegs(tmp_path / "scans", 5)
    command = ["archive", "run", str(tmp_path / "scans"), str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "tintype.cli", *command, "--model", str(tiny_model)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "5 coloured; the ledger has 5 scans.\n"
    assert done.stdout == ""
    assert done.returncode == 0
