"""The command ``tintype``: its commands, imported only when asked for, and how it ends.

Exit status: 0 all is well, 1 something failed (said in one sentence), 2 the command was used
wrongly, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from tintype import __version__
from tintype.cli.face import Face, Terminated, silence_stdout, terminable, verbose_option
from tintype.errors import TintypeError, UsageError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
TERMINATED = 143

# The short helps stand here so that `tintype --help` imports none of the commands.
COMMANDS = {
    "colorize": "Give black-and-white pictures and films their colour.",
    "live": "Show a camera or a film in colour while it plays.",
    "gui": "Open a window to colour pictures in.",
    "serve": "Serve the HTTP API.",
    "worker": "Do the jobs of a server, here or on another machine.",
    "archive": "Colour an archive over many machines, with a ledger.",
    "compare": "Draw a contact sheet: grey, one result per model, the original.",
    "evaluate": "Measure models on a set of colour photographs.",
    "bench": "Measure speed and memory on this machine.",
    "prepare": "Turn data sets into shards for training, with a data card.",
    "models": "List, show, fetch and verify the networks.",
    "train": "Train a network from a recipe.",
    "finetune": "Train a model further on photographs of your own.",
    "export": "Turn a checkpoint into a graph that Tintype runs.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own, ``tintype.cli.NAME``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"tintype.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tintype", message="%(prog)s %(version)s")
@verbose_option
def cli() -> None:
    """Tintype gives black-and-white photographs their colour.

    The colours are invented: likely ones, not the ones that were there.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: the arguments; None takes those of the process.

    Returns:
        The exit status.
    """
    face = Face()
    with terminable():
        try:
            code = cli.main(args=args, prog_name="tintype", obj=face, standalone_mode=False)
            if sys.stdout is not None:  # closed by the caller
                sys.stdout.flush()
        except BaseException as error:  # the face is where every error ends
            return _end(error, face)
    return code if isinstance(code, int) else 0


def _end(error: BaseException, face: Face) -> int:
    """Say in one sentence what went wrong, and give the status to leave with."""
    face.log(error)
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return MISUSED
        case SystemExit():
            return error.code if isinstance(error.code, int) else FAILED
        case BrokenPipeError():
            silence_stdout()
            return FAILED
    text, status = _verdict(error, face)
    if isinstance(error, OSError):
        silence_stdout()  # writing there may be what failed
    face.say(f"tintype: {text}")
    return status


def _verdict(error: BaseException, face: Face) -> tuple[str, int]:
    match error:
        case click.ClickException():
            return error.format_message(), error.exit_code
        case UsageError():
            return str(error), MISUSED
        case TintypeError():
            return str(error), FAILED
        case click.Abort() | KeyboardInterrupt():
            return "interrupted.", INTERRUPTED
        case Terminated():
            return "terminated.", TERMINATED
        case OSError():
            unnamed = "" if error.errno is None else "standard output: "  # storage says no number
            where = f"{error.filename}: " if error.filename else unnamed
            return f"{where}{error.strerror or error}.", FAILED
    return face.unexpected(error), FAILED
