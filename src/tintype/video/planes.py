"""What a film's frame shows the network, and how predicted colour becomes its chroma planes.

The decoder's own Y plane is kept to the last bit. Chroma is computed at the size of the network's
view, where each colour is joined with the view's lightness inside the gamut, and brought to the
size of the chroma planes by cubic convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from tintype import color
from tintype.engine.chroma import Chroma
from tintype.engine.join import bands, coloured_light

Float = NDArray[np.float32]
Codes = NDArray[np.uint8] | NDArray[np.uint16]

_SWS_MATRICES: dict[color.Luma, int] = {"bt601": 5, "bt709": 1, "bt2020": 9}
_SWS_LIMITED, _SWS_FULL = 1, 2  # swscale's own numbers, as those of the matrices
_PLANAR = ("yuv", "yuvj", "yuva")
_PLAIN = {  # other formats, and the planar one that holds the same samples
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "yvyu422": "yuv422p",
    "y210le": "yuv422p10le",
}


@dataclass(frozen=True)
class Signal:
    """How the samples of a film stand for light.

    Attributes:
        format: name of the planar pixel format that its frames are worked on in.
        depth: bits of a sample.
        full_range: whether Y' reaches from 0 to the top; else from 16 to 235 of 255.
        matrix: how Y', Cb and Cr are made of R', G' and B'.
    """

    format: str
    depth: int
    full_range: bool
    matrix: color.Luma

    @property
    def grey_levels(self) -> tuple[float, float]:
        """The codes of black, and of white less black."""
        if self.full_range:
            return 0.0, float(2**self.depth - 1)
        return 16.0 * 2 ** (self.depth - 8), 219.0 * 2 ** (self.depth - 8)

    @property
    def chroma_levels(self) -> tuple[float, float]:
        """The codes of no chroma, and of a whole unit of Cb or Cr."""
        span = 2**self.depth - 1 if self.full_range else 224 * 2 ** (self.depth - 8)
        return float(2 ** (self.depth - 1)), float(span)

    @property
    def to_rgb(self) -> dict[str, int]:
        """What swscale is to be told when it makes full-range RGB or grey of the samples."""
        return {
            "src_colorspace": _SWS_MATRICES[self.matrix],
            "src_color_range": _SWS_FULL if self.full_range else _SWS_LIMITED,
            "dst_color_range": _SWS_FULL,
        }


def planar_format(name: str) -> str:
    """The planar YUV format in which frames of a pixel format are worked on.

    Grey becomes 4:2:0 of the same depth; packed YUV is unpacked; RGB becomes full-range 4:4:4.
    """
    little = name.replace("be", "le") if name.endswith("be") else name
    if little in _PLAIN:
        return _PLAIN[little]
    if little.startswith("gray"):
        return "yuv420p" + little.removeprefix("gray").removeprefix("f32le")
    if little.startswith(_PLANAR):
        return little.replace("yuvj", "yuv")
    deep = any(mark in little for mark in ("48", "64", "10", "12", "14", "16", "f32"))
    return "yuv444p16le" if deep else "yuv444p"


def is_rgb(name: str) -> bool:
    """Whether a pixel format has no Y plane of its own."""
    return not name.startswith((*_PLANAR, "gray", "nv", "p0", "p2", "yu", "uy", "yv", "y2"))


@lru_cache(maxsize=8)
def lightness_table(signal: Signal) -> Float:
    """L of the neutral sRGB grey that each code of Y' stands for: (2^depth,)."""
    black, span = signal.grey_levels
    grey = np.clip((np.arange(2**signal.depth) - black) / span, 0, 1)
    return np.asarray(color.luminance_to_lightness(color.srgb_to_linear(grey)), np.float32)


@lru_cache(maxsize=8)
def _light_table(signal: Signal) -> Float:
    """Luminance Y of the same greys, and (L + 16) / 116: (2, 2^depth)."""
    L = lightness_table(signal)
    return np.stack([color.lightness_to_luminance(L), (L + 16) / 116]).astype(np.float32)


@lru_cache(maxsize=1)
def _encoded_table() -> Float:
    """sRGB's R', G' or B' by the square root of linear light, in 65,536 steps."""
    root = np.linspace(0, 1, 1 << 16)
    return np.asarray(color.linear_to_srgb(root**2), np.float32)


def plane(frame: av.VideoFrame, number: int) -> Codes:
    """A plane of a frame as an array (height, width), on the frame's own memory."""
    each = frame.planes[number]
    kind = np.uint8 if frame.format.components[0].bits <= 8 else np.uint16
    rows = np.frombuffer(memoryview(each), kind).reshape(each.height, -1)
    return cast(Codes, rows[:, : each.width])


