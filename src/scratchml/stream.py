"""A stream through the C front end, sample by sample: the very function that runs on the board."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import scratchml._engine as _engine
from scratchml.errors import ScratchmlError
from scratchml.front_end import FrontEnd, Int32


class Stream:
    """Samples in, features of whole windows out; what is not whole yet is kept for the next call.

    Not for two threads at a time.

    Args:
        front_end: what is made of a window.
        module: the cffi module whose C runs.
        struct: an ``sml_front_end *`` of it that says the same, one in a compiled file for
            instance; by default it is filled in from ``front_end``.

    Raises:
        ScratchmlError: ``struct`` is that of another front end.
    """

    def __init__(self, front_end: FrontEnd, module: Any = _engine, struct: Any = None) -> None:
        self.front_end = front_end
        self._ffi, self._lib = module.ffi, module.lib
        given = (len(front_end.channels), front_end.window, front_end.step, front_end.mask)
        if struct is None:
            struct = self._ffi.new("sml_front_end *", given)
        if (struct.channels, struct.window, struct.step, struct.statistics) != given:
            raise ScratchmlError("the C front end is not that of the .tflite")
        self._stream = self._ffi.new("sml_stream *")
        ring = self._ffi.new("int32_t[]", front_end.window * len(front_end.channels))
        self._kept = struct, ring  # cffi frees what nobody refers to
        size = self._ffi.sizeof(ring)
        self._check(self._lib.sml_stream_start(self._stream, struct, ring, size))

    def add(self, samples: npt.ArrayLike) -> Int32:
        """Samples ``[n, c]`` to int32 rows ``[m, inputs]``, one for each window complete by now.

        Raises:
            ScratchmlError: another shape, or values that are not int32.
        """
        counts = np.ascontiguousarray(self.front_end.check_samples(samples))
        beyond = len(counts) - self._stream.wait
        rows = 0 if beyond < 0 else beyond // self.front_end.step + 1
        features = np.empty((max(rows, 1), self.front_end.inputs), np.int32)
        source = self._ffi.from_buffer("int32_t[]", counts)
        target = self._ffi.from_buffer("int32_t[]", features, require_writable=True)
        channels, inputs = len(self.front_end.channels), self.front_end.inputs
        self._check(
            self._lib.sml_stream_rows(self._stream, source, channels, target, inputs, len(counts))
        )
        return features[:rows]

    def reset(self) -> None:
        """After a gap: no window reaches across, the next sample is the first one."""
        self._check(self._lib.sml_stream_reset(self._stream))

    def _check(self, status: int) -> None:
        if status != self._lib.SML_OK:
            name = self._ffi.string(self._ffi.cast("sml_status", status))
            raise ScratchmlError(f"the C front end answers {name} ({status})")
