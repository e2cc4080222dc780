"""The page of a run, ``index.html``: where it stands, its curves, its validation pictures.

It opens from disk, asks for nothing but the strips in ``pictures/`` beside it, and stays whole
when the folder is moved.
"""

from __future__ import annotations

import math
from pathlib import Path

from tintype.evaluation.report.layout import figure, laid_out
from tintype.evaluation.report.markup import (
    Markup,
    document,
    element,
    join,
    name,
    paragraph,
    text,
)
from tintype.evaluation.report.svg import legend_of, looks_of
from tintype.images.replacing import atomic
from tintype.training.plan import Plan, read_plan
from tintype.training.records import read_rows
from tintype.training.run_charts import (
    Rows,
    labels_of,
    loss_charts,
    shown,
    validation_charts,
)
from tintype.training.run_pictures import exhibits
from tintype.training.run_standing import pace, stand_of, standing, verdict
from tintype.training.strips import strips_in

_PICTURES = "'self' file:"  # "self" is nothing for a page opened from disk


def write_page(run: Path) -> None:
    """Write the page of a run folder anew from the records in it.

    Raises:
        OSError: the folder cannot be written to.
    """
    page = page_of(run)
    with atomic(run / "index.html") as file:
        file.write(page.encode("utf-8", "backslashreplace"))


def page_of(run: Path) -> str:
    """The page of a run folder, whatever part of the records is there."""
    plan = read_plan(run)
    losses, found = read_rows(run / "log.csv"), read_rows(run / "validation.csv")
    stand = stand_of(losses, found, plan)
    title = run.resolve().name
    strips = strips_in(run)
    strips = {each: strips[each] for each in _sets(found) if each in strips}
    parts = [
        ("stand", "Where it stands", standing(stand, found, plan)),
        ("pictures", "Pictures over time", exhibits(strips, _remarks(found))),
        ("validation", "Validation", _validation(found, plan)),
        ("losses", "Losses", _losses(losses)),
        ("recipe", "Recipe", _recipe(plan)),
    ]
    head = [
        paragraph("Tintype training", "kicker"),
        element("h1", {}, name(title)),
        paragraph(verdict(stand, plan), "verdict"),
        paragraph(pace(stand, plan), "measured"),
    ]
    report = "evaluation/report"
    styles = [f"{report}/{each}.css" for each in ("page", "charts", "print")]
    styles.append("training/run_page.css")
    body = laid_out(head, parts)
    return document(f"{title} – Tintype", body, styles, "training/run_page.js", _PICTURES)


def _sets(found: Rows) -> list[str]:
    return list(dict.fromkeys(row["set"] for row in found))


def _remarks(found: Rows) -> dict[int, str]:
    """Pictures seen to the gains of the sets then."""
    remarks: dict[int, list[str]] = {}
    for row in found:
        if row["head"] == "ab":
            gain = shown("gain_db", float(row["gain_db"]), signed=True)
            remarks.setdefault(int(row["pictures"]), []).append(f"{row['set']} {gain} dB")
    return {seen: ", ".join(said) for seen, said in remarks.items()}


def _validation(found: Rows, plan: Plan | None) -> Markup | None:
    if not found:
        return None
    labels = list(labels_of(found).values())
    epoch = plan.epoch if plan and plan.total >= 2 * plan.epoch else None
    caption = (
        "Of the averaged weights, on pictures that are never trained on: how much nearer to the "
        "truth than the grey picture, how similar the first picture of a set is, and how "
        "colourful what is predicted."
    )
    drawn = element("div", {"class": "charts"}, *validation_charts(found, epoch))
    return figure(caption, legend_of(looks_of(labels)), drawn)


def _losses(losses: Rows) -> Markup | None:
    players = loss_charts(losses)
    if not players:
        return None
    caption = (
        "What each player minimises (loss) and the terms that it is made of: the mean over the "
        "pictures from a tenth fewer to a tenth more, and faint the single steps. The axis is "
        "logarithmic."
    )
    parts = []
    for player, charts in players.items():
        title = [element("h3", {}, name(player))] if len(players) > 1 else []
        parts += [*title, element("div", {"class": "charts"}, *charts)]
    return figure(caption, join([]), join(parts))


def _recipe(plan: Plan | None) -> Markup | None:
    """Every key of the recipe, its value as YAML."""
    if plan is None:
        return None
    pairs = (
        element("div", {}, element("dt", {}, text(key)), element("dd", {}, *_yaml(value)))
        for key, value in plan.recipe.items()
    )
    return element("dl", {"class": "yaml"}, *pairs)


def _yaml(value: object) -> list[Markup]:
    """A value in lines: one for each key or entry of the outermost."""
    import yaml

    def flow(part: object) -> str:
        words: str = yaml.safe_dump(part, default_flow_style=True, sort_keys=False, width=math.inf)
        return words.removesuffix("\n").removesuffix("\n...")

    lines = [flow(value)]
    if isinstance(value, dict):
        lines = [f"{key}: {flow(part)}" for key, part in value.items()]
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        lines = [f"- {flow(part)}" for part in value]
    return [element("span", {}, text(line)) for line in lines]
