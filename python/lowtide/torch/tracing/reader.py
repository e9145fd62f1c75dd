"""Reads a Graph off a traced step: which FX nodes touch which storages, in which version.

A tensor of the graph is a storage, found by the identity of the fake tensors' storages, never by what
operator schemas say (`_unsafe_view` and `unsafe_split` alias without saying so). A write in place
 * to a persistent storage is a mutation, ordered by `after` edges against reads and writes around it;
 * to a planned storage makes a new version `name.v1`, which may reuse the bytes of the old one.

FX nodes that own no bytes are carried: views, elements of tuples, and numbers read from tensors have no
node in the Graph; whoever uses them reads the storages behind them. So they run with their first user.
A number that is used after its tensor was written again cannot be carried; it becomes a node without
outputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import Node

from lowtide._core import Graph, GraphBuilder
from lowtide.torch.errors import IN_EAGER, CaptureError, UnsupportedError
from lowtide.torch.tracing.inputs import HYPERPARAMETER, INPUT, PARAMETER
from lowtide.torch.tracing.operators import (
    check_storages,
    fake_values,
    is_collective,
    is_pointwise,
    is_random,
    is_wait,
    storage_key,
    written_arguments,
)
from lowtide.torch.tracing.trace import TracedStep


@dataclass(frozen=True)
class CapturedStep:
    """A traced step and its Graph; a Graph node and the FX node of the same name are one.

    graph: its `after` edges hold the order of reads and writes of persistent tensors, one chain through
      the nodes that draw random numbers, and one through the starts of collectives.
    carried: names of FX nodes without a node in the graph. Run each just before its first user.
    in_place: pairs (reader, writer) of node names. The Graph treats a write to an activation as a new
      tensor; whoever runs the FX graph, where it is in place, must also run these readers first.
    """

    graph: Graph
    step: TracedStep
    carried: frozenset[str]
    in_place: tuple[tuple[str, str], ...]


def read_graph(step: TracedStep, name: str = "", meta: dict[str, Any] | None = None) -> CapturedStep:
    """The Graph of a traced step. Raises CaptureError naming the node or parameter and the reason."""
    owned: set[Node] = set()
    while True:
        reader = _Reader(step, owned)
        if reader.late_numbers <= owned:
            break
        owned |= reader.late_numbers
    _check_updates(step, reader)
    graph = _build(reader, name, meta or {})
    return CapturedStep(graph, step, frozenset(reader.carried), tuple(reader.in_place))


@dataclass
class _Storage:
    """One storage on its way through the program."""

    base_name: str
    name: str  # of its current version
    bytes: int
    kind: str
    version: int = 0
    last_writer: str | None = None
    readers: list[str] = field(default_factory=list)  # since the last write


@dataclass
class _Version:
    """A tensor of the graph: a storage between two writes."""

    bytes: int
    kind: str
    output: bool = False


@dataclass
class _Value:
    """What using an FX node's value needs: storages to read, and what was read to compute a number."""

    storages: tuple[int, ...] = ()
    numbers: tuple[tuple[Node, int, int], ...] = ()  # (reading node, storage, version it read)
    after: tuple[str, ...] = ()  # nodes that computed numbers


