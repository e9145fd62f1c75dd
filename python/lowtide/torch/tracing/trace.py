"""One training step as one FX graph of ATen operators: forward, loss, backward, update in place.

`trace_step` is the seam between PyTorch and everything else here: `capture` reads a Graph off its
result, an executor runs it.

    step = trace_step(model, loss_fn, optimizer, batch, live_hyperparameters=("lr",))
    captured = read_graph(step)                               # lowtide.torch.reader
    captured.graph                                            # plan this
    loss, = step.module(*step.arguments(model, optimizer, batch))   # under no_grad: one real step

Nothing is functionalised: the FX graph mutates parameters, buffers, optimizer state and some
activations in place, as eager does. Tracing itself uses fake tensors: no memory, no side effects.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode, make_fx
from torch.nn.utils.stateless import _reparametrize_module
from torch.utils import _pytree as pytree

from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.tracing.dropout import dropout_as_on
from lowtide.torch.tracing.fakes import Twins, fake_mode
from lowtide.torch.tracing.inputs import (
    STATE,
    BatchForm,
    Placeholder,
    StepInputs,
    Tensors,
    call_model,
    check_batch,
    loss_of,
)
from lowtide.torch.tracing.optimizers import Groups, ShadowOptimizer, check_parameters
from lowtide.torch.tracing.recipe import Gradients, OnGradients, Recipe, accumulate, separate
from lowtide.torch.tracing.recurrent import traceable_recurrence
from lowtide.torch.tracing.refusals import (
    explain,
    refuse_leaked_tensors,
    refuse_operators,
    refuse_unsupported,
)
from lowtide.torch.tracing.signature import register_dataclasses


@dataclass
class TracedStep:
    """A step as an FX graph, with what each of its inputs and outputs is.

    module: run it under no_grad; its placeholders are `placeholders`, in order, and its outputs a tuple:
      the loss first (for training), then the leaves of the model's result, if they were asked for, then
      the gradients named in `gradients`.
    placeholders: their names are the tensors' names in the Graph, so that `placeholders` maps FX inputs
      to lowtide tensors. A lowtide node has the name of its FX node; see lowtide.torch.reader for the FX
      nodes without one and for the constraints on reordering.
    phases: FX node name -> 'forward', 'backward' or 'optimizer'.
    batch_form: what a batch must look like (shapes, dtypes, values that are no tensors).
    result_spec: rebuilds the model's result from the outputs after the loss; None if not asked for.
    unused: names of trainable parameters without a gradient, which the step leaves alone.
    groups: the optimizer's param groups as traced; options that are numbers are baked into the module.
    gradients: for a recipe without updates, the names of the parameters whose gradients are returned.
    """

    module: torch.fx.GraphModule
    placeholders: list[Placeholder]
    phases: dict[str, str]
    batch_form: BatchForm
    result_spec: pytree.TreeSpec | None = None
    unused: list[str] = field(default_factory=list)
    groups: Groups = field(default_factory=list)
    gradients: list[str] = field(default_factory=list)

    def arguments(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None,
        batch: Any,
    ) -> list[torch.Tensor]:
        """The live tensors to call `module` with. Raises ValueError on a batch of another form.

        Training needs the optimizer's state in place: take the first step in eager.
        """
        leaves = self.batch_form.flatten(batch)
        return [p.live(model, optimizer, leaves) for p in self.placeholders]


def trace_step(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer,
    example_batch: Any,
    *,
    device: str | torch.device | None = None,
    live_hyperparameters: Sequence[str] = (),
    return_result: bool = False,
    on_gradients: OnGradients | None = None,
    recipe: Recipe | None = None,
) -> TracedStep:
    """Trace forward, loss, backward and the optimizer's update in place as one FX graph.

    Leaves model, optimizer and batch untouched; real, fake and meta tensors will do.

    device: where the step will run, if not where the model is (it decides how dropout runs).
    live_hyperparameters: options of the param groups, such as 'lr', that enter as placeholders of one
      float64, so that a scheduler may change them; the others are constants of the trace.
    return_result: the model's result (a tree of tensors) is returned beside the loss.
    on_gradients: traced between backward and update, for communication: parameter name -> gradient in,
      what replaces them out. recipe: micro-batches, autocast, clipping and so on.

    Raises CaptureError; UnsupportedError, a kind of it, for what would run but differ from eager.
    """
    recipe = recipe or Recipe()
    refuse_unsupported(model)
    for micro_batch in recipe.split(example_batch)[0]:
        check_batch(loss_fn, micro_batch)
    inputs = StepInputs(model, Twins(fake_mode()))
    trainable = inputs.trainable()
    check_parameters(optimizer, {id(p): n for n, p in inputs.parameters.items() if p.requires_grad})
    shadow = None
    if recipe.updates:
        shadow = ShadowOptimizer(optimizer, inputs.twins, live_hyperparameters)
        inputs.add_state(shadow.state)
        inputs.add_hyperparameters(shadow.groups)
    form = inputs.add_batch(example_batch)
    trace = _Trace(model, inputs, device)
    unused: list[str] = []
    result_spec: list[pytree.TreeSpec] = []
    returned: list[str] = []

    def forward_and_backward(
        traced: Tensors, batch: Any, scale: torch.Tensor | None
    ) -> tuple[torch.Tensor, Any, Gradients]:
        # The backward pass too runs with the traced tensors in place: a checkpoint calls modules again.
        with trace.model_with(traced):
            with trace.phase("forward"), torch.enable_grad():
                with recipe.forward_context(trace.forward_device):
                    loss, result = loss_of(model, loss_fn, batch)
                loss = recipe.share(loss)
                root = loss if scale is None else loss * scale
            with trace.phase("backward"):
                leaves = [traced[twin] for twin in trainable.values()]
                found = torch.autograd.grad(root, leaves, allow_unused=True)
        gradients = {n: g for n, g in zip(trainable, found, strict=True) if g is not None}
        return loss.detach(), _detached(result) if return_result else None, gradients

    def body(traced: Tensors) -> list[Any]:
        batches, scale = recipe.split(form.rebuild(traced))
        losses, results, gradients = [], [], Gradients()
        for batch in batches:
            loss, result, more = forward_and_backward(traced, batch, scale)
            losses.append(loss)
            results.append(result)
            with trace.phase("backward"):
                gradients = accumulate(gradients, more)
        unused[:] = [name for name in trainable if name not in gradients]
        with trace.phase("backward"):
            if on_gradients is not None:
                gradients = on_gradients(gradients)
            if recipe.clips or not recipe.updates:
                gradients = separate(gradients)
            if recipe.clips:
                recipe.clip(list(gradients.values()))
        if shadow is not None:
            with trace.phase("optimizer"):
                by_twin = {trainable[name]: gradient for name, gradient in gradients.items()}
                shadow.update(traced, by_twin, _with_traced(shadow.state, traced))
        outputs = [functools.reduce(torch.add, losses)]
        if return_result:
            leaves, spec = flatten_result(results[0] if len(results) == 1 else results)
            result_spec[:] = [spec]
            outputs += leaves
        if not recipe.updates:
            returned[:] = gradients
            outputs += gradients.values()
        return outputs

    module = trace.run(body)
    phases = trace.phases_of(module)
    refuse_operators(module, phases)
    placeholders = _drop_unread_state(module, inputs.placeholders, unused)
    return TracedStep(
        module,
        placeholders,
        phases,
        form,
        result_spec[0] if result_spec else None,
        unused,
        shadow.groups if shadow is not None else [],
        returned,
    )


def trace_inference(
    model: torch.nn.Module, example_inputs: Any, *, device: str | torch.device | None = None
) -> TracedStep:
    """Trace the model's forward pass without gradients; its outputs are the leaves of the result."""
    refuse_unsupported(model)
    inputs = StepInputs(model, Twins(fake_mode()))
    form = inputs.add_batch(example_inputs)
    trace = _Trace(model, inputs, device)
    result_spec: list[pytree.TreeSpec] = []

    def body(traced: Tensors) -> list[Any]:
        with trace.model_with(traced), trace.phase("forward"), torch.no_grad():
            result = call_model(model, form.rebuild(traced))
            leaves, spec = flatten_result(result)
        result_spec[:] = [spec]
        return leaves

    module = trace.run(body)
    return TracedStep(module, inputs.placeholders, trace.phases_of(module), form, result_spec[0])


