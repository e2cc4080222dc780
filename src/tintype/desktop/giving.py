"""How colours are given: spots on the picture, the disc for the chosen one, one step back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tintype.desktop.bars import GiveBar
from tintype.desktop.picker import Ears, Picker
from tintype.desktop.spots import Spot, Spots

if TYPE_CHECKING:
    from tintype.desktop.stage import Stage

_MARGIN_PX = 14


class Giving:
    """The part of a window in which colours are given.

    Args:
        stage: shows the picture and its spots.
        changed: told when the network is to be asked anew.
    """

    def __init__(self, stage: Stage, changed: Callable[[], None]) -> None:
        self._stage, self._changed = stage, changed
        self.bar = GiveBar(stage.canvas.master, undo=self.undo, redo=self.redo, clear=self._clear)
        ears = Ears(self._colour, self._settle, self.remove, lambda: self.choose(None))
        self.picker = Picker(stage.canvas, ears)
        stage.on_chosen, stage.on_spots = self.choose, self.moved
        for key in ("Delete", "BackSpace"):
            stage.canvas.bind(f"<{key}>", lambda _: self.remove())

    def toggle(self) -> bool:
        """Begin, or end; whether it has begun."""
        giving = self._stage.giving = not self._stage.giving
        if giving:
            self.bar.frame.pack(side="top", fill="x", before=self._stage.canvas)
        else:
            self.bar.frame.pack_forget()
        self.choose(None)
        return giving

    def choose(self, number: int | None) -> None:
        """Open the disc for a spot, or close it."""
        stage, plate = self._stage, self._stage.plate
        stage.chosen = number
        stage.draw_spots()
        if plate is not None:
            self.bar.let(plate.spots)
        if number is None or plate is None:
            if self.picker.frame.winfo_ismapped():
                self.picker.frame.place_forget()
                stage.canvas.focus_set()
            return
        spot = plate.spots.now[number]
        self.picker.show(spot, plate.guess(spot.x, spot.y))
        left = spot.x > 0.5  # the disc must not lie on its spot
        self.picker.frame.place(
            relx=0 if left else 1,
            rely=1,
            x=_MARGIN_PX if left else -_MARGIN_PX,
            y=-_MARGIN_PX,
            anchor="sw" if left else "se",
        )

    def moved(self) -> None:
        """The spots are others now."""
        if self._stage.plate is not None:
            self.bar.let(self._stage.plate.spots)
            self._stage.draw_spots()
            self._changed()

    def remove(self) -> None:
        """Take the chosen spot away."""
        number, spots = self._stage.chosen, self._spots
        if number is not None:
            self._step(lambda: spots.remove(number))

    def undo(self) -> None:
        """Take a step back."""
        if self._spots.can_undo:
            self._step(self._spots.undo)

    def redo(self) -> None:
        """Take it again."""
        if self._spots.can_redo:
            self._step(self._spots.redo)

    def _clear(self) -> None:
        self._step(lambda: self._spots.put(()))

    def _step(self, take: Callable[[], object]) -> None:
        self.choose(None)
        take()
        self.moved()

    @property
    def _spots(self) -> Spots:
        plate = self._stage.plate
        return plate.spots if plate is not None else Spots()

    def _colour(self, a: float, b: float) -> None:
        number, spots = self._stage.chosen, self._spots
        if number is not None:
            spot: Spot = spots.now[number].coloured(a, b)
            spots.drag(spots.with_one(number, spot))
            self.picker.update(spot)
            self.moved()

    def _settle(self) -> None:
        self._spots.drop()
        self.bar.let(self._spots)
