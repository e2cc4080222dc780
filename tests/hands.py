"""What works the window on a virtual screen for tests, as a hand would do it."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import ImageGrab

from tintype.desktop.screen import open_screen
from tintype.desktop.window import PictureWindow
from tintype.engine import Colorizer, Options

PATIENCE_S = 20.0


@dataclass
class Hand:
    """What works the window, and what it looks at."""

    window: PictureWindow
    display: str
    errors: list[BaseException] = field(default_factory=list)

    def until(self, holds: Callable[[], bool]) -> None:
        """Let the window live until something holds."""
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, f"The window says: {self.said}"
            self.window._root.update()
            time.sleep(0.002)
        self.window._root.update()

    def open(self, *paths: Path) -> None:
        self.window.open(paths)
        self.until(lambda: self.coloured and self.said.startswith("Coloured"))

    @property
    def coloured(self) -> bool:
        plate = self.window.plate
        return plate is not None and plate.answer is not None

    @property
    def said(self) -> str:
        return str(self.window.tools.status["text"])

    def until_said(self, text: str) -> None:
        self.until(lambda: text in self.said)

    def press(self, key: str) -> None:
        canvas = self.window.stage.canvas
        canvas.focus_force()
        canvas.update()
        canvas.event_generate(f"<{key}>")
        canvas.update()

    def click(self, x: float, y: float, to: tuple[float, float] | None = None) -> None:
        """Press at parts of the picture's width and height, and let go there or elsewhere."""
        canvas, plate = self.window.stage.canvas, self.window.plate
        assert plate is not None
        left, top = self.window.stage._corner

        def at(part_x: float, part_y: float) -> dict[str, int]:
            height, width = plate.shape
            return {"x": round(left + part_x * width), "y": round(top + part_y * height)}

        canvas.event_generate("<Button-1>", **at(x, y))
        for step in (0.5, 1.0) if to else ():
            canvas.event_generate(
                "<B1-Motion>", **at(x + step * (to[0] - x), y + step * (to[1] - y))
            )
        canvas.event_generate("<ButtonRelease-1>", **at(*(to or (x, y))))
        canvas.update()

    def colours(self, left: float, right: float) -> float:
        """How colourful a part of the picture is on the screen: mean difference of red and blue."""
        canvas, plate = self.window.stage.canvas, self.window.plate
        assert plate is not None
        canvas.update()
        x, y = (
            corner + origin
            for corner, origin in zip(
                self.window.stage._corner, (canvas.winfo_rootx(), canvas.winfo_rooty()), strict=True
            )
        )
        height, width = plate.shape
        box = (x + int(left * width), y + 2, x + int(right * width), y + height // 3)
        pixels = np.asarray(ImageGrab.grab(box, xdisplay=self.display).convert("RGB"), np.int16)
        return float(np.abs(pixels[..., 0] - pixels[..., 2]).mean())


@contextlib.contextmanager
def hand_on(display: str, colorizer: Colorizer, options: Options) -> Iterator[Hand]:
    """A hand on a window that is open meanwhile."""
    with open_screen() as root:
        errors: list[BaseException] = []
        window = PictureWindow(root, colorizer, options, "cpu", errors.append)
        root.deiconify()
        root.update()
        window._poll()
        yield Hand(window, display, errors)
        window._looking.close(PATIENCE_S)
        window._writing.close(PATIENCE_S)
    gc.collect()
