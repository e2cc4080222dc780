"""What a training run leaves to be looked at: CSV files, TensorBoard's, pictures and the page."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import (  # noqa: E402
    EventAccumulator,
)

from report_samples import Page  # noqa: E402
from tintype.errors import MissingExtra  # noqa: E402
from tintype.evaluation.report.svg import LogScale  # noqa: E402
from tintype.training import records  # noqa: E402
from tintype.training.config import Data, Phase, Recipe  # noqa: E402
from tintype.training.logbook import Logbook  # noqa: E402
from tintype.training.plan import read_plan  # noqa: E402
from tintype.training.records import read_rows  # noqa: E402
from tintype.training.run_charts import POINTS, smoothed, thinned  # noqa: E402
from tintype.training.run_page import page_of  # noqa: E402
from tintype.training.strips import strips_in  # noqa: E402
from tintype.training.validation import Validation  # noqa: E402

HOSTILE = '../a b#%</script>&"ü'
RECIPE = Recipe(
    architecture="tintype",
    data=Data(("train.tar",), {"objects": "val.tar", HOSTILE: "val.tar"}),
    phases=(Phase(8, 32, (32, 32), pictures=48),),
    seed=1234567,
    patience=3,
)


def new_logbook(run: Path, seen: int = 0) -> Logbook:
    return Logbook(run, seen, RECIPE, total=48, epoch=20)


def pictures(count: int = 8, side: int = 40) -> np.ndarray:
    """Squares of one colour each, as far apart as can be."""
    hues = np.random.default_rng(0).permutation(count)
    colours = np.stack([40 + 20 * hues, 200 - 15 * hues, 128 + 0 * hues], -1)
    return np.broadcast_to(np.uint8(colours)[:, None, None], (count, side, side, 3)).copy()


def found(seen: int, count: int = 8) -> Validation:
    figures: list[dict[str, object]] = [
        {
            "head": head,
            "gain_db": gain + seen / 16,
            "psnr_db": 20 + gain,
            "colourfulness": 12.0,
            "ssim_of_first": 0.9,
            "another_figure": 1.5,
        }
        for head, gain in (("ab", 0.5), ("classes", -0.25))
    ]
    return Validation(figures, pictures(count) // 2)


def record(logbook: Logbook, seen: int) -> None:
    """A step of two players and a validation."""
    value = torch.tensor(1 / seen)
    logbook.log(seen, "generator", {"loss": value, "l1": 2 * value})
    logbook.log(seen, "discriminator", {"loss": value})
    logbook.validated(seen, "objects", found(seen), pictures(10))
    logbook.validated(seen, HOSTILE, found(seen, 3), pictures(3))
    logbook.draw()


def events_of(run: Path) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return events


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three validations."""
    folder = tmp_path / "a run"
    folder.mkdir()
    logbook = new_logbook(folder)
    for seen in (16, 32, 48):
        record(logbook, seen)
    return folder


def test_what_is_recorded_can_be_read(run: Path) -> None:
    rows = read_rows(run / "log.csv")
    assert [(row["pictures"], row["player"], row["term"]) for row in rows[:3]] == [
        ("16", "generator", "loss"),
        ("16", "generator", "l1"),
        ("16", "discriminator", "loss"),
    ]
    assert [float(row["value"]) for row in rows[:2]] == [0.0625, 0.125]
    assert len(rows) == 9
    rows = read_rows(run / "validation.csv")
    assert len(rows) == 12
    assert {row["set"] for row in rows} == {"objects", HOSTILE}
    assert rows[1]["gain_db"] == "0.75"
    assert read_rows(run / "nothing.csv") == []


def test_the_loss_is_what_is_shown(tmp_path: Path) -> None:
    assert new_logbook(tmp_path).log(8, "model", {"loss": torch.tensor(1.23456)}) == "1.235"


