"""Tintype gives black-and-white photographs and film their colour back."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tintype.engine import Colorizer, colorize
    from tintype.errors import (
        AlreadyColour,
        ChecksumMismatch,
        DeviceUnavailable,
        MissingExtra,
        ModelInvalid,
        ModelNotFound,
        TintypeError,
        TrainingError,
        UnreadableFilm,
        UnreadableImage,
        UnwritableFilm,
        UnwritableImage,
        UsageError,
    )
    from tintype.options import Hint, Options, Report
    from tintype.runtime import Prediction
    from tintype.video.film import FilmFrame
    from tintype.video.probe import Film
    from tintype.zoo import Weights, list_models

__all__ = [
    "AlreadyColour",
    "ChecksumMismatch",
    "Colorizer",
    "DeviceUnavailable",
    "Film",
    "FilmFrame",
    "Hint",
    "MissingExtra",
    "ModelInvalid",
    "ModelNotFound",
    "Options",
    "Prediction",
    "Report",
    "TintypeError",
    "TrainingError",
    "UnreadableFilm",
    "UnreadableImage",
    "UnwritableFilm",
    "UnwritableImage",
    "UsageError",
    "Weights",
    "colorize",
    "list_models",
]

_MODULES = {
    "engine": ("Colorizer", "colorize"),
    "options": ("Hint", "Options", "Report"),
    "runtime": ("Prediction",),
    "video.film": ("FilmFrame",),
    "video.probe": ("Film",),
    "zoo": ("Weights", "list_models"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that ``import tintype`` stays quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = next((m for m, names in _MODULES.items() if name in names), "errors")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
