"""Compile the C engine with cffi (API mode); run by ``setup.py``.

``scratchml._engine`` is the engine as it is; ``scratchml._engine_trace`` reports every integer; the
others have the layouts of microcontrollers, whose kernels are in C here.

The declarations are the headers themselves, less what cffi's parser does not take: there is no
second list of functions that could drift from the first.
"""

import os
import re
from pathlib import Path

from cffi import FFI

CSRC = Path("csrc")  # setuptools wants paths relative to setup.py, where this runs


def declarations(header: Path, layout: str = "") -> str:
    """A header without preprocessor lines (constants aside) and without ``extern "C"``.

    Of the packed kernels only those of ``layout``, ``cortex_m4`` for instance, are there.
    """
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", header.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    kept = []
    for line in text.splitlines():
        kernel = re.match(r"void sml_dense_(cortex_\w+?)(_small)?\(", line)
        if kernel and kernel[1] != layout:
            continue
        if not line.startswith("#") or re.fullmatch(r"#define (\w+) (\d+)\s*", line):
            kept.append(line.rstrip())
    return "\n".join(kept)


def builder(module: str, hosts: list[str], flags: list[str], layout: str = "") -> FFI:
    """An extension of the engine and of some files of ``csrc/host``."""
    ffi = FFI()
    ffi.cdef(declarations(CSRC / "engine" / "scratchml.h", layout))
    for host in hosts:
        ffi.cdef(declarations(CSRC / "host" / f"{host}.h"))
    sources = sorted((CSRC / "engine").glob("*.c"))
    sources += [CSRC / "host" / f"{host}.c" for host in hosts]
    ffi.set_source(
        module,
        "".join(f'#include "{host}.h"\n' for host in hosts),
        sources=[path.as_posix() for path in sources],
        include_dirs=[(CSRC / "engine").as_posix(), (CSRC / "host").as_posix()],
        depends=[path.as_posix() for path in sorted(CSRC.glob("*/*.h"))],
        extra_compile_args=(["/O2", "/std:c11"] if os.name == "nt" else ["-O3", "-std=c11"])
        + flags,
    )
    return ffi


engine_builder = builder("scratchml._engine", ["rows", "batch"], [])
trace_builder = builder("scratchml._engine_trace", ["trace"], ["-DSML_WITH_TRACE"])
m4_builder = builder("scratchml._engine_cortex_m4", ["rows"], ["-DSML_LAYOUT=1"], "cortex_m4")
m0plus_builder = builder(
    "scratchml._engine_cortex_m0plus", ["rows"], ["-DSML_LAYOUT=2"], "cortex_m0plus"
)
