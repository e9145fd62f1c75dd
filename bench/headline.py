"""The paper's headline: how much less memory a planned step takes than PyTorch's program order under its CUDA
caching allocator.

    python bench/headline.py TRAINING_GRAPH.json ... [--limit SECONDS]

The step's requests go in program order to the simulated allocator of caching_allocator.py; a tensor is freed
right after its last use, which is the earliest that eager PyTorch could. Against it stands the planned arena,
asked of the same allocator in one piece. Two accounts:
    step   what the step itself allocates: activations, gradients, temporaries
    run    the same behind the persistent tensors (weights, state, inputs), asked for one by one in both cases
Fragmentation is what is reserved but never live: 1 - (most bytes live at once) / reserved.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from collections.abc import Iterable

import lowtide
from caching_allocator import MIB, Block, CachingAllocator


class Replay:
    """Requests of a graph, in program order, to an allocator."""

    def __init__(self, graph: lowtide.Graph) -> None:
        self.graph = graph
        self.size = {tensor.name: tensor.bytes for tensor in graph.tensors}
        self.persistent = [tensor.name for tensor in graph.tensors if tensor.kind != "activation"]
        known = {name for node in graph.nodes for name in node.outputs}.union(self.persistent)
        self.fed = [name for name in self.size if name not in known]
        self.dying = self._last_uses()

    def reserved(self, with_persistent: bool) -> int:
        """Bytes reserved for one step in program order."""
        allocator, live = CachingAllocator(), {}
        if with_persistent:
            self._malloc(allocator, live, self.persistent)
        self._malloc(allocator, live, self.fed)
        for index, node in enumerate(self.graph.nodes):
            self._malloc(allocator, live, node.outputs)
            if node.workspace_bytes:
                allocator.free(allocator.malloc(node.workspace_bytes))
            for name in self.dying[index]:
                if name in live:
                    allocator.free(live.pop(name))
        return allocator.reserved

    def planned_reserved(self, arena_bytes: int, with_persistent: bool) -> int:
        """Bytes reserved for the arena as one request."""
        allocator = CachingAllocator()
        if with_persistent:
            self._malloc(allocator, {}, self.persistent)
        if arena_bytes:
            allocator.malloc(arena_bytes)
        return allocator.reserved

    def _malloc(self, allocator: CachingAllocator, live: dict[str, Block], names: Iterable[str]) -> None:
        for name in names:
            if self.size[name]:
                live[name] = allocator.malloc(self.size[name])

    def _last_uses(self) -> list[list[str]]:
        """The tensors that die right after each node."""
        last: dict[str, int] = {}
        for index, node in enumerate(self.graph.nodes):
            last.update((name, index) for name in (*node.outputs, *node.inputs))
        kept = {tensor.name for tensor in self.graph.tensors if tensor.output} | set(self.persistent)
        dying: list[list[str]] = [[] for _ in self.graph.nodes]
        for name, index in last.items():
            if name not in kept:
                dying[index].append(name)
        return dying


def saving(before: int, after: int) -> float:
    return 1 - after / before if before else 0.0


def row_of(graph: lowtide.Graph, limit: float) -> dict[str, float]:
    replay = Replay(graph)
    plan = lowtide.plan(graph, time_limit=limit, alignment=512)
    step, run = replay.reserved(False), replay.reserved(True)
    return {
        "reserved": step / MIB,
        "arena": plan.arena_bytes / MIB,
        "saved": saving(step, replay.planned_reserved(plan.arena_bytes, False)),
        "by order": saving(plan.program_peak_bytes, plan.peak_bytes),
        "fragmented": 1 - plan.program_peak_bytes / step,
        "run reserved": run / MIB,
        "run saved": saving(run, replay.planned_reserved(plan.arena_bytes, True)),
        "run fragmented": 1 - (graph.persistent_bytes + plan.program_peak_bytes) / run,
        "seconds": plan.order_seconds + plan.layout_seconds,
    }


SIZES = ("reserved", "arena", "run reserved")
COLUMNS = (
    "reserved",
    "arena",
    "saved",
    "by order",
    "fragmented",
    "run reserved",
    "run saved",
    "run fragmented",
)


def cells(row: dict[str, float]) -> str:
    texts = [f"{row[name]:.1f}" if name in SIZES else f"{row[name]:.1%}" for name in COLUMNS]
    return " | ".join([*texts, f"{row['seconds']:.3f}"])


def print_summary(label: str, rows: list[dict[str, float]]) -> None:
    for name, of in (("mean", statistics.fmean), ("median", statistics.median)):
        values = {column: of([row[column] for row in rows]) for column in (*COLUMNS, "seconds")}
        print(f"| **{name}, {label}** | {len(rows)} graphs | {cells(values)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds a graph")
    options = parser.parse_args()
    print(f"| graph | nodes | {' | '.join(COLUMNS)} | seconds |")
    print("| --- " * (len(COLUMNS) + 3) + "|")
    rows: dict[str, list[dict[str, float]]] = {}
    for path in options.graphs:
        graph = lowtide.load(path)
        row = row_of(graph, options.limit)
        print(f"| {graph.name} | {graph.num_nodes} | {cells(row)} |", flush=True)
        batch = re.search(r"bs(\d+)", graph.name)
        rows.setdefault(f"batch {batch[1]}" if batch else "other", []).append(row)
    for label, group in rows.items():
        print_summary(label, group)
    print_summary("all", [row for group in rows.values() for row in group])
    return 0


if __name__ == "__main__":
    sys.exit(main())
