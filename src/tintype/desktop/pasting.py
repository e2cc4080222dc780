"""Pictures that come by the clipboard or are dropped on the window."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from PIL import Image, ImageGrab

from tintype.desktop.plate import Source
from tintype.errors import UnreadableImage

if TYPE_CHECKING:
    import tkinter as tk

_KINDS = ("text/uri-list", "UTF8_STRING", "STRING")  # of what a file manager may have copied


def copied_files(root: tk.Tk) -> list[Path]:
    """The files whose names or addresses are on the clipboard."""
    import tkinter

    for kind in _KINDS:
        with suppress(tkinter.TclError):
            if found := files_in(text_of(root.clipboard_get(type=kind))):
                return found
    return []


def text_of(copied: str) -> str:
    """What Tk gives of the clipboard as text: a type that X11 does not know comes in hex codes."""
    codes = copied.split()
    if not codes or not all(re.fullmatch("0x[0-9a-f]{1,2}", code) for code in codes):
        return copied
    return bytes(int(code, 16) for code in codes).decode(errors="replace")


def files_in(text: str) -> list[Path]:
    """The files that a text names, a line each, by path or by file: address."""
    found = []
    for line in text.splitlines():
        name = line.strip().strip("\"'")
        if name.startswith("file:"):
            name = url2pathname(urlsplit(name).path)
        with suppress(OSError, ValueError):
            path = Path(name)
            if path.is_absolute() and path.exists():
                found.append(path)
    return found


def copied_picture() -> Source | None:
    """The picture on the clipboard, as PNG or as a file; None when there is none.

    Raises:
        UnreadableImage: this system has no way to ask for it.
    """
    try:
        found = ImageGrab.grabclipboard()
    except NotImplementedError as error:
        raise UnreadableImage(
            "To paste pictures, this system needs the program wl-paste or xclip."
        ) from error
    except (OSError, ValueError):  # xclip's way to say that there is no picture
        return None
    if isinstance(found, Image.Image):
        file = io.BytesIO()
        found.save(file, "PNG")
        return file.getvalue()
    return Path(found[0]) if found else None


def take_drops(widget: tk.Widget, dropped: Callable[[Sequence[Path]], None]) -> bool:
    """Let files be dropped on a widget.

    Args:
        widget: on which.
        dropped: is told what was.

    Returns:
        Whether that is possible: tkinterdnd2 is installed and its library loads here.
    """
    try:
        from tkinterdnd2 import DND_FILES, TkinterDnD

        TkinterDnD._require(widget.winfo_toplevel())
    except (ImportError, RuntimeError):
        return False

    def take(event: object) -> str:
        names = widget.tk.splitlist(getattr(event, "data", ""))
        dropped([Path(name) for name in names])
        return str(getattr(event, "action", "copy"))

    # The package gives these methods to all widgets.
    widget.drop_target_register(DND_FILES)  # type: ignore[attr-defined]
    widget.dnd_bind("<<Drop>>", take)  # type: ignore[attr-defined]
    return True
