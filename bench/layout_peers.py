"""Layouts by lowtide, by the built-in heuristics, by OR-tools' CP-SAT and by HiGHS, in one run.

    python bench/layout_peers.py [--seconds 10] FILE...

FILE is a CSV of buffers, or a graph, laid out in program order. A row an instance: height / load, * if proven
least, and the seconds. All get the same limit and one thread. CP-SAT gets the problem as rectangles that must
not overlap, and the load as a lower bound.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import pathlib
import subprocess
import tempfile
import time
from typing import NamedTuple

from ortools.sat.python import cp_model

HEURISTICS = ["first_fit", "best_fit", "greedy_by_size", "greedy_by_breadth"]
SEARCHES = ["auto", "ilp"]


class Buffer(NamedTuple):
    """Lives in [lower, upper)."""

    lower: int
    upper: int
    size: int


class Answer(NamedTuple):
    """No height: nothing found in time."""

    height: int | None
    proven: bool
    seconds: float


def load_of(buffers: list[Buffer]) -> int:
    """The most bytes live at a step: no layout is lower."""
    events = sorted(event for b in buffers for event in ((b.lower, b.size), (b.upper, -b.size)))
    live = most = 0
    for _, change in events:
        live += change
        most = max(most, live)
    return most


def read_csv(path: pathlib.Path) -> list[Buffer]:
    """Half-open lifetimes; `begin` and an inclusive `end` are idealloc's."""
    with path.open() as file:
        rows = [{name.strip(): cell for name, cell in row.items()} for row in csv.DictReader(file)]
    lower = next(name for name in ("lower", "start", "begin") if name in rows[0])
    buffers = []
    for row in rows:
        upper = int(row["upper"]) if "upper" in row else int(row["end"]) + 1
        buffers.append(Buffer(int(row[lower]), upper, int(row["size"])))
    return buffers


def read_graph(path: pathlib.Path) -> list[Buffer]:
    """Lifetimes in program order, sizes rounded up to 64 bytes."""
    graph = json.loads(path.read_text())
    steps = len(graph["nodes"])
    planned = {t["name"]: t for t in graph["tensors"] if t["kind"] == "activation" and t["bytes"] > 0}
    life = {name: (0, steps * tensor.get("output", False)) for name, tensor in planned.items()}
    buffers = []
    for step, node in enumerate(graph["nodes"]):
        for name in planned.keys() & node["outputs"]:
            life[name] = (step, steps if planned[name].get("output") else step + 1)
        for name in planned.keys() & node["inputs"]:
            life[name] = (life[name][0], max(life[name][1], step + 1))
        if node.get("workspace_bytes"):
            buffers.append(Buffer(step, step + 1, -(-node["workspace_bytes"] // 64) * 64))
    return buffers + [Buffer(*life[name], -(-t["bytes"] // 64) * 64) for name, t in planned.items()]


def lowtide(cli: str, solver: str, file: pathlib.Path, seconds: float) -> Answer:
    """One of lowtide's solvers, by the command line."""
    command = [cli, "layout", str(file), "--solver", solver, "--time-limit", str(seconds), "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    proven = answer["status"] == "optimal"
    return Answer(answer["height_bytes"], proven, answer["seconds"])


def cp_sat(buffers: list[Buffer], seconds: float) -> Answer:
    """Rectangles that must not overlap; sizes in multiples of their greatest common divisor."""
    start = time.monotonic()
    unit = math.gcd(*(b.size for b in buffers))
    top = sum(b.size for b in buffers) // unit
    model = cp_model.CpModel()
    height = model.new_int_var(load_of(buffers) // unit, top, "height")
    lives, places = [], []
    for b in buffers:
        size = b.size // unit
        offset = model.new_int_var(0, top - size, "")
        lives.append(model.new_fixed_size_interval_var(b.lower, b.upper - b.lower, ""))
        places.append(model.new_fixed_size_interval_var(offset, size, ""))
        model.add(offset + size <= height)
    model.add_no_overlap_2d(lives, places)
    model.minimize(height)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = max(0.0, seconds - (time.monotonic() - start))
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    value = round(solver.objective_value) * unit if found else None
    return Answer(value, status == cp_model.OPTIMAL, time.monotonic() - start)


def cell(answer: Answer, load: int, with_time: bool) -> str:
    """height / load, and how it was come by."""
    if answer.height is None:
        return f"- {answer.seconds:.1f} s"
    text = f"{answer.height / load:.4f}" + ("*" if answer.proven else "")
    return f"{text} {answer.seconds:.3f} s" if with_time else text


def row(path: pathlib.Path, cli: str, seconds: float, file: pathlib.Path) -> list[str]:
    """All solvers on one instance, which lies in `file` for lowtide."""
    every = read_graph(path) if path.suffix == ".json" else read_csv(path)
    buffers = [b for b in every if b.size > 0 and b.upper > b.lower]
    lines = [f"{index},{b.lower},{b.upper},{b.size}\n" for index, b in enumerate(buffers)]
    file.write_text("id,lower,upper,size\n" + "".join(lines))
    load = load_of(buffers)
    cells = [cell(lowtide(cli, name, file, seconds), load, False) for name in HEURISTICS]
    cells += [cell(lowtide(cli, name, file, seconds), load, True) for name in SEARCHES]
    return [path.stem, str(len(buffers)), *cells, cell(cp_sat(buffers, seconds), load, True)]


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--cli", default="build/test/src/lowtide/lowtide")
    options = parser.parse_args()
    header = ["instance", "buffers", *HEURISTICS, "lowtide (auto)", "HiGHS (ilp)", "CP-SAT"]
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "buffers.csv"
        for path in options.files:
            print("| " + " | ".join(row(path, options.cli, options.seconds, file)) + " |", flush=True)


if __name__ == "__main__":
    main()
