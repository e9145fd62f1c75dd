"""What users get wrong without noticing: each a warning or one clear error."""

from __future__ import annotations

import json
import math

import pytest

import lowtide

GRAPH = {
    "format": "lowtide-graph",
    "version": 1,
    "tensors": [{"name": "w", "bytes": 8, "kind": "parameter"}, {"name": "y", "bytes": 8}],
    "nodes": [{"name": "forward", "inputs": ["w"], "outputs": ["y"]}, {"name": "update", "mutates": ["w"]}],
}


def written(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.fixture
def misspelt(tmp_path):
    nodes = [{"name": f"n{i}", "ouputs": ["y"]} for i in range(3)]
    return written(tmp_path / "g.json", GRAPH | {"nodes": nodes})


def test_unknown_fields_are_a_warning_once_a_name(cli, misspelt):
    for command in (("plan",), ("inspect",), ("check", "--max-peak", "1k")):
        result = cli(command[0], misspelt, *command[1:])
        assert result.returncode == 0
        assert result.stderr == (
            f"lowtide: warning: {misspelt}: node 'n0': unknown field 'ouputs'; did you mean 'outputs'?\n"
        )
        strict = cli(command[0], misspelt, *command[1:], "--strict")
        assert (strict.returncode, strict.stderr.count("\n")) == (2, 1)
        assert f"{misspelt}: node 'n0': unknown field 'ouputs'" in strict.stderr


def test_unknown_fields_in_python(misspelt):
    with pytest.warns(UserWarning, match="node 'n0': unknown field 'ouputs'") as heard:
        lowtide.load(misspelt)
    assert len(heard) == 1
    with pytest.raises(ValueError, match=r"g\.json: node 'n0': unknown field 'ouputs'"):
        lowtide.load(misspelt, strict=True)


def test_unknown_fields_of_plans(cli, graph, graph_file, tmp_path):
    document = json.loads(lowtide.plan(graph).to_json()) | {"peak": 1}
    path = written(tmp_path / "p.json", document)
    for command in ("verify", "inspect", "report"):
        more = ("-o", tmp_path / "r.html") if command == "report" else ()
        assert "unknown field 'peak'" in cli(command, graph_file, path, *more).stderr
        assert cli(command, graph_file, path, *more, "--strict").returncode == 2
    with pytest.warns(UserWarning, match="unknown field 'peak'"):
        lowtide.load(path, graph)
    with pytest.raises(ValueError, match="unknown field 'peak'"):
        lowtide.load(path, graph, strict=True)


def test_unknown_columns(cli, graph, graph_file, tmp_path):
    path = written(tmp_path / "b.csv", "id,lower,upper,size,alignement,colour\na,0,1,8,64,red\n")
    result = cli("layout", path)
    assert result.returncode == 0
    assert "unknown column 'alignement'; did you mean 'alignment'?" in result.stderr
    assert "unknown column 'colour'" in result.stderr
    assert cli("layout", path, "--strict").returncode == 2
    assert cli("report", graph_file, "--csv", tmp_path / "t.csv").returncode == 0
    ours = cli("layout", tmp_path / "t.csv", "--strict")
    assert (ours.returncode, ours.stderr) == (0, "")
    columns = {"lower": [0], "upper": [1], "size": [8], "alignement": [64]}
    with pytest.warns(UserWarning, match="unknown column 'alignement'"):
        lowtide.layout(columns)
    with pytest.raises(ValueError, match="unknown column 'alignement'"):
        lowtide.layout(columns, strict=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps(GRAPH)[:-1] + ',"tensors":[]}', "'tensors' stands twice"),
        (json.dumps(GRAPH).replace('"mutates"', '"mutates":[],"mutates"'), "'mutates' stands twice"),
    ],
)
def test_what_stands_twice_is_an_error(cli, tmp_path, text, reason):
    result = cli("plan", written(tmp_path / "g.json", text))
    assert result.returncode == 2
    assert reason in result.stderr and result.stderr.count("\n") == 1


def test_a_tensor_in_several_pairs_of_may_reuse(cli, tmp_path):
    tensors = [{"name": name, "bytes": 8} for name in "abc"]
    node = {"name": "n", "inputs": ["a"], "outputs": ["b", "c"], "may_reuse": {"b": "a", "c": "a"}}
    result = cli("plan", written(tmp_path / "g.json", GRAPH | {"tensors": tensors, "nodes": [node]}))
    assert result.returncode == 2
    assert "node 'n': may_reuse: 'a' is in several pairs" in result.stderr


def test_limits_are_checked_alike(cli, graph, graph_file, tmp_path):
    buffers = written(tmp_path / "b.csv", "id,lower,upper,size\na,0,1,8\n")
    for option in ("--threads=-1", "--threads=0", "--step-limit=-1", "--time-limit=-1", "--time-limit=nan"):
        for command, file in (("plan", graph_file), ("layout", buffers)):
            result = cli(command, file, option)
            assert (result.returncode, result.stderr.count("\n")) == (2, 1), (command, option)
    rows = [(0, 1, 8)]
    for bad in ({"time_limit": math.nan}, {"time_limit": -1}, {"step_limit": -1}):
        for call in (
            lambda **o: lowtide.plan(graph, **o),
            lambda **o: lowtide.layout(rows, **o),
            lambda **o: lowtide.layout_banks(rows, {"a": 8}, **o),
        ):
            with pytest.raises(ValueError, match="must be"):
                call(**bad)
    with pytest.raises(ValueError, match="threads"):
        lowtide.layout(rows, threads=0)


def test_an_update_that_may_overtake_a_read(cli, tmp_path):
    path = written(tmp_path / "g.json", GRAPH)
    text = "node 'update' writes tensor 'w' and may overtake node 'forward', which reads it before"
    assert text in cli("inspect", path).stderr
    assert cli("plan", path).stderr == ""
    for command in ("inspect", "plan"):
        refused = cli(command, path, "--strict")
        assert refused.returncode == 2 and text in refused.stderr
    lowtide.load(path)
    with pytest.raises(ValueError, match="may overtake"):
        lowtide.load(path, strict=True)


@pytest.mark.parametrize("where", ["builder", "build"])
def test_the_builder_orders_mutations(tmp_path, where):
    builder = lowtide.GraphBuilder("g", order_mutations=where == "builder")
    builder.add_tensor("w", 8, kind="parameter")
    builder.add_tensor("y", 8)
    builder.add_node("forward", inputs=["w"], outputs=["y"])
    builder.add_node("update", mutates=["w"])
    builder.add_node("again", inputs=["w"])
    graph = builder.build(**({"order_mutations": True} if where == "build" else {}))
    assert [node.after for node in graph.nodes] == [[], ["forward"], ["update"]]
    lowtide.save(graph, tmp_path / "g.json")
    lowtide.load(tmp_path / "g.json", strict=True)
