"""The whole of ``prepare``: what goes in comes out once, on its side, and says so on the card."""

from __future__ import annotations

import io
import json
import struct
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from prepare_samples import (
    HALVES,
    by_side,
    contents,
    encoded,
    left_out,
    make_cifar,
    make_folder,
    make_intel,
    make_kaggle,
    make_places,
    make_quick,
    make_sports,
    make_tar,
    make_voc,
    order_of,
    picture,
    prepare,
    run,
    sides,
    write,
)
from tintype.errors import MissingExtra, TrainingError, UsageError
from tintype.images.sets import names_in, pictures_in
from tintype.training.datasets import decode_rgb
from tintype.training.prepare.job import Preparation
from tintype.training.prepare.order import Order, Source
from tintype.training.prepare.splitting import Split

pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_quick(monkeypatch)


def bomb() -> bytes:
    """A PNG of a few bytes that claims 30,000×30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Twelve good pictures and one of everything that is not."""
    root = make_folder(tmp_path / "mixed", 12)
    write(root / "grey.png", np.repeat(picture(20)[..., :1], 3, axis=2))
    faded = np.repeat(picture(20)[..., :1], 3, axis=2).astype(np.int16) + np.array([2, 0, -1])
    write(root / "sepia" / "faded.png", np.clip(faded, 0, 255).astype(np.uint8))
    write(root / "tiny.png", picture(21)[:12])
    (root / "same.png").write_bytes((root / "part-0" / "000.png").read_bytes())
    brighter = ImageEnhance.Brightness(Image.fromarray(picture(1))).enhance(1.1)
    brighter.resize((48, 36)).save(root / "alike.jpg", quality=80)
    (root / "cut.jpg").write_bytes(encoded(picture(22, 200, 300), "jpeg")[:2500])
    (root / "bomb.png").write_bytes(bomb())
    (root / "text.jpg").write_text("no picture | at all")
    (root / "empty.webp").write_bytes(b"")
    (root / "notes.txt").write_text("not counted")
    return root


def test_what_could_not_be_read_is_looked_at_again(tmp_path: Path) -> None:
    root = tmp_path / "late"
    root.mkdir()
    for number in range(4):
        (root / f"{number}.png").touch()
    with pytest.raises(TrainingError, match=r"of the first: 0\.png is empty"):
        prepare(tmp_path / "set", root)
    for number in range(4):  # their copy has ended
        write(root / f"{number}.png", picture(number))
    assert prepare(tmp_path / "set", root)["counts"]["kept"] == 4


def test_what_is_unfit_is_counted_and_named(mixed: Path, tmp_path: Path) -> None:
    card = prepare(tmp_path / "set", mixed)
    assert (card["counts"]["found"], card["counts"]["kept"]) == (21, 12)
    assert left_out(card) == {
        "unreadable": 4,
        "smaller than 16 pixels": 1,
        "grey": 2,
        "exact duplicates": 1,
        "near-duplicates": 1,
    }
    why = {fault["name"]: fault["why"] for fault in card["unreadable"]}
    assert set(why) == {"cut.jpg", "bomb.png", "text.jpg", "empty.webp"}
    assert "truncated" in why["cut.jpg"]
    assert "900 megapixels" in why["bomb.png"]
    assert "not a picture" in why["text.jpg"]
    assert "is empty" in why["empty.webp"]


def test_training_can_read_the_result(mixed: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "set", f"field={mixed}", short_side=32, format="avif")
    originals = [picture(seed).astype(int) for seed in range(12)]
    names = []
    for tar in (tmp_path / "set").glob("*.tar"):
        for name, data in pictures_in(tar):
            rgb = decode_rgb(data, 32)
            assert rgb is not None
            assert rgb.shape == (32, 43, 3)
            small = [np.asarray(Image.fromarray(np.uint8(o)).resize((43, 32))) for o in originals]
            assert min(np.abs(rgb.astype(int) - each).mean() for each in small) < 6
            names.append(name)
    assert len(set(names)) == 12
    assert {name.rpartition("-")[0] for name in names} == {"field"}
    assert all(len(Path(name).stem) == len("field-") + 12 for name in names)


