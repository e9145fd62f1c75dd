"""Many plans at once, and processes that are killed: each gets its own plan, and no file is half a plan."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import check_plan
import lowtide
from conftest import find_cli
from test_check_plan import random_graph

LONG = os.environ.get("LOWTIDE_LONG_TESTS") == "1"


def test_eight_threads_get_the_plans_of_one():
    graphs = [random_graph(seed, most_nodes=30) for seed in range(2000 if LONG else 80)]

    def plan(graph):
        return lowtide.plan(graph, step_limit=2000, alignment=8, reuse=True).to_json()

    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(plan, graphs))
    assert at_once == [plan(graph) for graph in graphs]


@pytest.mark.parametrize("existing", ["a plan", "nothing"])
def test_a_killed_process_leaves_a_whole_plan_or_what_was_there(tmp_path, existing):
    builder = lowtide.GraphBuilder("chain")
    for i in range(20_000):
        builder.add_tensor(f"t{i}", 64 + i % 7)
        builder.add_node(f"n{i}", inputs=[f"t{i - 1}"] if i else [], outputs=[f"t{i}"])
    graph, out = builder.build(), tmp_path / "plan.json"
    lowtide.save(graph, tmp_path / "graph.json")
    command = [find_cli(), "plan", tmp_path / "graph.json", "-o", out, "--step-limit", "1000"]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds, whole, dice = time.monotonic() - start, out.read_text(), random.Random(4)
    assert check_plan.faults_of(json.loads(graph.to_json()), json.loads(whole)) == []
    before = "a plan of old\n" if existing == "a plan" else None
    outcomes = set()
    for _ in range(200 if LONG else 8):
        out.unlink(missing_ok=True)
        if before:
            out.write_text(before)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0, 1.1 * seconds))
        process.kill()
        process.wait()
        after = out.read_text() if out.exists() else None
        assert after in (before, whole)
        outcomes.add(after == whole)
    assert False in outcomes
