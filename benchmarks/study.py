"""Train every variant of docs/study.md, one after another; what is finished is passed over.

python benchmarks/study.py DATA [NAME...]

Each variant is a recipe with some keys changed, so that `tintype train RECIPE --data DATA --set
...` does the same for one. Runs go to runs/study/NAME, graphs to runs/study/NAME.onnx; small ones
that the study publishes go to workshop/weights, too, and get a record in the zoo.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from tintype.export import Exported, export
from tintype.training.checkpoints import load_trained
from tintype.training.recipes import Recipe, load_recipe
from tintype.training.trainer import CHECKPOINT, train

RECIPES = Path(__file__).parents[1] / "recipes"
RUNS = Path("runs/study")
PUBLISHED = Path("workshop/weights")
RECORDS = Path("src/tintype/weights/study.json")
LARGEST_BYTES, ALL_BYTES = 12_000_000, 40_000_000  # of a graph that is published, and of all


class Variant(NamedTuple):
    """A recipe with changes, and the ways of reading its network that become graphs."""

    recipe: str
    changes: tuple[str, ...]
    readings: dict[str, dict[str, object]] = {"": {}}  # noqa: RUF012


OBJECTIVES = "study/objectives"
REGRESSION = (
    "options.bins_share=0",
    "objective.classes=0",
    "objective.distance=l2",
    "objective.regression=0.01",
)
CLASSES = ("options.bins_share=1", "options.calm=0", "objective.regression=0")
BOTH = ("objective.distance=l2", "objective.regression=0.01")
SHORT = ("phases.0.pictures=25008", "optimizer.warmup_pictures=2400")
ALL_SOURCES = "{utkface-: 0.3, caltech101-: 0.5, msed-: 0.5}"
OPEN_SOURCES = "{utkface-: 0, caltech101-: 0.5, msed-: 0}"
"""Without the pictures for non-commercial use and those of no usable licence."""
SCENERY = '{"": 0, intel-scenes-: 1}'
"""Landscapes, streets and buildings alone: 1,983 pictures, as many as "few" has of all kinds."""
TOPS = {"-top1": {"top": 1}, "-top3": {"top": 3}}

VARIANTS = {
    "l2-ab": Variant(OBJECTIVES, REGRESSION),
    "l2-lab": Variant(OBJECTIVES, (*REGRESSION, "options.whole_lab=true")),
    "classes": Variant(OBJECTIVES, (*CLASSES, "objective.rebalancing=1")),
    "rebalanced": Variant(OBJECTIVES, CLASSES),
    "both": Variant(OBJECTIVES, BOTH),
    "palette16": Variant(
        OBJECTIVES, (*CLASSES, "objective.rebalancing=1", "options.colours=16"), TOPS
    ),
    "palette32": Variant(
        OBJECTIVES, (*CLASSES, "objective.rebalancing=1", "options.colours=32"), TOPS
    ),
    "random-encoder": Variant(
        OBJECTIVES, (*BOTH, "encoder=null", "freeze=[]", "optimizer.trunk_rate=1.5e-3")
    ),
    "tenth": Variant(OBJECTIVES, (*BOTH, "data.share=0.1")),
    "half": Variant(OBJECTIVES, (*BOTH, *SHORT)),
    "palette24": Variant(
        OBJECTIVES, (*CLASSES, "objective.rebalancing=1", "options.colours=24"), TOPS
    ),
    "sources-all": Variant(OBJECTIVES, (*BOTH, *SHORT, f"data.source_weights={ALL_SOURCES}")),
    "sources-open": Variant(OBJECTIVES, (*BOTH, *SHORT, f"data.source_weights={OPEN_SOURCES}")),
    "scenery": Variant(OBJECTIVES, (*BOTH, *SHORT, f"data.source_weights={SCENERY}")),
    "few": Variant(OBJECTIVES, (*BOTH, *SHORT, "data.share=0.04")),
    "adversarial": Variant(
        OBJECTIVES,
        (
            "task=adversarial",
            "options.bins_share=0",
            "objective={discriminator_width: 32, l1: 100}",
            "optimizer.rate=5e-4",
            "optimizer.betas=[0.5, 0.999]",
            "optimizer.clip=1000",
            *SHORT,
        ),
    ),
}

SAME = ("phases.0.pictures=25008", "validate_every=8336")
"""What every architecture and every trial sees: the same 25,008 crops of the same pictures."""

COMMON = (
    "phases=[{pictures: 25008, batch: 48, size: 128, crops: [128, 160]}]",
    "optimizer={warmup_pictures: 4800, ema_decay: 0.99}",
    "validate_every=8336",
)
"""The same, and the optimizer of the others, for networks whose recipe is for a longer training."""

PLAIN = "objective={}"
"""Regression and classes alone, as the default's recipe had it before version 4."""

