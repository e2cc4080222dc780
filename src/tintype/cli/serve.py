"""``tintype serve``: the HTTP API."""

from __future__ import annotations

import logging
import os
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from tintype.cli.face import Face, face_of
from tintype.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from tintype.server.settings import Settings

KEYS_VARIABLE = "TINTYPE_API_KEYS"
_SHORTEST_KEY = 16
_UNTIL_IT_LISTENS_S = 1.0

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
                envvar="TINTYPE_REDIS",
                show_envvar=True,
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
@click.option("--host", help="Address to listen on. [default: 127.0.0.1; every address with --tls]")
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
@click.option(
    "--tls",
    is_flag=True,
    help="HTTPS for the local network, with a certificate made here, a key made up, and the "
    "address as a QR code. Cameras on a phone need it.",
)
@click.option(
    "--tls-cert",
    type=(
        click.Path(exists=True, dir_okay=False, path_type=Path),
        click.Path(exists=True, dir_okay=False, path_type=Path),
    ),
    metavar="CHAIN KEY",
    help="HTTPS with a certificate that you have, as two PEM files.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.pass_context
def serve(
    ctx: click.Context,
    *,
    host: str | None,
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
    tls: bool,
    tls_cert: tuple[Path, Path] | None,
    opens: bool,
) -> None:
    """Serve the page and the HTTP API: pictures at once, films and folders as jobs, live frames.

    What the API offers is described at /docs.
    """
    from tintype.server.settings import Limits, Settings

    keys = _keys(api_key_file)
    settings = Settings(
        data=data.absolute(),
        host=host or ("0.0.0.0" if tls else "127.0.0.1"),
        port=port,
        model=model,
        device=device,
        redis=redis,
        workers=workers,
        api_keys=keys,
        origins=origins,
        hosts=hosts,
        rate=rate,
        limits=Limits().changed(changes),
    )
    try:
        from tintype.server import tls as https
        from tintype.server.run import listen
        from tintype.server.run import serve as run
    except ModuleNotFoundError as error:
        raise MissingExtra("The server", "server") from error
    settings.data.mkdir(0o700, parents=True, exist_ok=True)
    if tls and not keys:
        settings = replace(settings, api_keys=(https.own_key(settings.data / "tls"),))
    with listen(settings) as at:
        certificate, name = None, host or settings.host
        if tls_cert is not None:
            certificate = https.given(*tls_cert)
        elif tls:
            name = https.local_address() if settings.host == "0.0.0.0" else settings.host
            certificate = https.own(settings.data / "tls", (name, "localhost", "127.0.0.1"))
        scheme = "http" if certificate is None else "https"
        address = f"{scheme}://{name}:{at.getsockname()[1]}/"
        made_up = f"#key={settings.api_keys[0]}" if tls and not keys else ""
        _announce(face_of(ctx), settings, address + made_up, as_code=tls)
        if opens:
            threading.Timer(_UNTIL_IT_LISTENS_S, webbrowser.open, [address + made_up]).start()
        log_to_stderr()
        run(settings, at, proxies, certificate)


def _announce(face: Face, settings: Settings, address: str, *, as_code: bool) -> None:
    """Say where the server is, and who may use it."""
    from tintype.server.tls import qr_code

    if not settings.is_local and not settings.api_keys:
        face.say(
            f"Warning: whoever reaches {settings.host} may use this server; --api-key-file asks "
            "for a key."
        )
    face.say(f"Tintype serves {address}; the API is described at /docs.")
    if as_code:
        click.echo(qr_code(address), err=True)
        face.say("Browsers will warn of the certificate once, since it was made here.")


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
