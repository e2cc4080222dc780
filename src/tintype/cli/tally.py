"""What a run says of its pictures: a line for each on stdout, a summary on stderr."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from tintype.cli.face import Face, one_line
from tintype.errors import TintypeError

if TYPE_CHECKING:
    from tintype.batch import Outcome
    from tintype.batch.plan import Plan

_NAMED_SKIPS = 10

Line = Callable[[str], None]


def print_line(text: str) -> None:
    """One line on stdout, file names byte for byte."""
    click.echo(os.fsencode(text + "\n"), nl=False)


@dataclass
class Tally:
    """Counts what became of the pictures, and tells.

    Attributes:
        face: says the summary.
        as_json: whether stdout gets a JSON object per picture instead of the result's path.
        line: prints a line on stdout.
    """

    face: Face
    as_json: bool
    line: Line = print_line
    counts: Counter[str] = field(default_factory=Counter)
    _failed: list[str] = field(default_factory=list)
    _skipped: list[str] = field(default_factory=list)
    _notes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Note and tell what became of a picture."""
        name = outcome.task.label
        if outcome.error is not None:
            self.face.log(outcome.error)
        message = self._sentence(outcome)
        self._note(name, outcome.status, message)
        for note in outcome.report.notes if outcome.report else ():
            self._notes.setdefault(note, []).append(name)
        if self.as_json:
            self.line(json.dumps(_as_json(outcome, message)))
        elif outcome.status == "done" and outcome.task.target is not None:
            self.line(str(outcome.task.target))

    def refuse(self, name: str, status: str, message: str) -> None:
        """Note and tell of an input that never became a task."""
        self._note(name, status, message)
        if self.as_json:
            self.line(json.dumps(_EMPTY | _head(name, status, message)))

    def summarise(self, plan: Plan) -> None:
        """The summary on stderr; a single picture that was told of already needs none."""
        for note, names in self._notes.items():
            who = names[0] if len(names) == 1 else f"{len(names)} pictures"
            self.face.say(f"{who}: {note}")
        shown = len(self._skipped) if self.face.verbose else _NAMED_SKIPS
        for text in [*self._skipped[:shown], *self._failed]:
            self.face.say(text)
        if len(self._skipped) > shown:
            more = len(self._skipped) - shown
            self.face.say(f"... and {more} more skipped; --verbose or --json names each.")
        if self.counts["current"] or self.counts.total() != 1:
            self.face.say(self._totals(plan))

    def _totals(self, plan: Plan) -> str:
        begun = self.counts.total()
        amounts = {
            "colorized": self.counts["done"],
            "already done": self.counts["current"],
            "skipped": self.counts["skipped"],
            "failed": self.counts["failed"],
            "left to do": len(plan.tasks) + len(plan.refused) + len(plan.left_out) - begun,
        }
        aside = {"of other kinds": plan.ignored, "earlier results": plan.own}
        told = [f"{n} {what}" for what, n in amounts.items() if n or what == "colorized"]
        passed = [f"{n} {what}" for what, n in aside.items() if n]
        return ", ".join(told) + (f" (passed over: {', '.join(passed)})." if passed else ".")

    def _note(self, name: str, status: str, message: str) -> None:
        self.counts[status] += 1
        if not message:
            return
        text = message if name in message else f"{name}: {message}"
        if status == "failed":
            self._failed.append(text)
        elif status == "skipped":
            self._skipped.append(text)
        else:
            self._notes.setdefault(message, []).append(name)

    def _sentence(self, outcome: Outcome) -> str:
        error = outcome.error
        if error is None or isinstance(error, TintypeError):
            return outcome.message
        return self.face.unexpected(error)


_EMPTY: dict[str, object] = {
    "source": None,
    "target": None,
    "status": None,
    "message": None,
    "height": None,
    "width": None,
    "pages": None,
    "tone": None,
    "model": None,
    "notes": [],
    "seconds": None,
    "confidence": None,
    "confidence_picture": None,
}


def _head(name: str, status: str, message: str) -> dict[str, object]:
    return {"source": name, "status": status, "message": one_line(message) or None}


def _as_json(outcome: Outcome, message: str) -> dict[str, object]:
    """The keys are the same for every picture; what is not known is null."""
    line = _EMPTY | _head(outcome.task.label, outcome.status, message)
    if outcome.status in ("done", "current"):
        places = {"target": outcome.task.target, "confidence_picture": outcome.task.confidence}
        line |= {name: str(path) for name, path in places.items() if path is not None}
    if (report := outcome.report) is not None:
        line |= {
            "height": report.size[0],
            "width": report.size[1],
            "pages": report.pages,
            "tone": report.tone,
            "model": report.model,
            "notes": list(report.notes),
            "seconds": round(report.seconds, 3),
        }
        if report.confidence is not None:
            line["confidence"] = round(report.confidence, 3)
    return line
