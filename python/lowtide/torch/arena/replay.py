"""Replay: the n-th request of a step gets the place that its plan gave it.

    with lowtide.torch.replay(plan) as stats:
        train_step()
    print(stats)

Checked, so results never change: see core.h. What a plan cannot serve goes to the ordinary
allocator.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from ctypes import c_int64
from dataclasses import dataclass

from lowtide.torch.arena.library import Arena
from lowtide.torch.arena.record import BUSY, ArenaPlan, Recording
from lowtide.torch.undivided import signals_wait


@dataclass
class ReplayStats:
    """What became of one replayed step's requests.

    hits: served from the arena. misses: served elsewhere, for one of these reasons: they escape by
    plan (`escaped`), a live block was in the way (`conflicts`), or the step had `diverged` from its
    record. measured_bytes: the arena and the most bytes alive at once outside it.
    """

    requests: int = 0
    hits: int = 0
    misses: int = 0
    conflicts: int = 0
    diverged_at: int | None = None
    escaped: int = 0
    escape_peak_bytes: int = 0
    arena_bytes: int = 0
    available: bool = True
    busy: bool = False  # not available because the thread is recording or replaying already

    @property
    def diverged(self) -> bool:
        return self.diverged_at is not None

    @property
    def measured_bytes(self) -> int:
        return self.arena_bytes + self.escape_peak_bytes

    @property
    def hit_rate(self) -> float:
        """Of the requests that the plan has a place for."""
        expected = self.requests - self.escaped
        return self.hits / expected if expected else 1.0


class PlacedPlan:
    """An ArenaPlan handed to the arena's library, with the memory it runs in."""

    def __init__(self, plan: ArenaPlan, arena: Arena | None = None) -> None:
        self.plan = plan
        self.arena = arena or Arena(plan.device)
        self.handle: int | None = None
        loaded = self.arena.library
        if loaded is not None and self.arena.reserve(plan.arena_bytes):
            n = len(plan.sizes)
            self.handle = loaded.lowtide_plan_create(
                n, (c_int64 * n)(*plan.sizes), (c_int64 * n)(*plan.offsets)
            )
            weakref.finalize(self, loaded.lowtide_plan_release, self.handle)

    @contextmanager
    def replay(self) -> Iterator[ReplayStats]:
        """Raises RuntimeError if the thread is recording or replaying already."""
        with self.replay_if_free() as stats:
            if stats.busy:
                raise RuntimeError(BUSY)
            yield stats

    @contextmanager
    def replay_if_free(self) -> Iterator[ReplayStats]:
        """As `replay`, but with stats that are not `available` where there can be no replay."""
        stats = ReplayStats(arena_bytes=self.plan.arena_bytes)
        session = None
        try:
            with signals_wait():
                session = self._begin()
                stats.available = session is not None
                stats.busy = self.handle is not None and session is None
            yield stats
        finally:
            with signals_wait():
                if session is not None:
                    self._end(session, stats)

    def _begin(self) -> int | None:
        loaded = self.arena.library
        if loaded is None or self.handle is None:
            return None
        return loaded.lowtide_replay_begin(self.handle, self.arena.handle)

    def _end(self, session: int, stats: ReplayStats) -> None:
        """On whatever thread."""
        loaded, counters = self.arena.library, (c_int64 * 7)()
        assert loaded is not None
        loaded.lowtide_replay_end(session, counters)
        stats.requests, stats.hits, stats.misses, stats.conflicts = counters[:4]
        stats.diverged_at = counters[4] if counters[4] >= 0 else None
        stats.escape_peak_bytes, stats.escaped = counters[5], counters[6]


# Plans that `replay` was given, each placed once, as long as the caller keeps the plan. By identity:
# two equal plans may run at the same time.
_placed: dict[int, PlacedPlan] = {}


def replay(plan: ArenaPlan | Recording) -> AbstractContextManager[ReplayStats]:
    """A context manager: within it this thread's requests go where `plan` says.

    plan: of `Recording.plan()`, or a recording, which is placed at its first replay. Yields
    ReplayStats, filled when the block ends. A thread replays one plan at a time (RuntimeError).
    """
    key = id(plan)
    placed = _placed.get(key)
    if placed is None:
        arena_plan = plan.plan() if isinstance(plan, Recording) else plan
        # Of a copy, so that the table keeps no plan alive.
        placed = _placed[key] = PlacedPlan(dataclasses.replace(arena_plan))
        weakref.finalize(plan, _placed.pop, key, None)
    return placed.replay()
