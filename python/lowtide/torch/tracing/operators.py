"""What an ATen operator says about itself: what it writes, whether it draws random numbers, and so on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.fx import Node

from lowtide.torch.errors import CaptureError, UnsupportedError

# Operators that write arguments their schema does not mark: name -> (positions, position of the flag
# that must be true). Batch norm's running statistics in training.
_UNANNOUNCED_WRITES = {
    "aten.native_batch_norm.default": ((3, 4), 5),
    "aten.cudnn_batch_norm.default": ((3, 4), 5),
    "aten.miopen_batch_norm.default": ((3, 4), 5),
}
# They give a tensor another storage, or a storage another size, behind the back of its views.
_STORAGE_CHANGING = (
    "aten.set_",
    "aten.resize_",
    "aten.resize_as_",
    "inductor.resize_storage_bytes_",
)


def fake_values(node: Node) -> list[torch.Tensor]:
    """The fake tensors a node produces, in order; [] for numbers and None."""
    return list(_tensors(node.meta.get("val")))


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def storage_key(tensor: torch.Tensor) -> int:
    """Identity of the tensor's storage, as long as any tensor on it lives."""
    return tensor.untyped_storage()._cdata


def written_arguments(node: Node) -> Iterator[Node]:
    """The nodes whose storages the operator writes, by its schema and the list of those that lie."""
    positions, flag = _UNANNOUNCED_WRITES.get(str(node.target), ((), 0))
    if positions and node.args[flag]:
        yield from (argument for i in positions if isinstance(argument := node.args[i], Node))
    schema = getattr(node.target, "_schema", None)
    for position, argument in enumerate(schema.arguments if schema is not None else ()):
        if argument.alias_info is not None and argument.alias_info.is_write:
            inside = position < len(node.args)
            value = node.args[position] if inside else node.kwargs.get(argument.name)
            yield from (x for x in _flat(value) if isinstance(x, Node))


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]


def check_storages(node: Node, of_inputs: set[int]) -> None:
    """Storages can be trusted: an announced alias is one, and no storage changes under its views.

    Fake tensors that lost their identity (deep copies do) would show as aliases that are none.
    """
    if str(node.target).startswith(_STORAGE_CHANGING):
        raise UnsupportedError(f"node {node.name} ({node.target}): it changes a tensor's storage")
    schema = getattr(node.target, "_schema", None)
    if schema is None or not of_inputs:
        return
    value = node.meta.get("val")
    values = [value] if len(schema.returns) == 1 else _flat(value)
    for returned, given in zip(schema.returns, values, strict=False):
        if returned.alias_info is None:
            continue
        for tensor in _tensors(given):
            if storage_key(tensor) not in of_inputs:
                raise CaptureError(
                    f"node {node.name} ({node.target}): announced as an alias, but it is a new storage"
                )


def is_random(node: Node) -> bool:
    """It draws random numbers. Attention is tagged so for its dropout, and draws none without."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    return argument(node, "dropout_p", default=None) != 0.0


def argument(node: Node, name: str, default: Any) -> Any:
    """What the call of an operator gives for an argument: here, by its schema, or else `default`."""
    for position, known in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if known.name == name:
            given = node.args[position] if position < len(node.args) else node.kwargs.get(name)
            return known.default_value if given is None else given
    return default


def is_pointwise(node: Node) -> bool:
    return torch.Tag.pointwise in getattr(node.target, "tags", ())


def is_collective(node: Node) -> bool:
    """The start of a collective; every rank must start them in the same order."""
    return getattr(node.target, "namespace", "") == "_c10d_functional" and not is_wait(node)


def is_wait(node: Node) -> bool:
    return str(node.target) == "_c10d_functional.wait_tensor.default"
