"""What the window knows without a screen: pictures, given colours, work in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageGrab

from conftest import GreyWriter
from tintype import color
from tintype.desktop import chores
from tintype.desktop.chores import Coloured, Failed, Opened, Saved
from tintype.desktop.pasting import copied_picture, files_in, text_of
from tintype.desktop.plate import LARGEST, Plate, answered, opened
from tintype.desktop.spots import REACH, Spot, Spots, disc_pixels
from tintype.desktop.worker import Worker
from tintype.engine import Colorizer, Options
from tintype.errors import UnreadableImage


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Colorizer:
    return Colorizer.load(tiny_model, "cpu", 1)


@pytest.fixture(scope="module")
def guided(tiny_guided_model: Path) -> Colorizer:
    return Colorizer.load(tiny_guided_model, "cpu", 1)


def coloured(colorizer: Colorizer, path: Path) -> Plate:
    plate = opened(path)
    plate.answer = answered(colorizer, plate, (), colorizer.working_size)
    return plate


def test_what_is_shown_is_what_is_written(
    tiny: Colorizer, tmp_path: Path, write_grey: GreyWriter
) -> None:
    plate = coloured(tiny, write_grey(tmp_path / "a.png", 120, 160))
    plate.strength = 1.4
    plate.fit((120, 160))
    shown = plate.colour()
    assert shown is not None
    tiny.colorize_file(tmp_path / "a.png", tmp_path / "b.png", plate.options(Options()))
    with Image.open(tmp_path / "b.png") as written:
        assert np.array_equal(np.asarray(shown), np.asarray(written.convert("RGB")))


def test_a_picture_is_fitted_into_the_window(tiny: Colorizer, tmp_path: Path) -> None:
    Image.new("L", (2400, 1500), 90).save(tmp_path / "large.png")
    plate = coloured(tiny, tmp_path / "large.png")
    assert plate.shape == (1000, LARGEST[1])
    for box, size in (((400, 400), (400, 250)), ((2000, 2400), (2400, 1500))):
        assert plate.fit(box)
        assert not plate.fit(box)
        shown = plate.colour()
        assert shown is not None
        assert shown.size == plate.grey().size == size


def test_strength_nought_is_grey_and_before_the_answer_there_is_none(
    tiny: Colorizer, tmp_path: Path, write_grey: GreyWriter
) -> None:
    assert opened(write_grey(tmp_path / "a.png")).colour() is None
    plate = coloured(tiny, tmp_path / "a.png")
    plate.strength = 0
    shown = plate.colour()
    assert shown is not None
    assert np.abs(np.asarray(shown, int) - np.asarray(plate.grey(), int)[..., None]).max() <= 1


def test_a_toned_picture_is_shown_by_its_lightness(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (150, 120, 80)).save(tmp_path / "sepia.png")
    L = color.rgb_to_lab(np.array([150, 120, 80]) / 255)[0]
    level = np.asarray(opened(tmp_path / "sepia.png").grey())[0, 0] / 255
    assert color.rgb_to_lab(np.repeat(level, 3))[0] == pytest.approx(L, abs=0.3)


def test_a_spot_begins_with_the_guess_and_a_given_colour_is_kept(
    guided: Colorizer, tmp_path: Path
) -> None:
    Image.new("L", (96, 96), 128).save(tmp_path / "a.png")
    plate = coloured(guided, tmp_path / "a.png")
    spot = plate.spot_at(0.5, 0.5)
    assert (spot.L, spot.a, spot.b) == pytest.approx((53.6, 11.1, 29.3), abs=0.1)
    number = plate.spots.add(spot)
    given = spot.coloured(-30, -20)
    plate.spots.put(plate.spots.with_one(number, given))
    plate.answer = answered(guided, plate, plate.hints, guided.working_size)
    assert plate.guess(0.5, 0.5) == pytest.approx((given.a, given.b), abs=1)
    assert plate.guess(0.1, 0.1) == pytest.approx((spot.a, spot.b), abs=0.1)


@pytest.mark.parametrize("L", [6.0, 50.0, 94.0])
def test_the_disc_has_the_colours_of_a_lightness(L: float) -> None:
    side = 50
    pixels = disc_pixels(L, side)
    shown = pixels[..., 3] > 0
    assert 0 < shown.mean() < 0.6
    assert set(np.unique(pixels[..., 3])) == {0, 255}
    lab = color.rgb_to_lab(pixels[shown][:, :3] / 255)
    line = ((np.arange(side) + 0.5) / side * 2 - 1) * REACH
    a, b = np.meshgrid(line, -line)
    assert np.abs(lab[:, 0] - L).max() < 2
    assert np.abs(lab[:, 1:] - np.stack([a, b], -1)[shown]).max() < 8  # dark codes are coarse


def test_a_colour_outside_srgb_keeps_its_hue() -> None:
    spot = Spot(0, 0, 50, 0, 0).coloured(-90, 90)
    assert spot.a == pytest.approx(-spot.b)
    assert 30 < spot.b < 90
    found = color.rgb_to_lab(np.array([int(spot.hex[i : i + 2], 16) for i in (1, 3, 5)]) / 255)
    assert found == pytest.approx((50, spot.a, spot.b), abs=1)
    assert Spot(0, 0, 50, 3, 4).coloured(10, -10) == Spot(0, 0, 50, 10, -10)


def test_steps_are_taken_back_and_again_and_a_drag_is_one() -> None:
    spots, one = Spots(), Spot(0.1, 0.1, 50, 0, 0)
    assert not spots.undo()
    spots.add(one)
    for a in (1.0, 2.0, 3.0):
        spots.drag((one.coloured(a, 0),))
    spots.drop()
    spots.drop()
    assert [spot.a for spot in spots.now] == [3]
    assert spots.undo()
    assert spots.now == (one,)
    assert spots.undo()
    assert spots.now == ()
    assert spots.redo()
    assert spots.redo()
    assert not spots.can_redo
    spots.remove(0)
    assert spots.undo()
    spots.put(())
    assert not spots.can_redo


def test_a_hint_lies_where_the_spot_is() -> None:
    hint = Spot(0.5, 0.999, 50, 0, 0).hint((100, 400))
    assert (hint.x, hint.y) == pytest.approx((199.5, 99))
    assert hint.radius == pytest.approx(4)


def collected(worker: Worker[object], number: int) -> list[object]:
    found: list[object] = []
    until = time.monotonic() + 10
    while len(found) < number:
        assert time.monotonic() < until
        found += worker.take()
        time.sleep(0.002)
    return found


def test_the_newer_work_counts_and_errors_are_events() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Generator[object, None, None]:
        yield "begun"
        begun.set()
        go_on.wait(10)
        yield "old"
        raise AssertionError("It should have been closed.")

    def broken() -> Generator[object, None, None]:
        yield "new"
        raise ValueError("broken")

    def never() -> Generator[object, None, None]:
        raise AssertionError("It was replaced before it began.")
        yield

    worker: Worker[object] = Worker("test", str)
    worker.order(slow())
    begun.wait(10)
    worker.order(never())
    worker.order(broken(), instead=True)
    go_on.set()
    assert collected(worker, 2) == ["new", "broken"]
    worker.order(iter_of(1, 2))
    assert collected(worker, 2) == [1, 2]
    worker.close(10)
    assert worker.take() == []


@pytest.mark.parametrize("finish", [True, False])
def test_what_was_ordered_is_finished_where_that_is_asked_for(finish: bool) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def save(name: str) -> Generator[object, None, None]:
        begun.set()
        go_on.wait(10)
        done.append(name)
        yield name

    worker: Worker[object] = Worker("test", str)
    worker.order(save("a"))
    worker.order(save("b"))
    begun.wait(10)
    threading.Timer(0.2, go_on.set).start()
    worker.close(10, finish=finish)
    assert done == (["a", "b"] if finish else ["a"])


def iter_of(*items: object) -> Generator[object, None, None]:
    yield from items


def test_opening_tells_of_grey_first(
    tiny: Colorizer, tmp_path: Path, write_grey: GreyWriter
) -> None:
    path = write_grey(tmp_path / "a.png")
    first, second = chores.open_picture(lambda: path, tiny, 64)
    assert isinstance(first, Opened)
    assert first.plate.name == "a.png"
    assert isinstance(second, Coloured)
    with pytest.raises(chores.Refusal, match="no picture on the clipboard") as caught:
        list(chores.open_picture(lambda: None, tiny, 64))
    assert chores.failure_of(caught.value) == Failed("open", str(caught.value))


def test_an_original_is_never_overwritten(
    tiny: Colorizer, tmp_path: Path, write_grey: GreyWriter
) -> None:
    path = write_grey(tmp_path / "a.png")
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    for target in (path, tmp_path / "link.png"):
        with pytest.raises(chores.Refusal, match="is the original; give the result another name"):
            list(chores.save(path, target, Options(), tiny))
    (saved,) = chores.save(path, tmp_path / "b.bmp", Options(), tiny)
    assert isinstance(saved, Saved)
    assert any("BMP" in note for note in saved.notes)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "x.png"), "x.png: No space left on device."),
        (OSError("odd"), "odd."),
        (ValueError("Odd."), "Unexpected ValueError: Odd."),
        (MemoryError(), "Unexpected MemoryError: no message."),
    ],
)
def test_every_error_is_a_sentence(error: Exception, said: str) -> None:
    assert chores.failure_of(error).sentence == said


def test_files_are_found_in_what_was_copied(tmp_path: Path) -> None:
    odd = tmp_path / "a b ü.png"
    odd.write_bytes(b"")
    assert files_in(f"# copied\r\n{odd.as_uri()}\r\n") == [odd]
    assert files_in(f'"{odd}"\n{tmp_path}') == [odd, tmp_path]
    assert text_of("0x61 0xc3 0xbc 0xd 0xa ") == "aü\r\n"
    assert text_of("0x61 is a code") == "0x61 is a code"
    assert files_in("a sentence, a\0 and\nhttp://example.org/x.png") == []


Grab = Callable[[], object]


def test_a_copied_picture_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse() -> object:
        raise NotImplementedError

    def fail() -> object:
        raise ChildProcessError("xclip error: target image/png not available")

    def give(found: object) -> Grab:
        return lambda: found

    for grab, expected in ((fail, None), (give(None), None), (give([]), None)):
        monkeypatch.setattr(ImageGrab, "grabclipboard", grab)
        assert copied_picture() is expected
    monkeypatch.setattr(ImageGrab, "grabclipboard", give([str(tmp_path)]))
    assert copied_picture() == tmp_path
    monkeypatch.setattr(ImageGrab, "grabclipboard", give(Image.new("L", (30, 20), 99)))
    data = copied_picture()
    assert isinstance(data, bytes)
    assert (opened(data).picture.size, opened(data).name) == ((20, 30), "pasted picture")
    monkeypatch.setattr(ImageGrab, "grabclipboard", refuse)
    with pytest.raises(UnreadableImage, match="wl-paste or xclip"):
        copied_picture()
