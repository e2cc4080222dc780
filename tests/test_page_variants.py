"""The page's variants and the marks of its strength, with a network that leans."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    Page,
    Request,
    Route,
    expect,
)

from browsing import (
    at,
    barriers,
    coloured,
    needs_chromium,
    opened,
    picture,
    pixel,
    serving,
    until,
)
from conftest import build_tiny_graph
from tintype.engine import Colorizer, Options

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that leans, takes hints and says how sure it is."""
    path = tmp_path_factory.mktemp("models") / "all.onnx"
    onnx.save(build_tiny_graph(guided=True, sure=True, leaning=True, name="tiny-all"), path)
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, network: Path) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server"), network) as address:
        yield address


def tile(page: Page, variant: int) -> list[int]:
    """The mean colour of a small picture of the strip."""
    mean: list[int] = page.evaluate(
        """(variant) => {
            const small = document.querySelectorAll("#variants canvas")[variant];
            const context = small.getContext("2d");
            const { data } = context.getImageData(0, 0, small.width, small.height);
            const sum = [0, 0, 0];
            for (let i = 0; i < data.length; i += 4)
                for (const c of [0, 1, 2]) sum[c] += data[i + c];
            return sum.map((s) => Math.round(s / (data.length / 4)));
        }""",
        variant,
    )
    return mean


def drawn(page: Page) -> list[list[int]]:
    """The mean colours of the strip, once all of it has colours."""
    until(page, lambda: all(np.ptp(tile(page, variant)) > 2 for variant in range(6)))
    return [tile(page, variant) for variant in range(6)]


def test_the_strip_is_drawn_when_there_is_time(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/v1/predict" in request.url:
            shown = page.locator("#busy").is_hidden()
            asked.append(request.url.partition("variant=")[2] + ("" if shown else " early"))

    page.on("requestfinished", note)
    page.set_input_files("#files", str(picture(tmp_path)))
    expect(page.locator("#variants")).to_be_visible()
    expect(page.get_by_role("radio")).to_have_count(6)
    means = drawn(page)
    assert len({tuple(mean) for mean in means}) == 6
    assert asked[1:] == ["1", "2", "3", "4", "5"]


def test_a_variant_is_shown_saved_and_remembered_by_picture(
    page: Page, tmp_path: Path, network: Path
) -> None:
    paths = [picture(tmp_path, "a.png"), picture(tmp_path, "b.png", 1)]
    coloured(page, *paths)
    drawn(page)
    likely = pixel(page, 0.75, 0.5)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    radios = page.get_by_role("radio")
    expect(radios.nth(0)).to_be_checked()
    radios.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(radios.nth(2)).to_be_checked()
    expect(radios.nth(2)).to_be_focused()
    assert np.abs(np.subtract(pixel(page, 0.75, 0.5), likely)).max() > 8
    assert not asked  # the strip had asked for it
    page.locator("#cards button").nth(1).click()
    expect(radios.nth(0)).to_be_checked()
    page.locator("#cards button").nth(0).click()
    expect(radios.nth(2)).to_be_checked()
    with page.expect_download() as download:
        page.locator("#save").click()
    engine = Colorizer.load(network, "cpu")
    expected = [
        engine.colorize(path.read_bytes(), Options(variant=variant))
        for path, variant in zip(paths, (2, 0), strict=True)
    ]
    assert Path(download.value.path()).read_bytes() == expected[0]
    with page.expect_download() as download:
        page.locator("#save-all").click()
    with zipfile.ZipFile(download.value.path()) as made:
        assert [made.read(name) for name in made.namelist()] == expected
    page.reload()
    expect(radios.nth(2)).to_be_checked()


def test_hints_go_with_a_variant_and_doubt_stays_that_of_the_likely(
    page: Page, tmp_path: Path
) -> None:
    coloured(page, picture(tmp_path))
    page.locator("#variants label").nth(3).click()
    page.locator("#hints").click()
    page.mouse.click(*at(page, 0.75, 0.5))
    disc = page.locator("#disc").bounding_box()
    assert disc is not None
    page.mouse.click(disc["x"] + 170, disc["y"] + 60)  # red
    until(page, lambda: pixel(page, 0.78, 0.5)[0] > pixel(page, 0.78, 0.5)[1] + 15)
    expect(page.locator("#busy")).to_be_hidden()
    away = pixel(page, 0.6, 0.2)
    with page.expect_download() as download:
        page.locator("#save").click()
    saved = Image.open(download.value.path()).convert("RGB")
    assert np.abs(np.subtract(saved.getpixel((240, 60)), away)).max() < 16  # type: ignore[arg-type]
    page.locator("#hint-close").click()
    page.locator("#variants label").nth(0).click()
    until(page, lambda: np.abs(np.subtract(pixel(page, 0.6, 0.2), away)).max() > 8)
    expect(page.locator(".spot")).to_have_count(1)
    expect(page.locator("#doubt")).to_be_enabled()


def test_marks_set_the_strength_and_say_what_they_do(page: Page, tmp_path: Path) -> None:
    coloured(page, picture(tmp_path))
    usual = np.ptp(drawn(page)[0])
    told = page.locator("#strength-told")
    for name, percent, text in (
        ("cautious", "75 %", "few mistakes show"),
        ("vivid", "130 %", "Stronger colours"),
        ("usual", "100 %", "as the network gives them"),
    ):
        page.locator(f"#{name}").click()
        expect(page.locator("#strength-value")).to_have_text(percent)
        expect(page.locator(f"#{name}")).to_have_attribute("aria-pressed", "true")
        expect(told).to_contain_text(text)
    page.locator("#strength").fill("0.4")
    expect(told).to_have_text("")
    expect(page.locator(".marks [aria-pressed=true]")).to_have_count(0)
    until(page, lambda: np.ptp(tile(page, 0)) < usual)
    page.locator("#vivid").click()
    until(page, lambda: np.ptp(tile(page, 0)) > usual)


def test_a_network_without_variants_has_no_strip(
    chromium: Browser, tmp_path: Path, tiny_model: Path
) -> None:
    with serving(tmp_path / "server", tiny_model, workers=0) as address:
        page = chromium.new_page()
        page.goto(address)
        path = picture(tmp_path)
        coloured(page, path)
        expect(page.locator("#variants")).to_be_hidden()
        page.reload()
        coloured(page, path)
        expect(page.locator("#variants")).to_be_hidden()
        page.close()


def test_a_variant_of_a_network_that_is_gone_becomes_the_likely_one(
    page: Page, tmp_path: Path
) -> None:
    coloured(page, picture(tmp_path))
    page.locator("#variants label").nth(3).click()

    def plain(route: Route) -> None:
        if "variant=" in route.request.url:
            route.fulfill(status=422, json={"detail": "One colouring only."})
            return
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "variants": False})

    page.route("**/v1/predict?*", plain)
    page.reload()
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.locator("#view")).to_be_visible()
    expect(page.locator("#variants")).to_be_hidden()
    expect(page.locator("#said")).to_have_text("")