def rgb_of(frame: av.VideoFrame, signal: Signal) -> NDArray[np.uint8]:
    """A frame as sRGB (height, width, 3)."""
    return np.asarray(frame.reformat(format="rgb24", **signal.to_rgb).to_ndarray(), np.uint8)


class Painter:
    """Turns frames into views for the network, and colours into frames.

    Keeps scalers between frames; not to be used by two threads at once.

    Args:
        signal: of all frames.
        view: (height, width) that the network sees.
    """

    def __init__(self, signal: Signal, view: tuple[int, int]) -> None:
        self.signal, self.view = signal, view
        self._down, self._up = VideoReformatter(), VideoReformatter()
        self._convert = VideoReformatter()

    def opened(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame in the signal's planar format, its samples as they were where it had Y'."""
        wanted = self.signal.format
        name = frame.format.name.replace("yuvj", "yuv")
        if name == wanted:
            return frame
        if name.startswith("gray") and not name.endswith("be"):
            return self._with_chroma(frame)
        full = int(av.video.reformatter.ColorRange.JPEG)
        spans = {"dst_color_range": full} if is_rgb(name) else _same_range(frame)
        return self._convert.reformat(frame, format=wanted, **spans)

    def _with_chroma(self, grey: av.VideoFrame) -> av.VideoFrame:
        """A grey frame with empty chroma planes beside its own Y plane."""
        frame = av.VideoFrame(grey.width, grey.height, self.signal.format)
        plane(frame, 0)[:] = plane(grey, 0)
        for number in (1, 2):
            plane(frame, number)[:] = int(self.signal.chroma_levels[0])
        frame.pts, frame.time_base = grey.pts, grey.time_base
        frame.color_range, frame.colorspace = grey.color_range, grey.colorspace
        return frame

    def codes(self, frame: av.VideoFrame) -> Codes:
        """Y' at the size of the view, averaged over areas: (height, width) of codes."""
        kind = "gray" if self.signal.depth <= 8 else "gray16le"
        whole = av.VideoFrame.from_numpy_buffer(plane(frame, 0), kind)
        height, width = self.view
        small = self._down.reformat(whole, width, height, kind, interpolation="AREA")
        return plane(small, 0)

    def lightness(self, codes: Codes) -> Float:
        """L (height, width) of codes."""
        return lightness_table(self.signal)[codes]

    def chroma(self, codes: Codes, ab: Float, covered: tuple[float, float]) -> Float:
        """Cb and Cr at the size of the view.

        Args:
            codes: (height, width) of the view.
            ab: (2, h, w) CIE a*b*.
            covered: rows and columns of ``ab`` that the view covers.

        Returns:
            (2, height, width) in [-0.5, 0.5]: those of the sRGB colour that has the lightness of
            the grey and this ab, with less chroma where it would leave the gamut.
        """
        planes = Chroma(ab, self.view, covered)
        out = np.empty((2, *self.view), np.float32)
        table = _encoded_table()
        for top, bottom in bands(self.view):
            Y, fy = np.take(_light_table(self.signal), codes[top:bottom].ravel(), 1)
            linear = coloured_light(Y, fy, planes.rows(top, bottom).reshape(2, -1))
            steps = np.sqrt(linear, out=linear) * np.float32(len(table) - 1) + np.float32(0.5)
            rgb = table[steps.astype(np.int32)]
            chroma = color.rgb_to_ycbcr(rgb, self.signal.matrix, axis=0)[1:]
            out[:, top:bottom] = chroma.reshape(2, bottom - top, -1)
        return out

    def painted(self, frame: av.VideoFrame, chroma: Float) -> av.VideoFrame:
        """The frame with these Cb and Cr, its Y' untouched.

        Args:
            frame: as :meth:`opened` gives it; changed.
            chroma: (2, height, width) of the view.
        """
        frame.make_writable()
        centre, span = self.signal.chroma_levels
        shift = 16 - self.signal.depth
        half = (1 << shift) >> 1
        for number, values in enumerate(chroma, 1):
            target = plane(frame, number)
            # Sixteen bits in between, so that smooth colours stay smooth.
            scaled = values * np.float32(span * 2**shift) + np.float32(centre * 2**shift + half)
            wide = np.clip(scaled, 0, 65535).astype(np.uint16)
            sample = av.VideoFrame.from_ndarray(wide, "gray16le")
            height, width = target.shape
            large = plane(
                self._up.reformat(sample, width, height, "gray16le", interpolation="BICUBIC"), 0
            )
            np.right_shift(large, shift, out=target, casting="unsafe")
        return frame


def _same_range(frame: av.VideoFrame) -> dict[str, int]:
    """Arguments that keep swscale from stretching the samples."""
    return {"src_color_range": frame.color_range, "dst_color_range": frame.color_range}
