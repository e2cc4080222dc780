"""What the window asks in the system's own dialogs: which picture, which folder, what name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tintype.images import SUFFIXES

if TYPE_CHECKING:
    import tkinter as tk

_PREFERRED = (".jpg", ".png", ".tif", ".webp", ".avif", ".heic", ".bmp")


def pictures(root: tk.Tk) -> list[Path]:
    """Pictures to be opened; none when that was called off."""
    from tkinter import filedialog

    known = " ".join(f"*{suffix} *{suffix.upper()}" for suffix in sorted(SUFFIXES))
    names = filedialog.askopenfilenames(
        parent=root,
        title="Open pictures",
        filetypes=[("Pictures", known), ("All files", "*")],
    )
    return [Path(name) for name in root.tk.splitlist(names)]


def folder(root: tk.Tk, title: str, begin: Path | None = None) -> Path | None:
    """A folder; None when that was called off."""
    from tkinter import filedialog

    name = filedialog.askdirectory(
        parent=root, title=title, mustexist=begin is None, initialdir=begin or ""
    )
    return Path(name) if name else None


def target(root: tk.Tk, begin: Path) -> Path | None:
    """Where a result goes, and in which format; None when that was called off.

    Args:
        root: the window.
        begin: what is suggested.
    """
    from tkinter import filedialog

    suffixes = dict.fromkeys((begin.suffix.lower(), *_PREFERRED))
    name = filedialog.asksaveasfilename(
        parent=root,
        title="Save in colour",
        initialdir=begin.parent,
        initialfile=begin.name,
        defaultextension=begin.suffix,
        filetypes=[(suffix[1:].upper(), f"*{suffix}") for suffix in suffixes],
    )
    return Path(name) if name else None


def losing(root: tk.Tk, name: str) -> bool:
    """Whether colours that were given to a picture may be lost."""
    from tkinter import messagebox

    sentence = f"The colours that you gave to {name} are not saved. Go on without them?"
    return messagebox.askokcancel("Tintype", sentence, parent=root, icon="warning")


def hide_hidden_files(root: tk.Tk) -> None:
    """Let Tk's own dialogs, which only X11 has, begin without the files whose names have a dot."""
    import tkinter

    # The variables are there once the dialog's code is loaded, for which a wrong option will do.
    with suppress(tkinter.TclError):
        root.tk.call("tk_getOpenFile", "-none")
    with suppress(tkinter.TclError):
        root.tk.call("set", "::tk::dialog::file::showHiddenBtn", "1")
        root.tk.call("set", "::tk::dialog::file::showHiddenVar", "0")
