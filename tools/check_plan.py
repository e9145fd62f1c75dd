"""A second opinion on a plan, which shares nothing with lowtide: tools/check_plan.py GRAPH.json PLAN.json

It reads the two files as docs/formats.md describes them, works out in which steps each tensor and each
workspace holds which bytes, and prints every fault on a line. Exit 0: the plan is right; 1: it is not.
Whether a lower bound is true cannot be seen from a plan: it is only held against the value it bounds.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import json
import pathlib
import sys

PERSISTENT = {"input", "parameter", "buffer", "optimizer_state", "constant"}


def held(graph: dict, plan: dict) -> tuple[dict[tuple[str, str], tuple[int, int, int]], list[str]]:
    """What the arena holds, {('tensor' or 'workspace', name): (first step, one after the last, bytes)},
    and the faults of the order and of the reuses."""
    faults: list[str] = []
    nodes = {node["name"]: node for node in graph["nodes"]}
    tensors = {tensor["name"]: tensor for tensor in graph["tensors"]}
    if sorted(plan["schedule"]) != sorted(nodes):
        return {}, ["the schedule does not name every node once"]
    step = {name: i for i, name in enumerate(plan["schedule"])}
    made = {output: step[name] for name, node in nodes.items() for output in node.get("outputs", [])}
    reads: dict[str, list[int]] = {name: [] for name in tensors}
    for name, node in nodes.items():
        for tensor in node.get("inputs", []):
            reads[tensor].append(step[name])
            if tensor in made and made[tensor] >= step[name]:
                faults.append(f"{name} reads {tensor} before it is made")
        faults += [f"{name} runs before {u}" for u in node.get("after", []) if step[u] >= step[name]]
    lives: dict[str, tuple[int, int, int]] = {}
    for name, tensor in tensors.items():
        if tensor.get("kind", "activation") not in PERSISTENT:
            last = max([made.get(name, -1), *reads[name]])
            end = len(nodes) if tensor.get("output") else last + 1
            lives[name] = (made.get(name, 0), end, tensor["bytes"])
    for fresh, old in plan.get("reuses", {}).items():
        producer = plan["schedule"][made[fresh]] if fresh in made else None
        if producer is None or nodes[producer].get("may_reuse", {}).get(fresh) != old:
            faults.append(f"{fresh} reuses {old}, which the graph does not allow")
        elif old not in lives or tensors[old].get("output") or lives[old][1] != made[fresh] + 1:
            faults.append(f"{fresh} reuses {old}, which does not die in that step")
        elif lives[fresh][2] > lives[old][2] or plan["offsets"].get(fresh) != plan["offsets"].get(old):
            faults.append(f"{fresh} reuses {old}, which is smaller or elsewhere")
        else:
            lives[fresh] = (made[fresh] + 1, lives[fresh][1], lives[fresh][2])
    spaces = {
        name: node["workspace_bytes"] for name, node in nodes.items() if node.get("workspace_bytes", 0) > 0
    }
    held_by = {("tensor", name): life for name, life in lives.items()}
    return held_by | {("workspace", v): (step[v], step[v] + 1, size) for v, size in spaces.items()}, faults


def shared_bytes(placed: list[tuple[int, int, int, int, str]]) -> list[str]:
    """Of (first step, end step, first byte, end byte, name): who is placed onto bytes that are taken."""
    faults: list[str] = []
    ends: list[tuple[int, int, int, str]] = []
    taken: list[tuple[int, int, str]] = []  # by first byte, disjoint
    for first, end, low, high, name in sorted(placed):
        while ends and ends[0][0] <= first:
            del taken[bisect.bisect_left(taken, heapq.heappop(ends)[1:])]
        at = bisect.bisect_left(taken, (low, high, name))
        other = next((t for t in taken[max(at - 1, 0) : at + 1] if t[0] < high and low < t[1]), None)
        if other:
            faults.append(f"{name} and {other[2]} share a byte in step {first}")
        else:
            taken.insert(at, (low, high, name))
            heapq.heappush(ends, (end, low, high, name))
    return faults


def faults_of(graph: dict, plan: dict) -> list[str]:
    """Every fault found; [] if the plan is right."""
    lives, faults = held(graph, plan)
    if not lives and faults:
        return faults
    offsets = {("tensor", t): offset for t, offset in plan["offsets"].items()}
    offsets |= {("workspace", v): offset for v, offset in plan.get("workspace_offsets", {}).items()}
    faults += [f"{' '.join(name)} has an offset and needs none" for name in offsets if name not in lives]
    alignment, placed, ends, rounded_ends = plan["alignment"], [], [0], [0]
    for key, (first, end, size) in lives.items():
        low, name = offsets.get(key), " ".join(key)
        if low is None:
            faults += [f"{name} has no offset"] * (size > 0)
            continue
        if low < 0 or alignment < 1 or low % alignment:
            faults.append(f"{name} has the offset {low}, negative or no multiple of {alignment}")
        elif size > 0:
            ends.append(low + size)
            rounded_ends.append(low - (-size // alignment) * alignment)
            placed += [(first, end, low, low + size, name)] * (first < end)
    faults += shared_bytes(placed)
    change = [0] * (len(plan["schedule"]) + 1)
    for first, end, size in lives.values():
        if first < end:
            change[first] += size
            change[end] -= size
    peak = max(itertools.accumulate(change[:-1]), default=0)
    if plan["peak_bytes"] != peak:
        faults.append(f"peak_bytes is {plan['peak_bytes']} and the schedule needs {peak}")
    if plan["arena_bytes"] not in (max(ends), max(rounded_ends)):
        faults.append(f"arena_bytes is {plan['arena_bytes']} and the highest end {max(rounded_ends)}")
    for what, phase in (("peak", "order"), ("arena", "layout")):
        value, bound, status = (
            plan[f"{what}_bytes"],
            plan[f"{what}_lower_bound_bytes"],
            plan[f"{phase}_status"],
        )
        if not 0 <= bound <= value or status != ("optimal" if bound == value else "feasible"):
            faults.append(f"{what}: the bound {bound} of {value} is claimed to be {status}")
    return faults


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    graph, plan = (json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:])
    faults = faults_of(graph, plan)
    print("\n".join(faults) or "the plan is right")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
