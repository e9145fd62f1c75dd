"""Checks every #include in src/lowtide against the table of who may include whom (ARCHITECTURE.md), and that
no command prints past the door that escapes."""

from __future__ import annotations

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "src" / "lowtide"

# folder -> the folders it may include, beside itself and base.
MAY_INCLUDE: dict[str, set[str]] = {
    "base": set(),
    "graph": set(),
    "io": {"graph", "model", "verify"},
    "analysis": {"graph", "model"},
    "model": {"graph", "analysis"},
    "rewrite": {"graph", "analysis", "model"},
    "mip": set(),
    "order": {"graph", "analysis", "model", "mip"},
    "layout": {"model", "mip"},
    "joint": {"graph", "analysis", "model", "mip", "order", "layout"},
    "verify": {"graph"},
    "planner": {"graph", "analysis", "model", "mip", "order", "layout", "joint", "rewrite", "verify"},
    "report": {"graph", "model", "analysis", "io", "planner", "order", "verify"},
    "cli": {"*"},
}

# All that the verifiers may see of model: data without functions, so no .cc beside it, and nothing
# included but base and each other.
PLAIN_DATA = {"model/layout_problem.h", "model/layout_request.h", "model/bank_problem.h"}

# Within order and layout: sub-folder -> the sub-folders it may include, beside itself. What lies in
# the folder itself is either what all share (the named headers) or a door that may include all.
ROOMS: dict[str, dict[str, set[str]]] = {
    "order": {"greedy": set(), "search": {"greedy"}, "program": {"greedy", "search"}},
    "layout": {
        "greedy": set(),
        "search": {"greedy"},
        "program": {"search"},
        "shapes": {"search"},
        "banks": {"search", "shapes"},
    },
}

PRINTS = re.compile(r"\b(f?printf|fputs|puts|fwrite|cout|cerr)\b")


def violations() -> list[str]:
    found = [
        f"{header}: plain data has no .cc"
        for header in PLAIN_DATA
        if (ROOT / header).with_suffix(".cc").exists()
    ]
    for path in sorted(ROOT.rglob("*.[hc]*")):
        where = path.relative_to(ROOT.parent.parent)
        folder, *room = path.relative_to(ROOT).parts[:-1]
        is_data = str(path.relative_to(ROOT)) in PLAIN_DATA
        allowed = {"base"} if is_data else MAY_INCLUDE[folder] | {folder, "base"}
        doors = room and ROOMS.get(folder, {}).get(room[0], set()) | {room[0], None}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = re.match(r'#include "lowtide/((\w+)/(?:(\w+)/)?[^"]*)', line)
            sees_data = include and (is_data or folder == "verify") and include[1] in PLAIN_DATA
            if include and not sees_data and include[2] not in allowed and "*" not in allowed:
                found.append(f"{where}:{number}: {folder} must not include {include[1]}")
            if include and doors and include[2] == folder and include[3] not in doors:
                found.append(f"{where}:{number}: {folder}/{room[0]} must not include {include[1]}")
            if "highs_c_api.h" in line and path.name != "highs.cc":
                found.append(f"{where}:{number}: only mip/highs.cc knows HiGHS")
            if folder == "cli" and PRINTS.search(line) and path.stem not in ("terminal", "progress_line"):
                found.append(f"{where}:{number}: print by cli/terminal.h, which escapes")
    return found


if __name__ == "__main__":
    lines = violations()
    print("\n".join(lines) if lines else "includes: as ARCHITECTURE.md says")
    sys.exit(bool(lines))
