"""Whatever a file or an argument holds, a terminal only shows it: hostile names through every command."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import pytest

import lowtide
from conftest import find_cli

# What a terminal would act on: colours, titles, bells, C1, backspaces, directions, line ends.
ACTED_ON = "\x1b[31m\x1b]0;x\x07\x00\x08\t\r\n\x7f\x80\x9b31m\u061c\u200e\u200f\u2028\u2029\u202e\u2066\u2069"
HOSTILE = f"é{ACTED_ON}漢"
HOSTILE_FILE = HOSTILE.replace("\0", "").encode() + b"\xff\x9b"  # a file's name may be any bytes
BAD = {ord(c) for c in ACTED_ON if c not in "31m[]0;x"} | {*range(0x20), *range(0x7F, 0xA0)}


def assert_harmless(output: bytes, where: object) -> None:
    text = output.decode()  # UTF-8, or this throws
    found = {hex(ord(c)) for c in text if ord(c) in BAD and c != "\n"}
    assert not found, (where, found, text)


def content(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@pytest.fixture
def folder(tmp_path) -> bytes:
    path = os.fsencode(tmp_path) + b"/" + HOSTILE_FILE
    os.mkdir(path)
    return path


@pytest.fixture
def run(folder):
    """Runs a command; what it prints is harmless. The exit code, both outputs, and errors one line."""

    def run(*arguments: str | bytes, code: int, program: list[str] | None = None) -> tuple[bytes, bytes]:
        command = [*(program or [find_cli()]), *arguments]
        done = subprocess.run(command, capture_output=True, timeout=60, cwd=folder)
        assert_harmless(done.stdout, arguments)
        assert_harmless(done.stderr, arguments)
        assert done.returncode == code, (arguments, done)
        assert code != 2 or done.stderr.count(b"\n") == 1, done.stderr
        return done.stdout, done.stderr

    return run


@pytest.fixture
def graph(folder) -> lowtide.Graph:
    builder = lowtide.GraphBuilder(HOSTILE, source=HOSTILE, meta={HOSTILE: HOSTILE})
    builder.add_tensor(f"{HOSTILE}.module.weight", 7, kind="parameter")
    builder.add_tensor(HOSTILE, 4096)
    builder.add_tensor(f"{HOSTILE}2", 8192, output=True)
    builder.add_node(
        HOSTILE, op=HOSTILE, phase=HOSTILE, inputs=[f"{HOSTILE}.module.weight"], outputs=[HOSTILE]
    )
    node = {"op": f"{HOSTILE}2", "phase": f"{HOSTILE}2", "may_reuse": {f"{HOSTILE}2": HOSTILE}}
    builder.add_node(f"{HOSTILE}2", inputs=[HOSTILE], outputs=[f"{HOSTILE}2"], **node)
    graph = builder.build()
    lowtide.save(graph, folder + b"/g.json")
    return graph


def test_commands_that_succeed(run, graph, folder):
    g, plan = folder + b"/g.json", folder + b"/plan.json"
    run("plan", g, "-o", plan, code=0)
    printed = json.loads(run("plan", g, "--json", code=0)[0])
    assert printed["graph"] == HOSTILE
    assert json.loads(run("plan", g, "-o", "/dev/stdout", code=0)[0])["graph"] == HOSTILE
    run("verify", g, plan, code=0)
    run("inspect", g, code=0)
    run("inspect", g, plan, code=0)
    run("check", g, "--max-peak", "1", "--max-arena", "1", code=1)
    run("diff", g, g, code=0)
    run("export-lp", g, code=0)
    run("export-lp", g, "--program", "layout", "--plan", plan, code=0)
    run("solvers", code=0)
    run("--help", code=0)
    outputs = ("-o", "r.html", "--svg", "s", "--trace", "t", "--csv", "c.csv", "--dot", "d")
    written = run("report", g, plan, *outputs, code=0)[1]
    assert written.count(b"wrote ") == 6
    run("report", g, plan, "--csv", folder + b"/c.csv", code=0)
    run("layout", folder + b"/c.csv", code=0)
    for name in (HOSTILE, f"{HOSTILE}2"):
        assert name.encode() in content(folder + b"/c.csv").replace(b'"', b"")


def test_diff_names_what_changed(run, graph, folder):
    other = lowtide.GraphBuilder(HOSTILE)
    other.add_tensor(f"{HOSTILE}3", 999999)
    other.add_node(f"{HOSTILE}3", outputs=[f"{HOSTILE}3"])
    lowtide.save(other.build(), folder + b"/other.json")
    run("diff", "g.json", "other.json", code=0)
    run("diff", "g.json", "other.json", "--markdown", code=0)


def test_plans_that_do_not_fit(run, graph, folder):
    run("plan", "g.json", "-o", "plan.json", code=0)
    plan = json.loads(content(folder + b"/plan.json"))
    changes = {
        "another graph": {"graph": f"{HOSTILE}3"},
        "unknown node": {"schedule": [*plan["schedule"], f"{HOSTILE}3"]},
        "unknown tensor": {"offsets": plan["offsets"] | {f"{HOSTILE}3": 7}},
        "overlap": {"offsets": dict.fromkeys(plan["offsets"], 0)},
        "reuse": {"reuses": {f"{HOSTILE}3": HOSTILE}},
        "order": {"schedule": plan["schedule"][::-1]},
    }
    for change in changes.values():
        with open(folder + b"/plan.json", "w") as file:
            json.dump(plan | change, file)
        run("verify", "g.json", "plan.json", code=1)
        for command in ("inspect", "export-lp"):
            options = ("--program", "layout", "--plan") if command == "export-lp" else ()
            run(command, "g.json", *options, "plan.json", code=2)
    for change in ({"order_status": HOSTILE}, {"format": HOSTILE}, {"offsets": {HOSTILE: HOSTILE}}):
        with open(folder + b"/plan.json", "w") as file:
            json.dump(plan | change, file)
        run("verify", "g.json", "plan.json", code=2)


def test_buffers(run, folder):
    def write(text: str) -> None:
        with open(folder + b"/b.csv", "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))

    name = HOSTILE.replace(" ", "") + "\udcff"
    quoted = f'"{name}"'
    write(f"id,lower,upper,size\n{quoted},0,9,40\n{quoted}2,0,9,50\n".replace('"2', '2"'))
    run("layout", "b.csv", "--capacity", "60", code=3)
    conflict = json.loads(run("layout", "b.csv", "--capacity", "60", "--json", code=3)[0])["conflict"]
    assert conflict["buffers"][0] == HOSTILE.replace(" ", "") + "\ufffd"
    bank = f"{HOSTILE_FILE.decode('utf-8', 'surrogateescape')}=60"
    run("layout", "b.csv", "--bank", bank, code=3)
    run("layout", "b.csv", "--bank", bank, "--json", code=3)
    run("layout", "b.csv", "--bank", bank.replace("60", "100"), code=0)
    run("layout", "b.csv", "--bank", bank, "--bank", bank, code=2)
    write(f"id,lower,upper,size,offset\n{quoted},0,9,40,0\n{quoted}2,0,9,50,0\n".replace('"2', '2"'))
    run("layout", "b.csv", code=2)
    for spoiled in (
        f"{quoted},lower",
        f"lower,upper,size\n{quoted},1,2",
        f"lower,upper,size\n1,2,3,{quoted}",
    ):
        write(spoiled)
        run("layout", "b.csv", code=2)


def test_usage_errors(run, graph, folder):
    hostile = HOSTILE_FILE
    run(hostile, code=2)
    run("plan", hostile, code=2)
    run("plan", b"--" + hostile, "g.json", code=2)
    run("plan", "g.json", hostile, code=2)
    for option in ("--order", "--layout", "--rewrite", "--alignment", "--time-limit", "--threads"):
        run("plan", "g.json", option, hostile, code=2)
        run("plan", "g.json", option.encode() + b"=" + hostile, code=2)
    run("plan", "g.json", "-o", hostile + b"/none/plan.json", code=2)
    run("check", "g.json", "--max-peak", hostile, code=2)
    run("export-lp", "g.json", "--program", hostile, code=2)
    run("layout", "g.json", "--bank", hostile, code=2)
    run("layout", "g.json", "--capacity", hostile, code=2)
    run("report", "g.json", "--csv", "g.json", code=2)


@pytest.mark.parametrize("text", ["{", HOSTILE, '{"' + ACTED_ON, '{"format": "\u202e\u009b"}', "[\x1b]"])
def test_files_that_are_no_graph(run, folder, text):
    with open(folder + b"/bad.json", "wb") as file:
        file.write(text.encode())
    run("plan", "bad.json", code=2)
    with pytest.raises(ValueError) as error:
        lowtide.load(folder + b"/bad.json")
    assert_harmless(str(error.value).encode(), text)


def test_snapshots(run, folder):
    module = [sys.executable, "-m", "lowtide.snapshot"]
    run("none.pickle", program=module, code=2)
    run(b"--" + HOSTILE_FILE, program=module, code=2)
    run("x", "--device", HOSTILE_FILE, program=module, code=2)
    snapshot = {"segments": [], "device_traces": [[{"action": HOSTILE, "size": HOSTILE}]]}
    with open(folder + b"/s.pickle", "wb") as file:
        pickle.dump(snapshot, file)
    run("s.pickle", program=module, code=2)
    event = {
        "action": "alloc",
        "size": 64,
        "addr": 1,
        "frames": [{"filename": HOSTILE, "name": HOSTILE, "line": 1}],
    }
    with open(folder + b"/s.pickle", "wb") as file:
        pickle.dump(snapshot | {"device_traces": [[event]]}, file)
    run("s.pickle", program=module, code=0)
    run("s.pickle", "--json", "-o", "r.html", program=module, code=0)
    run("s.pickle", "-o", "none/r.html", program=module, code=2)


def test_values_in_python(graph):
    plan = lowtide.plan(graph)
    builder = lowtide.GraphBuilder(HOSTILE)
    for text in (repr(graph), repr(plan), repr(graph.nodes[0]), repr(graph.tensors[0])):
        assert_harmless(text.encode(), text)
    with pytest.raises(ValueError) as error:
        builder.add_tensor(HOSTILE, -1)
    assert_harmless(str(error.value).encode(), "add_tensor")
