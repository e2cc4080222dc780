"""Options that make each network of the table small enough for tests."""

from __future__ import annotations

SMALL: dict[str, dict[str, object]] = {
    "tintype": {"context_width": 16, "decoder_widths": (24, 24, 24)},
    "eccv16": {"width": 8},
    "siggraph17": {"width": 8},
}
