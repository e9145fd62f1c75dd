"""PyTorch memory snapshots: a hand-made one in the documented format, a recorded one, and malicious ones."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pickle
import random
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lowtide
from lowtide import snapshot

MIB = 2**20


def frame(filename: str, line: int, name: str) -> dict[str, Any]:
    return {"filename": filename, "line": line, "name": name}


FRAMES = [
    frame("??", 0, "c10::cuda::alloc"),
    frame("/env/torch/nn/modules/linear.py", 3, "forward"),
    frame("/home/me/train.py", 12, "step"),
]


def event(action: str, addr: int, size: int) -> dict[str, Any]:
    return {"action": action, "addr": addr, "size": size, "stream": 0, "frames": FRAMES}


def block(size: int, address: int, state: str, requested: int | None = None) -> dict[str, Any]:
    return {
        "size": size,
        "requested_size": requested or size,
        "address": address,
        "state": state,
        "frames": FRAMES,
    }


def handmade() -> dict[str, Any]:
    """A segment of 20 MiB with an old block of 2 MiB at 4 MiB. a (4 MiB) and b (8) come and go. c (14) would
    fit above the old block, but a second segment of 20 MiB is reserved for it, as the allocator does for
    another stream: 40 MiB reserved for at most 16 in use."""
    base, other = 0x1000_0000, 0x2000_0000
    trace = [
        event("alloc", base, 4 * MIB),  # a: step 1
        event("alloc", base + 6 * MIB, 8 * MIB),  # b: step 2
        event("free_requested", base, 4 * MIB),
        event("free_completed", base, 4 * MIB),
        event("free_requested", base + 6 * MIB, 8 * MIB),
        event("free_completed", base + 6 * MIB, 8 * MIB),
        event("segment_alloc", other, 20 * MIB),
        event("alloc", other, 14 * MIB),  # c: step 3
        {"action": "oom", "size": 99 * MIB, "device_free": 0, "stream": 0, "frames": FRAMES},
        {"action": "snapshot", "stream": 0},
    ]
    segment = {"device": 0, "stream": 0, "segment_type": "large", "total_size": 20 * MIB}
    first = [
        block(4 * MIB, base, "inactive"),
        block(2 * MIB, base + 4 * MIB, "active_allocated", 2 * MIB - 100),
        block(14 * MIB, base + 6 * MIB, "inactive"),
    ]
    second = [block(14 * MIB, other, "active_allocated"), block(6 * MIB, other + 14 * MIB, "inactive")]
    segments = [segment | {"address": base, "blocks": first}, segment | {"address": other, "blocks": second}]
    return {"segments": segments, "device_traces": [trace]}


@pytest.fixture
def file(tmp_path) -> pathlib.Path:
    path = tmp_path / "snapshot.pickle"
    path.write_bytes(pickle.dumps(handmade()))
    return path


def test_lifetimes(file):
    trace = snapshot.trace_of(snapshot.read(file))
    assert trace.steps == 4
    found = sorted((b.lower, b.upper, b.size_bytes, b.freed, b.traced) for b in trace.blocks)
    assert found == [
        (0, 4, 2 * MIB - 100, False, False),
        (1, 3, 4 * MIB, True, True),
        (2, 3, 8 * MIB, True, True),
        (3, 4, 14 * MIB, False, True),
    ]
    assert {b.where for b in trace.blocks} == {"me/train.py:12 step"}
    assert trace.out_of_memory == 1


def test_fragmentation_now_and_planned(file):
    report = snapshot.analyse(file)
    assert report.reserved_peak_bytes == 40 * MIB
    assert report.in_use_peak_bytes == 16 * MIB - 100
    assert report.planned_bytes == report.planned_lower_bound_bytes == 16 * MIB  # aligned to 512
    assert report.fragmentation_now == pytest.approx(0.6, abs=1e-4)
    assert report.fragmentation_planned == pytest.approx(0, abs=1e-4)
    text = str(report)
    assert "40.00 MiB  60.0% of it unused" in text and "proven least" in text and "out of memory" in text


def test_reserved_peak_before_segments_were_freed():
    data = handmade()
    data["device_traces"][0] += [event("segment_free", 0x2000_0000, 20 * MIB)]
    data["segments"].pop()
    assert snapshot.trace_of(data).reserved_peak_bytes == 40 * MIB
    assert snapshot.trace_of(data).reserved_bytes == 20 * MIB


def test_the_graph_has_the_same_lifetimes_and_reports(file, tmp_path):
    report = snapshot.analyse(file)
    graph = snapshot.graph_of(snapshot.trace_of(snapshot.read(file)))
    plan = lowtide.plan(graph, alignment=512)
    assert plan.peak_bytes == report.in_use_peak_bytes
    assert plan.order_status == "optimal"  # there is only one order
    assert plan.arena_bytes <= report.planned_bytes
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "lowtide.snapshot", file, "-o", page, "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert '"reserved_peak_bytes": 41943040' in result.stdout
    assert "train.py:12 step" in page.read_text()


# -- nothing in the pickle runs -----------------------------------------------------------------------


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def malicious(mark: pathlib.Path) -> dict[str, bytes]:
    command = f"touch {mark}"
    inside = handmade() | {"device_traces": [[Calls(os.system, command)]]}
    return {
        "os.system": pickle.dumps(Calls(os.system, command)),
        "eval": pickle.dumps(Calls(eval, f"open({str(mark)!r}, 'w')")),
        "inside a good snapshot": pickle.dumps(inside),
        "protocol 0": pickle.dumps(Calls(os.system, command), protocol=0),
        "protocol 0 INST": f"(S'{command}'\nios\nsystem\n.".encode(),
        "OBJ": f"(cos\nsystem\nS'{command}'\no.".encode(),
        "a class without a call": pickle.dumps(pathlib.Path),
        "extension registry": b"\x80\x02\x82\x01.",
        "persistent id": b"\x80\x02U\x01xQ.",
        "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    }


@pytest.mark.parametrize("name", malicious(pathlib.Path("x")))
def test_a_malicious_pickle_executes_nothing(tmp_path, name):
    mark = tmp_path / "mark"
    path = tmp_path / "bad.pickle"
    path.write_bytes(malicious(mark)[name])
    with pytest.raises(ValueError, match=r"bad\.pickle: not a snapshot"):
        snapshot.read(path)
    assert not mark.exists()


def test_the_malicious_pickles_would_do_harm(tmp_path):
    mark = tmp_path / "mark"
    pickle.loads(malicious(mark)["os.system"])
    assert mark.exists()


NO_SNAPSHOTS = {
    "empty": b"",
    "a zip": b"PK\x03\x04",
    "unfinished": b"\x80\x04]",
    "truncated": pickle.dumps(handmade())[:-40],
    "a list": pickle.dumps([]),
    "no traces": pickle.dumps({"segments": []}),
    "a memo of 32 GB": b"\x80\x04r\xff\xff\xff\xff",
    "a memo of 4 GiB": b"\x80\x02}r\x00\x00\x00\x10.",
    "deep": b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "deep by marks": b"\x80\x04" + b"(" * 200_000 + b".",
    "many empty lists": b"\x80\x04(" + b"]" * 200_000 + b"l.",
    "one list remembered again and again": b"\x80\x04]" + b"\x94" * 200_000 + b".",
    "a frame of 2 GiB": b"\x80\x04\x95\x00\x00\x00\x80\x00\x00\x00\x00].",
    "a text of 2 GiB": b"\x80\x02X\x00\x00\x00\x80.",
    "a number of many digits": b"I" + b"7" * 100_000 + b"\n.",
    "a number of many bytes": b"\x80\x02\x8a\xff" + b"\x01" * 255 + b".",
    "a nested key": b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"Ns.",
    "values of an open list": b"\x80\x02](a.",
    "a list as keys and values": b"\x80\x02](K\x00K\x01u.",
}


@pytest.mark.parametrize("data", NO_SNAPSHOTS.values(), ids=NO_SNAPSHOTS)
def test_what_is_no_snapshot_is_a_value_error(tmp_path, data):
    path = tmp_path / "bad.pickle"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"bad\.pickle: not a snapshot"):
        snapshot.read(path)


def test_bad_values_name_their_place(tmp_path):
    data = handmade()
    data["device_traces"][0][1]["size"] = -1
    with pytest.raises(ValueError, match="device 0, event 1: size is -1"):
        snapshot.analyse(data)
    with pytest.raises(ValueError, match="device 7: the snapshot has"):
        snapshot.analyse(handmade(), device=7)
    with pytest.raises(ValueError, match="No such file"):
        snapshot.read(tmp_path / "none.pickle")
    assert snapshot.main([str(tmp_path / "none.pickle")]) == 2


@pytest.mark.parametrize("data", NO_SNAPSHOTS.values(), ids=NO_SNAPSHOTS)
def test_memory_is_a_small_multiple_of_the_file(tmp_path, data):
    path = tmp_path / "bad.pickle"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(ValueError):
        snapshot.read(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 32 * len(data) + 2**20


def nested(depth: int) -> list[Any]:
    """A list that holds another twice, and so on: 2^depth empty lists when it is written out."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value, value]
    return value


