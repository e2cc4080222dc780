"""Zips of pictures: unpacked where nothing can go astray, and packed again with a report."""

from __future__ import annotations

import errno
import json
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
    except (zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # of the disk; a place before the file's beginning is the zip's own fault
        raise UnreadableImage("The zip cannot be unpacked: it is damaged.") from error
    part.mkdir(exist_ok=True)
    part.rename(target)


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
