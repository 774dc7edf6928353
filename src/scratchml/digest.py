"""One number for a million rows, to compare numpy, C, an emulator and a board.

Word ``i`` of the input stream is ``fmix32(seed + i * 0x9E3779B9)`` modulo 2^32; its bytes, little
end first, are the next int8 inputs, and rows follow each other without padding. The digest is the
CRC-32 (zlib's) of all output bytes. The C engine has the same in ``digest.c``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]

#: Codes of the widest layer that are held at a time: they stay in the cache.
CHUNK = 2**16


def stream(seed: int, first: int, count: int) -> Int8:
    """Bytes ``first`` to ``first + count`` of the input stream, int8 ``[count]``."""
    words = np.arange(first // 4, (first + count + 3) // 4, dtype=np.uint64)
    h = ((words * 0x9E3779B9 + seed) & 0xFFFFFFFF).astype(np.uint32)
    # MurmurHash3's 32-bit finalizer; uint32 arrays wrap around
    h ^= h >> 16
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> 13
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> 16
    return h.astype("<u4").view(np.int8)[first % 4 :][:count]


def digest(
    model: QuantizedMLP, rows: int, seed: int = 0, on_rows: Callable[[int], None] | None = None
) -> int:
    """CRC-32 of all outputs for ``rows`` rows, computed in numpy integers.

    ``on_rows`` is told how many rows are done, now and then. ``Engine.digest`` is the same in C.
    """
    crc, step = 0, max(CHUNK // max(model.sizes), 1)
    for start in range(0, rows, step):
        n = min(step, rows - start)
        codes = stream(seed, start * model.inputs, n * model.inputs)
        crc = zlib.crc32(model.run(codes.reshape(n, model.inputs)).tobytes(), crc)
        if on_rows:
            on_rows(start + n)
    return crc
