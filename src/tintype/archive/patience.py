"""Storage that fails for a moment is asked again, a little later each time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

ATTEMPTS = 6
"""How often storage is asked before a failure counts."""

_FIRST_PAUSE_S = 0.4
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def patiently(ask: Callable[[], Answer], attempts: int = ATTEMPTS) -> Answer:
    """What a call gives, asked again with growing pauses while it fails with an ``OSError``.

    The pauses are 0.4, 0.8, 1.6 ... seconds, each shortened by up to half at random, so that a
    thousand workers that were refused together do not come back together.

    Args:
        ask: the call; it can be made again safely.
        attempts: how often at the most.

    Raises:
        OSError: the last failure; at once for a file that is not there or not ours.
    """
    for attempt in range(attempts - 1):
        try:
            return ask()
        except _FINAL:
            raise
        except OSError:
            time.sleep(_FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1))
    return ask()
