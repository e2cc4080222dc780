"""Recipes, the picture cache, the losses and the training loop."""

from __future__ import annotations

import dataclasses
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import image_samples as samples

torch = pytest.importorskip("torch")

from tintype.bins import in_gamut_centres, rebalancing_weights, soft_encode  # noqa: E402
from tintype.color import rgb_to_lab  # noqa: E402
from tintype.errors import TrainingError  # noqa: E402
from tintype.models import ARCHITECTURES, build  # noqa: E402
from tintype.training import augment, datasets, losses, trainer  # noqa: E402
from tintype.training.checkpoints import load_trained  # noqa: E402
from tintype.training.config import Data, Film, Optimizer, Phase, Recipe  # noqa: E402
from tintype.training.distributed import processes  # noqa: E402
from tintype.training.prepare.scanning import decode  # noqa: E402
from tintype.training.recipes import load_recipe  # noqa: E402
from tintype.training.records import read_rows  # noqa: E402
from tintype.training.schedule import gain_by_validation, is_best  # noqa: E402
from tintype.training.steps import Stepper, new_task  # noqa: E402
from tintype.training.tasks import lab_of_crops  # noqa: E402

RECIPE_FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = sorted(RECIPE_FOLDER.rglob("*.yaml"))
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
        data=Data(
            ("train.tar", "folder"), {"same": "train.tar"}, short_side=32, validation_size=64
        ),
        phases=(Phase(2, 32, (24, 32), pictures=8), Phase(4, 32, (32, 32), pictures=8)),
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