class _Trace:
    """One run of make_fx over the twins, and which of its nodes belong to which phase."""

    def __init__(self, model: torch.nn.Module, inputs: StepInputs, device: str | torch.device | None) -> None:
        self.model = model
        self.inputs = inputs
        self.device = device if device is not None else _device_of(model)
        self._phase_of: dict[str, str] = {}

    def run(self, body: Callable[[Tensors], list[Any]]) -> torch.fx.GraphModule:
        twins = [placeholder.tensor for placeholder in self.inputs.placeholders]

        def function(*tensors: torch.Tensor) -> Any:
            return body(dict(zip(twins, tensors, strict=True)))

        try:
            module = make_fx(function, tracing_mode="fake")(*twins)
        except CaptureError:
            raise
        except Exception as error:
            raise explain(error) from error
        finally:
            torch.clear_autocast_cache()  # it would keep fake casts for the caller's own autocast
        refuse_leaked_tensors(module, {**self.inputs.parameters, **self.inputs.buffers})
        return module

    @property
    def forward_device(self) -> torch.device:
        """Where the forward pass is traced, for autocast."""
        first = next(iter(self.inputs.placeholders), None)
        return first.tensor.device if first is not None else torch.device("cpu")

    @contextmanager
    def model_with(self, traced: Tensors) -> Iterator[None]:
        """The traced tensors in the model's place."""
        tensors = self.inputs.module_tensors(traced)
        given = dict(tensors)
        with (
            dropout_as_on(self.device),
            _reparametrize_module(self.model, tensors, tie_weights=True),
            traceable_recurrence(self.model),
        ):
            yield
        with self.phase("forward"):
            for name, tensor in given.items():
                _write_back(name, tensor, tensors[name])

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        mode = get_proxy_mode()
        assert mode is not None, "phases are marked while tracing"
        graph = mode.tracer.graph
        before = len(graph.nodes)
        yield
        for node in itertools.islice(graph.nodes, before, None):
            self._phase_of[node.name] = name

    def phases_of(self, module: torch.fx.GraphModule) -> dict[str, str]:
        return {n.name: self._phase_of[n.name] for n in module.graph.nodes if n.name in self._phase_of}


