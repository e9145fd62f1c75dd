"""One run of a step, node by node: how long each took and what memory it used beyond its outputs.

Library workspaces (convolutions, batch norm, attention) pass through PyTorch's allocator, but fake
tensors do not show them. A plan made without them misses its peak by several per cent.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import GraphModule, Node

import lowtide
from lowtide.torch.arena.record import ALIVE, Recording, record_if_free
from lowtide.torch.tracing.reader import CapturedStep


@dataclass
class Profile:
    """Per node name: seconds, and bytes of workspace. peak_bytes: of the whole run, as recorded."""

    seconds: dict[str, float] = field(default_factory=dict)
    workspace_bytes: dict[str, int] = field(default_factory=dict)
    peak_bytes: int | None = None


class HostClock:
    """Seconds from lap to lap on a device that has done its work when a call returns."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def start(self) -> None:
        self._last = time.perf_counter()

    def stop(self, name: str) -> None:
        self._seconds[name] = time.perf_counter() - self._last

    def seconds(self) -> dict[str, float]:
        return self._seconds


class EventClock:
    """Seconds from lap to lap on a device that the host only queues work for, read off events in its
    queue: nothing waits before the end."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._laps: dict[str, tuple[torch.Event, torch.Event]] = {}

    def start(self) -> None:
        self._last = self._event()

    def stop(self, name: str) -> None:
        self._laps[name] = (self._last, self._event())

    def seconds(self) -> dict[str, float]:
        for _, end in self._laps.values():
            end.synchronize()
        return {name: start.elapsed_time(end) / 1e3 for name, (start, end) in self._laps.items()}

    def _event(self) -> torch.Event:
        event = torch.Event(self._device, enable_timing=True)
        event.record()
        return event


class _Timed(torch.fx.Interpreter):
    """Runs a graph node by node, letting go of each value after its last use."""

    def __init__(self, module: GraphModule, recording: Recording) -> None:
        super().__init__(module, garbage_collect_values=True)
        self.recording = recording
        self.clock = HostClock() if recording.device == "cpu" else EventClock(recording.device)

    def run_node(self, n: Node) -> Any:
        if n.op != "call_function":
            return super().run_node(n)
        self.recording.mark(n.name)
        self.clock.start()
        result = super().run_node(n)
        self.clock.stop(n.name)
        return result


def run_profiled(module: GraphModule, tensors: Sequence[Any], device: str = "cpu") -> tuple[Any, Profile]:
    """The outputs of `module` on `tensors`, and its profile. A real run: it updates what the step does."""
    profile = Profile()
    with record_if_free(device) as recording, torch.no_grad():
        interpreter = _Timed(module, recording)
        outputs = interpreter.run(*tensors, enable_io_processing=False)
        profile.seconds = interpreter.clock.seconds()
    if recording.available:
        profile.peak_bytes = recording.peak_bytes
        profile.workspace_bytes = workspaces(recording)
    return outputs, profile


def workspaces(recording: Recording) -> dict[str, int]:
    """Of each marked stretch of a record: its own peak above what it leaves behind, in bytes."""
    names = [name for name, _ in recording.marks]
    starts = [tick for _, tick in recording.marks]
    changes: list[list[tuple[int, int]]] = [[] for _ in names]
    left = [0] * len(names)
    for request in recording.requests:
        i = bisect.bisect_right(starts, request.start) - 1
        if i < 0:
            continue
        end = starts[i + 1] if i + 1 < len(starts) else None
        changes[i].append((request.start, request.bytes))
        if request.end != ALIVE and (end is None or request.end < end):
            changes[i].append((request.end, -request.bytes))
        else:
            left[i] += request.bytes
    result = {}
    for name, moves, kept in zip(names, changes, left, strict=True):
        live = peak = 0
        for _, change in sorted(moves):
            live += change
            peak = max(peak, live)
        if peak > kept:
            result[name] = peak - kept
    return result


def graph_to_plan(captured: CapturedStep, profile: Profile) -> lowtide.Graph:
    """The captured graph with measured workspaces and times, ordered as an executor needs it.

    The FX graph writes activations in place, so the readers of what was there come first; with that,
    such a write always reuses the memory it writes over.
    """
    graph = captured.graph
    first: dict[str, list[str]] = {}
    for reader, writer in captured.in_place:
        first.setdefault(writer, []).append(reader)
    builder = lowtide.GraphBuilder(graph.name, graph.source, graph.meta)
    for tensor in graph.tensors:
        builder.add_tensor(tensor.name, tensor.bytes, tensor.kind, tensor.output)
    for node in graph.nodes:
        builder.add_node(
            name=node.name,
            op=node.op,
            inputs=node.inputs,
            outputs=node.outputs,
            mutates=node.mutates,
            after=list(dict.fromkeys([*node.after, *first.get(node.name, [])])),
            may_reuse=node.may_reuse,
            phase=node.phase,
            pointwise=node.pointwise,
            workspace_bytes=profile.workspace_bytes.get(node.name, 0),
            time_us=1e6 * profile.seconds.get(node.name, 0.0),
        )
    return builder.build()
