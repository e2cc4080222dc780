"""The engine's options as options of a command: derived from the fields of ``Options``.

A field's name, type, default and help make its option, so a new field is a new option: a switch
for a bool (``--no-NAME`` when the default is on), a repeatable option in the singular for a
tuple, a value for all others.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection
from dataclasses import Field, fields
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

import click

from tintype.options import Hint, Options

Command = TypeVar("Command", bound=Callable[..., object])

_CHOSEN = "tintype.cli.options"


def engine_options(leave_out: Collection[str] = ()) -> Callable[[Command], Command]:
    """Add an option for each field of ``Options``.

    Args:
        leave_out: fields that the command has no use for.
    """

    def add(command: Command) -> Command:
        kinds = get_type_hints(Options)
        for each in reversed(fields(Options)):
            if each.name not in leave_out:
                command = _option(each, kinds[each.name])(command)
        return command

    return add


def chosen_options(ctx: click.Context) -> Options:
    """The options that were given, over the defaults.

    Raises:
        UsageError: a value outside its range.
    """
    return Options(**ctx.meta.get(_CHOSEN, {}))


def _option(each: Field[object], kind: object) -> Callable[[Command], Command]:
    text = str(each.metadata.get("help", ""))
    flag = "--" + each.name.replace("_", "-")
    if kind is bool:
        off = each.default is True
        flag = flag.replace("--", "--no-", 1) if off else flag
        return click.option(
            flag,
            each.name,
            is_flag=True,
            flag_value=not each.default,
            default=None,
            expose_value=False,
            callback=_keep,
            help=str(each.metadata.get("off_help", text)) if off else text,
        )
    repeatable = get_origin(kind) is tuple
    return click.option(
        flag.removesuffix("s") if repeatable else flag,
        each.name,
        type=str if repeatable else _plain(kind),
        metavar=each.metadata.get("form") if repeatable else None,
        multiple=repeatable,
        expose_value=False,
        callback=_keep_several if repeatable else _keep,
        help=text + ("" if repeatable or each.default is None else f" [default: {each.default}]"),
    )


def _plain(kind: object) -> type:
    """The type of a value that may also be None: ``int | None`` gives int."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return kind if isinstance(kind, type) else str


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is not None:
        ctx.meta.setdefault(_CHOSEN, {})[param.name] = value


def _keep_several(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        hints = param.name == "hints"
        _keep(ctx, param, tuple(Hint.parse(text) for text in value) if hints else value)
