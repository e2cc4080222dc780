"""How a recipe is read: YAML to the dataclasses of ``config``, every key and value checked."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tintype.errors import TrainingError
from tintype.models import ARCHITECTURES, options_of
from tintype.training.config import Phase, Recipe
from tintype.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from yaml import Node


_EXPONENT = re.compile(r"[+-]?\d+[eE][+-]?\d+")

_SHARES: set[str | int] = {
    *("share", "betas", "ema_decay", "rebalancing"),
    *("flip", "tone", "grain", "blur", "fading", "scratches"),
    *("orthochromatic", "vignette", "jpeg"),
}
_POSITIVE: set[str | int] = {
    *("share", "short_side", "validation_limit", "validation_size"),
    *("clip", "class_step", "huber_beta"),
}


def load_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: a YAML file.
        changes: "key=value" each, the value as YAML has it; a key inside another after a dot, one
            in a list by its number: "phases.0.batch=8".

    Raises:
        TrainingError: when the file cannot be read, or naming the key that is wrong or missing,
            and its line.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        content, root = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingError(f"Cannot read the recipe {path}: {error}") from error
    for change in changes:
        put(content, change)
    try:
        return _recipe(content)
    except _WrongKeyError as error:
        key = ".".join(map(str, error.where))
        given = [change.partition("=")[0] for change in changes]
        if any(key == each or key.startswith(f"{each}.") for each in given):
            raise TrainingError(f"--set {error}") from error
        line = _line_of(root, error.where)
        raise TrainingError(f"{path}{line}: {error}") from error


def _recipe(content: object) -> Recipe:
    kind: object = None
    if isinstance(content, dict):
        task = content.get("task", "supervised")
        if not isinstance(task, str) or task not in OBJECTIVES:
            raise _WrongKeyError(("task",), f"there is no task {task!r}; {_known(OBJECTIVES)}")
        kind = OBJECTIVES[task]
    recipe = _from_yaml(Recipe, content, ("objective",), kind)
    if not isinstance(recipe, Recipe) or not recipe.phases:
        raise _WrongKeyError(("phases",), "a recipe needs at least one phase")
    if not recipe.data.train:
        raise _WrongKeyError(("data", "train"), "a recipe needs at least one source")
    _check_network(recipe.architecture, recipe.options)
    if recipe.validate_every < 1:
        raise _WrongKeyError(("validate_every",), "must be at least 1")
    if recipe.patience and not recipe.data.validation:
        raise _WrongKeyError(("patience",), "needs a validation set in data")
    for index, phase in enumerate(recipe.phases):
        _check_phase(phase, ("phases", index))
    return recipe


def _check_network(architecture: str, options: dict[str, object]) -> None:
    if architecture not in ARCHITECTURES:
        message = f"there is no architecture '{architecture}'; {_known(ARCHITECTURES)}"
        raise _WrongKeyError(("architecture",), message)
    known = options_of(architecture)
    for key in options:
        if key not in known:
            message = f"{architecture} has no such option; {_known(known)}"
            raise _WrongKeyError(("options", key), message)


def _check_phase(phase: Phase, where: _Where) -> None:
    lengths = [phase.pictures, phase.epochs, phase.minutes]
    if sum(length is not None for length in lengths) != 1:
        raise _WrongKeyError(where, "a phase needs one of pictures, epochs and minutes")
    if any(length is not None and length <= 0 for length in lengths):
        raise _WrongKeyError(where, "a phase must be longer than nothing")
    low, high = phase.crops
    if not 0 < low <= high or phase.batch < 1 or phase.size < 1:
        raise _WrongKeyError(where, "batch, size and crops must be positive, the crops in order")
    if phase.accumulate < 1:
        raise _WrongKeyError(where, "accumulate must be at least 1")


_Where = tuple[str | int, ...]
"""The keys and numbers that lead to a value."""


class _WrongKeyError(Exception):
    def __init__(self, where: _Where, message: str) -> None:
        place = ""
        for part in where:
            place += f"[{part}]" if isinstance(part, int) else f": {part}" if place else part
        super().__init__(f"{place}: {message}." if place else f"{message}.")
        self.where = where


def _known(names: Iterable[str]) -> str:
    return "known are " + ", ".join(names)


def _from_yaml(
    kind: object, value: object, special: _Where, replaced: object, where: _Where = ()
) -> object:
    """Turn parsed YAML into the annotated type; at ``special`` the type is ``replaced``."""

    def inner(part_kind: object, part: object, key: str | int) -> object:
        return _from_yaml(part_kind, part, special, replaced, (*where, key))

    if where == special:
        kind = replaced
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _checked_keys(kind, value, where)
        given = typing.cast(dict[str, object], value)
        return kind(**{k: inner(hints[k], v, k) for k, v in given.items()})
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _from_yaml(arguments[0], value, special, replaced, where)
    if origin is typing.Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
        if len(kinds) == len(value):
            pairs = zip(kinds, value, strict=True)
            return tuple(inner(k, v, index) for index, (k, v) in enumerate(pairs))
    if origin is dict and isinstance(value, dict):
        return {str(k): inner(arguments[1], v, str(k)) for k, v in value.items()}
    if kind is object:
        return tuple(value) if isinstance(value, list) else value
    if kind is float and isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)  # YAML 1.1 takes 5e-4 for text
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(_in_range(value, where))
    if kind is int and type(value) is int:
        return int(_in_range(value, where))
    if kind in (str, bool) and type(value) is kind:
        return value
    raise _WrongKeyError(where, f"expected {_name(kind)}, not {value!r}")


def _in_range(number: float, where: _Where) -> float:
    """A number that a recipe may hold: none is negative, shares are at most 1."""
    if not 0 <= number < math.inf:
        raise _WrongKeyError(where, f"must be a number of at least 0, not {number}")
    if number > 1 and _SHARES & set(where):
        raise _WrongKeyError(where, f"must be at most 1, not {number}")
    if number == 0 and _POSITIVE & set(where):
        raise _WrongKeyError(where, "must be more than 0")
    return number


def _name(kind: object) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    plain = isinstance(kind, type) and typing.get_origin(kind) is None
    return typing.cast(type, kind).__name__ if plain else str(kind)


def _checked_keys(kind: type, value: object, where: _Where) -> dict[str, object]:
    """The annotations of a dataclass that a mapping fits."""
    if not isinstance(value, dict):
        raise _WrongKeyError(where, f"expected keys and values, not {value!r}")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(map(str, value)) - set(hints))
    if unknown:
        message = f"unknown key '{unknown[0]}'; {_known(list(hints))}"
        raise _WrongKeyError((*where, unknown[0]), message)
    for field in dataclasses.fields(kind):
        needed = field.default is field.default_factory is dataclasses.MISSING
        if needed and field.name not in value:
            raise _WrongKeyError(where, f"the key '{field.name}' is missing")
    return hints


def put(content: object, change: str) -> None:
    """Put the value of "key=value" into parsed YAML, in place; see :func:`load_recipe`.

    Raises:
        TrainingError: it is no "key=value", or there is no place for it.
    """
    import yaml

    key, equals, text = change.partition("=")
    if not equals or not key:
        raise TrainingError(f"--set needs key=value, not '{change}'.")
    *path, last = key.split(".")
    place = content
    for part in path:
        if isinstance(place, dict):
            place = place.setdefault(part, {})
        elif isinstance(place, list) and part.isdecimal() and int(part) < len(place):
            place = place[int(part)]
        else:
            raise TrainingError(f"--set {key}: there is no '{part}' in the recipe.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrainingError(f"--set {key}: {text!r} is no value: {error}") from error
    if isinstance(place, dict):
        place[last] = value
    elif isinstance(place, list) and last.isdecimal() and int(last) < len(place):
        place[int(last)] = value
    else:
        raise TrainingError(f"--set {key}: there is no '{last}' in the recipe.")


def _line_of(node: Node | None, where: _Where) -> str:
    """ ", line N" of the deepest key on the way that stands in the file."""
    import yaml

    line = None
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line
        else:
            break
    return "" if line is None else f", line {line + 1}"