def test_pictures_are_seen_upright_and_damaged_ones_passed_over(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(picture(1, 40, 80)).save(stream, "jpeg", exif=exif)
    found = datasets.decode_rgb(stream.getvalue(), 32)
    assert found is not None
    assert found.shape == (64, 32, 3)
    avif = io.BytesIO()
    Image.fromarray(picture(1, 96, 96)).save(avif, "avif")
    whole = avif.getvalue()
    for at in range(len(whole) // 2, len(whole), 7):  # some of these Pillow answers RuntimeError
        datasets.decode_rgb(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :], 32)


@pytest.mark.parametrize("kind", ["profile", "heic"])
def test_pictures_are_seen_as_the_engine_sees_them(kind: str) -> None:
    """Colours under a profile are not sRGB's; HEIC is not Pillow's."""
    rgb = picture(1, 64, 64)
    if kind == "heic":
        pytest.importorskip("pillow_heif")
        data = samples.heic(rgb, "RGB")
    else:
        data = samples.pillow(rgb, "PNG", icc_profile=samples.ADOBE_RGB)
    true = decode(data, "x", 0)[0]
    found = datasets.decode_rgb(data, true.shape[:2])
    assert found is not None
    np.testing.assert_array_equal(found, true)
    if kind == "profile":
        assert np.abs(found.astype(int) - rgb).mean() > 2


def test_strips_are_no_pictures() -> None:
    assert datasets.decode_rgb(samples.pillow(picture(1, 2, 60), "PNG"), 32) is None


def test_a_cache_that_was_cut_short_is_made_again(root: Path, recipe: Recipe) -> None:
    cache = datasets.open_cache(recipe.data, root, root / "cache")
    pixels = np.array(cache.pixels)
    (file,) = (root / "cache").glob("*.u8")
    file.write_bytes(b"short")
    parts = [file.with_name(f".{file.name}.{name}.part") for name in ("old", "new")]
    for part in parts:
        part.touch()
    os.utime(parts[0], (0, 0))
    again = datasets.open_cache(recipe.data, root, root / "cache")
    assert (again.pixels == pixels).all()
    assert [part.exists() for part in parts] == [False, True]  # killed; another run is at it
    parts[1].unlink()
    assert len(list((root / "cache").iterdir())) == 2


def test_batches_are_functions_of_seed_and_step(root: Path, recipe: Recipe) -> None:
    cache = datasets.open_cache(recipe.data, root, root / "cache")
    weights = datasets.draw_weights(cache.names, {"sky-": 0.0})
    sampler = datasets.Sampler(cache, np.cumsum(weights), seed=1)
    phase = Phase(5, 32, (20, 30), pictures=8)
    first, chosen = sampler.crops(3, phase, range(5))
    assert (first == sampler.crops(3, phase, range(5))[0]).all()
    assert (first[2:4] == sampler.crops(3, phase, range(2, 4))[0]).all()  # parts are the same rows
    assert first.shape[0] == 5
    assert 20 <= first.shape[1] == first.shape[2] <= 30
    sides = {sampler.crops(step, phase, range(5))[0].shape[1] for step in range(20)}
    assert len(sides) > 3
    # Only the picture of weight 1 is ever drawn: all crops lie within it.
    assert set(cache.names[chosen]) == {"tall.png"}
    only = cache.picture(int(np.flatnonzero(cache.names == "tall.png")[0]))
    assert {tuple(c) for c in first.reshape(-1, 3)} <= {tuple(c) for c in only.reshape(-1, 3)}


def test_a_share_is_the_same_pictures_each_time(root: Path, recipe: Recipe) -> None:
    whole = datasets.open_cache(recipe.data, root, root / "cache")
    half, less = (
        datasets.open_cache(dataclasses.replace(recipe.data, share=share), root, root / "cache")
        for share in (0.5, 0.3)
    )
    assert (len(whole), len(half), len(less)) == (7, 4, 2)
    assert set(less.names) < set(half.names) < set(whole.names)
    index = int(np.flatnonzero(whole.names == half.names[-1])[0])
    assert (half.picture(3) == whole.picture(index)).all()


def test_kinds_come_from_the_names(root: Path, recipe: Recipe) -> None:
    cache = datasets.open_cache(recipe.data, root, root / "cache")
    numbers, kinds = cache.labels()
    assert kinds == ["other", "sky"]
    assert [kinds[n] for n in numbers] == [
        "sky" if name.startswith("sky") else "other" for name in cache.names
    ]


def test_a_star_stands_for_anything(root: Path, recipe: Recipe) -> None:
    data = dataclasses.replace(recipe.data, train=("tr*.tar",))
    assert len(datasets.open_cache(data, root, root / "cache")) == 6
    with pytest.raises(TrainingError, match=r"no\*\.tar"):
        datasets.open_cache(dataclasses.replace(data, train=("no*.tar",)), root, root / "cache")


def test_ready_arrays_train_as_pictures_do(root: Path, recipe: Recipe) -> None:
    from tintype.training.prepare.ready import write_ready

    (root / "ready").mkdir()
    decoded = datasets.open_cache(recipe.data, root, root / "cache")
    pictures = ((str(n), decoded.picture(i)) for i, n in enumerate(decoded.names))
    assert list(write_ready(root / "ready", "train", pictures))[-1] == len(decoded)
    data = dataclasses.replace(recipe.data, train=("ready/train.npz",))
    arrays = datasets.open_cache(data, root, root / "cache")
    assert arrays.ready
    phase = Phase(4, 32, (32, 32), pictures=8)
    both = []
    for cache in (decoded, arrays):
        sampler = datasets.Sampler(cache, np.cumsum(np.ones(len(cache))), seed=1)
        crops, _ = sampler.crops(1, phase, range(4))
        both.append(lab_of_crops(crops, 32, torch.device("cpu"), cache.ready))
    for ours, theirs, most in zip(*both, (0.8, 0.02), strict=True):
        assert (ours - theirs).abs().max() < most
    run(dataclasses.replace(recipe, data=data), root, "ready-run")
    larger = dataclasses.replace(arrays, sizes=arrays.sizes + (np.arange(7) == 3)[:, None])
    assert larger.of_at_least(33).names.tolist() == [arrays.names[3]]
    assert len(larger.of_at_least(32)) == 7
    phases = tuple(dataclasses.replace(phase, crops=(32, 99)) for phase in recipe.phases)
    with pytest.raises(TrainingError, match="do not fit into any of the pictures"):
        run(dataclasses.replace(recipe, data=data, phases=phases), root, "too-large")
    one = dataclasses.replace(data, train=("ready/train.npz", "train.tar"))
    with pytest.raises(TrainingError, match="one set only"):
        datasets.open_cache(one, root, root / "cache")


@pytest.mark.parametrize("missing", ["nowhere.tar", "nowhere"])
def test_missing_data_are_named(root: Path, recipe: Recipe, missing: str) -> None:
    data = dataclasses.replace(recipe.data, train=(missing,))
    with pytest.raises(TrainingError, match="nowhere"):
        datasets.open_cache(data, root, root / "cache")


def test_no_colour_pictures_is_an_error(root: Path, recipe: Recipe) -> None:
    data = dataclasses.replace(recipe.data, least_chroma=200)
    with pytest.raises(TrainingError, match="No colour pictures"):
        datasets.open_cache(data, root, root / "cache")


@pytest.mark.parametrize("neighbours", [1, 5])
def test_cross_entropy_of_bins_matches_the_formula(neighbours: int) -> None:
    rng = np.random.default_rng(0)
    centres = in_gamut_centres()
    prior = losses.prior_of(rng.normal(0, 20, (5000, 2)), centres)
    loss = losses.BinsCrossEntropy(centres, rebalancing_weights(prior, 0.5), neighbours)
    ab = rng.integers(-60, 60, (50, 2)).astype(np.float32)
    lab = np.concatenate([np.full((50, 1), 50, np.float32), ab], 1)
    logits = rng.normal(size=(50, 313)).astype(np.float32)
    index, weight = soft_encode(ab, centres, neighbours)
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    balance = 1 / (0.5 * prior + 0.5 / 313)
    balance /= (prior * balance).sum()
    scale = balance[index[:, 0]]
    each = -(np.take_along_axis(log_probs, index, 1) * weight).sum(1) * scale
    ours, least = loss(torch.from_numpy(logits), torch.from_numpy(lab))
    assert float(ours) == pytest.approx(each.mean(), rel=1e-4)
    entropy = -(weight * np.log(weight)).sum(1) * scale
    assert float(least) == pytest.approx(entropy.mean(), rel=1e-4, abs=1e-6)
    perfect = torch.full((50, 313), -30.0)
    perfect.scatter_(1, torch.from_numpy(index), torch.from_numpy(weight).log())
    assert float(loss(perfect, torch.from_numpy(lab))[0]) == pytest.approx(float(least), abs=1e-3)


def test_cross_entropy_of_a_palette_takes_the_nearest_colour() -> None:
    palette = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]])
    rgb = torch.tensor([[0.9, 0.1, 0.2], [0.1, 0.2, 0.1]])
    prior = losses.palette_prior(rgb.numpy(), palette.numpy())
    assert prior == pytest.approx([2 / 5, 1 / 5, 2 / 5])
    loss = losses.PaletteCrossEntropy(palette, rebalancing_weights(prior, 0.0))
    logits = torch.zeros(2, 3)
    balance = 1 / prior / 3  # so that the prior's expectation is 1
    wanted = np.log(3) * (balance[2] + balance[0]) / 2
    assert float(loss(logits, rgb)[0]) == pytest.approx(wanted, rel=1e-5)


