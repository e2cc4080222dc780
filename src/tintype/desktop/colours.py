"""The window's colours: those of the page, for both are one darkroom."""

from __future__ import annotations

# The colours of server/static/style.css.
GROUND, RAISED, EDGE, EDGE_STRONG = "#14120f", "#201d19", "#3d3832", "#857b6d"
TEXT, SOFT, ACCENT, ON_ACCENT, BAD = "#f1ece3", "#b9b0a2", "#f0a63a", "#1a1204", "#ff9b85"
OFF = "#6f675b"
