"""``tintype finetune``: train a model further on photographs of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from tintype.cli.progress import work_bar
from tintype.errors import MissingExtra


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The .onnx file to write; use it with --model FILE.",
)
@click.option("--model", default="tintype", show_default=True, help="Name or .onnx to start from.")
@click.option(
    "--validation",
    type=click.Path(path_type=Path),
    metavar="SET",
    help="Folder or tar to judge by. [default: a sixth of PICTURES, held out]",
)
@click.option(
    "--minutes",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="How long to train, about.",
)
@click.option(
    "--pictures-seen", type=click.IntRange(1), help="Train on so many, with repetition, instead."
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Folder of checkpoints and curves; the same folder resumes. [default: runs/NAME]",
)
def finetune(
    pictures: Path,
    output: Path,
    model: str,
    validation: Path | None,
    minutes: float,
    pictures_seen: int | None,
    run: Path | None,
) -> None:
    """Train a model further on PICTURES, colour photographs of one place, era or kind.

    A few dozen to a few hundred are enough. What scores best on the pictures held out is written;
    never anything worse than the start.
    """
    from tintype.zoo import graph_file

    try:
        from tintype.training import finetune as tuning
    except ModuleNotFoundError as error:
        raise MissingExtra("Training", "train") from error

    folder = run or Path("runs") / output.stem
    graph = graph_file(model)
    order = tuning.FineTuning(graph, pictures, output, folder, validation, minutes, pictures_seen)
    answer: list[tuning.FineTuned] = []
    work_bar(tuning.finetune(order, answer))
    for tuned in answer:
        click.echo(
            f"PSNR over grey on the pictures held out: {tuned.before_db:.2f} dB before, "
            f"{tuned.after_db:.2f} dB after; see {folder / 'index.html'}",
            err=True,
        )
        click.echo(tuned.path)
