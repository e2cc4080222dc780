"""The report of the bench: what it says, what it marks, and that file names cannot harm it."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from report_samples import (
    HOSTILE,
    METRICS,
    NAMES,
    PSNR,
    Page,
    assert_self_contained,
    gallery,
    picture,
    results,
    row,
)
from tintype.errors import UnwritableImage, UsageError
from tintype.evaluation.report import Gallery, Section, Shot, write_report
from tintype.evaluation.report.findings import all_columns, gains, summary_columns
from tintype.evaluation.report.page import page_of
from tintype.evaluation.report.tables import markdown_of
from tintype.evaluation.report.verdict import verdict
from tintype.evaluation.report.wording import number, visible
from tintype.evaluation.results import Figure, Results, read_results


def only_models(count: int) -> Results:
    """A run of so many alike models, without grey and oracle."""
    rows = tuple(replace(row("tintype"), label=f"model {i}") for i in range(count))
    return replace(results(), rows=rows, fairness=())


def best_in(run: Results, title: str) -> set[str]:
    column = next(each for each in summary_columns(run) if each.title == title)
    return {label for label, cell in column.cells.items() if cell.best}


def with_figure(run: Results, label: str, key: str, value: float) -> Results:
    rows = tuple(
        replace(each, figures={**each.figures, key: Figure(value, value, value)})
        if each.label == label
        else each
        for each in run.rows
    )
    return replace(run, rows=rows)


def test_four_files_are_written_whole(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report"
    paths = write_report(results(), gallery(), out)
    names = ["results.json", "results.csv", "results.md", "report.html"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert read_results(out / "results.json") == results()
    write_report(results(), None, out)
    assert sorted(path.name for path in out.iterdir()) == sorted(names)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableImage, match="cannot be written"):
        write_report(results(), None, tmp_path / "file")
    (tmp_path / "results.csv").mkdir()
    with pytest.raises(UnwritableImage, match="is a folder"):
        write_report(results(), None, tmp_path)


def test_nothing_is_written_when_a_picture_is_none(tmp_path: Path) -> None:
    bad = Gallery((Section("s", "", (Shot("x.gif", "", {"truth": b"GIF89a"}),)),))
    with pytest.raises(UsageError, match=r"x\.gif is none of them"):
        write_report(results(), bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_csv_round_trip(tmp_path: Path) -> None:
    run = results()
    first = run.rows[0]
    without = {key: each for key, each in first.values.items() if key != "gap"}
    run = replace(run, rows=(replace(first, values=without), *run.rows[1:]))
    path = write_report(run, None, tmp_path)[1]
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["name", "model", *(metric.key for metric in METRICS)]
    assert [line["name"] for line in lines] == list(NAMES) * 4
    for label, values in PSNR.items():
        assert [float(line["psnr"]) for line in lines if line["model"] == label] == list(values)
    assert {line["gap"] for line in lines} == {"", "0.125"}


def test_names_that_are_no_utf8_are_written(tmp_path: Path) -> None:
    run = replace(results(), names=("\udcff.jpg", *NAMES[1:]))
    for path in write_report(run, None, tmp_path):
        path.read_text(encoding="utf-8")
    assert read_results(tmp_path / "results.json") == run


def test_the_best_model_is_marked_as_its_metric_says() -> None:
    run = results()
    assert best_in(run, "PSNR") == {"tintype"}
    assert best_in(run, "over grey") == {"tintype"}
    assert best_in(run, "DELTA_E") == {"b|<b>.onnx"}
    # 55 is nearer to the true 40 than 22 is; the oracle's own 40 is no contestant.
    assert best_in(run, "COLOURFULNESS") == {"b|<b>.onnx"}
    gap = next(each for each in all_columns(run) if each.title == "GAP")
    assert not any(cell.best for cell in gap.cells.values())


def test_models_that_print_the_same_share_the_mark() -> None:
    run = with_figure(results(), "tintype", "psnr", 25.001)
    assert best_in(with_figure(run, "b|<b>.onnx", "psnr", 25.004), "PSNR") == {
        "tintype",
        "b|<b>.onnx",
    }
    assert best_in(with_figure(run, "b|<b>.onnx", "psnr", 25.006), "PSNR") == {"b|<b>.onnx"}


def test_nobody_is_best_alone_or_without_a_true_figure() -> None:
    assert best_in(only_models(1), "PSNR") == set()
    run = results()
    without = replace(run, protocol=replace(run.protocol, true_figures={}))
    assert best_in(without, "COLOURFULNESS") == set()


def test_gain_over_grey_is_paired() -> None:
    gain = gains(results())["tintype"]
    assert gain.value == pytest.approx((1.5 + 1.4 + 1.6 + 1.3) / 4)
    # The pictures differ by dBs but the gains do not: the standard deviation is 0.129.
    assert gain.high - gain.value == pytest.approx(1.96 * 0.1290994 / 2)
    assert gains(only_models(2)) == {}


def test_markdown() -> None:
    text = markdown_of(results())
    assert r"set\|1.tar (ImageNet): 4 pictures, 1 file left out, at 256×256" in text
    assert "**23.20** \\[22.95, 23.45\\]" in text
    assert "| **+1.45** \\[+1.32, +1.58\\] |" in text
    assert "| *grey* |" in text
    assert "| tintype † |" in text
    assert r"| b\|\<b\>.onnx ‡ |" in text
    assert "† has seen this set: its training or its encoder saw pictures of ImageNet." in text
    assert "‡ nobody knows" in text
    assert "COLOURFULNESS → 40.0" in text
    for metric in METRICS:
        assert text.count(f"- {metric.key.upper().replace('_', chr(92) + '_')}") == 1
    assert "140 \\[130, 170\\]" in text
    assert "too few to say (3 faces)" in text
    assert "8 \\[3, 13\\] percentage points" in text
    assert r"- LPIPS: needs \<weights\>" in text
    assert "tintype 1.2.3" in text
    assert "<" not in re.sub(r"\\<", "", text)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_verdict() -> None:
    assert verdict(results()) == (
        "tintype leads in PSNR with 23.20 dB, ahead of b|<b>.onnx by 1.20 dB; it is 1.45 dB above "
        "the grey picture, at 55 % of the truth’s colourfulness (b|<b>.onnx comes nearest to "
        "that, with 138 %)."
    )
    assert "are level in PSNR: 23.20 dB and 23.20 dB" in verdict(only_models(2))
    assert verdict(only_models(1)).startswith("model 0 reaches PSNR 23.20 dB, at 55 %")
    assert verdict(only_models(0)).startswith("No model was measured")


def test_page_is_whole_and_asks_for_nothing() -> None:
    source = page_of(results(), gallery())
    page = Page(source)
    assert_self_contained(page)
    assert len(source.split(HOSTILE)) == 1
    assert "<em>caption" not in source
    assert sum(HOSTILE in each for each in page.text) == 2
    assert page.tags.count("script") == 1
    for each in ("truth", "grey", "b|<b>.onnx"):
        assert each in page.text
    images = [value for value in page.values("src") if value.startswith("data:")]
    assert [value.partition(";")[0] for value in images] == [
        "data:image/png",
        "data:image/jpeg",
        "data:image/webp",
    ]
    assert base64.b64decode(images[0].partition(",")[2]) == picture(1)
    links = {value.removeprefix("#") for value in page.values("href")}
    assert links <= set(page.values("id"))
    assert len(page.values("id")) == len(set(page.values("id")))


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_allows_the_pages_own_style_and_script(tag: str) -> None:
    source = page_of(results(), None)
    content = source.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}'" in source


def test_page_shows_figures_charts_and_reservations() -> None:
    text = " ".join(Page(page_of(results(), gallery())).text)
    for words in (
        "23.20",
        "[22.95, 23.45]",
        "† has seen this set",
        "the truth",
        "Every colour counts alike: % within the threshold",
        "PSNR over grey, dB",
        "100 % better than grey",
        "75 % better than grey",
        "too few to say (3 faces)",
        "needs <weights>",
        "it is <i>grey</i>",
    ):
        assert words in text


@pytest.mark.parametrize("count", [0, 1, 2, 13])
def test_any_number_of_models_makes_a_page(count: int) -> None:
    run = only_models(count)
    assert_self_contained(Page(page_of(run, None)))
    markdown_of(run)
    bare = tuple(
        replace(each, figures={}, values={}, curve=(), curve_rebalanced=(), timing=None)
        for each in run.rows
    )
    assert_self_contained(Page(page_of(replace(run, rows=bare, metrics=METRICS[:1]), None)))


def test_infinite_and_missing_values_are_kept_out_of_charts() -> None:
    run = results()
    nan, inf = float("nan"), float("inf")
    rows = tuple(
        replace(each, values={**each.values, "psnr": (nan, inf, *each.values["psnr"][2:])})
        for each in run.rows
    )
    source = page_of(replace(run, rows=rows), None)
    drawn = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    assert drawn
    assert not [each for each in drawn if re.search(r"\b(nan|inf)\b", each)]


def test_numbers_as_printed() -> None:
    assert number(-0.004, 2) == "0.00"
    assert number(-0.004, 2, signed=True) == "0.00"
    assert number(1.5, 1, signed=True) == "+1.5"
    assert number(-1.25, 2) == "−1.25"
    assert number(float("inf"), 2) == "∞"
    assert number(float("nan"), 2) == "–"


def test_characters_that_deceive_are_made_visible() -> None:
    assert visible("a\nb\x1b") == "a␊b␛"
    assert visible("a\u202egpj.exe\udcff\x9b") == "a\ufffdgpj.exe\ufffd\ufffd"
    assert visible("Grüße 日本.jpg") == "Grüße 日本.jpg"
