"""How a run over many pictures is shown: a bar, what was done, what failed, and how to stop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tintype.desktop.chores import Run
from tintype.desktop.colours import BAD, GROUND
from tintype.desktop.style import BAR, BUTTON, LARGE_PANEL_LABEL, PANEL, PANEL_SOFT_LABEL

if TYPE_CHECKING:
    import tkinter as tk

_WIDTH_PX = 560
_LINES = 7  # of failures


class RunPanel:
    """A panel over the stage.

    Args:
        parent: of the frame.
        stop: asked to stop the run.
        close: asked to put the panel away.

    Attributes:
        frame: the widget, to be placed.
        failures: the list of what failed, as text.
        button: stops the run; closes the panel when it has ended.
    """

    def __init__(
        self, parent: tk.Misc, stop: Callable[[], None], close: Callable[[], None]
    ) -> None:
        import tkinter as tk
        from tkinter import ttk

        self._stop, self._close = stop, close
        self._told = 0
        self.frame = ttk.Frame(parent, style=PANEL, padding=20)
        self.frame.columnconfigure(0, weight=1, minsize=_WIDTH_PX)
        self._title = ttk.Label(self.frame, style=LARGE_PANEL_LABEL)
        self._title.grid(row=0, column=0, sticky="w")
        self._count = ttk.Label(self.frame, style=PANEL_SOFT_LABEL)
        self._count.grid(row=1, column=0, sticky="w", pady=(4, 10))
        self.bar = ttk.Progressbar(self.frame, style=BAR)
        self.bar.grid(row=2, column=0, sticky="ew")
        self.failures = tk.Text(
            self.frame,
            height=_LINES,
            width=1,
            wrap="word",
            background=GROUND,
            foreground=BAD,
            font="TkDefaultFont",
            relief="flat",
            highlightthickness=0,
            padx=10,
            pady=8,
            spacing3=4,
            state="disabled",
        )
        self.failures.grid(row=3, column=0, sticky="ew", pady=(14, 0))
        self.button = ttk.Button(self.frame, style=BUTTON)
        self.button.grid(row=4, column=0, sticky="e", pady=(14, 0))

    def begin(self, target: str) -> None:
        """A run into a folder has been ordered."""
        self._title.configure(text=f"Colouring into {target}")
        self._count.configure(text="Looking for pictures…")
        self.bar.configure(maximum=1, value=0)
        self._told = 0
        self._write("1.0", "end")
        self.failures.grid_remove()
        self.button.configure(text="Cancel", command=self._cancel, state="normal")

    def show(self, run: Run) -> None:
        """Show how far it is."""
        begun = run.counts.total()
        failed = f", {run.counts['failed']} failed" if run.counts["failed"] else ""
        self.bar.configure(maximum=max(1, run.total), value=begun)
        self._count.configure(text=f"{begun} of {run.total}{failed}")
        for sentence in run.failures[self._told :]:
            self._write("end", None, f"{sentence}\n" if sentence else "")
        self._told = len(run.failures)
        if run.failures:
            self.failures.grid()
        if run.ended:
            self.end(str(run))

    def end(self, sentence: str) -> None:
        """It is over."""
        self._count.configure(text=sentence)
        self.button.configure(text="Close", command=self._close, state="normal")

    def _cancel(self) -> None:
        self.button.configure(text="Finishing…", state="disabled")
        self._stop()

    def _write(self, at: str, to: str | None, text: str = "") -> None:
        """Insert a text, or delete from one place to another."""
        self.failures.configure(state="normal")
        if to is None:
            self.failures.insert(at, text)
        else:
            self.failures.delete(at, to)
        self.failures.configure(state="disabled")
