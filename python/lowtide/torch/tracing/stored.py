"""A traced program as data, and back: operators by name, tensors by shape and storage, and no code.

Reading runs nothing that the file says: operators are looked up among PyTorch's own and a short list of
arithmetic. What cannot be written so (large constants, tensors off the CPU) is not stored, and will be traced
again; nor is a model that reads a number from a tensor, for Python could branch on it unseen (see
`observe`; an optimizer may: its code is part of the key). A program read back has stand-ins on the meta
device for its fake tensors.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch.fx import Graph, Node
from torch.fx._lazy_graph_module import _LazyGraphModule

from lowtide.torch.cache import content_key
from lowtide.torch.tracing.inputs import BatchForm, Placeholder
from lowtide.torch.tracing.observe import PYTHON_CALLS
from lowtide.torch.tracing.operators import storage_key
from lowtide.torch.tracing.trace import TracedStep

FORMAT = 3
_NAMES = {call: name for name, call in PYTHON_CALLS.items()}
_CONSTANT_ELEMENTS = 64  # more is data, and stays where it is
_PLAIN = (bool, int, float, str, type(None))
_TORCH_CONSTANTS = (torch.dtype, torch.layout, torch.memory_format)


class _CannotBeStored(Exception):
    pass


def dump(step: TracedStep) -> str | None:
    """The program as text; None if it cannot be stored."""
    try:
        text = json.dumps(_Writer().step(step), separators=(",", ":"))
    except (_CannotBeStored, TypeError):  # TypeError: a size is a symbol
        return None
    return content_key(text) + text


def load(text: str, form: BatchForm) -> TracedStep:
    """The program again. Raises ValueError if the text is not one."""
    if content_key(text[32:]) != text[:32]:
        raise ValueError("the stored program is damaged")
    data = json.loads(text[32:])
    if data["format"] != FORMAT:
        raise ValueError("a stored program of another format")
    return _Reader(data["storages"]).step(data, form)


class _Writer:
    def __init__(self) -> None:
        self.storages: dict[int, int] = {}  # key -> number
        self.bytes: list[int] = []

    def step(self, step: TracedStep) -> dict[str, Any]:
        inputs = [[p.name, p.role, p.owner, p.key, self.value(p.tensor)] for p in step.placeholders]
        nodes = [self.node(node, step.phases.get(node.name)) for node in step.module.graph.nodes]
        return {
            "format": FORMAT,
            "placeholders": inputs,
            "nodes": nodes,
            "unused": step.unused,
            "gradients": step.gradients,
            "passed_on": step.passed_on,
            "buckets": step.buckets,
            "updates": bool(step.groups),
            "constants": self.constants(step.module),
            "storages": self.bytes,
        }

    def constants(self, module: torch.fx.GraphModule) -> dict[str, Any]:
        names = [str(node.target) for node in module.graph.nodes if node.op == "get_attr"]
        return {name: self.constant(getattr(module, name, None)) for name in names}

    def constant(self, value: Any) -> list[Any]:
        small = isinstance(value, torch.Tensor) and value.numel() <= _CONSTANT_ELEMENTS
        if not small or value.device.type != "cpu" or value.is_complex() or not value.is_contiguous():
            raise _CannotBeStored("constant")
        return [str(value.dtype).removeprefix("torch."), list(value.shape), value.flatten().tolist()]

    def node(self, node: Node, phase: str | None) -> list[Any]:
        reads_number = node.target is torch.ops.aten._local_scalar_dense.default
        if reads_number and phase != "optimizer":
            raise _CannotBeStored(node.name)
        value = self.value(node.meta.get("val"))
        arguments = self.argument(list(node.args)), self.argument(dict(node.kwargs))
        return [node.op, node.name, self.target(node), *arguments, value, phase]

    def target(self, node: Node) -> str:
        if node.op != "call_function":
            return str(node.target)
        if isinstance(node.target, torch._ops.OpOverload):
            return str(node.target)
        if node.target not in _NAMES:
            raise _CannotBeStored(node.name)
        return _NAMES[node.target]

    def argument(self, value: Any) -> Any:
        if isinstance(value, Node):
            return {"node": value.name}
        if isinstance(value, (tuple, list)):
            return [self.argument(item) for item in value]
        if isinstance(value, dict):
            return {"dict": {key: self.argument(item) for key, item in value.items()}}
        if isinstance(value, _TORCH_CONSTANTS):
            return {"torch": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"device": str(value)}
        if type(value) in _PLAIN:
            return value
        raise _CannotBeStored(type(value).__name__)

    def value(self, value: Any) -> Any:
        """Geometry of the tensors a node gives; None for numbers."""
        if isinstance(value, torch.Tensor):
            if value.device.type != "cpu" or value.layout is not torch.strided:
                raise _CannotBeStored(str(value.device))
            kind = str(value.dtype).removeprefix("torch.")
            where = self.storage(value), value.storage_offset()
            return {"tensor": [kind, list(value.shape), list(value.stride()), *where, value.requires_grad]}
        if isinstance(value, (tuple, list)):
            return [self.value(item) for item in value]
        return None

    def storage(self, tensor: torch.Tensor) -> int:
        key = storage_key(tensor)
        if key not in self.storages:
            size = tensor.untyped_storage().nbytes()
            if not isinstance(size, int):
                raise _CannotBeStored("a size that depends on values")
            self.storages[key] = len(self.bytes)
            self.bytes.append(size)
        return self.storages[key]


class _Reader:
    def __init__(self, sizes: list[int]) -> None:
        self.storages = [torch.UntypedStorage(size, device="meta") for size in sizes]
        self.nodes: dict[str, Node] = {}

    def step(self, data: dict[str, Any], form: BatchForm) -> TracedStep:
        placeholders = [
            Placeholder(name, role, self.value(tensor), owner, key)
            for name, role, owner, key, tensor in data["placeholders"]
        ]
        graph, phases = Graph(), {}
        for op, name, target, arguments, keywords, value, phase in data["nodes"]:
            node = graph.create_node(
                op,
                _call(target) if op == "call_function" else target,
                tuple(self.argument(arguments)),
                self.argument(keywords),
                name,
            )
            node.name = name
            node.meta["val"] = self.value(value)
            self.nodes[name] = node
            if phase is not None:
                phases[name] = phase
        root = torch.nn.Module()
        for name, (kind, shape, values) in data["constants"].items():
            setattr(root, name, torch.tensor(values, dtype=getattr(torch, kind)).reshape(shape))
        module = _LazyGraphModule(root, graph)  # its code is hardly ever needed
        groups: list[dict[str, Any]] = [{}] if data["updates"] else []
        return TracedStep(
            module,
            placeholders,
            phases,
            form,
            unused=data["unused"],
            groups=groups,
            gradients=data["gradients"],
            passed_on=data["passed_on"],
            buckets=data["buckets"],
        )

    def argument(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.argument(item) for item in value]
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind == "node":
            return self.nodes[content]
        if kind == "dict":
            return {key: self.argument(item) for key, item in content.items()}
        return torch.device(content) if kind == "device" else getattr(torch, content)

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if value is None:
            return None
        kind, shape, stride, storage, offset, requires_grad = value["tensor"]
        tensor = torch.empty(0, dtype=getattr(torch, kind), device="meta")
        tensor.set_(self.storages[storage], offset, shape, stride)
        return tensor.requires_grad_(True) if requires_grad else tensor


def _call(name: str) -> Any:
    if name in PYTHON_CALLS:
        return PYTHON_CALLS[name]
    namespace, operator, overload = name.split(".")
    return getattr(getattr(getattr(torch.ops, namespace), operator), overload)
