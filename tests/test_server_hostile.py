"""Uploads made to do harm: each is answered with a sentence, and the server stays well."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import socket
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from film_samples import write_film
from image_samples import grey8, pillow, rgb8, tiff
from serving import HOST, Answer, Part, Served, form, serving
from tintype.errors import TintypeError, UnreadableFilm, UnreadableImage, UsageError
from tintype.server.jobs.archives import unpack
from tintype.server.settings import Limits
from tintype.server.uploads import safe_name
from tintype.video.probe import Film, opened

SECRET = "the-secret-of-the-house"
LIMITS = Limits(
    pixels=4_000_000, pages=8, film_pixels=640 * 480, frames=1000, zip_files=50, jobs=1000
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Served]:
    """A server with a worker."""
    data = tmp_path_factory.mktemp("hostile")
    with serving(data, tiny_model, workers=1, limits=LIMITS) as server:
        yield server


@pytest.fixture(autouse=True)
def _well_afterwards(served: Served) -> Iterator[None]:
    yield
    assert served.is_well
    left = [path for path in (served.data / "new").iterdir() if path.is_dir()]
    assert not left, "an upload that was refused is gone"


def ask(served: Served, *parts: Part) -> Answer:
    return served.send_form("/v1/colorize", *parts)


def refused(served: Served, answer: Answer) -> str:
    """The sentence of a refusal, which shows nothing of the server."""
    assert 400 <= answer.status < 500, answer
    detail = answer.detail
    assert str(served.data) not in detail
    assert "/tmp" not in detail
    assert SECRET not in detail
    return detail


def failed(served: Served, *parts: Part) -> str:
    """The sentence with which a job is refused or fails."""
    answer = served.send_form("/v1/jobs", *parts)
    if answer.status != 202:
        return refused(served, answer)
    job = served.until_ended(answer.json["id"])
    assert job["state"] == "failed", job
    assert job["attempts"] == 1, "it was told, not died of"
    sentence = str(job["error"])
    assert str(served.data) not in sentence
    assert job["id"] not in sentence
    assert not re.search(r"(^|[ \"'])/(?!v1/)", sentence), sentence
    return sentence


# Pictures


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says how large it is; a bomb when its black pixels follow."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", data or zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def bomb(side: int) -> bytes:
    """Black pixels, a thousandth of their size."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" * (side + 1)) for _ in range(side))
    return png(side, side, rows + packer.flush())


