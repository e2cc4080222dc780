"""What several test files share: tiny networks, grey test pictures, a virtual screen."""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import pickle
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from small_networks import SMALL
from tintype.batch.manifest import MANIFEST_NAME
from tintype.runtime import LEAN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tintype.export import Exported
    from tintype.models import Network

AB_STRIDE = 4
WORKING_SIZE = 64
SCENES = 205
HEADS: dict[str, dict[str, object]] = {"fusion": {"scenes": SCENES}, "tintype": {"guide": 4}}
"""What a network that is exported has besides, so that one export shows all that it can."""

GreyWriter = Callable[..., Path]
ExportSmall = Callable[[str], "tuple[Network, Exported]"]

HAS_TK = importlib.util.find_spec("_tkinter") is not None
XVFB = shutil.which("Xvfb")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="also run tests marked slow")


def pytest_configure() -> None:
    # Networks this small compute for less time than threads wait for each other, and on a busy
    # machine they wait for minutes. Torch looks at this when it is imported, which is later.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


LONGEST = (
    *("export", "page", "training", "archive_ray", "overfit", "training_processes", "finetune"),
    *("page_variants", "overfit_gans", "server_jobs", "training_parts", "speed", "contributing"),
    *("cli_process", "server_redis", "archive_storage"),
)
"""Files of tests that begin first, so that no process is left with one of them in the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))
    if config.getoption("--runslow"):
        mark = pytest.mark.timeout(3600)
    else:
        mark = pytest.mark.skip(reason="slow: run with --runslow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(mark)


def _tensor(name: str, values: list[float]) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, [1, len(values), 1, 1], values)


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _pool(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node(
        "AveragePool", [source], [target], kernel_shape=[AB_STRIDE] * 2, strides=[AB_STRIDE] * 2
    )


def build_tiny_graph(
    *, guided: bool = False, sure: bool = False, leaning: bool = False, name: str = "tiny"
) -> onnx.ModelProto:
    """A network under the contract whose answer is known: a = 0.3 L - 5, b = 40 - 0.2 L.

    L is averaged over 4×4 pixels first. The guided one puts the hint's ab, averaged over the
    hinted pixels, wherever a cell holds a hint. The sure one has a confidence of L / 100. The
    leaning one adds 1000 times the lean.
    """
    plain = "upright" if leaning else "ab"
    nodes = [
        _pool("L", "pooled"),
        helper.make_node("Mul", ["pooled", "slope"], ["sloped"]),
        helper.make_node("Add", ["sloped", "offset"], ["guess" if guided else plain]),
    ]
    constants = [_tensor("slope", [0.3, -0.2]), _tensor("offset", [-5.0, 40.0])]
    inputs = [_value("L", ["N", 1, "H", "W"])]
    if guided:
        inputs += [_value("hint_ab", ["N", 2, "H", "W"]), _value("hint_mask", ["N", 1, "H", "W"])]
        constants += [_tensor("tiny", [1e-6]), _tensor("zero", [0.0])]
        nodes += [
            helper.make_node("Mul", ["hint_ab", "hint_mask"], ["masked"]),
            _pool("masked", "hint_sum"),
            _pool("hint_mask", "share"),
            helper.make_node("Max", ["share", "tiny"], ["safe"]),
            helper.make_node("Div", ["hint_sum", "safe"], ["hinted"]),
            helper.make_node("Greater", ["share", "zero"], ["here"]),
            helper.make_node("Where", ["here", "hinted", "guess"], [plain]),
        ]
    if leaning:
        inputs.append(helper.make_tensor_value_info(LEAN, TensorProto.FLOAT, [2]))
        constants += [
            helper.make_tensor(LEAN, TensorProto.FLOAT, [2], [0.0, 0.0]),
            helper.make_tensor("shape", TensorProto.INT64, [4], [1, 2, 1, 1]),
            _tensor("thousand", [1000.0]),
        ]
        nodes += [
            helper.make_node("Reshape", [LEAN, "shape"], ["shaped"]),
            helper.make_node("Mul", ["shaped", "thousand"], ["leant"]),
            helper.make_node("Add", ["upright", "leant"], ["ab"]),
        ]
    outputs = [_value("ab", ["N", 2, "h", "w"])]
    if sure:
        outputs.append(_value("confidence", ["N", 1, "h", "w"]))
        constants.append(_tensor("percent", [0.01]))
        nodes.append(helper.make_node("Mul", ["pooled", "percent"], ["confidence"]))
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="tests"
    )
    helper.set_model_props(model, {"name": name, "version": "1", "working_size": str(WORKING_SIZE)})
    onnx.checker.check_model(model)
    return model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a tiny graph under the contract: L -> ab at stride 4."""
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    onnx.save(build_tiny_graph(), path)
    return path


