"""What a film is written as: a container, a GIF or numbered pictures; what each cannot hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from av.video.reformatter import ColorRange

from tintype.errors import UnwritableFilm, UsageError
from tintype.video.decoding import Timing, refuse_joined, timing_of
from tintype.video.encoding import (
    Encoding,
    encoded_format,
    encoder_for,
    encoder_options,
    has_own_clock,
    holds_any_rate,
    refuse_encoding,
    stored_range,
)
from tintype.video.gif import refuse_rate, slow_players, write_gif
from tintype.video.joining import comment_of, join_film, refuse_losses, unsupported_streams
from tintype.video.names import is_sequence
from tintype.video.pictures import PictureSegments, PictureStyle, PictureWriter
from tintype.video.probe import Film, OtherStream
from tintype.video.segments import Segments


@dataclass(frozen=True)
class Output:
    """A film in a container, joined from encoded segments.

    Attributes:
        film: the source.
        target: the output.
        encoder: of the segments, by FFmpeg's name.
        encoding: quality and speed.
        losses: streams of the source that it cannot hold.
        mark: who made the colours; None: it is not said.
    """

    film: Film
    target: Path
    encoder: str
    encoding: Encoding
    losses: tuple[OtherStream, ...]
    mark: str | None

    def segments(self, job: dict[str, object]) -> Segments:
        """Where unfinished work is kept."""
        return Segments(self.target, job)

    def pictures(self, note: Path, start: int) -> PictureWriter | None:
        """What writes a segment's frames as pictures; None where segments are films."""
        return None

    def finish(self, segments: Segments, count: int) -> None:
        """Make the output of all segments.

        Raises:
            UnwritableFilm: the disk is full, or the container refuses a stream.
        """
        part = segments.folder / "joined.part"
        films = segments.finished(count)
        join_film(self.film, films, self.target, part, self.losses, self.mark)

    def notes(self) -> Iterator[str]:
        """What the finished output has lost, one sentence each."""
        if self.losses:
            yield f"Left out: {', '.join(map(str, self.losses))}."
        yield from self._changed()

    def _changed(self) -> Iterator[str]:
        """What of the picture is not as it was."""
        kept, own = encoded_format(self.encoder, self.film), self.film.signal.format
        if kept not in (own, own.replace("444", "420")):
            yield f"The picture is stored as {kept}; the source's own format is {own}."
        if self.film.signal.full_range and stored_range(self.encoder, self.film) != ColorRange.JPEG:
            yield f"The codes are stored in television's range: {self.encoder} holds no other."
        made = Film.probe(self.target)
        if made.field_order != self.film.field_order:
            yield f"The output does not say that the film is {self.film.field_order}."
        if made.aspect != self.film.aspect:
            yield _square(self.film)
        if made.rotation != self.film.rotation:
            yield f"The output cannot hold that the picture is to be turned {self.film.rotation}°."


class GifOutput(Output):
    """A GIF, made of lossless segments."""

    def finish(self, segments: Segments, count: int) -> None:
        """Make the GIF.

        Raises:
            UnwritableFilm: the disk is full.
        """
        part = segments.folder / "joined.part"
        comment = None if self.mark is None else comment_of(self.mark)
        films = segments.finished(count)
        write_gif(self.film, films, self.target, part, timing_of(self.film), comment)

    def _changed(self) -> Iterator[str]:
        """What of the picture is not as it was."""
        if self.film.aspect != 1:
            yield _square(self.film)
        slow = slow_players(self.film)
        if slow is not None:
            yield slow


@dataclass(frozen=True)
class PictureOutput(Output):
    """Numbered pictures, each finished when it is written.

    Attributes:
        quality: 1-100 of JPEG; None: the source's.
    """

    quality: int | None

    def segments(self, job: dict[str, object]) -> Segments:
        """Where the state of unfinished work is kept."""
        return PictureSegments(self.target, job)

    def pictures(self, note: Path, start: int) -> PictureWriter | None:
        """What writes a run of pictures."""
        style = PictureStyle(self.target, self.quality, self.mark)
        return PictureWriter(note, style, self.film, start)

    def finish(self, segments: Segments, count: int) -> None:
        """Nothing is left to do."""

    def _changed(self) -> Iterator[str]:
        """What of the picture is not as it was."""
        if self.film.aspect != 1:
            yield _square(self.film)
        if self.film.signal.depth > 8 and self.target.suffix.lower() in (".jpg", ".jpeg"):
            yield f"JPEG holds 8 bits per sample: the film's {self.film.signal.depth} are rounded."


def _square(film: Film) -> str:
    wide = f"{film.aspect.numerator}:{film.aspect.denominator}"
    return f"The output cannot hold that pixels are {wide} wide; players will show them square."


def output_for(
    film: Film,
    target: Path,
    encoding: Encoding,
    mark: str | None,
    *,
    quality: int | None = None,
    drop_unsupported: bool = False,
) -> Output:
    """What a film will be written as; stops before any work what cannot succeed.

    Args:
        film: the source.
        target: the output; its suffix says what it is.
        encoding: of the picture.
        mark: who made the colours; None: it is not said.
        quality: 1-100 of numbered JPEG pictures.
        drop_unsupported: leave out streams that the output cannot hold.

    Raises:
        UnwritableFilm: the output does not take the codec, a stream, or the film's timing.
        UsageError: quality or speed for an encoder that has none; for numbered pictures, or
            theirs for a film.
        UnreadableFilm: the source cannot be opened, or its clock starts anew.
    """
    pictures = is_sequence(str(target))
    if pictures and encoding != Encoding():
        raise UsageError("--codec, --crf and --preset are for films, not for numbered pictures.")
    if quality is not None and not pictures:
        raise UsageError("--quality is for pictures; the quality of a film is --crf.")
    encoder = "" if pictures else encoder_for(target, encoding)
    refuse_joined(film)
    losses = film.others if pictures else tuple(unsupported_streams(film, target))
    if not drop_unsupported:
        refuse_losses(film, target, losses)
    if pictures:
        return PictureOutput(film, target, encoder, encoding, losses, mark, quality)
    gif = target.suffix.lower() == ".gif"
    if not holds_any_rate(target) or has_own_clock(encoder):
        what = f'a "{target.suffix}"' if not holds_any_rate(target) else f"the codec {encoder}"
        _refuse_timing(film, what, timing_of(film), gif=gif)
    if not gif:
        refuse_encoding(film, target, encoder, encoding)
        return Output(film, target, encoder, encoding, losses, mark)
    encoder_options(encoder, encoding, film)
    refuse_rate(film)
    return GifOutput(film, target, "ffv1", Encoding(), losses, mark)


def _refuse_timing(film: Film, what: str, timing: Timing, *, gif: bool) -> None:
    if not timing.steady and not (gif and timing.hundredths):
        raise UnwritableFilm(
            f"The frames of {film.source} last differently long, which {what} cannot hold. Write a "
            ".mkv in its usual codec."
        )
