"""The command as a whole: its help, how fast it starts, how it speaks and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from tintype import __version__, cli
from tintype.cli import COMMANDS, main
from tintype.cli.face import Terminated, one_line, stoppable
from tintype.errors import TintypeError, UsageError

TINTYPE = [sys.executable, "-m", "tintype.cli"]


def test_version_and_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"tintype {__version__}\n"
    assert main(["--help"]) == 0
    shown = capfd.readouterr().out
    assert all(name in shown and text in shown for name, text in COMMANDS.items())


@pytest.mark.parametrize("name", ["colorize", "compare", "models"])
def test_short_help_is_that_of_the_command(name: str) -> None:
    command = cli.cli.get_command(None, name)
    assert command.short_help == COMMANDS[name]


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_start_is_quick_and_imports_nothing_heavy(option: str) -> None:
    code = f"""if True:
        import sys
        from tintype.cli import main
        main([{option!r}])
        heavy = {{"numpy", "rich", "pyvips", "PIL", "onnxruntime", "torch"}} & set(sys.modules)
        sys.exit(f"imported {{heavy}}" if heavy else 0)"""
    took_s = []
    for _ in range(4):  # the fastest counts, for the machine may be busy
        start = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        took_s.append(time.monotonic() - start)
    assert min(took_s) < 0.3


def test_unknown_command_and_option(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["recolour"]) == 2
    assert capfd.readouterr().err == "tintype: No such command 'recolour'.\n"
    assert main(["colorize", "--sparkle", "x.jpg"]) == 2
    error = capfd.readouterr().err
    assert "--sparkle" in error
    assert error.count("\n") == 1


def test_no_command_shows_the_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "colorize" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (TintypeError("It is broken."), 1, "tintype: It is broken.\n"),
        (TintypeError("a\nb\x1b[31m\udce9.jpg"), 1, "tintype: a\\nb\\x1b[31m\\udce9.jpg\n"),
        (UsageError("Not so."), 2, "tintype: Not so.\n"),
        (
            RuntimeError("Odd."),
            1,
            "tintype: unexpected RuntimeError: Odd; --verbose shows where.\n",
        ),
        (MemoryError(), 1, "tintype: unexpected MemoryError: no message; --verbose shows where.\n"),
        (Terminated(), 143, "tintype: terminated.\n"),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_every_error_ends_as_a_sentence(
    error: BaseException,
    status: int,
    said: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", fail)
    assert main(["colorize"]) == status
    assert capfd.readouterr().err == said


def test_interruption_has_its_status(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.LazyGroup, "get_command", fail)
    assert main(["colorize"]) == 130
    assert capfd.readouterr().err.strip() == "tintype: interrupted."


def test_verbose_shows_the_traceback(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Odd.")

    monkeypatch.setattr(cli.LazyGroup, "get_command", fail)
    assert main(["--verbose", "colorize"]) == 1
    error = capfd.readouterr().err
    assert "Traceback" in error
    assert error.endswith("tintype: unexpected RuntimeError: Odd.\n")


def test_one_line_keeps_what_can_be_read() -> None:
    assert one_line("наш дом – 家.jpg") == "наш дом – 家.jpg"
    assert one_line(os.fsdecode(b"\xe9\r\n")) == "\\udce9\\r\\n"


def test_handlers_are_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    main(["--version"])
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_was_to_be_ignored_is() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as nohup does with SIGHUP
    try:
        with stoppable(lambda: None) as stop:
            signal.raise_signal(signal.SIGTERM)
            assert not stop.event.is_set()
            signal.raise_signal(signal.SIGINT)
            assert stop.status == 130
    finally:
        signal.signal(signal.SIGTERM, before)


def test_second_signal_leaves_at_once(tmp_path: Path) -> None:
    code = f"""if True:
        import time
        from pathlib import Path
        from tintype.cli.face import stoppable
        with stoppable(lambda: Path({str(tmp_path / "tidied")!r}).touch()) as stop:
            print("ready", flush=True)
            stop.event.wait()
            print("stopping", flush=True)
            time.sleep(60)"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for state in ("ready\n", "stopping\n"):
            assert process.stdout.readline() == state
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert "once more leaves at once" in process.stderr.read()
    assert (tmp_path / "tidied").exists()


def models_list(out: int | IO[bytes]) -> subprocess.CompletedProcess[bytes]:
    line = [*TINTYPE, "models", "list"]
    return subprocess.run(line, stdout=out, stderr=subprocess.PIPE, check=False)


def test_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = models_list(writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_behind_stdout_is_a_sentence() -> None:
    with open("/dev/full", "wb") as full:
        done = models_list(full)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
