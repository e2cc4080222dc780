"""Films as GIF and numbered pictures, previews, stored grey, the rate drawn into the picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import pyvips
from PIL import Image

import film_samples as samples
from tintype.cli import main
from tintype.color import luma
from tintype.engine import Colorizer, Options
from tintype.errors import UnreadableFilm, UnwritableFilm, UsageError
from tintype.images import read_image
from tintype.video import film as films
from tintype.video import pictures
from tintype.video.decoding import timing_of
from tintype.video.encoding import Encoding
from tintype.video.film import FilmOptions, FilmProgress, colorize_film
from tintype.video.names import is_sequence, preview_of, target_of
from tintype.video.pictures import rgb_at_depth
from tintype.video.planes import Signal, plane
from tintype.video.preview import Sample, write_preview
from tintype.video.probe import Film
from tintype.video.sequences import numbered, run_of
from tintype.video.storing import store_grey

SMALL = Options(working_size=64)
FORCED = Options(working_size=64, force=True)
LOSSLESS = FilmOptions(encoding=Encoding("ffv1"))


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("tintype", "cpu", 1)


def colour(
    colorizer: Colorizer,
    source: Path,
    target: Path,
    how: FilmOptions | None = None,
    options: Options = SMALL,
) -> FilmProgress:
    *_, last = colorize_film(colorizer, source, target, options, how)
    assert not target.with_name(f"{target.name}.tintype-parts").exists()
    return last


def shown(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as film:
        return [frame.pts * frame.time_base for frame in film.decode(video=0)]


def interrupted(states: Iterator[FilmProgress], after: int) -> None:
    for state in states:
        if state.done >= after:
            states.close()  # type: ignore[attr-defined]
            return
    pytest.fail("the film ended first")


# GIF


def write_gif(path: Path, lengths: Sequence[int], loop: int | None = 0) -> Path:
    """A grey GIF whose frames last so many milliseconds."""
    frames = [Image.fromarray(np.uint8(255 * samples.grey(n))) for n in range(len(lengths))]
    options = {} if loop is None else {"loop": loop}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=lengths, **options)
    return path


def test_a_film_becomes_a_gif(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 24, rate=Fraction(24), moving=True)
    last = colour(colorizer, source, tmp_path / "b.gif")
    assert last.stage == "done"
    assert last.notes == ()
    assert times(tmp_path / "b.gif") == [Fraction(round(n * 100 / 24), 100) for n in range(24)]
    with Image.open(tmp_path / "b.gif") as gif:
        assert gif.info["loop"] == 0
    assert b"\x21\xfe\x3cColours by Tintype" in (tmp_path / "b.gif").read_bytes()[-90:]
    for number, rgb in enumerate(shown(tmp_path / "b.gif")[::6]):
        wanted = samples.grey(6 * number)
        assert np.abs(luma(rgb / 255, "bt601") - wanted).mean() < 0.02
    assert max(np.ptp(rgb.astype(int), -1).mean() for rgb in shown(tmp_path / "b.gif")) > 3


@pytest.mark.parametrize(("loop", "expected"), [(None, None), (0, 0), (5, 5)])
def test_a_gif_keeps_its_times_and_its_loop(
    colorizer: Colorizer, tmp_path: Path, loop: int | None, expected: int | None
) -> None:
    lengths = [50, 120, 40, 400, 70, 90]
    source = write_gif(tmp_path / "a.gif", lengths, loop)
    colour(colorizer, source, tmp_path / "b.gif")
    for path in (source, tmp_path / "b.gif"):
        with Image.open(path) as gif:
            assert gif.info.get("loop") == expected
            found = []
            for number in range(gif.n_frames):
                gif.seek(number)
                found.append(gif.info["duration"])
            assert found == lengths


def test_what_a_gif_cannot_hold_stops_before_any_work(colorizer: Colorizer, tmp_path: Path) -> None:
    uneven = samples.write_film(
        tmp_path / "a.mkv", 4, times=[0, 33, 70, 111], time_base=Fraction(1, 1000)
    )
    fast = samples.write_film(tmp_path / "b.mkv", 4, rate=Fraction(120))
    loud = samples.write_film(tmp_path / "c.mkv", 4, sound=True)
    for source, message in ((uneven, "differently long"), (fast, "at most 100"), (loud, "audio")):
        with pytest.raises(UnwritableFilm, match=message):
            colour(colorizer, source, tmp_path / "x.gif")
    with pytest.raises(UsageError, match="gif takes no crf"):
        colour(colorizer, fast, tmp_path / "x.gif", FilmOptions(encoding=Encoding(crf=3)))
    assert not list(tmp_path.glob("x.gif*"))


def test_a_gif_of_many_frames_is_said_to_play_slowly(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 5, rate=Fraction(60))
    last = colour(colorizer, source, tmp_path / "b.gif")
    assert any("more than 50 frames a second" in note for note in last.notes)
    steps = np.diff([float(time) for time in times(tmp_path / "b.gif")])
    assert set(np.rint(100 * steps)) == {1, 2}


def test_an_interrupted_gif_is_the_same(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", Fraction(1, 2))
    source = samples.write_film(tmp_path / "a.mkv", 24, rate=Fraction(20))
    colour(colorizer, source, tmp_path / "whole.gif")
    interrupted(colorize_film(colorizer, source, tmp_path / "pieces.gif", SMALL), 15)
    assert not (tmp_path / "pieces.gif").exists()
    colour(colorizer, source, tmp_path / "pieces.gif")
    assert (tmp_path / "pieces.gif").read_bytes() == (tmp_path / "whole.gif").read_bytes()


def test_a_turned_film_stands_upright_in_pictures(colorizer: Colorizer, tmp_path: Path) -> None:
    upright = samples.write_film(tmp_path / "a.mp4", 4, codec="libx264")
    turned = tmp_path / "turned.mp4"
    with av.open(str(upright)) as before, av.open(str(turned), "w") as after:
        copy = after.add_stream_from_template(before.streams.video[0], opaque=True)
        copy.set_display_rotation(90)
        for packet in before.demux(0):
            if packet.size:
                packet.stream = copy
                after.mux(packet)
    colour(colorizer, turned, tmp_path / "b.gif")
    colour(colorizer, turned, tmp_path / "b_%d.png")
    wanted = np.rot90(samples.grey(0), Film.probe(turned).rotation // 90)
    for path in (tmp_path / "b.gif", tmp_path / "b_1.png"):
        with Image.open(path) as picture:
            rgb = np.asarray(picture.convert("RGB"))
        assert rgb.shape == (80, 48, 3)
        assert np.abs(luma(rgb / 255, "bt601") - wanted).mean() < 0.03


def test_gifs_in_folders_stay_pictures_that_are_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_gif(tmp_path / "a.gif", [100, 100])
    (tmp_path / "b.png").write_bytes((tmp_path / "a.gif").read_bytes())
    assert main(["colorize", str(tmp_path), "--working-size", "64"]) == 1
    said = capsys.readouterr().err
    assert "b.png is a GIF; save it as PNG" in said


# Numbered pictures


def write_pictures(
    folder: Path, count: int, suffix: str = ".png", first: int = 7, deep: bool = False
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    top, kind = (65535, np.uint16) if deep else (255, np.uint8)
    for number in range(count):
        codes = np.rint(top * samples.grey(number)).astype(kind)
        image = pyvips.Image.new_from_array(codes)
        image = image.copy(interpretation="grey16" if deep else "b-w", xres=11.8, yres=11.8)
        image.write_to_file(str(folder / f"scan_{first + number:04d}{suffix}"))
    return folder / f"scan_%04d{suffix}"


def luma_error(path: Path, number: int) -> float:
    """The largest difference in Y' of a picture from the sample."""
    image = pyvips.Image.new_from_file(str(path)).numpy()
    top = 65535 if image.dtype == np.uint16 else 255
    return float(np.abs(luma(image / top, "bt601") - samples.grey(number)).max())


