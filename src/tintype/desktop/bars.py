"""The rows of buttons: below the picture the tools and what is said, above it those for colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tintype.desktop.colours import BAD, TEXT
from tintype.desktop.leaning import VariantBar
from tintype.desktop.spots import Spots
from tintype.desktop.style import (
    BUTTON,
    CHOSEN_MARK,
    FRAME,
    LABEL,
    MAIN_BUTTON,
    MARK,
    PRESSED_BUTTON,
    SLIDER,
    SOFT_LABEL,
)

if TYPE_CHECKING:
    import tkinter as tk
    from tkinter import ttk

Do = Callable[[], None]

GUESSES = "The colours are guesses: likely ones, not the ones that were there."
_WELCOME = "Open a picture to begin."
_MOST_PERCENT = 200
_SLIDER_PX = 240
_GAP_PX = 10
_MARKS = {"Cautious": 75, "100 %": 100, "Vivid": 130}
_MEANINGS = {
    100: "100 %: the colours as the network gives them.",
    75: "Cautious: paler; few mistakes show.",
    130: "Vivid: stronger colours; mistakes show more.",
}
"""By per cent. On everyday photographs 100 is half as colourful as the truth, 130 two thirds."""


class ToolBar:
    """Open, strength, given colours, save; below them the colourings, and what is said.

    Args:
        parent: of the frame.
        open: asked for pictures.
        open_folder: asked for a folder.
        strength: told of another one, 0 to 2.
        variant: told of another one.
        also: as of ``VariantBar``.
        give: asked to begin or to end giving colours.
        save: asked to save.
    """

    def __init__(
        self,
        parent: tk.Misc,
        *,
        open: Do,
        open_folder: Do,
        strength: Callable[[float], None],
        variant: Callable[[int], None],
        also: int,
        give: Do,
        save: Do,
    ) -> None:
        from tkinter import ttk

        self._told = strength
        self.frame = ttk.Frame(parent, style=FRAME, padding=(16, 6, 16, 12))
        self.open = ttk.Button(self.frame, text="Open", style=MAIN_BUTTON, command=open)
        self.open_folder = ttk.Button(
            self.frame, text="Open folder…", style=BUTTON, command=open_folder
        )
        label = ttk.Label(self.frame, text="Strength", style=LABEL)
        self.slider = ttk.Scale(
            self.frame, style=SLIDER, to=_MOST_PERCENT, length=_SLIDER_PX, command=self._slide
        )
        self._percent = ttk.Label(self.frame, style=SOFT_LABEL, width=6)
        self.give = ttk.Button(self.frame, text="Give colours", style=BUTTON, command=give)
        self.save = ttk.Button(self.frame, text="Save", style=BUTTON, command=save)
        row = (self.open, self.open_folder, label, self.slider, self._percent, self.give)
        for column, widget in enumerate(row):
            before = 2 * _GAP_PX if widget is label else 0
            widget.grid(row=0, column=column, padx=(before, _GAP_PX))
        # A narrow window shortens the slider; a wide one keeps what is left between the buttons.
        self.slider.grid(sticky="ew")
        self.frame.columnconfigure(row.index(self.slider), weight=1)
        self.frame.columnconfigure(len(row), weight=5)
        self.save.grid(row=0, column=len(row) + 1)
        marks = ttk.Frame(self.frame, style=FRAME)
        marks.grid(row=1, column=row.index(self.slider), columnspan=4, sticky="w")
        self.marks = {percent: self._mark(marks, text, percent) for text, percent in _MARKS.items()}
        self.variants = VariantBar(self.frame, variant, also)
        self.variants.frame.grid(row=2, column=0, columnspan=8, sticky="w", pady=(6, 0))
        self.status = ttk.Label(self.frame, text=_WELCOME, style=LABEL)
        self.status.grid(row=3, column=0, columnspan=8, sticky="w", pady=(10, 2))
        self.guesses = ttk.Label(self.frame, text=GUESSES, style=SOFT_LABEL)
        self.guesses.grid(row=4, column=0, columnspan=8, sticky="w")
        # Long sentences go on in a second line.
        self.frame.bind("<Configure>", lambda e: self.status.configure(wraplength=e.width - 40))
        for drag in ("<Button-1>", "<B1-Motion>"):
            self.slider.bind(drag, self._point)
        self.slider.bind("<Double-Button-1>", lambda _: self._reset())

    def set_strength(self, strength: float) -> None:
        """Show a strength, and tell of it."""
        self.slider.set(100 * strength)

    def _mark(self, parent: tk.Misc, text: str, percent: int) -> ttk.Button:
        from tkinter import ttk

        mark = ttk.Button(parent, text=text, style=MARK, command=lambda: self._set_mark(percent))
        mark.pack(side="left")
        return mark

    def _set_mark(self, percent: int) -> None:
        self.set_strength(percent / 100)
        self.say(_MEANINGS[percent])

    def say(self, text: str, *, bad: bool = False) -> None:
        """One sentence or two."""
        self.status.configure(text=text, foreground=BAD if bad else TEXT)

    def press_give(self, pressed: bool) -> None:
        """Show whether colours are being given."""
        self.give.configure(style=PRESSED_BUTTON if pressed else BUTTON)

    def let(
        self, *, guided: bool, leans: bool, loaded: bool, coloured: bool, running: bool = False
    ) -> None:
        """Allow what makes sense.

        Args:
            guided: whether the network takes colours.
            leans: whether it has variants.
            loaded: whether there is a picture.
            coloured: whether its colours are there.
            running: whether many pictures are being coloured.
        """
        if not guided:
            self.give.grid_remove()
        for widget, allowed in (
            (self.open, not running),
            (self.open_folder, not running),
            (self.slider, not running),
            *((mark, not running) for mark in self.marks.values()),
            (self.give, coloured and not running),
            (self.save, coloured and not running),
        ):
            widget.state(["!disabled" if allowed else "disabled"])
        self.variants.let(able=leans, allowed=loaded and not running)
        self.open.configure(style=BUTTON if loaded else MAIN_BUTTON)
        self.save.configure(style=MAIN_BUTTON if coloured else BUTTON)

    def _slide(self, value: str) -> None:
        percent = round(float(value))
        self._percent.configure(text=f"{percent} %")
        for marked, mark in self.marks.items():
            mark.configure(style=CHOSEN_MARK if marked == percent else MARK)
        self._told(percent / 100)

    def _point(self, event: tk.Event[tk.Misc]) -> str:
        """Go where the pointer is; Tk's own slider would go there step by step."""
        if not self.slider.instate(["disabled"]):
            self.slider.focus_set()
            self.slider.set(self.slider.get(event.x, event.y))
        return "break"

    def _reset(self) -> str:
        self.set_strength(1.0)
        return "break"


