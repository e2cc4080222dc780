"""The report of an archive in a real browser: by keyboard, on a phone, for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import barriers, needs_chromium
from ledger_samples import HOSTILE, START, failed, ledger, pictures, row
from tintype.archive.report import Extent
from tintype.archive.report import page as report

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [row(i, damaged=i == 7, coloured=i == 8) for i in range(130)]
    rows += [failed(200 + i) for i in range(5)]
    rows += [
        row(300 + i, id=f"odd {i}", source=each, confidence=0.001, toned=True)
        for i, each in enumerate(HOSTILE)
    ]
    rows += [row(400, run="second", finished_at=START + timedelta(days=3))]
    path = tmp_path_factory.mktemp("report") / "report.html"
    few = Extent(least=7, random=5, finding=3)  # axe-core takes its time for each
    html = report(ledger(rows), pictures, title="s3://archive", listed=1000, extent=few)
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture
def page(chromium: Browser, file: Path) -> Iterator[Page]:
    """The page, opened from disk; whatever it asks for or complains about fails the test."""
    context = chromium.new_context(viewport={"width": 1100, "height": 800})
    context.set_default_timeout(10_000)
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda message: faults.append(message.text))
    context.on("request", lambda request: faults.append(request.url))
    page = context.new_page()
    page.goto(file.as_uri())
    yield page
    context.close()
    assert not [each for each in faults if not each.startswith(("data:", "blob:", "file:"))]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 400)])
def test_nothing_keeps_anybody_out(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 850})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not barriers(page)
    page.locator(".pair").first.click()
    page.keyboard.press("f")
    assert not barriers(page, "#enlarged")


def test_a_reviewer_needs_no_mouse(page: Page) -> None:
    first = page.locator("#sheet-least .pair").first
    first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#enlarged")).to_be_visible()
    expect(page.locator("#enlarged .views img")).to_have_count(2)
    expect(page.locator("#enlarged")).to_contain_text("The colours are invented.")
    heading = page.locator("#enlarged-title")
    before = heading.inner_text()
    page.keyboard.press("ArrowRight")
    assert heading.inner_text() != before
    page.keyboard.press("f")
    expect(page.locator("#enlarged .flag")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowLeft")
    assert heading.inner_text() == before
    expect(page.locator("#enlarged .flag")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    expect(page.locator("#enlarged")).to_be_hidden()
    expect(first).to_be_focused()
    expect(page.locator('button[value="flagged"] span')).to_have_text("1")


def test_one_sheet_at_a_time(page: Page) -> None:
    page.locator('button[value="toned"]').click()
    expect(page.locator(".sheet:visible")).to_have_count(1)
    expect(page.locator("#sheet-toned")).to_be_visible()
    page.locator("#sheet-toned .pair").last.click()
    page.keyboard.press("ArrowRight")  # round, within the sheet
    page.keyboard.press("Escape")
    expect(page.locator("#sheet-toned .pair").first).to_be_focused()
    page.locator('button[value="flagged"]').click()
    expect(page.locator(".card:visible")).to_have_count(0)
    expect(page.get_by_text("No scan is flagged yet.")).to_be_visible()
    page.locator('button[value="all"]').click()
    expect(page.locator(".sheet:visible")).to_have_count(5)


def test_flagged_scans_are_kept_and_saved_as_a_list(page: Page) -> None:
    expect(page.locator("#save")).to_be_disabled()
    flags = page.locator("#sheet-least .flag")
    for i in range(len(HOSTILE)):
        flags.nth(i).click()
    page.wait_for_timeout(500)  # the browser keeps what a page stores a moment later
    page.reload()
    page.locator('button[value="flagged"]').click()
    expect(page.locator(".card:visible")).to_have_count(len(HOSTILE))
    with page.expect_download() as saved:
        page.locator("#save").click()
    assert saved.value.suggested_filename == "flagged.jsonl"
    lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    found = {each["id"]: each["path"] for each in map(json.loads, lines)}
    assert found == {f"odd {i}": each for i, each in enumerate(HOSTILE)}


def test_it_reads_without_its_script(chromium: Browser, file: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.locator(".sheet")).to_have_count(5)
    expect(page.locator(".choosing")).to_be_hidden()
    expect(page.locator(".flag:visible")).to_have_count(0)
    context.close()