PICTURE = pillow(grey8(), "JPEG")
SVG = f"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/{SECRET}">]>
<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>""".encode()
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/URI/URI(http://127.0.0.1/)>>>>endobj\n"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run\n"
MVG = b"push graphic-context\nimage over 0,0 0,0 'url(http://127.0.0.1/)'\npop graphic-context\n"
HOSTILE_PICTURES = {
    "nothing": b"",
    "one byte": b"\xff",
    "a truncated JPEG": PICTURE[: len(PICTURE) // 2],
    "a JPEG's head": PICTURE[:20],
    "a truncated PNG": pillow(grey8(), "PNG")[:200],
    "a truncated TIFF": tiff(grey8())[:150],
    "a truncated WebP": pillow(rgb8(), "WEBP")[:60],
    "a truncated AVIF": pillow(rgb8(), "AVIF")[:150],
    "a bitmap without pixels": b"BM" + b"\0" * 60,
    "a PNG that claims 40,000 x 40,000": png(40_000, 40_000),
    "a PNG that claims as many as can be said": png(2**31 - 1, 2**31 - 1),
    "a PNG without pixels": png(0, 0),
    "a bomb": bomb(3000),
    "an SVG": SVG,
    "a PDF": PDF,
    "a PostScript": EPS,
    "a drawing": MVG,
    "a page": b"<!doctype html><script>alert(1)</script>" + PICTURE,
    "random bytes": os.urandom(5000),
    "zeros": b"\0" * 5000,
    "a TIFF that goes in circles": b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0",
    "a TIFF of pages without end": tiff([grey8()[:8, :8]] * 20),
}


@pytest.mark.parametrize("what", HOSTILE_PICTURES)
def test_a_hostile_picture_is_refused(served: Served, what: str) -> None:
    data = HOSTILE_PICTURES[what]
    for name in ("a.jpg", "a.png", "a.svg"):
        refused(served, ask(served, Part("file", data, name)))
    body = json.dumps({"image": base64.b64encode(data).decode()}).encode()
    for path in ("/v1/colorize", "/colorized"):
        refused(served, served.ask("POST", path, body, {"Content-Type": "application/json"}))


@pytest.mark.parametrize("what", ["a PNG that claims 40,000 x 40,000", "a PDF", "nothing"])
def test_a_hostile_picture_as_a_job(served: Served, what: str) -> None:
    assert failed(served, Part("file", HOSTILE_PICTURES[what], "a.tif"))


@pytest.mark.parametrize("what", ["an SVG", "a bomb", "a page", "nothing", "random bytes"])
def test_a_hostile_reference_is_refused(served: Served, what: str) -> None:
    picture, data = Part("file", PICTURE, "a.jpg"), HOSTILE_PICTURES[what]
    answer = ask(served, picture, Part("reference", data, "../../b.jpg"))
    assert answer.status == 422
    assert "reference" in refused(served, answer)
    assert failed(served, picture, Part("reference", HOSTILE_PICTURES["an SVG"], "b.jpg"))


def test_a_picture_with_a_page_behind_it_comes_back_without(served: Served) -> None:
    """HTML in a comment and after the end of a JPEG: the answer is a picture, said to be one."""
    html = b"<html><script>alert(1)</script></html>"
    comment = b"\xff\xfe" + struct.pack(">H", len(html) + 2) + html
    answer = ask(served, Part("file", PICTURE[:2] + comment + PICTURE[2:] + html, "a.html"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].endswith("a.jpg")
    assert not answer.body.endswith(html)


def test_large_metadata_is_no_harm(served: Served) -> None:
    segment = b"\xff\xe1" + struct.pack(">H", 65535) + b"Exif\0\0" + b"II*\0" + b"\xff" * 65523
    answer = ask(served, Part("file", PICTURE[:2] + 100 * segment + PICTURE[2:], "a.jpg"))
    assert answer.status == 200 or refused(served, answer)


@pytest.mark.parametrize("side", [10_000, 40_000])
def test_a_live_frame_that_claims_too_much_ends_the_view(served: Served, side: int) -> None:
    with connect(f"ws://{HOST}:{served.port}/v1/live") as view:
        view.send(png(side, side))
        with pytest.raises(ConnectionClosed) as closed:
            view.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


# Names


NAMES = [
    "../../../etc/passwd",
    "..\\..\\windows\\system32\\a.jpg",
    "/etc/passwd",
    "C:\\a.jpg",
    "a\nb\r\nX-Evil: 1.jpg",
    "a\0.jpg",
    "\u202egpj.exe",
    5000 * "a" + ".jpg",
    "..",
    ".",
    "",
    "CON.jpg",
    "a%2f..%2fb.jpg",
    '";rm -rf ~;".jpg',
    "<script>alert(1)</script>.jpg",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") + ".jpg",
    b"\xff\xfe\x80.jpg",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_name_leads_anywhere(served: Served, name: str | bytes) -> None:
    quoted = name.replace('"', "%22") if isinstance(name, str) else name
    answer = ask(served, Part("file", PICTURE, quoted))
    if answer.status != 200:
        refused(served, answer)
        return
    said = answer.headers["content-disposition"]
    assert len(said) < 1000
    assert "x-evil" not in answer.headers
    assert not set(said) & set("/\\\r\n\0<>")


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(name, str)])
def test_a_safe_name_is_one(name: str) -> None:
    safe = safe_name(name, ".jpg")
    assert safe.endswith(".jpg")
    assert len(safe) <= 130
    assert not set(safe) & set('/\\\r\n\0<>:"|?*%\u202e')
    assert Path(safe).name == safe


def test_a_job_of_an_odd_name_is_kept_where_jobs_are(served: Served) -> None:
    answer = served.send_form("/v1/jobs", Part("file", PICTURE, "../../../evil.jpg"))
    job = served.until_ended(answer.json["id"])
    assert job["state"] == "done"
    assert job["name"] == "evil.jpg"
    astray = [served.data / "../evil.jpg", *served.data.parent.rglob("*evil*")]
    assert not any(path.exists() for path in astray)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/..%2f..%2fetc",
        "/v1/jobs/../../etc/passwd",
        "/v1/jobs/%2e%2e/order.json",
        "/v1/jobs/" + 22 * ".",
        "/v1/jobs/" + 22 * "a" + "%00",
        "/v1/jobs/" + 22 * "a" + "/watch/..%2forder.json",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/static/..%5capp.py",
        "/docs/files/..%2f__init__.py",
        "/static/" + 5000 * "a",
    ],
)
def test_no_path_leads_anywhere(served: Served, path: str) -> None:
    answer = served.ask("GET", path)
    assert answer.status == 404
    refused(served, answer)


# Films


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A port that nobody may call."""
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.05)
        yield listener


