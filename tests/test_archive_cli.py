"""What the commands say: plan, status, retry; and what they say without their extra."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from archive_samples import here, order_for, run, write_jpegs
from conftest import grey_pixels
from tintype.archive import records
from tintype.archive.cluster import Pool
from tintype.archive.places import place_of
from tintype.archive.sample import Estimate, Machines, Prospect
from tintype.archive.status import status_of
from tintype.cli import main
from tintype.cli.archive import completed
from tintype.errors import UsageError


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "started", lambda self: here())


def test_run_status_and_retry(
    tmp_path: Path, tiny_sure_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jpegs(tmp_path / "scans", 6)
    (tmp_path / "scans/empty.jpg").touch()
    (tmp_path / "scans/words.jpg").write_text("words, words, words")
    scans, out = str(tmp_path / "scans"), str(tmp_path / "out")
    assert main(["archive", "run", scans, out, "--model", str(tiny_sure_model)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "6 coloured, 2 failed; the ledger has 8 scans.\n"
    assert main(["archive", "status", out, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["scans"], status["done"], status["failed"]) == (8, 6, 2)
    assert status["errors"] == {"empty": 1, "unreadable": 1}
    assert (status["working"], status["left"]) == (None, 0)
    assert main(["archive", "status", out]) == 0
    text = capsys.readouterr().out
    assert "unreadable        1" in text
    assert "finished" in text
    (tmp_path / "scans/empty.jpg").unlink()
    write_jpegs(tmp_path / "scans", 1)[0].rename(tmp_path / "scans/empty.jpg")
    assert main(["archive", "retry", out, "--kind", "empty"]) == 0
    assert capsys.readouterr().err == "1 coloured; the ledger has 8 scans.\n"


def test_status_of_a_run_that_works(tmp_path: Path, tiny_model: Path) -> None:
    write_jpegs(tmp_path / "scans", 4)
    out = place_of(str(tmp_path / "out"))
    runner = run(order_for(tmp_path / "scans", tmp_path / "out", tiny_model))
    records.write_listed(out, runner.id, records.Listed(100, 100, whole=True))
    (record,) = records.runs_of(out)
    assert status_of(out).left == 0
    records.write_run(out, records.Run(**{**vars(record), "finished_at": ""}))
    status = status_of(out)
    assert (status.left, status.left_s, status.working) == (96, None, None)
    from tintype.archive import lease

    with lease.held(out, runner.id):
        status = status_of(out)
    assert status.working is not None
    assert status.rate is not None
    assert status.left_s == pytest.approx(96 / status.rate)


def test_tiles_and_a_report(
    tmp_path: Path, tiny_sure_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jpegs(tmp_path / "scans", 2)
    (tmp_path / "scans/words.jpg").write_text("words, words, words")
    pages = [Image.fromarray(grey_pixels(60, 80, seed)) for seed in range(2)]
    pages[0].save(tmp_path / "scans/two pages.tif", save_all=True, append_images=pages[1:])
    scans, out = str(tmp_path / "scans"), tmp_path / "out"
    command = ["archive", "run", scans, str(out), "--model", str(tiny_sure_model)]
    tiles = ["--tiles", "iiif", "--tiles-at", "https://example.org/iiif"]
    assert main([*command, *tiles]) == 1
    keys = [path.relative_to(out).as_posix() for path in out.rglob("*.jpg")]
    single = next(key for key in keys if not key.startswith("_"))
    info = json.loads((out / "_tiles" / single / "info.json").read_text())
    assert info["id"] == f"https://example.org/iiif/{quote(single)}"
    for page in (1, 2):
        told = json.loads((out / f"_tiles/two pages.tif/{page}/info.json").read_text())
        assert told["id"] == f"https://example.org/iiif/two%20pages.tif/{page}"
        assert (told["width"], told["height"]) == (80, 60)
    capsys.readouterr()
    assert main([*command, *tiles]) == 0  # the tiles are no scans
    assert capsys.readouterr().err == "0 coloured; the ledger has 4 scans.\n"
    target = tmp_path / "report.html"
    assert main(["archive", "report", str(out), "-o", str(target)]) == 0
    page = target.read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") >= 6
    assert "two pages.tif" in page
    assert "words.jpg" in page
    assert main([*command, "--tiles", "iiif", "--tiles-at", "nowhere"]) == 2
    assert "cannot be the identifier of tiles" in capsys.readouterr().err


def test_a_folder_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("status", "retry", "report"):
        assert main(["archive", command, str(tmp_path)]) == 2
        assert "No archive run has been in" in capsys.readouterr().err


def test_plan(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans = tmp_path / "scans"
    write_jpegs(scans, 30)
    command = ["archive", "plan", str(scans), "--model", str(tiny_model), "--sample", "10"]
    assert main([*command, "--machines", "1", "--machines", "10x32", "--price", "2", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["scans"], plan["sampled"], plan["failed"]) == (30, 10, 0)
    assert plan["source_bytes"] == sum(path.stat().st_size for path in scans.rglob("*.jpg"))
    for each in (plan["core_seconds"], plan["result_bytes"], plan["machines"][0]["hours"]):
        assert 0 < each["low"] <= each["likely"] <= each["high"]
    one, many = plan["machines"]
    assert (many["count"], many["cores"]) == (10, 32)
    start = plan["start_seconds"] / 3600
    assert (one["hours"]["likely"] - start) / (many["hours"]["likely"] - start) == pytest.approx(
        320, rel=1e-6
    )
    assert one["cost"]["likely"] == pytest.approx(2 * one["machine_hours"]["likely"])
    assert main([*command, "--machines", "1"]) == 0
    text = capsys.readouterr().out
    assert "1 × 1 cores" in text
    assert "machine-hours" in text


def test_plan_is_near_what_the_run_then_makes(tmp_path: Path, tiny_model: Path) -> None:
    """Storage, which does not hang on how busy this machine is."""
    import time

    from archive_samples import rows_of
    from tintype.archive.sample import Sampler

    scans = tmp_path / "scans"
    write_jpegs(scans, 40)
    write_jpegs(scans / "large", 20, 200)
    order = order_for(scans, tmp_path / "out", tiny_model)
    sampler = Sampler(order, here, time.time, 30)
    list(sampler.measure())
    assert not (tmp_path / "out").exists()
    run(order)
    made = sum(int(str(row["result_bytes"])) for row in rows_of(tmp_path / "out").values())
    assert sampler.prospect is not None
    assert sampler.prospect.result_bytes.likely == pytest.approx(made, rel=0.2)


def test_more_machines_take_less_time() -> None:
    some = Estimate(3600.0, 7200.0, 10800.0)
    prospect = Prospect(1000, None, 10, 0, 2, 36.0, some, some)
    assert prospect.hours(Machines(1, 2)) == Estimate(0.51, 1.01, 1.51)
    assert prospect.hours(Machines(10, 4)).likely == pytest.approx(7200 / 40 / 3600 + 0.01)


@pytest.mark.parametrize("text", ["0", "x", "3x", "1x0", "-1", "2x2x2"])
def test_machines_are_written_one_way(text: str) -> None:
    with pytest.raises(UsageError, match="COUNT or COUNTxCORES"):
        Machines.parse(text, 2)


def test_addresses_mean_the_same_everywhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert completed("scans") == str(tmp_path / "scans")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    assert completed("s3://b/k") == "s3://b/k"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    wanted = "endpoint_override=127.0.0.1:9000&scheme=http"
    assert completed("s3://b/k") == f"s3://b/k?{wanted}"
    assert completed("s3://b/k?region=x") == f"s3://b/k?region=x&{wanted}"
    assert completed(f"s3://b?{wanted}") == f"s3://b?{wanted}"
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT", raising=False)
    with pytest.raises(UsageError, match="AZURE_STORAGE_ACCOUNT"):
        completed("az://c/k")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "acc")
    assert completed("az://c/k") == "az://c@acc.dfs.core.windows.net/k"
    assert place_of(completed("az://c/k")).local is None


@pytest.mark.parametrize("missing", ["ray", "pyarrow"])
def test_without_the_extra(missing: str, tmp_path: Path, tiny_model: Path) -> None:
    write_jpegs(tmp_path / "scans", 1)
    program = f"""
import sys
sys.modules[{missing!r}] = None
from tintype.cli import main
sys.exit(main(["archive", "run", {str(tmp_path / "scans")!r}, {str(tmp_path / "out")!r},
               "--model", {str(tiny_model)!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        'tintype: An archive needs an optional package: pip install "tintype[cluster]"\n'
    )
