"""The live tensors of a step, found anew for every call, quickly.

Between steps a checkpoint may be loaded, a scheduler may change a learning rate, a parameter's tensor or
the optimizer's state may be replaced. Nothing is kept but the way to each tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from lowtide.torch.tracing.inputs import BUFFER, HYPERPARAMETER, INPUT, PARAMETER, Placeholder
from lowtide.torch.tracing.optimizers import Optimizers
from lowtide.torch.tracing.reach import Reach

Getter = Callable[[Sequence[Any]], torch.Tensor]


class StateMissing(Exception):
    """The optimizer has no state for a parameter: a step in eager makes it."""


class Binding:
    """Finds what a step's placeholders stand for in a model, an optimizer and a flattened batch."""

    def __init__(
        self,
        placeholders: Sequence[Placeholder],
        model: torch.nn.Module,
        optimizers: Optimizers | None,
        reach: Reach,
    ) -> None:
        """reach: as of the last look, for tensors that are not the model's."""
        self.model = model
        self.optimizers = optimizers
        self.reach = reach
        self._parameters = {p.name: p for p in placeholders if p.role == PARAMETER}
        self._getters = [self._getter(p) for p in placeholders]
        self._by_name = {p.name: get for p, get in zip(placeholders, self._getters, strict=True)}

    def tensors(self, leaves: Sequence[Any]) -> list[torch.Tensor]:
        """One tensor per placeholder; leaves: of the batch. Raises StateMissing."""
        try:
            return [get(leaves) for get in self._getters]
        except (KeyError, TypeError) as error:
            raise StateMissing(str(error)) from None

    def named(self, name: str, leaves: Sequence[Any]) -> torch.Tensor:
        """What the placeholder of that name stands for, or what is at that path."""
        getter = self._by_name.get(name)
        return self.reach.tensors[name] if getter is None else getter(leaves)

    def _getter(self, placeholder: Placeholder) -> Getter:
        role, owner, key = placeholder.role, placeholder.owner, placeholder.key
        if placeholder.is_outside:
            return lambda leaves: self.reach.tensors[str(owner)]
        if role == INPUT:
            return lambda leaves: leaves[key]
        if role == HYPERPARAMETER:
            return _Hyperparameter(self, int(owner), key)
        if role in (PARAMETER, BUFFER):
            path, _, name = str(owner).rpartition(".")
            module = self.model.get_submodule(path)
            tensors: Any = module._buffers if role == BUFFER else module._parameters
            return lambda leaves: tensors[name]
        optimizers, parameter = self.optimizers, self._getter(self._parameters[str(owner)])
        assert optimizers is not None
        # load_state_dict replaces an optimizer's state, so even the dict is looked up each time.
        return lambda leaves: optimizers.state_of(parameter(leaves))[key]  # type: ignore[index]


class _Hyperparameter:
    """An option of a param group as a tensor of one float64, made anew only when it changes."""

    def __init__(self, binding: Binding, group: int, key: str) -> None:
        self.binding = binding
        self.group = group
        self.key, _, position = key.partition(".")  # 'betas.0' is the first of a tuple
        self.position = int(position) if position else None
        self.value: float | None = None
        self.tensor = torch.zeros((), dtype=torch.float64)

    def __call__(self, leaves: Sequence[Any]) -> torch.Tensor:
        assert self.binding.optimizers is not None
        value = self.binding.optimizers.param_groups[self.group][self.key]
        if self.position is not None:
            value = value[self.position]
        if isinstance(value, torch.Tensor):
            return value
        if value != self.value:
            self.value = value
            self.tensor = torch.tensor(value, dtype=torch.float64)
        return self.tensor
