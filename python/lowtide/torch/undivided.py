"""One step at a time, and none cut in two.

Threads. A trace puts fake tensors in a model's place and switches parts of PyTorch for all threads, and two
replays would share an arena. So whatever traces or runs a compiled step holds one lock, the process's.

Signals. A handler may raise, as Python's own for Ctrl-C does, between any two operators: weights of two
different steps would be left behind, or half a trace. So handlers wait until the step is over, where an
eager loop's would find the model in one piece too, and are called then, each once. They run in the main
thread alone, so a step in another thread is left in peace anyway.

The handlers are replaced for the length of a step and put back after it; one that a step itself installs
stays. Should a signal come just while they are put back, what is left of ours calls the user's at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from _signal import getsignal  # type: ignore[import-not-found]  # signal.signal makes an enum of all it sees
from _signal import signal as set_handler
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = tuple(sorted(signal.valid_signals()))
_lock = threading.RLock()


@contextmanager
def undivided() -> Iterator[None]:
    """No other thread's step, and no signal's handler, within."""
    with _lock, signals_wait():
        yield


@contextmanager
def signals_wait() -> Iterator[None]:
    """Handlers of signals that come within are called at its end."""
    if threading.current_thread() is not threading.main_thread() or _Waiting.now is not None:
        yield
        return
    waiting = _Waiting()
    try:
        waiting.begin()
        yield
    finally:
        waiting.end()


class _Waiting:
    """Stands in for the handlers of all signals that have one in Python."""

    now: _Waiting | None = None  # the one that stands in; there is one main thread

    def __init__(self) -> None:
        self.handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self.came: dict[int, None] = {}

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if _Waiting.now is self:
            self.came[number] = None
        else:
            self.handlers[number](number, frame)

    def begin(self) -> None:
        for number in _SIGNALS:
            handler = getsignal(number)
            if callable(handler):
                self.handlers[number] = handler
                set_handler(number, self)
        _Waiting.now = self

    def end(self) -> None:
        _Waiting.now = None
        try:
            _for_all(self._put_back, list(self.handlers))
        finally:
            _for_all(self._call, list(self.came))

    def _put_back(self, number: int) -> None:
        if getsignal(number) is self:
            set_handler(number, self.handlers[number])

    def _call(self, number: int) -> None:
        self.handlers[number](number, sys._getframe())


def _for_all(function: Callable[[int], None], numbers: list[int]) -> None:
    """Whatever one of the calls raises."""
    if numbers:
        try:
            function(numbers[0])
        finally:
            _for_all(function, numbers[1:])


def _renew_lock() -> None:
    """A forked child has none of the threads that might hold it."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)
