"""Film: lightness and sound untouched, times exact, colours right, work resumed to the packet."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import film_samples as samples
from tintype.color import luma, rgb_to_lab
from tintype.engine import Colorizer, Options
from tintype.errors import AlreadyColour, TintypeError, UnreadableFilm, UnwritableFilm, UsageError
from tintype.video import film as films
from tintype.video.encoding import Encoding, SegmentEncoder, encoder_for
from tintype.video.film import FilmOptions, colorize_film
from tintype.video.planes import Painter, Signal, plane
from tintype.video.probe import Film
from tintype.video.stages import ahead

SMALL = Options(working_size=64)
LOSSLESS = FilmOptions(encoding=Encoding("ffv1"))


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("tintype", "cpu", 1)


def colour(
    colorizer: Colorizer,
    source: Path,
    target: Path,
    how: FilmOptions = LOSSLESS,
    options: Options = SMALL,
) -> films.FilmProgress:
    *_, last = colorize_film(colorizer, source, target, options, how)
    assert not target.with_name(f"{target.name}.tintype-parts").exists()
    return last


@pytest.mark.parametrize(
    ("pixel_format", "full"),
    [
        ("yuv420p", False),
        ("yuv420p", True),
        ("yuv422p", False),
        ("yuv444p", False),
        ("yuv420p10le", False),
        ("yuv422p10le", True),
        ("gray", True),
        ("gray10le", False),
    ],
)
def test_lightness_is_kept_to_the_last_bit(
    colorizer: Colorizer, tmp_path: Path, pixel_format: str, full: bool
) -> None:
    source = samples.write_film(
        tmp_path / "grey.mkv", 4, pixel_format=pixel_format, full=full, codec="ffv1"
    )
    last = colour(colorizer, source, tmp_path / "colour.mkv")
    assert (last.done, last.stage) == (4, "done")
    before, after = (samples.luma_planes(tmp_path / f"{n}.mkv") for n in ("grey", "colour"))
    assert len(before) == len(after) == 4
    for ours, theirs in zip(after, before, strict=True):
        assert (ours == theirs).all()
    made = Film.probe(tmp_path / "colour.mkv")
    assert made.signal.full_range == full
    assert made.pixel_format == made.signal.format


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_true_colours_come_back(matrix: str, full: bool) -> None:
    """Y' of a colour picture and its true ab give the picture back."""
    rng = np.random.default_rng(1)
    coarse = rng.uniform(0.25, 0.75, (4, 6, 3))
    rgb = coarse.repeat(16, 0).repeat(16, 1)
    grey = luma(rgb, matrix)
    signal = Signal("yuv444p", 8, full, matrix)
    painter = Painter(signal, grey.shape)
    frame = painter.opened(samples.frame_of(grey, "yuv444p", full))
    lab = rgb_to_lab(rgb)
    cells = lab[2::4, 2::4, 1:].transpose(2, 0, 1).astype(np.float32)
    chroma = painter.chroma(painter.codes(frame), cells, cells.shape[1:])
    painted = painter.painted(frame, chroma)
    kr, kb = films_weights(matrix)
    red, blue = 2 - 2 * kr, 2 - 2 * kb
    cb, cr = ((plane(painted, i) - 128.0) / (255 if full else 224) for i in (1, 2))
    back_r, back_b = grey + red * cr, grey + blue * cb
    back_g = (grey - kr * back_r - kb * back_b) / (1 - kr - kb)
    inner = np.s_[6:10, 6:10]  # away from edges, where the cells of ab are mixtures
    for ours, theirs in zip((back_r, back_g, back_b), np.moveaxis(rgb, -1, 0), strict=True):
        blocks = np.abs(ours - theirs).reshape(4, 16, 6, 16)[:, 6:10, :, 6:10]
        assert blocks.mean() < 0.01
        assert np.abs(ours - theirs)[inner].max() < 0.03


def films_weights(matrix: str) -> tuple[float, float]:
    return {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}[matrix]


@pytest.mark.parametrize(
    ("colorspace", "size", "expected"),
    [
        (1, (48, 80), "bt709"),
        (6, (48, 80), "bt601"),
        (2, (48, 80), "bt601"),
        (2, (720, 64), "bt709"),
    ],
)
def test_matrix_is_read_and_written(
    colorizer: Colorizer, tmp_path: Path, colorspace: int, size: tuple[int, int], expected: str
) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 2, colorspace=colorspace, size=size)
    assert Film.probe(source).signal.matrix == expected
    colour(colorizer, source, tmp_path / "b.mkv")
    with av.open(str(tmp_path / "b.mkv")) as film:
        assert next(film.decode(video=0)).colorspace == {"bt709": 1, "bt601": 6}[expected]


