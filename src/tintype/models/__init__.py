"""Which networks exist: the table from architecture names to what builds them.

Every network is a ``Network``, a ``torch.nn.Module`` with two faces. ``forward`` gives what its
training task needs; ``predict_ab`` is the contract of the engine: L (N,1,H,W) float32 in [0,100]
to ab (N,2,h,w), h = H / ab_stride, with colour hints beside L where the network is guided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from tintype.errors import ModelNotFound
from tintype.models.eccv16 import ECCV16, ECCV16Config
from tintype.models.network import Classes, GuidedNetwork, Network, Prediction
from tintype.models.siggraph17 import SIGGRAPH17, SIGGRAPH17Config
from tintype.models.tintype import Tintype, TintypeConfig
from tintype.models.untrained import randomise

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "ARCHITECTURES",
    "Classes",
    "GuidedNetwork",
    "Network",
    "Prediction",
    "build",
    "random_network",
]

ARCHITECTURES: dict[str, tuple[Callable[..., Network], type[DataclassInstance]]] = {
    "tintype": (Tintype, TintypeConfig),
    "eccv16": (ECCV16, ECCV16Config),
    "siggraph17": (SIGGRAPH17, SIGGRAPH17Config),
}
"""Architecture name to (network class, its options)."""


def build(name: str, options: dict[str, object]) -> Network:
    """Build a network with fresh weights.

    Args:
        name: a key of ``ARCHITECTURES``.
        options: fields of its options class that differ from the defaults.

    Raises:
        ModelNotFound: when there is no such architecture.
        TypeError: when an option does not exist.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelNotFound(f"There is no architecture '{name}'; known are: {known}.")
    network, config = ARCHITECTURES[name]
    return network(config(**options))


def random_network(name: str, seed: int = 0, options: dict[str, object] | None = None) -> Network:
    """Build a network whose random weights let it behave as a trained one: for tests and timing.

    Args:
        name: a key of ``ARCHITECTURES``.
        seed: of all weights; the same seed gives the same network, and torch's own random state
            is left as it was.
        options: as of ``build``.

    Returns:
        The network in evaluation mode.

    Raises:
        ModelNotFound: when there is no such architecture.
        TypeError: when an option does not exist.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(name, options or {})
        randomise(network)
    return network.eval()
