"""How a network runs: an ONNX Runtime session that holds its graph to Tintype's contract.

``L (N,1,H,W)`` in [0, 100] goes in, ``ab (N,2,h,w)`` comes out, with H / h a whole number; a guided
graph also takes ``hint_ab (N,2,H,W)`` and ``hint_mask (N,1,H,W)``, and any graph may also give
``confidence (N,1,h,w)`` in [0, 1]. ONNX Runtime computes every output, whichever are asked for: a
graph that can do without takes ``confidence_wanted``, a bool that is true where it is not given.
A graph that predicts a distribution may take ``lean (2,)``, the direction in ab that is preferred
among the colours that are possible; zeros where it is not given.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from tintype.errors import DeviceUnavailable, ModelInvalid, TintypeError, UsageError

if TYPE_CHECKING:
    import onnxruntime as ort

Float = NDArray[np.float32]

CONFIDENCE_WANTED = "confidence_wanted"
"""The optional input, a bool, that says whether the confidence is computed."""

LEAN = "lean"
"""The optional input, two numbers, that says where in ab the colours are to lean."""

GRAIN = 32
"""Height and width given to a network are multiples of this."""


@dataclass(frozen=True)
class _Device:
    provider: str  # the name of ONNX Runtime's execution provider
    advice: str  # how to come by it
    automatic: bool  # whether "auto" takes it where it is there


def _swap(package: str) -> str:
    return f"pip uninstall onnxruntime, then pip install {package}"


# In the order in which "auto" tries them. CoreML comes with the ordinary package for macOS, where
# nobody asked for it and small graphs run faster on the CPU: it is used on request.
_DEVICES = MappingProxyType(
    {
        "cuda": _Device("CUDAExecutionProvider", _swap("onnxruntime-gpu"), automatic=True),
        "directml": _Device("DmlExecutionProvider", _swap("onnxruntime-directml"), automatic=True),
        "openvino": _Device(
            "OpenVINOExecutionProvider", _swap("onnxruntime-openvino"), automatic=True
        ),
        "coreml": _Device(
            "CoreMLExecutionProvider", "it is part of onnxruntime on macOS only", automatic=False
        ),
        "cpu": _Device("CPUExecutionProvider", "pip install onnxruntime", automatic=True),
    }
)

DEVICES: tuple[str, ...] = ("auto", *_DEVICES)
"""Names that ``device`` accepts; cuda, directml and openvino also as ``cuda:1``."""


@dataclass(frozen=True)
class Prediction:
    """What a network predicted for a batch of pictures."""

    ab: Float
    """(N, 2, h, w) CIE a*b*, about [-110, 110]."""
    confidence: Float | None
    """(N, 1, h, w) in [0, 1], how likely each colour is nearly right; None when not asked for."""
    stride: int
    """How many rows and columns of L one cell of ab covers."""

    def of(self, number: int) -> Prediction:
        """That of one picture of the batch, still with a first axis."""
        part = slice(number, number + 1)
        sure = None if self.confidence is None else self.confidence[part]
        return Prediction(self.ab[part], sure, self.stride)

    def within(self, height: int, width: int) -> Prediction:
        """Without the cells that lie beyond this many rows and columns of L."""
        h, w = -(-height // self.stride), -(-width // self.stride)
        sure = None if self.confidence is None else self.confidence[:, :, :h, :w]
        return Prediction(self.ab[:, :, :h, :w], sure, self.stride)


def onnx_runtime() -> ModuleType:
    """ONNX Runtime, told before it starts that it sends nothing to its makers.

    Its builds report use and errors to them unless this variable is set (its Privacy.md); pictures
    of a family or an archive are nobody's business, nor that there are any.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort

    ort.disable_telemetry_events()  # where somebody else imported it first
    return cast(ModuleType, ort)


def available_cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parse_device(device: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"([a-z]+)(?::(\d+))?", device.lower())
    name, index = match.groups() if match else (device, None)
    if name not in DEVICES or (index is not None and name in ("auto", "cpu", "coreml")):
        raise UsageError(f'Unknown device "{device}"; known are {", ".join(DEVICES)} and cuda:1.')
    return name, None if index is None else int(index)


def _choose(device: str, present: list[str]) -> tuple[str, int | None]:
    """The device to use, by name and index, given the providers that are present.

    Raises:
        UsageError: no such device.
        DeviceUnavailable: the installed ONNX Runtime was built without it.
    """
    name, index = _parse_device(device)
    if name == "auto":
        usable = (n for n, d in _DEVICES.items() if d.automatic and d.provider in present)
        return next(usable, "cpu"), None
    wanted = _DEVICES[name]
    if wanted.provider not in present:
        raise DeviceUnavailable(
            f'The ONNX Runtime that is installed cannot use the device "{device}": {wanted.advice}.'
        )
    return name, index


