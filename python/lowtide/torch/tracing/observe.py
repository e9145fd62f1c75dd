"""Is a stored program that of this model? Looked at operator by operator, while the model takes a real step.

Problem. Tracing takes a millisecond an operator, in every process. A program kept on disk would save it,
but what it was traced from is Python: no key made of sources, closures and attributes can tell for sure
that this model, today, would be traced to the same program.

Idea. Do not guess: look. The second step of a process runs the model's own Python code on the live tensors
(a Body with LiveTwins: what would be traced), and every operator that reaches PyTorch is held against the
next node of the stored program: the same operator, each tensor argument the very tensor that the program
names, each number the same, or the same function of numbers read from tensors. That step is an ordinary
one, whatever comes of it. Only a program that equals it from the first operator to the last is used.

A constant of the program must be a tensor that came from nowhere, and equal.

Guarantee. By induction over its nodes a program that passed computes what the step computed, for any values
of its inputs, unless Python looked at values in between. It cannot have: reading a number is an operator
too (and must be in the program), and the ways past the operators (numpy, data_ptr, ...) are differences.
So a stale program costs a slow start, never a result.

Cost. 10 to 20 microseconds an operator, once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import TensorWeakRef

from lowtide.torch.tracing.as_traced import as_traced
from lowtide.torch.tracing.body import Body
from lowtide.torch.tracing.trace import TracedStep

_PAST_OPERATORS = {"numpy", "__array__", "tolist", "data_ptr", "__dlpack__", "storage", "_typed_storage"}


@dataclass
class Observed:
    """A real step's outputs, and where it differs from the program; None: nowhere."""

    outputs: list[Any]
    difference: str | None


def observe(body: Body, step: TracedStep) -> Observed:
    """One real step of a body over LiveTwins, held against a program. The step's effects are real."""
    inputs = body.inputs.placeholders
    matcher = _Matcher(step)
    matcher.bind_inputs({placeholder.name: placeholder.tensor for placeholder in inputs})
    traced = {placeholder.tensor: placeholder.tensor for placeholder in inputs}
    with as_traced(*body.answers), _FunctionWatch(matcher), _OperatorWatch(matcher):
        outputs = body(traced)
    matcher.check_outputs(outputs)
    if (body.unused, body.gradients, body.passed_on) != (step.unused, step.gradients, step.passed_on):
        matcher.note("other parameters have gradients")
    return Observed(outputs, matcher.difference)


class _OperatorWatch(TorchDispatchMode):
    def __init__(self, matcher: _Matcher) -> None:
        super().__init__()
        self.matcher = matcher

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.matcher.difference is None:
            self.matcher.match(func, args, kwargs or {}, result)
        return result


class _FunctionWatch(TorchFunctionMode):
    def __init__(self, matcher: _Matcher) -> None:
        super().__init__()
        self.matcher = matcher

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in _PAST_OPERATORS:
            self.matcher.note(f"Python looks at values by {name}")
        return func(*args, **(kwargs or {}))


class _Differs(Exception):
    pass


