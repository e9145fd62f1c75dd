"""Plants bugs, one at a time, and shows that a test goes red: python tools/planted_bugs.py [WORD ...]

Each bug of planted_bugs.toml breaks a promise of docs/reliability.md by a change of a few characters to one
file. The tree is copied to build/planted, so that nothing here changes; the copy is built, the named tests
pass; then each bug in turn is planted, what it touches is built anew, and its tests have to fail. With
WORDs: only bugs in whose description one of them occurs. Exit 1 if a test passes in spite of a bug.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
COPY = ROOT / "build" / "planted"
BUILD = COPY / "build" / "test"


@dataclass
class Bug:
    """One change, and the test that has to notice: a C++ test program (with a filter), or a Python test."""

    promise: str
    what: str
    file: str
    right: str
    wrong: str
    test: str

    @property
    def is_python(self) -> bool:
        return self.file.startswith("python/")

    def plant(self) -> None:
        text = (ROOT / self.file).read_text()
        if text.count(self.right) != 1:
            sys.exit(
                f"{self.what}: {self.file} holds {self.right!r} {text.count(self.right)} times, not once"
            )
        (COPY / self.file).write_text(text.replace(self.right, self.wrong))

    def remove(self) -> None:
        shutil.copyfile(ROOT / self.file, COPY / self.file)


def run(*command: str | pathlib.Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=COPY, **options)


def built(target: str) -> None:
    finished = run("cmake", "--build", BUILD, "--target", target)
    if finished.returncode:
        sys.exit(f"{target} does not build:\n{finished.stdout[-3000:]}")


def passes(bug: Bug) -> bool:
    """Whether its test passes in the copy as it stands."""
    if bug.is_python:
        command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *shlex.split(bug.test)]
        return run(*command, env=os.environ | {"PYTHONPATH": str(COPY / "python")}).returncode == 0
    program, _, tests = bug.test.partition(" ")
    built(program)
    found = next(path for path in BUILD.rglob(program) if path.is_file())
    try:
        return run(found, f"--gtest_filter={tests or '*'}", timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def prepare() -> None:
    """The copy: what git knows or could know, and the extension of the installed package."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        source, target = ROOT / name, COPY / name
        if source.is_file() and (not target.exists() or source.read_bytes() != target.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    import lowtide._core as core

    shutil.copyfile(core.__file__, COPY / "python" / "lowtide" / pathlib.Path(core.__file__).name)
    highs = pathlib.Path(core.__file__).with_name("highs")
    if highs.exists():
        shutil.copytree(highs, COPY / "python" / "lowtide" / "highs", dirs_exist_ok=True)
    options = ["-DLOWTIDE_BUILD_TESTS=ON", "-DLOWTIDE_WITH_HIGHS=ON", f"-DPython_EXECUTABLE={sys.executable}"]
    configured = run("cmake", "-S", ".", "-B", BUILD, "-G", "Ninja", *options)
    if configured.returncode:
        sys.exit(configured.stderr)


def main() -> int:
    words = sys.argv[1:]
    table = tomllib.loads((ROOT / "tools" / "planted_bugs.toml").read_text())
    bugs = [Bug(**row) for row in table["bug"]]
    bugs = [bug for bug in bugs if not words or any(word in bug.what for word in words)]
    prepare()
    for test in dict.fromkeys(bug.test for bug in bugs):
        if not passes(next(bug for bug in bugs if bug.test == test)):
            sys.exit(f"{test} fails without any bug")
    unseen = 0
    for bug in bugs:
        start = time.monotonic()
        bug.plant()
        try:
            seen = not passes(bug)
        finally:
            bug.remove()
        unseen += not seen
        seconds = time.monotonic() - start
        print(
            f"{'seen  ' if seen else 'UNSEEN'} {bug.promise}: {bug.what} ({bug.test}, {seconds:.0f} s)",
            flush=True,
        )
    print(f"{len(bugs) - unseen} of {len(bugs)} seen")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
