"""compile_step: the training step of an ordinary model, run at its planned peak.

    step = lowtide.torch.compile_step(model, loss_fn, optimizer, (images, labels))
    for batch in loader:
        loss = step(batch)
        scheduler.step()
    print(step.report())

The first call of each shape is the plain eager step, the second profiles, the third records, and from the
fourth on every tensor has its planned time and place. All of them are real steps with the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch.utils import _pytree as pytree

from lowtide.torch.errors import UnsupportedError
from lowtide.torch.execution import tracecache
from lowtide.torch.execution.compiled import Compiled
from lowtide.torch.execution.distributed import data_parallel
from lowtide.torch.execution.eager import EagerStep
from lowtide.torch.execution.variant import PlanSettings
from lowtide.torch.tracing.body import Body, InferenceBody, TrainingBody
from lowtide.torch.tracing.fakes import Twins
from lowtide.torch.tracing.inputs import call_model
from lowtide.torch.tracing.recipe import Recipe
from lowtide.torch.tracing.signature import LIVE_HYPERPARAMETERS
from lowtide.torch.tracing.trace import TracedStep

MAX_PLANS = 8


class CompiledStep(Compiled):
    """A training step: `loss = step(batch)`, or `loss, result = step(batch)` with `return_result`."""

    def __init__(
        self,
        eager: EagerStep,
        example_batch: Any,
        settings: PlanSettings,
        max_plans: int,
        recipe: Recipe,
    ) -> None:
        super().__init__(eager.model, eager.optimizer, settings, max_plans)
        self._eager_step = eager
        self._recipe = recipe
        self._compile(example_batch)

    def _eager(self, batch: Any) -> Any:
        loss, result = self._eager_step(batch)
        return (loss, result) if self._eager_step.returns_result else loss

    def _run(self, batch: Any) -> Any:
        ranks = self.settings.ranks
        if ranks is not None:  # as DistributedDataParallel does, at the start of every step
            ranks.broadcast(list(self.model.buffers()))
        return super()._run(batch)

    def _batch_as_traced(self, batch: Any) -> Any:
        """With a GradScaler, the batch and its scale."""
        if not self._recipe.scaled:
            return batch
        scaler = self._eager_step.scaler
        if scaler._scale is None:
            scaler._lazy_init_scale_growth_tracker(self._eager_step.device)
        return (batch, scaler._scale)

    def _body(self, batch: Any, twins: Twins) -> Body:
        assert self.optimizer is not None
        return TrainingBody(
            self.model,
            self._eager_step.loss_fn,
            self.optimizer,
            self._batch_as_traced(batch),
            twins=twins,
            live_hyperparameters=LIVE_HYPERPARAMETERS,
            return_result=self._eager_step.returns_result,
            on_gradients=self._eager_step.on_gradients,
            recipe=self._recipe,
        )

    def _program_key(self, kind: Hashable) -> str | None:
        ranks = self.settings.ranks
        options = (
            ranks and ranks.group.size(),
            kind,
            self._recipe,
            self._eager_step.returns_result,
            *self.settings.plan_options,
        )
        return tracecache.key_of(self.model, self._eager_step.loss_fn, self.optimizer, *options)

    def _finish(self, traced: TracedStep | Body, outputs: Any) -> Any:
        if traced.gradients:
            gradients = outputs[-len(traced.gradients) :]
            outputs = outputs[: -len(traced.gradients)]
            for name, gradient in zip(traced.gradients, gradients, strict=True):
                self.model.get_parameter(name).grad = gradient
            del gradients, gradient
            self._eager_step.update()
        loss = outputs[0]
        if not self._eager_step.returns_result:
            return loss
        assert traced.result_spec is not None
        return loss, pytree.tree_unflatten(outputs[1:], traced.result_spec)


class CompiledInference(Compiled):
    """A forward pass without gradients: `result = infer(inputs)`."""

    def __init__(
        self, model: torch.nn.Module, example_inputs: Any, settings: PlanSettings, max_plans: int
    ) -> None:
        super().__init__(model, None, settings, max_plans)
        self._compile(example_inputs)

    def _eager(self, batch: Any) -> Any:
        # As it is traced: with attention's fused fast path, results would change in their last bits.
        fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with torch.no_grad():
                return call_model(self.model, batch)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)

    def _body(self, batch: Any, twins: Twins) -> Body:
        return InferenceBody(self.model, batch, twins=twins)

    def _program_key(self, kind: Hashable) -> str | None:
        return tracecache.key_of(self.model, None, None, "inference", kind, *self.settings.plan_options)

    def _finish(self, traced: TracedStep | Body, outputs: Any) -> Any:
        assert traced.result_spec is not None
        return pytree.tree_unflatten(list(outputs), traced.result_spec)


def compile_step(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer,
    example_batch: Any,
    *,
    memory_limit: int | None = None,
    order: str = "auto",
    arena: bool = True,
    autocast: torch.dtype | None = None,
    scaler: Any = None,
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    accumulate: int = 1,
    return_result: bool = False,
    fuse_update: bool = True,
    process_group: Any = None,
    cache: bool = True,
    time_limit: float = 1.5,
    max_plans: int = MAX_PLANS,
) -> CompiledStep:
    """The training step of `model`, planned: `loss = step(batch)`.

    example_batch, loss_fn: as for `capture`: `(input, target)` and `loss_fn(model(input), target)`, or,
      with `loss_fn=None`, a dict and `model(**batch).loss`. Batches of other shapes are planned at their
      second appearance; up to `max_plans` plans are kept.
    memory_limit: bytes beside weights, state and batch; ValueError if it is proved impossible.
    order: an order solver's name; 'given' keeps program order. arena: give every tensor its place.
    autocast: the type to run forward and loss in. scaler: a GradScaler; it implies fuse_update=False.
    clip_grad_norm, clip_grad_value: clip gradients. accumulate: with k > 1 a batch is a list of k batches,
      whose losses are divided by k.
    return_result: the step returns `(loss, result)`, the model's result beside the loss.
    fuse_update: False keeps gradients to the end of the step and runs the optimizer in eager; needed for
      optimizers that cannot be traced, and for step hooks.
    process_group: average gradients over its ranks (True: the default group), as
      DistributedDataParallel would; the model is the bare module. See lowtide.torch.distributed.
    cache: keep plans on disk. time_limit: seconds for each search.

    Weights, buffers and optimizer state stay the live tensors of `model` and `optimizer`. Gradients are
    None after every step. Python code in the model runs only when it is traced.

    Raises UnsupportedError or CaptureError, naming the module or operator, the reason and the way out.
    """
    _refuse_fused(optimizer, fuse_update and scaler is None)
    ranks = data_parallel(process_group)
    if ranks is not None:
        ranks.broadcast([*model.parameters(), *model.buffers()])
    recipe = Recipe(
        micro_batches=accumulate,
        autocast=autocast,
        clip_norm=clip_grad_norm,
        clip_value=clip_grad_value,
        scaled=scaler is not None,
        updates=fuse_update and scaler is None,
    )
    eager = EagerStep(
        model,
        loss_fn,
        optimizer,
        recipe,
        _device_of(model),
        scaler,
        on_gradients=ranks,
        returns_result=return_result,
    )
    settings = PlanSettings(
        order=order,
        time_limit=time_limit,
        memory_limit=memory_limit,
        use_arena=arena,
        use_cache=cache,
        name=f"{type(model).__name__} step",
        device=_device_of(model).type,
        ranks=ranks,
    )
    return CompiledStep(eager, example_batch, settings, max_plans, recipe)


def compile_inference(
    model: torch.nn.Module,
    example_inputs: Any,
    *,
    memory_limit: int | None = None,
    order: str = "auto",
    arena: bool = True,
    cache: bool = True,
    time_limit: float = 1.5,
    max_plans: int = MAX_PLANS,
) -> CompiledInference:
    """The forward pass of `model` without gradients, planned: `result = infer(inputs)`.

    example_inputs: a tensor, or a tuple or dict that is unpacked into arguments. The rest as for
    `compile_step`. The model's mode (train or eval) is that of each call; each has a plan of its own.
    """
    settings = PlanSettings(
        order=order,
        time_limit=time_limit,
        memory_limit=memory_limit,
        use_arena=arena,
        use_cache=cache,
        name=f"{type(model).__name__} inference",
        device=_device_of(model).type,
    )
    return CompiledInference(model, example_inputs, settings, max_plans)


def _device_of(model: torch.nn.Module) -> torch.device:
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _refuse_fused(optimizer: torch.optim.Optimizer, fused_update: bool) -> None:
    if fused_update and any(group.get("fused") for group in optimizer.param_groups):
        raise UnsupportedError(
            f"optimizer {type(optimizer).__name__}: fused=True updates all parameters in one kernel, which "
            "rounds differently from one at a time; pass fused=False, or fuse_update=False to compile_step"
        )