@pytest.fixture(scope="session")
def tiny_sure_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a tiny graph that also gives its confidence, L / 100."""
    path = tmp_path_factory.mktemp("models") / "tiny-sure.onnx"
    onnx.save(build_tiny_graph(sure=True, name="tiny-sure"), path)
    return path


@pytest.fixture(scope="session")
def tiny_leaning_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a tiny graph that also knows other colourings."""
    path = tmp_path_factory.mktemp("models") / "tiny-leaning.onnx"
    onnx.save(build_tiny_graph(leaning=True, name="tiny-leaning"), path)
    return path


@pytest.fixture(scope="session")
def tiny_guided_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a tiny guided graph: L, hint_ab, hint_mask -> ab at stride 4."""
    path = tmp_path_factory.mktemp("models") / "tiny-guided.onnx"
    onnx.save(build_tiny_graph(guided=True, name="tiny-guided"), path)
    return path


@pytest.fixture(scope="session")
def export_small(tmp_path_factory: pytest.TempPathFactory) -> ExportSmall:
    """``export_small(name)``: a small random network with all its heads, and its export.

    An export takes up to 20 seconds, so there is one of each in a run, whatever its processes.
    """
    from filelock import FileLock

    from tintype.export import export
    from tintype.models import random_network

    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @functools.cache
    def exported(name: str) -> tuple[Network, Exported]:
        target, known = folder / f"{name}.onnx", folder / f"{name}.pickle"
        with FileLock(folder / f"{name}.lock"):
            if not known.exists():
                network = random_network(name, options=SMALL[name] | HEADS.get(name, {}))
                result = export(network, target, "model", "7", 192)  # rounds the network, too
                known.write_bytes(pickle.dumps((network, result)))
            return cast("tuple[Network, Exported]", pickle.loads(known.read_bytes()))

    return exported


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser, for the tests of a module."""
    from playwright.sync_api import sync_playwright

    from browsing import launched

    with sync_playwright() as playwright:
        yield launched(playwright)


@pytest.fixture
def context(chromium: Browser, address: str) -> Iterator[BrowserContext]:
    """A fresh visitor of the server at ``address``, a fixture of the module."""
    from browsing import visitor

    with visitor(chromium, address) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext, address: str) -> Page:
    """The page of that server, ready."""
    from browsing import opened

    return opened(context, address)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> set[str]:
    """The paths of all files below a folder, relative to it, manifests aside."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST_NAME)
    return {str(path.relative_to(folder)) for path in found}


def grey_pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth grey picture with some grain, uint8 (height, width)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = 128 + 90 * np.sin(5 * x + seed) * np.cos(4 * y)
    return np.clip(waves + rng.normal(0, 3, (height, width)), 0, 255).astype(np.uint8)


@pytest.fixture
def write_grey() -> GreyWriter:
    """``write_grey(path, height=48, width=64, seed=0)`` saves a grey picture and returns path."""

    def write(path: Path, height: int = 48, width: int = 64, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey_pixels(height, width, seed)).save(path)
        return path

    return write


@pytest.fixture
def write_colour() -> GreyWriter:
    """``write_colour(path, height=48, width=64)`` saves a picture of many colours."""

    def write(path: Path, height: int = 48, width: int = 64) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        y, x = np.mgrid[0:height, 0:width]
        rgb = np.dstack([x * 255 // width, y * 255 // height, 255 - x * 255 // width])
        Image.fromarray(rgb.astype(np.uint8)).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def random_squeezenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SqueezeNet 1.1 as arrays, the right keys and shapes, with random weights."""
    path = tmp_path_factory.mktemp("features") / "squeezenet.npz"
    rng = np.random.default_rng(1)
    arrays = {"conv1__w": rng.normal(0, 0.05, (64, 3, 3, 3)), "conv1__b": np.zeros(64)}
    inputs = 64
    for stage, (narrow, wide) in enumerate(
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)], 2
    ):
        shapes = {"squeeze1x1": (narrow, inputs, 1, 1)}
        shapes |= {f"expand{k}x{k}": (wide, narrow, k, k) for k in (1, 3)}
        for name, shape in shapes.items():
            arrays[f"fire{stage}__{name}__w"] = rng.normal(0, 0.1, shape)
            arrays[f"fire{stage}__{name}__b"] = np.zeros(shape[0])
        inputs = 2 * wide
    np.savez(path, **{name: value.astype(np.float16) for name, value in arrays.items()})
    return path


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A virtual screen of our own."""
    for there, what in ((HAS_TK, "tkinter (python3-tk)"), (XVFB is not None, "Xvfb (xvfb)")):
        if not there:
            assert "TINTYPE_CI" not in os.environ, f"{what} is missing"
            pytest.skip(f"needs {what}, by Debian's names")
    assert XVFB is not None
    reading, writing = os.pipe()
    line = [XVFB, "-displayfd", str(writing), "-screen", "0", "900x700x24", "-nolisten", "tcp"]
    with subprocess.Popen(line, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        yield f":{number}"
        server.terminate()


@pytest.fixture
def screen(display: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("DISPLAY", display)
    yield display
    gc.collect()  # Tk's objects must not be left to the garbage collection of another thread
