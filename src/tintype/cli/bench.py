"""``tintype bench``: how fast each model is on this machine, and how much memory it takes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from tintype import zoo
from tintype.cli.face import Face, face_of, verbose_option
from tintype.cli.progress import work_bar
from tintype.errors import MissingExtra, TintypeError, UsageError
from tintype.evaluation.speed import PEERS, Job, Speeds, quantised
from tintype.quantising import is_int8
from tintype.runtime import available_cores


@click.command(short_help="Measure speed and memory on this machine.")
@click.option(
    "--models",
    default="tintype",
    show_default=True,
    metavar="A,B",
    help="Names of models or .onnx files; ECCV16 and SIGGRAPH17 are measured beside them.",
)
@click.option(
    "--size",
    default=256,
    show_default=True,
    type=click.IntRange(32, 2048),
    metavar="PIXELS",
    help="Side of the square picture, a multiple of 32.",
)
@click.option("--threads", type=click.IntRange(1, 512), metavar="N", help="[default: one per core]")
@click.option(
    "--device", "devices", multiple=True, metavar="NAME", help="Can be repeated. [default: cpu]"
)
@click.option("--no-peers", is_flag=True, help="Leave out ECCV16 and SIGGRAPH17.")
@click.option("--no-int8", is_flag=True, help="Leave out the int8 rows.")
@verbose_option
@click.pass_context
def bench(
    ctx: click.Context,
    *,
    models: str,
    size: int,
    threads: int | None,
    devices: tuple[str, ...],
    no_peers: bool,
    no_int8: bool,
) -> int:
    """Measure speed and memory on this machine.

    Each row runs in a process of its own. ECCV16 and SIGGRAPH17 have random weights, which are as
    fast as any; int8 graphs are calibrated on noise and good for nothing but timing. Both need
    the packages of the extra "train". Let the machine do nothing else meanwhile.
    """
    if size % 32:
        raise UsageError(f"--size must be a multiple of 32, not {size}.")
    face = face_of(ctx)
    count = threads or available_cores()
    with tempfile.TemporaryDirectory(prefix="tintype-bench-") as folder:
        graphs = {name: zoo.graph_file(name) for name in _names(models)}
        if not no_peers:
            graphs |= _peers(Path(folder), face)
        floats = {name: graph for name, graph in graphs.items() if not is_int8(graph)}
        jobs = [
            Job(name, "fp32" if name in floats else "int8", device, graph, size, count)
            for name, graph in graphs.items()
            for device in devices or ("cpu",)
        ]
        if not no_int8:
            jobs += _int8_jobs(floats, Path(folder), size, count, face)
        speeds = Speeds(jobs, [])
        work_bar(speeds.measure())
    click.echo(speeds.table(), nl=False)
    failed = [row for row in speeds.rows if row.error]
    for row in failed:
        face.say(f"{row.model}, {row.precision}, {row.device}: {row.error}")
    return int(bool(failed))


def _names(models: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in models.split(",") if part.strip()))
    if not names:
        raise UsageError("--models names no model.")
    return names


def _peers(folder: Path, face: Face) -> dict[str, Path]:
    """The published networks with random weights, as graphs; none where torch is missing."""
    try:
        from tintype.export import export
        from tintype.models import random_network
    except ModuleNotFoundError:
        face.say(f"Left out: {MissingExtra('Measuring ECCV16 and SIGGRAPH17', 'train')}")
        return {}
    graphs = {}
    for name in PEERS:
        graphs[name] = folder / f"{name}.onnx"
        export(random_network(name), graphs[name], name, "0", 256)
    return graphs


def _int8_jobs(
    graphs: dict[str, Path], folder: Path, size: int, threads: int, face: Face
) -> list[Job]:
    """Jobs for int8 versions of the graphs, without those that cannot be quantised."""
    jobs = []
    for number, (name, graph) in enumerate(graphs.items()):
        try:
            int8 = quantised(graph, folder / f"{number}-int8.onnx", size)
        except TintypeError as error:
            face.say(f"Left out: {error}")
            continue
        jobs.append(Job(name, "int8", "cpu", int8, size, threads, count=False))
    return jobs
