"""``tintype archive``: a million scans over many machines, with a ledger."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from tintype.cli.face import face_of, stoppable, verbose_option
from tintype.cli.options import chosen_options, engine_options
from tintype.cli.tally import print_line
from tintype.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from tintype.archive.cluster import Pool
    from tintype.archive.order import Order
    from tintype.archive.places import Place
    from tintype.archive.records import Run
    from tintype.archive.run import Runner
    from tintype.archive.status import Status
    from tintype.cli.face import Face
    from tintype.options import Options

Command = TypeVar("Command", bound=Callable[..., object])

_CLUSTER = ("ray", "pyarrow")
_NO_HINTS = ("hints", "references", "batch_size")

_dest_argument = click.argument("dest", metavar="DEST")
_json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


def pool_options(command: Command) -> Command:
    """The options that say which machines work."""
    for option in reversed(
        (
            click.option(
                "--ray",
                metavar="ADDRESS",
                envvar="RAY_ADDRESS",
                help="Join a Ray cluster (auto, or HOST:PORT). [default: start Ray here]",
            ),
            click.option(
                "--group",
                type=click.IntRange(min=1),
                metavar="CORES",
                help="Cores of each worker, which holds one model. [default: 4]",
            ),
            click.option("--device", default="auto", show_default=True, help="As of colorize."),
        )
    ):
        command = option(command)
    return command


def tile_options(command: Command) -> Command:
    """Whether tiles are written, and for which address."""
    for option in (
        click.option(
            "--tiles-at",
            default="http://localhost:8000",
            show_default=True,
            metavar="URL",
            help="The address at which DEST/_tiles will be served; it stands in every info.json.",
        ),
        click.option(
            "--tiles", type=click.Choice(["iiif"]), help="Also write IIIF tiles of each result."
        ),
    ):
        command = option(command)
    return command


@click.group(short_help="Colour an archive over many machines, with a ledger.")
@verbose_option
def archive() -> None:
    """Colour an archive of any size over many machines, with a ledger of what became of each scan.

    SOURCE is a folder, a bucket (s3://, gs://, az://), or a list (.csv, .jsonl, .parquet) with a
    column path and, if wanted, id. DEST is a folder or a bucket. See docs/scale.md.
    """


@archive.command("run")
@click.argument("source", metavar="SOURCE")
@_dest_argument
@engine_options(leave_out=_NO_HINTS)
@pool_options
@tile_options
@click.option("--moved", is_flag=True, help="SOURCE is that of the last run, in another place.")
@verbose_option
@click.pass_context
def run_command(
    ctx: click.Context,
    source: str,
    dest: str,
    *,
    ray: str | None,
    group: int | None,
    device: str,
    tiles: str | None,
    tiles_at: str,
    moved: bool,
) -> int:
    """Do what is missing or changed; a run that was interrupted goes on where it was.

    Originals are never touched; a result has the name of its original, below DEST.
    """
    with needs_cluster():
        from tintype.archive.order import Order

        order = Order(completed(source), completed(dest), _options(ctx), tiles and tiles_at, moved)
        return _work(face_of(ctx), order, _pool(ray, group, device), None)


@archive.command("retry")
@_dest_argument
@click.option("--kind", "kinds", multiple=True, help="Only errors of this kind; see status.")
@pool_options
@verbose_option
@click.pass_context
def retry_command(
    ctx: click.Context,
    dest: str,
    *,
    kinds: tuple[str, ...],
    ray: str | None,
    group: int | None,
    device: str,
) -> int:
    """Do again what failed, with the SOURCE and the options of the last run."""
    with needs_cluster():
        order = _last_order(completed(dest))
        return _work(face_of(ctx), order, _pool(ray, group, device), frozenset(kinds))


@archive.command("plan")
@click.argument("source", metavar="SOURCE")
@engine_options(leave_out=_NO_HINTS)
@pool_options
@tile_options
@click.option(
    "--sample", type=click.IntRange(min=2), default=200, show_default=True, help="Scans to measure."
)
@click.option(
    "--machines",
    multiple=True,
    metavar="N[xCORES]",
    help="So many machines, like this one or with so many cores each; may be repeated. "
    "[default: 1, 10, 100]",
)
@click.option("--price", type=click.FloatRange(min=0), help="Of a machine for an hour, any money.")
@_json_option
@verbose_option
@click.pass_context
def plan_command(
    ctx: click.Context,
    source: str,
    *,
    ray: str | None,
    group: int | None,
    device: str,
    tiles: str | None,
    tiles_at: str,
    sample: int,
    machines: tuple[str, ...],
    price: float | None,
    as_json: bool,
) -> None:
    """Measure a sample, and say how long the whole will take and how large it will be."""
    with needs_cluster():
        from tintype.archive.order import Order
        from tintype.archive.sample import Machines, Sampler
        from tintype.cli.progress import work_bar
        from tintype.cli.prospect import as_lines, as_plain

        for text in machines:
            Machines.parse(text, 1)  # before minutes are spent on measuring
        with tempfile.TemporaryDirectory(prefix="tintype-plan-") as nowhere:
            order = Order(completed(source), nowhere, _options(ctx), tiles and tiles_at)
            sampler = Sampler(order, _pool(ray, group, device).started, time.time, sample)
            with contextlib.redirect_stdout(io.StringIO()):
                work_bar(sampler.measure())
    prospect = sampler.prospect
    assert prospect is not None
    named = [Machines.parse(text, prospect.cores) for text in machines or ("1", "10", "100")]
    if as_json:
        print_line(json.dumps(as_plain(prospect, named, price)))
        return
    for line in as_lines(prospect, named, price):
        print_line(line)


@archive.command("status")
@_dest_argument
@_json_option
def status_command(dest: str, *, as_json: bool) -> None:
    """Say what is done, what failed and why, how fast it goes, and how long it takes."""
    with needs_cluster():
        from tintype.archive.places import place_of
        from tintype.archive.status import status_of

        status = status_of(place_of(completed(dest)))
    if as_json:
        print_line(json.dumps(_plain(status)))
        return
    for line in _told(status):
        print_line(line)


@archive.command("report")
@_dest_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="archive.html",
    show_default=True,
    help="The page, one file that needs nothing else.",
)
def report_command(dest: str, *, output: Path) -> None:
    """Write a page with progress over time, errors by kind, and contact sheets for review."""
    with needs_cluster():
        from tintype.archive import ledger, records
        from tintype.archive.places import place_of
        from tintype.archive.report import page
        from tintype.archive.review import Pictures
        from tintype.images.replacing import atomic

        place = place_of(completed(dest))
        last = _last_run(place, dest)
        batches = (batch for table in ledger.standing(place) for batch in table.to_batches())
        pictures = Pictures(place, last.source)
        found = records.listed_of(place, last.run)
        listed = found.listed if found and found.whole else None
        text = page(batches, pictures, title=dest.partition("?")[0], listed=listed)
        with atomic(output) as file:
            file.write(text.encode("utf-8"))
    print_line(str(output))


def completed(address: str) -> str:
    """An address that means the same on every machine.

    A path becomes a whole one; S3's endpoint and Azure's account come from the environment.
    """
    scheme, slashes, rest = address.partition("://")
    if not slashes:
        return str(Path(address).absolute())
    if scheme == "s3" and "endpoint_override=" not in rest:
        return _with_endpoint(address)
    if scheme == "az" and "@" not in rest.partition("/")[0]:
        return _with_account(address)
    return address


def _with_endpoint(address: str) -> str:
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not url:
        return address
    found = urlsplit(url)
    mark = "&" if "?" in address else "?"
    return f"{address}{mark}endpoint_override={found.netloc}&scheme={found.scheme}"


def _with_account(address: str) -> str:
    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise UsageError(f"{address} needs the account's name in AZURE_STORAGE_ACCOUNT.")
    container, slash, key = address.removeprefix("az://").partition("/")
    return f"az://{container}@{account}.dfs.core.windows.net{slash}{key}"


@contextlib.contextmanager
def needs_cluster() -> Iterator[None]:
    """Say which extra is missing when Ray or pyarrow is."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _CLUSTER:
            raise MissingExtra("An archive", "cluster") from error
        raise


def _pool(ray: str | None, group: int | None, device: str) -> Pool:
    from tintype.archive.cluster import Pool

    return Pool(ray, group, device)


def _last_run(place: Place, dest: str) -> Run:
    """The record of the last run in DEST."""
    from tintype.archive.records import runs_of

    runs = runs_of(place)
    if not runs:
        raise UsageError(f"No archive run has been in {dest}.")
    return runs[-1]


def _last_order(dest: str) -> Order:
    """What the last run of an archive was asked to do."""
    from tintype.archive.order import Order
    from tintype.archive.places import place_of
    from tintype.options import Options

    last = _last_run(place_of(dest), dest)
    taken: dict[str, Any] = {k: v for k, v in last.engine.items() if k not in _NO_HINTS}
    return Order(last.source, dest, Options(**taken), last.tiles)


def _work(face: Face, order: Order, pool: Pool, kinds: frozenset[str] | None) -> int:
    from tintype.archive.run import Runner
    from tintype.cli.progress import work_bar

    def leave() -> None:
        """What is in work is done again by the next run; nothing needs tidying."""

    # Ray tells of machines that die on stdout, which is not its own.
    aside = sys.stderr if face.verbose else io.StringIO()
    with stoppable(leave, "what has come back") as stop, contextlib.redirect_stdout(aside):
        runner = Runner(order, pool.started, stop.event)
        with contextlib.closing(runner.run() if kinds is None else runner.retry(kinds)) as states:
            work_bar(states)
    face.say(_summary(runner))
    return stop.status or int(bool(runner.tally.failed or runner.tally.unsettled))


def _summary(runner: Runner) -> str:
    tally = runner.tally
    parts = [f"{tally.done - tally.failed - tally.coloured} coloured"]
    parts += [f"{tally.coloured} in colour already"] if tally.coloured else []
    parts += [f"{tally.failed} failed"] if tally.failed else []
    told = ", ".join(parts)
    more = " Some changed while they were read; run again." if tally.unsettled else ""
    return f"{told}; the ledger has {tally.standing} scans.{more}"


def _plain(status: Status) -> dict[str, object]:
    run, claim = status.run, status.working
    return {
        "scans": status.total,
        "done": status.done,
        "coloured": status.coloured,
        "toned": status.toned,
        "failed": status.failed,
        "errors": dict(status.errors.most_common()),
        "result_bytes": status.result_bytes,
        "run": run.run if run else None,
        "working": claim.run if claim else None,
        "entered": status.entered,
        "per_second": status.rate,
        "left": status.left,
        "left_seconds": status.left_s,
    }


def _told(status: Status) -> Iterator[str]:
    """The status for people, a line each."""
    yield f"scans in the ledger   {status.total:,}"
    yield f"  done                {status.done:,} ({status.result_bytes / 1e9:,.2f} GB)"
    yield f"  of them toned       {status.toned:,}"
    yield f"  in colour already   {status.coloured:,}"
    yield f"  failed              {status.failed:,}"
    for kind, count in status.errors.most_common():
        yield f"    {kind:<17} {count:,}"
    run = status.run
    if run is None:
        return
    state = "works" if status.working else ("finished" if run.finished_at else "was interrupted")
    yield f"last run              {run.run} {state}, {status.entered:,} scans"
    if status.rate is not None:
        yield f"  rate                {status.rate:,.2f} scans/s in the last ten minutes"
    if status.left:
        yield f"  left                {status.left:,}"
    if status.left_s is not None:
        yield f"  time left           {_duration(status.left_s)}"


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


def _options(ctx: click.Context) -> Options:
    """The options; a model's path means the same wherever ``retry`` is called."""
    options = chosen_options(ctx)
    path = Path(options.model)
    return replace(options, model=str(path.absolute())) if path.is_file() else options
