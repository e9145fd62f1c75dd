"""`make demo`: capture, plan, verify and report the training steps of a ResNet-50 and a BERT-base.

Built from their configs on the meta device: no weights, no data, no gigabytes.
"""

from __future__ import annotations

import os
import pathlib
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import lowtide  # noqa: E402
import lowtide.torch  # noqa: E402

OUT = pathlib.Path("out")


@dataclass
class Case:
    name: str
    build: Callable[[], torch.nn.Module]
    batch: Callable[[], dict[str, torch.Tensor]]
    optimizer: Callable[[torch.nn.Module], torch.optim.Optimizer]


def resnet50(size: int) -> Case:
    return Case(
        f"resnet50-bs{size}-train",
        lambda: transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=1000)),
        lambda: {
            "pixel_values": torch.empty(size, 3, 224, 224),
            "labels": torch.empty(size, dtype=torch.long),
        },
        lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4),
    )


def bert_base(size: int, length: int = 512) -> Case:
    def tokens() -> torch.Tensor:
        return torch.empty(size, length, dtype=torch.long)

    return Case(
        f"bert-base-bs{size}-train",
        lambda: transformers.BertForMaskedLM(transformers.BertConfig()),
        lambda: {"input_ids": tokens(), "labels": tokens()},
        lambda model: torch.optim.AdamW(model.parameters(), lr=1e-4),
    )


def capture(case: Case) -> lowtide.Graph:
    with torch.device("meta"):
        model = case.build().train()
        batch = case.batch()
    return lowtide.torch.capture(model, None, case.optimizer(model), batch, name=case.name)


def mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f}"


def row(graph: lowtide.Graph, plan: lowtide.Plan, seconds: float) -> list[str]:
    saved = 100 * (1 - plan.peak_bytes / plan.program_peak_bytes)
    status = "proven least" if plan.order_status == "optimal" else "feasible"
    arena = "" if plan.layout_status == "optimal" else " (feasible)"
    return [
        graph.name,
        f"{graph.num_nodes:,}",
        f"{graph.num_tensors:,}",
        mebibytes(graph.persistent_bytes),
        mebibytes(plan.program_peak_bytes),
        mebibytes(plan.peak_bytes),
        mebibytes(plan.peak_lower_bound_bytes),
        mebibytes(plan.arena_bytes) + arena,
        f"{saved:.1f} %",
        f"{seconds:.1f} + {plan.total_seconds:.3f}",
        status,
    ]


def main() -> None:
    console = Console(width=None if os.isatty(1) else 160)
    table = Table(
        title="Training steps, memory in MiB (weights, state and inputs are 'persistent', beside the peak)"
    )
    columns = ["model", "nodes", "tensors", "persistent", "program order", "planned", "bound", "arena"]
    for column in [*columns, "saved", "seconds: capture + plan", "status"]:
        table.add_column(column, justify="left" if column in ("model", "status") else "right")
    OUT.mkdir(exist_ok=True)
    reports = []
    for case in (resnet50(1), resnet50(32), bert_base(1), bert_base(32)):
        with console.status(f"{case.name}: capturing") as status:
            start = time.perf_counter()
            graph = capture(case)
            seconds = time.perf_counter() - start
            status.update(f"{case.name}: planning {graph.num_nodes} nodes")
            plan = lowtide.plan(graph)
            violations = lowtide.verify(graph, plan)
            if violations:
                raise SystemExit(f"{case.name}: the plan does not verify: {violations[0]}")
            lowtide.save(graph, OUT / f"{case.name}.graph.json")
            lowtide.save(plan, OUT / f"{case.name}.plan.json")
            reports.append(OUT / f"{case.name}.html")
            lowtide.report(graph, plan, reports[-1])
        table.add_row(*row(graph, plan, seconds))
        console.print(f"{case.name}: captured, planned, verified")
    console.print(table)
    for report in reports:
        console.print(f"report: {report.resolve()}", soft_wrap=True)
    console.print(f"Open {reports[0].resolve()} in a browser.", soft_wrap=True)


if __name__ == "__main__":
    main()
