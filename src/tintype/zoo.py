"""Which models there are and where their weights lie: records, the cache, fetching, checking."""

from __future__ import annotations

import difflib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from tintype.download import Remote, Told, download, sha256_of
from tintype.errors import ChecksumMismatch, ModelNotFound

__all__ = [
    "Receipt",
    "Weights",
    "cache_directory",
    "fetch",
    "find",
    "graph_file",
    "graph_sha256",
    "how_to_get",
    "list_models",
    "receipt_of",
    "sha256_of",
    "verify",
]

_BUNDLED = Path(__file__).parent / "weights"
_OUR_LICENCE = "Apache-2.0, trained on research data: see LICENSE-WEIGHTS.md"
_OUR_SEEN = ("ImageNet", "COCO", "VOC", "SUN", "Places", "LFW", "Helen")
_STUDY_SEEN = (*_OUR_SEEN, "UTKFace")
_AUTHORS = "https://colorizers.s3.us-east-2.amazonaws.com"
_AUTHORS_LICENCE = "BSD-2-Clause, its authors' own: see github.com/richzhang/colorization"


@dataclass(frozen=True)
class Weights:
    """One model: what it is, whose it is, and where its file comes from.

    Its file comes with the package (``file``), or is fetched as it is (``url``), or is converted
    here from what its authors published (``checkpoint``); with none of the three it has not been
    published yet.
    """

    name: str
    """What the user calls it."""
    version: str
    """Counts up with every training whose results differ."""
    sha256: str
    """Of the .onnx file, 64 hexadecimal digits; "" for a checkpoint not yet converted here."""
    size_bytes: int
    """Of the .onnx file; of the checkpoint until it is converted here."""
    licence: str
    """Of the weights: SPDX identifier, and what limits it."""
    summary: str
    """One line: what it is good at."""
    paper: str
    """Where the method was published, or "" for our own."""
    file: str | None = None
    """Name of the file that the package ships, if it does."""
    url: str | None = None
    """Where the .onnx file is fetched from, https or file."""
    seen: tuple[str, ...] = ()
    """Families of pictures that its training or its encoder saw: a set of them is marked."""
    checkpoint: str | None = None
    """Where its authors publish their .pth, whose name ends in the first digits of its sha256."""
    architecture: str = ""
    """Name of the network in ``tintype.models``."""
    options: tuple[tuple[str, object], ...] = ()
    """Options of the architecture that differ from its defaults, by name."""

    @property
    def path(self) -> Path:
        """Where the file lies once it is there."""
        if self.file is not None:
            return _BUNDLED / self.file
        return cache_directory() / f"{self.name}-{self.version}.onnx"

    @property
    def is_here(self) -> bool:
        """Whether the file is there, so that no network is needed."""
        return bool(self.sha256) and self.path.is_file()


@dataclass(frozen=True)
class Receipt:
    """What was converted on this machine; lies beside the graph, as JSON."""

    checkpoint_sha256: str
    """Of the authors' file: another one is refused from then on."""
    sha256: str
    """Of the .onnx file that was made of it."""
    size_bytes: int
    """Of the .onnx file."""

    def __post_init__(self) -> None:
        digests = (self.checkpoint_sha256, self.sha256)
        if not all(re.fullmatch("[0-9a-f]{64}", each) for each in digests):
            raise ValueError("a receipt holds two sha256 of 64 hexadecimal digits")
        if not isinstance(self.size_bytes, int):
            raise ValueError("a receipt holds a whole number of bytes")


def _of_study() -> tuple[Weights, ...]:
    """The networks of docs/study.md, which benchmarks/study.py notes."""
    told = json.loads((_BUNDLED / "study.json").read_text(encoding="utf-8"))
    return tuple(
        Weights(
            name=name,
            version="1",
            sha256=each["sha256"],
            size_bytes=each["size_bytes"],
            licence=_OUR_LICENCE,
            summary=f"{each['architecture']} as docs/study.md compares it: small, hardly trained.",
            paper="",
            seen=_STUDY_SEEN,
            architecture=each["architecture"],
            options=tuple(
                (k, tuple(v) if isinstance(v, list) else v) for k, v in each["options"].items()
            ),
        )
        for name, each in told.items()
    )


_RECORDS: tuple[Weights, ...] = (
    Weights(
        name="tintype",
        version="5",
        sha256="96c123d6704dcf328c4b120e54b5f215e69f049c4da61c50f775eb971897014b",
        size_bytes=13_270_764,
        licence=_OUR_LICENCE,
        summary="The default: everyday photographs, people and scenery; small and fast.",
        paper="",
        seen=_OUR_SEEN,
        file="tintype-5.onnx",
        architecture="tintype",
        options=(
            ("context_width", 192),
            ("decoder_widths", (96, 64, 48)),
            ("bins_share", 0.4),
            ("temperature", 0.6),
            ("confidence_slope", 1.233),
            ("confidence_offset", 0.32),
            ("guide", 32),
        ),
    ),
    Weights(
        name="tintype-fast",
        version="4",
        sha256="1449e291c08050aaa59ddef4021d8274a996c6ff8061de155cf4b70d72dbd6c2",
        size_bytes=4_932_211,
        licence=_OUR_LICENCE,
        summary="One head of the default in int8: five times as fast, paler; for film.",
        paper="",
        seen=_OUR_SEEN,
        file="tintype-fast-4.onnx",
        architecture="tintype",
        options=(
            ("context_width", 192),
            ("decoder_widths", (96, 64, 48)),
            ("bins_share", 0),
        ),
    ),
    Weights(
        name="eccv16-zhang",
        version="1",
        sha256="",
        size_bytes=128_976_165,
        licence=_AUTHORS_LICENCE,
        summary="ECCV16 with its authors' weights: vivid, at times an unreal tint; slow.",
        paper="Zhang, Isola, Efros 2016: Colorful Image Colorization, arXiv 1603.08511",
        seen=("ImageNet",),
        checkpoint=f"{_AUTHORS}/colorization_release_v2-9b330a0b.pth",
        architecture="eccv16",
        options=(("released_mean", True),),
    ),
    Weights(
        name="siggraph17-zhang",
        version="1",
        sha256="",
        size_bytes=136_787_426,
        licence=_AUTHORS_LICENCE,
        summary="SIGGRAPH17 with its authors' weights: calmer, takes colour hints; slowest.",
        paper="Zhang et al. 2017: Real-Time User-Guided Image Colorization, arXiv 1705.02999",
        seen=("ImageNet",),
        checkpoint=f"{_AUTHORS}/siggraph17-df00044c.pth",
        architecture="siggraph17",
    ),
    *_of_study(),
)


