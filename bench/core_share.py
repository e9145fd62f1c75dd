"""Layouts under short limits with a share of a core, whatever else the machine does.

    python bench/core_share.py [--share 0.5] [--limit 5] [--sizes 1000000] [--families training,...]

lowtide's clock is replaced by its own CPU time divided by the share (a C function in front of libc's), so
that a limit of 5 s with half a core is 2.5 s of CPU time. Prints seconds by that clock, and the height
against the load. Instances are bench/buffers.py's.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

CLOCK = r"""
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec* t) {
  if (id != CLOCK_MONOTONIC) return (int)syscall(SYS_clock_gettime, id, t);
  syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, t);
  const double seconds = ((double)t->tv_sec + 1e-9 * (double)t->tv_nsec) / atof(getenv("CORE_SHARE"));
  t->tv_sec = (time_t)seconds;
  t->tv_nsec = (long)((seconds - (double)t->tv_sec) * 1e9);
  return 0;
}
"""


def clock_in(folder: pathlib.Path) -> pathlib.Path:
    library = folder / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-D_GNU_SOURCE", "-x", "c", "-", "-o", library]
    subprocess.run(command, input=CLOCK, text=True, check=True)
    return library


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cli", default="build/test/src/lowtide/lowtide")
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--limit", type=float, default=5)
    parser.add_argument("--sizes", default="1000000")
    parser.add_argument("--families", default="training,steps,streaming,random")
    options = parser.parse_args()
    buffers = pathlib.Path(__file__).with_name("buffers.py")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment = os.environ | {"LD_PRELOAD": str(clock_in(folder)), "CORE_SHARE": str(options.share)}
        for size in options.sizes.split(","):
            for family in options.families.split(","):
                file = folder / "buffers.csv"
                with file.open("w") as text:
                    subprocess.run([sys.executable, buffers, family, size], stdout=text, check=True)
                command = [options.cli, "layout", file, "--time-limit", str(options.limit), "--json"]
                done = subprocess.run(command, env=environment, check=True, capture_output=True)
                answer = json.loads(done.stdout)
                ratio = answer["height_bytes"] / answer["lower_bound_bytes"]
                late = "  LATE" if answer["seconds"] > 1.1 * options.limit + 0.2 else ""
                print(
                    f"{family:9} {size:>8}: {answer['seconds']:5.2f} s, {ratio:.4f} of the load{late}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
