"""The page in a real browser, for tests: a server, a visitor, and what the canvas shows."""

from __future__ import annotations

import io
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from conftest import grey_pixels
from tintype.server.run import listen, server
from tintype.server.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]

HAS_CHROMIUM = Path(CHROMIUM).exists() or "TINTYPE_CI" in os.environ

needs_chromium = pytest.mark.skipif(
    not HAS_CHROMIUM,
    reason="needs Chromium (Debian: chromium)",
)


@contextmanager
def serving(data: Path, model: Path, **changes: object) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    settings = Settings(data=data, model=str(model), device="cpu", port=0, **changes)  # type: ignore[arg-type]
    with listen(settings) as at:
        running = server(settings)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [at]})
        thread.start()
        try:
            while not running.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{at.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@contextmanager
def visitor(chromium: Browser, address: str) -> Iterator[BrowserContext]:
    """A fresh visitor; whatever goes to another host, or fails in the page, fails the test."""
    context = chromium.new_context(viewport={"width": 1100, "height": 700})
    context.grant_permissions(["camera"], origin=address)
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "blob:", "data:"))
            else faults.append(request.url)
        ),
    )
    try:
        yield context
    finally:
        context.close()
    assert not faults


def opened(context: BrowserContext, address: str) -> Page:
    """The page, ready."""
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(address)
    expect(page.locator("#language option")).not_to_have_count(0)
    return page


def picture(folder: Path, name: str = "grandma.png", seed: int = 0) -> Path:
    path = folder / name
    Image.fromarray(grey_pixels(300, 400, seed)).save(path)
    return path


def coloured(page: Page, *paths: Path) -> None:
    """Open pictures and wait until they are coloured."""
    page.set_input_files("#files", [str(path) for path in paths])
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.locator("#view")).to_be_visible()
    page.wait_for_timeout(1000)  # the seam comes to rest


def pixel(page: Page, across: float, down: float) -> tuple[int, ...]:
    """What the canvas shows at a part of the picture's width and height."""
    shot = Image.open(io.BytesIO(page.locator("#view").screenshot())).convert("RGB")
    height = shot.height
    width = height * 400 / 300
    left = (shot.width - width) / 2
    x, y = round(left + across * width), round(down * height)
    box = np.asarray(shot)[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
    return tuple(int(v) for v in np.median(box, axis=0))


def chroma(rgb: tuple[int, ...]) -> int:
    return max(rgb) - min(rgb)


def at(page: Page, across: float, down: float) -> tuple[float, float]:
    """Where a part of the picture is in the window."""
    box = page.locator("#view").bounding_box()
    assert box is not None
    width = box["height"] * 400 / 300
    left = box["x"] + (box["width"] - width) / 2
    return left + across * width, box["y"] + down * box["height"]


def barriers(page: Page, part: str = "html") -> list[str]:
    """What axe-core finds in a part of a page that keeps somebody out."""
    import axe_playwright_python

    axe = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    answer = page.evaluate(f"{axe};axe.run({part!r})")
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in answer["violations"]]


def until(page: Page, holds: Callable[[], object]) -> None:
    """Let the page live until something holds."""
    for _ in range(300):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("It does not come to hold.")
