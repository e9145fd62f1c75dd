"""What the Python code of a step can touch: one walk, and four uses of it.

A compiled step runs a recorded program instead of the user's Python. That is right only as long as the code
would do the same again. What it can read and write is found by walking from the model, the loss function and
the optimizer: attributes of modules and of plain objects, lists and dicts, hooks, what functions close over,
the globals that they name, attributes of classes. The walk gives places (a dict, a list, a cell, ...), and
with them

 * what a trace must leave as it was, random states included, whatever happens (`held`),
 * what it would have changed: Python that a program would not run again (`held`),
 * what each call compares with the step that was traced (`look`): plain numbers and strings, which tensor is
   where and of which form, which module, function or object,
 * where to find a tensor that is not the model's, at each call, by the path to it (`tensors`).

A call in which nothing was rebound costs one pass over references, in C; only if something was is the walk
repeated and the whole compared. Not walked are PyTorch's own code and the standard library's, the code of
installed packages (their objects are), and the values in large NumPy arrays and containers.
"""

from __future__ import annotations

import functools
import io
import operator
import random
import sys
import types
import weakref
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch

from lowtide.torch.errors import UnsupportedError
from lowtide.torch.tracing.places import (
    CODE,
    INTERNAL,
    MISSING,
    PLAIN,
    ArrayPlace,
    CachePlace,
    CellPlace,
    ClassPlace,
    DefaultsPlace,
    DictPlace,
    FixedPlace,
    Frozen,
    ListPlace,
    ModulePlace,
    NamesPlace,
    OptimizerPlace,
    Place,
    Roots,
    SetPlace,
    SlotsPlace,
    StatePlace,
)

_PLAIN = frozenset(PLAIN)
_LARGE = 10_000  # entries of a container that is data, not settings
_SMALL_ARRAY = 4096  # bytes of one whose values are compared


class Reach:
    """All places that a step's Python code can reach from its roots, as of the last `look`."""

    def __init__(self, **roots: Any) -> None:
        self.roots = roots
        self.places: list[Place] = []
        self.tensors: dict[str, torch.Tensor] = {}  # by the path to it
        self.paths: dict[int, str] = {}  # id of a tensor -> path
        self._tokens = _Tokens()
        self._numbers: dict[Hashable, int] = {}
        self._atoms: dict[str, Hashable] = {}
        self._was: dict[str, Hashable] = {}
        self.changes = 0  # how often a walk found something else than the one before
        self._walk()

    # -- comparing -------------------------------------------------------------------------------

    def look(self) -> int:
        """A number for everything that is compared: the same for the same, another for another."""
        if not self._same_references():
            self._walk()
        return self.number

    def changed(self) -> list[str]:
        """The names of what the last walk found otherwise than the one before."""
        names = [name for name, atom in self._atoms.items() if self._was.get(name, MISSING) != atom]
        return names + [name for name in self._was if name not in self._atoms]

    def _same_references(self) -> bool:
        if any(self._empty) or list(map(len, self._sized)) != self._sizes:
            return False
        try:
            now = self._references()
        except (KeyError, ValueError):  # an attribute is gone, a variable not bound
            return False
        same = len(now) == len(self._known) and all(map(operator.is_, now, self._known))
        return same and self._forms() == self._known_forms

    def _references(self) -> list[Any]:
        modules = [get(content) for get, content in self._modules]
        now = list(chain.from_iterable(chain(self._views, modules)))
        for place in self._others:
            now += place.values()
        return now

    def _forms(self) -> list[list[Any]]:
        """What can change of a tensor in place, without a new reference."""
        tensors = self.tensors.values()
        return [*(list(map(look, tensors)) for look in _LOOKS), [array.tobytes() for array in self._arrays]]

    def _walk(self) -> None:
        walk = _Walk(self.roots, self._tokens)
        self.places, self.tensors, self.paths = walk.places, walk.tensors, walk.paths
        self._used = walk.used
        if walk.atoms != self._atoms:
            self._was, self._atoms = self._atoms, walk.atoms
            self.changes += 1
        self.number = self._numbers.setdefault(tuple(walk.atoms.items()), len(self._numbers))
        signed = [place for place in self.places if place.signed and not isinstance(place, FixedPlace)]
        arrays = [place.array for place in self.places if isinstance(place, ArrayPlace)]
        self._arrays = [array for array in arrays if array.nbytes <= _SMALL_ARRAY]
        single = (CellPlace, DefaultsPlace, NamesPlace, SlotsPlace)
        self._others = [place for place in signed if isinstance(place, single)]
        modules = [place for place in signed if isinstance(place, ModulePlace)]
        views = [
            place.values()
            for place in signed
            if isinstance(place, _VIEWED) and not isinstance(place, ModulePlace)
        ]
        self._views = [view for view in views if view]
        self._empty = [view for view in views if not view]
        self._modules = [(place.get, place.content) for place in modules]
        self._sized = [place.content for place in modules]
        self._sizes = list(map(len, self._sized))
        self._known = self._references()
        self._known_forms = self._forms()

    def forget(self) -> None:
        """It will not be asked again: nothing is held any more."""
        self.places, self.tensors, self.paths, self._arrays = [], {}, {}, []
        self._known, self._views, self._empty, self._modules, self._others = [], [], [], [], []

    # -- keeping ---------------------------------------------------------------------------------

    @contextmanager
    def held(self) -> Iterator[list[str]]:
        """Whatever happens within, in the end everything is as it was; the list then names what was not."""
        changed: list[str] = []
        places = [*self.places, *_random_states()]
        saved = [place.items() for place in places]
        try:
            yield changed
        finally:
            for place, before in zip(places, saved, strict=True):
                now = place.items()
                if len(now) == len(before) and all(map(operator.is_, now.values(), before.values())):
                    continue
                names = _differences(place, before, now)
                if names or isinstance(place, CachePlace) or not isinstance(place, StatePlace):
                    place.restore(before)
                changed += names

    def outside(self, own: Iterable[torch.Tensor]) -> dict[str, torch.Tensor]:
        """By path, the tensors that forward and loss can reach beside those."""
        known = {id(tensor) for tensor in own}
        return {path: t for path, t in self.tensors.items() if id(t) not in known and path in self._used}

    @contextmanager
    def standing_in(self, tensors: Mapping[int, torch.Tensor]) -> Iterator[None]:
        """Tensors by the id of those in whose places they stand within."""
        replaced = []
        for place in self.places:
            if not (place.signed and place.is_used) or isinstance(place, FixedPlace):
                continue
            for key, value in place.items().items():
                stand_in = _replaced(value, tensors)
                if stand_in is not value:
                    place.put(key, stand_in)
                    replaced.append((place, key, value, stand_in))
        try:
            yield
        finally:
            for place, key, value, stand_in in replaced:
                if place.items().get(key) is stand_in:
                    place.put(key, value)


