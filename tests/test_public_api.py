from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tintype

PUBLIC = [
    "AlreadyColour",
    "ChecksumMismatch",
    "Colorizer",
    "DeviceUnavailable",
    "Film",
    "FilmFrame",
    "Hint",
    "MissingExtra",
    "ModelInvalid",
    "ModelNotFound",
    "Options",
    "Prediction",
    "Report",
    "TintypeError",
    "TrainingError",
    "UnreadableFilm",
    "UnreadableImage",
    "UnwritableFilm",
    "UnwritableImage",
    "UsageError",
    "Weights",
    "colorize",
    "list_models",
]


def test_all_is_what_was_promised() -> None:
    assert tintype.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(tintype))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    thing = getattr(tintype, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing) and not issubclass(thing, Exception):
        for method, value in inspect.getmembers(thing):
            if not method.startswith("_") and callable(value):
                assert inspect.getdoc(value), f"{name}.{method}"


def test_every_error_has_one_base() -> None:
    errors = [getattr(tintype, name) for name in PUBLIC]
    errors = [e for e in errors if inspect.isclass(e) and issubclass(e, Exception)]
    assert len(errors) == 13
    assert all(issubclass(error, tintype.TintypeError) for error in errors)


def test_every_field_of_a_public_record_is_documented() -> None:
    for name in ("Hint", "Options", "Report", "Prediction", "Weights"):
        record = getattr(tintype, name)
        source = inspect.getsource(record)
        fields = list(record.__dataclass_fields__)
        assert source.count('"""') // 2 >= len(fields) + 1, name


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'colourise'"):
        tintype.colourise  # type: ignore[attr-defined]  # noqa: B018


def test_import_is_light() -> None:
    program = (
        "import sys, tintype; heavy = {'numpy', 'pyvips', 'onnxruntime', 'PIL', 'torch'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "tintype.Options(); tintype.list_models();"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_colorizing_imports_neither_torch_nor_pil(tiny_model: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; import numpy as np, tintype;"
        "tintype.Colorizer.load(sys.argv[1]).colorize(np.zeros((9, 9), np.uint8));"
        "assert 'PIL' not in sys.modules; assert 'skimage' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tiny_model)], check=True)


def test_the_one_liner(tiny_model: Path) -> None:
    options = tintype.Options(model=str(tiny_model))
    grey = np.full((40, 50), 128, np.uint8)
    once, again = tintype.colorize(grey, options), tintype.colorize(grey, options)
    assert once.shape == (40, 50, 3)
    np.testing.assert_array_equal(once, again)