def test_distances_of_colours() -> None:
    colour, true = torch.zeros(1, 2, 1, 2), torch.tensor([[[[2.0, -20.0]], [[0.0, 0.0]]]])
    assert float(losses.colour_distance(colour, true, "l1")) == pytest.approx(5.5)
    assert float(losses.colour_distance(colour, true, "l2")) == pytest.approx(101)
    huber = (4 / 10 + (20 - 2.5)) / 4
    assert float(losses.colour_distance(colour, true, "huber", 5.0)) == pytest.approx(huber)
    assert float(losses.colour_distance(colour, true, "l1", unit=2)) == pytest.approx(11)


def test_colourfulness_is_that_of_the_metrics() -> None:
    from tintype.evaluation import metrics

    rgb = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3)).astype(np.uint8)
    ours = losses.colourfulness(torch.from_numpy(rgb).permute(0, 3, 1, 2).double() / 255)
    theirs = [metrics.colourfulness(each) for each in rgb]
    assert ours.numpy() == pytest.approx(theirs, rel=0.01)  # n - 1 against n in the variance
    grey = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    losses.colourfulness(grey).sum().backward()
    assert torch.isfinite(grey.grad).all()


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng((1, i)) for i in range(n)]


@pytest.mark.parametrize(
    "use", ["tone", "grain", "blur", "fading", "scratches", "vignette", "jpeg"]
)
def test_disturbed_lightness_stays_in_range_and_is_repeatable(use: str) -> None:
    L = torch.linspace(0, 100, 4 * 32 * 32).reshape(4, 1, 32, 32)
    L = L + torch.rand(L.shape, generator=torch.manual_seed(0))
    none = dict.fromkeys(dataclasses.asdict(Film()), 0)
    film = Film(**none | {use: 1.0})
    first = augment.disturb_lightness(L, film, rngs(4))
    assert first.min() >= 0
    assert first.max() <= 100
    assert (first - L).abs().mean() > 0.05
    assert torch.equal(first, augment.disturb_lightness(L, film, rngs(4)))
    second = augment.disturb_lightness(L[1:2], film, rngs(2)[1:])
    assert torch.equal(first[1:2], second)  # a picture's own, whoever is beside it
    untouched = augment.disturb_lightness(L, Film(**none), rngs(4))
    assert (untouched - L.clamp(0, 100)).abs().max() < 0.02


