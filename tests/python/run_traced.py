"""Runs a captured step on real tensors in any legal order; what an executor does, without the speed."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch.utils import _pytree as pytree


def legal_order(captured, seed: int) -> list[str]:
    """A random order of the graph's nodes that keeps data, `after` and in-place constraints."""
    rng = random.Random(seed)
    producer = {name: node.name for node in captured.graph.nodes for name in node.outputs}
    waits = {
        node.name: {*node.after, *(producer[t] for t in node.inputs if t in producer)}
        for node in captured.graph.nodes
    }
    for reader, writer in captured.in_place:
        waits[writer].add(reader)
    followers: dict[str, list[str]] = {name: [] for name in waits}
    for name, before in waits.items():
        for earlier in before:
            followers[earlier].append(name)
    missing = {name: len(before) for name, before in waits.items()}
    ready = [name for name, count in missing.items() if count == 0]
    order: list[str] = []
    while ready:
        order.append(ready.pop(rng.randrange(len(ready))))
        for name in followers[order[-1]]:
            missing[name] -= 1
            if missing[name] == 0:
                ready.append(name)
    assert len(order) == len(waits)
    return order


def program_order(captured) -> list[str]:
    return [node.name for node in captured.graph.nodes]


class Run:
    """One run of a captured step, node by node; carried nodes run with their first user.

    Every value is kept, and every storage compared with its fake twin: two tensors share a storage if
    and only if their fakes do, and it has the same number of bytes.
    """

    def __init__(self, captured, arguments: list[torch.Tensor]) -> None:
        self.captured = captured
        self.module = captured.step.module
        self.values: dict[torch.fx.Node, Any] = {}
        self.real_of_fake: dict[int, int] = {}
        self.fake_of_real: dict[int, int] = {}
        placeholders = [n for n in self.module.graph.nodes if n.op == "placeholder"]
        roles = [placeholder.role for placeholder in captured.step.placeholders]
        for node, argument, role in zip(placeholders, arguments, roles, strict=True):
            # Inputs are traced apart, so a batch may hold one tensor twice; not here, for the comparison.
            self.values[node] = argument.clone() if role == "input" else argument
            self.check_storages(node)

    def outputs(self, order: list[str]) -> tuple:
        nodes = {node.name: node for node in self.module.graph.nodes}
        with torch.no_grad():
            for name in order:
                self.compute(nodes[name])
            output = next(node for node in self.module.graph.nodes if node.op == "output")
            return torch.fx.node.map_arg(output.args[0], self.value)

    def value(self, node):
        if node not in self.values:
            carried = node.op == "get_attr" or node.name in self.captured.carried
            assert carried, f"{node.name} is used before it ran"
            self.compute(node)
        return self.values[node]

    def compute(self, node) -> None:
        if node.op == "get_attr":
            self.values[node] = getattr(self.module, node.target)
            return
        args = torch.fx.node.map_arg(node.args, self.value)
        kwargs = torch.fx.node.map_arg(node.kwargs, self.value)
        self.values[node] = node.target(*args, **kwargs)
        self.check_storages(node)

    def check_storages(self, node) -> None:
        def tensors(value):
            return [x for x in pytree.tree_leaves(value) if isinstance(x, torch.Tensor)]

        for fake, real in zip(tensors(node.meta["val"]), tensors(self.values[node]), strict=True):
            fake, real = fake.untyped_storage(), real.untyped_storage()
            assert fake.nbytes() == real.nbytes(), (
                f"{node.name}: {real.nbytes()} bytes, planned {fake.nbytes()}"
            )
            assert self.real_of_fake.setdefault(fake._cdata, real._cdata) == real._cdata, node.name
            assert self.fake_of_real.setdefault(real._cdata, fake._cdata) == fake._cdata, node.name


def run(captured, order: list[str], arguments: list[torch.Tensor]) -> tuple:
    """The outputs of the step."""
    return Run(captured, arguments).outputs(order)
