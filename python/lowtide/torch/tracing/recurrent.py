"""Recurrent modules: nn.RNN, nn.LSTM and nn.GRU.

They keep a second list of their weights, which must follow a replacement. And a CPU runs an LSTM as one
oneDNN kernel whose workspace fake tensors do not know, and whose backward cannot be called from a trace:
it is traced as eager runs it with oneDNN switched off, step by step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def traceable_recurrence(model: torch.nn.Module) -> Iterator[None]:
    """Within it, recurrent modules compute with whatever tensors stand in their parameters' place."""
    modules = [m for m in model.modules() if isinstance(m, torch.nn.RNNBase)]
    before = [module._flat_weights for module in modules]
    try:
        for module in modules:
            module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]
        with torch.backends.mkldnn.flags(enabled=False) if modules else contextlib.nullcontext():
            yield
    finally:
        for module, weights in zip(modules, before, strict=True):
            module._flat_weights = weights
