"""Recipes, the picture cache, the losses and the training loop."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from tintype.bins import in_gamut_centres, soft_encode  # noqa: E402
from tintype.errors import TrainingError  # noqa: E402
from tintype.models import ARCHITECTURES, build  # noqa: E402
from tintype.training import datasets, losses, tasks, trainer  # noqa: E402
from tintype.training.checkpoints import load_trained  # noqa: E402
from tintype.training.config import Data, Film, Optimizer, Phase, Recipe, load_recipe  # noqa: E402

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))
SMALL = {"context_width": 16, "decoder_widths": (16, 16, 16)}


def picture(seed: int, height: int = 40, width: int = 60) -> np.ndarray:
    """A field below a sky, in colours that depend on the lightness."""
    rng = np.random.default_rng(seed)
    rgb = np.empty((height, width, 3))
    horizon = int(rng.integers(height // 3, 2 * height // 3))
    rgb[:horizon] = (0.55, 0.7, 0.95)
    rgb[horizon:] = (0.3, 0.4, 0.1)
    return np.uint8(np.clip(rgb + rng.normal(0, 0.03, (height, width, 1)), 0, 1) * 255)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data directory: a tar of pictures, a grey one and a broken one in it, and a folder."""
    with tarfile.open(tmp_path / "train.tar", "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for i in range(6):
            stream = io.BytesIO()
            Image.fromarray(picture(i)).save(stream, "webp", lossless=True)
            add(f"set/sky-{i}.webp", stream.getvalue())
        stream = io.BytesIO()
        Image.fromarray(picture(7)[..., 0]).save(stream, "png")
        add("grey.png", stream.getvalue())
        add("broken.jpg", b"\xff\xd8\xff not a picture")
        add("notes.txt", b"no picture at all")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    Image.fromarray(picture(8, 50, 40)).save(tmp_path / "folder" / "deep" / "tall.png")
    return tmp_path


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        architecture="tintype",
        data=Data(("train.tar", "folder"), {"same": "train.tar"}, short_side=32),
        phases=(Phase(8, 2, 32, (24, 32)), Phase(8, 4, 32, (32, 32))),
        options=dict(SMALL),
        optimizer=Optimizer(warmup_pictures=4),
        validate_every=8,
    )


def test_cache_holds_the_colour_pictures_once(root: Path, recipe: Recipe) -> None:
    cache = datasets.open_cache(recipe.data, root, root / "cache")
    assert sorted(cache.names) == [*(f"sky-{i}.webp" for i in range(6)), "tall.png"]
    assert set(map(tuple, cache.sizes.tolist())) == {(32, 48), (40, 32)}
    before = [p.stat().st_mtime_ns for p in sorted((root / "cache").iterdir())]
    again = datasets.open_cache(recipe.data, root, root / "cache")
    assert [p.stat().st_mtime_ns for p in sorted((root / "cache").iterdir())] == before
    assert (again.picture(3) == cache.picture(3)).all()
    true = np.asarray(Image.fromarray(picture(0)).resize((48, 32), Image.Resampling.BICUBIC))
    index = int(np.flatnonzero(cache.names == "sky-0.webp")[0])
    assert (cache.picture(index) == true).all()


def test_batches_are_functions_of_seed_and_step(root: Path, recipe: Recipe) -> None:
    cache = datasets.open_cache(recipe.data, root, root / "cache")
    weights = datasets.draw_weights(cache.names, {"sky-": 0.0})
    phase = Phase(8, 5, 32, (20, 30))
    first = cache.batch(3, phase, 1, weights)
    assert (first == cache.batch(3, phase, 1, weights)).all()
    assert first.shape[0] == 5
    assert 20 <= first.shape[1] == first.shape[2] <= 30
    sides = {cache.batch(step, phase, 1, weights).shape[1] for step in range(20)}
    assert len(sides) > 3
    # Only the picture of weight 1 is ever drawn: all crops lie within it.
    only = cache.picture(int(np.flatnonzero(cache.names == "tall.png")[0]))
    assert {tuple(c) for c in first.reshape(-1, 3)} <= {tuple(c) for c in only.reshape(-1, 3)}


@pytest.mark.parametrize("missing", ["nowhere.tar", "nowhere"])
def test_missing_data_are_named(root: Path, recipe: Recipe, missing: str) -> None:
    data = dataclasses.replace(recipe.data, train=(missing,))
    with pytest.raises(TrainingError, match="nowhere"):
        datasets.open_cache(data, root, root / "cache")


def test_no_colour_pictures_is_an_error(root: Path, recipe: Recipe) -> None:
    data = dataclasses.replace(recipe.data, least_chroma=200)
    with pytest.raises(TrainingError, match="No colour pictures"):
        datasets.open_cache(data, root, root / "cache")


