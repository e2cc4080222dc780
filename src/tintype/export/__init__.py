"""How a trained network becomes an ONNX graph that keeps the engine's contract.

``L (N,1,H,W) float32`` in, for a guided network also ``hint_ab (N,2,H,W)`` and ``hint_mask
(N,1,H,W)``, ``ab (N,2,H/stride,W/stride) float32`` out, and ``confidence (N,1,H/stride,W/stride)``
of a network that gives it; weights stored as fp16 and cast to fp32 once when a session loads; name,
version, working size and what the network can be built from again in the graph's metadata. What is
not always wanted costs nothing when it is not; ``on_request`` sees to that.
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
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tintype.errors import TrainingError
from tintype.export.on_request import compute_on_request
from tintype.models import Network, description_of
from tintype.quantising import SMALL, store_as_half
from tintype.runtime import Session

PARITY_AB = 0.05
"""Largest difference between torch and ONNX Runtime that is accepted, in ab units."""

PARITY_CONFIDENCE = 0.005
"""Largest difference between torch and ONNX Runtime that is accepted, in confidence."""

OPSET = 18

Probe = dict[str, NDArray[np.float32]]
"""A graph's inputs by name, in their order: L and, where the network takes them, the others."""


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


class Answer(NamedTuple):
    """What comes out: ab with all that is asked for, and the confidence where there is one."""

    ab: NDArray[np.float32]
    confidence: NDArray[np.float32] | None


class _Contract(nn.Module):
    """The network as the exporter sees it: what there is of a ``Reading``, in its order."""

    def __init__(self, model: Network, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        reading = self.model.read(**dict(zip(self.names, inputs, strict=True)))
        return tuple(part for part in reading if part is not None)


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
    target.parent.mkdir(parents=True, exist_ok=True)
    model.eval()
    probes = _probes(model)
    fold_batch_norm(model)
    exact = [_predict(model, probe) for probe in probes]
    _round_to_half(model)
    rounded = [_predict(model, probe) for probe in probes]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / target.name
        graph = _graph(model, probes[0])
        store_as_half(graph)
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
        for output, found, most in zip(("ab", "confidence"), parity, allowed, strict=True):
            if not found < most:
                raise TrainingError(
                    f"The exported graph differs from torch by {found:.3f} in {output}, "
                    f"allowed {most}."
                )
        part.replace(target)
    content = target.read_bytes()
    rounding = max(_largest(a.ab, b.ab) for a, b in zip(exact, rounded, strict=True))
    return Exported(target, hashlib.sha256(content).hexdigest(), len(content), *parity, rounding)


def difference_of(model: Network, graph: Path) -> float:
    """The largest |Δab| between a network in evaluation mode and a graph, on random pictures.

    A graph of an earlier release may lack a lean that its network has; it is compared without.
    """
    leans = Session(graph, device="cpu").leans
    probes = [
        {name: part for name, part in probe.items() if name != "lean" or leans}
        for probe in _probes(model)[:2]
    ]
    return _differences(graph, probes, [_predict(model, probe) for probe in probes])[0]


def _differences(graph: Path, probes: list[Probe], wanted: list[Answer]) -> tuple[float, float]:
    """The largest |Δab| and |Δconfidence| from what is wanted; 0 for what is not."""
    session = Session(graph, device="cpu")
    of_ab, of_confidence = [0.0], [0.0]
    for probe, (ab, confidence) in zip(probes, wanted, strict=True):
        answer = session.run(**probe, confidence=confidence is not None)
        of_ab.append(_largest(answer.ab, ab))
        if answer.confidence is not None and confidence is not None:
            of_confidence.append(_largest(answer.confidence, confidence))
    return float(np.max(of_ab)), float(np.max(of_confidence))  # unlike max, they pass a NaN on


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
        if parameter.numel() >= SMALL:
            parameter.copy_(parameter.half().float())


def _probes(model: Network) -> list[Probe]:
    """With all that the network takes, without lean and hints, and at another size."""
    first, second = (_probe(model, *shape) for shape in ((2, 160, 224), (1, 256, 256)))
    bare = {"L": first["L"]}
    return [first, bare, second] if len(first) > 1 else [first, second]


def _probe(model: Network, batch: int, height: int, width: int) -> Probe:
    """Smooth random lightness, more like a picture than white noise is, and a few square hints."""
    rng = np.random.default_rng(batch)
    shape = (height // 16, width // 16)
    coarse = torch.from_numpy(rng.uniform(0, 100, (batch, 1, *shape)))
    L = nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 100)
    probe = {"L": np.asarray(L, np.float32)}
    if model.leans:
        probe["lean"] = np.array([0.02, -0.03], np.float32)
    if model.guided:
        mask = rng.random((batch, 1, *shape)) < 0.05
        ab = rng.uniform(-80, 80, (batch, 2, *shape)) * mask
        for name, hint in (("hint_ab", ab), ("hint_mask", mask)):
            probe[name] = np.repeat(np.repeat(hint, 16, 2), 16, 3).astype(np.float32)
    return probe


@torch.no_grad()
def _predict(model: Network, probe: Probe) -> Answer:
    reading = model.read(**{name: torch.from_numpy(part) for name, part in probe.items()})
    ab = reading.ab
    for added in (reading.variation, reading.correction):
        ab = ab if added is None else ab + added
    sure = reading.confidence
    return Answer(ab.numpy(), None if sure is None else sure.numpy())


def _largest(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max())


def _graph(model: Network, example: Probe) -> onnx.ModelProto:
    """The network's graph, with what is not always wanted put aside."""
    names = tuple(example)
    inputs = tuple(torch.from_numpy(part) for part in example.values())
    contract = _Contract(model, names).eval()
    with torch.no_grad():
        reading = model.read(**dict(zip(names, inputs, strict=True)))
    outputs = [name for name, part in reading._asdict().items() if part is not None]
    step = model.size_multiple
    batch, height, width = (torch.export.Dim(n) for n in ("N", f"H{step}", f"W{step}"))
    free = {0: batch, 2: step * height, 3: step * width}
    shapes = tuple(None if name == "lean" else free for name in names)
    with warnings.catch_warnings():
        # The exporter's own deprecations, and that torchvision, which is not needed, is missing.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            contract,
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=outputs,
            dynamic_shapes={"inputs": shapes},
            verbose=False,
        )
    if program is None:
        raise TrainingError("torch did not export the network.")
    graph = program.model_proto
    _strip(graph)
    compute_on_request(graph)
    return graph


def _strip(graph: onnx.ModelProto) -> None:
    """Leave out inferred shapes and the exporter's notes (source lines, paths of this machine)."""
    del graph.graph.value_info[:], graph.metadata_props[:], graph.graph.metadata_props[:]
    tensors = (*graph.graph.input, *graph.graph.output, *graph.graph.initializer)
    for part in (*graph.graph.node, *tensors):
        del part.metadata_props[:]
        part.doc_string = ""
