"""Files appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def atomic_write(path: Path, contents: str | bytes) -> None:
    """Write a file under a temporary name beside ``path``, then rename it.

    Text is written as UTF-8 with plain newlines on every system.
    """
    data = contents.encode() if isinstance(contents, str) else contents
    path.parent.mkdir(parents=True, exist_ok=True)
    with _named(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(0o666 & ~_umask())  # mkstemp gives 0600; an ordinary file is wanted
        with _named(path):
            temporary.replace(path)
    except BaseException:  # Ctrl-C as well leaves nothing half-written
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files move into ``folder``, each whole, when the block succeeds.

    It is made at once and inside ``folder``, so that a place that cannot be written to is noticed
    before the work and not after it. On an error, or Ctrl-C, nothing new is left.
    """
    existed = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with _named(folder):
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=".unfinished-"))
    try:
        yield temporary
        for file in sorted(temporary.iterdir()):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if not existed:
            with suppress(OSError):  # only an empty folder goes
                folder.rmdir()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors speak of the file that the user asked for, not of a temporary one."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
