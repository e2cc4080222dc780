"""A program that drags files to another program's window and lets go, by the protocol XDND 5.

python dragging.py X Y PATH...

The pointer is said to be at X, Y of the screen. Prints what the other program did with the files.
See https://www.freedesktop.org/wiki/Specifications/XDND.
"""

from __future__ import annotations

import sys
from pathlib import Path

from Xlib import X, Xatom, display
from Xlib.protocol.event import ClientMessage, SelectionNotify, SelectionRequest
from Xlib.xobject.drawable import Window

VERSION = 5


class Dragging:
    """Files on their way.

    Args:
        at: (x, y) on the screen.
        paths: the files.
    """

    def __init__(self, at: tuple[int, int], paths: list[Path]) -> None:
        self.display = display.Display()
        self.at = at
        self.uris = "".join(f"{path.as_uri()}\r\n" for path in paths).encode()
        root = self.display.screen().root
        self.window = root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        self.window.set_selection_owner(self.atom("XdndSelection"), X.CurrentTime)
        self.target = self._under(root)

    def atom(self, name: str) -> int:
        return int(self.display.intern_atom(name))

    def _under(self, window: Window) -> Window:
        """The window under the pointer that knows of dragging."""
        while child := self._child(window):
            window = child
            aware = window.get_full_property(self.atom("XdndAware"), Xatom.ATOM)
            if aware is not None and aware.value[0] >= VERSION:
                return window
        raise SystemExit("No window here takes drops.")

    def _child(self, window: Window) -> Window | None:
        root = self.display.screen().root
        for child in reversed(window.query_tree().children):  # the uppermost first
            shape, corner = child.get_geometry(), child.translate_coords(root, 0, 0)
            left, top = -corner.x, -corner.y
            wide = left <= self.at[0] < left + shape.width
            inside = wide and top <= self.at[1] < top + shape.height
            if inside and child.get_attributes().map_state == X.IsViewable:
                return child
        return None

    def send(self, kind: str, *data: int) -> None:
        numbers = [self.window.id, *data, 0, 0, 0, 0][:5]
        message = ClientMessage(window=self.target, client_type=self.atom(kind), data=(32, numbers))
        self.target.send_event(message)
        self.display.flush()

    def answer(self, kind: str) -> list[int]:
        """Wait for a message; who asks for the files meanwhile gets them."""
        while True:
            event = self.display.next_event()
            if event.type == X.SelectionRequest:
                self.give(event)
            elif event.type == X.ClientMessage and event.client_type == self.atom(kind):
                return list(event.data[1])

    def give(self, asked: SelectionRequest) -> None:
        assert asked.target == self.atom("text/uri-list")
        asked.requestor.change_property(asked.property, asked.target, 8, self.uris)
        asked.requestor.send_event(
            SelectionNotify(
                time=asked.time,
                requestor=asked.requestor,
                selection=asked.selection,
                target=asked.target,
                property=asked.property,
            )
        )
        self.display.flush()

    def drop(self) -> str:
        """Enter the window, move, let go; the action that was taken."""
        x, y = self.at
        self.send("XdndEnter", VERSION << 24, self.atom("text/uri-list"))
        self.send("XdndPosition", 0, x << 16 | y, X.CurrentTime, self.atom("XdndActionCopy"))
        if not self.answer("XdndStatus")[1] & 1:
            self.send("XdndLeave")
            return "refused"
        self.send("XdndDrop", 0, X.CurrentTime)
        action = self.answer("XdndFinished")[2]  # tkdnd gives it, and 2 for the flag 1 of success
        return str(self.display.get_atom_name(action)) if action else "failed"


if __name__ == "__main__":
    where = int(sys.argv[1]), int(sys.argv[2])
    sys.stdout.write(Dragging(where, [Path(name) for name in sys.argv[3:]]).drop() + "\n")
