"""What a compiled step has to say about itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class StepReport:
    """Bytes are of memory beside weights, state and batch; None where nothing was recorded (yet).

    stage: 'eager' (not planned yet), 'profile', 'record', 'replay' (planned order and addresses), 'order'
      (planned order, no arena) or 'fallback' (eager for good; `reason` says why).
    eager_peak_bytes: recorded in an eager step. program_peak_bytes: recorded in the traced step in program
      order. planned_peak_bytes: recorded in the planned order. planned_bytes: arena and planned escapes.
    peak_bound_is_claim: the bound and order_status come from the cache on disk, not from a proof of this run.
    measured_bytes: arena and escapes of the last replayed step. Counters are of the last replayed step,
    `diverged` counts steps. Times are of the last steps of their kind, the smallest of up to 20.
    """

    stage: str = "eager"
    reason: str | None = None
    nodes: int = 0
    eager_peak_bytes: int | None = None
    program_peak_bytes: int | None = None
    planned_peak_bytes: int | None = None
    peak_lower_bound_bytes: int | None = None
    order_status: str | None = None
    peak_bound_is_claim: bool = False
    planned_bytes: int | None = None
    arena_bytes: int | None = None
    measured_bytes: int | None = None
    steps: int = 0
    replayed_steps: int = 0
    requests: int = 0
    hits: int = 0
    misses: int = 0
    escaped: int = 0
    conflicts: int = 0
    diverged: int = 0
    from_cache: bool = False
    eager_seconds: float | None = None
    step_seconds: float | None = None
    first_use_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float | None:
        """Of the requests that have a place by plan."""
        expected = self.requests - self.escaped
        return self.hits / expected if expected > 0 else None

    @property
    def _proof(self) -> str:
        return f"{self.order_status}{', as the cache claims' if self.peak_bound_is_claim else ''}"

    @property
    def overhead_seconds(self) -> float:
        """All the time that planning took, once."""
        return sum(self.first_use_seconds.values())

    def __str__(self) -> str:
        rows = [
            ("stage", self.stage + (f" ({self.reason})" if self.reason else "")),
            ("nodes", self.nodes),
            ("eager peak, recorded", _mib(self.eager_peak_bytes)),
            ("planned order's peak, recorded", _mib(self.planned_peak_bytes)),
            ("least possible", f"{_mib(self.peak_lower_bound_bytes)} ({self._proof})"),
            ("arena", _mib(self.arena_bytes)),
            ("arena and escapes, planned", _mib(self.planned_bytes)),
            ("arena and escapes, measured", _mib(self.measured_bytes)),
            ("requests", f"{self.requests}: {self.hits} hits, {self.misses} misses"),
            (
                "of the misses",
                f"{self.escaped} escape by plan, {self.conflicts} conflicts; {self.diverged} steps diverged",
            ),
            ("eager step", _ms(self.eager_seconds)),
            ("planned step", _ms(self.step_seconds)),
            (
                "planning, once",
                f"{self.overhead_seconds:.2f} s" + (" (from the cache)" if self.from_cache else ""),
            ),
        ]
        return "\n".join(f"{name:32} {value}" for name, value in rows)


def _mib(value: int | None) -> str:
    return "-" if value is None else f"{value / 2**20:.2f} MiB"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.1f} ms"
