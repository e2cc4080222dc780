"""``tintype prepare``: data sets on disk become shards for training, with a data card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from tintype.cli.face import face_of, verbose_option
from tintype.cli.progress import work_bar
from tintype.cli.tally import print_line

if TYPE_CHECKING:
    from tintype.training.prepare.order import Format, Strata

_LAYOUTS = "kaggle, cifar10, voc, places, classes, folder, tar"


@click.command(short_help="Turn data sets into shards for training, with a data card.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DEST",
    help="The folder to write; calling again after an interruption goes on.",
)
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    metavar="NAME=KIND",
    help=f"Read a source as {_LAYOUTS}. [default: found out]",
)
@click.option(
    "--take",
    "takes",
    multiple=True,
    metavar="NAME=N",
    help="Draw N usable pictures from a source, lowest hashes first. [default: all]",
)
@click.option(
    "--split",
    metavar="SIDES",
    help="Numbers, train=30000,val=10000,test=1000, or parts, train=rest,val=0.1. "
    "[default: train=0.9,val=0.1]",
)
@click.option("--own-splits", is_flag=True, help="A set's own lists and folders say which side.")
@click.option(
    "--stratify",
    type=click.Choice(("none", "source", "skin")),
    default="none",
    show_default=True,
    help="Balance each side over the sources, or over the skin tones of faces.",
)
@click.option(
    "--short-side",
    type=click.IntRange(0, 10_000),
    default=160,
    show_default=True,
    metavar="PIXELS",
    help="Reduce larger pictures to this; 0 keeps their sizes.",
)
@click.option(
    "--least-chroma",
    type=click.FloatRange(0, 200),
    default=3.0,
    show_default=True,
    metavar="C",
    help="Leave out pictures whose mean C*ab is lower: they are grey.",
)
@click.option(
    "--shard-mb",
    type=click.IntRange(1, 100_000),
    default=40,
    show_default=True,
    metavar="MB",
    help="Size of a shard.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(("avif", "webp", "png")),
    default="avif",
    show_default=True,
    help="How pictures are stored; AVIF is 4:4:4.",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    metavar="1-100",
    help="Of AVIF and WebP; WebP at 100 is lossless. [default: avif 80, webp 92]",
)
@click.option("--ready", is_flag=True, help="Store L, ab and bin labels as arrays, too.")
@click.option(
    "--licence",
    "licences",
    multiple=True,
    metavar="NAME=TEXT",
    help="Licence of a source's pictures, for the card. [default: not stated]",
)
@click.option("--privacy", default="", metavar="TEXT", help="Remark on people, for the card.")
@click.option("--overwrite", is_flag=True, help="Replace the set that stands in DEST.")
@verbose_option
@click.pass_context
def prepare(
    ctx: click.Context,
    *,
    sources: tuple[str, ...],
    output: Path,
    layouts: tuple[str, ...],
    takes: tuple[str, ...],
    split: str | None,
    own_splits: bool,
    stratify: str,
    short_side: int,
    least_chroma: float,
    shard_mb: int,
    file_format: str,
    quality: int | None,
    ready: bool,
    licences: tuple[str, ...],
    privacy: str,
    overwrite: bool,
) -> None:
    """Turn data sets into shards for training, with a data card.

    SOURCE is a folder or a tar file, or NAME=path. Unreadable and grey pictures and duplicates are
    left out, the rest is split by the hash of its content: a picture never changes sides.
    """
    from tintype.training.prepare.job import Preparation
    from tintype.training.prepare.order import Order, sources_of
    from tintype.training.prepare.splitting import Split

    order = Order(
        sources=sources_of(sources, layouts, takes, licences),
        target=output,
        split=None if split is None else Split.parse(split),
        own_splits=own_splits,
        stratify=cast("Strata", stratify),
        short_side=short_side,
        least_chroma=least_chroma,
        shard_mb=shard_mb,
        format=cast("Format", file_format),
        quality=quality,
        ready=ready,
        privacy=privacy,
        overwrite=overwrite,
    )
    preparation = Preparation(order)
    work_bar(preparation.run())
    for section in ("summary", "ready arrays"):
        if said := preparation.card.get(section):
            face_of(ctx).say(str(said))
    print_line(str(output / "card.md"))