def test_old_film_sees_reds_dark_and_blues_light() -> None:
    rgb = torch.cat([torch.eye(3), torch.full((1, 3), 0.5)])[None, :, :, None].transpose(1, 2)
    L = rgb_to_lab(rgb, axis=1)[:, :1]
    seen = augment.film_lightness(L, rgb, Film(orthochromatic=1.0), rngs(1))
    change = (seen - L)[0, 0, :, 0]
    assert change[0] < -5
    assert change[2] > 5
    assert abs(change[3]) < 0.01  # a grey is as light as it was
    assert torch.equal(seen, augment.film_lightness(L, rgb, Film(orthochromatic=1.0), rngs(1)))
    assert torch.equal(L, augment.film_lightness(L, rgb, Film(), rngs(1)))


def test_rotation_turns_and_leaves_no_empty_corner() -> None:
    lab = torch.zeros(3, 3, 32, 32)
    lab[:, :, 14:18, :] = 50.0
    lab[:, 0] += 20
    turned = augment.rotate(lab, 30.0, rngs(3))
    assert torch.equal(lab, augment.rotate(lab, 0.0, rngs(3)))
    assert (turned[:, 0] >= 20 - 1e-3).all()
    assert len({round(float(x), 3) for x in turned.std((1, 2, 3))}) == 3
    assert torch.equal(turned[1:2], augment.rotate(lab[1:2], 30.0, rngs(2)[1:]))


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
    for name in ("validation.csv", "log.csv"):
        ours, theirs = (read_rows(f / name) for f in (whole, broken))
        strip = [{k: v for k, v in row.items() if k != "time_s"} for row in ours]
        assert strip == [{k: v for k, v in row.items() if k != "time_s"} for row in theirs]
        assert {row["pictures"] for row in ours} == {"8", "16"}
    assert {row["head"] for row in read_rows(whole / "validation.csv")} == {
        "ab",
        "regression",
        "classes",
    }
    assert (whole / "best.safetensors").exists()


def test_crop_and_film_draw_other_numbers(root: Path, recipe: Recipe) -> None:
    sampler = datasets.Sampler(
        datasets.open_cache(recipe.data, root, root / "cache"), np.array([1.0]), 1
    )
    crop, film = (sampler.row_rng(3, 2, use).random(8) for use in ("crop", "film"))
    assert not np.isclose(crop, film).any()


