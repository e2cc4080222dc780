"""The live view on a virtual screen: what is shown, kept and said."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageGrab, features

import film_samples as samples
from conftest import HAS_TK
from tintype.cli import main
from tintype.desktop import camera
from tintype.desktop import screen as shared
from tintype.desktop.album import Album, new_file
from tintype.desktop.camera import Device, Reel, open_reel
from tintype.desktop.live import LiveWindow, Summary, clock_text, shown_size
from tintype.desktop.pictures import Printer, Shown, upright_size
from tintype.desktop.projector import Projector
from tintype.desktop.recording import Recorder
from tintype.desktop.screen import fitted, open_screen
from tintype.engine import Colorizer, Options
from tintype.errors import UnreadableFilm, UnwritableFilm
from tintype.images import read_image
from tintype.runtime import Prediction
from tintype.video.probe import Film

SMALL = Options(working_size=64)

Step = tuple[Callable[[LiveWindow], bool], Callable[[LiveWindow], None]]


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("tintype", "cpu", 1)


class SlowColorizer(Colorizer):
    """Takes 0.15 s for each frame."""

    def predict(self, *given: Any, **asked: Any) -> Prediction:
        time.sleep(0.15)
        return super().predict(*given, **asked)


def show(
    reel: Reel,
    colorizer: Colorizer,
    steps: list[Step],
    folder: Path = Path(),
    steady: float = 0.85,
    pace: float = 1.0,
) -> tuple[Summary, LiveWindow]:
    """Show a reel; each step's action is taken when its condition holds, then the window closes."""
    with open_screen() as root:
        size = shown_size(root, reel, None)
        projector = Projector(reel, colorizer, SMALL, steady, size, pace)
        window = LiveWindow(root, reel, projector, size, Album(folder, reel, "Tintype 0 (x 1)"))
        left = list(steps)
        until = time.monotonic() + 30

        def go_on() -> None:
            assert time.monotonic() < until, "The window does not do what it should."
            if left and left[0][0](window):
                left.pop(0)[1](window)
            if left:
                root.after(10, go_on)
            else:
                root.quit()

        root.after(10, go_on)
        root.focus_force()
        return window.run(), window


def press(key: str) -> Callable[[LiveWindow], None]:
    def act(window: LiveWindow) -> None:
        window._root.event_generate(f"<Key-{key}>")
        window._root.update_idletasks()

    return act


def at_frame(number: int) -> Callable[[LiveWindow], bool]:
    return lambda window: window._meter.count >= number


def ended(window: LiveWindow) -> bool:
    return window._projector.ended


def nothing(window: LiveWindow) -> None:
    pass


def film(path: Path, frames: int = 25, **settings: object) -> Reel:
    return open_reel(str(samples.write_film(path, frames, size=(120, 160), **settings)))


def test_a_film_is_shown_at_its_own_rate(screen: str, colorizer: Colorizer, tmp_path: Path) -> None:
    reel = film(tmp_path / "ball.mkv", 20, rate=Fraction(20))
    summary, window = show(reel, colorizer, [(ended, nothing)])
    assert summary.shown + summary.dropped == 20
    assert window.shown is not None
    assert summary.seconds >= 0.75 * window.shown.time_s  # it did not run as fast as it could
    assert "frames shown in" in str(summary)
    assert 1 <= summary.predicted <= summary.shown


def test_ctrl_c_in_the_terminal_ends_it_as_q_does(
    screen: str, colorizer: Colorizer, tmp_path: Path
) -> None:
    interrupt = lambda window: signal.raise_signal(signal.SIGINT)  # noqa: E731
    steps = [(at_frame(3), interrupt), (ended, nothing)]
    summary, window = show(film(tmp_path / "ball.mkv", 100), colorizer, steps)
    assert summary.shown >= 3
    assert not window._projector.ended


def test_a_film_plays_at_another_rate(screen: str, colorizer: Colorizer, tmp_path: Path) -> None:
    reel = film(tmp_path / "ball.mkv", 20)
    summary, window = show(reel, colorizer, [(ended, nothing)], pace=0.5)
    assert window.shown is not None
    assert summary.seconds >= 0.75 * 2 * window.shown.time_s


