"""The simulated CUDA caching allocator against cases worked out by hand."""

from __future__ import annotations

import itertools
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
from caching_allocator import MIB, CachingAllocator


@pytest.mark.parametrize(
    ("request_bytes", "allocated", "reserved"),
    [
        (1, 512, 2 * MIB),
        (512, 512, 2 * MIB),
        (513, 1024, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),  # the first large request
        (10 * MIB - 512, 10 * MIB - 512, 20 * MIB),
        (10 * MIB, 10 * MIB, 10 * MIB),  # a segment of its own
        (10 * MIB + 1, 10 * MIB + 512, 12 * MIB),  # what remains, 2 MiB - 512, is split off
        (11 * MIB, 12 * MIB, 12 * MIB),  # what remains is 1 MiB: not split off
    ],
)
def test_one_request(request_bytes, allocated, reserved):
    allocator = CachingAllocator()
    allocator.malloc(request_bytes)
    assert (allocator.allocated, allocator.reserved) == (allocated, reserved)


def test_small_and_large_requests_share_no_segment():
    allocator = CachingAllocator()
    allocator.free(allocator.malloc(5 * MIB))
    allocator.malloc(1000)
    assert allocator.reserved == 22 * MIB


def test_small_requests_fill_a_segment():
    allocator = CachingAllocator()
    blocks = [allocator.malloc(512 * 1024) for _ in range(4)]
    assert allocator.reserved == 2 * MIB
    assert [block.address for block in blocks] == [0, 512 * 1024, 1024 * 1024, 1536 * 1024]
    allocator.malloc(1)
    assert allocator.reserved == 4 * MIB


def test_best_fit_takes_the_smallest_block_then_the_lowest_address():
    allocator = CachingAllocator()
    wide, _, narrow, _, twin, _ = [allocator.malloc(k * 512) for k in (4, 1, 2, 1, 2, 1)]
    for block in (twin, wide, narrow):
        allocator.free(block)
    assert allocator.malloc(600).address == narrow.address
    assert allocator.malloc(600).address == twin.address
    assert allocator.malloc(600).address == wide.address


def test_freed_neighbours_merge_on_both_sides():
    allocator = CachingAllocator()
    blocks = [allocator.malloc(MIB // 2) for _ in range(4)]
    for index in (0, 2, 1):
        allocator.free(blocks[index])
    assert allocator.malloc(MIB).address == 0
    assert allocator.reserved == 2 * MIB


def test_segments_do_not_merge():
    allocator = CachingAllocator()
    blocks = [allocator.malloc(12 * MIB) for _ in range(2)]
    for block in blocks:
        allocator.free(block)
    assert allocator.malloc(20 * MIB).address == 24 * MIB
    assert allocator.reserved == 44 * MIB


def test_a_large_block_is_split_only_for_more_than_1_mib():
    allocator = CachingAllocator()
    allocator.malloc(19 * MIB)  # of a segment of its own: 20 MiB, and 1 MiB is not split off
    assert (allocator.allocated, allocator.reserved) == (20 * MIB, 20 * MIB)
    allocator = CachingAllocator()
    allocator.malloc(9 * MIB)
    allocator.malloc(9 * MIB)  # leaves 2 MiB in the segment of 20
    assert allocator.reserved == 20 * MIB
    allocator.malloc(2 * MIB)
    assert (allocator.allocated, allocator.reserved) == (20 * MIB, 20 * MIB)


def test_what_is_reserved_never_falls_and_peaks_are_kept():
    allocator = CachingAllocator()
    block = allocator.malloc(30 * MIB)
    allocator.free(block)
    assert (allocator.allocated, allocator.peak_allocated, allocator.reserved) == (0, 30 * MIB, 30 * MIB)


def test_any_sequence_gives_disjoint_blocks_and_frees_everything():
    generator = random.Random(0)
    for _ in range(50):
        allocator, live = CachingAllocator(), []
        for _ in range(200):
            if live and generator.random() < 0.5:
                allocator.free(live.pop(generator.randrange(len(live))))
            else:
                live.append(allocator.malloc(generator.choice((600, 70_000, 900_000, 3 * MIB, 11 * MIB + 5))))
            places = sorted((block.address, block.size) for block in live)
            assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(places))
            assert sum(size for _, size in places) == allocator.allocated <= allocator.reserved
        for block in live:
            allocator.free(block)
        free = sum(size for pool in allocator.free_blocks.values() for size, _, _ in pool)
        assert free == allocator.reserved and allocator.allocated == 0
