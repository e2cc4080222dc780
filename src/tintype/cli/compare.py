"""``tintype compare``: a contact sheet of pictures before and after."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from tintype.cli.face import Face, face_of, one_line, verbose_option
from tintype.cli.options import chosen_options, engine_options
from tintype.cli.tally import print_line
from tintype.errors import TintypeError, UnwritableImage, UsageError
from tintype.images import SUFFIXES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from tintype.batch.plan import Plan, Task
    from tintype.cli.sheet import Row
    from tintype.engine import Colorizer
    from tintype.options import Options

# Well above what the network sees, so that the sheet shows what the full picture would get.
_WORK_PX = 768
_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


@click.command(short_help="Draw a contact sheet: grey, one result per model, the original.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    default="comparison.png",
    metavar="FILE",
    help="The sheet, a PNG or JPEG. [default: comparison.png]",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FILE",
    help="A column for each. [default: tintype]",
)
@click.option(
    "--original",
    metavar="FILE|FOLDER",
    help="The picture in its true colours, or a folder of such, by the same names.",
)
@click.option(
    "--tile",
    default=360,
    type=click.IntRange(32, 4096),
    metavar="PIXELS",
    help="The longer side of each picture on the sheet. [default: 360]",
)
@click.option("--overwrite", is_flag=True, help="Replace the sheet if it exists.")
@click.option("--device", default="auto", help="Where the network runs. [default: auto]")
@engine_options(leave_out=("model", "batch_size", "hints", "force", "mark", "quality"))
@verbose_option
@click.pass_context
def compare(
    ctx: click.Context,
    *,
    inputs: tuple[str, ...],
    output: str,
    models: tuple[str, ...],
    original: str | None,
    tile: int,
    overwrite: bool,
    device: str,
) -> int:
    """Draw a contact sheet: grey, one result per model, the original.

    INPUT is a picture, a folder or a pattern; each picture is a row. A picture in colour is made
    grey first, and is its own original.
    """
    from tintype.batch.plan import make_plan
    from tintype.cli.sheet import draw_sheet
    from tintype.engine import Colorizer

    options = replace(chosen_options(ctx), force=True)
    plan = make_plan(inputs)
    target = Path(output)
    # An earlier sheet that lies among the pictures is none.
    plan.tasks = [task for task in plan.tasks if task.named or not _is_same(task.source, target)]
    _check_target(target, plan, original, overwrite)
    names = models or (options.model,)
    colorizers = [Colorizer.load(name, device=device) for name in names]
    face = face_of(ctx)
    for name, reason in plan.left_out:
        face.say(f"{name}: {reason}")
    draw = _Draw(colorizers, options, original, tile)
    rows, failed = _rows(plan, draw, face)
    if not rows:
        face.say("There is no picture to draw.")
        return 1
    headings = ["grey", *(f"{each.name} {each.version}" for each in colorizers)]
    if any(row.cells[-1] is not None for row in rows):
        headings.append("original")
    else:
        rows = [replace(row, cells=row.cells[:-1]) for row in rows]
    _save(draw_sheet(headings, rows), target)
    print_line(str(target))
    return int(failed)


def _is_same(source: Path | bytes, target: Path) -> bool:
    return (
        isinstance(source, Path) and source.exists() and target.exists() and source.samefile(target)
    )


def _check_target(target: Path, plan: Plan, original: str | None, overwrite: bool) -> None:
    if target.suffix.lower() not in _KINDS:
        raise UsageError(f"The sheet {target} should end in .png, .jpg or .jpeg.")
    if not os.path.lexists(target):
        return
    pictures = [task.source for task in plan.tasks]
    pictures += [Path(original)] if original is not None else []
    if any(_is_same(path, target) for path in pictures):
        raise UsageError(f"The sheet {target} would overwrite a picture that is to be on it.")
    if not overwrite:
        raise UsageError(f"{target} exists; --overwrite replaces it.")


@dataclass(frozen=True)
class _Draw:
    """What goes onto the sheet for each picture."""

    colorizers: Sequence[Colorizer]
    options: Options
    original: str | None
    tile: int


def _rows(plan: Plan, draw: _Draw, face: Face) -> tuple[list[Row], bool]:
    """A row for each picture that can be read, and whether one could not."""
    rows: list[Row] = []
    for _, error in plan.refused:
        face.say(str(error))
    failed = bool(plan.refused)
    for task in plan.tasks:
        try:
            original = _original_of(task, draw.original, single=len(plan.tasks) == 1)
            rows.append(_row(task, original, draw))
        except TintypeError as error:
            face.log(error)
            face.say(str(error) if task.label in str(error) else f"{task.label}: {error}")
            failed = True
    return rows, failed


def _original_of(task: Task, original: str | None, *, single: bool) -> Path | None:
    """The file with the true colours of a picture, if there is one.

    Raises:
        UsageError: one file was given for several pictures.
    """
    if original is None or isinstance(task.source, bytes):
        return None
    given = Path(original)
    if not given.is_dir():
        if not single:
            raise UsageError(f"{given} is one file; for several pictures give a folder.")
        return given
    same = sorted(
        path
        for path in given.iterdir()
        if path.stem == task.source.stem and path.suffix.lower() in SUFFIXES and path.is_file()
    )
    return next(iter(same), None)


def _row(task: Task, original: Path | None, draw: _Draw) -> Row:
    """One picture: grey, a result per model, and last the original or None."""
    from tintype.cli.sheet import Row, fit
    from tintype.color import lightness_to_luminance, linear_to_srgb, rgb_to_lab
    from tintype.images import classify_tone, read_image

    picture = read_image(task.source)
    work = fit(picture.size, max(_WORK_PX, draw.tile, 2 * (draw.options.working_size or 0)))
    rgb = picture.small(*work)
    neutral = linear_to_srgb(lightness_to_luminance(rgb_to_lab(rgb)[..., :1]))
    grey = _as_u8(np.repeat(neutral, 3, axis=-1))
    cells: list[Image.Image | None] = [_as_picture(grey)]
    cells += [_as_picture(each.colorize(grey, draw.options)) for each in draw.colorizers]
    if original is not None:
        cells.append(_as_picture(_as_u8(read_image(original).small(*work))))
    else:
        cells.append(_as_picture(_as_u8(rgb)) if classify_tone(rgb) == "colour" else None)
    return Row(one_line(Path(task.label).name), fit(picture.size, draw.tile), cells)


def _as_u8(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def _as_picture(rgb_u8: NDArray[np.generic]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(rgb_u8)


def _save(sheet: Image.Image, target: Path) -> None:
    """Write the sheet whole or not at all.

    Raises:
        UnwritableImage: read-only folder, full disk, or a sheet larger than the format allows.
    """
    from tintype.images.replacing import atomic

    try:
        with atomic(target) as stream:
            sheet.save(stream, _KINDS[target.suffix.lower()], quality=92)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnwritableImage(f"{target} cannot be written: {reason}.") from error
