"""A run over many pictures: what is current is left, all else is done, a bad one hurts none."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from conftest import GreyWriter, build_tiny_graph
from tintype.batch import Batch, Outcome, share_cores
from tintype.batch.manifest import MANIFEST_NAME
from tintype.batch.plan import Plan, make_plan, plan_for_pipe
from tintype.engine import Colorizer
from tintype.images import read_image
from tintype.options import Hint, Options
from tintype.runtime import available_cores


@pytest.fixture
def scans(tmp_path: Path, write_grey: GreyWriter) -> Path:
    for index, name in enumerate(("a.jpg", "b.png", "1920/c.tif", "1920/d.webp")):
        write_grey(tmp_path / "scans" / name, seed=index)
    return tmp_path / "scans"


class Runs:
    """Runs over one folder, one after the other."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self.colorizer = Colorizer.load(str(model), threads=1)

    def __call__(
        self, plan: Plan | Path, overwrite: bool = False, jobs: int = 2, **options: object
    ) -> dict[str, Outcome]:
        plan = make_plan([str(plan)]) if isinstance(plan, Path) else plan
        chosen = Options(model=str(self.model), **options)
        batch = Batch(self.colorizer, chosen, overwrite=overwrite)
        return {outcome.task.label: outcome for outcome in batch.run(plan.tasks, jobs)}


@pytest.fixture
def run(tiny_model: Path) -> Runs:
    return Runs(tiny_model)


def statuses(outcomes: dict[str, Outcome]) -> dict[str, int]:
    return dict(Counter(outcome.status for outcome in outcomes.values()))


def is_coloured(path: Path) -> bool:
    rgb = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return bool(np.ptp(rgb, axis=-1).mean() > 5)


def test_folder_is_colorized_and_then_current(scans: Path, run: Runs) -> None:
    first = run(scans)
    assert statuses(first) == {"done": 4}
    for outcome in first.values():
        assert outcome.report is not None
        assert is_coloured(outcome.task.target)
    before = {path: path.stat().st_mtime_ns for path in scans.rglob("*-color.*")}
    assert len(before) == 4
    assert statuses(run(scans)) == {"current": 4}
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_changed_picture_is_done_again(scans: Path, run: Runs, write_grey: GreyWriter) -> None:
    run(scans)
    old = (scans / "b.png").stat()
    write_grey(scans / "b.png", seed=9)
    os.utime(scans / "b.png", ns=(old.st_atime_ns, old.st_mtime_ns))
    again = run(scans)
    assert statuses(again) == {"current": 3, "done": 1}
    assert again[str(scans / "b.png")].status == "done"


def test_touched_or_replaced_by_the_same_is_current(scans: Path, run: Runs) -> None:
    run(scans)
    shutil.copy(scans / "b.png", scans / "copy")
    (scans / "copy").replace(scans / "b.png")
    lines = (scans / MANIFEST_NAME).read_bytes().count(b"\n")
    assert statuses(run(scans)) == {"current": 4}
    # The new time is noted, so that the next run need not read the picture again.
    assert (scans / MANIFEST_NAME).read_bytes().count(b"\n") == lines + 1
    assert statuses(run(scans)) == {"current": 4}
    assert (scans / MANIFEST_NAME).read_bytes().count(b"\n") == lines + 1


def test_missing_result_is_made_again(scans: Path, run: Runs) -> None:
    run(scans)
    (scans / "a-color.jpg").unlink()
    assert statuses(run(scans)) == {"current": 3, "done": 1}


def test_a_result_that_a_power_cut_left_empty_is_made_again(scans: Path, run: Runs) -> None:
    run(scans)
    (scans / "a-color.jpg").write_bytes(b"")
    assert statuses(run(scans)) == {"current": 3, "done": 1}
    assert read_image(scans / "a-color.jpg").tintype_mark


