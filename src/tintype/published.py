"""How a checkpoint that its authors published becomes a graph: fetched, checked, converted once.

A checkpoint is a pickle, which could hold more than arrays. It is read only after its sha256
matched, by torch's reader of plain arrays, and every key and every shape must be the network's.
What is kept is the graph and, beside it, a receipt with the sha256 of both files; the checkpoint
is deleted.
"""

from __future__ import annotations

import json
import pickle
import re
import struct
import tempfile
import textwrap
import warnings
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

# torch.onnx imports onnxscript at the end only; one that is missing is to show before a download.
import onnxscript  # noqa: F401
import torch

from tintype import zoo
from tintype.download import Remote, Told, download
from tintype.errors import ChecksumMismatch, ModelInvalid, TintypeError
from tintype.export import export
from tintype.models import Network, build

WORKING_SIZE = 256
"""Side in pixels at which both published networks were trained and shown."""

# What torch raises over damaged files and foreign content, tried with thousands of both.
_UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    OSError,
    struct.error,
)


def fetch_published(name: str, offline: bool = False, told: Told | None = None) -> Path:
    """As ``zoo.fetch``, but a published checkpoint is downloaded and converted, too.

    Args:
        name: a model's name.
        offline: never use the network.
        told: called with (bytes done, bytes in all) while downloading.

    Returns:
        The path of the .onnx file.

    Raises:
        ModelNotFound: no such model, or its file cannot be had now.
        ChecksumMismatch: the checkpoint is not the one that its name, or the receipt of an
            earlier fetch, says; it was deleted.
        ModelInvalid: the checkpoint holds more than arrays, or other keys or shapes than the
            network; it was deleted.
        TrainingError: its graph does not compute what torch does.
    """
    record = zoo.find(name)
    if record.checkpoint is None or record.is_here or offline:
        return zoo.fetch(name, offline, told)
    published = Path(urlsplit(record.checkpoint).path).name
    part = record.path.with_name(f"{published}.part")
    digest = download(_remote(record, record.checkpoint, published), part, told)
    try:
        network = build(record.architecture, dict(record.options))
        load_published(network, part)
        _convert(network.eval(), record, digest)
    except TintypeError:
        part.unlink()
        raise
    part.unlink()
    return zoo.verify(name)


def load_published(network: Network, checkpoint: Path) -> None:
    """Give a network the weights of a checkpoint.

    Args:
        network: takes them; its keys and shapes must be those of the file, no more and no fewer.
        checkpoint: written by ``torch.save``: a state dict.

    Raises:
        ModelInvalid: the file holds more than arrays, or other keys or shapes.
    """
    try:
        with warnings.catch_warnings():  # of formats: whether the file can be read is what counts
            warnings.simplefilter("ignore")
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:  # torch's own words advise to read it all the same
        raise ModelInvalid(
            f"{checkpoint.stem} holds more than plain arrays or is damaged: not read, nor kept."
        ) from error
    try:
        network.load_state_dict(state)
    except _UNREADABLE as error:
        reason = textwrap.shorten(str(error), 300)
        raise ModelInvalid(
            f"{checkpoint.stem} is of another network and not kept: {reason}"
        ) from error


def _remote(record: zoo.Weights, url: str, published: str) -> Remote:
    """What to fetch: the file of the first fetch, or one whose name knows its sha256."""
    if receipt := zoo.receipt_of(record):
        known_by = f"the receipt of the first fetch ({record.path.with_suffix('.json')})"
        return Remote(record.name, url, receipt.checkpoint_sha256, known_by)
    digits = re.search(r"-([0-9a-f]{8,64})\.pth$", published)
    if digits is None:
        raise ChecksumMismatch(f"{url} cannot be checked: its name has no digits of a sha256.")
    return Remote(record.name, url, digits[1], "its name")


def _convert(network: Network, record: zoo.Weights, digest: str) -> None:
    """Write the receipt, then the graph, both whole or not at all."""
    with tempfile.TemporaryDirectory(dir=record.path.parent) as folder:
        graph = Path(folder) / record.path.name
        done = export(network, graph, record.name, record.version, WORKING_SIZE)
        receipt = graph.with_suffix(".json")
        content = asdict(zoo.Receipt(digest, done.sha256, done.size_bytes))
        receipt.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        receipt.replace(record.path.with_suffix(".json"))
        graph.replace(record.path)
