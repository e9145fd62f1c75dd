"""Real graphs through the command line: those in tests/data always, the corpus where there is one."""

from __future__ import annotations

import json
import os
import pathlib
import tarfile

import pytest

from conftest import ROOT

CORPUS = pathlib.Path(os.environ.get("LOWTIDE_CORPUS", ROOT.parent / "shared" / "corpus"))
# Known optima, in bytes, and peaks as a share of program order that must be met.
OPTIMA = {"resnet50-bs1-train-fused": 145196548, "vit_b_16-bs1-train-fused": 123010724}
SHARES = {"resnet50-bs1-train": 0.5712, "alexnet-bs32-train": 0.4498}


def plan_and_verify(cli, graph, plan):
    planned = cli("plan", graph, "-o", plan, "--json", "--step-limit", 20_000_000)
    assert planned.returncode == 0, planned.stderr
    verified = cli("verify", graph, plan)
    assert verified.returncode == 0, verified.stdout
    numbers = json.loads(planned.stdout)
    assert numbers["peak_lower_bound_bytes"] <= numbers["peak_bytes"] <= numbers["program_peak_bytes"]
    assert numbers["arena_lower_bound_bytes"] <= numbers["arena_bytes"]
    return numbers


# What begins with `buffers` is no graph (test_buffers_fuzz.py).
SMALL_GRAPHS = sorted(p for p in (ROOT / "tests" / "data").glob("*.json") if not p.stem.startswith("buffers"))


@pytest.mark.parametrize("path", SMALL_GRAPHS, ids=lambda p: p.stem)
def test_small_graphs_plan_and_verify(cli, tmp_path, path):
    numbers = plan_and_verify(cli, path, tmp_path / "plan.json")
    assert numbers["order_status"] == "optimal"


@pytest.mark.skipif(not (CORPUS / "graphs.tar.xz").exists(), reason="no corpus here")
def test_every_corpus_graph_plans_and_verifies(cli, tmp_path):
    with tarfile.open(CORPUS / "graphs.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    graphs = sorted(tmp_path.glob("*/*.json"))
    assert graphs
    seen = set()
    for path in graphs:
        numbers = plan_and_verify(cli, path, tmp_path / "plan.json")
        seen.add(path.stem)
        if path.stem in OPTIMA:
            assert numbers["peak_bytes"] == OPTIMA[path.stem]
            assert numbers["order_status"] == "optimal"
        if path.stem in SHARES:
            assert numbers["peak_bytes"] <= SHARES[path.stem] * numbers["program_peak_bytes"]
        if path.stem == "bert-base-bs1-train":
            assert numbers["peak_bytes"] == numbers["program_peak_bytes"]
            assert numbers["order_status"] == "optimal"
    assert {*OPTIMA, *SHARES} <= seen