def test_another_reference_under_the_same_name_makes_results_again(
    scans: Path, run: Runs, tmp_path: Path, write_colour: GreyWriter
) -> None:
    lent = write_colour(tmp_path / "lent.png")
    assert statuses(run(scans, references=(str(lent),))) == {"done": 4}
    assert statuses(run(scans, references=(str(lent),))) == {"current": 4}
    write_colour(lent, height=40)
    assert statuses(run(scans, references=(str(lent),))) == {"done": 4}


def test_other_options_make_results_again_but_batch_size_does_not(scans: Path, run: Runs) -> None:
    run(scans)
    assert statuses(run(scans, batch_size=2)) == {"current": 4}
    assert statuses(run(scans, strength=0.5)) == {"done": 4}
    assert statuses(run(scans, strength=0.5)) == {"current": 4}
    assert statuses(run(scans, overwrite=True, strength=0.5)) == {"done": 4}


def test_force_makes_only_what_was_left_out(
    scans: Path, run: Runs, write_colour: GreyWriter
) -> None:
    write_colour(scans / "painted.jpg", height=40)
    assert statuses(run(scans)) == {"done": 4, "skipped": 1}
    assert statuses(run(scans, force=True)) == {"done": 1, "current": 4}
    assert statuses(run(scans)) == {"current": 5}


def test_hints_count_as_options(scans: Path, tiny_guided_model: Path) -> None:
    run = Runs(tiny_guided_model)
    hint = Hint(3, 4, "#ff0000", 5)
    assert statuses(run(scans, hints=(hint,))) == {"done": 4}
    assert statuses(run(scans, hints=(hint,))) == {"current": 4}
    assert statuses(run(scans, hints=(dataclasses.replace(hint, x=4),))) == {"done": 4}


def test_other_weights_of_the_same_name_make_results_again(
    scans: Path, tmp_path: Path, run: Runs
) -> None:
    run(scans)
    graph = build_tiny_graph()
    graph.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(np.float32([[[[0.1]], [[0.2]]]]), "slope")
    )
    onnx.save(graph, tmp_path / "tiny.onnx")
    assert statuses(Runs(tmp_path / "tiny.onnx")(scans)) == {"done": 4}


def test_file_of_somebody_else_is_left_alone(scans: Path, run: Runs) -> None:
    shutil.copy(scans / "a.jpg", scans / "b-color.png")
    content = (scans / "b-color.png").read_bytes()
    (scans / "1920/c-color.tif").mkdir()
    outcomes = run(scans)
    assert statuses(outcomes) == {"done": 2, "failed": 2}
    for name in ("b.png", "1920/c.tif"):
        assert "is not known to be an untouched result" in outcomes[str(scans / name)].message
    assert (scans / "b-color.png").read_bytes() == content
    (scans / "1920/c-color.tif").rmdir()
    assert statuses(run(scans, overwrite=True)) == {"done": 4}


def test_retouched_result_is_left_alone(scans: Path, run: Runs) -> None:
    run(scans)
    with (scans / "a-color.jpg").open("ab") as stream:
        stream.write(b"retouched")
    assert statuses(run(scans)) == {"current": 4}
    assert statuses(run(scans, strength=0.5)) == {"done": 3, "failed": 1}
    assert (scans / "a-color.jpg").read_bytes().endswith(b"retouched")


def test_marked_result_without_a_record_is_made_again(scans: Path, run: Runs) -> None:
    run(scans)
    (scans / MANIFEST_NAME).unlink()
    outcomes = run(scans)
    assert statuses(outcomes) == {"done": 2, "current": 2}


def test_work_that_no_run_recorded_is_left_alone(scans: Path, run: Runs, tiny_model: Path) -> None:
    by_hand = Colorizer.load(tiny_model, device="cpu")
    by_hand.colorize_file(scans / "a.jpg", scans / "a-color.jpg", Options(strength=1.5))
    content = (scans / "a-color.jpg").read_bytes()
    outcomes = run(scans)
    assert statuses(outcomes) == {"done": 3, "failed": 1}
    assert "made otherwise; --overwrite replaces it" in outcomes[str(scans / "a.jpg")].message
    assert (scans / "a-color.jpg").read_bytes() == content
    assert not list(scans.glob(".a-color*"))
    assert statuses(run(scans, overwrite=True)) == {"done": 4}
    assert (scans / "a-color.jpg").read_bytes() != content


