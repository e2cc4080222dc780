"""What the tests of archives share: pictures, hands that need no Ray, and looking at a ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pyarrow as pa

from conftest import grey_pixels
from tintype.archive import ledger
from tintype.archive.order import Order
from tintype.archive.places import place_of
from tintype.archive.run import Runner
from tintype.archive.todo import Jobs
from tintype.archive.worker import Work, Worker
from tintype.options import Options


class Here:
    """Does jobs in this process, one after the other."""

    told = "this process"
    cores = 1

    def rows(self, jobs: Jobs, work: Work) -> Generator[pa.Table]:
        worker = Worker(work)
        for job in jobs:
            yield worker(job)


@contextlib.contextmanager
def here() -> Iterator[Here]:
    yield Here()


def order_for(source: Path | str, dest: Path | str, model: Path, **options: object) -> Order:
    return Order(str(source), str(dest), Options(model=str(model), **options))  # type: ignore[arg-type]


def run(order: Order) -> Runner:
    """A whole run; gives the runner."""
    runner = Runner(order, here)
    for _ in runner.run():
        pass
    return runner


def retry(order: Order, *kinds: str) -> Runner:
    runner = Runner(order, here)
    for _ in runner.retry(frozenset(kinds)):
        pass
    return runner


def rows_of(dest: Path | str) -> dict[str, dict[str, object]]:
    """The standing rows by id; fails when an id stands twice."""
    rows = [row for table in ledger.standing(place_of(str(dest))) for row in table.to_pylist()]
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def plain_rows(dest: Path) -> list[dict[str, object]]:
    """All rows as any tool would read them."""
    parts = sorted((dest / ledger.FOLDER).glob("*.parquet"))
    return [row for path in parts for row in pa.parquet.read_table(path).to_pylist()]


def write_jpegs(folder: Path, count: int, side: int = 48) -> list[Path]:
    """Small grey JPEGs in a few sub-folders."""
    from PIL import Image

    paths = []
    for number in range(count):
        path = folder / f"box {number % 3}" / f"scan{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey_pixels(side, side * 4 // 3, number)).save(path)
        paths.append(path)
    return paths