def test_sound_is_copied_bit_for_bit(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 30, codec="libx264", sound=True)
    colour(colorizer, source, tmp_path / "b.mp4", FilmOptions())
    before, after = samples.packets(source, "audio"), samples.packets(tmp_path / "b.mp4", "audio")
    assert [p[2] for p in before] == [p[2] for p in after]
    assert [p[0] for p in before] == [p[0] for p in after]
    assert len(before) > 10


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(16)]
)
def test_rates_are_exact(colorizer: Colorizer, tmp_path: Path, rate: Fraction) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 8, rate=rate, codec="libx264")
    colour(colorizer, source, tmp_path / "b.mp4", FilmOptions())
    assert Film.probe(tmp_path / "b.mp4").rate == rate
    assert times(tmp_path / "b.mp4") == times(source)


def test_uneven_times_stay(colorizer: Colorizer, tmp_path: Path) -> None:
    uneven = [0, 40, 41, 200, 1000, 1033, 5000, 5040]
    source = samples.write_film(
        tmp_path / "a.mp4", 8, codec="libx264", times=uneven, time_base=Fraction(1, 1000)
    )
    colour(colorizer, source, tmp_path / "b.mkv", FilmOptions())
    assert times(tmp_path / "b.mkv") == times(source)
    with pytest.raises(UnwritableFilm, match=r"last differently long.*\.mkv"):
        colour(colorizer, source, tmp_path / "b.avi", FilmOptions())


def test_two_hours_do_not_drift(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that last five seconds, but in film's own fractions, and sixty joints."""
    monkeypatch.setattr(films, "SEGMENT_S", 120)
    source = samples.write_film(
        tmp_path / "a.mp4", 1440, rate=Fraction(200, 1001), codec="libx264", size=(16, 16),
        moving=False, options={"preset": "ultrafast"},
    )  # fmt: skip
    colour(colorizer, source, tmp_path / "b.mp4", FilmOptions(), Options(working_size=32))
    made = times(tmp_path / "b.mp4")
    assert made == times(source)
    assert made[-1] > 7200


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as film:
        return [frame.pts * frame.time_base for frame in film.decode(video=0)]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", None),
        (".mov", None),
        (".mov", "prores"),
        (".mkv", None),
        (".mkv", "ffv1"),
        (".mkv", "h265"),
        (".mkv", "av1"),
        (".avi", None),
        (".webm", None),
        (".mpg", None),
        (".ts", None),
    ],
)
def test_containers_and_codecs(
    colorizer: Colorizer, tmp_path: Path, suffix: str, codec: str | None
) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 6, size=(64, 96))
    target = tmp_path / f"b{suffix}"
    colour(colorizer, source, target, FilmOptions(encoding=Encoding(codec)))
    encoder = encoder_for(target, Encoding(codec))
    with av.open(str(target)) as film:
        frames = list(film.decode(video=0))
        assert av.Codec(encoder, "w").id == film.streams.video[0].codec_context.codec.id
    assert len(frames) == 6
    assert (frames[0].height, frames[0].width) == (64, 96)
    shown = frames[3].to_ndarray(format="gray").astype(float)
    wanted = 255 * samples.grey(3, 64, 96)
    assert np.abs(shown - wanted).mean() < 8