def test_parts_that_a_crash_left_long_ago_go(scans: Path, run: Runs) -> None:
    old, new = scans / ".a-color.jpg.0a1b2c.part", scans / ".a-color.jpg.3d4e5f.part"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    run(scans)
    assert not old.exists()
    assert new.exists()


def test_own_results_are_known_by_their_mark(scans: Path, tmp_path: Path, run: Runs) -> None:
    run(make_plan([str(scans)], str(tmp_path / "out")))
    for path in (tmp_path / "out").rglob(MANIFEST_NAME):
        path.unlink()
    outcomes = run(tmp_path / "out", force=True)
    assert statuses(outcomes) == {"skipped": 4}
    assert all("mark" in outcome.message for outcome in outcomes.values())


def test_own_results_without_mark_are_known_by_the_record(
    scans: Path, tmp_path: Path, run: Runs
) -> None:
    run(make_plan([str(scans)], str(tmp_path / "out")), mark=False)
    outcomes = run(tmp_path / "out", force=True)
    assert statuses(outcomes) == {"skipped": 4}
    assert all(MANIFEST_NAME in outcome.message for outcome in outcomes.values())


def test_bad_pictures_hurt_no_other(scans: Path, run: Runs, write_colour: GreyWriter) -> None:
    (scans / "empty.jpg").touch()
    (scans / "broken.png").write_bytes((scans / "b.png").read_bytes()[:300])
    write_colour(scans / "garden.png")
    outcomes = run(scans)
    assert statuses(outcomes) == {"done": 4, "failed": 2, "skipped": 1}
    assert outcomes[str(scans / "garden.png")].status == "skipped"
    assert not list(scans.glob("empty-color*")) + list(scans.glob("broken-color*"))
    assert statuses(run(scans, force=True)) == {"done": 1, "current": 4, "failed": 2}


def test_picture_that_vanishes_is_a_sentence(scans: Path, run: Runs) -> None:
    plan = make_plan([str(scans)])
    (scans / "a.jpg").unlink()
    outcome = run(plan)[str(scans / "a.jpg")]
    assert outcome.status == "failed"
    assert str(scans / "a.jpg") in outcome.message


def test_unexpected_error_of_one_picture_hurts_no_other(scans: Path, run: Runs) -> None:
    colorize_file = run.colorizer.colorize_file

    def fragile(source: Path, *rest: object) -> object:
        if source.name == "a.jpg":
            raise RuntimeError("nobody foresaw this")
        return colorize_file(source, *rest)

    run.colorizer.colorize_file = fragile
    outcomes = run(scans)
    assert statuses(outcomes) == {"done": 3, "failed": 1}
    assert isinstance(outcomes[str(scans / "a.jpg")].error, RuntimeError)


def test_bytes_come_back_as_bytes(scans: Path, run: Runs, tmp_path: Path) -> None:
    data = (scans / "b.png").read_bytes()
    outcome = run(plan_for_pipe(data))["-"]
    assert outcome.status == "done"
    assert outcome.data.startswith(b"\x89PNG")
    assert run(plan_for_pipe(data, str(tmp_path / "x.png")))["-"].status == "done"
    assert run(plan_for_pipe(data, str(tmp_path / "x.png")))["-"].status == "current"


def test_manifest_that_cannot_be_written_is_told(
    scans: Path, run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scans / MANIFEST_NAME).mkdir()
    outcome = run(scans)[str(scans / "a.jpg")]
    assert outcome.status == "done"
    assert MANIFEST_NAME in outcome.message


