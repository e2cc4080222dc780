"""How a trained network becomes an ONNX graph that keeps the engine's contract.

``L (N,1,H,W) float32`` in, for a guided network also ``hint_ab (N,2,H,W)`` and ``hint_mask
(N,1,H,W)``, ``ab (N,2,H/stride,W/stride) float32`` out, and ``confidence (N,1,H/stride,W/stride)``
of a network that gives it, computed unless the optional ``confidence_wanted`` is false; weights
stored as fp16 and cast to fp32 once when a session loads; name, version, working size and what the
network can be built from again in the graph's metadata.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tintype.errors import TrainingError
from tintype.models import GuidedNetwork, Network, description_of
from tintype.runtime import CONFIDENCE_WANTED, Session

PARITY_AB = 0.05
"""Largest difference between torch and ONNX Runtime that is accepted, in ab units."""

PARITY_CONFIDENCE = 0.005
"""Largest difference between torch and ONNX Runtime that is accepted, in confidence."""

OPSET = 18

Probe = tuple[NDArray[np.float32], ...]
"""A graph's inputs in their order: L, or L, hint_ab and hint_mask."""

Answer = tuple[NDArray[np.float32], ...]
"""A graph's outputs in their order: ab, or ab and confidence."""

_OUTPUTS = ("ab", "confidence")
_INPUTS = ("L", "hint_ab", "hint_mask")
_SMALL = 1024  # tensors with fewer values stay float32: they are shapes, constants and biases


@dataclass(frozen=True)
class Exported:
    """What an export gave.

    Attributes:
        path: the .onnx file.
        sha256: of the file, in hex.
        size_bytes: of the file.
        parity_ab: largest |Δab| between torch and ONNX Runtime with the same fp16 weights.
        parity_confidence: the same of the confidence; 0 without.
        rounding_ab: largest |Δab| that rounding the weights to fp16 made.
    """

    path: Path
    sha256: str
    size_bytes: int
    parity_ab: float
    parity_confidence: float
    rounding_ab: float


