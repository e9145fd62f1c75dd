"""What PyTorch's CUDA caching allocator would reserve for a sequence of requests.

The rules are those of its documentation and of c10/cuda/CUDACachingAllocator.cpp with default settings, one
stream and a device that is never full.

* Sizes are rounded up to 512 bytes. Requests of at most 1 MiB and the rest never share a segment.
* A segment holds 2 MiB for small requests, 20 MiB for those below 10 MiB, else the size rounded up to 2 MiB.
* Best fit: the smallest free block that is large enough, of equals the one at the lowest address.
* A block is split if what remains is at least 512 bytes (small) or more than 1 MiB (large); otherwise the
  request holds all of it.
* A freed block merges with free neighbours of its segment. Segments are kept: they go back only when the
  device is full, so what is reserved never falls.
"""

from __future__ import annotations

import bisect
import dataclasses

MIB = 1 << 20
ROUNDING = 512
SMALL_REQUEST = MIB
SMALL_SEGMENT = 2 * MIB
LARGE_SEGMENT = 20 * MIB
OWN_SEGMENT = 10 * MIB  # from here on a request gets a segment of its own
OWN_SEGMENT_ROUNDING = 2 * MIB


def round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def segment_size(size: int) -> int:
    """Bytes asked of the device for a request that no free block holds."""
    if size <= SMALL_REQUEST:
        return SMALL_SEGMENT
    return LARGE_SEGMENT if size < OWN_SEGMENT else round_up(size, OWN_SEGMENT_ROUNDING)


@dataclasses.dataclass(eq=False)
class Block:
    """A piece of a segment, linked to its neighbours in the segment."""

    address: int
    size: int
    small: bool
    free: bool = False
    before: Block | None = None
    behind: Block | None = None


class CachingAllocator:
    """`malloc` returns a block, `free` takes it back; `allocated` and `reserved` count bytes."""

    def __init__(self) -> None:
        self.allocated = self.peak_allocated = self.reserved = 0
        self.free_blocks: dict[bool, list[tuple[int, int, Block]]] = {True: [], False: []}

    def malloc(self, size: int) -> Block:
        size = max(ROUNDING, round_up(size, ROUNDING))
        block = self._take_best(size) or self._new_segment(size)
        self._split(block, size)
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block

    def free(self, block: Block) -> None:
        self.allocated -= block.size
        for neighbour in (block.before, block.behind):
            if neighbour is not None and neighbour.free:
                self._remove_free(neighbour)
                self._merge(block, neighbour)
        self._insert_free(block)

    def _take_best(self, size: int) -> Block | None:
        pool = self.free_blocks[size <= SMALL_REQUEST]
        index = bisect.bisect_left(pool, (size,))
        if index == len(pool):
            return None
        block = pool.pop(index)[2]
        block.free = False
        return block

    def _new_segment(self, size: int) -> Block:
        block = Block(self.reserved, segment_size(size), small=size <= SMALL_REQUEST)
        self.reserved += block.size
        return block

    def _split(self, block: Block, size: int) -> None:
        """The first `size` bytes stay; the rest becomes a free block if it is worth it."""
        rest = block.size - size
        if rest < ROUNDING if block.small else rest <= SMALL_REQUEST:
            return
        remaining = Block(block.address + size, rest, block.small, before=block, behind=block.behind)
        if block.behind is not None:
            block.behind.before = remaining
        block.size, block.behind = size, remaining
        self._insert_free(remaining)

    def _merge(self, block: Block, neighbour: Block) -> None:
        block.size += neighbour.size
        if neighbour is block.before:
            block.address, block.before = neighbour.address, neighbour.before
            if block.before is not None:
                block.before.behind = block
        else:
            block.behind = neighbour.behind
            if block.behind is not None:
                block.behind.before = block

    def _insert_free(self, block: Block) -> None:
        block.free = True
        bisect.insort(self.free_blocks[block.small], (block.size, block.address, block))

    def _remove_free(self, block: Block) -> None:
        pool = self.free_blocks[block.small]
        del pool[bisect.bisect_left(pool, (block.size, block.address))]