MISPLACED = {
    "device 0, event 0: addr is None, not an address": ("device_traces", 0, 0, "addr", None),
    "device 0, event 0: addr is list, not an address": ("device_traces", 0, 0, "addr", nested(60)),
    "device 0, event 0: size is list, not a number of bytes": ("device_traces", 0, 0, "size", nested(60)),
    "device 0, event 0: size is bool": ("device_traces", 0, 0, "size", True),
    "device 0, event 3: not a dict": ("device_traces", 0, 3, None),
    "device 0: its trace is no list": ("device_traces", 0, 7),
    "segment 0: device is 'x', not a device's number": ("segments", 0, "device", "x"),
    "segment 0: device is None": ("segments", 0, "device", None),
    "segment 1: address is 1.5": ("segments", 1, "address", 1.5),
    "segment 1: blocks is no list": ("segments", 1, "blocks", 7),
    "segment 1, block 1: not a dict": ("segments", 1, "blocks", 1, "x"),
    "segment 0, block 1: requested_size is 'x'": ("segments", 0, "blocks", 1, "requested_size", "x"),
    "segment 0, block 1: address is str": ("segments", 0, "blocks", 1, "address", "x" * 100),
}


@pytest.mark.parametrize("place", MISPLACED.values(), ids=MISPLACED)
def test_values_of_another_type_name_their_place(tmp_path, place, request):
    data = handmade()
    *path, last, value = place
    at: Any = data
    for key in path:
        at = at[key]
    at[last] = value
    file = tmp_path / "bad.pickle"
    file.write_bytes(pickle.dumps(data))
    reason = request.node.callspec.id
    for source in (file, data):
        with pytest.raises(ValueError) as raised:
            snapshot.analyse(source)
        assert reason.replace("is str", "is 'xxxxxxx") in str(raised.value)


