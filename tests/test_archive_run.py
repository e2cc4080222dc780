"""A run over an archive: what is done, what is left, and what the ledger says."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from archive_samples import (
    order_for,
    plain_rows,
    retry,
    rows_of,
    run,
    write_jpegs,
)
from conftest import GreyWriter, files
from tintype.archive import ledger
from tintype.archive.places import place_of
from tintype.errors import UnreadableImage, UsageError
from tintype.images import read_image


def test_keys_and_folders_are_kept_and_originals_untouched(
    tmp_path: Path, tiny_sure_model: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    paths = write_jpegs(scans, 7)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    done = run(order_for(scans, out, tiny_sure_model)).tally
    assert (done.done, done.failed, done.standing) == (7, 0, 7)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths} == before
    results = {name for name in files(out) if not name.startswith("_tintype")}
    assert results == {str(path.relative_to(scans)) for path in paths}
    assert read_image(out / "box 0/scan0000.jpg").tintype_mark
    assert not list((out / "_tintype/parts").iterdir())
    assert not (out / "_tintype/lease.json").exists()


def test_a_row_says_all(tmp_path: Path, tiny_sure_model: Path) -> None:
    (path,) = write_jpegs(tmp_path / "scans", 1)
    runner = run(order_for(tmp_path / "scans", tmp_path / "out", tiny_sure_model))
    (row,) = plain_rows(tmp_path / "out")
    result = (tmp_path / "out/box 0/scan0000.jpg").read_bytes()
    assert row["id"] == row["source"] == row["result"] == "box 0/scan0000.jpg"
    assert row["source_size"] == path.stat().st_size
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert row["result_bytes"] == len(result)
    assert row["model"] == "tiny-sure 1"
    assert row["model_sha256"] == hashlib.sha256(tiny_sure_model.read_bytes()).hexdigest()
    assert row["megapixels"] == pytest.approx(48 * 64 / 1e6, abs=1e-4)
    assert 0 < row["confidence"] < 1
    assert (row["toned"], row["coloured"], row["damaged"]) == (False, False, False)
    assert (row["error"], row["error_kind"], row["attempt"]) == (None, None, 1)
    assert row["run"] == runner.id
    assert row["finished_at"].tzinfo is not None


def test_a_second_run_does_only_what_is_missing_or_changed(
    tmp_path: Path, tiny_model: Path, tiny_sure_model: Path, write_grey: GreyWriter
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    paths = write_jpegs(scans, 5)
    order = order_for(scans, out, tiny_model)
    run(order)
    assert run(order).tally.done == 0
    write_grey(scans / "new.png")
    os.utime(paths[0])
    (out / "box 1/scan0001.jpg").unlink()
    (out / "box 2/scan0002.jpg").write_bytes(b"half")
    assert run(order).tally.done == 4
    attempts = {key: row["attempt"] for key, row in rows_of(out).items()}
    assert attempts == {
        "box 0/scan0000.jpg": 2,
        "box 1/scan0001.jpg": 2,
        "box 2/scan0002.jpg": 2,
        "box 0/scan0003.jpg": 1,
        "box 1/scan0004.jpg": 1,
        "new.png": 1,
    }
    assert run(order_for(scans, out, tiny_model, strength=0.5)).tally.done == 6
    assert run(order_for(scans, out, tiny_sure_model)).tally.done == 6
    assert len(plain_rows(out)) == 6


def test_what_was_found_and_what_failed(
    tmp_path: Path, tiny_model: Path, write_grey: GreyWriter, write_colour: GreyWriter
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    whole = write_grey(scans / "good.png", 200, 200)
    write_colour(scans / "bright.png")
    (scans / "cut.png").write_bytes(whole.read_bytes()[:9000])
    (scans / "empty.jpg").touch()
    (scans / "text.jpg").write_text("no picture at all, only words")
    (scans / "notes.txt").write_text("not listed")
    tally = run(order_for(scans, out, tiny_model)).tally
    assert (tally.done, tally.failed, tally.coloured) == (5, 3, 1)
    rows = rows_of(out)
    assert {key: row["error_kind"] for key, row in rows.items()} == {
        "good.png": None,
        "bright.png": None,
        "cut.png": "damaged",
        "empty.jpg": "empty",
        "text.jpg": "unreadable",
    }
    assert rows["bright.png"]["coloured"] is True
    assert rows["bright.png"]["result"] is None
    assert rows["bright.png"]["sha256"]
    assert rows["cut.png"]["damaged"] is True
    assert rows["text.jpg"]["damaged"] is False
    for row in rows.values():
        assert row["error"] is None or row["error"].endswith(".")
    assert not (out / "cut.png").exists()


def test_retry_does_errors_again_and_nothing_else(tmp_path: Path, tiny_model: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    paths = write_jpegs(scans, 3)
    good = paths[1].read_bytes()
    paths[1].write_bytes(good[:300])
    (scans / "empty.jpg").touch()
    order = order_for(scans, out, tiny_model)
    run(order)
    assert run(order).tally.done == 0
    paths[1].write_bytes(good)
    assert retry(order, "empty").tally.done == 1
    assert retry(order).tally.done == 2
    rows = rows_of(out)
    assert rows["box 1/scan0001.jpg"]["error"] is None
    assert rows["box 1/scan0001.jpg"]["attempt"] == 2
    assert rows["empty.jpg"]["attempt"] == 3
    assert run(order).tally.done == 0


def test_what_the_listing_refused_is_not_retried(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    (one, two, *_) = write_jpegs(tmp_path / "scans", 2)
    listed = tmp_path / "list.csv"
    listed.write_text(f"path\n{one}\nfile://{one}\n{two}\n")
    order = order_for(listed, out, tiny_model)
    run(order)
    twice = {key for key, row in rows_of(out).items() if row["error_kind"] == "duplicate"}
    assert len(twice) == 1
    before = {path: path.read_bytes() for path in out.rglob("*.jpg")}
    with pytest.raises(UsageError, match="of the listing"):
        retry(order, "duplicate")
    assert retry(order).tally.done == 0
    assert {path: path.read_bytes() for path in before} == before


def test_another_source_needs_a_dest_of_its_own(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    write_jpegs(tmp_path / "one", 2)
    write_jpegs(tmp_path / "two", 2, side=64)
    run(order_for(tmp_path / "one", out, tiny_model))
    before = {path: path.read_bytes() for path in out.rglob("*.jpg")}
    with pytest.raises(UsageError, match="a DEST of its own"):
        run(order_for(tmp_path / "two", out, tiny_model))
    assert {path: path.read_bytes() for path in before} == before
    (tmp_path / "one").rename(tmp_path / "three")
    moved = replace(order_for(tmp_path / "three", out, tiny_model), moved=True)
    assert run(moved).tally.failed == 0
    assert run(order_for(f"{tmp_path}/three/", out, tiny_model)).tally.done == 0


def test_a_damaged_part_of_the_ledger_is_named(tmp_path: Path, tiny_model: Path) -> None:
    write_jpegs(tmp_path / "scans", 2)
    order = order_for(tmp_path / "scans", tmp_path / "out", tiny_model)
    run(order)
    folder = tmp_path / "out" / ledger.FOLDER
    (folder / "._macs.parquet").write_bytes(b"of another program")
    assert run(order).tally.done == 0
    (part,) = (path for path in folder.glob("*.parquet") if not path.name.startswith("."))
    part.write_bytes(b"")
    with pytest.raises(UnreadableImage, match=part.name):
        run(order)
    part.unlink()
    assert run(order).tally.done == 2


def test_results_below_the_source_are_not_listed(tmp_path: Path, tiny_model: Path) -> None:
    scans = tmp_path / "scans"
    write_jpegs(scans, 2)
    order = order_for(scans, scans / "coloured", tiny_model)
    assert run(order).tally.done == 2
    assert run(order).tally.done == 0


@pytest.mark.parametrize("dest", ["scans", "."])
def test_results_never_lie_among_originals(tmp_path: Path, tiny_model: Path, dest: str) -> None:
    write_jpegs(tmp_path / "scans", 1)
    with pytest.raises(UsageError, match="could replace originals"):
        run(order_for(tmp_path / "scans", tmp_path / dest, tiny_model))


def test_a_folder_of_strangers_is_no_dest(
    tmp_path: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    write_jpegs(tmp_path / "scans", 1)
    theirs = write_grey(tmp_path / "out/box 0/scan0000.jpg")
    before = theirs.read_bytes()
    with pytest.raises(UsageError, match="holds files already and no ledger"):
        run(order_for(tmp_path / "scans", tmp_path / "out", tiny_model))
    assert theirs.read_bytes() == before


def test_large_files_go_through_the_disk(
    tmp_path: Path, tiny_sure_model: Path, monkeypatch: pytest.MonkeyPatch, write_grey: GreyWriter
) -> None:
    write_grey(tmp_path / "scans/a.tif")
    run(order_for(tmp_path / "scans", tmp_path / "memory", tiny_sure_model))
    monkeypatch.setattr("tintype.archive.scan.LARGE_BYTES", 1)
    run(order_for(tmp_path / "scans", tmp_path / "disk", tiny_sure_model))
    assert (tmp_path / "memory/a.tif").read_bytes() == (tmp_path / "disk/a.tif").read_bytes()
    rows = [rows_of(tmp_path / name)["a.tif"] for name in ("memory", "disk")]
    for key in ("sha256", "source_size", "source_version", "result_bytes", "confidence"):
        assert rows[0][key] == rows[1][key]


def test_compaction_leaves_one_row_a_scan_in_few_parts(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PART_ROWS", 2)
    write_jpegs(tmp_path / "scans", 9)
    out = tmp_path / "out"
    run(order_for(tmp_path / "scans", out, tiny_model))
    run(order_for(tmp_path / "scans", out, tiny_model, strength=0.5))
    assert len(ledger.parts_of(place_of(str(out)))) == 1
    assert len(plain_rows(out)) == 9
