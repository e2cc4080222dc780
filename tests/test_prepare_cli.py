"""``tintype prepare`` as a command: its words, its status, and that a kill does no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from prepare_samples import make_cifar, make_folder, make_kaggle, make_tar, make_voc
from tintype.cli import main
from tintype.cli.prepare import _LAYOUTS
from tintype.images.sets import names_in
from tintype.training.prepare import ready
from tintype.training.prepare.layouts import LAYOUTS
from tintype.training.prepare.ready import ReadyPictures

pytest.importorskip("matplotlib")


def test_help_names_every_layout(capfd: pytest.CaptureFixture[str]) -> None:
    assert _LAYOUTS.split(", ") == list(LAYOUTS)
    assert main(["prepare", "--help"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    for option in ("--take", "--split", "--own-splits", "--stratify", "--ready", "--licence"):
        assert option in said
    assert main(["--help"]) == 0
    assert "prepare" in capfd.readouterr().out


def test_everything_at_once(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {"images": 1.0, "pixels": 2.0, "ready": 3.0}
    monkeypatch.setattr(ready, "measure_speeds", lambda *_: speeds)
    make_folder(here / "field", 12)
    make_voc(here / "voc")
    make_kaggle(here / "kaggle")
    make_cifar(here / "cifar")
    status = main(
        [
            *("prepare", "field", "p=voc", "kaggle", "c10=cifar", "-o", "set", "--ready"),
            *("--take", "field=10", "--take", "c10=5", "--split", "train=18,val=5,test=2"),
            *("--layout", "c10=cifar10", "--stratify", "source", "--format", "webp"),
            *("--quality", "95", "--short-side", "32", "--licence", "p=see flickr"),
        ]
    )
    said = capfd.readouterr()
    assert status == 0, said.err
    assert said.out == f"{Path('set') / 'card.md'}\n"
    lines = said.err.splitlines()
    assert lines[0].startswith("33 found, ")
    assert lines[0].endswith("25 kept: 2 test, 18 train, 5 val.")
    assert "from the ready arrays" in lines[1]
    names = [name for tar in Path("set").glob("*.tar") for name in names_in(tar)]
    prefixes = {name.rpartition("-")[0] for name in names}
    assert prefixes == {"field", "p", "kaggle", "c10-airplane", "c10-sea_horse"}
    with Image.open("set/prior.png") as plot:
        assert plot.size == (770, 770)
    arrays = ReadyPictures.open(Path("set/ready"), "train")
    assert sorted(arrays.names.tolist()) == sorted(names_in(Path("set/train-00.tar")))


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["nowhere"], 2, "The source nowhere does not exist."),
        (["a", "a"], 2, "Two sources are called a: a and a; call one NAME=path."),
        (["x!=a"], 2, "The source x!=a does not exist."),
        (["a", "--take", "b=3"], 2, "--take names b, and the sources are a."),
        (["a", "--take", "a=0"], 2, "--take needs a number of pictures"),
        (["a", "--take", "3"], 2, "--take '3' should be NAME=value"),
        (["a", "--licence", "a=x", "--licence", "a=y"], 2, "once for each source"),
        (["a", "--layout", "a=zip"], 2, "There is no layout 'zip'; known are kaggle, cifar10"),
        (
            ["a", "--layout", "a=voc"],
            2,
            "no pictures in a in a layout that can be read: voc (Pascal VOC).",
        ),
        (["a", "--split", "train=1.5"], 2, "The split 'train=1.5' should be written like"),
        (["a", "--split", "train=9"], 1, "5 pictures can be used, and train is 4 short."),
        (["a", "--own-splits"], 2, "none of the sources has lists or folders"),
        (["a", "--format", "gif"], 2, "'gif' is not one of"),
        (["a", "--quality", "0"], 2, "--quality"),
        (["cut.tar"], 2, "Cannot read the pictures in cut.tar"),
        ([], 2, "Missing argument 'SOURCE...'"),
    ],
)
def test_bad_input_gets_one_sentence(
    here: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    sentence: str,
) -> None:
    make_folder(here / "a", 5)
    whole = make_tar(here / "cut.tar", {"a.png": b"x" * 5000})
    whole.write_bytes(whole.read_bytes()[:3000])
    assert main(["prepare", *arguments, "-o", "set"]) == status
    said = capfd.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert not list(Path("set").glob("*.tar"))


def test_a_path_with_an_equals_sign_is_a_path(here: Path) -> None:
    make_folder(here / "a=b", 3)
    assert main(["prepare", "a=b", "-o", "set", "--split", "all=1.0"]) == 0
    assert {name.rpartition("-")[0] for name in names_in(Path("set/all-00.tar"))} == {"a_b"}


def test_what_stands_there_is_refused(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_folder(here / "a", 3)
    assert main(["prepare", "a", "-o", "set"]) == 0
    assert main(["prepare", "a", "-o", "set"]) == 2
    assert "--overwrite" in capfd.readouterr().err
    assert main(["prepare", "a", "-o", "set", "--overwrite"]) == 0
    assert not Path("set/.unfinished").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_killed_at_any_time_and_called_again(here: Path) -> None:
    make_folder(here / "a", 60)
    line = [sys.executable, "-m", "tintype.cli", "prepare", "a", "-o"]
    subprocess.run([*line, "whole/set"], check=True, capture_output=True)
    for wait_s in (1.0, 1.5, 2.0, 2.5, 3.0):
        process = subprocess.Popen([*line, "again/set"], stderr=subprocess.DEVNULL)
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (here / "again/set/card.json").exists():
            break
    subprocess.run([*line, "again/set", "--overwrite"], check=True, capture_output=True)
    for name in os.listdir(here / "whole/set"):
        assert (here / "again/set" / name).read_bytes() == (here / "whole/set" / name).read_bytes()
    assert json.loads((here / "again/set/card.json").read_text())["counts"]["kept"] == 60
    assert sorted(os.listdir(here / "again/set")) == sorted(os.listdir(here / "whole/set"))
