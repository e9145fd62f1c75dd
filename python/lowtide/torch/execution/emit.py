"""An FX graph in a given order as one Python function: straight-line code, values freed after their last use.

torch.fx would do, by a copy of the graph in that order and its own code generator; for 1000 operators and
as many numbers that takes ten times as long as this (it is most of a start from the cache), and its code
looks up each operator by four attributes in every step.

The function takes a list and empties it, so that no argument tuple keeps an input alive.
"""

from __future__ import annotations

import keyword
import linecache
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Node

_counter = iter(range(1 << 62))


def emit(module: GraphModule, order: Iterable[Node]) -> Callable[[list[Any]], Sequence[Any]]:
    """All calls of a module's graph, in the order given."""
    writer = _Writer(module)
    source = "\n".join(writer.function(list(order)))
    name = f"<lowtide step {next(_counter)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # for tracebacks
    exec(compile(source, name, "exec"), writer.globals)
    return writer.globals["step"]


class _Writer:
    def __init__(self, module: GraphModule) -> None:
        self.module = module
        self.nodes = list(module.graph.nodes)
        self.locals = {node: f"v{i}" for i, node in enumerate(self.nodes)}
        self.globals: dict[str, Any] = {}
        self._names: dict[int, str] = {}  # of globals, by identity

    def function(self, order: list[Node]) -> Iterator[str]:
        inputs = [node for node in self.nodes if node.op == "placeholder"]
        constants = [node for node in self.nodes if node.op == "get_attr"]
        output = self.nodes[-1]
        frees = _last_uses([*inputs, *constants, *order, output])
        yield "def step(inputs):"
        if inputs:
            yield f"    {' '.join(self.locals[node] + ',' for node in inputs)} = inputs"
        yield "    inputs.clear()"
        unread = [self.locals[node] for node in inputs if not node.users]
        if unread:
            yield f"    del {', '.join(unread)}"
        for node in constants:
            if node.users:
                yield f"    {self.locals[node]} = {self._global(self.module)}.{node.target}"
        for node in order:
            yield self._statement(node, frees.get(node, ()))
        yield f"    return {self._text(output.args[0])}"

    def _statement(self, node: Node, freed: Sequence[Node]) -> str:
        arguments = [self._text(value) for value in node.args]
        arguments += [self._keyword(name, value) for name, value in node.kwargs.items()]
        result = f"{self.locals[node]} = " if node.users else ""
        target = node.target
        function = target._op if type(target) is torch._ops.OpOverload else target
        free = f"; del {', '.join(self.locals[n] for n in freed)}" if freed else ""
        return f"    {result}{self._global(function)}({', '.join(arguments)}){free}  # {node.name}"

    def _keyword(self, name: str, value: Any) -> str:
        text = self._text(value)
        return f"**{{{name!r}: {text}}}" if keyword.iskeyword(name) else f"{name}={text}"

    def _text(self, value: Any) -> str:
        if isinstance(value, Node):
            return self.locals[value]
        if isinstance(value, list):
            return f"[{', '.join(self._text(item) for item in value)}]"
        if isinstance(value, tuple):
            return f"({' '.join(self._text(item) + ',' for item in value)})"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key!r}: {self._text(item)}' for key, item in value.items())}}}"
        if isinstance(value, slice):
            return f"slice({', '.join(self._text(x) for x in (value.start, value.stop, value.step))})"
        finite = type(value) is float and math.isfinite(value)
        if finite or type(value) in (int, bool, str, type(None)):
            return repr(value)
        return self._global(value)

    def _global(self, value: Any) -> str:
        """A name for an object; the globals keep it alive, and so its identity its own."""
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = f"g{len(self._names)}"
            self.globals[name] = value
        return name


def _last_uses(order: Sequence[Node]) -> dict[Node, list[Node]]:
    """For each node the nodes whose values nobody needs after it; what is returned is not among them."""
    seen = set(order[-1].all_input_nodes)
    result: dict[Node, list[Node]] = {}
    for node in reversed(order[:-1]):
        for value in node.all_input_nodes:
            if value not in seen:
                seen.add(value)
                result.setdefault(node, []).append(value)
    return result
