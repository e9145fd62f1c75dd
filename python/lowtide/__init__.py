"""lowtide: a memory planner for deep-learning graphs.

    import lowtide

    graph = lowtide.load("model.json")          # or lowtide.torch.capture(...), or GraphBuilder
    plan = lowtide.plan(graph)                  # ordered, placed, verified
    print(plan.peak_bytes, plan.peak_lower_bound_bytes, plan.order_status)
    lowtide.save(plan, "plan.json")

Sizes are in bytes, times in seconds. Bad input raises ValueError naming the file, the element and the
reason. `lowtide.torch` needs PyTorch and imports it only when it is used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from lowtide._core import VERSION as __version__
from lowtide._core import (
    BankLayout,
    Graph,
    GraphBuilder,
    Layout,
    Node,
    Plan,
    Tensor,
    layout,
    layout_banks,
    load_graph,
    load_plan,
    plan,
    report,
    report_html,
    rewrite_passes,
    save_graph,
    save_plan,
    solvers,
    verify,
)

if TYPE_CHECKING:
    from lowtide import notebook, snapshot, torch

__all__ = [
    "BankLayout",
    "Graph",
    "GraphBuilder",
    "Layout",
    "Node",
    "Plan",
    "Tensor",
    "__version__",
    "layout",
    "layout_banks",
    "load",
    "load_graph",
    "load_plan",
    "notebook",
    "plan",
    "report",
    "report_html",
    "rewrite_passes",
    "save",
    "save_graph",
    "save_plan",
    "snapshot",
    "solvers",
    "torch",
    "verify",
]


def load(path: str | os.PathLike[str], graph: Graph | None = None, *, strict: bool = False) -> Graph | Plan:
    """The graph in a lowtide-graph file; with `graph`, the plan for it in a lowtide-plan file.

    Unknown fields are a warning. strict: they raise ValueError, and so does a graph in which a write to a
    tensor may overtake a read of it.
    """
    return load_graph(path, strict=strict) if graph is None else load_plan(path, graph, strict=strict)


def save(value: Graph | Plan, path: str | os.PathLike[str]) -> None:
    """Write a graph or a plan as JSON; an existing file is replaced only once the new one is whole."""
    if isinstance(value, Graph):
        save_graph(value, path)
    elif isinstance(value, Plan):
        save_plan(value, path)
    else:
        raise ValueError(f"save: a Graph or a Plan, not {type(value).__name__}")


def __getattr__(name: str) -> object:
    if name in ("torch", "snapshot", "notebook"):
        return importlib.import_module(f"lowtide.{name}")
    raise AttributeError(f"module 'lowtide' has no attribute {name!r}")