def test_other_pictures_under_the_same_name_are_another_set(root: Path, recipe: Recipe) -> None:
    data = dataclasses.replace(recipe.data, train=("again",))
    cached = []
    for seed in (1, 2):
        folder = root / "again"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(seed)
        tile = np.kron(rng.integers(0, 255, (4, 5, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        Image.fromarray(tile).save(folder / "tile.png")
        cached.append(datasets.open_cache(data, root, root / "caches").picture(0).copy())
    assert (cached[0] != cached[1]).any()


def test_a_run_that_was_over_stays_so(
    root: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = dataclasses.replace(recipe, patience=1, optimizer=Optimizer(rate=1e-12))
    monkeypatch.setattr(trainer, "is_over", lambda gains, patience: bool(gains))
    assert load_trained(run(patient, root, "over") / "checkpoint.safetensors")[1] == 8
    assert load_trained(run(patient, root, "over") / "checkpoint.safetensors")[1] == 8


@pytest.mark.parametrize(
    ("change", "said"),
    [({"size": 40}, "no multiple of 32"), ({"crops": (32, 999)}, "do not fit into pictures of")],
)
def test_a_phase_that_cannot_be_is_said(
    root: Path, recipe: Recipe, change: dict[str, Any], said: str
) -> None:
    phases = tuple(dataclasses.replace(phase, **change) for phase in recipe.phases)
    with pytest.raises(TrainingError, match=said):
        run(dataclasses.replace(recipe, phases=phases), root, "odd")


def test_what_is_saved_between_validations_resumes_exactly(
    root: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    monkeypatch.setattr(trainer, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    halves = [dataclasses.replace(phase, batch=4) for phase in recipe.phases]
    recipe = dataclasses.replace(recipe, phases=tuple(halves))
    whole, broken = run(recipe, root, "unbroken"), root / "early"
    for progress in trainer.train(recipe, root, broken):
        if progress.stage.startswith("training"):
            break
    assert load_trained(broken / "checkpoint.safetensors")[1] == 4
    assert not (broken / "validation.csv").exists()
    run(recipe, root, "early")
    ours, theirs = (load_file(f / "checkpoint.safetensors") for f in (whole, broken))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


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
        phases=(Phase(8, 32, (32, 32), pictures=240),),
        optimizer=Optimizer(warmup_pictures=16, ema_decay=0.8),
        film=Film(0, 0, 0),
        validate_every=1000,
    )
    folder = run(longer, root, "learns")
    gains = {row["head"]: float(row["gain_db"]) for row in read_rows(folder / "validation.csv")}
    assert gains["regression"] > 1.5


def still(recipe: Recipe, **changes: object) -> Recipe:
    """Exact arithmetic: fp32, no statistics, one phase of one batch at a time."""
    return dataclasses.replace(
        recipe,
        precision="fp32",
        freeze_norm=True,
        phases=(Phase(4, 32, (24, 32), pictures=16),),
        validate_every=100,
        **changes,
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "checkpoint.safetensors")


def test_parts_of_a_batch_add_up(root: Path, recipe: Recipe) -> None:
    whole = still(recipe)
    halves = dataclasses.replace(
        whole, phases=(dataclasses.replace(whole.phases[0], accumulate=2),)
    )
    ours, theirs = (weights(run(r, root, n)) for r, n in ((whole, "whole"), (halves, "halves")))
    start = weights(run(dataclasses.replace(whole, optimizer=Optimizer(0, 0)), root, "start"))
    for name, value in ours.items():
        if name.startswith("task."):
            assert torch.allclose(value, theirs[name], atol=1e-4), name
    name = "task.model.regression.weight"
    assert (ours[name] - start[name]).abs().max() > 1e-3


def guided_of(recipe: Recipe, **objective: float) -> Recipe:
    from tintype.training.objectives import Guided

    return dataclasses.replace(
        recipe,
        architecture="siggraph17",
        options={"width": 4},
        task="guided",
        objective=Guided(**objective),
    )


def test_parts_of_a_batch_get_the_hints_of_the_whole(root: Path, recipe: Recipe) -> None:
    from tintype.training.distributed import Processes
    from tintype.training.steps import Stepper, new_task
    from tintype.training.tasks.guided import simulated_hints

    guided = guided_of(recipe, hint_stop=0.02)
    cache = datasets.open_cache(recipe.data, root, root / "cache")
    here = Processes(0, 1, torch.device("cpu"))
    stepper = Stepper(guided, cache, new_task(guided, root, cache, None), here)
    phase, masks = recipe.phases[1], []
    for rows in (range(4), range(2), range(2, 4)):
        batch = stepper.batch(3, phase, rows)
        masks.append(simulated_hints(batch.lab[:, 1:], guided.objective, batch.rngs())[1])
    assert torch.equal(masks[0], torch.cat(masks[1:]))
    assert len({mask.numpy().tobytes() for mask in masks[0]}) == 4


def test_batches_that_do_not_divide_are_refused(root: Path, recipe: Recipe) -> None:
    phase = Phase(4, 32, (24, 32), pictures=16, accumulate=3)
    with pytest.raises(TrainingError, match="does not divide"):
        run(dataclasses.replace(recipe, phases=(phase,)), root, "odd")


@pytest.mark.parametrize(
    ("length", "least", "most"), [({"epochs": 3.0}, 21, 24), ({"minutes": 0.02}, 4, 2000)]
)
def test_lengths_in_epochs_and_minutes(
    root: Path, recipe: Recipe, length: dict, least: int, most: int
) -> None:
    phase = Phase(4, 32, (24, 32), **length)
    recipe = dataclasses.replace(recipe, phases=(phase,), validate_every=10**6)
    folder = run(recipe, root, "long")
    _, seen = load_trained(folder / "checkpoint.safetensors")
    assert least <= seen <= most
    run(recipe, root, "long")  # is not measured anew
    assert load_trained(folder / "checkpoint.safetensors")[1] == seen


def test_training_stops_when_nothing_improves(root: Path, recipe: Recipe) -> None:
    stuck = dataclasses.replace(
        recipe,
        phases=(Phase(2, 32, (32, 32), pictures=100),),
        optimizer=Optimizer(0, 0),
        freeze_norm=True,
        validate_every=4,
        patience=3,
    )
    folder = run(stuck, root, "stuck")
    seen = [int(row["pictures"]) for row in read_rows(folder / "validation.csv")]
    assert max(seen) <= 20


def test_gains_on_other_sets_are_not_compared(tmp_path: Path) -> None:
    rows = [(8, "easy", "ab", 3.0), (8, "easy", "bins", 9.0), (16, "easy", "ab", 4.0)]
    rows += [(24, "easy", "ab", 2.0), (24, "hard", "ab", 1.0)]
    lines = [f"{seen},{name},{head},{gain}" for seen, name, head, gain in rows]
    curves = tmp_path / "validation.csv"
    curves.write_text("\n".join(["pictures,set,head,gain_db", *lines[:3], ""]))
    assert gain_by_validation(tmp_path) == [3.0, 4.0]
    curves.write_text("\n".join(["pictures,set,head,gain_db", *lines, ""]))
    assert gain_by_validation(tmp_path) == [1.5]
    assert is_best(gain_by_validation(tmp_path))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (float("nan"), r"At picture \d+ the loss is not a number.*last good state"),
        (MemoryError(), "Memory is not enough.*last good state"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "Memory is not enough"),
    ],
)
def test_what_goes_wrong_leaves_a_usable_checkpoint(
    root: Path, recipe: Recipe, fault: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tintype.training.tasks.supervised import SupervisedTask

    honest, calls = SupervisedTask.losses, []

    def faulty(self: SupervisedTask, *arguments: object) -> dict[str, torch.Tensor]:
        calls.append(1)
        terms = honest(self, *arguments)
        if len(calls) < 6:  # the first checkpoint comes after four
            return terms
        if isinstance(fault, Exception):
            raise fault
        return terms | {"loss": terms["loss"] * fault}

    monkeypatch.setattr(SupervisedTask, "losses", faulty)
    with pytest.raises(TrainingError, match=message):
        run(recipe, root, "faulty")
    model, seen = load_trained(root / "faulty" / "checkpoint.safetensors")
    assert seen == 8
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    monkeypatch.setattr(SupervisedTask, "losses", honest)
    run(recipe, root, "faulty")


def test_a_gradient_that_runs_away_moves_no_weight(root: Path, recipe: Recipe) -> None:
    cache = datasets.open_cache(recipe.data, root, root / "cache")
    with processes() as here:
        stepper = Stepper(recipe, cache, new_task(recipe, root, cache, None), here)
        first = next(p for p in stepper.task.parameters() if p.requires_grad)
        first.register_hook(lambda grad: grad * float("inf"))
        before = [p.detach().clone() for p in stepper.task.parameters()]
        with pytest.raises(TrainingError, match="a gradient is not a number"):
            stepper.take(0, recipe.phases[0], 1.0)
    assert all(map(torch.equal, before, stepper.task.parameters()))


def test_a_run_goes_on_with_smaller_parts(root: Path, recipe: Recipe) -> None:
    """As the sentence says that memory is not enough."""
    run(recipe, root, "parts")
    phases = tuple(dataclasses.replace(phase, accumulate=2) for phase in recipe.phases)
    run(dataclasses.replace(recipe, phases=phases), root, "parts")
    with pytest.raises(TrainingError, match=r"run of another optimizer\.rate"):
        run(dataclasses.replace(recipe, optimizer=Optimizer(0.5)), root, "parts")


def test_a_part_that_is_not_there_cannot_be_frozen(root: Path, recipe: Recipe) -> None:
    with pytest.raises(TrainingError, match="no part 'trunkk' to freeze"):
        run(dataclasses.replace(recipe, freeze=("trunkk",)), root, "frozen")


def test_an_option_that_a_network_lacks_is_named(root: Path, recipe: Recipe) -> None:
    folder = run(recipe, root, "options")
    with pytest.raises(TrainingError, match="has no option nonsense"):
        load_trained(folder / "checkpoint.safetensors", {"nonsense": 3})


def test_a_start_is_scored_before_the_first_step(root: Path, recipe: Recipe) -> None:
    first = run(recipe, root, "first") / "best.safetensors"
    ruined = dataclasses.replace(recipe, optimizer=Optimizer(0.3, 0.3, warmup_pictures=1))
    for _ in trainer.train(ruined, root, root / "second", first):
        pass
    rows = read_rows(root / "second" / "validation.csv")
    assert rows[0]["pictures"] == "0"
    _, seen = load_trained(root / "second" / "best.safetensors")
    assert seen == 0  # nothing was better than the start


def test_scenes_are_learned_where_labels_fit(root: Path, recipe: Recipe) -> None:
    from tintype.training.objectives import Supervised

    scenes = dataclasses.replace(
        recipe,
        architecture="fusion",
        options={"width": 8, "scenes": 2},
        objective=Supervised(regression=1.0, classes=0.0, scenes=1.0),
    )
    rows = read_rows(run(scenes, root, "scenes") / "log.csv")
    assert any(row["term"] == "scenes" for row in rows)
    other = dataclasses.replace(scenes, options={"width": 8, "scenes": 5})
    with pytest.raises(TrainingError, match=r"names 5 kinds.*are of 2: set options\.scenes"):
        run(other, root, "other")


def test_the_guided_network_is_trained_and_kept(root: Path, recipe: Recipe) -> None:
    model, seen = load_trained(run(guided_of(recipe), root, "guided") / "checkpoint.safetensors")
    assert model.guided
    assert seen == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "eccv16", "options": {"width": 4}}, "predicts classes only"),
        ({"architecture": "autoencoder", "options": {"width": 4}}, "predicts no classes"),
        ({"task": "guided"}, "takes no hints"),
        ({"encoder": "none.npz"}, "encoder"),
        ({"architecture": "baseline", "options": {}, "encoder": "x.npz"}, "takes no encoder"),
        ({"options": {"depth": 3}}, "options do not fit"),
    ],
)
def test_what_does_not_fit_is_said(root: Path, recipe: Recipe, change: dict, message: str) -> None:
    from tintype.training.objectives import Guided

    objective = {"objective": Guided()} if "task" in change else {}
    with pytest.raises(TrainingError, match=message):
        run(dataclasses.replace(recipe, **change, **objective), root, "unfit")