_VIEWED = (DictPlace, ListPlace, SetPlace)
_LOOKS = tuple(map(operator.attrgetter, ("requires_grad", "dtype", "shape")))


def _replaced(value: Any, tensors: Mapping[int, torch.Tensor]) -> Any:
    """The tensor that stands in for a value; a tuple is made anew with those that stand in for its items."""
    if isinstance(value, torch.Tensor):
        return tensors.get(id(value), value)
    if not isinstance(value, tuple):
        return value
    items = [_replaced(item, tensors) for item in value]
    if all(map(operator.is_, items, value)):
        return value
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


class _Walk:
    """Breadth first, so that a path is the shortest; each object once."""

    def __init__(self, roots: Mapping[str, Any], tokens: _Tokens) -> None:
        self.places: list[Place] = []
        self.tensors: dict[str, torch.Tensor] = {}
        self.paths: dict[int, str] = {}
        self.used: set[str] = set()  # paths of tensors that forward and loss can reach
        self.atoms: dict[str, Hashable] = {}
        self._tokens = tokens
        self._seen: dict[int, Any] = {}  # keeps what is walked alive, for ids to stay unique
        self._queue: deque[tuple[Any, str]] = deque()
        self._settings = True
        # The optimizer last: a parameter goes by the name that it has where it is used.
        for settings in (True, False):
            self._settings = settings
            self._enter(Roots("", {k: v for k, v in roots.items() if (k != "optimizer") is settings}))
            while self._queue:
                value, path = self._queue.popleft()
                for place in self._places_of(value, path):
                    self._enter(place)

    def _enter(self, place: Place) -> None:
        self.places.append(place)
        place.is_used = self._settings
        of_module = isinstance(place, ModulePlace)
        for key, value in place.items().items():
            kind = type(value)
            path = place.name(key)
            if place.compares(key, value):
                self.atoms[path] = self._plain(kind, value) if kind in _PLAIN else self._atom(value, path)
            if kind not in _PLAIN and id(value) not in self._seen:
                self._seen[id(value)] = value
                if of_module and key in INTERNAL:
                    self._enter(DictPlace(place.path, value, attributes=True))
                else:
                    self._queue.append((value, path))

    def _plain(self, kind: type, value: Any) -> Hashable:
        return (kind, value if value == value else "nan")

    def _atom(self, value: Any, path: str) -> Hashable:
        if isinstance(value, torch.Tensor):
            if id(value) not in self.paths:
                self.paths[id(value)] = path
                self.tensors[path] = value
                if self._settings:
                    self.used.add(path)
            # Which one it is, is said by where it was found first; so another of its form may take its place.
            return (self.paths[id(value)], *form(value))
        if isinstance(value, (list, tuple, dict, set, frozenset, deque)):
            return (type(value), len(value))
        if is_array(value) and value.nbytes <= _SMALL_ARRAY:
            return (str(value.dtype), value.shape, value.tobytes())
        return self._tokens.of(value)

    def _places_of(self, value: Any, path: str) -> Iterator[Place]:
        if isinstance(value, torch.nn.Module):
            yield ModulePlace(path, vars(value))
            yield from self._code_of_class(type(value))
        elif isinstance(value, torch.optim.Optimizer):
            yield from self._optimizer(value, path)
        elif isinstance(value, torch.Tensor):
            return
        elif isinstance(value, dict):
            yield from [] if len(value) > _LARGE else [DictPlace(path, value)]
        elif isinstance(value, (list, deque)):
            yield from [] if len(value) > _LARGE else [ListPlace(path, value)]
        elif isinstance(value, set):
            yield from [] if len(value) > _LARGE else [SetPlace(path, value)]
        elif isinstance(value, (tuple, frozenset)):
            yield FixedPlace(path, dict(enumerate(value)))
        else:
            yield from self._places_of_object(value, path)

    def _places_of_object(self, value: Any, path: str) -> Iterator[Place]:
        if isinstance(value, types.FunctionType):
            yield from _places_of_function(value, path)
        elif isinstance(value, types.MethodType):
            yield FixedPlace(path, {"__func__": value.__func__, "__self__": value.__self__})
        elif isinstance(value, functools.partial):
            yield FixedPlace(path, {"func": value.func, "args": value.args, "keywords": value.keywords})
        elif isinstance(value, functools._lru_cache_wrapper):
            yield CachePlace(path, lambda: value.cache_info().misses, lambda _: value.cache_clear())
            yield FixedPlace(path, {"__wrapped__": value.__wrapped__})
        elif isinstance(value, type):
            yield from self._code_of_class(value)
        elif isinstance(value, (staticmethod, classmethod)):
            yield FixedPlace(path, {"__func__": value.__func__})
        elif isinstance(value, property):
            yield FixedPlace(path, {"fget": value.fget})
        elif (state := _own_state(value, path)) is not None:
            yield state
        elif isinstance(value, Iterator) and not isinstance(value, io.IOBase):
            raise UnsupportedError(
                f"{path} is an iterator ({type(value).__name__}), which a trace would use up; draw from it "
                "outside the step, and give what it gives in the batch"
            )
        elif _is_walked(value):
            if slots := _slots_of(type(value)):
                yield SlotsPlace(path, value, slots)
            if hasattr(value, "__dict__"):
                yield DictPlace(path, vars(value), attributes=True)
            yield from self._code_of_class(type(value))

    def _code_of_class(self, kind: type) -> Iterator[Place]:
        for base in kind.__mro__:
            if (
                base not in (object, torch.nn.Module)
                and is_user_code(base.__module__)
                and id(base) not in self._seen
            ):
                self._seen[id(base)] = base
                yield ClassPlace(base.__qualname__, base)
                code = {n: v for n, v in vars(base).items() if isinstance(v, CODE)}
                yield FixedPlace(base.__qualname__, code)

    def _optimizer(self, value: torch.optim.Optimizer, path: str) -> Iterator[Place]:
        """Its groups' options and its state are not signed: they are read live, or compared elsewhere."""
        inside = vars(value)
        scheduled = [inside[key] for key in ("step",) if key in inside]
        self._seen.update((id(function), function) for function in scheduled)
        for key in ("param_groups", "state"):
            if isinstance(inside.get(key), (list, dict)):  # not to be walked into as what they look like
                self._seen[id(inside[key])] = inside[key]
        yield OptimizerPlace(path, inside)
        yield from self._code_of_class(type(value))
        for number, group in enumerate(inside.get("param_groups", ())):
            self._seen[id(group)] = group
            yield DictPlace(f"{path}.param_groups[{number}]", group, signed=False)
        if isinstance(inside.get("state"), dict):
            yield DictPlace(f"{path}.state", inside["state"], signed=False)
            for entry in inside["state"].values():
                if isinstance(entry, dict):
                    self._seen[id(entry)] = entry
                    yield DictPlace(f"{path}.state[...]", entry, signed=False)


