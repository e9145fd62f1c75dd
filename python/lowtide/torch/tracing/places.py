"""Where Python keeps references: a dict, a list, a variable of a closure, an attribute of a class, a random
generator's own state. What is in such a place, what it is called, and how to put back what was in it.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

PLAIN = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    torch.dtype,
    torch.device,
    torch.Size,
    torch.layout,
)
INTERNAL = ("_parameters", "_buffers", "_modules")  # a module's, whose entries go by the module's own name
HOOKS = frozenset(
    k for k, v in vars(torch.nn.Module()).items() if v is not None and k not in (*INTERNAL, "training")
)
MISSING = object()
CODE = (types.FunctionType, staticmethod, classmethod, property, functools._lru_cache_wrapper)


class Place:
    """Something that holds references: what is in it now, and how to put back what was.

    signed: it is compared at each call, not only kept across a trace. is_used: forward and loss may read it;
    the optimizer's are its own.
    """

    is_used = True

    def __init__(self, path: str, signed: bool = True) -> None:
        self.path = path
        self.signed = signed

    def values(self) -> Iterable[Any]:
        """What it refers to; of a container a live view."""
        raise NotImplementedError

    def items(self) -> dict[Any, Any]:
        raise NotImplementedError

    def put(self, key: Any, value: Any) -> None:
        raise NotImplementedError

    def restore(self, saved: dict[Any, Any]) -> None:
        for key, value in saved.items():
            self.put(key, value)

    def name(self, key: Any) -> str:
        return f"{self.path}.{key}"

    def compares(self, key: Any, value: Any) -> bool:
        """Whether what is under that key is looked at in each call."""
        return self.signed


class DictPlace(Place):
    """A dict, or with `attributes` the one of an object."""

    def __init__(
        self, path: str, content: dict[Any, Any], attributes: bool = False, signed: bool = True
    ) -> None:
        super().__init__(path, signed)
        self.content = content
        self.attributes = attributes

    def values(self) -> Iterable[Any]:
        return self.content.values()

    def items(self) -> dict[Any, Any]:
        return dict(self.content)

    def put(self, key: Any, value: Any) -> None:
        self.content[key] = value

    def restore(self, saved: dict[Any, Any]) -> None:
        self.content.clear()
        self.content.update(saved)

    def name(self, key: Any) -> str:
        if self.attributes:
            return f"{self.path}.{key}"
        return f"{self.path}[{key!r}]" if isinstance(key, (str, int)) else f"{self.path}[...]"


class ModulePlace(DictPlace):
    """The attributes of a module. Each has a dozen dicts of hooks, which are watched by what is in them."""

    def __init__(self, path: str, content: dict[str, Any]) -> None:
        super().__init__(path, content, attributes=True)
        keys = [key for key, value in content.items() if self.compares(key, value)]
        # The first twice: of a single key it would give no tuple.
        self.get = operator.itemgetter(keys[0], *keys) if keys else lambda _: ()

    def compares(self, key: Any, value: Any) -> bool:
        return key not in HOOKS or bool(value)

    def values(self) -> Iterable[Any]:
        return self.get(self.content)


class OptimizerPlace(ModulePlace):
    """The attributes of an optimizer, but for what schedulers put there: they wrap its step to count."""

    def compares(self, key: Any, value: Any) -> bool:
        return key not in ("step", "_opt_called", "_step_count")


class ListPlace(Place):
    """A list or a deque."""

    def __init__(self, path: str, content: Any) -> None:
        super().__init__(path)
        self.content = content

    def values(self) -> Iterable[Any]:
        return self.content

    def items(self) -> dict[Any, Any]:
        return dict(enumerate(self.content))

    def put(self, key: Any, value: Any) -> None:
        self.content[key] = value

    def restore(self, saved: dict[Any, Any]) -> None:
        self.content.clear()
        self.content.extend(saved.values())

    def name(self, key: Any) -> str:
        return f"{self.path}[{key}]"


class SetPlace(Place):
    def __init__(self, path: str, content: set[Any]) -> None:
        super().__init__(path)
        self.content = content

    def values(self) -> Iterable[Any]:
        return self.content

    def items(self) -> dict[Any, Any]:
        return dict.fromkeys(self.content, True)

    def restore(self, saved: dict[Any, Any]) -> None:
        self.content.clear()
        self.content.update(saved)


class FixedPlace(Place):
    """What cannot change: a tuple, a bound method, a partial."""

    def __init__(self, path: str, content: dict[Any, Any]) -> None:
        super().__init__(path)
        self.content = content

    def values(self) -> Iterable[Any]:
        return ()

    def items(self) -> dict[Any, Any]:
        return self.content

    def put(self, key: Any, value: Any) -> None:
        raise TypeError("it cannot change")

    def restore(self, saved: dict[Any, Any]) -> None:
        pass

    def name(self, key: Any) -> str:
        return f"{self.path}[{key}]" if isinstance(key, int) else self.path


class Roots(FixedPlace):
    def name(self, key: Any) -> str:
        return str(key)


class CellPlace(Place):
    """A variable that a function closes over."""

    def __init__(self, path: str, variable: str, cell: types.CellType) -> None:
        super().__init__(path)
        self.variable = variable
        self.cell = cell

    def values(self) -> Iterable[Any]:
        try:
            return (self.cell.cell_contents,)
        except ValueError:  # empty: not bound yet
            return ()

    def items(self) -> dict[Any, Any]:
        return dict.fromkeys((self.variable,), *self.values()) if self.values() else {}

    def put(self, key: Any, value: Any) -> None:
        self.cell.cell_contents = value

    def name(self, key: Any) -> str:
        return f"{key} in {self.path}"


class DefaultsPlace(Place):
    """Of a function's arguments."""

    def __init__(self, path: str, function: types.FunctionType) -> None:
        super().__init__(path)
        self.function = function

    def values(self) -> Iterable[Any]:
        return (self.function.__defaults__,)

    def items(self) -> dict[Any, Any]:
        return {"__defaults__": self.function.__defaults__}

    def put(self, key: Any, value: Any) -> None:
        self.function.__defaults__ = value


