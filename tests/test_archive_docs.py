"""docs/scale.md: its queries run, its tables are those of the code, its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from archive_samples import order_for, run, write_jpegs
from tintype.archive.ledger import SCHEMA
from tintype.cli.archive import archive

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
SOURCES = "".join(path.read_text() for path in (ROOT / "src/tintype/archive").glob("*.py"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def first_cells(head: str) -> list[str]:
    """The names in the first column of a table."""
    table = PAGE.partition(f"\n{head}\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [name for line in table for name in re.findall(r"`(\w+)`", line.split("|")[1])]


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory, tiny_sure_model: Path) -> Path:
    """A folder in which an archive lies in ``coloured``."""
    folder = tmp_path_factory.mktemp("docs")
    write_jpegs(folder / "scans", 6)
    (folder / "scans/empty.jpg").touch()
    run(order_for(folder / "scans", folder / "coloured", tiny_sure_model))
    return folder


def test_the_queries_run(coloured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(coloured)
    failed, first = (duckdb.sql(text).fetchall() for text in blocks("sql"))
    assert [row[:3] for row in failed] == [("empty", 1, "empty.jpg")]
    assert len(first) == 6
    assert [row[1] for row in first] == sorted(row[1] for row in first)


@pytest.mark.filterwarnings("ignore")
def test_pandas_opens_it(
    coloured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(coloured)
    (program,) = blocks("python")
    exec(program, {})
    assert "worker" in capsys.readouterr().out


def test_the_columns_are_those_of_the_ledger() -> None:
    assert first_cells("| column | |") == SCHEMA.names


def test_the_kinds_are_those_of_the_code() -> None:
    for kind in first_cells("| `error_kind` | |"):
        assert f'"{kind}"' in SOURCES


def test_the_commands_are_taken() -> None:
    for line in "\n".join(blocks("sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:2] == ["tintype", "archive"]:
            command = archive.commands[words[2]]
            command.make_context(words[2], words[3:], resilient_parsing=False)
            assert isinstance(command, click.Command)


def test_the_manifest_is_a_rayjob() -> None:
    (text,) = blocks("yaml")
    job = yaml.safe_load(text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:3] == ["tintype", "archive", "run"]
    archive.commands["run"].make_context("run", words[3:])
    groups = job["spec"]["rayClusterSpec"]
    for group in (groups["headGroupSpec"], *groups["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["requests"]
    pinned = (ROOT / "constraints.txt").read_text()
    assert f"ray=={groups['rayVersion']}\n" in pinned
