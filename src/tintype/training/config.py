"""What a training recipe may say: frozen dataclasses; ``recipes`` reads them from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tintype.training.objectives import Objective, Supervised


@dataclass(frozen=True)
class Data:
    """Which pictures; paths are relative to the data directory.

    Attributes:
        train: tar files or folders of pictures; "*" stands for anything.
        validation: name to tar file or folder; scored during training, never trained on.
        short_side: pictures are cached as uint8 with this short side, in pixels.
        least_chroma: pictures whose mean C*ab lies below are grey and left out.
        source_weights: how often pictures whose file name starts so are drawn (1 = like others).
        share: the part of the pictures that is used; the same ones each time.
        validation_limit: so many pictures of each validation set.
        validation_size: side of the squares they are scored at, in pixels.
        grey: what the network sees of a colour picture: its "lightness", or its "luma" as
            television has it, taken for a grey and turned to L.
    """

    train: tuple[str, ...]
    validation: dict[str, str]
    short_side: int = 160
    least_chroma: float = 3.0
    source_weights: dict[str, float] = field(default_factory=dict)
    share: float = 1.0
    validation_limit: int = 150
    validation_size: int = 256
    grey: Literal["lightness", "luma"] = "lightness"


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one size, as long as exactly one of the first three says.

    Attributes:
        batch: pictures per step, of all processes together.
        size: side of the square that the network sees, in pixels.
        crops: smallest and largest side of the crop that is scaled to ``size``.
        pictures: how many are seen, with repetition.
        epochs: how often each picture is seen, on average.
        minutes: about how long; measured at its beginning and then fixed as pictures.
        accumulate: parts that a batch is computed in, one after another, to spare memory.
    """

    batch: int
    size: int
    crops: tuple[int, int]
    pictures: int | None = None
    epochs: float | None = None
    minutes: float | None = None
    accumulate: int = 1


@dataclass(frozen=True)
class Optimizer:
    """AdamW (Loshchilov 2019, arXiv 1711.05101) with warm-up, then constant or cosine decay.

    Attributes:
        rate: learning rate of new layers at its highest.
        trunk_rate: of a pre-trained trunk.
        weight_decay: of AdamW; with 0 it is Adam.
        betas: memories of the gradient's mean and square.
        schedule: "cosine" to zero, or "constant".
        warmup_pictures: the rates rise linearly over so many.
        clip: largest norm of the gradient.
        ema_decay: of the moving average of the weights that is validated and exported.
    """

    rate: float = 1.5e-3
    trunk_rate: float = 2e-4
    weight_decay: float = 0.02
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_pictures: int = 10000
    clip: float = 5.0
    ema_decay: float = 0.997


@dataclass(frozen=True)
class Augment:
    """How pictures are varied, beside the crops of a phase: colours and greys alike.

    Attributes:
        flip: probability of a mirrored picture.
        rotation: up to so many degrees either way.
    """

    flip: float = 0.5
    rotation: float = 0.0


@dataclass(frozen=True)
class Film:
    """How L is disturbed so that old photographs work too: each with its probability.

    Attributes:
        tone: a random gamma and contrast of L.
        grain: Gaussian noise of up to 4 L.
        blur: a slight blur of L.
        fading: a side or corner that has faded to a light grey.
        scratches: light and dark lines along the picture, and dust.
        orthochromatic: greys as of emulsions that hardly see red, or nothing but blue.
        vignette: darker towards the corners.
        jpeg: compressed and decoded again, at a quality of 20 to 70.
    """

    tone: float = 0.3
    grain: float = 0.1
    blur: float = 0.1
    fading: float = 0.0
    scratches: float = 0.0
    orthochromatic: float = 0.0
    vignette: float = 0.0
    jpeg: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        architecture: a key of ``models.ARCHITECTURES``.
        data: which pictures.
        phases: one after another.
        task: the kind of training, a key of ``objectives.OBJECTIVES``.
        objective: what it minimises: the options of that task.
        options: fields of the architecture's options.
        encoder: what the trunk starts from: arrays (an .npz relative to the data directory) or the
            trunk of a model in the zoo; None = random.
        freeze: prefixes of parameters that stay as they began.
        freeze_norm: keep the statistics of batch normalisation as they began.
        optimizer: how weights move.
        augment: variations of the pictures.
        film: disturbances of L.
        precision: of the forward pass; bf16 means fp32 where the device has no bf16.
        seed: of everything random.
        validate_every: pictures between two validations and checkpoints.
        patience: training stops after so many validations without a better mean; 0 = never.
    """

    architecture: str
    data: Data
    phases: tuple[Phase, ...]
    task: str = "supervised"
    objective: Objective = field(default_factory=Supervised)
    options: dict[str, object] = field(default_factory=dict)
    encoder: str | None = None
    freeze: tuple[str, ...] = ()
    freeze_norm: bool = False
    optimizer: Optimizer = Optimizer()
    augment: Augment = Augment()
    film: Film = Film()
    precision: Literal["bf16", "fp32"] = "bf16"
    seed: int = 1
    validate_every: int = 20000
    patience: int = 0
