"""What an eager step really holds: the bytes of live storages after every operator."""

from __future__ import annotations

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


class StorageTracker(TorchDispatchMode):
    """Counts storages that operators make while it is on; `persistent` ones are left out.

    peak_bytes: the most bytes live right after an operator, its inputs and outputs included.
    """

    def __init__(self, persistent: list[torch.Tensor]) -> None:
        super().__init__()
        self.peak_bytes = 0
        self._seen = {t.untyped_storage()._cdata for t in persistent}
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self._live = {key: entry for key, entry in self._live.items() if not entry[0].expired()}
        for leaf in pytree.tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage._cdata not in self._seen and storage._cdata not in self._live:
                    self._live[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in self._live.values()))
        return result


def eager_peak(model: Any, loss_of_batch: Any, optimizer: torch.optim.Optimizer) -> int:
    """The peak of the second eager step (the first makes the optimizer's state), in bytes."""

    def step() -> None:
        loss = loss_of_batch()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    states = [
        v for values in optimizer.state.values() for v in values.values() if isinstance(v, torch.Tensor)
    ]
    persistent = [*model.parameters(), *model.buffers(), *states]
    with StorageTracker(persistent) as tracker:
        step()
    return tracker.peak_bytes
