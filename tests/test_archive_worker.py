"""A worker's journal, its turns, and folders that cannot be read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from archive_samples import order_for, rows_of, run, write_jpegs
from tintype.archive import journal as journals
from tintype.archive.journal import BLAMED, Journal
from tintype.archive.patience import patiently
from tintype.archive.worker import _Turns


def test_what_was_in_hand_is_suspected(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j")
    for name in ("done", "in hand", "also"):
        first.start(name)
    first.end("done")
    second = Journal(tmp_path / "j")
    assert [second.deaths(name) for name in ("done", "in hand", "also", "new")] == [0, 1, 1, 0]
    second.start("also")
    second.end("also")
    second.start("in hand")
    third = Journal(tmp_path / "j")
    assert [third.deaths(name) for name in ("in hand", "also")] == [2, 0]
    # Once beside another and once by itself: it may have been the other's fault, and an accident.
    assert third.deaths("in hand") < BLAMED


def test_a_torn_line_harms_nothing(tmp_path: Path) -> None:
    Journal(tmp_path / "j").start("one")
    with (tmp_path / "j").open("ab") as file:
        file.write(b"+12\xff")
    assert Journal(tmp_path / "j").deaths("one") == 1


def test_the_journal_stays_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_MOST_LINES", 20)
    kept = Journal(tmp_path / "j")
    kept.start("long")
    for number in range(500):
        kept.start(str(number))
        kept.end(str(number))
    assert (tmp_path / "j").stat().st_size < 26 * 30
    assert Journal(tmp_path / "j").deaths("long") == 1
    assert kept.oldest_s() > 0
    kept.end("long")
    assert kept.oldest_s() == pytest.approx(0, abs=0.01)


def test_a_suspect_is_alone() -> None:
    turns, inside, most = _Turns(), [0], [0]

    def work(alone: bool) -> None:
        with turns.alone() if alone else turns.together():
            inside[0] += 1
            if alone:
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.01)
            inside[0] -= 1

    threads = [threading.Thread(target=work, args=(n % 3 == 0,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_storage_is_asked_again_but_not_for_what_is_not_there() -> None:
    calls: list[str] = []

    def ask(error: OSError, good_after: int) -> int:
        calls.append("")
        if len(calls) <= good_after:
            raise error
        return len(calls)

    assert patiently(lambda: ask(OSError("503"), 1)) == 2
    calls.clear()
    with pytest.raises(FileNotFoundError):
        patiently(lambda: ask(FileNotFoundError(), 5))
    assert len(calls) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_locked_folder_is_an_error(tmp_path: Path, tiny_model: Path) -> None:
    write_jpegs(tmp_path / "scans", 2)
    locked = tmp_path / "scans/locked"
    locked.mkdir(mode=0)
    run(order_for(tmp_path / "scans", tmp_path / "out", tiny_model))
    assert rows_of(tmp_path / "out")["locked"]["error_kind"] == "folder"


def test_a_folder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tintype.archive.folders import Folder

    write_jpegs(tmp_path / "scans", 3)
    real = Folder._entries

    def fails(self: Folder, folder: str) -> list[os.DirEntry[str]]:
        if folder == "box 1":
            raise PermissionError(13, "Permission denied")
        return real(self, folder)

    monkeypatch.setattr(Folder, "_entries", fails)
    run(order_for(tmp_path / "scans", tmp_path / "out", tiny_model))
    kinds = {key: row["error_kind"] for key, row in rows_of(tmp_path / "out").items()}
    assert kinds == {"box 0/scan0000.jpg": None, "box 1": "folder", "box 2/scan0002.jpg": None}


def test_hidden_results_are_known(tmp_path: Path, tiny_model: Path) -> None:
    (path,) = write_jpegs(tmp_path / "scans", 1)
    path.rename(path.with_name(".hidden.jpg"))
    (tmp_path / "list.csv").write_text("path\nscans/box 0/.hidden.jpg\n")
    order = order_for(tmp_path / "list.csv", tmp_path / "out", tiny_model)
    assert run(order).tally.done == 1
    assert run(order).tally.done == 0