def test_soft_cross_entropy_matches_the_formula() -> None:
    rng = np.random.default_rng(0)
    centres = in_gamut_centres()
    prior = losses.prior_of(rng.normal(0, 20, (5000, 2)))
    loss = losses.SoftCrossEntropy(prior, rebalancing=0.5)
    ab = rng.integers(-60, 60, (50, 2)).astype(np.float32)
    logits = rng.normal(size=(50, 313)).astype(np.float32)
    index, weight = soft_encode(ab, centres)
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    balance = 1 / (0.5 * prior + 0.5 / 313)
    balance /= (prior * balance).sum()
    each = -(np.take_along_axis(log_probs, index, 1) * weight).sum(1) * balance[index[:, 0]]
    ours = loss(torch.from_numpy(logits), torch.from_numpy(ab))
    assert float(ours) == pytest.approx(each.mean(), rel=1e-4)


def test_disturbed_lightness_stays_in_range_and_is_repeatable() -> None:
    L = torch.linspace(0, 100, 4 * 32 * 32).reshape(4, 1, 32, 32)
    always = Film(1, 1, 1)
    first = tasks.disturb_lightness(L, always, np.random.default_rng(1))
    assert first.min() >= 0
    assert first.max() <= 100
    assert (first - L).abs().mean() > 1
    assert torch.equal(first, tasks.disturb_lightness(L, always, np.random.default_rng(1)))
    untouched = tasks.disturb_lightness(L, Film(0, 0, 0), np.random.default_rng(1))
    assert (untouched - L).abs().max() < 0.02


def run(recipe: Recipe, root: Path, name: str) -> Path:
    for _ in trainer.train(recipe, root, root / name):
        pass
    return root / name


def test_interrupted_training_resumes_exactly(root: Path, recipe: Recipe) -> None:
    from safetensors.torch import load_file

    whole = run(recipe, root, "whole")
    broken = root / "broken"
    for _ in trainer.train(recipe, root, broken):
        if (broken / "checkpoint.safetensors").exists():
            break  # interrupted after the first of two checkpoints
    run(recipe, root, "broken")
    ours, theirs = (load_file(f / "checkpoint.safetensors") for f in (whole, broken))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    model, seen = load_trained(whole / "checkpoint.safetensors")
    assert seen == 16
    assert model.predict_ab(torch.zeros(1, 1, 32, 64)).shape == (1, 2, 8, 16)
    assert (whole / "curves.png").stat().st_size > 1000
    rows = (whole / "validation.csv").read_text().splitlines()
    assert rows[0].startswith("pictures,set,regression_gain_db")
    assert len(rows) == 3


def test_a_run_can_start_from_another(root: Path, recipe: Recipe) -> None:
    first = run(recipe, root, "first") / "checkpoint.safetensors"
    still = dataclasses.replace(recipe, optimizer=Optimizer(rate=1e-12, trunk_rate=1e-12))
    for _ in trainer.train(still, root, root / "second", first):
        pass
    old, _ = load_trained(first)
    new, seen = load_trained(root / "second" / "checkpoint.safetensors")
    assert seen == 16
    for name, value in old.named_parameters():
        assert torch.allclose(new.get_parameter(name), value, atol=1e-4)
    (root / "rubbish").write_bytes(b"rubbish")
    with pytest.raises(TrainingError, match="no readable checkpoint"):
        list(trainer.train(recipe, root, root / "third", root / "rubbish"))


def test_training_learns_colours(root: Path, recipe: Recipe) -> None:
    longer = dataclasses.replace(
        recipe,
        phases=(Phase(240, 8, 32, (32, 32)),),
        optimizer=Optimizer(warmup_pictures=16, ema_decay=0.8),
        film=Film(0, 0, 0),
        validate_every=1000,
    )
    folder = run(longer, root, "learns")
    last = (folder / "validation.csv").read_text().splitlines()[-1].split(",")
    assert float(last[2]) > 1.5  # dB over grey, of the regression head


def test_checkpoints_of_another_network_are_refused(root: Path, recipe: Recipe) -> None:
    run(recipe, root, "whole")
    other = dataclasses.replace(recipe, options={**SMALL, "context_width": 24})
    with pytest.raises(TrainingError, match="another network"):
        run(other, root, "whole")
    (root / "whole" / "checkpoint.safetensors").write_bytes(b"rubbish")
    with pytest.raises(TrainingError, match="no readable checkpoint"):
        run(recipe, root, "whole")


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_shipped_recipes_are_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.architecture in ARCHITECTURES
    build(recipe.architecture, recipe.options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": 3}, "unknown key 'speed'"),
        ({"data": {"train": ["x"]}}, "data: the key 'validation' is missing"),
        ({"seed": "one"}, "seed: expected int"),
        ({"phases": [{"pictures": 1, "batch": 1, "size": 1, "crops": [1]}]}, "crops"),
        ({"phases": []}, "at least one phase"),
        ({"film": {"grain": True}}, "film: grain: expected float"),
    ],
)
def test_wrong_recipes_name_the_key(tmp_path: Path, change: dict, message: str) -> None:
    import yaml

    good = yaml.safe_load(RECIPES[0].read_text())
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(good | change))
    with pytest.raises(TrainingError, match=message):
        load_recipe(path)


def test_unreadable_recipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Cannot read the recipe"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(TrainingError, match="Cannot read the recipe"):
        load_recipe(tmp_path / "bad.yaml")
