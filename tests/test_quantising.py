"""Int8 graphs: smaller, near the exact colours, made whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import GreyWriter, grey_pixels
from tintype.errors import UsageError
from tintype.quantising import quantise, views_of
from tintype.runtime import Session
from tintype.zoo import graph_file


def test_views_are_what_the_engine_sees(tmp_path: Path, write_grey: GreyWriter) -> None:
    for number in range(3):
        write_grey(tmp_path / f"{number}.png", seed=number)
    views = list(views_of(tmp_path, 2, 64))
    assert [view["L"].shape for view in views] == [(1, 1, 64, 64)] * 2
    assert all(0 <= view["L"].min() < view["L"].max() <= 100 for view in views)
    assert all(view["L"].dtype == np.float32 for view in views)


def test_colours_stay_near(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    exact = graph_file("tintype")
    L = (grey_pixels(64, 64, seed=4) / np.float32(2.55))[None, None]
    int8 = quantise(exact, tmp_path / "new" / "int8.onnx", [{"L": L.astype(np.float32)}] * 2)
    assert int8.stat().st_size < 0.7 * exact.stat().st_size  # what follows hints is fp16
    sessions = [Session(path, device="cpu", threads=1) for path in (exact, int8)]
    assert sessions[0].metadata.items() <= sessions[1].metadata.items()
    colours, rounded = (session.run(L.astype(np.float32)).ab for session in sessions)
    assert np.abs(colours).mean() > 3
    assert np.abs(colours - rounded).mean() < 0.35 * np.abs(colours).mean()


def test_what_is_no_graph_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    broken, target = tmp_path / "broken.onnx", tmp_path / "int8.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(UsageError, match=r"broken\.onnx cannot be quantised"):
        quantise(broken, target, iter(()))
    assert {path.name for path in tmp_path.iterdir()} == {"broken.onnx"}
