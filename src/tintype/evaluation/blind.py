"""The colour Turing test as one web page: which of two pictures has been coloured by a model?

Zhang, Isola and Efros 2016 (arXiv 1603.08511), section 3.1: each trial shows the real and the
coloured version of one photograph, one second each, in random order, and then asks, with unlimited
time and without telling the answer, which one was coloured. A person who takes the real one for it
was fooled; 50 % is the best there is. They had 40 trials for each of 40 people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tintype.errors import UsageError
from tintype.evaluation.report.markup import (
    Markup,
    data_block,
    document,
    element,
    join,
    name,
    paragraph,
    picture_address,
    text,
)
from tintype.evaluation.report.wording import count, visible


def blind_page(pairs: Sequence[tuple[bytes, bytes]], model: str, seconds: float = 1.0) -> str:
    """A page that tests one person on these pictures and needs nothing else.

    Args:
        pairs: for each trial the real and the coloured picture, encoded as JPEG, PNG or WebP.
        model: whose colours they are; told only at the end.
        seconds: how long each picture is seen.

    Returns:
        HTML; the order of trials and of the two pictures is drawn anew on every start.

    Raises:
        UsageError: there are no pairs, a picture is of another kind, or the time is not positive.
    """
    if not pairs:
        raise UsageError("The blind test needs at least one pair of pictures.")
    if not seconds > 0:
        raise UsageError(f"A picture cannot be seen for {seconds} seconds; give more than 0.")
    addresses = [
        [picture_address(each, f"picture {number} of pair {i}") for number, each in enumerate(pair)]
        for i, pair in enumerate(pairs, 1)
    ]
    trial = {"model": visible(model), "seconds": seconds, "pairs": addresses}
    screens = [_introduction(len(pairs), seconds), _stage(), _question(), _result(model)]
    body = join([element("main", {}, *screens), _progress(), data_block("trial", trial)])
    style, script = "evaluation/blind.css", "evaluation/blind.js"
    return document("Which one was coloured?", body, [style], script)


def _screen(identifier: str, *content: Markup) -> Markup:
    """One of the screens, of which the script shows one at a time."""
    shown: dict[str, str | float] = {} if identifier == "introduction" else {"hidden": ""}
    return element("section", {"id": identifier} | shown, *content)


def _button(identifier: str, label: str, *more: Markup) -> Markup:
    return element("button", {"type": "button", "id": identifier}, text(label), *more)


def _introduction(pairs: int, seconds: float) -> Markup:
    """What will happen, and how to begin."""
    time = f"{seconds:g} second{'' if seconds == 1 else 's'}"
    said = (
        f"You will see {count(pairs, 'photograph')}, each one twice, for {time} each time. One of "
        "the two has its real colours; the other was black and white and has been given its "
        "colours by a machine. The order is random.",
        "After each pair you say which one was coloured by the machine. Take as long as you like "
        "to answer, and guess when you do not know. Look at the cross until the pictures come.",
        "Nobody but you sees your answers. At the end you can save them as a file.",
    )
    start = element("button", {"type": "button", "id": "start", "disabled": ""}, text("Start"))
    return _screen(
        "introduction",
        element("h1", {}, text("Which one was coloured?")),
        *(paragraph(each) for each in said),
        element("p", {"class": "buttons"}, start),
        element("p", {"id": "loading", "class": "soft", "role": "status"}),
        element("noscript", {}, paragraph("This page needs JavaScript, which is switched off.")),
    )


def _stage() -> Markup:
    """Where the cross and the pictures appear."""
    return _screen("stage", element("div", {"id": "view"}))


def _question() -> Markup:
    return _screen(
        "question",
        element("h2", {"id": "ask", "tabindex": "-1"}, text("Which one was coloured?")),
        element(
            "div",
            {"class": "answers", "role": "group", "aria-labelledby": "ask"},
            _button("first", "The first", *_keys("1", "←")),
            _button("second", "The second", *_keys("2", "→")),
        ),
    )


def _keys(*keys: str) -> Iterator[Markup]:
    caps = (element("kbd", {}, text(key)) for key in keys)
    yield element("span", {"class": "keys", "aria-hidden": "true"}, *caps)


def _result(model: str) -> Markup:
    """Filled by the script; the pictures that fooled come first."""
    return _screen(
        "result",
        element("h2", {"id": "score", "tabindex": "-1"}),
        element("p", {"id": "meaning"}),
        element("p", {"class": "soft"}, text("The colours are those of "), name(model), text(".")),
        element(
            "p",
            {"class": "buttons"},
            _button("save", "Save the result"),
            _button("again", "Once more"),
        ),
        element("div", {"id": "pictures"}),
        element("p", {"id": "aloud", "class": "unseen", "aria-live": "polite"}),
    )


def _progress() -> Markup:
    bar = element("progress", {"id": "bar", "value": "0", "max": "1", "aria-label": "Progress"})
    words = element("span", {"id": "done"})
    return element("footer", {"id": "progress", "hidden": ""}, bar, words)
