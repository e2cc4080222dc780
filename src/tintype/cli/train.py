"""``tintype train``: train a network from a recipe."""

from __future__ import annotations

from pathlib import Path

import click

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
    help="Checkpoint of another run of the same network to start from.",
)
def train(recipe: Path, data: Path, run: Path | None, start: Path | None) -> None:
    """Train the network of RECIPE; interrupted runs resume when called again."""
    try:
        from tintype.training.config import load_recipe
        from tintype.training.trainer import train as run_training
    except ModuleNotFoundError as error:
        raise MissingExtra("Training", "train") from error
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    parsed = load_recipe(recipe)
    folder = run or Path("runs") / recipe.stem
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=parsed.pictures)
        for progress in run_training(parsed, data, folder, start):
            bar.update(task, completed=progress.done, description=progress.stage)
    click.echo(folder / "checkpoint.safetensors")
