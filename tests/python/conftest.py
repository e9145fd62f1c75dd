"""What the Python tests share: the command line as a user runs it, and a small graph."""

from __future__ import annotations

import functools
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

import lowtide

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import check_plan  # noqa: E402


def judged(make_plan):
    """`lowtide.plan`, with the second opinion of tools/check_plan.py on each plan that a test makes."""

    @functools.wraps(make_plan)
    def plan(graph, **options):
        made = make_plan(graph, **options)
        faults = check_plan.faults_of(json.loads(graph.to_json()), json.loads(made.to_json()))
        assert not faults, faults[:5]
        return made

    return plan


lowtide.plan = judged(lowtide.plan)


def judge_files(arguments: list[str]) -> None:
    """The same for `lowtide plan GRAPH ... -o PLAN`, where both are files of their own."""
    if arguments[0] != "plan" or "-o" not in arguments[:-1]:
        return
    graph, plan = pathlib.Path(arguments[1]), pathlib.Path(arguments[arguments.index("-o") + 1])
    if graph.is_file() and plan.is_file():
        faults = check_plan.faults_of(json.loads(graph.read_text()), json.loads(plan.read_text()))
        assert not faults, faults[:5]


def find_cli() -> str:
    beside = pathlib.Path(sys.executable).with_name("lowtide")
    return str(beside) if beside.exists() else str(shutil.which("lowtide"))


@pytest.fixture(scope="session")
def cli():
    """Runs `lowtide ARGS...`; returns the finished process, text captured."""
    program = find_cli()

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [program, *map(str, arguments)]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
        if finished.returncode == 0:
            judge_files(command[1:])
        return finished

    return run


def two_branches() -> lowtide.Graph:
    """One input, two branches that each make a large tensor and reduce it; best one after the other."""
    builder = lowtide.GraphBuilder("two-branches", source="test")
    builder.add_tensor("x", 1000, kind="input")
    for branch in ("left", "right"):
        builder.add_tensor(f"{branch}.large", 4096)
        builder.add_tensor(f"{branch}.small", 64)
        builder.add_node(f"expand.{branch}", inputs=["x"], outputs=[f"{branch}.large"], phase="forward")
    builder.add_tensor("sum", 64, output=True)
    for branch in ("left", "right"):
        builder.add_node(f"reduce.{branch}", inputs=[f"{branch}.large"], outputs=[f"{branch}.small"])
    builder.add_node("add", inputs=["left.small", "right.small"], outputs=["sum"])
    return builder.build()


@pytest.fixture
def graph() -> lowtide.Graph:
    return two_branches()


@pytest.fixture
def graph_file(graph, tmp_path) -> pathlib.Path:
    path = tmp_path / "graph.json"
    lowtide.save(graph, path)
    return path
