"""Buffers for several memories, as CSV on standard output: python bench/banked.py BUFFERS [SEED]

Short lifetimes, sizes of 16 to 3200 bytes log-uniformly; two in seven may not be in every bank. Made for
--bank SRAM=4096 --bank PSRAM=32KiB --bank DRAM=1GiB@8.
"""

from __future__ import annotations

import argparse
import random


def main() -> None:
    """Prints one instance."""
    parser = argparse.ArgumentParser(description="Buffers for several memories.")
    parser.add_argument("buffers", type=int)
    parser.add_argument("seed", type=int, nargs="?")
    args = parser.parse_args()
    rng = random.Random(args.buffers if args.seed is None else args.seed)
    print("id,lower,upper,size,banks")
    for index in range(args.buffers):
        lower = rng.randint(0, args.buffers)
        length = 1 + int(60 ** rng.random())
        size = 16 * int(200 ** rng.random())
        banks = ["", "", "", "", "", "PSRAM", "SRAM DRAM"][rng.randrange(7)]
        print(f"{index},{lower},{lower + length},{size},{banks}")


if __name__ == "__main__":
    main()