class _Contract(nn.Module):
    """The network as the engine sees it."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, L: Tensor) -> tuple[Tensor, ...]:
        ab, confidence = self.model.predict_with_confidence(L)
        return (ab,) if confidence is None else (ab, confidence)


class _GuidedContract(nn.Module):
    """The guided network as the engine sees it."""

    def __init__(self, model: GuidedNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, L: Tensor, hint_ab: Tensor, hint_mask: Tensor) -> tuple[Tensor, ...]:
        return (self.model.predict_ab(L, hint_ab, hint_mask),)


def export(model: Network, target: Path, name: str, version: str, working_size: int) -> Exported:
    """Write a network as ONNX and prove that ONNX Runtime computes the same.

    Args:
        model: in evaluation mode; its batch normalisations are folded and its weights rounded to
            fp16 in place.
        target: the .onnx to write; replaced only when the check passes.
        name: the model's name in the zoo.
        version: of these weights.
        working_size: side in pixels of the square whose area pictures are scaled to.

    Raises:
        TrainingError: when the graph's ab differs from torch's by more than ``PARITY_AB``, or its
            confidence by more than ``PARITY_CONFIDENCE``.
    """
    contract = _contract(model)
    probes = [
        _probe(1, 256, 256, seed=1, guided=model.guided),
        _probe(2, 160, 224, seed=2, guided=model.guided),
    ]
    fold_batch_norm(model)
    exact = [_predict(contract, probe) for probe in probes]
    _round_to_half(model)
    rounded = [_predict(contract, probe) for probe in probes]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / target.name
        outputs = _OUTPUTS[: len(rounded[0])]
        graph = _graph(contract, model.size_multiple, probes[1], outputs)
        _strip(graph)
        if "confidence" in outputs:
            _compute_on_request(graph)
        _store_as_half(graph)
        architecture, options = description_of(model)
        metadata = {
            "name": name,
            "version": version,
            "working_size": str(working_size),
            "architecture": architecture,
            "options": options,
            "buffers": json.dumps(_buffers(model)),
        }
        onnx.helper.set_model_props(graph, {f"tintype.{k}": v for k, v in metadata.items()})
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(graph, part)
        parity = _differences(part, probes, rounded)
        allowed = PARITY_AB, PARITY_CONFIDENCE
        for output, found, most in zip(_OUTPUTS, parity, allowed, strict=True):
            if not found < most:
                raise TrainingError(
                    f"The exported graph differs from torch by {found:.3f} in {output}, "
                    f"allowed {most}."
                )
        part.replace(target)
    content = target.read_bytes()
    rounding = max(_largest(a[0], b[0]) for a, b in zip(exact, rounded, strict=True))
    return Exported(target, hashlib.sha256(content).hexdigest(), len(content), *parity, rounding)


def difference_of(model: Network, graph: Path) -> float:
    """The largest |Δab| between a network in evaluation mode and a graph, on a random picture."""
    probe = _probe(2, 160, 224, seed=2, guided=model.guided)
    ab, *_ = _predict(_contract(model), probe)
    return _differences(graph, [probe], [(ab,)])[0]


def _differences(graph: Path, probes: list[Probe], wanted: list[Answer]) -> tuple[float, float]:
    """The largest |Δab| and |Δconfidence| from what is wanted; 0 for what is not."""
    session = Session(graph, device="cpu")
    of_ab, of_confidence = [0.0], [0.0]
    for probe, (ab, *confidence) in zip(probes, wanted, strict=True):
        answer = session.run(*probe, confidence=bool(confidence))
        of_ab.append(_largest(answer.ab, ab))
        if answer.confidence is not None:
            of_confidence.append(_largest(answer.confidence, *confidence))
    return float(np.max(of_ab)), float(np.max(of_confidence))  # unlike max, they pass a NaN on


def _contract(model: Network) -> _Contract | _GuidedContract:
    return _GuidedContract(model) if isinstance(model, GuidedNetwork) else _Contract(model)


def fold_batch_norm(model: nn.Module) -> None:
    """Fold every batch normalisation that follows a convolution in a Sequential into it.

    One that follows a ReLU stays: it could only go into the next convolution, and there the zeros
    of the padding, which it does not shift, would be shifted with the rest.
    """
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            names = list(module._modules)
            for first, second in pairwise(names):
                conv, norm = module._modules[first], module._modules[second]
                if not isinstance(norm, nn.BatchNorm2d):
                    continue
                if isinstance(conv, nn.ConvTranspose2d):
                    module._modules[first] = fuse_conv_bn_eval(conv, norm, transpose=True)
                    module._modules[second] = nn.Identity()
                elif isinstance(conv, nn.Conv2d):
                    module._modules[first] = fuse_conv_bn_eval(conv, norm)
                    module._modules[second] = nn.Identity()


def _buffers(model: nn.Module) -> dict[str, object]:
    """What a network keeps beside its weights: palettes, class weights; the exporter folds them."""
    norms = ("running_mean", "running_var", "num_batches_tracked")
    weights = {name for name, _ in model.named_parameters()}
    return {
        name: value.tolist()
        for name, value in model.state_dict().items()
        if name not in weights and not name.endswith(norms)
    }


@torch.no_grad()
def _round_to_half(model: nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.numel() >= _SMALL:
            parameter.copy_(parameter.half().float())


def _probe(batch: int, height: int, width: int, seed: int, *, guided: bool) -> Probe:
    """Smooth random lightness, more like a picture than white noise is, and a few square hints."""
    rng = np.random.default_rng(seed)
    shape = (height // 16, width // 16)
    coarse = torch.from_numpy(rng.uniform(0, 100, (batch, 1, *shape)))
    L = nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 100)
    if not guided:
        return (np.asarray(L, np.float32),)
    mask = rng.random((batch, 1, *shape)) < 0.05
    ab = rng.uniform(-80, 80, (batch, 2, *shape)) * mask
    hints = (np.repeat(np.repeat(hint, 16, 2), 16, 3) for hint in (ab, mask))
    return (np.asarray(L, np.float32), *(np.asarray(hint, np.float32) for hint in hints))


@torch.no_grad()
def _predict(contract: nn.Module, probe: Probe) -> Answer:
    answer = contract(*(torch.from_numpy(part) for part in probe))
    return tuple(np.asarray(part) for part in answer)


def _largest(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max())


def _graph(
    contract: nn.Module, step: int, example: Probe, outputs: tuple[str, ...]
) -> onnx.ModelProto:
    batch, height, width = (torch.export.Dim(n) for n in ("N", f"H{step}", f"W{step}"))
    free = {0: batch, 2: step * height, 3: step * width}
    names = _INPUTS[: len(example)]
    with warnings.catch_warnings():
        # The exporter's own deprecations, and that torchvision, which is not needed, is missing.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            contract.eval(),
            tuple(torch.from_numpy(part) for part in example),
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=outputs,
            dynamic_shapes=dict.fromkeys(names, free),
            verbose=False,
        )
    if program is None:
        raise TrainingError("torch did not export the network.")
    return program.model_proto


def _compute_on_request(graph: onnx.ModelProto) -> None:
    """Put what nothing but the confidence needs into a branch that is taken when it is wanted.

    ONNX Runtime computes all that leads to any output, whichever are asked for. The input is an
    initialiser that may be overridden, so that graphs are still run with L alone.
    """
    nodes = list(graph.graph.node)
    shared = _leading_to("ab", nodes)
    own = [node for number, node in enumerate(nodes) if number not in shared]
    inside, absent = "confidence.inside", "confidence.absent"
    for node in own:
        node.output[:] = [inside if name == "confidence" else name for name in node.output]
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    value = [helper.make_tensor_value_info(name, real, None) for name in (inside, absent)]
    none = helper.make_tensor(absent, real, [0, 1, 1, 1], [])
    nothing = helper.make_node("Constant", [], [absent], value=none)
    branches = {
        "then_branch": helper.make_graph(own, "wanted", [], value[:1]),
        "else_branch": helper.make_graph([nothing], "unwanted", [], value[1:]),
    }
    choice = helper.make_node("If", [CONFIDENCE_WANTED], ["confidence"], **branches)
    del graph.graph.node[:]
    graph.graph.node.extend([*(nodes[number] for number in sorted(shared)), choice])
    wanted = onnx.TensorProto.BOOL
    graph.graph.initializer.append(helper.make_tensor(CONFIDENCE_WANTED, wanted, [], [True]))
    graph.graph.input.append(helper.make_tensor_value_info(CONFIDENCE_WANTED, wanted, []))


def _leading_to(output: str, nodes: list[onnx.NodeProto]) -> set[int]:
    """Numbers of the nodes that an output depends on."""
    maker = {name: number for number, node in enumerate(nodes) for name in node.output}
    found: set[int] = set()
    waiting = [output]
    while waiting:
        number = maker.get(waiting.pop())
        if number is not None and number not in found:
            found.add(number)
            waiting.extend(nodes[number].input)
    return found


def _store_as_half(graph: onnx.ModelProto) -> None:
    """Store large fp32 initialisers as fp16, each behind a Cast that the runtime folds."""
    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= _SMALL:
            original = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{original}.half"))
            casts.append(
                onnx.helper.make_node(
                    "Cast", [f"{original}.half"], [original], to=onnx.TensorProto.FLOAT
                )
            )
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _strip(graph: onnx.ModelProto) -> None:
    """Leave out inferred shapes and the exporter's notes (source lines, paths of this machine)."""
    del graph.graph.value_info[:], graph.metadata_props[:], graph.graph.metadata_props[:]
    tensors = (*graph.graph.input, *graph.graph.output, *graph.graph.initializer)
    for part in (*graph.graph.node, *tensors):
        del part.metadata_props[:]
        part.doc_string = ""
