"""What a compiled step and a compiled inference share: a plan per shape, and the way back to eager."""

from __future__ import annotations

import functools
import time
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import torch

import lowtide
from lowtide.torch.arena.library import Arena
from lowtide.torch.arena.record import record_if_free
from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.execution import tracecache
from lowtide.torch.execution.report import StepReport
from lowtide.torch.execution.tracecache import StoredProgram
from lowtide.torch.execution.variant import FallbackWarning, PlanSettings, Variant, timed
from lowtide.torch.tracing import stored
from lowtide.torch.tracing.binding import Binding, StateMissing
from lowtide.torch.tracing.body import Body
from lowtide.torch.tracing.fakes import LiveTwins, Twins, fake_mode
from lowtide.torch.tracing.inputs import INPUT
from lowtide.torch.tracing.observe import observe
from lowtide.torch.tracing.optimizers import Optimizers
from lowtide.torch.tracing.reach import Reach
from lowtide.torch.tracing.signature import LIVE_HYPERPARAMETERS, Options, flatten_batch, register_dataclasses
from lowtide.torch.tracing.trace import TracedStep, trace
from lowtide.torch.undivided import undivided

MAX_ENTRIES = 1000  # shapes that are remembered, most of them without a plan
COMES_OFTEN = 8  # times that a shape comes while another does not, to take its plan
Kind = tuple[Hashable, int, Hashable]  # the batch's look, the number of a look at reach, options


class _Entry:
    """What is known about one shape: its report, and its plan once it has one."""

    def __init__(self) -> None:
        self.report = StepReport()
        self.variant: Variant | None = None
        self.seen = 0
        self.times: deque[int] = deque(maxlen=COMES_OFTEN)  # the steps in which it came last
        self.program: StoredProgram | None = None  # from the cache, not trusted before a step matched it
        self.refused: str | None = None  # one that a step did not match
        self.differed = 0  # how often a step did not match