def _device_of(model: torch.nn.Module) -> torch.device | None:
    """The device of the model's first tensor; None for meta, which is nowhere yet."""
    first = next(itertools.chain(model.parameters(), model.buffers()), None)
    return None if first is None or first.device.type == "meta" else first.device


def _write_back(name: str, tensor: torch.Tensor, now: torch.Tensor | None) -> None:
    """A forward pass may bind a buffer to a new tensor; the step writes it into the old one."""
    if now is tensor:
        return
    if now is None or now.shape != tensor.shape:
        raise UnsupportedError(f"buffer {name!r} is replaced by one of another shape in the step")
    with torch.no_grad():
        tensor.copy_(now)


def flatten_result(result: Any) -> tuple[list[Any], pytree.TreeSpec]:
    """Leaves that are tensors or plain values; raises UnsupportedError for an object in between."""
    register_dataclasses(result)
    leaves, spec = pytree.tree_flatten(result)
    for leaf in leaves:
        if not isinstance(leaf, (torch.Tensor, int, float, complex, str, bytes, bool, type(None))):
            raise UnsupportedError(
                f"the model returns a {type(leaf).__name__}: tensors must stand in tuples, lists, dicts or "
                "dataclasses (a Hugging Face model's cache goes with config.use_cache=False)"
            )
    return leaves, spec


def _detached(result: Any) -> Any:
    register_dataclasses(result)
    return pytree.tree_map_only(torch.Tensor, torch.Tensor.detach, result)


def _with_traced(state: Any, traced: Tensors) -> dict[torch.Tensor, dict[str, Any]]:
    return {
        twin: {k: traced[v] if isinstance(v, torch.Tensor) else v for k, v in values.items()}
        for twin, values in state.items()
    }


def _drop_unread_state(
    module: torch.fx.GraphModule, placeholders: list[Placeholder], unused: Sequence[str]
) -> list[Placeholder]:
    """Parameters without a gradient never get optimizer state in eager; nor do they here."""
    kept = []
    nodes = [node for node in module.graph.nodes if node.op == "placeholder"]
    for node, placeholder in zip(nodes, placeholders, strict=True):
        if placeholder.role == STATE and placeholder.owner in unused and not node.users:
            module.graph.erase_node(node)
        else:
            kept.append(placeholder)
    module.recompile()
    return kept
