"""What a compiled step and a compiled inference share: a plan per shape, and the way back to eager."""

from __future__ import annotations

import functools
import time
import warnings
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import torch

import lowtide
from lowtide.torch.arena.library import Arena
from lowtide.torch.arena.record import record_if_free
from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.execution import tracecache
from lowtide.torch.execution.binding import Binding, StateMissing
from lowtide.torch.execution.report import StepReport
from lowtide.torch.execution.tracecache import StoredProgram
from lowtide.torch.execution.variant import FallbackWarning, PlanSettings, Variant, timed
from lowtide.torch.tracing import stored
from lowtide.torch.tracing.body import Body
from lowtide.torch.tracing.fakes import LiveTwins, Twins, fake_mode
from lowtide.torch.tracing.observe import observe
from lowtide.torch.tracing.signature import (
    ModelSignature,
    flatten_batch,
    optimizer_signature,
    register_dataclasses,
)
from lowtide.torch.tracing.trace import TracedStep, trace
from lowtide.torch.undivided import undivided


class _Entry:
    """What is known about one shape: its report, and its plan once it has one."""

    def __init__(self) -> None:
        self.report = StepReport()
        self.variant: Variant | None = None
        self.seen = 0
        self.program: StoredProgram | None = None  # from the cache, not trusted before a step matched it
        self.refused: str | None = None  # one that a step did not match


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
        self._arena = Arena(settings.device)
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._last = _Entry()

    # -- what the two differ in ------------------------------------------------------------------

    def _eager(self, batch: Any) -> Any:
        raise NotImplementedError

    def _body(self, batch: Any, twins: Twins) -> Body:
        """What is traced over fakes, and observed over live tensors."""
        raise NotImplementedError

    def _program_key(self, kind: Hashable) -> str | None:
        """Under which a traced program is kept on disk; None: under none."""
        raise NotImplementedError

    def _batch_as_traced(self, batch: Any) -> Any:
        return batch

    def _finish(self, traced: TracedStep | Body, outputs: Any) -> Any:
        raise NotImplementedError

    # -- running ---------------------------------------------------------------------------------

    def __call__(self, batch: Any) -> Any:
        """Run on one batch; of a shape not seen before, in eager."""
        with undivided():
            return self._run(batch)

    def _run(self, batch: Any) -> Any:
        refuse_ambient_autocast()
        register_dataclasses(batch)
        leaves, look = flatten_batch(self._batch_as_traced(batch))
        kind = (look, self._signature.now(), optimizer_signature(self.optimizer))
        entry = self._entry(kind)
        entry.report.steps += 1
        entry.seen += 1
        if entry.seen == 1 or entry.report.stage == "fallback":
            return self._run_eager(entry, batch)
        if entry.variant is None and not self._prepare(entry, batch, kind):
            return self._run_eager(entry, batch)
        variant = entry.variant
        assert variant is not None
        stage = entry.report.stage
        start = time.perf_counter()
        if stage == "verify":
            return self._run_observed(entry, batch)
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
        with record_if_free(self.settings.device) as recording:
            result = self._eager(batch)
        entry.report.eager_seconds = _least(entry.report.eager_seconds, start)
        register_dataclasses(result)
        if recording.available:
            entry.report.eager_peak_bytes = recording.transient_peak_bytes
        return result

    # -- planning --------------------------------------------------------------------------------

    def _prepare(self, entry: _Entry, batch: Any, kind: Hashable) -> bool:
        """Trace and read the graph; False, with one warning, if this shape has to stay in eager."""
        try:
            self._make_variant(entry, batch, kind)
        except CaptureError as error:
            entry.report.stage, entry.report.reason = "fallback", str(error)
            warnings.warn(
                f"{self.settings.name} stays in eager for this batch: {error}",
                FallbackWarning,
                stacklevel=4,
            )
            return False
        return True

    def _make_variant(self, entry: _Entry, batch: Any, kind: Hashable) -> None:
        key = self._program_key(kind) if self.settings.use_cache else None
        if key is not None and entry.refused is None and self._load_variant(entry, batch, key):
            return
        with timed(entry.report, self.settings.name, "trace"):
            traced = trace(self._body(batch, Twins(fake_mode())))
            if self.settings.ranks is not None:
                traced.buckets = self.settings.ranks.buckets
        # Written down at once: a model may change its constants, and the next process starts as this one.
        text = None if key is None else stored.dump(traced)
        entry.variant = self._variant_of(traced, entry)
        if key is not None and text is not None:
            entry.variant.keep_program(functools.partial(tracecache.save, key, text, entry.refused))

    def _load_variant(self, entry: _Entry, batch: Any, key: str) -> bool:
        """A variant from a stored program and its plan; what is refused cheaply is refused here too."""
        with timed(entry.report, self.settings.name, "load"):
            program = tracecache.load(key, self._batch_as_traced(batch))
            if not self._on_all_ranks(program is not None) or program is None:
                return False
            self._body(batch, LiveTwins())
            if self.settings.ranks is not None:
                self.settings.ranks.buckets = program.traced.buckets
        variant = self._variant_of(program.traced, entry, program.plan_key)
        if not entry.report.from_cache:
            return False
        entry.variant, entry.program = variant, program
        variant.distrust()
        return True

    def _variant_of(self, traced: TracedStep, entry: _Entry, plan_key: str | None = None) -> Variant:
        binding = Binding(traced.placeholders, self.model, self.optimizer)
        return Variant(traced, binding, self.settings, self._arena, entry.report, plan_key)

    def _run_observed(self, entry: _Entry, batch: Any) -> Any:
        """A step of the model's own code, which says whether the stored program may run from then on."""
        variant, program = entry.variant, entry.program
        assert variant is not None and program is not None
        start = time.perf_counter()
        body = self._body(batch, LiveTwins())
        observed = observe(body, program.traced)
        entry.program = None
        if self._on_all_ranks(observed.difference is None):
            program.traced.result_spec = body.result_spec
            variant.trust()
        else:
            entry.variant, entry.refused = None, program.text
            entry.report.stage, entry.report.from_cache = "eager", False
            difference = observed.difference or "another rank's step differs"
            entry.report.reason = f"the program in the cache is not this one: {difference}"
        seconds = time.perf_counter() - start - (entry.report.eager_seconds or 0.0)
        entry.report.first_use_seconds["verify"] = max(seconds, 0.0)
        return self._finish(body, observed.outputs)

    def _on_all_ranks(self, value: bool) -> bool:
        """Ranks trace together or not at all."""
        return value if self.settings.ranks is None else self.settings.ranks.all_true(value)

    @undivided()
    def _compile(self, batch: Any) -> None:
        """Trace at once, so that what cannot be compiled is refused here and not in the second step."""
        refuse_ambient_autocast()
        register_dataclasses(batch)
        _, look = flatten_batch(self._batch_as_traced(batch))
        kind = (look, self._signature.now(), optimizer_signature(self.optimizer))
        entry = self._entry(kind)
        self._make_variant(entry, batch, kind)
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


def refuse_ambient_autocast() -> None:
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        raise UnsupportedError(
            "torch.autocast around a compiled step has no effect on it; pass autocast=dtype to compile_step"
        )


def _least(before: float | None, start: float) -> float:
    seconds = time.perf_counter() - start
    return seconds if before is None else min(before, seconds)
