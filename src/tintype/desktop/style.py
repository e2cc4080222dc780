"""How the window looks: the page's darkroom, its one accent, and the widgets in these colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tintype.desktop.colours import (
    ACCENT,
    EDGE,
    EDGE_STRONG,
    GROUND,
    OFF,
    ON_ACCENT,
    RAISED,
    SOFT,
    TEXT,
)
from tintype.desktop.marks import groove, knob
from tintype.desktop.screen import photo_of

if TYPE_CHECKING:
    import tkinter as tk
    from tkinter import ttk

    from PIL import ImageTk

BUTTON, MAIN_BUTTON, PRESSED_BUTTON = "Tintype.TButton", "Main.TButton", "Pressed.TButton"
LABEL, SOFT_LABEL, LARGE_LABEL = "Tintype.TLabel", "Soft.TLabel", "Large.TLabel"
FRAME, PANEL = "Tintype.TFrame", "Panel.TFrame"
PANEL_LABEL, PANEL_SOFT_LABEL = "Panel.TLabel", "PanelSoft.TLabel"
LARGE_PANEL_LABEL = "LargePanel.TLabel"
SLIDER = "Tintype.Horizontal.TScale"
CHOICE, MARK, CHOSEN_MARK = "Tintype.Toolbutton", "Mark.TButton", "ChosenMark.TButton"
BAR = "Tintype.Horizontal.TProgressbar"

LARGE_FONT = "TintypeLarge"


def apply_style(root: tk.Tk) -> list[ImageTk.PhotoImage]:
    """Make the styles known, and the window dark.

    Returns:
        What the widgets are drawn with, to be kept as long as they are.
    """
    from tkinter import font, ttk

    root.configure(background=GROUND)
    usual = font.nametofont("TkDefaultFont", root)
    size = round(1.8 * abs(int(usual.actual("size"))))
    root.tk.call("font", "create", LARGE_FONT, "-family", usual.actual("family"), "-size", size)
    style = ttk.Style(root)
    style.theme_use("clam")  # the one theme that takes colours on every system
    _colour_buttons(style)
    _colour_choices(style)
    for name, ground, text in (
        (LABEL, GROUND, TEXT),
        (SOFT_LABEL, GROUND, SOFT),
        (PANEL_LABEL, RAISED, TEXT),
        (PANEL_SOFT_LABEL, RAISED, SOFT),
    ):
        style.configure(name, background=ground, foreground=text)
    style.configure(LARGE_LABEL, background=GROUND, foreground=TEXT, font=LARGE_FONT)
    style.configure(LARGE_PANEL_LABEL, background=RAISED, foreground=TEXT, font=LARGE_FONT)
    style.configure(FRAME, background=GROUND)
    style.configure(PANEL, background=RAISED, bordercolor=EDGE, relief="solid", borderwidth=1)
    flat = {"bordercolor": EDGE, "lightcolor": ACCENT, "darkcolor": ACCENT}
    style.configure(BAR, background=ACCENT, troughcolor=EDGE, thickness=10, **flat)
    return _draw_slider(root, style)


def _draw_slider(root: tk.Tk, style: ttk.Style) -> list[ImageTk.PhotoImage]:
    """A round knob in a groove; the theme's own has neither."""
    grip, focused, off, run = photos = [
        photo_of(knob(ACCENT, GROUND), root),
        photo_of(knob(ACCENT, TEXT), root),
        photo_of(knob(EDGE_STRONG, GROUND), root),
        photo_of(groove(EDGE, GROUND), root),
    ]
    states = [("disabled", off), ("focus", focused)]
    style.element_create("Tintype.slider", "image", grip, *states, sticky="")
    style.element_create("Tintype.trough", "image", run, border=4, sticky="ew")
    inner = [("Tintype.slider", {"side": "left", "sticky": ""})]
    style.layout(SLIDER, [("Tintype.trough", {"sticky": "ew", "children": inner})])  # type: ignore[list-item]
    style.configure(SLIDER, background=GROUND)
    style.map(SLIDER, background=[("disabled", GROUND)])
    return photos


def _colour_buttons(style: ttk.Style) -> None:
    for name, ground, text, edge in (
        (BUTTON, RAISED, TEXT, EDGE_STRONG),
        (PRESSED_BUTTON, RAISED, ACCENT, ACCENT),
        (MAIN_BUTTON, ACCENT, ON_ACCENT, ACCENT),
    ):
        style.configure(
            name,
            background=ground,
            foreground=text,
            bordercolor=edge,
            lightcolor=ground,
            darkcolor=ground,
            focuscolor=text,
            padding=(14, 7),
            width=-8,
        )
        hover = EDGE if ground == RAISED else "#ffbd5c"
        style.map(
            name,
            background=[("disabled", GROUND), ("active", hover)],
            foreground=[("disabled", OFF)],
            bordercolor=[("disabled", EDGE)],
            lightcolor=[("disabled", GROUND), ("active", hover)],
            darkcolor=[("disabled", GROUND), ("active", hover)],
        )


def _colour_choices(style: ttk.Style) -> None:
    """Of buttons of which one is chosen, and of words that can be clicked."""
    flat = {
        "background": GROUND,
        "lightcolor": GROUND,
        "darkcolor": GROUND,
        "focuscolor": TEXT,
        "anchor": "center",
    }
    style.configure(CHOICE, foreground=TEXT, bordercolor=EDGE, **flat)
    style.configure(CHOICE, padding=(10, 4), relief="solid", borderwidth=1)
    style.map(
        CHOICE,
        background=[("disabled", GROUND), ("active", EDGE), ("selected", RAISED)],
        foreground=[("disabled", OFF), ("selected", ACCENT)],
        bordercolor=[("disabled", EDGE), ("focus", TEXT), ("selected", ACCENT)],
        lightcolor=[("focus", TEXT)],
        darkcolor=[("focus", TEXT)],
        relief=[("pressed", "solid")],
    )
    for name, text in ((MARK, SOFT), (CHOSEN_MARK, ACCENT)):
        style.configure(name, foreground=text, bordercolor=GROUND, **flat)
        style.configure(name, padding=(4, 1), width=0, relief="flat")
        style.map(
            name,
            background=[("disabled", GROUND), ("active", EDGE)],
            foreground=[("disabled", OFF)],
            bordercolor=[("focus", TEXT), ("active", EDGE)],
        )
