"""Near-duplicates: new codings, sizes and brightnesses are found, different pictures are kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from prepare_samples import picture
from tintype.training.prepare.duplicates import coarse_colours, fingerprint, mark_repeated

Change = Callable[[Image.Image], Image.Image]


def coded(image: Image.Image, kind: str, **options: object) -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Image.open(file).convert("RGB")


CHANGES: dict[str, Change] = {
    "jpeg": lambda image: coded(image, "jpeg", quality=70),
    "webp": lambda image: coded(image, "webp", quality=60),
    "halved": lambda image: image.resize((image.width // 2, image.height // 2)),
    "enlarged": lambda image: image.resize((3 * image.width, 3 * image.height)),
    "squashed": lambda image: image.resize((100, 100)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "all of it": lambda image: coded(
        ImageEnhance.Brightness(image.resize((image.width // 2, image.height // 2))).enhance(1.05),
        "jpeg",
        quality=75,
    ),
}


def marks(pictures: list[np.ndarray], order: list[int] | None = None) -> tuple[list, list]:
    """What is repeated exactly and nearly; the content hash is that of the pixels."""
    digests = np.stack([np.frombuffer(sha256(p.tobytes()).digest(), np.uint8) for p in pictures])
    same, near = mark_repeated(
        digests,
        np.stack([fingerprint(p) for p in pictures]),
        np.stack([coarse_colours(p) for p in pictures]),
        np.array(range(len(pictures)) if order is None else order, np.int64),
    )
    return same.tolist(), near.tolist()


def photographs() -> list[np.ndarray]:
    """Half synthetic, half parts of scikit-image's photographs, where it is installed."""
    made = [picture(seed, 120, 160) for seed in range(12)]
    try:
        from skimage import data
    except ModuleNotFoundError:
        return made
    whole = [data.astronaut(), data.coffee(), data.chelsea()]
    corners = [(y, x) for y in (0, 150) for x in (0, 200)]
    return made + [image[y : y + 150, x : x + 200] for image in whole for y, x in corners]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_copies_are_found(change: Change) -> None:
    originals = photographs()
    copies = [np.asarray(change(Image.fromarray(image))) for image in originals]
    same, near = marks(originals + copies)
    assert not any(same)
    assert near == [False] * len(originals) + [True] * len(copies)


def test_the_first_in_order_stays() -> None:
    one = picture(1, 120, 160)
    copy = np.asarray(CHANGES["jpeg"](Image.fromarray(one)))
    pictures = [one, copy, picture(2), one.copy()]
    assert marks(pictures, [0, 1, 2, 3]) == ([False] * 3 + [True], [False, True, False, False])
    assert marks(pictures, [1, 3, 2, 0]) == ([True, False, False, False], [False] * 3 + [True])
    assert marks(pictures, [2]) == ([False] * 4, [False] * 4)


def test_different_pictures_are_kept() -> None:
    pictures = [picture(seed) for seed in range(300)]
    assert marks(pictures) == ([False] * 300, [False] * 300)


def moved(seed: int, by: int) -> np.ndarray:
    """A view of the same wide scene, moved to the side."""
    return picture(seed, 120, 320)[:, by : by + 160]


def test_similar_but_different_pictures_are_kept() -> None:
    one = picture(3, 120, 160)
    other_hue = np.ascontiguousarray(one[..., ::-1])
    other_part = one.copy()
    other_part[:, 80:] = picture(4, 120, 160)[:, 80:]
    different = [one, other_hue, other_part, moved(3, 0), moved(3, 40), moved(3, 80), one[:, ::-1]]
    assert marks([np.ascontiguousarray(p) for p in different]) == ([False] * 7, [False] * 7)


def test_flat_pictures_of_different_colours_are_kept() -> None:
    """All differences are zero, so that the fingerprints agree and only colour tells."""
    flat = np.full((3, 40, 60, 3), 90, np.uint8)
    flat[0, 10:30, 20:40] = (200, 30, 30)
    flat[1, 10:30, 20:40] = (30, 160, 200)
    flat[2, 10:30, 20:40] = (205, 35, 35)
    assert marks(list(flat))[1] == [False, False, True]


def test_up_to_ten_bits_are_found_wherever_they_differ() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (500, 128), np.uint8)
    colours = np.zeros((1000, 48), np.uint8)
    digests = rng.integers(0, 256, (1000, 32), np.uint8)
    for count, found in ((10, True), (11, False)):
        flipped = bits.copy()
        for row in flipped:
            row[rng.choice(128, count, replace=False)] ^= 1
        prints = np.packbits(np.concatenate([bits, flipped]), axis=1).view(np.uint16)
        _, near = mark_repeated(digests, prints, colours, np.arange(1000))
        assert near.tolist() == [False] * 500 + [found] * 500
