"""PyTorch memory snapshots: what the caching allocator did, and what a planned layout would need.

    torch.cuda.memory._record_memory_history()
    train_step()
    torch.cuda.memory._dump_snapshot("snapshot.pickle")

    report = lowtide.snapshot.analyse("snapshot.pickle")
    print(report)                                   # fragmentation now, and planned

or `python -m lowtide.snapshot snapshot.pickle -o report.html`.

A snapshot is a pickle, and a pickle from elsewhere can run code when it is loaded. This one is read by an
unpickler that knows no classes and no functions: anything but dicts, lists, strings and numbers is refused.

Time. The trace is a list of events; step 0 is what was there before, and each allocation begins a step. A
block lives from its own step to the one in which its memory could be used again (`free_completed`),
inclusive; one that is never freed to the end. Sizes are those that were asked for (the allocator rounds
them up; the planned layout rounds to `alignment`).

What is compared. *Now*: the most bytes the allocator had reserved (segments) against the most bytes in use
at one time; the difference is fragmentation and cache. *Planned*: the arena that lowtide's layout needs for
the same lifetimes. Streams are taken in the order of the trace, as the host issued the work.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import pickle
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, NoReturn

import lowtide
from lowtide._core import escaped

USED = ("active_allocated", "active_awaiting_free", "active_pending_free")


class _DataOnly(pickle.Unpickler):
    """Refuses everything that could call code: classes, functions, persistent ids, extensions."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}; a snapshot holds only plain data")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to an object outside the file")


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The snapshot in a file, as `torch.cuda.memory._snapshot()` returns it. Runs no code from the file.

    Raises ValueError, naming the file and the reason, for what is no snapshot.
    """
    try:
        with open(path, "rb") as file:
            return _checked(_unpickled(file))
    except OSError as error:
        raise ValueError(f"{os.fspath(path)}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _unpickled(file: BinaryIO) -> Any:
    try:
        return _DataOnly(file).load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(f"not a snapshot: {error or type(error).__name__}") from None


def _checked(snapshot: Any) -> dict[str, Any]:
    """Checks the parts that are read; the rest of the format may change without us."""
    if not isinstance(snapshot, dict):
        raise ValueError("not a snapshot: not a dict")
    for key in ("segments", "device_traces"):
        if not isinstance(snapshot.get(key), list):
            raise ValueError(f"not a snapshot: no list {key!r}")
    for i, segment in enumerate(snapshot["segments"]):
        _check_entry(f"segment {i}", segment, ("total_size",))
        for j, block in enumerate(segment.get("blocks") or []):
            _check_entry(f"segment {i}, block {j}", block, ("size",))
    for i, trace in enumerate(snapshot["device_traces"]):
        if not isinstance(trace, list):
            raise ValueError(f"device {i}: its trace is no list")
        for j, entry in enumerate(trace):
            _check_entry(f"device {i}, event {j}", entry, ("size",) if _is_about_memory(entry) else ())
    return snapshot


def _is_about_memory(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("action") not in ("oom", "snapshot", "user_defined")


def _check_entry(where: str, entry: Any, sizes: Iterable[str]) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: not a dict")
    for key in sizes:
        size = entry.get(key)
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**62:
            raise ValueError(f"{where}: {key} is {size!r:.60}, not a number of bytes")


@dataclass(frozen=True)
class Block:
    """One allocation. Alive in the steps [lower, upper); the trace's `steps` is the end."""

    address: int
    size_bytes: int
    lower: int
    upper: int
    where: str  # "train.py:12 forward", or "" without stack traces
    freed: bool  # False: still in use when the snapshot was taken

    @property
    def traced(self) -> bool:
        """Whether its allocation is in the trace; if not, it was there before."""
        return self.lower > 0


@dataclass(frozen=True)
class Trace:
    """What happened on one device."""

    device: int
    steps: int
    blocks: list[Block]
    reserved_peak_bytes: int
    reserved_bytes: int  # when the snapshot was taken
    out_of_memory: int  # how many allocations failed


def devices(snapshot: dict[str, Any]) -> list[int]:
    """The devices that have events or segments."""
    traced = {i for i, trace in enumerate(snapshot["device_traces"]) if trace}
    return sorted(traced | {segment.get("device", 0) for segment in snapshot["segments"]})


def _short_path(path: str) -> str:
    return "/".join(pathlib.PurePath(path).parts[-2:])


def _where(entry: dict[str, Any]) -> str:
    """The innermost frame of the user's own Python code, else the innermost one."""
    frames = [frame for frame in entry.get("frames") or [] if isinstance(frame, dict)]
    own = [f for f in frames if str(f.get("filename", "")).endswith(".py") and "/torch/" not in f["filename"]]
    for frame in own or frames:
        return f"{_short_path(str(frame.get('filename', '')))}:{frame.get('line', 0)} {frame.get('name', '')}"
    return ""


