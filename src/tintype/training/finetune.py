"""How a model learns a place of one's own: split a folder, train on, keep what validates best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from tintype.errors import TrainingError, UsageError
from tintype.export import export
from tintype.models import Network, description_of
from tintype.progress import Progress
from tintype.training.checkpoints import load_average
from tintype.training.config import Augment, Data, Film, Optimizer, Phase, Recipe
from tintype.training.datasets import identity_of
from tintype.training.objectives import Guided, Supervised
from tintype.training.prepare.job import Preparation
from tintype.training.prepare.order import Order, Source
from tintype.training.prepare.place import CARD
from tintype.training.prepare.splitting import Split
from tintype.training.restore import network_of_graph
from tintype.training.schedule import gain_by_validation
from tintype.training.trainer import BEST, train

SHORT_SIDE = 256

VALIDATIONS = 5
"""How often the network is scored, about."""

_PICTURES_PER_MINUTE = 1200  # about, of the default network on two cores; only for VALIDATIONS


@dataclass(frozen=True)
class FineTuning:
    """What is asked for.

    Attributes:
        graph: the model to start from, an .onnx that ``export`` wrote.
        pictures: colour photographs of the place: a folder, or a tar file.
        target: the .onnx to write.
        run: folder for pictures, checkpoints and curves; the same folder resumes.
        validation: photographs to judge by; None holds out a sixth of ``pictures``.
        minutes: how long to train, about.
        pictures_seen: train on so many instead, with repetition.
        seed: of everything random.
    """

    graph: Path
    pictures: Path
    target: Path
    run: Path
    validation: Path | None = None
    minutes: float = 10.0
    pictures_seen: int | None = None
    seed: int = 1


@dataclass(frozen=True)
class FineTuned:
    """What came of it.

    Attributes:
        path: the new graph.
        before_db: mean PSNR over grey of the start, on the pictures held out.
        after_db: of the best state, which is what was exported; the start, if nothing was better.
    """

    path: Path
    before_db: float
    after_db: float


def finetune(order: FineTuning, answer: list[FineTuned]) -> Iterator[Progress]:
    """Train a model further on one's own photographs and export the best state.

    Batch normalisation stays as it is, since a few pictures give no statistics, and the rate is a
    fifth of that of a new network.

    Args:
        order: what is asked for.
        answer: what came of it is added here.

    Yields:
        How far the work is.

    Raises:
        TrainingError: when the graph cannot be trained further, pictures are too few, or the folder
            holds another run.
        UsageError: when the pictures cannot be read.
    """
    network, missing = network_of_graph(order.graph)
    given = [each for each in (order.pictures, order.validation) if each is not None]
    for each in given:
        if not each.exists():
            raise UsageError(f"{each} does not exist.")
    # Of other pictures the set comes to stand elsewhere: the run is told and refuses them.
    prepared = order.run / f"pictures-{'-'.join(identity_of(each)[1][:8] for each in given)}"
    if any(other != prepared for other in order.run.glob("pictures-*")):
        raise TrainingError(f"{order.run} holds a run of other pictures: choose another folder.")
    if not (prepared / CARD).exists():
        split = Split.parse("train=1.0" if order.validation else "train=rest,val=0.16")
        source = Source("own", order.pictures)
        yield from Preparation(Order((source,), prepared, split, short_side=SHORT_SIDE)).run()
    if not order.validation and not (prepared / "val-00.tar").exists():
        raise TrainingError(
            f"{order.pictures} holds too few pictures: none is left to judge by. Add some, or name "
            "others with --validation."
        )
    validation = str(order.validation.resolve()) if order.validation else "val-00.tar"
    recipe = recipe_for(network, missing, order, validation)
    yield from train(recipe, prepared, order.run, order.graph)
    load_average(order.run / BEST, network)
    yield Progress(0, 1, "exporting")
    export(network, order.target, order.target.stem, "1", 256)
    gains = gain_by_validation(order.run)
    answer.append(FineTuned(order.target, gains[0], max(gains)))


def recipe_for(
    network: Network, missing: tuple[str, ...], order: FineTuning, validation: str
) -> Recipe:
    """The recipe that suits a network: the heads that its graph holds are trained.

    Args:
        network: to be trained.
        missing: parameters that its graph did not hold.
        order: how long.
        validation: set to judge by.
    """
    architecture, _ = description_of(network)
    with torch.no_grad():
        side = max(64, network.size_multiple)
        prediction = network(torch.zeros(1, 1, side, side))
    regression = 0.0 if prediction.colour is None else 0.5
    classes = 0.0 if prediction.logits is None or (missing and regression) else 1.0
    # A guide is a part of its own: colours are learned without it. Where hints go in with L, a
    # network that is trained without them forgets them.
    guide = ("guide",) if hasattr(network, "guide") else ()
    hinted = network.guided and not guide
    kind = Guided if hinted else Supervised
    # Weights that the classes were trained without would change how they are read.
    weights = getattr(network, "log_weights", None)
    rebalancing = kind().rebalancing if weights is None or weights.any() else 1.0
    length = order.pictures_seen
    return Recipe(
        architecture=architecture,
        data=Data(("train-*.tar",), {"held out": validation}, SHORT_SIDE, validation_limit=200),
        phases=(
            Phase(
                16,
                224,
                (176, SHORT_SIDE),
                pictures=length,
                minutes=None if length else order.minutes,
            ),
        ),
        task="guided" if hinted else "supervised",
        objective=kind(regression=regression, classes=classes, rebalancing=rebalancing),
        options=dict(vars(network.config)),
        freeze=(*missing, *guide),
        freeze_norm=True,
        optimizer=Optimizer(3e-4, 1e-4, warmup_pictures=320, ema_decay=0.99),
        augment=Augment(rotation=3.0),
        film=Film(),
        seed=order.seed,
        validate_every=max(
            16, round((length or _PICTURES_PER_MINUTE * order.minutes) / VALIDATIONS)
        ),
    )
