"""CONTRIBUTING's example of a new network works as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("onnx")

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def section() -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.partition("## Adding a network")[2].partition("\n## ")[0]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the sources, and a data directory DIR with a few pictures."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "small_networks.py", tmp_path / "tests")
    for name, count in (("train", 6), ("val", 2)):
        (tmp_path / "DIR" / name).mkdir(parents=True)
        for number in range(count):
            colours = np.random.default_rng(number).integers(0, 255, (4, 5, 3))
            rgb = np.kron(colours, np.ones((40, 40, 1))).astype(np.uint8)
            Image.fromarray(rgb).save(tmp_path / "DIR" / name / f"tile-{number}.png")
    Image.fromarray(rgb).convert("L").save(tmp_path / "photo.jpg")
    return tmp_path


def run(copy: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-W", "error::DeprecationWarning:tintype", "-m", "tintype.cli"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def add_lines(path: Path, lines: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert after in text
    path.write_text(text.replace(after, after + lines, 1), encoding="utf-8")


def test_the_example_works_as_it_stands(copy: Path) -> None:
    text = section()
    (_, network), (_, table), (_, small), (_, recipe), (_, commands) = FENCE.findall(text)
    for name in ("src/tintype/models/shallow.py", "recipes/shallow.yaml"):
        assert f"`{name}`" in text
    (copy / "src/tintype/models/shallow.py").write_text(network, encoding="utf-8")
    (copy / "recipes/shallow.yaml").write_text(recipe, encoding="utf-8")
    imported, entry = table.strip("\n").split("\n\n")
    models = copy / "src/tintype/models/__init__.py"
    add_lines(
        models,
        imported + "\n",
        "from tintype.models.network import Classes, GuidedNetwork, Network, Prediction, Reading\n",
    )
    add_lines(models, entry + "\n", '    "eccv16": (ECCV16, ECCV16Config),\n')
    add_lines(copy / "tests/small_networks.py", small, "SMALL: dict[str, dict[str, object]] = {\n")
    printed = [run(copy, *line.split()[1:]) for line in commands.strip().splitlines()]
    with Image.open(copy / "coloured.jpg") as coloured:
        assert coloured.mode == "RGB"
    assert "| `last` |" in printed[-1]

    record = printed[1][printed[1].index("Weights(") :]
    assert 'name="shallow"' in record
    add_lines(copy / "src/tintype/zoo.py", record, "_RECORDS: tuple[Weights, ...] = (\n")
    assert "shallow" in run(copy, "models", "list")
    small_options = {}
    exec((copy / "tests/small_networks.py").read_text(), small_options)
    assert small_options["SMALL"]["shallow"] == {"width": 8}
