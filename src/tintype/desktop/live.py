"""The window of the live view: grey, colour or a movable split, and how fast it goes."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from tintype.desktop.album import Album
from tintype.desktop.camera import Reel
from tintype.desktop.pictures import VIEWS, Shown, View, upright_size
from tintype.desktop.playback import Meter
from tintype.desktop.projector import Projector
from tintype.desktop.screen import Seam, fitted

if TYPE_CHECKING:
    import tkinter as tk

    from PIL import ImageTk

_DARK, _DEEP, _LIGHT, _DIM, _RED = "#17191c", "#0b0c0e", "#dfe3e8", "#868e97", "#ff6b5e"
_HELP = "Space: view    ← →: move the split    S: still    R: record    Q: quit"
_MARGINS = (140, 60)  # rows and columns of the screen that are left to bars and borders
_NARROWEST_PX = 520
_STEP = 0.02  # of the width, for an arrow key
_STATUS_MS = 250
_SAID_S = 6.0


@dataclass(frozen=True)
class Summary:
    """What a live view has shown.

    Attributes:
        shown: frames put on the screen.
        dropped: frames that were not.
        predicted: frames that the network saw.
        seconds: from the first frame shown to the last.
    """

    shown: int
    dropped: int
    predicted: int
    seconds: float

    def __str__(self) -> str:
        rate = (self.shown - 1) / self.seconds if self.seconds else 0.0
        return (
            f"{self.shown} frames shown in {self.seconds:.1f} s ({rate:.1f}/s), "
            f"{self.dropped} dropped, {self.predicted} predicted"
        )


def shown_size(root: tk.Tk, reel: Reel, box: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) at which a reel is shown.

    Args:
        root: the window.
        reel: what is shown.
        box: (height, width) that the picture is fitted into; None shows it at its own size, as far
            as the screen reaches.
    """
    own = upright_size(reel.film)
    if box is not None:
        return fitted(own, box)
    screen = (root.winfo_screenheight() - _MARGINS[0], root.winfo_screenwidth() - _MARGINS[1])
    return own if own[0] <= screen[0] and own[1] <= screen[1] else fitted(own, screen)


