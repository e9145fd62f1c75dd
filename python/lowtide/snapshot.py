"""PyTorch memory snapshots: what the caching allocator did, and what a planned layout would need.

    torch.cuda.memory._record_memory_history()
    train_step()
    torch.cuda.memory._dump_snapshot("snapshot.pickle")

    report = lowtide.snapshot.analyse("snapshot.pickle")
    print(report)                                   # fragmentation now, and planned

or `python -m lowtide.snapshot snapshot.pickle -o report.html`.

A snapshot is a pickle, and a pickle from elsewhere can run code when it is loaded. This one is read by a
reader of its own that knows no classes and no functions: anything but dicts, lists, tuples, texts and numbers
is refused, and so is what would take more than a small multiple of the file's size.

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
import pickletools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import lowtide
from lowtide._core import escaped

USED = ("active_allocated", "active_awaiting_free", "active_pending_free")


_MOST_OPEN = 1000  # structures within one another
_FRAMES_SEEN = 200  # of a stack trace; real ones are shorter

_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_SHORT_NUMBERS = ("BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT")
_NUMBERS = ("INT", "LONG", "LONG1")
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")


class _PlainPickle:
    """Runs the opcodes that Python writes for dicts, lists, tuples, texts, numbers and None, and no other.

    Within bounds, so that memory stays a small multiple of the file: an event of a real snapshot makes a few
    objects and takes tens of bytes. Raises ValueError for all else.
    """

    def __init__(self, data: bytes) -> None:
        self.operations = 0
        self._data = data
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._containers_left = len(data) // 8 + 1000
        self._most_memos = len(data) // 6 + 1000

    def load(self) -> Any:
        run = self._handlers()
        for opcode, argument, _ in pickletools.genops(self._data):
            self.operations += 1
            handler = run.get(opcode.name)
            if handler is None:
                raise ValueError(f"it holds more than plain data ({opcode.name})")
            handler(argument)
        if len(self._stack) != 1 or self._marks:
            raise ValueError("it ends with more or less than one value")
        return self._stack[0]

    def _handlers(self) -> dict[str, Callable[[Any], None]]:
        """By opcode; each takes the opcode's argument, None where it has none."""
        push, memo = self._stack.append, self._memo
        handlers: dict[str, Callable[[Any], None]] = dict.fromkeys(_TEXTS + _SHORT_NUMBERS, push)
        handlers |= dict.fromkeys(_GETS, lambda index: push(memo[index]))
        handlers |= dict.fromkeys(_PUTS, self._put)
        handlers |= dict.fromkeys(_NUMBERS, self._number)
        handlers |= dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _: None)
        return handlers | {
            "NONE": lambda _: push(None),
            "NEWTRUE": lambda _: push(True),
            "NEWFALSE": lambda _: push(False),
            "MEMOIZE": lambda _: self._put(len(memo)),
            "MARK": self._mark,
            "EMPTY_DICT": lambda _: self._open({}),
            "EMPTY_LIST": lambda _: self._open([]),
            "SETITEMS": lambda _: self._set(self._since_mark()),
            "APPENDS": lambda _: self._extend(self._since_mark()),
            "SETITEM": lambda _: self._set(self._last(2)),
            "APPEND": lambda _: self._extend(self._last(1)),
            "EMPTY_TUPLE": lambda _: push(()),
            "TUPLE1": lambda _: self._open(tuple(self._last(1))),
            "TUPLE2": lambda _: self._open(tuple(self._last(2))),
            "TUPLE3": lambda _: self._open(tuple(self._last(3))),
            "TUPLE": lambda _: self._open(tuple(self._since_mark())),
            "LIST": lambda _: self._open(self._since_mark()),
            "DICT": lambda _: self._set(self._since_mark(), new=True),
        }

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]
        if len(self._memo) > self._most_memos:
            raise ValueError("it remembers more objects than its size allows")

    def _number(self, value: int) -> None:
        if not -(2**63) <= value < 2**64:
            raise ValueError("a number has more than 64 bits")
        self._stack.append(value)

    def _mark(self, _: None) -> None:
        self._marks.append(len(self._stack))
        if len(self._marks) > _MOST_OPEN:
            raise ValueError("it is nested too deeply")

    def _open(self, container: Any) -> None:
        self._containers_left -= 1
        if self._containers_left < 0:
            raise ValueError("it holds more lists and dicts than its size allows")
        self._stack.append(container)

    def _last(self, count: int) -> list[Any]:
        return self._since(len(self._stack) - count)

    def _since_mark(self) -> list[Any]:
        return self._since(self._marks.pop())

    def _since(self, start: int) -> list[Any]:
        if start < (self._marks[-1] if self._marks else 0):
            raise ValueError("an operation lacks its values")
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _extend(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise ValueError("it appends to what is no list")
        self._stack[-1].extend(items)

    def _set(self, items: list[Any], new: bool = False) -> None:
        if new:
            self._open({})
        target, keys = self._stack[-1], items[::2]
        # Other keys may take for ever to hash, or be made to collide.
        if type(target) is not dict or len(items) % 2 or not {*map(type, keys)} <= {str, int}:
            raise ValueError("a key is no text and no number, or has no value")
        target.update(zip(keys, items[1::2], strict=True))


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The snapshot in a file, as `torch.cuda.memory._snapshot()` returns it. Runs no code from the file.

    Raises ValueError, naming the file and the reason, for what is no snapshot.
    """
    try:
        with open(path, "rb") as file:
            return _unpickled(file.read())
    except OSError as error:
        raise ValueError(f"{os.fspath(path)}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _unpickled(data: bytes) -> dict[str, Any]:
    pickled = _PlainPickle(data)
    try:
        snapshot = pickled.load()
    except LookupError:
        raise ValueError("not a snapshot: an operation lacks its values") from None
    except ValueError as error:
        raise ValueError(f"not a snapshot: {error}") from None
    # References may repeat a list of entries, and each of them again: never more often than it is written.
    return _Check(most=pickled.operations).checked(snapshot)


def _is_bytes(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _is_address(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**64


def _is_device(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


class _Check:
    """Checks the parts that are read; the rest of the format may change without us."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most

    def checked(self, snapshot: Any) -> dict[str, Any]:
        if not isinstance(snapshot, dict):
            raise ValueError("not a snapshot: not a dict")
        for key in ("segments", "device_traces"):
            if not isinstance(snapshot.get(key), list):
                raise ValueError(f"not a snapshot: no list {key!r}")
        for i, segment in enumerate(snapshot["segments"]):
            self._segment(f"segment {i}", segment)
        for i, trace in enumerate(snapshot["device_traces"]):
            if not isinstance(trace, list):
                raise ValueError(f"device {i}: its trace is no list")
            self._count()
            for j, entry in enumerate(trace):
                self._event(f"device {i}, event {j}", entry)
        return snapshot

    def _segment(self, where: str, segment: Any) -> None:
        self._dict(where, segment)
        self._field(where, segment, "total_size", _is_bytes, "a number of bytes")
        if "device" in segment:
            self._field(where, segment, "device", _is_device, "a device's number")
        self._optional(where, segment, "address", _is_address, "an address")
        blocks = segment.get("blocks")
        if blocks is not None and not isinstance(blocks, list):
            raise ValueError(f"{where}: blocks is no list")
        for j, block in enumerate(blocks or []):
            inner = f"{where}, block {j}"
            self._dict(inner, block)
            self._field(inner, block, "size", _is_bytes, "a number of bytes")
            self._optional(inner, block, "requested_size", _is_bytes, "a number of bytes")
            self._optional(inner, block, "address", _is_address, "an address")

    def _event(self, where: str, entry: Any) -> None:
        self._dict(where, entry)
        if entry.get("action") in ("oom", "snapshot", "user_defined"):
            return
        self._field(where, entry, "size", _is_bytes, "a number of bytes")
        if "addr" in entry:
            self._field(where, entry, "addr", _is_address, "an address")

    def _dict(self, where: str, entry: Any) -> None:
        self._count()
        if not isinstance(entry, dict):
            raise ValueError(f"{where}: not a dict")

    def _count(self) -> None:
        if self._most is not None:
            self._most -= 1
            if self._most < 0:
                raise ValueError("not a snapshot: its lists repeat one another")

    def _optional(self, where: str, entry: Any, key: str, fits: Callable[[Any], bool], what: str) -> None:
        if entry.get(key) is not None:
            self._field(where, entry, key, fits, what)

    def _field(self, where: str, entry: Any, key: str, fits: Callable[[Any], bool], what: str) -> None:
        value = entry.get(key)
        if fits(value):
            return
        # What is no number or text may be as long as it likes when it is shown.
        shown = f"{value!r:.60}" if type(value) in (int, str, float, type(None)) else type(value).__name__
        raise ValueError(f"{where}: {key} is {shown}, not {what}")


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


def _text(frame: dict[str, Any], key: str) -> str:
    """What it says there, if it is a text; it may hold halves of characters, which no UTF-8 has."""
    value = frame.get(key, "")
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else ""


def _where(entry: dict[str, Any]) -> str:
    """The innermost frame of the user's own Python code, else the innermost one."""
    frames = entry.get("frames")
    frames = frames[:_FRAMES_SEEN] if isinstance(frames, list) else []
    frames = [frame for frame in frames if isinstance(frame, dict)]
    own = (f for f in frames if _text(f, "filename").endswith(".py") and "/torch/" not in f["filename"])
    frame = next(own, frames[0] if frames else None)
    if frame is None:
        return ""
    line = frame.get("line")
    return f"{_short_path(_text(frame, 'filename'))}:{line if _is_bytes(line) else 0} {_text(frame, 'name')}"


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
                at = block.get("address")
                yield {"addr": address if at is None else at, "size": size, "frames": block.get("frames")}
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
    return _Check().checked(source) if isinstance(source, dict) else read(source)


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