def was_called(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return False
    return True


def lists(address: str, secret: Path) -> dict[str, bytes]:
    """Files that would have FFmpeg open others."""
    return {
        "m3u8": f"#EXTM3U\n#EXTINF:1,\n{address}/a.ts\n#EXTINF:1,\n{secret}\n".encode(),
        "ffconcat": f"ffconcat version 1.0\nfile '{secret}'\nfile '{address}/a.mp4'\n".encode(),
        "sdp": (
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
            f"m=video {address.rsplit(':', 1)[1]} RTP/AVP/TCP 96\na=rtpmap:96 H264/90000\n"
        ).encode(),
        "dash": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT2S">'
            '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
            f"<BaseURL>{address}/a.mp4</BaseURL><SegmentBase/></Representation></AdaptationSet>"
            "</Period></MPD>"
        ).encode(),
        "smil": f'<smil><body><video src="{address}/a.mp4"/></body></smil>'.encode(),
    }


STARTS = {
    "nothing": b"",
    "nut": b"nut/multimedia container\0\n",
    "flv": b"FLV\x01\n",
    "mkv": b"\x1a\x45\xdf\xa3\n",
    "mp4": b"\0\0\0\x10ftypisom\0\0\0\0\n",
    "quicktime": b"\0\0\0\x08moov\n",
    "ogg": b"OggS\n",
    "y4m": b"YUV4MPEG2 \n",
    "gif": b"GIF89a\n",
    "ps": b"\0\0\x01\xba\n",
    "ts": (b"\x47" + 187 * b"\n") * 5,
    "avi": b"RIFF\x10\0\0\0AVI \n",
    "mxf": b"\x06\x0e\x2b\x34\x02\x05\x01\x01\n",
    "h264": b"\0\0\0\x01\x67\n",
}


@pytest.mark.parametrize("start", STARTS)
def test_no_film_makes_ffmpeg_open_another(
    start: str, listening: socket.socket, tmp_path: Path, served: Served
) -> None:
    """Whatever a list begins with, it is refused, or read as the film that it says it is."""
    port = listening.getsockname()[1]
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    for kind, content in lists(f"http://{HOST}:{port}", secret).items():
        path = tmp_path / "given.mp4"
        path.write_bytes(STARTS[start] + content)
        if start == "nothing":
            assert failed(served, Part("file", path.read_bytes(), "film.mp4"))
        else:
            with suppress(UnreadableFilm):
                with opened(path) as container:
                    assert container.format.name not in ("hls", "concat", "sdp", "dash"), kind
                Film.probe(path)
    assert not was_called(listening)


