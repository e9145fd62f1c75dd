"""Do plans end when they are told to? Graphs that no search decides, at every size and limit.

    python bench/limits.py [--cli build/test/src/lowtide/lowtide] [--make build/test/bench/make_graph]

Prints the seconds of the searches (loading and verifying apart) against the limit.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cli", default="build/test/src/lowtide/lowtide")
    parser.add_argument("--make", default="build/test/bench/make_graph")
    parser.add_argument("--families", default="layered,rnn,weights")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--limits", default="0.1,1,5")
    options = parser.parse_args()
    late = 0
    with tempfile.TemporaryDirectory() as folder:
        for family in options.families.split(","):
            for size in options.sizes.split(","):
                file = pathlib.Path(folder) / "graph.json"
                subprocess.run([options.make, f"{family}:{size}", file], check=True)
                for limit in map(float, options.limits.split(",")):
                    command = [options.cli, "plan", file, "--time-limit", str(limit), "--json"]
                    plan = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                    spent = plan["order_seconds"] + plan["layout_seconds"]
                    is_late = spent > 1.1 * limit + 0.2
                    late += is_late
                    print(
                        f"{family}:{size:8} limit {limit:4} s: order {plan['order_seconds']:6.2f} s "
                        f"{plan['order_status']:8} layout {plan['layout_seconds']:6.2f} s "
                        f"{plan['layout_status']:8}{'  LATE' if is_late else ''}",
                        flush=True,
                    )
    print(f"{late} late")
    return 0


if __name__ == "__main__":
    sys.exit(main())