@pytest.mark.parametrize(
    ("suffix", "deep", "bound"),
    [(".png", False, 0.005), (".png", True, 3e-5), (".tif", True, 3e-5), (".jpg", False, 0.25)],
)
def test_pictures_become_pictures(
    colorizer: Colorizer, tmp_path: Path, suffix: str, deep: bool, bound: float
) -> None:
    source = write_pictures(tmp_path / "in", 5, suffix, deep=deep)
    target = tmp_path / f"out_%04d{suffix}"
    last = colour(colorizer, source, target)
    assert last.done == 5
    made = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert made == [f"out_{number:04d}{suffix}" for number in range(7, 12)]
    for number in range(5):
        path = numbered(target, 7 + number)
        assert luma_error(path, number) < bound
        picture = read_image(path)
        assert picture.depth == (16 if deep else 8)
        assert picture.tintype_mark
        assert picture.pages[0].resolution[0] == pytest.approx(11.8, abs=0.05)
        assert np.ptp(pyvips.Image.new_from_file(str(path)).numpy().astype(float), -1).max() > 0


def test_pictures_become_a_film_at_their_rate(colorizer: Colorizer, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 6, deep=True)
    colour(colorizer, source, tmp_path / "a.mkv", LOSSLESS)
    film = Film.probe(tmp_path / "a.mkv")
    assert (film.rate, film.pixel_format, film.signal.full_range) == (24, "yuv420p16le", True)
    for number, codes in enumerate(samples.luma_planes(tmp_path / "a.mkv")):
        assert (codes == np.rint(65535 * samples.grey(number))).all()
    rate = Fraction(24000, 1001)
    colour(colorizer, source, tmp_path / "b.mp4", FilmOptions(rate=rate))
    assert Film.probe(tmp_path / "b.mp4").rate == rate
    with pytest.raises(UsageError, match="--rate is for numbered pictures"):
        colour(colorizer, tmp_path / "a.mkv", tmp_path / "c.mkv", FilmOptions(rate=rate))


