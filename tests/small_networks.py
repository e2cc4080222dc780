"""Options that make each network of the table small enough for tests."""

from __future__ import annotations

SMALL: dict[str, dict[str, object]] = {
    "tintype": {"context_width": 16, "decoder_widths": (24, 24, 24)},
    "eccv16": {"width": 8},
    "siggraph17": {"width": 8},
    "baseline": {},
    "autoencoder": {"width": 8},
    "resnet18": {"width": 16},
    "fusion": {"width": 8},
    "unet_palette": {"width": 8, "colours": 6},
    "unetpp": {"width": 4},
    "pix2pix": {"width": 8, "downs": 6},
    "dcgan": {"width": 8, "downs": 6},
    "scgan": {"width": 4, "downs": 6},
    "mcgan": {"width": 4, "blocks": 2, "domains": 3},
}
