"""Give PlatformIO the SCons of this Python instead of the one in its registry.

For a platform out of a folder, ``pio run`` asks its registry for one thing only, the package
``tool-scons``, and has no option to name another. Three small files in PlatformIO's core folder are
such a package; it runs the SCons that pip installed::

    python tools/local_scons.py "$PLATFORMIO_CORE_DIR"
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scratchml.errors import ScratchmlError

NAME = "tool-scons"
INSTALL = "pip install 'scratchml[firmware]'"

SCRIPT = """\
# Runs the SCons of this Python; written by scratchml's tools/local_scons.py.
import SCons.Script

SCons.Script.main()
"""


def package_version(scons: str) -> str:
    """How PlatformIO numbers the package of a SCons: 4.11.1 is ``4.41101.0``."""
    major, minor, patch = map(int, scons.split("."))
    return f"{major}.{10000 * major + 100 * minor + patch}.0"


def install(core: Path) -> Path:
    """Write the package into the core folder of PlatformIO; returns its own folder.

    Raises:
        ScratchmlError: PlatformIO or SCons is not installed, or they do not fit each other.
    """
    try:
        from platformio.dependencies import get_core_dependencies
        from semantic_version import SimpleSpec, Version  # PlatformIO's own

        number = package_version(version("scons"))
    except (ImportError, PackageNotFoundError) as error:
        raise ScratchmlError(f"{error.name} is not here; add it with: {INSTALL}") from None
    wanted = get_core_dependencies()[NAME]
    if Version(number) not in SimpleSpec(wanted):
        raise ScratchmlError(f"PlatformIO wants {NAME} {wanted}, not {number}; try: {INSTALL}")

    spec = {"owner": "platformio", "id": None, "name": NAME, "requirements": None, "uri": None}
    package = {"name": NAME, "version": number}
    folder = core / "packages" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(package), "utf-8")
    (folder / ".piopm").write_text(json.dumps({"type": "tool", **package, "spec": spec}), "utf-8")
    (folder / "scons.py").write_text(SCRIPT, "utf-8")
    return folder


def main(arguments: list[str]) -> int:
    """Install into the folder that is named."""
    if len(arguments) != 1:
        print("usage: local_scons.py PLATFORMIO_CORE_DIR", file=sys.stderr)
        return 2
    try:
        print(install(Path(arguments[0])))
    except ScratchmlError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