def test_grey_may_be_luma() -> None:
    from tintype.color import rgb_to_lab
    from tintype.training.tasks import lightness_of_luma

    rgb = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.2, 0.9]]).T.reshape(1, 3, 1, 2)
    L = lightness_of_luma(rgb)
    for x in range(2):
        grey = float(rgb[0, :, 0, x] @ torch.tensor([0.299, 0.587, 0.114]))
        assert float(L[0, 0, 0, x]) == pytest.approx(
            float(rgb_to_lab(torch.full((1, 3), grey))[0, 0]), abs=1e-3
        )


def test_a_run_at_a_constant_rate_can_be_made_longer(root: Path, recipe: Recipe) -> None:
    from safetensors.torch import load_file

    first, last = recipe.phases
    constant = dataclasses.replace(recipe.optimizer, schedule="constant")
    longer = dataclasses.replace(
        recipe, optimizer=constant, phases=(first, dataclasses.replace(last, pictures=16))
    )
    run(dataclasses.replace(recipe, optimizer=constant), root, "longer")
    went_on, at_once = (
        load_file(run(longer, root, name) / "checkpoint.safetensors")
        for name in ("longer", "at-once")
    )
    assert last.pictures == 8
    assert went_on.keys() == at_once.keys()
    assert all(torch.equal(value, at_once[name]) for name, value in went_on.items())
    shorter = dataclasses.replace(longer, phases=(dataclasses.replace(first, pictures=4), last))
    with pytest.raises(TrainingError, match=r"another phases\.0\.pictures:"):
        run(shorter, root, "longer")