def test_the_card_and_its_files(mixed: Path, tmp_path: Path) -> None:
    sources = (Source("field", mixed, licence="CC0 | ours"),)
    order = Order(sources, tmp_path / "my_set", privacy="Everybody *agreed*.")
    stored, folder = run(order), tmp_path / "my_set"
    assert sorted(stored["files"]) == sorted(contents(folder))
    assert stored["counts"]["grey"] == 2
    assert stored["sources"][0]["licence"] == "CC0 | ours"
    assert stored["sources"][0]["from"] == "mixed"
    text = (folder / "card.md").read_text()
    for part in (
        "CC0 \\| ours",
        "Everybody \\*agreed\\*.",
        "bomb.png",
        "900 megapixels",
        "my\\_set",
    ):
        assert part in text
    assert str(tmp_path) not in text + (folder / "card.json").read_text()
    prior = np.load(folder / "prior.npy")
    assert prior.shape == (313,)
    assert prior.sum() == pytest.approx(1)


def test_privacy_is_not_claimed(tmp_path: Path) -> None:
    card = prepare(tmp_path / "set", make_folder(tmp_path / "a", 4))
    assert "was not checked" in card["people and privacy"]
    assert "not stated" in (tmp_path / "set" / "card.md").read_text()


def test_no_picture_changes_sides_whatever_else_comes(tmp_path: Path) -> None:
    one, other = make_folder(tmp_path / "one", 25), make_folder(tmp_path / "other", 25, first=50)
    for number, split in enumerate((HALVES, Split.parse("train=12,val=5"))):
        before, after, named = (tmp_path / f"{each}-{number}" for each in "abc")
        prepare(before, one, split=split)
        prepare(after, other, one, split=split)
        prepare(named, f"name={one}", split=split, short_side=16, format="webp")
        known, more = sides(before), sides(after)
        shared = known.keys() & more.keys()
        assert shared
        assert {known[each] for each in shared} == {"train", "val"}
        assert all(known[each] == more[each] for each in shared)
        assert sides(named) == known


def test_files_keep_their_side_in_a_tar(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "folder", 20)
    files = {f"x-{n:04}.png": data for n, data in enumerate(contents(folder).values())}
    prepare(tmp_path / "a", folder, split=HALVES)
    prepare(tmp_path / "b", make_tar(tmp_path / "some.tar", files), split=HALVES)
    assert sides(tmp_path / "a") == sides(tmp_path / "b")


def test_the_order_of_sources_is_no_matter(tmp_path: Path) -> None:
    places = [
        f"b={make_folder(tmp_path / 'one', 9)}",
        f"a={make_folder(tmp_path / 'other', 9, first=5)}",  # five are the same
        f"c={make_intel(tmp_path / 'intel')}",
    ]
    for target, mine in (("x", places), ("y", places[::-1])):
        prepare(tmp_path / target / "set", *mine)
    assert contents(tmp_path / "x") == contents(tmp_path / "y")
    card = json.loads((tmp_path / "x" / "set" / "card.json").read_text())
    assert left_out(card) == {"exact duplicates": 4}


def test_counts_are_exact_and_drawing_takes_the_lowest_hashes(tmp_path: Path) -> None:
    one, other = make_folder(tmp_path / "one", 20), make_folder(tmp_path / "other", 20, first=50)
    split = Split.parse("train=14,val=5,test=1")
    sources = (Source("one", one, take=9), Source("other", other, take=11))
    order = Order(sources, tmp_path / "set", split=split)
    card = run(order)
    placed = sides(tmp_path / "set")
    assert sorted(placed.values()) == ["test"] + ["train"] * 14 + ["val"] * 5
    prepare(tmp_path / "all", one)
    lowest = sorted(sides(tmp_path / "all"))[:9]
    assert set(lowest) <= set(placed)
    assert [source["kept"] for source in card["sources"]] == [9, 11]


