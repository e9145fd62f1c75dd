"""Where the output of a command goes: links, pipes, standard output, and never onto an input."""

from __future__ import annotations

import json
import os
import pickle
import subprocess

import pytest

import lowtide
from conftest import find_cli
from lowtide import snapshot


@pytest.fixture
def shell(graph_file, tmp_path):
    """Runs a line of bash in the folder of graph.json, with `lowtide` as a command."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"LOWTIDE": find_cli()}
        command = ["bash", "-c", f'lowtide() {{ "$LOWTIDE" "$@"; }}; {line}']
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment
        )

    return run


@pytest.mark.parametrize("where", ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1", "link", "links/link"])
@pytest.mark.parametrize("redirect", [">> out", "> out", "| cat >> out"])
def test_standard_output_keeps_what_stands_in_it(shell, tmp_path, where, redirect):
    (tmp_path / "link").symlink_to("/proc/self/fd/1")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "link").symlink_to("../link")
    (tmp_path / "out").write_text("start\n")
    result = shell(f"(echo line1; lowtide plan graph.json -o {where}; echo line2) {redirect}")
    assert "planned peak" in result.stderr  # what is said about the plan does not spoil it
    lines = (tmp_path / "out").read_text().splitlines()
    if redirect != "> out":
        assert lines.pop(0) == "start"
    assert (lines[0], lines[-1], len(lines)) == ("line1", "line2", 3)
    assert json.loads(lines[1])["format"] == "lowtide-plan"
    assert (tmp_path / "link").is_symlink() and (tmp_path / "links" / "link").is_symlink()


def test_every_output_option_follows_links(shell, tmp_path):
    commands = {
        "plan": "plan graph.json -o link",
        "page": "report graph.json -o link",
        "trace": "report graph.json --trace link",
        "csv": "report graph.json --csv link",
        "dot": "report graph.json --dot link",
        "lp": "export-lp graph.json -o link",
        "layout": "layout buffers.csv -o link",
    }
    (tmp_path / "buffers.csv").write_text("lower,upper,size\n0,1,2\n")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    for name, command in commands.items():
        for text in (None, "old"):
            (tmp_path / "real" / "file").unlink(missing_ok=True)
            if text:
                (tmp_path / "real" / "file").write_text(text)
            assert shell(f"lowtide {command}").returncode == 0, name
            assert (tmp_path / "link").is_symlink(), name
            assert len((tmp_path / "real" / "file").read_text()) > 10, name
            assert os.listdir(tmp_path / "real") == ["file"], name
    (tmp_path / "charts-memory.svg").symlink_to("real/file")
    assert shell("lowtide report graph.json --svg charts").returncode == 0
    assert (tmp_path / "real" / "file").read_text().startswith("<svg")


REFUSED = [
    "plan graph.json -o graph.json",
    "plan graph.json -o ./other/../graph.json",
    "plan graph.json -o hard",
    "plan graph.json -o soft",
    "plan soft -o hard",
    "plan graph.json -o /dev/stdout >> graph.json",
    "report graph.json plan.json -o plan.json",
    "report graph.json plan.json other.json --csv soft",
    "report graph.json --svg chart",
    "report graph.json --trace new --dot ./new",
    "report graph.json --trace new --dot to_new",
    "export-lp graph.json -o graph.json",
    "export-lp graph.json --program layout --plan plan.json -o plan.json",
    "layout buffers.csv -o buffers.csv",
    "layout buffers.csv --bank S=100 -o buffers.csv",
]


@pytest.mark.parametrize("command", REFUSED)
def test_an_output_is_no_input_and_no_other_output(shell, tmp_path, command):
    (tmp_path / "other").mkdir()
    assert shell("lowtide plan graph.json -o plan.json; cp plan.json other.json").returncode == 0
    (tmp_path / "buffers.csv").write_text("lower,upper,size\n0,1,2\n")
    (tmp_path / "hard").hardlink_to(tmp_path / "graph.json")
    (tmp_path / "soft").symlink_to("hard")
    (tmp_path / "chart-memory.svg").symlink_to("soft")
    (tmp_path / "to_new").symlink_to("new")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*") if path.is_file()}
    result = shell(f"lowtide {command}")
    assert result.returncode == 2, result
    assert "as well" in result.stderr and result.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.glob("*.*") if path.is_file()} == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "command",
    ["plan graph.json -o", "layout graph.json -o", "report graph.json -o", "export-lp graph.json -o"]
    + [f"report graph.json --{option}" for option in ("svg", "trace", "csv", "dot")]
    + ["check graph.json --max-peak 1 --plan", "inspect graph.json", "verify graph.json", "plan"],
)
def test_an_empty_name_is_an_error(shell, command):
    result = shell(f"lowtide {command} ''")
    assert result.returncode == 2
    assert "empty" in result.stderr


def test_snapshots_and_python(graph, tmp_path):
    plan = lowtide.plan(graph)
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to("target")
    for write in (
        lambda path: lowtide.save(plan, path),
        lambda path: lowtide.save(graph, path),
        lambda path: lowtide.report(graph, plan, path),
    ):
        for path in (link, str(link), os.fsencode(link)):
            target.unlink(missing_ok=True)
            write(path)
            assert link.is_symlink() and target.stat().st_size > 100
        for bad in ("", "a\0b", tmp_path):
            with pytest.raises(ValueError):
                write(bad)
        with pytest.raises(TypeError):
            write(7)
    with pytest.raises(ValueError):
        lowtide.load("a\0b")


def test_the_snapshot_command(tmp_path):
    file = tmp_path / "s.pickle"
    event = {"action": "alloc", "size": 64, "addr": 1}
    file.write_bytes(pickle.dumps({"segments": [], "device_traces": [[event]]}))
    (tmp_path / "link").symlink_to("s.pickle")
    before = file.read_bytes()
    for output in (file, tmp_path / "link", ""):
        assert snapshot.main([str(file), "-o", str(output)]) == 2
    assert file.read_bytes() == before
    assert snapshot.main([str(file), "-o", str(tmp_path / "page.html")]) == 0