def test_a_folder_holds_one_run(root: Path, recipe: Recipe) -> None:
    kept = run(recipe, root, "whole") / "checkpoint.safetensors"
    before = kept.read_bytes()
    others = {
        "options.context_width": {"options": {**SMALL, "context_width": 24}},
        "phases.1.batch": {"phases": (recipe.phases[0], Phase(2, 32, (32, 32), pictures=8))},
        "data.train.0": {"data": dataclasses.replace(recipe.data, train=("folder",))},
    }
    for key, change in others.items():
        with pytest.raises(TrainingError, match=f"whole holds a run of another {key}:"):
            run(dataclasses.replace(recipe, **change), root, "whole")
    with pytest.raises(TrainingError, match="whole holds a run of another start:"):
        list(trainer.train(recipe, root, root / "whole", kept))
    tall = root / "folder" / "deep" / "tall.png"
    renamed = tall.rename(tall.with_name("high.png"))
    with pytest.raises(TrainingError, match="whole holds a run of another training pictures:"):
        run(recipe, root, "whole")
    renamed.rename(tall)
    assert kept.read_bytes() == before
    run(dataclasses.replace(recipe, validate_every=4, patience=3), root, "whole")
    kept.write_bytes(b"rubbish")
    with pytest.raises(TrainingError, match="no readable checkpoint"):
        run(recipe, root, "whole")


