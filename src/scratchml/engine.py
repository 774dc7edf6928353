"""The C engine on the host, through cffi: the very functions that run on the board.

``Engine(model)`` fills the engine's structs from a ``QuantizedMLP``; ``Engine.from_c(path, model)``
compiles an exported C file and runs the structs that are in it, the ones that get flashed. With
``layout`` the words are those for a microcontroller, and its kernel's C runs on them.

Many rows at once take a short cut through ``csrc/host/batch.c``, unless ``row_by_row`` is asked
for. Exported files and the layouts of microcontrollers have none: they always go row by row.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

import scratchml._engine as _engine
from scratchml.errors import ScratchmlError
from scratchml.layouts import PORTABLE, Layout
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_folder, engine_sources
from scratchml.stream import Stream
from scratchml.structs import model_struct

Int8 = npt.NDArray[np.int8]
INT8, INT32 = np.dtype(np.int8), np.dtype(np.int32)

#: Rows of a digest between two reports of progress.
DIGEST_ROWS = 2**20


class Engine:
    """A model ready to run in C. A context manager; usable from several threads.

    Args:
        model: whose numbers are copied into the engine's structs.
        layout: how they lie there.

    Raises:
        ScratchmlError: the engine refuses the model.
    """

    def __init__(self, model: QuantizedMLP, layout: Layout = PORTABLE) -> None:
        self._library: _ExportedLibrary | None = None
        module = _module(layout)
        struct, self._owned = model_struct(model, module.ffi, module.lib, layout)
        self._start(model, module, struct)
        if layout == PORTABLE:
            self._run_many = self._lib.sml_run_batch

    @classmethod
    def from_c(cls, path: str | os.PathLike[str], model: QuantizedMLP) -> Engine:
        """Compile an exported ``.c`` file (its header beside it) and run the structs in it.

        Args:
            path: the file; its stem is the model's name.
            model: what it was exported from, for the shapes of rows.

        Raises:
            ScratchmlError: no C compiler, or it or the engine refuses the file.
        """
        engine = cls.__new__(cls)
        engine._owned = []  # the structs are the library's
        engine._library = _ExportedLibrary(Path(path))
        with ExitStack() as on_failure:
            on_failure.callback(engine.close)
            struct = _engine.ffi.cast("const sml_model *", engine._library.address(""))
            engine._start(model, _engine, struct)
            on_failure.pop_all()
        return engine

    def _start(self, model: QuantizedMLP, module: Any, struct: Any) -> None:
        self._model, self._struct = model, struct
        self._inputs, self._outputs = model.inputs, model.outputs
        self._one_row = (1, model.inputs)
        self._module, self._ffi, self._lib = module, module.ffi, module.lib
        self._run_many = self._lib.sml_run_rows
        self._idle = [self._workspace()]  # the engine checks the model now
        last = struct.layers[struct.layer_count - 1]
        if (struct.layers[0].inputs, last.outputs) != (model.inputs, model.outputs):
            raise ScratchmlError("the C model's inputs and outputs are not those of the .tflite")

    def run(self, x: npt.ArrayLike, *, row_by_row: bool = False) -> Int8:
        """int8 rows ``[n, inputs]`` to int8 rows ``[n, outputs]``.

        With ``row_by_row`` each goes through the engine's public calls, as on a board. Otherwise
        blocks of rows may go together: the same bytes, sooner.
        """
        if type(x) is np.ndarray and x.shape == self._one_row and x.dtype == INT8:
            return self._run(self._ffi.NULL, x.tobytes(), 1, row_by_row)
        rows = self._rows(x, INT8)
        codes = self._ffi.from_buffer("int8_t[]", rows)
        return self._run(self._ffi.NULL, codes, len(rows), row_by_row)

    def run_counts(self, counts: npt.ArrayLike, *, row_by_row: bool = False) -> Int8:
        """Sensor counts ``[n, inputs]`` to int8 rows ``[n, outputs]``; otherwise like ``run``."""
        rows = self._rows(counts, INT32)
        readings = self._ffi.from_buffer("int32_t[]", rows)
        return self._run(readings, self._ffi.NULL, len(rows), row_by_row)

    def prepare_input(self, counts: npt.ArrayLike) -> Int8:
        """Sensor counts ``[n, inputs]`` to int8 rows of the same shape."""
        rows = self._rows(counts, INT32)
        codes = np.empty(rows.shape, INT8)
        context, _memory = self._context()
        source = self._ffi.from_buffer("int32_t[]", rows)
        target = self._ffi.from_buffer("int8_t[]", codes, require_writable=True)
        self._check(self._lib.sml_prepare_rows(context, source, target, self._inputs, len(rows)))
        return codes

    def digest(self, rows: int, seed: int = 0, on_rows: Callable[[int], None] | None = None) -> int:
        """CRC-32 of all outputs for ``rows`` rows of the input stream that ``seed`` decides.

        ``on_rows`` is told how many rows are done, now and then. See ``scratchml.digest``.
        """
        digest, (context, _memory) = self._ffi.new("sml_digest *"), self._context()
        self._check(self._lib.sml_digest_start(digest, seed))
        output = self._ffi.new("int8_t[]", self._model.outputs)
        for start in range(0, rows, DIGEST_ROWS):
            n = min(DIGEST_ROWS, rows - start)
            self._check(self._lib.sml_digest_rows(digest, context, n, output, self._model.outputs))
            if on_rows:
                on_rows(start + n)
        return int(digest.crc)

    def stream(self) -> Stream:
        """A new stream of samples through the model's front end: of an exported file, its struct.

        Raises:
            ScratchmlError: the model has no front end.
        """
        if self._model.front_end is None:
            raise ScratchmlError("this model has no front end: it does not read a stream")
        struct = None
        if self._library:
            address = self._library.address("_front_end")
            struct = self._ffi.cast("const sml_front_end *", address)
        return Stream(self._model.front_end, self._module, struct)

    def close(self) -> None:
        """Free the structs and the compiled library; the engine cannot be used afterwards.

        What another thread is still running keeps its own until it is done.
        """
        self._struct, self._owned, self._idle = None, [], []
        if self._library:
            self._library.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rows(self, given: npt.ArrayLike, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """What ``QuantizedMLP.check_rows`` gives: at once, if there is nothing to be done."""
        if (
            type(given) is np.ndarray
            and given.dtype == dtype
            and given.ndim == 2
            and given.shape[1] == self._inputs
            and given.flags.c_contiguous
        ):
            return given
        return self._model.check_rows(given, dtype)

    def _run(self, counts: Any, codes: Any, n: int, row_by_row: bool) -> Int8:
        idle = self._idle
        try:
            workspace = idle.pop()
        except IndexError:  # other threads have them all, or the engine has been closed
            workspace = self._workspace()
        context, target, output, _ = workspace
        if n != 1:
            output = np.empty((n, self._outputs), INT8)
            target = self._ffi.from_buffer("int8_t[]", output, require_writable=True)
        run = self._lib.sml_run_rows if row_by_row else self._run_many
        status = run(context, counts, codes, self._inputs, target, self._outputs, n)
        if n == 1:
            output = output.copy()
        idle.append(workspace)
        if status:
            self._check(status)
        return output

    def _workspace(self) -> tuple[Any, Any, Int8, Any]:
        """What one call needs to itself: a context, and room for the outputs of one row.

        As C and as numpy see it; to make it anew takes longer than to run a small model.
        """
        context, memory = self._context()
        output = np.empty((1, self._outputs), INT8)
        target = self._ffi.from_buffer("int8_t[]", output, require_writable=True)
        return context, target, output, memory

    def _context(self) -> tuple[Any, Any]:
        """A new context, loaded, and what it points to."""
        struct, owned = self._struct, self._owned
        if struct is None:
            raise ScratchmlError("this engine has been closed")
        context = self._ffi.new("sml_context *")
        self._check(self._lib.sml_load_model(context, struct))
        memory = self._ffi.new("uint32_t[]", struct.memory_bytes // 4)
        bytes_ = self._ffi.sizeof(memory)
        self._check(self._lib.sml_initialize_model_memory(context, memory, bytes_))
        return context, (memory, struct, owned)

    def _check(self, status: int) -> None:
        """The one place where a status becomes an exception."""
        if status != self._lib.SML_OK:
            name = self._ffi.string(self._ffi.cast("sml_status", status))
            raise ScratchmlError(f"the C engine answers {name} ({status})")


def _module(layout: Layout) -> Any:
    """The extension that was compiled for a layout."""
    if layout == PORTABLE:
        return _engine
    return importlib.import_module(f"scratchml._engine_{layout.name.replace('-', '_')}")


class _ExportedLibrary:
    """An exported ``.c`` file compiled, with the engine, to a shared library and loaded."""

    def __init__(self, source: Path) -> None:
        if not re.fullmatch(r"[A-Za-z_]\w*", source.stem, re.ASCII):
            raise ScratchmlError(f"{source}: the file is not named after a model")
        self._source = source
        source.read_bytes()  # a missing file is the caller's mistake, not the compiler's
        self._folder = tempfile.TemporaryDirectory(prefix="scratchml-")
        library = Path(self._folder.name) / "model.so"
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            compile_library(source, library)
            try:
                self._handle = ctypes.CDLL(str(library))
            except OSError as error:
                raise self._unusable(error) from None
            self.address("")
            on_failure.pop_all()

    def address(self, suffix: str) -> int:
        """Where the variable is that is named like the file, and then ``suffix``."""
        try:
            symbol = ctypes.c_char.in_dll(self._handle, self._source.stem + suffix)
        except ValueError as error:
            raise self._unusable(error) from None
        return ctypes.addressof(symbol)

    def _unusable(self, error: Exception) -> ScratchmlError:
        return ScratchmlError(f"{self._source}: the compiled model cannot be loaded ({error})")

    def close(self) -> None:
        """Delete the file; the mapping itself goes with the process."""
        self._folder.cleanup()


def compiler() -> list[str]:
    """The C compiler's command: ``$CC``, or the first of cc, gcc and clang on the path.

    Raises:
        ScratchmlError: there is none.
    """
    try:
        command = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        raise ScratchmlError(f"$CC cannot be read ({error})") from None
    if command:
        if shutil.which(command[0]):
            return command
        raise ScratchmlError(f"the C compiler {command[0]!r}, named by $CC, is not there")
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    raise ScratchmlError(
        "no C compiler: install gcc or clang (or name one in $CC) to compile the exported model"
    )


def compile_library(source: Path, library: Path) -> None:
    """Compile an exported C file and the engine into a shared library.

    Raises:
        ScratchmlError: there is no compiler, or it reports an error, whose first line is given.
    """
    flags = ["-std=c11", "-O2", "-shared", "-fPIC", "-I", str(engine_folder())]
    files = [str(source), *map(str, engine_sources())]
    command = [*compiler(), *flags, *files, "-o", str(library)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["no message"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise ScratchmlError(f"the exported C does not compile: {first}")