def test_resuming_takes_back_what_came_after_the_checkpoint(run: Path) -> None:
    logbook = new_logbook(run, 32)
    for name in ("log.csv", "validation.csv"):
        assert {row["pictures"] for row in read_rows(run / name)} == {"16", "32"}
    strips = strips_in(run)
    assert [list(each.moments) for each in strips.values()] == [[16, 32], [16, 32]]
    record(logbook, 40)
    assert [row["pictures"] for row in read_rows(run / "log.csv")[-3:]] == ["40", "40", "40"]
    assert list(strips_in(run)["objects"].moments) == [16, 32, 40]
    plan = read_plan(run)
    assert plan is not None
    assert len(plan.starts_s) == 2
    new_logbook(run)
    assert not read_rows(run / "log.csv")
    assert not strips_in(run)
    plan = read_plan(run)
    assert plan is not None
    assert len(plan.starts_s) == 1


def test_a_start_that_is_scored_again_counts_once(tmp_path: Path) -> None:
    for _ in range(2):
        logbook = new_logbook(tmp_path)
        logbook.validated(0, "objects", found(0), pictures())
        logbook.draw()
    assert len(read_rows(tmp_path / "validation.csv")) == 2
    assert [event.step for event in events_of(tmp_path).Scalars("gain_db/objects/ab")] == [0]
    assert "0 of 48 pictures seen; 0.50\N{NO-BREAK SPACE}dB above grey at the last validation." in (
        Page(page_of(tmp_path)).text
    )


def test_a_kill_at_any_byte_spoils_no_row(run: Path) -> None:
    whole = read_rows(run / "log.csv")
    content = (run / "log.csv").read_bytes()
    path = run / "cut.csv"
    more = {**whole[0], "pictures": "40"}
    for end in range(len(content)):
        path.write_bytes(content[:end])
        left = read_rows(path)
        assert left == whole[: len(left)]
        assert len(left) >= content[:end].count(b"\n") - 1
        records.keep_until(path, 48)
        records.append_rows(path, [more])
        assert read_rows(path) == [*left, more]


@pytest.mark.parametrize(
    "spoilt",
    [
        b"16,1.0,model,lo16,1.0,model,loss,3\r\n",
        b"\0\0\0\0\r\n",
        b"x,1.0,model,loss,3\r\n",
        b"\xff",
    ],
)
def test_what_is_no_row_is_dropped(tmp_path: Path, spoilt: bytes) -> None:
    path = tmp_path / "log.csv"
    good = {"pictures": 8, "time_s": 1.5, "player": "model", "term": "loss", "value": 2.5}
    records.append_rows(path, [good])
    with path.open("ab") as file:
        file.write(spoilt)
    records.keep_until(path, 8)
    records.append_rows(path, [good])
    assert read_rows(path) == [{key: str(value) for key, value in good.items()}] * 2


