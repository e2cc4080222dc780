"""``tintype serve`` and ``tintype worker``: keys, warnings, limits, and how they stop."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server_samples import free_port, listens
from tintype.cli import main


@contextmanager
def serving(
    tmp_path: Path, model: Path, *arguments: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that listens, and its port; it ends with the test."""
    port = free_port()
    command = [sys.executable, "-m", "tintype.cli", "serve", "--port", str(port)]
    command += ["--data", str(tmp_path / "data"), "--model", str(model), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 30
            while not listens(port):
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.05)
            yield process, port
        finally:
            process.kill()


def test_it_serves_until_it_is_terminated(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path, tiny_model) as (process, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20) as answer:
            assert answer.read() == b"ok"
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert f"http://127.0.0.1:{port}" in said
    assert "/docs" in said
    assert "Warning" not in said
    assert "Traceback" not in said


def test_an_open_address_without_a_key_is_warned_of(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path, tiny_model, "--host", "0.0.0.0", "--workers", "0") as (process, _):
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert "Warning: whoever reaches 0.0.0.0" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit", "beauty=3"], "There is no limit"),
        (["--limit", "pixels=many"], "should be a number"),
        (["--limit", "pixels=0"], "above 0"),
        (["--model", "no-such-model"], "no model"),
        (["--redis", "ftp://x"], "no address of a Redis server"),
    ],
)
def test_odd_options_are_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["serve", "--data", str(tmp_path), "--port", "0", *arguments]) in (1, 2)
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_short_keys_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# ours\nabc\n")
    assert main(["serve", "--data", str(tmp_path), "--api-key-file", str(keys)]) == 2
    assert "at least 16" in capsys.readouterr().err
    monkeypatch.setenv("TINTYPE_API_KEYS", "short")
    assert main(["serve", "--data", str(tmp_path)]) == 2


def test_a_taken_address_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_model: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        arguments = ["--data", str(tmp_path), "--port", port, "--model", str(tiny_model)]
        assert main(["serve", *arguments]) == 2
    assert port in capsys.readouterr().err


def test_https_for_the_local_network(tmp_path: Path, tiny_model: Path) -> None:
    import ssl

    chain = tmp_path / "data" / "tls" / "certificate.pem"
    with serving(tmp_path, tiny_model, "--tls", "--workers", "0") as (process, port):
        deadline = time.monotonic() + 20
        while not chain.exists() and time.monotonic() < deadline:  # made when the port is taken
            time.sleep(0.05)
        assert (tmp_path / "data" / "tls" / "key.pem").stat().st_mode & 0o077 == 0
        trusted = ssl.create_default_context(cafile=chain)
        url = f"https://127.0.0.1:{port}/healthz"
        with urllib.request.urlopen(url, timeout=20, context=trusted) as answer:
            assert answer.read() == b"ok"
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert "https://" in said
    assert "/#key=" in said
    assert "▄" in said  # the code
    key = (tmp_path / "data" / "tls" / "api-key").read_text()
    assert f"/#key={key}" in said


def test_who_begins_tls_and_says_no_more_is_cut_off(tmp_path: Path, tiny_model: Path) -> None:
    arguments = ["--tls", "--workers", "0", "--limit", "header_s=0.5"]
    with (
        serving(tmp_path, tiny_model, *arguments) as (_, port),
        socket.create_connection(("127.0.0.1", port), timeout=10) as silent,
    ):
        assert silent.recv(1) == b""


def test_the_key_of_the_page_is_kept(tmp_path: Path) -> None:
    from tintype.server.tls import own_key

    key = own_key(tmp_path / "tls")
    assert len(key) >= 16
    assert own_key(tmp_path / "tls") == key
    assert (tmp_path / "tls" / "api-key").stat().st_mode & 0o077 == 0


def test_a_certificate_is_kept_while_it_serves(tmp_path: Path) -> None:
    from tintype.server.tls import own

    first = own(tmp_path, ("localhost", "127.0.0.1")).chain.read_bytes()
    assert own(tmp_path, ("localhost",)).chain.read_bytes() == first
    assert own(tmp_path, ("192.168.1.5", "localhost")).chain.read_bytes() != first


def test_what_is_no_certificate_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pem").write_text("nothing")
    arguments = ["--tls-cert", str(tmp_path / "a.pem"), str(tmp_path / "a.pem"), "--port", "0"]
    assert main(["serve", "--data", str(tmp_path), *arguments]) == 2
    assert "no certificate" in capsys.readouterr().err
