"""The bench: who is measured, how pictures are read, that runs resume and repeat, its command."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tintype.cli import main
from tintype.color import luma, rgb_to_lab
from tintype.engine import Colorizer
from tintype.errors import ModelInvalid, UnreadableImage, UsageError
from tintype.evaluation import benchmark, contestants
from tintype.evaluation.benchmark import Bench, Order, read_truth
from tintype.evaluation.contestants import (
    Model,
    contestants_of,
    grey_of,
    paint_grey,
    paint_truth,
)
from tintype.evaluation.deep import SqueezeDistance
from tintype.evaluation.metrics import psnr
from tintype.evaluation.results import read_results
from tintype.evaluation.run import Run
from tintype.options import Options

pytest.importorskip("skimage")


def photograph(seed: int, height: int = 60, width: int = 80) -> np.ndarray:
    """Smooth shapes in strong colours, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of five photographs, one of them cut short, and a text."""
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    for seed in range(4):
        Image.fromarray(photograph(seed)).save(folder / "deep" / f"p{seed}.png")
    whole = (folder / "deep" / "p0.png").read_bytes()
    (folder / "broken.png").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no picture")
    return folder


def order_of(photographs: Path, *models: str, **changes: object) -> Order:
    return Order(**{"data": photographs, "models": models, "size": 64, "timed": False} | changes)


def measured(order: Order, state: Path) -> Bench:
    bench = Bench(order, state)
    for _ in bench.measure():
        pass
    return bench


def test_grey_is_the_engine_at_strength_zero(tiny_model) -> None:
    truth = photograph(1)
    expected = Colorizer.load(tiny_model).colorize(truth, Options(strength=0, force=True))
    assert np.abs(paint_grey(truth, truth).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("shape", [(64, 64), (61, 83)])
def test_the_oracle_is_far_better_than_anything_predicted(shape) -> None:
    truth = photograph(2, *shape)
    assert psnr(paint_truth(truth, truth), truth) > 32
    assert psnr(paint_grey(truth, truth), truth) < 20


def test_a_model_is_what_the_engine_gives(tiny_model) -> None:
    truth = photograph(3, 64, 64)
    model = Model(str(tiny_model), 0.5, 64, threads=1)
    expected = Colorizer.load(tiny_model).colorize(
        truth, Options(strength=0.5, working_size=64, force=True)
    )
    assert (model.colour(truth, truth) == expected).all()
    assert (model.label, model.families) == ("tiny.onnx@0.5", None)


def test_greys_are_what_they_are_called() -> None:
    truth = photograph(4)
    assert grey_of(truth, "lightness") is truth
    grey = grey_of(truth, "luma709")
    assert (grey == grey[..., :1]).all()
    assert np.abs(grey[..., 0] - luma(truth.astype(float), "bt709")).max() <= 0.5
    assert (grey_of(truth, "luma601") != grey).any()


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (("grey", "grey"), "once"),
        ((), "none at all"),
        (("tintype@loud",), "must be a number"),
        (("tintype@7",), "strength must be"),
    ],
)
def test_contestants_that_make_no_sense_are_refused(models, message) -> None:
    with pytest.raises(UsageError, match=message):
        contestants_of(models, 64, 1)


def test_graphs_of_one_name_are_told_apart_by_their_folders(tiny_model, tmp_path) -> None:
    names = []
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        shutil.copy(tiny_model, tmp_path / run / "best.onnx")
        names.append(str(tmp_path / run / "best.onnx"))
    found = contestants_of(tuple(names), 64, 1)
    assert [each.label for each in found] == ["first/best.onnx", "second/best.onnx"]
    with pytest.raises(UsageError, match="once"):
        contestants_of((names[0], names[0]), 64, 1)


def test_figures_add_up(photographs, tiny_model, tmp_path) -> None:
    bench = measured(order_of(photographs, "grey", "oracle", str(tiny_model)), tmp_path / "state")
    grey, oracle, tiny = bench.rows("")
    assert [entry.name for entry in bench.entries] == [f"deep/p{i}.png" for i in range(4)]
    assert [left.name for left in bench.left_out] == ["broken.png"]
    assert grey.figures["colourfulness"].value < 1 < oracle.figures["colourfulness"].value
    assert bench.true_figures["colourfulness"] == pytest.approx(
        oracle.figures["colourfulness"].value - oracle.figures["colourfulness_gap"].value
    )
    for row in (grey, oracle, tiny):
        for key, figure in row.figures.items():
            assert figure.low <= figure.value <= figure.high, key
            if key in row.values:
                assert np.mean(row.values[key]) == pytest.approx(figure.value)
        area = 100 * np.trapezoid(row.curve, np.arange(151)) / 150
        assert area == pytest.approx(row.figures["auc"].value)
        area = 100 * np.trapezoid(row.curve_rebalanced, np.arange(151)) / 150
        assert area == pytest.approx(row.figures["auc_rebalanced"].value)
    assert (grey.seen, tiny.seen) == (False, None)


def test_one_figure_by_hand(photographs, tmp_path) -> None:
    bench = measured(order_of(photographs, "grey", limit=2), tmp_path / "state")
    # The first file is the broken one: limit counts files, not luck.
    truth = read_truth("p0", (photographs / "deep" / "p0.png").read_bytes(), 64)
    L = rgb_to_lab(truth / 255.0)
    result = paint_grey(truth, truth)
    row = bench.rows("")[0]
    assert row.values["psnr"] == (pytest.approx(psnr(result, truth)),)
    assert row.values["mae_ab"][0] == pytest.approx(np.abs(L[..., 1:]).mean(), abs=0.02)


def test_threads_and_repetition_change_nothing(photographs, tiny_model, tmp_path) -> None:
    runs = [
        measured(order_of(photographs, str(tiny_model), threads=threads), tmp_path / str(number))
        for number, threads in enumerate((1, 2, 2))
    ]
    rows = [bench.rows("") for bench in runs]
    assert rows[0] == rows[1] == rows[2]


def test_an_interrupted_run_goes_on(photographs, tiny_model, tmp_path, monkeypatch) -> None:
    order, state = order_of(photographs, str(tiny_model), threads=1), tmp_path / "state"
    whole = measured(order, tmp_path / "other").rows("")
    steps = Bench(order, state).measure()
    for _ in range(3):
        next(steps)
    steps.close()
    calls = []
    score = benchmark.score
    monkeypatch.setattr(benchmark, "score", lambda *args: calls.append(1) or score(*args))
    again = measured(order, state)
    assert len(calls) <= 2
    assert again.rows("") == whole
    again.finish()
    assert not state.exists()


def test_what_was_measured_otherwise_is_not_taken_up(photographs, tiny_model, tmp_path) -> None:
    first = measured(order_of(photographs, str(tiny_model)), tmp_path / "state")
    other = measured(order_of(photographs, str(tiny_model), grey="luma601"), tmp_path / "state")
    assert first.rows("") != other.rows("")
    for path in (tmp_path / "state").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert measured(order_of(photographs, str(tiny_model)), tmp_path / "state").rows("") == (
        first.rows("")
    )


def test_sets_in_tar_files_and_sets_that_are_none(photographs, tmp_path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(photographs, "x")
    bench = measured(order_of(tmp_path / "set.tar", "grey", size=None), tmp_path / "state")
    assert len(bench.entries) == 4
    (tmp_path / "none.tar").write_bytes(b"no tar")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"no picture")
    for name, message in (
        ("none.tar", "Cannot read"),
        ("missing", "Cannot read"),
        ("empty", "no picture"),
        ("bad", "a.jpg is truncated"),
    ):
        with pytest.raises(UsageError, match=message):
            measured(order_of(tmp_path / name, "grey"), tmp_path / "state")


def test_true_pictures_are_upright_and_refused_in_one_sentence(monkeypatch) -> None:
    image = Image.fromarray(photograph(5, 40, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=exif)
    assert read_truth("a", stream.getvalue(), None).shape == (60, 40, 3)
    assert read_truth("a", stream.getvalue(), 48).shape == (48, 48, 3)
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "PNG")
    with pytest.raises(UnreadableImage, match="smaller"):
        read_truth("a", small.getvalue(), None)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        read_truth("a", stream.getvalue(), 48)


def test_the_command_writes_the_report(
    photographs, tiny_model, tmp_path, capsys, monkeypatch
) -> None:
    out = tmp_path / "out"
    arguments = ["evaluate", "--data", str(photographs), "--size", "64", "--family", "ImageNet"]
    line = [*arguments, "--models", f"grey,oracle,{tiny_model}", "-o", str(out)]
    monkeypatch.setattr("sys.argv", ["tintype", *line])
    code = main(line)
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "broken.png is truncated" in told.err
    names = {"results.json", "results.csv", "results.md", "report.html"}
    assert {path.name for path in out.iterdir()} == names
    assert {Path(line).name for line in told.out.splitlines()} == names
    results = read_results(out / "results.json")
    assert results.protocol.pictures == 4
    assert results.protocol.set_name == "set"
    assert str(tmp_path) not in (out / "results.json").read_text()
    told = results.protocol.command
    assert f"--models grey,oracle,{tiny_model.name} " in f"{told} "
    assert results.rows[2].timing is not None
    assert set(results.missing) == {"FID", "LPIPS", "SqueezeNet-feature distance"}
    assert "data:image/jpeg;base64," in (out / "report.html").read_text()


def test_feature_distances_are_measured_beside(photographs, random_squeezenet, tmp_path) -> None:
    pytest.importorskip("torch")
    bench = Bench(order_of(photographs, "grey", "oracle"), tmp_path / "state")
    run = Run(bench, features=random_squeezenet)
    stages = {progress.stage for progress in run.measure()}
    assert "feature distances" in stages
    assert run.results is not None
    grey, oracle = run.results.rows
    assert 0 < oracle.figures["squeeze_distance"].value < grey.figures["squeeze_distance"].value
    truth = read_truth("p2", (photographs / "deep" / "p2.png").read_bytes(), 64)
    expected = SqueezeDistance(random_squeezenet).add(paint_grey(truth, truth), truth)
    assert grey.values["squeeze_distance"][2] == pytest.approx(expected, abs=1e-5)
    assert "squeeze_distance" in [metric.key for metric in run.results.metrics]


def test_the_command_writes_a_blind_test(photographs, tiny_model, tmp_path) -> None:
    out = tmp_path / "out"
    arguments = ["evaluate", "--blind", "--pairs", "2", "--size", "64", "--data", str(photographs)]
    assert main([*arguments, "--models", str(tiny_model), "-o", str(out)]) == 0
    page = (out / "blind.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4
    assert main([*arguments, "--models", "grey,oracle", "-o", str(out)]) == 2
    assert main([*arguments, "--models", ",", "-o", str(out)]) == 2


@pytest.mark.parametrize(
    "wrong",
    [["--size", "12"], ["--size", "big"], ["--grey", "blue"], ["--limit", "0"], ["--models", ","]],
)
def test_the_command_refuses_nonsense(wrong, photographs, tmp_path, capsys) -> None:
    code = main(["evaluate", "--data", str(photographs), "-o", str(tmp_path / "out"), *wrong])
    assert code == 2
    assert "Traceback" not in capsys.readouterr().err
    (tmp_path / "file").write_text("mine")
    code = main(["evaluate", "--data", str(photographs), "-o", str(tmp_path / "file")])
    assert code == 2
    assert (tmp_path / "file").read_text() == "mine"


def test_a_model_that_fails_is_blamed_and_not_the_picture(
    photographs, tmp_path, monkeypatch
) -> None:
    def fail(given: np.ndarray, truth: np.ndarray) -> np.ndarray:
        raise ModelInvalid("x.onnx answers with ab that are not finite numbers.")

    bench = Bench(order_of(photographs, "grey"), tmp_path / "state")
    bench.contestants = (contestants.Reference("grey", fail, 0.0),)
    with pytest.raises(ModelInvalid, match=r"finite numbers, at the picture deep/p\d.png"):
        list(bench.measure())


def test_hostile_names_and_names_twice(photographs, tmp_path) -> None:
    content = (photographs / "deep" / "p0.png").read_bytes()
    names = ["twice.png", "twice.png", "=1+1.png", "<script>.png", "\udcff.png", "line\nbreak.png"]
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for number, name in enumerate(names):
            member = tarfile.TarInfo(name)
            data = b"junk" if number == 1 else content
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    arguments = [
        "evaluate",
        "--models",
        "grey",
        "--data",
        str(tmp_path / "set.tar"),
        "--size",
        "64",
    ]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    results = read_results(tmp_path / "out" / "results.json")
    assert len(results.names) == 5
    assert [left.name for left in results.protocol.left_out] == ["twice.png"]


def test_grey_of_sixteen_bits_is_left_out_not_cut_off() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((40, 40), 40000, np.uint16)).save(stream, "PNG")
    with pytest.raises(UnreadableImage, match="more than 8 bits"):
        read_truth("deep", stream.getvalue(), 64)


@pytest.mark.parametrize(
    ("families", "family", "seen"),
    [(("ImageNet",), "imagenet", True), (("COCO",), "ImageNet", False), (("COCO",), "", None)],
)
def test_who_has_seen_a_set(families, family, seen) -> None:
    model = contestants.Reference("model", paint_grey, 1.0, families=families)
    assert benchmark._has_seen(model, family) is seen
    assert benchmark._has_seen(contestants.GREY, "") is False


def test_two_runs_of_one_folder_keep_out_of_each_others_way(photographs, tmp_path) -> None:
    first = measured(order_of(photographs, "grey"), tmp_path / "state")
    other = measured(order_of(photographs, "oracle"), tmp_path / "state")
    first.finish()
    assert len(list((tmp_path / "state").iterdir())) == 1
    other.finish()
    other.finish()
    assert not (tmp_path / "state").exists()


def test_an_empty_state_is_as_good_as_none(photographs, tmp_path) -> None:
    first = measured(order_of(photographs, "grey"), tmp_path / "state").rows("")
    for path in (tmp_path / "state").iterdir():
        path.write_bytes(b"")
    assert measured(order_of(photographs, "grey"), tmp_path / "state").rows("") == first


def test_every_grey_has_its_name() -> None:
    assert contestants.GREYS == ("lightness", "luma601", "luma709")
