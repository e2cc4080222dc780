"""A browser for pages that are files: headless Chromium, and axe-core to examine them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, Playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
HAS_CHROMIUM = Path(CHROMIUM).exists() or "TINTYPE_CI" in os.environ

needs_chromium = pytest.mark.skipif(
    not HAS_CHROMIUM,
    reason="needs Chromium (Debian: chromium)",
)


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def hindrances(page: Page, part: str = "html") -> list[str]:
    """What axe-core finds in a part of a page that keeps somebody out."""
    folder = Path(axe_playwright_python.__file__)
    axe = folder.with_name("axe.min.js").read_text(encoding="utf-8")
    answer = page.evaluate(f"{axe};axe.run({part!r})")
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in answer["violations"]]