class LiveWindow:
    """Shows what a projector gives until the user has seen enough.

    Args:
        root: of :func:`open_screen`.
        reel: what is shown.
        projector: made for it, not started.
        size: (height, width) of the picture.
        album: for stills and recordings.
    """

    def __init__(
        self,
        root: tk.Tk,
        reel: Reel,
        projector: Projector,
        size: tuple[int, int],
        album: Album,
    ) -> None:
        self.view: View = VIEWS[0]
        self.split = 0.5
        self.shown: Shown | None = None
        self._root, self._reel, self._projector = root, reel, projector
        self._size, self._album = size, album
        self._meter = Meter()
        self._first_s = self._last_s = self._said_s = 0.0
        self._failure: BaseException | None = None
        self._build()
        self._bind()

    def run(self) -> Summary:
        """Show the window until it is closed, from the terminal too (Ctrl-C).

        Raises:
            TintypeError: what the projector raises.
        """
        self._root.deiconify()
        self._projector.start()
        self._tick()
        self._report()
        try:
            with suppress(KeyboardInterrupt):
                self._root.mainloop()
        finally:
            self._projector.close()
            self._stop_recording()
        if self._failure is not None:
            raise self._failure
        projector = self._projector
        seconds = self._last_s - self._first_s
        return Summary(self._meter.count, projector.dropped, projector.predicted, seconds)

    def _build(self) -> None:
        import tkinter as tk

        from PIL import ImageTk

        root, (height, width) = self._root, self._size
        root.title(f"Tintype: {self._reel.name}")
        root.configure(background=_DARK)
        root.resizable(False, False)
        self._canvas = tk.Canvas(
            root, width=width, height=height, background=_DEEP, highlightthickness=0
        )
        self._canvas.pack()
        self._photo: ImageTk.PhotoImage = ImageTk.PhotoImage("RGB", (width, height), master=root)
        self._canvas.create_image(0, 0, image=self._photo, anchor="nw")
        self._seam = Seam(self._canvas)
        bar = tk.Frame(root, background=_DARK, padx=12, pady=6)
        bar.pack(fill="x")
        bar.columnconfigure(0, weight=1)
        fixed = "TkFixedFont"
        self._status = tk.Label(bar, background=_DARK, foreground=_LIGHT, font=fixed)
        self._status.grid(row=0, column=0, sticky="w")
        self._red_light = tk.Label(bar, background=_DARK, foreground=_RED, font=fixed)
        self._red_light.grid(row=0, column=1, sticky="e")
        self._message = tk.Label(bar, background=_DARK, foreground=_DIM, text=_HELP)
        self._message.grid(row=1, column=0, columnspan=2, sticky="w")
        root.update_idletasks()
        # What is said must not widen the window.
        root.geometry(f"{max(width, _NARROWEST_PX)}x{root.winfo_reqheight()}")

    def _bind(self) -> None:
        root = self._root
        actions = {
            "space": self._next_view,
            "left": lambda: self._move_split(self.split - _STEP),
            "right": lambda: self._move_split(self.split + _STEP),
            "s": self._save_still,
            "r": self._toggle_recording,
            "q": root.quit,
        }
        root.bind("<Key>", lambda event: actions.get(event.keysym.lower(), lambda: None)())
        for drag in ("<Button-1>", "<B1-Motion>"):
            self._canvas.bind(drag, lambda event: self._move_split(event.x / self._size[1]))
        root.protocol("WM_DELETE_WINDOW", root.quit)
        root.report_callback_exception = self._fail

    def _fail(self, _: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        """Tk would print what goes wrong in a callback, and go on."""
        if not isinstance(error, KeyboardInterrupt):
            self._failure = self._failure or error
        self._root.quit()

    def _tick(self) -> None:
        """Show the frame that is due, and come back when the next one is."""
        frame = self._projector.take()
        if frame is not None:
            self.shown = frame
            self._draw()
            self._last_s = time.monotonic()
            self._first_s = self._first_s or self._last_s
            self._meter.add(self._last_s)
        wait_ms = int(1000 * self._projector.wait_s())
        self._root.after(max(1, min(wait_ms, _STATUS_MS)), self._tick)

    def _draw(self) -> None:
        if self.shown is not None:
            self._photo.paste(self.shown.composed(self.view, self.split))
        if self.view == "split":
            self._seam.move(round(self.split * self._size[1]), 0, self._size[0])
        else:
            self._seam.hide()

    def _next_view(self) -> None:
        self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
        self._draw()

    def _move_split(self, part: float) -> None:
        self.view, self.split = "split", min(1.0, max(0.0, part))
        self._draw()

    def _say(self, text: str) -> None:
        self._message.configure(text=text, foreground=_LIGHT)
        self._said_s = time.monotonic()

    def _report(self) -> None:
        """Bring the status line up to date."""
        now_s = time.monotonic()
        self._status.configure(text=self._status_text(now_s))
        self._red_light.configure(text="● recording" if self._album.recorder else "")
        if now_s - self._said_s > _SAID_S:
            self._message.configure(text=_HELP, foreground=_DIM)
        if self._album.recorder is not None and self._album.recorder.failure is not None:
            self._stop_recording()
        self._root.after(_STATUS_MS, self._report)

    def _status_text(self, now_s: float) -> str:
        projector, film, shown = self._projector, self._reel.film, self.shown
        at = "starting" if shown is None else clock_text(shown.time_s)
        if shown is not None and film.duration_s and not self._reel.live:
            at += f" / {clock_text(film.duration_s)}"
        if projector.ended:
            at = "the end"
        wanted = f" of {projector.wanted_rate:.4g}" if projector.wanted_rate else ""
        rate = f"{self._meter.rate(now_s):5.1f}{wanted} frames/s"
        return f"{self.view:6}   {rate}   {at}   {projector.dropped} dropped"

    def _save_still(self) -> None:
        if self.shown is not None:
            self._say(self._album.save_still(self.shown))

    def _toggle_recording(self) -> None:
        if self._album.recorder is not None:
            self._stop_recording()
        elif self.shown is not None:
            self._say(self._album.start_recording(self.shown))
            self._projector.recorder = self._album.recorder

    def _stop_recording(self) -> None:
        self._projector.recorder = None
        self._say(self._album.stop_recording())


def clock_text(seconds: float) -> str:
    """A time as people write it: 0:07, 1:02:03."""
    whole = int(seconds)
    minutes = f"{whole // 60 % 60}" if whole < 3600 else f"{whole // 3600}:{whole // 60 % 60:02}"
    return f"{minutes}:{whole % 60:02}"
