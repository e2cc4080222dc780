from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import data

from conftest import GreyWriter, grey_pixels
from tintype import color, engine
from tintype.engine import Colorizer
from tintype.engine import joining as pages_joined
from tintype.engine.arrays import shrink
from tintype.engine.chroma import Upsampled
from tintype.engine.confidence import encode_confidence
from tintype.errors import (
    AlreadyColour,
    ModelInvalid,
    ModelNotFound,
    UnreadableImage,
    UnwritableImage,
    UsageError,
)
from tintype.images import read_image
from tintype.options import Hint, Options
from tintype.runtime import Session


@pytest.fixture(scope="module")
def colorizer(tiny_model: Path) -> Colorizer:
    return Colorizer.load(tiny_model, device="cpu")


@pytest.fixture(scope="module")
def guided(tiny_guided_model: Path) -> Colorizer:
    return Colorizer.load(tiny_guided_model, device="cpu")


@pytest.fixture(params=[0, pages_joined.AT_ONCE_PIXELS], ids=["streamed", "at once"])
def joining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which files are joined: as a stream, and in memory when they are small."""
    monkeypatch.setattr(pages_joined, "AT_ONCE_PIXELS", request.param)


def lab_of(rgb: np.ndarray) -> np.ndarray:
    top = np.iinfo(rgb.dtype).max if rgb.dtype.kind == "u" else 1
    return color.rgb_to_lab(rgb[..., :3] / np.float64(top))


def test_what_is_loaded_says_what_it_is(colorizer: Colorizer, guided: Colorizer) -> None:
    assert (colorizer.name, colorizer.version, colorizer.guided) == ("tiny", "1", False)
    assert colorizer.working_size == 64
    assert colorizer.mark == "Tintype 0.1.0 (tiny 1)"
    assert colorizer.device == "cpu"
    assert guided.guided


def test_a_graph_without_metadata_is_called_like_its_file(tiny_model: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(tiny_model)
    del model.metadata_props[:]
    path = tmp_path / "mine.onnx"
    onnx.save(model, path)
    loaded = Colorizer.load(path)
    assert (loaded.name, loaded.version, loaded.working_size) == ("mine", "0", 256)


def test_models_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no file"):
        Colorizer.load(tmp_path / "none.onnx")
    with pytest.raises(ModelNotFound, match="did you mean tintype"):
        Colorizer.load("tintipe")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(ModelInvalid):
        Colorizer.load(tmp_path / "text.onnx")


# The kinds of picture


@pytest.mark.usefixtures("joining")
def test_paths_and_bytes(colorizer: Colorizer, write_grey: GreyWriter, tmp_path: Path) -> None:
    source = write_grey(tmp_path / "old.png", 50, 70)
    target = colorizer.colorize(source)
    assert target == tmp_path / "old-color.png"
    from_file = np.asarray(Image.open(target))
    with pytest.raises(UnwritableImage, match=r"old-color\.png exists"):
        colorizer.colorize(source)
    target.unlink()
    assert colorizer.colorize(str(source)) == str(target)
    with pytest.raises(UnreadableImage, match="not a file"):
        colorizer.colorize(Path())
    result = colorizer.colorize(source.read_bytes())
    assert result.startswith(b"\x89PNG")
    np.testing.assert_array_equal(pyvips.Image.new_from_buffer(result, "").numpy(), from_file)
    np.testing.assert_array_equal(colorizer.colorize(np.asarray(Image.open(source))), from_file)


def test_files_large_enough_to_be_shrunk_look_like_arrays(
    colorizer: Colorizer, write_grey: GreyWriter, tmp_path: Path
) -> None:
    source = write_grey(tmp_path / "old.tif", 500, 700)
    from_file = lab_of(np.asarray(Image.open(colorizer.colorize(source))))
    from_array = lab_of(colorizer.colorize(np.asarray(Image.open(source))))
    assert np.abs(from_file - from_array).mean() < 0.1


def test_the_report(colorizer: Colorizer, write_grey: GreyWriter, tmp_path: Path) -> None:
    source = write_grey(tmp_path / "old.png", 50, 70)
    target = tmp_path / "new.png"
    content, report = colorizer.colorize_file(source, target)
    assert content is None
    assert (report.source, report.target) == (str(source), str(target))
    assert (report.size, report.pages, report.tone) == ((50, 70), 1, "grey")
    assert report.model == "tiny 1"
    assert report.notes == ()
    assert 0 < report.seconds < 60


@pytest.mark.usefixtures("joining")
def test_lightness_survives_the_whole_way(colorizer: Colorizer, tmp_path: Path) -> None:
    grey = (grey_pixels(300, 200).astype(np.uint16) * 257) + 77
    source = tmp_path / "scan.tif"
    pyvips.Image.new_from_array(grey).copy(interpretation="grey16").write_to_file(str(source))
    result = pyvips.Image.new_from_file(str(colorizer.colorize(source))).numpy()
    assert result.dtype == np.uint16
    error = lab_of(result)[..., 0] - lab_of(np.repeat(grey[..., None], 3, -1))[..., 0]
    assert np.abs(error).max() <= 0.01


# Tone


def test_colour_is_left_alone_unless_forced(colorizer: Colorizer) -> None:
    astronaut = data.astronaut()[::4, ::4]
    with pytest.raises(AlreadyColour, match="--force"):
        colorizer.colorize(astronaut)
    result = colorizer.colorize(astronaut, Options(force=True))
    assert np.abs(lab_of(result)[..., 0] - lab_of(astronaut)[..., 0]).max() <= 0.3
    grey = colorizer.colorize(astronaut, Options(force=True, strength=0))
    assert np.ptp(grey.astype(int), axis=-1).max() == 0


def test_a_toned_picture_loses_its_tone_with_a_note(colorizer: Colorizer, tmp_path: Path) -> None:
    grey = grey_pixels(120, 160)[..., None] / 255
    sepia = color.lab_to_rgb(np.concatenate([grey * 90, grey * 0 + 8, grey * 0 + 22], -1))
    source = tmp_path / "sepia.png"
    Image.fromarray(np.rint(np.clip(sepia, 0, 1) * 255).astype(np.uint8)).save(source)
    target = tmp_path / "out.png"
    _, report = colorizer.colorize_file(source, target, Options(strength=0))
    assert report.tone == "toned"
    assert "tone" in report.notes[0]
    result = np.asarray(Image.open(target))
    assert np.ptp(result.astype(int), axis=-1).max() == 0


# Working size


def test_a_picture_of_the_working_size_is_seen_pixel_by_pixel(
    colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    grey = grey_pixels(64, 64)
    seen: list[np.ndarray] = []
    real = Session.run

    def spy(self: Session, L: np.ndarray, *hints: np.ndarray, **how: object) -> object:
        seen.append(L)
        return real(self, L, *hints, **how)

    monkeypatch.setattr(Session, "run", spy)
    colorizer.colorize(grey)
    path = tmp_path / "grey.png"
    Image.fromarray(grey).save(path)
    colorizer.colorize(path)
    own = lab_of(np.repeat(grey[..., None], 3, -1))[..., 0]
    for L in seen:
        np.testing.assert_allclose(L[0, 0], own, atol=1e-4)
    colorizer.colorize(grey, Options(working_size=100))
    assert [L.shape[2:] for L in seen] == [(64, 64), (64, 64), (128, 128)]


def test_colours_do_not_swing_with_the_size(colorizer: Colorizer, tmp_path: Path) -> None:
    camera = pyvips.Image.new_from_array(data.camera())
    means = []
    for side in (512, 387, 200, 128):
        path = tmp_path / f"{side}.jpg"
        camera.resize(side / 512).write_to_file(str(path), Q=95)
        lab = lab_of(np.asarray(Image.open(colorizer.colorize(path))))
        small = shrink(((lab[..., 1:2] + 128) / 256).clip(0, 1), 32, 32)[..., 0]
        means.append(small * 256 - 128)
    for other in means[1:]:
        assert np.abs(other - means[0]).mean() < 0.5


def test_predict_takes_any_size(colorizer: Colorizer) -> None:
    L = np.random.default_rng(0).uniform(0, 100, (2, 1, 45, 70)).astype(np.float32)
    answer = colorizer.predict(L)
    assert answer.ab.shape == (2, 2, 12, 18)
    assert answer.stride == 4
    assert answer.ab[1, 0, 3, 5] == pytest.approx(0.3 * L[1, 0, 12:16, 20:24].mean() - 5, abs=1e-3)
    for wrong in (L[0], L[:, :, :0], np.full_like(L, np.nan)):
        with pytest.raises(UsageError, match="L must be finite"):
            colorizer.predict(wrong)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (7, 400)])
def test_odd_sizes(colorizer: Colorizer, size: tuple[int, int]) -> None:
    grey = grey_pixels(*size)
    result = colorizer.colorize(grey)
    own = lab_of(np.repeat(grey[..., None], 3, -1))[..., 0]
    assert np.abs(lab_of(result)[..., 0] - own).max() <= 0.3


def test_strength_scales_the_colours(colorizer: Colorizer) -> None:
    grey = np.full((64, 64), 140, np.uint8)
    half, full = (lab_of(colorizer.colorize(grey, Options(strength=s)))[0, 0] for s in (0.5, 1))
    np.testing.assert_allclose(full[1:], half[1:] * 2, atol=1)
    assert np.hypot(*full[1:]) > 20


# Hints


def test_a_hint_colours_its_place(guided: Colorizer) -> None:
    grey = np.full((640, 320), 128, np.uint8)
    plain = lab_of(guided.colorize(grey))
    hint = Hint(100, 500, "#4060a0", radius=40)
    hinted = lab_of(guided.colorize(grey, Options(hints=(hint,))))
    wanted = color.rgb_to_lab(np.array(hint.rgb))
    np.testing.assert_allclose(hinted[500, 100, 1:], wanted[1:], atol=2)
    np.testing.assert_allclose(hinted[100, 250], plain[100, 250], atol=1e-6)


def test_hints_that_cannot_be(colorizer: Colorizer, guided: Colorizer) -> None:
    grey = np.zeros((40, 60), np.uint8)
    with pytest.raises(UsageError, match="takes no colour hints"):
        colorizer.colorize(grey, Options(hints=(Hint(1, 1, "#ff0000"),)))
    for x, y in ((60, 0), (0, 40), (-1, 0)):
        with pytest.raises(UsageError, match="outside the picture, which is 60 wide and 40 high"):
            guided.colorize(grey, Options(hints=(Hint(x, y, "#ff0000"),)))


# Pages, threads, failures


def write_pages(path: Path, sizes: list[tuple[int, int]]) -> list[np.ndarray]:
    pages = [grey_pixels(*size, seed=i) for i, size in enumerate(sizes)]
    first, *rest = (Image.fromarray(page) for page in pages)
    first.save(path, save_all=True, append_images=rest)
    return pages


def test_hints_do_not_go_to_every_page(guided: Colorizer, tmp_path: Path) -> None:
    write_pages(tmp_path / "pages.tif", [(48, 64), (30, 20)])
    with pytest.raises(UsageError, match=r"pages\.tif has several pages; hints are for"):
        guided.colorize_file(
            tmp_path / "pages.tif", None, Options(hints=(Hint(50, 40, "#ff0000"),))
        )


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_every_page_of_a_tiff(
    colorizer: Colorizer, tmp_path: Path, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    real = Session.run

    def spy(self: Session, L: np.ndarray, *hints: np.ndarray, **how: object) -> object:
        runs.append(len(L))
        return real(self, L, *hints, **how)

    monkeypatch.setattr(Session, "run", spy)
    source = tmp_path / "pages.tif"
    pages = write_pages(source, [(48, 64)] * 5)
    target = tmp_path / "out.tif"
    _, report = colorizer.colorize_file(source, target, Options(batch_size=batch_size))
    assert report.pages == 5
    assert runs == {1: [1] * 5, 2: [2, 2, 1], 64: [5]}[batch_size]
    for number, page in enumerate(pages):
        result = pyvips.Image.new_from_file(str(target), page=number).numpy()
        np.testing.assert_array_equal(result, colorizer.colorize(page))


def test_pages_of_several_sizes_do_not_share_a_run(colorizer: Colorizer, tmp_path: Path) -> None:
    source, target = tmp_path / "pages.tif", tmp_path / "out.tif"
    pages = write_pages(source, [(48, 64), (64, 48), (64, 48)])
    colorizer.colorize_file(source, target, Options(batch_size=8))
    for number, page in enumerate(pages):
        result = pyvips.Image.new_from_file(str(target), page=number).numpy()
        np.testing.assert_array_equal(result, colorizer.colorize(page))


def test_one_colorizer_in_several_threads(colorizer: Colorizer, tmp_path: Path) -> None:
    pictures = [grey_pixels(200 + 40 * i, 300, seed=i) for i in range(4)] * 2
    files = []
    for number, picture in enumerate(pictures):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(picture).save(files[-1])
    serial = [colorizer.colorize(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(colorizer.colorize, pictures))
        written = list(pool.map(colorizer.colorize, files))
    for one, other, path in zip(serial, threaded, written, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, np.asarray(Image.open(path)))


@pytest.mark.usefixtures("joining")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_truncated_file_leaves_nothing(colorizer: Colorizer, tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    Image.fromarray(grey_pixels(400, 500)).save(whole)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with pytest.raises(UnreadableImage, match="cut"):
        colorizer.colorize(cut)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"cut{suffix}", f"whole{suffix}"]


@pytest.mark.usefixtures("joining")
def test_damage_that_shows_only_while_writing(
    colorizer: Colorizer, write_grey: GreyWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_grey(tmp_path / "old.png", 400, 500)
    real = engine.read_image

    def cut_afterwards(path: Path) -> object:
        picture = real(path)
        plan = Colorizer._plan

        def damage(self: Colorizer, *args: object) -> object:
            made = plan(self, *args)  # type: ignore[arg-type]
            path.write_bytes(path.read_bytes()[:60_000])
            return made

        monkeypatch.setattr(Colorizer, "_plan", damage)
        return picture

    monkeypatch.setattr(engine, "read_image", cut_afterwards)
    with pytest.raises(UnreadableImage, match=r"old\.png"):
        colorizer.colorize_file(source, tmp_path / "new.png")
    assert not (tmp_path / "new.png").exists()


@pytest.mark.usefixtures("joining")
def test_a_fault_while_joining_is_not_blamed_on_the_file(
    colorizer: Colorizer, write_grey: GreyWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tintype.engine.stream.join_rows", no_memory)
    monkeypatch.setattr(sys.modules["tintype.engine.join"], "join_rows", no_memory)
    source = write_grey(tmp_path / "old.png", 400, 500)
    with pytest.raises(MemoryError):
        colorizer.colorize_file(source, tmp_path / "new.png")
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"]


def test_a_result_that_cannot_be_written(
    colorizer: Colorizer, write_grey: GreyWriter, tmp_path: Path
) -> None:
    source = write_grey(tmp_path / "old.png")
    with pytest.raises(UnwritableImage):
        colorizer.colorize_file(source, tmp_path / "none" / "new.png")


@pytest.mark.slow
def test_a_large_scan_streams_through(tiny_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "scan.jpg"
    tile = pyvips.Image.new_from_array(data.camera())
    tile.replicate(23, 17).write_to_file(str(source))
    program = (
        "import resource, sys; from pathlib import Path; from tintype import Colorizer;"
        "Colorizer.load(sys.argv[1]).colorize(Path(sys.argv[2]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny_model), str(source)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 500 * 1024


# Confidence


@pytest.fixture(scope="module")
def sure(tiny_sure_model: Path) -> Colorizer:
    return Colorizer.load(tiny_sure_model, device="cpu")


def test_confidence_lies_over_the_picture(
    sure: Colorizer, write_grey: GreyWriter, tmp_path: Path
) -> None:
    source = write_grey(tmp_path / "old.png", 300, 410)
    target, beside = tmp_path / "new.png", tmp_path / "sure.png"
    _, report = sure.colorize_file(source, target, confidence=beside)
    _, plain = sure.colorize_file(source, tmp_path / "plain.png")
    assert target.read_bytes() == (tmp_path / "plain.png").read_bytes()
    with Image.open(beside) as shown:
        assert (shown.mode, shown.size) == ("L", (410, 300))
        values = np.asarray(shown) / 255
    L = lab_of(np.asarray(Image.open(source).convert("RGB")))[..., 0]
    away = np.abs(values - L / 100)
    assert away[20:-20, 20:-20].mean() < 0.05
    assert report.confidence == pytest.approx(L.mean() / 100, abs=0.02)
    assert plain.confidence is None
    assert read_image(beside).tintype_mark
    assert {path.name for path in tmp_path.iterdir()} == {
        *("old.png", "new.png", "plain.png", "sure.png")
    }


def test_bytes_give_both_pictures(sure: Colorizer, write_grey: GreyWriter, tmp_path: Path) -> None:
    source = write_grey(tmp_path / "old.jpg", 80, 60)
    coloured, shown, report = sure.colorize_with_confidence(source.read_bytes())
    sure.colorize_file(source, tmp_path / "new.jpg", confidence=tmp_path / "sure.png")
    assert coloured == (tmp_path / "new.jpg").read_bytes()
    assert shown == (tmp_path / "sure.png").read_bytes()
    assert report.confidence is not None


def test_confidence_of_turned_and_many_pages(sure: Colorizer, tmp_path: Path) -> None:
    turned, exif = Image.fromarray(grey_pixels(40, 90)), Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    pages = [Image.fromarray(grey_pixels(30, 50 + 10 * n, seed=n)) for n in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    for name, size in (("turned.jpg", (90, 40)), ("pages.tif", (30, 50))):
        beside = tmp_path / f"{name}.png"
        _, report = sure.colorize_file(tmp_path / name, tmp_path / f"new-{name}", confidence=beside)
        assert read_image(beside).size == size
    assert "The confidence is that of the first of 3 pages." in report.notes


def test_a_large_confidence_picture_comes_in_bands(sure: Colorizer) -> None:
    grid = np.random.default_rng(0).random((1, 9, 12)).astype(np.float32)
    whole = Upsampled(grid, (700, 900)).rows(0, 700)[0]
    content = encode_confidence(Upsampled(grid, (700, 900)), sure.mark)
    shown = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(shown, np.rint(whole.clip(0, 1) * 255))
    assert whole.max() > 1  # overshoot, which is clipped


def test_confidence_that_cannot_be_had(
    sure: Colorizer, colorizer: Colorizer, write_grey: GreyWriter, tmp_path: Path
) -> None:
    source, target = write_grey(tmp_path / "old.png"), tmp_path / "new.png"
    with pytest.raises(UsageError, match="does not say how sure it is"):
        colorizer.colorize_file(source, target, confidence=tmp_path / "sure.png")
    with pytest.raises(UsageError, match=r"should end in \.png"):
        sure.colorize_file(source, target, confidence=tmp_path / "sure.jpg")
    for taken in (source, target):
        with pytest.raises(UsageError, match="a name of its own"):
            sure.colorize_file(source, target, confidence=taken)
    with pytest.raises(UnwritableImage, match=r"sure\.png cannot be written"):
        sure.colorize_file(source, target, confidence=tmp_path / "none/sure.png")
    assert colorizer.gives_confidence is False
