"""Imports point down only, and colorizing works where torch does not exist."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tintype"
MODULES = sorted(SOURCE.rglob("*.py"))
NEEDS_TORCH = ("tintype.models", "tintype.training", "tintype.export", "tintype.published")


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_everything_but_the_workshop_imports_without_torch() -> None:
    names = [module_name(p) for p in MODULES if not module_name(p).startswith(NEEDS_TORCH)]
    names = [name for name in names if not name.endswith("__main__")]
    assert "tintype.engine" in names
    assert "tintype.cli.train" in names
    code = f"""
import importlib, sys
sys.modules["torch"] = None  # import torch raises ImportError
for name in {names!r}:
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_only_faces_exit_and_read_the_environment(path: Path) -> None:
    if path.is_relative_to(SOURCE / "cli") or path.is_relative_to(SOURCE / "server"):
        return
    found = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    # zoo.cache_directory is the one rule of the environment that the library itself has, and
    # libvips and ONNX Runtime are told by it what to block.
    assert not found & {"sys.exit", "os._exit"}
    if module_name(path) != "tintype.zoo":
        assert "os.getenv" not in found
        reads = {"os.environ.get", "os.environ.__getitem__"} & found
        assert not reads


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_files_stay_readable(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    if path.name != "__init__.py" or lines:
        assert lines[0].startswith('"""')
