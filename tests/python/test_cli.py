"""The command line's contract (docs/formats.md), run as a user runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

import lowtide

PLAN_FIELDS = [
    "graph",
    "nodes",
    "tensors",
    "persistent_bytes",
    "program_peak_bytes",
    "peak_bytes",
    "peak_lower_bound_bytes",
    "order_status",
    "arena_bytes",
    "arena_lower_bound_bytes",
    "layout_status",
    "order_seconds",
    "layout_seconds",
    "total_seconds",
]


def test_plan_json_has_every_field(cli, graph_file):
    result = cli("plan", graph_file, "--json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    printed = json.loads(result.stdout)
    assert set(PLAN_FIELDS) <= set(printed)
    assert printed["program_peak_bytes"] == 2 * 4096 + 64
    assert printed["peak_bytes"] == 4096 + 64 + 64
    assert printed["order_status"] == printed["layout_status"] == "optimal"
    assert printed["persistent_bytes"] == 1000


def test_plan_joint(cli, graph_file):
    plan = json.loads(cli("plan", graph_file, "--joint", "--json").stdout)
    assert plan["joint_lower_bound_bytes"] == plan["arena_bytes"] == 4096 + 64 + 64
    assert "no arena is lower" in cli("plan", graph_file, "--joint").stdout
    both = cli("plan", graph_file, "--joint", "--reuse")
    assert both.returncode == 2 and "joint" in both.stderr


def test_plan_writes_a_plan_that_verifies(cli, graph_file, tmp_path):
    plan_file = tmp_path / "plan.json"
    assert cli("plan", graph_file, "-o", plan_file, "--alignment", 1).returncode == 0
    assert cli("verify", graph_file, plan_file).returncode == 0
    plan = json.loads(plan_file.read_text())
    assert plan["format"] == "lowtide-plan"
    assert plan["graph"] == "two-branches"
    assert sorted(plan["offsets"]) == [
        "left.large",
        "left.small",
        "right.large",
        "right.small",
        "sum",
    ]
    assert cli("plan", graph_file).returncode == 0


def test_every_registered_solver_plans(cli, graph_file, tmp_path):
    for kind, name, _, summary in lowtide.solvers():
        assert summary
        result = cli("plan", graph_file, f"--{kind}", name, "--time-limit", 20, "-o", tmp_path / "p.json")
        if "without HiGHS" in result.stderr:
            continue
        assert result.returncode == 0, (kind, name, result.stderr)
        assert cli("verify", graph_file, tmp_path / "p.json").returncode == 0


def test_every_rewriting_pass_plans(cli, graph_file, tmp_path):
    listed = cli("solvers").stdout
    names = [name for name, _, summary in lowtide.rewrite_passes() if summary and name in listed]
    assert "prune" in names
    for passes in (*names, ",".join(names)):
        plan = tmp_path / "p.json"
        assert cli("plan", graph_file, "--rewrite", passes, "-o", plan).returncode == 0
        assert cli("verify", graph_file, plan).returncode == 0
    assert cli("plan", graph_file, "--no-rewrite").returncode == 0
    refused = cli("plan", graph_file, "--rewrite", "polish")
    assert refused.returncode == 2
    assert "polish" in refused.stderr
    assert "prune" in refused.stderr
    graph = lowtide.load(graph_file)
    assert lowtide.plan(graph, rewrite=names).peak_bytes >= lowtide.plan(graph).peak_bytes


CORRUPTIONS = {
    "schedule too short": lambda plan: plan["schedule"].pop(),
    "node twice": lambda plan: plan["schedule"].append("add"),
    "unknown node": lambda plan: plan["schedule"].append("nobody"),
    "illegal order": lambda plan: plan["schedule"].reverse(),
    "offset missing": lambda plan: plan["offsets"].pop("sum"),
    "offset of a persistent tensor": lambda plan: plan["offsets"].update(x=0),
    "offset of an unknown tensor": lambda plan: plan["offsets"].update(nobody=0),
    "negative offset": lambda plan: plan["offsets"].update(sum=-64),
    "misaligned": lambda plan: plan["offsets"].update(sum=plan["offsets"]["sum"] + 1),
    "overlap": lambda plan: plan["offsets"].update(
        {"left.small": plan["offsets"]["left.large"], "right.small": plan["offsets"]["right.large"]}
    ),
    "peak": lambda plan: plan.update(peak_bytes=plan["peak_bytes"] + 1),
    "arena": lambda plan: plan.update(arena_bytes=plan["arena_bytes"] + 64),
    "bound": lambda plan: plan.update(peak_lower_bound_bytes=plan["peak_bytes"] + 1),
    "status": lambda plan: plan.update(order_status="feasible"),
    "reuse": lambda plan: plan.update(reuses={"sum": "left.small"}),
    "another graph": lambda plan: plan.update(graph="another"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_verify_catches(cli, graph_file, tmp_path, name):
    plan_file = tmp_path / "plan.json"
    cli("plan", graph_file, "-o", plan_file)
    plan = json.loads(plan_file.read_text())
    CORRUPTIONS[name](plan)
    plan_file.write_text(json.dumps(plan))
    result = cli("verify", graph_file, plan_file)
    assert result.returncode == 1
    assert result.stdout.strip()


def assert_one_line_error(result, *parts):
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    for part in parts:
        assert part in result.stderr


def test_bad_usage_and_input(cli, graph_file, tmp_path):
    text = graph_file.read_text()
    broken = tmp_path / "broken.json"
    broken.write_text(text[:-20])
    assert_one_line_error(cli("plan", broken), "broken.json", "not JSON")
    assert_one_line_error(cli("verify", graph_file, graph_file), "format must be 'lowtide-plan'")
    assert_one_line_error(cli("plan", tmp_path / "none.json"), "none.json", "No such file")
    assert_one_line_error(cli("plan", tmp_path), "directory")
    assert_one_line_error(cli("plan", graph_file, "--order", "magic"), "magic", "greedy")
    assert_one_line_error(cli("plan", graph_file, "--layout", "magic"), "magic", "best_fit")
    assert_one_line_error(cli("plan", graph_file, "--alignment", "0"), "alignment")
    assert_one_line_error(cli("plan", graph_file, "--alignment", "x"), "alignment")
    assert_one_line_error(cli("plan", graph_file, "--time-limit", "-1"), "time limit")
    assert_one_line_error(cli("plan", graph_file, "--time-limit", "nan"), "time limit")
    assert_one_line_error(cli("plan", graph_file, "-o", tmp_path / "no" / "p.json"), "p.json")
    assert_one_line_error(cli("plan"), "GRAPH")
    assert_one_line_error(cli("dance"))
    assert_one_line_error(cli())


def test_full_disk_keeps_the_old_plan(cli, graph_file, tmp_path):
    plan_file = tmp_path / "plan.json"
    plan_file.write_text("old")
    result = cli("plan", graph_file, "-o", plan_file, preexec_fn=_limit_file_size)
    assert_one_line_error(result, "plan.json", "cannot write")
    assert plan_file.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["graph.json", "plan.json"]
    assert_one_line_error(cli("plan", graph_file, "-o", "/dev/full"), "No space left")


def _limit_file_size() -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))


def test_empty_graph_plans_to_nothing(cli, tmp_path):
    path = tmp_path / "empty.json"
    lowtide.save(lowtide.GraphBuilder("empty").build(), path)
    for kind, name, _, _ in lowtide.solvers():
        result = cli("plan", path, "--json", f"--{kind}", name, "-o", tmp_path / "plan.json")
        if "without HiGHS" in result.stderr:
            continue
        assert result.returncode == 0, (kind, name, result.stderr)
        assert json.loads(result.stdout)["peak_bytes"] == 0
        assert cli("verify", path, tmp_path / "plan.json").returncode == 0


def test_solvers_and_inspect_and_help(cli, graph_file):
    listed = cli("solvers").stdout
    for _, name, _, _ in lowtide.solvers():
        assert name in listed
    of_highs = re.findall(r"^  (\S+) .*\(needs HiGHS", listed, re.MULTILINE)
    assert of_highs == ["ilp", "ilp_steps", "ilp_shared", "ilp"]
    assert "two-branches" in cli("inspect", graph_file).stdout
    assert cli("--help").returncode == 0
    assert lowtide.__version__ in cli("--version").stdout


def test_layout_exit_codes_and_files(cli, tmp_path):
    buffers = tmp_path / "buffers.csv"
    buffers.write_text("id,lower,upper,size\na,0,2,4\nb,1,3,4\nc,2,4,4\n")
    out = tmp_path / "out.csv"
    found = cli("layout", buffers, "--capacity", 8, "-o", out, "--json")
    assert found.returncode == 0
    assert json.loads(found.stdout)["height_bytes"] == 8
    assert out.read_text().splitlines()[0] == "id,lower,upper,size,offset"
    impossible = cli("layout", buffers, "--capacity", 7, "--json")
    assert impossible.returncode == 3
    conflict = json.loads(impossible.stdout)["conflict"]
    assert conflict["irreducible"] and conflict["step"] is not None
    assert "impossible: " in cli("layout", buffers, "--capacity", 7).stdout
    assert cli("layout", buffers, "--capacity", 8, "--solver", "skyline").returncode == 0
    minimised = json.loads(cli("layout", buffers, "--json").stdout)
    assert (minimised["height_bytes"], minimised["lower_bound_bytes"], minimised["status"]) == (
        8,
        8,
        "optimal",
    )
    assert_one_line_error(cli("layout", buffers, "--solver", "magic"), "magic", "skyline")
    assert_one_line_error(cli("layout", buffers, "--capacity", -1), "capacity")
    buffers.write_text("id,lower,upper,size\na,0,2,4\nb,1,x,4\n")
    assert_one_line_error(cli("layout", buffers), "buffers.csv", "line 3", "upper")


def test_banks_that_are_too_small_are_explained(cli, tmp_path):
    buffers = tmp_path / "buffers.csv"
    buffers.write_text("id,lower,upper,size,banks\na,0,4,60,S\nb,2,6,50,S\nc,3,9,30,\nd,3,5,9,\n")
    banks = ("--bank", "S=100", "--bank", "P=60")
    printed = cli("layout", buffers, *banks)
    assert printed.returncode == 3
    assert "live at 2 can only be in S, which holds 100 bytes; they need 110: 'a', 'b'" in printed.stdout
    conflict = json.loads(cli("layout", buffers, *banks, "--json").stdout)["conflict"]
    assert conflict == {"buffers": ["a", "b"], "step": 2, "banks": ["S"], "irreducible": True}
    # No step is too much: three of 40 in two banks of 60.
    buffers.write_text("id,lower,upper,size\na,0,4,40\nb,0,4,40\nc,0,4,40\nd,0,2,1\n")
    searched = cli("layout", buffers, "--bank", "S=65", "--bank", "P=65")
    assert searched.returncode == 3
    assert "no banks hold these 3 buffers together, any fewer of them fit: 'a', 'b', 'c'" in searched.stdout


def test_layout_time_out_is_undecided(cli, tmp_path):
    # Load 1000 everywhere, but too hard for no time at all.
    rows = ["lower,upper,size"]
    rows += [f"{i % 37},{i % 37 + 5 + i % 11},{100 + 37 * i % 91}" for i in range(300)]
    buffers = tmp_path / "hard.csv"
    buffers.write_text("\n".join(rows) + "\n")
    bound = json.loads(cli("layout", buffers, "--json", "--step-limit", 0).stdout)["lower_bound_bytes"]
    assert cli("layout", buffers, "--capacity", bound, "--step-limit", 0).returncode == 4


def solve_lp(path) -> float:
    """The optimum that HiGHS's own command line finds in an LP file."""
    highsbox = pytest.importorskip("highsbox")
    environment = os.environ | {"LD_LIBRARY_PATH": highsbox.highs_lib_dir()}
    solution = path.with_suffix(".sol")
    subprocess.run(
        [highsbox.highs_bin_path(), "--solution_file", solution, path],
        env=environment,
        cwd=path.parent,  # where it writes its log
        check=True,
        capture_output=True,
    )
    return float(re.search(r"^Objective (\S+)$", solution.read_text(), re.MULTILINE)[1])


