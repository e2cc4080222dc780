"""``tintype evaluate``: what models score on a set of colour photographs."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tintype.cli.face import face_of, verbose_option
from tintype.cli.progress import work_bar
from tintype.cli.tally import print_line
from tintype.errors import MissingExtra, UnwritableImage, UsageError

if TYPE_CHECKING:
    from tintype.evaluation.benchmark import Order

_GREYS = ("lightness", "luma601", "luma709")


class _Size(click.ParamType[str]):
    """A number of pixels, or "native"."""

    name = "PIXELS|native"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        if text != "native" and not (
            text.isascii() and text.isdecimal() and 32 <= int(text) <= 2048
        ):
            self.fail(f"{text!r} is neither a number of pixels from 32 to 2048 nor native.")
        return text


@click.command(short_help="Measure models on a set of colour photographs.")
@click.option(
    "--models",
    default="grey,oracle,tintype",
    show_default=True,
    metavar="A,B,C",
    help="Names of models, .onnx files, grey (the floor) and oracle (the ceiling); "
    "NAME@1.2 is a model at that strength.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR|TAR",
    help="The photographs, a folder or a tar file.",
)
@click.option("--limit", type=click.IntRange(1, 10**9), metavar="N", help="Only the first N files.")
@click.option(
    "--size",
    type=_Size(),
    default="256",
    show_default=True,
    help="Resize each photograph to a square of this side, aspect ignored, and work at that size; "
    "native measures at full size with the model's own choice.",
)
@click.option(
    "--grey",
    type=click.Choice(_GREYS),
    default="lightness",
    show_default=True,
    help="How a photograph becomes grey: its own L*, or 8-bit luma repeated to RGB.",
)
@click.option(
    "--family",
    metavar="NAME",
    help="What the photographs were drawn from (ImageNet, COCO, ...), so that models which have "
    "seen it are marked. [default: guessed from the name of the set]",
)
@click.option(
    "--features",
    type=click.Path(path_type=Path),
    metavar="NPZ",
    help="SqueezeNet 1.1 as arrays, for the SqueezeNet-feature distance.",
)
@click.option(
    "--downloads",
    is_flag=True,
    help="Measure FID and LPIPS, too; torchmetrics downloads their networks.",
)
@click.option("--threads", type=click.IntRange(1, 512), metavar="N", help="[default: one per core]")
@click.option("--no-timing", is_flag=True, help="Leave out the time per picture.")
@click.option("--no-pictures", is_flag=True, help="Leave the pictures out of the report.")
@click.option(
    "--blind",
    is_flag=True,
    help="Write a page that tests whether people can tell one model's pictures from real ones.",
)
@click.option(
    "--pairs",
    type=click.IntRange(1, 500),
    default=40,
    show_default=True,
    help="Pictures of the blind test.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Where the report goes; calling again after an interruption goes on.",
)
@verbose_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    *,
    models: str,
    data: Path,
    limit: int | None,
    size: str,
    grey: str,
    family: str | None,
    features: Path | None,
    downloads: bool,
    threads: int | None,
    no_timing: bool,
    no_pictures: bool,
    blind: bool,
    pairs: int,
    output: Path,
) -> None:
    """Measure models on a set of colour photographs.

    Writes results.json, results.csv, results.md and report.html; or, with --blind, blind.html.
    """
    try:
        import skimage  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra("Measuring", "eval") from error
    from tintype.evaluation.benchmark import Order
    from tintype.evaluation.contestants import GREYS

    _check_output(output)
    if blind and ctx.get_parameter_source("models") is not ParameterSource.COMMANDLINE:
        models = "tintype"
    order = Order(
        data=data,
        models=tuple(name.strip() for name in models.split(",") if name.strip()),
        limit=limit,
        size=None if size == "native" else int(size),
        grey=GREYS[_GREYS.index(grey)],
        threads=threads,
        timed=not no_timing,
    )
    if blind:
        _blind(order, pairs, output)
        return
    from tintype.evaluation.benchmark import Bench
    from tintype.evaluation.report import write_report
    from tintype.evaluation.run import Run
    from tintype.evaluation.showing import gallery_of

    bench = Bench(order, output / ".unfinished")
    guess = "ImageNet" if "imagenet" in data.resolve().name.lower() else ""
    run = Run(bench, guess if family is None else family, features, downloads, _command())
    work_bar(run.measure())
    if run.results is None:
        raise UsageError("Nothing was measured.")
    gallery = None if no_pictures else gallery_of(bench, run.results.rows)
    paths = write_report(run.results, gallery, output)
    bench.finish()
    for left in bench.left_out:
        face_of(ctx).say(f"left out: {left.reason}")
    for path in paths:
        print_line(str(path))


def _check_output(output: Path) -> None:
    """Find out before the work whether the report can be written.

    Raises:
        UsageError: there is a file.
        UnwritableImage: there is no writing there.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file; -o names a folder.")
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise UnwritableImage(f"{output} cannot be written to: {error.strerror}.") from error


def _blind(order: Order, pairs: int, output: Path) -> None:
    from tintype.evaluation.blind import blind_page
    from tintype.evaluation.showing import blind_pairs
    from tintype.images.replacing import atomic

    size = "full size" if order.size is None else f"{order.size}×{order.size}"
    shown = blind_pairs(order, pairs)  # says what is wrong with the order
    page = blind_page(shown, f"{order.models[0]} at {size}, grey by {order.grey}")
    with atomic(output / "blind.html") as file:
        file.write(page.encode("utf-8"))
    print_line(str(output / "blind.html"))


def _command() -> str:
    """What was called, without the folders of whoever called it."""
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        named = ",".join(re.split(r"[/\\]", part)[-1] for part in value.split(","))
        words.append(f"{option}{equals}{named}")
    return shlex.join(["tintype", *words])