class GiveBar:
    """What can be done with given colours, above the picture.

    Args:
        parent: of the frame.
        undo: asked to take a step back.
        redo: asked to take it again.
        clear: asked to take all colours away.
    """

    def __init__(self, parent: tk.Misc, *, undo: Do, redo: Do, clear: Do) -> None:
        from tkinter import ttk

        self.frame = ttk.Frame(parent, style=FRAME, padding=(16, 12, 16, 6))
        label = ttk.Label(
            self.frame, text="Click the picture where you know the colour.", style=LABEL
        )
        label.grid(row=0, column=0, padx=(0, 2 * _GAP_PX))
        self.undo = ttk.Button(self.frame, text="Undo", style=BUTTON, command=undo)
        self.redo = ttk.Button(self.frame, text="Redo", style=BUTTON, command=redo)
        self.clear = ttk.Button(self.frame, text="Clear", style=BUTTON, command=clear)
        for column, button in enumerate((self.undo, self.redo, self.clear), 1):
            button.grid(row=0, column=column, padx=(6, 0))
            button.state(["disabled"])

    def let(self, spots: Spots) -> None:
        """Allow what makes sense."""
        for button, allowed in (
            (self.undo, spots.can_undo),
            (self.redo, spots.can_redo),
            (self.clear, bool(spots.now)),
        ):
            button.state(["!disabled" if allowed else "disabled"])
