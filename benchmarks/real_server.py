"""A real ``tintype serve`` on a loopback port, for the benchmarks of the server."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
START_S = 90


@dataclass(frozen=True)
class RealServer:
    """A server in a process of its own."""

    port: int
    pid: int
    log: Path

    @property
    def rss_mb(self) -> float:
        """Its memory without that of jobs, in MB; 0 where there is no /proc."""
        return _status(self.pid, "VmRSS") / 1024

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time that it has used; 0 where there is no /proc."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def files(self) -> int:
        """How many files and connections it has open."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except OSError:
            return 0

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, bytes]:
        """One request on a connection of its own: the status and the body of the answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        """Wait for the network to be loaded."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                if self.ask("GET", "/readyz", timeout=5)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"The server did not start:\n{self.log.read_text()[-2000:]}")


def form_of(data: bytes, name: str) -> tuple[bytes, dict[str, str]]:
    """A form with one file, and the headers that go with it."""
    mark = secrets.token_hex(16)
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{mark}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={mark}"}


@contextmanager
def real_server(folder: Path, model: str, *limits: str) -> Iterator[RealServer]:
    """Start a server whose network is loaded, and stop it afterwards.

    Args:
        folder: for its jobs and its log.
        model: its network.
        limits: each as "NAME=VALUE".
    """
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tintype.cli", "serve", "--port", str(port), "--model", model]
    command += ["--data", str(folder / "data")]
    command += [part for limit in limits for part in ("--limit", limit)]
    log = folder / "log.txt"
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        server = RealServer(port, process.pid, log)
        try:
            server.wait_until_ready()
            yield server
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()


def _status(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
