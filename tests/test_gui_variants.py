"""Other colourings and the marks of the strength in the window, on a virtual screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from conftest import GreyWriter, build_tiny_graph
from hands import Hand, hand_on
from tintype.desktop import asking
from tintype.engine import Colorizer, Options
from tintype.images import read_image


@pytest.fixture(scope="module")
def leaning(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """A network that leans and takes hints."""
    path = tmp_path_factory.mktemp("models") / "tiny-all.onnx"
    onnx.save(build_tiny_graph(guided=True, leaning=True, name="tiny-all"), path)
    return Colorizer.load(path, "cpu", 1)


@pytest.fixture
def grandma(tmp_path: Path, write_grey: GreyWriter) -> Path:
    return write_grey(tmp_path / "grandma.jpg", 300, 400)


def choose(hand: Hand, key: str, variant: int) -> None:
    """Press a key where the focus is, and wait until another colouring is shown."""
    window = hand.window
    assert window.plate is not None
    before = window.plate.answer
    focused = window._root.focus_get()
    assert focused is not None
    focused.event_generate(f"<{key}>")
    hand.until(lambda: window.plate is not None and window.plate.answer is not before)
    assert window.plate.variant == variant


def test_a_colouring_is_chosen_by_keys_shown_and_saved(
    screen: str,
    leaning: Colorizer,
    grandma: Path,
    tmp_path: Path,
    write_grey: GreyWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "target", lambda *_: tmp_path / "result.png")
    with hand_on(screen, leaning, Options()) as hand:
        bar = hand.window.tools.variants
        assert all(button.instate(["disabled"]) for button in bar.buttons)
        hand.open(grandma)
        assert not any(button.instate(["disabled"]) for button in bar.buttons)
        likely = np.asarray(hand.window.stage._colour, int)
        bar.buttons[0].focus_force()
        hand.window._root.update()
        choose(hand, "Right", 1)
        choose(hand, "Down", 2)
        shown = np.asarray(hand.window.stage._colour, int)
        assert np.abs(shown - likely).mean() > 3
        assert hand.window._root.focus_get() is bar.buttons[2]
        stops = [button for button in bar.buttons if int(str(button.cget("takefocus")))]
        assert stops == [bar.buttons[2]]
        hand.press("Control-s")
        hand.until_said("Saved result.png in ")
        hand.open(write_grey(tmp_path / "next.png"))
        assert hand.window.plate is not None
        assert hand.window.plate.variant == bar._number.get() == 0
        assert hand.errors == []
    leaning.colorize_file(grandma, tmp_path / "expected.png", Options(variant=2))
    pixels = [read_image(tmp_path / f"{n}.png").small(300, 400) for n in ("result", "expected")]
    assert np.array_equal(*pixels)


def test_given_colours_go_with_a_colouring(screen: str, leaning: Colorizer, grandma: Path) -> None:
    with hand_on(screen, leaning, Options()) as hand:
        hand.open(grandma)
        hand.window.tools.variants.buttons[3].invoke()
        hand.until_said("Coloured in")
        hand.window.tools.give.invoke()
        hand.click(0.75, 0.3)
        plate = hand.window.plate
        assert plate is not None
        chosen = plate.options(Options())
        assert (chosen.variant, len(chosen.hints)) == (3, 1)


def test_the_command_s_variant_is_the_first(screen: str, leaning: Colorizer, grandma: Path) -> None:
    with hand_on(screen, leaning, Options(variant=42)) as hand:
        hand.open(grandma)
        assert hand.window.plate is not None
        assert hand.window.plate.variant == 42
        assert [b["text"] for b in hand.window.tools.variants.buttons][-2:] == ["5", "42"]


def test_a_network_without_variants_says_so(screen: str, tiny_model: Path, grandma: Path) -> None:
    colorizer = Colorizer.load(tiny_model, "cpu", 1)
    with hand_on(screen, colorizer, Options(variant=2)) as hand:
        hand.open(grandma)
        bar = hand.window.tools.variants
        assert all(button.instate(["disabled"]) for button in bar.buttons)
        assert bar.reason["text"] == "This network knows one colouring only."
        bar._go(bar.buttons[1])
        assert hand.window.plate is not None
        assert hand.window.plate.variant == 0


def test_marks_set_the_strength_and_say_what_they_do(
    screen: str, leaning: Colorizer, grandma: Path
) -> None:
    with hand_on(screen, leaning, Options()) as hand:
        hand.open(grandma)
        assert hand.window.plate is not None
        for percent, text in (
            (75, "few mistakes show"),
            (130, "stronger colours"),
            (100, "gives them"),
        ):
            hand.window.tools.marks[percent].invoke()
            assert text in hand.said
            assert hand.window.plate.strength == percent / 100
            styles = {key: str(mark["style"]) for key, mark in hand.window.tools.marks.items()}
            assert [key for key, style in styles.items() if "Chosen" in style] == [percent]


def test_all_of_it_is_seen_in_the_smallest_window(
    screen: str, leaning: Colorizer, grandma: Path
) -> None:
    with hand_on(screen, leaning, Options(variant=99)) as hand:
        root, tools = hand.window._root, hand.window.tools
        root.geometry("10x10")
        root.update()
        hand.open(grandma)
        root.update()
        right, below = (
            root.winfo_rootx() + root.winfo_width(),
            root.winfo_rooty() + root.winfo_height(),
        )
        for widget in (*tools.variants.buttons, tools.variants.reason, *tools.marks.values()):
            assert widget.winfo_ismapped()
            assert widget.winfo_width() >= widget.winfo_reqwidth()
            assert widget.winfo_rootx() + widget.winfo_width() <= right
            assert widget.winfo_rooty() + widget.winfo_height() <= below
