"""Planted layout instances: a rectangle cut into buffers, so that the optimum is known.

    python bench/planted.py BUFFERS SEED [--time T] [--height H] [--pinwheel P] ... > planted.csv

The rectangle, `T` steps wide and `H` units high, is cut until it is in at least BUFFERS pieces: a random
piece (of `--pick` drawn the largest: 1 leaves dust) is cut in two by a guillotine cut, or with probability
P in five by a pinwheel; `--cut` says where. Every step is full, so the optimum is H and no byte may be
wasted, unless `--remove` takes some pieces away (at the fullest steps it is H as long as one is full).
Comma-separated `id,lower,upper,size` on standard output, in random order.
"""

from __future__ import annotations

import argparse
import random

Piece = tuple[int, int, int, int]  # lower, upper (steps), bottom, top (units)


# Where a side is cut, as a share of it, or of each half where it is cut twice; from either end if thin.
SHARES = {"even": (0.4, 0.6), "half": (0.5, 0.5), "thin": (0.02, 0.15)}


class Cutter:
    """Cuts pieces in two or five, along a side anywhere (`uniform`) or as SHARES say."""

    def __init__(self, kind: str, rng: random.Random) -> None:
        self.kind = kind
        self.rng = rng

    def points(self, low: int, high: int, count: int) -> list[int]:
        """`count` different points strictly between, in order."""
        if self.kind == "uniform":
            return sorted(self.rng.sample(range(low + 1, high), count))
        points: set[int] = set()
        for i in range(count):
            share = self.rng.uniform(*SHARES[self.kind])
            if self.kind == "thin" and self.rng.random() < 0.5:
                share = 1 - share
            point = low + round((high - low) * (i + share) / count)
            points.add(min(high - 1, max(low + 1, point)))
        while len(points) < count:
            points.add(self.rng.randint(low + 1, high - 1))
        return sorted(points)

    def guillotine(self, piece: Piece) -> list[Piece]:
        """Two pieces, or the piece itself where it cannot be cut."""
        lower, upper, bottom, top = piece
        in_time = self.rng.random() < 0.5
        if in_time and upper - lower >= 2:
            (cut,) = self.points(lower, upper, 1)
            return [(lower, cut, bottom, top), (cut, upper, bottom, top)]
        if not in_time and top - bottom >= 2:
            (cut,) = self.points(bottom, top, 1)
            return [(lower, upper, bottom, cut), (lower, upper, cut, top)]
        return [piece]

    def pinwheel(self, piece: Piece) -> list[Piece]:
        """Four arms around a core, turning either way; no guillotine cut makes it."""
        lower, upper, bottom, top = piece
        if upper - lower < 3 or top - bottom < 3:
            return [piece]
        x1, x2 = self.points(lower, upper, 2)
        y1, y2 = self.points(bottom, top, 2)
        core = (x1, x2, y1, y2)
        if self.rng.random() < 0.5:
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


def planted(
    count: int,
    seed: int,
    *,
    time: int = 1000,
    height: int = 1_000_000,
    pinwheels: float = 0.3,
    kind: str = "uniform",
    pick: int = 4,
    removed: float = 0,
) -> list[Piece]:
    """At least `count` pieces (a pinwheel adds four at once) of the rectangle, less those removed."""
    rng = random.Random(seed)
    cutter = Cutter(kind, rng)
    pieces: list[Piece] = [(0, time, 0, height)]
    while len(pieces) < min(count, time * height):
        sample = rng.sample(range(len(pieces)), min(pick, len(pieces)))
        index = max(sample, key=lambda i: (pieces[i][1] - pieces[i][0]) * (pieces[i][3] - pieces[i][2]))
        cut = cutter.pinwheel if rng.random() < pinwheels else cutter.guillotine
        pieces[index : index + 1] = cut(pieces[index])
    rng.shuffle(pieces)
    return pieces[round(removed * len(pieces)) :]


def main() -> None:
    """Prints one instance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("buffers", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--time", type=int, default=1000)
    parser.add_argument("--height", type=int, default=1_000_000, help="in units")
    parser.add_argument("--unit", type=int, default=1, help="bytes")
    parser.add_argument("--pinwheel", type=float, default=0.3, help="how many of the cuts")
    parser.add_argument("--cut", choices=["uniform", *SHARES], default="uniform")
    parser.add_argument("--pick", type=int, default=4, help="a piece to cut is the largest of so many")
    parser.add_argument("--remove", type=float, default=0, help="a share of the pieces")
    args = parser.parse_args()
    pieces = planted(
        args.buffers,
        args.seed,
        time=args.time,
        height=args.height,
        pinwheels=args.pinwheel,
        kind=args.cut,
        pick=args.pick,
        removed=args.remove,
    )
    print("id,lower,upper,size")
    for index, (lower, upper, bottom, top) in enumerate(pieces):
        print(f"{index},{lower},{upper},{(top - bottom) * args.unit}")


if __name__ == "__main__":
    main()
