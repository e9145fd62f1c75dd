"""What lowtide can rebuild, in the user's cache: compiled arenas and finished plans."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import sys
import tempfile


def cache_dir() -> pathlib.Path:
    """`$LOWTIDE_CACHE_DIR`, else `lowtide` in the user's cache. Made on demand, private."""
    path = pathlib.Path(os.environ.get("LOWTIDE_CACHE_DIR") or _user_cache() / "lowtide")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _user_cache() -> pathlib.Path:
    if sys.platform == "darwin":
        return pathlib.Path.home() / "Library" / "Caches"
    if os.name == "nt":
        return pathlib.Path(os.environ.get("LOCALAPPDATA", pathlib.Path.home() / "AppData/Local"))
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")


def content_key(*parts: str | bytes) -> str:
    """A name for the content of `parts`: equal for equal parts, different otherwise."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:32]


def read(name: str) -> bytes | None:
    """The entry of that name; None if there is none or it cannot be read."""
    try:
        return (cache_dir() / name).read_bytes()
    except OSError:
        return None


def write(name: str, data: bytes) -> None:
    """Write an entry, at once or not at all. A full or read-only disk is no error."""
    with contextlib.suppress(OSError):
        replace_file(cache_dir() / name, data)


def replace_file(path: pathlib.Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
