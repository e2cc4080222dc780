"""Which networks exist: the table from architecture names to what builds them.

Every network is a ``torch.nn.Module`` with two faces. ``forward(L)`` gives what its training task
needs; ``predict_ab(L)`` is the contract of the engine: L (N,1,H,W) float32 in [0,100] to ab
(N,2,h,w), h = H / ab_stride.
"""

from __future__ import annotations

from collections.abc import Callable

from tintype.errors import ModelNotFound
from tintype.models.tintype import Tintype, TintypeConfig

ARCHITECTURES: dict[str, tuple[Callable[[TintypeConfig], Tintype], type[TintypeConfig]]] = {
    "tintype": (Tintype, TintypeConfig),
}
"""Architecture name to (network class, its options)."""


def build(name: str, options: dict[str, object]) -> Tintype:
    """Build a network with fresh weights.

    Args:
        name: a key of ``ARCHITECTURES``.
        options: fields of its options class that differ from the defaults.

    Raises:
        ModelNotFound: when there is no such architecture.
        TypeError: when an option does not exist.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelNotFound(f"There is no architecture '{name}'; known are: {known}.")
    network, config = ARCHITECTURES[name]
    return network(config(**options))  # type: ignore[arg-type]