def test_too_few_pictures_end_in_a_sentence(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="12 pictures can be used, and train is 1 short"):
        prepare(tmp_path / "set", mixed, split=Split.parse("train=13"))
    sources = (Source("mixed", mixed, take=13),)
    with pytest.raises(TrainingError, match="13 pictures of mixed are to be taken, and 12 of it"):
        list(Preparation(Order(sources, tmp_path / "set")).run())
    (tmp_path / "rubbish").mkdir()
    (tmp_path / "rubbish" / "a.jpg").write_text("text")
    with pytest.raises(TrainingError, match=r"None of the pictures can be read; .* a\.jpg is not"):
        prepare(tmp_path / "set1", tmp_path / "rubbish")
    write(tmp_path / "grey" / "1.png", np.full((30, 30, 3), 90, np.uint8))
    with pytest.raises(TrainingError, match=r"No picture is left of 1 for .*: 1 grey"):
        prepare(tmp_path / "set2", tmp_path / "grey")
    with pytest.raises(
        TrainingError, match=r"No picture is left of 21 for the split val=\.0001: 4 unr"
    ):
        prepare(tmp_path / "set3", mixed, split=Split.parse("val=.0001"))


def test_near_duplicates_in_other_sources_leave_the_largest(tmp_path: Path) -> None:
    for seed in range(5):
        large = Image.fromarray(picture(seed, 120, 160))
        write(tmp_path / "large" / f"{seed}.png", np.asarray(large))
        small = ImageEnhance.Brightness(large.resize((80, 60))).enhance(1.06)
        write(tmp_path / "a-small" / f"{seed}.jpg", np.asarray(small), quality=85)
    prepare(tmp_path / "set", tmp_path / "a-small", tmp_path / "large")
    names = [name for tar in (tmp_path / "set").glob("*.tar") for name in names_in(tar)]
    assert [name.rpartition("-")[0] for name in names] == ["large"] * 5


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (make_voc, {"train": 2, "val": 2, "test": 1}),
        (make_cifar, {"train": 6, "test": 2}),
        (make_places, {"train": 2, "val": 2}),
        (make_intel, {"train": 3, "test": 1}),
        (make_sports, {"train": 2, "val": 1, "test": 1}),
    ],
)
def test_own_splits_win_when_asked(
    tmp_path: Path, make: Callable[[Path], Path], expected: dict[str, int]
) -> None:
    root = make(tmp_path / "root")
    card = prepare(tmp_path / "set", root, own_splits=True)
    assert by_side(card) == expected
    assert f"{sum(expected.values())} pictures are on the side that" in card["not by hash alone"]
    free = prepare(tmp_path / "free", root, split=Split.parse("train=1.0"))
    assert free["counts"]["kept"] >= card["counts"]["kept"]


def test_own_splits_beside_a_source_without_lists(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "folder", 20)
    voc = make_voc(tmp_path / "voc")
    card = prepare(tmp_path / "set", folder, voc, own_splits=True, split=HALVES)
    assert left_out(card) == {"in none of their set's own lists": 1, "usable but not asked for": 1}
    assert {side: of["voc"] for side, of in by_side(card, "of each source").items()} == {
        "train": 2,
        "val": 2,
    }
    prepare(tmp_path / "alone", folder, split=HALVES)
    placed, alone = sides(tmp_path / "set"), sides(tmp_path / "alone")
    assert all(placed[each] == side for each, side in alone.items())
    with pytest.raises(UsageError, match="none of the sources has lists or folders"):
        prepare(tmp_path / "none", folder, own_splits=True)


def test_what_a_set_tests_on_is_not_trained_on(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "voc")
    test = Image.open(root / "VOC2012" / "JPEGImages" / "2007_000304.jpg")
    test.resize((600, 450)).save(root / "VOC2012" / "JPEGImages" / "2007_000301.jpg")
    card = prepare(tmp_path / "set", root, own_splits=True)
    assert by_side(card) == {"test": 1, "train": 1, "val": 2}


