"""Files that another program drags over the window and lets go."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import GreyWriter
from hands import Hand, hand_on
from tintype.desktop import asking
from tintype.engine import Colorizer, Options

pytest.importorskip("tkinterdnd2", reason="needs the extra [gui]")
DRAGGING = Path(__file__).with_name("dragging.py")


def drop(hand: Hand, paths: list[Path], then: Callable[[], bool]) -> str:
    """Drop files on the window's middle; what the other program says was done with them."""
    canvas = hand.window.stage.canvas
    hand.until(lambda: bool(canvas.winfo_viewable()))
    x = canvas.winfo_rootx() + canvas.winfo_width() // 2
    y = canvas.winfo_rooty() + canvas.winfo_height() // 2
    line = [sys.executable, str(DRAGGING), str(x), str(y), *map(str, paths)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as other:
        try:
            hand.until(lambda: other.poll() is not None)
            hand.until(then)
        finally:
            other.kill()
        assert other.stdout is not None
        return other.stdout.read().strip()


def test_a_picture_is_dropped(
    screen: str, tiny_model: Path, tmp_path: Path, write_grey: GreyWriter
) -> None:
    picture = write_grey(tmp_path / "Großmutter & Söhne {1931} 100 %.png")
    with hand_on(screen, Colorizer.load(tiny_model, "cpu", 1), Options()) as hand:
        assert "drop it here" in hand.window.stage.advice
        assert drop(hand, [picture], lambda: hand.coloured) == "XdndActionCopy"
        plate = hand.window.plate
        assert plate is not None
        assert plate.name == picture.name
    assert hand.errors == []


def test_what_is_no_picture_is_said(screen: str, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear all")
    with hand_on(screen, Colorizer.load(tiny_model, "cpu", 1), Options()) as hand:
        drop(hand, [path], lambda: "letter.txt" in hand.said and "…" not in hand.said)
        assert "letter.txt" in hand.said


def test_several_pictures_are_dropped(
    screen: str,
    tiny_model: Path,
    tmp_path: Path,
    write_grey: GreyWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = [write_grey(tmp_path / "in" / f"{name}.png") for name in ("Ömi", "a b")]
    target = tmp_path / "out"
    target.mkdir()
    monkeypatch.setattr(asking, "folder", lambda *_: target)
    options = Options(model=str(tiny_model))
    with hand_on(screen, Colorizer.load(tiny_model, "cpu", 1), options) as hand:
        done = lambda: len(list(target.glob("*.png"))) == 2 and not hand.window._running  # noqa: E731
        assert drop(hand, paths, done) == "XdndActionCopy"
    assert {path.name for path in target.glob("*.png")} == {path.name for path in paths}
