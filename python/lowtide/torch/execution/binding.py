"""The live tensors of a step, found anew for every call, quickly.

Between steps a checkpoint may be loaded, a scheduler may change a learning rate, a parameter's tensor or
the optimizer's state may be replaced. Nothing is kept but the way to each tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from lowtide.torch.tracing.inputs import BUFFER, HYPERPARAMETER, INPUT, PARAMETER, Placeholder

Getter = Callable[[Sequence[Any]], torch.Tensor]


class StateMissing(Exception):
    """The optimizer has no state for a parameter: a step in eager makes it."""


class Binding:
    """Finds what a step's placeholders stand for in a model, an optimizer and a flattened batch."""

    def __init__(
        self,
        placeholders: Sequence[Placeholder],
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self._getters = [self._getter(p) for p in placeholders]

    def tensors(self, leaves: Sequence[Any]) -> list[torch.Tensor]:
        """One tensor per placeholder; leaves: of the batch. Raises StateMissing."""
        try:
            return [get(leaves) for get in self._getters]
        except (KeyError, TypeError) as error:
            raise StateMissing(str(error)) from None

    def _getter(self, placeholder: Placeholder) -> Getter:
        role, owner, key = placeholder.role, placeholder.owner, placeholder.key
        if role == INPUT:
            return lambda leaves: leaves[key]
        if role == HYPERPARAMETER:
            return _Hyperparameter(self, int(owner), key)
        path, _, name = str(owner).rpartition(".")
        module = self.model.get_submodule(path)
        if role == BUFFER:
            buffers = module._buffers
            return lambda leaves: buffers[name]
        parameters = module._parameters
        if role == PARAMETER:
            return lambda leaves: parameters[name]
        optimizer = self.optimizer
        assert optimizer is not None
        # load_state_dict replaces optimizer.state, so even the dict is looked up each time; and with
        # get, for it is a defaultdict, where looking would add an entry.
        return lambda leaves: optimizer.state.get(parameters[name])[key]


class _Hyperparameter:
    """An option of a param group as a tensor of one float64, made anew only when it changes."""

    def __init__(self, binding: Binding, group: int, key: str) -> None:
        self.binding = binding
        self.group = group
        self.key = key
        self.value: float | None = None
        self.tensor = torch.zeros((), dtype=torch.float64)

    def __call__(self, leaves: Sequence[Any]) -> torch.Tensor:
        assert self.binding.optimizer is not None
        value = self.binding.optimizer.param_groups[self.group][self.key]
        if isinstance(value, torch.Tensor):
            return value
        if value != self.value:
            self.value = value
            self.tensor = torch.tensor(value, dtype=torch.float64)
        return self.tensor