def test_a_sets_own_test_picture_stays_when_another_source_has_a_larger_one(tmp_path: Path) -> None:
    root, folder = make_voc(tmp_path / "voc"), tmp_path / "folder"
    make_folder(folder, 3)
    test = Image.open(root / "VOC2012" / "JPEGImages" / "2007_000304.jpg")
    test.resize((900, 675)).save(folder / "copy.jpg")
    split = Split.parse("train=0.8,val=0.1,test=0.1")
    card = prepare(tmp_path / "set", folder, root, own_splits=True, split=split)
    assert by_side(card, "of each source")["test"]["voc"] == 1


def test_balance_by_source(tmp_path: Path) -> None:
    one, other = make_folder(tmp_path / "one", 30), make_folder(tmp_path / "other", 16, first=50)
    split = Split.parse("train=12,val=4")
    card = prepare(tmp_path / "a", one, other, split=split, stratify="source")
    assert by_side(card, "of each source") == {
        "train": {"one": 6, "other": 6},
        "val": {"one": 2, "other": 2},
    }
    everything = Split.parse("train=1.0")
    card = prepare(tmp_path / "b", one, other, split=everything, stratify="source")
    assert by_side(card, "of each source") == {"train": {"one": 16, "other": 16}}


def test_balance_by_skin(tmp_path: Path) -> None:
    astronaut = np.asarray(pytest.importorskip("skimage.data").astronaut())[:256, 96:352]
    write(tmp_path / "people" / "face.png", astronaut)
    make_folder(tmp_path / "people" / "things", 6)
    split = Split.parse("train=1.0")
    card = prepare(tmp_path / "set", tmp_path / "people", split=split, stratify="skin")
    (counts,) = card["skin of the surest face"]
    assert counts["no face found"] == 1
    assert sum(count for count in counts.values() if count != "train") == 2
    assert "found in 1 of 2 pictures" in card["people and privacy"]
    assert "no face found" in (tmp_path / "set" / "card.md").read_text()


