"""Streams: read once, bounded, coloured as they come, finished whatever ends them."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import film_samples as samples
from loopback import Server
from tintype.cli import main
from tintype.engine import Colorizer, Options
from tintype.errors import AlreadyColour, UnreadableFilm, UnwritableFilm, UsageError
from tintype.video.encoding import Encoding
from tintype.video.feed import Feed
from tintype.video.film import FilmOptions, FilmProgress
from tintype.video.planes import plane
from tintype.video.probe import Film
from tintype.video.sniffing import Peeked, holds_film
from tintype.video.streaming import StreamOptions, colorize_stream, store_stream

TINTYPE = [sys.executable, "-m", "tintype.cli", "colorize", "--device", "cpu"]
SMALL = Options(working_size=64)
LOSSLESS = FilmOptions(encoding=Encoding("ffv1"))


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("tintype", "cpu", 1)


@pytest.fixture
def server() -> Iterator[Server]:
    each = Server()
    yield each
    each.close()


def last_of(states: Iterator[FilmProgress]) -> FilmProgress:
    *_, last = states
    return last


def frames(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as film:
        return list(film.decode(video=0))


def start_of_sound(path: Path) -> Fraction:
    """When the sound begins, seen from the first frame, in seconds."""
    picture, sound = (samples.packets(path, kind) for kind in ("video", "audio"))
    with av.open(str(path)) as film:
        bases = [film.streams.video[0].time_base, film.streams.audio[0].time_base]
    first = [min(p[0] for p in each) * base for each, base in zip((picture, sound), bases)]  # noqa: B905
    return first[1] - first[0]


def pieces_of(playlist: Path) -> list[Path]:
    """What a playlist names; a player that opened the list itself would wait for its end."""
    lines = playlist.read_text().splitlines() if playlist.is_file() else []
    return [playlist.with_name(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_film_from_the_network(
    colorizer: Colorizer, tmp_path: Path, server: Server, suffix: str
) -> None:
    """Nothing of the beginning is lost, sound least of all."""
    source = samples.write_film(
        tmp_path / "a.mkv", 30, rate=Fraction(10), codec="libx264", sound=True
    )
    server.content = source.read_bytes()
    target = tmp_path / f"b{suffix}"
    last = last_of(colorize_stream(colorizer, server.url("film.mkv"), target, SMALL))
    assert (last.done, last.stage, last.notes) == (30, "done", ())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.mkv", target.name])
    shown = [float(frame.time) for frame in frames(target)]
    assert np.diff(shown) == pytest.approx([0.1] * 29, abs=2e-3)
    if suffix != ".ts":  # which wraps each packet of AAC anew
        heard = [packet[2] for packet in samples.packets(target, "audio")]
        assert heard == [packet[2] for packet in samples.packets(source, "audio")]
    assert start_of_sound(target) == pytest.approx(start_of_sound(source), abs=2e-3)
    with av.open(str(target)) as film:
        assert suffix == ".ts" or film.metadata["title"] == "A ball"


def test_lightness_is_kept_to_the_last_bit(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 5)
    with source.open("rb") as pipe:
        last_of(colorize_stream(colorizer, Peeked(pipe), tmp_path / "b.mkv", SMALL, LOSSLESS))
    before, after = (samples.luma_planes(tmp_path / f"{name}.mkv") for name in "ab")
    assert all((ours == theirs).all() for ours, theirs in zip(after, before, strict=True))
    assert np.ptp(plane(frames(tmp_path / "b.mkv")[0], 1)) > 0


def test_a_folder_of_pieces_plays_while_it_grows(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 200, rate=Fraction(5), codec="libx264")
    playlist = tmp_path / "hls" / "index.m3u8"
    playlist.parent.mkdir()
    states = colorize_stream(colorizer, str(source), playlist, SMALL)
    done = next(state.done for state in states if pieces_of(playlist)[1:])
    assert done < 200
    assert "#EXT-X-ENDLIST" not in playlist.read_text()
    growing = sum(len(frames(piece)) for piece in pieces_of(playlist))
    assert 40 <= growing < 200
    last_of(states)
    assert "#EXT-X-ENDLIST" in playlist.read_text()
    assert len(frames(playlist)) == 200


def test_an_endless_stream_needs_bounded_disk(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 200, rate=Fraction(5), codec="libx264")
    playlist = tmp_path / "hls" / "index.m3u8"
    playlist.parent.mkdir()
    most = 0
    for _ in colorize_stream(colorizer, str(source), playlist, SMALL, stream=StreamOptions(keep=2)):
        most = max(most, len(list(playlist.parent.glob("*.ts"))))
    assert most <= 4
    assert playlist.read_text().count(".ts") == 2
    assert "000009.ts" in playlist.read_text()


@pytest.mark.parametrize("kind", ["pcm", "attachment"])
def test_what_the_output_cannot_hold_is_left_out_and_said(
    colorizer: Colorizer, tmp_path: Path, kind: str
) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 10, sound=True)
    more = tmp_path / "more.mkv"
    with av.open(str(source)) as before, av.open(str(more), "w") as after:
        copies = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams}
        if kind == "pcm":
            extra = after.add_stream("pcm_s16le", 16000)
            note = av.AudioFrame.from_ndarray(np.zeros((1, 3200), np.int16), "s16", "stereo")
            note.sample_rate, note.pts = 16000, 0
            after.mux(extra.encode(note))
        else:
            after.add_attachment("note.txt", "text/plain", b"a note")
        for packet in before.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                after.mux(packet)
    last = last_of(colorize_stream(colorizer, str(more), tmp_path / "b.ts", SMALL))
    assert any("Left out: stream 2" in note for note in last.notes)
    with av.open(str(tmp_path / "b.ts")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]


def test_colour_is_refused_and_leaves_nothing(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 6, chroma=0.5)
    with pytest.raises(AlreadyColour, match="--force"):
        last_of(colorize_stream(colorizer, str(source), tmp_path / "b.mkv", SMALL))
    assert list(tmp_path.iterdir()) == [source]
    forced = Options(working_size=64, force=True)
    last = last_of(colorize_stream(colorizer, str(source), tmp_path / "b.mkv", forced))
    assert last.done == 6


@pytest.mark.parametrize("name", ["b.gif", "b.avi", "b.xyz"])
def test_outputs_that_need_the_whole_film_are_refused(
    colorizer: Colorizer, tmp_path: Path, name: str
) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 3)
    with pytest.raises(UnwritableFilm, match=r"\.mkv"):
        last_of(colorize_stream(colorizer, str(source), tmp_path / name, SMALL))
    assert list(tmp_path.iterdir()) == [source]


def test_a_wrong_choice_leaves_nothing(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 3)
    how = FilmOptions(encoding=Encoding("h264", preset="nonsense"))
    with pytest.raises(UnwritableFilm, match=r"b\.mkv cannot be written"):
        last_of(colorize_stream(colorizer, str(source), tmp_path / "b.mkv", SMALL, how))
    assert list(tmp_path.iterdir()) == [source]


def test_a_stream_stored_grey(colorizer: Colorizer, tmp_path: Path, server: Server) -> None:
    source = samples.write_film(
        tmp_path / "a.mkv", 20, rate=Fraction(10), sound=True, chroma=0.4, pixel_format="yuv444p"
    )
    server.content = source.read_bytes()
    grey = tmp_path / "grey.mkv"
    last = last_of(store_stream(server.url("a.mkv"), grey, LOSSLESS))
    assert "saved" in last.notes[-1]
    assert frames(grey)[0].format.name == "gray"
    planes = zip(samples.luma_planes(grey), samples.luma_planes(source), strict=True)
    assert all((ours == theirs).all() for ours, theirs in planes)
    again = last_of(colorize_stream(colorizer, str(grey), tmp_path / "b.mkv", SMALL))
    assert again.done == 20
    with pytest.raises(UsageError, match="stored grey"):
        last_of(store_stream(str(source), tmp_path / "x.gif"))


# What goes wrong


def test_a_silent_network_is_said(colorizer: Colorizer, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.mkv"
        stream = StreamOptions(silence_s=0.5)
        since = time.monotonic()
        with pytest.raises(UnreadableFilm, match=r"nothing came for 0\.5 s"):
            last_of(colorize_stream(colorizer, address, tmp_path / "b.mkv", SMALL, stream=stream))
        assert time.monotonic() - since < 5
    assert not list(tmp_path.iterdir())


def test_nobody_there_and_no_film(colorizer: Colorizer, tmp_path: Path, server: Server) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/a.mkv"
        with pytest.raises(UnreadableFilm, match="cannot be opened as a film: Connection refused"):
            last_of(colorize_stream(colorizer, address, tmp_path / "b.mkv", SMALL))
    server.content = b"this is no film" * 99
    with pytest.raises(UnreadableFilm, match="cannot be opened as a film"):
        last_of(colorize_stream(colorizer, server.url("a"), tmp_path / "b.mkv", SMALL))
    with pytest.raises(UnreadableFilm, match="standard input"):
        Feed(Peeked(io.BytesIO(b"GIF89a and no more")), 1.0)
    assert not list(tmp_path.iterdir())


class Sender:
    """Sends a transport stream over UDP again and again, until it falls silent."""

    def __init__(self, content: bytes, port: int) -> None:
        self._content, self._to = content, ("127.0.0.1", port)
        self.silent = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        size = 7 * 188
        with socket.socket(type=socket.SOCK_DGRAM) as out:
            while not self.silent.is_set():
                for start in range(0, len(self._content), size):
                    out.sendto(self._content[start : start + size], self._to)
                    time.sleep(0.001)

    def close(self) -> None:
        self.silent.set()
        self._thread.join()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[str, Sender]]:
    """The address of a live stream, without sound."""
    source = samples.write_film(
        tmp_path / "a.ts", 50, codec="libx264", options={"g": "5", "preset": "ultrafast"}
    )
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sender = Sender(source.read_bytes(), port)
    yield f"udp://127.0.0.1:{port}", sender
    sender.close()


def test_a_live_stream_drops_frames_and_its_end_is_said(
    colorizer: Colorizer, tmp_path: Path, live: tuple[str, Sender]
) -> None:
    """What comes faster than anybody can paint is dropped; when it falls silent, all plays."""
    address, sender = live
    stream = StreamOptions(silence_s=1.0)
    states = colorize_stream(colorizer, address, tmp_path / "b.mkv", SMALL, stream=stream)
    got = []

    def take_all() -> None:
        for state in states:
            got.append(state)
            if len(got) == 3:
                time.sleep(1.0)  # the painter is busy
            if len(got) == 30:
                sender.silent.set()

    with pytest.raises(UnreadableFilm, match="broke off: nothing came for 1 s"):
        take_all()
    assert got[-1].stage == "done"
    assert any("frames were dropped" in note for note in got[-1].notes)
    shown = [frame.time for frame in frames(tmp_path / "b.mkv")]
    assert len(shown) == got[-1].done >= 30
    assert (np.diff([float(time) for time in shown]) > 0).all()
    assert not (tmp_path / "b.mkv.part").exists()


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 60)
    with Feed(str(source), 1.0) as feed:
        feed.live = True
        feed.start(lambda packet: None)
        limit = time.monotonic() + 10
        while feed.dropped < 54:
            assert time.monotonic() < limit
            time.sleep(0.01)
        kept = list(feed.frames())
    assert [frame.pts for frame in kept] == [frame.pts for frame in frames(source)[-6:]]
    with Feed(str(source), 1.0) as feed:  # no live source: nothing is dropped
        feed.start(lambda packet: None)
        time.sleep(0.2)
        assert len(list(feed.frames())) == 60
        assert feed.dropped == 0


def test_a_clock_that_is_set_anew_does_not_stop_the_film(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    """Two transport streams one after the other, as many recorders write them."""
    once = samples.write_film(
        tmp_path / "a.ts", 40, rate=Fraction(20), codec="libx264"
    ).read_bytes()
    pipe = Peeked(io.BytesIO(once + once))
    last_of(colorize_stream(colorizer, pipe, tmp_path / "b.mkv", SMALL))
    shown = [float(frame.time) for frame in frames(tmp_path / "b.mkv")]
    assert len(shown) >= 75
    assert shown[-1] > 3.6
    assert max(np.diff(shown)) < 0.3


def test_the_wish_to_stop_finishes_the_output(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 60, codec="libx264", sound=True)
    stream = StreamOptions()
    for state in colorize_stream(colorizer, str(source), tmp_path / "b.mp4", SMALL, stream=stream):
        if state.done == 10:
            stream.stop.set()
    assert 10 <= state.done < 60
    assert len(frames(tmp_path / "b.mp4")) == state.done


def test_who_stops_asking_leaves_a_film_that_plays(colorizer: Colorizer, tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 60)
    states = colorize_stream(colorizer, str(source), tmp_path / "b.mp4", SMALL)
    for state in states:
        if state.done == 8:
            break
    states.close()
    assert len(frames(tmp_path / "b.mp4")) == 8
    assert "tintype-feed" not in {thread.name for thread in threading.enumerate()}


# The command


def test_film_through_a_pipe(tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 12, codec="libx264", sound=True)
    line = [*TINTYPE, "--working-size", "64", "-"]
    done = subprocess.run(
        line, input=source.read_bytes(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    with av.open(io.BytesIO(done.stdout)) as film:
        assert film.format.name == "matroska,webm"
        assert [stream.type for stream in film.streams] == ["video", "audio"]
        assert len(list(film.decode(video=0))) == 12
    played = subprocess.run(
        [*TINTYPE, "--working-size", "64", str(source), "-o", "-"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    with av.open(io.BytesIO(played.stdout)) as film:
        assert len(list(film.decode(video=0))) == 12


def test_a_reader_that_leaves_ends_the_film_in_silence(tmp_path: Path) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 300, size=(96, 160))
    line = [*TINTYPE, "--working-size", "64", str(source), "-o", "-", "--codec", "ffv1"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(1000)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_ctrl_c_finishes_a_film_from_a_silent_pipe(tmp_path: Path) -> None:
    content = samples.write_film(tmp_path / "a.ts", 60, codec="libx264").read_bytes()
    line = [*TINTYPE, "--working-size", "64", "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(line, **pipes) as process:
        process.stdin.write(content)
        process.stdin.flush()
        begun = process.stdout.read(2000)
        process.send_signal(signal.SIGINT)
        film = begun + process.stdout.read()
        assert process.stderr.read() == (
            b"\ntintype: finishing the film; once more leaves at once.\n"
        )
        assert process.wait(20) == 130
        process.stdin.close()
    with av.open(io.BytesIO(film)) as shown:
        assert len(list(shown.decode(video=0))) >= 10


def test_the_command_and_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 12, codec="libx264")
    line = ["colorize", str(source), "--working-size", "64", "--device", "cpu"]
    folder = tmp_path / "pieces"
    assert main([*line, "--hls", "-o", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "index.m3u8")
    assert len(frames(folder / "index.m3u8")) == 12
    assert main([*line, "-o", str(folder / "index.m3u8")]) == 2
    assert "exists; --overwrite replaces it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["http://127.0.0.1:1/a"], "Say where http://127.0.0.1:1/a goes"),
        (["http://127.0.0.1:1/a", "-o", "x.png"], "not written as pictures"),
        (["http://127.0.0.1:1/a", "-o", "x_%d.png"], "not written as pictures"),
        (["http://127.0.0.1:1/a", "rtsp://b/c", "-o", "x"], "one at a time"),
        (["http://127.0.0.1:1/a", "-o", "x.mkv", "--preview", "3s"], "--preview is for films"),
        (["http://127.0.0.1:1/a", "-o", "x.mkv", "--hls-keep", "3"], "--hls-keep is for HLS"),
        (["a.mkv", "-o", "x.mkv", "--hls"], "--hls writes many files"),
        (["a.mkv", "-o", "x.mkv", "--hls-keep", "3"], "--hls-keep is for pieces"),
        (["a_%d.png", "-o", "-"], "Numbered pictures become"),
        (["a.png", "--hls"], "--hls is for films"),
    ],
)
def test_what_makes_no_sense_is_said(
    here: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["colorize", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(here.iterdir())


HEADS = {
    "a.mkv": True, "a.mp4": True, "a.mov": True, "a.avi": True, "a.mpg": True, "a.ts": True,
    "a.webm": True, "a.nut": True, "a.gif": True, "a.flv": True,
    "p.png": False, "p.jpg": False, "p.tif": False, "p.webp": False, "p.bmp": False,
    "p.avif": False,
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), HEADS.items())
def test_films_are_known_by_their_first_bytes(tmp_path: Path, name: str, expected: bool) -> None:
    path = tmp_path / name
    if expected:
        codec = {".webm": "libvpx-vp9", ".mpg": "mpeg2video", ".gif": "gif", ".flv": "flv"}
        settings = {"pixel_format": "gray"} if name == "a.gif" else {}
        samples.write_film(path, 2, codec=codec.get(path.suffix, "libx264"), **settings)
    else:
        from PIL import Image

        Image.fromarray(np.uint8(255 * samples.grey(0))).convert("RGB").save(path)
    with path.open("rb") as pipe:
        assert holds_film(Peeked(pipe).head) == expected


def test_rubbish_is_no_film() -> None:
    assert not any(map(holds_film, (b"", b"G", b"rubbish", bytes(2000), b"\xff" * 2000)))


def test_a_pipe_that_was_looked_at_is_read_from_its_beginning() -> None:
    content = os.urandom(5000)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as feeding:
        feeding.write(content)
        feeding.close()
        peeked = Peeked(pipe)
        assert content.startswith(peeked.head)
        pieces = [peeked.read(100)]
        while piece := peeked.read(700):
            pieces.append(piece)
    assert b"".join(pieces) == content
    assert Peeked(io.BytesIO(content)).read() == content


def test_probing_of_what_was_written(tmp_path: Path, colorizer: Colorizer) -> None:
    """What a film says of itself is said by a stream's output, too."""
    source = samples.write_film(
        tmp_path / "a.mkv", 6, codec="libx264", rate=Fraction(16), full=True, colorspace=1,
        sample_aspect_ratio=Fraction(16, 15),
    )  # fmt: skip
    last_of(colorize_stream(colorizer, str(source), tmp_path / "b.mkv", SMALL))
    before, after = (Film.probe(tmp_path / f"{name}.mkv") for name in "ab")
    assert (after.signal, after.aspect, after.rate) == (before.signal, before.aspect, before.rate)
