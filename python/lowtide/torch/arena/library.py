"""Loads the arena: builds it on first use for the installed PyTorch, caches it.

One library a kind of device: cpu.cc and cuda.cc, over one core. Without a compiler nothing breaks:
`library()` is None, recording and replay do nothing, and one warning says why. The same where a device's
allocator is not as expected. Set LOWTIDE_ARENA=0 to switch the arena off.
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
from ctypes import POINTER, c_char_p, c_int, c_int64, c_void_p

import torch

from lowtide.torch import cache

FOLDER = pathlib.Path(__file__).parent
SOURCES = {"cpu": ["cpu.cc", "core.h"], "cuda": ["cuda.cc", "device.h", "core.h"]}
ALIGNMENT = {"cpu": 64, "cuda": 512}  # bytes; PyTorch's own
COMPILE_SECONDS = 300

_INTEGERS = POINTER(c_int64)
SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "lowtide_install": (c_char_p, []),
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
def library(device: str = "cpu") -> ctypes.CDLL | None:
    """The library, installed as that device's allocator; None, with a warning, if it can't be."""
    if os.environ.get("LOWTIDE_ARENA") == "0" or device not in SOURCES:
        return None
    try:
        loaded = declared(ctypes.CDLL(str(_built_library(device))))
        refusal = loaded.lowtide_install()
        if refusal is not None:
            raise OSError(refusal.decode())
    except (OSError, AttributeError, subprocess.SubprocessError) as error:
        warnings.warn(
            f"lowtide runs without its arena (planned order only): {error}",
            ArenaUnavailableWarning,
            stacklevel=3,
        )
        return None
    return loaded


def declared(loaded: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of its functions. AttributeError if one is missing."""
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def _built_library(device: str) -> pathlib.Path:
    if device == "cuda":
        if not torch.cuda.is_available():
            raise OSError("there is no CUDA device")
        torch.cuda.init()
    sources = [(FOLDER / name).read_bytes() for name in SOURCES[device]]
    command = compile_command(FOLDER / SOURCES[device][0], *_OPTIONS[device]())
    key = cache.content_key(*sources, torch.__version__, " ".join(command))
    path = cache.cache_dir() / f"arena-{device}-{key}.so"
    if not path.exists():
        compile_library(command, path)
    return path


def compile_command(source: pathlib.Path, *options: str) -> list[str]:
    given = os.environ.get("CXX")
    compiler = shlex.split(given) if given else [_find("c++", "g++", "clang++")]
    root = pathlib.Path(torch.__file__).parent
    return [
        *compiler, "-std=c++20", "-O2", "-shared", "-fPIC", "-fvisibility-inlines-hidden",
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}",
        "-isystem", str(root / "include"), str(source),
        f"-L{root / 'lib'}", "-lc10", "-pthread", *options,
    ]  # fmt: skip


def _cuda_options() -> list[str]:
    """CUDA's headers: of the toolkit, or of the package that PyTorch's own libraries came in."""
    places = [pathlib.Path(os.environ[n]) / "include" for n in ("CUDA_HOME", "CUDA_PATH") if n in os.environ]
    places += pathlib.Path(torch.__file__).parent.parent.glob("nvidia/*/include")
    places.append(pathlib.Path("/usr/local/cuda/include"))
    for place in places:
        if (place / "cuda_runtime_api.h").exists():
            return ["-isystem", str(place), "-lc10_cuda"]
    raise OSError("no CUDA headers found; set CUDA_HOME")


_OPTIONS = {"cpu": lambda: [], "cuda": _cuda_options}


def _find(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise OSError(f"no C++ compiler found ({', '.join(names)}); install one or set CXX")


def compile_library(command: list[str], path: pathlib.Path) -> None:
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
    """Memory for plans, grown on demand and shared by all plans that never run at the same time.

    On a device it belongs to the stream that is current when it is made.
    """

    def __init__(self, device: str = "cpu", loaded: ctypes.CDLL | None = None) -> None:
        """loaded: a library to use in place of the device's."""
        self.device = device
        self.bytes = 0
        self.handle: int | None = None
        self._loaded = loaded

    @property
    def library(self) -> ctypes.CDLL | None:
        return self._loaded or library(self.device)

    def reserve(self, size: int) -> bool:
        """Make room for `size` bytes. Old memory goes once nothing lives in it."""
        if self.handle is not None and self.bytes >= size:
            return True
        loaded = self.library
        if self.device == "cuda":
            torch.cuda.empty_cache()  # what earlier steps left behind, cached, would lie beside the arena
        handle = loaded.lowtide_arena_create(size) if loaded is not None else None
        if handle is None:
            return False
        self.close()
        self.handle, self.bytes = handle, size
        return True

    @property
    def live_blocks(self) -> int:
        loaded = self.library
        return loaded.lowtide_arena_live_blocks(self.handle) if loaded and self.handle else 0

    def close(self) -> None:
        if self.handle is not None and (loaded := self.library) is not None:
            loaded.lowtide_arena_release(self.handle)
        self.handle, self.bytes = None, 0

    def __del__(self) -> None:
        self.close()
