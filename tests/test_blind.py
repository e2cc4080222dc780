"""The colour Turing test: one page that needs nothing else, and its arithmetic."""

from __future__ import annotations

import base64
import json
import math
import shutil
import subprocess
from importlib.resources import files

import pytest

from report_samples import Page, assert_self_contained, picture
from tintype.errors import UsageError
from tintype.evaluation.blind import blind_page

PAIRS = [(picture(10), picture(20, "JPEG")), (picture(30), picture(40, "WEBP"))]
MODEL = "</script><script>alert(1)</script>"

node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")


def run_script(expression: str) -> object:
    """What an expression gives after the page's script has run, outside a browser."""
    script = files("tintype.evaluation").joinpath("blind.js").read_text(encoding="utf-8")
    code = f"{script}\nconsole.log(JSON.stringify({expression}));"
    command = ["node", "--input-type=commonjs", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson 1927 as the two roots of (p - k/n)² = z² p (1 - p) / n."""
    a = 1 + z * z / trials
    b = -(2 * successes / trials + z * z / trials)
    c = (successes / trials) ** 2
    root = math.sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def test_page_is_self_contained_and_holds_every_picture() -> None:
    source = blind_page(PAIRS, MODEL, 0.5)
    page = Page(source)
    assert_self_contained(page)
    assert page.tags.count("script") == 2
    block = next(each for each in page.text if each.startswith('{"model"'))
    trial = json.loads(block)
    assert trial["seconds"] == 0.5
    assert trial["model"] == MODEL
    kinds = [[each.partition(";")[0] for each in pair] for pair in trial["pairs"]]
    assert kinds == [["data:image/png", "data:image/jpeg"], ["data:image/png", "data:image/webp"]]
    for pair, addresses in zip(PAIRS, trial["pairs"], strict=True):
        for encoded, address in zip(pair, addresses, strict=True):
            assert base64.b64decode(address.partition(",")[2]) == encoded


def test_page_says_what_will_happen() -> None:
    words = " ".join(Page(blind_page(PAIRS, "tintype")).text)
    assert "You will see 2 photographs, each one twice, for 1 second each time." in words
    assert "0.5 seconds" in " ".join(Page(blind_page(PAIRS, "tintype", 0.5)).text)


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one pair"):
        blind_page([], "tintype")
    with pytest.raises(UsageError, match="more than 0"):
        blind_page(PAIRS, "tintype", 0)
    with pytest.raises(UsageError, match="picture 1 of pair 1 is none of them"):
        blind_page([(picture(1), b"nothing")], "tintype")


@node
@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 10), (3, 10), (10, 10), (13, 40), (812, 1600)]
)
def test_wilson(successes: int, trials: int) -> None:
    found = run_script(f"wilson({successes}, {trials})")
    assert found == pytest.approx(wilson(successes, trials), abs=1e-9)


@node
def test_wilson_as_published_and_without_trials() -> None:
    # Newcombe 1998, table I: 81 of 263 and 15 of 148.
    assert run_script("wilson(81, 263)") == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert run_script("wilson(15, 148)") == pytest.approx([0.0624, 0.1605], abs=5e-5)
    assert run_script("wilson(0, 0)") == [0, 1]


@node
def test_orders_are_permutations_drawn_evenly() -> None:
    orders = run_script("Array.from({ length: 6000 }, () => shuffled(3).join(''))")
    assert isinstance(orders, list)
    counts = {each: orders.count(each) for each in set(orders)}
    assert sorted(counts) == ["012", "021", "102", "120", "201", "210"]
    # 1000 of each are expected; six standard deviations are 173.
    assert all(abs(count - 1000) < 173 for count in counts.values())


@node
@pytest.mark.parametrize(
    ("fooled", "trials", "words"),
    [(2, 40, "better than by guessing"), (38, 40, "more real"), (19, 40, "no different")],
)
def test_meaning(fooled: int, trials: int, words: str) -> None:
    assert words in str(run_script(f"meaning({fooled}, {trials})"))
