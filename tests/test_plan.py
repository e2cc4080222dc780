"""From arguments to pairs of source and target: what is taken, where it goes, what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tintype.batch.plan import Plan, make_plan, plan_for_pipe
from tintype.errors import UsageError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def targets(plan: Plan, base: Path) -> list[str]:
    return [str(task.target.relative_to(base)) for task in plan.tasks if task.target]


def test_result_lies_beside_its_picture(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "A.TIF")
    plan = make_plan([str(tmp_path / "a.jpg"), str(tmp_path / "A.TIF")])
    assert targets(plan, tmp_path) == ["a-color.jpg", "A-color.TIF"]


def test_suffix_can_be_chosen_and_then_tells_own_results(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "a_c.jpg", tmp_path / "a-color.jpg")
    plan = make_plan([str(tmp_path)], suffix="_c")
    assert targets(plan, tmp_path) == ["a-color_c.jpg", "a_c.jpg"]
    assert plan.own == 1


def test_a_name_that_ends_like_a_result_is_one_only_beside_its_picture(tmp_path: Path) -> None:
    touch(tmp_path / "scan-1.jpg", tmp_path / "scan-12.jpg", tmp_path / "tree.jpg")
    for suffix in ("-1", "e"):
        plan = make_plan([str(tmp_path)], str(tmp_path / "out"), suffix=suffix)
        assert (len(plan.tasks), plan.own) == (3, 0)


def test_suffix_with_a_slash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="slash"):
        make_plan([str(tmp_path)], suffix="/../x")


def test_folder_is_searched_to_the_bottom_and_its_structure_kept(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    touch(scans / "b.png", scans / "1920/a.TIFF", scans / "1920/x/y.webp")
    touch(scans / "notes.txt", scans / ".hidden.jpg", scans / "._b.png", scans / "b-color.png")
    plan = make_plan([str(scans)], str(out))
    assert targets(plan, out) == ["b.png", "1920/a.TIFF", "1920/x/y.webp"]
    assert (plan.ignored, plan.own) == (1, 1)


def test_output_folder_inside_the_input_is_not_searched(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "out/a.png")
    plan = make_plan([str(tmp_path)], str(tmp_path / "out"))
    assert [task.label for task in plan.tasks] == [str(tmp_path / "a.png")]


def test_links_between_folders_end(tmp_path: Path) -> None:
    touch(tmp_path / "in/a.png", tmp_path / "far/b.png")
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    (tmp_path / "in/far").symlink_to(tmp_path / "far")
    (tmp_path / "in/broken.png").symlink_to(tmp_path / "gone")
    (tmp_path / "in/circle.png").symlink_to(tmp_path / "in/circle.png")
    plan = make_plan([str(tmp_path / "in")])
    assert targets(plan, tmp_path / "in") == ["a-color.png", "far/b-color.png"]
    refused = [str(tmp_path / "in" / name) for name in ("broken.png", "circle.png")]
    assert [name for name, _ in plan.refused] == refused


def test_pattern_is_expanded_and_keeps_structure(here: Path) -> None:
    touch(here / "s/1/a.tif", here / "s/2/a.tif", here / "s/2/b.png", here / "s/2/a-color.tif")
    plan = make_plan(["s/**/*.tif"], "out")
    assert [str(task.target) for task in plan.tasks] == ["out/1/a.tif", "out/2/a.tif"]
    assert [task.named for task in plan.tasks] == [False, False]
    assert [task.label for task in make_plan(["s/*"]).tasks] == [
        "s/1/a.tif",
        "s/2/a.tif",
        "s/2/b.png",
    ]


def test_the_output_folder_is_no_input_the_second_time(here: Path) -> None:
    touch(here / "p/a.jpg", here / "p/sub/b.jpg", here / "p/out/a.jpg", here / "p/out/sub/b.jpg")
    for inputs in (["p/**/*.jpg"], ["p/*"], ["p/a.jpg", "p/out", "p/sub"]):
        plan = make_plan(inputs, "p/out")
        assert [task.label for task in plan.tasks] == ["p/a.jpg", "p/sub/b.jpg"]
    shutil.rmtree(here / "p/out")
    touch(here / "p/out/c.jpg")
    assert [task.label for task in make_plan(["p/out"], "p/out", suffix="-x").tasks] == [
        "p/out/c.jpg"
    ]
    only = make_plan(["p/out/*.jpg"], "p/out", suffix="-x")
    assert [str(task.target) for task in only.tasks] == ["p/out/c-x.jpg"]


def test_a_folder_may_have_a_wildcard_in_its_name(here: Path) -> None:
    touch(here / "s [1920]/a.jpg", here / "s [1920]/b/c.jpg")
    plan = make_plan(["s [1920]/*.jpg"], "out")
    assert [str(task.target) for task in plan.tasks] == ["out/a.jpg"]
    plan = make_plan(["s [1920]/**/*.jpg"], "out")
    assert [str(task.target) for task in plan.tasks] == ["out/a.jpg", "out/b/c.jpg"]
    assert [task.label for task in make_plan(["s [[]*/*/"]).tasks] == ["s [1920]/b/c.jpg"]


def test_file_whose_name_looks_like_a_pattern_is_a_file(here: Path) -> None:
    touch(here / "a[1].jpg", here / "a1.jpg")
    assert [task.label for task in make_plan(["a[1].jpg"]).tasks] == ["a[1].jpg"]


def test_odd_names(here: Path) -> None:
    names = ["-x.jpg", "two\nlines.jpg", "наш дом.png", " .jpg", "*.webp"]
    names += [os.fsdecode(b"latin\xe9.jpg")]
    touch(*(here / name for name in names))
    assert sorted(task.label for task in make_plan(["."]).tasks) == sorted(names)
    assert [task.label for task in make_plan(["-x.jpg", "*.webp"]).tasks] == ["-x.jpg", "*.webp"]


def test_named_inputs_that_cannot_be_used_do_not_stop_the_others(here: Path) -> None:
    touch(here / "a.jpg", here / "notes.txt", here / "b-color.jpg", here / "b.jpg")
    os.mkfifo(here / "pipe.jpg")
    plan = make_plan(["a.jpg", "gone.jpg", "notes.txt", "b-color.jpg", "*.xyz", "pipe.jpg"])
    assert [task.label for task in plan.tasks] == ["a.jpg"]
    assert [name for name, _ in plan.refused] == ["gone.jpg", "notes.txt", "*.xyz", "pipe.jpg"]
    assert [name for name, _ in plan.left_out] == ["b-color.jpg"]
    for name, error in plan.refused:
        assert name in str(error)
        assert "\n" not in str(error)


def test_same_picture_twice_is_done_once(here: Path) -> None:
    touch(here / "in/a.jpg")
    plan = make_plan(["in", "in/a.jpg", "./in/a.jpg"])
    assert [(task.label, task.named) for task in plan.tasks] == [("in/a.jpg", True)]


@pytest.mark.parametrize(
    ("output", "expected"),
    [("b.png", "b.png"), ("new/", "new/a.jpg"), ("new", "new/a.jpg"), ("there", "there/a.jpg")],
)
def test_output_of_a_single_file(here: Path, output: str, expected: str) -> None:
    touch(here / "a.jpg")
    (here / "there").mkdir()
    assert [str(task.target) for task in make_plan(["a.jpg"], output).tasks] == [expected]


def test_output_must_fit_the_inputs(here: Path) -> None:
    touch(here / "a.jpg", here / "b.jpg", here / "in/c.jpg", here / "file")
    with pytest.raises(UsageError, match=r"b\.xyz"):
        make_plan(["a.jpg"], "b.xyz")
    for inputs, output in [(["a.jpg", "b.jpg"], "c.jpg"), (["in"], "c.jpg"), (["in"], "file")]:
        with pytest.raises(UsageError, match="give a folder"):
            make_plan(inputs, output)
    with pytest.raises(UsageError, match="standard output"):
        make_plan(["in"], "-")


def test_two_pictures_with_one_result_are_refused(here: Path) -> None:
    touch(here / "A/x.jpg", here / "B/x.jpg", here / "A/x.jpeg")
    with pytest.raises(UsageError, match=r"A/x\.jpg and B/x\.jpg would both become out/x\.jpg"):
        make_plan(["A/x.jpg", "B/x.jpg"], "out")
    assert len(make_plan(["A"], "out").tasks) == 2
    assert len(make_plan(["A/x.jpg", "B/x.jpg"]).tasks) == 2


def _link(kind: str, original: Path, link: Path) -> None:
    link.symlink_to(original) if kind == "symbolic" else os.link(original, link)


@pytest.mark.parametrize("kind", ["same", "symbolic", "hard"])
def test_original_is_never_a_target(here: Path, kind: str) -> None:
    touch(here / "a.jpg", here / "b.jpg")
    output = "a.jpg" if kind == "same" else "link.jpg"
    if kind != "same":
        _link(kind, here / "a.jpg", here / output)
    with pytest.raises(UsageError, match=r"would overwrite the original a\.jpg; --overwrite"):
        make_plan(["a.jpg"], output)
    assert len(make_plan(["a.jpg"], output, overwrite=True).tasks) == 1


def test_original_that_was_not_named_is_not_even_overwritten_when_asked(here: Path) -> None:
    touch(here / "in/a.jpg", here / "B/a.jpg")
    for inputs, output, suffix in [(["in"], "in", None), (["in/*.jpg"], "in", None)]:
        with pytest.raises(UsageError, match="would overwrite the original"):
            make_plan(inputs, output, suffix=suffix, overwrite=True)
    with pytest.raises(UsageError, match="would overwrite the original"):
        make_plan(["in"], suffix="", overwrite=True)
    assert len(make_plan(["in"], "in", suffix="-x").tasks) == 1


def test_original_of_another_picture_is_not_a_target(here: Path) -> None:
    touch(here / "a.jpg", here / "b.jpg")
    (here / "out").mkdir()
    (here / "out/a.jpg").symlink_to(here / "b.jpg")
    with pytest.raises(UsageError, match=r"result of a\.jpg would overwrite the original b\.jpg"):
        make_plan(["a.jpg", "b.jpg"], "out", overwrite=True)


def test_pipe(here: Path) -> None:
    assert plan_for_pipe(b"x").tasks[0].target is None
    assert plan_for_pipe(b"x", "-").tasks[0].target is None
    assert plan_for_pipe(b"x", "a.png").tasks[0].target == Path("a.png")
    with pytest.raises(UsageError, match="file whose name ends"):
        plan_for_pipe(b"x", "folder/")


def test_confidence_pictures_are_placed_and_known(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "a-color.jpg", tmp_path / "a-color-confidence.png")
    touch(tmp_path / "self-confidence.png")
    plan = make_plan([str(tmp_path)], confidence=True)
    beside = [task.confidence.name for task in plan.tasks if task.confidence]
    assert beside == ["a-color-confidence.png", "self-confidence-color-confidence.png"]
    assert plan.own == 2
    assert all(task.confidence is None for task in make_plan([str(tmp_path)]).tasks)
    named = make_plan([str(tmp_path / "a-color-confidence.png")])
    assert "-color-confidence.png like a result" in named.left_out[0][1]


def test_variants_are_placed_and_known(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "a-color-variant12.jpg", tmp_path / "my-variant1.jpg")
    plan = make_plan([str(tmp_path)], confidence=True, variants=3)
    made = [(task.target.name, task.variant, bool(task.confidence)) for task in plan.tasks]
    assert made == [
        ("a-color.jpg", 0, True),
        ("a-color-variant1.jpg", 1, False),
        ("a-color-variant2.jpg", 2, False),
        ("my-variant1-color.jpg", 0, True),
        ("my-variant1-color-variant1.jpg", 1, False),
        ("my-variant1-color-variant2.jpg", 2, False),
    ]
    assert plan.own == 1
    assert make_plan([str(tmp_path)]).tasks[0].variant is None
    with pytest.raises(UsageError, match="several variants need files"):
        make_plan([str(tmp_path / "a.jpg")], "-", variants=2)


def test_confidence_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "a.png")
    assert len(make_plan([str(tmp_path)]).tasks) == 2
    with pytest.raises(UsageError, match=r"would both write .*a-color-confidence\.png"):
        make_plan([str(tmp_path)], confidence=True)
    (tmp_path / "a.jpg").unlink()
    (tmp_path / "a-color-confidence.png").hardlink_to(tmp_path / "a.png")
    with pytest.raises(UsageError, match="overwrite the original"):
        make_plan([str(tmp_path)], confidence=True, overwrite=True)
