"""What ``archive plan`` said of a folder, against what ``archive run`` then took.

python benchmarks/archive_plan.py [--pictures 600] [--sample 200] [--model NAME|FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from archive_throughput import make_pictures


def tintype(*words: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "tintype.cli", "archive", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def line(what: str, said: dict[str, float], took: float) -> str:
    """A forecast and what came true."""
    held = "within" if said["low"] <= took <= said["high"] else "outside"
    return (
        f"{what}: said {said['likely']:.4f} ({said['low']:.4f} to {said['high']:.4f}), "
        f"took {took:.4f}: {took / said['likely']:.3f} of it, {held} the interval\n"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--model", default="tintype")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scans, dest = Path(folder) / "scans", Path(folder) / "out"
        scans.mkdir()
        make_pictures(scans, given.pictures)
        model = ("--model", given.model)
        asked = ("--sample", str(given.sample), "--machines", "1", "--json")
        plan = json.loads(tintype("plan", str(scans), *model, *asked))
        start = time.perf_counter()
        tintype("run", str(scans), str(dest), *model)
        hours = (time.perf_counter() - start) / 3600
        status = json.loads(tintype("status", str(dest), "--json"))
    sys.stdout.write(line("hours", plan["machines"][0]["hours"], hours))
    made = status["result_bytes"] / 1e9
    sys.stdout.write(
        line("GB", {key: value / 1e9 for key, value in plan["result_bytes"].items()}, made)
    )
    sys.stdout.write(f"core-seconds a scan {plan['core_seconds']['likely'] / given.pictures:.3f}\n")


if __name__ == "__main__":
    main()
