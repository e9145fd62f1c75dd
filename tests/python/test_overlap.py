"""Collectives start early and are waited for late, as far as the peak allows; the order stays legal."""

from __future__ import annotations

import random

import pytest

import lowtide

pytest.importorskip("torch")
from lowtide.torch.execution.overlap import BUCKET, WAIT, _Overlap, overlapped

START = "_c10d_functional.all_reduce_.default"


def layers(count, activation=100, gradient=40):
    """Forward, then backward: each layer's gradient is sent, waited for and used."""
    builder = lowtide.GraphBuilder("layers")
    builder.add_tensor("x", 8, kind="input")
    before = "x"
    for i in range(count):
        builder.add_tensor(f"a{i}", activation)
        builder.add_node(f"forward{i}", inputs=[before], outputs=[f"a{i}"])
        before = f"a{i}"
    chain = []
    for i in reversed(range(count)):
        names = [f"d{i}", f"b{i}", f"b{i}.sent", f"b{i}.done", f"u{i}"]
        for name, size in zip(names, (8, gradient, gradient, gradient, 0), strict=True):
            builder.add_tensor(name, size)
        builder.add_node(f"backward{i}", inputs=[f"a{i}", before], outputs=[f"d{i}"])
        builder.add_node(f"bucket{i}", op=BUCKET, inputs=[f"d{i}"], outputs=[f"b{i}"])
        reuse = {f"b{i}.sent": f"b{i}"}
        builder.add_node(
            f"start{i}", op=START, inputs=[f"b{i}"], outputs=[f"b{i}.sent"], may_reuse=reuse, after=chain
        )
        reuse = {f"b{i}.done": f"b{i}.sent"}
        builder.add_node(f"wait{i}", op=WAIT, inputs=[f"b{i}.sent"], outputs=[f"b{i}.done"], may_reuse=reuse)
        builder.add_node(f"update{i}", inputs=[f"b{i}.done"], outputs=[f"u{i}"])
        before, chain = f"d{i}", [f"start{i}"]
    return builder.build()


def is_legal(graph, order):
    before, position = _Overlap(graph).before, {name: i for i, name in enumerate(order)}
    return sorted(order) == sorted(before) and all(
        position[earlier] < position[name] for name in order for earlier in before[name]
    )


def shuffled(graph, seed):
    generator, before = random.Random(seed), _Overlap(graph).before
    order, left = [], sorted(before)
    while left:
        ready = [name for name in left if before[name] <= set(order)]
        order.append(generator.choice(ready))
        left.remove(order[-1])
    return order


@pytest.mark.parametrize("seed", range(40))
def test_any_order_stays_legal_and_takes_no_more(seed):
    graph = layers(5, activation=seed * 7 % 50, gradient=20)
    order = shuffled(graph, seed)
    assert is_legal(graph, order)
    better = overlapped(graph, order)
    assert is_legal(graph, better)
    assert _Overlap(graph).peak(better) <= _Overlap(graph).peak(order)


def distance(order):
    """Nodes between starts and their waits, in all."""
    position = {name: i for i, name in enumerate(order)}
    count = sum(name.startswith("wait") for name in order)
    return sum(position[f"wait{i}"] - position[f"start{i}"] - 1 for i in range(count))


def test_memory_that_is_there_is_used_for_overlap():
    graph = layers(4)
    order = [node.name for node in graph.nodes]
    assert distance(order) == 0
    tight, roomy = overlapped(graph, order), overlapped(graph, order, memory_limit=10**6)
    assert distance(tight) > 0  # the next backward operator, before its bucket
    assert distance(roomy) > distance(tight)
    assert _Overlap(graph).peak(tight) == _Overlap(graph).peak(order)
    assert _Overlap(graph).peak(roomy) <= 10**6


def test_a_late_start_comes_early():
    graph = layers(2)
    order = [node.name for node in graph.nodes]
    order.remove("start0")
    order.insert(order.index("wait0"), "start0")
    late = [name for name in order if name not in ("start1", "wait1", "update1")]
    late[late.index("start0") : late.index("start0")] = ["start1", "wait1", "update1"]
    assert is_legal(graph, late)
    early = overlapped(graph, late)
    assert early.index("start1") == early.index("bucket1") + 1
