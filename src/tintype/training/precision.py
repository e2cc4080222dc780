"""Which precision the forward pass runs at on the machine at hand."""

from __future__ import annotations

from functools import cache

import torch


@cache
def has_bf16(device_type: str) -> bool:
    """Whether a kind of device computes in bfloat16 itself.

    A processor without such instructions imitates them about ten times slower than float32.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type == "cpu":
        return any(has for name, has in torch.cpu.get_capabilities().items() if "bf16" in name)
    return True


def autocast(device_type: str, bf16: bool = True) -> torch.autocast:
    """A context in which networks compute in bfloat16, if that is wanted and the device has it."""
    return torch.autocast(device_type, torch.bfloat16, bf16 and has_bf16(device_type))
