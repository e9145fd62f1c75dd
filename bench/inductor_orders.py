"""lowtide's orders against Inductor's three heuristics, from torch itself, in one run.

    python bench/inductor_orders.py GRAPH.json ... [--limit SECONDS]

Each graph becomes the objects that torch._inductor.memory plans with; its three orders are measured by the
peak of docs/formats.md, as lowtide's are. Printed: each peak over the best one of Inductor's three, the
seconds of all three together, and lowtide's for its order with its proof.
"""

from __future__ import annotations

import argparse
import json
import logging
import pathlib
import statistics
import sys
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table
from torch._inductor import memory

import lowtide

PERSISTENT = {"input", "parameter", "buffer", "optimizer_state", "constant"}
HEURISTICS = ("lpmf", "bfs", "dfs")


@dataclass(eq=False)
class Buffer:
    """A planned tensor, as Inductor's SchedulerBuffer or FreeableInputBuffer."""

    name: str
    bytes: int
    output: bool
    readers: list[Node] = field(default_factory=list)

    @property
    def mpi_buffer(self) -> Any:
        return SimpleNamespace(size_alloc=self.bytes, size_free=self.bytes, succ_nodes=self.readers)

    def get_name(self) -> str:
        return self.name


@dataclass(eq=False)
class Node:
    """As Inductor's BaseSchedulerNode, with what memory planning asks of it."""

    name: str
    outputs: list[Buffer]
    mpi_node: Any
    unmet_dependencies: list[Any] = field(default_factory=list)

    def get_name(self) -> str:
        return self.name

    def get_outputs(self) -> list[Buffer]:
        return self.outputs

    def get_buffer_names(self) -> list[str]:
        return [self.name]


@dataclass
class Problem:
    nodes: list[Node]
    made: dict[str, Buffer]
    given: dict[str, Buffer]
    outputs: set[str]


def read(path: str) -> Problem:
    graph = json.loads(pathlib.Path(path).read_text())
    planned = {
        t["name"]: Buffer(t["name"], t["bytes"], t.get("output", False))
        for t in graph["tensors"]
        if t["kind"] not in PERSISTENT
    }
    maker: dict[str, Node] = {}
    by_name: dict[str, Node] = {}
    for index, spec in enumerate(graph["nodes"]):
        outputs = [planned[name] for name in spec["outputs"] if name in planned]
        reads = [planned[name] for name in dict.fromkeys(spec["inputs"]) if name in planned]
        before = [maker[b.name] for b in reads if b.name in maker]
        before += [by_name[name] for name in spec.get("after", [])]
        before = list(dict.fromkeys(before))
        about = SimpleNamespace(
            index=index,
            size=sum(b.bytes for b in outputs),
            pred_nodes=before,
            succ_nodes=[],
            pred_buffers=reads,
        )
        node = Node(spec["name"], outputs, about, [SimpleNamespace(name=n.name) for n in before])
        for other in before:
            other.mpi_node.succ_nodes.append(node)
        for buffer in reads:
            buffer.readers.append(node)
        maker |= {b.name: node for b in outputs}
        by_name[node.name] = node
    given = {name: b for name, b in planned.items() if name not in maker and b.readers}
    made = {name: b for name, b in planned.items() if name in maker}
    return Problem(list(by_name.values()), made, given, {b.name for b in planned.values() if b.output})


def peak(problem: Problem, order: list[Node]) -> int:
    """The peak of docs/formats.md, without workspaces: the corpus has none."""
    left = {b: len(b.readers) for b in [*problem.made.values(), *problem.given.values()]}
    live = sum(b.bytes for b in problem.given.values())
    highest = live
    for node in order:
        live += node.mpi_node.size
        highest = max(highest, live)
        for buffer in node.mpi_node.pred_buffers:
            left[buffer] -= 1
        for buffer in {*node.mpi_node.pred_buffers, *node.outputs}:
            if left[buffer] == 0 and not buffer.output:
                live -= buffer.bytes
    return highest


def inductor(problem: Problem) -> tuple[dict[str, int], float]:
    """Peak by heuristic, and the seconds of the three together."""
    started = time.perf_counter()
    orders = {
        "lpmf": memory.topological_sort_lpmf(problem.nodes, problem.given, problem.made, problem.outputs),
        "bfs": memory.topological_sort_bfs(problem.nodes),
        "dfs": memory.topological_sort_dfs(problem.nodes),
    }
    seconds = time.perf_counter() - started
    assert all(len(order) == len(problem.nodes) for order in orders.values())
    return {name: peak(problem, order) for name, order in orders.items()}, seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds a graph for lowtide")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    sys.setrecursionlimit(1_000_000)  # Inductor's dfs is recursive
    table = Table("graph", "nodes", *HEURISTICS, "lowtide", "status", "Inductor s", "lowtide s")
    ratios, times, own = [], [], []
    for path in options.graphs:
        problem = read(path)
        peaks, seconds = inductor(problem)
        plan = lowtide.plan(lowtide.load(path), time_limit=options.limit, layout="skyline")
        best = min(peaks.values())
        ratios.append(plan.peak_bytes / best)
        if len(problem.nodes) >= 1000:
            times.append(seconds)
            own.append(plan.order_seconds)
        table.add_row(
            pathlib.Path(path).stem,
            str(len(problem.nodes)),
            *(f"{peaks[name] / best:.4f}" for name in HEURISTICS),
            f"{ratios[-1]:.4f}",
            plan.order_status,
            f"{seconds:.4f}",
            f"{plan.order_seconds:.4f}",
        )
    console = Console(width=130)
    console.print(table)
    console.print(
        f"{len(ratios)} graphs: lowtide's peak over Inductor's best: mean {statistics.mean(ratios):.4f}, "
        f"lowest {min(ratios):.4f}, highest {max(ratios):.4f}; "
        f"{len(times)} graphs of at least 1000 nodes: Inductor {sum(times):.2f} s, lowtide {sum(own):.2f} s, "
        f"median {statistics.median(times or [0]):.4f} and {statistics.median(own or [0]):.4f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