def test_a_start_keeps_the_weights_that_its_classes_are_read_by(root: Path, recipe: Recipe) -> None:
    first = run(recipe, root, "first") / "checkpoint.safetensors"
    objective = dataclasses.replace(recipe.objective, rebalancing=0.9)
    other = dataclasses.replace(recipe, objective=objective)
    data = dataclasses.replace(recipe.data, train=("folder",))
    for name, start in (("started", first), ("new", None)):
        for _ in trainer.train(dataclasses.replace(other, data=data), root, root / name, start):
            pass
    kept, started, new = (
        load_trained(root / name / "checkpoint.safetensors")[0].log_weights
        for name in ("first", "started", "new")
    )
    assert kept.any()
    assert torch.allclose(started, kept, atol=1e-6)
    assert not torch.allclose(new, kept, atol=0.1)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_shipped_recipes_are_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.architecture in ARCHITECTURES
    build(recipe.architecture, recipe.options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": 3}, r"line \d+: speed: unknown key 'speed'"),
        ({"data": {"train": ["x"]}}, r"line \d+: data: the key 'validation' is missing"),
        ({"seed": "one"}, r"line \d+: seed: expected int"),
        ({"phases": [{"pictures": 1, "batch": 1, "size": 1, "crops": [1]}]}, r"phases\[0\]: crops"),
        ({"phases": []}, "at least one phase"),
        ({"phases": [{"batch": 1, "size": 1, "crops": [1, 1]}]}, "one of pictures, epochs"),
        (
            {"phases": [{"pictures": 1, "epochs": 2, "batch": 1, "size": 1, "crops": [1, 1]}]},
            "one of pictures, epochs",
        ),
        ({"film": {"grain": True}}, "film: grain: expected float"),
        ({"task": "magic"}, "task: there is no task 'magic'"),
        ({"task": ["supervised"]}, "task: there is no task"),
        ({"architecture": "magic"}, r"line \d+: architecture: there is no architecture 'magic'"),
        ({"options": {"widht": 3}}, "options: widht: tintype has no such option"),
        ({"data": {"train": [], "validation": {}}}, "data: train: a recipe needs at least one"),
        ({"seed": -1}, "seed: must be a number of at least 0, not -1"),
        ({"optimizer": {"rate": float("nan")}}, "rate: must be a number of at least 0, not nan"),
        ({"optimizer": {"betas": [1.5, 2.0]}}, "betas.*must be at most 1"),
        ({"objective": {"class_step": 0}}, "class_step: must be more than 0"),
        ({"objective": {"distance": "l3"}}, "distance: expected one of l1, l2, huber"),
        ({"task": "adversarial", "objective": {"distance": "l1"}}, "unknown key 'distance'"),
    ],
)
def test_wrong_recipes_name_the_key_and_the_line(
    tmp_path: Path, change: dict, message: str
) -> None:
    import yaml

    good = yaml.safe_load((RECIPE_FOLDER / "tintype.yaml").read_text())
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(good | change))
    with pytest.raises(TrainingError, match=message) as caught:
        load_recipe(path)
    if "line" in message:
        number = int(str(caught.value).partition("line ")[2].partition(":")[0])
        assert path.read_text().splitlines()[number - 1].startswith(next(iter(change)))


def test_keys_can_be_set(tmp_path: Path) -> None:
    path = RECIPE_FOLDER / "tintype.yaml"
    changes = [
        "seed=7",
        "optimizer.rate=5e-4",
        "phases.0.batch=8",
        "objective.classes=0.5",
        "film.tone=0",
    ]
    recipe = load_recipe(path, [*changes, "freeze=[trunk]", "encoder=null"])
    assert (recipe.seed, recipe.phases[0].batch, recipe.film.tone) == (7, 8, 0)
    assert recipe.objective.classes == 0.5
    assert recipe.optimizer.rate == 5e-4
    assert recipe.freeze == ("trunk",)
    assert recipe.encoder is None
    for change, message in [
        ("seed", "needs key=value"),
        ("phases.9.batch=1", "there is no '9'"),
        ("seed.deep=1", "there is no 'deep'"),
        ("sead=1", "unknown key 'sead'"),
        ("validate_every=0", "^--set validate_every: must be at least 1"),
        ("seed=[1", "is no value"),
    ]:
        with pytest.raises(TrainingError, match=message):
            load_recipe(path, [change])


def test_unreadable_recipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Cannot read the recipe"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(TrainingError, match="Cannot read the recipe"):
        load_recipe(tmp_path / "bad.yaml")