def test_strips_hold_the_first_pictures(run: Path) -> None:
    strips = strips_in(run)
    assert {name: each.pictures for name, each in strips.items()} == {"objects": 8, HOSTILE: 3}
    folder = run / "pictures"
    truth = np.asarray(Image.open(folder / strips["objects"].truth)).astype(int)
    assert truth.shape == (40, 320, 3)
    middles = truth[20, 20::40]
    assert np.abs(middles - pictures(10)[:8, 0, 0]).max() < 12
    grey = np.asarray(Image.open(folder / strips["objects"].grey)).astype(int)
    assert (grey.max(-1) - grey.min(-1)).max() <= 3
    predicted = np.asarray(Image.open(folder / strips["objects"].moments[32])).astype(int)
    assert np.abs(predicted[20, 20::40] - pictures()[:, 0, 0] // 2).max() < 12


def test_large_pictures_are_made_small(tmp_path: Path) -> None:
    logbook = new_logbook(tmp_path)
    large = Validation(found(8).figures, pictures(8, 256))
    logbook.validated(8, "objects", large, pictures(8, 256))
    for path in (tmp_path / "pictures").iterdir():
        with Image.open(path) as image:
            assert image.size == (1280, 160)


def test_page_asks_for_nothing_but_its_own_pictures(run: Path) -> None:
    source = (run / "index.html").read_text(encoding="utf-8")
    page = Page(source)
    addresses = {*page.values("src"), *page.values("href")}
    pictures_asked = {each for each in addresses if not each.startswith("#")}
    strips = list((run / "pictures").iterdir())
    assert {run / unquote(each) for each in pictures_asked} == set(strips)
    assert len(strips) == 10
    assert "://" not in source
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name == "style" or name.startswith("on")]
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src 'self' file:; base-uri 'none'")
    for tag in ("style", "script"):
        inline = re.findall(f"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
        assert len(inline) == 1
        digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not list(run.rglob("*.part"))


def test_page_holds_every_term_and_set(run: Path) -> None:
    page = Page((run / "index.html").read_text(encoding="utf-8"))
    described = page.values("aria-label")
    for term in ("generator: loss", "generator: l1", "discriminator: loss"):
        assert any(f"Loss of {term}," in each for each in described)
    for words in ("objects", f"{HOSTILE}, classes", "generator", "discriminator", "another_figure"):
        assert words in page.text
    assert "48 of 48" in page.text
    assert "2.40 of 2.40, of 20 pictures each" in page.text
    assert "3, 0 since the best; it stops after 3 without a better one" in page.text
    verdict = "48 pictures seen; 3.50\N{NO-BREAK SPACE}dB above grey at the last validation"
    assert f"{verdict}, the best so far." in page.text
    assert "1234567" in page.text
    assert "validation: {objects: val.tar" in "".join(page.text)
    assert "epochs" in page.text  # the run sees each picture more than twice


def test_page_says_when_a_run_has_stopped_early(tmp_path: Path) -> None:
    logbook = new_logbook(tmp_path)
    for seen in (4, 8, 12, 16):
        worse = found(-seen).figures
        logbook.validated(seen, "objects", Validation(worse, pictures()), pictures())
        logbook.log(seen, "model", {"loss": torch.tensor(1.0)})
    page = Page(page_of(tmp_path))
    verdict = next(each for each in page.text if "at the last validation" in each)
    assert verdict.startswith("Stopped early: 16 of 48 pictures seen; 0.50")
    assert "0.25" in verdict
    assert verdict.endswith("at the best one, after 4.")


def test_pace_leaves_out_the_time_between_two_starts(tmp_path: Path) -> None:
    new_logbook(tmp_path)
    plan = json.loads((tmp_path / "run.json").read_text())
    plan |= {"starts_s": [1000.0, 90000.0], "total": 400}
    (tmp_path / "run.json").write_text(json.dumps(plan))
    times = {8: 1010.0, 16: 1120.0, 24: 90010.0, 64: 90020.0}
    same = {"player": "model", "term": "loss", "value": 1.0}
    rows = [{"pictures": seen, "time_s": at, **same} for seen, at in times.items()]
    records.append_rows(tmp_path / "log.csv", rows)
    pace = next(each for each in Page(page_of(tmp_path)).text if "in training" in each)
    assert "4 pictures a second · 2 min in training · about 84 s to go" in pace


def test_slider_knows_every_moment(run: Path) -> None:
    source = (run / "index.html").read_text(encoding="utf-8")
    block = re.search(r'id="moments">(.*?)</script>', source)
    assert block
    moments = json.loads(block[1])
    assert [len(each) for each in (moments["said"], *moments["frames"])] == [3, 3, 3]
    assert moments["said"][0] == f"16 pictures seen: objects +1.50 dB, {HOSTILE} +1.50 dB"
    for address in itertools.chain(*moments["frames"]):
        assert (run / unquote(address)).exists()
    page = Page(source)
    assert ("input", "max", "2") in page.attributes
    assert [
        value for tag, name, value in page.attributes if (tag, name) == ("button", "value")
    ] == [
        *("0", "1", "2"),
    ] * 2


def test_page_survives_its_folder_being_moved(run: Path) -> None:
    before = Page((run / "index.html").read_text(encoding="utf-8"))
    assert str(run.parent) not in (run / "index.html").read_text(encoding="utf-8")
    moved = run.rename(run.with_name("elsewhere"))
    assert Page(page_of(moved)).values("src") == before.values("src")


def test_page_is_drawn_from_what_there_is(tmp_path: Path) -> None:
    assert "0 pictures seen; no validation yet." in Page(page_of(tmp_path)).text
    (tmp_path / "run.json").write_text("{")
    logbook_rows = {"time_s": 5.0, "player": "model", "term": "loss"}
    records.append_rows(tmp_path / "log.csv", [{"pictures": 8, **logbook_rows, "value": "nan"}])
    Page(page_of(tmp_path))
    records.append_rows(tmp_path / "log.csv", [{"pictures": 16, **logbook_rows, "value": 0.5}])
    assert "now 0.5" in Page(page_of(tmp_path)).text


def test_a_long_run_stays_small(run: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"pictures": 960 * i, "time_s": 9.0 * i, "player": "model", "term": term, "value": value}
        for i in range(1, 3001)
        for term, value in (("loss", rng.normal()), ("regression", 100 * rng.random()))
    ]
    (run / "log.csv").unlink()
    records.append_rows(run / "log.csv", rows)
    source = page_of(run)
    assert len(source) < 100_000
    curves = re.findall(r'<path class="curve[^"]*" d="([^"]*)"', source)
    assert max(curve.count("L") for curve in curves) < POINTS
    assert max(curve.count("L") for curve in curves) > POINTS / 2


