"""Frames coloured by hand steer their scenes, from cut to cut."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import film_samples as samples
from tintype.color import rgb_to_lab
from tintype.engine import Colorizer, Options
from tintype.errors import UsageError
from tintype.video import film as films
from tintype.video.encoding import Encoding
from tintype.video.film import FilmOptions, colorize_film
from tintype.video.keyframes import parse_reference, scene_start
from tintype.video.probe import Film

RATE = Fraction(10)
LOSSLESS = FilmOptions(encoding=Encoding("ffv1"))
PURPLE = (0.45, 0.2, 0.55)


def scene(number: int) -> np.ndarray:
    """Grey of one of two scenes, (96, 128) in [0, 1]."""
    rng = np.random.default_rng(number)
    coarse = rng.uniform(0.2, 0.8, (6, 8))
    return coarse.repeat(16, 0).repeat(16, 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of one scene, then two of another."""
    path = tmp_path_factory.mktemp("film") / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for number in range(40):
            frame = samples.frame_of(scene(number // 20), "yuv420p")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def purple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second scene, painted purple by hand."""
    path = tmp_path_factory.mktemp("frame") / "frame.png"
    grey = scene(1)[..., None]
    rgb = grey + (np.array(PURPLE) - np.mean(PURPLE))
    Image.fromarray(np.uint8(rgb.clip(0, 1) * 255)).save(path)
    return path


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("tintype", "cpu", 1)


def tints(colorizer: Colorizer, source: Path, options: Options) -> list[np.ndarray]:
    frames = colorizer.colorize_film(source, options)
    return [rgb_to_lab(frame.rgb / 255).mean((0, 1))[1:] for frame in frames]


def test_a_key_frame_steers_its_scene_and_no_other(
    colorizer: Colorizer, source: Path, purple: Path
) -> None:
    plain = tints(colorizer, source, Options(working_size=64))
    options = Options(working_size=64, references=(f"{purple}@3.2",))
    steered = tints(colorizer, source, options)
    for ours, theirs in zip(steered[:20], plain[:20], strict=True):
        assert np.abs(ours - theirs).max() < 0.01
    true = rgb_to_lab(np.asarray(Image.open(purple)) / 255).mean((0, 1))[1:]
    for ours, theirs in zip(steered[20:], plain[20:], strict=True):
        assert np.hypot(*(ours - true)) < 0.5 * np.hypot(*(theirs - true))


def test_interrupted_work_is_steered_alike(
    colorizer: Colorizer,
    source: Path,
    purple: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(films, "SEGMENT_S", 1)
    options = Options(working_size=64, references=(f"{purple}@00:02.5",))
    whole, pieces = tmp_path / "whole.mkv", tmp_path / "pieces.mkv"
    for _ in colorize_film(colorizer, source, whole, options, LOSSLESS):
        pass
    states = colorize_film(colorizer, source, pieces, options, LOSSLESS)
    for state in states:
        if state.done == 34:
            break
    states.close()
    for _ in colorize_film(colorizer, source, pieces, options, LOSSLESS):
        pass
    assert samples.packets(pieces, "video") == samples.packets(whole, "video")


def test_scenes_are_found(source: Path) -> None:
    film = Film.probe(source)
    second = 1 / film.time_base
    assert scene_start(film, Fraction(1), (48, 64)) == 0
    assert scene_start(film, Fraction(3), (48, 64)) == 2 * second
    with pytest.raises(UsageError, match="nothing at 60 s"):
        scene_start(film, Fraction(60), (48, 64))


@pytest.mark.parametrize(
    ("text", "time_s"),
    [("a.png@12", 12), ("a@b.png@00:12", 12), ("a.png@1:02:03.5", Fraction(7447, 2))],
)
def test_times_are_read(text: str, time_s: Fraction) -> None:
    assert parse_reference(text) == (Path(text.rpartition("@")[0]), time_s)


def test_a_reference_without_a_time_is_said(
    colorizer: Colorizer, source: Path, purple: Path
) -> None:
    with pytest.raises(UsageError, match="FILE@TIME"):
        list(colorizer.colorize_film(source, Options(references=(str(purple),))))
