"""How a network gets random weights with which it behaves: for tests and for timing."""

from __future__ import annotations

import torch
from torch import nn

from tintype.models.network import GuidedNetwork, Network


def randomise(network: Network) -> None:
    """Give a network random weights with which activations keep their size.

    Weights are normal with the variance 1 / fan-in, biases zero, and the running statistics of the
    batch normalisations those of one small batch of random clouds. Without the 2 of He (2015,
    arXiv 1502.01852) the layers after the last normalisation stay calm, so that neither tanh nor
    an annealed softmax saturates and rounding does not grow.

    Args:
        network: changed in place; draws from torch's own generator.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    _measure(network.train())


@torch.no_grad()
def _measure(network: Network) -> None:
    """Set running statistics to those of two pictures of clouds with grain, some of it hinted."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the plain mean over batches, here of one
    coarse = torch.rand(2, 4, 8, 8)
    clouds = nn.functional.interpolate(coarse[:, :1], scale_factor=16, mode="bilinear")
    L = 90 * clouds + 10 * torch.rand_like(clouds)
    if isinstance(network, GuidedNetwork) and network.guided:
        squares = nn.functional.interpolate(coarse[:, 1:], scale_factor=16, mode="nearest")
        network.predict_ab(L, 160 * squares[:, :2] - 80, (squares[:, 2:] < 0.1).to(L))
    else:
        network.predict_ab(L)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