def test_a_slow_network_drops_frames_and_the_film_ends_in_time(
    screen: str, colorizer: Colorizer, tmp_path: Path
) -> None:
    slow = SlowColorizer(colorizer._session, "slow", 1)
    reel = film(tmp_path / "ball.mkv", 50)
    summary, _ = show(reel, slow, [(ended, nothing)], steady=0)
    assert summary.dropped >= 25
    assert summary.shown >= 3
    assert summary.seconds <= 2.0 + 1.5  # each of them would take 7.5


def colours(display: str, box: tuple[int, int, int, int]) -> float:
    """How colourful a part of the screen is: the mean difference of red and blue."""
    pixels = np.asarray(ImageGrab.grab(box, xdisplay=display).convert("RGB"), np.int16)
    return float(np.abs(pixels[..., 0] - pixels[..., 2]).mean())


@pytest.mark.skipif(not features.check("xcb"), reason="this Pillow cannot look at the screen")
def test_the_screen_shows_colour_then_a_split_then_grey(
    screen: str, colorizer: Colorizer, tmp_path: Path
) -> None:
    reel = film(tmp_path / "ball.mkv", 8)
    seen: list[tuple[float, float]] = []

    def look(window: LiveWindow) -> None:
        window._root.update()
        canvas = window._canvas
        x, y = canvas.winfo_rootx(), canvas.winfo_rooty()
        left = colours(screen, (x + 4, y + 4, x + 66, y + 116))
        seen.append((left, colours(screen, (x + 104, y + 4, x + 156, y + 116))))

    steps: list[Step] = [(ended, look)]
    for _ in range(2):
        steps += [(ended, press("space")), (ended, look)]
    show(reel, colorizer, steps)
    (left, right), (left_split, right_split), (left_grey, right_grey) = seen
    assert min(left, right, right_split) > 2
    assert right_split == right
    assert (left_split, left_grey, right_grey) == (0, 0, 0)


def test_the_split_is_moved_by_arrows_and_by_the_mouse(
    screen: str, colorizer: Colorizer, tmp_path: Path
) -> None:
    reel = film(tmp_path / "ball.mkv", 3)

    def drag(window: LiveWindow) -> None:
        window._root.update()
        window._canvas.event_generate("<Button-1>", x=40, y=10)
        assert window.split == pytest.approx(0.25)
        window._canvas.event_generate("<B1-Motion>", x=900, y=10)
        assert window.split == 1

    def moved(window: LiveWindow) -> None:
        assert window.view == "split"
        assert window.split == pytest.approx(0.48)

    show(reel, colorizer, [(ended, press("Left")), (ended, moved), (ended, drag)])


def test_stills_and_recordings_are_kept_and_nothing_is_replaced(
    screen: str, colorizer: Colorizer, tmp_path: Path
) -> None:
    reel = film(tmp_path / "ball.mkv", 40)
    folder = tmp_path / "kept"
    said: list[str] = []

    def listen(window: LiveWindow) -> None:
        said.append(window._message["text"])

    steps: list[Step] = [
        (at_frame(1), press("r")),
        (at_frame(2), press("s")),
        (at_frame(2), listen),
        (ended, press("S")),
        (ended, press("s")),
        (ended, press("r")),
        (ended, listen),
    ]
    _, window = show(reel, colorizer, steps, folder)
    stills, recordings = sorted(folder.glob("*.png")), list(folder.glob("*.mkv"))
    assert len(stills) == 3
    assert len(recordings) == 1
    assert said[0] in [f"Saved {path}" for path in stills]
    assert said[1] == f"Recorded {recordings[0]}"
    last = next(path for path in stills if re.fullmatch(r"ball-\d{6}-[23].png", path.name))
    picture = read_image(last)
    assert picture.size == (120, 160)
    assert picture.tintype_mark
    assert window.shown is not None
    with Image.open(last) as still:
        assert np.asarray(still).std(-1).mean() > 1  # it is in colour
    with av.open(str(recordings[0])) as container:
        frames = list(container.decode(video=0))
        assert "Tintype 0 (x 1)" in container.metadata["COMMENT"]
    times = [float(frame.time) for frame in frames]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert all(abs(time * 25 - round(time * 25)) < 0.03 for time in times)
    pixels = frames[-1].to_ndarray(format="rgb24")
    assert pixels.shape == (120, 160, 3)
    assert pixels.std(-1).mean() > 1


