"""How several processes train one network: each computes a part of every batch (``torchrun``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Processes:
    """Who computes.

    Attributes:
        rank: this process's number.
        count: how many there are.
        device: where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def rows(self, batch: int) -> range:
        """The rows of a batch that are this process's; all get as many, as far as it divides."""
        return range(self.rank * batch // self.count, (self.rank + 1) * batch // self.count)

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            dist.barrier()

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give all processes the mean of their gradients, in one exchange."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.count == 1 or not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        parts = torch.split(flat / self.count, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average_terms(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """The mean of named numbers over all processes, which have the same names."""
        if self.count == 1:
            return terms
        values = torch.stack([value.float() for value in terms.values()])
        dist.all_reduce(values)
        return dict(zip(terms, values / self.count, strict=True))

    def agree_on(self, values: list[int]) -> list[int]:
        """The first process's numbers, in all."""
        if self.count == 1:
            return values
        shared = torch.tensor(values, dtype=torch.int64, device=self.device)
        dist.broadcast(shared, 0)
        return [int(value) for value in shared]


@contextmanager
def processes() -> Iterator[Processes]:
    """Join the other processes that ``torchrun`` started, if it did; leave them at the end."""
    several = dist.is_available() and dist.is_torchelastic_launched()
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", dist.get_node_local_rank(0) if several else 0)
        torch.cuda.set_device(device)
    if not several:
        yield Processes(0, 1, device)
        return
    backend = "gloo" if device.type == "cpu" else "nccl"
    dist.init_process_group(backend, timeout=timedelta(hours=12))  # the first decodes, all wait
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()
