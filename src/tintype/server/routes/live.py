"""Frames of a camera, coloured as they come: a WebSocket that drops frames rather than lag."""

from __future__ import annotations

import asyncio
import io
import json
import time
from contextlib import suppress

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from numpy.typing import NDArray
from PIL import Image

from tintype import color
from tintype.engine import Colorizer, Options
from tintype.engine.arrays import shrink
from tintype.engine.chroma import Chroma
from tintype.engine.join import join
from tintype.engine.steering import guess_on_cells
from tintype.engine.view import working_shape
from tintype.errors import TintypeError, UnreadableImage
from tintype.motion import STRIDE
from tintype.server.problems import Problem
from tintype.server.schemas import OptionsBody, engine_options, parsed
from tintype.server.settings import Limits
from tintype.server.state import State, state_of
from tintype.temporal import STEADY, Steadier

router = APIRouter()

_QUALITY = 85
_FORMATS = ("JPEG", "PNG", "WEBP")
_DECODER_ERRORS = (
    *(OSError, ValueError, SyntaxError, Image.DecompressionBombError),
    Image.DecompressionBombWarning,  # where warnings are errors
)
_SILENCE_S = 60.0  # a view that sends nothing for so long is closed
_CAMERA_SIZE = 192  # the network's view, unless asked otherwise: speed before finesse
_USED = {"strength", "working_size", "force"}
_FULL, _TOO_LARGE, _ODD = 1013, 1009, 1003


class Projector:
    """Colours the frames of one live view, steadily.

    Args:
        colorizer: a loaded network.
        limits: of a frame.
    """

    def __init__(self, colorizer: Colorizer, limits: Limits) -> None:
        self._colorizer, self._limits = colorizer, limits
        self._size: tuple[int, int] | None = None
        self._steadier = Steadier(STEADY)
        self.options = Options(working_size=_CAMERA_SIZE, force=True)

    def colour(self, data: bytes) -> bytes:
        """A frame with its colours; whatever colours it has are left out of account.

        Args:
            data: JPEG, PNG or WebP.

        Returns:
            JPEG of the same size.

        Raises:
            UnreadableImage: it is none of these, damaged, or too large.
        """
        rgb = self._decoded(data)
        size = rgb.shape[:2]
        view = working_shape(size, self.options.working_size or _CAMERA_SIZE)
        if size != self._size:
            self._size, self._steadier = size, Steadier(STEADY)
        grey = color.luma(rgb.astype(np.float32), "bt601").astype(np.uint8)[..., None]
        small = shrink(grey, *view)
        L = color.rgb_to_lab(small.astype(np.float64))[..., 0].clip(0, 100).astype(np.float32)
        guess = sure = None
        if self._steadier.look(L):
            guess, sure = guess_on_cells(self._colorizer.predict(L[None, None]), view)
        ab = self._steadier.settle(guess, sure)
        covered = view[0] / STRIDE, view[1] / STRIDE
        out = join(grey, Chroma(ab, size, covered, self.options.strength))
        file = io.BytesIO()
        Image.fromarray(out).save(file, "JPEG", quality=_QUALITY)
        return file.getvalue()

    def _decoded(self, data: bytes) -> NDArray[np.uint8]:
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > self._limits.frame_pixels:
                    raise UnreadableImage(
                        f"A frame has more than the {self._limits.frame_pixels} pixels taken here."
                    )
                return np.asarray(image.convert("RGB"))
        except _DECODER_ERRORS as error:
            raise UnreadableImage("A frame is no JPEG, PNG or WebP picture.") from error


class Latest:
    """The newest frame; older ones that nobody took are dropped."""

    def __init__(self) -> None:
        self.received = self.dropped = 0
        self.closed = False
        self._frame: tuple[int, bytes] | None = None
        self._news = asyncio.Event()

    def put(self, frame: bytes) -> None:
        """A frame came."""
        self.received += 1
        self.dropped += self._frame is not None
        self._frame = self.received, frame
        self._news.set()

    def close(self) -> None:
        """No frame will come."""
        self.closed = True
        self._news.set()

    async def take(self) -> tuple[int, bytes] | None:
        """The newest frame and its number as soon as there is one; None when no more will come."""
        while self._frame is None and not self.closed:
            self._news.clear()
            await self._news.wait()
        frame, self._frame = self._frame, None
        return frame


@router.websocket("/v1/live")
async def live(socket: WebSocket) -> None:
    """Binary messages are frames (JPEG, PNG or WebP), text messages options as JSON.

    Each coloured frame comes back as a JPEG, after a text message {"frame": number, "dropped":
    so far, "ms": time it took}. While one frame is in work only the newest other one is kept.
    """
    state = state_of(socket)
    await socket.accept()
    if state.live >= state.settings.limits.live:
        await socket.close(_FULL, "Too many live views; try again later.")
        return
    state.live += 1
    try:
        await _serve(socket, state)
    except (TintypeError, Problem) as error:
        told = error.detail if isinstance(error, Problem) else str(error)
        await _close(socket, _ODD, told)
    except WebSocketDisconnect:
        pass
    finally:
        state.live -= 1


async def _serve(socket: WebSocket, state: State) -> None:
    colorizer = await state.live_gate.run(state.shelf.get, state.settings.model)
    projector, latest = Projector(colorizer, state.settings.limits), Latest()
    listening = asyncio.create_task(_listen(socket, state, projector, latest))
    try:
        while (taken := await latest.take()) is not None:
            number, frame = taken
            begun = time.perf_counter()
            coloured = await state.live_gate.run(projector.colour, frame)
            ms = round(1000 * (time.perf_counter() - begun), 1)
            told = {"frame": number, "dropped": latest.dropped, "ms": ms}
            await socket.send_text(json.dumps(told))
            await socket.send_bytes(coloured)
            state.metrics.frames.labels("coloured").inc()
    finally:
        listening.cancel()
        state.metrics.frames.labels("dropped").inc(latest.dropped)
        with suppress(asyncio.CancelledError):
            await listening


async def _listen(socket: WebSocket, state: State, projector: Projector, latest: Latest) -> None:
    """Take what the client sends until it goes."""
    try:
        while True:
            message = await asyncio.wait_for(socket.receive(), _SILENCE_S)
            if message["type"] == "websocket.disconnect":
                return
            if (data := message.get("bytes")) is not None:
                if len(data) > state.settings.limits.frame_bytes:
                    await _close(socket, _TOO_LARGE, "A frame is too large.")
                    return
                latest.put(data)
            else:
                given = _json(message.get("text") or "")
                if useless := sorted(given.keys() - _USED):
                    raise Problem(422, f"{useless[0]}: is no option of a live view.", "usage-error")
                options = {"working_size": _CAMERA_SIZE, "force": True, **given}
                projector.options = engine_options(parsed(OptionsBody, options))
    except TimeoutError:
        await _close(socket, _ODD, "Nothing came for a minute.")
    except Problem as problem:
        await _close(socket, _ODD, problem.detail)
    finally:
        latest.close()


def _json(text: str) -> dict[str, object]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(422, "A text message should be JSON.") from error
    if not isinstance(given, dict):
        raise Problem(422, "A text message should be a JSON object.")
    return given


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):  # gone already
        await socket.close(code, reason[:120])
