"""The row of colourings to choose from: the likely one, and others that are plausible, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tintype.desktop.style import CHOICE, FRAME, LABEL, SOFT_LABEL

if TYPE_CHECKING:
    import tkinter as tk
    from tkinter import ttk

OTHERS = 5
HOW = "Others are plausible where the network is unsure."
NONE = "This network knows one colouring only."


class VariantBar:
    """Radio buttons, a colouring each; the arrow keys go from one to the next and choose it.

    Args:
        parent: of the frame.
        chosen: told of another variant.
        also: a variant that is offered besides the first few.
    """

    def __init__(self, parent: tk.Misc, chosen: Callable[[int], None], also: int = 0) -> None:
        import tkinter as tk
        from tkinter import ttk

        self._told = chosen
        self._number = tk.IntVar(parent, also)
        self.frame = ttk.Frame(parent, style=FRAME)
        ttk.Label(self.frame, text="Colouring", style=LABEL).grid(row=0, column=0, padx=(0, 10))
        numbers = sorted({*range(OTHERS + 1), also})
        self.buttons = [self._button(number) for number in numbers]
        for column, button in enumerate(self.buttons, 1):
            button.grid(row=0, column=column, padx=(0, 4))
        for at, button in enumerate(self.buttons):
            for key, step in (("Left", -1), ("Up", -1), ("Right", 1), ("Down", 1)):
                neighbour = self.buttons[(at + step) % len(self.buttons)]
                button.bind(f"<{key}>", lambda _, to=neighbour: self._go(to))  # type: ignore[misc]
        self.reason = ttk.Label(self.frame, text=HOW, style=SOFT_LABEL)
        self.reason.grid(row=0, column=len(numbers) + 1, padx=(8, 0))

    def show(self, variant: int) -> None:
        """Show which one is chosen, and tell nobody."""
        self._number.set(variant)
        self._mind_tabulator()

    def let(self, *, able: bool, allowed: bool) -> None:
        """Allow what makes sense.

        Args:
            able: whether the network has variants; if not, that is said.
            allowed: whether one may be chosen now.
        """
        self.reason.configure(text=HOW if able else NONE)
        for button in self.buttons:
            button.state(["!disabled" if able and allowed else "disabled"])

    def _button(self, number: int) -> ttk.Radiobutton:
        from tkinter import ttk

        return ttk.Radiobutton(
            self.frame,
            text=str(number) if number else "Likely",
            style=CHOICE,
            variable=self._number,
            value=number,
            command=self._choose,
        )

    def _choose(self) -> None:
        self._mind_tabulator()
        self._told(self._number.get())

    def _go(self, button: ttk.Radiobutton) -> str:
        if not button.instate(["disabled"]):
            button.focus_set()
            button.invoke()
        return "break"

    def _mind_tabulator(self) -> None:
        """The tabulator stops at the group once, where it is chosen."""
        for button in self.buttons:
            button.configure(takefocus=int(button.cget("value")) == self._number.get())
