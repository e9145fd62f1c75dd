"""Runs a captured step on real tensors in any legal order; what an executor does, without the speed."""

from __future__ import annotations

import random

import torch


def legal_order(captured, seed: int) -> list[str]:
    """A random order of the graph's nodes that keeps data, `after` and in-place constraints."""
    rng = random.Random(seed)
    producer = {name: node.name for node in captured.graph.nodes for name in node.outputs}
    before = {
        node.name: {*node.after, *(producer[t] for t in node.inputs if t in producer)}
        for node in captured.graph.nodes
    }
    for reader, writer in captured.in_place:
        before[writer].add(reader)
    order: list[str] = []
    done: set[str] = set()
    waiting = list(before)
    while waiting:
        ready = [name for name in waiting if before[name] <= done]
        name = rng.choice(ready)
        order.append(name)
        done.add(name)
        waiting.remove(name)
    return order


def program_order(captured) -> list[str]:
    return [node.name for node in captured.graph.nodes]


def run(captured, order: list[str], arguments: list[torch.Tensor]) -> tuple:
    """The outputs of the step, run node by node; carried nodes run with their first user."""
    module = captured.step.module
    nodes = {node.name: node for node in module.graph.nodes}
    values = dict(zip([n for n in module.graph.nodes if n.op == "placeholder"], arguments, strict=True))

    def value(node):
        if node not in values:
            assert node.op == "get_attr" or node.name in captured.carried, (
                f"{node.name} is used before it ran"
            )
            compute(node)
        return values[node]

    def compute(node):
        if node.op == "get_attr":
            values[node] = getattr(module, node.target)
            return
        args = torch.fx.node.map_arg(node.args, value)
        kwargs = torch.fx.node.map_arg(node.kwargs, value)
        values[node] = node.target(*args, **kwargs)

    with torch.no_grad():
        for name in order:
            compute(nodes[name])
        output = next(node for node in module.graph.nodes if node.op == "output")
        return torch.fx.node.map_arg(output.args[0], value)
