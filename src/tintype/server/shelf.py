"""The networks of a server: loaded when they are first asked for, and shared by all requests."""

from __future__ import annotations

import threading
from collections import OrderedDict

from tintype.engine import Colorizer
from tintype.errors import ModelNotFound
from tintype.zoo import Weights, list_models

_MOST = 3  # networks in memory at a time


class Shelf:
    """Loaded networks; safe to use from several threads.

    Args:
        default: the network that is used when none is named; may be an .onnx file.
        device: where networks run.
        threads: of each picture.
    """

    def __init__(self, default: str, device: str, threads: int) -> None:
        self.default = default
        self._device, self._threads = device, threads
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Colorizer] = OrderedDict()

    def get(self, name: str) -> Colorizer:
        """A network, ready to be used.

        Raises:
            ModelNotFound: clients may not use it, or its weights are not here. Nothing is fetched
                because a client asks for it.
        """
        if name != self.default:
            record = next((each for each in list_models() if each.name == name), None)
            if record is None:
                raise ModelNotFound(f'There is no model "{name[:80]}"; see /v1/models.')
            if not record.is_here:
                raise ModelNotFound(f'The weights of "{name}" are not on this server.')
        with self._lock:
            if name not in self._loaded:
                while len(self._loaded) >= _MOST:
                    self._loaded.popitem(last=False)
                self._loaded[name] = Colorizer.load(name, self._device, self._threads)
            self._loaded.move_to_end(name)
            return self._loaded[name]

    def takes_hints(self, name: str) -> bool | None:
        """Whether a network takes hints; None when it is not loaded."""
        loaded = self._loaded.get(name)  # without the lock, which is held while a network loads
        return None if loaded is None else loaded.guided

    def offered(self) -> list[Weights]:
        """What clients may name, the default first; not what nobody can get by its name."""
        known = [each for each in list_models() if each.file or each.url or each.checkpoint]
        return sorted(known, key=lambda each: each.name != self.default)
