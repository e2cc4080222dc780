"""docs/server.md: its clients work, its curl fits the API, its tables are true."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from conftest import GreyWriter, grey_pixels
from tintype.cli.serve import serve as serve_command
from tintype.cli.worker import worker as worker_command

pytest.importorskip("fastapi")

from tintype.server.app import create_app
from tintype.server.metrics import Metrics
from tintype.server.run import server as new_server
from tintype.server.settings import Limits, Settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
HERE = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(PAGE) if kind == language]


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first line is ``head``."""
    table = PAGE.partition(f"\n{head}\n")[2].partition("\n\n")[0]
    lines = table.splitlines()[1:]
    assert lines, f"there is no table {head}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def commands() -> list[list[str]]:
    """Every command of every block for the shell, as words."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    inner = [re.sub(r"^ID=\$\((.*) \| sed .*\)$", r"\1", line) for line in lines]
    return [words for line in inner if (words := shlex.split(line, comments=True))]


@pytest.fixture(scope="module")
def address(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server with the tiny network listens."""
    data = tmp_path_factory.mktemp("data")
    running = new_server(Settings(data=data, model=str(tiny_model), device="cpu"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not running.started and time.monotonic() < deadline:
                time.sleep(0.02)
            assert running.started
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture
def pictures(here: Path, write_grey: GreyWriter, write_colour: GreyWriter) -> Path:
    """A folder with what the page's examples name."""
    write_grey(here / "grandma.jpg")
    write_colour(here / "coat.jpg")
    for number in range(3):
        write_grey(here / "frames" / f"{number}.jpg", seed=number)
    with av.open(str(here / "reel.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        grey = np.repeat(grey_pixels(48, 64)[..., None], 3, axis=2)
        for _ in range(8):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        film.mux(stream.encode())
    shutil.make_archive("album", "zip", here, "grandma.jpg")
    return here


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def first_bytes(path: Path) -> bytes:
    return path.read_bytes()[:4]


JPEG, MATROSKA = b"\xff\xd8\xff", b"\x1a\x45\xdf\xa3"


def test_client_in_python(address: str, pictures: Path) -> None:
    if importlib.util.find_spec("httpx") is None:
        pytest.importorskip("httpx2")
        (pictures / "httpx.py").write_text("from httpx2 import *\n", encoding="utf-8")
    pytest.importorskip("websockets")
    (script,) = blocks("python")
    (pictures / "client.py").write_text(script.replace(HERE, address), encoding="utf-8")
    said = run(sys.executable, "client.py", cwd=pictures).splitlines()
    assert said[0] == "tiny 1"
    assert "done 8 of 8" in said
    assert said[-1].startswith("{'frame': 3, 'dropped': 0, ")
    assert first_bytes(pictures / "grandma-color.jpg").startswith(JPEG)
    assert first_bytes(pictures / "reel-color.mkv") == MATROSKA
    assert len(list((pictures / "frames").glob("*.color.jpg"))) == 3


_USE_IN_NODE = """
import { readFileSync, writeFileSync } from "node:fs";
const given = (name) => new File([readFileSync(name)], name);
const save = async (name, blob) => writeFileSync(name, Buffer.from(await blob.arrayBuffer()));
await save("grandma-color.jpg", await colorize(given("grandma.jpg")));
await colorize(given("reel.mp4")).catch((error) => console.log("refused:", error.message));
let last;
const result = await colorizeFilm(given("reel.mp4"), (progress) => { last = progress; });
console.log("progress", last.done, last.total);
await save("reel-color.mp4", await (await fetch(result)).blob());
await new Promise((resolve) => {
  const view = liveView((frame) => save("frame.jpg", frame).then(view.close).then(resolve));
  const sent = () => view.send(given("grandma.jpg")) !== false;
  const wait = setInterval(() => sent() && clearInterval(wait), 20);
});
"""


def test_client_in_javascript(address: str, pictures: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not there")
    flags = ["--experimental-websocket", "--experimental-eventsource", "--no-warnings"]
    probe = "process.exit(typeof WebSocket + typeof EventSource + typeof File === '"
    probe += "functionfunctionfunction' ? 0 : 1)"
    if subprocess.run([node, *flags, "-e", probe], capture_output=True, check=False).returncode:
        pytest.skip("this node has no WebSocket, EventSource or File")
    (script,) = blocks("js")
    text = script.replace(HERE, address) + _USE_IN_NODE
    (pictures / "client.mjs").write_text(text, encoding="utf-8")
    said = run(node, *flags, "client.mjs", cwd=pictures).splitlines()
    assert said[0].startswith("refused: ")
    assert said[-1] == "progress 8 8"
    for name in ("grandma-color.jpg", "frame.jpg"):
        assert first_bytes(pictures / name).startswith(JPEG)
    assert (pictures / "reel-color.mp4").read_bytes()[4:8] == b"ftyp"


def test_curl_as_it_stands_there(address: str, pictures: Path) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("curl or bash is not there")
    (script,) = (block for block in blocks("sh") if "# A film: submit it" in block)
    said = run("bash", "-ec", script.replace(HERE, address), cwd=pictures)
    assert '"state":"done"' in said
    assert "problem" not in said
    assert first_bytes(pictures / "coat-color.jpg").startswith(JPEG)
    assert first_bytes(pictures / "reel-color.mkv") == MATROSKA


@pytest.fixture(scope="module")
def described(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The description of the API."""
    data = tmp_path_factory.mktemp("described")
    found: dict[str, Any] = create_app(Settings(data=data, model=str(tiny_model))).openapi()
    return found


def properties(described: dict[str, Any], path: str) -> dict[str, Any]:
    content = described["paths"][path]["post"]["requestBody"]["content"]
    found: dict[str, Any] = content["multipart/form-data"]["schema"]["properties"]
    return found


def test_curl_names_paths_and_fields_of_the_api(described: dict[str, Any]) -> None:
    called = [words for words in commands() if words[0] == "curl"]
    assert len(called) > 10
    for words in called:
        (url,) = (word for word in words if word.startswith("http"))
        path = url.removeprefix(HERE).replace("$ID", "{job_id}")
        sent = [words[at + 1] for at, word in enumerate(words) if word == "-F"]
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if sent else "GET"
        assert method.lower() in described["paths"][path], words
        if sent:
            known = properties(described, path)
            assert {field.partition("=")[0] for field in sent} <= set(known)


def test_table_of_requests_is_the_api(described: dict[str, Any]) -> None:
    told = set()
    for cell, _ in rows("| request | what it does |"):
        told |= set(re.findall(r"`(\w+) ([^`]+)`", cell))
    has = {(m.upper(), path) for path, each in described["paths"].items() for m in each}
    assert told == has | {("WebSocket", "/v1/live")}


def test_table_of_fields_is_the_form(described: dict[str, Any]) -> None:
    told = {
        name: of
        for cell, of, _ in rows("| field of the form | of | what it does |")
        for name in re.findall(r"`(\w+)`", cell)
    }
    jobs, pictures = (properties(described, path) for path in ("/v1/jobs", "/v1/colorize"))
    assert set(told) == set(jobs)
    assert {name for name, of in told.items() if of != "films"} == set(pictures)
    containers = re.search(r"suffix of the result: ([^|]+) \|", PAGE)
    assert containers is not None
    assert containers[1].split() == [each for each in jobs["container"]["enum"] if each]


def test_options_of_the_page_exist() -> None:
    known = {
        "serve": {opt for param in serve_command.params for opt in param.opts},
        "worker": {opt for param in worker_command.params for opt in param.opts},
    }
    used = [words for words in commands() if words[0] == "tintype"]
    assert {words[1] for words in used} == {"serve", "worker"}
    for words in used:
        flags = {word for word in words if word.startswith("--")}
        assert flags - {"--help"} <= known[words[1]], words
    in_text = set(re.findall(r"`(--[a-z-]+)", re.sub(FENCE, "", PAGE)))
    assert in_text <= known["serve"]


def test_table_of_metrics_is_what_is_counted() -> None:
    told = {cell.strip("`") for cell, *_ in rows("| name | labels | what it counts |")}
    kinds = {"counter": "_total"}
    families = Metrics().registry.collect()
    has = {family.name + kinds.get(family.type, "") for family in families}
    assert {name for name in told if "*" not in name} == {
        name for name in has if not name.startswith("process_")
    }


def _shown(name: str, value: float) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if name.endswith("_bytes") and value >= size:
            return f"{value} ({value / size:g} {unit})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def limits_table() -> str:
    lines = ["| limit | default | what it bounds |", "|---|---|---|"]
    for each in fields(Limits):
        shown = _shown(each.name, getattr(Limits(), each.name))
        lines.append(f"| `{each.name}` | {shown} | {each.metadata['help']} |")
    return "\n".join(lines)


def test_table_of_limits_is_what_holds() -> None:
    told = re.search(r"<!-- limits: .*? -->\n(.*?)<!-- end of limits -->", PAGE, re.DOTALL)
    assert told is not None
    assert told[1].strip() == limits_table(), f"docs/server.md should say:\n{limits_table()}"