def test_a_film_as_camera_shows_the_newest_frame(
    screen: str, colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = samples.write_film(tmp_path / "camera.mkv", 200)
    monkeypatch.setattr(camera, "device_of", lambda *_: Device(str(path), "matroska", {}))
    slow = SlowColorizer(colorizer._session, "slow", 1)
    reel = open_reel("0")
    summary, window = show(reel, slow, [(ended, nothing)], steady=0)
    assert summary.shown + summary.dropped == 200
    assert summary.shown <= 20
    assert window.shown is not None
    grey = np.asarray(window.shown.grey)
    assert grey[24, :70].min() > 60  # the ball has rolled out of the picture


def test_a_camera_that_fails_ends_the_view_with_its_sentence(
    screen: str, colorizer: Colorizer, tmp_path: Path
) -> None:
    reel = film(tmp_path / "ball.mkv", 5)

    def unplugged() -> Iterator[av.VideoFrame]:
        yield from reel.frames
        raise UnreadableFilm("It was unplugged.")

    with pytest.raises(UnreadableFilm, match="unplugged"):
        show(replace(reel, frames=unplugged()), colorizer, [(lambda _: False, nothing)])


def test_a_recording_that_cannot_be_made_is_said(
    screen: str, colorizer: Colorizer, tmp_path: Path
) -> None:
    reel = film(tmp_path / "ball.mkv", 3)
    (tmp_path / "taken").write_text("a file")
    said: list[str] = []

    def listen(window: LiveWindow) -> None:
        said.append(window._message["text"])

    steps: list[Step] = [
        (ended, press("s")),
        (ended, listen),
        (ended, press("r")),
        (ended, listen),
    ]
    show(reel, colorizer, steps, tmp_path / "taken")
    assert said[0].startswith("No still: ")
    assert said[1].startswith("No recording: ")


def test_a_recording_that_fails_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnwritableFilm("The encoder had enough.")

    monkeypatch.setattr("tintype.video.recording.Recording.write", refuse)
    reel = film(tmp_path / "ball.mkv", 30)
    album = Album(tmp_path / "kept", reel, "m")
    frames = list(reel.frames)
    picture = Image.new("RGB", (160, 120))
    said = album.start_recording(Shown(frames[0], 61.0, picture, picture))
    assert said == f"Recording {tmp_path / 'kept' / 'ball-000101.mkv'}"
    recorder = album.recorder
    assert recorder is not None
    for number, frame in enumerate(frames):  # more than the queue holds
        recorder.add(frame, number / 25)
    assert album.stop_recording() == "The recording failed: The encoder had enough."
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_recording_without_frames_leaves_nothing(tmp_path: Path) -> None:
    reel = film(tmp_path / "ball.mkv", 3)
    album = Album(tmp_path / "kept", reel, "m")
    picture = Image.new("RGB", (160, 120))
    album.start_recording(Shown(next(reel.frames), 0.0, picture, picture))
    assert album.stop_recording() == "Nothing was recorded: no frame came."
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_film_of_odd_sides_is_recorded(tmp_path: Path) -> None:
    path = samples.write_film(tmp_path / "odd.mkv", 5, size=(49, 81))
    known = Film.probe(path)
    recorder = Recorder(tmp_path / "kept.mkv", known, "m")
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            recorder.add(frame, number / 25)
    recorder.close()
    kept = Film.probe(tmp_path / "kept.mkv")
    assert (kept.size, kept.frames, recorder.lost) == ((49, 81), 5, 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody presses q after a second."""
    original = shared.open_screen

    @contextlib.contextmanager
    def opened() -> Iterator[object]:
        with original() as root:
            root.after(1000, root.focus_force)
            root.after(1050, lambda: root.event_generate("<Key-q>"))
            yield root

    monkeypatch.setattr(shared, "open_screen", opened)


@pytest.mark.usefixtures("screen", "impatient")
def test_the_command_shows_a_film_until_q(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = samples.write_film(tmp_path / "ball.mkv", 100)
    line = ["live", str(path), "--working-size", "64", "--window-size", "40", "--fps", "50"]
    assert main([*line, "--steady", "0.5", "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "frames shown in" in said.out
    assert int(said.out.split()[0]) >= 1
    assert said.err == ""


@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize(
    ("source", "said"),
    [("missing.mkv", "missing.mkv cannot be opened"), ("97", "/dev/video97 cannot be opened")],
)
@pytest.mark.skipif(sys.platform != "linux", reason="cameras are files on Linux only")
def test_the_command_says_what_cannot_be_opened(
    source: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", source]) == 1
    assert capsys.readouterr().err.startswith(f"tintype: {said}")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a screen")
@pytest.mark.skipif(not HAS_TK, reason="needs tkinter")
def test_without_a_screen_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert main(["live", "x.mkv"]) == 1
    assert capsys.readouterr().err.startswith("tintype: No screen: no display name")


def test_without_tkinter_the_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    assert main(["live", "x.mkv"]) == 1
    assert "python3-tk" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--window-size", "big"], '--window-size is written 640x480 or 640, not "big"'),
        (["--fps", "0"], "0 is no number of frames per second"),
        (["--fps", "1/0"], "1/0 is no number of frames per second"),
        (["--strength", "7"], "strength"),
    ],
)
def test_what_makes_no_sense_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", "x.mkv", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_picture_is_fitted_and_keeps_its_aspect() -> None:
    assert fitted((480, 640), (240, 10_000)) == (240, 320)
    assert fitted((480, 640), (1000, 64)) == (48, 64)
    assert fitted((100, 200), (400, 400)) == (200, 400)
    assert fitted((2, 4000), (100, 100)) == (1, 100)


def probed(path: Path, **settings: object) -> tuple[Film, av.VideoFrame]:
    samples.write_film(path, 1, **settings)
    with av.open(str(path)) as container:
        return Film.probe(path), next(container.decode(video=0))


def test_a_turned_film_stands_upright_in_square_pixels(tmp_path: Path) -> None:
    known, frame = probed(tmp_path / "a.mkv")
    known = replace(known, rotation=90, aspect=Fraction(3, 2))
    assert upright_size(known) == (120, 48)
    shown = Printer(known, (120, 48)).grey(frame)
    assert shown.size == (48, 120)
    flat = np.asarray(Printer(replace(known, rotation=0), (48, 120)).grey(frame))
    assert np.array_equal(np.asarray(shown), np.rot90(flat))  # counter-clockwise


@pytest.mark.parametrize("full", [False, True])
def test_black_and_white_reach_the_screen_as_such(full: bool, tmp_path: Path) -> None:
    known, frame = probed(tmp_path / "a.mkv", full=full)
    expected = 255 * samples.grey(0)
    for fine in (False, True):
        printer = Printer(known, known.size, fine=fine)
        assert np.abs(np.asarray(printer.grey(frame)) - expected).max() < 2
        colour = np.asarray(printer.colour(frame), np.float32)
        assert np.abs(colour - expected[..., None]).max() < 3


def test_views_are_composed(tmp_path: Path) -> None:
    known, frame = probed(tmp_path / "a.mkv", chroma=0.4)
    printer = Printer(known, known.size)
    shown = Shown(frame, 0.0, printer.colour(frame), printer.grey(frame))
    colour, grey = (np.asarray(shown.composed(view, 0.25)) for view in ("colour", "grey"))
    split = np.asarray(shown.composed("split", 0.25))
    assert colour.std(-1).mean() > 5
    assert grey.std(-1).max() == 0
    assert np.array_equal(split[:, :20], grey[:, :20])
    assert np.array_equal(split[:, 20:], colour[:, 20:])
    for edge, same in ((0.0, colour), (1.0, grey)):
        assert np.array_equal(np.asarray(shown.composed("split", edge)), same)


def test_new_files_have_new_names(tmp_path: Path) -> None:
    names = [new_file(tmp_path / "a", "b", ".png").name for _ in range(3)]
    assert names == ["b.png", "b-2.png", "b-3.png"]


def test_times_are_written_as_people_do() -> None:
    assert [clock_text(s) for s in (0, 7.9, 75, 3599, 3600, 7384)] == [
        *("0:00", "0:07", "1:15", "59:59", "1:00:00", "2:03:04"),
    ]
