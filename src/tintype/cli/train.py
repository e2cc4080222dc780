"""``tintype train``: train a network from a recipe."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tintype.cli.progress import work_bar
from tintype.errors import MissingExtra


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory that the recipe's paths are relative to.",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Folder of checkpoints and curves; the same folder resumes. [default: runs/RECIPE]",
)
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    help="Checkpoint of another run of the same network, or exported graph, to start from.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of the recipe, such as phases.0.batch=8; may be repeated.",
)
def train(
    recipe: Path, data: Path, run: Path | None, start: Path | None, changes: tuple[str, ...]
) -> None:
    """Train the network of RECIPE; interrupted runs resume when called again.

    On several GPUs or processes: torchrun --nproc-per-node N -m -- tintype.cli train RECIPE ...
    """
    try:
        from tintype.training.recipes import load_recipe
        from tintype.training.trainer import CHECKPOINT
        from tintype.training.trainer import train as run_training
    except ModuleNotFoundError as error:
        raise MissingExtra("Training", "train") from error
    parsed = load_recipe(recipe, changes)
    folder = run or Path("runs") / recipe.stem
    steps = run_training(parsed, data, folder, start)
    if os.environ.get("RANK", "0") != "0":  # of several processes the first one speaks
        for _ in steps:
            pass
        return
    work_bar(steps)
    click.echo(folder / CHECKPOINT)
