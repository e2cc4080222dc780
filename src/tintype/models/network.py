"""What every network is: a torch module that keeps the engine's contract, L in and ab out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from torch import Tensor, nn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Prediction(NamedTuple):
    """What a network says in training; what it has no head for is None.

    Attributes:
        colour: (N,C,h,w) in the network's own space: that of ``Network.target``.
        logits: (N,Q,h,w) of its classes, at a size of their own.
        saliency: (N,1,h,w) logits of the salient.
        scene: (N,K) logits of the kind of scene.
    """

    colour: Tensor | None = None
    logits: Tensor | None = None
    saliency: Tensor | None = None
    scene: Tensor | None = None


class Classes(NamedTuple):
    """What the classes of ``logits`` stand for.

    Attributes:
        centres: (Q,2) their ab.
        palette: (Q,3) their sRGB in [0,1] where they are colours of a palette, which training
            finds and writes here; None where they are bins of the ab plane.
        log_weights: (Q,) where training writes the logarithm of the rebalancing, for a network
            that takes some of it back.
    """

    centres: Tensor
    palette: Tensor | None = None
    log_weights: Tensor | None = None


class Reading(NamedTuple):
    """What an exported graph computes; the last three only when asked, and None where missing.

    Attributes:
        ab: (N,2,h,w), about [-110,110].
        variation: (N,2,h,w) added to ab when the colours are to lean somewhere.
        correction: (N,2,h,w) added when there are hints.
        confidence: (N,1,h,w) in [0,1], the chance that ab is nearly right.
    """

    ab: Tensor
    variation: Tensor | None = None
    correction: Tensor | None = None
    confidence: Tensor | None = None


class Network(nn.Module, ABC):
    """A network of the table. ``forward`` gives what its training task needs.

    Attributes:
        config: the options that it was built with.
        ab_stride: rows and columns of L that one cell of ab covers; ``colour`` has that size too.
        size_multiple: height and width of L must be multiples of this.
        guided: whether it takes colour hints; such a network is a ``GuidedNetwork``.
        leans: whether it predicts a distribution that can be made to lean, see ``read``.
        colour_span: the largest magnitude of ``colour``: divided by it, values lie in [-1,1].
    """

    config: DataclassInstance
    ab_stride: ClassVar[int]
    size_multiple: ClassVar[int]
    guided: bool = False
    leans: bool = False
    colour_span: ClassVar[float] = 110.0

    @abstractmethod
    def forward(self, L: Tensor) -> Prediction:
        """Everything the network predicts for L (N,1,H,W) float32 in [0,100]."""

    def predict_ab(self, L: Tensor) -> Tensor:
        """The contract: ab (N,2,H/ab_stride,W/ab_stride), about [-110,110].

        Args:
            L: (N,1,H,W) float32 in [0,100].
        """
        colour = self(L).colour
        return self.ab_of(colour, L if self.ab_stride == 1 else nn.AvgPool2d(self.ab_stride)(L))

    def read(
        self,
        L: Tensor,
        lean: Tensor | None = None,
        hint_ab: Tensor | None = None,
        hint_mask: Tensor | None = None,
    ) -> Reading:
        """``predict_ab``, and what else the exported graph offers; here nothing.

        Args:
            L: (N,1,H,W) float32 in [0,100].
            lean: (2,) for a network that ``leans``: the direction in ab that it prefers among the
                colours it thinks possible, as long as it prefers it strongly; about 0.03.
            hint_ab: as of ``GuidedNetwork.predict_ab``, for a guided network.
            hint_mask: the same.
        """
        return Reading(self.predict_ab(L))

    def ab_of(self, colour: Tensor, L: Tensor) -> Tensor:
        """The ab of ``colour``: here colour is ab.

        Args:
            colour: (N,C,h,w) in the network's own space.
            L: (N,1,h,w) the lightness at the same size.

        Returns:
            (N,2,h,w).
        """
        return colour

    def target(self, lab: Tensor) -> Tensor:
        """The true ``colour``: here the ab itself.

        Args:
            lab: (N,3,h,w) true colours in CIE Lab.

        Returns:
            (N,C,h,w) in the network's own space; ``ab_of`` is the way back.
        """
        return lab[:, 1:]

    def classes_of(self) -> Classes | None:
        """What its classes stand for, for a network that predicts classes."""
        return None

    def heads_ab(self, L: Tensor) -> dict[str, Tensor]:
        """The ab that each way of reading the network gives, as training validates them.

        Args:
            L: (N,1,H,W) float32 in [0,100].

        Returns:
            Name to ab as of ``predict_ab``; "ab" is what is exported.
        """
        return {"ab": self.predict_ab(L)}

    def parameter_groups(self, rate: float, trunk_rate: float) -> list[dict[str, object]]:
        """Optimizer groups: a trunk that starts trained moves slower than the new layers.

        Args:
            rate: learning rate of new layers.
            trunk_rate: of the submodule ``trunk``, if there is one.
        """
        # In the order of definition: a checkpoint keeps the optimizer's state by position.
        named = list(self.named_parameters())
        trunk = [p for name, p in named if name.startswith("trunk.")]
        new = [p for name, p in named if not name.startswith("trunk.")]
        groups: list[dict[str, object]] = [{"params": new, "lr": rate}]
        return [{"params": trunk, "lr": trunk_rate}, *groups] if trunk else groups


class GuidedNetwork(Network):
    """A network that takes colour hints beside L."""

    guided: bool = True

    @abstractmethod
    def forward(
        self, L: Tensor, hint_ab: Tensor | None = None, hint_mask: Tensor | None = None
    ) -> Prediction:
        """Everything the network predicts; arguments as of ``predict_ab``."""

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

    def read(
        self,
        L: Tensor,
        lean: Tensor | None = None,
        hint_ab: Tensor | None = None,
        hint_mask: Tensor | None = None,
    ) -> Reading:
        """``predict_ab``; arguments as of ``Network.read``."""
        return Reading(self.predict_ab(L, hint_ab, hint_mask))
