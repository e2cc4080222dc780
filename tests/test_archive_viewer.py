"""The tiles in the viewer that archives use: OpenSeadragon in Chromium, over any static server."""

from __future__ import annotations

import functools
import io
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from browsing import HAS_CHROMIUM, launched
from tintype.archive.tiles import write_level0

VIEWER = Path(sys.prefix, "viewer/package/build/openseadragon/openseadragon.min.js")
HEIGHT, WIDTH = 1300, 1999

pytestmark = pytest.mark.skipif(
    not (HAS_CHROMIUM and VIEWER.exists()) and "TINTYPE_CI" not in os.environ,
    reason="needs Chromium (Debian: chromium) and the viewer (make .venv/viewer.stamp)",
)

PAGE = """<!DOCTYPE html><title>A viewer</title>
<style>html, body, #v {margin: 0; height: 100%; background: #000}</style>
<div id="v"></div><script src="/viewer.js"></script>
<script>
  window.viewer = OpenSeadragon({id: "v", tileSources: "/iiif/scan/info.json", drawer: "canvas",
    showNavigationControl: false, animationTime: 0, immediateRender: true, crossOriginPolicy: false,
    visibilityRatio: 1});
</script>"""


def quarters() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8: red, green, blue and yellow quarters."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    y, x = HEIGHT // 2, WIDTH // 2
    rgb[:y, :x], rgb[:y, x:], rgb[y:, :x] = (200, 40, 40), (40, 160, 40), (40, 40, 200)
    rgb[y:, x:] = (200, 200, 40)
    return rgb


class Server(ThreadingHTTPServer):
    """A server of files, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, int]] = []
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(SimpleHTTPRequestHandler):
    server: Server

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.server.asked.append((self.path, int(code)))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    Image.fromarray(quarters()).save(tmp_path / "scan.png")
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "favicon.ico").write_bytes(b"")
    shutil.copy(VIEWER, tmp_path / "viewer.js")
    with Server(tmp_path) as server:
        identifier = f"{server.address}/iiif/scan"
        write_level0(tmp_path / "scan.png", tmp_path / "iiif/scan", identifier=identifier)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def shown(page: Page) -> np.ndarray:
    """The pixels of the viewer, when all that it asked for has come and is drawn."""
    page.wait_for_function(
        """() => window.viewer.isOpen() && window.viewer.world.getItemCount()
            && window.viewer.world.getItemAt(0).getFullyLoaded()"""
    )
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    return np.asarray(Image.open(io.BytesIO(page.locator("#v").screenshot())).convert("RGB"))


def test_the_viewer_draws_every_level(served: Server) -> None:
    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = browser.new_page(viewport={"width": 600, "height": 390})
        page.set_default_timeout(15_000)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{served.address}/index.html")
        far = shown(page)
        truth = quarters()
        for y, x in ((0.2, 0.2), (0.2, 0.8), (0.8, 0.2), (0.8, 0.8)):
            there = far[int(y * far.shape[0]), int(x * far.shape[1])].astype(int)
            assert np.abs(there - truth[int(y * HEIGHT), int(x * WIDTH)]).max() <= 6
        assert page.evaluate(
            """() => { const drawn = document.querySelector("#v canvas");
                return drawn.getContext("2d").getImageData(drawn.width / 5, drawn.height / 5,
                    1, 1).data[0]; }"""
        ) == pytest.approx(200, abs=6)
        # Every tile of every level, down to the pixels of the scan.
        for level in page.evaluate("() => [...Array(viewer.source.maxLevel + 1).keys()]"):
            missing = page.evaluate(
                """async (level) => {
                    const source = viewer.source, count = source.getNumTiles(level), bad = [];
                    for (let x = 0; x < count.x; x++) for (let y = 0; y < count.y; y++) {
                        const url = source.getTileUrl(level, x, y);
                        if (!(await fetch(url)).ok) bad.push(url);
                    }
                    return bad; }""",
                level,
            )
            assert not missing
        page.evaluate("() => { viewer.viewport.zoomTo(viewer.viewport.getMaxZoom(), null, true); }")
        near = shown(page)
        assert len(np.unique(near.reshape(-1, 3) // 64, axis=0)) >= 4  # the middle, four colours
        browser.close()
    assert not faults
    assert not [path for path, code in served.asked if code >= 400]
    assert any("/0,0,512,512/512,512/" in path for path, _ in served.asked)
