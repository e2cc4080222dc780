"""A long film goes through in memory that does not grow with its length."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

import film_samples as samples

SIZE = (480, 854)
RATE = 30
CLIP_FRAMES, ROUNDS = 150, 120  # five seconds, over and over: ten minutes
MOST_MB = 900
GROWTH_MB = 40  # what allocators may keep; 4.5 kB lost with each frame would be more

CHILD = """
import resource, sys
from pathlib import Path
from tintype import Colorizer
from tintype.video.film import colorize_film

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

model, source, target = sys.argv[1:]
for state in colorize_film(Colorizer.load(model, "cpu", 1), source, Path(target)):
    if state.done % 50 == 0:
        print(resident_mb())
print(state.done, state.stage, state.predicted)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def write_long_film(path: Path) -> Path:
    """A ball that crosses a still field again and again; encoded once, its packets repeated."""
    clip = samples.write_film(
        path.with_name("clip.mkv"),
        CLIP_FRAMES,
        rate=Fraction(RATE),
        codec="libx264",
        size=SIZE,
        options={"preset": "ultrafast"},
    )
    with av.open(str(clip)) as source, av.open(str(path), "w") as output:
        stream = source.streams.video[0]
        copied = output.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        length = round(Fraction(CLIP_FRAMES, RATE) / stream.time_base)
        for number in range(ROUNDS):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.pts, again.dts = (t + number * length for t in (packet.pts, packet.dts))
                again.time_base, again.is_keyframe = packet.time_base, packet.is_keyframe
                again.stream = copied
                output.mux(again)
    return path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ten_minutes_of_film_take_no_more_memory_than_five(
    tiny_model: Path, tmp_path: Path
) -> None:
    source = write_long_film(tmp_path / "long.mkv")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tiny_model), str(source), str(tmp_path / "out.mkv")],
        capture_output=True,
        text=True,
        check=True,
    )
    *curve, end, peak = done.stdout.splitlines()
    frames = CLIP_FRAMES * ROUNDS
    count, stage, predicted = end.split()
    assert (int(count), stage) == (frames, "done")
    assert 0 < int(predicted) < frames / 2  # both what is predicted and what is carried along
    resident = [float(each) for each in curve]
    half = len(resident) // 2
    assert half >= frames / 2 / 50
    assert max(resident[half:]) <= max(resident[:half]) + GROWTH_MB, resident
    assert float(peak) < MOST_MB
