"""In-place reuse and workspaces: are orders still proven?

    python bench/reuse.py GRAPH.json ... [--limit SECONDS]

Every graph is planned with `reuse` on, as it is and with workspaces invented for its convolutions and matrix
products (a quarter to seven quarters of their output, by position: library kernels take about that).
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

import lowtide


def with_workspaces(path: str, folder: str) -> str:
    graph = json.loads(pathlib.Path(path).read_text())
    size = {tensor["name"]: tensor["bytes"] for tensor in graph["tensors"]}
    for index, node in enumerate(graph["nodes"]):
        if "convolution" in node["op"] or "mm" in node["op"]:
            node["workspace_bytes"] = sum(size[name] for name in node["outputs"]) * (1 + index % 7) // 4
    file = pathlib.Path(folder) / "graph.json"
    file.write_text(json.dumps(graph))
    return str(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds a graph")
    options = parser.parse_args()
    plans: dict[str, list[lowtide.Plan]] = {"reuse": [], "reuse and workspaces": []}
    with tempfile.TemporaryDirectory() as folder:
        for path in options.graphs:
            for kind, file in zip(plans, (path, with_workspaces(path, folder)), strict=True):
                graph = lowtide.load(file)
                plan = lowtide.plan(graph, reuse=True, layout="skyline", time_limit=options.limit)
                plans[kind].append(plan)
                if plan.order_status != "optimal":
                    gap = plan.peak_bytes / plan.peak_lower_bound_bytes - 1
                    print(f"{pathlib.Path(path).stem}, {kind}: gap {gap:.2%}")
    for kind, made in plans.items():
        proven = sum(plan.order_status == "optimal" for plan in made)
        seconds = [plan.order_seconds for plan in made]
        print(
            f"{kind}: {proven} of {len(made)} proven, {sum(seconds):.1f} s together, "
            f"median {statistics.median(seconds) * 1e3:.1f} ms"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
