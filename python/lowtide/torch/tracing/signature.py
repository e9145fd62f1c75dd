"""What a traced step depends on beside the values of tensors; a plan is kept for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from lowtide.torch.tracing.inputs import plain

LIVE_HYPERPARAMETERS = ("lr",)  # enter a step as tensors, so that a scheduler may change them


def register_dataclasses(value: Any) -> None:
    """Let pytree see into dataclasses, in batches and results, that it does not know yet."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if type(value) not in pytree.SUPPORTED_NODES:
            pytree.register_dataclass(type(value))
        for field in dataclasses.fields(value):
            register_dataclasses(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            register_dataclasses(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            register_dataclasses(item)


def flatten_batch(batch: Any) -> tuple[list[Any], Hashable]:
    """The leaves of a batch, and what it looks like: its form, shapes, types and plain values."""
    leaves, spec = pytree.tree_flatten(plain(batch))
    return leaves, (spec, tuple([_look(leaf) for leaf in leaves]))


def _look(leaf: Any) -> Hashable:
    if isinstance(leaf, torch.Tensor):
        if leaf.is_nested or leaf.layout is not torch.strided:
            return (leaf.layout, leaf.dtype, leaf.device)  # to be refused
        return (leaf.shape, leaf.dtype, leaf.device, leaf.stride())
    return (type(leaf), leaf if isinstance(leaf, Hashable) else None)


class ModelSignature:
    """Training flags, and which parameters are trainable and of which type."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._modules = list(model.modules())
        self._slots = [(module._parameters, name) for module in self._modules for name in module._parameters]

    def now(self) -> Hashable:
        parameters = [slots[name] for slots, name in self._slots]
        return (
            tuple([module.training for module in self._modules]),
            tuple([(p.requires_grad, p.dtype, p.shape) for p in parameters if p is not None]),
        )


def optimizer_signature(optimizer: torch.optim.Optimizer | None) -> Hashable:
    """The options of the param groups that a trace holds as constants."""
    if optimizer is None:
        return ()
    return tuple([_options(group) for group in optimizer.param_groups])


def _options(group: Mapping[str, Any]) -> Hashable:
    items: Sequence[tuple[str, Any]] = [
        (key, value)
        for key, value in group.items()
        if key != "params"
        and key not in LIVE_HYPERPARAMETERS
        and isinstance(value, (int, float, bool, str, tuple, type(None)))
        and key not in ("initial_lr", "max_lr", "min_lr")  # a scheduler's notes
    ]
    return (len(group["params"]), *items)
