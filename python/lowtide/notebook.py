"""Plans in a notebook: what `Plan.show`, `Plan.to_dataframe` and Jupyter's display of a plan call.

Needs nothing beside lowtide; `to_dataframe` needs pandas, and only when it is called.
"""

from __future__ import annotations

import csv
import html
import io
import pathlib
import sys
import tempfile
import webbrowser
from typing import TYPE_CHECKING, Any

from lowtide._core import memory_svg, report_html, tensor_csv

if TYPE_CHECKING:
    from lowtide._core import Plan

NUMBERS = ("lower", "upper", "size", "offset")


def size_text(size_bytes: int) -> str:
    """ "1.50 GiB", as the command line writes sizes."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.2f} {unit}"


def summary_rows(plan: Plan) -> list[tuple[str, str]]:
    """What a reader wants to know first of a plan, as (name, text)."""
    before = plan.program_peak_bytes
    saved = f"{100 * (1 - plan.peak_bytes / before):.1f} % below program order" if before else ""
    if plan.peak_bound_is_claim:
        proof = f"its file claims: no order below {size_text(plan.peak_lower_bound_bytes)}"
    elif plan.order_status == "optimal":
        proof = "proven least over all orders"
    else:
        proof = f"no order below {size_text(plan.peak_lower_bound_bytes)}"
    peak = ", ".join(filter(None, (size_text(plan.peak_bytes), saved, proof)))
    return [
        ("peak", peak),
        ("arena", f"{size_text(plan.arena_bytes)} at {plan.alignment} bytes alignment"),
        ("persistent", f"{size_text(plan.graph.persistent_bytes)}, beside the plan"),
    ]


def summary_html(plan: Plan) -> str:
    """A plan as Jupyter shows it: its name, three figures, the memory curve. A few tens of kB."""
    left = "style='text-align:left'"
    rows = "".join(
        f"<tr><th {left}>{name}</th><td {left}>{html.escape(text)}</td></tr>"
        for name, text in summary_rows(plan)
    )
    name = html.escape(plan.graph.name[:200] or "plan")
    return f"<div><strong>{name}</strong><table>{rows}</table>{memory_svg(plan)}</div>"


class ReportView:
    """The whole report as the value of a notebook cell: an isolated frame, so that styles do not mix."""

    def __init__(self, plan: Plan, height: int = 900) -> None:
        self.page = report_html(plan.graph, plan)
        self.height = height

    def _repr_html_(self) -> str:
        return (
            f"<iframe srcdoc='{html.escape(self.page, quote=True)}' title='lowtide report' "
            f"sandbox='allow-scripts allow-downloads' "
            f"style='width:100%;height:{int(self.height)}px;border:0'></iframe>"
        )

    def __repr__(self) -> str:
        return f"ReportView({len(self.page)} characters of HTML; show it in a notebook)"


def in_notebook() -> bool:
    """Whether values are displayed as HTML: a Jupyter kernel runs us."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def show(plan: Plan) -> object:
    """The report: a ReportView in a notebook; elsewhere it is written to a file and opened in a browser.

    Returns the ReportView, or the path of the file.
    """
    if in_notebook():
        return ReportView(plan)
    with tempfile.NamedTemporaryFile(
        "w", suffix=".html", prefix="lowtide-", delete=False, encoding="utf-8"
    ) as file:
        file.write(report_html(plan.graph, plan))
    path = pathlib.Path(file.name)
    webbrowser.open(path.as_uri())
    return path


def to_dataframe(plan: Plan) -> Any:
    """A pandas.DataFrame with a row for each planned tensor, indexed by name, in the graph's order.

    Columns: lower, upper (steps, half-open), size, offset (bytes), op, phase, part, module (of the node that
    made it; "" for given tensors). Raises ImportError without pandas.
    """
    import pandas

    rows = list(csv.DictReader(io.StringIO(tensor_csv(plan), newline="")))
    columns = ["id", *NUMBERS, "op", "phase", "part", "module"]
    frame = pandas.DataFrame(rows, columns=columns).astype(dict.fromkeys(NUMBERS, "int64"))
    return frame.rename(columns={"id": "tensor"}).set_index("tensor")