@pytest.mark.parametrize(
    ("width", "height", "touch"), [(1280, 800, False), (390, 844, True), (820, 1180, True)]
)
def test_nothing_of_it_is_out_of_reach(
    chromium: Browser, address: str, tmp_path: Path, width: int, height: int, touch: bool
) -> None:
    """All six are in the window, large enough, beside each other and not over the picture."""
    context = chromium.new_context(
        viewport={"width": width, "height": height}, has_touch=touch, is_mobile=touch
    )
    page = opened(context, address)
    coloured(page, picture(tmp_path))
    drawn(page)
    found = [page.locator(".tile").nth(variant).bounding_box() for variant in range(6)]
    boxes = [box for box in found if box is not None]
    view = page.locator("#view").bounding_box()
    assert view is not None
    assert len(boxes) == 6
    for box in boxes:
        assert box["width"] >= 44
        assert box["height"] >= 44
        assert 0 <= box["x"] <= width - box["width"]
        assert box["y"] + box["height"] <= height
        beside = box["x"] >= view["x"] + view["width"]
        assert beside or box["y"] >= view["y"] + view["height"]
    for language in ("en", "fa"):
        page.locator("#language").select_option(language)
        assert not barriers(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_the_seam_sweeps_once_when_colours_come(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() =>
                window.seen.push(Number(document.getElementById("seam").getAttribute("aria-valuenow"))),
            ).observe(document.getElementById("seam"), { attributeFilter: ["aria-valuenow"] });
        }"""
    )
    coloured(page, picture(tmp_path))
    expect(page.locator("#seam")).to_have_attribute("aria-valuenow", "50")
    seen: list[int] = page.evaluate("window.seen")
    assert max(seen) > 55
    after = seen[seen.index(max(seen)) :]
    assert after == sorted(after, reverse=True)
    assert len(set(after)) > 2  # it goes there, and does not jump
