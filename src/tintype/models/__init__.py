"""Which networks exist: the table from architecture names to what builds them.

Every network is a ``Network``, a ``torch.nn.Module`` with two faces. ``forward`` gives what its
training task needs; ``predict_ab`` is the contract of the engine: L (N,1,H,W) float32 in [0,100]
to ab (N,2,h,w), h = H / ab_stride, with colour hints beside L where the network is guided.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from tintype.errors import ModelNotFound
from tintype.models.autoencoder import Autoencoder, AutoencoderConfig
from tintype.models.baseline import Baseline, BaselineConfig
from tintype.models.dcgan import DCGAN, DCGANConfig
from tintype.models.eccv16 import ECCV16, ECCV16Config
from tintype.models.fusion import Fusion, FusionConfig
from tintype.models.mcgan import MCGAN, MCGANConfig
from tintype.models.network import Classes, GuidedNetwork, Network, Prediction, Reading
from tintype.models.pix2pix import Pix2Pix, Pix2PixConfig
from tintype.models.resnet18 import ResNet18, ResNet18Config
from tintype.models.scgan import SCGAN, SCGANConfig
from tintype.models.siggraph17 import SIGGRAPH17, SIGGRAPH17Config
from tintype.models.tintype import Tintype, TintypeConfig
from tintype.models.unet_palette import UNetPalette, UNetPaletteConfig
from tintype.models.unetpp import UNetPP, UNetPPConfig
from tintype.models.untrained import randomise

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "ARCHITECTURES",
    "Classes",
    "GuidedNetwork",
    "Network",
    "Prediction",
    "Reading",
    "build",
    "build_with",
    "description_of",
    "options_of",
    "random_network",
]

ARCHITECTURES: dict[str, tuple[Callable[..., Network], type[DataclassInstance]]] = {
    "tintype": (Tintype, TintypeConfig),
    "eccv16": (ECCV16, ECCV16Config),
    "siggraph17": (SIGGRAPH17, SIGGRAPH17Config),
    "baseline": (Baseline, BaselineConfig),
    "autoencoder": (Autoencoder, AutoencoderConfig),
    "resnet18": (ResNet18, ResNet18Config),
    "fusion": (Fusion, FusionConfig),
    "unet_palette": (UNetPalette, UNetPaletteConfig),
    "unetpp": (UNetPP, UNetPPConfig),
    "pix2pix": (Pix2Pix, Pix2PixConfig),
    "dcgan": (DCGAN, DCGANConfig),
    "scgan": (SCGAN, SCGANConfig),
    "mcgan": (MCGAN, MCGANConfig),
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


def options_of(name: str) -> list[str]:
    """The names of an architecture's options."""
    return [field.name for field in dataclasses.fields(ARCHITECTURES[name][1])]


def build_with(name: str, stored: str, changes: dict[str, object] | None = None) -> Network:
    """Build a network from what ``description_of`` said.

    Args:
        name: the architecture.
        stored: its options, as JSON.
        changes: options that are to differ.

    Raises:
        ModelNotFound, TypeError, ValueError: when these are not an architecture and its options.
    """
    options: dict[str, object] = json.loads(stored)
    tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return build(name, tuples | (changes or {}))


def description_of(model: Network) -> tuple[str, str]:
    """The architecture of a network and its options as JSON, from which it can be built again."""
    name = next(n for n, (network, _) in ARCHITECTURES.items() if network is type(model))
    return name, json.dumps(dataclasses.asdict(model.config))


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
