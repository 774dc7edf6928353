"""Compile the C engine into ``scratchml._engine`` (cffi, API mode); run by ``setup.py``.

The declarations are the headers themselves, less what cffi's parser does not take: there is no
second list of functions that could drift from the first.
"""

import os
import re
from pathlib import Path

from cffi import FFI

CSRC = Path("csrc")  # setuptools wants paths relative to setup.py, where this runs
SOURCES = [*sorted((CSRC / "engine").glob("*.c")), CSRC / "host" / "rows.c"]


def declarations(header: Path) -> str:
    """A header without preprocessor lines (constants aside) and without ``extern "C"``."""
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", header.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    kept = []
    for line in text.splitlines():
        if not line.startswith("#") or re.fullmatch(r"#define (\w+) (\d+)\s*", line):
            kept.append(line.rstrip())
    return "\n".join(kept)


ffibuilder = FFI()
ffibuilder.cdef(declarations(CSRC / "engine" / "scratchml.h"))
ffibuilder.cdef(declarations(CSRC / "host" / "rows.h"))
ffibuilder.set_source(
    "scratchml._engine",
    '#include "rows.h"',
    sources=[path.as_posix() for path in SOURCES],
    include_dirs=[(CSRC / "engine").as_posix(), (CSRC / "host").as_posix()],
    depends=[path.as_posix() for path in sorted(CSRC.glob("*/*.h"))],
    extra_compile_args=["/O2", "/std:c11"] if os.name == "nt" else ["-O3", "-std=c11"],
)
