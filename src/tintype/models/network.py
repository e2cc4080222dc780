"""What every network is: a torch module that keeps the engine's contract, L in and ab out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Network(nn.Module, ABC):
    """A network of the table. ``forward`` gives what its training task needs.

    Attributes:
        ab_stride: rows and columns of L that one cell of ab covers.
        size_multiple: height and width of L must be multiples of this.
        guided: whether it takes colour hints, that is, is a ``GuidedNetwork``.
    """

    ab_stride: ClassVar[int]
    size_multiple: ClassVar[int]
    guided: ClassVar[bool] = False

    @abstractmethod
    def predict_ab(self, L: Tensor) -> Tensor:
        """The contract: ab (N,2,H/ab_stride,W/ab_stride), about [-110,110].

        Args:
            L: (N,1,H,W) float32 in [0,100].
        """


class GuidedNetwork(Network):
    """A network that takes colour hints beside L."""

    guided: ClassVar[bool] = True

    @abstractmethod
    def predict_ab(
        self, L: Tensor, hint_ab: Tensor | None = None, hint_mask: Tensor | None = None
    ) -> Tensor:
        """The contract with hints: ab (N,2,H/ab_stride,W/ab_stride), about [-110,110].

        Args:
            L: (N,1,H,W) float32 in [0,100].
            hint_ab: (N,2,H,W) float32 ab of the hints; no hints when None.
            hint_mask: (N,1,H,W) float32, 1 where there is a hint, else 0; no hints when None.
        """
