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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx._lazy_graph_module import _use_lazy_graph_module
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.tracing.as_traced import as_traced
from lowtide.torch.tracing.binding import Binding
from lowtide.torch.tracing.body import Body, InferenceBody, TrainingBody
from lowtide.torch.tracing.fakes import Twins, fake_mode
from lowtide.torch.tracing.inputs import BUFFER, STATE, BatchForm, Placeholder
from lowtide.torch.tracing.optimizers import Groups, Optimizers
from lowtide.torch.tracing.reach import Reach
from lowtide.torch.tracing.refusals import explain, refuse_operators, unreachable
from lowtide.torch.undivided import undivided


@dataclass
class TracedStep:
    """A step as an FX graph, with what each of its inputs and outputs is.

    module: run it under no_grad; its placeholders are `placeholders`, in order, and its outputs a tuple:
      the loss first (for training), then the leaves of the model's result, if they were asked for, then
      the gradients named in `gradients`, then those of what is named in `passed_on`.
    placeholders: their names are the tensors' names in the Graph, so that `placeholders` maps FX inputs
      to lowtide tensors. A lowtide node has the name of its FX node; see lowtide.torch.reader for the FX
      nodes without one and for the constraints on reordering.
    phases: FX node name -> 'forward', 'backward' or 'optimizer'.
    batch_form: what a batch must look like (shapes, dtypes, values that are no tensors).
    result_spec: rebuilds the model's result from the outputs after the loss; None if not asked for.
    unused: names of trainable parameters without a gradient, which the step leaves alone.
    groups: the optimizer's param groups as traced; options that are numbers are baked into the module.
    gradients: for a recipe without updates, the names of the parameters whose gradients are returned.
    passed_on: names of tensors that the step does not update and that have a gradient: inputs, and tensors
      outside the model; who calls the module adds it to their `.grad`, or sends it on.
    changed: names of what the model's Python changed while it was traced (and that is as it was again): a
      program would not change it.
    buckets: of a data-parallel step, the names of the parameters whose gradients are averaged together.
    """

    module: torch.fx.GraphModule
    placeholders: list[Placeholder]
    phases: dict[str, str]
    batch_form: BatchForm
    result_spec: pytree.TreeSpec | None = None
    unused: list[str] = field(default_factory=list)
    groups: Groups = field(default_factory=list)
    gradients: list[str] = field(default_factory=list)
    passed_on: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    buckets: list[list[str]] = field(default_factory=list)

    def arguments(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None,
        batch: Any,
        loss_fn: Callable[..., Any] | None = None,
    ) -> list[torch.Tensor]:
        """The live tensors to call `module` with. Raises ValueError on a batch of another form.

        Training needs the optimizer's state in place: take the first step in eager.
        """
        leaves = self.batch_form.flatten(batch)
        reach = Reach(model=model, loss_fn=loss_fn, optimizer=optimizer)
        optimizers = None if optimizer is None else Optimizers(optimizer)
        return Binding(self.placeholders, model, optimizers, reach).tensors(leaves)


@undivided()
def trace_step(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer],
    example_batch: Any,
    **options: Any,
) -> TracedStep:
    """Trace forward, loss, backward and the optimizer's update in place as one FX graph.

    Leaves model, optimizer and batch untouched; real, fake and meta tensors will do. Options:

    device: where the step will run, if not where the model is (it decides how dropout runs).
    live_hyperparameters: options of the param groups, such as 'lr', that enter as placeholders of one
      float64, so that a scheduler may change them; the others are constants of the trace.
    return_result: the model's result (a tree of tensors) is returned beside the loss.
    on_gradients: traced between backward and update, for communication: parameter name -> gradient in,
      what replaces them out. recipe: micro-batches, autocast, clipping and so on.

    Raises CaptureError; UnsupportedError, a kind of it, for what would run but differ from eager.
    """
    reach = Reach(model=model, loss_fn=loss_fn, optimizer=optimizer)
    given = {"twins": Twins(fake_mode()), "reach": reach, **options}
    return trace(reach, lambda: TrainingBody(model, loss_fn, Optimizers(optimizer), example_batch, **given))


@undivided()
def trace_inference(
    model: torch.nn.Module, example_inputs: Any, *, device: str | torch.device | None = None
) -> TracedStep:
    """Trace the model's forward pass without gradients; its outputs are the leaves of the result."""
    reach = Reach(model=model)
    twins = Twins(fake_mode())
    return trace(reach, lambda: InferenceBody(model, example_inputs, twins=twins, reach=reach, device=device))


def trace(reach: Reach, make: Callable[[], Body]) -> TracedStep:
    """One run of make_fx over a body's twins, which leaves everything that Python can reach as it was."""
    with reach.held() as changed:
        body = make()
        module = _program(body)
        _refuse_unreachable(module, body)
    phases = {n.name: body.phase_of[n.name] for n in module.graph.nodes if n.name in body.phase_of}
    refuse_operators(module, phases)
    placeholders = _drop_unread(module, body.inputs.placeholders, body.unused)
    return TracedStep(
        module,
        placeholders,
        phases,
        body.form,
        body.result_spec,
        body.unused,
        body.groups,
        body.gradients,
        body.passed_on,
        changed,
    )


def _program(body: Body) -> torch.fx.GraphModule:
    twins = [placeholder.tensor for placeholder in body.inputs.placeholders]

    def function(*tensors: torch.Tensor) -> Any:
        return body(dict(zip(twins, tensors, strict=True)))

    try:
        # Lazy: the graph is what is wanted, hardly ever its code.
        with as_traced(*body.answers), _use_lazy_graph_module(True):
            module = make_fx(function, tracing_mode="fake")(*twins)
    except CaptureError:
        raise
    except Exception as error:
        raise explain(error) from error
    finally:
        torch.clear_autocast_cache()  # it would keep fake casts for the caller's own autocast
    return module


def _refuse_unreachable(module: torch.fx.GraphModule, body: Body) -> None:
    """Tensors to which no path leads are constants, by reference; one that has a path must not be, and none
    may have been computed with gradients."""
    for node in module.graph.nodes:
        tensor = getattr(module, str(node.target), None) if node.op == "get_attr" else None
        path = body.reach.paths.get(id(tensor))
        if tensor is not None and path is not None and tensor.layout is torch.strided:
            raise unreachable(path)
    for placeholder, node in zip(body.inputs.placeholders, _inputs(module), strict=True):
        real = body.reach.tensors.get(str(placeholder.owner)) if placeholder.is_outside else None
        if node.users and real is not None and real.grad_fn is not None:
            raise UnsupportedError(
                f"{placeholder.name!r} was computed with gradients outside the step; detach() it, or make it "
                "a part of the batch, through which gradients are sent on"
            )


def _inputs(module: torch.fx.GraphModule) -> list[torch.fx.Node]:
    return [node for node in module.graph.nodes if node.op == "placeholder"]


def _drop_unread(
    module: torch.fx.GraphModule, placeholders: list[Placeholder], unused: Sequence[str]
) -> list[Placeholder]:
    """Parameters without a gradient never get optimizer state in eager; nor do they here. And of what is
    outside the model, only that matters which the step comes across."""
    kept = []
    for node, placeholder in zip(_inputs(module), placeholders, strict=True):
        stateless = placeholder.role == STATE and placeholder.owner in unused
        lifted = placeholder.is_outside and placeholder.role == BUFFER
        if (stateless or lifted) and not node.users:
            module.graph.erase_node(node)
        else:
            kept.append(placeholder)
    module.recompile()
    return kept
