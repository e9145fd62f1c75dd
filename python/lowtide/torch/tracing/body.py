"""What a step does, as a function of the tensors it touches: the one thing that is traced, and observed.

A Body is called with a tensor for each of its placeholders. With fakes under make_fx that gives a program
(`trace`); with the live tensors themselves it is a real step (`observe`): the same Python code, the same
operators.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.nn.utils.stateless import _reparametrize_module
from torch.utils import _pytree as pytree

from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.tracing.dropout import dropout_as_on
from lowtide.torch.tracing.fakes import Twins
from lowtide.torch.tracing.inputs import (
    BUFFER,
    INPUT,
    BatchForm,
    StepInputs,
    Tensors,
    call_model,
    check_batch,
    is_fake,
    loss_of,
)
from lowtide.torch.tracing.optimizers import (
    Groups,
    Optimizers,
    ShadowOptimizer,
    check_parameters,
    tensors_in,
)
from lowtide.torch.tracing.reach import Reach
from lowtide.torch.tracing.recipe import Gradients, OnGradients, Recipe, accumulate, as_stored, separate
from lowtide.torch.tracing.recurrent import traceable_recurrence
from lowtide.torch.tracing.refusals import refuse_unsupported, unreachable
from lowtide.torch.tracing.signature import register_dataclasses


class Body:
    """A model with a tensor in the place of each of its own; subclasses say what is done with it.

    After a call: phase_of, the phase of each FX node, if it was traced; result_spec, how to rebuild the
    model's result from the outputs, None if it is not returned; unused, the trainable parameters without
    a gradient; gradients, the names of the gradients among the outputs; passed_on, of tensors that nobody
    updates here and whose gradients are the last outputs, the names of their placeholders or their paths.
    """

    form: BatchForm

    def __init__(
        self,
        model: torch.nn.Module,
        twins: Twins,
        reach: Reach,
        device: str | torch.device | None = None,
        outside: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """reach: of model, loss function and optimizer. outside: see StepInputs."""
        refuse_unsupported(model)
        self.model = model
        self.reach = reach
        self.inputs = StepInputs(model, twins, outside)
        self.inputs.add_lifted(reach.outside(self.inputs.own.values()))
        self.device = device if device is not None else _device_of(model)
        self.phase_of: dict[str, str] = {}
        self.result_spec: pytree.TreeSpec | None = None
        self.unused: list[str] = []
        self.gradients: list[str] = []
        self.passed_on: list[str] = []
        self.groups: Groups = []

    def __call__(self, traced: Tensors) -> list[Any]:
        """The step's outputs; traced: the tensor to use for each twin."""
        raise NotImplementedError

    @property
    def answers(self) -> tuple[Any, ...]:
        """For `as_traced`."""
        return self.inputs.answers

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
        stand_ins = {} if self.inputs.twins.live else self.inputs.stand_ins(traced)
        with (
            dropout_as_on(self.device),
            self.reach.standing_in(stand_ins),
            _reparametrize_module(self.model, tensors, tie_weights=True),
            traceable_recurrence(self.model),
        ):
            yield
        with self.phase("forward"):
            for name, tensor in given.items():
                _write_back(name, tensor, tensors[name])

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What is traced within belongs to that phase."""
        mode = get_proxy_mode()
        if mode is None:
            yield
            return
        graph = mode.tracer.graph
        before = len(graph.nodes)
        yield
        for node in itertools.islice(graph.nodes, before, None):
            self.phase_of[node.name] = name


class TrainingBody(Body):
    """Forward, loss, backward, and the optimizer's update in place. For the arguments see trace_step."""

    def __init__(
        self,
        model: torch.nn.Module,
        loss_fn: Callable[..., Any] | None,
        optimizers: Optimizers,
        batch: Any,
        *,
        twins: Twins,
        reach: Reach,
        device: str | torch.device | None = None,
        live_hyperparameters: Sequence[str] = (),
        return_result: bool = False,
        on_gradients: OnGradients | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        self.recipe = recipe or Recipe()
        for micro_batch in self.recipe.split(batch)[0]:
            check_batch(loss_fn, micro_batch)
        super().__init__(model, twins, reach, device, _outside(model, optimizers, reach))
        self.loss_fn = loss_fn
        self.returns_result = return_result
        self.on_gradients = on_gradients
        self.trainable = self.inputs.trainable()
        parameters = self.inputs.parameters
        named = {id(p): n for n, p in parameters.items() if p.requires_grad}
        self.not_updated = check_parameters(optimizers, named)
        if self.not_updated and (on_gradients is not None or self.recipe.clip_norm is not None):
            raise UnsupportedError(
                f"parameter {min(self.not_updated)!r} requires a gradient but is not in the optimizer, and "
                "its gradient cannot be clipped or averaged with the others'; freeze it with "
                "requires_grad_(False) or add it (optimizer=[a, b] takes several)"
            )
        self.shadows: list[ShadowOptimizer] = []
        if self.recipe.updates:
            self.shadows = [ShadowOptimizer(o, twins, live_hyperparameters) for o in optimizers.each]
            self.groups = [group for shadow in self.shadows for group in shadow.groups]
            for shadow in self.shadows:
                self.inputs.add_state(shadow.state)
            self.inputs.add_hyperparameters(map(tensors_in, self.groups))
        self.form = self.inputs.add_batch(batch)

    def __call__(self, traced: Tensors) -> list[Any]:
        batches, scale = self.recipe.split(self.form.rebuild(traced))
        losses, results, gradients, passed_on = [], [], Gradients(), Gradients()
        for batch in batches:
            loss, result, more, passed_on = self._forward_and_backward(traced, batch, scale)
            losses.append(loss)
            results.append(result)
            with self.phase("backward"):
                gradients = accumulate(gradients, more)
        self.unused = [name for name in self.trainable if name not in gradients]
        with self.phase("backward"):
            gradients = self._communicated_and_clipped(gradients)
        passed_on = {n: gradients.pop(n) for n in sorted(self.not_updated & gradients.keys())} | passed_on
        for shadow in self.shadows:
            with self.phase("optimizer"):
                self._update(shadow, traced, gradients)
        outputs = [functools.reduce(torch.add, losses)]
        if self.returns_result:
            leaves, self.result_spec = flatten_result(results[0] if len(results) == 1 else results)
            outputs += leaves
        if not self.recipe.updates:
            self.gradients = list(gradients)
            outputs += gradients.values()
        self.passed_on = list(passed_on)
        return [*outputs, *passed_on.values()]

    def _forward_and_backward(
        self, traced: Tensors, batch: Any, scale: torch.Tensor | None
    ) -> tuple[torch.Tensor, Any, Gradients, Gradients]:
        # The backward pass too runs with the traced tensors in place: a checkpoint calls modules again.
        with self.model_with(traced):
            with self.phase("forward"), torch.enable_grad():
                with self.recipe.forward_context(self.forward_device):
                    loss, result = loss_of(self.model, self.loss_fn, batch)
                loss = self.recipe.share(loss)
                root = loss if scale is None else loss * scale
            with self.phase("backward"):
                leaves = {name: traced[twin] for name, twin in self.trainable.items()}
                others = self._others(root, traced)
                found = torch.autograd.grad(root, [*leaves.values(), *others.values()], allow_unused=True)
                gradients = {
                    name: as_stored(gradient, leaf)
                    for (name, leaf), gradient in zip(leaves.items(), found, strict=False)
                    if gradient is not None
                }
        passed_on = dict(zip(others, found[len(leaves) :], strict=True))
        passed_on = {name: gradient for name, gradient in passed_on.items() if gradient is not None}
        if passed_on and self.recipe.micro_batches > 1:
            raise UnsupportedError(
                f"{min(passed_on)!r} requires a gradient and is not the optimizer's, which accumulate= would "
                "add up otherwise than eager; detach() it, or freeze it with requires_grad_(False)"
            )
        return loss.detach(), _detached(result) if self.returns_result else None, gradients, passed_on

    def _others(self, root: torch.Tensor, traced: Tensors) -> Gradients:
        """What the loss depends on beside parameters that are trained here: inputs, and tensors outside."""
        if not self.inputs.twins.live:
            real = next((leaf for leaf in leaves_of(root) if not isinstance(leaf, FakeTensor)), None)
            if real is not None:
                raise unreachable(self.reach.paths.get(id(real)) or f"a tensor of shape {tuple(real.shape)}")
        return {
            p.name: traced[p.tensor]
            for p in self.inputs.placeholders
            if (p.role == INPUT or (p.is_outside and p.role == BUFFER)) and p.tensor.requires_grad
        }

    def _communicated_and_clipped(self, gradients: Gradients) -> Gradients:
        if self.on_gradients is not None:
            gradients = self.on_gradients(gradients)
        if self.recipe.clips or not self.recipe.updates:
            gradients = separate(gradients)
        if self.recipe.clips:
            self.recipe.clip(list(gradients.values()))
        return gradients

    def _update(self, shadow: ShadowOptimizer, traced: Tensors, gradients: Gradients) -> None:
        own = {twin for group in shadow.groups for twin in group["params"]}
        by_name = ((self.trainable[name], gradient) for name, gradient in gradients.items())
        by_twin = {twin: gradient for twin, gradient in by_name if twin in own}
        state = {
            twin: {k: traced[v] if isinstance(v, torch.Tensor) else v for k, v in values.items()}
            for twin, values in shadow.state.items()
        }
        shadow.update(traced, by_twin, state)


class InferenceBody(Body):
    """The forward pass without gradients."""

    def __init__(
        self,
        model: torch.nn.Module,
        batch: Any,
        *,
        twins: Twins,
        reach: Reach,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__(model, twins, reach, device)
        self.form = self.inputs.add_batch(batch)

    def __call__(self, traced: Tensors) -> list[Any]:
        with self.model_with(traced), self.phase("forward"), torch.no_grad():
            result = call_model(self.model, self.form.rebuild(traced))
            leaves, self.result_spec = flatten_result(result)
        return leaves


def _outside(model: torch.nn.Module, optimizers: Optimizers, reach: Reach) -> dict[str, torch.Tensor]:
    """What the optimizers train and is not the model's: a loss' own parameters, a prompt; by path."""
    of_model = {id(p): p for p in model.parameters()}
    others = [p for p in optimizers.parameters() if p.requires_grad and id(p) not in of_model]
    if any(map(is_fake, others)) and not any(map(is_fake, of_model.values())):
        raise CaptureError(
            "the optimizer holds fake parameters and the model real ones: it was made while another thread "
            "traced the model; make it before, or where no trace runs"
        )
    return {reach.paths[id(p)]: p for p in others}


def leaves_of(root: torch.Tensor) -> Iterator[torch.Tensor]:
    """The leaves of an autograd graph that require a gradient."""
    seen, stack = set(), [root.grad_fn]
    while stack:
        function = stack.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        if hasattr(function, "variable"):
            yield function.variable
        stack += [function for function, _ in function.next_functions]


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
