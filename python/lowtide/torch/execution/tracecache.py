"""Traced programs on disk, beside the plans made for them, so that a second process need not trace.

The key only has to find a program that is likely the right one: before it runs, the process' second step is
held against it operator by operator (tracing.observe). What makes a program another one all the same, most
often, is in the key: the model's and optimizer's structure and code, the loss function's code, the batch's
form, options, versions.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

import lowtide
from lowtide.torch import cache
from lowtide.torch.tracing import stored
from lowtide.torch.tracing.inputs import BatchForm, plain
from lowtide.torch.tracing.optimizers import Optimizers
from lowtide.torch.tracing.trace import TracedStep

_PLAN_KEY = 32  # characters


@dataclass(frozen=True)
class StoredProgram:
    traced: TracedStep
    plan_key: str
    text: str


def key_of(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any] | None,
    optimizers: Optimizers | None,
    *looks: object,
) -> str:
    """The name under which to look for a program. looks: all else that it depends on."""
    tensors = [
        (name, t.shape, t.stride(), t.dtype, t.requires_grad)
        for named in (model.named_parameters(), model.named_buffers())
        for name, t in named
    ]
    modes = [module.training for module in model.modules()]
    kinds = dict.fromkeys(type(module) for module in model.modules())
    code = [part for kind in kinds for part in _code_of_class(kind)]
    code += [repr(loss_fn)] if isinstance(loss_fn, torch.nn.Module) else _code_of(loss_fn)
    if optimizers is not None:
        names = {id(p): name for name, p in model.named_parameters()}
        groups = [[names.get(id(p)) for p in group["params"]] for group in optimizers.param_groups]
        code += [repr(groups), *(part for o in optimizers.each for part in _code_of_class(type(o)))]
    versions = torch.__version__, lowtide.__version__
    return cache.content_key(repr(model), repr(tensors), repr(modes), repr(looks), *code, *versions)


def load(key: str, batch: Any) -> StoredProgram | None:
    data = cache.read(f"trace-{key}.json")
    if data is None:
        return None
    try:
        text = data.decode()
        traced = stored.load(text[_PLAN_KEY:], _form_of(batch))
    except Exception:  # of another version, or damaged, in whatever way: it will be written anew
        return None
    return StoredProgram(traced, text[:_PLAN_KEY], text)


def save(key: str, text: str, refused: str | None, plan_key: str) -> None:
    """text: of `stored.dump`. refused: an entry that was found to differ; the same again would differ
    again, and a note takes its place (where fake tensors lead Python another way than live ones, say).
    """
    name, entry = f"trace-{key}.json", (plan_key + text).encode()
    note = b"differs from a live step: " + cache.content_key(entry).encode()
    if refused is not None and refused.encode() == entry:
        cache.write(name, note)
    elif cache.read(name) != note:
        cache.write(name, entry)


def _form_of(batch: Any) -> BatchForm:
    """The batch's form, with tensors of no memory."""
    leaves, spec = pytree.tree_flatten(plain(batch))
    return BatchForm(spec, tuple(x.to("meta") if isinstance(x, torch.Tensor) else x for x in leaves))


# -- code ------------------------------------------------------------------------------------------


def _code_of_class(kind: type) -> Iterator[str]:
    """What a class is made of, down to PyTorch's own, which go by its version."""
    for base in kind.__mro__:
        yield f"{base.__module__}.{base.__qualname__}"
        if base is not object and not base.__module__.startswith("torch."):
            for value in vars(base).values():
                yield from _code_of(value)


def _code_of(value: Any) -> list[str]:
    """Of a function or what wraps one: its instructions, constants and names. Not what it closes over."""
    function = getattr(value, "__func__", getattr(value, "fget", value))
    function = getattr(function, "__wrapped__", function)
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    code = getattr(function, "__code__", None)
    return [name, *_parts(code)] if code is not None else [name]


def _parts(code: types.CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _parts(constant)
        else:  # a set is written in another order by every process
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)
