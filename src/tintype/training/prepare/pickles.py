"""What a pickle of arrays holds, read without running what it says.

Unpickling calls whatever the file names, which makes a pickle a program. CIFAR-10 exists as
pickles only. Here such a file can name nothing but the few functions by which NumPy 1 and 2 store
an array, and even these are stood in for: none of NumPy's own reconstruction sees the file.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.errors import UsageError

# What unpickling may raise on hostile or damaged bytes, by the documentation of pickle.
_TROUBLE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def unpickle(path: Path) -> object:
    """Read a pickle of dicts, lists, tuples, strings, bytes, numbers and :class:`StoredArray`.

    Strings of Python 2 come as bytes.

    Raises:
        UsageError: the file cannot be read, is damaged, or asks for anything else.
    """
    try:
        return _Unpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except _RefusedError as refused:
        raise UsageError(
            f"{path} is refused: it asks for {refused}, which no batch of pictures needs; "
            "such a file can be made to take over the computer that reads it."
        ) from refused
    except (OSError, *_TROUBLE) as error:
        raise UsageError(f"{path} cannot be read: it is truncated or damaged.") from error


class StoredArray:
    """An array of the pickle.

    Attributes:
        pixels: uint8; empty until the pickle has filled it.
    """

    pixels: NDArray[np.uint8] = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[object, tuple[int, ...], object, bool, bytes]) -> None:
        """What ``numpy.ndarray`` takes: version, shape, dtype, whether in Fortran's order, data."""
        _, shape, _, fortran, data = state
        # Whatever these are in truth: NumPy raises when they do not go together.
        flat = np.frombuffer(memoryview(data), np.uint8)
        self.pixels = flat.reshape(shape, order="F" if fortran else "C")


class _Byte:
    """Stands for the dtype uint8; its own state says nothing more of a type of one byte."""

    def __setstate__(self, state: object) -> None: ...


class _RefusedError(pickle.UnpicklingError):
    """The pickle names something that is not admitted."""


class _Unpickler(pickle.Unpickler):
    # Bound methods are handed out, since a pickle can set attributes of what it is given.

    def find_class(self, module: str, name: str) -> Callable[..., object] | str:
        """The stand-in of what the pickle names, if it is admitted."""
        match module.replace("numpy._core", "numpy.core", 1), name:
            case "numpy", "ndarray":
                return "ndarray"
            case "numpy", "dtype":
                return self._dtype
            case "numpy.core.multiarray", "_reconstruct":
                return self._array
            case "numpy.core.numeric", "_frombuffer":
                return self._array_of
            case "_codecs", "encode":
                return self._latin_bytes
        raise _RefusedError(f"{module}.{name}")

    def _dtype(self, code: str | bytes, *_: object) -> _Byte:
        if code not in ("u1", b"u1"):
            raise _RefusedError(f"an array of {code!r}")
        return _Byte()

    def _array(self, *_: object) -> StoredArray:
        return StoredArray()

    def _array_of(self, data: bytes, _: object, shape: tuple[int, ...], order: str) -> StoredArray:
        array = StoredArray()
        array.__setstate__((1, shape, None, order == "F", data))
        return array

    def _latin_bytes(self, text: str, encoding: str) -> bytes:
        """How Python 3 stores bytes in protocol 2."""
        if encoding != "latin1":
            raise _RefusedError("a codec")
        return text.encode("latin1")
