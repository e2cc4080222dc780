"""The contact sheet: pictures in rows and columns with captions, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_PAPER = (250, 249, 246)
_INK = (40, 40, 40)
_FAINT = (225, 223, 218)
_MARGIN_PX = 18
_GAP_PX = 10
_TEXT_PX = 15
_LINE_PX = 26

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Row:
    """One picture in all its versions.

    Attributes:
        caption: what stands below it.
        size: (height, width) in pixels at which the versions are drawn.
        cells: RGB pictures, one per column; None leaves a frame.
    """

    caption: str
    size: tuple[int, int]
    cells: Sequence[Image.Image | None]


def fit(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    """The (height, width) of a picture whose longer side becomes ``side_px``, aspect kept."""
    scale = side_px / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def draw_sheet(headings: Sequence[str], rows: Sequence[Row]) -> Image.Image:
    """Draw the sheet.

    Args:
        headings: the caption above each column.
        rows: the pictures; each with as many cells as there are headings.

    Returns:
        An RGB picture as large as its contents need.
    """
    font = _font()
    column = max([row.size[1] for row in rows] + [_width(text, font) for text in headings])
    width = 2 * _MARGIN_PX + len(headings) * (column + _GAP_PX) - _GAP_PX
    heights = [row.size[0] + _LINE_PX + _GAP_PX for row in rows]
    sheet = Image.new("RGB", (width, 2 * _MARGIN_PX + _LINE_PX + sum(heights)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    lefts = [_MARGIN_PX + index * (column + _GAP_PX) for index in range(len(headings))]
    for left, text in zip(lefts, headings, strict=True):
        middle = left + (column - _width(text, font)) // 2
        draw.text((middle, _MARGIN_PX), text, fill=_INK, font=font)
    top = _MARGIN_PX + _LINE_PX
    for row, height in zip(rows, heights, strict=True):
        for left, cell in zip(lefts, row.cells, strict=True):
            _place(sheet, draw, cell, row.size, (left + (column - row.size[1]) // 2, top))
        caption = _shortened(row.caption, width - 2 * _MARGIN_PX, font)
        draw.text((_MARGIN_PX, top + row.size[0] + 4), caption, fill=_INK, font=font)
        top += height
    return sheet


def _place(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    cell: Image.Image | None,
    size: tuple[int, int],
    at: tuple[int, int],
) -> None:
    height, width = size
    if cell is None:
        draw.rectangle((*at, at[0] + width - 1, at[1] + height - 1), outline=_FAINT)
        return
    same = cell.size == (width, height)
    sheet.paste(cell if same else cell.resize((width, height), Image.Resampling.LANCZOS), at)


def _font() -> _Font:
    """A font that knows many scripts if the machine has it, else Pillow's own."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", _TEXT_PX)
    except OSError:
        return ImageFont.load_default(_TEXT_PX)


def _width(text: str, font: _Font) -> int:
    return round(font.getlength(text))


def _shortened(text: str, width_px: int, font: _Font) -> str:
    """The text, its middle left out if it is too wide."""
    if _width(text, font) <= width_px:
        return text
    keep = len(text) - 1
    while keep > 2 and _width(_without_middle(text, keep), font) > width_px:
        keep -= 1
    return _without_middle(text, keep)


def _without_middle(text: str, keep: int) -> str:
    return f"{text[: keep - keep // 2]}...{text[len(text) - keep // 2 :]}"