class _Reader:
    """One walk over the FX graph, in program order."""

    def __init__(self, step: TracedStep, owned: set[Node]) -> None:
        self.step = step
        self.owned = owned
        self.storages: dict[int, _Storage] = {}  # fake tensors in node.meta keep the keys alive
        self.versions: dict[str, _Version] = {}  # by name, in order of creation
        self.nodes: list[dict[str, Any]] = []
        self.updated: set[str] = set()
        self.carried: list[str] = []
        self.in_place: list[tuple[str, str]] = []
        self.late_numbers: set[Node] = set()
        self._values: dict[Node, _Value] = {}
        self._last: dict[str, str] = {}  # of each chain
        self._waited: dict[int, tuple[int, ...]] = {}  # a collective's result -> its inputs
        self._alias: dict[int, int] = {}  # storages that are another one in truth
        placeholders = iter(step.placeholders)
        for node in step.module.graph.nodes:
            if node.op == "placeholder":
                placeholder = next(placeholders)
                kind = INPUT if placeholder.role == HYPERPARAMETER else placeholder.role
                self._add_persistent(node, placeholder.tensor, placeholder.name, kind)
            elif node.op == "get_attr":
                self._add_persistent(node, self._constant(node), node.name, "constant")
            elif node.op == "call_function":
                self._add_call(node)
            elif node.op == "output":
                self._mark_outputs(node)

    def _key(self, tensor: torch.Tensor) -> int:
        return self._alias.get(storage_key(tensor), storage_key(tensor))

    def _is_on(self, node: Node, key: int) -> bool:
        """Whether the value of the node is on that storage (a number only was read from it)."""
        return any(self._key(value) == key for value in fake_values(node))

    # -- tensors ---------------------------------------------------------------------------------------

    def _add_persistent(self, node: Node, tensor: torch.Tensor, name: str, kind: str) -> None:
        value = next(iter(fake_values(node)), tensor)
        self._values[node] = _Value((storage_key(value),))
        if storage_key(value) not in self.storages:
            self._add_storage(value, name, kind)

    def _constant(self, node: Node) -> torch.Tensor:
        value = getattr(self.step.module, str(node.target))
        if not isinstance(value, torch.Tensor):
            raise UnsupportedError(
                f"node {node.name}: a {type(value).__name__} as operand (a higher-order operator?)"
            )
        return value

    def _add_storage(self, value: torch.Tensor, name: str, kind: str) -> str:
        size = value.untyped_storage().nbytes()
        if not isinstance(size, int):
            raise UnsupportedError(
                f"node {name}: its size in bytes depends on values, and a plan is of fixed sizes; mask with "
                f"torch.where instead, or {IN_EAGER}"
            )
        name = self._free_name(name)
        self.storages[storage_key(value)] = _Storage(name, name, size, kind)
        self.versions[name] = _Version(size, kind)
        return name

    def _free_name(self, name: str) -> str:
        """A buffer may be called like an FX node, 'mean' say; the later one gets a prime."""
        while name in self.versions:
            name += "'"
        return name

    def _new_version(self, storage: _Storage) -> str:
        storage.name = self._free_name(f"{storage.base_name}.v{storage.version}")
        self.versions[storage.name] = _Version(storage.bytes, storage.kind)
        return storage.name

    def _mark_outputs(self, node: Node) -> None:
        for argument in node.all_input_nodes:
            for key in self._values[argument].storages:
                storage = self.storages[key]
                if storage.kind == "activation" and self._is_on(argument, key):
                    self.versions[storage.name].output = True

    # -- nodes -----------------------------------------------------------------------------------------

    def _add_call(self, node: Node) -> None:
        arguments = [self._values[n] for n in node.all_input_nodes]
        needed = _unique(key for value in arguments for key in value.storages)
        numbers = tuple(number for value in arguments for number in value.numbers)
        after = _unique(name for value in arguments for name in value.after)
        written = _unique(k for n in written_arguments(node) for k in self._values[n].storages)
        values = fake_values(node)
        check_storages(node, {*needed, *(a for a, key in self._alias.items() if key in needed)})
        if is_wait(node) and len(values) == 1:
            # Fake tensors show a new storage; it is the collective's own.
            self._alias.setdefault(storage_key(values[0]), needed[0])
        results = tuple(_unique(self._key(value) for value in values))
        if is_wait(node):
            # Its result is the collective's, finished: a new version, ordered after the start; the
            # collective's input must stay until then.
            written, needed = list(results), _unique([*needed, *self._waited.get(needed[0], ())])
        is_number = not values and not written
        fresh = any(key not in self.storages for key in results)
        if not written and not fresh and node not in self.owned:
            # A view, one of several outputs, or a number: nothing of its own, it stands for its inputs.
            if is_number:
                numbers += tuple((node, key, self.storages[key].version) for key in needed)
            self.carried.append(node.name)
            self._values[node] = _Value(results or tuple(needed), numbers, tuple(after))
            return
        self.late_numbers |= {n for n, key, read in numbers if self.storages[key].version != read}
        self._add_node(node, needed, written, after)
        if is_collective(node):
            self._waited |= dict.fromkeys(results, tuple(needed))
        self._values[node] = _Value(results, after=(node.name,) if is_number else ())

    def _add_node(self, node: Node, needed: list[int], written: list[int], after: list[str]) -> None:
        inputs = _unique(self._read(key, node.name, after) for key in needed)
        mutates: list[str] = []
        outputs: list[str] = []
        may_reuse: dict[str, str] = {}
        for key in written:
            storage, old = self.storages[key], self.storages[key].name
            self._write(storage, node.name, after)
            if storage.kind == "activation":
                outputs.append(self._new_version(storage))
                may_reuse[storage.name] = old
            else:
                mutates.append(storage.name)
        outputs += self._add_outputs(node)
        phase = self.step.phases.get(node.name, "")
        if phase == "optimizer":
            self.updated.update(mutates)
        self._chain("random", node, is_random(node), after)
        self._chain("collective", node, is_collective(node), after)
        self.nodes.append(
            {
                "name": node.name,
                "op": str(node.target),
                "inputs": inputs,
                "outputs": outputs,
                "mutates": mutates,
                "after": _unique(name for name in after if name != node.name),
                "may_reuse": may_reuse,
                "phase": phase,
                "pointwise": is_pointwise(node),
            }
        )

    def _read(self, key: int, reader: str, after: list[str]) -> str:
        storage = self.storages[key]
        if storage.kind != "activation" and storage.last_writer is not None:
            after.append(storage.last_writer)
        storage.readers.append(reader)
        return storage.name

    def _write(self, storage: _Storage, writer: str, after: list[str]) -> None:
        if storage.kind != "activation":
            after.extend(storage.readers)
            after.extend([storage.last_writer] if storage.last_writer is not None else [])
        else:
            self.in_place += [(reader, writer) for reader in storage.readers if reader != writer]
        storage.version += 1
        storage.last_writer, storage.readers = writer, []

    def _add_outputs(self, node: Node) -> list[str]:
        """New storages, each once, named like the node; with several outputs by their position."""
        value = node.meta.get("val")
        several = isinstance(value, (tuple, list))
        names: list[str] = []
        for position, output in enumerate(value if several else [value]):
            if not isinstance(output, torch.Tensor) or self._key(output) in self.storages:
                continue
            name = f"{node.name}.{position}" if several else node.name
            names.append(self._add_storage(output, name, "activation"))
        return names

    def _chain(self, chain: str, node: Node, belongs: bool, after: list[str]) -> None:
        if belongs:
            after += [self._last[chain]] if chain in self._last else []
            self._last[chain] = node.name


def _unique(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def _build(reader: _Reader, name: str, meta: dict[str, Any]) -> Graph:
    builder = GraphBuilder(name, source=f"torch {torch.__version__}", meta=meta)
    for tensor, version in reader.versions.items():
        builder.add_tensor(tensor, version.bytes, version.kind, version.output)
    for arguments in reader.nodes:
        builder.add_node(**arguments)
    return builder.build()


def _check_updates(step: TracedStep, reader: _Reader) -> None:
    """Every parameter with a gradient is updated (how often, the optimizer's groups have told)."""
    if not step.groups:
        return
    for placeholder in step.placeholders:
        trainable = placeholder.role == PARAMETER and placeholder.tensor.requires_grad
        if trainable and placeholder.name not in {*reader.updated, *step.unused, *step.passed_on}:
            raise CaptureError(
                f"parameter {placeholder.name!r} has a gradient but the step does not update it"
            )
