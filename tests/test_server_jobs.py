"""Jobs from the outside: submitted, done by a process of their own, fetched, cancelled, kept."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient

from film_samples import write_film
from server_samples import client_of, colours, grey_file, until_ended, wait_for
from tintype.server.jobs.records import Jobs, Order, Outcome
from tintype.server.jobs.work import Assignment, do
from tintype.server.jobs.worker import Worker
from tintype.server.settings import Limits, Settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("server")
    with client_of(data, tiny_model, limits=Limits(film_pixels=100_000, frames=2000)) as client:
        yield client


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return file.getvalue()


def test_a_film_is_done_watched_and_fetched_in_parts(client: TestClient, tmp_path: Path) -> None:
    options = {"g": "25"}
    film = write_film(tmp_path / "a.mp4", 60, codec="libx264", sound=True, options=options)
    answer = client.post("/v1/jobs", files={"file": ("inline Hafen 1931.avi", film.read_bytes())})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"]
    assert (job["kind"], job["state"], job["name"]) == ("film", "queued", "inline Hafen 1931.mp4")
    done = until_ended(client, job["id"])
    assert (done["state"], done["attempts"]) == ("done", 1), done
    assert done["progress"]["done"] == 60
    whole = client.get(done["links"]["result"])
    assert "attachment; filename" in whole.headers["content-disposition"]
    assert "inline%20Hafen%201931-color.mp4" in whole.headers["content-disposition"]
    with av.open(io.BytesIO(whole.content)) as made:
        assert [stream.type for stream in made.streams] == ["video", "audio"]
        assert sum(1 for _ in made.decode(video=0)) == 60
    part = client.get(done["links"]["result"], headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    playlist = client.get(done["links"]["watch"]).text
    assert playlist.rstrip().endswith("#EXT-X-ENDLIST")
    pieces = [line for line in playlist.splitlines() if not line.startswith("#")]
    stream = b"".join(client.get(f"/v1/jobs/{job['id']}/watch/{piece}").content for piece in pieces)
    with av.open(io.BytesIO(stream), format="mpegts") as watched:
        assert {s.type for s in watched.streams} == {"video", "audio"}
        assert sum(1 for _ in watched.decode(video=0)) == 60


def test_a_sample_of_a_film_is_there_first(client: TestClient, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", 1000, codec="libx264")  # longer than events are apart
    sent = {"file": ("a.mp4", film.read_bytes())}
    job = client.post("/v1/jobs", files=sent, data={"sample": "0.4s@1"}).json()
    address = f"/v1/jobs/{job['id']}/sample"
    assert job["links"]["sample"] is None
    seen = [
        json.loads(line.removeprefix("data: "))
        for line in client.get(job["links"]["events"]).text.splitlines()
        if line.startswith("data: ")
    ]
    assert any(body["links"]["sample"] and body["state"] == "running" for body in seen)
    assert seen[-1]["state"] == "done"
    assert seen[-1]["links"]["sample"] == address
    answer = client.get(address)
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content)) as made:
        frames = [frame.to_ndarray(format="yuv444p") for frame in made.decode(video=0)]
    with av.open(str(film)) as source:
        height, width = source.streams.video[0].height, source.streams.video[0].width
    assert len(frames) == 10
    assert frames[0].shape[1:] == (height, 2 * width)
    grey, coloured = frames[0][1:, :, :width], frames[0][1:, :, width:]
    assert np.ptp(grey.astype(int)) < np.ptp(coloured.astype(int))


def test_what_has_no_sample(client: TestClient, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", 30, codec="libx264").read_bytes()
    for wanted in ("soon", "0s", "61s"):
        answer = client.post("/v1/jobs", files={"file": film}, data={"sample": wanted})
        assert answer.status_code == 422, wanted
    answer = client.post("/v1/jobs", files={"file": film}, data={"hint": "1,1,#ff0000"})
    assert (answer.status_code, answer.json()["detail"][:5]) == (422, "Hints")
    job = client.post("/v1/jobs", files={"file": film}, data={"sample": "5s"}).json()
    done = until_ended(client, job["id"])
    assert (done["state"], done["links"]["sample"]) == ("done", None)  # it is not longer than that
    answer = client.get(f"/v1/jobs/{job['id']}/sample")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "The job has no sample, or not yet.",
    )


def test_a_zip_comes_back_with_a_report(client: TestClient) -> None:
    sent = zipped(
        {
            "album/one.png": grey_file(),
            "album/deep/two.jpg": grey_file("JPEG", seed=1),
            "broken.jpg": grey_file("JPEG")[:200],
            "notes.txt": b"hello",
        }
    )
    job = client.post("/v1/jobs", files={"file": ("album.zip", sent)}).json()
    done = until_ended(client, job["id"])
    assert done["state"] == "done", done
    assert "1 of 3 pictures" in done["notes"][0]
    with zipfile.ZipFile(io.BytesIO(client.get(done["links"]["result"]).content)) as made:
        assert set(made.namelist()) == {"album/one.png", "album/deep/two.jpg", "report.json"}
        rows = {row["file"]: row["status"] for row in json.loads(made.read("report.json"))}
        assert colours(made.read("album/one.png")).size == (64, 48)
    expected = {"album/one.png": "done", "album/deep/two.jpg": "done", "broken.jpg": "failed"}
    assert rows == expected


def test_a_picture_too_large_to_wait_for_is_a_job(client: TestClient) -> None:
    job = client.post(
        "/v1/jobs", files={"file": ("scan.png", grey_file(height=400))}, data={"strength": "0.5"}
    ).json()
    done = until_ended(client, job["id"])
    assert (done["kind"], done["state"]) == ("picture", "done")
    assert colours(client.get(done["links"]["result"]).content).size == (64, 400)


def test_confidence_is_a_second_result(tmp_path: Path, tiny_sure_model: Path) -> None:
    with client_of(tmp_path, tiny_sure_model) as client:
        asked = {"confidence": "true"}
        job = client.post("/v1/jobs", files={"file": ("a.png", grey_file())}, data=asked).json()
        done = until_ended(client, job["id"])
        sure = client.get(done["links"]["confidence"])
        assert (sure.headers["content-type"], sure.status_code) == ("image/png", 200)
        assert colours(sure.content).size == (64, 48)
        packed = zipped({"a.png": grey_file()})
        job = client.post("/v1/jobs", files={"file": ("a.zip", packed)}, data=asked).json()
        done = until_ended(client, job["id"])
        with zipfile.ZipFile(io.BytesIO(client.get(done["links"]["result"]).content)) as made:
            assert set(made.namelist()) == {"a.png", "a-confidence.png", "report.json"}
        film = write_film(tmp_path / "a.mkv", 2).read_bytes()
        refused = client.post("/v1/jobs", files={"file": ("a.mkv", film)}, data=asked)
        assert (refused.status_code, "film" in refused.json()["detail"]) == (422, True)


def test_events_end_when_the_job_does(client: TestClient) -> None:
    job = client.post("/v1/jobs", files={"file": ("a.png", grey_file())}).json()
    with client.stream("GET", job["links"]["events"]) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in events.iter_lines() if line.startswith("data: ")]
    states = [json.loads(line.removeprefix("data: "))["state"] for line in lines]
    assert states[-1] == "done"


def test_what_cannot_be_coloured_fails_in_a_sentence_without_paths(
    client: TestClient, tmp_path: Path
) -> None:
    wide = write_film(tmp_path / "w.mkv", 3, size=(400, 400))
    for name, data, says in (
        ("wide.mkv", wide.read_bytes(), "larger than the 100000"),
        ("cut.mp4", b"\0\0\0\x18ftypmp42" + bytes(500), "cannot be opened as a film"),
        ("empty.zip", zipped({"a.txt": b"x"}), "holds no pictures"),
        ("slip.zip", zipped({"../evil.png": grey_file()}), "cannot be used"),
    ):
        job = client.post("/v1/jobs", files={"file": (name, data)}).json()
        failed = until_ended(client, job["id"])
        assert (failed["state"], failed["attempts"]) == ("failed", 1)
        assert says in failed["error"]
        assert "/jobs/" not in failed["error"]
        assert client.get(f"/v1/jobs/{job['id']}/result").status_code == 409


def test_jobs_are_listed_cancelled_and_forgotten(client: TestClient, tmp_path: Path) -> None:
    film = write_film(tmp_path / "long.mkv", 1500)
    job = client.post("/v1/jobs", files={"file": ("long.mkv", film.read_bytes())}).json()
    assert client.get("/v1/jobs").json()[0]["id"] == job["id"]
    while client.get(job["links"]["self"]).json()["state"] == "queued":
        time.sleep(0.05)
    assert client.delete(job["links"]["self"]).status_code == 409
    assert client.post(job["links"]["cancel"]).status_code == 202
    ended = until_ended(client, job["id"], 15)
    assert ended["state"] == "cancelled"
    assert client.post(job["links"]["cancel"]).json()["state"] == "cancelled"
    assert client.delete(job["links"]["self"]).status_code == 204
    assert client.get(job["links"]["self"]).status_code == 404


def test_whose_job_it_is_not_sees_nothing_of_it(tmp_path: Path, tiny_model: Path) -> None:
    keys = ("first-key-0123456789", "second-key-0123456789")
    ours, theirs = ({"authorization": f"Bearer {key}"} for key in keys)
    with client_of(tmp_path, tiny_model, workers=0, api_keys=keys) as client:
        job = client.post("/v1/jobs", files={"file": grey_file()}, headers=ours).json()
        assert client.get("/v1/jobs").status_code == 401
        assert client.get("/v1/jobs", headers=theirs).json() == []
        assert client.get(job["links"]["self"], headers=theirs).status_code == 404
        assert client.post(job["links"]["cancel"], headers=theirs).status_code == 404
        assert client.get(job["links"]["self"], headers=ours).status_code == 200
        assert not list(tmp_path.rglob(f"*{keys[0]}*"))


def test_too_many_jobs_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    with client_of(tmp_path, tiny_model, workers=0, limits=Limits(jobs=2)) as client:
        sent = [client.post("/v1/jobs", files={"file": grey_file()}) for _ in range(3)]
    assert [answer.status_code for answer in sent] == [202, 202, 503]
    assert int(sent[2].headers["retry-after"]) > 0


def settings_of(tmp_path: Path, **changes: object) -> Settings:
    return Settings(data=tmp_path, device="cpu", **changes)  # type: ignore[arg-type]


def submitted(jobs: Jobs, film: Path, model: Path) -> str:
    with jobs.upload() as (job_id, folder):
        (folder / "given.mkv").write_bytes(film.read_bytes())
        order = Order("film", "film.mkv", "given.mkv", "result.mkv", {"model": str(model)})
        return jobs.submit(job_id, order).id


def child_of(jobs: Jobs, job_id: str) -> int:
    """The process that does a job."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if job_id.encode() in command:
                return int(entry.name)
    raise AssertionError("no process does the job")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc to find processes in")
