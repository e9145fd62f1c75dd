"""Loads the arena (arena.cc): builds it on first use for the installed PyTorch, caches it.

Without a compiler nothing breaks: `library()` is None, recording and replay do nothing, and one
warning says why. Set LOWTIDE_ARENA=0 to switch the arena off.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import warnings
from ctypes import POINTER, c_int, c_int64, c_void_p

import torch

from lowtide.torch import cache

SOURCE = pathlib.Path(__file__).parent / "arena.cc"
COMPILE_SECONDS = 300

_INTEGERS = POINTER(c_int64)
_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "lowtide_install": (c_int, []),
    "lowtide_record_begin": (c_void_p, []),
    "lowtide_record_now": (c_int64, [c_void_p]),
    "lowtide_outside": (None, [c_int]),
    "lowtide_record_end": (None, [c_void_p]),
    "lowtide_record_size": (c_int64, [c_void_p]),
    "lowtide_record_take": (None, [c_void_p, _INTEGERS, _INTEGERS]),
    "lowtide_arena_create": (c_void_p, [c_int64]),
    "lowtide_arena_release": (None, [c_void_p]),
    "lowtide_arena_live_blocks": (c_int64, [c_void_p]),
    "lowtide_plan_create": (c_void_p, [c_int64, _INTEGERS, _INTEGERS]),
    "lowtide_plan_release": (None, [c_void_p]),
    "lowtide_replay_begin": (c_void_p, [c_void_p, c_void_p]),
    "lowtide_replay_end": (None, [c_void_p, _INTEGERS]),
}


class ArenaUnavailableWarning(UserWarning):
    """The arena could not be built or installed: steps are ordered, but not placed."""


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library, installed as PyTorch's CPU allocator; None, with a warning, if it can't be."""
    if os.environ.get("LOWTIDE_ARENA") == "0":
        return None
    try:
        loaded = ctypes.CDLL(str(_built_library()))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
        if loaded.lowtide_install() != 1:
            raise OSError("another allocator of higher priority is installed")
    except (OSError, AttributeError, subprocess.SubprocessError) as error:
        warnings.warn(
            f"lowtide runs without its arena (planned order only): {error}",
            ArenaUnavailableWarning,
            stacklevel=3,
        )
        return None
    return loaded


def _built_library() -> pathlib.Path:
    source = SOURCE.read_bytes()
    command = _compile_command()
    key = cache.content_key(source, torch.__version__, " ".join(command))
    path = cache.cache_dir() / f"arena-{key}.so"
    if not path.exists():
        _compile(command, path)
    return path


def _compile_command() -> list[str]:
    given = os.environ.get("CXX")
    compiler = shlex.split(given) if given else [_find("c++", "g++", "clang++")]
    root = pathlib.Path(torch.__file__).parent
    return [
        *compiler, "-std=c++20", "-O2", "-shared", "-fPIC", "-fvisibility-inlines-hidden",
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}",
        "-isystem", str(root / "include"), str(SOURCE),
        f"-L{root / 'lib'}", "-lc10", "-pthread",
    ]  # fmt: skip


def _find(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise OSError(f"no C++ compiler found ({', '.join(names)}); install one or set CXX")


def _compile(command: list[str], path: pathlib.Path) -> None:
    """Compile beside `path` and move into place, so that processes starting together do no harm."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        target = pathlib.Path(folder) / path.name
        done = subprocess.run(
            [*command, "-o", str(target)],
            capture_output=True,
            text=True,
            timeout=COMPILE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            reason = next((line for line in lines if "error" in line), lines[-1] if lines else "?")
            raise OSError(f"{command[0]} could not compile the arena: {reason}")
        os.replace(target, path)


class Arena:
    """Memory for plans, grown on demand and shared by all plans that never run at the same time."""

    def __init__(self) -> None:
        self.bytes = 0
        self.handle: int | None = None

    def reserve(self, size: int) -> bool:
        """Make room for `size` bytes. Old memory goes once nothing lives in it."""
        if self.handle is not None and self.bytes >= size:
            return True
        loaded = library()
        handle = loaded.lowtide_arena_create(size) if loaded is not None else None
        if handle is None:
            return False
        self.close()
        self.handle, self.bytes = handle, size
        return True

    @property
    def live_blocks(self) -> int:
        loaded = library()
        return loaded.lowtide_arena_live_blocks(self.handle) if loaded and self.handle else 0

    def close(self) -> None:
        if self.handle is not None and (loaded := library()) is not None:
            loaded.lowtide_arena_release(self.handle)
        self.handle, self.bytes = None, 0

    def __del__(self) -> None:
        self.close()
