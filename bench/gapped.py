"""Buffers with gaps, as MiniMalloc's CSV on standard output.

    python bench/gapped.py FAMILY BUFFERS [SEED] > gapped.csv

offloaded  training steps whose activations are empty between their forward and their backward step, a
           third of them but for a header in front
random     any lifetimes, sizes log-uniform, up to three gaps in half of the buffers
windows    the same, and every second gap keeps a window of the bytes
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator

Row = tuple[int, int, int, str]  # lower, upper, size, gaps


def offloaded(count: int, rng: random.Random) -> Iterator[Row]:
    """Steps of 50 layers, one after another with some overlap."""
    layers = 50
    for step in range(max(1, count // (2 * layers))):
        start = step * layers
        for layer in range(layers):
            forward, backward = start + layer, start + 2 * layers - layer
            size = 64 * rng.randint(16, 2048)
            gap = f"{forward + 3}-{backward - 3}" if backward - forward > 8 else ""
            if gap and rng.randrange(3) == 0:
                gap += f"@0:{size // 16}"
            yield forward, backward + 1, size, gap
            yield backward, backward + 2, 64 * rng.randint(16, 1024), ""


def scattered(count: int, rng: random.Random, windows: bool) -> Iterator[Row]:
    """Anything."""
    for _ in range(count):
        length = 1 + int((count / 4) ** rng.random())
        start = rng.randint(0, count - length)
        size = 16 * int(256 ** rng.random())
        cuts = sorted(rng.sample(range(start, start + length + 1), k=min(length, 6)))
        gaps = []
        if length > 8 and rng.randrange(2):
            for index in range(0, 2 * rng.randint(1, 3), 2):
                gap = f"{cuts[index]}-{cuts[index + 1]}"
                if windows and rng.randrange(2):
                    gap += f"@{size // 4}:{size // 2}"
                gaps.append(gap)
        yield start, start + length, size, " ".join(gaps)


def rows_of(family: str, count: int, rng: random.Random) -> Iterator[Row]:
    """One instance."""
    return offloaded(count, rng) if family == "offloaded" else scattered(count, rng, family == "windows")


def main() -> None:
    """Prints one instance."""
    parser = argparse.ArgumentParser(description="Buffers with gaps.")
    parser.add_argument("family", choices=["offloaded", "random", "windows"])
    parser.add_argument("buffers", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    args = parser.parse_args()
    print("id,lower,upper,size,gaps")
    for index, row in enumerate(rows_of(args.family, args.buffers, random.Random(args.seed))):
        print(index, *row, sep=",")


if __name__ == "__main__":
    main()
