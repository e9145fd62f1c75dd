"""Is the split as good as the paper's equation 9? Arena against the joint bound, alignment 1 and 64.

    python bench/packing.py GRAPH.json ... [--limit SECONDS]

The joint bound holds for every order and every layout: the least peak of sizes rounded up to the alignment,
or what the joint program proves. An arena at the bound is equation 9's optimum. `split` plans as always
(least peak first), `joint` minimises the arena over both.
"""

from __future__ import annotations

import argparse
import sys
import time

import lowtide

ALIGNMENTS = (1, 64)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds a graph")
    options = parser.parse_args()
    met: dict[tuple[int, str], int] = {}
    for number, path in enumerate(options.graphs, start=1):
        graph = lowtide.load(path)
        begin = time.perf_counter()
        for alignment in ALIGNMENTS:
            split = lowtide.plan(graph, time_limit=options.limit, alignment=alignment)
            joint = lowtide.plan(graph, time_limit=options.limit, alignment=alignment, joint=True)
            bound = joint.joint_lower_bound_bytes
            for name, plan in (("split", split), ("joint", joint)):
                met[alignment, name] = met.get((alignment, name), 0) + (plan.arena_bytes == bound)
                if plan.arena_bytes != bound:
                    print(
                        f"{graph.name}, {alignment}, {name}: arena {plan.arena_bytes}, bound {bound}",
                        flush=True,
                    )
        seconds = time.perf_counter() - begin
        print(
            f"{number} of {len(options.graphs)}: {graph.name}, {seconds:.1f} s", file=sys.stderr, flush=True
        )
    for (alignment, name), count in met.items():
        print(f"alignment {alignment}, {name}: {count} of {len(options.graphs)} arenas at the joint bound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
