"""Planted layout instances: a rectangle cut into buffers, so that the optimum is known.

    python bench/planted.py BUFFERS SEED [--time T] [--height H] [--pinwheel P] > planted.csv

The rectangle, `T` steps wide and `H` bytes high, is cut until it is in at least BUFFERS pieces: a random
piece (the larger the likelier) is cut in two by a guillotine cut, or with probability P in five by a
pinwheel. Every step is full, so the optimum is H and no byte may be wasted. Comma-separated
`id,lower,upper,size` on standard output, in random order.
"""

from __future__ import annotations

import argparse
import random

Piece = tuple[int, int, int, int]  # lower, upper (steps), bottom, top (bytes)


def guillotine(piece: Piece, rng: random.Random) -> list[Piece]:
    """Two pieces, or the piece itself where it cannot be cut."""
    lower, upper, bottom, top = piece
    in_time = rng.random() < 0.5
    if in_time and upper - lower >= 2:
        cut = rng.randint(lower + 1, upper - 1)
        return [(lower, cut, bottom, top), (cut, upper, bottom, top)]
    if not in_time and top - bottom >= 2:
        cut = rng.randint(bottom + 1, top - 1)
        return [(lower, upper, bottom, cut), (lower, upper, cut, top)]
    return [piece]


def pinwheel(piece: Piece, rng: random.Random) -> list[Piece]:
    """Four arms around a core, turning either way; no guillotine cut makes it."""
    lower, upper, bottom, top = piece
    if upper - lower < 3 or top - bottom < 3:
        return [piece]
    x1, x2 = sorted(rng.sample(range(lower + 1, upper), 2))
    y1, y2 = sorted(rng.sample(range(bottom + 1, top), 2))
    core = (x1, x2, y1, y2)
    if rng.random() < 0.5:
        return [
            (lower, x2, bottom, y1),
            (x2, upper, bottom, y2),
            (x1, upper, y2, top),
            (lower, x1, y1, top),
            core,
        ]
    return [
        (lower, x1, bottom, y2),
        (x1, upper, bottom, y1),
        (x2, upper, y1, top),
        (lower, x2, y2, top),
        core,
    ]


def planted(count: int, seed: int, time: int, height: int, pinwheels: float) -> list[Piece]:
    """At least `count` pieces (a pinwheel adds four at once) of a `time` x `height` rectangle."""
    rng = random.Random(seed)
    pieces: list[Piece] = [(0, time, 0, height)]
    while len(pieces) < count:
        sample = rng.sample(range(len(pieces)), min(4, len(pieces)))
        index = max(sample, key=lambda i: (pieces[i][1] - pieces[i][0]) * (pieces[i][3] - pieces[i][2]))
        cut = pinwheel if rng.random() < pinwheels else guillotine
        pieces[index : index + 1] = cut(pieces[index], rng)
    rng.shuffle(pieces)
    return pieces


def main() -> None:
    """Prints one instance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("buffers", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--time", type=int, default=1000)
    parser.add_argument("--height", type=int, default=1_000_000)
    parser.add_argument("--pinwheel", type=float, default=0.3)
    args = parser.parse_args()
    print("id,lower,upper,size")
    pieces = planted(args.buffers, args.seed, args.time, args.height, args.pinwheel)
    for index, (lower, upper, bottom, top) in enumerate(pieces):
        print(f"{index},{lower},{upper},{top - bottom}")


if __name__ == "__main__":
    main()
