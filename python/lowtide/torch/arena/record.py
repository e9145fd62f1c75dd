"""Recording: what a step asked PyTorch's CPU allocator for, and the placing of such a record.

    with lowtide.torch.record() as rec:
        train_step()
    print(rec.peak_bytes)
    plan = rec.plan()

A record holds every request of the calling thread: bytes, and the ticks at which it was allocated
and freed (every allocation and every release is one tick). Its peak is measured, not estimated.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_int64
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lowtide
from lowtide.torch.arena.library import ALIGNMENT, library
from lowtide.torch.undivided import signals_wait

ALIVE = -1
NO_PLACE = -1
BUSY = "this thread (or stream) is recording or replaying already, or being captured"


class Request(NamedTuple):
    """One allocation. start, end: ticks; end is ALIVE if it was alive when the record ended.

    outside: not to be placed, because another thread releases it when it likes.
    """

    bytes: int
    start: int
    end: int
    outside: bool = False

    @property
    def can_be_placed(self) -> bool:
        return self.end != ALIVE and not self.outside


@dataclass(frozen=True)
class ArenaPlan:
    """A place for every request of a step.

    sizes, offsets: per request, in bytes; offset NO_PLACE: the ordinary allocator serves it, for it
    outlives the step. peak_bytes: most bytes alive at once, as recorded. planned_bytes: what the step
    will take, the arena and the most bytes of escaping requests alive at once.
    """

    sizes: tuple[int, ...]
    offsets: tuple[int, ...]
    arena_bytes: int
    arena_lower_bound_bytes: int
    peak_bytes: int
    escape_peak_bytes: int
    layout_status: str
    device: str = "cpu"

    @property
    def planned_bytes(self) -> int:
        return self.arena_bytes + self.escape_peak_bytes

    def to_json(self) -> str:
        return json.dumps(self.__dict__)

    @staticmethod
    def from_json(text: str) -> ArenaPlan:
        values: dict[str, Any] = json.loads(text)
        for name in ("sizes", "offsets"):
            values[name] = tuple(values[name])
        return ArenaPlan(**values)


@dataclass
class Recording:
    """The requests of one step. Empty, with `available` False, where there is no arena."""

    requests: list[Request] = field(default_factory=list)
    foreign_requests: int = 0  # of other threads meanwhile; they take no part
    foreign_bytes: int = 0
    available: bool = True
    busy: bool = False  # not available because the thread is recording or replaying already
    marks: list[tuple[str, int]] = field(default_factory=list)
    device: str = "cpu"
    _handle: int | None = None
    _loaded: ctypes.CDLL | None = None

    @property
    def peak_bytes(self) -> int:
        """Most bytes alive at once, of memory asked for within the record."""
        return _peak(self.requests)

    @property
    def transient_peak_bytes(self) -> int:
        """The same, of what was freed again: without state and results that a step leaves behind."""
        return _peak([r for r in self.requests if r.end != ALIVE])

    @property
    def escaping_bytes(self) -> int:
        """Bytes alive when the record ended."""
        return sum(r.bytes for r in self.requests if r.end == ALIVE)

    def mark(self, name: str) -> None:
        """Note that what follows belongs to `name`."""
        if self._loaded is not None and self._handle is not None:
            self.marks.append((name, self._loaded.lowtide_record_now(self._handle)))

    def plan(self, *, layout: str = "auto", time_limit: float = 1.5) -> ArenaPlan:
        """Place this record in an arena of least height. RuntimeError before its block has ended."""
        if self._handle is not None:
            raise RuntimeError("the step is still being recorded: leave the record's block first")
        return place(self.requests, layout=layout, time_limit=time_limit, device=self.device)

    def _begin(self) -> None:
        with signals_wait():
            self._handle = None if self._loaded is None else self._loaded.lowtide_record_begin()
            self.available = self._handle is not None
            self.busy = self._loaded is not None and not self.available

    def _end(self) -> None:
        """On whatever thread."""
        with signals_wait():
            handle, loaded, self._handle, self._loaded = self._handle, self._loaded, None, None
            if loaded is None or handle is None:
                return
            loaded.lowtide_record_end(handle)
            count = loaded.lowtide_record_size(handle)
            rows, foreign = (c_int64 * (4 * count))(), (c_int64 * 2)()
            loaded.lowtide_record_take(handle, rows, foreign)
            values = list(rows)
            columns = zip(values[::4], values[1::4], values[2::4], values[3::4], strict=True)
            self.requests = [Request(b, s, e, bool(o)) for b, s, e, o in columns]
            self.foreign_requests, self.foreign_bytes = foreign


def place(
    requests: Sequence[Request], *, layout: str = "auto", time_limit: float = 1.5, device: str = "cpu"
) -> ArenaPlan:
    """Offsets for all requests that end; the others escape."""
    placed = [i for i, r in enumerate(requests) if r.can_be_placed]
    buffers = [(requests[i].start, requests[i].end, requests[i].bytes) for i in placed]
    result = lowtide.layout(buffers, alignment=ALIGNMENT[device], solver=layout, time_limit=time_limit)
    if result.offsets is None or result.height_bytes is None:
        raise RuntimeError(f"layout solver {layout} gave no layout: {result.status}")
    offsets = [NO_PLACE] * len(requests)
    for i, offset in zip(placed, result.offsets, strict=True):
        offsets[i] = offset
    return ArenaPlan(
        sizes=tuple(r.bytes for r in requests),
        offsets=tuple(offsets),
        arena_bytes=result.height_bytes,
        arena_lower_bound_bytes=result.lower_bound_bytes,
        peak_bytes=_peak(requests),
        escape_peak_bytes=_peak([r for r in requests if not r.can_be_placed]),
        layout_status=result.status,
        device=device,
    )


@contextmanager
def outside() -> Iterator[None]:
    """What this thread asks for within is recorded, but not placed."""
    loaded = library()
    if loaded is not None:
        loaded.lowtide_outside(1)
    try:
        yield
    finally:
        if loaded is not None:
            loaded.lowtide_outside(0)


def _peak(requests: Sequence[Request]) -> int:
    changes = [(r.start, r.bytes) for r in requests]
    changes += [(r.end, -r.bytes) for r in requests if r.end != ALIVE]
    live = peak = 0
    for _, change in sorted(changes):  # ticks are unique
        live += change
        peak = max(peak, live)
    return peak


@contextmanager
def record(device: str = "cpu") -> Iterator[Recording]:
    """Record this thread's CPU requests; complete when the block ends, even by an exception.

    device: 'cuda' for those of the current CUDA stream, from all threads.
    """
    with record_if_free(device) as recording:
        if recording.busy:
            raise RuntimeError(BUSY)
        yield recording


@contextmanager
def record_if_free(device: str = "cpu", loaded: ctypes.CDLL | None = None) -> Iterator[Recording]:
    """As `record`, but with a recording that is not `available` if there can be none here and now."""
    recording = Recording(device=device, _loaded=loaded or library(device))
    try:
        recording._begin()
        yield recording
    finally:
        recording._end()
