"""The report of an archive: what it counts, what it shows, and that names cannot harm it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from image_samples import exif, opened, pillow
from ledger_samples import HOSTILE, SCHEMA, START, failed, jpeg, ledger, pictures, row
from report_samples import Page, assert_self_contained
from tintype.archive.report import Extent, Scan, page
from tintype.archive.report_charts import time_ticks
from tintype.archive.report_figures import (
    confidence_of,
    kinds_of,
    pace_of,
    runs_of,
    totals_of,
)
from tintype.archive.report_rows import read_rows
from tintype.archive.report_sheets import sheets_of, with_pictures
from tintype.archive.thumbnails import SIDE_PX, thumbnail
from tintype.errors import UsageError


def report(rows: list[dict[str, Any]], **more: Any) -> str:
    return page(ledger(rows), pictures, title="s3://archive/colour", **more)


def words(html: str) -> str:
    return " ".join("".join(Page(html).text).split())


def sheets(rows: list[dict[str, Any]], extent: Extent | None = None) -> dict[str, list[str]]:
    read = read_rows(ledger(rows))
    found = {"toned": 9, "coloured": 0, "damaged": 0}
    made = sheets_of(read, found, extent or Extent())
    return {sheet.key: [scan.id for scan in sheet.scans] for sheet in made}


def test_it_asks_for_nothing() -> None:
    html = report([row(i) for i in range(300)])
    parsed = Page(html)
    assert_self_contained(parsed)
    assert parsed.tags.count("script") == 2  # the list of scans, which is not run, and its own
    assert "The colours are invented" in words(html)


def test_hostile_names_stay_text() -> None:
    rows = [row(i, source=each, id=f"{i}{each}") for i, each in enumerate(HOSTILE)]
    rows += [
        failed(10 + i, each[:90], f"{each} is bad", source=each) for i, each in enumerate(HOSTILE)
    ]
    rows += [row(30, run=HOSTILE[0], worker=HOSTILE[1], model=HOSTILE[4], options=HOSTILE[2])]
    html = page(ledger(rows), pictures, title=HOSTILE[0])
    parsed = Page(html)
    assert_self_contained(parsed)
    assert parsed.tags.count("script") == 2
    assert "onerror" not in {name for _, name, _ in parsed.attributes}
    assert all(src.startswith("data:image/jpeg") for src in parsed.values("src"))
    assert "\u202e" not in html
    assert "\x07" not in html
    assert "x" * 1000 not in html.replace("\\u003c", "<").split('id="scans"')[0]


def test_totals_count_scans_by_their_latest_row() -> None:
    rows = [row(i) for i in range(8)]
    rows += [failed(8), failed(9, seconds=2.0)]
    again = row(9, attempt=2, run="second", finished_at=START + timedelta(days=1))
    rows.insert(0, again)  # in whatever order the parts are read
    totals = totals_of(read_rows(ledger(rows)))
    assert (totals.scans, totals.done, totals.failed, totals.again) == (10, 9, 1, 1)
    assert totals.megapixels == 9 * 12
    assert totals.result_bytes == 9 * 3_000_000
    assert totals.source_bytes == 10 * 2_000_000
    assert totals.work_s == 10 * 6 + 2
    assert totals.workers == 3
    assert (totals.first, totals.last) == (START, START + timedelta(days=1))
    said = words(report(rows, listed=12))
    assert "9 of 12 scans have their colours; 1 failed, 10.0 % of those tried." in said
    assert "2 not tried yet" in said
    assert "1 attempt before the last" in said
    assert "108" in said


def test_scans_that_need_no_colours_are_neither_done_nor_failed() -> None:
    rows = [row(i) for i in range(5)] + [failed(5)]
    rows += [row(6, result=None, result_bytes=None, confidence=None, coloured=True)]
    html = report(rows)
    assert "5 scans have their colours, 1 needs none; 1 failed, 14.3 % of those" in words(html)
    assert "The scan found to be already in colour." in words(html)
    assert "scan 0006" not in html.split('id="sheet-random"')[1].split("<section")[0]


def test_errors_are_grouped_by_kind_with_their_sentences() -> None:
    rows = [row(0), *(failed(i) for i in range(1, 6))]
    rows += [failed(10 + i, "storage", "The storage answered 503.") for i in range(7)]
    rows += [failed(20, error_kind=None, sentence="Nobody knows.")]
    kinds = kinds_of(read_rows(ledger(rows)))
    assert [(kind.name, kind.scans) for kind in kinds] == [
        ("storage", 7),
        ("unreadable", 5),
        ("other", 1),
    ]
    assert [(each.sentence, each.scans) for each in kinds[0].examples] == [
        ("The storage answered 503.", 7)
    ]
    assert [each.source for each in kinds[1].examples] == [
        f"box/scan 000{i}.tif" for i in (1, 2, 3)
    ]
    said = words(report(rows))
    assert "storage7 scans, 54\N{NO-BREAK SPACE}% of the errors" in said.replace(" %", "\xa0%")
    assert "box/scan 0010.tif and 6 others" in said


def test_progress_and_runs_follow_the_clock() -> None:
    rows = [row(i) for i in range(100)] + [failed(100)]
    rows += [row(200 + i, run="second", finished_at=START + timedelta(days=2)) for i in range(5)]
    read = read_rows(ledger(rows))
    pace = pace_of(read)
    assert pace is not None
    assert pace.start == START
    assert (sum(pace.done), sum(pace.failed)) == (105, 1)
    assert pace.done[-1] == 5
    assert not any(pace.done[10:-1])
    second, first = runs_of(read)
    assert (second.name, second.rows, second.per_hour) == ("second", 5, None)
    assert (first.rows, first.failed, first.workers) == (101, 1, 3)
    assert first.per_hour == pytest.approx(120)
    said = words(report(rows))
    assert "UTC, from 2 November 2026, 18:04" in said


@pytest.mark.parametrize("seconds", [0.001, 7, 600, 5e3, 9e4, 3e6, 9e7])
def test_times_are_labelled_at_a_few_round_places(seconds: float) -> None:
    end = START + timedelta(seconds=seconds)
    ticks = time_ticks(START, end)
    assert len(ticks) <= 6
    assert all(START <= at <= end and isinstance(at, datetime) for at, _ in ticks)
    assert len({at.microsecond for at, _ in ticks} | {0}) == 1


def test_sheets_show_the_least_confident_first_and_a_random_hundred() -> None:
    rows = [row(i) for i in range(400)] + [failed(400)]
    made = sheets(rows)
    assert list(made) == ["least", "random", "toned"]
    sure = {each["id"]: each["confidence"] for each in rows}
    assert len(made["least"]) == 60
    least = [sure[each] for each in made["least"]]
    assert least == sorted(least)
    assert max(least) <= 0.08
    assert len(set(made["random"])) == 100
    assert len(made["toned"]) == 40
    assert 100 < np.mean([int(each[-4:]) for each in made["random"]]) < 300
    assert "scan 0400" not in set().union(*made.values())
    bounded = sheets(rows, Extent(least=3, random=4, finding=5))
    assert [len(each) for each in bounded.values()] == [3, 4, 5]
    assert bounded["random"] == made["random"][:4]


def test_the_same_ledger_gives_the_same_page_in_any_order_and_cut() -> None:
    rows = [row(i) for i in range(300)] + [failed(300 + i) for i in range(9)]
    rows += [row(3, attempt=2, finished_at=START + timedelta(days=1), run="second")]
    whole = report(rows)
    shuffled = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    assert report(shuffled) == whole
    batches = iter(ledger(shuffled).to_batches(max_chunksize=17))
    assert page(batches, pictures, title="s3://archive/colour") == whole


def test_a_scan_without_pictures_is_shown_all_the_same() -> None:
    asked: list[str] = []

    def some(scan: Scan) -> tuple[bytes, bytes] | None:
        asked.append(scan.id)
        return None if scan.id.endswith("7") else (jpeg(1), jpeg(2))

    rows = [row(i, coloured=i == 17) for i in range(40)]
    rows[17] = failed(17, "colour", "It is in colour already.", coloured=True)
    html = page(ledger(rows), some, title="t")
    assert sorted(asked) == sorted(set(asked))
    assert words(html).count("No picture") > 2
    assert "It is in colour already." in html.split('id="sheet-coloured"')[1]


def test_the_page_is_bounded_and_all_sheets_share_the_room() -> None:
    heavy = jpeg(1) + bytes(30_000)
    rows = [row(i, damaged=i % 3 == 0) for i in range(500)]
    read = read_rows(ledger(rows))
    made = sheets_of(read, {"toned": 125, "coloured": 0, "damaged": 167}, Extent())
    shown = with_pictures(made, lambda _: (heavy, heavy), 3_000_000)
    lengths = [len(each.addresses) for each in shown]
    assert max(lengths) - min(lengths) <= 1
    html = page(
        ledger(rows), lambda _: (heavy, heavy), title="t", extent=Extent(most_bytes=3_000_000)
    )
    assert 2_500_000 < len(html) < 3_200_000
    assert "more scans would have made this page too large." in words(html)
    assert len(page(ledger(rows), lambda _: (heavy, heavy), title="t")) < 15_300_000


def test_bare_ledgers_have_a_page() -> None:
    assert "No scan has been done yet." in words(report([]))
    assert "1 scan has its colours; none failed." in words(report([row(0)]))
    assert "0 scans have their colours; 1 failed" in words(report([failed(0)]))
    bare = dict.fromkeys(
        ("confidence", "megapixels", "seconds", "worker", "run", "sha256", "options", "toned")
    )
    html = report([row(i, **bare) for i in range(3)])
    assert "least" not in re.findall(r'id="sheet-(\w+)"', html)
    assert confidence_of(read_rows(ledger([row(0, confidence=float("nan"))]))) is None


def test_what_is_no_ledger_gets_one_sentence() -> None:
    with pytest.raises(UsageError, match="has no column 'confidence'"):
        page(ledger([row(0)]).drop_columns(["confidence"]), pictures, title="t")
    wrong = ledger([row(0)])
    wrong = wrong.set_column(SCHEMA.get_field_index("attempt"), "attempt", pa.array(["first"]))
    with pytest.raises(UsageError, match="This is no ledger of an archive") as caught:
        page(wrong, pictures, title="t")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="is none of them"):
        page(ledger([row(0)]), lambda _: (b"GIF89a", b""), title="t")


def test_many_rows_are_never_a_list() -> None:
    """A quarter of a million rows; a million take 0.8 GB and a few seconds more."""
    count = 250_000
    numbers = np.arange(count)
    names = pa.array(np.char.add("box/scan ", numbers.astype(str)).astype(object))
    sha = pa.array([f"{(i * 2654435761) % 2**32:08x}" for i in range(count)])
    base = ledger([row(0)]).to_pydict()
    columns = {
        field.name: pa.repeat(pa.scalar(base[field.name][0], field.type), count) for field in SCHEMA
    }
    columns |= {"id": names, "source": names, "result": names, "sha256": sha}
    columns["confidence"] = pa.array((numbers % 997 / 997).astype(np.float32))
    columns["finished_at"] = pa.array(
        numbers * 36_000 + int(START.timestamp() * 1e6), pa.timestamp("us", tz="UTC")
    )
    html = page(pa.table(columns, schema=SCHEMA), pictures, title="t")
    assert "250,000 scans have their colours; none failed." in words(html)
    assert len(html) < 2_000_000


def test_thumbnails_are_small_and_upright() -> None:
    turned = thumbnail(pillow(np.zeros((600, 900, 3), np.uint8), "JPEG", exif=exif(6)))
    image = opened(turned)
    assert image.size == (round(SIDE_PX * 600 / 900), SIDE_PX)
    assert not image.getexif()
    assert opened(thumbnail(pillow(Image.new("L", (9, 5)), "PNG"))).size == (9, 5)
