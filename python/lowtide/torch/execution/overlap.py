"""Communication beside computation: collectives started as early and waited for as late as the peak allows.

An order solver knows bytes, not time: to it a collective is an operator, and it likes to wait for one right
after its start, for then the updates that follow free their gradients. Here its order is kept but for
 * starts, each moved to right behind the last of what it needs: it works in place, so this costs nothing;
 * waits, the last one first, each let past what does not depend on it, up to the next wait or the end, as far
   as the schedule's peak does not rise: the whole stretch, or three, two, one quarter of it.
What only moves back behind nodes that do not need it keeps an order legal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import lowtide

WAIT = "_c10d_functional.wait_tensor.default"
COLLECTIVE = "_c10d_functional."
BUCKET = "lowtide.bucket.default"


def overlapped(graph: lowtide.Graph, schedule: Sequence[str], memory_limit: int | None = None) -> list[str]:
    """A legal order with room for communication between starts and waits.

    Its peak is no higher than the schedule's, or than memory_limit, if that is more.
    """
    overlap = _Overlap(graph)
    order = overlap.earlier_starts(schedule)
    return overlap.later_waits(order, limit=max(overlap.peak(schedule), memory_limit or 0))


class _Overlap:
    def __init__(self, graph: lowtide.Graph) -> None:
        self.nodes = {node.name: node for node in graph.nodes}
        self.bytes = {t.name: t.bytes for t in graph.tensors if t.kind == "activation"}
        self.buckets = {name for node in graph.nodes if node.op == BUCKET for name in node.outputs}
        self.outputs = {t.name for t in graph.tensors if t.output}
        producer = {name: node.name for node in graph.nodes for name in node.outputs}
        self.before = {
            node.name: {*node.after, *(producer[t] for t in node.inputs if t in producer)}
            for node in graph.nodes
        }
        self.after: dict[str, set[str]] = defaultdict(set)
        for name, earlier in self.before.items():
            for other in earlier:
                self.after[other].add(name)
        self.storage: dict[str, str] = {}  # of a tensor: the first of those that share its bytes
        for node in graph.nodes:
            for output in node.outputs:
                old = node.may_reuse.get(output)
                self.storage[output] = output if old is None else self.storage.get(old, old)

    def peak(self, order: Sequence[str]) -> int:
        """What the order takes: buckets lie beside the arena, so their peak comes on top of the rest's."""
        lives = self._lives(order)
        return sum(
            self._highest(order, {s: life for s, life in lives.items() if (s in self.buckets) == of_buckets})
            for of_buckets in (False, True)
        )

    def _lives(self, order: Sequence[str]) -> dict[str, tuple[int, int]]:
        """The first and the last step of each storage, with every write in place."""
        lives: dict[str, tuple[int, int]] = {}
        for i, name in enumerate(order):
            node = self.nodes[name]
            for tensor in (*node.inputs, *node.outputs):
                if tensor in self.bytes:
                    storage = self.storage.get(tensor, tensor)
                    first, last = lives.get(storage, (i, i))
                    lives[storage] = first, len(order) if tensor in self.outputs else max(i, last)
        return lives

    def _highest(self, order: Sequence[str], lives: dict[str, tuple[int, int]]) -> int:
        change = [0] * (len(order) + 2)
        for storage, (first, last) in lives.items():
            change[first] += self.bytes[storage]
            change[last + 1] -= self.bytes[storage]
        live = highest = 0
        for name, more in zip(order, change, strict=False):
            live += more
            highest = max(highest, live + self.nodes[name].workspace_bytes)
        return highest

    def earlier_starts(self, schedule: Sequence[str]) -> list[str]:
        order = list(schedule)
        for name in schedule:
            if self.nodes[name].op.startswith(COLLECTIVE) and self.nodes[name].op != WAIT:
                order.remove(name)
                position = {other: i for i, other in enumerate(order)}
                order.insert(1 + max((position[other] for other in self.before[name]), default=-1), name)
        return order

    def later_waits(self, order: list[str], limit: int) -> list[str]:
        for wait in reversed([name for name in order if self.nodes[name].op == WAIT]):
            start, moved = order.index(wait), self._dependents(wait)
            waits = (i for i in range(start + 1, len(order)) if self.nodes[order[i]].op == WAIT)
            stretch = next(waits, len(order)) - start
            for quarters in (4, 3, 2, 1):
                end = start + stretch * quarters // 4
                passed = [name for name in order[start:end] if name not in moved]
                waiting = [name for name in order[start:end] if name in moved]
                later = [*order[:start], *passed, *waiting, *order[end:]]
                if self.peak(later) <= limit:
                    order = later
                    break
        return order

    def _dependents(self, name: str) -> set[str]:
        """The node and all that has to come after it."""
        found, todo = {name}, [name]
        while todo:
            more = self.after[todo.pop()] - found
            found |= more
            todo += more
        return found
