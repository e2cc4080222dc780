"""What is listed, what is refused, and how a poisoned list ends: with a row for each scan."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archive_samples import order_for, rows_of, run, write_jpegs
from conftest import GreyWriter, files
from tintype.archive.keys import result_key
from tintype.archive.known import Recipe, known_of, present_of
from tintype.archive.listing import Source
from tintype.archive.places import place_of
from tintype.archive.todo import Todo
from tintype.errors import UsageError

ODD = (
    "with blank.png",
    "line\nend.png",
    "größe-日本.png",
    'comma,quote".png',
    "-o.png",
    "a%20b.png",
)


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("./a.jpg", "a.jpg"),
        ("/data/a.jpg", "data/a.jpg"),
        ("s3://bucket/k/a.jpg", "bucket/k/a.jpg"),
        ("file:///data/a.jpg", "data/a.jpg"),
        ("..a.jpg", "..a.jpg"),
    ],
)
def test_where_a_result_goes(source: str, key: str) -> None:
    assert result_key(source) == key


@pytest.mark.parametrize(
    "source",
    [
        "../a.jpg",
        "a/../../b.jpg",
        "s3://bucket/../x.jpg",
        "/../etc/passwd",
        "a/..",
        "",
        "/",
        "a//b.jpg",
        "a/./b.jpg",
        "a\0.jpg",
        "_tintype/ledger/x.jpg",
        "_tiles/x.jpg",
        "folder/",
    ],
)
def test_what_would_lead_out_of_dest_is_refused(source: str) -> None:
    with pytest.raises(UsageError):
        result_key(source)


def test_odd_names_in_a_folder(tmp_path: Path, tiny_model: Path, write_grey: GreyWriter) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    for name in ODD:
        write_grey(scans / name)
    write_grey(scans / ".hidden.png")
    raw = os.fsencode(scans) + b"/caf\xe9.png"
    with open(raw, "wb") as file:
        file.write((scans / ODD[0]).read_bytes())
    (scans / "loop").symlink_to(scans)
    (scans / "circle.png").symlink_to(scans / "circle.png")
    tally = run(order_for(scans, out, tiny_model)).tally
    assert (tally.done, tally.failed) == (len(ODD) + 2, 2)
    rows = rows_of(out)
    assert set(rows) == {*ODD, "caf\\udce9.png", "circle.png"}
    assert rows["caf\\udce9.png"]["error_kind"] == "key"
    assert {name for name in files(out) if not name.startswith("_tintype")} == set(ODD)


def bomb() -> bytes:
    """A PNG that says it has 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(60_001) * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


POISON = [
    ("good", "good.png", None),
    ("odd", ODD[1], None),
    ("far", "{abs}/far.png", None),
    ("missing", "nowhere.png", "missing"),
    ("folder", "sub", "missing"),
    ("empty", "empty.png", "empty"),
    ("bomb", "bomb.png", "large"),
    ("cut", "cut.png", "damaged"),
    ("words", "words.png", "unreadable"),
    ("escape", "../../outside.png", "key"),
    ("own", "_tintype/x.png", "key"),
    ("into", "{abs}/out/x.png", "key"),
    ("good", "other.png", "duplicate"),
    ("again", "good.png", "duplicate"),
]


def poisoned(tmp_path: Path, write_grey: GreyWriter) -> list[dict[str, str]]:
    good = write_grey(tmp_path / "good.png", 200, 200)
    for name in (ODD[1], "other.png", "far.png", "out/x.png"):
        write_grey(tmp_path / name)
    write_grey(tmp_path.parent / "outside.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "bomb.png").write_bytes(bomb())
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:9000])
    (tmp_path / "words.png").write_text("only words")
    lines = [{"path": path.format(abs=tmp_path), "id": id} for id, path, _ in POISON]
    return [*lines, lines[0]]  # and the very same line once more