class _Replay:
    """Walks one device's events and keeps what is open."""

    def __init__(self) -> None:
        self.step = 0
        self.open: dict[int, tuple[int, dict[str, Any]]] = {}  # address -> (lower, event)
        self.blocks: list[Block] = []
        self.reserved_change = 0
        self.most_reserved_change = 0
        self.out_of_memory = 0

    def run(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            action = event.get("action")
            if action == "alloc":
                self.allocate(event)
            elif action == "free_completed":
                self.free(event)
            elif action in ("segment_alloc", "segment_map"):
                self.reserve(event["size"])
            elif action in ("segment_free", "segment_unmap"):
                self.reserve(-event["size"])
            elif action == "oom":
                self.out_of_memory += 1

    def allocate(self, event: dict[str, Any]) -> None:
        if event.get("addr", -1) in self.open:  # its free was not recorded
            self.free(event)
        self.step += 1
        self.open[event.get("addr", -1)] = (self.step, event)

    def free(self, event: dict[str, Any]) -> None:
        lower, made = self.open.pop(event.get("addr", -1), (0, event))
        self.add(made, lower, self.step + 1, freed=True)

    def reserve(self, change: int) -> None:
        self.reserved_change += change
        self.most_reserved_change = max(self.most_reserved_change, self.reserved_change)

    def add(self, event: dict[str, Any], lower: int, upper: int, *, freed: bool) -> None:
        if event["size"] > 0:
            self.blocks.append(
                Block(event.get("addr", -1), event["size"], lower, upper, _where(event), freed)
            )


def _blocks_of_segments(segments: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Blocks in use when the snapshot was taken, with their addresses (older snapshots leave them out)."""
    for segment in segments:
        address = segment.get("address") or 0
        for block in segment.get("blocks") or []:
            if block.get("state") in USED:
                size = block.get("requested_size") or block["size"]
                yield {"addr": block.get("address", address), "size": size, "frames": block.get("frames")}
            address += block["size"]


def trace_of(snapshot: dict[str, Any], device: int | None = None) -> Trace:
    """The blocks and their lifetimes on one device (the first that has any, if none is named).

    Raises ValueError for a device that the snapshot does not have.
    """
    known = devices(snapshot)
    traces = snapshot["device_traces"]
    if device is None:
        traced = [i for i, trace in enumerate(traces) if trace]
        device = next(iter(traced + known), 0)
    elif device not in known:
        raise ValueError(f"device {device}: the snapshot has {known}")
    segments = [segment for segment in snapshot["segments"] if segment.get("device", 0) == device]
    replay = _Replay()
    replay.run(traces[device] if device < len(traces) else [])
    end = replay.step + 1
    for lower, event in replay.open.values():
        replay.add(event, lower, end, freed=False)
    for block in _blocks_of_segments(segments):  # in use all the time: no event tells of them
        if block["addr"] not in replay.open:
            replay.add(block, 0, end, freed=False)
    reserved = sum(segment["total_size"] for segment in segments)
    reserved_at_start = reserved - replay.reserved_change
    most = max(reserved_at_start + replay.most_reserved_change, reserved)
    return Trace(device, end, replay.blocks, most, reserved, replay.out_of_memory)


@dataclass(frozen=True)
class Report:
    """What the allocator needed, and what a planned layout of the same lifetimes needs. Sizes in bytes."""

    device: int
    blocks: int
    steps: int
    in_use_peak_bytes: int  # the most in use at one time
    reserved_peak_bytes: int  # the most the allocator held
    planned_bytes: int  # the arena of the planned layout
    planned_lower_bound_bytes: int
    alignment: int
    out_of_memory: int
    offsets: list[int]  # of each block of the trace, in its order

    @property
    def fragmentation_now(self) -> float:
        """The share of what was reserved at the peak that no block used."""
        return 1 - self.in_use_peak_bytes / self.reserved_peak_bytes if self.reserved_peak_bytes else 0.0

    @property
    def fragmentation_planned(self) -> float:
        """The share of the planned arena that no block uses at its fullest step."""
        return 1 - self.in_use_peak_bytes / self.planned_bytes if self.planned_bytes else 0.0

    def __str__(self) -> str:
        from lowtide.notebook import size_text

        def line(name: str, size_bytes: int, remark: str = "") -> str:
            return f"{name:<20}{size_text(size_bytes):>12}  {remark}".rstrip()

        def unused(share: float) -> str:
            return f"{share:.1%} of it unused"

        proven = "" if self.planned_bytes > self.planned_lower_bound_bytes else ", proven least"
        lines = [
            f"device {self.device}: {self.blocks} blocks over {self.steps - 1} allocations",
            line("in use at most", self.in_use_peak_bytes),
            line("reserved at most", self.reserved_peak_bytes, f"{self.fragmentation_now:.1%} of it unused"),
            line(
                "a planned layout",
                self.planned_bytes,
                f"{self.fragmentation_planned:.1%} of it unused{proven}",
            ),
        ]
        if self.out_of_memory:
            lines.append(f"out of memory       {self.out_of_memory} times while the trace ran")
        return "\n".join(lines)


def _in_use_peak(blocks: list[Block], steps: int) -> int:
    change = [0] * (steps + 1)
    for block in blocks:
        change[block.lower] += block.size_bytes
        change[block.upper] -= block.size_bytes
    most = live = 0
    for difference in change:
        live += difference
        most = max(most, live)
    return most


def _as_snapshot(source: dict[str, Any] | str | os.PathLike[str]) -> dict[str, Any]:
    return _checked(source) if isinstance(source, dict) else read(source)


def analyse(
    source: dict[str, Any] | str | os.PathLike[str],
    device: int | None = None,
    *,
    alignment: int = 512,
    time_limit: float = 10.0,
) -> Report:
    """Fragmentation now and with a planned layout, of a snapshot or the file of one.

    alignment: bytes (the allocator's own is 512); time_limit: seconds for the layout. Raises ValueError for
    what is no snapshot, or a device that it does not have.
    """
    trace = trace_of(_as_snapshot(source), device)
    if alignment < 1:
        raise ValueError(f"alignment: must be at least 1, not {alignment}")
    buffers = [
        (block.lower, block.upper, -(-block.size_bytes // alignment) * alignment) for block in trace.blocks
    ]
    layout = lowtide.layout(buffers, alignment=alignment, time_limit=time_limit)
    return Report(
        device=trace.device,
        blocks=len(trace.blocks),
        steps=trace.steps,
        in_use_peak_bytes=_in_use_peak(trace.blocks, trace.steps),
        reserved_peak_bytes=trace.reserved_peak_bytes,
        planned_bytes=layout.height_bytes or 0,
        planned_lower_bound_bytes=layout.lower_bound_bytes,
        alignment=alignment,
        out_of_memory=trace.out_of_memory,
        offsets=list(layout.offsets or []),
    )


def graph_of(trace: Trace, name: str = "snapshot") -> lowtide.Graph:
    """The trace as a graph whose only order is its own, for reports: a node a step, a tensor a block."""
    builder = lowtide.GraphBuilder(name, source="PyTorch memory snapshot")
    starting: list[list[str]] = [[] for _ in range(trace.steps)]
    ending: list[list[str]] = [[] for _ in range(trace.steps)]
    where = [""] * trace.steps
    for i, block in enumerate(trace.blocks):
        tensor = f"block {i}"
        builder.add_tensor(tensor, block.size_bytes, output=not block.freed)
        if block.traced:
            starting[block.lower].append(tensor)
            where[block.lower] = block.where
        if not block.traced or block.upper > block.lower + 1:
            ending[block.upper - 1].append(tensor)
    for step in range(trace.steps):
        after = [f"step {step - 1}"] if step else []
        builder.add_node(
            f"step {step}", op=where[step], inputs=ending[step], outputs=starting[step], after=after
        )
    return builder.build()


def _shown(text: object) -> str:
    """As a terminal only shows it, whatever a file or an argument holds."""
    return escaped(str(text).encode("utf-8", "surrogateescape"))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"lowtide: {_shown(message)} (--help shows the usage)\n")


def main(arguments: list[str] | None = None) -> int:
    parser = _Parser(prog="python -m lowtide.snapshot", description=__doc__.split("\n", 1)[0])
    parser.add_argument("snapshot", help="a file of torch.cuda.memory._dump_snapshot")
    parser.add_argument("-o", "--output", help="write an HTML report of the planned layout")
    parser.add_argument("--device", type=int, help="the first with events, if not given")
    parser.add_argument("--alignment", type=int, default=512, help="bytes (default: 512, the allocator's)")
    parser.add_argument("--time-limit", type=float, default=10.0, help="seconds for the layout")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    output = options.output
    try:
        if output and os.path.exists(output) and os.path.samefile(output, options.snapshot):
            raise ValueError(f"{output}: is the snapshot as well")
        snapshot = read(options.snapshot)
        report = analyse(snapshot, options.device, alignment=options.alignment, time_limit=options.time_limit)
        if output is not None:
            graph = graph_of(trace_of(snapshot, options.device), pathlib.Path(options.snapshot).stem)
            plan = lowtide.plan(graph, alignment=options.alignment, time_limit=options.time_limit)
            lowtide.report(graph, plan, output)
    except ValueError as error:
        print(f"lowtide: {_shown(error)}", file=sys.stderr)
        return 2
    print(json.dumps(_fields(report)) if options.json else report)
    return 0


def _fields(report: Report) -> dict[str, float]:
    fields = asdict(report)
    del fields["offsets"]
    shares = ("fragmentation_now", "fragmentation_planned")
    return fields | {share: getattr(report, share) for share in shares}


if __name__ == "__main__":
    sys.exit(main())
