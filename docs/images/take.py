"""Take the pictures that the documentation shows, anew: samples, the page and the window.

    python docs/images/take.py [FOLDER]

Needs the extra ``dev``, Chromium, Xvfb and tkinter. What is shown are the samples of ``make demo``:
coffee and chelsea are CC0, the astronaut (NASA) and the rocket (SpaceX) in the public domain.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image, ImageGrab
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PORT = 8642
TINTYPE = [sys.executable, "-m", "tintype.cli"]


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """The address of a server with the default network."""
    address = f"http://127.0.0.1:{PORT}"
    line = [*TINTYPE, "serve", "--port", str(PORT), "--data", str(data)]
    with subprocess.Popen(line) as server:
        for _ in range(120):
            try:
                urlopen(f"{address}/readyz").close()
                break
            except URLError:
                time.sleep(0.5)
        yield address
        server.terminate()


def opened(browser: Browser, address: str, size: tuple[int, int], files: list[Path]) -> Page:
    """The page with pictures that have their colours."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(address)
    page.set_input_files("#files", [str(file) for file in files])
    expect(page.locator("#busy")).to_be_hidden(timeout=60_000)
    page.wait_for_timeout(6000)  # the seam comes to rest, the variants are drawn
    return page


def shot(page: Page, path: Path) -> None:
    """What the page shows, as JPEG."""
    page.screenshot(path=str(path), type="jpeg", quality=88)


def page_pictures(samples: Path, target: Path) -> None:
    """The page on a desktop, with stripes, with colours given, and on a telephone."""
    files = [samples / f"{name}.jpg" for name in ("coffee", "chelsea", "rocket", "astronaut")]
    with (
        tempfile.TemporaryDirectory() as data,
        serving(Path(data)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = opened(browser, address, (1280, 800), files)
        shot(page, target / "page.jpg")
        page.locator("#doubt").click()
        shot(page, target / "page-confidence.jpg")
        page.locator("#doubt").click()
        page.locator("#hints").click()
        view = page.locator("#view").bounding_box()
        assert view is not None
        page.mouse.click(view["x"] + 0.66 * view["width"], view["y"] + 0.62 * view["height"])
        page.wait_for_timeout(1500)
        shot(page, target / "page-hints.jpg")
        page = opened(browser, address, (390, 844), files[3:])
        shot(page, target / "page-phone.jpg")
        browser.close()


def window_picture(sample: Path, target: Path) -> None:
    """The window with a picture that has its colours."""
    reading, writing = os.pipe()
    line = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1180x780x24", "-nolisten", "tcp"]
    with subprocess.Popen(line, pass_fds=[writing]) as screen:
        os.close(writing)
        with os.fdopen(reading) as told:
            display = f":{told.readline().strip()}"
        with subprocess.Popen(
            [*TINTYPE, "gui", str(sample)], env={**os.environ, "DISPLAY": display}
        ) as gui:
            time.sleep(12)
            taken = ImageGrab.grab(xdisplay=display)
            gui.terminate()
        screen.terminate()
    box = Image.eval(taken.convert("L"), lambda value: 255 if value else 0).getbbox()
    taken.crop(box).save(target / "window.jpg", quality=88)


def main() -> None:
    """Take them all."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = [sys.executable, str(ROOT / "examples" / "sample_pictures.py"), folder]
        subprocess.run(made, check=True)
        sheet = [str(Path(folder, "original")), "-o", str(target / "samples.jpg"), "--overwrite"]
        subprocess.run([*TINTYPE, "compare", *sheet], check=True)
        page_pictures(Path(folder, "grey"), target)
        window_picture(Path(folder, "grey", "coffee.jpg"), target)


if __name__ == "__main__":
    main()
