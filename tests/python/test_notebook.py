"""Plans in a notebook: display, show, data frame."""

from __future__ import annotations

import subprocess
import sys
import webbrowser

import pytest

import lowtide
from lowtide import notebook


def test_display_holds_the_figures_and_escapes_names(graph):
    text = lowtide.plan(graph)._repr_html_()
    assert "4.12 KiB, 48.8 % below program order, proven least" in text
    assert "<svg" in text and "two-branches" in text
    builder = lowtide.GraphBuilder("<script>alert(1)</script>")
    builder.add_tensor("<img>", 64)
    builder.add_node("<b>", outputs=["<img>"])
    hostile = lowtide.plan(builder.build())._repr_html_()
    assert "<script" not in hostile and "<img" not in hostile


def test_view_is_an_isolated_frame(graph):
    view = notebook.ReportView(lowtide.plan(graph), height=500)
    text = view._repr_html_()
    assert text.startswith("<iframe srcdoc='") and "height:500px" in text
    assert text.count("<") == 2  # the page itself is escaped
    assert "allow-same-origin" not in text


def test_show_outside_a_notebook_opens_a_file(graph, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    path = lowtide.plan(graph).show()
    try:
        assert opened == [path.as_uri()]
        assert "lowtide report" in path.read_text()
    finally:
        path.unlink()


def test_to_dataframe(graph):
    pytest.importorskip("pandas")
    plan = lowtide.plan(graph)
    frame = plan.to_dataframe()
    assert dict(frame["offset"]) == plan.offsets
    assert frame.loc["left.large", "size"] == 4096
    assert (frame["upper"] > frame["lower"]).all()
    assert int((frame["size"] + frame["offset"]).max()) <= plan.arena_bytes


def test_report_of_several_plans(graph, tmp_path):
    plans = {"as written": lowtide.plan(graph, order="given"), "planned": lowtide.plan(graph)}
    lowtide.report(graph, plans, tmp_path / "page.html")
    assert '"label":"as written"' in (tmp_path / "page.html").read_text()
    with pytest.raises(ValueError, match="Plan objects"):
        lowtide.report(graph, {"x": 3}, tmp_path / "page.html")


def test_import_needs_no_pandas():
    code = "import lowtide.notebook, lowtide.snapshot, sys; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
