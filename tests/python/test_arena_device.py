"""The arena's rules for devices, on a stand-in without one: streams, pools, captures, exhaustion, threads."""

from __future__ import annotations

import ctypes
import pathlib
import subprocess
import threading
from ctypes import c_int, c_int64, c_void_p

import pytest

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lowtide.torch")
from lowtide.torch.arena.library import FOLDER, Arena, compile_command, declared, library  # noqa: E402
from lowtide.torch.arena.record import NO_PLACE, place, record_if_free  # noqa: E402
from lowtide.torch.arena.replay import PlacedPlan  # noqa: E402

pytestmark = pytest.mark.skipif(library() is None, reason="no compiler, no arena")
SOURCE = pathlib.Path(__file__).parent / "stand_in_device.cc"


class Device:
    """The stand-in, with blocks by name."""

    def __init__(self, loaded: ctypes.CDLL) -> None:
        self.loaded = loaded

    def new(self, size: int) -> int:
        return self.loaded.device_allocate(size)

    def free(self, *blocks: int) -> None:
        for block in blocks:
            self.loaded.device_release(block)

    def record(self):
        return record_if_free("cuda", self.loaded)

    def placed(self, recording) -> PlacedPlan:
        plan = place(recording.requests, device="cuda")
        return PlacedPlan(plan, Arena("cuda", self.loaded))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("device") / "device.so"
    command = compile_command(SOURCE, "-I", str(FOLDER), "-Wall", "-Wextra", "-Werror")
    subprocess.run([*command, "-o", str(path)], check=True, timeout=300)
    loaded = declared(ctypes.CDLL(str(path)))
    loaded.device_now.argtypes = [c_int, c_int64]
    loaded.device_allocate.restype, loaded.device_allocate.argtypes = c_void_p, [c_int64]
    loaded.device_release.argtypes = [c_void_p]
    loaded.device_record_stream.argtypes = [c_void_p, c_int64]
    return loaded


@pytest.fixture
def device(built):
    built.device_now(0, 0)
    yield Device(built)
    built.device_capture(0)
    built.device_exhausted(0)


def step(device: Device, between=lambda block: None) -> list[int]:
    """Two large blocks one after the other, and a small one beside them."""
    first = device.new(4000)
    between(first)
    small = device.new(100)
    device.free(first)
    second = device.new(3000)
    device.free(second, small)
    return [first, small, second]


def test_it_is_recorded_placed_and_replayed(device):
    with device.record() as rec:
        step(device)
    assert [r.bytes for r in rec.requests] == [4000, 100, 3000]
    placed = device.placed(rec)
    assert placed.plan.arena_bytes == 4096 + 100
    assert all(offset % 512 == 0 for offset in placed.plan.offsets)
    for _ in range(2):
        with placed.replay() as stats:
            blocks = step(device)
        assert (stats.hits, stats.misses, stats.conflicts) == (3, 0, 0)
        assert blocks[0] == blocks[2]


def test_another_stream_or_device_is_served_by_the_base_and_does_not_count(device):
    with device.record() as rec:
        step(device)
    placed = device.placed(rec)

    def elsewhere(_):
        for place_ in ((0, 7), (1, 0)):
            device.loaded.device_now(*place_)
            device.free(device.new(999))
        device.loaded.device_now(0, 0)

    with placed.replay() as stats:
        step(device, elsewhere)
    assert (stats.requests, stats.hits, stats.diverged) == (3, 3, False)
    with device.record() as rec:
        step(device, elsewhere)
    assert (len(rec.requests), rec.foreign_requests) == (3, 2)


def test_a_plan_runs_only_on_the_stream_of_its_arena(device):
    with device.record() as rec:
        step(device)
    placed = device.placed(rec)
    device.loaded.device_now(0, 7)
    with placed.replay_if_free() as stats:
        step(device)
    assert not stats.available
    device.loaded.device_now(0, 0)
    with placed.replay_if_free() as stats:
        step(device)
    assert stats.hits == 3