def test_a_killed_process_is_followed_by_another_that_goes_on(
    tmp_path: Path, tiny_model: Path
) -> None:
    film = write_film(tmp_path / "film.mkv", 400)
    jobs = Jobs(tmp_path, lease_s=2)
    worker = Worker(settings_of(tmp_path), jobs)
    job_id = submitted(jobs, film, tiny_model)
    worker.start()  # and nobody queues it: the record is enough
    try:
        first = wait_for(lambda: list(jobs.folder(job_id).glob("work-*/*/000000.npz")))
        segment = first[0].with_suffix(".nut").read_bytes()
        os.kill(child_of(jobs, job_id), signal.SIGKILL)
        job = wait_for(lambda: ended(jobs, job_id))
    finally:
        worker.stop()
    assert (job.state, job.attempts) == ("done", 2)
    with av.open(str(jobs.folder(job_id) / job.outcome.results[0])) as made:
        assert sum(1 for _ in made.decode(video=0)) == 400
    assert segment  # it was there when the first process died, so the second began after it


def test_after_three_dead_workers_a_job_has_failed(tmp_path: Path, tiny_model: Path) -> None:
    jobs = Jobs(tmp_path, lease_s=0.01)
    film = write_film(tmp_path / "film.mkv", 2)
    job_id = submitted(jobs, film, tiny_model)
    for number in (1, 2, 3):
        assert jobs.claim(job_id, "a worker that dies") == number
        time.sleep(0.02)
    worker = Worker(settings_of(tmp_path), jobs)
    worker.start()
    try:
        job = wait_for(lambda: ended(jobs, job_id))
    finally:
        worker.stop()
    assert (job.state, job.attempts) == ("failed", 3)
    assert "3 times" in job.outcome.error


