"""Colorizing: a picture in, the same picture with its colours out.

The network sees the picture small; its ab are laid over the full picture and joined with the
picture's own lightness while it streams from the file that is read to the file that is written.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tintype import __version__, zoo
from tintype.engine.arrays import Opaque, from_array, from_pil, shrink
from tintype.engine.chroma import Chroma, Upsampled
from tintype.engine.confidence import (
    check_place,
    encode_confidence,
    mean_of,
    write_confidence,
)
from tintype.engine.join import Pixels, join
from tintype.engine.joining import Laid, Plan, joined
from tintype.engine.scales import finer, known_shape, shrunk
from tintype.engine.steering import References, check, steered
from tintype.engine.variants import lean_of
from tintype.engine.view import Page, hints_of, look, pad, working_shape
from tintype.errors import (
    UnreadableImage,
    UnwritableImage,
    UsageError,
)
from tintype.images import (
    Picture,
    encode_image,
    read_image,
    write_image,
)
from tintype.images.tone import Tone
from tintype.motion import STRIDE
from tintype.options import Hint, Options, Report
from tintype.reference import Reference
from tintype.runtime import Float, Prediction, Session, available_cores
from tintype.temporal import STEADY

if TYPE_CHECKING:
    from PIL.Image import Image

    from tintype.video.film import FilmFrame

__all__ = ["Colorizer", "Hint", "Options", "Report", "colorize"]

Given = TypeVar("Given", "Image", NDArray[np.generic], bytes, str, Path)

_DEFAULT_WORKING_SIZE = 256
_DEFAULTS = Options()


class _Done(NamedTuple):
    """What came of a picture file."""

    data: bytes | None
    sure: Upsampled | None
    report: Report


class Colorizer:
    """A loaded model; may be used from several threads at once."""

    def __init__(self, session: Session, name: str, threads: int | None = None) -> None:
        """Use a session that is open already; :meth:`load` is the usual way.

        Args:
            session: the network.
            name: what it is called if the graph does not say so itself.
            threads: how many CPU threads join; one per core when None.

        Raises:
            ModelInvalid: the graph names a working size that is none.
        """
        self._session = session
        self._references = References(self.predict)
        self._threads = threads or available_cores()
        self.name: str = session.metadata.get("name", name)
        self.version: str = session.metadata.get("version", "0")
        self.guided: bool = session.guided
        self.gives_confidence: bool = session.gives_confidence
        self.has_variants: bool = session.leans
        self.device: str = session.device
        self.working_size: int = session.working_size or _DEFAULT_WORKING_SIZE

    @classmethod
    def load(
        cls, name_or_path: str | Path = "tintype", device: str = "auto", threads: int | None = None
    ) -> Colorizer:
        """Load a model by its name, fetching its weights if need be, or from an .onnx file.

        Args:
            name_or_path: a name of ``list_models()``, or the path of a graph that keeps the
                contract (L in, ab out).
            device: auto, cpu, cuda, directml, openvino or coreml; also cuda:1.
            threads: how many CPU threads are used; one per core when None.

        Raises:
            UsageError: an unknown device or a number of threads below 1.
            ModelNotFound: no such name and no such file.
            ModelInvalid: the file does not keep the contract.
            ChecksumMismatch: the weights are not the recorded ones.
            DeviceUnavailable: the device is not in the installed ONNX Runtime.
        """
        return cls(
            Session(zoo.graph_file(name_or_path), device, threads), Path(name_or_path).stem, threads
        )

    @property
    def mark(self) -> str:
        """What a result's metadata names as its maker: "Tintype 0.1.0 (tintype 2)"."""
        return f"Tintype {__version__} ({self.name} {self.version})"

    def colorize(self, picture: Given, options: Options = _DEFAULTS) -> Given:
        """Give a picture its colours.

        Args:
            picture: a file's path or its content; a PIL picture; or an array (height, width) or
                (height, width, channels) of sRGB, uint8, uint16 or float in [0, 1], 2 and 4
                channels ending with alpha.
            options: how.

        Returns:
            The same kind as was given. For a path the path of the result, ``NAME-color.EXT``
            beside it; for bytes a file of the same format; for a PIL picture RGB or RGBA with 8
            bits; for an array (height, width, 3), or 4 with alpha, of the same dtype.

        Raises:
            UsageError: an array of another shape, dtype or range; hints for a model that takes
                none or outside the picture; too little memory for the working size.
            AlreadyColour: the picture is in colour and ``options.force`` is not set.
            UnreadableImage, MissingExtra: the file cannot be read.
            UnwritableImage: the result cannot be written, or ``NAME-color.EXT`` is there already.
        """
        if isinstance(picture, str | Path):
            source = Path(picture)
            if not source.is_file():
                raise UnreadableImage(f"{source} is not a file that can be read.")
            target = source.with_name(f"{source.stem}-color{source.suffix}")
            if os.path.lexists(target):
                raise UnwritableImage(f"{target} exists; colorize_file replaces a file by name.")
            self.colorize_file(source, target, options)
            return cast(Given, str(target) if isinstance(picture, str) else target)
        if isinstance(picture, bytes):
            return cast(Given, self.colorize_file(picture, None, options)[0])
        if isinstance(picture, np.ndarray):
            return cast(Given, self._colorize_array(from_array(picture), options))
        pil = sys.modules.get("PIL.Image")
        if pil is not None and isinstance(picture, pil.Image):
            opaque, back = from_pil(picture)
            return cast(Given, back(self._colorize_array(opaque, options)))
        raise UsageError(
            f"A picture is a path, bytes, a NumPy array or a PIL picture, not {type(picture)}."
        )

    def colorize_file(
        self,
        source: str | Path | bytes,
        target: str | Path | None,
        options: Options = _DEFAULTS,
        confidence: Path | None = None,
        *,
        mean_confidence: bool = False,
    ) -> tuple[bytes | None, Report]:
        """Give a picture file its colours; every page of it.

        Args:
            source: a path, or a file's content.
            target: where the result goes, in the format of its suffix; it appears there only when
                it is whole. None returns it in the source's format.
            options: how.
            confidence: a .png that is to show how sure the network is, from the same prediction:
                8-bit grey at the picture's upright size, white where its own colours (at strength
                1) surely lie within CIEDE2000 10 of the truth. Of several pages it shows the first.
                It is marked as Tintype's whatever the options say, lest it be coloured, too.
            mean_confidence: whether the report says how sure the network is, without a picture.

        Returns:
            The result's content if target is None, else None; and what was done.

        Raises:
            UsageError: a place where the confidence cannot go, or a model that gives none.
            As :meth:`colorize`.
        """
        source = source if isinstance(source, bytes) else Path(source)
        target = None if target is None else Path(target)
        if confidence is not None:
            check_place(confidence, source, target)
        asked = mean_confidence or confidence is not None
        data, sure, report = self._colorized(source, target, options, asked)
        if confidence is not None and sure is not None:
            write_confidence(sure, confidence, self.mark)
        return data, report

    def colorize_with_confidence(
        self, source: Path | bytes, options: Options = _DEFAULTS
    ) -> tuple[bytes, bytes, Report]:
        """The file of the coloured picture and that of its confidence, from one prediction.

        Arguments, the two pictures and errors are those of :meth:`colorize_file`.
        """
        data, sure, report = self._colorized(source, None, options, True)
        return cast(bytes, data), encode_confidence(cast(Upsampled, sure), self.mark), report

    def _colorized(
        self, source: Path | bytes, target: Path | None, options: Options, confidence: bool
    ) -> _Done:
        start = time.perf_counter()
        picture = read_image(source)
        plan = self._plan(picture, options, confidence)
        mark = self.mark if options.mark else None
        data: bytes | None = None
        with joined(picture, plan.chromas, self._threads) as pages:
            if target is None:
                data, notes = encode_image(picture, pages, mark=mark, quality=options.quality)
            else:
                notes = write_image(picture, pages, target, mark=mark, quality=options.quality)
        report = Report(
            source=picture.name,
            target=None if target is None else str(target),
            size=picture.size,
            pages=len(plan.chromas),
            tone=plan.tone,
            model=f"{self.name} {self.version}",
            notes=(*plan.notes(options), *notes),
            seconds=time.perf_counter() - start,
            confidence=None if plan.sure is None else mean_of(plan.sure),
        )
        return _Done(data, plan.sure, report)

    def colorize_film(
        self, source: str | Path, options: Options = _DEFAULTS, steady: float = STEADY
    ) -> Iterator[FilmFrame]:
        """Colour a film frame by frame, as they are asked for.

        Args:
            source: the film's path, or an address that FFmpeg can open.
            options: strength, working size and force count.
            steady: 0 colours each frame by itself, 1 is steadiest.

        Yields:
            Frames as pictures, in order. ``tintype.video.film.colorize_film`` writes a whole film,
            its sound and all else kept.

        Raises:
            UnreadableFilm: it cannot be opened or decoded.
            AlreadyColour: it is in colour and ``options.force`` is not set.
        """
        from tintype.video.film import film_frames

        return film_frames(self, source, options, steady)

    def predict(
        self,
        L: Float,
        hint_ab: Float | None = None,
        hint_mask: Float | None = None,
        *,
        variant: int = 0,
        confidence: bool = False,
    ) -> Prediction:
        """Predict the colours of pictures at the size at which they are given.

        Beyond twice the working size, colours are those of that size, and only what is finer is
        of the size given: see ``scales``.

        Args:
            L: (N, 1, H, W) float32 CIE lightness in [0, 100]; any H and W.
            hint_ab: (N, 2, H, W) float32 CIE a*b*, for guided models.
            hint_mask: (N, 1, H, W) float32, 1 where there is a hint.
            variant: as of ``Options``.
            confidence: whether to ask how sure the network is of its likely colours, too, which
                costs a little time.

        Returns:
            ab (N, 2, h, w) and, when asked for, confidence (N, 1, h, w) in [0, 1], where
            h = H / stride, rounded up.

        Raises:
            UsageError: another shape, values that are not finite, hints for a model that takes
                none, a variant of one that has none (see ``has_variants``), confidence of one that
                gives none (see ``gives_confidence``), or too little memory.
            ModelInvalid: the graph's answer does not keep the contract.
        """
        if L.ndim != 4 or L.shape[1] != 1 or 0 in L.shape or not np.isfinite(L).all():
            raise UsageError(f"L must be finite and (N, 1, H, W), not {L.shape}.")
        height, width = L.shape[2:]
        if variant and not self.has_variants:
            raise UsageError(f'The model "{self.name}" knows one colouring only: no variants.')
        seen = [None if each is None else pad(each) for each in (hint_ab, hint_mask)]
        known = known_shape((height, width), self.working_size)
        lean, asks = lean_of(variant), confidence and known is None
        answer = self._session.run(pad(L), *seen, lean=lean, confidence=asks)
        answer = answer.within(height, width)
        if known is None:
            return answer
        small = shrunk(L, hint_ab, hint_mask, known)
        coarse = self.predict(*small, variant=variant, confidence=confidence)
        return finer(coarse, answer, known, (height, width))

    def _plan(self, picture: Picture, options: Options, confidence: bool) -> Plan:
        """Look at every page small, and predict its colours."""
        if options.hints and picture.n_pages > 1:
            raise UsageError(f"{picture.name} has several pages; hints are for a picture of one.")
        tones: set[Tone] = set()

        def pages() -> Iterator[Page]:
            for n, size in enumerate(page.size for page in picture.pages):
                view = working_shape(size, options.working_size or self.working_size)
                tone, page = look(picture.small(*view, n), size, picture.name_of(n), options)
                tones.add(tone)
                yield page

        laid = list(self._laid(pages(), options, confidence))
        tone: Tone = max(tones, key=("grey", "toned", "colour").index)
        return Plan(tone, tuple(page.chroma for page in laid), laid[0].sure)

    def _laid(self, pages: Iterable[Page], options: Options, confidence: bool) -> Iterator[Laid]:
        """The colours of pages in order; neighbours of one shape share a run of the network."""
        waiting: list[Page] = []
        for page in pages:
            full = len(waiting) == options.batch_size
            if waiting and (full or waiting[0].L.shape != page.L.shape):
                yield from self._run(waiting, options, confidence)
                waiting = []
            waiting.append(page)
        yield from self._run(waiting, options, confidence)

    def _run(
        self, pages: Sequence[Page], options: Options, confidence: bool = False
    ) -> Iterator[Laid]:
        reference = check(self, options)
        L = np.concatenate([page.L for page in pages])
        hints = hints_of(pages, options.hints)
        answer = self.predict(L, *hints, variant=options.variant, confidence=confidence)
        both = hints and reference is not None
        bare = self.predict(L, variant=options.variant) if both else None
        for number, page in enumerate(pages):
            ab, stride, sure = answer.ab[number], answer.stride, None
            covered = (L.shape[2] / stride, L.shape[3] / stride)
            if answer.confidence is not None:
                sure = Upsampled(answer.confidence[number].clip(0, 1), page.size, covered)
            if reference is not None:
                answers = [each.of(number) for each in (answer, bare) if each is not None]
                ab = steered(reference, page.L[0, 0], *answers)
                covered = (L.shape[2] / STRIDE, L.shape[3] / STRIDE)
            yield Laid(Chroma(ab, page.size, covered, options.strength), sure)

    def reference(self, path: Path, working_size: int | None = None) -> Reference:
        """A picture in colour, ready to lend its colours to others.

        Args:
            path: the picture.
            working_size: as of ``Options``.

        Raises:
            UnreadableImage: it cannot be read.
            UsageError: it has no colours.
        """
        return self._references.get(path, working_size or self.working_size)

    def _colorize_array(self, opaque: Opaque, options: Options) -> Pixels:
        pixels = opaque.pixels
        size = pixels.shape[:2]
        view = working_shape(size, options.working_size or self.working_size)
        _, page = look(shrink(pixels, *view), size, "The picture", options)
        ((chroma, _),) = self._run([page], options)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="tintype-join") as pool:
            return opaque.with_alpha(join(pixels, chroma, pool))


@lru_cache(maxsize=2)
def _loaded(model: str) -> Colorizer:
    return Colorizer.load(model)


def colorize(picture: Given, options: Options = _DEFAULTS) -> Given:
    """Give a picture its colours with the model that the options name, on the best device.

    The model stays loaded for the next call. Arguments, result and errors are those of
    :meth:`Colorizer.load` and :meth:`Colorizer.colorize`.
    """
    return _loaded(options.model).colorize(picture, options)