def form(tensor: torch.Tensor) -> tuple[Hashable, ...]:
    """What a program takes for granted of a tensor that it is given."""
    if tensor.layout is not torch.strided or tensor.is_nested:
        return (tensor.layout, tensor.dtype, tensor.device)
    return (tensor.shape, tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad)


def _places_of_function(function: types.FunctionType, path: str) -> Iterator[Place]:
    if not _is_known(function.__module__):
        return
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield CellPlace(path, variable, cell)
    if function.__defaults__:
        yield DefaultsPlace(path, function)
    if function.__kwdefaults__:
        yield DictPlace(path, function.__kwdefaults__)
    if not is_user_code(function.__module__):
        return
    names, globals_of = _names_in(function.__code__), function.__globals__
    yield NamesPlace(path, globals_of, [n for n in names if _is_setting(globals_of.get(n, MISSING))])
    closed_over = [v for cell in function.__closure__ or () for v in CellPlace("", "", cell).values()]
    for module in [*(globals_of.get(n) for n in names), *closed_over]:
        if not isinstance(module, types.ModuleType):
            continue
        if is_user_code(module.__name__):
            space = vars(module)
            yield NamesPlace(path, space, [n for n in names if _is_setting(space.get(n, MISSING))])


def _names_in(code: types.CodeType) -> list[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return list(dict.fromkeys([*code.co_names, *chain.from_iterable(map(_names_in, inner))]))


def _is_setting(value: Any) -> bool:
    return value is not MISSING and not isinstance(value, (types.ModuleType, types.BuiltinFunctionType))


_UNKNOWN = {"torch", "numpy", "lowtide", "builtins", *sys.stdlib_module_names} - {"__main__"}
_KNOWN_WITHIN = ("torch.nn", "torch.distributions", "types", "argparse")


@functools.cache
def _is_known(module: str | None) -> bool:
    """Not of PyTorch, NumPy or the standard library."""
    return module is not None and module.partition(".")[0] not in _UNKNOWN


@functools.cache
def is_user_code(module: str | None) -> bool:
    """Not of an installed package either."""
    if module is None or not _is_known(module):
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file


def _is_walked(value: Any) -> bool:
    """An object whose attributes may be settings."""
    module = type(value).__module__
    has_attributes = hasattr(value, "__dict__") or bool(_slots_of(type(value)))
    return has_attributes and (_is_known(module) or module.startswith(_KNOWN_WITHIN))


def _slots_of(kind: type) -> list[str]:
    descriptors = (vars(base) for base in kind.__mro__)
    return [n for space in descriptors for n, v in space.items() if isinstance(v, types.MemberDescriptorType)]


def is_array(value: Any) -> bool:
    """A NumPy array of values."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray) and value.dtype != object


def _own_state(value: Any, path: str) -> StatePlace | None:
    if isinstance(value, random.Random):
        return StatePlace(path, value.getstate, value.setstate)
    if isinstance(value, torch.Generator):
        return StatePlace(path, value.get_state, value.set_state)
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if isinstance(value, numpy.random.RandomState):
        return StatePlace(path, value.get_state, value.set_state)
    if isinstance(value, numpy.random.Generator):
        bits = value.bit_generator
        return StatePlace(path, lambda: bits.state, lambda state: setattr(bits, "state", state))
    if is_array(value) and value.nbytes <= 2**20:
        return ArrayPlace(path, value)
    return None


def _random_states() -> list[StatePlace]:
    """The generators that all code shares."""
    states = [StatePlace("the state of Python's random", random.getstate, random.setstate)]
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        name = "the state of numpy.random"
        states.append(StatePlace(name, numpy.random.get_state, numpy.random.set_state))
    states.append(StatePlace("the state of PyTorch's generator", torch.get_rng_state, torch.set_rng_state))
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        name = "the state of the CUDA generator"
        states.append(StatePlace(name, torch.cuda.get_rng_state, torch.cuda.set_rng_state))
    return states


def _differences(place: Place, before: dict[Any, Any], now: dict[Any, Any]) -> list[str]:
    """The names of what is otherwise, by value where that can be said."""
    if isinstance(place, CachePlace):
        return []
    names = [place.name(k) for k, v in before.items() if not _equal(v, now.get(k, MISSING))]
    return names + [place.name(k) for k in now if k not in before]


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, weakref.ref):
        return True  # no state of its own
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(v, other[k]) for k, v in one.items())
    return isinstance(one, (*PLAIN, Frozen)) and bool(one == other)


class _Tokens:
    """A number for each object, never used again; objects that cannot be watched go by their type."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._next = 0

    def of(self, value: Any) -> Hashable:
        found = self._known.get(id(value))
        if found is not None and found[0]() is value:
            return found[1]
        try:
            watched = weakref.ref(value)
        except TypeError:
            return type(value).__qualname__
        self._next += 1
        self._known[id(value)] = (watched, self._next)
        return self._next
