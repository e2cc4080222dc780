"""Where a prepared set comes to stand: what may be there before, and how it appears there whole."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tintype.errors import TrainingError, UsageError
from tintype.images import atomic

CARD = "card.json"
_WORK = ".unfinished"
_MOVING = "moving.json"


class Place:
    """The folder that was asked for, and the one inside it where work goes on.

    Attributes:
        target: the folder.
        work: holds what is unfinished; gone in the end.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        """Find out whether the set may come to stand here; nothing is changed yet.

        Raises:
            UsageError: there is a file, or a folder of other things and no ``overwrite``.
        """
        self.target, self.work = target, target / _WORK
        if target.exists() and not target.is_dir():
            raise UsageError(f"{target} is a file; -o names a folder.")
        # What an interrupted move has brought here already is no obstacle.
        moved = _files_named_in(self.work / _MOVING)
        ours = {_WORK, *(PurePosixPath(name).parts[0] for name in moved)}
        there = [path.name for path in target.iterdir()] if target.exists() else []
        others = sorted(set(there) - ours)
        if others and not overwrite:
            raise UsageError(
                f"{target} holds {others[0]}{' and more' if len(others) > 1 else ''} already; name "
                "another folder, or let --overwrite replace the set that stands there."
            )

    def begin(self) -> None:
        """Make the folders.

        Raises:
            TrainingError: they cannot be written to.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.target} cannot be written to: {error.strerror}.") from error

    def move_in(self, names: Sequence[str]) -> None:
        """Bring finished files from the work's folder to the target, the card last.

        A set that stood here goes first, by its own card: other files stay.

        Args:
            names: of the files, relative to both folders, the card among them.
        """
        old = {*_files_named_in(self.target / CARD), *_files_named_in(self.work / _MOVING)}
        with atomic(self.work / _MOVING) as file:
            file.write(json.dumps({"files": sorted({*old, *names})}).encode())
        for name in [CARD, *sorted(old)]:
            (self.target / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # there is more in it, or it is not there
                if "/" in name:
                    (self.target / name).parent.rmdir()
        for name in [*(name for name in names if name != CARD), CARD]:
            (self.target / name).parent.mkdir(exist_ok=True)
            (self.work / name).replace(self.target / name)
        shutil.rmtree(self.work)


def _files_named_in(path: Path) -> list[str]:
    """The entry "files" of a JSON file; nothing that leads out of the folder."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    named = content.get("files") if isinstance(content, dict) else None
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    inside = [PurePosixPath(name) for name in names]
    return [str(n) for n in inside if n.parts and ".." not in n.parts and not n.is_absolute()]
