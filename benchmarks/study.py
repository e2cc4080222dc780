"""Train every variant of docs/study.md, one after another; what is finished is passed over.

python benchmarks/study.py DATA [NAME...]

Each variant is a recipe with some keys changed, so that `tintype train RECIPE --data DATA --set
...` does the same for one. Runs go to runs/study/NAME, graphs to runs/study/NAME.onnx.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from tintype.export import export
from tintype.training.checkpoints import load_trained
from tintype.training.recipes import load_recipe
from tintype.training.trainer import CHECKPOINT, train

RECIPES = Path(__file__).parents[1] / "recipes" / "study"
RUNS = Path("runs/study")


class Variant(NamedTuple):
    """A recipe with changes, and the ways of reading its network that become graphs."""

    recipe: str
    changes: tuple[str, ...]
    readings: dict[str, dict[str, object]] = {"": {}}  # noqa: RUF012


REGRESSION = (
    "options.bins_share=0",
    "objective.classes=0",
    "objective.distance=l2",
    "objective.regression=0.01",
)
CLASSES = ("options.bins_share=1", "options.calm=0", "objective.regression=0")
BOTH = ("objective.distance=l2", "objective.regression=0.01")
TOPS = {"-top1": {"top": 1}, "-top3": {"top": 3}}

VARIANTS = {
    "l2-ab": Variant("objectives", REGRESSION),
    "l2-lab": Variant("objectives", (*REGRESSION, "options.whole_lab=true")),
    "classes": Variant("objectives", (*CLASSES, "objective.rebalancing=1")),
    "rebalanced": Variant("objectives", CLASSES),
    "both": Variant("objectives", BOTH),
    "palette16": Variant(
        "objectives", (*CLASSES, "objective.rebalancing=1", "options.colours=16"), TOPS
    ),
    "palette32": Variant(
        "objectives", (*CLASSES, "objective.rebalancing=1", "options.colours=32"), TOPS
    ),
    "random-encoder": Variant(
        "objectives", (*BOTH, "encoder=null", "freeze=[]", "optimizer.trunk_rate=1.5e-3")
    ),
    "tenth": Variant("objectives", (*BOTH, "data.share=0.1")),
    "half": Variant(
        "objectives", (*BOTH, "phases.0.pictures=25008", "optimizer.warmup_pictures=2400")
    ),
    "palette24": Variant(
        "objectives", (*CLASSES, "objective.rebalancing=1", "options.colours=24"), TOPS
    ),
}


def main(data: Path, names: list[str]) -> None:
    """Train and export the variants called ``names``, all without any."""
    for name in names or VARIANTS:
        variant = VARIANTS[name]
        recipe = load_recipe(RECIPES / f"{variant.recipe}.yaml", variant.changes)
        for progress in train(recipe, data, RUNS / name):
            sys.stderr.write(f"{name} {progress}\n")
        for suffix, options in variant.readings.items():
            model, _ = load_trained(RUNS / name / CHECKPOINT, options)
            done = export(model, RUNS / f"{name}{suffix}.onnx", f"{name}{suffix}", "1", 256)
            sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
