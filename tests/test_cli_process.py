"""``tintype colorize`` as a process: pipes, a full disk, signals, a terminal."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import GreyWriter, files
from tintype.batch.manifest import MANIFEST_NAME

TINTYPE = [sys.executable, "-m", "tintype.cli"]
COUNT = 24


def spawn(tiny_model: Path, *args: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    line = [*TINTYPE, "colorize", "--model", str(tiny_model), *args]
    return subprocess.run(line, capture_output=True, timeout=60, check=False, **how)


def test_pipe_in_and_out(here: Path, tiny_model: Path, write_grey: GreyWriter) -> None:
    data = write_grey(here / "a.png").read_bytes()
    done = spawn(tiny_model, "-", input=data)
    assert (done.returncode, done.stderr) == (0, b"")
    picture = Image.open(io.BytesIO(done.stdout))
    assert (picture.format, picture.size) == ("PNG", (64, 48))
    assert files(here) == {"a.png"}


def test_pipe_with_nothing_or_rubbish_in_it(here: Path, tiny_model: Path) -> None:
    for data in (b"", b"rubbish"):
        done = spawn(tiny_model, "-", input=data)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.count(b"\n") == 1


def test_pipe_with_colour_in_it_fails_for_nothing_comes_out(
    here: Path, tiny_model: Path, write_colour: GreyWriter
) -> None:
    data = write_colour(here / "garden.png").read_bytes()
    done = spawn(tiny_model, "-", input=data)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1
    assert spawn(tiny_model, "-", "--force", input=data).returncode == 0


def test_file_to_standard_output(here: Path, tiny_model: Path, write_grey: GreyWriter) -> None:
    write_grey(here / "a.png")
    done = spawn(tiny_model, "a.png", "-o", "-")
    assert done.returncode == 0
    assert done.stdout.startswith(b"\x89PNG")
    assert spawn(tiny_model, "a.png", "-o", "-", "--json").returncode == 2


def test_full_disk_is_a_sentence_and_leaves_nothing(
    here: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    write_grey(here / "small.png", 16, 16)
    write_grey(here / "large.png", 600, 600)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = spawn(tiny_model, ".", "--jobs", "1", preexec_fn=limit)
    assert done.returncode == 1
    assert b"large.png" in done.stderr
    assert b"Traceback" not in done.stderr
    every = {path.name for path in here.iterdir()}
    assert every == {"small.png", "large.png", "small-color.png", MANIFEST_NAME}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_run_leaves_no_half_file_and_goes_on(
    here: Path, tiny_model: Path, write_grey: GreyWriter, number: int, status: int
) -> None:
    first = write_grey(here / "in/00.png", 500, 500)
    for index in range(1, COUNT):
        (here / f"in/{index:02}.png").write_bytes(first.read_bytes())
    line = [*TINTYPE, "colorize", "--model", str(tiny_model), "in", "--jobs", "2"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().endswith(b"-color.png\n")
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert process.returncode == status
    assert b"left to do" in error
    assert b"Traceback" not in error
    results = sorted((here / "in").glob("*-color.png"))
    assert 1 <= len(results) < COUNT
    assert {path.name for path in (here / "in").iterdir()} == {
        *(f"{index:02}.png" for index in range(COUNT)),
        *(path.name for path in results),
        MANIFEST_NAME,
    }
    for path in results:
        Image.open(path).load()
    before = {path: path.stat().st_mtime_ns for path in results}
    done = spawn(tiny_model, "in", "--json")
    assert done.returncode == 0
    statuses = [json.loads(each)["status"] for each in done.stdout.splitlines()]
    assert (statuses.count("current"), len(statuses)) == (len(results), COUNT)
    assert {path: path.stat().st_mtime_ns for path in results} == before


def test_second_signal_leaves_at_once_and_leaves_no_half_file(here: Path, tiny_model: Path) -> None:
    ramp = np.linspace(0, 255, 5000).astype(np.uint8)
    Image.fromarray(np.tile(ramp, (3000, 1))).save(here / "large.png", compress_level=1)
    line = [*TINTYPE, "colorize", "--model", str(tiny_model), "large.png"]
    with subprocess.Popen(line, stderr=subprocess.PIPE) as process:
        while not list(here.glob(".large-color.png.*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert b"once more leaves at once" in process.stderr.read1()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert files(here) == {"large.png"}


def test_progress_is_drawn_on_a_terminal_and_stdout_stays_clean(
    here: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    for index in range(6):
        write_grey(here / f"{index}.png", seed=index)
    master, slave = os.openpty()
    line = [*TINTYPE, "colorize", "--model", str(tiny_model), "."]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = _read_all(master)
        out = process.stdout.read()
    assert sorted(out.splitlines()) == [f"{index}-color.png".encode() for index in range(6)]
    assert b"pictures/s" in shown
    assert b"6/6" in shown
    assert b"6 colorized." in shown


def _read_all(master: int) -> bytes:
    pieces = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(master)
    return b"".join(pieces)


def test_reader_of_the_list_may_leave_early(
    here: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    for index in range(30):
        write_grey(here / f"{index}.png", 300, 300)
    line = [*TINTYPE, "colorize", "--model", str(tiny_model), ".", "--jobs", "1"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
    assert not [path for path in here.iterdir() if path.suffix != ".png"][1:]


def shell(tiny_model: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    """A line of sh in which $T is ``tintype colorize`` with the tiny model."""
    command = " ".join([*TINTYPE, "colorize", "--model", str(tiny_model)])
    return subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, "T": command, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_result_cut_short_on_standard_output_is_no_success(
    here: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    write_grey(here / "a.png", 200, 300)
    done = shell(tiny_model, "ulimit -f 8; $T a.png -o - >out.png")
    assert done.returncode != 0
    assert (here / "out.png").stat().st_size <= 8 * 1024
    whole = shell(tiny_model, "$T a.png -o - >whole.png")
    assert whole.returncode == 0
    with Image.open(here / "whole.png") as picture:
        assert picture.size == (300, 200)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("$T a.png -o - >&-", 2),
        ("$T - <&-", 2),
        ("$T ''", 2),
        ("$T a.png -o ''", 2),
        ("$T a.png -o - >/dev/full", 1),
        ("$T a.png --overwrite >&-", 0),
    ],
)
def test_closed_and_full_streams_give_one_sentence(
    here: Path, tiny_model: Path, write_grey: GreyWriter, line: str, status: int
) -> None:
    write_grey(here / "a.png")
    done = shell(tiny_model, line)
    assert done.returncode == status
    assert b"unexpected" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == (1 if status else 0)
