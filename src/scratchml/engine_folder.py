"""The C engine beside an exported model: one folder to drop into any C project."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from scratchml.errors import ScratchmlError
from scratchml.files import atomic_write
from scratchml.resources import engine_folder

SUFFIXES = (".c", ".h", ".S")

#: What CMake, PlatformIO, Arduino, a reader and a lawyer look for.
METADATA = ("CMakeLists.txt", "LICENSE", "README.md", "library.json", "library.properties")


def engine_files() -> list[Path]:
    """The engine's files, in a fixed order: all of the folder but its examples."""
    files = engine_folder().iterdir()
    return sorted(path for path in files if path.suffix in SUFFIXES or path.name in METADATA)


def export_engine(folder: str | PathLike[str]) -> list[Path]:
    """Write the engine's files into ``folder``, as they are; returns their paths."""
    written = []
    for path in engine_files():
        written.append(Path(folder) / path.name)
        atomic_write(written[-1], path.read_bytes())
    return written


def check_engine_folder(folder: Path, name: str) -> None:
    """Raise ScratchmlError if the engine and a model's ``name.c`` would overwrite something.

    A folder that an earlier export has made is free for another one.
    """
    if name.lower() in {path.stem.lower() for path in engine_files()}:
        raise ScratchmlError(f"{name}.c is a file of the engine: choose another --name")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "scratchml.h").exists():
        raise ScratchmlError(f"{folder} holds other files: choose a new folder with -o")
