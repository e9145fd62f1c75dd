"""A stand-in for the user's optimizer that updates fake tensors with the optimizer's own code.

The optimizer's single-tensor `step`, without its profiling and hook wrappers, runs on param groups and
state that point at the traced tensors; the user's optimizer object is never touched.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch

from lowtide.torch.errors import CaptureError
from lowtide.torch.fakes import Twins

# Optimizers whose update cannot be traced to the same result, with the reason (measured).
REFUSED = {
    "LBFGS": "it evaluates the model several times a step",
    "RAdam": "its update branches on the value of the step counter",
    "ASGD": "its update depends on state values read on the host",
    "Adafactor": "its update depends on state values read on the host",
    "SparseAdam": "it needs sparse gradients",
}

State = dict[torch.Tensor, dict[str, Any]]


def check_supported(optimizer: torch.optim.Optimizer) -> None:
    """Raise CaptureError for optimizers and hooks that tracing would get wrong."""
    name = type(optimizer).__name__
    if name in REFUSED:
        raise CaptureError(f"optimizer {name}: {REFUSED[name]}; use SGD, Adam or AdamW")
    for hooks in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
        if getattr(optimizer, hooks, None):
            raise CaptureError(
                f"optimizer {name}: step hooks would not run in the captured step; remove them"
            )


def check_parameters(optimizer: torch.optim.Optimizer, names: Mapping[int, str]) -> None:
    """Every trainable parameter of the model is in the optimizer exactly once; nothing else is.

    names: id of each of the model's trainable parameters -> its name.
    """
    seen: set[int] = set()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names.get(id(parameter))
            if name is None and parameter.requires_grad:
                raise CaptureError("the optimizer holds a trainable parameter that is not the model's")
            if id(parameter) in seen:
                raise CaptureError(f"parameter {name!r} is in the optimizer twice: it would be updated twice")
            seen.add(id(parameter))
    for identity, name in names.items():
        if identity not in seen:
            raise CaptureError(
                f"parameter {name!r} requires a gradient but is not in the optimizer: it would never be "
                "updated; freeze it with requires_grad_(False) or add it"
            )


def own_step(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """The optimizer's `step` without wrappers (profiling, hooks, no_grad)."""
    step = type(optimizer).step
    while hasattr(step, "__wrapped__"):
        step = step.__wrapped__
    return lambda: step(optimizer)


class ShadowOptimizer:
    """Runs one update of `optimizer`'s kind on other tensors."""

    def __init__(self, optimizer: torch.optim.Optimizer, twins: Twins) -> None:
        check_supported(optimizer)
        self._original = optimizer
        self._groups = [
            {**group, "params": [twins.of(p) for p in group["params"]]} for group in optimizer.param_groups
        ]
        self.state = self._initial_state(optimizer, twins)

    def _initial_state(self, optimizer: torch.optim.Optimizer, twins: Twins) -> State:
        """The state after the first step: converted where it exists, else made by a step on fakes."""
        with twins.mode:
            state: State = {}
            for parameter, values in optimizer.state.items():
                state[twins.of(parameter)] = {
                    key: twins.of(v) if isinstance(v, torch.Tensor) else v for key, v in values.items()
                }
            parameters = [p for group in self._groups for p in group["params"]]
            if not any(state.values()):
                gradients = {p: torch.empty_like(p) for p in parameters if p.requires_grad}
                state = self.update({p: p for p in parameters}, gradients, state)
        return state

    def update(
        self,
        traced: Mapping[torch.Tensor, torch.Tensor],
        gradients: Mapping[torch.Tensor, torch.Tensor],
        state: Mapping[torch.Tensor, dict[str, Any]],
    ) -> State:
        """One step in place. Keys are twins: of the tensor to update, its gradient, its state."""
        shadow = copy.copy(self._original)
        shadow.param_groups = [
            {**group, "params": [traced[p] for p in group["params"]], **single_tensor_flags(group)}
            for group in self._groups
        ]
        shadow.state = defaultdict(dict, {traced[p]: dict(values) for p, values in state.items()})
        for twin, gradient in gradients.items():
            traced[twin].grad = gradient
        try:
            with torch.no_grad():
                own_step(shadow)()
        finally:
            for twin in gradients:
                traced[twin].grad = None
        back = {id(tensor): twin for twin, tensor in traced.items()}
        return {back[id(p)]: values for p, values in shadow.state.items() if id(p) in back}


def single_tensor_flags(group: Mapping[str, Any]) -> dict[str, bool]:
    """One kernel a parameter: what can be ordered and freed one by one."""
    return {key: False for key in ("foreach", "fused") if key in group}
