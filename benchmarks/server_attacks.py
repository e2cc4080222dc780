"""What the server does when it is attacked, and how it is afterwards: a table.

    python benchmarks/server_attacks.py [--rounds 1] [--seconds 12] [--model NAME]

Each attack goes against the same real server, with a deadline; then it is seen how long the server
takes to say that it is well, whether it still colours a picture, and how its memory and its open
files are. Deadlines of the server are shorter than usual, so that all of it takes minutes; several
rounds show whether memory grows. Only this machine is attacked.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import re
import socket
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from PIL import Image
from real_server import HOST, RealServer, form_of, real_server

LIMITS = ("header_s=3", "body_s=4", "unread_s=3", "wait_s=20", "job_s=60")
AT_ONCE = 200
CROWD = 2000

Outcomes = Counter[str]
Attack = Callable[[RealServer, float], Awaitable[Outcomes]]


def grey(side: int, seed: int = 0) -> bytes:
    """A grey picture that cannot be packed well."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def png(width: int, height: int, rows: int) -> bytes:
    """A black PNG that says its size and holds so many rows."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"\0" * (width + 1)) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    )


def outcome_of(answer: bytes) -> str:
    """What an answer was, in short."""
    found = re.findall(rb"^HTTP/1.1 (\d+)", answer, re.MULTILINE)
    return " ".join(each.decode() for each in found[:3]) if found else "cut off"


async def talk(
    server: RealServer,
    first: bytes,
    until: float,
    *,
    then: bytes = b"",
    every_s: float = 1.0,
    reads: bool = True,
) -> str:
    """Send something, then go on byte by byte; what came of it in the end."""
    try:
        reader, writer = await asyncio.open_connection(HOST, server.port)
    except OSError as error:
        return type(error).__name__
    answer = b""
    try:
        writer.write(first)
        for at in range(10_000):
            left = until - time.monotonic()
            if left <= 0:
                return "still open"
            if not reads:
                writer.write(then)
                if writer.is_closing() or reader.exception():
                    return "cut off"
                await asyncio.sleep(min(left, every_s))
                continue
            try:
                piece = await asyncio.wait_for(reader.read(1 << 16), min(left, every_s))
            except TimeoutError:
                if then:
                    writer.write(then[at % len(then) : at % len(then) + 1])
                continue
            if not piece:
                return outcome_of(answer)
            answer += piece[: max(0, 65536 - len(answer))]
    except OSError:
        return outcome_of(answer) if answer else "cut off"
    finally:
        writer.transport.abort()
    return "still open"


async def many(count: int, each: Callable[[int], Awaitable[str]]) -> Outcomes:
    """So many at once; what came of them."""
    return Counter(await asyncio.gather(*(each(number) for number in range(count))))


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def silence(server: RealServer, until: float) -> Outcomes:
    """Connections that say nothing."""
    return await many(AT_ONCE, lambda _: talk(server, b"", until))


async def slow_heads(server: RealServer, until: float) -> Outcomes:
    """A byte of a head every second."""
    return await many(
        AT_ONCE, lambda _: talk(server, b"GET / HTTP/1.1\r\n", until, then=b"X-A: b\r\n")
    )


async def slow_bodies(server: RealServer, until: float) -> Outcomes:
    """A byte of a picture every second."""
    start = head("/v1/colorize", "Content-Type: application/json", "Content-Length: 1000000")
    return await many(AT_ONCE, lambda _: talk(server, start, until, then=b" "))


async def slow_jobs(server: RealServer, until: float) -> Outcomes:
    """A byte of a film every second."""
    start = head(
        "/v1/jobs", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 1000000000"
    )
    start += b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    return await many(AT_ONCE, lambda _: talk(server, start, until, then=b"x"))


async def unread_answers(server: RealServer, until: float) -> Outcomes:
    """Large answers that nobody reads."""
    start = 20 * head("/docs/files/swagger-ui-bundle.js", method="GET")

    async def one(_: int) -> str:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(connection, (HOST, server.port))
            await loop.sock_sendall(connection, start)
            while time.monotonic() < until:
                await asyncio.sleep(0.5)
                try:
                    await asyncio.wait_for(loop.sock_sendall(connection, b"\r\n"), 0.5)
                except OSError as error:
                    return "cut off" if not isinstance(error, TimeoutError) else "still open"
        except OSError:
            return "cut off"
        finally:
            connection.close()
        return "still open"

    return await many(100, one)


async def crowd(server: RealServer, until: float) -> Outcomes:
    """Two thousand connections that each ask once they are all there."""
    request = head("/healthz", "Connection: close", method="GET")
    gate = asyncio.Event()

    async def one(number: int) -> str:
        try:
            reader, writer = await asyncio.open_connection(HOST, server.port)
        except OSError as error:
            return type(error).__name__
        try:
            if number == CROWD - 1:
                gate.set()
            await asyncio.wait_for(gate.wait(), max(0.1, until - time.monotonic()))
            writer.write(request)
            wait_s = max(0.1, until - time.monotonic())
            return outcome_of(await asyncio.wait_for(reader.read(), wait_s))
        except TimeoutError:
            return "still open"
        except OSError:
            return "cut off"
        finally:
            writer.transport.abort()

    return await many(CROWD, one)


async def noise(server: RealServer, until: float) -> Outcomes:
    """Random bytes, some after the first line of a request."""
    rng = random.Random(0)
    starts = (b"", b"GET / HTTP/1.1\r\n", head("/v1/colorize", "Transfer-Encoding: chunked"))
    sent = [rng.choice(starts) + rng.randbytes(rng.randint(1, 4000)) for _ in range(500)]
    return await many(len(sent), lambda number: talk(server, sent[number], until))


async def floods_of_headers(server: RealServer, until: float) -> Outcomes:
    """Heads of half a megabyte."""
    request = head("/", *(f"X-{i}: {'y' * 50}" for i in range(8000)), method="GET")
    return await many(50, lambda _: talk(server, request, until))


async def pictures(server: RealServer, until: float, data: bytes, count: int) -> Outcomes:
    """The same upload several times at once."""
    body, headers = form_of(data, "a.png")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    request = head("/v1/colorize", *lines, f"Content-Length: {len(body)}", "Connection: close")
    return await many(count, lambda _: talk(server, request + body, until))


async def claims(server: RealServer, until: float) -> Outcomes:
    """PNGs that say they have 40,000 × 40,000 pixels."""
    return await pictures(server, until, png(40_000, 40_000, 10), 100)


async def bombs(server: RealServer, until: float) -> Outcomes:
    """PNGs of 49 megapixels in 50 kilobytes, which are within the limits."""
    return await pictures(server, until, png(7000, 7000, 7000), 6)


async def oversized(server: RealServer, until: float) -> Outcomes:
    """Bodies without a length that go beyond the limit."""
    start = head("/v1/colorize", "Content-Type: application/json", "Transfer-Encoding: chunked")
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"

    async def one(_: int) -> str:
        try:
            reader, writer = await asyncio.open_connection(HOST, server.port)
            writer.write(start)
            for _ in range(100):
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), max(0.1, until - time.monotonic()))
            return outcome_of(await asyncio.wait_for(reader.read(), 5))
        except TimeoutError:
            return "still open"
        except OSError:
            return "cut off"
        finally:
            writer.transport.abort()

    return await many(12, one)


async def gone(server: RealServer, until: float) -> Outcomes:
    """Pictures whose senders leave at once."""
    body, headers = form_of(grey(600), "a.jpg")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    request = head("/v1/colorize", *lines, f"Content-Length: {len(body)}") + body

    async def one(_: int) -> str:
        try:
            _, writer = await asyncio.open_connection(HOST, server.port)
            writer.write(request)
            await asyncio.wait_for(writer.drain(), max(0.1, until - time.monotonic()))
        except OSError:
            return "cut off"
        await asyncio.sleep(0.2)
        writer.transport.abort()
        return "gone"

    return await many(60, one)


async def unread_views(server: RealServer, until: float) -> Outcomes:
    """Live views that send frames and read nothing."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    frame = grey(1000)

    async def one(_: int) -> str:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (HOST, server.port))
            address = f"ws://{HOST}:{server.port}/v1/live"
            async with connect(address, sock=connection, max_queue=1, close_timeout=0.1) as view:
                while time.monotonic() < until:
                    await asyncio.wait_for(view.send(frame), max(0.1, until - time.monotonic()))
                    await asyncio.sleep(0.1)
        except WebSocketException as error:
            code = getattr(getattr(error, "rcvd", None), "code", None)
            return f"closed {code}" if code else "cut off"
        except OSError:
            return "cut off"
        finally:
            connection.close()
        return "still open"

    return await many(12, one)


