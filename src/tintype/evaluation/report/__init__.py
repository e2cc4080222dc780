"""The report of a run of the bench: results.json, results.csv, results.md and report.html."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tintype.errors import UnwritableImage
from tintype.evaluation.report.gallery import GREY, TRUTH, Gallery, Section, Shot
from tintype.evaluation.report.page import page_of
from tintype.evaluation.report.tables import csv_of, markdown_of
from tintype.evaluation.results import Results, to_json
from tintype.images.replacing import atomic

__all__ = ["GREY", "TRUTH", "Gallery", "Section", "Shot", "write_report"]


def write_report(results: Results, gallery: Gallery | None, out: Path) -> list[Path]:
    """Write the four files of a report; all appear whole or none does.

    Args:
        results: what was measured.
        gallery: pictures for the page, or None.
        out: the folder, made where it is missing; files of these names are replaced.

    Returns:
        The files: results.json, results.csv, results.md, report.html.

    Raises:
        UnwritableImage: the folder cannot be written to.
        UsageError: a picture is no JPEG, PNG or WebP.
    """
    contents = {
        "results.json": to_json(results),
        "results.csv": csv_of(results),
        "results.md": markdown_of(results),
        "report.html": page_of(results, gallery),
    }
    targets = [out / name for name in contents]
    try:
        out.mkdir(parents=True, exist_ok=True)
        if taken := [str(target) for target in targets if target.is_dir()]:
            raise UnwritableImage(f"{taken[0]} is a folder, so no report can be written there.")
        with ExitStack() as stack:  # nothing gets its name before everything is written
            for target, content in zip(targets, contents.values(), strict=True):
                # File names may hold what is no UTF-8: a backslash and a number then.
                file = stack.enter_context(atomic(target))
                file.write(content.encode("utf-8", "backslashreplace"))
                file.flush()
    except OSError as error:
        reason = error.strerror or error
        raise UnwritableImage(f"The report cannot be written to {out}: {reason}.") from error
    return targets