class _Matcher:
    """A program, how far the step has followed it, and what each node stands for."""

    def __init__(self, step: TracedStep) -> None:
        self.step = step
        self.difference: str | None = None
        nodes = list(step.module.graph.nodes)
        self._inputs = [node for node in nodes if node.op == "placeholder"]
        self._output = nodes[-1]
        self._calls = iter([node for node in nodes if node.op == "call_function" and not _is_python(node)])
        # Weak: what the step lets go of must go. A number, or a list of the results of one operator.
        self._values: dict[Node, Any] = {}
        self._bound: set[str] = set()  # constants that are the step's own by now

    def note(self, difference: str) -> None:
        self.difference = self.difference or difference

    def bind_inputs(self, tensors: dict[str, torch.Tensor]) -> None:
        for node, placeholder in zip(self._inputs, self.step.placeholders, strict=True):
            tensor = tensors.get(placeholder.name)
            if tensor is None or _look(tensor) != _look(placeholder.tensor):
                self.note(f"{placeholder.name} is missing or of another form")
                return
            self._values[node] = _weak(tensor)

    def match(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> None:
        """The operator that just ran against the next call of the program."""
        node = next(self._calls, None)
        if func is torch.ops.aten.lift_fresh.default:
            func = torch.ops.aten.lift_fresh_copy.default  # what make_fx writes for it
        if node is None or node.target is not func:
            self.note(f"{func} instead of {'the end' if node is None else node.format_node()}")
            return
        try:
            self._same(node.args, args)
            self._same(node.kwargs, kwargs)
        except _Differs as difference:
            self.note(f"node {node.name}: {difference}")
        self._values[node] = _weak(result)

    def check_outputs(self, outputs: list[Any]) -> None:
        if self.difference is not None:
            return
        left = next(self._calls, None)
        if left is not None:
            self.note(f"the step ends before {left.name}")
            return
        try:
            self._same(self._output.args[0], outputs)
        except _Differs as difference:
            self.note(f"outputs: {difference}")

    # -- comparing -------------------------------------------------------------------------------

    def _same(self, expected: Any, given: Any) -> None:
        """Raises _Differs unless what a program names is what the step used."""
        if isinstance(expected, Node) and expected.op == "get_attr":
            self._same_constant(expected, given)
        elif isinstance(expected, Node):
            value = self._value(expected)
            same = value is given if isinstance(given, torch.Tensor) else _equal_numbers(value, given)
            if not same:
                raise _Differs(f"not {expected.name}")
        elif isinstance(expected, (tuple, list)):
            if not isinstance(given, (tuple, list)) or len(given) != len(expected):
                raise _Differs(f"{given!r} for {expected!r}")
            for one, other in zip(expected, given, strict=True):
                self._same(one, other)
        elif isinstance(expected, dict):
            if not isinstance(given, dict) or given.keys() != expected.keys():
                raise _Differs("other keywords")
            for key, one in expected.items():
                self._same(one, given[key])
        elif not _equal_numbers(expected, given):
            raise _Differs("another constant")

    def _same_constant(self, node: Node, given: Any) -> None:
        """A tensor that no operator of the step made, and of the same values. The program gets that very
        tensor, as a trace would: a model may keep it and write to it between steps."""
        name = str(node.target)
        constant = getattr(self.step.module, name)
        if constant is given and name in self._bound:
            return
        made = any(_strong(value) is given for value in self._values.values())
        if made or not _is_copy(constant, given):
            raise _Differs(f"{name} is another constant")
        if name not in self._bound:
            self._bound.add(name)
            setattr(self.step.module, name, given)

    def _value(self, node: Node) -> Any:
        """What a node stands for now: a tensor, or a number, computed where the program does so."""
        if node not in self._values:
            if node.op != "call_function" or not _is_python(node):
                raise _Differs(f"{node.name} has no value")
            arguments = [self._value(a) if isinstance(a, Node) else a for a in node.args]
            self._values[node] = _weak(_python(node)(*arguments))
        return _strong(self._values[node])


def _is_python(node: Node) -> bool:
    """Not an operator: an item of a tuple, or arithmetic on numbers read from tensors."""
    return not isinstance(node.target, torch._ops.OpOverload)


def _python(node: Node) -> Callable[..., Any]:
    assert callable(node.target)
    return node.target


def _look(tensor: torch.Tensor) -> tuple[Any, ...]:
    return (tensor.shape, tensor.stride(), tensor.dtype)


def _is_copy(one: torch.Tensor, other: Any) -> bool:
    return isinstance(other, torch.Tensor) and _look(one) == _look(other) and torch.equal(one, other)


def _weak(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return TensorWeakRef(value)
    return [_weak(item) for item in value] if isinstance(value, (tuple, list)) else value


def _strong(value: Any) -> Any:
    if isinstance(value, TensorWeakRef):
        return value()
    return [_strong(item) for item in value] if isinstance(value, list) else value


def _equal_numbers(one: Any, other: Any) -> bool:
    """Equal and of one type; a NaN equals itself."""
    return type(one) is type(other) and (one == other or (one != one and other != other))


# What a program may call beside operators. A stored one is data: nothing else can be named in it.
PYTHON_CALLS: dict[str, Callable[..., Any]] = {
    f"operator.{name}": getattr(operator, name)
    for name in ("getitem", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs")
} | {
    f"torch.{name}": getattr(torch, name)
    for name in ("sym_float", "sym_int", "sym_max", "sym_min", "_sym_sqrt")
    if hasattr(torch, name)
}
