"""Ctrl-C and SIGTERM: what was found until then is not lost, and what is not whole is not left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

import pytest

import lowtide
from conftest import find_cli

WAIT = 60  # seconds; a test that waits so long has failed


def hard_graph() -> lowtide.Graph:
    """No search decides its order within minutes: random layers 30 wide, one tensor a node."""
    draw = random.Random(0)
    builder = lowtide.GraphBuilder("hard")
    last: list[str] = []
    for layer in range(60):
        names = [f"t{layer}.{i}" for i in range(30)]
        for name in names:
            builder.add_tensor(name, draw.choice([64, 128, 1024, 8192]))
            builder.add_node(f"n.{name}", inputs=draw.sample(last, min(3, len(last))), outputs=[name])
        last = names
    return builder.build()


def hard_buffers() -> dict[str, list[int]]:
    """No search packs them within minutes: sizes that do not fit their alignments."""
    draw = random.Random(1)
    lower = [draw.randrange(400) for _ in range(1000)]
    return {
        "lower": lower,
        "upper": [start + draw.randrange(2, 200) for start in lower],
        "size": [draw.randrange(1, 10**6) for _ in lower],
        "alignment": [4096] * len(lower),
    }


def processor_seconds(process: int) -> float:
    with open(f"/proc/{process}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def searching(tmp_path):
    """Starts `lowtide ARGS...`; returns the process once it has worked for longer than reading takes."""
    started = []

    def run(*arguments: object) -> subprocess.Popen[bytes]:
        command = [find_cli(), *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        started.append(process)
        while process.poll() is None and processor_seconds(process.pid) < 0.5:
            time.sleep(0.02)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def hard_file(tmp_path):
    lowtide.save(hard_graph(), tmp_path / "hard.json")
    return tmp_path / "hard.json"


@pytest.fixture
def hard_csv(tmp_path):
    columns = hard_buffers()
    rows = [",".join(map(str, row)) + "\n" for row in zip(*columns.values(), strict=True)]
    (tmp_path / "hard.csv").write_text("".join([",".join(columns) + "\n", *rows]))
    return tmp_path / "hard.csv"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_best_plan_is_written(searching, hard_file, tmp_path, cli, sent, status):
    process = searching("plan", hard_file, "-o", "plan.json", "--json")
    process.send_signal(sent)
    shown = json.loads(process.communicate(timeout=WAIT)[0])
    assert process.returncode == status
    assert cli("verify", hard_file, tmp_path / "plan.json").returncode == 0
    written = json.loads((tmp_path / "plan.json").read_text())
    for field in ("peak_bytes", "peak_lower_bound_bytes", "order_status", "arena_bytes"):
        assert written[field] == shown[field]
    assert written["order_status"] == "feasible"
    assert shown["peak_lower_bound_bytes"] <= shown["peak_bytes"] < shown["program_peak_bytes"]


def test_a_plan_that_is_asked_to_be_shown_only_is_shown(searching, hard_file):
    process = searching("plan", hard_file)
    process.send_signal(signal.SIGINT)
    assert b"planned peak" in process.communicate(timeout=WAIT)[0]
    assert process.returncode == 130


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_best_layout_is_written(searching, hard_csv, tmp_path, sent, status):
    process = searching("layout", hard_csv, "-o", "placed.csv", "--json")
    process.send_signal(sent)
    shown = json.loads(process.communicate(timeout=WAIT)[0])
    assert (process.returncode, shown["status"]) == (status, "feasible")
    lines = (tmp_path / "placed.csv").read_text().splitlines()
    assert lines[0] == "lower,upper,size,alignment,offset"
    placed = [tuple(map(int, line.split(","))) for line in lines[1:]]
    assert [row[:4] for row in placed] == list(zip(*hard_buffers().values(), strict=True))
    for i, (lower, upper, size, alignment, offset) in enumerate(placed):
        assert 0 <= offset <= shown["height_bytes"] - size
        assert offset % alignment == 0
        for begin, end, its_size, _, its_offset in placed[:i]:
            together = lower < end and begin < upper
            assert not together or offset + size <= its_offset or its_offset + its_size <= offset


def test_banks_are_written_once_there_is_an_answer(searching, hard_csv, tmp_path):
    banks = ["--bank", "A=60MB", "--bank", "B=1GB"]
    process = searching("layout", hard_csv, *banks, "-o", "placed.csv", "--json")
    process.send_signal(signal.SIGINT)
    shown = json.loads(process.communicate(timeout=WAIT)[0])
    assert process.returncode == 130
    assert (tmp_path / "placed.csv").exists() == (shown["status"] == "feasible")


@pytest.mark.parametrize("command", ["plan", "layout", "verify", "report"])
def test_before_there_is_anything_one_line_says_so(tmp_path, command):
    os.mkfifo(tmp_path / "in")
    arguments = {"verify": ["in", "p.json"], "report": ["in", "p.json", "-o", "out"]}
    process = subprocess.Popen(
        [find_cli(), command, *arguments.get(command, ["in", "-o", "out"])],
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    with open(tmp_path / "in", "wb"):  # there is a reader now: the command waits for its input
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=WAIT)[1]
    assert process.returncode == 130
    assert said == b"lowtide: interrupted: nothing more was written\n"
    assert os.listdir(tmp_path) == ["in"]


def test_a_second_signal_ends_at_once_and_leaves_nothing_half_written(searching, hard_file, tmp_path):
    os.mkfifo(tmp_path / "out")  # nobody reads: the plan can't be written
    process = searching("plan", hard_file, "-o", "out")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT) == 143
    assert sorted(os.listdir(tmp_path)) == ["hard.json", "out"]


def test_a_signal_that_the_parent_ignores_stays_ignored(hard_file, tmp_path):
    line = 'trap "" INT; exec "$0" plan hard.json --time-limit 1 -o plan.json'
    process = subprocess.Popen(["bash", "-c", line, find_cli()], cwd=tmp_path, stdout=subprocess.PIPE)
    while process.poll() is None and processor_seconds(process.pid) < 0.3:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT)
    assert process.returncode == 0


class Stopped(Exception):
    pass


@pytest.fixture
def interrupted():
    """Calls a function that is interrupted by SIGALRM after a while; what that raised."""

    def call(function, raised: type[BaseException]):
        def stop(*_: object) -> None:
            raise raised

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            with pytest.raises(raised) as caught:
                function()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return caught.value

    return call


@pytest.mark.parametrize("raised", [KeyboardInterrupt, Stopped])
def test_what_is_raised_carries_the_plan(interrupted, tmp_path, raised):
    graph = hard_graph()
    plan = interrupted(lambda: lowtide.plan(graph), raised).plan
    assert isinstance(plan, lowtide.Plan)
    assert lowtide.verify(graph, plan) == []
    assert plan.peak_lower_bound_bytes <= plan.peak_bytes <= plan.program_peak_bytes
    assert plan.order_status == "feasible"
    lowtide.save(plan, tmp_path / "plan.json")
    assert lowtide.load(tmp_path / "plan.json", graph).peak_bytes == plan.peak_bytes


def test_what_is_raised_carries_the_layout(interrupted):
    error = interrupted(lambda: lowtide.layout(hard_buffers()), KeyboardInterrupt)
    assert error.layout.status == "feasible"
    assert len(error.layout.offsets) == len(hard_buffers()["size"])
    banks = {"A": 60_000_000, "B": 10**9}
    error = interrupted(lambda: lowtide.layout_banks(hard_buffers(), banks), KeyboardInterrupt)
    assert error.layout.status in ("feasible", "unknown")


def test_what_takes_no_attribute_comes_through_as_it_is(interrupted):
    class Bare(BaseException):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            if not name.startswith("__"):
                raise AttributeError(name)

    graph = hard_graph()
    assert not hasattr(interrupted(lambda: lowtide.plan(graph), Bare), "plan")
