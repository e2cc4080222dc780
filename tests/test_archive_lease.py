"""Two runs at once on one DEST are told apart, and a dead one is no hindrance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tintype.archive import lease
from tintype.archive.places import Place, place_of
from tintype.errors import UnwritableImage


@pytest.fixture
def dest(tmp_path: Path) -> Place:
    return place_of(str(tmp_path / "out"))


def claim_in(dest: Place) -> lease.Claim:
    found = lease.read(dest)
    assert found is not None
    return found


def put(dest: Place, claim: lease.Claim) -> None:
    dest.write(lease.KEY, json.dumps(asdict(claim)).encode())


def test_the_second_gets_one_clear_sentence(dest: Place) -> None:
    with (
        lease.held(dest, "first"),
        pytest.raises(UnwritableImage, match=rf"^Run first works in .* process {os.getpid()} of"),
        lease.held(dest, "second"),
    ):
        pass
    with lease.held(dest, "third"):
        pass
    assert lease.read(dest) is None


def test_of_many_at_once_one_gets_it(dest: Place) -> None:
    won, over, gate = [], threading.Event(), threading.Barrier(8)

    def try_it(name: str) -> None:
        gate.wait()
        try:
            with lease.held(dest, name):
                won.append(name)
                over.wait(20)
        except UnwritableImage:
            lost.append(name)
            if len(lost) == 7:
                over.set()

    lost: list[str] = []
    threads = [threading.Thread(target=try_it, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)


def test_a_killed_run_on_this_machine_is_taken_over_at_once(dest: Place) -> None:
    program = f"""
import os, signal
from tintype.archive import lease
from tintype.archive.places import place_of
with lease.held(place_of({dest.address!r}), "killed"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert claim_in(dest).run == "killed"
    with lease.held(dest, "next"):
        assert claim_in(dest).run == "next"


def test_a_process_of_the_same_number_is_another(dest: Place) -> None:
    with lease.held(dest, "first"):
        old = claim_in(dest)
    put(dest, replace(old, born=old.born - 1))
    with lease.held(dest, "next"):
        pass


def test_another_machine_is_believed_while_it_renews(
    dest: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease.held(dest, "far"):
        far = replace(claim_in(dest), host="elsewhere", run="far")
    put(dest, far)
    with pytest.raises(UnwritableImage, match="Run far works"), lease.held(dest, "near"):
        pass
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    put(dest, replace(far, beat=far.beat - 2 * lease.STALE_S))
    with lease.held(dest, "near"):
        assert claim_in(dest).run == "near"


def test_a_machine_whose_clock_is_wrong_is_watched(
    dest: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.4)
    with lease.held(dest, "far"):
        slow = replace(claim_in(dest), host="elsewhere", run="slow", beat=1000.0)
    put(dest, slow)
    renews = threading.Timer(0.2, put, (dest, replace(slow, beat=1010.0)))
    renews.start()
    with pytest.raises(UnwritableImage, match="Run slow works"), lease.held(dest, "near"):
        pass
    renews.join()


def test_a_holder_that_was_taken_over_stops(dest: Place) -> None:
    with lease.held(dest, "first") as held:
        held.check()
        put(dest, replace(claim_in(dest), token="another's"))
        with pytest.raises(UnwritableImage, match="taken for dead"):
            held.check()
    assert claim_in(dest).token == "another's"


def test_it_is_renewed(dest: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    with lease.held(dest, "first"):
        before = claim_in(dest).beat
        threading.Event().wait(0.3)
        assert claim_in(dest).beat > before
