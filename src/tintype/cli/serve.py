"""``tintype serve``: the HTTP API."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from tintype.cli.face import face_of
from tintype.errors import MissingExtra, UsageError

KEYS_VARIABLE = "TINTYPE_API_KEYS"
_SHORTEST_KEY = 16


Command = TypeVar("Command", bound=Callable[..., object])


def data_option(command: Command) -> Command:
    """The options that server and worker share."""
    for option in reversed(
        (
            click.option(
                "--data",
                type=click.Path(file_okay=False, path_type=Path),
                default="tintype-data",
                show_default=True,
                help="Folder of jobs, uploads and results; machines that work together share it.",
            ),
            click.option(
                "--redis",
                metavar="URL",
                help="Carry the queue through Redis, so that workers on other machines take part. "
                "[default: a file in the folder]",
            ),
            click.option("--device", default="auto", show_default=True, help="As of colorize."),
            click.option(
                "--limit",
                "changes",
                multiple=True,
                metavar="NAME=VALUE",
                help="Change a limit; may be repeated. See docs/server.md.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command(short_help="Serve the HTTP API.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@data_option
@click.option("--model", default="tintype", show_default=True, help="Name, or an .onnx file.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Jobs worked on at a time; 0 leaves them to tintype worker.",
)
@click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File of API keys, one a line; {KEYS_VARIABLE} may hold some, too, apart by commas.",
)
@click.option("--cors-origin", "origins", multiple=True, help="Let pages of this origin call.")
@click.option("--allow-host", "hosts", multiple=True, help="Answer to this name only.")
@click.option(
    "--rate",
    type=click.IntRange(min=0),
    default=0,
    help="Requests per minute of one client. [default: no limit]",
)
@click.option("--trust-proxy", "proxies", multiple=True, help="Believe this proxy's address lists.")
@click.pass_context
def serve(
    ctx: click.Context,
    *,
    host: str,
    port: int,
    data: Path,
    redis: str | None,
    device: str,
    changes: tuple[str, ...],
    model: str,
    workers: int,
    api_key_file: Path | None,
    origins: tuple[str, ...],
    hosts: tuple[str, ...],
    rate: int,
    proxies: tuple[str, ...],
) -> None:
    """Serve the HTTP API: pictures at once, films and folders as jobs, live frames.

    What it offers is described at /docs.
    """
    from tintype.server.settings import Limits, Settings

    settings = Settings(
        data=data.absolute(),
        host=host,
        port=port,
        model=model,
        device=device,
        redis=redis,
        workers=workers,
        api_keys=_keys(api_key_file),
        origins=origins,
        hosts=hosts,
        rate=rate,
        limits=Limits().changed(changes),
    )
    try:
        from tintype.server.run import listen
        from tintype.server.run import serve as run
    except ModuleNotFoundError as error:
        raise MissingExtra("The server", "server") from error
    face = face_of(ctx)
    with listen(settings) as at:
        if not settings.is_local and not settings.api_keys:
            face.say(
                f"Warning: whoever reaches {host} may use this server; --api-key-file asks for a "
                "key."
            )
        place = f"http://{host}:{at.getsockname()[1]}"
        face.say(f"Tintype serves {place}; the API is described at /docs.")
        log_to_stderr()
        run(settings, at, proxies)


def _keys(file: Path | None) -> tuple[str, ...]:
    """The API keys of the file and the environment.

    Raises:
        UsageError: one is so short that it could be guessed.
    """
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    found = [*lines, *os.environ.get(KEYS_VARIABLE, "").split(",")]
    keys = tuple(key for key in map(str.strip, found) if key and not key.startswith("#"))
    if any(len(key) < _SHORTEST_KEY for key in keys):
        raise UsageError(f"An API key has at least {_SHORTEST_KEY} characters.")
    return keys


def log_to_stderr() -> None:
    """What the server and its workers log, one line each."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("huey").setLevel(logging.WARNING)