@pytest.mark.skipif(sys.platform != "linux", reason="only there SVT-AV1 asks for real time")
def test_an_encoder_takes_neither_the_machine_nor_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As root, SVT-AV1 puts the thread that opens it before all else on the machine."""
    film = Film.probe(samples.write_film(tmp_path / "a.mkv", 2, size=(64, 96)))
    encoder = SegmentEncoder(tmp_path / "b.nut", film, "libsvtav1", Encoding())
    policies = {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}
    encoder.close()
    assert policies == {os.SCHED_OTHER}
    assert capfd.readouterr() == ("", "")


def test_what_the_film_says_of_itself_is_kept(colorizer: Colorizer, tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    aspect = Fraction(16, 15)
    samples.write_film(source, 8, codec="libx264", sound=True, sample_aspect_ratio=aspect)
    chapters = [
        {
            "id": number,
            "start": start,
            "end": end,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": title},
        }
        for number, start, end, title in [(1, 0, 100, "I"), (2, 100, 320, "II")]
    ]
    whole = tmp_path / "whole.mkv"
    with av.open(str(source)) as before, av.open(str(whole), "w") as after:
        copies = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams}
        copies[1].metadata["language"] = "deu"
        after.metadata.update({"title": "A ball", "comment": "made for a test"})
        after.set_chapters(chapters)
        after.add_attachment("note.txt", "text/plain", b"kept")
        for packet in before.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                after.mux(packet)
    colour(colorizer, whole, tmp_path / "b.mkv", FilmOptions())
    with av.open(str(tmp_path / "b.mkv")) as film:
        assert film.metadata["title"] == "A ball"
        said = {name.lower(): value for name, value in film.metadata.items()}
        assert said["comment"].startswith("made for a test | Colours by Tintype")
        assert [c["metadata"]["title"] for c in film.chapters()] == ["I", "II"]
        assert [c["end"] * c["time_base"] for c in film.chapters()] == [
            Fraction(1, 10),
            Fraction(8, 25),
        ]
        assert [s.type for s in film.streams] == ["video", "audio", "attachment"]
        assert film.streams[1].language == "deu"
    assert Film.probe(tmp_path / "b.mkv").aspect == aspect


def test_rotation_is_kept(colorizer: Colorizer, tmp_path: Path) -> None:
    upright = samples.write_film(tmp_path / "a.mp4", 4, codec="libx264")
    turned = tmp_path / "turned.mp4"
    with av.open(str(upright)) as before, av.open(str(turned), "w") as after:
        copy = after.add_stream_from_template(before.streams.video[0], opaque=True)
        copy.set_display_rotation(90)
        for packet in before.demux(0):
            if packet.size:
                packet.stream = copy
                after.mux(packet)
    colour(colorizer, turned, tmp_path / "b.mp4", FilmOptions())
    assert abs(Film.probe(turned).rotation) == 90
    assert Film.probe(tmp_path / "b.mp4").rotation == Film.probe(turned).rotation


@pytest.mark.parametrize(("field_order", "name"), [(2, "top"), (3, "bottom")])
def test_interlaced_film_stays_flagged(
    colorizer: Colorizer, tmp_path: Path, field_order: int, name: str
) -> None:
    first = {"top": "tff", "bottom": "bff"}[name]
    source = samples.write_film(
        tmp_path / "a.mkv", 6, codec="libx264", field_order=field_order,
        options={"x264-params": f"{first}=1"},
    )  # fmt: skip
    assert Film.probe(source).field_order == f"{name} field first"
    colour(colorizer, source, tmp_path / "b.mkv", FilmOptions())
    assert Film.probe(tmp_path / "b.mkv").field_order == f"{name} field first"
    with av.open(str(tmp_path / "b.mkv")) as film:
        assert all(frame.interlaced_frame for frame in film.decode(video=0))


def test_streams_that_do_not_fit_stop_before_any_work(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 6, codec="libx264", sound=True)
    target = tmp_path / "b.webm"
    with pytest.raises(UnwritableFilm, match=r"stream 1 \(audio, aac.*\.mkv.*--drop-unsupported"):
        colour(colorizer, source, target, FilmOptions())
    assert list(tmp_path.iterdir()) == [source]
    last = colour(colorizer, source, target, FilmOptions(drop_unsupported=True))
    assert any("Left out: stream 1 (audio" in note for note in last.notes)
    with av.open(str(target)) as film:
        assert [s.type for s in film.streams] == ["video"]


def interrupted(states: Iterator[films.FilmProgress], after: int) -> None:
    for state in states:
        if state.done >= after:
            states.close()  # type: ignore[attr-defined]
            return
    pytest.fail("the film ended first")


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("ffv1", ".mkv")])
def test_interrupted_work_gives_the_same_film(
    colorizer: Colorizer,
    tmp_path: Path,
    codec: str,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", 1)
    source = samples.write_film(
        tmp_path / "a.mp4", 44, rate=Fraction(10), codec="libx264", sound=True
    )
    how = FilmOptions(encoding=Encoding(codec))
    whole, pieces = (tmp_path / f"{name}{suffix}" for name in ("whole", "pieces"))
    colour(colorizer, source, whole, how)
    for after in (3, 14, 37):
        interrupted(colorize_film(colorizer, source, pieces, SMALL, how), after)
        assert not pieces.exists()
    assert len(list((tmp_path / f"{pieces.name}.tintype-parts").glob("00000?.nut"))) == 3
    last = colour(colorizer, source, pieces, how)
    assert last.done == 44
    assert samples.packets(pieces, "video") == samples.packets(whole, "video")
    assert samples.packets(pieces, "audio") == samples.packets(whole, "audio")
    decoding = [p[1] for p in samples.packets(whole, "video")]
    assert decoding == sorted(set(decoding))


def test_other_options_begin_anew(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", 1)
    source = samples.write_film(tmp_path / "a.mkv", 30, rate=Fraction(10))
    target = tmp_path / "b.mkv"
    interrupted(colorize_film(colorizer, source, target, SMALL, LOSSLESS), 15)
    grey = Options(working_size=64, strength=0)
    colour(colorizer, source, target, options=grey)
    with av.open(str(target)) as film:
        for frame in film.decode(video=0):
            assert (plane(frame, 1) == 128).all()


def test_a_full_disk_ends_cleanly(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", 1)
    source = samples.write_film(tmp_path / "a.mkv", 30, rate=Fraction(10))
    target = tmp_path / "b.mkv"
    write, calls = SegmentEncoder.write, []

    class Full(SegmentEncoder):
        def write(self, frame: av.VideoFrame) -> None:
            calls.append(frame)
            if len(calls) > 24:
                with films_translated(self.path):
                    raise OSError(errno.ENOSPC, "No space left on device")
            write(self, frame)

    monkeypatch.setattr(films, "SegmentEncoder", Full)
    with pytest.raises(UnwritableFilm, match="disk is full"):
        colour(colorizer, source, target)
    done = sorted((tmp_path / "b.mkv.tintype-parts").glob("00000?.nut"))
    assert len(done) == 2
    assert len(samples.luma_planes(done[1])) == 10  # what is done can be played
    monkeypatch.setattr(films, "SegmentEncoder", SegmentEncoder)
    assert colour(colorizer, source, target).done == 30


@pytest.mark.parametrize("left", [b"", b"torn"])
def test_a_state_that_a_power_cut_tore_is_made_again(
    left: bytes, colorizer: Colorizer, tmp_path: Path
) -> None:
    source, target = samples.write_film(tmp_path / "a.mkv", 6), tmp_path / "b.mkv"
    work = films.colorize_film(colorizer, source, target, Options(working_size=64), FilmOptions())
    next(work)
    work.close()
    folder = tmp_path / "b.mkv.tintype-parts"
    (folder / "000000.npz").write_bytes(left)
    (folder / "000000.nut").write_bytes(b"")
    assert colour(colorizer, source, target).done == 6


def films_translated(path: Path) -> object:
    from tintype.video.encoding import translated

    return translated(path)


def test_a_film_that_was_cut_off_gives_what_is_there(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.ts", 60, codec="libx264")
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 2 // 3])
    last = colour(colorizer, source, tmp_path / "b.mkv", FilmOptions())
    assert 20 < last.done < 60


@pytest.mark.parametrize("content", [b"", b"not a film at all" * 50, b"\0" * 4096])
def test_what_is_no_film_is_said(colorizer: Colorizer, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(content)
    with pytest.raises(UnreadableFilm, match=r"a\.mp4"):
        colour(colorizer, source, tmp_path / "b.mp4", FilmOptions())
    assert list(tmp_path.iterdir()) == [source]


def test_sound_alone_is_no_film(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 12, codec="libx264", sound=True)
    alone = tmp_path / "sound.mp4"
    with av.open(str(source)) as before, av.open(str(alone), "w") as after:
        copy = after.add_stream_from_template(before.streams.audio[0])
        for packet in before.demux(audio=0):
            if packet.size:
                packet.stream = copy
                after.mux(packet)
    with pytest.raises(UnreadableFilm, match="no moving picture"):
        Film.probe(alone)


def test_a_film_in_colour_is_refused(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 6, chroma=0.5)
    with pytest.raises(AlreadyColour, match="--force"):
        colour(colorizer, source, tmp_path / "b.mkv")
    forced = Options(working_size=64, force=True)
    assert colour(colorizer, source, tmp_path / "b.mkv", options=forced).done == 6


@pytest.mark.parametrize(
    ("target", "encoding", "message"),
    [
        ("b.xyz", Encoding(), r'"\.xyz"; known are'),
        ("b.webm", Encoding("h264"), "does not take the codec h264"),
        ("b.mkv", Encoding("ffv1", crf=3), "takes no crf"),
        ("b.mkv", Encoding("ffv1", preset="fast"), "takes no preset"),
        ("b.mkv", Encoding("h264", preset="nonsense"), "cannot be written"),
    ],
)
def test_wrong_choices_are_said(
    colorizer: Colorizer, tmp_path: Path, target: str, encoding: Encoding, message: str
) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 3)
    with pytest.raises((UnwritableFilm, UsageError), match=message):
        colour(colorizer, source, tmp_path / target, FilmOptions(encoding=encoding))


def test_steadiness_saves_predictions(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 20, moving=False)
    every = colour(colorizer, source, tmp_path / "b.mkv", FilmOptions(0.0, Encoding("ffv1")))
    assert every.predicted == 20
    few = colour(colorizer, source, tmp_path / "c.mkv")
    assert 1 <= few.predicted < 5


def test_a_thread_that_fails_is_heard() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise UnreadableFilm("broken")

    got = []
    with pytest.raises(TintypeError, match="broken"):
        got.extend(ahead(items(), 1))
    assert got == [1]


def test_a_consumer_that_stops_stops_the_thread() -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.append(True)

    running = ahead(items(), 2)
    assert next(running) == 0
    running.close()
    assert closed == [True]


def test_frames_come_one_by_one(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 6, rate=Fraction(25))
    frames = colorizer.colorize_film(source, SMALL)
    first = next(frames)
    assert (first.number, first.time_s, first.rgb.shape) == (0, 0.0, (48, 80, 3))
    rest = list(frames)
    assert [frame.number for frame in rest] == [1, 2, 3, 4, 5]
    assert rest[-1].time_s == pytest.approx(0.2)
    shown = luma(rest[-1].rgb / 255, "bt601")
    assert np.abs(shown - samples.grey(5)).mean() < 0.01


def test_sound_that_a_container_refuses_late_is_known_before_any_work(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 12, codec="libx264", sound=True)
    with pytest.raises(UnwritableFilm, match=r"aac.*Write a \.mkv"):
        colour(colorizer, source, tmp_path / "a.mpg", FilmOptions())
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4"}


def test_chapters_and_timecode_in_mp4_and_mov_are_kept(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    chapters: list[av.container.Chapter] = [
        {
            "id": n,
            "start": s,
            "end": s + 500,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": "A"},
        }
        for n, s in ((1, 0), (2, 500))
    ]
    for name in ("a.mp4", "a.mov"):
        source = tmp_path / name
        with av.open(str(source), "w") as film:
            stream = film.add_stream("libx264", rate=25)
            stream.height, stream.width = 48, 80
            if name == "a.mp4":
                film.set_chapters(chapters)
            else:
                stream.metadata["timecode"] = "01:00:00:00"
            for number in range(25):
                frame = samples.frame_of(samples.grey(number), "yuv420p")
                frame.pts = number
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))
        assert Film.probe(source).others == ()
        made = tmp_path / f"made-{name}"
        colour(colorizer, source, made, FilmOptions())
        with av.open(str(made)) as film:
            if name == "a.mp4":
                assert len(film.chapters()) == 2
            else:
                assert film.streams.video[0].metadata["timecode"] == "01:00:00:00"


def test_frames_of_an_avi_in_another_order_are_the_same_when_work_goes_on(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", 1)
    options = {"g": "12", "bf": "2"}
    source = samples.write_film(
        tmp_path / "a.avi", 90, rate=Fraction(24), codec="libx264", options=options
    )
    whole, pieces = tmp_path / "whole.mkv", tmp_path / "pieces.mkv"
    colour(colorizer, source, whole)
    interrupted(colorize_film(colorizer, source, pieces, SMALL, LOSSLESS), 60)
    colour(colorizer, source, pieces)
    assert samples.packets(whole, "video") == samples.packets(pieces, "video")
    times = np.diff(sorted(time for time, *_ in samples.packets(whole, "video")))
    assert len(times) == 89
    assert set(times) <= {41, 42}  # milliseconds


def test_a_wrong_choice_costs_no_finished_work(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", 1)
    source = samples.write_film(tmp_path / "a.mkv", 30, rate=Fraction(10))
    target = tmp_path / "b.mkv"
    interrupted(colorize_film(colorizer, source, target, SMALL, FilmOptions()), 25)
    finished = tmp_path / "b.mkv.tintype-parts" / "000000.npz"
    assert finished.exists()
    wrong = FilmOptions(encoding=Encoding(preset="veryfst"))
    with pytest.raises(UnwritableFilm, match="preset veryfst"):
        colour(colorizer, source, target, wrong)
    missing = Options(working_size=64, references=(f"{tmp_path}/none.png@1",))
    with pytest.raises(TintypeError, match=r"none\.png"):
        colour(colorizer, source, target, FilmOptions(), missing)
    assert finished.exists()


def test_a_name_with_a_colon_is_no_address(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples.write_film(tmp_path / "12-30.mkv", 3).rename(tmp_path / "12:30.mkv")
    monkeypatch.chdir(tmp_path)
    assert Film.probe("12:30.mkv").frames == 3
