"""How an exported graph becomes a network again, so that training can go on from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from tintype.errors import ModelNotFound, TrainingError
from tintype.export import PARITY_AB, difference_of
from tintype.models import Network, build_with
from tintype.quantising import is_int8


class Restored(NamedTuple):
    """A network that was a graph.

    Attributes:
        network: in evaluation mode; its weights are rounded to fp16.
        missing: parameters that the graph does not hold, since they have no part in its ab; they
            are random.
    """

    network: Network
    missing: tuple[str, ...]


def network_of_graph(path: Path) -> Restored:
    """The network that a graph was exported from.

    Its batch normalisations are those that were folded, now with the mean 0 and the variance 1: it
    computes what the graph does as long as these statistics are left as they are.

    Args:
        path: an .onnx that ``export`` wrote.

    Raises:
        TrainingError: when the file is no such graph, or the network computes something else.
    """
    if path.is_file() and is_int8(path):
        raise TrainingError(
            f"{path} is int8, whose weights are too coarse to be trained further: start from the "
            "network that it was made of, or from tintype."
        )
    try:
        graph = onnx.load(path)
        metadata = {p.key.removeprefix("tintype."): p.value for p in graph.metadata_props}
        found = _weights(graph)
        network = build_with(metadata["architecture"], metadata["options"])
        found |= {k: torch.tensor(v) for k, v in json.loads(metadata["buffers"]).items()}
        network.eval()
        state, missing = _state(network, found)
        network.load_state_dict(state)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, ModelNotFound) as error:
        raise TrainingError(f"{path} cannot be trained further: {error}") from error
    except Exception as error:  # onnx and protobuf raise errors of their own for what is no graph
        if type(error).__module__.partition(".")[0] not in ("google", "onnx"):
            raise
        raise TrainingError(f"{path} is no readable graph: {error}") from error
    if not difference_of(network, path) < 2 * PARITY_AB:
        raise TrainingError(f"{path} cannot be trained further: its weights are not all there.")
    return Restored(network, missing)


def _weights(graph: onnx.ModelProto) -> dict[str, Tensor]:
    """The graph's weights by their names in the network."""
    tensors = {
        tensor.name.removesuffix(".half").removeprefix("model."): torch.from_numpy(
            np.array(numpy_helper.to_array(tensor), np.float32)
        )
        for tensor in graph.graph.initializer
    }
    for node in _nodes(graph.graph):
        names = [name.removesuffix(".half").removeprefix("model.") for name in node.input]
        # Equal tensors are stored once, biases of nothing but zeros may be left out: a layer's
        # name is that of the input that is its own.
        if node.op_type == "BatchNormalization":
            layer = names[4].removesuffix("running_var")
            keys = (f"{layer}{key}" for key in ("weight", "bias", "running_mean"))
            tensors |= {key: tensors[name] for key, name in zip(keys, names[1:4], strict=True)}
        elif node.op_type in ("Conv", "ConvTranspose", "Gemm") and names[1] in tensors:
            bias = names[1].removesuffix("weight") + "bias"
            outputs = tensors[names[1]].shape[1 if node.op_type == "ConvTranspose" else 0]
            tensors[bias] = tensors[names[2]] if len(names) > 2 else torch.zeros(outputs)
    return tensors


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, also those of branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g)


def _state(network: Network, found: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The network's state, and the names of the parameters that the graph does not hold.

    The state is what the graph holds, and normalisations that do what was folded.
    """
    state = dict(network.state_dict())
    for conv, norm in _folded(network, found):
        size = state[f"{norm}.weight"]
        found[f"{norm}.bias"] = found.pop(f"{conv}.bias")
        found[f"{norm}.weight"] = torch.sqrt(torch.ones_like(size) + 1e-5)
        found[f"{norm}.running_mean"] = torch.zeros_like(size)
        found[f"{norm}.running_var"] = torch.ones_like(size)
        if f"{conv}.bias" in state:
            found[f"{conv}.bias"] = torch.zeros_like(size)
    missing = tuple(name for name, _ in network.named_parameters() if name not in found)
    return state | {name: value for name, value in found.items() if name in state}, missing


def _folded(network: Network, found: dict[str, Tensor]) -> list[tuple[str, str]]:
    """Names of the convolutions whose batch normalisation is not in the graph, and of these."""
    pairs = []
    for path, module in network.named_modules():
        if isinstance(module, nn.Sequential):
            for (first, conv), (second, norm) in pairwise(module.named_children()):
                names = f"{path}.{first}", f"{path}.{second}"
                convolves = isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
                both = convolves and isinstance(norm, nn.BatchNorm2d)
                gone = f"{names[0]}.bias" in found and f"{names[1]}.running_var" not in found
                if both and gone:
                    pairs.append(names)
    return pairs
