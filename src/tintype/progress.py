"""How long work tells how far it is: one record, yielded as the work goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A state of long work.

    Attributes:
        done: units finished.
        total: units in all.
        stage: what is being done now, for people.
    """

    done: int
    total: int
    stage: str
