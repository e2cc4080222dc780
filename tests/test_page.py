"""The page in a real browser: headless Chromium against a real server with the tiny network."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from browsing import (
    at,
    barriers,
    chroma,
    coloured,
    needs_chromium,
    picture,
    pixel,
    serving,
    until,
)
from conftest import grey_pixels
from film_samples import write_film
from tintype.engine import Colorizer, Options

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, tiny_guided_model: Path) -> Iterator[str]:
    """Where a server listens whose network takes hints."""
    with serving(tmp_path_factory.mktemp("server"), tiny_guided_model) as address:
        yield address


def test_a_picture_is_shown_grey_and_coloured_as_the_engine_colours_it(
    page: Page, tmp_path: Path, tiny_guided_model: Path
) -> None:
    path = picture(tmp_path)
    coloured(page, path)
    assert chroma(pixel(page, 0.25, 0.5)) <= 3
    made = Colorizer.load(tiny_guided_model, "cpu").colorize(np.asarray(Image.open(path)))
    for across, down in ((0.6, 0.3), (0.75, 0.5), (0.9, 0.8)):
        x, y = int(across * 400), int(down * 300)
        expected = np.median(made[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3), axis=0)
        shown = pixel(page, across, down)
        # The page's own view has 256² pixels, the tiny network's working size is 64.
        assert np.abs(np.asarray(shown, float) - expected).max() < 16, (shown, expected)


def test_the_seam_moves_by_mouse_and_keyboard(page: Page, tmp_path: Path) -> None:
    coloured(page, picture(tmp_path))
    seam = page.locator("#seam")
    box = seam.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 60
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 200, y, steps=4)
    page.mouse.up()
    assert int(seam.get_attribute("aria-valuenow") or 0) > 60
    assert chroma(pixel(page, 0.6, 0.5)) <= 3
    seam.focus()
    page.keyboard.press("Home")
    expect(seam).to_have_attribute("aria-valuenow", "0")
    assert chroma(pixel(page, 0.3, 0.5)) > 8
    page.keyboard.press("ArrowRight")
    expect(seam).to_have_attribute("aria-valuenow", "2")


def test_strength_answers_without_the_server_and_is_saved(
    page: Page, tmp_path: Path, tiny_guided_model: Path
) -> None:
    path = picture(tmp_path)
    coloured(page, path)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#strength").fill("0")
    assert chroma(pixel(page, 0.75, 0.5)) <= 3
    page.locator("#strength").fill("1.5")
    assert chroma(pixel(page, 0.75, 0.5)) > 12
    assert not asked
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename == "grandma-color.png"
    engine = Colorizer.load(tiny_guided_model, "cpu")
    expected = engine.colorize(path.read_bytes(), Options(strength=1.5))
    assert Path(download.value.path()).read_bytes() == expected


def test_zoom_and_reload_keep_the_work(page: Page, tmp_path: Path) -> None:
    coloured(page, picture(tmp_path))
    page.locator("#strength").fill("0.4")
    page.locator("#strength").dispatch_event("change")
    page.locator("#view").focus()
    for _ in range(4):
        page.keyboard.press("+")
    page.wait_for_timeout(200)
    page.reload()
    expect(page.locator("#view")).to_be_visible()
    expect(page.locator("#strength-value")).to_have_text("40 %")


def test_many_pictures_come_back_in_one_zip(page: Page, tmp_path: Path) -> None:
    paths = [picture(tmp_path, f"scan {n}.png", n) for n in range(3)]
    broken = tmp_path / "broken.png"
    broken.write_bytes(paths[0].read_bytes()[:500])
    page.set_input_files("#files", [str(path) for path in (*paths, broken)])
    expect(page.locator("#cards button")).to_have_count(4)
    expect(page.locator("#said")).to_contain_text("broken.png")
    expect(page.locator("#busy")).to_be_hidden()
    with page.expect_download() as download:
        page.locator("#save-all").click()
    with zipfile.ZipFile(download.value.path()) as made:
        assert made.testzip() is None
        assert made.namelist() == [f"scan {n}-color.png" for n in range(3)]


def test_what_the_browser_cannot_open_is_shown_all_the_same(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    Image.fromarray(grey_pixels(300, 400)).save(path)
    coloured(page, path)
    assert chroma(pixel(page, 0.75, 0.5)) > 8


def test_a_film_is_a_job_with_progress_and_a_result(page: Page, tmp_path: Path) -> None:
    film = write_film(tmp_path / "reel.mp4", 50, codec="libx264")
    page.set_input_files("#files", str(film))
    expect(page.locator("#busy")).to_be_visible()
    expect(page.locator("#busy")).to_be_hidden(timeout=30_000)
    expect(page.locator("#film")).to_have_attribute("src", re.compile("/result$"))
    with page.expect_download() as download:
        page.locator("#save").click()
    assert "reel-color.mp4" in download.value.suggested_filename


def test_a_long_film_is_seen_in_colour_before_it_is_done(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """() => {
            window.shown = [];
            const film = document.getElementById("film");
            new MutationObserver(() => window.shown.push(film.getAttribute("src")))
                .observe(film, { attributes: true, attributeFilter: ["src"] });
        }"""
    )
    film = write_film(tmp_path / "reel.mp4", 400, codec="libx264", size=(120, 160))
    page.set_input_files("#files", str(film))
    expect(page.locator("#film")).to_have_attribute("src", re.compile("/result$"), timeout=60_000)
    expect(page.locator("#busy")).to_be_hidden()
    shown = [str(source) for source in page.evaluate("window.shown")]
    sample = next(source for source in shown if source.endswith("/sample"))
    assert shown[-1] == sample.replace("/sample", "/result")
    answer = page.request.get(page.url.rstrip("/") + sample)
    with av.open(io.BytesIO(answer.body())) as made:
        assert (made.streams.video[0].width, made.streams.video[0].height) == (320, 120)
        assert sum(1 for _ in made.decode(video=0)) == 125


def test_a_film_is_made_again_with_another_strength(page: Page, tmp_path: Path) -> None:
    film = write_film(tmp_path / "reel.mp4", 30, codec="libx264")
    page.set_input_files("#files", str(film))
    expect(page.locator("#film")).to_have_attribute("src", re.compile("/result$"), timeout=30_000)
    first = page.locator("#film").get_attribute("src")
    expect(page.locator("#again")).to_be_hidden()
    page.locator("#vivid").click()
    page.locator("#again").click()
    expect(page.locator("#film")).not_to_have_attribute("src", first or "")
    expect(page.locator("#film")).to_have_attribute("src", re.compile("/result$"), timeout=30_000)
    expect(page.locator("#again")).to_be_hidden()
    page.locator("#usual").click()
    expect(page.locator("#again")).to_be_visible()


def test_the_camera_is_shown_in_colour(page: Page) -> None:
    page.locator("#live").click()
    expect(page.locator("#camera")).to_be_visible()
    expect(page.locator("#camera-said")).to_contain_text("frames per second", timeout=20_000)
    page.locator("#camera-close").click()
    expect(page.locator("#camera")).to_be_hidden()


@pytest.mark.parametrize("language", ["de", "es", "ne", "fa", "hi"])
def test_every_word_is_there_in_every_language(page: Page, language: str) -> None:
    page.locator("#language").select_option(language)
    direction = "rtl" if language == "fa" else "ltr"
    expect(page.locator("html")).to_have_attribute("dir", direction)
    expect(page.locator("#choose")).not_to_have_text("Choose a file")
    known = page.evaluate(
        """async () => {
            const words = await (await fetch("/static/strings.js")).text();
            return words.match(/^  [a-z]{2}: \\{[^]*?^  \\},/gm).map(
                (table) => [...table.matchAll(/^    "?([a-z ]+)"?:/gm)].map((m) => m[1]).join());
        }"""
    )
    assert len(known) == 6
    assert len(set(known)) == 1


def test_nothing_keeps_anybody_out(page: Page, tmp_path: Path) -> None:
    """axe-core finds nothing, in either theme, from left and from right."""
    assert not barriers(page)
    coloured(page, picture(tmp_path))
    page.locator("#hints").click()
    page.mouse.click(*at(page, 0.75, 0.5))
    assert not barriers(page)
    page.locator("#theme").click()
    page.locator("#language").select_option("fa")
    page.wait_for_timeout(100)
    assert not barriers(page)
    page.locator("#hint-close").click()
    page.locator("#live").dispatch_event("click")
    assert not barriers(page)


def test_a_phone_has_room_for_it(chromium: Browser, address: str, tmp_path: Path) -> None:
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(address)
    coloured(page, picture(tmp_path))
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    expect(page.locator("#notice")).to_be_visible()
    for name in ("save", "add", "strength"):
        box = page.locator(f"#{name}").bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= 844
    context.close()


def test_the_keyboard_is_enough(page: Page, tmp_path: Path) -> None:
    coloured(page, picture(tmp_path))
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"language", "theme", "view", "seam", "strength", "reference", "save"} <= reached


def test_a_server_that_goes_away_loses_nothing(page: Page, tmp_path: Path) -> None:
    coloured(page, picture(tmp_path))
    page.context.set_offline(True)
    page.locator("#save").click()
    expect(page.locator("#said")).to_contain_text("What you have done is kept")
    page.context.set_offline(False)
    with page.expect_download():
        page.locator("#save").click()


def test_a_key_is_asked_for_once(chromium: Browser, tmp_path: Path, tiny_model: Path) -> None:
    key = "a key of ours & more"
    with serving(tmp_path, tiny_model, workers=0, api_keys=(key,)) as address:
        page = chromium.new_page()
        page.goto(address)
        expect(page.locator("#key")).to_be_visible()
        page.locator("#key-text").fill(key)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.locator("#language option")).not_to_have_count(0)
        expect(page.locator("#key")).to_be_hidden()
        coloured(page, picture(tmp_path))
        expect(page.locator("#hints")).to_be_hidden()  # this network takes none
        page.close()


def test_a_colour_that_is_dragged_gives_up_the_requests_before(page: Page, tmp_path: Path) -> None:
    coloured(page, picture(tmp_path))
    page.locator("#hints").click()
    with page.expect_response("**/v1/predict*") as answer:
        page.mouse.click(*at(page, 0.75, 0.5))
    answer.value.finished()  # so that only what is dragged is under way
    disc = page.locator("#disc").bounding_box()
    assert disc is not None
    given_up: list[str] = []
    held: list[Route] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    # Unanswered until the next one is there.
    page.route("**/v1/predict*", lambda route: held.append(route))  # noqa: PLW0108
    page.mouse.move(disc["x"] + 100, disc["y"] + 100)
    page.mouse.down()
    until(page, lambda: held)
    page.mouse.move(disc["x"] + 170, disc["y"] + 60)
    until(page, lambda: given_up and len(held) == 2)
    page.mouse.up()
    held[1].continue_()
    page.unroute("**/v1/predict*")
    expect(page.locator("#busy")).to_be_hidden(timeout=15000)
    assert len(given_up) == 1
    expect(page.locator("#said")).not_to_contain_text("grandma.png")
    expect(page.locator("#cards .failed")).to_have_count(0)
    red, green, _ = pixel(page, 0.78, 0.5)
    assert red > green + 15


def test_what_is_changed_while_it_is_saved_is_saved_anew(
    page: Page, tmp_path: Path, tiny_guided_model: Path
) -> None:
    path = picture(tmp_path)
    coloured(page, path)
    saved = []
    page.route("**/v1/colorize", lambda route: (page.wait_for_timeout(300), route.continue_()))
    for strength in (1.0, 1.5):
        with page.expect_download() as download:
            page.locator("#save").click()
            page.locator("#strength").fill("1.5")
        saved.append(Path(download.value.path()).read_bytes())
        engine = Colorizer.load(tiny_guided_model, "cpu")
        assert saved[-1] == engine.colorize(path.read_bytes(), Options(strength=strength))


def test_a_colour_is_given_moved_taken_back_and_saved(page: Page, tmp_path: Path) -> None:
    coloured(page, picture(tmp_path))
    page.locator("#hints").click()
    page.mouse.click(*at(page, 0.75, 0.5))
    expect(page.locator("#picker")).to_be_visible()
    expect(page.locator(".spot")).to_have_count(1)
    disc = page.locator("#disc").bounding_box()
    assert disc is not None
    page.mouse.click(disc["x"] + 170, disc["y"] + 60)  # red, as far as this lightness has it
    page.wait_for_timeout(400)
    red, green, _ = pixel(page, 0.78, 0.5)
    assert red > green + 15
    page.locator("#hint-close").click()
    page.locator(".spot").focus()
    spot = page.locator(".spot").bounding_box()
    assert spot is not None
    page.mouse.move(spot["x"] + 13, spot["y"] + 13)
    page.mouse.down()
    page.mouse.move(*at(page, 0.75, 0.85), steps=5)
    page.mouse.up()
    page.wait_for_timeout(400)
    moved = page.locator(".spot").bounding_box()
    assert moved is not None
    assert moved["y"] > spot["y"] + 100
    page.locator("#hint-undo").click()
    back = page.locator(".spot").bounding_box()
    assert back is not None
    assert abs(back["y"] - spot["y"]) < 2
    with page.expect_download() as download:
        page.locator("#save").click()
    saved = Image.open(download.value.path())
    red, green, _ = saved.getpixel((300, 150))  # type: ignore[misc]
    assert red > green + 15
    page.locator("#hint-clear").click()
    expect(page.locator(".spot")).to_have_count(0)
    with page.expect_navigation():  # left in the moment of the last choice
        page.evaluate("document.getElementById('hint-undo').click(); location.reload()")
    expect(page.locator("#view")).to_be_visible()
    page.locator("#hints").click()
    expect(page.locator(".spot")).to_have_count(1)  # kept with the picture


def test_what_goes_wrong_is_told_in_the_page_s_language(page: Page, tmp_path: Path) -> None:
    page.locator("#language").select_option("de")
    broken = tmp_path / "kaputt.jpg"
    broken.write_bytes(b"\xff\xd8\xff" + bytes(100))
    page.set_input_files("#files", str(broken))
    expect(page.locator("#said")).to_contain_text("kaputt.jpg: Die Datei ist beschädigt")
    coloured(page, picture(tmp_path, "gut.png"))
    full = {"type": "urn:tintype:problem:insufficient-storage", "detail": "Full.", "status": 507}
    page.route("**/v1/colorize", lambda route: route.fulfill(status=507, json=full))
    page.locator("#save").click()
    expect(page.locator("#said")).to_contain_text("Die Platte des Servers ist voll")
    page.unroute("**/v1/colorize")
    with page.expect_download():
        page.locator("#save").click()


def test_a_scan_with_a_little_colour_is_saved_as_it_is_shown(page: Page, tmp_path: Path) -> None:
    pixels = np.repeat(grey_pixels(300, 400)[..., None], 3, axis=2)
    pixels[10:70, 10:50] = (200, 30, 30)  # a stamp: two parts in a hundred
    path = tmp_path / "stamped.png"
    Image.fromarray(pixels).save(path)
    coloured(page, path)
    with page.expect_download() as download:
        page.locator("#save").click()
    made = np.asarray(Image.open(download.value.path()).convert("RGB"), np.int16)
    assert np.ptp(made[200:, 200:], axis=-1).max() > 20


def state(page: Page, what: str) -> object:
    """What the page knows of its items."""
    return page.evaluate(f"import('/static/state.js').then(({{ items, now }}) => {what})")


def test_pictures_are_removed_by_key_and_by_hand(page: Page, tmp_path: Path) -> None:
    coloured(page, *(picture(tmp_path, f"{n}.png", n) for n in range(3)))
    cards = page.locator("#cards button")
    cards.nth(1).click()
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("Delete")
    expect(cards).to_have_count(2)
    expect(cards.nth(1)).to_be_focused()
    assert state(page, "now.current.name") == "2.png"
    page.locator("#remove").click()
    expect(page.locator("#strip")).to_be_hidden()
    page.locator("#remove").click()
    expect(page.locator("#welcome")).to_be_visible()
    for part in ("#view", "#seam", "#tools"):
        expect(page.locator(part)).to_be_hidden()
    page.wait_for_timeout(200)  # what is kept is forgotten a moment later
    page.reload()
    expect(page.locator("#language option")).not_to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()


def test_few_previews_are_kept_and_come_back(page: Page, tmp_path: Path) -> None:
    coloured(page, *(picture(tmp_path, f"{n}.png", n) for n in range(9)))
    until(page, lambda: state(page, "items.every((item) => item.state === 'done')"))
    few = "items.filter((item) => item.preview).length <= 7"  # the chosen one and six others
    assert state(page, few)
    number = state(page, "items.findIndex((item) => !item.preview)")
    assert isinstance(number, int)
    page.locator("#cards button").nth(number).click()
    until(page, lambda: state(page, "Boolean(now.current.preview)"))
    expect(page.locator("#busy")).to_be_hidden()
    page.wait_for_timeout(300)
    assert chroma(pixel(page, 0.25, 0.5)) <= 3
    assert chroma(pixel(page, 0.75, 0.5)) > 8
    assert state(page, few)


def test_a_film_that_the_server_has_forgotten_is_sent_again(page: Page, tmp_path: Path) -> None:
    film = write_film(tmp_path / "reel.mp4", 30, codec="libx264")
    page.set_input_files("#files", str(film))
    result = re.compile("/result$")
    expect(page.locator("#film")).to_have_attribute("src", result, timeout=30_000)
    first = str(page.locator("#film").get_attribute("src"))
    job = first.removesuffix("/result")
    assert page.request.delete(page.url.rstrip("/") + job).status == 204
    page.reload()
    expect(page.locator("#again")).to_be_visible()
    page.locator("#again").click()
    expect(page.locator("#film")).not_to_have_attribute("src", first)
    expect(page.locator("#film")).to_have_attribute("src", result, timeout=30_000)


def test_a_spot_that_was_dragged_opens_by_key_and_has_the_lightness_of_its_place(
    page: Page, tmp_path: Path
) -> None:
    coloured(page, picture(tmp_path))
    page.locator("#hints").click()
    page.mouse.click(*at(page, 0.75, 0.3))
    page.keyboard.press("Escape")
    spot = page.locator(".spot").first
    before = state(page, "now.current.hints[0].L")
    page.mouse.move(*at(page, 0.75, 0.3))
    page.mouse.down()
    page.mouse.move(*at(page, 0.6, 0.8), steps=4)
    page.mouse.up()
    expected = state(page, "now.hints.lightness(now.current.hints[0].x, now.current.hints[0].y)")
    assert state(page, "now.current.hints[0].L") == expected != before
    expect(page.locator("#picker")).to_be_hidden()
    spot.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#picker")).to_be_visible()
