from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from tintype.errors import UsageError
from tintype.options import Hint, Options


@pytest.mark.parametrize(
    "values", [(1, 1, "red"), (1, 1, "#ff00"), (np.nan, 1, "#ff0000"), (1, 1, "#ff0000", -1)]
)
def test_hints_are_checked(values: tuple[object, ...]) -> None:
    with pytest.raises(UsageError, match="hint"):
        Hint(*values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strength", -0.1),
        ("strength", 2.1),
        ("strength", float("nan")),
        ("strength", "1"),
        ("working_size", 31),
        ("working_size", 64.0),
        ("batch_size", 0),
        ("batch_size", True),
        ("quality", 101),
        ("model", ""),
        ("hints", [Hint(1, 1, "#ff0000")]),
    ],
)
def test_options_are_checked(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        Options(**{name: value})  # type: ignore[arg-type]


def test_every_option_has_help_and_bounds_are_allowed() -> None:
    assert all(each.metadata["help"] for each in fields(Options))
    Options(strength=0, working_size=2048, batch_size=64, quality=100)
    Options(strength=2, working_size=32, batch_size=1, quality=1)
