"""What can go wrong, as one tree: every error that Tintype raises on purpose.

::

    TintypeError
    ├── UsageError              options or arguments that make no sense together
    ├── ModelNotFound           no model of that name, and no such file
    ├── ModelInvalid            a graph that does not keep the contract
    ├── ChecksumMismatch        weights whose sha256 is not the recorded one
    ├── DeviceUnavailable       the installed ONNX Runtime cannot run on that device
    ├── MissingExtra            an optional package is needed; names the pip line
    ├── UnreadableImage         truncated, empty, of the wrong kind, animated, too large
    ├── UnwritableImage         read-only folder, full disk, a format that cannot hold it
    ├── UnreadableFilm          a film that cannot be opened or decoded, or holds no picture
    ├── UnwritableFilm          streams that the container cannot hold, full disk, no such codec
    ├── AlreadyColour           the picture has colours and recolouring was not asked for
    └── TrainingError           a recipe, data set or checkpoint that cannot be used

Each message is one sentence or two: what was wrong, the value, and what to do.
"""

from __future__ import annotations


class TintypeError(Exception):
    """The base of every error that Tintype raises on purpose."""


class UsageError(TintypeError):
    """Options or arguments that make no sense, alone or together."""


class ModelNotFound(TintypeError):
    """No model of that name is known and no such file exists."""


class ModelInvalid(TintypeError):
    """A graph that cannot be loaded or does not keep the contract (L in, ab out)."""


class ChecksumMismatch(TintypeError):
    """Weights whose sha256 differs from the recorded one."""


class DeviceUnavailable(TintypeError):
    """The ONNX Runtime that is installed cannot run on the device asked for."""


class MissingExtra(TintypeError):
    """An optional package is needed for this; the message is the line that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        """Say what needs the extra and how to install it.

        Args:
            what: the thing that was asked for, as the start of a sentence ("Reading HEIC").
            extra: the name of the extra in ``pyproject.toml`` ("heic").
        """
        super().__init__(f'{what} needs an optional package: pip install "tintype[{extra}]"')


class UnreadableImage(TintypeError):
    """A picture that cannot be read: truncated, empty, of the wrong kind, animated, too large."""


class UnwritableImage(TintypeError):
    """A result that cannot be written: read-only folder, full disk, unsuited format."""


class UnreadableFilm(TintypeError):
    """A film that cannot be read: not to be opened, damaged, or without a moving picture."""


class UnwritableFilm(TintypeError):
    """A film that cannot be written: streams the container cannot hold, full disk, codec."""


class AlreadyColour(TintypeError):
    """The picture already has colours and recolouring it was not asked for."""


class TrainingError(TintypeError):
    """A recipe, data set or checkpoint that cannot be used."""
