"""The Python package: the same contract as the command line, and ValueError for bad input."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lowtide


def test_plan_fields(graph):
    plan = lowtide.plan(graph)
    assert plan.peak_bytes == plan.peak_lower_bound_bytes == 4096 + 64 + 64
    assert plan.program_peak_bytes == 2 * 4096 + 64
    assert sorted(plan.schedule) == sorted(node.name for node in graph.nodes)
    assert plan.order_status == "optimal"
    assert set(plan.offsets) == {t.name for t in graph.tensors if t.kind == "activation"}
    assert lowtide.verify(graph, plan) == []
    assert plan.graph is graph


def test_joint_plan(graph):
    plan = lowtide.plan(graph, joint=True)
    assert plan.arena_bytes == plan.joint_lower_bound_bytes == 4096 + 64 + 64
    assert lowtide.verify(graph, plan) == []
    with pytest.raises(ValueError, match="joint"):
        lowtide.plan(graph, joint=True, reuse=True)


def test_save_and_load(graph, tmp_path):
    plan = lowtide.plan(graph)
    lowtide.save(graph, tmp_path / "graph.json")
    lowtide.save(plan, tmp_path / "plan.json")
    again = lowtide.load(tmp_path / "graph.json")
    assert again.to_json() == graph.to_json()
    assert lowtide.load(tmp_path / "plan.json", again).to_json() == plan.to_json()
    with pytest.raises(ValueError, match="Graph or a Plan"):
        lowtide.save(3, tmp_path / "x")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda d: d["schedule"].append(d["schedule"].pop(0)), "does not verify"),
        (lambda d: d["schedule"].pop(), "missing from the schedule"),
        (lambda d: d["schedule"].__setitem__(0, d["schedule"][1]), "more than once"),
        (lambda d: d["offsets"].clear(), "has no offset"),
        (lambda d: d["offsets"].update(dict.fromkeys(d["offsets"], 2**62)), "outside the arena"),
        (lambda d: d.update(arena_lower_bound_bytes=-7), "below 0"),
    ],
)
def test_a_plan_that_does_not_verify_is_not_loaded(graph, tmp_path, spoil, reason):
    document = json.loads(lowtide.plan(graph).to_json())
    spoil(document)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=reason):
        lowtide.load(path, graph)


def test_bad_input_is_value_error(graph, tmp_path):
    with pytest.raises(ValueError, match=r"none\.json"):
        lowtide.load(tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"unknown solver 'magic'; known: .*greedy"):
        lowtide.plan(graph, order="magic")
    with pytest.raises(ValueError, match="alignment"):
        lowtide.plan(graph, alignment=0)
    builder = lowtide.GraphBuilder()
    for bad in (1.5, -1, 2**63, "7", None):
        with pytest.raises(ValueError, match="bytes"):
            builder.add_tensor(f"t{bad}", bad)
    with pytest.raises(ValueError, match="kind 'thing'"):
        lowtide.GraphBuilder().add_tensor("t", 1, kind="thing")


def test_a_plan_of_another_graph_does_not_verify(graph):
    builder = lowtide.GraphBuilder("other")
    builder.add_node("n")
    assert lowtide.verify(builder.build(), lowtide.plan(graph))


def test_import_does_not_import_torch():
    code = "import lowtide, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_layout_of_sequences_and_arrays():
    numpy = pytest.importorskip("numpy")
    buffers = [(0, 2, 4), (1, 3, 4), (2, 4, 4)]
    for given_as in (buffers, numpy.array(buffers), [list(row) for row in buffers]):
        layout = lowtide.layout(given_as)
        assert layout.height_bytes == layout.lower_bound_bytes == 8
        assert layout.status == "optimal"
    assert lowtide.layout(buffers, capacity=7).status == "infeasible"
    for bad in ([(0, 1)], [(2, 1, 4)], [(0, 1, -4)], [(0, 1, 1.5)], [7]):
        with pytest.raises(ValueError, match="buffer 0"):
            lowtide.layout(bad)


@st.composite
def graphs(draw):
    """Random graphs of up to 8 nodes, each reading earlier tensors."""
    builder = lowtide.GraphBuilder("drawn")
    names: list[str] = []
    for i in range(draw(st.integers(0, 8))):
        inputs = draw(st.lists(st.sampled_from(names), max_size=3)) if names else []
        outputs = [f"t{i}.{k}" for k in range(draw(st.integers(0, 2)))]
        for name in outputs:
            builder.add_tensor(name, draw(st.integers(0, 100)), output=draw(st.booleans()))
        builder.add_node(f"n{i}", inputs=inputs, outputs=outputs, workspace_bytes=draw(st.integers(0, 9)))
        names += outputs
    return builder.build()


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), alignment=st.sampled_from([1, 8, 64]))
def test_plans_of_random_graphs_verify(graph, alignment):
    plan = lowtide.plan(graph, alignment=alignment, step_limit=100_000)
    assert lowtide.verify(graph, plan) == []
    assert plan.peak_lower_bound_bytes <= plan.peak_bytes <= plan.program_peak_bytes
    again = lowtide.plan(graph, alignment=alignment, step_limit=100_000)
    assert again.to_json() == plan.to_json()
