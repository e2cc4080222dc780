"""A ledger of an archive for tests, made of a few rows or of many."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from PIL import Image

from tintype.archive.report import Scan

START = datetime(2026, 11, 2, 18, 4, tzinfo=UTC)
HOSTILE = (
    '<img src=x onerror=alert(1)>/"a&b.jpg',
    "box\n1/\x07new line.tif",
    "\u202egpj.exe/évil.jpg",
    "日本の写真/神社 001.tif",
    f"{'x' * 5000}</script><script>alert(1)</script>.jpg",
    "",
)

SCHEMA = pa.schema(
    {
        **dict.fromkeys(("id", "source"), pa.string()),
        "source_size": pa.int64(),
        **dict.fromkeys(("source_version", "sha256", "result"), pa.string()),
        "result_bytes": pa.int64(),
        **dict.fromkeys(("model", "model_sha256", "options", "tintype"), pa.string()),
        **dict.fromkeys(("megapixels", "seconds"), pa.float64()),
        "confidence": pa.float32(),
        **dict.fromkeys(("toned", "coloured", "damaged"), pa.bool_()),
        **dict.fromkeys(("error", "error_kind"), pa.string()),
        "attempt": pa.int32(),
        **dict.fromkeys(("run", "worker"), pa.string()),
        "finished_at": pa.timestamp("us", tz="UTC"),
    }
)


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of a scan that went well."""
    made: dict[str, Any] = {
        "id": f"scan {number:04}",
        "source": f"box/scan {number:04}.tif",
        "source_size": 2_000_000,
        "source_version": "1",
        "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
        "result": f"box/scan {number:04}.tif",
        "result_bytes": 3_000_000,
        "model": "tintype",
        "model_sha256": "ab" * 32,
        "options": '{"strength": 1.0}',
        "tintype": "0.9.0",
        "megapixels": 12.0,
        "seconds": 6.0,
        "confidence": (number % 50 + 1) / 100,
        "toned": number % 4 == 0,
        "coloured": False,
        "damaged": None,
        "error": None,
        "error_kind": None,
        "attempt": 1,
        "run": "first",
        "worker": f"worker {number % 3}",
        "finished_at": START + timedelta(seconds=30 * number),
    }
    return made | changes


def failed(
    number: int, kind: str = "unreadable", sentence: str = "", **changes: Any
) -> dict[str, Any]:
    """A row of a scan that failed."""
    nothing = dict.fromkeys(("result", "result_bytes", "confidence", "toned", "coloured"))
    said = sentence or f"box/scan {number:04}.tif cannot be read: it is truncated or damaged."
    return row(number, **(nothing | {"error": said, "error_kind": kind} | changes))


def ledger(rows: list[dict[str, Any]]) -> pa.Table:
    """The rows as a table."""
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def jpeg(shade: int, size: tuple[int, int] = (32, 24)) -> bytes:
    """A small picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, (shade % 256, 90, 30)).save(file, "JPEG")
    return file.getvalue()


def pictures(scan: Scan) -> tuple[bytes, bytes] | None:
    """Before and after, which every scan has."""
    return jpeg(100), jpeg(len(scan.id))
