"""Reads a Graph off a traced step: which FX nodes touch which storages, in which version.

A tensor of the graph is a storage, found by the identity of the fake tensors' storages, never by what
operator schemas say (`_unsafe_view` and `unsafe_split` alias without saying so). A write in place
 * to a persistent storage is a mutation, ordered by `after` edges against reads and writes around it;
 * to a planned storage makes a new version `name.v1`, which may reuse the bytes of the old one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import Node

from lowtide._core import Graph, GraphBuilder
from lowtide.torch.errors import CaptureError
from lowtide.torch.trace import TracedStep


@dataclass
class Storage:
    """One storage on its way through the program."""

    name: str  # of its current version
    base_name: str
    bytes: int
    kind: str
    version: int = 0
    last_writer: str | None = None
    readers: list[str] = field(default_factory=list)  # since the last write


@dataclass
class Version:
    """A tensor of the graph: a storage between two writes."""

    name: str
    bytes: int
    kind: str
    output: bool = False


def fake_values(node: Node) -> list[torch.Tensor]:
    """The fake tensors a node produces, in order; [] for scalars and None."""
    value = node.meta.get("val")
    values = value if isinstance(value, (tuple, list)) else [value]
    return [v for v in values if isinstance(v, torch.Tensor)]


def storage_key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


# Operators that write arguments their schema does not mark: name -> (positions, position of the flag
# that must be true). Batch norm's running statistics in training.
_UNANNOUNCED_WRITES = {
    "aten.native_batch_norm.default": ((3, 4), 5),
    "aten.cudnn_batch_norm.default": ((3, 4), 5),
    "aten.miopen_batch_norm.default": ((3, 4), 5),
}


def written_arguments(node: Node) -> Iterator[Node]:
    """The nodes whose storages the operator writes, by its schema and the list of those that lie."""
    positions, flag = _UNANNOUNCED_WRITES.get(str(node.target), ((), 0))
    if positions and node.args[flag]:
        yield from (node.args[i] for i in positions if isinstance(node.args[i], Node))
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return
    for position, argument in enumerate(schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        value = node.args[position] if position < len(node.args) else node.kwargs.get(argument.name)
        for item in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(item, Node):
                yield item


class GraphReader:
    """Walks a traced step once, in program order, and fills a GraphBuilder."""

    def __init__(self, step: TracedStep, name: str, meta: dict[str, Any]) -> None:
        self.step = step
        self.builder = GraphBuilder(name, source=f"torch {torch.__version__}", meta=meta)
        self.storages: dict[int, Storage] = {}  # by key; fake tensors in node.meta keep the keys alive
        self.versions: dict[str, Version] = {}  # by name, in order of creation
        self.reads_of: dict[Node, list[int]] = {}  # storages a node's value needs to be there
        self.pending: list[dict[str, Any]] = []  # nodes, added once all versions are known
        self.last_random: str | None = None
        self.updated: set[str] = set()

    def read(self) -> Graph:
        placeholders = iter(self.step.placeholders)
        for node in self.step.module.graph.nodes:
            if node.op == "placeholder":
                placeholder = next(placeholders)
                self.add_persistent(node, placeholder.name, placeholder.role)
            elif node.op == "get_attr":
                self.add_persistent(node, node.name, "constant")
            elif node.op == "call_function":
                self.add_call(node)
            elif node.op == "output":
                self.mark_outputs(node)
        self.check_updates()
        for version in self.versions.values():
            self.builder.add_tensor(version.name, version.bytes, version.kind, version.output)
        for arguments in self.pending:
            self.builder.add_node(**arguments)
        return self.builder.build()

    # -- tensors ---------------------------------------------------------------------------------------

    def add_persistent(self, node: Node, name: str, kind: str) -> None:
        for value in fake_values(node) or [self.constant(node)]:
            self.reads_of[node] = [storage_key(value)]
            if storage_key(value) not in self.storages:
                self.add_storage(value, name, kind)

    def constant(self, node: Node) -> torch.Tensor:
        value = getattr(self.step.module, str(node.target))
        if not isinstance(value, torch.Tensor):
            raise CaptureError(f"node {node.name}: a constant that is no tensor")
        return value

    def add_storage(self, value: torch.Tensor, name: str, kind: str) -> None:
        size = value.untyped_storage().nbytes()
        if not isinstance(size, int):
            raise CaptureError(f"node {name}: its size {size} depends on values")
        if name in self.versions:
            raise CaptureError(f"node {name}: two tensors of that name")
        self.storages[storage_key(value)] = Storage(name, name, size, kind)
        self.versions[name] = Version(name, size, kind)

    def mark_outputs(self, node: Node) -> None:
        for argument in node.all_input_nodes:
            for key in self.reads_of[argument]:
                storage = self.storages[key]
                if storage.kind == "activation":
                    self.versions[storage.name].output = True

    # -- nodes -----------------------------------------------------------------------------------------

    def add_call(self, node: Node) -> None:
        needed = list(dict.fromkeys(key for n in node.all_input_nodes for key in self.reads_of[n]))
        values = fake_values(node)
        written = list(dict.fromkeys(key for n in written_arguments(node) for key in self.reads_of[n]))
        fresh = [v for v in values if storage_key(v) not in self.storages]
        self.check_annotation(node, values)
        if not written and not fresh:
            # A view, one of several outputs, or a number: nothing of its own, it stands for its inputs.
            keys = [storage_key(v) for v in values] if values else needed
            self.reads_of[node] = list(dict.fromkeys(keys))
            return
        self.add_node(node, needed, written, fresh)
        self.reads_of[node] = list(dict.fromkeys(storage_key(v) for v in values)) or needed

    def check_annotation(self, node: Node, values: list[torch.Tensor]) -> None:
        """A schema that announces an alias must give one, or storages cannot be trusted."""
        schema = getattr(node.target, "_schema", None)
        if schema is None or len(values) != 1 or len(schema.returns) != 1:
            return
        info = schema.returns[0].alias_info
        if info is None or not node.all_input_nodes:
            return
        inputs = {key for n in node.all_input_nodes for key in self.reads_of[n]}
        if storage_key(values[0]) not in inputs:
            raise CaptureError(
                f"node {node.name} ({node.target}): announced as an alias, but it is a new storage"
            )

    def add_node(self, node: Node, needed: list[int], written: list[int], fresh: list[torch.Tensor]) -> None:
        after: list[str] = []
        inputs = [self.read_storage(key, node.name, after) for key in needed]
        mutates: list[str] = []
        outputs: list[str] = []
        may_reuse: dict[str, str] = {}
        for key in written:
            storage = self.storages[key]
            if storage.kind == "activation":
                old = storage.name
                outputs.append(self.new_version(storage))
                may_reuse[storage.name] = old
            else:
                self.write_persistent(storage, node.name, after)
                mutates.append(storage.name)
        outputs += self.add_outputs(node, fresh)
        phase = self.step.phases.get(node.name, "")
        if phase == "optimizer":
            self.updated.update(mutates)
        if is_random(node):
            after += [self.last_random] if self.last_random else []
            self.last_random = node.name
        self.pending.append(
            {
                "name": node.name,
                "op": str(node.target),
                "inputs": inputs,
                "outputs": outputs,
                "mutates": mutates,
                "after": list(dict.fromkeys(a for a in after if a != node.name)),
                "may_reuse": may_reuse,
                "phase": phase,
                "pointwise": torch.Tag.pointwise in getattr(node.target, "tags", ()),
            }
        )

    def read_storage(self, key: int, reader: str, after: list[str]) -> str:
        storage = self.storages[key]
        if storage.kind != "activation":
            if storage.last_writer is not None:
                after.append(storage.last_writer)
            storage.readers.append(reader)
        return storage.name

    def write_persistent(self, storage: Storage, writer: str, after: list[str]) -> None:
        after.extend(storage.readers)
        if storage.last_writer is not None:
            after.append(storage.last_writer)
        storage.last_writer, storage.readers = writer, []

    def new_version(self, storage: Storage) -> str:
        storage.version += 1
        storage.name = f"{storage.base_name}.v{storage.version}"
        self.versions[storage.name] = Version(storage.name, storage.bytes, storage.kind)
        return storage.name

    def add_outputs(self, node: Node, fresh: list[torch.Tensor]) -> list[str]:
        """New storages, each once, named like the node; with several outputs by their position."""
        value = node.meta.get("val")
        several = isinstance(value, (tuple, list))
        names: list[str] = []
        for position, output in enumerate(value if several else [value]):
            if not any(output is f for f in fresh) or storage_key(output) in self.storages:
                continue
            name = f"{node.name}.{position}" if several else node.name
            self.add_storage(output, name, "activation")
            names.append(name)
        return names

    # -- checks ----------------------------------------------------------------------------------------

    def check_updates(self) -> None:
        """Every parameter with a gradient is updated (how often, the optimizer's groups have told)."""
        if "optimizer" not in self.step.phases.values():
            return
        for placeholder in self.step.placeholders:
            trainable = placeholder.role == "parameter" and placeholder.tensor.requires_grad
            if (
                trainable
                and placeholder.name not in self.updated
                and placeholder.name not in self.step.unused
            ):
                raise CaptureError(
                    f"parameter {placeholder.name!r} has a gradient but the step does not update it"
                )


def is_random(node: Node) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
