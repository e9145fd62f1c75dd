"""Bounds in a plan file are claims: nothing that was not proved here is said to be proved."""

from __future__ import annotations

import json

import pytest

import lowtide
from lowtide import notebook


@pytest.fixture
def pair() -> lowtide.Graph:
    """Two large tensors that need not be there together: 102 bytes will do, program order takes 201."""
    builder = lowtide.GraphBuilder("pair")
    for name in "xy":
        builder.add_tensor(name, 100)
        builder.add_tensor(f"s{name}", 1)
    for name in "xy":
        builder.add_node(f"m{name}", outputs=[name])
    for name in "xy":
        builder.add_node(f"r{name}", inputs=[name], outputs=[f"s{name}"])
    builder.add_tensor("z", 100, output=True)
    builder.add_node("join", inputs=["sx", "sy"], outputs=["z"])
    return builder.build()


@pytest.fixture
def files(pair, tmp_path):
    """The graph, and a plan in program order that claims to be optimal."""
    document = json.loads(lowtide.plan(pair, order="given", alignment=1).to_json())
    assert document["peak_bytes"] == 201
    document["peak_lower_bound_bytes"], document["order_status"] = 201, "optimal"
    lowtide.save(pair, tmp_path / "graph.json")
    (tmp_path / "false.json").write_text(json.dumps(document))
    lowtide.save(lowtide.plan(pair, alignment=1), tmp_path / "true.json")
    return tmp_path


def test_check_repeats_no_claim_as_a_proof(cli, files):
    result = cli("check", files / "graph.json", "--plan", files / "false.json", "--max-peak", 150)
    assert result.returncode == 1
    assert "no order" not in result.stdout
    assert "claimed by the file, not proved here: every order needs at least 201 B" in result.stdout
    proved = cli("check", files / "graph.json", "--plan", files / "false.json", "--max-peak", 90)
    assert proved.returncode == 1
    assert "no order of this graph can meet it: every one needs at least 102 B" in proved.stdout


def test_no_command_repeats_a_claim_as_a_proof(cli, files, tmp_path):
    graph, plan = files / "graph.json", files / "false.json"
    inspected = cli("inspect", graph, plan)
    assert "the plan's file claims that no order needs less than 201 B" in inspected.stdout
    assert "a claim, not proved here" in inspected.stdout
    assert "no order needs less than 102 B" in cli("inspect", graph, files / "true.json").stdout
    assert "bound (claimed)" in cli("diff", plan, plan, "--graph", graph).stdout
    assert cli("report", graph, plan, "--svg", tmp_path / "chart").returncode == 0
    assert "no order below 201 B (claimed by the file)" in (tmp_path / "chart-memory.svg").read_text()


def runs_of(page: str) -> list[dict[str, object]]:
    data = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    return json.loads(data)["runs"]


def test_a_report_keeps_claims_and_proofs_apart(pair, files):
    false, true = (lowtide.load(files / f"{name}.json", pair) for name in ("false", "true"))
    runs = runs_of(lowtide.report_html(pair, {"false": false, "true": true}))
    assert [(r["label"], r["peak_bound_is_claim"]) for r in runs] == [("false", True), ("true", False)]
    assert runs[0]["reason"]["kind"] == "claim"


def test_program_order_gets_no_bound_from_a_file(cli, pair, tmp_path):
    document = json.loads(lowtide.plan(pair, alignment=1).to_json())
    # As program order but for the last two nodes: legal, and not the program's.
    document["schedule"] = ["my", "mx", "ry", "rx", "join"]
    plan = json.loads(lowtide.plan(pair, order="given", alignment=1).to_json())
    document |= {key: plan[key] for key in ("arena_bytes", "arena_lower_bound_bytes", "layout_status")}
    document |= {"offsets": {"x": 0, "y": 100, "sx": 100, "sy": 200, "z": 0}}
    document |= {"peak_bytes": 201, "peak_lower_bound_bytes": 201, "order_status": "optimal"}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    loaded = lowtide.load(path, pair)
    program, shown = runs_of(lowtide.report_html(pair, loaded))
    assert program["label"] == "program order"
    assert (program["peak_lower_bound_bytes"], program["order_status"]) == (102, "feasible")
    assert (shown["order_status"], shown["peak_bound_is_claim"]) == ("optimal", True)


def test_a_loaded_plan_says_what_it_only_claims(pair, files):
    false = lowtide.load(files / "false.json", pair)
    assert false.peak_bound_is_claim and not false.arena_bound_is_claim
    assert "peak 201 B (optimal, as its file claims), arena" in repr(false)
    assert "its file claims" in dict(notebook.summary_rows(false))["peak"]
    true = lowtide.load(files / "true.json", pair)
    assert not true.peak_bound_is_claim and not true.arena_bound_is_claim  # proved again at once
    assert "proven least" in dict(notebook.summary_rows(true))["peak"]
    made = lowtide.plan(pair)
    assert not made.peak_bound_is_claim and not made.arena_bound_is_claim


def test_check_judges_any_plan_that_a_file_can_hold(cli, files, tmp_path):
    good = json.loads((files / "true.json").read_text())
    bad = tmp_path / "bad.json"
    for changes in (
        {"offsets": good["offsets"] | {"x": 2**63 - 64}},
        {"offsets": good["offsets"] | {"x": 2**63}},
        {"offsets": good["offsets"] | {"x": 2**64}},
        {"offsets": good["offsets"] | {"x": -1}},
        {"offsets": good["offsets"] | {"nobody": 0}},
        {"schedule": good["schedule"][1:]},
        {"arena_bytes": 10**30},
        {"alignment": 2**63},
        {"peak_lower_bound_bytes": -7},
    ):
        bad.write_text(json.dumps(good | changes))
        for command in (("verify",), ("check", "--max-arena", 10**6, "--max-peak", 10**6, "--plan")):
            result = cli(command[0], files / "graph.json", *command[1:], bad)
            assert result.returncode == 1, (changes, result)
            assert result.stdout.strip() and "ok:" not in result.stdout
        assert "not valid" in result.stderr
        with pytest.raises(ValueError):
            lowtide.load(bad, lowtide.load(files / "graph.json"))
    for text in ("", "[]", "{}", json.dumps(good | {"peak_bytes": 1.5}), json.dumps(good | {"offsets": []})):
        bad.write_text(text)
        for command in (("verify",), ("check", "--max-arena", 10**6, "--plan")):
            assert cli(command[0], files / "graph.json", *command[1:], bad).returncode == 2, text