def cache_directory() -> Path:
    """Where fetched weights lie: $TINTYPE_HOME, else $XDG_CACHE_HOME/tintype, else ~/.cache."""
    if home := os.environ.get("TINTYPE_HOME"):
        return Path(home).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser() / "tintype"
    return Path("~/.cache/tintype").expanduser()


def list_models() -> tuple[Weights, ...]:
    """Every model that Tintype knows by name, the default first.

    A checkpoint that was converted on this machine has the sha256 and the size that its receipt
    keeps.
    """
    return tuple(_as_converted(record) for record in _RECORDS)


def find(name: str) -> Weights:
    """The record of a model.

    Raises:
        ModelNotFound: no model has that name; the message lists the closest or all.
    """
    known = {record.name: record for record in list_models()}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known) or list(known)
    raise ModelNotFound(f'There is no model "{name}"; did you mean {" or ".join(close)}?')


def how_to_get(record: Weights) -> str:
    """What to do while the file of a model is not here, as the end of a sentence."""
    if record.file is not None:
        return "install Tintype again"
    if record.url is not None:
        return f"run tintype models fetch {record.name}"
    if record.checkpoint is not None:
        return (
            f"run tintype models fetch {record.name}, which converts what its authors published "
            'and needs pip install "tintype[train]"'
        )
    return (
        "it has not been published yet; from a checkout of the sources use "
        f"--model workshop/weights/{record.name}.onnx"
    )


def fetch(name: str, offline: bool = False, told: Told | None = None) -> Path:
    """The file of a model's weights, downloaded if need be and always checked.

    An interrupted download is taken up where it stopped if the server allows it.

    Args:
        name: a model's name.
        offline: never use the network.
        told: called with (bytes done, bytes in all) while downloading.

    Returns:
        The path of the .onnx file, whose sha256 is the recorded one.

    Raises:
        ModelNotFound: no such model, or its file is not here and cannot be had as it is.
        ChecksumMismatch: the file is not the recorded one; a download is deleted.
    """
    record = find(name)
    if not record.is_here and offline and (record.url or record.checkpoint):
        raise ModelNotFound(
            f'The model "{name}" is not in {cache_directory()} and cannot be fetched offline: '
            f"run tintype models fetch {name} while online."
        )
    if record.is_here or record.url is None:
        return verify(name)  # says what to do where it is not here
    remote = Remote(name, record.url, record.sha256, "its record", record.size_bytes)
    part = record.path.with_name(f"{record.sha256}.part")
    download(remote, part, told)
    part.replace(record.path)
    return record.path


def graph_file(name_or_path: str | Path) -> Path:
    """The graph's file: a known name's weights, fetched if need be, or the path itself.

    Raises:
        ModelNotFound: no such name and no such file, or a model that cannot be fetched as it is.
        ChecksumMismatch: the weights are not the recorded ones.
    """
    known = {record.name for record in list_models()}
    if isinstance(name_or_path, str) and name_or_path in known:
        return fetch(name_or_path)
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix == ".onnx":
        raise ModelNotFound(f"There is no file {path}.")
    return fetch(str(name_or_path))  # says which names there are


def graph_sha256(name_or_path: str) -> str:
    """The checksum of a known name's weights, as recorded, or of a graph's file."""
    known = {record.name: record.sha256 for record in list_models()}
    return known[name_or_path] if name_or_path in known else sha256_of(Path(name_or_path))


def verify(name: str) -> Path:
    """Check the file of a model against its record, or its receipt if it was converted here.

    Returns:
        Its path.

    Raises:
        ModelNotFound: no such model, or its file is not here.
        ChecksumMismatch: the file is not the recorded one.
    """
    record = find(name)
    if not record.is_here:
        raise ModelNotFound(
            f'The model "{name}" is not here ({record.path}): {how_to_get(record)}.'
        )
    found = sha256_of(record.path)
    if found != record.sha256:
        raise ChecksumMismatch(
            f"{record.path} has the sha256 {found}, not {record.sha256}: delete it and "
            f"{how_to_get(record)}."
        )
    return record.path


def receipt_of(record: Weights) -> Receipt | None:
    """What was converted here for a model; None before, or where the receipt cannot be read."""
    try:
        kept = json.loads(record.path.with_suffix(".json").read_text(encoding="utf-8"))
        return Receipt(**kept)
    except (OSError, ValueError, TypeError):
        return None


def _as_converted(record: Weights) -> Weights:
    receipt = receipt_of(record) if record.checkpoint is not None else None
    if receipt is None:
        return record
    return replace(record, sha256=receipt.sha256, size_bytes=receipt.size_bytes)
