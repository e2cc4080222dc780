"""``tintype models``: which networks there are, and whether their files are whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tintype.cli.face import face_of, verbose_option
from tintype.cli.tally import print_line
from tintype.errors import TintypeError

if TYPE_CHECKING:
    from tintype.zoo import Weights

_json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
_names_argument = click.argument("names", nargs=-1, metavar="[NAME]...")


@click.group(short_help="List, show, fetch and verify the networks.")
@verbose_option
def models() -> None:
    """List, show, fetch and verify the networks."""


@models.command("list")
@_json_option
def list_command(as_json: bool) -> None:
    """List all models: name, version, size, whether it is here, licence, what each is."""
    from tintype.zoo import list_models

    known = list_models()
    if as_json:
        print_line(json.dumps([_plain(weights) for weights in known]))
        return
    rows = [
        (
            each.name,
            each.version,
            _size(each.size_bytes),
            "yes" if each.is_here else "no",
            each.licence,
            each.summary,
        )
        for each in known
    ]
    for line in _aligned([("NAME", "VERSION", "SIZE", "HERE", "LICENCE", "WHAT IT IS"), *rows]):
        print_line(line)


@models.command("show")
@click.argument("name")
@_json_option
def show_command(name: str, as_json: bool) -> None:
    """Show everything that is recorded about a model."""
    from tintype.zoo import find

    record = _plain(find(name))
    if as_json:
        print_line(json.dumps(record))
        return
    for line in _aligned(
        (f"{key}:", str(value)) for key, value in record.items() if value not in ("", None)
    ):
        print_line(line)


@models.command("fetch")
@_names_argument
@click.option("--offline", is_flag=True, help="Take only what is on this machine already.")
@verbose_option
@click.pass_context
def fetch_command(ctx: click.Context, names: tuple[str, ...], offline: bool) -> int:
    """Fetch the weights of models (all without a NAME), and print where they lie."""
    from tintype.cli.progress import download_bar
    from tintype.zoo import fetch

    def one(name: str) -> str:
        with download_bar(name) as told:
            return str(fetch(name, offline=offline, told=told))

    return _each(ctx, names, one)


@models.command("verify")
@_names_argument
@verbose_option
@click.pass_context
def verify_command(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Compare the weights of models (all without a NAME) with their recorded checksums."""
    from tintype.zoo import verify

    def one(name: str) -> str:
        verify(name)
        return f"{name}: ok"

    return _each(ctx, names, one)


def _each(ctx: click.Context, names: Sequence[str], act: Callable[[str], str]) -> int:
    """Do something for each model, the others when one fails; the exit status."""
    from tintype.zoo import list_models

    face = face_of(ctx)
    failed = False
    for name in names or [each.name for each in list_models()]:
        try:
            print_line(act(name))
        except TintypeError as error:
            face.log(error)
            face.say(f"{name}: {error}")
            failed = True
    return int(failed)


def _plain(weights: Weights) -> dict[str, object]:
    """A record with the place of its file, as JSON can hold it."""
    return asdict(weights) | {"path": str(weights.path), "here": weights.is_here}


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of text in columns; the last column is as wide as it likes."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)][:-1]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in table
    ]
