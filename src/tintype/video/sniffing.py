"""Whether the first bytes of a pipe are a film's or a picture's."""

from __future__ import annotations

from typing import BinaryIO

HEAD_BYTES = 1024
"""So many are looked at."""

_TS_PACKET = 188  # ISO/IEC 13818-1, 2.4.3
_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x00\x00\x01\xba",  # MPEG programme stream
    b"\x00\x00\x01\xb3",  # MPEG video
    *(b"\x00\x00\x00\x01\x67", b"\x00\x00\x00\x01\x40", b"\x00\x00\x00\x01\x09"),  # H.264, H.265
    b"nut/multimedia container\x00",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # WMV
    *(b"FLV\x01", b"OggS", b"DKIF", b"YUV4MPEG2 ", b"GIF87a", b"GIF89a"),
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
)
_STILLS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
CONTAINERS = (
    "mov,matroska,avi,mpeg,mpegts,mpegvideo,h264,hevc,nut,asf,flv,ogg,ivf,yuv4mpegpipe,gif,mxf"
)
"""FFmpeg's names of what may begin so; none of them names other files to be opened."""

_ATOMS = (b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp")  # of QuickTime


def holds_film(head: bytes) -> bool:
    """Whether these are a film's first bytes; all else is left to the readers of pictures.

    Args:
        head: some hundreds of bytes.
    """
    if head.startswith(_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return True
    if head[4:8] == b"ftyp":
        return head[8:12] not in _STILLS
    packets = head[0 : 3 * _TS_PACKET : _TS_PACKET]
    return head[4:8] in _ATOMS or packets == b"\x47\x47\x47"


class Peeked:
    """A pipe whose first bytes have been looked at, to be read from the beginning.

    Args:
        pipe: standard input or the like.

    Attributes:
        head: its first bytes, fewer when it ends before.
    """

    def __init__(self, pipe: BinaryIO) -> None:
        # The file below the buffer gives what is there instead of waiting for all that is asked
        # for, and holds no lock that the end of the program would wait for.
        self._next = getattr(pipe, "raw", pipe).read
        self.head = b""
        while len(self.head) < HEAD_BYTES and (piece := self._next(HEAD_BYTES)):
            self.head += piece
        self._left = self.head

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most ``size``; all that are left when it is negative."""
        if size < 0:
            return self._left + b"".join(iter(lambda: self._next(1 << 20), b""))
        if not self._left:
            return bytes(self._next(size))
        piece, self._left = self._left[:size], self._left[size:]
        return piece
