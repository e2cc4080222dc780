"""``tintype colorize``: files, folders, patterns or a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tintype.cli.face import face_of, stoppable, verbose_option
from tintype.cli.film import colorize_films
from tintype.cli.film_options import (
    chosen_film_options,
    chosen_film_work,
    film_options,
    refuse_film_options,
)
from tintype.cli.options import chosen_options, engine_options
from tintype.cli.streams import colorize_streams, is_streamed, standard_input
from tintype.cli.tally import Tally, print_line
from tintype.errors import UsageError
from tintype.video.names import PIPE, is_film
from tintype.video.sniffing import holds_film

if TYPE_CHECKING:
    from tintype.batch.plan import Task
    from tintype.options import Options


@click.command(short_help="Give black-and-white pictures and films their colour.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    help="A file for a single picture or film (- for standard output), a folder for several. "
    "Without it each result lies beside its original.",
)
@click.option(
    "--suffix",
    metavar="TEXT",
    help="Added to the name of each result. [default: -color; nothing in an output folder]",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Make results again that exist, and replace files that are not known to be results.",
)
@click.option(
    "--confidence",
    is_flag=True,
    help="Also write NAME-color-confidence.png beside each result: white where the colours are "
    "surely nearly right.",
)
@click.option(
    "--variants",
    type=click.IntRange(1, 100),
    default=1,
    metavar="N",
    help="Make N plausible colourings of each picture: the likely one, and NAME-color-variant1.EXT "
    "and so on, which differ where the network is unsure. [default: 1]",
)
@engine_options()
@click.option(
    "--device", default="auto", help="Where the network runs: auto, cpu, cuda ... [default: auto]"
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pictures worked on at a time. [default: one more than cores]",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object per picture on stdout.")
@film_options
@verbose_option
@click.pass_context
def colorize(
    ctx: click.Context,
    *,
    inputs: tuple[str, ...],
    output: str | None,
    suffix: str | None,
    overwrite: bool,
    confidence: bool,
    variants: int,
    device: str,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Give black-and-white pictures and films their colour.

    INPUT is a picture, a film, a folder (searched for pictures with everything below it), a
    pattern such as "scans/*.tif", numbered pictures that are a film (scan_%04d.png), the address
    of a stream, or - for standard input. The result of NAME.EXT lies beside it as NAME-color.EXT.
    What is done already is not done again, so a run that was interrupted goes on where it was.
    """
    from tintype.batch.plan import make_plan, plan_for_pipe

    options = chosen_options(ctx)
    pipe = standard_input(inputs)
    if any(is_film(name) for name in inputs) or (pipe is not None and holds_film(pipe.head)):
        if pipe is None and not all(is_film(name) for name in inputs):
            raise UsageError("Films and pictures are coloured in runs of their own.")
        _refuse_for_film(options, confidence, variants, jobs, as_json)
        work = chosen_film_work(ctx, inputs, output, suffix, overwrite, device)
        how = chosen_film_options(ctx)
        if is_streamed(work):
            return colorize_streams(work, options, how, face_of(ctx), pipe)
        return colorize_films(work, options, how, face_of(ctx))
    refuse_film_options(ctx)
    if pipe is not None or output == PIPE:
        _refuse_for_pipe(confidence, variants)
    if variants > 1 and options.variant:
        raise UsageError("--variants makes several colourings, --variant one: give one of them.")
    plan = (
        make_plan(
            inputs,
            output,
            suffix=suffix,
            overwrite=overwrite,
            confidence=confidence,
            variants=variants,
        )
        if pipe is None
        else plan_for_pipe(pipe.read(), output)
    )
    piped = bool(plan.tasks) and plan.tasks[0].target is None
    if piped and sys.stdout is None:
        raise UsageError("Standard output is closed; give the result a file with -o.")
    if piped and as_json:
        raise UsageError("--json needs standard output for itself; give the result a file with -o.")
    if piped and sys.stdout.isatty():
        raise UsageError("A picture does not go to a terminal; give -o, or send it through a pipe.")
    tally = Tally(face_of(ctx), as_json)
    for name, error in plan.refused:
        tally.refuse(name, "failed", str(error))
    for name, reason in plan.left_out:
        tally.refuse(name, "skipped", reason)
    stopped = 0
    if plan.tasks:
        means = _Means(device, jobs, overwrite, confidence, variants)
        stopped = _work(plan.tasks, tally, options, means)
    tally.summarise(plan)
    return stopped or int(bool(tally.counts["failed"] or (piped and not tally.counts["done"])))


def _refuse_for_film(
    options: Options, confidence: bool, variants: int, jobs: int | None, as_json: bool
) -> None:
    if options.hints:
        raise UsageError("--hint is for pictures; films take --reference FRAME@TIME.")
    if jobs is not None or options.batch_size > 1 or as_json:
        raise UsageError("--jobs, --batch-size and --json are for pictures.")
    if confidence:
        raise UsageError("--confidence is for pictures; films have no confidence picture.")
    if variants > 1:
        raise UsageError("--variants is for pictures; a film takes one --variant.")


def _refuse_for_pipe(confidence: bool, variants: int) -> None:
    if confidence:
        raise UsageError("--confidence writes a file beside each result; it does not fit a pipe.")
    if variants > 1:
        raise UsageError("--variants writes several files; it does not fit a pipe.")


@dataclass(frozen=True)
class _Means:
    """How the work is done, as far as it does not change the results."""

    device: str
    jobs: int | None
    overwrite: bool
    confidence: bool
    variants: int


def _work(tasks: Sequence[Task], tally: Tally, options: Options, means: _Means) -> int:
    """Colorize; gives the exit status of the signal that stopped the work, or 0."""
    from tintype.batch import Batch, share_cores
    from tintype.cli.progress import progress
    from tintype.engine import Colorizer
    from tintype.engine.steering import check

    jobs, threads = share_cores(len(tasks), means.jobs)
    colorizer = Colorizer.load(options.model, device=means.device, threads=threads)
    if means.confidence and not colorizer.gives_confidence:
        raise UsageError(f"The model {options.model} does not say how sure it is.")
    if means.variants > 1 and not colorizer.has_variants:
        raise UsageError(f"The model {options.model} knows one colouring only: no variants.")
    check(colorizer, options)
    if options.hints and len({task.source for task in tasks}) > 1:
        raise UsageError("--hint names a place in one picture: give one picture.")
    batch = Batch(colorizer, options, overwrite=means.overwrite)
    with (
        stoppable(batch.abandon) as stop,
        progress(len(tasks), print_line) as bar,
        contextlib.closing(batch.run(tasks, jobs, stop.event)) as outcomes,
    ):
        tally.line = bar.line
        for outcome in outcomes:
            if outcome.data is not None:
                _write_all(outcome.data)
            tally.add(outcome)
            bar.advance(tally.counts["done"], tally.counts["failed"])
    return stop.status


def _write_all(data: bytes) -> None:
    """Write to stdout; without a buffer (PYTHONUNBUFFERED) one call may take only a part."""
    left = memoryview(data)
    while left:
        left = left[sys.stdout.buffer.write(left) :]