def test_a_stopped_worker_leaves_its_job_to_the_next(tmp_path: Path, tiny_model: Path) -> None:
    jobs = Jobs(tmp_path)
    job_id = submitted(jobs, write_film(tmp_path / "film.mkv", 600), tiny_model)
    first = Worker(settings_of(tmp_path), jobs)
    first.start()
    wait_for(lambda: (j := jobs.get(job_id)) and j.advance.done > 0)
    first.stop()
    left = jobs.get(job_id)
    assert left is not None
    assert (left.state, left.attempts) == ("queued", 0)
    second = Worker(settings_of(tmp_path), jobs)
    second.start()
    try:
        job = wait_for(lambda: ended(jobs, job_id))
    finally:
        second.stop()
    assert (job.state, job.attempts) == ("done", 1)


def ended(jobs: Jobs, job_id: str) -> object:
    job = jobs.get(job_id)
    return job if job is not None and job.outcome is not None else None


def test_only_one_of_many_claims_a_job(tmp_path: Path, tiny_model: Path) -> None:
    jobs = Jobs(tmp_path)
    job_id = submitted(jobs, write_film(tmp_path / "film.mkv", 2), tiny_model)
    claimed: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: claimed.append(jobs.claim(job_id, "one"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed, key=str) == [1, *[None] * 7]


def test_the_first_outcome_is_right(tmp_path: Path, tiny_model: Path) -> None:
    jobs = Jobs(tmp_path)
    job_id = submitted(jobs, write_film(tmp_path / "film.mkv", 2), tiny_model)
    assert jobs.finish(job_id, Outcome("cancelled"))
    assert not jobs.finish(job_id, Outcome("done", ("result.mkv",)))
    job = jobs.get(job_id)
    assert job is not None
    assert job.state == "cancelled"


def test_pictures_of_a_zip_are_left_to_the_next_worker_whatever_they_are_called(
    tmp_path: Path, tiny_model: Path
) -> None:
    jobs = Jobs(tmp_path)
    with jobs.upload() as (job_id, folder):
        (folder / "given.zip").write_bytes(zipped({"one.png": grey_file()}))
        order = Order("pictures", "a.zip", "given.zip", "result.zip", {"model": str(tiny_model)})
        jobs.submit(job_id, order)
    assert jobs.claim(job_id, "first") == 1
    work = jobs.work(job_id, 1)
    for name in ("given/summer.party.png", "given/album.part1.png", "made/album.part1.png"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_bytes(grey_file())
    (work / "result.zip.part").touch()
    jobs.give_back(job_id, 1)
    assert jobs.claim(job_id, "second") == 1
    left = {str(path.relative_to(work)) for path in work.rglob("*") if path.is_file()}
    assert left == {"given/summer.party.png", "given/album.part1.png", "made/album.part1.png"}


def test_a_worker_that_was_only_slow_does_not_fail_the_job_of_its_successor(
    tmp_path: Path, tiny_model: Path
) -> None:
    jobs = Jobs(tmp_path, lease_s=0.01)
    job_id = submitted(jobs, write_film(tmp_path / "film.mkv", 2), tiny_model)
    assert jobs.claim(job_id, "slow") == 1
    time.sleep(0.05)
    assert jobs.claim(job_id, "next") == 2
    (jobs.folder(job_id) / "given.mkv").write_bytes(b"nothing that could be read")
    do(Assignment(tmp_path, job_id, 1, "cpu", 1, Limits()))
    assert ended(jobs, job_id) is None
    do(Assignment(tmp_path, job_id, 2, "cpu", 1, Limits()))
    job = jobs.get(job_id)
    assert job is not None
    assert job.state == "failed"


def test_a_job_whose_files_cannot_all_be_removed_is_gone_all_the_same(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(tmp_path)
    job_id = submitted(jobs, write_film(tmp_path / "film.mkv", 2), tiny_model)
    jobs.finish(job_id, Outcome("cancelled"))
    assert jobs.unfinished() == 0
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *_, **__: None)  # as where a file is in use
        jobs.remove(job_id)
    assert jobs.get(job_id) is None
    assert (jobs.unfinished(), jobs.all()) == (0, [])
    (left,) = (tmp_path / "new").iterdir()
    os.utime(left, (0, 0))
    jobs.expire(3600)
    assert not left.exists()


def test_old_jobs_and_broken_uploads_go(tmp_path: Path, tiny_model: Path) -> None:
    jobs = Jobs(tmp_path)
    job_id = submitted(jobs, write_film(tmp_path / "film.mkv", 2), tiny_model)
    jobs.finish(job_id, Outcome("cancelled"))
    broken = tmp_path / "new" / "broken"
    broken.mkdir()
    os.utime(broken, (0, 0))
    assert jobs.expire(3600) == 0
    assert not broken.exists()
    time.sleep(0.01)
    assert jobs.expire(0.001) == 1
    assert jobs.get(job_id) is None


@pytest.mark.parametrize("job_id", ["", "..", "../../etc", "x" * 22 + "/..", "a" * 21])
def test_odd_numbers_are_no_jobs(tmp_path: Path, job_id: str) -> None:
    assert Jobs(tmp_path).get(job_id) is None
