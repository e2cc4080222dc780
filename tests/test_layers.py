"""The layer table counts what there is, once, and draws it in the order of the calls."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from tintype import zoo  # noqa: E402
from tintype.errors import ModelNotFound, UsageError  # noqa: E402
from tintype.models import ARCHITECTURES, Network, Prediction  # noqa: E402
from tintype.models.layers import ITSELF, layer_table, weightless  # noqa: E402


class Small(Network):
    """A network of a test."""

    ab_stride = 1
    size_multiple = 4

    def forward(self, L: Tensor) -> Prediction:
        return Prediction(self.predict_ab(L))

    def predict_ab(self, L: Tensor) -> Tensor:
        return self.body(L)


class Autoencoder(Small):
    """The one whose counts by layer are published: convolution, ReLU, normalisation."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = (1, 64, 128, 256, 512, 256, 128, 64)
        after = (
            (nn.MaxPool2d(2),) * 3
            + (None, nn.Upsample(scale_factor=2))
            + (
                nn.Upsample(scale_factor=2),
                nn.Upsample(scale_factor=2),
            )
        )
        for inputs, outputs, last in zip(widths, widths[1:], after, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(outputs)]
            layers += [last] if last is not None else []
        self.body = nn.Sequential(*layers, nn.Conv2d(64, 2, 3, 1, 1), nn.Tanh())


def test_the_published_counts() -> None:
    with torch.device("meta"):
        table = layer_table(Autoencoder().eval())
    assert [layer.parameters for layer in table.layers if layer.parameters] == [
        *(640, 256, 73_856, 512, 295_168, 1_024, 1_180_160, 2_048),
        *(1_179_904, 1_024, 295_040, 512, 73_792, 256, 1_154),
    ]
    assert (table.trainable, table.other, table.parameters) == (3_102_530, 2_816, 3_105_346)
    norm = table.layers[2]
    assert (norm.kind, norm.trainable, norm.other) == ("BatchNorm2d", 128, 128)
    assert table.layers[0].output == (64, 256, 256)
    assert table.layers[-1].output == (2, 256, 256)


class Odd(Small):
    """Everything that is easily counted twice or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(2, 2, 1, bias=False)  # called last, though defined first
        self.body = nn.Conv2d(1, 2, 3, 1, 1)
        self.again = nn.Conv2d(2, 2, 3, 1, 1)
        self.alias = self.again
        self.tied = nn.Conv2d(2, 2, 1, bias=False)
        self.tied.weight = self.last.weight
        self.still = nn.Conv2d(2, 2, 1).requires_grad_(False)
        self.head = nn.Conv2d(2, 5, 1)
        self.plain = nn.Identity()
        self.scale = nn.Parameter(torch.ones(3))
        self.register_buffer("table", torch.zeros(7))
        self.register_buffer("derived", torch.zeros(1000), persistent=False)

    def predict_ab(self, L: Tensor) -> Tensor:
        x = self.again(self.body(self.plain(L)))
        x = self.alias(x[:, :, ::2, ::2])
        return self.last(self.tied(self.still(x))) * self.scale.sum()


def test_each_number_counts_once() -> None:
    network = Odd().eval()
    table = layer_table(network, 64)
    rows = {layer.name: layer for layer in table.layers}
    assert list(rows) == ["body", "again", "still", "tied", "last", ITSELF, "head"]
    counts = {name: (layer.trainable, layer.other, layer.calls) for name, layer in rows.items()}
    assert counts == {
        "body": (20, 0, 1),
        "again": (38, 0, 2),
        "still": (0, 6, 1),
        "tied": (0, 0, 1),
        "last": (4, 0, 1),
        ITSELF: (3, 7, 0),
        "head": (15, 0, 0),
    }
    assert rows["again"].output == (2, 64, 64)
    assert rows["head"].output is None
    assert table.trainable == sum(p.numel() for p in network.parameters() if p.requires_grad)
    large, small = 64 * 64, 32 * 32
    assert table.macs == 18 * large + 36 * large + 36 * small + 3 * 4 * small
    assert not any(module._forward_hooks for module in network.modules())
    drawn = {row[0]: row[1:] for row in table.rows()}
    assert drawn["again"] == ("Conv2d, 2 times", "2×64×64", "38", "38", "0")
    assert drawn["head"] == ("Conv2d", "–", "15", "15", "0")
    assert drawn["total"] == ("", "", "93", "80", "13")
    assert "head for training" in table.legend


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture(name: str) -> None:
    network = weightless(name, {})
    assert not network.training
    table = layer_table(network, 64)
    assert table.trainable == sum(p.numel() for p in network.parameters() if p.requires_grad)
    with FlopCounterMode(display=False) as counter:
        network.predict_ab(torch.zeros(1, 1, 64, 64, device="meta"))
    assert table.macs == counter.get_total_flops() / 2 > 0
    outputs = [layer.output for layer in table.layers if layer.output is not None]
    assert all(size > 0 for output in outputs for size in output)
    double = layer_table(network, 128)
    assert double.parameters == table.parameters
    assert [layer.name for layer in double.layers] == [layer.name for layer in table.layers]


@pytest.mark.parametrize(
    ("name", "trainable", "gmac", "first"),
    [
        ("eccv16", 32_236_011, 41.8, ("model1.0", (64, 256, 256))),
        ("siggraph17", 34_187_027, 75.2, ("model1.0", (64, 256, 256))),
    ],
)
def test_known_networks(
    name: str, trainable: int, gmac: float, first: tuple[str, tuple[int, ...]]
) -> None:
    table = layer_table(weightless(name, {}))
    assert table.trainable == trainable
    assert table.macs / 1e9 == pytest.approx(gmac, rel=0.01)
    assert (table.layers[0].name, table.layers[0].output) == first


def test_the_shipped_model_is_what_its_record_says() -> None:
    onnx = pytest.importorskip("onnx")
    record = zoo.find("tintype")
    if not record.is_here:
        pytest.skip(f"{record.path} is not there: the model has not been exported yet")
    table = layer_table(weightless(record.architecture, dict(record.options)))
    graph = onnx.load(record.path).graph
    stored = {tuple(tensor.dims) for tensor in graph.initializer if len(tensor.dims) == 4}
    network = weightless(record.architecture, dict(record.options))
    assert {tuple(p.shape) for p in network.parameters() if p.dim() == 4} <= stored
    assert table.trainable == 6_607_885


def test_markdown() -> None:
    with torch.device("meta"):
        lines = layer_table(Autoencoder().eval()).markdown().splitlines()
    assert lines[0] == "| layer | kind | output | parameters | trainable | other |"
    assert lines[2] == "| `body.0` | Conv2d | 64×256×256 | 640 | 640 | 0 |"
    assert lines[-3] == "| **total** |  |  | **3,105,346** | **3,102,530** | **2,816** |"
    assert lines[-2] == ""
    assert "GMAC at 256×256" in lines[-1]
    assert "training" not in lines[-1]
    assert {line.count("|") for line in lines[:-2]} == {7}


def test_wrong_sizes_and_names() -> None:
    network = weightless("eccv16", {})
    with pytest.raises(UsageError, match="multiple of 8, not 100"):
        layer_table(network, 100)
    with pytest.raises(ModelNotFound, match="'nonsense'"):
        weightless("nonsense", {})