class Compiled:
    """What a compiled step and a compiled inference share: a plan per shape, and the way back to eager."""

    def __init__(
        self,
        model: torch.nn.Module,
        loss_fn: Callable[..., Any] | None,
        optimizers: Optimizers | None,
        updates: Any,
        settings: PlanSettings,
        max_plans: int,
        check_every: int,
    ) -> None:
        """updates: the optimizers, or as much of them as has a part in the program."""
        self.model = model
        self.optimizers = optimizers
        self.settings = settings
        self.max_plans = max_plans
        self.check_every = check_every
        self.reach = Reach(model=model, loss_fn=loss_fn, optimizer=updates)
        self.options = Options(optimizers)
        self._changes = _Changes()
        self._arena = Arena(settings.device)
        self._steps = 0
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

    def _finish(self, traced: TracedStep | Body, outputs: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
        """tensors: what the placeholders stand for, by their names."""
        raise NotImplementedError

    def _only_eager(self, leaves: list[Any]) -> str | None:
        """Why this very step has to run in eager, if it has to."""
        return None

    # -- running ---------------------------------------------------------------------------------

    def __call__(self, batch: Any) -> Any:
        """Run on one batch; of a shape not seen before, in eager."""
        with undivided():
            return self._run(batch)

    def _run(self, batch: Any) -> Any:
        refuse_ambient_autocast()
        if self._changes.given_up is not None:
            return self._run_eager(self._last, batch)
        register_dataclasses(batch)
        leaves, kind = self._look(batch)
        entry = self._entry(kind)
        self._steps += 1
        entry.report.steps += 1
        entry.seen += 1
        entry.times.append(self._steps)
        reason = self._only_eager(leaves)
        if reason is not None:
            self._changes.warn(self.settings.name, reason)
        if reason is not None or entry.seen == 1 or entry.report.stage == "fallback":
            return self._run_eager(entry, batch)
        if entry.variant is None and not (self._has_room(entry) and self._prepare(entry, batch, kind)):
            return self._run_eager(entry, batch)
        variant = entry.variant
        assert variant is not None
        stage = entry.report.stage
        start = time.perf_counter()
        if stage == "verify" or self._is_to_be_checked(entry):
            return self._run_observed(entry, batch, leaves)
        try:
            if stage == "profile":
                return self._run_first(entry, variant, batch, leaves)
            result = variant.run(leaves, functools.partial(self._finish, variant.traced))
        except StateMissing:
            return self._run_eager(entry, batch)
        if stage in ("replay", "order"):
            entry.report.step_seconds = _least(entry.report.step_seconds, start)
        return result

    def _look(self, batch: Any) -> tuple[list[Any], Kind]:
        """The batch's leaves, and all that a program depends on beside the values of tensors."""
        leaves, look = flatten_batch(self._batch_as_traced(batch))
        number = self.reach.look()
        if number != self._changes.number:
            self._changes.note(number, self.reach, self.settings.name)
        return leaves, (look, number, self.options.signature())

    def _is_to_be_checked(self, entry: _Entry) -> bool:
        planned = entry.report.stage in ("replay", "order")
        return planned and self.check_every > 0 and entry.seen % self.check_every == 0

    def _entry(self, key: Hashable) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
            if len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        self._last = entry
        return entry

    def _has_room(self, entry: _Entry) -> bool:
        """Whether it may have a plan. If all are taken it gets that of the shape that did not come for
        longest, once it has come often since; else shapes that take turns would be planned for ever."""
        planned = [other for other in self._entries.values() if other.variant is not None]
        if len(planned) < self.max_plans:
            return True
        oldest = min(planned, key=lambda other: other.times[-1] if other.times else 0)
        often = len(entry.times) == COMES_OFTEN
        if not often or (oldest.times and entry.times[0] < oldest.times[-1]):
            reason = (
                f"more than max_plans={self.max_plans} shapes or settings take turns, and all have no plan"
            )
            self._changes.warn(self.settings.name, f"some of its steps: {reason}")
            return False
        oldest.variant, oldest.report.stage = None, "eager"
        return True

    def _run_eager(self, entry: _Entry, batch: Any) -> Any:
        start = time.perf_counter()
        with record_if_free(self.settings.device) as recording:
            result = self._eager(batch)
        entry.report.eager_seconds = _least(entry.report.eager_seconds, start)
        register_dataclasses(result)
        if recording.available:
            entry.report.eager_peak_bytes = recording.transient_peak_bytes
        if self._changes.given_up is None and self._changed_itself() and self._changes.given_up is None:
            # It kept something, a mask say: the next step finds it, and is no first one.
            after = self._entry(self._look(batch)[1])
            after.seen, after.report.steps = max(after.seen, 1), entry.report.steps
            after.report.eager_peak_bytes = after.report.eager_peak_bytes or entry.report.eager_peak_bytes
        return result

    def _run_first(self, entry: _Entry, variant: Variant, batch: Any, leaves: list[Any]) -> Any:
        """The program's first run. Some operators give other strides over fakes than over real tensors,
        and then a view that was traced cannot be had: if nothing was written by then, the shape stays in
        eager."""
        before = _BuffersAndRandom(self.model)
        writes = _Writes(variant.binding.tensors(leaves), but=self.model.buffers())
        try:
            return variant.run(leaves, functools.partial(self._finish, variant.traced))
        except RuntimeError as error:
            if self.settings.ranks is not None or writes.happened():
                raise
            before.restore()
            reason = f"what was traced does not run: {str(error).splitlines()[0]}"
        self._fall_back(entry, reason, "for this batch")
        return self._run_eager(entry, batch)

    def _changed_itself(self) -> bool:
        """Whether the step that just ran in Python did; one that always does so has no plan."""
        if self.reach.look() == self._changes.number:
            self._changes.by_step = 0
            return False
        self._changes.by_step += 1
        if self._changes.by_step == _Changes.BY_ITSELF:
            self._give_up(self.reach.changed())
        return True

    # -- planning --------------------------------------------------------------------------------

    def _prepare(self, entry: _Entry, batch: Any, kind: Kind) -> bool:
        """Trace and read the graph; False, with one warning, if this shape has to stay in eager."""
        try:
            self._make_variant(entry, batch, kind)
        except CaptureError as error:
            if self.options.live != LIVE_HYPERPARAMETERS:
                changing = f"the optimizer's {self.options.fix()} changes from step to step"
                self._changes.warn(self.settings.name, f"{changing}, and: {error}")
            else:
                self._fall_back(entry, str(error), "for this batch")
            return False
        if entry.variant is None:
            self._give_up(self._changes.by_trace)
            return False
        return True

    def _give_up(self, changed: list[str]) -> None:
        """No step is planned any more, nor looked at."""
        reason = f"its Python changes {_listed(changed)} in each step, which a plan would not do"
        self._changes.given_up = reason
        self._entries.clear()
        self._fall_back(self._last, reason, "for good")
        self.reach.forget()

    def _fall_back(self, entry: _Entry, reason: str, how_long: str) -> None:
        entry.variant, entry.report.stage, entry.report.reason = None, "fallback", reason
        warnings.warn(
            f"{self.settings.name} stays in eager {how_long}: {reason}", FallbackWarning, stacklevel=6
        )

    def _make_variant(self, entry: _Entry, batch: Any, kind: Kind) -> None:
        look, _, options = kind  # the number between them is of this process
        key = self._program_key((look, options)) if self.settings.use_cache else None
        if key is not None and entry.refused is None and self._load_variant(entry, batch, key):
            return
        with timed(entry.report, self.settings.name, "trace"):
            traced = trace(self.reach, lambda: self._body(batch, Twins(fake_mode())))
            if self.settings.ranks is not None:
                traced.buckets = self.settings.ranks.buckets
        self._changes.by_trace = traced.changed
        if not self._on_all_ranks(not traced.changed):
            return  # the first step, in eager, may make what is kept from then on
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
        binding = Binding(traced.placeholders, self.model, self.optimizers, self.reach)
        return Variant(traced, binding, self.settings, self._arena, entry.report, plan_key)

    def _run_observed(self, entry: _Entry, batch: Any, leaves: list[Any]) -> Any:
        """A step of the model's own code, which says whether the program may run from then on."""
        variant, program = entry.variant, entry.program
        assert variant is not None
        start = time.perf_counter()
        before = _BuffersAndRandom(self.model)
        try:
            body = self._body(batch, LiveTwins())
            observed = observe(body, variant.traced)
            outputs, difference = observed.outputs, observed.difference
        except Exception as error:
            before.restore()
            outputs, difference = None, f"{type(error).__name__}: {error}"
        if self._on_all_ranks(difference is None):
            variant.traced.result_spec = body.result_spec
            entry.differed = 0
            if program is not None:
                variant.trust()
        else:
            self._distrust(entry, difference or "another rank's step differs")
        entry.program = None
        seconds = time.perf_counter() - start - (entry.report.eager_seconds or 0.0)
        entry.report.first_use_seconds["verify"] = max(seconds, 0.0)
        if outputs is None:
            return self._run_eager(entry, batch)
        self._changed_itself()
        tensors = {p.name: p.tensor for p in body.inputs.placeholders} | self.reach.tensors
        tensors |= {p.name: leaves[p.key] for p in body.inputs.placeholders if p.role == INPUT}
        return self._finish(body, outputs, tensors)

    def _distrust(self, entry: _Entry, difference: str) -> None:
        """The program is not the step's: traced anew, and if that differs too, given up."""
        entry.differed += 1
        if entry.program is not None:
            entry.refused = entry.program.text
        elif entry.differed > 1:
            self._fall_back(entry, f"a step differs from what was traced: {difference}", "for this batch")
            return
        entry.variant = None
        entry.report.stage, entry.report.from_cache = "eager", False
        entry.report.reason = f"the program in the cache is not this one: {difference}"

    def _on_all_ranks(self, value: bool) -> bool:
        """Ranks trace together or not at all."""
        return value if self.settings.ranks is None else self.settings.ranks.all_true(value)

    @undivided()
    def _compile(self, batch: Any) -> None:
        """Trace at once, so that what cannot be compiled is refused here and not in the second step."""
        refuse_ambient_autocast()
        register_dataclasses(batch)
        _, kind = self._look(batch)
        entry = self._entry(kind)
        self._make_variant(entry, batch, kind)
        if self.settings.memory_limit is not None and entry.variant is not None:
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


class _Changes:
    """What was found to change from step to step, and whether it was said."""

    IN_A_ROW = 4  # new ones: it changes in every step, or nearly
    BY_ITSELF = 3  # steps in a row that change it in Python

    def __init__(self) -> None:
        self.number = 0  # of the last look
        self.by_trace: list[str] = []  # what the last trace would have changed
        self.by_step = 0  # how many steps in a row changed something themselves
        self.given_up: str | None = None
        self._known = {0}
        self._new_in_a_row = 0
        self._said: set[str] = set()

    def note(self, number: int, reach: Reach, name: str) -> None:
        self.number = number
        self._new_in_a_row = 0 if number in self._known else self._new_in_a_row + 1
        self._known.add(number)
        if self._new_in_a_row == self.IN_A_ROW:
            self.warn(name, f"{_listed(reach.changed())} changes from step to step")

    def warn(self, name: str, reason: str) -> None:
        """Once for each reason."""
        if reason not in self._said:
            self._said.add(reason)
            warnings.warn(f"{name} runs in eager: {reason}", FallbackWarning, stacklevel=6)


class _BuffersAndRandom:
    """What a step changes before its update, to run it again in another way."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
        self._random = torch.get_rng_state()

    def restore(self) -> None:
        torch.set_rng_state(self._random)
        with torch.no_grad():
            for buffer, value in self._buffers:
                buffer.copy_(value)


class _Writes:
    """Whether a step has written to its inputs, but for those that can be restored."""

    def __init__(self, tensors: Iterable[torch.Tensor], but: Iterable[torch.Tensor]) -> None:
        restored = {id(tensor) for tensor in but}
        held = [t for t in tensors if isinstance(t, torch.Tensor) and id(t) not in restored]
        self._versions = [(tensor, tensor._version) for tensor in held if not tensor.is_inference()]

    def happened(self) -> bool:
        return any(tensor._version != version for tensor, version in self._versions)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def refuse_ambient_autocast() -> None:
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        raise UnsupportedError(
            "torch.autocast around a compiled step has no effect on it; pass autocast=dtype to compile_step"
        )


def _least(before: float | None, start: float) -> float:
    seconds = time.perf_counter() - start
    return seconds if before is None else min(before, seconds)
