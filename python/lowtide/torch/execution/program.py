"""A traced step put into a planned order, as a function on live tensors.

A schedule orders the nodes that own memory or write it. The rest of an FX graph (views, items of tuples,
numbers) has to fall in between: a view is made just before its first use, an item of a tuple right after
the tuple, which would hold all its items alive, and a number as soon as it can be read.

Nothing here trusts the schedule: `constraints` reads off the FX graph itself what must come before what,
and `legal_order` keeps to it whatever the schedule says. Kept are
 * data edges,
 * the order of reads and writes of each storage,
 * the order of random nodes, so that they draw the same numbers,
 * the order of collectives, which has to be the same on all ranks.
"""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch.fx import Graph, GraphModule, Node

from lowtide.torch.execution.emit import emit
from lowtide.torch.tracing.operators import (
    fake_values,
    is_collective,
    is_random,
    storage_key,
    written_arguments,
)

Constraints = dict[Node, set[Node]]  # node -> the nodes that must run before it


@dataclass
class _Accesses:
    """The last write of a storage and the reads since."""

    writer: Node | None = None
    readers: list[Node] = field(default_factory=list)


def constraints(graph: Graph) -> Constraints:
    """What must run before what, for the step to compute the same bits."""
    before: Constraints = {node: set(node.all_input_nodes) for node in graph.nodes}
    storages: dict[int, _Accesses] = {}
    chains: dict[str, Node] = {}
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        written = {key for n in written_arguments(node) for key in _storages(n)}
        read = set() if is_view(node) else {k for n in node.all_input_nodes for k in _storages(n)}
        for key in read - written:
            accesses = storages.setdefault(key, _Accesses())
            if accesses.writer is not None:
                before[node].add(accesses.writer)
            accesses.readers.append(node)
        for key in written:
            accesses = storages.setdefault(key, _Accesses())
            before[node].update(accesses.readers)
            if accesses.writer is not None:
                before[node].add(accesses.writer)
            storages[key] = _Accesses(writer=node)
        for chain in chains_of(node):
            if chain in chains:
                before[node].add(chains[chain])
            chains[chain] = node
    for node, earlier in before.items():
        earlier.discard(node)
    return before


def chains_of(node: Node) -> list[str]:
    """The chains a node is part of, whose nodes keep their order."""
    chains = ["random"] if is_random(node) else []
    return [*chains, "collective"] if is_collective(node) else chains


def _storages(node: Node) -> list[int]:
    return [storage_key(value) for value in fake_values(node)]


def is_view(node: Node) -> bool:
    """The node only names storages that are there: it reads no bytes and makes none."""
    values = fake_values(node)
    if not values or any(True for _ in written_arguments(node)):
        return False
    if node.target is operator.getitem:
        return True
    inputs = {key for n in node.all_input_nodes for key in _storages(n)}
    return all(storage_key(value) in inputs for value in values)


def is_number(node: Node) -> bool:
    return node.op == "call_function" and not fake_values(node)


def legal_order(graph: Graph, schedule: Sequence[str]) -> list[Node]:
    """All calls of `graph` in the order nearest to `schedule` (names of nodes) that is legal."""
    before = constraints(graph)
    calls = [node for node in graph.nodes if node.op == "call_function"]
    priority = _priorities(calls, before, {name: i for i, name in enumerate(schedule)})
    missing = {n: sum(m.op == "call_function" for m in before[n]) for n in calls}
    after: dict[Node, list[Node]] = {n: [] for n in calls}
    for node in calls:
        for earlier in before[node]:
            if earlier.op == "call_function":
                after[earlier].append(node)
    ready = [(priority[n], n) for n in calls if missing[n] == 0]
    heap = [(*p, n.name) for p, n in ready]
    by_name = {n.name: n for n in calls}
    heapq.heapify(heap)
    result: list[Node] = []
    while heap:
        node = by_name[heapq.heappop(heap)[-1]]
        result.append(node)
        for later in after[node]:
            missing[later] -= 1
            if missing[later] == 0:
                heapq.heappush(heap, (*priority[later], later.name))
    assert len(result) == len(calls), "the constraints of a program in order have no cycle"
    return result


_BEFORE, _AT, _AFTER = 0, 1, 2  # a step: views made for it, the node itself, what is read off it
_Priority = tuple[int, int, int]


def _priorities(calls: list[Node], before: Constraints, position: dict[str, int]) -> dict[Node, _Priority]:
    """(step, phase of the step, program position) of each call; smaller runs earlier."""
    index = {node: i for i, node in enumerate(calls)}
    result: dict[Node, _Priority] = {}
    for node in calls:
        if node.name in position:
            result[node] = (position[node.name], _AT, index[node])
    for node in calls:  # what follows its inputs at once
        if node not in result and (node.target is operator.getitem or is_number(node)):
            steps = [result[n][0] for n in before[node] if n in result]
            result[node] = (max(steps, default=0), _AFTER, index[node])
    for node in reversed(calls):  # what waits for its first use
        if node not in result:
            steps = [result[n][0] for n in node.users if n in result]
            result[node] = (min(steps, default=len(position)), _BEFORE, index[node])
    return result


@dataclass
class Program:
    """A step ready to run. `call(tensors)` empties the list of its arguments.

    schedule: names of the nodes with memory, in the order in which they run.
    """

    call: Callable[[list[Any]], Sequence[Any]]
    schedule: list[str]

    @staticmethod
    def of(module: GraphModule, schedule: Sequence[str]) -> Program:
        order = legal_order(module.graph, schedule)
        wanted = set(schedule)
        return Program(emit(module, order), [n.name for n in order if n.name in wanted])
