"""``tintype colorize`` for what passes once: the network, a pipe, a film that is played on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tintype.cli.face import Face, Stop, stoppable
from tintype.cli.film import States, load, show_all
from tintype.cli.film_options import FilmWork
from tintype.cli.tally import print_line
from tintype.errors import UsageError
from tintype.video.names import PICTURES_READ, PIPE, PLAYLIST, WRITABLE, is_address, is_sequence

if TYPE_CHECKING:
    from tintype.options import Options
    from tintype.video.film import FilmOptions
    from tintype.video.sniffing import Peeked


def standard_input(inputs: Sequence[str]) -> Peeked | None:
    """Standard input with its first bytes looked at; None when it is not among the inputs.

    Raises:
        UsageError: it is among others, closed, or a terminal.
    """
    from tintype.video.sniffing import Peeked

    if PIPE not in inputs:
        return None
    if len(inputs) > 1:
        raise UsageError("Standard input (-) cannot be mixed with other inputs.")
    if sys.stdin is None:
        raise UsageError("A picture or film is expected on standard input, but that is closed.")
    if sys.stdin.isatty():
        raise UsageError("A picture or film is expected on standard input, but that is a terminal.")
    return Peeked(sys.stdin.buffer)


def is_streamed(work: FilmWork) -> bool:
    """Whether films pass once from input to output instead of being made in resumable pieces."""
    ends = work.output == PIPE or (work.output or "").lower().endswith(PLAYLIST)
    return work.hls or ends or any(name == PIPE or is_address(name) for name in work.inputs)


def colorize_streams(
    work: FilmWork, options: Options, how: FilmOptions, face: Face, pipe: Peeked | None
) -> int:
    """Colorize one stream.

    Args:
        work: which; a single input.
        options: as for pictures.
        how: of films.
        face: says what is to be known.
        pipe: standard input, where that is the stream.

    Returns:
        0, or the status of the signal that ended it.

    Raises:
        UsageError: several inputs, an output that a stream cannot have, or one that exists.
        TintypeError, BrokenPipeError: as ``colorize_stream``.
    """
    if len(work.inputs) > 1:
        raise UsageError("Streams are coloured one at a time.")
    if work.preview is not None:
        raise UsageError("--preview is for films in files, which can be read twice.")
    name = work.inputs[0]
    if is_sequence(name) or how.rate is not None:
        raise UsageError("Numbered pictures become a film's file or other pictures, not a stream.")
    target = stream_target(work)
    if target is not None:
        if target.exists() and not work.overwrite:
            raise UsageError(f"{target} exists; --overwrite replaces it.")
        if target.exists() and Path(name).exists() and target.samefile(name):
            raise UsageError(f"{target} would replace its own original.")
        target.parent.mkdir(parents=True, exist_ok=True)
    with stoppable(lambda: None, "the film") as stop:
        said = name if pipe is None else "standard input"
        show_all(_states(work, options, how, target, pipe, stop), said, face)
    if target is not None:
        print_line(str(target))
    return stop.status


def _states(
    work: FilmWork,
    options: Options,
    how: FilmOptions,
    target: Path | None,
    pipe: Peeked | None,
    stop: Stop,
) -> States:
    from tintype.video.streaming import StreamOptions, colorize_stream, store_stream

    source = pipe or work.inputs[0]
    stream = StreamOptions(work.hls_keep, stop=stop.event)
    if work.store_grey:
        return store_stream(source, target, how, stream)
    return colorize_stream(load(options, work.device), source, target, options, how, stream)


def stream_target(work: FilmWork) -> Path | None:
    """Where a stream goes: a film's file, the playlist of a folder, or None for standard output.

    Raises:
        UsageError: none of these, or a terminal.
    """
    name = work.inputs[0]
    output = PIPE if work.output is None and name == PIPE else work.output
    if output is None:
        raise UsageError(f"Say where {name} goes: -o FILE, -o FOLDER or -o - (standard output).")
    if output == PIPE and not work.hls:
        if sys.stdout is None or sys.stdout.isatty():
            raise UsageError(
                "A film does not go to a terminal; give -o, or send it through a pipe."
            )
        return None
    path = Path(output)
    suffix = path.suffix.lower()
    if is_sequence(output) or (suffix in PICTURES_READ and not path.is_dir()):
        raise UsageError(
            f"A stream is not written as pictures ({output}): give a film or a folder."
        )
    target = path
    if suffix != PLAYLIST and (path.is_dir() or suffix not in WRITABLE):
        target = path / f"index{PLAYLIST}"
    if target.suffix.lower() != PLAYLIST:
        if work.hls:
            raise UsageError(f"--hls writes many files: give -o a folder, not {output}.")
        if work.hls_keep:
            raise UsageError("--hls-keep is for HLS: give -o a folder.")
    return target
