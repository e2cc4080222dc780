"""``tintype worker``: do the jobs of a server, on the same machine or another."""

from __future__ import annotations

from pathlib import Path

import click

from tintype.cli.serve import data_option, log_to_stderr
from tintype.errors import MissingExtra


@click.command(short_help="Do the jobs of a server.")
@data_option
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Jobs at a time."
)
def worker(
    *, data: Path, redis: str | None, device: str, changes: tuple[str, ...], workers: int
) -> None:
    """Do the jobs of a server that shares the folder, until it is stopped.

    A job that is stopped goes on elsewhere, or here at the next start.
    """
    from tintype.server.settings import Limits, Settings

    limits = Limits().changed(changes)
    settings = Settings(
        data=data.absolute(), redis=redis, device=device, workers=workers, limits=limits
    )
    try:
        from tintype.server.run import work
    except ModuleNotFoundError as error:
        raise MissingExtra("A worker", "server") from error
    log_to_stderr()
    work(settings)