def test_export_lp_is_the_program_of_the_graph(cli, graph_file, tmp_path):
    lp_file = tmp_path / "order.lp"
    assert cli("export-lp", graph_file, "-o", lp_file).returncode == 0
    text = lp_file.read_text()
    assert cli("export-lp", graph_file).stdout == text
    assert "generate_expand_left_at_0" in text and "preserve_left_large_at_" in text and "peak_at_0" in text
    unit = int(re.search(r"sizes in (\d+) bytes", text)[1])
    plan = json.loads(cli("plan", graph_file, "--json").stdout)
    assert plan["order_status"] == "optimal"
    assert round(solve_lp(lp_file)) * unit == plan["peak_bytes"]
    assert_one_line_error(cli("export-lp", graph_file, "--program", "dance"), "program", "order")
    assert_one_line_error(cli("export-lp", graph_file, "-o", tmp_path / "no" / "x.lp"), "x.lp")


def test_export_lp_of_addresses_and_of_both(cli, graph_file, tmp_path):
    asked = {"layout": ("--order", "given", "--layout", "exact"), "joint": ("--joint",)}
    for program, options in asked.items():
        lp_file = tmp_path / f"{program}.lp"
        assert cli("export-lp", graph_file, "--program", program, "-o", lp_file).returncode == 0
        text = lp_file.read_text()
        assert "A_left_large" in text
        unit = int(re.search(r"sizes in (\d+) bytes", text)[1])
        plan = json.loads(cli("plan", graph_file, "--json", *options).stdout)
        assert plan["layout_status"] == "optimal"
        assert round(solve_lp(lp_file)) * unit == plan["arena_bytes"]
    reused = cli("export-lp", graph_file, "--program", "joint", "--reuse")
    assert_one_line_error(reused, "program", "--reuse")


