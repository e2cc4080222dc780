"""``tintype models``: which networks there are, what they are made of, whether files are whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tintype.cli.face import face_of, verbose_option
from tintype.cli.tally import print_line
from tintype.errors import MissingExtra, ModelNotFound, TintypeError, UsageError

if TYPE_CHECKING:
    from tintype.cli.progress import Advance
    from tintype.models.layers import LayerTable
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
            _yes(each.is_here),
            each.licence,
            each.summary,
        )
        for each in known
    ]
    for line in _aligned([("NAME", "VERSION", "SIZE", "HERE", "LICENCE", "WHAT IT IS"), *rows]):
        print_line(line)


@models.command("show")
@click.argument("name")
@click.option(
    "--layers",
    is_flag=True,
    help="Show the layers: output shapes, parameters, multiplications. NAME may also be an "
    'architecture, for example eccv16. Needs the packages of the extra "train".',
)
@click.option(
    "--size",
    type=click.IntRange(32, 4096),
    metavar="PIXELS",
    help="With --layers: side of the square picture. [default: 256]",
)
@click.option("--markdown", is_flag=True, help="With --layers: the table as model cards hold it.")
@_json_option
def show_command(
    name: str, *, layers: bool, size: int | None, markdown: bool, as_json: bool
) -> None:
    """Show everything that is recorded about a model, or its layers."""
    if not layers and (size or markdown):
        raise UsageError("--size and --markdown belong to --layers.")
    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other.")
    if layers:
        _show_layers(name, size or 256, markdown=markdown, as_json=as_json)
        return
    from tintype.zoo import find

    weights = find(name)
    if as_json:
        print_line(json.dumps(_plain(weights)))
        return
    rows = ((f"{key}:", _told(value)) for key, value in _plain(weights).items())
    for line in _aligned((key, told) for key, told in [*rows, *_advice(weights)] if told):
        print_line(line)


@models.command("fetch")
@_names_argument
@click.option("--offline", is_flag=True, help="Take only what is on this machine already.")
@verbose_option
@click.pass_context
def fetch_command(ctx: click.Context, names: tuple[str, ...], offline: bool) -> int:
    """Fetch the weights of models, and print where they lie.

    Without a NAME: all that can be fetched as they are. eccv16-zhang and siggraph17-zhang, the
    networks of other authors, come by name only: 130 MB each are downloaded from their authors
    and converted on this machine, once, which needs the packages of the extra "train".
    """
    from tintype.cli.progress import download_bar
    from tintype.zoo import fetch, list_models

    plain = [each for each in list_models() if each.is_here or each.url or each.file]
    left = [each.name for each in list_models() if each not in plain]
    if not names and left:
        face_of(ctx).say(f"Left out: {', '.join(left)}; tintype models show NAME says why.")

    def one(name: str) -> str:
        get = fetch if offline else _fetcher(ctx, name)
        with download_bar(name) as told:
            return str(get(name, offline, told))

    return _each(ctx, names or [each.name for each in plain], one)


@models.command("verify")
@_names_argument
@verbose_option
@click.pass_context
def verify_command(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Compare the weights of models (without a NAME: all that are here) with their checksums."""
    from tintype.zoo import list_models, verify

    def one(name: str) -> str:
        verify(name)
        return f"{name}: ok"

    return _each(
        ctx, names or [each.name for each in list_models() if each.is_here or each.file], one
    )


def _each(ctx: click.Context, names: Sequence[str], act: Callable[[str], str]) -> int:
    """Do something for each model, the others when one fails; the exit status."""
    face = face_of(ctx)
    failed = False
    for name in names:
        try:
            print_line(act(name))
        except TintypeError as error:
            face.log(error)
            face.say(f"{name}: {error}")
            failed = True
    return int(failed)


def _fetcher(ctx: click.Context, name: str) -> Callable[[str, bool, Advance], Path]:
    """What fetches it: as it is, or converting it, which takes torch (said before a download)."""
    from tintype.zoo import fetch, find

    record = find(name)
    if record.checkpoint is None or record.is_here:
        return fetch
    try:
        from tintype.published import fetch_published
    except ModuleNotFoundError as error:
        raise MissingExtra("Converting what its authors published", "train") from error
    face_of(ctx).say(f"{name}: once its checkpoint is here, it is converted in about a minute.")
    return fetch_published


def _show_layers(name: str, size: int, *, markdown: bool, as_json: bool) -> None:
    from tintype.zoo import list_models

    try:
        from tintype.models import ARCHITECTURES
        from tintype.models.layers import layer_table, weightless
    except ModuleNotFoundError as error:
        raise MissingExtra("Showing layers", "train") from error

    networks = {each: (each, dict[str, object]()) for each in ARCHITECTURES}
    networks |= {each.name: (each.architecture, dict(each.options)) for each in list_models()}
    if name not in networks:
        raise ModelNotFound(
            f'There is no model or architecture "{name}"; known are {", ".join(networks)}.'
        )
    architecture, options = networks[name]
    if not architecture:
        raise ModelNotFound(
            f'Nobody recorded of which architecture "{name}" is; '
            f"name one instead: {', '.join(ARCHITECTURES)}."
        )
    table = layer_table(weightless(architecture, options), size)
    if as_json:
        made = {"name": name, "architecture": architecture, "options": options}
        print_line(json.dumps(made | _counted(table)))
        return
    for line in [table.markdown()] if markdown else _drawn(table):
        print_line(line)


def _counted(table: LayerTable) -> dict[str, object]:
    totals = {"parameters": table.parameters, "trainable": table.trainable, "other": table.other}
    layers = [asdict(layer) | {"parameters": layer.parameters} for layer in table.layers]
    return {"size": table.size, "macs": table.macs} | totals | {"layers": layers}


def _drawn(table: LayerTable) -> list[str]:
    from tintype.models.layers import COLUMNS

    return [*_aligned([tuple(map(str.upper, COLUMNS)), *table.rows()], right=3), table.legend]


def _plain(weights: Weights) -> dict[str, object]:
    """A record with the place of its file, as JSON can hold it."""
    here = {"path": str(weights.path), "here": weights.is_here}
    return asdict(weights) | {"options": dict(weights.options)} | here


def _advice(weights: Weights) -> list[tuple[str, str]]:
    """What to do for a model that is not here."""
    from tintype.zoo import how_to_get

    return [] if weights.is_here else [("to get it:", how_to_get(weights))]


def _told(value: object) -> str:
    """A field of a record as people read it; empty when there is nothing to say."""
    match value:
        case None:
            return ""
        case bool():
            return _yes(value)
        case tuple() | list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key}={each}" for key, each in value.items())
    return str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.0f} kB"


def _aligned(rows: Iterable[Sequence[str]], right: int = 0) -> list[str]:
    """Rows of text in columns, the last few flush right; else the last is as wide as it likes."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    if not right:
        widths[-1] = 0
    first = len(widths) - right
    return [
        "  ".join(
            cell.ljust(width) if column < first else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
