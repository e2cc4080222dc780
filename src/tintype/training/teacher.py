"""A trained network that shows another, usually smaller one, which colours it would choose."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tintype import zoo
from tintype.errors import TintypeError, TrainingError
from tintype.models import Network
from tintype.training.restore import network_of_graph


class Heads(NamedTuple):
    """What each head of a teacher says.

    Attributes:
        ab: (N,2,h,w) of the one for colours.
        logits: (N,Q,h,w) of the classes, without the rebalancing they were trained with.
    """

    ab: Tensor
    logits: Tensor


class Teacher:
    """Answers with what a finished model gives (Hinton 2015, arXiv 1503.02531, for colours).

    It is no module of the task: its weights neither move nor belong into checkpoints.

    Args:
        model: name of a model in the zoo, or the path of an .onnx.

    Raises:
        TrainingError: when the model is not to be had or cannot be trained further.
    """

    def __init__(self, model: str) -> None:
        self.network = network_of_model(model).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def ab(self, L: Tensor) -> Tensor:
        """(N,2,h,w) the ab it chooses for L (N,1,H,W) in [0,100]."""
        answer: Tensor = self._on(L).predict_ab(L.contiguous(memory_format=torch.channels_last))
        return answer.float()

    @torch.no_grad()
    def heads(self, L: Tensor) -> Heads:
        """The ab of its head for colours, and of its classes, for L (N,1,H,W) in [0,100].

        Raises:
            TrainingError: it has not both.
        """
        network = self._on(L)
        said = network(L.contiguous(memory_format=torch.channels_last))
        classes = network.classes_of()
        if said.colour is None or said.logits is None or classes is None:
            raise TrainingError("The teacher has not both colours and classes to teach.")
        fair = said.logits.float()
        if classes.log_weights is not None:
            fair = fair - classes.log_weights[:, None, None]
        cells = functional.adaptive_avg_pool2d(L, said.colour.shape[-2:])
        return Heads(network.ab_of(said.colour.float(), cells), fair)

    def _on(self, L: Tensor) -> Network:
        moved: Network = self.network.to(L.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return moved


def network_of_model(model: str) -> Network:
    """The network of a model in the zoo or of an .onnx, in evaluation mode.

    Raises:
        TrainingError: when the model is not to be had or cannot be trained further.
    """
    try:
        path: Path = zoo.graph_file(model)
    except TintypeError as error:
        raise TrainingError(f"The model '{model}' is not to be had: {error}") from error
    return network_of_graph(path).network
