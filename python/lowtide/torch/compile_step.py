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

import contextlib
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree

import lowtide
from lowtide.torch.arena.library import Arena
from lowtide.torch.arena.record import record_if_free
from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.execution.binding import Binding, StateMissing
from lowtide.torch.execution.distributed import data_parallel
from lowtide.torch.execution.eager import EagerStep
from lowtide.torch.execution.report import StepReport
from lowtide.torch.execution.variant import FallbackWarning, PlanSettings, Variant, timed
from lowtide.torch.tracing.inputs import call_model
from lowtide.torch.tracing.recipe import Recipe
from lowtide.torch.tracing.signature import (
    LIVE_HYPERPARAMETERS,
    ModelSignature,
    flatten_batch,
    optimizer_signature,
    register_dataclasses,
)
from lowtide.torch.tracing.trace import TracedStep, trace_inference, trace_step

MAX_PLANS = 8


class _Entry:
    """What is known about one shape: its report, and its plan once it has one."""

    def __init__(self) -> None:
        self.report = StepReport()
        self.variant: Variant | None = None
        self.seen = 0
        self.traced: TracedStep | None = None


class Compiled:
    """What a compiled step and a compiled inference share: a plan per shape, and the way back to eager."""

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None,
        settings: PlanSettings,
        max_plans: int,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.settings = settings
        self.max_plans = max_plans
        self._signature = ModelSignature(model)
        self._arena = Arena()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._last = _Entry()

    # -- what the two differ in ------------------------------------------------------------------

    def _eager(self, batch: Any) -> Any:
        raise NotImplementedError

    def _trace(self, batch: Any) -> TracedStep:
        raise NotImplementedError

    def _batch_as_traced(self, batch: Any) -> Any:
        return batch

    def _finish(self, traced: TracedStep, outputs: Any) -> Any:
        raise NotImplementedError

    # -- running ---------------------------------------------------------------------------------

    def __call__(self, batch: Any) -> Any:
        """Run on one batch; of a shape not seen before, in eager."""
        _refuse_ambient_autocast()
        register_dataclasses(batch)
        leaves, look = flatten_batch(self._batch_as_traced(batch))
        entry = self._entry((look, self._signature.now(), optimizer_signature(self.optimizer)))
        entry.report.steps += 1
        entry.seen += 1
        if entry.seen == 1 or entry.report.stage == "fallback":
            return self._run_eager(entry, batch)
        if entry.variant is None and not self._prepare(entry, batch):
            return self._run_eager(entry, batch)
        variant = entry.variant
        assert variant is not None
        stage = entry.report.stage
        start = time.perf_counter()
        try:
            result = variant.run(leaves, lambda outputs: self._finish(variant.traced, outputs))
        except StateMissing:
            return self._run_eager(entry, batch)
        if stage in ("replay", "order"):
            entry.report.step_seconds = _least(entry.report.step_seconds, start)
        return result

    def _entry(self, key: Hashable) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
            if len(self._entries) > self.max_plans:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        self._last = entry
        return entry

    def _run_eager(self, entry: _Entry, batch: Any) -> Any:
        start = time.perf_counter()
        with record_if_free() as recording:
            result = self._eager(batch)
        entry.report.eager_seconds = _least(entry.report.eager_seconds, start)
        register_dataclasses(result)
        if recording.available:
            entry.report.eager_peak_bytes = recording.transient_peak_bytes
        return result

    # -- planning --------------------------------------------------------------------------------

    def _prepare(self, entry: _Entry, batch: Any) -> bool:
        """Trace and read the graph; False, with one warning, if this shape has to stay in eager."""
        try:
            self._make_variant(entry, batch)
        except CaptureError as error:
            entry.report.stage, entry.report.reason = "fallback", str(error)
            warnings.warn(
                f"{self.settings.name} stays in eager for this batch: {error}",
                FallbackWarning,
                stacklevel=4,
            )
            return False
        return True

    def _make_variant(self, entry: _Entry, batch: Any) -> None:
        traced = entry.traced
        if traced is None:
            with timed(entry.report, self.settings.name, "trace"):
                traced = self._trace(batch)
        binding = Binding(traced.placeholders, self.model, self.optimizer)
        entry.variant = Variant(traced, binding, self.settings, self._arena, entry.report)

    def _compile(self, batch: Any) -> None:
        """Trace at once, so that what cannot be compiled is refused here and not in the second step."""
        _refuse_ambient_autocast()
        register_dataclasses(batch)
        _, look = flatten_batch(self._batch_as_traced(batch))
        entry = self._entry((look, self._signature.now(), optimizer_signature(self.optimizer)))
        self._make_variant(entry, batch)
        assert entry.variant is not None
        if self.settings.memory_limit is not None:
            entry.variant.plan = entry.variant.preview()

    # -- telling ---------------------------------------------------------------------------------

    def report(self) -> StepReport:
        """About the plan that ran last."""
        return self._last.report

    @property
    def graph(self) -> lowtide.Graph:
        """The graph of the plan that ran last, with workspaces once they are known."""
        return self._variant().graph

    @property
    def plan(self) -> lowtide.Plan:
        """The plan that ran last; before the second step, one that knows no workspaces yet."""
        variant = self._variant()
        if variant.plan is None:
            variant.plan = variant.preview()
        return variant.plan

    def _variant(self) -> Variant:
        if self._last.variant is None:
            raise RuntimeError(f"no plan for this shape: {self._last.report.reason or 'not yet'}")
        return self._last.variant


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

    def __call__(self, batch: Any) -> Any:
        ranks = self.settings.ranks
        if ranks is not None:  # as DistributedDataParallel does, at the start of every step
            ranks.broadcast(list(self.model.buffers()))
        return super().__call__(batch)

    def _batch_as_traced(self, batch: Any) -> Any:
        """With a GradScaler, the batch and its scale."""
        if not self._recipe.scaled:
            return batch
        scaler = self._eager_step.scaler
        if scaler._scale is None:
            scaler._lazy_init_scale_growth_tracker(self._eager_step.device)
        return (batch, scaler._scale)

    def _trace(self, batch: Any) -> TracedStep:
        assert self.optimizer is not None
        with _without_autocast(self._eager_step.device):
            return trace_step(
                self.model,
                self._eager_step.loss_fn,
                self.optimizer,
                self._batch_as_traced(batch),
                live_hyperparameters=LIVE_HYPERPARAMETERS,
                return_result=self._eager_step.returns_result,
                on_gradients=self._eager_step.on_gradients,
                recipe=self._recipe,
            )

    def _finish(self, traced: TracedStep, outputs: Any) -> Any:
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

    def _trace(self, batch: Any) -> TracedStep:
        with _without_autocast(_device_of(self.model)):
            return trace_inference(self.model, batch)

    def _finish(self, traced: TracedStep, outputs: Any) -> Any:
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
    order: an order solver's name; 'given' keeps program order. arena: place every tensor (CPU).
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


def _refuse_ambient_autocast() -> None:
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        raise UnsupportedError(
            "torch.autocast around a compiled step has no effect on it; pass autocast=dtype to compile_step"
        )


@contextlib.contextmanager
def _without_autocast(device: torch.device) -> Iterator[None]:
    with torch.autocast(device.type, enabled=False):
        yield


def _least(before: float | None, start: float) -> float:
    seconds = time.perf_counter() - start
    return seconds if before is None else min(before, seconds)