def test_missing_packages_are_named_with_the_line_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(tmp_path / "set", make_folder(tmp_path / "a", 2), stratify="skin")
    monkeypatch.setattr(
        "tintype.training.prepare.job.find_spec", lambda name: name != "skimage" or None
    )
    with pytest.raises(MissingExtra, match=r'skin tone .* pip install "tintype\[eval\]"'):
        Preparation(order)
    monkeypatch.setattr("tintype.training.prepare.job.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "tintype\[train\]"'):
        Preparation(order)
    assert not (tmp_path / "set").exists()


def test_classes_are_in_the_names(tmp_path: Path) -> None:
    prepare(
        tmp_path / "set", f"sport={make_sports(tmp_path / 'sports')}", split=Split.parse("a=1.0")
    )
    prefixes = {name.rpartition("-")[0] for name in names_in(tmp_path / "set" / "a-00.tar")}
    assert prefixes == {"sport-air_hockey", "sport-golf"}


def test_arrays_are_stored_as_pictures(tmp_path: Path) -> None:
    everything = Split.parse("all=1.0")
    kaggle = make_kaggle(tmp_path / "kaggle")
    prepare(tmp_path / "set", kaggle, split=everything, format="png")
    found = [decode_rgb(data, (48, 64)) for _, data in pictures_in(tmp_path / "set" / "all-00.tar")]
    assert len(found) == 7
    for seed in range(100, 107):
        errors = [
            np.abs(rgb.astype(int) - picture(seed)).mean() for rgb in found if rgb is not None
        ]
        assert min(errors) < 1.5


@pytest.mark.parametrize(("file_format", "quality"), [("avif", 60), ("webp", 100), ("png", None)])
def test_formats(tmp_path: Path, file_format: str, quality: int | None) -> None:
    source = make_folder(tmp_path / "a", 3)
    split = Split.parse("all=1.0")
    prepare(tmp_path / "set", source, split=split, format=file_format, quality=quality)
    for name, data in pictures_in(tmp_path / "set" / "all-00.tar"):
        assert name.endswith(f".{file_format}")
        rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
        errors = [np.abs(rgb - picture(seed)).mean() for seed in range(3)]
        assert min(errors) <= (6 if file_format == "avif" else 0)


def test_orientation_is_applied_and_metadata_left_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret place"
    write(tmp_path / "a" / "turned.jpg", picture(0, 48, 80), exif=exif, quality=95)
    prepare(tmp_path / "set", tmp_path / "a", split=Split.parse("all=1.0"))
    (stored,) = [data for _, data in pictures_in(tmp_path / "set" / "all-00.tar")]
    image = Image.open(io.BytesIO(stored))
    assert image.size == (48, 80)
    assert not dict(image.getexif())
    upright = np.rot90(picture(0, 48, 80), -1).astype(int)
    assert np.abs(np.asarray(image.convert("RGB")) - upright).mean() < 5


def test_shards_are_cut_to_size_and_mixed(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for seed in range(24):
        noise = np.random.default_rng(seed).integers(0, 256, (150, 200, 3), np.uint8)
        write(
            (one if seed % 2 else other) / f"{seed}.png",
            np.uint8(noise // 8 + picture(seed, 150, 200) // 8 * 7),
        )
    prepare(tmp_path / "set", one, other, split=Split.parse("all=1.0"), format="png", shard_mb=1)
    tars = sorted((tmp_path / "set").glob("*.tar"))
    assert [tar.name for tar in tars] == ["all-00.tar", "all-01.tar", "all-02.tar"][: len(tars)]
    assert len(tars) > 1
    assert all(tar.stat().st_size <= 10**6 + 10240 for tar in tars)
    names = [name for tar in tars for name in names_in(tar)]
    hashes = [Path(name).stem.rpartition("-")[2] for name in names]
    assert hashes == sorted(hashes)
    assert {name.partition("-")[0] for name in names_in(tars[0])} == {"one", "other"}


def test_progress_counts_every_stage_to_its_end(tmp_path: Path) -> None:
    states = list(Preparation(order_of(tmp_path / "set", make_folder(tmp_path / "a", 9))).run())
    for stage in ("scanning a", "encoding"):
        last = [state for state in states if state.stage == stage][-1]
        assert (last.done, last.total) == (9, 9)
    assert all(0 <= state.done <= state.total for state in states)


def test_tars_are_plain_and_the_same_every_time(tmp_path: Path) -> None:
    source = make_folder(tmp_path / "a", 5)
    for target in ("x", "y"):
        prepare(tmp_path / target / "set", source, split=Split.parse("all=1.0"), ready=True)
    first, second = contents(tmp_path / "x"), contents(tmp_path / "y")
    for name in first:
        if "card" not in name:  # speeds differ
            assert first[name] == second[name]
    with tarfile.open(tmp_path / "x" / "set" / "all-00.tar") as tar:
        assert all(member.isfile() and member.mtime == 0 for member in tar)


@pytest.mark.skipif(sys.platform == "win32", reason="names of files on Windows")
def test_hostile_names_do_no_harm(tmp_path: Path) -> None:
    files = {
        "../../out-1.png": encoded(picture(1)),
        "a\n|b-2.png": encoded(picture(2)),
        "/etc/x-3.png": encoded(picture(3)),
        "cut\n# Title-4.png": encoded(picture(4))[:300],
    }
    make_tar(tmp_path / "in" / "hostile.tar", files)
    card = prepare(tmp_path / "set", tmp_path / "in" / "hostile.tar", split=Split.parse("all=1.0"))
    names = list(names_in(tmp_path / "set" / "all-00.tar"))
    assert sorted(name.rpartition("-")[0] for name in names) == [
        "hostile",
        "hostile-out",
        "hostile-x",
    ]
    assert [fault["name"] for fault in card["unreadable"]] == ["cut\n# Title-4.png"]
    assert "\n# Title" not in (tmp_path / "set" / "card.md").read_text()