def test_thinning_keeps_the_ends_and_what_sticks_out() -> None:
    seen = np.arange(1.0, 5001)
    values = np.random.default_rng(0).normal(size=5000)
    values[[700, 4321]] = 50, -50
    across, upwards = thinned(seen, values)
    assert len(across) <= POINTS
    assert (np.diff(across) > 0).all()
    assert (upwards.min(), upwards.max()) == (-50, 50)
    assert (across[0], across[-1]) == (1, 5000)
    few = seen[:POINTS], values[:POINTS]
    assert all((a == b).all() for a, b in zip(thinned(*few), few, strict=True))


def test_smoothing_follows_the_curve_and_calms_it() -> None:
    rng = np.random.default_rng(0)
    seen = np.arange(1.0, 3001) * 960
    values = np.log(seen) + rng.normal(size=3000)
    at, means = smoothed(seen, values)
    assert len(at) <= POINTS
    assert at[-1] == seen[-1]
    late = at > seen[300]
    assert np.abs(means - np.log(at))[late].max() < 0.5
    for count in (1, 2, 3):
        at, means = smoothed(seen[:count], values[:count])
        assert means == pytest.approx(values[:count])


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (960, 1920, ["960", "1,920"]),
        (960, 50_016, ["1,000", "2,000", "5,000", "10,000", "20,000", "50,000"]),
        (100, 300, ["100", "200", "300"]),
        (960, 3_000_000, ["1,000", "10,000", "100,000", "1,000,000"]),
        (64, 64, ["50", "100"]),
    ],
)
def test_logarithmic_ticks_are_round_and_have_room(low: int, high: int, words: list[str]) -> None:
    scale = LogScale.around([high, low], 44, 410)
    ticks = scale.ticks()
    assert [each for _, each in ticks] == words
    assert all(44 <= place <= 410 for place, _ in ticks)
    assert scale(scale.low) == pytest.approx(44)
    assert scale(scale.high) == pytest.approx(410)


def test_tensorboard_reads_it_back(run: Path) -> None:
    events = events_of(run)
    losses = events.Scalars("generator/l1")
    assert [(event.step, event.value) for event in losses] == [
        (seen, pytest.approx(2 / seen, abs=1e-5)) for seen in (16, 32, 48)
    ]
    assert [event.value for event in events.Scalars("gain_db/objects/ab")] == [1.5, 2.5, 3.5]
    shown = events.Images("objects/predicted")
    assert [(image.step, image.width, image.height) for image in shown] == [
        (seen, 160, 20) for seen in (16, 32, 48)
    ]
    assert [image.step for image in events.Images("objects/truth")] == [16]

    logbook = new_logbook(run, 32)
    logbook.log(40, "generator", {"loss": torch.tensor(0.5), "l1": torch.tensor(7.0)})
    logbook.draw()
    events = events_of(run)
    assert [event.step for event in events.Scalars("generator/l1")] == [16, 32, 40]
    assert [image.step for image in events.Images("objects/predicted")] == [16, 32]


def test_without_tensorboard_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtra, match=r"tintype\[train\]"):
        new_logbook(tmp_path)
