"""One training step as one FX graph of ATen operators: forward, loss, backward, update in place.

`trace_step` is the seam between PyTorch and everything else here: `capture` reads a Graph off its
result, an executor can run it. Nothing is functionalised and no memory is used (fake tensors).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode, make_fx
from torch.nn.utils.stateless import _reparametrize_module
from torch.utils import _pytree as pytree

from lowtide.torch.dropout import dropout_as_on
from lowtide.torch.errors import CaptureError
from lowtide.torch.fakes import Twins, fake_mode
from lowtide.torch.optimizers import ShadowOptimizer, check_parameters

PARAMETER, BUFFER, STATE, INPUT = "parameter", "buffer", "optimizer_state", "input"


@dataclass
class Placeholder:
    """One input of the traced function."""

    name: str  # 'layer.weight', 'layer.weight.exp_avg', 'batch0'
    role: str  # PARAMETER, BUFFER, STATE or INPUT
    tensor: torch.Tensor  # its fake twin


@dataclass
class TracedStep:
    """A step as an FX graph.

    module: its placeholders are `placeholders`, in order; its outputs the loss (or the model's outputs).
    phases: FX node name -> 'forward', 'backward' or 'optimizer'.
    unused: trainable parameters without a gradient, which the step leaves alone.
    """

    module: torch.fx.GraphModule
    placeholders: list[Placeholder]
    phases: dict[str, str]
    num_outputs: int
    unused: list[str] = field(default_factory=list)


class _Phases:
    """Which FX nodes were traced in which phase."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        mode = get_proxy_mode()
        assert mode is not None, "phases are marked while tracing"
        graph = mode.tracer.graph
        before = len(graph.nodes)
        yield
        for node in itertools.islice(graph.nodes, before, None):
            self._of[node.name] = name

    def kept_by(self, module: torch.fx.GraphModule) -> dict[str, str]:
        return {n.name: self._of[n.name] for n in module.graph.nodes if n.name in self._of}


def call_model(model: torch.nn.Module, inputs: Any) -> Any:
    """A tuple or list is unpacked into positional arguments, a dict into named ones."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    if isinstance(inputs, (tuple, list)):
        return model(*inputs)
    return model(inputs)


def loss_of(model: torch.nn.Module, loss_fn: Callable[..., Any] | None, batch: Any) -> torch.Tensor:
    """loss_fn(model(input), target), or model(**batch).loss without a loss_fn."""
    if loss_fn is None:
        if not isinstance(batch, Mapping):
            raise CaptureError("without a loss_fn the batch must be a dict, for model(**batch).loss")
        loss = getattr(model(**batch), "loss", None)
        if loss is None:
            raise CaptureError("model(**batch) returned no .loss; are the labels in the batch?")
    else:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise CaptureError("the batch must be (input, target)")
        loss = loss_fn(call_model(model, batch[0]), batch[1])
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise CaptureError("the loss must be a tensor of one element")
    return loss


class _Inputs:
    """All tensors a step touches, flattened into placeholders and back."""

    def __init__(self, model: torch.nn.Module, twins: Twins) -> None:
        self.twins = twins
        self.placeholders: list[Placeholder] = []
        self.parameters = dict(model.named_parameters())
        self.buffers = dict(model.named_buffers())
        for name, tensor in self.parameters.items():
            self.add(name, PARAMETER, tensor)
        for name, tensor in self.buffers.items():
            self.add(name, BUFFER, tensor)

    def add(self, name: str, role: str, tensor: torch.Tensor) -> None:
        self.placeholders.append(Placeholder(name, role, self.twins.of(tensor)))

    def add_twin(self, name: str, role: str, twin: torch.Tensor) -> None:
        self.placeholders.append(Placeholder(name, role, twin))

    def add_batch(self, batch: Any) -> Callable[[Mapping[torch.Tensor, torch.Tensor]], Any]:
        """Registers the batch's tensors; returns what rebuilds the batch from traced ones."""
        leaves, spec = pytree.tree_flatten(batch)
        count = itertools.count()
        for leaf in leaves:
            if isinstance(leaf, torch.Tensor):
                self.add(f"batch{next(count)}", INPUT, leaf)

        def rebuild(traced: Mapping[torch.Tensor, torch.Tensor]) -> Any:
            tensors = [traced[self.twins.of(x)] if isinstance(x, torch.Tensor) else x for x in leaves]
            return pytree.tree_unflatten(tensors, spec)

        return rebuild

    def modules_tensors(self, traced: Mapping[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            name: traced[self.twins.of(tensor)]
            for name, tensor in itertools.chain(self.parameters.items(), self.buffers.items())
        }


def _trace(
    inputs: _Inputs, body: Callable[[Mapping[torch.Tensor, torch.Tensor]], Any]
) -> torch.fx.GraphModule:
    twins = [placeholder.tensor for placeholder in inputs.placeholders]

    def function(*tensors: torch.Tensor) -> Any:
        return body(dict(zip(twins, tensors, strict=True)))

    try:
        return make_fx(function, tracing_mode="fake")(*twins)
    except CaptureError:
        raise
    except Exception as error:
        reason = data_dependence(error)
        if reason is None:
            raise
        raise CaptureError(reason) from error


def data_dependence(error: BaseException) -> str | None:
    """Why tracing stopped, if it was because a shape or a branch depends on values."""
    name = type(error).__name__
    if name == "DynamicOutputShapeException":
        return f"node {error.args[0] if error.args else '?'}: its output's shape depends on values"
    if name in (
        "DataDependentOutputException",
        "GuardOnDataDependentSymNode",
        "PendingUnbackedSymbolNotFound",
    ):
        detail = str(error).strip().splitlines()
        return f"the step branches on a value, or takes a shape from one: {detail[0] if detail else name}"
    return None


def _refuse_unsupported(model: torch.nn.Module) -> None:
    for name, module in model.named_modules():
        kind = type(module).__name__
        if kind in ("DistributedDataParallel", "FullyShardedDataParallel"):
            raise CaptureError(f"module {name or 'model'!r} is a {kind}: capture the module inside it")


def trace_step(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer,
    example_batch: Any,
    *,
    device: str | torch.device | None = None,
) -> TracedStep:
    """Trace forward, loss, backward and the optimizer's update in place as one FX graph.

    Leaves model, optimizer and batch untouched; real, fake and meta tensors will do. device: where the
    step will run, if not where the model is (it decides how dropout runs). Raises CaptureError.
    """
    _refuse_unsupported(model)
    inputs = _Inputs(model, Twins(fake_mode()))
    trainable = {name: p for name, p in inputs.parameters.items() if p.requires_grad}
    check_parameters(optimizer, {id(p): name for name, p in trainable.items()})
    shadow = ShadowOptimizer(optimizer, inputs.twins)
    names = {inputs.twins.of(p): name for name, p in inputs.parameters.items()}
    for twin, values in shadow.state.items():
        for key, value in values.items():
            if isinstance(value, torch.Tensor):
                inputs.add_twin(f"{names[twin]}.{key}", STATE, value)
    rebuild = inputs.add_batch(example_batch)
    phases = _Phases()
    unused: list[str] = []

    def body(traced: Mapping[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor]:
        with phases.phase("forward"), dropout_as_on(device):
            tensors = inputs.modules_tensors(traced)
            with _reparametrize_module(model, tensors, tie_weights=True):
                loss = loss_of(model, loss_fn, rebuild(traced))
        with phases.phase("backward"):
            twins = [inputs.twins.of(p) for p in trainable.values()]
            found = torch.autograd.grad(loss, [traced[t] for t in twins], allow_unused=True)
        gradients = {twin: g for twin, g in zip(twins, found, strict=True) if g is not None}
        unused[:] = [names[twin] for twin in twins if twin not in gradients]
        with phases.phase("optimizer"):
            state = {
                twin: {k: traced[v] if isinstance(v, torch.Tensor) else v for k, v in values.items()}
                for twin, values in shadow.state.items()
            }
            shadow.update(traced, gradients, state)
        return (loss.detach(),)

    module = _trace(inputs, body)
    return TracedStep(module, inputs.placeholders, phases.kept_by(module), 1, unused)


def trace_inference(
    model: torch.nn.Module, example_inputs: Any, *, device: str | torch.device | None = None
) -> TracedStep:
    """Trace the model's forward pass without gradients; its tensor outputs are the graph's."""
    _refuse_unsupported(model)
    inputs = _Inputs(model, Twins(fake_mode()))
    rebuild = inputs.add_batch(example_inputs)
    phases = _Phases()
    outputs: list[torch.Tensor] = []

    def body(traced: Mapping[torch.Tensor, torch.Tensor]) -> Sequence[torch.Tensor]:
        tensors = inputs.modules_tensors(traced)
        with (
            phases.phase("forward"),
            dropout_as_on(device),
            torch.no_grad(),
            _reparametrize_module(model, tensors, tie_weights=True),
        ):
            result = call_model(model, rebuild(traced))
        outputs[:] = [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        return tuple(outputs)

    module = _trace(inputs, body)
    return TracedStep(module, inputs.placeholders, phases.kept_by(module), len(outputs))
