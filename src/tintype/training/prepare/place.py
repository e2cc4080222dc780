"""Where a prepared set comes to stand: what may be there before, and how it appears there whole."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tintype.errors import TrainingError, UsageError
from tintype.images.replacing import atomic

CARD = "card.json"
WORK = ".unfinished"
MADE = f"{WORK}/set"
_MOVING = "moving.json"


def check_target(target: Path, *, overwrite: bool) -> None:
    """Find out whether a set may come to stand in a folder.

    Raises:
        UsageError: there is a file, or a folder of other things and no ``overwrite``.
    """
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; -o names a folder.")
    # What an interrupted move has brought here already is no obstacle.
    moved = _files_named_in(target / WORK / _MOVING)
    ours = {WORK, *(PurePosixPath(name).parts[0] for name in moved)}
    others = sorted({path.name for path in target.glob("*")} - ours)
    if others and not overwrite:
        raise UsageError(
            f"{target} holds {others[0]}{' and more' if len(others) > 1 else ''} already; name "
            "another folder, or let --overwrite replace the set that stands there."
        )


def begin(target: Path) -> None:
    """Make the folder inside the target where work goes on until :func:`move_in`.

    Raises:
        TrainingError: it cannot be made.
    """
    try:
        (target / WORK).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{target} cannot be written to: {error.strerror}.") from error


def move_in(target: Path, names: Sequence[str]) -> None:
    """Bring finished files from ``MADE`` to the target, in this order: the card is the last.

    A set that stood there goes first, by its own card: other files stay.
    """
    old = {*_files_named_in(target / CARD), *_files_named_in(target / WORK / _MOVING)}
    with atomic(target / WORK / _MOVING) as file:
        file.write(json.dumps({"files": sorted({*old, *names})}).encode())
    for name in [CARD, *sorted(old)]:
        (target / name).unlink(missing_ok=True)
        if "/" in name:
            with contextlib.suppress(OSError):  # there is more in it, or it is not there
                (target / name).parent.rmdir()
    for name in names:
        (target / name).parent.mkdir(exist_ok=True)
        (target / MADE / name).replace(target / name)
    shutil.rmtree(target / WORK)


def _files_named_in(path: Path) -> list[str]:
    """The entry "files" of a JSON file; nothing that leads out of the folder."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        inside = [PurePosixPath(name) for name in content["files"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [str(n) for n in inside if n.parts and ".." not in n.parts and not n.is_absolute()]
