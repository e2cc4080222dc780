"""The disc from which the colour of a spot is chosen, with the network's guess marked on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from tintype.desktop.colours import ACCENT, GROUND, RAISED
from tintype.desktop.marks import ring
from tintype.desktop.screen import photo_of
from tintype.desktop.spots import REACH, Spot, disc_pixels
from tintype.desktop.style import BUTTON, MAIN_BUTTON, PANEL, PANEL_SOFT_LABEL

if TYPE_CHECKING:
    import tkinter as tk

    from PIL import ImageTk

_SIDE_PX = 220
_EDGE_PX = 2  # a canvas draws its focus ring over its own edge
_STEP = 4.0  # of ab, for an arrow key
_HOW = "The colours there are at this lightness; the dashed ring is the network's guess."


@dataclass(frozen=True)
class Ears:
    """Who is told.

    Attributes:
        coloured: a colour was chosen, by its ab; more of the same step may follow.
        settled: the step has ended.
        removed: the spot is to go.
        closed: the choice is made.
    """

    coloured: Callable[[float, float], None]
    settled: Callable[[], None]
    removed: Callable[[], None]
    closed: Callable[[], None]


class Picker:
    """The disc with its two buttons.

    Args:
        parent: of the frame.
        ears: are told.

    Attributes:
        frame: the widget, to be placed.
        disc: the canvas that answers pointer and arrow keys.
    """

    def __init__(self, parent: tk.Misc, ears: Ears) -> None:
        import tkinter as tk
        from tkinter import ttk

        self._ears = ears
        self._spot: Spot | None = None
        self._lightness = -1.0
        self.frame = ttk.Frame(parent, style=PANEL, padding=14)
        self.disc = tk.Canvas(
            self.frame,
            width=_SIDE_PX,
            height=_SIDE_PX,
            background=GROUND,
            highlightthickness=_EDGE_PX,
            highlightbackground=RAISED,
            highlightcolor=ACCENT,
            cursor="crosshair",
            takefocus=True,
        )
        self.disc.grid(row=0, column=0, columnspan=2)
        how = ttk.Label(self.frame, text=_HOW, style=PANEL_SOFT_LABEL, wraplength=_SIDE_PX)
        how.grid(row=1, column=0, columnspan=2, sticky="w", pady=(8, 10))
        remove = ttk.Button(self.frame, text="Remove", style=BUTTON, command=ears.removed)
        close = ttk.Button(self.frame, text="Close", style=MAIN_BUTTON, command=ears.closed)
        for column, button in enumerate((remove, close)):
            button.grid(row=2, column=column, sticky="ew", padx=(4 * column, 4 - 4 * column))
            self.frame.columnconfigure(column, weight=1)
        self._colours: ImageTk.PhotoImage | None = None
        self._rings = [photo_of(ring(d), self.disc) for d in (True, False)]
        self._ground = self.disc.create_image(_EDGE_PX, _EDGE_PX, anchor="nw")
        self._marks = [self.disc.create_image(0, 0, image=photo) for photo in self._rings]
        self._bind()

    def _bind(self) -> None:
        disc = self.disc
        for drag in ("<Button-1>", "<B1-Motion>"):
            disc.bind(drag, self._point)
        disc.bind("<ButtonRelease-1>", lambda _: self._ears.settled())
        for key, by in {
            "Left": (-_STEP, 0.0),
            "Right": (_STEP, 0.0),
            "Up": (0.0, _STEP),
            "Down": (0.0, -_STEP),
        }.items():
            disc.bind(f"<{key}>", lambda _, by=by: self._nudge(*by))  # type: ignore[misc]
            disc.bind(f"<KeyRelease-{key}>", lambda _: self._ears.settled())

    def show(self, spot: Spot, guess: tuple[float, float]) -> None:
        """Show the colours that there are for a spot, and which is the network's own."""
        self.update(spot)
        self._mark(0, *guess)

    def update(self, spot: Spot) -> None:
        """The spot has another colour, or place."""
        self._spot = spot
        if self._lightness != spot.L:
            self._lightness = spot.L
            image = Image.fromarray(disc_pixels(spot.L, _SIDE_PX), "RGBA")
            self._colours = photo_of(image, self.disc)
            self.disc.itemconfigure(self._ground, image=self._colours)
        self._mark(1, spot.a, spot.b)

    def _mark(self, number: int, a: float, b: float) -> None:
        x, y = (_EDGE_PX + (1 + v / REACH) * _SIDE_PX / 2 for v in (a, -b))
        self.disc.coords(self._marks[number], x, y)

    def _point(self, event: tk.Event[tk.Canvas]) -> None:
        self.disc.focus_set()
        x, y = event.x - _EDGE_PX, event.y - _EDGE_PX
        self._ears.coloured((2 * x / _SIDE_PX - 1) * REACH, (1 - 2 * y / _SIDE_PX) * REACH)

    def _nudge(self, a: float, b: float) -> str:
        if self._spot is not None:
            self._ears.coloured(self._spot.a + a, self._spot.b + b)
        return "break"
