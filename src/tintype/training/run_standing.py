"""Where a run stands: how far it is, how fast, and what its validations found."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tintype.evaluation.report.figures import heading, scrolled
from tintype.evaluation.report.layout import definitions
from tintype.evaluation.report.markup import Markup, element, join, name, paragraph, text
from tintype.evaluation.report.wording import count
from tintype.training.plan import Plan
from tintype.training.run_charts import Rows, figures_in, labels_of, shown, title_of


class Stand(NamedTuple):
    """Where a run stands.

    Attributes:
        seen: pictures.
        gains: of each validation so far, pictures seen to the mean gain over its sets in dB.
        spent_s: time in training.
        per_s: pictures a second since the last start; 0 when that is not known.
    """

    seen: int
    gains: dict[int, float]
    spent_s: float
    per_s: float

    @property
    def best(self) -> int:
        """Pictures seen at the validation of the highest gain."""
        return max(self.gains, key=self.gains.__getitem__)

    @property
    def since_best(self) -> int:
        """Validations after that."""
        return list(self.gains)[::-1].index(self.best)

    def stopped_early(self, plan: Plan | None) -> bool:
        """Whether the recipe's patience is at an end."""
        patience = _patience(plan)
        return bool(self.gains) and 0 < patience <= self.since_best


def _patience(plan: Plan | None) -> int:
    return int(str(plan.recipe["patience"])) if plan else 0


def stand_of(losses: Rows, found: Rows, plan: Plan | None) -> Stand:
    """Where a run stands by its records.

    Args:
        losses: the rows of ``log.csv``.
        found: the rows of ``validation.csv``.
        plan: of the run, where it is known.
    """
    times = [float(row["time_s"]) for row in losses]
    starts = plan.starts_s if plan else tuple(times[:1])
    stretches = [
        [at for at in times if start <= at < end] for start, end in pairwise([*starts, math.inf])
    ]
    spent = [max(own, default=start) - start for start, own in zip(starts, stretches, strict=True)]
    recent = [row for row in losses if float(row["time_s"]) >= (starts[-1] if starts else 0)]
    seen = max((int(row["pictures"]) for row in [*losses[-1:], *found[-1:]]), default=0)
    return Stand(seen, _gains(found), sum(spent), _per_s(recent))


def _per_s(rows: Rows) -> float:
    """Pictures a second between the first and the last row."""
    if not rows:
        return 0.0
    first, last = rows[0], rows[-1]
    spent = float(last["time_s"]) - float(first["time_s"])
    return (int(last["pictures"]) - int(first["pictures"])) / spent if spent > 0 else 0.0


def _gains(found: Rows) -> dict[int, float]:
    gains: dict[int, list[float]] = {}
    for row in found:
        if row["head"] == "ab":
            gains.setdefault(int(row["pictures"]), []).append(float(row["gain_db"]))
    return {seen: sum(values) / len(values) for seen, values in gains.items()}


def verdict(stand: Stand, plan: Plan | None) -> str:
    """How far it is, and what the last validation found, in a sentence."""
    of = f" of {plan.total:,}" if plan and stand.seen < plan.total else ""
    early = "Stopped early: " if stand.stopped_early(plan) else ""
    said = f"{early}{stand.seen:,}{of} pictures seen"
    if not stand.gains:
        return f"{said}; no validation yet."
    said += f"; {_over_grey(list(stand.gains.values())[-1])} at the last validation"
    if not stand.since_best:
        return f"{said}{', the best so far' if len(stand.gains) > 1 else ''}."
    best = _over_grey(stand.gains[stand.best])
    return f"{said}, {best} at the best one, after {stand.best:,}."


def _over_grey(gain: float) -> str:
    return f"{shown('gain_db', abs(gain))} dB {'above' if gain >= 0 else 'below'} grey"


def pace(stand: Stand, plan: Plan | None) -> str:
    """What is trained, how fast, for how long and how much longer, in a line."""
    said = []
    if plan:
        said.append(f"{plan.recipe['architecture']}, {plan.recipe['task']}")
    if stand.per_s:
        said.append(f"{stand.per_s:.3g} pictures a second")
    if stand.spent_s:
        said.append(f"{_duration(stand.spent_s)} in training")
    if plan and stand.per_s and stand.seen < plan.total and not stand.stopped_early(plan):
        said.append(f"about {_duration((plan.total - stand.seen) / stand.per_s)} to go")
    said.append(f"drawn {_date(time.time())}")
    return " · ".join(said)


def _duration(seconds: float) -> str:
    """ "40 s", "12 min", "3 h 05 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def standing(stand: Stand, found: Rows, plan: Plan | None) -> Markup:
    """The last validation as a table, and how far the run is."""
    entries = [("Pictures seen", f"{stand.seen:,}")]
    if plan:
        entries[0] = "Pictures seen", f"{stand.seen:,} of {plan.total:,}"
        epochs = f"{stand.seen / plan.epoch:.2f} of {plan.total / plan.epoch:.2f}"
        entries.append(("Epochs", f"{epochs}, of {count(plan.epoch, 'picture')} each"))
        entries.append(("Started", _times(plan.starts_s)))
    if stand.gains:
        since = f"{len(stand.gains)}, {stand.since_best} since the best"
        patience = _patience(plan)
        waits = f"; it stops after {patience} without a better one" if patience else ""
        entries.append(("Validations", f"{since}{waits}"))
    table = [_last_table(found)] if found else []
    return join([*table, definitions(entries)])


def _times(starts_s: Sequence[float]) -> str:
    first, *later = map(_date, starts_s)
    return f"{first}; resumed {', '.join(later)}" if later else first


def _date(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_s))


def _last_table(found: Rows) -> Markup:
    """The last validation, and small how it has changed since the one before."""
    figures = figures_in(found)
    rows = []
    for (each, head_name), words in labels_of(found).items():
        own = [row for row in found if (row["set"], row["head"]) == (each, head_name)]
        first = heading(element("span", {"class": "label"}, name(words)), "row")
        cells = (_cell(figure, [float(row[figure]) for row in own[-2:]]) for figure in figures)
        rows.append(element("tr", {}, first, *cells))
    titles = (heading(text(title_of(figure))) for figure in figures)
    head = element("tr", {}, heading(text("last validation")), *titles)
    note = "Small: the change since the validation before."
    table = scrolled("The last validation", head, element("tbody", {}, *rows))
    return join([table, *([paragraph(note, "note")] if len(_gains(found)) > 1 else [])])


def _cell(figure: str, last: Sequence[float]) -> Markup:
    change = shown(figure, last[-1] - last[0], signed=True) if len(last) > 1 else ""
    value = element("b", {}, text(shown(figure, last[-1])))
    return element("td", {}, value, element("small", {}, text(change)))