class SlotsPlace(Place):
    """The attributes of an object that keeps them in slots."""

    def __init__(self, path: str, owner: Any, names: list[str]) -> None:
        super().__init__(path)
        self.owner = owner
        self.names = names

    def values(self) -> Iterable[Any]:
        return [getattr(self.owner, name, MISSING) for name in self.names]

    def items(self) -> dict[Any, Any]:
        return {name: getattr(self.owner, name) for name in self.names if hasattr(self.owner, name)}

    def put(self, key: Any, value: Any) -> None:
        setattr(self.owner, key, value)


class NamesPlace(Place):
    """Those of a module's globals, or of a class' attributes, that matter."""

    def __init__(
        self, path: str, space: Mapping[str, Any], names: list[str], owner: type | None = None
    ) -> None:
        super().__init__(path)
        self.space = space
        self.names = names
        self.owner = owner

    def values(self) -> Iterable[Any]:
        return [self.space.get(name, MISSING) for name in self.names]

    def items(self) -> dict[Any, Any]:
        return {name: self.space[name] for name in self.names if name in self.space}

    def put(self, key: Any, value: Any) -> None:
        if self.owner is not None:
            setattr(self.owner, key, value)
        else:
            assert isinstance(self.space, dict)
            self.space[key] = value

    def restore(self, saved: dict[Any, Any]) -> None:
        for name in self.names:
            if name in saved:
                self.put(name, saved[name])
            elif self.owner is not None and name in self.space:
                delattr(self.owner, name)

    def name(self, key: Any) -> str:
        return f"{self.path}.{key}" if self.owner is not None else f"{key} in {self.path}"


class ClassPlace(NamesPlace):
    """All attributes of a class that are no code."""

    def __init__(self, path: str, owner: type) -> None:
        super().__init__(path, vars(owner), [], owner)
        self._now()

    def _now(self) -> None:
        self.names = [name for name, value in self.space.items() if _may_change(name, value)]

    def values(self) -> Iterable[Any]:
        return self.space.values()

    def items(self) -> dict[Any, Any]:
        self._now()
        return super().items()

    def restore(self, saved: dict[Any, Any]) -> None:
        self._now()
        super().restore(saved)


class StatePlace(Place):
    """What keeps its state to itself: random generators, arrays; told by `get`, put back by `set`."""

    def __init__(self, path: str, get: Callable[[], Any], set: Callable[[Any], Any]) -> None:
        super().__init__(path, signed=False)
        self.get, self.set = get, set

    def values(self) -> Iterable[Any]:
        return ()

    def items(self) -> dict[Any, Any]:
        return {"": Frozen(self.get())}

    def restore(self, saved: dict[Any, Any]) -> None:
        self.set(saved[""].value)

    def name(self, key: Any) -> str:
        return self.path


class ArrayPlace(StatePlace):
    """The values of a NumPy array, which may be changed in place."""

    def __init__(self, path: str, array: Any) -> None:
        super().__init__(path, array.copy, lambda saved: array.__setitem__(..., saved))
        self.array = array


class CachePlace(StatePlace):
    """An lru_cache: emptied if something was put in; it would make the same again."""


class Frozen:
    """A state, compared by value."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._as_text = _as_text(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self._as_text == other._as_text

    __hash__ = None  # type: ignore[assignment]


def _as_text(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if hasattr(value, "tobytes"):
        return value.tobytes()
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, (tuple, list)) else value


def _may_change(name: str, value: Any) -> bool:
    return not (name.startswith("__") or isinstance(value, (*CODE, types.MemberDescriptorType)))
