"""What goes into a traced step: every tensor it touches as a placeholder, and where the real one lives."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree

from lowtide.torch.errors import CaptureError, UnsupportedError
from lowtide.torch.tracing.as_traced import full_masks, gives_positions
from lowtide.torch.tracing.fakes import Twins

PARAMETER, BUFFER, STATE, INPUT = "parameter", "buffer", "optimizer_state", "input"
HYPERPARAMETER = "hyperparameter"  # a learning rate as a tensor of one float64
OUTSIDE = "outside"  # the key of a parameter or buffer that is not the model's; its owner is a path

Tensors = Mapping[torch.Tensor, torch.Tensor]  # twin -> the tensor that stands for it in a trace


@dataclasses.dataclass(frozen=True)
class Placeholder:
    """One input of the traced function.

    name: unique, and the tensor's name in the Graph: 'layer.weight', 'layer.weight.exp_avg', 'batch0',
    'group0.lr'. role: PARAMETER, BUFFER, STATE, INPUT or HYPERPARAMETER. tensor: its fake twin.
    owner, key: where the real one is found (see `live`).
    """

    name: str
    role: str
    tensor: torch.Tensor
    owner: str | int = ""
    key: Any = ""

    @property
    def is_outside(self) -> bool:
        """Found by a path from model, loss function or optimizer (see tracing.reach)."""
        return self.key == OUTSIDE and self.role in (PARAMETER, BUFFER)


@dataclasses.dataclass(frozen=True)
class BatchForm:
    """How a batch is built from its leaves; leaves that are not tensors are part of the traced step."""

    spec: pytree.TreeSpec
    leaves: tuple[Any, ...]  # the twin of each tensor; other leaves as they are

    def flatten(self, batch: Any) -> list[Any]:
        """The leaves of a batch of exactly this form; raises ValueError where it differs."""
        leaves, spec = pytree.tree_flatten(plain(batch))
        if spec != self.spec:
            raise ValueError(f"the batch has the form {spec}; the step was traced for {self.spec}")
        for leaf, known in zip(leaves, self.leaves, strict=True):
            if _signature(leaf) != _signature(known):
                raise ValueError(
                    f"the batch holds {_signature(leaf)}; the step was traced for {_signature(known)}"
                )
        return leaves

    def rebuild(self, traced: Tensors) -> Any:
        leaves = [traced[x] if isinstance(x, torch.Tensor) else x for x in self.leaves]
        return pytree.tree_unflatten(leaves, self.spec)


def _signature(leaf: Any) -> Any:
    return (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, torch.Tensor) else leaf


def plain(batch: Any) -> Any:
    """The batch with every mapping as a dict (a tokenizer's BatchEncoding is one), which can be flattened."""
    if isinstance(batch, Mapping):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, (tuple, list)) and not hasattr(batch, "_fields"):
        return type(batch)(plain(value) for value in batch)
    return batch


