"""How near the server comes to the engine alone, with many clients at once, and how fair it is.

    python benchmarks/server_load.py [--clients 32] [--seconds 60] [--film FILE] [--model NAME]

The engine alone colours the same files from bytes to bytes with several numbers of workers and
threads; the fastest of these runs again right before and right after the server's turn, and the
mean of the two is what the server is held to. Where other programs use the same cores, the
processor time of a picture says more: it is printed for both. Each client sends the next picture as
soon as it has the last. Clients are threads that wait in ``http.client`` with bodies made
beforehand, so that they leave the cores to the server; what they take all the same is printed. With
a film the server has another turn, while it makes the film, too.
"""

from __future__ import annotations

import argparse
import http.client
import io
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from real_server import HOST, RealServer, form_of, real_server

from tintype import Colorizer
from tintype.runtime import available_cores

TRIAL_S = 5.0
LOOK_S = 2.0


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def make_pictures(count: int, megapixels: float) -> list[bytes]:
    """Smooth grey JPEGs with some grain, 3:2."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    y, x = np.mgrid[0:height, 0 : height * 3 // 2] / height
    made = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        waves = 128 + 80 * np.sin(5 * x + seed) * np.cos(4 * y) + rng.normal(0, 4, x.shape)
        file = io.BytesIO()
        Image.fromarray(np.clip(waves, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        made.append(file.getvalue())
    return made


def engine_alone(
    model: str, pictures: list[bytes], setting: tuple[int, int], seconds: float
) -> tuple[float, float]:
    """Pictures per second from bytes to bytes, and seconds of processor time for each.

    Args:
        model: the network.
        pictures: files, which are coloured in turn.
        setting: workers, and threads of each.
        seconds: how long.
    """
    workers, threads = setting
    colorizer = Colorizer.load(model, threads=threads)
    colorizer.colorize(pictures[0])
    supply = itertools.cycle(pictures)
    own, begun = os.times(), time.perf_counter()

    def work() -> int:
        done = 0
        while time.perf_counter() - begun < seconds:
            colorizer.colorize(next(supply))
            done += 1
        return done

    with ThreadPoolExecutor(workers) as pool:
        done = sum(each.result() for each in [pool.submit(work) for _ in range(workers)])
    now = os.times()
    cpu_s = now.user + now.system - own.user - own.system
    return done / (time.perf_counter() - begun), cpu_s / done


@dataclass
class Turn:
    """What the clients saw."""

    seconds: float = 0.0
    waits: list[list[float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    own_cores: float = 0.0
    cpu_s: float = 0.0
    film: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return sum(map(len, self.waits)) / self.seconds


def client(
    server: RealServer, forms: list[tuple[bytes, dict[str, str]]], until: float, turn: Turn
) -> None:
    """Send picture after picture on one connection, and note how long each took."""
    waits: list[float] = []
    turn.waits.append(waits)
    connection = http.client.HTTPConnection(HOST, server.port, timeout=120)
    for body, headers in itertools.cycle(forms):
        begun = time.perf_counter()
        if begun >= until:
            break
        try:
            connection.request("POST", "/v1/colorize", body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 200 or data[:2] != b"\xff\xd8":
                turn.errors.append(f"{answer.status} {data[:100]!r}")
        except (OSError, http.client.HTTPException) as error:
            turn.errors.append(repr(error))
            connection.close()
        waits.append(time.perf_counter() - begun)
    connection.close()


def take_turn(
    server: RealServer,
    pictures: list[bytes],
    clients: int,
    seconds: float,
    advance: Callable[[], int] | None = None,
) -> Turn:
    """Let the clients at the server for some seconds."""
    forms, turn = [form_of(picture, "a.jpg") for picture in pictures], Turn()
    own, theirs, begun = os.times(), server.cpu_s, time.perf_counter()
    until = begun + seconds
    threads = [
        threading.Thread(target=client, args=(server, forms[i % len(forms) :] + forms, until, turn))
        for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    while time.perf_counter() < until:
        turn.rss.append(server.rss_mb)
        if advance is not None:
            turn.film.append(advance())
        time.sleep(LOOK_S)
    for thread in threads:
        thread.join()
    turn.seconds, now = time.perf_counter() - begun, os.times()
    turn.cpu_s = server.cpu_s - theirs
    turn.own_cores = (now.user + now.system - own.user - own.system) / turn.seconds
    return turn


def report(turn: Turn, name: str, alone: float, alone_cpu_s: float) -> None:
    """Print what came of it."""
    waits = sorted(wait for each in turn.waits for wait in each)
    counts = [len(each) for each in turn.waits]
    if not waits:
        say(f"{name}: nothing was answered; {turn.errors[:3]}")
        return
    fair = len(counts) / turn.rate
    say(f"{name}:")
    say(f"  pictures {len(waits)}, errors {len(turn.errors)} {turn.errors[:3] or ''}")
    say(f"  pictures/s {turn.rate:.2f}, ratio to the engine alone {turn.rate / alone:.3f}")
    cpu_s = turn.cpu_s / len(waits)
    say(
        f"  processor s of a picture {cpu_s:.3f}, of the engine alone {alone_cpu_s:.3f}: "
        f"{alone_cpu_s / cpu_s if cpu_s else 0:.3f}"
    )
    say(
        f"  wait s: median {statistics.median(waits):.2f}, p95 {waits[int(0.95 * len(waits))]:.2f}"
        f", max {waits[-1]:.2f}; in turn it would be {fair:.2f}"
    )
    say(f"  pictures of a client: {min(counts)} to {max(counts)}, mean {np.mean(counts):.1f}")
    say(f"  clients took {turn.own_cores:.2f} cores; load {os.getloadavg()[0]:.1f}")
    every = max(1, len(turn.rss) // 8)
    say("  MB over time: " + " ".join(f"{rss:.0f}" for rss in turn.rss[::every]))
    if turn.film:
        say(f"  frames of the film meanwhile: {turn.film[0]} to {turn.film[-1]}")


def film_of(server: RealServer, film: Path) -> Callable[[], int]:
    """Submit a film; what tells how many of its frames are done."""
    status, answer = server.ask("POST", "/v1/jobs", *form_of(film.read_bytes(), film.name))
    if status != 202:
        raise SystemExit(f"The film was not taken: {answer.decode()}")
    job_id = json.loads(answer)["id"]

    def advance() -> int:
        job = json.loads(server.ask("GET", f"/v1/jobs/{job_id}")[1])
        return int(job["progress"]["done"])

    deadline = time.monotonic() + 60
    while not advance() and time.monotonic() < deadline:
        time.sleep(0.5)
    return advance


def main() -> None:
    """Print the engine's rate, then the server's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--megapixels", type=float, default=1.0)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--model", default="tintype")
    asked = parser.parse_args()
    pictures, cores = make_pictures(8, asked.megapixels), available_cores()
    settings = sorted({(1, cores), (cores, 1), (cores + 1, 1), (cores, cores)})
    say(f"{cores} cores, load {os.getloadavg()[0]:.1f}; pictures of {len(pictures[0])} bytes")
    rates = {each: engine_alone(asked.model, pictures, each, TRIAL_S) for each in settings}
    for (workers, threads), (rate, _) in rates.items():
        say(f"engine alone, {workers} workers of {threads} threads: {rate:.2f} pictures/s")
    best = max(rates, key=lambda each: rates[each])
    long_s = max(TRIAL_S, asked.seconds / 3)
    with tempfile.TemporaryDirectory() as folder, real_server(Path(folder), asked.model) as server:
        take_turn(server, pictures, 4, 3.0)
        before = engine_alone(asked.model, pictures, best, long_s)
        turn = take_turn(server, pictures, asked.clients, asked.seconds)
        after = engine_alone(asked.model, pictures, best, long_s)
        alone, cpu_s = (statistics.mean(pair) for pair in zip(before, after, strict=True))
        say(f"engine alone, best setting {best}: {before[0]:.2f} before, {after[0]:.2f} after")
        report(turn, "the server", alone, cpu_s)
        if asked.film is not None:
            advance = film_of(server, asked.film)
            turn = take_turn(server, pictures, asked.clients, asked.seconds, advance)
            report(turn, "the server, making a film as well", alone, cpu_s)
        time.sleep(2)
        say(f"MB at rest afterwards: {server.rss_mb:.0f}")


if __name__ == "__main__":
    main()
