"""Large synthetic layouts, as `id,lower,upper,size` on standard output.

    python bench/buffers.py FAMILY BUFFERS [SEED] > buffers.csv

training   one training step of a deep chain: an activation lives from its layer's forward step to its
           backward step, so lifetimes are nested as deep as the chain is long; and short-lived temporaries
           and gradients
steps      training steps of 200 layers one after another, and a few buffers that live through many steps
streaming  lifetimes of at most some hundred steps, sizes of a few classes
random     starts anywhere, lifetimes of any length from 1 step to all (log-uniform), sizes log-uniform
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator

Buffer = tuple[int, int, int]  # lower, upper (steps), size (bytes)


def step_of(layers: int, start: int, rng: random.Random) -> Iterator[Buffer]:
    """Forward, then backward: 4 buffers a layer."""
    end = start + 2 * layers
    for layer in range(layers):
        size = 64 * rng.randint(16, 4096)
        forward, backward = start + layer, end - 1 - layer
        yield forward, backward + 1, size
        yield forward, forward + 1, 64 * rng.randint(1, 1024)
        yield backward, backward + 2, size
        yield backward, backward + 1, 64 * rng.randint(1, 1024)


def training(count: int, rng: random.Random) -> Iterator[Buffer]:
    """One step."""
    yield from step_of(count // 4, 0, rng)


def steps(count: int, rng: random.Random) -> Iterator[Buffer]:
    """Many steps; one in a thousand buffers outlives its step."""
    layers = 200
    number = max(1, count // (4 * layers))
    for i in range(number):
        yield from step_of(layers, 2 * layers * i, rng)
        lasting = rng.randint(1, 50)
        yield 2 * layers * i, 2 * layers * min(number, i + lasting), 64 * rng.randint(16, 65536)


def streaming(count: int, rng: random.Random) -> Iterator[Buffer]:
    """A server's requests."""
    for start in range(count):
        end = start + rng.randint(1, 300)
        yield start, end, rng.choice([1, 2, 4, 8, 64]) * 4096 + rng.choice([0, 256, 512])


def scattered(count: int, rng: random.Random) -> Iterator[Buffer]:
    """Anything."""
    for _ in range(count):
        length = int(count ** rng.random())
        start = rng.randint(0, count - length)
        yield start, start + length, 64 * int(4096 ** rng.random())


FAMILIES = {"training": training, "steps": steps, "streaming": streaming, "random": scattered}


def main() -> None:
    """Prints one instance."""
    parser = argparse.ArgumentParser(description="Large synthetic layouts.")
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("buffers", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    args = parser.parse_args()
    print("id,lower,upper,size")
    buffers = FAMILIES[args.family](args.buffers, random.Random(args.seed))
    for index, (lower, upper, size) in enumerate(buffers):
        print(f"{index},{lower},{upper},{size}")


if __name__ == "__main__":
    main()
