"""Checkpoints in the authors' layout are fetched, checked and converted once, and nothing else."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import build_tiny_graph
from loopback import Server

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from tintype import published, zoo  # noqa: E402
from tintype.cli import main  # noqa: E402
from tintype.engine import Colorizer  # noqa: E402
from tintype.errors import (  # noqa: E402
    ChecksumMismatch,
    ModelInvalid,
    ModelNotFound,
    TrainingError,
)
from tintype.export import Exported  # noqa: E402
from tintype.models import build, random_network  # noqa: E402
from tintype.models.layers import layer_table, weightless  # noqa: E402
from tintype.published import fetch_published, load_published  # noqa: E402
from tintype.runtime import Session  # noqa: E402

OPTIONS: dict[str, dict[str, object]] = {
    "eccv16": {"width": 4, "released_mean": True},
    "siggraph17": {"width": 4},
}
FILES = {"eccv16": "colorization_release_v2", "siggraph17": "siggraph17"}

Publish = Callable[..., zoo.Weights]


def saved(content: object, **how: bool) -> bytes:
    """What ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **how)
    return buffer.getvalue()


def weights_of(architecture: str, seed: int = 1) -> dict[str, torch.Tensor]:
    """Keys as the authors published them, each value another."""
    return random_network(architecture, seed, OPTIONS[architecture]).state_dict()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def publish(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """``publish(content)`` puts a checkpoint on the server and the model "theirs" into the zoo."""
    monkeypatch.setenv("TINTYPE_HOME", str(tmp_path / "home"))

    def publish(
        content: bytes, architecture: str = "eccv16", digits: str | None = None
    ) -> zoo.Weights:
        server.content = content
        digits = digits or hashlib.sha256(content).hexdigest()[:8]
        record = zoo.Weights(
            name="theirs",
            version="1",
            sha256="",
            size_bytes=len(content),
            licence="CC0-1.0",
            summary="For tests.",
            paper="",
            checkpoint=server.url(f"{FILES[architecture]}-{digits}.pth"),
            architecture=architecture,
            options=tuple(OPTIONS[architecture].items()),
        )
        monkeypatch.setattr(zoo, "_RECORDS", (record,))
        return record

    return publish


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions give a tiny graph at once instead of the network's in seconds."""

    def convert(_: object, target: Path, name: str, version: str, working_size: int) -> Exported:
        onnx.save(build_tiny_graph(name=name), target)
        return Exported(target, zoo.sha256_of(target), target.stat().st_size, 0.0, 0.0, 0.0)

    monkeypatch.setattr(published, "export", convert)


def left() -> set[str]:
    """The files in the cache."""
    return {path.name for path in zoo.cache_directory().iterdir()}


@pytest.mark.parametrize(
    "architecture", ["eccv16", pytest.param("siggraph17", marks=pytest.mark.slow)]
)
def test_converts_once(publish: Publish, server: Server, architecture: str) -> None:
    weights = weights_of(architecture)
    content = saved(weights)
    record = publish(content, architecture)
    with pytest.raises(ModelNotFound, match="run tintype models fetch theirs"):
        Colorizer.load("theirs")
    told: list[tuple[int, int]] = []
    path = fetch_published("theirs", told=lambda *both: told.append(both))
    assert path == record.path
    assert told[-1] == (len(content), len(content))
    assert left() == {"theirs-1.onnx", "theirs-1.json"}
    receipt = zoo.receipt_of(record)
    assert receipt is not None
    assert receipt.checkpoint_sha256 == hashlib.sha256(content).hexdigest()
    assert receipt.sha256 == zoo.find("theirs").sha256 == zoo.sha256_of(path)
    assert zoo.find("theirs").size_bytes == path.stat().st_size
    assert fetch_published("theirs") == fetch_published("theirs", offline=True) == path
    assert server.ranges == [None]
    # The graph says what torch says with these weights, and the engine runs it by its name.
    network = build(architecture, OPTIONS[architecture]).eval()
    network.load_state_dict(weights)
    L = np.random.default_rng(2).uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)
    with torch.no_grad():
        ours = network.predict_ab(torch.from_numpy(L)).numpy()
    differences = np.abs(Session(path, device="cpu").run(L).ab - ours)
    assert differences.mean() < 0.02 * ours.std()  # the graph's weights are rounded to fp16
    colorizer = Colorizer.load("theirs", device="cpu")
    assert (colorizer.name, colorizer.version, colorizer.working_size) == ("theirs", "1", 256)
    assert colorizer.guided == (architecture == "siggraph17")
    assert colorizer.colorize(np.full((40, 50), 128, np.uint8)).std() > 0


