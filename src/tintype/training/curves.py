"""How a run went, as a picture: losses and validation figures against pictures seen."""

from __future__ import annotations

import csv
from pathlib import Path


def draw_curves(run: Path) -> None:
    """Draw ``curves.png`` from ``log.csv`` and ``validation.csv`` of a run folder."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)
    losses, gains, colours = figure.subplots(1, 3)
    log = _read(run / "log.csv")
    seen = [float(row["pictures"]) / 1000 for row in log]
    for name in ("loss", "regression", "classes"):
        losses.plot(seen, _smooth([float(row[name]) for row in log]), label=name)
    losses.set_title("training loss (running mean)")
    rows = _read(run / "validation.csv")
    for which in sorted({row["set"] for row in rows}):
        mine = [row for row in rows if row["set"] == which]
        seen = [float(row["pictures"]) / 1000 for row in mine]
        for head in ("regression", "classes", "mixed"):
            label = f"{which}, {head}"
            gains.plot(seen, [float(row[f"{head}_gain_db"]) for row in mine], label=label)
            colours.plot(seen, [float(row[f"{head}_colourfulness"]) for row in mine], label=label)
    gains.set_title("validation: PSNR over grey, dB")
    colours.set_title("validation: colourfulness, signed")
    for axes in (losses, gains, colours):
        axes.set_xlabel("thousand pictures seen")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(run / "curves.png", dpi=100)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _smooth(values: list[float], memory: float = 0.95) -> list[float]:
    smooth, mean = [], values[0] if values else 0.0
    for value in values:
        mean = memory * mean + (1 - memory) * value
        smooth.append(mean)
    return smooth
