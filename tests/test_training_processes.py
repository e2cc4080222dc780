"""Training that is killed goes on exactly; several processes train as one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import load_file  # noqa: E402

# At higher rates Adam makes much of rounding, where gradients are nearly nothing.
RECIPE = """
architecture: tintype
options: {context_width: 16, decoder_widths: [16, 16, 16]}
data: {train: [pictures], validation: {same: pictures}, short_side: 32, validation_size: 32}
phases: [{pictures: 160, batch: 8, size: 32, crops: [24, 32]}]
optimizer: {rate: 1.0e-4, trunk_rate: 5.0e-5, warmup_pictures: 8}
film: {tone: 0.5, grain: 0.5, blur: 0.5, fading: 0.5, scratches: 0.5}
augment: {rotation: 10.0}
precision: fp32
freeze_norm: true
validate_every: 80
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a few pictures, a recipe, and a run ``whole`` by one process."""
    tmp_path = tmp_path_factory.mktemp("data")
    (tmp_path / "pictures").mkdir()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        rgb = np.kron(rng.integers(0, 255, (4, 5, 3)), np.ones((10, 10, 1)))
        Image.fromarray(rgb.astype(np.uint8)).save(tmp_path / "pictures" / f"tile-{seed}.png")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    line = [sys.executable, "-m", *command(tmp_path, "whole")]
    subprocess.run(line, env=environment(), check=True)
    return tmp_path


def command(data: Path, run: str, *more: str) -> list[str]:
    train = ["train", str(data / "recipe.yaml"), "--data", str(data), "--run", str(data / run)]
    return ["tintype.cli", *train, *more]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoint.safetensors")


def test_a_killed_run_goes_on_exactly(data: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", *command(data, "killed")], env=environment())
    checkpoint, deadline = data / "killed" / "checkpoint.safetensors", time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL  # it was still at work
    subprocess.run([sys.executable, "-m", *command(data, "killed")], env=environment(), check=True)
    whole, killed = weights(data / "whole"), weights(data / "killed")
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_two_processes_train_as_one(data: Path) -> None:
    several = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "--"]
    done = subprocess.run(
        [*several, *command(data, "two")], env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    one, two = weights(data / "whole"), weights(data / "two")
    moved = 0.0
    start = weights_of_start(data)
    for name, value in one.items():
        if name.startswith("task."):
            assert torch.allclose(value, two[name], atol=1e-4), name
            moved = max(moved, float((value - start[name]).abs().max()))
    assert moved > 0.0005
    losses = [loss_of(data / run) for run in ("whole", "two")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)


def weights_of_start(data: Path) -> dict[str, torch.Tensor]:
    from tintype.training.recipes import load_recipe
    from tintype.training.steps import new_task
    from tintype.training.trainer import open_cache

    recipe = load_recipe(data / "recipe.yaml")
    cache = open_cache(recipe.data, data, data / "cache")
    task = new_task(recipe, data, cache, None)
    return {f"task.{name}": value for name, value in task.state_dict().items()}


def loss_of(run: Path) -> float:
    from tintype.training.records import read_rows

    rows = read_rows(run / "log.csv")
    assert {row["pictures"] for row in rows if row["term"] == "loss"} >= {"160"}
    return float(rows[[row["term"] for row in rows].index("loss")]["value"])
