"""How soon does a command end after Ctrl-C, and with what? Graphs and buffers that no search decides.

    python bench/interrupts.py [--cli build/test/src/lowtide/lowtide] [--make build/test/bench/make_graph]

Each command is interrupted at many moments, so that the signal meets every phase: reading, order,
layout, verification, writing. Prints the slowest ends, in processor seconds (and seconds, which on
a busy machine are more); what was written is verified.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

INTERRUPTED = 128 + signal.SIGINT


class Interrupted:
    """A command that got a signal after `delay` processor seconds; it may have ended before."""

    def __init__(self, command: list[object], delay: float) -> None:
        self.delay = delay
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=said)
            while (spent := processor_seconds(process.pid)) < delay and not has_ended(process.pid):
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGINT)
            start = time.perf_counter()
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds = time.perf_counter() - start
            self.work = usage.ru_utime + usage.ru_stime - spent
            self.status = os.waitstatus_to_exitcode(status)
            said.seek(0)
            self.said = said.read().decode()


def fields_of(process: int) -> list[str]:
    return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def has_ended(process: int) -> bool:
    return fields_of(process)[0] == "Z"


def processor_seconds(process: int) -> float:
    fields = fields_of(process)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def write_buffers(path: pathlib.Path, count: int) -> None:
    draw = random.Random(0)
    with path.open("w") as file:
        file.write("id,lower,upper,size\n")
        for i in range(count):
            lower = draw.randrange(count)
            file.write(f"b{i},{lower},{lower + 1 + draw.randrange(100)},{64 * draw.randrange(1, 1000)}\n")


def moments(longest: float, factor: float) -> list[float]:
    times = [0.02]
    while times[-1] < longest:
        times.append(times[-1] * factor)
    return times


def measure(name: str, command: list[object], output: pathlib.Path, check, times: list[float]) -> bool:
    runs, written = [], 0
    for delay in times:
        output.unlink(missing_ok=True)
        runs.append(Interrupted([*command, "-o", output], delay))
        if output.exists():
            written += 1
            check(output)
        elif runs[-1].status != INTERRUPTED or runs[-1].said.count("\n") != 1:
            raise SystemExit(f"{name}: after {delay:.2f} s: {runs[-1].status}: {runs[-1].said}")
        if list(output.parent.glob(".lowtide-*")):
            raise SystemExit(f"{name}: after {delay:.2f} s: a file is left")
    worst = sorted(runs, key=lambda run: -run.work)[:3]
    ends = ", ".join(f"{run.work:.2f} ({run.seconds:.2f}) s after {run.delay:.2f} s" for run in worst)
    print(f"{name:18} {len(runs)} runs, {written} wrote; slowest ends: {ends}", flush=True)
    return worst[0].work <= 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cli", default="build/test/src/lowtide/lowtide")
    parser.add_argument("--make", default="build/test/bench/make_graph")
    parser.add_argument("--families", default="layered,rnn")
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--longest", type=float, default=20, help="processor seconds before a signal")
    parser.add_argument("--factor", type=float, default=1.35, help="from one moment to the next")
    options = parser.parse_args()
    times = moments(options.longest, options.factor)
    in_time = True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        graph, buffers = folder / "graph.json", folder / "buffers.csv"

        def verify(plan: pathlib.Path) -> None:
            subprocess.run([options.cli, "verify", graph, plan], check=True, capture_output=True)

        for size in options.sizes.split(","):
            for family in options.families.split(","):
                subprocess.run([options.make, f"{family}:{size}", graph], check=True)
                plan = [options.cli, "plan", graph, "--time-limit", "40"]
                in_time &= measure(f"{family}:{size}", plan, folder / "plan.json", verify, times)
            write_buffers(buffers, int(size))
            layout = [options.cli, "layout", buffers, "--time-limit", "40"]
            in_time &= measure(f"buffers:{size}", layout, folder / "out.csv", lambda _: None, times)
    return 0 if in_time else 1


if __name__ == "__main__":
    sys.exit(main())
