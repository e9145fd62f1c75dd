"""A stand-in for the user's optimizer that updates fake tensors with the optimizer's own code.

The optimizer's single-tensor `step`, without its profiling and hook wrappers, runs on param groups and
state that point at the traced tensors; the user's optimizer object is never touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.tracing.fakes import Twins, fake_mode
from lowtide.torch.tracing.inputs import Tensors
from lowtide.torch.tracing.refusals import explain

# Optimizers whose update cannot be traced to the same result, with the reason (measured).
REFUSED = {
    "LBFGS": "it evaluates the model several times a step",
    "RAdam": "its update branches on the value of the step counter",
    "ASGD": "its update depends on state values read on the host",
    "Adafactor": "its update depends on state values read on the host",
    "SparseAdam": "it needs sparse gradients",
}

# Optimizers whose foreach implementation gives other bits than the single-tensor one (measured, on a CPU).
FOREACH_DIFFERS = {"NAdam"}

State = dict[torch.Tensor, dict[str, Any]]  # by parameter
Groups = list[dict[str, Any]]


class Optimizers:
    """The optimizers of a step, one or several, as one: they step in their order."""

    def __init__(self, each: torch.optim.Optimizer | Sequence[torch.optim.Optimizer]) -> None:
        self.each: list[Any] = list(each) if isinstance(each, (list, tuple)) else [each]

    @property
    def param_groups(self) -> Groups:
        return [group for optimizer in self.each for group in optimizer.param_groups]

    def parts(self, updates: bool) -> Any:
        """What the Python of a step can touch of them: all, or without updates their parameters alone."""
        if not updates:
            return [group["params"] for group in self.param_groups]
        return self.each[0] if len(self.each) == 1 else self.each

    def parameters(self) -> Iterator[torch.Tensor]:
        return (p for group in self.param_groups for p in group["params"])

    def state_of(self, parameter: torch.Tensor) -> dict[str, Any] | None:
        """None if there is none yet. With get, for it is a defaultdict, where looking would add an entry."""
        for optimizer in self.each:
            found: dict[str, Any] | None = optimizer.state.get(parameter)
            if found is not None:
                return found
        return None

    def step(self) -> None:
        for optimizer in self.each:
            optimizer.step()

    def zero_grad(self) -> None:
        for optimizer in self.each:
            optimizer.zero_grad(set_to_none=True)


def check_supported(optimizer: torch.optim.Optimizer) -> None:
    """Raise UnsupportedError for optimizers and hooks that tracing would get wrong."""
    inside = [name for name, v in vars(optimizer).items() if isinstance(v, torch.optim.Optimizer)]
    if inside or "param_groups" not in vars(optimizer):
        way_out = f"the one inside it (.{inside[0]})" if inside else "a plain optimizer"
        raise UnsupportedError(
            f"optimizer {type(optimizer).__name__}: it wraps another one, whose own step would run in the "
            f"trace; pass {way_out}, or fuse_update=False to compile_step"
        )
    for kind in type(optimizer).__mro__:
        if kind.__name__ in REFUSED:
            raise UnsupportedError(
                f"optimizer {kind.__name__}: {REFUSED[kind.__name__]}; use SGD, Adam or AdamW"
            )
        if kind.__name__ in FOREACH_DIFFERS and any(map(_uses_foreach, optimizer.param_groups)):
            raise UnsupportedError(
                f"optimizer {kind.__name__}: with foreach=True (the default on CUDA) it rounds otherwise "
                "than one parameter at a time; pass foreach=False to it, or fuse_update=False"
            )
    for hooks in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
        if getattr(optimizer, hooks, None):
            raise UnsupportedError(
                f"optimizer {type(optimizer).__name__}: step hooks would not run in the captured step; "
                "remove them"
            )


def _uses_foreach(group: Mapping[str, Any]) -> bool:
    """Whether eager would update this group by foreach kernels: the default on a CUDA device."""
    chosen = group.get("foreach", False)
    return all(p.is_cuda for p in group["params"]) if chosen is None else bool(chosen)


def check_parameters(optimizers: Optimizers, names: Mapping[int, str]) -> set[str]:
    """No parameter is updated twice. Returns the names of those that no optimizer holds.

    names: id of each parameter that requires a gradient -> its name.
    """
    seen: set[int] = set()
    for parameter in optimizers.parameters():
        if id(parameter) in seen and id(parameter) in names:
            name = names[id(parameter)]
            raise CaptureError(f"parameter {name!r} is in the optimizer twice: it would be updated twice")
        seen.add(id(parameter))
    return {name for identity, name in names.items() if identity not in seen}


def own_step(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """The optimizer's `step` without wrappers (profiling, hooks, no_grad)."""
    step = type(optimizer).step
    while hasattr(step, "__wrapped__"):
        step = step.__wrapped__
    return lambda: step(optimizer)


