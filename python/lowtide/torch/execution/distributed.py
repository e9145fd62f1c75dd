"""Data-parallel steps: gradients averaged over the ranks inside the planned graph.

DistributedDataParallel communicates from hooks, which a trace does not see. Here the same buckets become
all-reduce nodes of the step: the order solver may start and wait for them anywhere, as long as all ranks
start them in one order (a chain in the graph). Rank 0 plans and broadcasts the order; every rank checks
that its graph and its order are rank 0's.

All ranks must see batches of the same shapes, step by step (a sampler with drop_last does that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch.fx.experimental.proxy_tensor import get_proxy_mode, get_proxy_slot

from lowtide.torch.arena.record import outside
from lowtide.torch.cache import content_key
from lowtide.torch.tracing.recipe import Gradients

# DistributedDataParallel's own, so that sums are formed in the same order and with the same rounding.
FIRST_BUCKET_BYTES = 1 << 20
BUCKET_BYTES = 25 << 20


class DisagreementError(RuntimeError):
    """Ranks have different graphs or orders: another batch shape, model or version on one of them."""


_operators = torch.library.Library("lowtide", "DEF")
_operators.define("bucket(Tensor like, int numel) -> Tensor")


@torch.library.impl(_operators, "bucket", "CompositeExplicitAutograd")
def _bucket(like: torch.Tensor, numel: int) -> torch.Tensor:
    """An empty buffer for communication: its threads let go of it late, so the arena is no place for it."""
    with outside():
        return like.new_empty(numel)


@torch.library.register_fake("lowtide::bucket", lib=_operators)
def _fake_bucket(like: torch.Tensor, numel: int) -> torch.Tensor:
    return like.new_empty(numel)


@dataclass
class DataParallel:
    """Averages gradients over a process group, and agrees on plans with its ranks.

    buckets: names of the parameters whose gradients are averaged together, as the last trace found them.
    """

    group: dist.ProcessGroup
    buckets: list[list[str]] = field(default_factory=list)
    _eager_steps: int = 0

    @property
    def is_first(self) -> bool:
        return self.group.rank() == 0

    def __call__(self, gradients: Gradients) -> Gradients:
        """Averages, a bucket at a time: all start first, then each is waited for (OnGradients).

        A gradient is copied into its bucket as soon as it is there, and freed; the averages are views of
        the bucket, so that all gradients together take their own size once.
        """
        started = [
            (names, self._start([gradients[name] for name in names])) for names in self._buckets_of(gradients)
        ]
        result: Gradients = {}
        for names, bucket in started:
            bucket = torch.ops._c10d_functional.wait_tensor(bucket)
            for name, part in zip(names, _parts(bucket, [gradients[n] for n in names]), strict=True):
                result[name] = part
        return {name: result[name] for name in gradients}

    def _buckets_of(self, gradients: Gradients) -> list[list[str]]:
        """As DistributedDataParallel's: everything in one in its first step, in parameters' order; from
        then on filled in the order in which gradients become ready, which the trace shows."""
        if get_proxy_mode() is not None:
            self.buckets = _filled(gradients, _ready_order(gradients))
            return self.buckets
        self._eager_steps += 1
        known = {name for names in self.buckets for name in names}
        if self._eager_steps == 1 or known != set(gradients):
            return _filled(gradients, list(gradients), first_bytes=None)
        return self.buckets

    def _start(self, gradients: Sequence[torch.Tensor]) -> torch.Tensor:
        first = gradients[0]
        total = sum(gradient.numel() for gradient in gradients)
        bucket = torch.ops.lowtide.bucket(first, total)
        for gradient, part in zip(gradients, _parts(bucket, gradients), strict=True):
            part.copy_(gradient)
        bucket.mul_(1.0 / self.group.size())
        return torch.ops._c10d_functional.all_reduce_(bucket, "sum", self.group.group_name)

    # -- state -----------------------------------------------------------------------------------

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Rank 0's values on every rank."""
        first = dist.get_global_rank(self.group, 0)
        for tensor in tensors:
            dist.broadcast(tensor.detach(), first, group=self.group)

    # -- agreement -------------------------------------------------------------------------------

    def from_first(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        values = [value]
        dist.broadcast_object_list(values, dist.get_global_rank(self.group, 0), group=self.group)
        return values[0]

    def check_same(self, what: str, text: str) -> None:
        """Raises DisagreementError on all ranks if `text` is not the same on all of them."""
        keys: list[Any] = [None] * self.group.size()
        dist.all_gather_object(keys, content_key(text), group=self.group)
        different = [rank for rank, key in enumerate(keys) if key != keys[0]]
        if different:
            raise DisagreementError(
                f"the {what} of ranks {different} is not that of rank 0; do all ranks see batches of the "
                "same shape?"
            )

    def all_true(self, value: bool) -> bool:
        values: list[Any] = [None] * self.group.size()
        dist.all_gather_object(values, value, group=self.group)
        return all(values)


def _ready_order(gradients: Gradients) -> list[str]:
    """Names in the order in which the trace that is going on made the gradients."""
    mode = get_proxy_mode()
    assert mode is not None
    number = {node: i for i, node in enumerate(mode.tracer.graph.nodes)}

    def made(name: str) -> int:
        slot = get_proxy_slot(gradients[name], mode.tracer, None)
        return number.get(slot.proxy.node, 0) if slot is not None else 0

    return sorted(gradients, key=made)


def _parts(bucket: torch.Tensor, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Views of a flat bucket, shaped as the tensors given, one after the other."""
    parts, offset = [], 0
    for tensor in like:
        parts.append(bucket.narrow(0, offset, tensor.numel()).view(tensor.shape))
        offset += tensor.numel()
    return parts


def _filled(
    gradients: Gradients, order: Sequence[str], first_bytes: int | None = FIRST_BUCKET_BYTES
) -> list[list[str]]:
    """Names of gradients of one type and device, until a bucket is full; None: it never is."""
    buckets: list[list[str]] = []
    open_buckets: dict[Any, list[str]] = {}
    filled: dict[Any, int] = {}
    limit: dict[Any, int] = {}
    for name in order:
        gradient = gradients[name]
        kind = (gradient.dtype, gradient.device)
        if kind not in open_buckets:
            open_buckets[kind], filled[kind] = [], 0
        open_buckets[kind].append(name)
        filled[kind] += gradient.numel() * gradient.element_size()
        if first_bytes is not None and filled[kind] >= limit.get(kind, first_bytes):
            buckets.append(open_buckets.pop(kind))
            limit[kind] = BUCKET_BYTES
    return buckets + [names for names in open_buckets.values() if names]


def data_parallel(process_group: Any) -> DataParallel | None:
    """For `process_group=` of compile_step: a group, True for the default one, or None."""
    if process_group is None or process_group is False:
        return None
    if not dist.is_available() or not dist.is_initialized():
        raise RuntimeError("process_group: call torch.distributed.init_process_group first")
    group = dist.group.WORLD if process_group is True else process_group
    assert group is not None
    return DataParallel(group)
