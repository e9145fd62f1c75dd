"""What a step does, as a function of the tensors it touches: the one thing that is traced, and observed.

A Body is called with a tensor for each of its placeholders. With fakes under make_fx that gives a program
(`trace`); with the live tensors themselves it is a real step (`observe`): the same Python code, the same
operators.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.nn.utils.stateless import _reparametrize_module
from torch.utils import _pytree as pytree

from lowtide.torch.errors import UnsupportedError
from lowtide.torch.tracing.dropout import dropout_as_on
from lowtide.torch.tracing.fakes import Twins
from lowtide.torch.tracing.inputs import BatchForm, StepInputs, Tensors, call_model, check_batch, loss_of
from lowtide.torch.tracing.optimizers import Groups, ShadowOptimizer, check_parameters
from lowtide.torch.tracing.recipe import Gradients, OnGradients, Recipe, accumulate, as_stored, separate
from lowtide.torch.tracing.recurrent import traceable_recurrence
from lowtide.torch.tracing.refusals import refuse_unsupported
from lowtide.torch.tracing.signature import register_dataclasses


class Body:
    """A model with a tensor in the place of each of its own; subclasses say what is done with it.

    After a call: phase_of, the phase of each FX node, if it was traced; result_spec, how to rebuild the
    model's result from the outputs, None if it is not returned; unused, the trainable parameters without
    a gradient; gradients, the names of the gradients among the outputs, at their end.
    """

    form: BatchForm

    def __init__(
        self, model: torch.nn.Module, twins: Twins, device: str | torch.device | None = None
    ) -> None:
        refuse_unsupported(model)
        self.model = model
        self.inputs = StepInputs(model, twins)
        self.device = device if device is not None else _device_of(model)
        self.phase_of: dict[str, str] = {}
        self.result_spec: pytree.TreeSpec | None = None
        self.unused: list[str] = []
        self.gradients: list[str] = []
        self.groups: Groups = []

    def __call__(self, traced: Tensors) -> list[Any]:
        """The step's outputs; traced: the tensor to use for each twin."""
        raise NotImplementedError

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
        optimizer: torch.optim.Optimizer,
        batch: Any,
        *,
        twins: Twins,
        device: str | torch.device | None = None,
        live_hyperparameters: Sequence[str] = (),
        return_result: bool = False,
        on_gradients: OnGradients | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        self.recipe = recipe or Recipe()
        for micro_batch in self.recipe.split(batch)[0]:
            check_batch(loss_fn, micro_batch)
        super().__init__(model, twins, device)
        self.loss_fn = loss_fn
        self.returns_result = return_result
        self.on_gradients = on_gradients
        self.trainable = self.inputs.trainable()
        parameters = self.inputs.parameters
        check_parameters(optimizer, {id(p): n for n, p in parameters.items() if p.requires_grad})
        self.shadow: ShadowOptimizer | None = None
        if self.recipe.updates:
            self.shadow = ShadowOptimizer(optimizer, twins, live_hyperparameters)
            self.groups = self.shadow.groups
            self.inputs.add_state(self.shadow.state)
            self.inputs.add_hyperparameters(self.groups)
        self.form = self.inputs.add_batch(batch)

    def __call__(self, traced: Tensors) -> list[Any]:
        batches, scale = self.recipe.split(self.form.rebuild(traced))
        losses, results, gradients = [], [], Gradients()
        for batch in batches:
            loss, result, more = self._forward_and_backward(traced, batch, scale)
            losses.append(loss)
            results.append(result)
            with self.phase("backward"):
                gradients = accumulate(gradients, more)
        self.unused = [name for name in self.trainable if name not in gradients]
        with self.phase("backward"):
            gradients = self._communicated_and_clipped(gradients)
        if self.shadow is not None:
            with self.phase("optimizer"):
                self._update(self.shadow, traced, gradients)
        outputs = [functools.reduce(torch.add, losses)]
        if self.returns_result:
            leaves, self.result_spec = flatten_result(results[0] if len(results) == 1 else results)
            outputs += leaves
        if not self.recipe.updates:
            self.gradients = list(gradients)
            outputs += gradients.values()
        return outputs

    def _forward_and_backward(
        self, traced: Tensors, batch: Any, scale: torch.Tensor | None
    ) -> tuple[torch.Tensor, Any, Gradients]:
        # The backward pass too runs with the traced tensors in place: a checkpoint calls modules again.
        with self.model_with(traced):
            with self.phase("forward"), torch.enable_grad():
                with self.recipe.forward_context(self.forward_device):
                    loss, result = loss_of(self.model, self.loss_fn, batch)
                loss = self.recipe.share(loss)
                root = loss if scale is None else loss * scale
            with self.phase("backward"):
                leaves = [traced[twin] for twin in self.trainable.values()]
                found = torch.autograd.grad(root, leaves, allow_unused=True)
                gradients = {
                    name: as_stored(gradient, leaf)
                    for name, leaf, gradient in zip(self.trainable, leaves, found, strict=True)
                    if gradient is not None
                }
        return loss.detach(), _detached(result) if self.returns_result else None, gradients

    def _communicated_and_clipped(self, gradients: Gradients) -> Gradients:
        if self.on_gradients is not None:
            gradients = self.on_gradients(gradients)
        if self.recipe.clips or not self.recipe.updates:
            gradients = separate(gradients)
        if self.recipe.clips:
            self.recipe.clip(list(gradients.values()))
        return gradients

    def _update(self, shadow: ShadowOptimizer, traced: Tensors, gradients: Gradients) -> None:
        by_twin = {self.trainable[name]: gradient for name, gradient in gradients.items()}
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
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__(model, twins, device)
        self.form = self.inputs.add_batch(batch)

    def __call__(self, traced: Tensors) -> list[Any]:
        with self.model_with(traced), self.phase("forward"), torch.no_grad():
            result = call_model(self.model, self.form.rebuild(traced))
            leaves, self.result_spec = flatten_result(result)
        return leaves


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
