"""Small drawings that lie over a picture, smooth at their edges: spots, rings, the handle."""

from __future__ import annotations

from PIL import Image, ImageDraw

from tintype.desktop.colours import ACCENT

_FINE = 4  # drawn so many times larger, then reduced, for Tk's own circles have steps
_HANDLE_PX, _SPOT_PX, _RING_PX, _KNOB_PX = 38, 32, 26, 22


def handle() -> Image.Image:
    """The handle of the line between grey and colour: a white disc with two arrows, RGBA."""
    image, draw = _canvas(_HANDLE_PX)
    size, middle = image.width, image.width / 2
    draw.ellipse((0, 0, size - 1, size - 1), fill=(0, 0, 0, 90))
    edge = 1.5 * _FINE
    draw.ellipse((edge, edge, size - 1 - edge, size - 1 - edge), fill="white")
    near, far, half = 4 * _FINE, 11 * _FINE, 6 * _FINE
    for side in (-1, 1):
        x, tip = middle + side * near, middle + side * far
        draw.polygon([(x, middle - half), (x, middle + half), (tip, middle)], fill="#222222")
    return _reduced(image)


def spot(colour: str, chosen: bool) -> Image.Image:
    """A given colour, RGBA: a disc in a white ring, in a ring of the accent where it is chosen."""
    image, draw = _canvas(_SPOT_PX)
    rings = [(0 if chosen else 2, ACCENT if chosen else "#000000"), (3, "white"), (6, colour)]
    for inset, fill in rings:
        edge = inset * _FINE
        draw.ellipse((edge, edge, image.width - 1 - edge, image.width - 1 - edge), fill=fill)
    return _reduced(image)


def ring(dashed: bool) -> Image.Image:
    """A mark on the disc of colours, RGBA: dashed for the guess, whole for what is chosen."""
    image, draw = _canvas(_RING_PX)
    inset = (3 if dashed else 6) * _FINE
    box = (inset, inset, image.width - 1 - inset, image.width - 1 - inset)
    for colour, width in (("#000000", 4), ("#ffffff", 2)):
        grown = (width - 2) / 2 * _FINE
        round_box = (box[0] - grown, box[1] - grown, box[2] + grown, box[3] + grown)
        steps = range(0, 360, 45) if dashed else (0,)
        for start in steps:
            end = start + 24 if dashed else 360
            draw.arc(round_box, start, end, fill=colour, width=width * _FINE)
    return _reduced(image)


def knob(fill: str, edge: str) -> Image.Image:
    """The knob of a slider, RGBA."""
    image, draw = _canvas(_KNOB_PX)
    inset = 2 * _FINE
    draw.ellipse((0, 0, image.width - 1, image.width - 1), fill=edge)
    draw.ellipse((inset, inset, image.width - 1 - inset, image.width - 1 - inset), fill=fill)
    return _reduced(image)


def groove(fill: str, ground: str) -> Image.Image:
    """A short piece of what a knob runs in, RGB; its middle may be made longer."""
    image = Image.new("RGB", (_KNOB_PX, _KNOB_PX), ground)
    middle = _KNOB_PX // 2
    ImageDraw.Draw(image).rectangle((0, middle - 3, _KNOB_PX, middle + 2), fill=fill)
    return image


def _canvas(side: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (side * _FINE, side * _FINE))
    return image, ImageDraw.Draw(image)


def _reduced(image: Image.Image) -> Image.Image:
    return image.resize((image.width // _FINE,) * 2, Image.Resampling.LANCZOS)