def test_a_film_becomes_pictures(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 4, pixel_format="yuv420p10le", sound=True)
    target = tmp_path / "out_%d.png"
    with pytest.raises(UnwritableFilm, match=r'A "\.png" cannot hold stream 1 \(audio'):
        colour(colorizer, source, target)
    last = colour(colorizer, source, target, FilmOptions(drop_unsupported=True))
    assert any("Left out: stream 1 (audio" in note for note in last.notes)
    assert run_of(target) == [1, 2, 3, 4]
    for number in range(4):
        assert luma_error(numbered(target, 1 + number), number) < 0.001
        assert read_image(numbered(target, 1 + number)).depth == 16


def test_interrupted_pictures_are_the_same(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", Fraction(1, 2))
    source = write_pictures(tmp_path / "in", 40)
    whole, pieces = (tmp_path / name / "x_%04d.png" for name in ("whole", "pieces"))
    for folder in ("whole", "pieces"):
        (tmp_path / folder).mkdir()
    colour(colorizer, source, whole)
    write, written = pictures.write_frame, list[str]()

    def count(frame: av.VideoFrame, film: Film, path: Path, *rest: object) -> None:
        written.append(path.name)
        write(frame, film, path, *rest)

    monkeypatch.setattr(pictures, "write_frame", count)
    for after in (5, 17, 30):
        interrupted(colorize_film(colorizer, source, pieces, SMALL), after)
    numbered(pieces, 12).unlink()  # of a finished run: made again
    colour(colorizer, source, pieces)
    for number in run_of(whole):
        assert numbered(pieces, number).read_bytes() == numbered(whole, number).read_bytes()
    assert len(set(written)) == 40
    assert written.count("x_0007.png") == 2  # with its run, which had lost a picture
    assert written.count("x_0010.png") == 2


def test_pictures_that_are_there_are_not_written_twice(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    source = write_pictures(tmp_path / "in", 12)
    target = tmp_path / "x_%04d.png"
    interrupted(colorize_film(colorizer, source, target, SMALL), 9)
    before = {number: numbered(target, number).stat().st_mtime_ns for number in range(7, 15)}
    colour(colorizer, source, target)
    after = {number: numbered(target, number).stat().st_mtime_ns for number in range(7, 15)}
    assert after == before
    assert run_of(target) == list(range(7, 19))


def test_a_damaged_picture_leaves_a_gap_of_its_own_number(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    source = write_pictures(tmp_path / "in", 6)
    numbered(source, 9).write_bytes(b"nothing of the kind")
    last = colour(colorizer, source, tmp_path / "x_%04d.png")
    assert [path.name for path in sorted(tmp_path.glob("x_*"))] == [
        f"x_{number:04d}.png" for number in (7, 8, 10, 11, 12)
    ]
    assert any("1 damaged" in note for note in last.notes)
    assert luma_error(tmp_path / "x_0012.png", 5) < 0.005


def test_gaps_and_nothing_are_said(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "100% in", 4)
    assert Film.probe(source).frames == 4
    numbered(source, 9).unlink()
    with pytest.raises(UnreadableFilm, match=r"scan_0009\.png is missing, but .*scan_0010\.png"):
        Film.probe(source)
    with pytest.raises(UnreadableFilm, match=r"no picture .*none_1\.png"):
        Film.probe(tmp_path / "none_%d.png")
    with pytest.raises(UnreadableFilm, match="cannot be read"):
        Film.probe(tmp_path / "gone" / "x_%d.png")


def test_patterns_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {
        "a_%04d.png": True, "%d.TIF": True, "a.png": False, "%s.jpg": False, "a_%d.mp4": False,
        "%d_%d.png": False, "100%%_%03d.jpg": True, "50%_%d.jpg": False,
    }  # fmt: skip
    assert {name: is_sequence(name) for name in names} == names
    Path("b_%d.png").touch()
    assert not is_sequence("b_%d.png")
    assert target_of(Path("in/a_%04d.jpg"), None, None) == Path("in/a_%04d-color.jpg")
    assert target_of(Path("in/a_%04d.bmp"), "out", None) == Path("out/a_%04d.png")
    assert target_of(Path("a.mp4"), "x_%d.tif", None) == Path("x_%d.tif")
    with pytest.raises(UsageError, match=r"x_%04d\.png"):
        target_of(Path("a.mp4"), "x.png", None)


def test_colours_outside_srgb_lose_chroma_not_lightness() -> None:
    grey = np.linspace(0, 1, 48 * 80).reshape(48, 80)
    frame = samples.frame_of(grey, "yuv444p", full=True, chroma=1.0)
    rgb = rgb_at_depth(frame, Signal("yuv444p", 8, True, "bt709"), 16) / 65535
    assert np.abs(luma(rgb, "bt709") - plane(frame, 0) / 255).max() < 1e-4
    assert np.ptp(rgb, -1)[20:28].min() > 0.3


def test_pictures_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_pictures(tmp_path / "in", 3)
    line = ["colorize", str(source), "--working-size", "64", "--device", "cpu"]
    assert main([*line, "-o", str(tmp_path / "new" / "out_%03d.png")]) == 0
    assert (tmp_path / "new" / "out_009.png").is_file()
    assert main([*line, "-o", str(tmp_path / "new" / "out_%03d.png")]) == 0
    assert "exists; --overwrite makes it again" in capsys.readouterr().err
    assert main([*line, "-o", str(source), "--overwrite"]) == 1
    assert "would replace its own original" in capsys.readouterr().err
    assert main([*line, "-o", str(tmp_path / "a.mkv"), "--rate", "29.97"]) == 0
    assert Film.probe(tmp_path / "a.mkv").rate == Fraction(30000, 1001)
    assert main([*line, "--rate", "fast"]) == 2


# Stored grey


@pytest.mark.parametrize(
    ("codec", "pixel_format", "kept"),
    [("ffv1", "yuv420p", "gray"), ("ffv1", "yuv422p10le", "gray10le"), (None, "yuv444p", None)],
)
def test_stored_grey_is_lightness_and_sound(
    colorizer: Colorizer, tmp_path: Path, codec: str | None, pixel_format: str, kept: str | None
) -> None:
    """A colour film, too, may be stored grey; it is coloured from there."""
    source = samples.write_film(
        tmp_path / "a.mkv", 12, pixel_format=pixel_format, chroma=0.5, sound=True
    )
    grey = tmp_path / "grey.mkv"
    *_, last = store_grey(source, grey, FilmOptions(encoding=Encoding(codec)))
    before, after = source.stat().st_size, grey.stat().st_size
    assert f"{before:,} bytes became {after:,}: {before - after:,} saved" in last.notes[-1]
    assert samples.packets(grey, "audio") == samples.packets(source, "audio")
    with av.open(str(grey)) as film:
        frame = next(film.decode(video=0))
        assert "Colours by" not in str(film.metadata)
    if kept:
        assert frame.format.name == kept
        planes = zip(samples.luma_planes(grey), samples.luma_planes(source), strict=True)
        assert all((ours == theirs).all() for ours, theirs in planes)
    else:
        assert (plane(frame, 1) == 128).all()
    assert colour(colorizer, grey, tmp_path / "colour.mkv").done == 12


def test_what_cannot_store_grey_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 5, codec="libx264")
    for name in ("x.gif", "x_%d.png"):
        with pytest.raises(UsageError, match="stored grey in a film file"):
            list(store_grey(source, tmp_path / name))
    assert main(["colorize", str(source), "--store-grey"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "a-grey.mp4")
    assert "bytes became" in said.err
    assert main(["colorize", str(source), "--store-grey", "--steady", "0.5"]) == 2
    assert "--steady is for colours" in capsys.readouterr().err


# Preview


def test_a_sample_is_read() -> None:
    assert Sample.parse("10s") == Sample(Fraction(10))
    assert Sample.parse("2.5") == Sample(Fraction(5, 2))
    assert Sample.parse("10s@80") == Sample(Fraction(10), Fraction(80))
    assert Sample.parse("10s@01:20") == Sample(Fraction(10), Fraction(80))
    assert Sample.parse("1s@1:00:00.5") == Sample(Fraction(1), Fraction(7201, 2))
    for text in ("", "0s", "ten", "10s@", "-1s", "10s@1:2:3:4"):
        with pytest.raises(UsageError, match="A preview is written"):
            Sample.parse(text)


@pytest.mark.parametrize("start", [0, 2])
def test_a_preview_shows_both_side_by_side(
    colorizer: Colorizer, tmp_path: Path, start: int
) -> None:
    source = samples.write_film(
        tmp_path / "a.mkv", 40, rate=Fraction(10), size=(48, 79), sound=True
    )
    target = tmp_path / "a-preview.mkv"
    sample = Sample(Fraction(3, 2), Fraction(start))
    *_, last = write_preview(colorizer, source, target, sample, SMALL, LOSSLESS)
    assert last.done == 15
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-preview.mkv", "a.mkv"]
    assert times(target)[0] == 0
    both = samples.luma_planes(target)
    assert both[0].shape == (48, 156)
    for ours, theirs in zip(both, samples.luma_planes(source)[10 * start :], strict=False):
        assert (ours[:, :78] == theirs[:, :78]).all()
        assert (ours[:, 78:] == theirs[:, :78]).all()
    with av.open(str(target)) as film:
        chroma = plane(next(film.decode(video=0)), 1).astype(int)
    assert (chroma[:, :39] == 128).all()
    assert np.ptp(chroma[:, 39:]) > 0


def test_a_preview_of_what_is_not_there(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 5)
    with pytest.raises(UnreadableFilm, match="ends before the preview"):
        list(write_preview(colorizer, source, tmp_path / "b.mkv", Sample.parse("1s@9"), SMALL))
    assert list(tmp_path.iterdir()) == [source]


def test_previews_are_named() -> None:
    assert preview_of(Path("in/a.mp4"), None) == Path("in/a-preview.mp4")
    assert preview_of(Path("in/a.mp4"), "out/b.mkv") == Path("out/b-preview.mkv")
    assert preview_of(Path("in/a.wmv"), "out") == Path("out/a-preview.mkv")
    assert preview_of(Path("in/a.gif"), None) == Path("in/a-preview.mp4")
    assert preview_of(Path("in/a_%04d.png"), None) == Path("in/a-preview.mp4")


def test_a_preview_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 12, rate=Fraction(10), codec="libx264")
    assert main(["colorize", str(source), "--working-size", "64", "--preview", "0.5s"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a-preview.mp4")
    assert len(times(tmp_path / "a-preview.mp4")) == 5
    assert not (tmp_path / "a-color.mp4").exists()


# The rate in the picture


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le"])
def test_the_rate_is_drawn_in_the_corner_alone(
    colorizer: Colorizer, tmp_path: Path, pixel_format: str
) -> None:
    size = (180, 240)
    source = samples.write_film(tmp_path / "a.mkv", 3, size=size, pixel_format=pixel_format)
    how = FilmOptions(encoding=Encoding("ffv1"), fps_overlay=True)
    colour(colorizer, source, tmp_path / "b.mkv", how)
    pairs = zip(*(samples.luma_planes(tmp_path / f"{n}.mkv") for n in "ab"), strict=True)
    for before, after in pairs:
        changed = np.argwhere(before != after)
        assert changed.max(0)[0] < 24
        assert changed.max(0)[1] < 120
        levels = after[:12, :40].astype(int) >> (2 if "10" in pixel_format else 0)
        assert levels.min() == 16
        assert levels.max() > 200


def test_small_frames_hold_what_fits(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 2, size=(8, 16))
    how = FilmOptions(encoding=Encoding("ffv1"), fps_overlay=True)
    assert colour(colorizer, source, tmp_path / "b.mkv", how).done == 2


# Sizes, rates and times


@pytest.mark.parametrize("codec", ["h264", "h265", "ffv1", "vp9"])
def test_odd_sizes_are_kept(colorizer: Colorizer, tmp_path: Path, codec: str) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 3, size=(49, 81))
    last = colour(colorizer, source, tmp_path / "b.mkv", FilmOptions(encoding=Encoding(codec)))
    assert Film.probe(tmp_path / "b.mkv").size == (49, 81)
    told = any("stored as yuv444p" in note for note in last.notes)
    assert told == (codec in ("h264", "h265"))


def test_the_rate_is_said_in_matroska(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 6, rate=Fraction(10), codec="libx264")
    colour(colorizer, source, tmp_path / "b.mkv", FilmOptions())
    assert Film.probe(tmp_path / "b.mkv").rate == 10


def test_sound_that_a_transport_stream_cannot_name_is_refused(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 6, sound=True)
    pcm = tmp_path / "pcm.mkv"
    with av.open(str(source)) as before, av.open(str(pcm), "w") as after:
        picture = after.add_stream_from_template(before.streams.video[0], opaque=True)
        heard = after.add_stream("pcm_s16le", 16000)
        for packet in before.demux():
            if packet.size and packet.stream.type == "video":
                packet.stream = picture
                after.mux(packet)
            elif packet.size:
                for frame in packet.decode():
                    frame.pts = None
                    after.mux(heard.encode(frame))
    with pytest.raises(UnwritableFilm, match=r'A "\.ts" cannot hold stream 1 \(audio, pcm_s16le'):
        colour(colorizer, pcm, tmp_path / "b.ts")


def test_timing(tmp_path: Path) -> None:
    tenth = samples.write_film(tmp_path / "a.mkv", 5, rate=Fraction(10))
    timing = timing_of(Film.probe(tenth))
    assert (timing.steady, timing.hundredths, timing.last_s) == (True, True, Fraction(1, 10))
    uneven = samples.write_film(
        tmp_path / "b.mkv", 4, times=[0, 20, 50, 300], time_base=Fraction(1, 1000)
    )
    timing = timing_of(Film.probe(uneven))
    assert (timing.steady, timing.hundredths) == (False, True)


def test_full_range_becomes_televisions_where_a_codec_holds_no_other(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    for number in (1, 2):
        Image.fromarray(ramp).save(tmp_path / f"scan_{number:04d}.png")
    for name, codec in (("a.mov", "prores"), ("a.mkv", "mpeg2"), ("a.avi", "mpeg4")):
        made = tmp_path / name
        how = FilmOptions(encoding=Encoding(codec))
        last = colour(colorizer, tmp_path / "scan_%04d.png", made, how, Options(strength=0))
        assert any("television's range" in note for note in last.notes)
        assert not Film.probe(made).signal.full_range
        grey = shown(made)[0][32].mean(axis=-1)
        assert np.abs(grey - ramp[32]).max() < 6, name


def test_an_avi_has_the_films_rate_and_no_empty_frames(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    for name, rate in (("a.mp4", Fraction(24)), ("a.mkv", Fraction(24000, 1001))):
        source = samples.write_film(tmp_path / name, 30, rate=rate, codec="libx264")
        made = tmp_path / f"{name}.avi"
        colour(colorizer, source, made)
        film = Film.probe(made)
        assert (film.rate, film.frames) == (rate, 30)


def test_the_last_frame_is_shown_as_long_as_it_was(colorizer: Colorizer, tmp_path: Path) -> None:
    stills = [Image.new("L", (48, 32), 40 * n + 20) for n in range(4)]
    lengths_ms = [100, 100, 100, 3000]
    source = tmp_path / "a.gif"
    stills[0].save(source, save_all=True, append_images=stills[1:], duration=lengths_ms)
    for name in ("a.mp4", "a.mkv"):
        colour(colorizer, source, tmp_path / name)
        assert Film.probe(tmp_path / name).duration_s == pytest.approx(3.3, abs=0.05)


def test_raw_dv_has_the_rate_and_the_fields_of_television(tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.dv", 3, codec="dvvideo", size=(576, 720))
    film = Film.probe(source)
    assert (film.rate, film.field_order) == (25, "bottom field first")


def test_a_film_that_ends_early_is_told(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = samples.write_film(tmp_path / "a.mp4", 100, codec="libx264")
    assert colour(colorizer, source, tmp_path / "whole.mkv").notes == ()
    real = films.frames_of

    def cut(*arguments: object) -> Iterator[av.VideoFrame]:
        yield from itertools.islice(real(*arguments), 40)  # type: ignore[arg-type]

    monkeypatch.setattr(films, "frames_of", cut)
    (told,) = colour(colorizer, source, tmp_path / "cut.mkv").notes
    assert told == "The picture ends after 1.6 of 4.0 seconds that are announced."


def test_joined_recordings_are_refused_and_told_how(colorizer: Colorizer, tmp_path: Path) -> None:
    """Their clock starts anew: as a film the second would flash by (as a stream it does not)."""
    once = samples.write_film(tmp_path / "a.ts", 60, rate=Fraction(20), codec="libx264")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(2 * once.read_bytes())
    told = r'starts anew, as in recordings .* "tintype colorize - -o OUTPUT < FILM"'
    with pytest.raises(UnreadableFilm, match=told):
        colour(colorizer, joined, tmp_path / "b.mkv")
    assert not list(tmp_path.glob("b.mkv*"))  # refused before any work
    with pytest.raises(UnreadableFilm, match=told):
        list(colorizer.colorize_film(joined, SMALL))