@pytest.mark.usefixtures("quick")
def test_the_command(publish: Publish, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = publish(saved(weights_of("eccv16")))
    picture = tmp_path / "grey.png"
    Image.fromarray(np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)).save(picture)
    colorize = ["colorize", str(picture), "-o", str(tmp_path / "out.png"), "--model", "theirs"]
    assert main(colorize) == 1
    assert "run tintype models fetch theirs" in capfd.readouterr().err
    assert main(["models", "fetch", "theirs", "--offline"]) == 1
    assert "cannot be fetched offline" in capfd.readouterr().err
    assert main(["models", "fetch"]) == 0  # comes by name only
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("Left out: theirs;")
    assert main(["models", "fetch", "theirs"]) == 0
    assert capfd.readouterr().out == f"{record.path}\n"
    assert main(["models", "verify"]) == 0
    assert capfd.readouterr().out == "theirs: ok\n"
    assert main(colorize) == 0
    assert np.asarray(Image.open(tmp_path / "out.png")).shape == (48, 64, 3)


@pytest.mark.parametrize("missing", ["torch", "onnxscript"])
def test_without_the_extra_nothing_is_downloaded(
    publish: Publish,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    missing: str,
) -> None:
    publish(saved(weights_of("eccv16")))
    monkeypatch.delitem(sys.modules, "tintype.published")
    monkeypatch.setitem(sys.modules, missing, None)  # type: ignore[arg-type]
    assert main(["models", "fetch", "theirs"]) == 1
    assert 'pip install "tintype[train]"' in capfd.readouterr().err
    assert server.ranges == []


@pytest.mark.usefixtures("quick")
def test_a_truncated_download_is_resumed(publish: Publish, server: Server) -> None:
    content = saved(weights_of("eccv16"))
    record = publish(content)
    server.breaks_after = 50_000
    with pytest.raises(ModelNotFound, match=f"ended after 50000 of {len(content)} bytes"):
        fetch_published("theirs")
    assert not record.path.exists()
    server.breaks_after = None
    fetch_published("theirs")
    assert server.ranges == [None, "bytes=50000-"]


def test_a_truncated_download_of_unknown_size(publish: Publish, server: Server) -> None:
    publish(saved(weights_of("eccv16")))
    server.says_size, server.breaks_after = False, 50_000
    with pytest.raises(ChecksumMismatch, match="its name says"):
        fetch_published("theirs")
    assert left() == set()


