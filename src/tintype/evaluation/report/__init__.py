"""The report of a run of the bench: results.json, results.csv, results.md and report.html."""

from __future__ import annotations

from pathlib import Path

from tintype.errors import UnwritableImage, UsageError
from tintype.evaluation.report.gallery import GREY, TRUTH, Gallery, Section, Shot
from tintype.evaluation.report.page import page_of
from tintype.evaluation.report.tables import csv_of, markdown_of
from tintype.evaluation.results import Results, to_json
from tintype.images import atomic

__all__ = ["GREY", "TRUTH", "Gallery", "Section", "Shot", "write_report"]


def write_report(results: Results, gallery: Gallery | None, out: Path) -> list[Path]:
    """Write the four files of a report; each appears whole or not at all.

    Args:
        results: what was measured.
        gallery: pictures for the page, or None.
        out: the folder, made where it is missing; files of these names are replaced.

    Returns:
        The files: results.json, results.csv, results.md, report.html.

    Raises:
        UsageError: the folder cannot be written to, or a picture is no JPEG, PNG or WebP.
    """
    contents = {
        "results.json": to_json(results),
        "results.csv": csv_of(results),
        "results.md": markdown_of(results),
        "report.html": page_of(results, gallery),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        return [_written(out / name, content) for name, content in contents.items()]
    except (OSError, UnwritableImage) as error:
        raise UsageError(f"The report cannot be written to {out}: {error}") from error


def _written(target: Path, content: str) -> Path:
    """File names may hold what is no UTF-8; it is written as a backslash and a number."""
    with atomic(target) as file:
        file.write(content.encode("utf-8", "backslashreplace"))
    return target
