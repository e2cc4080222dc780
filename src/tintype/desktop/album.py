"""What the live view keeps, and where: stills as PNG, recordings as Matroska, nothing replaced."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tintype.desktop.camera import Reel
from tintype.desktop.pictures import Printer, Shown, upright_size
from tintype.desktop.recording import Recorder
from tintype.errors import TintypeError
from tintype.images.xmp import updated_xmp
from tintype.video.recording import part_of

_PNG_EFFORT = 3  # 1-9; the window waits meanwhile


class Album:
    """The stills and recordings of one reel. Every method says in a sentence what came of it.

    Args:
        folder: where they go; made when it is needed.
        reel: what is shown.
        mark: what their metadata name as the maker of the colours.
    """

    def __init__(self, folder: Path, reel: Reel, mark: str) -> None:
        self.recorder: Recorder | None = None
        self._folder, self._reel, self._mark = folder, reel, mark

    def save_still(self, shown: Shown) -> str:
        """Save a coloured frame at full size, upright and in square pixels."""
        printer = Printer(self._reel.film, upright_size(self._reel.film), fine=True)
        try:
            path = self._new_file(shown, ".png")
            _save(printer.colour(shown.frame), path, self._mark)
        except (TintypeError, OSError) as error:
            return f"No still: {error}"
        return f"Saved {path}"

    def start_recording(self, shown: Shown) -> str:
        """Open a recording, :attr:`recorder`."""
        path = None
        try:
            path = self._new_file(shown, ".mkv")
            self.recorder = Recorder(path, self._reel.film, self._mark)
        except (TintypeError, OSError) as error:
            _remove_empty(path)
            return f"No recording: {error}"
        return f"Recording {path}"

    def stop_recording(self) -> str:
        """Finish the recording, if there is one."""
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return ""
        try:
            recorder.close()
        except (TintypeError, OSError) as error:
            return f"The recording failed: {error}"
        finally:
            _remove_empty(recorder.path)
        if not recorder.path.exists():
            return "Nothing was recorded: no frame came."
        lost = f"; {recorder.lost} frames came too fast" if recorder.lost else ""
        return f"Recorded {recorder.path}{lost}"

    def _new_file(self, shown: Shown, suffix: str) -> Path:
        stamp = time.strftime("%H%M%S")
        if not self._reel.live:
            seconds = int(shown.time_s)
            stamp = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"
        return new_file(self._folder, f"{self._reel.name}-{stamp}", suffix)


def new_file(folder: Path, stem: str, suffix: str) -> Path:
    """Make an empty file that was not there: ``STEM.EXT``, else ``STEM-2.EXT`` and so on.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        return path
    raise AssertionError("count() does not end")


def _remove_empty(path: Path | None) -> None:
    """Leave nothing behind of a recording that never began."""
    for each in () if path is None else (path, part_of(path)):
        if each.is_file() and not each.stat().st_size:
            each.unlink()


def _save(picture: Image.Image, path: Path, mark: str) -> None:
    """Write a PNG that says who made its colours."""
    told = PngInfo()
    packet, _ = updated_xmp(None, mark)
    told.add_itxt("XML:com.adobe.xmp", (packet or b"").decode())
    picture.save(path, "PNG", pnginfo=told, compress_level=_PNG_EFFORT)
