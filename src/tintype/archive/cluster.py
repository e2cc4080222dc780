"""Jobs through Ray Data: one process lists, workers on all machines do, rows come back.

The stream is ``list → (read, decode, predict, join, write) → rows``. The middle is one stage, a
worker per group of cores or GPU, and not five: a scan's pixels would be copied through Ray's object
store at each border, 24 MB for a scan of 8 megapixels, where now a few hundred bytes of its row
cross one. Within a worker reading, computing and writing of different scans overlap in threads.
Ray Data's back-pressure holds the listing when the workers have enough, so memory stays flat.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tintype.archive.todo import Jobs
from tintype.archive.worker import Work, Worker
from tintype.errors import UsageError
from tintype.runtime import available_cores

if TYPE_CHECKING:
    import ray
    from ray.data import Dataset
    from ray.data.datasource import ReadTask

_STORE_BYTES = 256 << 20  # rows are small; Ray would take a third of the memory
_WAITING_BYTES = 32 << 20  # rows and jobs under way
_IN_FLIGHT, _AT_ONCE = 4, 2
_GROUP_CORES = 4


@dataclass(frozen=True)
class Pool:
    """The machines that work.

    Attributes:
        address: of a Ray cluster; None starts Ray on this machine.
        group: cores of each worker; None: 4, or all where there are fewer.
        device: as of ``Colorizer.load``.
    """

    address: str | None = None
    group: int | None = None
    device: str = "auto"

    @contextmanager
    def started(self) -> Iterator[Crew]:
        """Start or join Ray for a while; one that runs in this process already is used.

        Raises:
            UsageError: there is no cluster at the address.
        """
        import ray

        mine = not ray.is_initialized()
        if mine:
            _start(self.address)
        try:
            yield Crew(self)
        finally:
            if mine:
                ray.shutdown()


class Crew:
    """Workers that can be given jobs."""

    def __init__(self, pool: Pool) -> None:
        import ray

        found = ray.cluster_resources()
        self._cores = int(found.get("CPU", 0))
        self.gpus = int(found.get("GPU", 0)) if pool.device not in ("auto", "cpu") else 0
        each = _smallest_node(ray.nodes())
        self._group = max(1, min(pool.group or _GROUP_CORES, each))
        self._device = pool.device

    @property
    def size(self) -> int:
        """How many workers there is room for now."""
        return self.gpus or max(1, self._cores // self._group)

    @property
    def cores(self) -> int:
        """How many cores take part."""
        return self._cores

    @property
    def told(self) -> str:
        """What takes part, for people."""
        gpus = f", {self.gpus} GPUs" if self.gpus else ""
        return f"{self._cores} cores{gpus}, {self.size} workers of {self._group} cores"

    def rows(self, jobs: Jobs, work: Work) -> Generator[pa.Table]:
        """Do jobs.

        Args:
            jobs: sent to the process that lists them.
            work: what the workers need; its cores are set here.

        Yields:
            Rows of the ledger, in any order, each scan's once.
        """
        work = replace(work, cores=self._group, device=self._device)
        for batch in self._dataset(jobs, work).iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=0
        ):
            for packed in batch["rows"]:
                yield _unpacked(packed.as_py())

    def _dataset(self, jobs: Jobs, work: Work) -> Dataset:
        import ray
        import ray.data

        _settle()
        where = {"num_gpus": 1} if self.gpus else {}
        listed = ray.data.read_datasource(
            _listing(ray.put(jobs)), num_cpus=0, override_num_blocks=1
        )
        return listed.map_batches(
            _Actor,
            fn_constructor_args=(ray.put(work),),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(
                min_size=1,
                max_size=self.size,
                initial_size=self.size,
                max_tasks_in_flight_per_actor=_IN_FLIGHT,
                max_concurrent_calls_per_actor=_AT_ONCE,
                enable_true_multi_threading=True,
            ),
            num_cpus=self._group,
            **where,
        )


class _Actor:
    """A worker as Ray Data calls it: packed jobs in, packed rows out."""

    def __init__(self, work: ray.ObjectRef[Work] | Work) -> None:
        import ray

        # libvips starts as many threads as there are cores for each picture, and reads this when it
        # is first used; here the cores are shared, and each worker has several pictures in hand.
        os.environ["VIPS_CONCURRENCY"] = "1"
        known = ray.get(work) if isinstance(work, ray.ObjectRef) else work
        # The name stays when Ray starts the worker again after its process has died.
        name = ray.get_runtime_context().get_actor_id()
        journal = Path(tempfile.gettempdir()) / f"tintype-{known.run}-{name}.journal"
        self._worker = Worker(known, journal)

    def __call__(self, packed: pa.Table) -> pa.Table:
        """Do the jobs of a block."""
        done = [_packed(self._worker(_unpacked(job.as_py()))) for job in packed["job"]]
        return pa.table({"rows": pa.array(done, pa.binary())})


def _listing(jobs: ray.ObjectRef[Jobs]) -> object:
    """The jobs as a source of Ray Data: one task that yields a block for each."""
    import ray
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    def listed() -> Iterator[pa.Table]:
        for job in ray.get(jobs):
            yield pa.table({"job": pa.array([_packed(job)], pa.binary())})

    class Listing(Datasource):  # type: ignore[misc]
        def get_name(self) -> str:
            return "archive"

        def estimate_inmemory_data_size(self) -> None:
            return None

        def get_read_tasks(self, *_: object, **__: object) -> list[ReadTask]:
            unknown = BlockMetadata(None, None, None, None)
            return [ReadTask(listed, unknown)]

    return Listing()


def _start(address: str | None) -> None:
    import ray

    # Ray reads these when it starts: no reports to its makers, no log lines of its C++ part.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    with _hushed():
        if address is None:
            ray.init(
                address="local",
                num_cpus=available_cores(),
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                **quiet,
            )
            return
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"There is no Ray cluster at {address}: {error}.") from error


@contextmanager
def _hushed() -> Iterator[None]:
    """Nothing of what Ray's C++ part says while it starts; what goes wrong is raised."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _settle() -> None:
    """Ray Data, without bars and tables on the terminal, and with blocks of one job."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # every job is larger, so every job is a block of its own
    context.execution_options.resource_limits = context.execution_options.resource_limits.copy(
        object_store_memory=_WAITING_BYTES
    )
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _smallest_node(nodes: list[dict[str, object]]) -> int:
    """The cores of the smallest machine that has any."""
    resources = [node["Resources"] for node in nodes if node.get("Alive")]
    cores = [int(each.get("CPU", 0)) for each in resources if isinstance(each, dict)]
    return min((count for count in cores if count), default=1)


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _unpacked(packed: bytes) -> pa.Table:
    with pa.ipc.open_stream(packed) as stream:
        return stream.read_all()
