"""A made-up run of the bench, small and hostile, for the tests of its reports."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from typing import Literal

from PIL import Image

from tintype.evaluation.report import Gallery, Section, Shot
from tintype.evaluation.results import (
    Better,
    Fairness,
    Figure,
    LeftOut,
    Metric,
    Protocol,
    Results,
    Row,
    SkinGroup,
    Timing,
)

HOSTILE = "<script>alert(1)</script>.jpg"
NAMES = (HOSTILE, 'a,"b"\nc|d.png', "=1+1.jpg", "d.jpg")
VOID = {"img", "meta", "link", "br", "hr", "input"}

Kind = Literal["model", "grey", "oracle"]


def metric(key: str, better: Better, digits: int = 2, *, main: bool = True) -> Metric:
    return Metric(key, key.upper(), "dB" if key == "psnr" else "", better, digits, f"{key}!", main)


METRICS = (
    metric("psnr", "higher"),
    metric("delta_e", "lower"),
    metric("colourfulness", "truth", 1),
    metric("gap", "neither", main=False),
)
PSNR = {
    "grey": (20.0, 22.0, 24.0, 21.0),
    "oracle": (40.0, 41.0, 42.0, 43.0),
    "tintype": (21.5, 23.4, 25.6, 22.3),
    "b|<b>.onnx": (20.5, 22.1, 24.4, 21.0),
}
SUMMARIES = {  # delta_e, colourfulness
    "grey": (12.0, 0.0),
    "oracle": (1.0, 40.0),
    "tintype": (10.0, 22.0),
    "b|<b>.onnx": (9.5, 55.0),
}


def row(label: str, kind: Kind = "model", *, seen: bool | None = False) -> Row:
    delta_e, colour = SUMMARIES[label]
    values: dict[str, tuple[float, ...]] = {
        "psnr": PSNR[label],
        "delta_e": (delta_e,) * 4,
        "colourfulness": (colour,) * 4,
        "gap": (0.125,) * 4,
    }
    means = {key: sum(each) / 4 for key, each in values.items()}
    figures = {key: Figure(mean, mean - 0.25, mean + 0.25) for key, mean in means.items()}
    curve = tuple(min(1.0, (t + 1) / (4 * delta_e)) for t in range(151))
    model = kind == "model"
    return Row(
        label=label,
        version="2" if model else "",
        kind=kind,
        sha256="ab" * 32 if model else "",
        strength=1.0,
        seen=seen,
        figures=figures,
        values=values,
        curve=curve,
        curve_rebalanced=curve,
        timing=Timing(140.0, 130.0, 170.0, 20, 2, "256×256") if model else None,
    )


def groups() -> tuple[SkinGroup, ...]:
    figure = Figure(6.0, 5.0, 7.0)
    part = Figure(0.9, 0.85, 0.95)
    return (
        SkinGroup("light", 40, 90_000, True, figure, Figure(-1, -2, 0.5), figure, part, part),
        SkinGroup("dark", 3, 900, False),
    )


def results() -> Results:
    protocol = Protocol(
        set_name="set|1.tar",
        set_sha256="cd" * 32,
        family="ImageNet",
        size="256",
        grey="lightness",
        pictures=len(NAMES),
        left_out=(LeftOut(HOSTILE, "it is <i>grey</i>"),),
        true_figures={"colourfulness": 40.0},
        versions={"tintype": "1.2.3"},
        machine="a processor, 2 threads",
        command="tintype evaluate",
        made="2026-01-02",
    )
    rows = (
        row("grey", "grey"),
        row("oracle", "oracle"),
        row("tintype", seen=True),
        row("b|<b>.onnx", seen=None),
    )
    gap = Figure(0.08, 0.03, 0.13)
    fairness = tuple(Fairness(each.label, groups(), gap, None) for each in rows[2:])
    return Results(protocol, METRICS, NAMES, rows, fairness, {"LPIPS": "needs <weights>"})


def picture(shade: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 90, 30)).save(file, kind)
    return file.getvalue()


def gallery() -> Gallery:
    views = {"truth": picture(1), "grey": picture(2, "JPEG"), "b|<b>.onnx": picture(3, "WEBP")}
    shot = Shot(HOSTILE, "<em>caption</em>", views)
    return Gallery((Section("Best <b>", "note & more", (shot,)), Section("None", "", ())))


class Page(HTMLParser):
    """A page taken apart; elements must be closed in the order in which they were opened.

    Attributes:
        tags: every element, in order.
        attributes: every attribute: element, name, value.
        text: what stands between tags.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, each, value in self.attributes if each == name]


def assert_self_contained(page: Page) -> None:
    """It asks for nothing, and the browser is told so."""
    for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
        assert all(value.startswith(("data:", "#")) for value in page.values(name))
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name == "style" or name.startswith("on")]
    assert "Content-Security-Policy" in page.values("http-equiv")
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert not any("url(" in each or "@import" in each for each in page.text)
