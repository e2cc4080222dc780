"""Where the picture is shown: grey on the left, colour on the right, over it the given colours.

It knows where things are and what the hand does to them; what follows from that is the window's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from tintype.desktop.colours import ACCENT, GROUND, SOFT, TEXT
from tintype.desktop.marks import spot
from tintype.desktop.plate import Plate
from tintype.desktop.screen import Seam, halves, photo_of
from tintype.desktop.style import LARGE_FONT

if TYPE_CHECKING:
    import tkinter as tk

    from PIL import ImageTk

_MARGIN_PX = 12
_NEAR_SEAM_PX, _NEAR_SPOT_PX, _STILL_PX = 20, 18, 3
_STEP, _LONG_STEP = 0.02, 0.1  # of the width, for an arrow key without and with shift
_WELCOME = "Open an old photograph"


class Stage:
    """A canvas with a picture.

    Args:
        parent: of the canvas.
        empty: told of a click where there is no picture yet.

    Attributes:
        canvas: the widget.
        split: what part of the picture is grey, from the left.
        plate: what is shown.
        giving: whether a click gives a colour.
        chosen: the number of the spot that is being worked on.
        advice: what is said where there is no picture yet.
        on_chosen: told of a spot that was clicked, by its number, or None: away from all.
        on_spots: told that the spots are others now.
    """

    def __init__(self, parent: tk.Misc, empty: Callable[[], None]) -> None:
        import tkinter as tk

        self.split = 0.5
        self.plate: Plate | None = None
        self.giving = False
        self.chosen: int | None = None
        self.advice = ""
        self.on_chosen: Callable[[int | None], None] = lambda _: None
        self.on_spots: Callable[[], None] = lambda: None
        self._empty = empty
        self.canvas = tk.Canvas(
            parent,
            background=GROUND,
            highlightthickness=1,
            highlightbackground=GROUND,
            highlightcolor=GROUND,
            takefocus=True,
        )
        self._item = self.canvas.create_image(0, 0, anchor="nw")
        self._seam = Seam(self.canvas)
        self._photo: ImageTk.PhotoImage | None = None
        self._spot_photos: list[ImageTk.PhotoImage] = []
        self._grey: Image.Image | None = None
        self._colour: Image.Image | None = None
        self._corner = (0, 0)  # x, y of the picture's
        self._drag: Callable[[int, int], None] | None = None
        self._pressed = (0, 0)
        self._moved = False
        self._bind()

    def _bind(self) -> None:
        canvas = self.canvas
        canvas.bind("<Configure>", lambda _: self.show(self.plate))
        canvas.bind("<Button-1>", self._press)
        canvas.bind("<B1-Motion>", self._motion)
        canvas.bind("<ButtonRelease-1>", self._release)
        canvas.bind("<Motion>", self._hover)
        # Only who comes by the tabulator needs to see where the keys go.
        canvas.bind("<<TraverseIn>>", lambda _: canvas.configure(highlightcolor=ACCENT))
        canvas.bind("<FocusOut>", lambda _: canvas.configure(highlightcolor=GROUND))
        for key, sign in (("Left", -1), ("Right", 1)):
            for prefix, step in (("", _STEP), ("Shift-", _LONG_STEP)):
                move = sign * step
                canvas.bind(f"<{prefix}{key}>", lambda _, by=move: self.move_split(self.split + by))  # type: ignore[misc]
        canvas.bind("<Home>", lambda _: self.move_split(0))
        canvas.bind("<End>", lambda _: self.move_split(1))

    @property
    def box(self) -> tuple[int, int]:
        """(height, width) that a picture is fitted into."""
        room = 2 * _MARGIN_PX
        return (
            max(1, self.canvas.winfo_height() - room),
            max(1, self.canvas.winfo_width() - room),
        )

    def show(self, plate: Plate | None) -> None:
        """Show a picture as large as there is room; None: none."""
        self.plate = plate
        self.canvas.delete("welcome")
        if plate is None:
            self._welcome()
            return
        plate.fit(self.box)
        self._grey = plate.grey()
        height, width = plate.shape
        self._corner = (
            (self.canvas.winfo_width() - width) // 2,
            (self.canvas.winfo_height() - height) // 2,
        )
        if self._photo is None or (self._photo.width(), self._photo.height()) != (width, height):
            self._photo = photo_of(Image.new("RGB", (width, height)), self.canvas)
            self.canvas.itemconfigure(self._item, image=self._photo)
        self.canvas.coords(self._item, *self._corner)
        self.rejoin()

    def rejoin(self) -> None:
        """Join grey and colours anew, for they or their strength have changed."""
        self._colour = self.plate.colour() if self.plate else None
        self._draw()
        self.draw_spots()

    def move_split(self, part: float) -> None:
        """Move the line between grey and colour."""
        self.split = min(1.0, max(0.0, part))
        self._draw()

    def draw_spots(self) -> None:
        """Draw the spots where they are now."""
        canvas, plate = self.canvas, self.plate
        canvas.delete("spot")
        self._spot_photos = []
        for number, each in enumerate(plate.spots.now if plate and self.giving else ()):
            image = spot(each.hex, number == self.chosen)
            self._spot_photos.append(photo_of(image, canvas))
            canvas.create_image(
                *self._window_of(each.x, each.y), image=self._spot_photos[-1], tags="spot"
            )

    def _draw(self) -> None:
        if self._photo is None or self._grey is None:
            return
        if self._colour is None:
            self._photo.paste(self._grey.convert("RGB"))
            self._seam.hide()
            return
        self._photo.paste(halves(self._colour, self._grey, self.split))
        top = self._corner[1]
        self._seam.move(self._seam_x, top, top + self._grey.height)
        self.canvas.tag_raise("spot")

    def _welcome(self) -> None:
        x, y = self.canvas.winfo_width() / 2, self.canvas.winfo_height() / 2
        for text, offset, fill, font in (
            (_WELCOME, -20, TEXT, LARGE_FONT),
            (self.advice, 22, SOFT, "TkDefaultFont"),
        ):
            self.canvas.create_text(
                *(x, y + offset), text=text, fill=fill, font=font, tags="welcome"
            )

    @property
    def _seam_x(self) -> int:
        return self._corner[0] + round(self.split * (self._grey.width if self._grey else 0))

    def _window_of(self, x: float, y: float) -> tuple[float, float]:
        height, width = self.plate.shape if self.plate else (0, 0)
        return self._corner[0] + x * width, self._corner[1] + y * height

    def _place_of(self, x: int, y: int) -> tuple[float, float]:
        """Parts of the picture's width and height at a place of the canvas; may lie outside."""
        height, width = self.plate.shape if self.plate else (1, 1)
        return (x - self._corner[0] + 0.5) / width, (y - self._corner[1] + 0.5) / height

    def _spot_near(self, x: int, y: int) -> int | None:
        spots = self.plate.spots.now if self.plate and self.giving else ()
        far = [math.dist(self._window_of(each.x, each.y), (x, y)) for each in spots]
        near = [number for number, distance in enumerate(far) if distance <= _NEAR_SPOT_PX]
        return min(near, key=lambda number: far[number], default=None)

    def _press(self, event: tk.Event[tk.Canvas]) -> None:
        self.canvas.focus_set()
        self._drag, self._pressed, self._moved = None, (event.x, event.y), False
        plate = self.plate
        if plate is None:
            self._empty()
        elif plate.answer is None:
            return
        elif (number := self._spot_near(event.x, event.y)) is not None:
            self._choose(number)
            self._drag = self._move_spot
        elif self.giving and abs(event.x - self._seam_x) > _NEAR_SEAM_PX:
            self._give(plate, *self._place_of(event.x, event.y))
        else:
            self._drag = self._move_seam
            self._move_seam(event.x, event.y)

    def _give(self, plate: Plate, x: float, y: float) -> None:
        if not (0 <= x < 1 and 0 <= y < 1):
            self._choose(None)
            return
        number = plate.spots.add(plate.spot_at(x, y))
        self.on_spots()
        self._choose(number)
        self._drag = self._move_spot

    def _choose(self, number: int | None) -> None:
        self.chosen = number
        self.draw_spots()
        self.on_chosen(number)

    def _motion(self, event: tk.Event[tk.Canvas]) -> None:
        if self._drag is not None:
            self._drag(event.x, event.y)

    def _release(self, _: tk.Event[tk.Canvas]) -> None:
        plate, number = self.plate, self.chosen
        if self._moved and plate is not None and number is not None:
            spot = plate.spots.now[number]  # of another lightness now, which has other colours
            plate.spots.drag(plate.spots.with_one(number, spot.coloured(spot.a, spot.b)))
            plate.spots.drop()
            self.on_spots()
        self._drag, self._moved = None, False

    def _move_seam(self, x: int, _: int) -> None:
        self.move_split(self._place_of(x, 0)[0])

    def _move_spot(self, x: int, y: int) -> None:
        plate, number = self.plate, self.chosen
        if plate is None or number is None:
            return
        if not self._moved and math.dist(self._pressed, (x, y)) < _STILL_PX:
            return
        self._moved = True
        to_x, to_y = (min(0.999, max(0.0, part)) for part in self._place_of(x, y))
        L = plate.lightness(to_x, to_y)
        moved = replace(plate.spots.now[number], x=to_x, y=to_y, L=L)
        plate.spots.drag(plate.spots.with_one(number, moved))
        self.draw_spots()

    def _hover(self, event: tk.Event[tk.Canvas]) -> None:
        """Let the pointer tell what a click would do."""
        shape = ""
        if self.plate is None:
            shape = "hand2"
        elif self.plate.answer is not None:
            if self._spot_near(event.x, event.y) is not None:
                shape = "fleur"
            elif self.giving and abs(event.x - self._seam_x) > _NEAR_SEAM_PX:
                shape = "crosshair"
            else:
                shape = "sb_h_double_arrow"
        self.canvas.configure(cursor=shape)