def test_export_lp_of_a_plans_addresses(cli, graph_file, tmp_path):
    plan_file, lp_file = tmp_path / "plan.json", tmp_path / "layout.lp"
    assert cli("plan", graph_file, "-o", plan_file, "--alignment", 256).returncode == 0
    plan = json.loads(plan_file.read_text())
    assert plan["layout_status"] == "optimal" and plan["schedule"] != [
        node["name"] for node in json.loads(graph_file.read_text())["nodes"]
    ]
    exported = cli("export-lp", graph_file, "--program", "layout", "--plan", plan_file, "-o", lp_file)
    assert exported.returncode == 0, exported.stderr
    unit = int(re.search(r"sizes in (\d+) bytes", lp_file.read_text())[1])
    assert unit % 256 == 0
    assert round(solve_lp(lp_file)) * unit == plan["arena_bytes"]
    aligned = cli("export-lp", graph_file, "--program", "layout", "--plan", plan_file, "--alignment", 1024)
    assert int(re.search(r"sizes in (\d+) bytes", aligned.stdout)[1]) % 1024 == 0
    for options, words in (
        (("--plan", plan_file), ("plan", "--program layout")),
        (("--alignment", 64), ("alignment", "--program layout or joint")),
        (("--program", "joint", "--alignment", 0), ("alignment", "between")),
        (("--program", "layout", "--plan", graph_file), (graph_file.name,)),
        (("--program", "layout", "--plan", tmp_path / "none.json"), ("none.json",)),
    ):
        assert_one_line_error(cli("export-lp", graph_file, *options), *words)


def test_an_alignment_beyond_all_room_is_refused(cli, graph_file, tmp_path):
    plan_file = tmp_path / "plan.json"
    assert cli("plan", graph_file, "-o", plan_file).returncode == 0
    plan = json.loads(plan_file.read_text())
    plan["offsets"] = dict.fromkeys(plan["offsets"], 0)
    for alignment in (2**62, 2**63 - 1):
        plan_file.write_text(json.dumps(plan | {"alignment": alignment}))
        result = cli("export-lp", graph_file, "--program", "layout", "--plan", plan_file)
        assert_one_line_error(result)


def test_highs_log_goes_where_it_is_asked_to(cli, graph_file, tmp_path):
    log = tmp_path / "highs.log"
    environment = os.environ | {"LOWTIDE_HIGHS_LOG": str(log)}
    result = cli("plan", graph_file, "--order", "ilp_shared", env=environment)
    if "without HiGHS" in result.stderr:
        pytest.skip("built without HiGHS")
    assert result.returncode == 0 and "HiGHS" not in result.stdout + result.stderr
    assert "Running HiGHS" in log.read_text()
