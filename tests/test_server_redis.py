"""Several processes over one Redis: workers that die, a server that is killed, nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from film_samples import write_film
from server_samples import free_port, grey_file, listens, wait_for
from tintype.server.jobs.records import Job, Jobs, Order

LEASE = "lease_s=2"

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None and "TINTYPE_CI" not in os.environ,
    reason="needs redis-server (Debian: redis-server)",
)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    process = subprocess.Popen([*command, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(port))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def tintype(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tintype.cli", *arguments], stderr=subprocess.DEVNULL
    )


def worker(data: Path, redis: str) -> subprocess.Popen[bytes]:
    return tintype("worker", "--data", str(data), "--redis", redis, "--limit", LEASE)


def submit(jobs: Jobs, source: Path | bytes, model: Path) -> str:
    kind = "picture" if isinstance(source, bytes) else "film"
    data = source if isinstance(source, bytes) else source.read_bytes()
    suffix = ".png" if kind == "picture" else ".mkv"
    with jobs.upload() as (job_id, folder):
        (folder / f"given{suffix}").write_bytes(data)
        order = Order(kind, f"a{suffix}", f"given{suffix}", f"result{suffix}")  # type: ignore[arg-type]
        order.options["model"] = str(model)
        return jobs.submit(job_id, order).id


def of(jobs: Jobs, job_id: str) -> Job:
    job = jobs.get(job_id)
    assert job is not None
    return job


def holder(jobs: Jobs, job_id: str) -> int:
    """The process number of the worker that has a job."""
    job = of(jobs, job_id)
    note = jobs.folder(job_id) / "attempts" / str(job.attempts)
    return int(note.read_text().rpartition(":")[2])


def test_another_worker_goes_on_with_the_job_of_one_that_was_killed(
    tmp_path: Path, redis: str, tiny_model: Path
) -> None:
    jobs = Jobs(tmp_path, 2)
    film = submit(jobs, write_film(tmp_path / "film.mkv", 700), tiny_model)
    both = [worker(tmp_path, redis), worker(tmp_path, redis)]
    try:
        wait_for(lambda: of(jobs, film).advance.done > 0)
        first = holder(jobs, film)
        os.kill(first, signal.SIGKILL)
        pictures = [submit(jobs, grey_file(seed=n), tiny_model) for n in range(3)]
        wait_for(lambda: all(of(jobs, each).outcome for each in (film, *pictures)))
        assert [of(jobs, each).state for each in (film, *pictures)] == ["done"] * 4
        assert of(jobs, film).attempts == 2
        assert holder(jobs, film) != first
    finally:
        for process in both:
            process.terminate()
        for process in both:
            process.wait()


def test_a_server_killed_under_load_has_lost_no_job_that_it_accepted(
    tmp_path: Path, redis: str, tiny_model: Path
) -> None:
    port = free_port()
    options = ["--data", str(tmp_path), "--redis", redis, "--limit", LEASE, "--port", str(port)]
    server = tintype("serve", *options, "--model", str(tiny_model))
    accepted: list[str] = []
    try:
        wait_for(lambda: listens(port))
        for number in range(4):
            accepted.append(post(port, grey_file(seed=number)))
        server.send_signal(signal.SIGKILL)
        server.wait()
        jobs = Jobs(tmp_path, 2)
        assert {job.id for job in jobs.all()} == set(accepted)
        server = tintype("serve", *options, "--model", str(tiny_model))
        wait_for(lambda: all(of(jobs, each).outcome for each in accepted), 90)
        assert [of(jobs, each).state for each in accepted] == ["done"] * 4
    finally:
        server.terminate()
        server.wait()


def post(port: int, data: bytes) -> str:
    """Submit a picture; the job's number."""
    import json

    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body += data + b"\r\n--x--\r\n"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/jobs",
        body,
        {"Content-Type": "multipart/form-data; boundary=x"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(json.loads(answer.read())["id"])


def test_jobs_wait_in_their_records_while_redis_is_away(tmp_path: Path, tiny_model: Path) -> None:
    from tintype.server.jobs.worker import Worker
    from tintype.server.settings import Settings

    gone = f"redis://127.0.0.1:{free_port()}/0"
    jobs = Jobs(tmp_path)
    worker = Worker(Settings(data=tmp_path, redis=gone, workers=0), jobs)
    job_id = submit(jobs, grey_file(), tiny_model)
    worker.put(job_id)  # says so in the log, and no more
    assert of(jobs, job_id).state == "queued"