@pytest.mark.parametrize(("start", "kind"), [("nut", "sdp"), ("flv", "m3u8"), ("ts", "ffconcat")])
def test_such_a_film_is_a_job_that_fails(
    start: str, kind: str, listening: socket.socket, tmp_path: Path, served: Served
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    content = lists(f"http://{HOST}:{listening.getsockname()[1]}", secret)[kind]
    sentence = failed(served, Part("file", STARTS[start] + content, "film.mp4"))
    assert sentence.startswith("film")
    assert SECRET not in sentence
    assert not was_called(listening)


def changed(data: bytes, atom: bytes, at: int, value: int) -> bytes:
    """An MP4 with another number in an atom."""
    place = data.index(atom) + 4 + at
    return data[:place] + struct.pack(">I", value) + data[place + 4 :]


@pytest.mark.parametrize("what", ["truncated", "frames", "samples", "pixels"])
def test_a_film_that_claims_too_much_fails(served: Served, tmp_path: Path, what: str) -> None:
    path = write_film(tmp_path / "a.mp4")
    data = path.read_bytes()
    data = {
        "truncated": lambda: data[: len(data) // 3],
        "frames": lambda: changed(data, b"stts", 8, 0x7FFFFFFF),
        "samples": lambda: changed(data, b"stsz", 8, 0x7FFFFFFF),
        "pixels": lambda: write_film(tmp_path / "b.mp4", size=(720, 1280)).read_bytes(),
    }[what]()
    answer = served.send_form("/v1/jobs", Part("file", data, "film.mp4"))
    job = served.until_ended(answer.json["id"])
    assert job["attempts"] == 1
    assert job["state"] == "failed" or what == "frames", job
    if job["error"]:
        assert str(served.data) not in job["error"]


# Zips


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def marked(data: bytes, flag: int) -> bytes:
    """A zip whose members carry a flag, in both of the places where it stands."""
    local, central = data.index(b"PK\3\4") + 6, data.index(b"PK\1\2") + 8
    changed = bytearray(data)
    changed[local] |= flag
    changed[central] |= flag
    return bytes(changed)


A_PICTURE = ("a.jpg", PICTURE)
HOSTILE_ZIPS = {
    "a name that leads up": zipped(("../evil.jpg", PICTURE)),
    "a name that leads up later": zipped(("a/../../evil.jpg", PICTURE)),
    "an absolute name": zipped(("/tmp/evil.jpg", PICTURE)),
    "a drive": zipped(("C:\\evil.jpg", PICTURE)),
    "a name with backslashes": zipped(("..\\evil.jpg", PICTURE)),
    "a long name": zipped((300 * "a" + ".jpg", PICTURE)),
    "a deep name": zipped((600 * "a/" + "a.jpg", PICTURE)),
    "a link": zipped(link("a.jpg", "/etc/passwd")),
    "a link and what goes through it": zipped(link("a", "/tmp"), ("a/evil.jpg", PICTURE)),
    "a name twice": zipped(A_PICTURE, A_PICTURE),
    "a file that is a folder": zipped(("a", b"x"), ("a/b.jpg", PICTURE)),
    "an encrypted file": marked(zipped(A_PICTURE), 1),
    "too many files": zipped(*((f"{i}.jpg", b"") for i in range(60))),
    "no files": zipped(),
    "no pictures": zipped(("a.txt", b"x"), ("b.svg", SVG)),
    "half of it": zipped(A_PICTURE)[:-40],
    "its head": b"PK\3\4" + b"\0" * 100,
    "damage": zipped(("a.png", pillow(grey8(), "PNG"))).replace(b"IDAT", b"XDAT"),
    "a bomb of pictures": zipped(("a.png", bomb(3000)), ("b.png", png(40_000, 40_000))),
}


@pytest.mark.parametrize("what", [name for name in HOSTILE_ZIPS if name != "a bomb of pictures"])
def test_a_hostile_zip_is_not_unpacked(tmp_path: Path, what: str) -> None:
    source, target = tmp_path / "given.zip", tmp_path / "in" / "here"
    target.parent.mkdir()
    source.write_bytes(HOSTILE_ZIPS[what])
    if what in ("no files", "no pictures"):  # which the job says
        unpack(source, target, LIMITS)
    else:
        with pytest.raises((UnreadableImage, UsageError)) as refusal:
            unpack(source, target, LIMITS)
        assert str(tmp_path) not in str(refusal.value)
        assert not target.exists()
    out = [path for path in tmp_path.rglob("*") if target.parent not in path.parents]
    assert set(out) == {source, target.parent}
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize(
    "what", ["a name that leads up", "a link", "a name twice", "no pictures", "its head"]
)
def test_a_hostile_zip_as_a_job(served: Served, what: str) -> None:
    assert failed(served, Part("file", HOSTILE_ZIPS[what], "a.zip"))


def test_a_zip_that_swells_is_stopped_where_the_limit_is(tmp_path: Path) -> None:
    source, target = tmp_path / "given.zip", tmp_path / "here"
    source.write_bytes(zipped(*((f"{i}.bmp", b"\0" * 4_000_000) for i in range(5))))
    assert source.stat().st_size < 100_000
    limits = replace(LIMITS, unzipped_bytes=10_000_000)
    with pytest.raises(UsageError, match="larger"):
        unpack(source, target, limits)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert written < 12_000_000


def test_a_zip_that_lies_about_its_size_is_counted_as_it_swells(tmp_path: Path) -> None:
    data = bytearray(zipped(("a.bmp", b"\0" * 4_000_000)))
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = data.index(mark) + at
        data[place : place + 4] = struct.pack("<I", 10)
    (tmp_path / "given.zip").write_bytes(data)
    with pytest.raises((UsageError, UnreadableImage)):
        unpack(tmp_path / "given.zip", tmp_path / "here", replace(LIMITS, unzipped_bytes=1000))


@pytest.mark.parametrize("comment", [b"", b"PK\5\6" + 30 * b"\0", b"PK\6\6" + 60 * b"\0"])
def test_a_long_table_of_contents_is_not_read(tmp_path: Path, comment: bytes) -> None:
    """A table of a gigabyte would be as many objects in memory, before any is counted."""
    data = zipped(*((f"{i:0200}.jpg", b"") for i in range(1000)))
    end = data.rindex(b"PK\5\6")
    closing = data[end : end + 20] + struct.pack("<H", len(comment)) + comment
    (tmp_path / "given.zip").write_bytes(data[:end] + closing)
    with pytest.raises(UsageError, match="table of contents"):
        unpack(tmp_path / "given.zip", tmp_path / "here", replace(LIMITS, zip_files=10))


def test_zips_of_usual_kinds_are_unpacked(tmp_path: Path) -> None:
    for number, method in enumerate((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
        source, target = tmp_path / f"{number}.zip", tmp_path / str(number)
        with zipfile.ZipFile(source, "w", method) as archive:
            archive.writestr("Fotos/Straße 1.jpg", PICTURE)
            archive.comment = b"made at home"
        unpack(source, target, LIMITS)
        assert (target / "Fotos" / "Straße 1.jpg").read_bytes() == PICTURE
        torn = bytearray(source.read_bytes())
        torn[80:140] = os.urandom(60)
        (tmp_path / "torn.zip").write_bytes(torn)
        with pytest.raises(TintypeError):
            unpack(tmp_path / "torn.zip", tmp_path / "torn", LIMITS)


def test_pictures_in_a_zip_that_are_bombs_are_named_and_left(served: Served) -> None:
    data = zipped(A_PICTURE, ("b.png", png(40_000, 40_000)), ("c.svg", SVG), ("d.jpg", SVG))
    job = served.until_ended(served.send_form("/v1/jobs", Part("file", data, "a.zip")).json["id"])
    assert job["state"] == "done", job
    result = served.ask("GET", job["links"]["result"])
    with zipfile.ZipFile(io.BytesIO(result.body)) as archive:
        told = archive.read("report.json").decode()
        assert str(served.data) not in told
        rows = {row["file"]: row["status"] for row in json.loads(told)}
    assert rows == {"a.jpg": "done", "b.png": "failed", "d.jpg": "failed"}


# Forms and JSON


A_FILE = Part("file", PICTURE, "a.jpg")
BAD_FIELDS = {
    "thousands of fields": [Part(f"f{i}", b"x") for i in range(3000)],
    "thousands of hints": [Part("hint", b"1,1,#ffffff") for _ in range(3000)],
    "more hints than are taken": [Part("hint", b"1,1,#ffffff") for _ in range(201)],
    "many files": [Part("file", PICTURE, "a.jpg") for _ in range(20)],
    "a file of another name": [Part("evil", PICTURE, "a.jpg")],
    "a long field": [Part("model", 100_000 * b"a")],
    "a field that is not known": [Part("references", b"/etc/passwd")],
    "not a number": [Part("strength", b"nan")],
    "no finite number": [Part("strength", b"inf")],
    "a number out of range": [Part("strength", b"1e308")],
    "a long number": [Part("quality", 4000 * b"9")],
    "a working size beyond measure": [Part("working_size", b"999999")],
    "a hint of no place": [Part("hint", b"nan,inf,#ffffff")],
    "a hint of no radius": [Part("hint", b"1,1,#ffffff,nan")],
    "a hint without colour": [Part("hint", b"1,1,javascript:alert(1)")],
    "a model by its path": [Part("model", b"/etc/passwd")],
    "a model by its path upwards": [Part("model", b"../../evil.onnx")],
    "a model by its address": [Part("model", b"http://127.0.0.1/evil.onnx")],
    "a model without a name": [Part("model", b"")],
    "a model of another machine": [Part("model", b"\\\\evil\\share\\a.onnx")],
    "confidence of a kind": [Part("confidence", b"perhaps")],
}


@pytest.mark.parametrize("what", BAD_FIELDS)
def test_hostile_fields_are_refused(served: Served, what: str) -> None:
    refused(served, ask(served, A_FILE, *BAD_FIELDS[what]))
    refused(served, served.send_form("/v1/jobs", A_FILE, *BAD_FIELDS[what]))


@pytest.mark.parametrize(
    "field",
    [
        Part("container", b"../../evil"),
        Part("container", b"/dev/null"),
        Part("codec", b"h264:/etc/passwd"),
        Part("preset", b"veryslow -y /tmp/evil"),
        Part("crf", b"-1"),
        Part("steady", b"nan"),
    ],
    ids=lambda field: field.name,
)
def test_hostile_ways_of_a_film_are_refused(served: Served, tmp_path: Path, field: Part) -> None:
    film = Part("file", write_film(tmp_path / "a.mp4").read_bytes(), "a.mp4")
    assert failed(served, film, field)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + 100_000 * b"A: b\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nx\r\n--x--"),
        ("multipart/form-data; boundary=x", 50_000 * b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n"),
        ("multipart/form-data; boundary=" + 5000 * "x", b"--x"),
        ("multipart/form-data; boundary=x; charset=utf-7", form(A_FILE)[0]),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/mixed; boundary=x", b"--x--"),
        ("application/x-www-form-urlencoded", 10_000 * b"a=b&"),
        ("text/xml", SVG),
        ("", PICTURE),
    ],
)
def test_broken_forms_are_refused(served: Served, kind: str, body: bytes) -> None:
    for path in ("/v1/colorize", "/v1/jobs"):
        refused(served, served.ask("POST", path, body, {"Content-Type": kind}))


PICTURE_TEXT = base64.b64encode(PICTURE).decode()
BAD_JSON = {
    "depth": 100_000 * b"[",
    "depth of objects": 50_000 * b'{"a":',
    "depth in a field": b'{"image": ' + 20_000 * b"[" + 20_000 * b"]" + b"}",
    "no object": b"[]",
    "null": b"null",
    "nothing": b"",
    "no UTF-8": b'{"image": "\xff\xfe"}',
    "lone halves": b'{"image": "\\ud800"}',
    "no base64": b'{"image": "\xc3\xa9"}',
    "an address": b'{"image": "http://127.0.0.1:9/a.jpg"}',
    "a file's address": b'{"image": "file:///etc/passwd"}',
    "a path": b'{"image": "/etc/passwd"}',
    "a number": b'{"image": 1}',
    "a long number": b'{"image": ' + 10_000 * b"9" + b"}",
}
BAD_OPTIONS = {
    "NaN": '{"strength": NaN}',
    "Infinity": '{"strength": Infinity}',
    "a large number": '{"strength": 1e999}',
    "a hint of no place": '{"hints": [{"x": NaN, "y": 1, "colour": "#ffffff"}]}',
    "many hints": json.dumps({"hints": 201 * [{"x": 1, "y": 1, "colour": "#ffffff"}]}),
    "references": '{"references": ["/etc/passwd"]}',
    "a model's path": '{"model": "/etc/passwd"}',
    "a model's address": '{"model": "https://127.0.0.1/a.onnx"}',
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_hostile_json_is_refused(served: Served, what: str) -> None:
    for path in ("/v1/colorize", "/colorized"):
        answer = served.ask("POST", path, BAD_JSON[what], {"Content-Type": "application/json"})
        refused(served, answer)


@pytest.mark.parametrize("what", BAD_OPTIONS)
def test_hostile_options_in_json_are_refused(served: Served, what: str) -> None:
    body = f'{{"image": "{PICTURE_TEXT}", "options": {BAD_OPTIONS[what]}}}'.encode()
    answer = served.ask("POST", "/v1/colorize", body, {"Content-Type": "application/json"})
    refused(served, answer)


def test_a_data_url_is_a_picture_and_no_address(served: Served) -> None:
    for head in ("data:image/jpeg;base64,", "http://127.0.0.1:9/,"):
        body = json.dumps({"image": head + PICTURE_TEXT}).encode()
        answer = served.ask("POST", "/colorized", body, {"Content-Type": "application/json"})
        assert answer.status == (200 if head.startswith("data") else 422)
