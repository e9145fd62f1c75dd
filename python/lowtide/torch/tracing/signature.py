"""What a traced step depends on beside the values of tensors; a plan is kept for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree

from lowtide.torch.tracing.as_traced import full_masks
from lowtide.torch.tracing.inputs import plain
from lowtide.torch.tracing.optimizers import Optimizers

LIVE_HYPERPARAMETERS = ("lr",)  # enter a step as tensors, so that a scheduler may change them
CHANGES = 2  # after so many, so does another option


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
    return leaves, (spec, full_masks(batch), tuple([_look(leaf) for leaf in leaves]))


def _look(leaf: Any) -> Hashable:
    if isinstance(leaf, torch.Tensor):
        if leaf.is_nested or leaf.layout is not torch.strided:
            return (leaf.layout, leaf.dtype, leaf.device)  # to be refused
        return (leaf.shape, leaf.dtype, leaf.device, leaf.stride(), leaf.requires_grad)
    return (type(leaf), leaf if isinstance(leaf, Hashable) else None)


class Options:
    """What a trace takes from the param groups, and which of their numbers it reads at each call instead.

    `live` are the learning rate and what was seen to change twice: betas under OneCycleLR, a weight decay on
    a schedule. Optimizers ask whether such a number is zero, so of live ones the sign is still compared.
    """

    def __init__(self, optimizers: Optimizers | None) -> None:
        self.live: tuple[str, ...] = LIVE_HYPERPARAMETERS
        self._optimizers = optimizers
        self._last: list[dict[str, Any]] = []
        self._changed: dict[str, int] = {}  # option -> in how many calls
        self._fixed: set[str] = set()

    def signature(self) -> Hashable:
        if self._optimizers is None:
            return ()
        groups = [_options(group) for group in self._optimizers.param_groups]
        if groups != self._last:
            self._note(groups)
        return (self.live, tuple([self._compared(group) for group in groups]))

    def _note(self, groups: list[dict[str, Any]]) -> None:
        pairs = zip(groups, self._last, strict=False)
        changed = {k for new, old in pairs for k, v in new.items() if is_number(v) and v != old.get(k, v)}
        self._last = groups
        for key in changed - {*self.live, *self._fixed}:
            self._changed[key] = self._changed.get(key, 0) + 1
            if self._changed[key] == CHANGES:
                self.live = (*self.live, key)

    def fix(self) -> str:
        """The optimizer does more with them than compute: they are constants. Their names."""
        names = [key for key in self.live if key not in LIVE_HYPERPARAMETERS]
        self._fixed.update(names)
        self.live = LIVE_HYPERPARAMETERS
        return ", ".join(names)

    def _compared(self, group: Mapping[str, Any]) -> Hashable:
        # The learning rate is live even where it is zero: nothing asks for it.
        return tuple([(k, _signs(v) if k in self.live else v) for k, v in group.items() if k != "lr"])


def is_number(value: Any) -> bool:
    """A number that may be live, or a tuple of such."""
    if isinstance(value, tuple):
        return bool(value) and all(map(is_number, value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _signs(value: Any) -> Hashable:
    if isinstance(value, tuple):
        return tuple(map(_signs, value))
    return (value > 0) - (value < 0) if is_number(value) else value


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    options = {
        key: value
        for key, value in group.items()
        if isinstance(value, (int, float, bool, str, tuple, type(None))) and key not in _NOTES
    }
    return {"params": len(group["params"]), **options}


_NOTES = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")  # a scheduler's own
