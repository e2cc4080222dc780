"""How the window looks: the page's darkroom, its one accent, and the widgets in these colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tkinter as tk
    from tkinter import ttk

# The colours of server/static/style.css.
GROUND, RAISED, EDGE, EDGE_STRONG = "#14120f", "#201d19", "#3d3832", "#857b6d"
TEXT, SOFT, ACCENT, ON_ACCENT, BAD = "#f1ece3", "#b9b0a2", "#f0a63a", "#1a1204", "#ff9b85"
_OFF = "#6f675b"

BUTTON, MAIN_BUTTON, PRESSED_BUTTON = "Tintype.TButton", "Main.TButton", "Pressed.TButton"
LABEL, SOFT_LABEL, LARGE_LABEL = "Tintype.TLabel", "Soft.TLabel", "Large.TLabel"
FRAME, PANEL = "Tintype.TFrame", "Panel.TFrame"
PANEL_LABEL, PANEL_SOFT_LABEL = "Panel.TLabel", "PanelSoft.TLabel"
LARGE_PANEL_LABEL = "LargePanel.TLabel"
SLIDER = "Tintype.Horizontal.TScale"
BAR = "Tintype.Horizontal.TProgressbar"

LARGE_FONT = "TintypeLarge"


def apply_style(root: tk.Tk) -> None:
    """Make the styles known, and the window dark."""
    from tkinter import font, ttk

    root.configure(background=GROUND)
    usual = font.nametofont("TkDefaultFont", root)
    size = round(1.8 * abs(int(usual.actual("size"))))
    root.tk.call("font", "create", LARGE_FONT, "-family", usual.actual("family"), "-size", size)
    style = ttk.Style(root)
    style.theme_use("clam")  # the one theme that takes colours on every system
    _colour_buttons(style)
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
    style.configure(SLIDER, background=ACCENT, troughcolor=EDGE, sliderlength=22, **flat)
    style.map(SLIDER, background=[("disabled", EDGE_STRONG), ("active", ACCENT)])
    style.configure(BAR, background=ACCENT, troughcolor=EDGE, thickness=10, **flat)


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
        )
        hover = EDGE if ground == RAISED else "#ffbd5c"
        style.map(
            name,
            background=[("disabled", GROUND), ("active", hover)],
            foreground=[("disabled", _OFF)],
            bordercolor=[("disabled", EDGE)],
            lightcolor=[("disabled", GROUND), ("active", hover)],
            darkcolor=[("disabled", GROUND), ("active", hover)],
        )