QUICK = "optimizer={warmup_pictures: 4800, ema_decay: 0.998}"
"""Cosine decay, and the trunk at a rate of 2e-4, as the recipe had it before version 5."""

NETWORKS = {
    "baseline": SAME,
    "autoencoder": (*SAME, "options.width=33"),
    "resnet18": SAME,
    "fusion": (*SAME, "options.width=27"),
    "unet_palette": (*SAME, "options.width=13"),
    "unetpp": (*SAME, "options.width=8"),
    "eccv16": (*COMMON, "options.width=14"),
    "siggraph17": (*COMMON, "options.width=10"),
    "tintype": (*COMMON, PLAIN, "options.context_width=128", "options.decoder_widths=[64, 48, 48]"),
    "pix2pix": SAME,
    "dcgan": SAME,
    "scgan": SAME,
    "mcgan": (
        *SAME,
        'data.train=["train/train-*.tar"]',
        "options.domains=47",
        "options.width=8",
    ),
}
"""What brings each network to about 2 GMAC at 256², where its recipe is larger."""

VARIANTS |= {f"study-{name}": Variant(name, changes) for name, changes in NETWORKS.items()}

PERCEPTUAL = (
    "objective.perceptual=2",
    "objective.perceptual_encoder=encoders/resnet18_conv1_layer1-3_bnfolded_fp16.npz",
)
COLOURFUL = ("objective.colourfulness=1",)
PEOPLE = ("helen-", "lfw-", "ccp-", "human-seg-", "prajnasb-", "stanford40-", "bangla-")

TRIALS = {
    "": (),
    "-perceptual": PERCEPTUAL,
    "-colourful": COLOURFUL,
    "-appearance": (*PERCEPTUAL, *COLOURFUL),
    "-appearance-more": (*PERCEPTUAL, *COLOURFUL, "objective.perceptual=6"),
    "-new-film": ("film.tone=0", "film.grain=0", "film.blur=0"),
    "-orthochromatic": ("film.orthochromatic=0.5",),
    "-worn": ("film.vignette=0.2", "film.jpeg=0.2", "film.fading=0.1"),
    "-trunk-slow": ("optimizer.trunk_rate=6.0e-5",),
    "-trunk-fast": ("optimizer.trunk_rate=6.0e-4",),
    "-people": tuple(f"data.source_weights.{prefix}=2" for prefix in PEOPLE),
    "-lambda25": ("objective.rebalancing=0.25",),
    "-lambda75": ("objective.rebalancing=0.75",),
    "-large": ("options.context_width=384", "options.decoder_widths=[224, 160, 96]"),
}
"""Changes to the first stage of the default network: docs/training-log.md."""

VARIANTS |= {
    f"trial{name}": Variant("tintype", (*SAME, PLAIN, QUICK, *how)) for name, how in TRIALS.items()
}

BUDGET = ("phases.0.minutes=12",)
"""Of one core: two at a time get more done than one after the other on two."""

VARIANTS |= {
    f"monuments-{name}": Variant(f"{name}-monuments", BUDGET)
    for name in ("pix2pix", "dcgan", "scgan", "mcgan")
}


def publish(name: str, done: Exported, recipe: Recipe) -> None:
    """Put a graph among those that are published, and note its record."""
    if done.size_bytes > LARGEST_BYTES:
        sys.stdout.write(f"{name} is not published: {done.size_bytes} bytes\n")
        return
    PUBLISHED.mkdir(parents=True, exist_ok=True)
    others = (path for path in PUBLISHED.glob("*.onnx") if path.stem != name)
    if sum(path.stat().st_size for path in others) + done.size_bytes > ALL_BYTES:
        sys.stdout.write(f"{name} is not published: there is no room left for it\n")
        return
    shutil.copy(done.path, PUBLISHED / f"{name}.onnx")
    records = json.loads(RECORDS.read_text(encoding="utf-8")) if RECORDS.exists() else {}
    records[name] = {
        "sha256": done.sha256,
        "size_bytes": done.size_bytes,
        "architecture": recipe.architecture,
        "options": recipe.options,
    }
    RECORDS.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", encoding="utf-8")


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
            sys.stdout.flush()
            if name.startswith(("study-", "monuments-")):
                publish(name, done, recipe)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
