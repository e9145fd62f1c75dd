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

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils.weak import TensorWeakRef

from lowtide.torch.errors import UnsupportedError
from lowtide.torch.execution import tracecache
from lowtide.torch.execution.compiled import Compiled
from lowtide.torch.execution.distributed import data_parallel
from lowtide.torch.execution.eager import EagerStep
from lowtide.torch.execution.variant import PlanSettings
from lowtide.torch.tracing.body import Body, InferenceBody, TrainingBody, leaves_of
from lowtide.torch.tracing.fakes import Twins
from lowtide.torch.tracing.inputs import call_model
from lowtide.torch.tracing.optimizers import Optimizers
from lowtide.torch.tracing.recipe import Recipe
from lowtide.torch.tracing.trace import TracedStep

MAX_PLANS = 8
CHECK_EVERY = 1000  # steps of a plan


class CompiledStep(Compiled):
    """A training step: `loss = step(batch)`, or `loss, result = step(batch)` with `return_result`."""

    def __init__(
        self,
        eager: EagerStep,
        example_batch: Any,
        settings: PlanSettings,
        max_plans: int,
        recipe: Recipe,
        check_every: int,
    ) -> None:
        updates = eager.optimizers.parts(recipe.updates)
        given = settings, max_plans, check_every
        super().__init__(eager.model, eager.loss_fn, eager.optimizers, updates, *given)
        self._eager_step = eager
        self._recipe = recipe
        with_gradient = [p for p in self._parameters() if p.grad is not None]
        self._stale = [(p, TensorWeakRef(p.grad), p.grad._version) for p in with_gradient]
        self._compile(example_batch)

    def _eager(self, batch: Any) -> Any:
        loss, result = self._eager_step(batch)
        return (loss, result) if self._eager_step.returns_result else loss

    def _run(self, batch: Any) -> Any:
        ranks = self.settings.ranks
        if ranks is not None:  # as DistributedDataParallel does, at the start of every step
            ranks.broadcast(list(self.model.buffers()))
        self._drop_stale_gradients()
        return super()._run(batch)

    def _parameters(self) -> Iterator[torch.Tensor]:
        assert self.optimizers is not None
        return self.optimizers.parameters()

    def _drop_stale_gradients(self) -> None:
        """Those of the last plain step before compile_step: a loop's next zero_grad would free them."""
        for p, gradient, version in self._stale:
            if p.grad is not None and p.grad is gradient() and p.grad._version == version:
                p.grad = None
        self._stale = []

    def _only_eager(self, leaves: list[Any]) -> str | None:
        """Gradients that a backward pass before the step has left, or that go back into what it updates."""
        if any([p.grad is not None for p in self._parameters()]):
            return "parameters have gradients from an earlier backward()"
        computed = [x for x in leaves if isinstance(x, torch.Tensor) and x.grad_fn is not None]
        if computed:
            own = {id(p) for p in self._parameters()}
            if any(id(leaf) in own for x in computed for leaf in leaves_of(x)):
                return "the batch was computed with the parameters that the step updates"
        return None

    def _batch_as_traced(self, batch: Any) -> Any:
        """With a GradScaler, the batch and its scale."""
        if not self._recipe.scaled:
            return batch
        scaler = self._eager_step.scaler
        if scaler._scale is None:
            scaler._lazy_init_scale_growth_tracker(self._eager_step.device)
        return (batch, scaler._scale)

    def _body(self, batch: Any, twins: Twins) -> Body:
        assert self.optimizers is not None
        return TrainingBody(
            self.model,
            self._eager_step.loss_fn,
            self.optimizers,
            self._batch_as_traced(batch),
            twins=twins,
            reach=self.reach,
            live_hyperparameters=self.options.live,
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
        return tracecache.key_of(self.model, self._eager_step.loss_fn, self.optimizers, *options)

    def _finish(self, traced: TracedStep | Body, outputs: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
        outputs = list(outputs)
        if traced.passed_on:
            gradients = outputs[-len(traced.passed_on) :]
            del outputs[-len(traced.passed_on) :]
            torch.autograd.backward([tensors[name] for name in traced.passed_on], gradients)
            del gradients
        if traced.gradients:
            for name in reversed(traced.gradients):
                tensors[name].grad = outputs.pop()
            self._eager_step.update()
        loss = outputs[0]
        if not self._eager_step.returns_result:
            return loss
        assert traced.result_spec is not None
        return loss, pytree.tree_unflatten(outputs[1:], traced.result_spec)


class CompiledInference(Compiled):
    """A forward pass without gradients: `result = infer(inputs)`."""

    def __init__(
        self,
        model: torch.nn.Module,
        example_inputs: Any,
        settings: PlanSettings,
        max_plans: int,
        check_every: int,
    ) -> None:
        super().__init__(model, None, None, None, settings, max_plans, check_every)
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
        return InferenceBody(self.model, batch, twins=twins, reach=self.reach)

    def _program_key(self, kind: Hashable) -> str | None:
        return tracecache.key_of(self.model, None, None, "inference", kind, *self.settings.plan_options)

    def _finish(self, traced: TracedStep | Body, outputs: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
        assert traced.result_spec is not None
        return pytree.tree_unflatten(list(outputs), traced.result_spec)


def compile_step(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer],
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
    check_every: int = CHECK_EVERY,
) -> CompiledStep:
    """The training step of `model`, planned: `loss = step(batch)`.

    example_batch, loss_fn: as for `capture`: `(input, target)` and `loss_fn(model(input), target)`, or,
      with `loss_fn=None`, a dict and `model(**batch).loss`. Batches of other shapes are planned at their
      second appearance; up to `max_plans` plans are kept, and of more shapes those that come often.
    optimizer: one, or a list of several (Muon for matrices, AdamW for the rest), which step in that order.
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
    check_every: after so many steps of a plan one is run by the model's own Python, and held against the
      plan's program, operator by operator; 0: never.

    Weights, buffers and optimizer state stay the live tensors of `model` and `optimizer`. The optimizer's
    gradients are None after every step; others that the loss has (of inputs, of tensors outside the model)
    are added to their `.grad` or sent on, as by `loss.backward()`. Python code in model and loss runs only
    when it is traced or checked: what it keeps, counts or draws by itself makes the step run in eager, with
    one warning.

    Raises UnsupportedError or CaptureError, naming the module or operator, the reason and the way out.
    """
    optimizers = Optimizers(optimizer)
    _refuse_fused(optimizers, fuse_update and scaler is None)
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
        optimizers,
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
    return CompiledStep(eager, example_batch, settings, max_plans, recipe, check_every)


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
    check_every: int = CHECK_EVERY,
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
    return CompiledInference(model, example_inputs, settings, max_plans, check_every)


def _device_of(model: torch.nn.Module) -> torch.device:
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _refuse_fused(optimizers: Optimizers, fused_update: bool) -> None:
    fused = [o for o in optimizers.each if any(group.get("fused") for group in o.param_groups)]
    if fused_update and fused:
        raise UnsupportedError(
            f"optimizer {type(fused[0]).__name__}: fused=True updates all parameters in one kernel, which "
            "rounds differently from one at a time; pass fused=False, or fuse_update=False to compile_step"
        )
