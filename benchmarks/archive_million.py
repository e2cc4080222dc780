"""A million entries listed, given out and entered, with the pixels left out: rate and memory.

    python benchmarks/archive_million.py [--entries 1000000] [--json FILE]

The list is a Parquet file with odd names, some of them double. Everything a run does but reading
and colouring is done: the two readings of the list, jobs through Ray Data to a worker and back,
the ledger's parts, the look for what is missing, compaction. Memory is the proportional set size
of this process, of Ray's and of the worker, added up each second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tintype import Options
from tintype.archive.cluster import Pool
from tintype.archive.order import Order
from tintype.archive.run import Runner


def write_list(path: Path, entries: int) -> None:
    """A list with blanks, line ends, umlauts and some ids that come twice."""
    schema = pa.schema([("path", pa.string()), ("id", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, entries, 50_000):
            numbers = range(start, min(entries, start + 50_000))
            paths = [f"fonds {n // 10_000:03d}/größe {n % 7}\n{n:08d}.tif" for n in numbers]
            ids = [f"NL-{n if n % 100_003 else n // 2:08d}" for n in numbers]
            writer.write_table(pa.table({"path": paths, "id": ids}, schema=schema))


def family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        return [pid]
    return [pid, *(each for child in text.split() for each in family(int(child)))]


def memory_bytes(pid: int) -> int:
    """Proportional set size of one process."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


class Watch(threading.Thread):
    """Looks at the memory each second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.seen: list[tuple[float, int, int]] = []
        self.started = time.monotonic()

    def run(self) -> None:
        """Look until told to stop."""
        me = int(Path("/proc/self").resolve().name)
        while not self.over.wait(1):
            each = {pid: memory_bytes(pid) for pid in family(me)}
            self.seen.append((time.monotonic() - self.started, each[me], sum(each.values())))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="Write the memory over time there.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        listed, dest = Path(folder) / "list.parquet", Path(folder) / "out"
        write_list(listed, given.entries)
        watch = Watch()
        watch.start()
        runner = Runner(Order(str(listed), str(dest), Options(), dry=True), Pool().started)
        first = last = 0.0
        for _ in runner.run():
            last = time.monotonic() - watch.started
            first = first or last
        whole = time.monotonic() - watch.started
        watch.over.set()
        watch.join()
        tally, size = runner.tally, sum(p.stat().st_size for p in dest.rglob("*.parquet"))
    driver, everything = (max(seen[n] for seen in watch.seen) / 1e6 for n in (1, 2))
    report = {
        "entries": given.entries,
        "rows": tally.standing,
        "errors": tally.failed,
        "seconds": round(whole, 1),
        "to_first_row_s": round(first, 1),
        "rows_per_second": round(tally.done / (last - first)),
        "listed_and_checked_again_s": round(whole - last, 1),
        "ledger_MB": round(size / 1e6, 1),
        "peak_driver_MB": round(driver),
        "peak_all_MB": round(everything),
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    if given.json is not None:
        given.json.write_text(json.dumps(report | {"memory": watch.seen}))


if __name__ == "__main__":
    main()
