"""Interruptions and what stands in the target: nothing half, nothing lost, nothing repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prepare_samples import HALVES, contents, make_folder, make_quick, order_of, prepare, write
from tintype.errors import TrainingError, UsageError
from tintype.progress import Progress
from tintype.training.prepare import scanning, shards
from tintype.training.prepare.job import Preparation
from tintype.training.prepare.order import Order
from tintype.training.prepare.splitting import Split

pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_quick(monkeypatch)


class Stopped(Exception):
    """Stands for whatever ends a run."""


def run_until(order: Order, stop: Callable[[Progress], bool]) -> None:
    """Run and leave off without any tidying, as a kill would."""
    for state in Preparation(order).run():
        if stop(state):
            return
    raise AssertionError("it was never stopped")


STAGES = ("scanning", "comparing", "encoding", "writing")


@pytest.mark.parametrize("stage", STAGES)
def test_interrupted_work_leaves_nothing_half_and_goes_on(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_folder(tmp_path / "a", 14)
    expected = tmp_path / "whole" / "set"
    prepare(expected, source)
    order = order_of(tmp_path / "again" / "set", source)
    run_until(order, lambda state: state.stage.startswith(stage) and state.done >= state.total // 2)
    assert [path.name for path in order.target.iterdir()] == [".unfinished"]

    examined, stored = [], []
    examine, encode = scanning._examine, shards.encode
    monkeypatch.setattr(scanning, "_examine", lambda *a: (examined.append(1), examine(*a))[1])
    monkeypatch.setattr(shards, "encode", lambda *a: (stored.append(1), encode(*a))[1])
    prepare(order.target, source)
    assert contents(order.target) == contents(expected)
    number = STAGES.index(stage)
    assert len(examined) == (7 if number == 0 else 0)
    if number == 2:  # what threads had in work when it stopped is stored or not
        assert 0 < len(stored) <= 7
    else:
        assert len(stored) == (14 if number < 2 else 0)


def test_an_interrupted_move_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_folder(tmp_path / "a", 8)
    prepare(tmp_path / "whole" / "set", source)
    target, moved = tmp_path / "again" / "set", []
    replace = Path.replace

    def once(self: Path, other: Path) -> Path:
        if ".unfinished" in self.parts and self.suffix == ".tar":
            moved.append(self)
            if len(moved) == 2:
                raise Stopped
        return replace(self, other)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", once)
        with pytest.raises(Stopped):
            prepare(target, source, split=HALVES)
    assert not (target / "card.json").exists()
    assert list(target.glob("*.tar"))
    prepare(target, source)
    assert contents(target) == contents(tmp_path / "whole" / "set")


def test_damaged_notes_are_no_obstacle(tmp_path: Path) -> None:
    source = make_folder(tmp_path / "a", 6)
    prepare(tmp_path / "whole" / "set", source)
    order = order_of(tmp_path / "again" / "set", source)
    run_until(order, lambda state: state.stage.startswith("writing"))
    for path in (order.target / ".unfinished").glob("scan-*"):
        path.write_bytes(path.read_bytes()[: -40 - 2 * scanning.ROW.itemsize] + bytes(400))
    prepare(order.target, source)
    assert contents(order.target) == contents(tmp_path / "whole" / "set")


def test_a_source_that_changes_meanwhile_ends_in_a_sentence(tmp_path: Path) -> None:
    source = make_folder(tmp_path / "a", 6)
    order = order_of(tmp_path / "set", source)
    run_until(order, lambda state: state.stage.startswith("comparing"))
    write(source / "part-0" / "000.png", 99)
    with pytest.raises(TrainingError, match=r"part-0/000\.png has changed since it was scanned"):
        list(Preparation(order).run())
    (source / "part-0" / "000.png").unlink()
    assert prepare(tmp_path / "set", source)["counts"]["kept"] == 5


def test_a_scan_is_not_repeated_for_another_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_folder(tmp_path / "a", 6)
    with pytest.raises(TrainingError):
        prepare(tmp_path / "set", source, split=Split.parse("train=7"))
    monkeypatch.setattr(scanning, "_examine", lambda *_: pytest.fail("it was repeated"))
    assert prepare(tmp_path / "set", source, split=Split.parse("train=6"))["counts"]["kept"] == 6


def test_what_stands_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    source = make_folder(tmp_path / "a", 8)
    target = tmp_path / "set"
    prepare(target, source, split=HALVES, ready=True)
    (target / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds card\.json and more already"):
        prepare(target, source)
    prepare(target, source, split=Split.parse("test=1.0"), overwrite=True)
    assert sorted(contents(target)) == [
        *("card.json", "card.md", "mine.txt", "prior.npy", "prior.png", "test-00.tar")
    ]
    assert not (target / "ready").exists()
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UsageError, match="is a file; -o names a folder"):
        prepare(file, source)


def test_a_card_cannot_make_other_files_disappear(tmp_path: Path) -> None:
    source, target = make_folder(tmp_path / "a", 4), tmp_path / "set"
    (tmp_path / "precious").write_text("precious")
    target.mkdir()
    for files in (["../precious", str(tmp_path / "precious"), 3, ""], "card.md", None):
        (target / "card.json").write_text(json.dumps({"files": files}))
        prepare(target, source, overwrite=True)
        assert (tmp_path / "precious").exists()


def test_the_target_is_no_source(tmp_path: Path) -> None:
    source = make_folder(tmp_path / "a", 2)
    for target in (source, source / "set", tmp_path):
        with pytest.raises(UsageError, match="lie in one another"):
            order_of(target, source)


def test_a_folder_that_cannot_be_written_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    order = order_of(tmp_path / "set", make_folder(tmp_path / "a", 2))
    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(TrainingError, match="cannot be written to: Permission denied"):
        list(Preparation(order).run())