def _provider(name: str, index: int | None) -> str | tuple[str, dict[str, str]]:
    provider = _DEVICES[name].provider
    if name == "openvino":
        return provider, {"device_type": "AUTO" if index is None else f"GPU.{index}"}
    return provider if index is None else (provider, {"device_id": str(index)})


class Session:
    """A loaded network; safe to use from several threads at once."""

    def __init__(
        self, graph: Path | bytes, device: str = "auto", threads: int | None = None
    ) -> None:
        """Load a graph.

        Args:
            graph: an ONNX file or its content.
            device: one of ``DEVICES``; "auto" is the fastest that is there.
            threads: how many CPU threads the network uses; one per core when None.

        Raises:
            UsageError: an unknown device or a number of threads below 1.
            DeviceUnavailable: the device is not in the installed ONNX Runtime or does not start.
            ModelInvalid: the graph cannot be loaded or does not keep the contract.
        """
        ort = onnx_runtime()
        if threads is not None and threads < 1:
            raise UsageError(f"threads must be 1 or more, not {threads}.")
        self._name = "the given bytes" if isinstance(graph, bytes) else str(graph)
        name, index = _choose(device, ort.get_available_providers())
        try:
            self._session = self._open(graph, name, index, threads)
            self.device = self._started(name, automatic=device.lower() == "auto")
        except DeviceUnavailable:
            if name == "cpu":
                raise
            on_cpu = self._open(graph, "cpu", None, threads)  # fails, too, if the graph is at fault
            if device.lower() != "auto":
                raise
            self._session, self.device = on_cpu, "cpu"
        # DirectML's provider allows one run at a time on a session.
        self._turn = threading.Lock() if self.device == "directml" else contextlib.nullcontext()
        self._check()

    def _open(
        self, graph: Path | bytes, name: str, index: int | None, threads: int | None
    ) -> ort.InferenceSession:
        ort = onnx_runtime()

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised; nothing is printed
        source = graph if isinstance(graph, bytes) else str(graph)
        providers = [_provider(name, index)]
        if name != "cpu":
            providers.append("CPUExecutionProvider")  # for single nodes the device lacks
        try:
            # Left to itself it falls back to the CPU, and says so on standard output.
            return ort.InferenceSession(source, options, providers=providers, enable_fallback=0)
        except Exception as error:
            # ONNX Runtime's exceptions share no base below Exception.
            if name != "cpu":
                raise DeviceUnavailable(self._does_not_start(name, error)) from error
            raise ModelInvalid(f"{self._name} cannot be loaded: {_sentence(error)}") from error

    @staticmethod
    def _does_not_start(name: str, error: object) -> str:
        return f'The device "{name}" does not start; check its driver: {error}'

    def _started(self, name: str, *, automatic: bool) -> str:
        """The device in use; ONNX Runtime falls back to the CPU without a word."""
        if _DEVICES[name].provider in self._session.get_providers():
            return name
        if automatic:
            return "cpu"
        reason = "ONNX Runtime fell back to the CPU."
        raise DeviceUnavailable(self._does_not_start(name, reason))

    def _check(self) -> None:
        """Hold names, ranks, channels and types of the graph to the contract."""
        inputs = {i.name: i for i in self._session.get_inputs()}
        outputs = {o.name: o for o in self._session.get_outputs()}
        self.guided: bool = "hint_ab" in inputs
        wanted = {"L": 1, "hint_ab": 2, "hint_mask": 1} if self.guided else {"L": 1}
        self.gives_confidence: bool = "confidence" in outputs
        optional = {each.name for each in self._session.get_overridable_initializers()}
        self._can_do_without = CONFIDENCE_WANTED in optional
        self.leans: bool = LEAN in optional
        given = {"ab": 2, "confidence": 1} if self.gives_confidence else {"ab": 2}
        if set(inputs) != set(wanted):
            self._fail(f"takes {sorted(inputs)} where {sorted(wanted)} is expected")
        if not set(given) <= set(outputs):
            self._fail(f"gives {sorted(outputs)}, and no ab")
        for name, node in [(n, inputs[n]) for n in wanted] + [(n, outputs[n]) for n in given]:
            channels = (wanted | given)[name]
            fits = len(node.shape) == 4 and node.shape[1] in (channels, None)
            if node.type != "tensor(float)" or not (fits or _is_free(node.shape, 1)):
                self._fail(f"has {name} as {node.type} {node.shape}, not (N, {channels}, H, W)")
        if not all(_is_free(inputs["L"].shape, axis) for axis in (0, 2, 3)):
            self._fail(f"takes L of the fixed shape {inputs['L'].shape}; N, H and W must be free")
        meta = self._session.get_modelmeta().custom_metadata_map
        self.metadata: dict[str, str] = {k.removeprefix("tintype."): v for k, v in meta.items()}
        size = self.metadata.get("working_size")
        if size is not None and not re.fullmatch(r"[1-9]\d{0,3}", size):
            self._fail(f'names the working size "{size}", which is no number of pixels')
        self.working_size: int | None = None if size is None else int(size)

    def _fail(self, what: str) -> None:
        raise ModelInvalid(f"{self._name} does not keep Tintype's contract: it {what}.")

    def run(
        self,
        L: Float,
        hint_ab: Float | None = None,
        hint_mask: Float | None = None,
        *,
        lean: Float | None = None,
        confidence: bool = False,
    ) -> Prediction:
        """Predict the colours of a batch.

        Args:
            L: (N, 1, H, W) float32 in [0, 100]; H and W multiples of 32.
            hint_ab: (N, 2, H, W) float32 CIE a*b*; zeros when None.
            hint_mask: (N, 1, H, W) float32, 1 where there is a hint; zeros when None.
            lean: (2,) float32, per unit of ab; zeros when None.
            confidence: whether to ask for it, too, which takes more time. It is that of the colours
                without hints and lean.

        Raises:
            UsageError: arrays of other shapes, hints or a lean for a graph that takes none,
                confidence of one that gives none, or too little memory for the size.
            ModelInvalid: the graph fails or its answer does not keep the contract.
        """
        n, channels, height, width = L.shape if L.ndim == 4 else (0, 0, 0, 0)
        if channels != 1 or not n or not height or not width or height % GRAIN or width % GRAIN:
            raise UsageError(
                f"L must be (N, 1, H, W) with H and W multiples of {GRAIN}, not {L.shape}."
            )
        feed = {"L": np.ascontiguousarray(L, np.float32)}
        feed |= self._hints(feed["L"], hint_ab, hint_mask)
        wanted = {CONFIDENCE_WANTED: np.array(confidence)} if self._can_do_without else {}
        if lean is not None:
            if not self.leans:
                raise UsageError(f"The model {self._name} knows one colouring only, no variants.")
            wanted[LEAN] = np.asarray(lean, np.float32)
        names = ["ab", "confidence"] if confidence else ["ab"]
        if confidence and not self.gives_confidence:
            raise UsageError(f"The model {self._name} does not say how sure it is.")
        try:
            with self._turn:
                answer = self._session.run(names, feed | wanted)
        except Exception as error:
            raise self._explained(error, L.shape) from error
        return self._kept(L.shape, *answer)

    def _hints(self, L: Float, ab: Float | None, mask: Float | None) -> dict[str, Float]:
        if not self.guided:
            if ab is not None or mask is not None:
                raise UsageError(f"The model {self._name} takes no colour hints.")
            return {}
        n, _, height, width = L.shape
        shapes = {"hint_ab": (n, 2, height, width), "hint_mask": (n, 1, height, width)}
        hints = {"hint_ab": ab, "hint_mask": mask}
        for name, value in hints.items():
            if value is not None and value.shape != shapes[name]:
                raise UsageError(f"{name} must be {shapes[name]}, not {value.shape}.")
        return {
            name: np.zeros(shapes[name], np.float32)
            if value is None
            else np.ascontiguousarray(value, np.float32)
            for name, value in hints.items()
        }

    def _explained(self, error: Exception, shape: tuple[int, ...]) -> TintypeError:
        text = str(error)
        if isinstance(error, MemoryError) or re.search(r"alloc|out of memory", text, re.I):
            return UsageError(
                f"There is not enough memory to run the network on {shape}: "
                "choose a smaller working size or batch size."
            )
        return ModelInvalid(f"{self._name} fails when it runs: {_sentence(error)}")

    def _kept(
        self, shape: tuple[int, ...], ab: Float, confidence: Float | None = None
    ) -> Prediction:
        """The answer as a Prediction, held to the contract."""
        n, _, height, width = shape
        h, w = ab.shape[2:]
        stride = height // h if h else 0
        if ab.shape != (n, 2, h, w) or (h * stride, w * stride) != (height, width):
            self._fail(f"answers L {shape} with ab {ab.shape}")
        if confidence is not None and confidence.shape != (n, 1, h, w):
            self._fail(f"answers ab {ab.shape} with confidence {confidence.shape}")
        for name, values in (("ab", ab), ("confidence", confidence)):
            if values is not None and not np.isfinite(values).all():
                self._fail(f"answers with {name} that are not finite numbers")
        return Prediction(ab, confidence, stride)


def _sentence(error: Exception) -> str:
    """ONNX Runtime's message without its prefix and its line breaks."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    return " ".join(text.split())[:300] or type(error).__name__


def _is_free(shape: list[int | str | None], axis: int) -> bool:
    """Whether the graph leaves the length of an axis open."""
    return len(shape) == 4 and not isinstance(shape[axis], int)
