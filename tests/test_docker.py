"""Dockerfile and compose.yaml say what the command, the packages and the server really have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import click
import pytest

from tintype.cli import cli
from tintype.cli.serve import KEYS_VARIABLE

yaml = pytest.importorskip("yaml")
pytest.importorskip("fastapi")

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with what follows it in one line."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(word, re.sub(r"\s+", " ", rest)) for word, rest in pairs]


def all_of(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


def listed(word: str) -> list[str]:
    found: list[str] = json.loads(all_of(word)[-1].partition("CMD ")[2] or all_of(word)[-1])
    return found


def context_of(arguments: list[str]) -> click.Context:
    """What click makes of the arguments of ``tintype``, without running anything."""
    command = cli.get_command(click.Context(cli), arguments[0])
    assert command is not None, f"there is no command {arguments[0]}"
    return command.make_context(arguments[0], arguments[1:])


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if each["image"] == "tintype"}


def test_image_installs_what_the_project_has() -> None:
    install = next(rest for rest in all_of("RUN") if "pip" in rest)
    (extra,) = re.findall(r"\.whl\)\[(\w+)\]", install)
    assert extra in PROJECT["optional-dependencies"]
    assert "--constraint constraints.txt" in install
    for base in all_of("FROM"):
        version = re.match(r"python:(\d+\.\d+)-slim", base)
        assert version is not None
        assert PROJECT["requires-python"] == f">={version[1]}"


def test_all_that_is_copied_is_there_and_not_ignored() -> None:
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [rest.split()[:-1] for rest in all_of("COPY") if not rest.startswith("--from=build ")]
    names = {name for each in copied for name in each}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert {line[1:] for line in kept if line.startswith("!")} == names
    assert "*" in kept
    needed = {PROJECT["readme"], *PROJECT["license-files"]}
    assert all(any(Path(file).is_relative_to(name) for name in names) for file in needed)


def test_nothing_is_sent_anywhere() -> None:
    assert "ORT_DISABLE_TELEMETRY=1" in all_of("ENV")[-1].split()


def test_nobody_is_root() -> None:
    user, _, group = all_of("USER")[-1].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert f"--uid {user} " in " ".join(all_of("RUN"))
    assert SERVICES["redis"]["user"] not in ("root", "0")


def test_image_serves_where_others_reach_it_and_stores_in_its_volume() -> None:
    assert listed("ENTRYPOINT") == ["tintype"]
    given = context_of(listed("CMD")).params
    assert given["host"] == "0.0.0.0"
    assert str(given["port"]) in all_of("EXPOSE")
    assert str(given["data"]) in all_of("VOLUME")


@pytest.fixture
def fake_server() -> Iterator[HTTPServer]:
    """Answers 200 at /healthz and 404 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_health_is_asked_where_the_server_tells_it(fake_server: HTTPServer) -> None:
    from tintype.server.guard import OPEN
    from tintype.server.routes.service import router

    program, flag, script = listed("HEALTHCHECK")
    address, port = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", script)[0][::-1]
    assert port in all_of("EXPOSE")
    assert address in OPEN
    assert address in {getattr(route, "path", "") for route in router.routes}
    assert (program, flag) == ("python", "-c")

    def status(script: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", script], capture_output=True, check=False
        ).returncode

    here = script.replace(f":{port}/", f":{fake_server.server_port}/")
    assert status(here) == 0
    assert status(here.replace(address, "/elsewhere")) == 1


def test_services_run_commands_that_exist() -> None:
    parsed = {name: context_of(each["command"]) for name, each in OURS.items()}
    assert {context.command.name for context in parsed.values()} == {"serve", "worker"}
    assert parsed["web"].params["workers"] == 0
    assert len({str(context.params["data"]) for context in parsed.values()}) == 1
    for context in parsed.values():
        host = re.match(r"redis://(\w+):6379/", context.params["redis"])
        assert host is not None
        assert host[1] in SERVICES
    assert OURS["worker"]["deploy"]["replicas"] == 2


def test_services_share_the_folder_and_need_a_key() -> None:
    for name, each in OURS.items():
        (mounted,) = each["volumes"]
        volume, _, place = mounted.partition(":")
        assert volume in COMPOSE["volumes"]
        assert place == str(context_of(each["command"]).params["data"]), name
    assert OURS["web"]["environment"][KEYS_VARIABLE].startswith(f"${{{KEYS_VARIABLE}:?")
    assert all(port.startswith("127.0.0.1:") for port in OURS["web"]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_no_more_rights_than_they_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"][0].startswith("/tmp:size=")
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert "queue" in service["networks"]
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert how == {"condition": "service_healthy"}


def test_only_the_server_is_reached_from_outside() -> None:
    assert COMPOSE["networks"]["queue"] == {"internal": True}
    assert [name for name, each in SERVICES.items() if "outside" in each["networks"]] == ["web"]
    assert [name for name, each in SERVICES.items() if "ports" in each] == ["web"]


def test_health_of_a_worker_is_a_script() -> None:
    how, program, flag, script = SERVICES["worker"]["healthcheck"]["test"]
    assert (how, program, flag) == ("CMD", "python", "-c")
    compile(script, "compose.yaml", "exec")
    assert "redis://redis:6379/0" in script
    assert "/data/jobs" in script
