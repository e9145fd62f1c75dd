"""The CUDA arena compiles against the installed PyTorch's headers, where CUDA's are there too. No device."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lowtide.torch")
from lowtide.torch.arena import library as arena  # noqa: E402


def test_it_compiles(tmp_path):
    headers = pathlib.Path(torch.__file__).parent / "include"
    generated = "c10/cuda/impl/cuda_cmake_macros.h"  # only CUDA's builds of PyTorch have it
    if not (headers / generated).exists():
        (tmp_path / generated).parent.mkdir(parents=True)
        (tmp_path / generated).write_text("#pragma once\n#define C10_CUDA_BUILD_SHARED_LIBS\n")
    try:
        options = arena._cuda_options()
        command = arena.compile_command(arena.FOLDER / "cuda.cc", *options, "-isystem", str(tmp_path))
    except OSError as error:
        pytest.skip(str(error))
    checks = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    done = subprocess.run([*command, *checks], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
