"""The window on a virtual screen: opened, looked at, changed and saved as a hand would do it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import features

from conftest import GreyWriter, files
from hands import PATIENCE_S, Hand, hand_on
from tintype.cli import main
from tintype.desktop import asking, chores
from tintype.desktop import screen as shared
from tintype.desktop.bars import GUESSES
from tintype.engine import Colorizer, Options
from tintype.images import read_image
from tintype.runtime import Prediction

Size = tuple[int, int]


class GatedColorizer(Colorizer):
    """Waits before each answer until it is let; counts how often it was asked."""

    gate: threading.Event
    asked: int

    def predict(self, *given: Any, **asked: Any) -> Prediction:
        self.asked += 1
        self.gate.wait(PATIENCE_S)
        return super().predict(*given, **asked)


@pytest.fixture
def gated(tiny_model: Path) -> GatedColorizer:
    colorizer = GatedColorizer(Colorizer.load(tiny_model, "cpu", 1)._session, "tiny", 1)
    colorizer.gate, colorizer.asked = threading.Event(), 0
    colorizer.gate.set()
    return colorizer


Show = Callable[..., contextlib.AbstractContextManager[Hand]]


@pytest.fixture
def show(screen: str, tiny_model: Path) -> Show:
    """``show(colorizer, model=...)`` opens the window."""

    def opened(
        colorizer: Colorizer, model: Path = tiny_model
    ) -> contextlib.AbstractContextManager[Hand]:
        return hand_on(screen, colorizer, Options(model=str(model)))

    return opened


@pytest.fixture
def tiny(tiny_model: Path) -> Colorizer:
    return Colorizer.load(tiny_model, "cpu", 1)


@pytest.fixture
def grandma(tmp_path: Path, write_grey: GreyWriter) -> Path:
    return write_grey(tmp_path / "grandma.jpg", 300, 400)


@pytest.mark.skipif(not features.check("xcb"), reason="this Pillow cannot look at the screen")
def test_grey_at_once_then_colour_beside_grey(
    show: Show, gated: GatedColorizer, grandma: Path
) -> None:
    gated.gate.clear()
    with show(gated) as hand:
        hand.window.open([grandma])
        hand.until(lambda: hand.window.plate is not None)
        assert hand.said == "Colouring grandma.jpg…"
        assert hand.window._root.title() == "grandma.jpg – Tintype"
        assert hand.colours(0.05, 0.95) == 0
        assert hand.window.tools.save.instate(["disabled"])
        gated.gate.set()
        hand.until_said("Coloured in ")
        assert hand.said.endswith(" s.")
        assert hand.colours(0.05, 0.45) == 0
        assert hand.colours(0.55, 0.95) > 2
        assert not hand.window.tools.save.instate(["disabled"])


def test_the_split_is_moved_by_keys_and_by_the_mouse(
    show: Show, tiny: Colorizer, grandma: Path
) -> None:
    with show(tiny) as hand:
        hand.open(grandma)
        stage = hand.window.stage
        hand.press("Left")
        assert stage.split == pytest.approx(0.48)
        hand.press("Shift-Right")
        assert stage.split == pytest.approx(0.58)
        hand.click(0.25, 0.5)
        assert stage.split == pytest.approx(0.25, abs=0.01)
        hand.click(0.25, 0.5, to=(1.5, 0.5))
        assert stage.split == 1
        hand.press("Home")
        assert stage.split == 0


def test_strength_answers_at_once_and_without_the_network(
    show: Show, gated: GatedColorizer, grandma: Path
) -> None:
    with show(gated) as hand:
        hand.open(grandma)
        slider, stage = hand.window.tools.slider, hand.window.stage
        before = np.asarray(stage._colour)
        x, y = (int(part) for part in slider.coords(140))
        slider.event_generate("<Button-1>", x=x, y=y)
        slider.update()
        assert hand.window.plate is not None
        assert hand.window.plate.strength == pytest.approx(1.4, abs=0.02)
        assert hand.window.tools._percent["text"] in ("139 %", "140 %", "141 %")
        after = np.asarray(stage._colour)
        assert after.std(-1).mean() > 1.2 * before.std(-1).mean()
        slider.event_generate("<Button-1>", x=x, y=y)  # the second of a double click
        slider.update()
        assert hand.window.plate.strength == 1
        assert gated.asked == 1


def test_saving_writes_what_is_shown_in_any_format(
    show: Show, tiny: Colorizer, grandma: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [tmp_path / "result.png", grandma, tmp_path / "x.docx", tmp_path / "result.webp"]
    suggested: list[Path] = []

    def target(_: object, begin: Path) -> Path | None:
        suggested.append(begin)
        return wanted.pop(0) if wanted else None

    monkeypatch.setattr(asking, "target", target)
    original = grandma.read_bytes()
    with show(tiny) as hand:
        hand.press("Control-s")
        assert suggested == []
        hand.open(grandma)
        hand.window.tools.set_strength(0.5)
        hand.press("Control-s")
        hand.until_said("Saved result.png in ")
        hand.window.tools.save.invoke()
        hand.until_said("grandma.jpg is the original; give the result another name.")
        hand.window.tools.save.invoke()
        hand.until_said("x.docx has no suffix of a picture")
        hand.window.tools.save.invoke()
        hand.until_said("Saved result.webp in ")
        hand.window.tools.save.invoke()
        assert len(hand.errors) == 2
    assert suggested == [tmp_path / "grandma-color.jpg"] * 5
    assert grandma.read_bytes() == original
    tiny.colorize_file(grandma, tmp_path / "expected.png", Options(strength=0.5))
    pixels = [read_image(tmp_path / f"{n}.png").small(300, 400) for n in ("result", "expected")]
    assert np.array_equal(*pixels)
    assert read_image(tmp_path / "result.webp").tintype_mark


def test_a_broken_file_is_said_and_the_picture_stays(
    show: Show, gated: GatedColorizer, grandma: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(grandma.read_bytes()[:40])
    with show(gated) as hand:
        hand.window.open([broken])
        hand.until_said("broken.jpg cannot be read")
        assert hand.window.plate is None
        gated.gate.clear()
        hand.window.open([grandma])
        hand.until(lambda: hand.window.plate is not None)
        hand.window.open([tmp_path / "missing.png"])
        gated.gate.set()
        hand.until(lambda: hand.coloured)  # though another picture was to take its place
        assert "missing.png" in hand.said
        assert hand.window.plate is not None
        assert hand.window.plate.name == "grandma.jpg"


def test_the_newer_picture_counts(
    show: Show, gated: GatedColorizer, grandma: Path, tmp_path: Path, write_grey: GreyWriter
) -> None:
    gated.gate.clear()
    with show(gated) as hand:
        hand.window.open([grandma])
        hand.until(lambda: hand.window.plate is not None)
        older = hand.window.plate
        hand.window.open([write_grey(tmp_path / "b.png")])
        hand.window.open([write_grey(tmp_path / "c.png")])
        gated.gate.set()
        hand.until(lambda: hand.coloured)
        assert hand.window.plate is not None
        assert hand.window.plate.name == "c.png"
        assert older is not None
        assert older.answer is None
        assert gated.asked == 2


def test_a_picture_in_colour_is_coloured_anew_and_that_is_said(
    show: Show, tiny: Colorizer, tmp_path: Path, write_colour: GreyWriter
) -> None:
    with show(tiny) as hand:
        hand.window.open([write_colour(tmp_path / "a.png")])
        hand.until_said("This picture was in colour already; its colours are replaced. Coloured in")


def test_colours_are_given_moved_and_taken_back(
    show: Show, tiny_guided_model: Path, grandma: Path
) -> None:
    guided = Colorizer.load(tiny_guided_model, "cpu", 1)
    with show(guided, tiny_guided_model) as hand:
        window = hand.window
        hand.open(grandma)
        plate, picker = window.plate, window.giving.picker
        assert plate is not None
        before = plate.guess(0.75, 0.3)
        window.tools.give.invoke()
        hand.until(lambda: bool(window.giving.bar.frame.winfo_ismapped()))
        hand.click(0.75, 0.3)
        hand.until(lambda: bool(picker.frame.winfo_ismapped()))
        assert [(spot.a, spot.b) for spot in plate.spots.now] == [pytest.approx(before)]
        picker.disc.event_generate("<Button-1>", x=90, y=130)
        picker.disc.event_generate("<B1-Motion>", x=70, y=150)
        picker.disc.event_generate("<ButtonRelease-1>", x=70, y=150)
        (spot,) = plate.spots.now
        assert spot.a < 0
        assert spot.b < 0
        hand.until(lambda: plate.guess(0.75, 0.3) == pytest.approx((spot.a, spot.b), abs=2))
        hand.click(0.75, 0.3, to=(0.25, 0.6))
        hand.until(lambda: plate.guess(0.25, 0.6) == pytest.approx((spot.a, spot.b), abs=2))
        hand.until(lambda: plate.guess(0.75, 0.3) == pytest.approx(before, abs=2))
        assert window.stage.split == 0.5
        hand.click(0.5, 0.9, to=(0.4, 0.9))
        assert window.stage.split == pytest.approx(0.4, abs=0.01)
        for expected in ((0.75, spot.b), (0.75, before[1])):
            hand.press("Control-z")
            (now,) = plate.spots.now
            assert (now.x, now.b) == pytest.approx(expected, abs=0.01)
        hand.press("Control-y")
        hand.click(0.75, 0.3)
        hand.press("Delete")
        assert plate.spots.now == ()
        hand.press("Control-z")
        window.giving.bar.clear.invoke()
        assert plate.spots.now == ()
        assert not picker.frame.winfo_ismapped()
        assert hand.errors == []


def test_only_guided_networks_take_colours_and_the_guesses_line_is_always_there(
    show: Show, tiny: Colorizer, tiny_guided_model: Path, grandma: Path
) -> None:
    with show(tiny) as hand:
        hand.open(grandma)
        assert not hand.window.tools.give.winfo_ismapped()
    guided = Colorizer.load(tiny_guided_model, "cpu", 1)
    with show(guided, tiny_guided_model) as hand:
        root, tools = hand.window._root, hand.window.tools
        root.geometry("10x10")  # as small as it lets itself be made
        root.update()
        hand.open(grandma)
        tools.say("A long sentence that needs two lines. " * 5)
        root.update()
        assert tools.give.winfo_ismapped()
        assert tools.slider.winfo_width() > 80
        line = tools.guesses
        assert line["text"] == GUESSES
        for widget in (line, tools.status, tools.save):
            right = widget.winfo_rootx() + widget.winfo_width()
            below = widget.winfo_rooty() + widget.winfo_height()
            assert right <= root.winfo_rootx() + root.winfo_width()
            assert below <= root.winfo_rooty() + root.winfo_height()


def test_a_folder_is_coloured_and_its_failures_are_named(
    show: Show,
    tiny: Colorizer,
    tmp_path: Path,
    write_grey: GreyWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box, target = tmp_path / "box", tmp_path / "coloured"
    for number in range(5):
        write_grey(box / f"{number}.png")
    (box / "broken.png").write_bytes(b"")
    folders = [box, target]
    monkeypatch.setattr(asking, "folder", lambda *_: folders.pop(0) if folders else None)
    with show(tiny) as hand:
        window = hand.window
        window.tools.open_folder.invoke()
        assert window.tools.open.instate(["disabled"])
        hand.press("Control-o")  # takes no part meanwhile
        hand.until_said("5 coloured, 1 failed, in ")
        assert window.panel.bar["value"] == window.panel.bar["maximum"] == 6
        assert window.panel.failures.get("1.0", "end").strip() == f"{box / 'broken.png'} is empty."
        assert window.panel.button["text"] == "Close"
        window.panel.button.invoke()
        assert not window.panel.frame.winfo_ismapped()
        window.open([box])  # called off
        assert not window.tools.open.instate(["disabled"])
    assert files(target) == {f"{number}.png" for number in range(5)}


def test_a_run_is_stopped_and_its_own_folder_is_no_target(
    show: Show,
    tiny: Colorizer,
    tmp_path: Path,
    write_grey: GreyWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = tmp_path / "box"
    pictures = [write_grey(box / f"{number}.png", 400, 500) for number in range(30)]
    monkeypatch.setattr(asking, "folder", lambda *_: box)
    with show(tiny) as hand:
        hand.window.open(pictures)
        hand.until(lambda: float(hand.window.panel.bar["value"]) > 0)
        hand.window.panel.button.invoke()
        hand.until_said(" left to do, in ")
    made = files(box) - {path.name for path in pictures}
    assert 0 < len(made) < 30
    assert all(name.endswith("-color.png") for name in made)


def test_a_folder_without_pictures_is_said(
    show: Show, tiny: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "folder", lambda *_: tmp_path / "out")
    with show(tiny) as hand:
        hand.window.open([tmp_path])
        hand.until_said("holds no picture that is still to be coloured.")
        assert not hand.window.tools.open.instate(["disabled"])
        assert not hand.window.panel.frame.winfo_ismapped()


def test_a_copied_file_is_opened_and_a_click_on_nothing_asks(
    show: Show, tiny: Colorizer, grandma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(asking, "pictures", lambda root: asked.append(root) or [])
    with show(tiny) as hand:
        root = hand.window._root
        hand.window.stage.canvas.event_generate("<Button-1>", x=50, y=50)
        assert asked == [root]
        root.clipboard_clear()
        root.clipboard_append("no file")
        hand.press("Control-v")
        root.clipboard_clear()
        root.clipboard_append(grandma.as_uri())
        hand.press("Control-v")
        hand.until(lambda: hand.coloured)


def test_an_error_in_the_window_is_a_sentence_and_it_lives_on(
    show: Show, tiny: Colorizer, grandma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> list[Path]:
        raise ValueError("odd")

    monkeypatch.setattr(asking, "pictures", fail)
    with show(tiny) as hand:
        hand.press("Control-o")
        assert hand.said == "Unexpected ValueError: odd."
        assert len(hand.errors) == 1
        monkeypatch.setattr(hand.window, "_show_colours", fail)
        hand.window.open([grandma])
        hand.until_said("takes 1 positional argument")
        monkeypatch.delattr(hand.window, "_show_colours")
        hand.open(grandma)


def test_colours_that_are_not_saved_are_asked_about(
    show: Show,
    tiny_guided_model: Path,
    grandma: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(asking, "losing", lambda _, name: bool(asked.append(name)))
    monkeypatch.setattr(asking, "target", lambda *_: tmp_path / "made.jpg")
    other = tmp_path / "other.jpg"
    other.write_bytes(grandma.read_bytes())
    with show(Colorizer.load(tiny_guided_model, "cpu", 1), tiny_guided_model) as hand:
        window, left = hand.window, []
        monkeypatch.setattr(window._root, "quit", lambda: left.append(True))
        hand.open(grandma)
        plate = window.plate
        assert plate is not None
        plate.spots.add(plate.spot_at(0.5, 0.5))
        window.open([other])
        hand.press("Control-q")
        assert asked == ["grandma.jpg", "grandma.jpg"]
        assert (window.plate, left) == (plate, [])
        hand.press("Control-s")
        hand.until_said("Saved made.jpg")
        hand.open(other)
        assert len(asked) == 2


def test_it_closes_when_everything_is_written_or_says_why_not(
    show: Show,
    gated: GatedColorizer,
    grandma: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with show(gated) as hand:
        window, left = hand.window, []
        monkeypatch.setattr(window._root, "quit", lambda: left.append(True))
        hand.open(grandma)
        monkeypatch.setattr(asking, "target", lambda *_: tmp_path / "nowhere" / "made.jpg")
        gated.gate.clear()
        hand.press("Control-s")
        hand.press("Control-q")
        hand.until_said("Closing when")
        assert not left
        gated.gate.set()
        hand.until_said("nowhere")
        assert not left
        monkeypatch.setattr(asking, "target", lambda *_: tmp_path / "made.jpg")
        hand.press("Control-s")
        hand.press("Control-q")
        hand.until(lambda: bool(left))
        assert (tmp_path / "made.jpg").exists()


@pytest.mark.usefixtures("screen")
def test_the_command_opens_a_picture_and_ends_with_the_window(
    grandma: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    original, titles = shared.open_screen, []

    @contextlib.contextmanager
    def impatient() -> Iterator[object]:
        with original() as root:
            until_s = time.monotonic() + PATIENCE_S

            def leave() -> None:
                titles.append(root.title())
                if titles[-1].startswith("grandma") or time.monotonic() > until_s:
                    root.focus_force()
                    root.event_generate("<Control-q>")
                root.after(20, leave)

            root.after(20, leave)
            yield root

    monkeypatch.setattr(shared, "open_screen", impatient)
    assert main(["gui", str(grandma), "--model", str(tiny_model), "--device", "cpu"]) == 0
    assert titles[-1] == "grandma.jpg – Tintype"
    assert capsys.readouterr().err == ""
    assert main(["gui", "--model", "nothing"]) == 1
    assert "nothing" in capsys.readouterr().err


def test_without_tkinter_the_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tkinter", None)
    assert main(["gui"]) == 1
    assert "python3-tk" in capsys.readouterr().err
    assert main(["gui", "--strength", "7"]) == 2


def test_a_run_tells_what_became_of_the_pictures() -> None:
    counts = chores.Counter(done=3, skipped=1)
    assert str(chores.Run(6, counts, seconds=2.34)) == (
        "3 coloured, 1 skipped, 2 left to do, in 2.3 s."
    )
