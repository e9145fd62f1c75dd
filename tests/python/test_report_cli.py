"""`check`, `diff`, `inspect` and the exports of `report`, run as a user runs them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import xml.etree.ElementTree as xml

import pytest

import lowtide
from conftest import ROOT

MODEL = ROOT / "tests" / "data" / "transformer-train.json"
PEAK = 4096 + 64 + 64  # of conftest's two_branches, planned


@pytest.mark.parametrize(
    ("budget", "code"), [(str(PEAK), 0), (str(PEAK - 1), 1), ("5k", 0), ("4KiB", 1), ("0.01 MB", 0)]
)
def test_check_holds_a_budget(cli, graph_file, budget, code):
    result = cli("check", graph_file, "--max-peak", budget)
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stdout.splitlines()[1].startswith("ok" if code == 0 else "over")


def test_check_names_the_three_largest_and_says_that_no_order_can(cli, graph_file):
    result = cli("check", graph_file, "--max-peak", "1k")
    assert result.returncode == 1
    assert "no order of this graph can meet it" in result.stdout
    lines = [line for line in result.stdout.splitlines() if line.startswith("  ")]
    assert len(lines) == 3
    assert ".large'" in lines[0] and "4.00 KiB" in lines[0]


def test_check_of_program_order_of_a_plan_of_the_arena(cli, graph_file, tmp_path):
    assert cli("check", graph_file, "--max-peak", 5000, "--order", "given").returncode == 1
    plan = tmp_path / "plan.json"
    cli("plan", graph_file, "--order", "given", "-o", plan)
    assert cli("check", graph_file, "--max-peak", 5000, "--plan", plan).returncode == 1
    assert cli("check", graph_file, "--max-peak", 9000, "--plan", plan).returncode == 0
    assert cli("check", graph_file, "--max-arena", 5000).returncode == 0
    assert cli("check", graph_file, "--max-peak", 5000, "--with-persistent").returncode == 1


@pytest.mark.parametrize("budget", ["", "x", "3GX", "-1", "nan", "inf", "1e30", "GiB", "1 2"])
def test_check_refuses_what_is_no_size(cli, graph_file, budget):
    result = cli("check", graph_file, f"--max-peak={budget}")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_diff_of_graphs_and_of_plans(cli, tmp_path):
    other = tmp_path / "other.json"
    graph = json.loads(MODEL.read_text())
    planned = [tensor for tensor in graph["tensors"] if tensor.get("kind", "activation") == "activation"]
    grown = max(planned, key=lambda tensor: tensor["bytes"])
    grown["bytes"] += 2**20
    other.write_text(json.dumps(graph))
    result = cli("diff", MODEL, other)
    assert result.returncode == 0, result.stderr
    largest = next(line for line in result.stdout.splitlines() if line.startswith("     +"))
    assert f"'{grown['name']}'" in largest and "+1.0" in largest and "MiB" in largest
    markdown = cli("diff", MODEL, other, "--markdown").stdout
    assert markdown.startswith("### `") and "|---|---:|" in markdown
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    cli("plan", MODEL, "--order", "given", "-o", old)
    cli("plan", MODEL, "-o", new)
    result = cli("diff", old, new, "--graph", MODEL)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[2].split()[0] == "peak"
    assert cli("diff", old, new).returncode == 2


def test_inspect_draws_the_curve(cli, tmp_path):
    text = cli("inspect", MODEL).stdout
    assert "█" in text and "▲ peak" in text and "saved for backward" in text
    assert "by the phase that made it" in text and "by operator" in text
    assert "no order needs less than" in text and "the best found meets it" in text
    plan = tmp_path / "plan.json"
    cli("plan", MODEL, "-o", plan)
    assert cli("inspect", MODEL, plan).stdout != text


def test_exports(cli, tmp_path):
    names = {key: tmp_path / f"out.{key}" for key in ("html", "trace", "csv", "dot")}
    charts = tmp_path / "charts.svg"
    options = [f"--{key}={file}" for key, file in names.items() if key != "html"]
    result = cli("report", MODEL, "-o", names["html"], "--svg", charts, *options)
    assert result.returncode == 0, result.stderr
    graph = lowtide.load(MODEL)
    rows = list(csv.DictReader(names["csv"].open(newline="")))
    planned = {t.name: t.bytes for t in graph.tensors if t.kind == "activation" and t.bytes > 0}
    assert {row["id"]: int(row["size"]) for row in rows} == planned
    assert json.loads(names["trace"].read_text())["traceEvents"]
    for chart in ("memory", "addresses"):
        assert xml.parse(tmp_path / f"charts-{chart}.svg").getroot().tag.endswith("svg")
    if shutil.which("dot"):
        drawn = subprocess.run(["dot", "-Tplain", names["dot"]], capture_output=True, text=True)
        assert drawn.returncode == 0 and "node" in drawn.stdout, drawn.stderr


def test_the_csv_is_input_for_layout(cli, tmp_path):
    file = tmp_path / "tensors.csv"
    cli("report", MODEL, "--csv", file)
    result = cli("layout", file, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["buffers"] == len(file.read_text().splitlines()) - 1


def test_report_says_what_is_missing(cli, tmp_path):
    result = cli("report", MODEL)
    assert result.returncode == 2 and "--svg" in result.stderr
    result = cli("report", MODEL, "-o", tmp_path / "none" / "r.html")
    assert result.returncode == 2 and "r.html" in result.stderr


HOSTILE_NAMES = [
    "a,b",
    'say "x"',
    "two\nlines",
    "crlf\r\n",
    " blanks ",
    '"',
    '","',
    "tab\t",
    "x;y",
    "=1+1",
    "ü",
]


def test_the_csv_of_any_names_is_read_by_layout(cli, tmp_path):
    builder = lowtide.GraphBuilder("names")
    for size, name in enumerate(HOSTILE_NAMES, 1):
        builder.add_tensor(name, 64 * size, output=size % 2 == 0)
        builder.add_node(name, op=name, outputs=[name], phase=name)
    graph_file, tensors, placed = tmp_path / "g.json", tmp_path / "t.csv", tmp_path / "placed.csv"
    lowtide.save(builder.build(), graph_file)
    assert cli("report", graph_file, "--csv", tensors).returncode == 0
    result = cli("layout", tensors, "-o", placed)
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader(placed.open(newline="")))
    assert [(row["id"], row["op"], row["phase"]) for row in rows] == [(name,) * 3 for name in HOSTILE_NAMES]
    assert [row["size"] for row in rows] == [str(64 * size) for size in range(1, len(HOSTILE_NAMES) + 1)]