@pytest.mark.parametrize(
    "frames",
    [
        [{"filename": nested(60), "line": nested(60), "name": nested(60)}],
        [{"filename": "\ud800.py", "line": 1, "name": "\udfff"}],
        [None, 7, {}],
        {"filename": "x.py"},
        7,
    ],
)
def test_frames_may_be_anything(tmp_path, frames):
    data = handmade()
    data["device_traces"][0][0]["frames"] = frames
    file = tmp_path / "snapshot.pickle"
    file.write_bytes(pickle.dumps(data, protocol=4))
    trace = snapshot.trace_of(snapshot.read(file))
    assert lowtide.plan(snapshot.graph_of(trace), alignment=512).order_status == "optimal"


def test_lists_that_repeat_one_another_are_not_walked(tmp_path):
    data = handmade()
    data["device_traces"] = [data["device_traces"][0] * 1000] * 1000
    file = tmp_path / "snapshot.pickle"
    file.write_bytes(pickle.dumps(data))
    with pytest.raises(ValueError, match="its lists repeat one another"):
        snapshot.read(file)


# Opcodes, and bytes that end up as lengths and places of the memo.
BYTES = b".(}]0\x80\x95\x94NKMJIL\x8a\x8bGFX\x8cV\x8dlad e s u t\x85\x86\x87)pqrghj2\x88\x89cRibBQ\x82"
BYTES += b"\x00\x10\x7f\xff"


def mutated(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 3, 8])):
        at = dice.randrange(len(changed))
        kind = dice.randrange(4)
        if kind == 0:
            changed[at] = dice.choice(BYTES)
        elif kind == 1:
            changed[at:at] = bytes(dice.choices(BYTES, k=dice.randint(1, 4)))
        elif kind == 2:
            del changed[at : at + dice.randint(1, 30)]
        else:
            changed[at:at] = changed[at : at + dice.randint(1, 60)] * dice.randint(1, 5)
    return bytes(changed)


def test_a_mutated_snapshot_is_one_or_a_value_error(tmp_path):
    file = tmp_path / "mutated.pickle"
    whole = 0
    for seed in range(20_000 if os.environ.get("LOWTIDE_LONG_TESTS") == "1" else 600):
        dice = random.Random(seed)
        file.write_bytes(mutated(pickle.dumps(handmade(), protocol=seed % 6), dice))
        with contextlib.suppress(ValueError):
            snapshot.trace_of(snapshot.read(file))
            whole += 1
    assert whole > 20


@given(st.binary(max_size=60))
def test_any_bytes_are_a_snapshot_or_a_value_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.pickle"
    path.write_bytes(b"\x80\x04" + data + b".")
    with pytest.raises(ValueError):
        snapshot.read(path)


# -- a recorded one: PyTorch's own conversion of a profile on the CPU ---------------------------------------


def test_a_trace_recorded_by_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    from torch.cuda import _memory_viz

    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 8))
    batch = torch.randn(32, 64)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(
        activities=activities, profile_memory=True, record_shapes=True, with_stack=True
    ) as run:
        model(batch).sum().backward()
    data = _memory_viz._profile_to_snapshot(run)
    path = tmp_path / "recorded.pickle"
    path.write_bytes(pickle.dumps(data))
    report = snapshot.analyse(path)
    live = most = 0
    for entry in next(trace for trace in data["device_traces"] if trace):
        live += {"alloc": 1, "free_completed": -1}.get(entry["action"], 0) * entry["size"]
        most = max(most, live)
    assert report.blocks > 5
    assert report.in_use_peak_bytes >= most > 0  # what was there before the trace comes on top
    assert report.planned_bytes >= report.in_use_peak_bytes
    assert report.planned_bytes <= 1.25 * report.in_use_peak_bytes + 512 * report.blocks
