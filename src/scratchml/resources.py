"""Where the embedded data and the C sources are, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def find(folder: str) -> Path:
    """The folder ``data`` or ``csrc``.

    A wheel carries both inside the package; an editable install and a bare checkout leave them
    where they are, beside ``src``.

    Raises:
        FileNotFoundError: neither place has it; the installation is not whole.
    """
    for place in (_PACKAGE / folder, _PACKAGE.parents[1] / folder):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"the folder {folder!r} of scratchml is missing: install it again")


def engine_sources() -> list[Path]:
    """The C files of the engine, in a fixed order: all that a host needs."""
    return sorted(engine_folder().glob("*.c"))


def engine_assembly() -> list[Path]:
    """The kernels in assembly, which an ARM microcontroller needs besides."""
    return sorted(engine_folder().glob("*.S"))


def engine_folder() -> Path:
    """The folder with ``scratchml.h``."""
    return find("csrc") / "engine"
