"""What the flash adds to the modelled cycles: estimates, from stated assumptions.

The addresses are known, of every instruction and of every load, so the caches are simulated; what
is assumed is how they are built and how long a miss takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scratchml.cost.emulator import Read
from scratchml.cost.program import Span

Lines = list[int]


@dataclass(frozen=True)
class Cache:
    """A set-associative cache of ``line`` bytes a line, the oldest line of a set replaced.

    ``miss`` is in cycles.
    """

    line: int
    sets: int
    ways: int
    miss: int

    def misses(self, lines: Iterable[int], held: dict[int, dict[int, None]]) -> int:
        """How many ``lines`` are not there; ``held``, by set, the oldest first, is updated."""
        count = 0
        for line in lines:
            ways = held.setdefault(line % self.sets, {})
            if line in ways:
                del ways[line]  # and added again, as the newest
            else:
                count += 1
                if len(ways) == self.ways:
                    del ways[next(iter(ways))]
            ways[line] = None
        return count


@dataclass(frozen=True)
class Flash:
    """A chip's flash.

    Attributes:
        cache: of instructions and, unless ``data_wait`` is given, of data.
        data_wait: wait states of each word of data, which no cache holds.
        assumptions: all of this in words, with the source.
    """

    cache: Cache
    data_wait: int | None
    assumptions: str


NRF52840 = Flash(
    Cache(line=4, sets=1, ways=2**20, miss=3),
    data_wait=2,
    assumptions="nRF52840 Product Specification, CPU: from flash a fetch that misses the "
    "instruction cache waits 3 states, data 2. Assumed: the cache holds all the code that runs, "
    "cold each word of it misses once; data is never cached, each word waits.",
)

RP2040 = Flash(
    Cache(line=8, sets=1024, ways=2, miss=56),
    data_wait=None,
    assumptions="RP2040 datasheet, XIP: code and data share a cache of 16 KB, two ways, 8-byte "
    "lines. Assumed: the older way is replaced; a miss takes 56 cycles, 28 clocks of quad SPI "
    "(12 of address, mode and waiting, 16 of data) at half the system clock.",
)

FLASHES = {"cortex-m4": NRF52840, "cortex-m0plus": RP2040}


@dataclass(frozen=True)
class Estimates:
    """Cycles of an inference, wait states included.

    Attributes:
        weights_in_ram: the model's arrays are in RAM; the code runs from flash, warm.
        warm_flash: everything is in flash, and the inference before it was the same.
        cold_flash: the caches are empty.
    """

    weights_in_ram: int
    warm_flash: int
    cold_flash: int


def estimate(
    flash: Flash,
    trace: npt.NDArray[np.uint32],
    sizes: npt.NDArray[np.int64],
    reads: list[Read],
    cycles: int,
    arrays: list[Span],
) -> Estimates:
    """Estimates for an inference.

    Args:
        trace: addresses of its instructions; ``sizes``: their bytes.
        reads: its loads from flash; their steps are those of ``trace``.
        cycles: of the inference at zero wait states.
        arrays: where the model's constants lie.
    """
    code_only = [read for read in reads if not any(read.address in span for span in arrays)]
    cold, warm = _waits(flash, trace, sizes, reads)
    _, ram = _waits(flash, trace, sizes, code_only)
    return Estimates(cycles + ram, cycles + warm, cycles + cold)


def _waits(
    flash: Flash, trace: npt.NDArray[np.uint32], sizes: npt.NDArray[np.int64], reads: list[Read]
) -> tuple[int, int]:
    """Cycles spent waiting in a first inference and in a second one."""
    waits = 0
    if flash.data_wait is not None:
        waits = flash.data_wait * sum(-(-read.size // 4) for read in reads)
        reads = []
    lines = _lines(flash.cache.line, trace, sizes, reads)
    held: dict[int, dict[int, None]] = {}
    first, second = (waits + flash.cache.miss * flash.cache.misses(lines, held) for _ in range(2))
    return first, second


def _lines(
    size: int, trace: npt.NDArray[np.uint32], sizes: npt.NDArray[np.int64], reads: list[Read]
) -> Lines:
    """Numbers of the lines that are accessed, in order; not one twice in a row.

    A step first fetches its instruction, which may lie on two lines, then loads.
    """
    starts = trace.astype(np.int64)
    ends = starts + sizes - 1
    steps, first, last = _columns([(r.step, r.address, r.address + r.size - 1) for r in reads])
    order = np.concatenate([2 * np.arange(len(starts)), 2 * steps + 1])
    first, last = np.concatenate([starts, first]) // size, np.concatenate([ends, last]) // size
    counts = last - first + 1
    sort = np.argsort(order, kind="stable")
    first, counts = first[sort], counts[sort]
    offsets = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    lines = np.repeat(first, counts) + offsets
    changes = np.ones(len(lines), bool)
    changes[1:] = lines[1:] != lines[:-1]
    return list(lines[changes].tolist())


def _columns(rows: list[tuple[int, int, int]]) -> npt.NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, 3).T
