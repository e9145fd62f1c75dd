"""One plan's way from a traced program to a replayed one; a compiled step keeps one for each shape.

    profile -> record -> replay          (with the arena)
    profile -> order                     (without)

Every stage runs the user's real step once; nothing runs twice, and no state is copied:
 * profile: program order, node by node; gives workspaces and times. Then the order is planned.
 * record: the planned order; gives every request with its lifetime. Then the record is placed. One that is
   above eager's peak gives way to program order, and that to eager.
 * replay: the planned order at the planned addresses, from then on.
A plan from the cache starts at replay; one whose program is from the cache too, at
 * verify: the model's own code, held against the program (see tracecache).
A replay that keeps diverging is recorded again, twice, and then given up: the order stays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

import lowtide
from lowtide.torch.arena.library import Arena, library
from lowtide.torch.arena.record import Recording, record_if_free
from lowtide.torch.arena.replay import PlacedPlan, ReplayStats
from lowtide.torch.execution import plancache
from lowtide.torch.execution.distributed import DataParallel
from lowtide.torch.execution.overlap import overlapped
from lowtide.torch.execution.profile import Profile, graph_to_plan, run_profiled
from lowtide.torch.execution.program import Program
from lowtide.torch.execution.report import StepReport
from lowtide.torch.tracing.binding import Binding
from lowtide.torch.tracing.reader import CapturedStep, read_graph
from lowtide.torch.tracing.trace import TracedStep

DIVERGED_IN_A_ROW = 3  # before a plan is recorded again
PAGE = 4096  # bytes above eager that are none: no machine's memory is counted finer
RECORDINGS = 3  # before the arena is given up


class FallbackWarning(UserWarning):
    """A step runs without a part of its plan: slower or larger than planned, and correct."""


@dataclass(frozen=True)
class PlanSettings:
    """What to plan with. memory_limit: bytes the step may use beside weights, state and batch."""

    order: str = "auto"
    layout: str = "auto"
    time_limit: float = 1.5
    memory_limit: int | None = None
    use_arena: bool = True
    use_cache: bool = True
    name: str = "step"
    device: str = "cpu"  # the kind that the model is on
    ranks: DataParallel | None = None  # those to agree with

    @property
    def plan_options(self) -> tuple[object, ...]:
        """What beside the program decides about a plan."""
        arena = self.use_arena and library(self.device) is not None
        return (self.order, self.layout, arena, torch.get_num_threads())


@dataclass(frozen=True)
class _Promise:
    """What a plan says about its order, without the plan; it travels between ranks and to disk."""

    schedule: list[str]
    peak_bytes: int
    peak_lower_bound_bytes: int
    order_status: str
    order: str = ""
    is_claim: bool = False  # read from a file: the bound is no proof of this run

    @staticmethod
    def of(plan: lowtide.Plan) -> _Promise:
        return _Promise(plan.schedule, plan.peak_bytes, plan.peak_lower_bound_bytes, plan.order_status)

    def show_in(self, report: StepReport) -> None:
        report.planned_peak_bytes = self.peak_bytes
        report.peak_lower_bound_bytes = self.peak_lower_bound_bytes
        report.order_status = self.order_status
        report.peak_bound_is_claim = self.is_claim


class Variant:
    """A program for one shape, and how far it has got."""

    def __init__(
        self,
        traced: TracedStep,
        binding: Binding,
        settings: PlanSettings,
        arena: Arena,
        report: StepReport,
        plan_key: str | None = None,
    ) -> None:
        """plan_key: of the program, where it is known already; the plan itself is in the cache."""
        self.traced = traced
        self.binding = binding
        self.settings = settings
        self.arena = arena
        self.report = report
        on_device = _is_on(traced, settings.device)
        self.use_arena = settings.use_arena and on_device and library(settings.device) is not None
        self._graph: lowtide.Graph | None = None
        self.profile = Profile()
        self.plan: lowtide.Plan | None = None
        self.program: Program | None = None
        self.placed: PlacedPlan | None = None
        self._promise = _Promise([], 0, 0, "")
        self._diverged_in_a_row = 0
        self._recordings = 0
        self._keep: Callable[[str], None] | None = None
        self._enter("profile")
        self._names = {node.name for node in traced.module.graph.nodes}
        with self.timed("read"):
            if plan_key is None:
                report.nodes = self.captured.graph.num_nodes  # refuses what cannot be planned
            self._key = plan_key or plancache.key_of(traced.module, *settings.plan_options)
        if settings.ranks is not None:
            settings.ranks.check_same("graph", self._key)
        if settings.use_cache:
            with self.timed("cache"):
                self._load()

    @functools.cached_property
    def captured(self) -> CapturedStep:
        return read_graph(self.traced, self.settings.name)

    @property
    def graph(self) -> lowtide.Graph:
        """With workspaces, once they are known."""
        if self._graph is None:
            self._graph = graph_to_plan(self.captured, self.profile)
        return self._graph

    # -- running ---------------------------------------------------------------------------------

    def run(self, leaves: list[Any], finish: Callable[..., Any]) -> Any:
        """One step on a batch's leaves; `finish` gets the outputs, and by name the tensors whose gradients
        are among them, and its memory is planned too."""
        tensors = self.binding.tensors(leaves)
        names = self.traced.gradients + self.traced.passed_on
        finish = functools.partial(finish, tensors={n: self.binding.named(n, leaves) for n in names})
        stage = self.report.stage
        if stage == "profile":
            return self._run_profiled(tensors, finish)
        if stage == "record":
            return self._run_recorded(tensors, finish)
        if stage == "replay":
            return self._run_replayed(tensors, finish)
        return finish(self._call(tensors))

    def _call(self, tensors: list[Any]) -> Any:
        assert self.program is not None
        with torch.no_grad(), torch._C._DisableAutocast():
            return self.program.call(tensors)

    def _run_profiled(self, tensors: list[Any], finish: Callable[[Any], Any]) -> Any:
        with torch._C._DisableAutocast():
            outputs, self.profile = run_profiled(self.traced.module, tensors, self.settings.device)
        self.report.program_peak_bytes = self.profile.peak_bytes
        del tensors
        result = finish(outputs)
        self._order(self.profile)
        if self.use_arena:
            self._enter("record")
        else:
            self._enter("order")
            self._save()
        return result

    def _run_recorded(self, tensors: list[Any], finish: Callable[[Any], Any]) -> Any:
        with record_if_free(self.settings.device) as recording:
            result = finish(self._call(tensors))
        if recording.available:
            self._place(recording)
        return result

    def _run_replayed(self, tensors: list[Any], finish: Callable[[Any], Any]) -> Any:
        assert self.placed is not None
        with self.placed.replay_if_free() as stats:
            result = finish(self._call(tensors))
        if stats.available:
            self._note(stats)
        return result

    # -- planning --------------------------------------------------------------------------------

    def _order(self, profile: Profile) -> None:
        ranks = self.settings.ranks
        with self.timed("order"):
            self._graph = None  # the profile is new
            if ranks is None or ranks.is_first:
                self.plan = self._planned(self.settings.order)
                self._promise = _Promise.of(self.plan)
            if ranks is not None:
                if ranks.is_first:
                    order = overlapped(self.graph, self._promise.schedule, self.settings.memory_limit)
                    self._promise = dataclasses.replace(self._promise, schedule=order)
                self._promise = ranks.from_first(self._promise)
            self.program = Program.of(self.traced.module, self._promise.schedule)
            if ranks is not None:
                ranks.check_same("order", "\n".join(self.program.schedule))
        self._promise.show_in(self.report)
        self._check_limit(self._promise)

    def _planned(self, order: str) -> lowtide.Plan:
        return lowtide.plan(self.graph, order=order, time_limit=self.settings.time_limit, reuse=True)

    def preview(self) -> lowtide.Plan:
        """A plan of what is known so far: without workspaces, before anything ran."""
        with self.timed("order"):
            plan = self._planned(self.settings.order)
        self._check_limit(plan)
        return plan

    def _check_limit(self, plan: lowtide.Plan | _Promise) -> None:
        limit = self.settings.memory_limit
        if limit is None or plan.peak_bytes <= limit:
            return
        least = plan.peak_lower_bound_bytes
        if least > limit:
            raise ValueError(
                f"memory_limit: no order of this step runs in {limit} bytes; it takes at least {least}"
            )
        warnings.warn(
            f"memory_limit: the best order found takes {plan.peak_bytes} bytes, the limit is {limit} "
            f"(at least {least} are needed)",
            FallbackWarning,
            stacklevel=2,
        )

    def _place(self, recording: Recording) -> None:
        """Place the record; one above program order's or eager's gives way to program order, recorded anew,
        and that to eager's where it is above eager's too."""
        self.report.planned_peak_bytes = recording.peak_bytes
        above_eager = self._is_above_eager(recording)
        if self._promise.order == "given" and above_eager:
            self._keep_eager(recording)
            return
        if self._promise.order != "given" and (above_eager or self._is_above_program(recording)):
            self.plan = self._planned("given")
            self._promise = dataclasses.replace(_Promise.of(self.plan), order="given")
            self.program = Program.of(self.traced.module, self._promise.schedule)
            return
        with self.timed("place"):
            plan = recording.plan(layout=self.settings.layout, time_limit=self.settings.time_limit)
            self.placed = PlacedPlan(plan, self.arena)
        self._recordings += 1
        self._diverged_in_a_row = 0
        self._show_placed()
        self._enter("replay" if self.placed.handle is not None else "order")
        self._save()

    def _is_above_program(self, recording: Recording) -> bool:
        program_peak = self.profile.peak_bytes
        return program_peak is not None and recording.peak_bytes > program_peak * 1.001

    def _is_above_eager(self, recording: Recording) -> bool:
        """At the first placing. Several ranks would have to agree, and keep their plan."""
        eager = self.report.eager_peak_bytes
        if eager is None or self._recordings > 0 or self.settings.ranks is not None:
            return False
        return recording.transient_peak_bytes > eager + PAGE

    def _keep_eager(self, recording: Recording) -> None:
        eager, planned = self.report.eager_peak_bytes, recording.transient_peak_bytes
        reason = f"its plan takes {planned} bytes, eager's order {eager}"
        self._enter("fallback", f"eager's order is kept: {reason}")
        warnings.warn(f"{self.settings.name} stays in eager: {reason}", FallbackWarning, stacklevel=2)

    def _show_placed(self) -> None:
        assert self.placed is not None
        self.report.arena_bytes = self.placed.plan.arena_bytes
        self.report.planned_bytes = self.placed.plan.planned_bytes
        self.report.planned_peak_bytes = self.placed.plan.peak_bytes

    def _note(self, stats: ReplayStats) -> None:
        report = self.report
        report.replayed_steps += 1
        report.requests, report.hits, report.misses = stats.requests, stats.hits, stats.misses
        report.escaped, report.conflicts = stats.escaped, stats.conflicts
        report.measured_bytes = stats.measured_bytes
        if not stats.diverged:
            self._diverged_in_a_row = 0
            return
        report.diverged += 1
        self._diverged_in_a_row += 1
        if self._recordings == 0:
            self._distrust_cache()
        elif self._diverged_in_a_row >= DIVERGED_IN_A_ROW:
            self._record_again()

    def _record_again(self) -> None:
        self.placed = None
        if self._recordings < RECORDINGS:
            self._enter("record")
            return
        self._enter("order", "its requests differ from step to step")
        warnings.warn(
            f"{self.settings.name}: the step's memory requests differ from step to step; it runs in planned "
            "order without the arena",
            FallbackWarning,
            stacklevel=2,
        )

    # -- the cache -------------------------------------------------------------------------------

    def _load(self) -> None:
        found = plancache.load(self._key)
        usable = (
            found is not None
            and self._names.issuperset(found.schedule)
            and self.use_arena == (found.arena is not None)
        )
        ranks = self.settings.ranks
        if ranks is not None and usable:
            usable = found is not None and found.schedule == ranks.from_first(found.schedule)
        elif ranks is not None:
            ranks.from_first(None)
        if ranks is not None:
            usable = ranks.all_true(usable)
        if found is None or not usable:
            return
        self.report.from_cache = True
        self.report.nodes = len(found.schedule)
        self.profile = found.profile
        self.report.program_peak_bytes = found.profile.peak_bytes
        self._promise = _Promise(
            found.schedule,
            found.peak_bytes,
            found.peak_lower_bound_bytes,
            found.order_status,
            is_claim=True,
        )
        self._promise.show_in(self.report)
        self.program = Program.of(self.traced.module, found.schedule)
        if found.arena is not None:
            self.placed = PlacedPlan(found.arena, self.arena)
            self._show_placed()
        self._enter("order" if found.arena is None else "replay")

    def _save(self) -> None:
        if not self.settings.use_cache or self.program is None:
            return
        plancache.save(
            self._key,
            plancache.CachedPlan(
                schedule=self.program.schedule,
                profile=self.profile,
                arena=None if self.placed is None else self.placed.plan,
                peak_bytes=self._promise.peak_bytes,
                peak_lower_bound_bytes=self._promise.peak_lower_bound_bytes,
                order_status=self._promise.order_status,
            ),
        )
        if self._keep is not None:
            self._keep(self._key)

    def _distrust_cache(self) -> None:
        plancache.forget(self._key)
        self.report.from_cache = False
        self.placed = None
        self._enter("record")

    def keep_program(self, keep: Callable[[str], None]) -> None:
        """Calls `keep` with the key of the program's plan whenever there is a plan in the cache."""
        self._keep = keep
        if self.report.from_cache:
            keep(self._key)

    def distrust(self) -> None:
        """The program itself is from the cache: it must not run before a step has shown it to be right."""
        self._stage_to_come = self.report.stage
        self._enter("verify")

    def trust(self) -> None:
        self._enter(self._stage_to_come)

    # -- telling ---------------------------------------------------------------------------------

    def _enter(self, stage: str, reason: str | None = None) -> None:
        self.report.stage, self.report.reason = stage, reason

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        with timed(self.report, self.settings.name, what):
            yield


@contextlib.contextmanager
def timed(report: StepReport, name: str, what: str) -> Iterator[None]:
    """Adds to the report's first-use times; on a terminal, shows what is going on."""
    terminal = sys.stderr.isatty()
    if terminal:
        print(f"\rlowtide: {name}: {what} ...\033[K", end="", file=sys.stderr, flush=True)
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - start
        report.first_use_seconds[what] = report.first_use_seconds.get(what, 0.0) + seconds
        if terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _is_on(traced: TracedStep, device: str) -> bool:
    """On one device of that kind, beside numbers on the CPU. A stored program, on meta, was on a CPU."""
    devices = {placeholder.tensor.device for placeholder in traced.placeholders}
    others = {d for d in devices if d.type not in ("cpu", "meta")}
    return not others if device == "cpu" else len(others) == 1 and others.pop().type == device
