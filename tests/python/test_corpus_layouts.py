"""Over the whole corpus, the default layout is never above that of a simple heuristic."""

from __future__ import annotations

import json
import os
import tarfile

import pytest

from test_corpus import CORPUS

SIMPLE = ("first_fit", "best_fit", "greedy_by_size", "greedy_by_breadth")


def arena(cli, graph, order, layout):
    planned = cli("plan", graph, "--order", order, "--layout", layout, "--json", "--step-limit", 20_000_000)
    assert planned.returncode == 0, planned.stderr
    return json.loads(planned.stdout)["arena_bytes"]


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("LOWTIDE_LONG_TESTS"), reason="1080 plans; LOWTIDE_LONG_TESTS=1")
@pytest.mark.skipif(not (CORPUS / "graphs.tar.xz").exists(), reason="no corpus here")
@pytest.mark.parametrize("order", ["given", "auto"])
def test_no_simple_heuristic_is_better(cli, tmp_path, order):
    with tarfile.open(CORPUS / "graphs.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    graphs = sorted(tmp_path.glob("*/*.json"))
    assert graphs
    better = []
    for graph in graphs:
        ours = arena(cli, graph, order, "auto")
        better += [(graph.stem, name) for name in SIMPLE if arena(cli, graph, order, name) < ours]
    assert not better
