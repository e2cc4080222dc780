"""Zips of pictures: unpacked where nothing can go astray, and packed again with a report."""

from __future__ import annotations

import errno
import json
import lzma
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tintype.batch.manifest import MANIFEST_NAME
from tintype.errors import UnreadableImage, UsageError
from tintype.server.settings import Limits

REPORT = "report.json"
_PIECE = 1 << 20
_LONGEST_NAME = 200
_ENTRY_BYTES = 2048  # of a zip's table of contents, for each file that may be in it
_TAIL_BYTES = (64 << 10) + 98  # the end records of a zip and the longest comment after them
_ODD = (FileExistsError, NotADirectoryError, IsADirectoryError)


def unpack(source: Path, target: Path, limits: Limits) -> None:
    """Unpack a zip into a new folder that appears when all is there.

    Names that lead elsewhere, links and encrypted members are refused; what is written is counted
    as it is written, whatever the zip says of its sizes.

    Raises:
        UnreadableImage: it is damaged or holds what is refused.
        UsageError: more files or bytes than the limits allow.
    """
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    left = limits.unzipped_bytes
    _refuse_long_table(source, limits)
    try:
        with zipfile.ZipFile(source) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if len(members) > limits.zip_files:
                raise UsageError(
                    f"The zip holds {len(members)} files; this server takes "
                    f"{limits.zip_files} at most."
                )
            for member in members:
                left = _extract(opened, member, part / safe_name(member), left)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        raise UnreadableImage(f"The zip cannot be unpacked: {error}.") from error
    except _ODD as error:
        raise UnreadableImage("The zip holds two files of one name, or one without.") from error
    except (zlib.error, lzma.LZMAError, OSError) as error:
        if getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise  # of the disk; bzip2 gives no number, a place before the beginning EINVAL
        raise UnreadableImage("The zip cannot be unpacked: it is damaged.") from error
    part.mkdir(exist_ok=True)
    part.rename(target)


def _refuse_long_table(source: Path, limits: Limits) -> None:
    """Look at the size of the table of contents, which would be read into memory whole.

    It is at the end: PK 5 6 with the size of the table at its 12th byte; where 32 bits do not hold
    it, PK 6 6 before it at its 40th (PKWARE APPNOTE 4.3.14 and 4.3.16). What stands there is what
    ``zipfile`` goes by, so a zip that says less than it holds is read only so far.

    Raises:
        UsageError: it is longer than the files that are allowed can need.
    """
    with source.open("rb") as file:
        file.seek(max(0, source.stat().st_size - _TAIL_BYTES))
        tail = file.read()
    long = _numbers(tail, b"PK\6\6", 40, 8)
    sizes = [size for size in _numbers(tail, b"PK\5\6", 12, 4) if not long or size < 0xFFFFFFFF]
    if max(sizes + long, default=0) > limits.zip_files * _ENTRY_BYTES:
        raise UsageError(
            f"The zip's table of contents is too long; this server takes {limits.zip_files} files "
            "at most."
        )


def _numbers(tail: bytes, mark: bytes, at: int, length: int) -> list[int]:
    """What stands at a distance from every such mark, which may be in a comment, too."""
    places = (found.start() + at for found in re.finditer(re.escape(mark), tail))
    return [int.from_bytes(tail[place : place + length], "little") for place in places]


def safe_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """A member's name, if it stays where it is unpacked.

    Raises:
        UnreadableImage: it does not, or the member is a link or encrypted.
    """
    name = member.filename.replace("\\", "/")
    path = PurePosixPath(name)
    odd = path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name
    if odd or any(len(part.encode()) > _LONGEST_NAME for part in path.parts) or len(name) > 1000:
        raise UnreadableImage(f"The zip holds the name {name[:80]!r}, which cannot be used.")
    if stat.S_ISLNK(member.external_attr >> 16) or member.flag_bits & 1:
        raise UnreadableImage(f"The zip holds {name[:80]!r}, which is a link or encrypted.")
    return path


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one member; how many bytes may still follow."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, target.open("xb") as file:
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise UsageError("The zip is larger, when unpacked, than this server takes.")
            file.write(piece)
    return left


def pack(folder: Path, target: Path, rows: list[dict[str, object]]) -> None:
    """Pack a folder with a report of what became of each picture; pictures are not compressed."""
    part = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != MANIFEST_NAME:
                packed.write(path, path.relative_to(folder).as_posix())
        packed.writestr(REPORT, json.dumps(rows, indent=1, ensure_ascii=False))
    part.replace(target)