@pytest.mark.usefixtures("quick")
def test_a_kill_before_the_conversion_costs_no_second_download(
    publish: Publish, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(saved(weights_of("eccv16")))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(published, "export", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch_published("theirs")
    assert not zoo.find("theirs").is_here
    fetch_published("theirs")
    assert server.ranges == [None]
    assert left() == {"theirs-1.onnx", "theirs-1.json"}


def test_a_wrong_hash(publish: Publish) -> None:
    publish(saved(weights_of("eccv16")), digits="0badc0de")
    with pytest.raises(ChecksumMismatch, match="its name says 0badc0de; it was deleted"):
        fetch_published("theirs")
    assert left() == set()


def test_a_name_without_digits(publish: Publish, server: Server) -> None:
    publish(saved(weights_of("eccv16")), digits="latest")
    with pytest.raises(ChecksumMismatch, match="no digits of a sha256"):
        fetch_published("theirs")
    assert server.ranges == []


def test_a_dead_host(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    record = publish(saved(weights_of("eccv16")))
    dead = replace(record, checkpoint="http://127.0.0.1:9/siggraph17-df00044c.pth")
    monkeypatch.setattr(zoo, "_RECORDS", (dead,))
    with pytest.raises(ModelNotFound, match=r"cannot be fetched from http://127\.0\.0\.1:9"):
        fetch_published("theirs")


class Hostile:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("form", ["archive", "legacy", "bare"])
def test_a_hostile_pickle_is_never_unpickled(publish: Publish, tmp_path: Path, form: str) -> None:
    mark = tmp_path / "owned"
    state = weights_of("eccv16") | {"model1.0.bias": Hostile(mark)}
    if form == "bare":
        content = pickle.dumps(state)
        pickle.loads(content)
    else:
        content = saved(state, _use_new_zipfile_serialization=form == "archive")
        torch.load(io.BytesIO(content), weights_only=False)
    mark.rmdir()  # it is hostile indeed
    publish(content, digits="0badc0de")
    with pytest.raises(ChecksumMismatch):
        fetch_published("theirs")
    publish(content)  # now its name knows it, so that it is read
    with pytest.raises(ModelInvalid, match="more than plain arrays"):
        fetch_published("theirs")
    assert not mark.exists()
    assert left() == set()


@pytest.mark.usefixtures("quick")
def test_other_content_is_refused(publish: Publish) -> None:
    weights = weights_of("eccv16")
    first = next(iter(weights))
    contents: dict[str, object] = {
        r"dict-like": list(weights.values()),
        rf'Missing key\(s\) in state_dict: "{first}"': {
            key: value for key, value in weights.items() if key != first
        },
        r'Unexpected key\(s\) in state_dict: "more"': weights | {"more": torch.zeros(1)},
        r"Missing key\(s\)": {f"module.{key}": value for key, value in weights.items()},
        rf"size mismatch for {first}": weights | {first: torch.zeros(4, 1, 3, 5)},
        r"expected torch.Tensor": weights | {first: 1.0},
        r"is of another network": weights_of("siggraph17"),
    }
    for match, content in contents.items():
        publish(saved(content))
        with pytest.raises(ModelInvalid, match=match):
            fetch_published("theirs")
        assert left() == set()
    publish(b"no pickle at all")
    with pytest.raises(ModelInvalid, match="not read, nor kept"):
        fetch_published("theirs")
    publish(saved(weights))  # none of them stands in the way of the right one
    assert fetch_published("theirs").exists()


@pytest.mark.parametrize("form", ["archive", "legacy"])
@pytest.mark.parametrize("counters", [True, False])
def test_every_value_is_loaded(tmp_path: Path, form: str, counters: bool) -> None:
    """From both of torch's formats, with and (as torch before 0.4.1 wrote) without counters."""
    weights = {
        key: value
        for key, value in weights_of("siggraph17", seed=3).items()
        if counters or not key.endswith("num_batches_tracked")
    }
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(saved(weights, _use_new_zipfile_serialization=form == "archive"))
    network = build("siggraph17", OPTIONS["siggraph17"])
    load_published(network, path)
    loaded = network.state_dict()
    assert len(weights) == len(loaded) - (0 if counters else 9)
    assert all(torch.equal(loaded[key], value) for key, value in weights.items())


@pytest.mark.usefixtures("quick")
def test_another_file_than_at_first_is_refused(publish: Publish) -> None:
    record = publish(saved(weights_of("eccv16")))
    fetch_published("theirs").unlink()
    assert not zoo.find("theirs").is_here
    first = zoo.receipt_of(record)
    other = saved(weights_of("eccv16", seed=2))
    publish(other)  # its name says so
    with pytest.raises(
        ChecksumMismatch, match=r"the receipt of the first fetch \(.*theirs-1\.json\)"
    ):
        fetch_published("theirs")
    assert zoo.receipt_of(record) == first
    assert left() == {"theirs-1.json"}
    publish(saved(weights_of("eccv16")))
    fetch_published("theirs")
    assert zoo.receipt_of(record) == first  # the same graph, too


@pytest.mark.usefixtures("quick")
def test_a_changed_graph_is_found_out(publish: Publish) -> None:
    publish(saved(weights_of("eccv16")))
    path = fetch_published("theirs")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    for use in (zoo.verify, fetch_published, Colorizer.load):
        with pytest.raises(ChecksumMismatch, match="delete it and run tintype models fetch theirs"):
            use("theirs")


def test_a_graph_that_differs_from_torch_is_not_kept(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(*_: object) -> None:
        raise TrainingError("The exported graph differs from torch by 1 in ab, allowed 0.05.")

    publish(saved(weights_of("eccv16")))
    monkeypatch.setattr(published, "export", differ)
    with pytest.raises(TrainingError, match="differs from torch"):
        fetch_published("theirs")
    assert left() == set()


def test_other_models_are_fetched_as_ever(publish: Publish) -> None:
    publish(b"")
    with pytest.raises(ModelNotFound, match="did you mean theirs"):
        fetch_published("others")


@pytest.mark.parametrize("name", ["eccv16-zhang", "siggraph17-zhang"])
def test_records_of_published_checkpoints(name: str) -> None:
    record = zoo.find(name)
    table = layer_table(weightless(record.architecture, dict(record.options)))
    numbers_bytes = 4 * table.parameters
    assert 0 < record.size_bytes - numbers_bytes < 20_000  # names and shapes
    if record.architecture == "eccv16":  # what their checkpoint expects
        assert "model_out" in [layer.name for layer in table.layers if layer.output]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", OPTIONS)
def test_full_size(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    real = next(r for r in zoo.list_models() if r.architecture == architecture and r.checkpoint)
    content = saved(random_network(architecture).state_dict())
    there = publish(content, architecture).checkpoint
    monkeypatch.setattr(zoo, "_RECORDS", (replace(real, checkpoint=there),))
    assert main(["models", "fetch", real.name]) == 0
    assert zoo.find(real.name).size_bytes < 0.52 * real.size_bytes
    picture = tmp_path / "grey.png"
    Image.fromarray(np.full((64, 80), 128, np.uint8)).save(picture)
    assert main(["colorize", str(picture), "--model", real.name]) == 0
    assert (tmp_path / "grey-color.png").exists()
