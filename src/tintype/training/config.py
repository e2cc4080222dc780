"""What a training recipe may say: frozen dataclasses, read from YAML, every key checked."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path

from tintype.errors import TrainingError


@dataclass(frozen=True)
class Data:
    """Which pictures; paths are relative to the data directory.

    Attributes:
        train: tar files or folders of pictures.
        validation: name to tar file or folder; scored during training, never trained on.
        short_side: pictures are cached as uint8 with this short side, in pixels.
        least_chroma: pictures whose mean C*ab lies below are grey and left out.
        source_weights: how often pictures whose file name starts so are drawn (1 = like others).
        validation_limit: so many pictures of each validation set.
    """

    train: tuple[str, ...]
    validation: dict[str, str]
    short_side: int = 160
    least_chroma: float = 3.0
    source_weights: dict[str, float] = field(default_factory=dict)
    validation_limit: int = 150


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one size.

    Attributes:
        pictures: how many are seen, with repetition.
        batch: pictures per step.
        size: side of the square that the network sees, in pixels.
        crops: smallest and largest side of the crop that is scaled to ``size``.
    """

    pictures: int
    batch: int
    size: int
    crops: tuple[int, int]


@dataclass(frozen=True)
class Optimizer:
    """AdamW (Loshchilov 2019, arXiv 1711.05101) with warm-up and cosine decay.

    Attributes:
        rate: learning rate of new layers at its highest.
        trunk_rate: of the pre-trained trunk.
        weight_decay: of AdamW.
        warmup_pictures: the rates rise linearly over so many.
        ema_decay: of the moving average of the weights that is validated and exported.
    """

    rate: float = 1.5e-3
    trunk_rate: float = 2e-4
    weight_decay: float = 0.02
    warmup_pictures: int = 10000
    ema_decay: float = 0.997


@dataclass(frozen=True)
class Loss:
    """Weights of the objectives; see ``training.losses``.

    Attributes:
        regression: weight of the smooth L1 loss on ab.
        smooth_l1_beta: where it turns from square to absolute, in ab units.
        classes: weight of the rebalanced soft cross-entropy.
        rebalancing: lambda of the rebalancing, 1 = none.
    """

    regression: float = 0.5
    smooth_l1_beta: float = 5.0
    classes: float = 1.0
    rebalancing: float = 0.5


@dataclass(frozen=True)
class Film:
    """How L is disturbed so that old photographs work too: each with its probability.

    Attributes:
        tone: a random gamma and contrast of L.
        grain: Gaussian noise of up to 4 L, slightly blurred.
        blur: a Gaussian blur of L.
    """

    tone: float = 0.3
    grain: float = 0.1
    blur: float = 0.1


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        architecture: a key of ``models.ARCHITECTURES``.
        data: which pictures.
        phases: one after another.
        options: fields of the architecture's options.
        encoder: arrays that the trunk starts from, relative to the data directory; None = random.
        freeze: prefixes of parameters that stay as the encoder had them.
        optimizer: how weights move.
        loss: what they are moved by.
        film: disturbances of L.
        seed: of everything random.
        validate_every: pictures between two validations and checkpoints.
    """

    architecture: str
    data: Data
    phases: tuple[Phase, ...]
    options: dict[str, object] = field(default_factory=dict)
    encoder: str | None = None
    freeze: tuple[str, ...] = ()
    optimizer: Optimizer = Optimizer()
    loss: Loss = Loss()
    film: Film = Film()
    seed: int = 1
    validate_every: int = 20000

    @property
    def pictures(self) -> int:
        """Pictures of all phases together."""
        return sum(phase.pictures for phase in self.phases)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        TrainingError: when the file cannot be read, or naming the key that is wrong or missing.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingError(f"Cannot read the recipe {path}: {error}") from error
    recipe = _from_yaml(Recipe, content, str(path))
    if not isinstance(recipe, Recipe) or not recipe.phases:
        raise TrainingError(f"{path}: a recipe needs at least one phase.")
    return recipe


def _from_yaml(kind: object, value: object, where: str) -> object:
    """Turn parsed YAML into the annotated type; ``where`` names the key in errors."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass_from_yaml(kind, value, where)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _from_yaml(arguments[0], value, where)
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
        if len(kinds) == len(value):
            return tuple(
                _from_yaml(k, v, f"{where}[{i}]")
                for i, (k, v) in enumerate(zip(kinds, value, strict=True))
            )
    if origin is dict and isinstance(value, dict):
        return {str(k): _from_yaml(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if kind is object:
        return tuple(value) if isinstance(value, list) else value
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str) and type(value) is kind:
        return value
    name = kind.__name__ if isinstance(kind, type) and origin is None else str(kind)
    raise TrainingError(f"{where}: expected {name}, not {value!r}.")


def _dataclass_from_yaml(kind: type, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise TrainingError(f"{where}: expected keys and values, not {value!r}.")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(map(str, value)) - set(hints))
    if unknown:
        raise TrainingError(f"{where}: unknown key '{unknown[0]}'; known are {', '.join(hints)}.")
    missing = [
        f.name
        for f in dataclasses.fields(kind)
        if f.name not in value
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise TrainingError(f"{where}: the key '{missing[0]}' is missing.")
    return kind(**{k: _from_yaml(hints[k], v, f"{where}: {k}") for k, v in value.items()})
