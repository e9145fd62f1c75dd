"""tools/check_plan.py against planner and verifier: random graphs with all that a graph can have, plans made
by every road, and plans that were tampered with. The two judges share no code and must agree on each."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest

import check_plan
import lowtide
from conftest import ROOT

CASES = 100_000 if os.environ.get("LOWTIDE_LONG_TESTS") == "1" else 300


def random_graph(seed: int, most_nodes: int = 7) -> lowtide.Graph:
    """Freed, unread and kept inputs, persistent tensors, tensors of no bytes, workspaces, `after`, reuses."""
    dice = random.Random(seed)
    builder = lowtide.GraphBuilder(f"random {seed}")
    sizes: dict[str, int] = {}
    persistent: set[str] = set()

    def tensor(name: str, kind: str = "activation") -> str:
        sizes[name] = dice.choice([0, 1, 1, 2, 3, 5, 8, 13, 64, 100])
        builder.add_tensor(name, sizes[name], kind=kind, output=kind == "activation" and dice.random() < 0.15)
        if kind != "activation":
            persistent.add(name)
        return name

    known = [tensor(f"x{i}", dice.choice(["activation", "activation", "input", "buffer"])) for i in range(3)]
    for v in range(dice.randint(1, most_nodes)):
        inputs = dice.sample(known, dice.randint(0, min(3, len(known))))
        outputs = [tensor(f"t{v}.{i}") for i in range(dice.randint(0, 2))]
        free = [t for t in inputs if t not in persistent]
        reuse = {}
        if free and outputs and sizes[outputs[0]] and dice.random() < 0.6:
            reuse = {outputs[0]: dice.choice(free)}
        after = [f"n{u}" for u in range(v) if dice.random() < 0.1]
        workspace = dice.choice([0, 0, 0, 1, 7, 50])
        builder.add_node(
            f"n{v}", inputs=inputs, outputs=outputs, after=after, may_reuse=reuse, workspace_bytes=workspace
        )
        known += outputs
    return builder.build()


ROADS = [
    {},
    {"reuse": True},
    {"reuse": True, "alignment": 1},
    {"alignment": 7},
    {"joint": True},
    {"order": "greedy"},
    {"rewrite": ["prune", "canonicalize"]},
]


def plan_of(graph: lowtide.Graph, seed: int) -> dict:
    return json.loads(lowtide.plan(graph, step_limit=5000, **ROADS[seed % len(ROADS)]).to_json())


def test_every_plan_is_right():
    reuses = workspaces = 0
    for seed in range(CASES):
        graph = random_graph(seed)
        plan = plan_of(graph, seed)
        assert check_plan.faults_of(json.loads(graph.to_json()), plan) == [], seed
        reuses += bool(plan.get("reuses"))
        workspaces += bool(plan.get("workspace_offsets"))
    assert reuses > CASES // 20
    assert workspaces > CASES // 3


def tampered(plan: dict, dice: random.Random) -> dict:
    """One thing in it is another; sometimes the plan is right all the same."""
    plan = json.loads(json.dumps(plan))
    places = [(of, name) for of in ("offsets", "workspace_offsets") for name in plan.get(of, {})]
    what = dice.randrange(8)
    if what <= 2 and places:
        of, name = dice.choice(places)
        plan[of][name] += dice.choice([-1, 1, plan["alignment"], -plan["alignment"], 1000])
    elif what == 3 and len(plan["schedule"]) > 1:
        i = dice.randrange(len(plan["schedule"]) - 1)
        plan["schedule"][i : i + 2] = plan["schedule"][i : i + 2][::-1]
    elif what == 4:
        field = dice.choice(
            ["peak_bytes", "arena_bytes", "peak_lower_bound_bytes", "arena_lower_bound_bytes"]
        )
        plan[field] += dice.choice([-1, 1, -plan["alignment"], plan["alignment"]])
    elif what == 5:
        field = dice.choice(["order_status", "layout_status"])
        plan[field] = dice.choice(["optimal", "feasible"])
    elif what == 6 and plan.get("reuses"):
        del plan["reuses"][dice.choice(list(plan["reuses"]))]
    elif places:
        of, name = dice.choice(places)
        del plan[of][name]
    return plan


def test_the_verifier_agrees_on_tampered_plans(tmp_path):
    path = tmp_path / "plan.json"
    wrong = 0
    for seed in range(CASES):
        graph, dice = random_graph(seed), random.Random(seed)
        plan = plan_of(graph, seed)
        for _ in range(4):
            other = tampered(plan, dice)
            path.write_text(json.dumps(other))
            faults = check_plan.faults_of(json.loads(graph.to_json()), other)
            try:
                lowtide.load(path, graph)
                refusal = ""
            except ValueError as error:
                refusal = str(error)
            assert bool(faults) == bool(refusal), (seed, faults, refusal)
            wrong += bool(faults)
    assert CASES < wrong < 4 * CASES  # both kinds occur


@pytest.mark.parametrize("field", ["peak_bytes", "arena_bytes"])
def test_from_the_command_line(tmp_path, graph, graph_file, field):
    plan = lowtide.plan(graph)
    lowtide.save(plan, tmp_path / "plan.json")

    def check(name):
        command = [sys.executable, ROOT / "tools" / "check_plan.py", graph_file, tmp_path / name]
        return subprocess.run(command, capture_output=True, text=True)

    assert (check("plan.json").returncode, check("plan.json").stdout) == (0, "the plan is right\n")
    wrong = json.loads(plan.to_json())
    wrong[field] += 64
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    assert check("wrong.json").returncode == 1
    assert field in check("wrong.json").stdout
