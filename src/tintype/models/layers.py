"""What a network is made of, layer by layer: output shapes, parameters, multiplications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tintype.errors import UsageError
from tintype.models import Network, build

COLUMNS = ("layer", "kind", "output", "parameters", "trainable", "other")
"""What a table says of each layer."""

ITSELF = "(network)"
"""Stands for the name of the network, where it holds values outside its layers."""


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: as in the state dict.
        kind: its class.
        output: (channels, height, width), or whatever follows the batch; None where ``predict_ab``
            does not call it: a head for training, or values that lie outside the layers.
        trainable: how many numbers training changes.
        other: how many more it keeps: frozen weights, running statistics, stored tables.
        calls: how often ``predict_ab`` uses it; ``output`` is that of the first time.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None
    trainable: int
    other: int
    calls: int

    @property
    def parameters(self) -> int:
        """How many numbers it keeps in all."""
        return self.trainable + self.other


@dataclass(frozen=True)
class LayerTable:
    """All layers of a network for pictures of one size.

    Attributes:
        size: height and width of L.
        layers: in the order in which ``predict_ab`` calls them, then those that it does not call.
        macs: multiplications, each with an addition, of ``predict_ab`` for one picture:
            convolutions and matrix products.
    """

    size: int
    layers: tuple[Layer, ...]
    macs: int

    @property
    def parameters(self) -> int:
        """How many numbers the network keeps in all."""
        return self.trainable + self.other

    @property
    def trainable(self) -> int:
        """How many of them training changes."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def other(self) -> int:
        """How many of them it does not."""
        return sum(layer.other for layer in self.layers)

    @property
    def legend(self) -> str:
        """The multiplications, and what the columns mean."""
        silent = any(layer.output is None for layer in self.layers)
        return (
            f"{self.macs / 1e9:.2f} GMAC at {self.size}×{self.size}. "
            "Output: channels, height, width. Other: running statistics, frozen weights, tables."
            + (" –: a head for training, or tables beside the layers." if silent else "")
        )

    def rows(self) -> list[tuple[str, ...]]:
        """What is printed of each layer, below ``COLUMNS``, and the totals in the last row."""
        layers = [
            (
                layer.name,
                layer.kind if layer.calls < 2 else f"{layer.kind}, {layer.calls} times",
                "×".join(map(str, layer.output)) if layer.output is not None else "–",
                *_grouped(layer.trainable, layer.other),
            )
            for layer in self.layers
        ]
        return [*layers, ("total", "", "", *_grouped(self.trainable, self.other))]

    def markdown(self) -> str:
        """The table as a model card holds it."""
        *layers, total = self.rows()
        rows = [
            COLUMNS,
            ("---",) * 3 + ("--:",) * 3,
            *((f"`{name}`", *rest) for name, *rest in layers),
            tuple(cell and f"**{cell}**" for cell in total),
        ]
        return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", self.legend])


def _grouped(trainable: int, other: int) -> tuple[str, str, str]:
    return f"{trainable + other:,}", f"{trainable:,}", f"{other:,}"


def weightless(name: str, options: dict[str, object]) -> Network:
    """A network without memory for its weights, in evaluation mode: for shapes and counts.

    Args:
        name: a key of ``ARCHITECTURES``.
        options: as of ``build``.

    Raises:
        ModelNotFound: when there is no such architecture.
        TypeError: when an option does not exist.
    """
    with torch.device("meta"):
        network = build(name, options)
    return network.to("meta").eval()


@torch.no_grad()
def layer_table(network: Network, size: int = 256) -> LayerTable:
    """What ``predict_ab`` calls, in its order, and what the network keeps.

    A layer is a module without modules inside; what lies between layers (an addition, an
    interpolation, a ReLU that is a plain function) has no row. Values that are used in several
    places count once; what is not stored with the weights does not count, nor do the counters of
    batch normalisation.

    Args:
        network: in evaluation mode; without memory (``weightless``) this takes milliseconds.
        size: height and width of L, a multiple of the network's ``size_multiple``.

    Raises:
        UsageError: when the network does not take that size.
    """
    if size % network.size_multiple:
        raise UsageError(f"The size must be a multiple of {network.size_multiple}, not {size}.")
    names = {module: name for name, module in network.named_modules()}
    outputs: dict[nn.Module, list[tuple[int, ...]]] = {}

    def note(module: nn.Module, _: Sequence[object], output: Tensor) -> None:
        outputs.setdefault(module, []).append(tuple(output.shape[1:]))

    inner = (module for module in names if next(module.children(), None) is None)
    leaves = [module for module in inner if not isinstance(module, nn.Identity)]
    handles = [module.register_forward_hook(note) for module in leaves]
    device = next(network.parameters()).device
    try:
        with FlopCounterMode(display=False) as counter:
            network.predict_ab(torch.zeros(1, 1, size, size, device=device))
    finally:
        for handle in handles:
            handle.remove()
    trainable, other = _kept(network)
    silent = [m for m, name in names.items() if m not in outputs and (trainable + other)[name]]
    layers = [
        Layer(
            names[module] or ITSELF,
            type(module).__name__,
            outputs[module][0] if module in outputs else None,
            trainable[names[module]],
            other[names[module]],
            len(outputs.get(module, ())),
        )
        for module in [*outputs, *silent]
    ]
    return LayerTable(size, tuple(layers), counter.get_total_flops() // 2)


def _kept(network: Network) -> tuple[Counter[str], Counter[str]]:
    """How many numbers each module holds by itself: trainable ones, and others."""
    trainable: Counter[str] = Counter()
    other: Counter[str] = Counter()
    seen: set[int] = set()
    for key, value in network.state_dict(keep_vars=True).items():
        owner, _, last = key.rpartition(".")
        if last != "num_batches_tracked" and id(value) not in seen:
            seen.add(id(value))
            (trainable if value.requires_grad else other)[owner] += value.numel()
    return trainable, other
