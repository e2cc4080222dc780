"""What a pickle of arrays holds, read without running what it says.

Unpickling calls whatever the file names, which makes a pickle a program. CIFAR-10 exists as
pickles only. Here such a file can name nothing but the few functions by which NumPy 1 and 2 store
an array, and even these are stood in for: none of NumPy's own reconstruction sees the file.
"""

from __future__ import annotations

import io
import math
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
    ImportError,
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
        pixels: uint8, read-only; empty until the pickle has filled it.
    """

    pixels: NDArray[np.uint8] = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        """What ``numpy.ndarray`` takes: version, shape, dtype, whether in Fortran's order, data."""
        _, shape, kind, fortran, data = state
        self.pixels = _filled(data, kind, shape, "F" if fortran else "C")


class _StoredType:
    """Stands for the dtype uint8; its own state says nothing more of a type of one byte."""

    def __setstate__(self, state: object) -> None:
        pass


class _RefusedError(pickle.UnpicklingError):
    """The pickle names something that is not admitted."""


def _filled(data: object, kind: object, shape: object, order: object) -> NDArray[np.uint8]:
    if not isinstance(kind, _StoredType) or not isinstance(data, (bytes, bytearray)):
        raise _RefusedError("an array of objects")
    sides = [int(side) for side in shape] if isinstance(shape, tuple) else []
    if math.prod(sides) != len(data):
        raise ValueError("the data do not fill the shape")
    return np.frombuffer(bytes(data), np.uint8).reshape(sides, order="F" if order == "F" else "C")


class _Unpickler(pickle.Unpickler):
    # Bound methods are handed out, since a pickle can set attributes of what it is given.

    def find_class(self, module: str, name: str) -> Callable[..., object] | str:
        """The stand-in of what the pickle names, if it is admitted."""
        place = module.replace("numpy._core", "numpy.core", 1)
        match place, name:
            case "numpy", "ndarray":
                return "ndarray"
            case "numpy", "dtype":
                return self._type
            case "numpy.core.multiarray", "_reconstruct":
                return self._array
            case "numpy.core.numeric", "_frombuffer":
                return self._array_of_buffer
            case "_codecs", "encode":
                return self._latin_bytes
        raise _RefusedError(f"{module}.{name}")

    def _type(self, code: str | bytes, *_: object) -> _StoredType:
        if code not in ("u1", b"u1"):
            raise _RefusedError(f"an array of {code!r}")
        return _StoredType()

    def _array(self, *_: object) -> StoredArray:
        return StoredArray()

    def _array_of_buffer(
        self, data: object, kind: object, shape: object, order: object
    ) -> StoredArray:
        array = StoredArray()
        array.pixels = _filled(data, kind, shape, order)
        return array

    def _latin_bytes(self, text: object, encoding: object) -> bytes:
        """How Python 3 stores bytes in protocol 2."""
        if not isinstance(text, str) or encoding != "latin1":
            raise _RefusedError("a codec")
        return text.encode("latin1")