class SlowColorizer:
    """Has the face of a colorizer; notes what it was given."""

    name, version = "slow", "1"

    def __init__(self) -> None:
        self.begun: list[Path] = []
        self.at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def colorize_file(self, source: Path, target: Path, *_: object) -> tuple[None, None]:
        with self._lock:
            self.begun.append(source)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        time.sleep(0.02)
        shutil.copy(source, target)
        with self._lock:
            self._now -= 1
        return None, None


@pytest.fixture
def many(tmp_path: Path, write_grey: GreyWriter) -> Path:
    first = write_grey(tmp_path / "many/0.png", 8, 8)
    for index in range(1, 40):
        shutil.copy(first, first.with_name(f"{index}.png"))
    return first.parent


def test_stop_finishes_what_is_begun_and_begins_no_more(many: Path, tiny_model: Path) -> None:
    slow, stop = SlowColorizer(), threading.Event()
    batch = Batch(slow, Options(model=str(tiny_model)))
    outcomes = []
    for outcome in batch.run(make_plan([str(many)]).tasks, 3, stop):
        outcomes.append(outcome)
        stop.set()
    assert 1 <= len(outcomes) == len(slow.begun) < 40
    assert slow.at_once <= 3
    assert len(list(many.glob("*-color.png"))) == len(slow.begun)
    again = Batch(slow, Options(model=str(tiny_model)))
    second = list(again.run(make_plan([str(many)]).tasks, 3))
    assert Counter(outcome.status for outcome in second)["current"] == len(outcomes)
    assert sorted(slow.begun) == sorted(many / f"{index}.png" for index in range(40))


def test_closing_the_run_waits_for_its_threads(many: Path, tiny_model: Path) -> None:
    slow = SlowColorizer()
    run = Batch(slow, Options(model=str(tiny_model))).run(make_plan([str(many)]).tasks, 2)
    next(run)
    run.close()
    assert slow.at_once == 2
    assert len(list(many.glob("*-color.png"))) == len(slow.begun) < 10
    assert not [each for each in threading.enumerate() if each.name.startswith("tintype")]


def test_cores_are_shared() -> None:
    cores = available_cores()
    assert share_cores(1) == (1, cores)
    assert share_cores(10_000) == (cores + 1, 1)
    assert share_cores(10_000, 1) == (1, cores)
    assert share_cores(3, 50)[0] == 3
    assert share_cores(0) == (1, cores)


def test_confidence_that_is_missing_or_stale_is_made_again(
    tmp_path: Path, tiny_sure_model: Path, write_grey: GreyWriter
) -> None:
    run = Runs(tiny_sure_model)
    source = write_grey(tmp_path / "a.png")
    beside = tmp_path / "a-color-confidence.png"

    def status(asked: bool) -> str:
        (outcome,) = run(make_plan([str(tmp_path)], confidence=asked)).values()
        return outcome.status

    assert (status(False), beside.exists()) == ("done", False)
    assert (status(True), status(True), status(False)) == ("done", "current", "current")
    beside.unlink()
    assert (status(False), status(True), status(True)) == ("current", "done", "current")
    write_grey(source, seed=5)
    assert (status(False), status(True), status(True)) == ("done", "done", "current")


def test_confidence_never_replaces_a_stranger_nor_becomes_a_picture(
    tmp_path: Path, tiny_sure_model: Path, write_grey: GreyWriter
) -> None:
    run = Runs(tiny_sure_model)
    write_grey(tmp_path / "a.png")
    beside = tmp_path / "a-color-confidence.png"
    beside.write_bytes(b"precious")
    (outcome,) = run(make_plan([str(tmp_path)], confidence=True)).values()
    assert (outcome.status, beside.read_bytes()) == ("failed", b"precious")
    beside.unlink()
    run(make_plan([str(tmp_path)], confidence=True), mark=False)
    beside.rename(tmp_path / "other.png")
    outcomes = run(tmp_path, mark=False)
    assert outcomes[str(tmp_path / "other.png")].status == "skipped"
