"""``tintype export``: a trained checkpoint becomes an ONNX model of the engine."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tintype.download import sha256_of
from tintype.errors import MissingExtra, TrainingError, UsageError
from tintype.quantising import quantise, views_of

if TYPE_CHECKING:
    from tintype.export import Exported
    from tintype.models import Network

_EXAMPLES = 100


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The .onnx file to write; an existing one is replaced when the new one is proved.",
)
@click.option("--name", help="The model's name. [default: the output's name]")
@click.option("--model-version", default="1", show_default=True, help="Of these weights.")
@click.option(
    "--working-size",
    default=256,
    show_default=True,
    type=click.IntRange(32, 4096),
    help="Side in pixels of the square whose area pictures are scaled to.",
)
@click.option(
    "--bins-share",
    type=click.FloatRange(0, 1),
    help="Part of the vivid bins head in the colours. [default: as trained]",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0, 10, min_open=True),
    help="Of the annealed mean of the bins head. [default: as trained]",
)
@click.option(
    "--calm",
    type=click.FloatRange(0, 1),
    help="How much of the rebalancing the bins head takes back. [default: as trained]",
)
@click.option(
    "--int8",
    "examples",
    type=click.Path(exists=True, path_type=Path),
    metavar="SET",
    help="Round weights and activations to 8 bits, with ranges found on 100 pictures of SET, a "
    "folder or tar file: faster, and a little worse.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another option of the network that is no matter of its weights, as in a recipe: "
    "domain=2 of mcgan, top=1 of unet_palette.",
)
def export(
    checkpoint: Path,
    output: Path,
    name: str | None,
    model_version: str,
    working_size: int,
    bins_share: float | None,
    temperature: float | None,
    calm: float | None,
    examples: Path | None,
    changes: tuple[str, ...],
) -> None:
    """Export CHECKPOINT (a run's checkpoint.safetensors) to ONNX and check it against torch."""
    try:
        from tintype import export as exporting
        from tintype.training.checkpoints import load_trained
    except ModuleNotFoundError as error:
        raise MissingExtra("Exporting", "train") from error

    chosen: dict[str, object] = {
        "bins_share": bins_share,
        "temperature": temperature,
        "calm": calm,
    }
    options = {k: v for k, v in chosen.items() if v is not None} | _options_of(changes)
    model, seen = load_trained(checkpoint, options)
    called = name or output.stem
    if examples is None:
        done = exporting.export(model, output, called, model_version, working_size)
    else:
        with tempfile.TemporaryDirectory() as folder:
            exact = Path(folder) / output.name
            done = exporting.export(model, exact, called, model_version, working_size)
            done = _rounded(done, output, examples, working_size)
    click.echo(f"{done.path}: {done.size_bytes / 1e6:.1f} MB, {seen} pictures seen", err=True)
    click.echo(
        f"torch and ONNX Runtime differ by at most {done.parity_ab:.1g} in ab, "
        f"fp16 weights moved it by at most {done.rounding_ab:.2g}",
        err=True,
    )
    click.echo(_record(called, model_version, done, model))


def _options_of(changes: tuple[str, ...]) -> dict[str, object]:
    """The options that KEY=VALUE name, the values as in a recipe."""
    from tintype.training.recipes import put

    options: dict[str, object] = {}
    try:
        for change in changes:
            put(options, change)
    except TrainingError as error:
        raise UsageError(str(error)) from error
    return options


def _rounded(done: Exported, output: Path, examples: Path, size: int) -> Exported:
    """The int8 version of an exported graph."""
    quantise(done.path, output, views_of(examples, _EXAMPLES, size))
    size_bytes = output.stat().st_size
    return replace(done, path=output, sha256=sha256_of(output), size_bytes=size_bytes)


def _record(name: str, version: str, done: Exported, model: Network) -> str:
    """The record of a model, to be pasted into ``zoo`` and completed."""
    from tintype.models import ARCHITECTURES, description_of

    architecture, _ = description_of(model)
    defaults = vars(ARCHITECTURES[architecture][1]())
    changed = tuple((k, v) for k, v in vars(model.config).items() if v != defaults[k])
    fields = {
        "name": name,
        "version": version,
        "sha256": done.sha256,
        "size_bytes": done.size_bytes,
        "licence": "",
        "summary": "",
        "paper": "",
        "architecture": architecture,
        "options": changed,
    }
    lines = (
        f"    {key}={json.dumps(v) if type(v) is str else repr(v)}," for key, v in fields.items()
    )
    return "\n".join(("Weights(", *lines, "),"))