def test_two_streams_have_sessions_of_their_own(device):
    recordings = []
    for stream in (1, 2):
        device.loaded.device_now(0, stream)
        with device.record() as rec:
            step(device)
        recordings.append((stream, device.placed(rec)))
    with recordings[1][1].replay() as second:
        device.loaded.device_now(0, 1)
        with recordings[0][1].replay() as first:
            step(device)
            device.loaded.device_now(0, 2)
            step(device)
    assert (first.hits, second.hits) == (3, 3)


def test_a_thread_of_autograd_takes_part(device):
    """The backward pass of a device runs in a thread of its own, on the stream of the forward pass."""
    with device.record() as rec:
        step(device)
    placed = device.placed(rec)
    with placed.replay() as stats:
        thread = threading.Thread(target=step, args=(device,))
        thread.start()
        thread.join()
    assert stats.hits == 3
    assert NO_PLACE not in placed.plan.offsets


@pytest.mark.parametrize("switch", ["device_capture", "device_pool"])
def test_captures_and_pools_keep_their_own_memory(device, switch):
    turn = getattr(device.loaded, switch)
    with device.record() as rec:
        step(device)
    placed = device.placed(rec)

    def captured(_):
        turn(1)
        device.free(device.new(999))
        turn(0)

    with placed.replay() as stats:
        step(device, captured)
    assert (stats.requests, stats.hits) == (3, 3)
    turn(1)
    with placed.replay_if_free() as stats, device.record() as rec:
        step(device)
    assert not stats.available and not rec.available
    turn(0)


def test_a_block_that_another_stream_uses_is_waited_for_and_then_not_placed(device):
    with device.record() as rec:
        step(device)
    placed = device.placed(rec)
    seen = []
    before = device.loaded.device_waits()
    for shared in (False, True, False):
        with placed.replay() as stats:
            step(device, lambda b, s=shared: device.loaded.device_record_stream(b, 5) if s else None)
        seen.append((stats.hits, stats.escaped, device.loaded.device_waits() - before))
    assert seen == [(3, 0, 0), (3, 0, 1), (2, 1, 1)]


def test_recorded_blocks_that_another_stream_uses_are_not_placed(device):
    told = device.loaded.device_told()
    with device.record() as rec:
        step(device, lambda block: device.loaded.device_record_stream(block, 5))
    assert device.loaded.device_told() == told + 1
    assert [r.outside for r in rec.requests] == [True, False, False]
    assert device.placed(rec).plan.offsets[0] == NO_PLACE


def test_its_own_stream_is_no_other(device):
    with device.record() as rec:
        step(device)
    placed, before = device.placed(rec), device.loaded.device_waits()
    with placed.replay():
        step(device, lambda block: device.loaded.device_record_stream(block, 0))
    with placed.replay() as stats:
        step(device)
    assert (stats.hits, device.loaded.device_waits()) == (3, before)


def test_without_memory_for_an_arena_there_is_none(device):
    with device.record() as rec:
        step(device)
    device.loaded.device_exhausted(1)
    placed = device.placed(rec)
    device.loaded.device_exhausted(0)
    assert placed.handle is None
    with placed.replay_if_free() as stats:
        step(device)
    assert not stats.available


def test_kept_blocks_outlive_plan_and_arena(device):
    with device.record() as rec:
        device.free(device.new(4000))
    placed = device.placed(rec)
    with placed.replay() as stats:
        kept = device.new(4000)
    assert (stats.hits, placed.arena.live_blocks) == (1, 1)
    ctypes.memset(kept, 7, 4000)
    del placed
    assert ctypes.string_at(kept, 4000) == b"\x07" * 4000
    device.free(kept)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_where_there_is_no_device_it_says_so_and_records_nothing():
    library.cache_clear()
    with pytest.warns(lt.ArenaUnavailableWarning, match="no CUDA device"), lt.record("cuda") as rec:
        torch.ones(10)
    assert not rec.available