def as_list(kind: str, lines: list[dict[str, str]], folder: Path) -> Path:
    path = folder / f"list.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(lines), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    else:
        import csv

        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["path", "id"])
            writer.writeheader()
            writer.writerows(lines)
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_poisoned_list(
    kind: str, tmp_path: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    lines = poisoned(tmp_path, write_grey)
    listed = as_list(kind, lines, tmp_path)
    out = tmp_path / "results"
    # Into a DEST in which a line's file lies: nothing of it may be replaced.
    order = order_for(listed, out, tiny_model)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    (out).mkdir()
    tally = run(order_for(listed, tmp_path / "out2", tiny_model)).tally
    assert tally.done == len(POISON)
    assert {path: path.read_bytes() for path in before} == before
    tally = run(order).tally
    found = {key: row["error_kind"] for key, row in rows_of(out).items()}
    wanted = {id: kind for id, _, kind in POISON if (id, kind) != ("good", "duplicate")}
    wanted["good @ other.png"] = "duplicate"
    wanted["into"] = None  # DEST is another folder here
    assert found == wanted
    assert run(order).tally.done == 0


def test_an_address_that_leads_nowhere_harms_its_own_line(
    tmp_path: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    write_grey(tmp_path / "a.png")
    wrong = ["https://example.org/b.png", "s3:///c.png", "az://box/d.png"]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["path", *wrong, "a.png"]) + "\n")
    order = order_for(listed, tmp_path / "out", tiny_model)
    assert run(order).tally.done == 4
    rows = rows_of(tmp_path / "out")
    assert {key for key, row in rows.items() if row["error_kind"] == "key"} >= set(wrong[:2])
    assert rows["a.png"]["error"] is None
    assert run(order).tally.done == 0


def test_a_scan_in_dest_is_refused(
    tmp_path: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    write_grey(tmp_path / "a.png")
    out = tmp_path / "out"
    listed = as_list("csv", [{"path": "a.png", "id": ""}], tmp_path)
    run(order_for(listed, out, tiny_model))
    theirs = (out / "a.png").read_bytes()
    listed.write_text("path\na.png\nout/a.png\n")
    run(order_for(listed, out, tiny_model))
    assert rows_of(out)["out/a.png"]["error_kind"] == "key"
    assert (out / "a.png").read_bytes() == theirs


def test_lines_that_cannot_be_read(
    tmp_path: Path, tiny_model: Path, write_grey: GreyWriter
) -> None:
    write_grey(tmp_path / "a.png")
    (tmp_path / "list.jsonl").write_bytes(
        b'{"path": "a.png"}\nnot json\n[1]\n\n{"id": "x"}\n\xff\n'
    )
    run(order_for(tmp_path / "list.jsonl", tmp_path / "out", tiny_model))
    kinds = {key: row["error_kind"] for key, row in rows_of(tmp_path / "out").items()}
    assert kinds == {
        "a.png": None,
        "line 2": "list",
        "line 3": "list",
        "line 5": "list",
        "line 6": "list",
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.csv", None), ("bad.csv", b"name\nx\n"), ("bad.parquet", b"nothing"), ("e.csv", b"")],
)
def test_what_is_no_list(
    name: str, content: bytes | None, tmp_path: Path, tiny_model: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="list"):
        run(order_for(tmp_path / name, tmp_path / "out", tiny_model))


def test_a_list_is_done_again_where_a_scan_changed(tmp_path: Path, tiny_model: Path) -> None:
    paths = write_jpegs(tmp_path / "scans", 3)
    listed = tmp_path / "list.csv"
    listed.write_text("path\n" + "".join(f'"{path}"\n' for path in paths))
    order = order_for(listed, tmp_path / "out", tiny_model)
    assert run(order).tally.done == 3
    os.utime(paths[1])
    assert run(order).tally.done == 1


def test_jobs_grow(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\n" + "".join(f"{n}.jpg\n" for n in range(5000)))
    source = Source(str(tmp_path / "list.csv"), str(tmp_path / "out"))
    nothing = known_of(place_of(source.dest), present_of(()))
    sizes = [len(job) for job in Todo(source, nothing, Recipe("m", "s", "{}"))]
    assert sum(sizes) == 5000
    assert sizes[0] == 4
    assert sizes[:-1] == sorted(sizes[:-1])
