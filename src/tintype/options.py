"""What the user can choose about a picture, and what is told about the result."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal

from tintype.errors import UsageError

HINT_FORM = "x,y,#rrggbb[,radius]"
"""How a hint is written on a command line."""


@dataclass(frozen=True)
class Hint:
    """A colour that the user gives at a point of the picture, where the guess was wrong.

    Raises:
        UsageError: numbers that are not finite, a negative radius, or a colour written otherwise.
    """

    x: float
    """Pixels from the left edge of the full upright picture; 0 is the first column."""
    y: float
    """Pixels from the upper edge of the full upright picture; 0 is the first row."""
    colour: str
    """sRGB as "#rrggbb". Its hue and chroma count; the lightness stays the picture's."""
    radius: float = 8.0
    """Pixels around the point that the hint covers; at least one cell of the network's view."""

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.x, self.y, self.radius)):
            raise UsageError(f"A hint's x, y and radius must be finite numbers, not {self}.")
        if self.radius < 0:
            raise UsageError(f"A hint's radius must be 0 or more, not {self.radius}.")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.colour):
            raise UsageError(f'A hint\'s colour is written "#rrggbb", not "{self.colour}".')

    @classmethod
    def parse(cls, text: str) -> Hint:
        """A hint as it is written in a line of text.

        Args:
            text: ``x,y,#rrggbb`` or ``x,y,#rrggbb,radius``, in pixels of the upright picture.

        Raises:
            UsageError: it is written otherwise.
        """
        parts = [part.strip() for part in text.split(",")]
        try:
            x, y, colour, *radius = parts
            numbers = [float(number) for number in (x, y, *radius)]
        except ValueError:
            numbers = []
        if len(numbers) not in (2, 3):
            raise UsageError(f"The hint {text!r} should be written {HINT_FORM}.")
        return cls(numbers[0], numbers[1], colour, *numbers[2:])

    @property
    def rgb(self) -> tuple[float, float, float]:
        """The colour as sRGB in [0, 1]."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red / 255, green / 255, blue / 255


@dataclass(frozen=True)
class Options:
    """How a picture is colorized.

    Raises:
        UsageError: a value outside its range.
    """

    model: str = field(
        default="tintype",
        metadata={"help": "Name of a model, or path of an .onnx file."},
    )
    """Name of a model, or path of an .onnx file; a loaded Colorizer keeps its own."""
    strength: float = field(
        default=1.0,
        metadata={"help": "How strong the colours are, 0 to 2; 0 is grey.", "range": (0.0, 2.0)},
    )
    """Factor on the predicted ab, 0 to 2."""
    variant: int = field(
        default=0,
        metadata={
            "help": "Which of the plausible colourings: 0 is the likely one, 1 to 99 lean "
            "elsewhere where the network is unsure.",
            "range": (0, 99),
        },
    )
    """Which of the plausible colourings, 0 to 99; 0 is the likely one."""
    working_size: int | None = field(
        default=None,
        metadata={
            "help": "What the network sees has the area of a square of this many pixels' side, "
            "32 to 2048; the model's own when not given. Beyond twice its own only edges get "
            "finer.",
            "range": (32, 2048),
        },
    )
    """Side in pixels of the square whose area the network's view has; None is the model's own."""
    batch_size: int = field(
        default=1,
        metadata={
            "help": "Pages of one file that the network sees at once, 1 to 64.",
            "range": (1, 64),
        },
    )
    """Pages of one file that the network sees at once."""
    hints: tuple[Hint, ...] = field(
        default=(),
        metadata={
            "help": "A colour at a point of the picture; can be given several times.",
            "form": HINT_FORM,
        },
    )
    """Colours given at points; only for models that take hints."""
    references: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "A picture in colour that lends its colours where it shows the same; for film "
            "FILE@TIME, a frame that was coloured by hand, which steers its scene.",
            "form": "FILE[@TIME]",
        },
    )
    """A picture in colour that lends its colours; for film several, each as "FILE@TIME"."""
    force: bool = field(
        default=False,
        metadata={"help": "Recolour pictures that are already in colour."},
    )
    """Recolour a picture that is already in colour."""
    mark: bool = field(
        default=True,
        metadata={
            "help": "Mark the result in its metadata as coloured by a machine.",
            "off_help": "Leave out the mark that says that the colours are a machine's.",
        },
    )
    """Say in the result's metadata that the colours are a machine's."""
    quality: int | None = field(
        default=None,
        metadata={
            "help": "Quality of a lossy result, 1 to 100; the original's when not given.",
            "range": (1, 100),
        },
    )
    """Quality of a lossy result, 1 to 100; None keeps the original's."""

    def __post_init__(self) -> None:
        if not self.model:
            raise UsageError("model must name a model or an .onnx file; it is empty.")
        for each in fields(self):
            if "range" in each.metadata:
                _require_range(each.name, getattr(self, each.name), each)
        if not isinstance(self.hints, tuple) or not all(isinstance(h, Hint) for h in self.hints):
            raise UsageError("hints must be a tuple of Hint.")
        if not isinstance(self.references, tuple) or not all(self.references):
            raise UsageError("references must be a tuple of file names.")


def _require_range(name: str, value: object, rule: Field[object]) -> None:
    low, high = rule.metadata["range"]
    if value is None and rule.default is None:
        return
    whole = isinstance(low, int)
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        number = "a whole number" if whole else "a number"
        raise UsageError(f"{name} must be {number} from {low} to {high}, not {value!r}.")


def _with_content(reference: str) -> str:
    """A reference and the sha256 of its file; alone when there is none, which is said later."""
    for path in (Path(reference), Path(reference.rpartition("@")[0])):
        if path.is_file():
            return f"{reference} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return reference


_NO_EFFECT = ("model", "batch_size")  # a result's record names the model by its checksum


def decisive(options: Options) -> dict[str, object]:
    """The options on which a result depends, as JSON would give them back.

    A reference is told by its content: another picture under the same name gives other colours.
    """
    chosen = {name: value for name, value in asdict(options).items() if name not in _NO_EFFECT}
    chosen["references"] = [_with_content(name) for name in options.references]
    plain: dict[str, object] = json.loads(json.dumps(chosen))
    return plain


@dataclass(frozen=True)
class Report:
    """What was done to one picture."""

    source: str
    """The picture's path or name."""
    target: str | None
    """Where the result is; None when it was returned."""
    size: tuple[int, int]
    """(height, width) of the upright picture in pixels."""
    pages: int
    """How many pages were coloured."""
    tone: Literal["grey", "toned", "colour"]
    """What the picture was: grey, toned (sepia and the like), or already in colour."""
    model: str
    """Name and version of the model."""
    notes: tuple[str, ...]
    """What the user should know, one sentence each."""
    seconds: float
    """Time from opening the picture to the finished result."""
    confidence: float | None = None
    """Mean in [0, 1] of how likely the colours are nearly right, when it was asked for."""
