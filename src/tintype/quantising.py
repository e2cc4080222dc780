"""How a float graph becomes one of int8: two to four times faster, a quarter of the size.

Weights are rounded per channel to 7 of their 8 bits: processors without dot-product instructions
for bytes (before AVX-512 VNNI and AVX-VNNI) add pairs of products in 16 bits, which would overflow
with 8 (measured: 0.2 to 0.4 dB worse, and other colours than elsewhere). Activations get 8 bits,
over the range that they have on example pictures.
"""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tintype.color import rgb_to_lab
from tintype.errors import MissingExtra, UsageError
from tintype.images import read_image
from tintype.images.sets import pictures_in
from tintype.runtime import onnx_runtime

if TYPE_CHECKING:
    import onnx

Feed = dict[str, NDArray[np.float32]]
"""A graph's inputs by name."""

_FATAL, _WARNINGS = 4, 2  # of ONNX Runtime's log; the second is what it begins with
_ROUNDED = ["Conv", "ConvTranspose", "Add", "Relu", "MaxPool", "Resize"]

SMALL = 1024
"""Tensors with fewer values stay float32: they are shapes, constants and biases."""


def quantise(graph: Path, target: Path, examples: Iterable[Feed]) -> Path:
    """Write the int8 version of a graph; its metadata are kept.

    Args:
        graph: a float graph that keeps the contract.
        target: the .onnx to write; replaced in one step.
        examples: inputs to find the ranges on; hints that they lack are none.

    Returns:
        ``target``.

    Raises:
        MissingExtra: without onnx.
        UsageError: ONNX Runtime cannot quantise this graph, or it is in int8 already.
    """
    if is_int8(graph):
        raise UsageError(f"{graph.name} is in int8 already.")
    try:
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    except ModuleNotFoundError as error:
        raise MissingExtra("Quantising", "train") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        folded, made = Path(folder) / "folded.onnx", Path(folder) / target.name
        try:
            logging.disable(logging.WARNING)  # the quantiser recommends what was just done
            onnx_runtime().set_default_logger_severity(_FATAL)  # its sessions take no options
            inputs = _fold(graph, folded)
            quantize_static(
                folded,
                made,
                _Examples(iter(examples), inputs),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=_ROUNDED,
            )
        except Exception as error:
            # The quantiser's exceptions share no base below Exception.
            raise UsageError(f"{graph.name} cannot be quantised: {error}") from error
        finally:
            logging.disable(logging.NOTSET)
            onnx_runtime().set_default_logger_severity(_WARNINGS)
        _save_halved(made)
        made.replace(target)
    return target


def _save_halved(path: Path) -> None:
    """Store as fp16 what stayed float: the part that follows hints."""
    import onnx

    graph = onnx.load(path)
    store_as_half(graph)
    onnx.save(graph, path)


def store_as_half(graph: onnx.ModelProto) -> None:
    """Store large fp32 weights as fp16, each behind a Cast that the runtime folds."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1 and values.size >= SMALL:
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


def is_int8(graph: Path) -> bool:
    """Whether a graph computes in int8 already."""
    return b"DequantizeLinear" in graph.read_bytes()


def _fold(graph: Path, target: Path) -> set[str]:
    """Weights that are stored as fp16 become float32 constants, which the quantiser can see.

    Returns:
        The names of the graph's inputs.
    """
    ort = onnx_runtime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 4
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return {each.name for each in session.get_inputs()}


def views_of(pictures: Path, count: int, size: int) -> Iterator[Feed]:
    """What a network sees of the first pictures of a set.

    Args:
        pictures: a folder or tar file.
        count: how many.
        size: side of the squares, in pixels.

    Yields:
        ``{"L": (1, 1, size, size)}``.
    """
    for _, data in itertools.islice(pictures_in(pictures), count):
        lab = rgb_to_lab(read_image(data).small(size, size).astype(np.float64))
        yield {"L": lab[None, None, ..., 0].clip(0, 100).astype(np.float32)}


class _Examples:
    """Inputs as ONNX Runtime reads them: None at the end."""

    def __init__(self, left: Iterator[Feed], inputs: set[str]) -> None:
        self._left, self._guided = left, "hint_mask" in inputs

    def get_next(self) -> Feed | None:
        """The next input, or None."""
        feed = next(self._left, None)
        if feed is None or not self._guided:
            return feed
        mask = np.zeros_like(feed["L"])
        return {"hint_ab": mask.repeat(2, 1), "hint_mask": mask} | feed