class ShadowOptimizer:
    """Runs one update of `optimizer`'s kind on other tensors.

    groups: its param groups, with parameters and tensor options as twins, single-tensor flags, and the
    options named in `live` as float64 tensors of one element.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, twins: Twins, live: Sequence[str] = ()) -> None:
        check_supported(optimizer)
        self._original = optimizer
        self._twins = twins
        self._live = set(live)
        self._numbers: dict[torch.Tensor, float] = {}  # twin of a live option -> its value now
        self.groups = [self._group(group) for group in optimizer.param_groups]
        self.state = self._initial_state()

    def _group(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that need no gradient are left out: they have none, and are never touched."""
        options = {key: self._option(key, value) for key, value in group.items() if key != "params"}
        parameters = [self._twins.of(p) for p in group["params"] if p.requires_grad]
        return {**options, "params": parameters, **single_tensor_flags(group)}

    def _option(self, key: str, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._twins.of(value)
        if key in self._live and isinstance(value, tuple):
            return tuple(self._option(key, number) for number in value)
        # One that is zero stays so, or it is another trace; but the learning rate is always live.
        live = key in self._live and (key == "lr" or value != 0)
        if live and isinstance(value, (int, float)) and not isinstance(value, bool):
            twin = self._twins.number(float(value))
            self._numbers[twin] = float(value)
            return twin
        return value

    def _initial_state(self) -> State:
        """The state after the first step: converted where it exists, else made by a step on fakes."""
        parameters = [p for group in self.groups for p in group["params"]]
        known = set(parameters)
        state: State = {}
        for parameter, values in self._original.state.items():
            twin = self._twins.of(parameter)
            if values and twin in known:
                state[twin] = {
                    key: self._twins.of(v) if isinstance(v, torch.Tensor) else v for key, v in values.items()
                }
        without = [p for p in parameters if p not in state]
        if self._twins.live or not without:
            return state
        return {**self._state_after_first_step(without), **state}

    def _state_after_first_step(self, parameters: Sequence[torch.Tensor]) -> State:
        """In a fake mode of its own: numbers read in it must not show up as symbols of the trace."""
        scratch = Twins(fake_mode())
        stand_ins: dict[torch.Tensor, torch.Tensor] = {twin: scratch.fresh(twin) for twin in parameters}
        for group in self.groups:
            for value in tensors_in(group):
                stand_ins[value] = scratch.fresh(value)
        try:
            with scratch.mode:
                like = self._representatives(parameters)
                gradients = {twin: torch.empty_like(stand_ins[twin]) for twin in set(like.values())}
                groups = [{**g, "params": [p for p in g["params"] if p in gradients]} for g in self.groups]
                state = self._run(stand_ins, gradients, {}, groups)
        except CaptureError:
            raise
        except Exception as error:
            name = type(self._original).__name__
            raise UnsupportedError(f"optimizer {name}: {explain(error)}") from error
        return {
            parameter: {
                key: self._twins.fresh(v) if isinstance(v, torch.Tensor) else v
                for key, v in state[like[parameter]].items()
            }
            for parameter in parameters
            if like[parameter] in state
        }

    def _representatives(self, parameters: Sequence[torch.Tensor]) -> dict[torch.Tensor, torch.Tensor]:
        """For each of them one of its group and form: it gets the same kind of state."""
        first: dict[Any, torch.Tensor] = {}
        result = {}
        wanted = set(parameters)
        for number, group in enumerate(self.groups):
            for p in (p for p in group["params"] if p in wanted):
                form = (number, p.shape, p.stride(), p.dtype, p.device)
                result[p] = first.setdefault(form, p)
        return result

    def update(
        self,
        traced: Tensors,
        gradients: Tensors,
        state: Mapping[torch.Tensor, Mapping[str, Any]],
    ) -> State:
        """One step in place. Keys are twins: of the tensor to update, its gradient, its state."""
        after = self._run(traced, gradients, state, self.groups)
        if not self._twins.live:
            for parameter, values in after.items():
                self._refuse_lost(state.get(parameter, {}), values)
        return after

    def _refuse_lost(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """A traced step writes into tensors; what else the optimizer keeps would stay as it is."""
        for key, value in after.items():
            old = before.get(key)
            kept = old is value if isinstance(value, torch.Tensor) else key in before and old == value
            if not kept:
                raise UnsupportedError(
                    f"optimizer {type(self._original).__name__}: it keeps {key!r} in its state otherwise "
                    "than in place, in one tensor, which a traced step would not do; pass fuse_update=False"
                )

    def _run(
        self,
        traced: Tensors,
        gradients: Tensors,
        state: Mapping[torch.Tensor, Mapping[str, Any]],
        groups: Groups,
    ) -> State:
        shadow = object.__new__(type(self._original))
        shadow.__dict__.update(self._original.__dict__)
        shadow.param_groups = [self._with_tensors(group, traced) for group in groups]
        shadow.state = self._original.state
        if not self._twins.live:
            shadow.state = defaultdict(dict, {traced[p]: dict(values) for p, values in state.items()})
        for twin, gradient in gradients.items():
            traced[twin].grad = gradient
        options = [_numbers_of(group) for group in (vars(shadow), *shadow.param_groups)]
        try:
            with torch.no_grad():
                own_step(shadow)()
        finally:
            for twin in gradients:
                traced[twin].grad = None
        after = [_numbers_of(group) for group in (vars(shadow), *shadow.param_groups)]
        if not self._twins.live and options != after:
            raise UnsupportedError(
                f"optimizer {type(self._original).__name__}: it changes its own numbers in every step, "
                "which a traced step would not do; pass fuse_update=False"
            )
        back = {id(tensor): twin for twin, tensor in traced.items()}
        return {back[id(p)]: values for p, values in shadow.state.items() if id(p) in back}

    def _with_tensors(self, group: Mapping[str, Any], traced: Tensors) -> dict[str, Any]:
        result = {key: self._with_tensor(value, traced) for key, value in group.items() if key != "params"}
        return {**result, "params": [traced[p] for p in group["params"]]}

    def _with_tensor(self, value: Any, traced: Tensors) -> Any:
        if isinstance(value, tuple):
            return tuple(self._with_tensor(item, traced) for item in value)
        if not isinstance(value, torch.Tensor):
            return value
        if value not in self._numbers:
            return traced[value]
        # A live option is a number to the optimizer, read from its tensor at each step.
        number = traced[value].item()
        if not isinstance(number, float):  # its sign may be asked for (see signature.Options)
            if self._numbers[value] > 0:
                torch._check(number > 0)
            if self._numbers[value] != 0:
                torch._check(number != 0)
        return number


def _numbers_of(group: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in group.items() if isinstance(v, (bool, int, float, str, tuple, type(None)))}


def tensors_in(group: Mapping[str, Any]) -> dict[torch.Tensor, str]:
    """The options that are tensors, or tuples of them, with their names: 'lr', 'betas.0'."""
    found = {}
    for key, value in group.items():
        if isinstance(value, torch.Tensor):
            found[value] = key
        elif isinstance(value, tuple):
            found.update({v: f"{key}.{i}" for i, v in enumerate(value) if isinstance(v, torch.Tensor)})
    return found


def single_tensor_flags(group: Mapping[str, Any]) -> dict[str, bool]:
    """One kernel a parameter: what can be ordered and freed one by one."""
    return {key: False for key in ("foreach", "fused") if key in group}