async def hostile_jobs(server: RealServer, until: float) -> Outcomes:
    """Zips that lead elsewhere or swell, and lists that are called films."""
    swelling, leading = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(swelling, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.png", png(20_000, 20_000, 2000))
    with zipfile.ZipFile(leading, "w") as archive:
        archive.writestr("../../evil.jpg", b"x")
    playlist = b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"
    sent = (("a.zip", swelling.getvalue()), ("b.zip", leading.getvalue()), ("c.mp4", playlist))
    said: Outcomes = Counter()
    for name, data in sent:
        status, body = await asyncio.to_thread(server.ask, "POST", "/v1/jobs", *form_of(data, name))
        state = str(status)
        if status == 202:
            address = f"/v1/jobs/{json.loads(body)['id']}"
            while time.monotonic() < until and state not in ("done", "failed"):
                await asyncio.sleep(0.3)
                state = json.loads((await asyncio.to_thread(server.ask, "GET", address))[1])[
                    "state"
                ]
        said[state] += 1
    return said


ATTACKS: tuple[Attack, ...] = (
    *(silence, slow_heads, slow_bodies, slow_jobs, unread_answers, crowd, noise),
    *(floods_of_headers, claims, bombs, oversized, gone, unread_views, hostile_jobs),
)


def health(server: RealServer, picture: tuple[bytes, dict[str, str]]) -> str:
    """How long the server takes to say that it is well, and to colour a picture."""
    begun = time.perf_counter()
    try:
        well = server.ask("GET", "/healthz", timeout=30)[0] == 200
        after = time.perf_counter()
        status = server.ask("POST", "/v1/colorize", *picture, timeout=60)[0]
    except OSError as error:
        return f"NOT WELL: {error!r}"
    told = "well" if well and status == 200 else f"NOT WELL ({status})"
    return f"{told}, {after - begun:.2f} s; a picture {time.perf_counter() - after:.1f} s"


def told(found: Outcomes) -> str:
    """Outcomes as text, the most frequent first."""
    return ", ".join(f"{count} × {what}" for what, count in found.most_common(5))


def line(*cells: str) -> None:
    """Print a line of the table at once."""
    sys.stdout.write("| " + " | ".join(cells) + " |\n")
    sys.stdout.flush()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=12.0, help="of one attack")
    parser.add_argument("--model", default="tintype")
    asked = parser.parse_args()
    picture = form_of(grey(300), "a.jpg")
    with (
        tempfile.TemporaryDirectory() as folder,
        real_server(Path(folder), asked.model, *LIMITS) as server,
    ):
        health(server, picture)
        sys.stdout.write(f"limits {' '.join(LIMITS)}; load {os.getloadavg()[0]:.1f}\n\n")
        line("attack", "s", "what was answered", "health after", "MB before, after", "files")
        line(*6 * ["---"])
        for _ in range(asked.rounds):
            for attack in ATTACKS:
                before, begun = server.rss_mb, time.monotonic()
                found = asyncio.run(attack(server, begun + asked.seconds))
                lasted = f"{time.monotonic() - begun:.0f}"
                how = health(server, picture)
                time.sleep(1)
                memory = f"{before:.0f}, {server.rss_mb:.0f}"
                what = str(attack.__doc__).rstrip(".")
                line(what, lasted, told(found), how, memory, str(server.files))
        sys.stdout.write(f"\nlines of the log with a traceback: {_tracebacks(server.log)}\n")


def _tracebacks(log: Path) -> int:
    return log.read_text(errors="replace").count("Traceback")


if __name__ == "__main__":
    main()