class StepInputs:
    """All tensors a step touches: flattened into placeholders, and given back by twin."""

    def __init__(
        self, model: torch.nn.Module, twins: Twins, outside: Mapping[str, torch.Tensor] | None = None
    ) -> None:
        """outside: parameters that are not the model's, by their paths."""
        self.twins = twins
        self.placeholders: list[Placeholder] = []
        self._names: set[str] = set()
        self.parameters = dict(model.named_parameters())
        self.buffers = dict(model.named_buffers())
        self._lifted: dict[str, torch.Tensor] = {}
        self._of_model = {**self.parameters, **self.buffers}
        for name, tensor in self.parameters.items():
            self._add_named(name, PARAMETER, tensor)
        for name, tensor in self.buffers.items():
            self._add_named(name, BUFFER, tensor)
        for path, tensor in (outside or {}).items():
            self.parameters[self._add_named(path, PARAMETER, tensor, key=OUTSIDE)] = tensor
        _refuse_overlaps(self.own)

    def _add_named(self, name: str, role: str, tensor: torch.Tensor, **where: Any) -> str:
        try:
            twin = self.twins.of(tensor)
        except CaptureError as error:
            raise type(error)(f"{role} {name!r}: {error}") from None
        return self._append(name, role, twin, owner=name, **where)

    def _append(self, name: str, role: str, twin: torch.Tensor, **where: Any) -> str:
        while name in self._names:
            name += "'"  # a parameter may be called 'batch0'
        self._names.add(name)
        self.placeholders.append(Placeholder(name, role, twin, **where))
        return name

    def add_lifted(self, outside: Mapping[str, torch.Tensor]) -> None:
        """Tensors that the step may come across and that are not the model's, by their paths."""
        for path, tensor in outside.items():
            if tensor.layout is torch.strided and not tensor.is_nested:
                self._append(path, BUFFER, self.twins.same(tensor), owner=path, key=OUTSIDE)
                self._lifted[path] = tensor

    def trainable(self) -> dict[str, torch.Tensor]:
        """Name -> twin of every parameter that requires a gradient."""
        return {name: self.twins.of(p) for name, p in self.parameters.items() if p.requires_grad}

    def names(self) -> dict[torch.Tensor, str]:
        """Twin of each parameter -> its name."""
        return {self.twins.of(p): name for name, p in self.parameters.items()}

    def add_state(self, state: Mapping[torch.Tensor, Mapping[str, Any]]) -> None:
        """The optimizer's state, keyed by the parameters' twins; its tensors are twins themselves."""
        names = self.names()
        for parameter, values in state.items():
            for key, twin in values.items():
                if isinstance(twin, torch.Tensor):
                    name = names[parameter]
                    self._append(f"{name}.{key}", STATE, twin, owner=name, key=key)

    def add_hyperparameters(self, groups: Iterable[Mapping[torch.Tensor, str]]) -> None:
        """Those of the optimizer's group options that are tensors (twins), with their names."""
        for number, group in enumerate(groups):
            for twin, key in group.items():
                self._append(f"group{number}.{key}", HYPERPARAMETER, twin, owner=number, key=key)

    def add_batch(self, batch: Any) -> BatchForm:
        """Each tensor of the batch is an input of its own, also where two are the same object.

        (A GPT's labels often are its input ids; in the next batch they need not be.)
        """
        self.answers = full_masks(batch), gives_positions(batch)
        leaves, spec = pytree.tree_flatten(plain(batch))
        count = itertools.count()
        twins: list[Any] = []
        for position, leaf in enumerate(leaves):
            if isinstance(leaf, torch.Tensor):
                twin = self.twins.fresh(leaf)  # requires a gradient where the batch's own does, leaf or not
                self._append(f"batch{next(count)}", INPUT, twin, key=position)
                leaf = twin
            elif not isinstance(leaf, (int, float, complex, str, bytes, bool, type(None))):
                raise UnsupportedError(
                    f"the batch holds a {type(leaf).__name__}: tensors must stand in tuples, lists or dicts"
                )
            twins.append(leaf)
        return BatchForm(spec, tuple(twins))

    def module_tensors(self, traced: Tensors) -> dict[str, torch.Tensor]:
        """What to reparametrize the model with."""
        return {name: traced[self.twins.of(tensor)] for name, tensor in self._of_model.items()}

    @property
    def own(self) -> dict[str, torch.Tensor]:
        """All parameters, those outside the model that are trained too, and buffers."""
        return {**self.parameters, **self.buffers}

    def stand_ins(self, traced: Tensors) -> dict[int, torch.Tensor]:
        """For all of them, and what is lifted, wherever they are kept: by the id of the real one."""
        tensors = itertools.chain(self.own.values(), self._lifted.values())
        return {id(tensor): traced[self.twins.of(tensor)] for tensor in tensors}


def _refuse_overlaps(tensors: Mapping[str, torch.Tensor]) -> None:
    """Two tensors over the same bytes would be planned and updated as two."""
    ranges = sorted(
        (*_byte_range(tensor), name)
        for name, tensor in tensors.items()
        if tensor.numel() and tensor.device.type != "meta"
    )
    for (_, end, first), (start, _, second) in itertools.pairwise(ranges):
        if start < end:
            raise UnsupportedError(
                f"{first!r} and {second!r} are different tensors over the same bytes; tie them by making "
                "them one Parameter"
            )


def _byte_range(tensor: torch.Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    # Fake storages have no address; their identity keeps them apart as well.
    base = storage._cdata << 64 if is_fake(tensor) else storage.data_ptr()
    span = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)) + 1
    start = base + tensor.storage_offset() * tensor.element_size()
    return start, start + span * tensor.element_size()


def is_fake(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, torch._subclasses.FakeTensor) or isinstance(
        tensor.data, torch._subclasses.FakeTensor
    )


def call_model(model: Callable[..., Any], inputs: Any) -> Any:
    """A tuple or list is unpacked into positional arguments, a dict into named ones."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    if isinstance(inputs, (tuple, list)):
        return model(*inputs)
    return model(inputs)


def check_batch(loss_fn: Callable[..., Any] | None, batch: Any) -> None:
    if loss_fn is None:
        if not isinstance(batch, Mapping):
            raise CaptureError("without a loss_fn the batch must be a dict, for model(**batch).loss")
    elif not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise CaptureError("the batch must be (input, target)")


def loss_of(
    model: Callable[..., Any], loss_fn: Callable[..., Any] | None, batch: Any
) -> tuple[torch.Tensor, Any]:
    """The loss, and what the model returned: loss_fn(model(input), target), or model(**batch).loss."""
    result = call_model(model, batch if loss_fn is None else batch[0])
    if loss_fn is not None:
        loss = loss_fn(result, batch[1])
    else:
        loss = result.get("loss") if isinstance(result, Mapping) else getattr(result, "loss", None)
        if loss is None:
            raise CaptureError("model(**batch) returned no .loss; are the labels in the batch?")
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise CaptureError("the loss must be a tensor of one element")
    if not loss.requires_grad:
        raise CaptureError("the loss depends on no trainable parameter: there is nothing to train")
    return loss, result
