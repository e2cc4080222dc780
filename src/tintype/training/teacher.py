"""A trained network that shows another, usually smaller one, which colours it would choose."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tintype import zoo
from tintype.errors import TintypeError, TrainingError
from tintype.models import Network
from tintype.training.restore import network_of_graph


class Teacher:
    """Answers with the ab that a finished model gives (Hinton 2015, arXiv 1503.02531, for colours).

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
        network = self.network.to(L.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        answer: Tensor = network.predict_ab(L.contiguous(memory_format=torch.channels_last))
        return answer.float()


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
