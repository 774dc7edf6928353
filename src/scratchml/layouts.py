"""How a layer's numbers lie in memory: as the kernel of each CPU wants them.

``portable`` is ``csrc/engine/dense_portable.c``: rows of int8 weights. The packed layouts put
several weights into a word, and all words of a layer into one array in the order in which the
kernel reads them; ``dense_cortex_m4.c`` and ``dense_cortex_m0plus.c`` say why that works. A packed
kernel is exact for layers within its bounds only; any other layer takes the portable one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from scratchml.layers import CODES, QuantizedDense

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

#: A packed sum is found in the upper 24 bits of a word: no accumulator may reach 2^23.
PACKED_REACH = 2**23

#: Two codes are clamped at once, in 16 bits each; the zero point is still to be added.
CODE_REACH = 2**15 - 256


@dataclass(frozen=True)
class LaidOut:
    """A layer as ``sml_dense`` has it.

    Attributes:
        kernel: name of the C function.
        weights: int8 ``[outputs, inputs]``, or the packed uint32 ``[words]``.
        channels: int32 ``[outputs, 3]``, bias, multiplier and shift; ``None`` if packed.
        table: int8 ``[256]``, or ``None``.
    """

    kernel: str
    weights: npt.NDArray[np.int8] | npt.NDArray[np.uint32]
    channels: npt.NDArray[np.int32] | None
    zero_point: int
    act_min: int
    act_max: int
    table: Int8 | None

    @property
    def flash_bytes(self) -> int:
        """What its arrays take, each in whole words."""
        arrays = (self.weights, self.channels, self.table)
        return sum(-(-array.nbytes // 4) * 4 for array in arrays if array is not None)


@dataclass(frozen=True)
class Layout:
    """One of the engine's layouts.

    Attributes:
        name: for people; ``number``: SML_LAYOUT in C.
        offset: an activation in memory is its code plus this; ``bytes`` is its size.
        pack: rows of a layer to a kernel's name and words; ``None`` for the portable layout.
    """

    name: str
    number: int
    offset: int = 0
    bytes: int = 1
    pack: Callable[[Rows], tuple[str, list[Int64]]] | None = None

    @property
    def macro(self) -> str:
        """Its name in C."""
        return f"SML_LAYOUT_{self.name.upper().replace('-', '_')}"

    def lay_out(self, layer: QuantizedDense) -> LaidOut:
        """The layer for this layout's kernel, or for the portable one if it has to be."""
        rows = Rows.of(layer, self.offset)
        zero_point = layer.target.zero_point + self.offset
        if self.pack and rows.can_be_packed():
            kernel, parts = self.pack(rows)
            words = np.concatenate(parts) & 0xFFFFFFFF
            ends = -128 + self.offset, 127 + self.offset
            return LaidOut(
                kernel, words.astype(np.uint32), None, zero_point, *ends, clamping_table(layer)
            )
        bias = layer.folded_bias - self.offset * layer.weights.sum(axis=1, dtype=np.int64)
        channels = np.stack([bias, layer.multiplier, layer.shift], axis=1).astype(np.int32)
        return LaidOut(
            "sml_dense_portable",
            layer.weights,
            channels,
            zero_point,
            layer.act_min + self.offset,
            layer.act_max + self.offset,
            layer.table,
        )

    def memory_bytes(self, sizes: tuple[int, ...]) -> int:
        """Activation memory for layers of ``sizes`` units: the widest one's two sides."""
        return 4 * max(a + b for a, b in pairwise(self._words(sizes)))

    def places(self, sizes: tuple[int, ...]) -> list[int]:
        """Where each layer's output begins in that memory, in words.

        Its two ends take turns: one holds a layer's input, the other its output.
        """
        total = self.memory_bytes(sizes) // 4
        outputs = self._words(sizes)[1:]
        return [0 if i % 2 else total - words for i, words in enumerate(outputs)]

    def _words(self, sizes: tuple[int, ...]) -> list[int]:
        return [-(-n // 4) * self.bytes for n in sizes]


@dataclass(frozen=True)
class Rows:
    """A layer's rows for a packed kernel, int64.

    Attributes:
        weights: ``[outputs, inputs]``.
        bias: ``[outputs]``, for activations that are codes plus the layout's offset.
        multiplier, shift: ``[outputs]``; the shift goes to the right, 1 to 31.
        reach: ``[outputs]``, what no accumulator exceeds in magnitude.
    """

    weights: Int64
    bias: Int64
    multiplier: Int64
    shift: Int64
    reach: Int64

    @classmethod
    def of(cls, layer: QuantizedDense, offset: int) -> Rows:
        weights = layer.weights.astype(np.int64)
        bias, multiplier = layer.folded_bias.astype(np.int64), layer.multiplier.astype(np.int64)
        shift = -layer.shift.astype(np.int64)
        # A row of zeros is a constant c with a factor of 1: as packed kernels have no such factor,
        # it is 4 c / 2 / 2, exactly. Beyond 256 the code saturates.
        zero = ~weights.any(axis=1)
        bias[zero] = 4 * np.clip(bias[zero], -256, 256)
        multiplier[zero], shift[zero] = 2**30, 1
        # A factor that is too small for any code other than the zero point: as small as there is.
        tiny = multiplier == 0
        multiplier[tiny], shift[tiny] = 2**30, 31
        reach = np.abs(bias) + 128 * np.abs(weights).sum(axis=1)
        return cls(weights, bias - offset * weights.sum(axis=1), multiplier, shift, reach)

    @property
    def inputs(self) -> int:
        return int(self.weights.shape[1])

    def can_be_packed(self) -> bool:
        """Whether the packed kernels are exact for every int8 input."""
        return bool(
            (self.weights > -128).all()
            and (self.shift > 0).all()
            and (self.reach < PACKED_REACH).all()
            and (self.reach * self.multiplier < CODE_REACH * 2.0 ** (31 + self.shift)).all()
        )


def clamping_table(layer: QuantizedDense) -> Int8 | None:
    """The table of a layer whose kernel clamps to int8 only: a narrower clamp is part of it."""
    if (layer.act_min, layer.act_max) == (-128, 127):
        return layer.table
    codes = np.clip(CODES, layer.act_min, layer.act_max)
    return codes.astype(np.int8) if layer.table is None else layer.table[codes + 128]


def padded(weights: Int64, multiple: int) -> Int64:
    """Zero columns added to ``weights[rows, columns]`` up to a multiple."""
    return np.pad(weights, ((0, 0), (0, -weights.shape[1] % multiple)))


def pack_cortex_m4(rows: Rows) -> tuple[str, list[Int64]]:
    """Six rows at a time as three pairs, what is left as pairs, then a single row.

    The small kernel takes pairs only. Of a group: first values of the sums, 256 A + B of each pair
    and then B of each; the weights, 256 A + B, two columns a word; for each pair twice the
    multipliers and, in one word, the shifts.
    """
    weights = padded(rows.weights, 4)
    columns = 2 * -(-rows.inputs // 2)
    multipliers = 2 * rows.multiplier
    is_small = columns == 6 or (len(weights) < 6 and rows.inputs < 16)
    words: list[Int64] = []
    for start, count in groups(len(weights), (2, 1) if is_small else (6, 2, 1)):
        a, b = slice(start, start + count, 2), slice(start + 1, start + count, 2)
        if count == 1:  # a row of halfwords: B without an A
            first, halves = rows.bias[a], weights[a]
            scales = np.stack([multipliers[a], rows.shift[a]], axis=1)
        else:
            first = np.concatenate([256 * rows.bias[a] + rows.bias[b], rows.bias[b]])
            halves = (256 * weights[a] + weights[b])[:, :columns]
            shifts = rows.shift[a] | rows.shift[b] << 8
            scales = np.stack([multipliers[a], multipliers[b], shifts], axis=1)
        packed = halves[:, 0::2] & 0xFFFF | halves[:, 1::2] << 16
        words += [first, packed.T.ravel(), scales.ravel()]
    return "sml_dense_cortex_m4" + ("_small" if is_small else ""), words


def pack_cortex_m0plus(rows: Rows) -> tuple[str, list[Int64]]:
    """Four rows at a time, then single rows of int8, four columns a word.

    Of four rows A, B, C, D: first values of the sums; a word for each column; multiplier and shift
    of each row, in two words: its low half, then its high half and in the lowest byte the shift.
    """
    low, high = rows.multiplier & 0xFFFF, rows.multiplier >> 16
    scales = np.stack([low, high << 16 | rows.shift], axis=1)
    words: list[Int64] = []
    for start, count in groups(len(rows.weights), (4, 1)):
        group = slice(start, start + count)
        if count == 1:
            quads = padded(rows.weights[group], 4).reshape(-1, 4) & 0xFF
            packed = quads @ (1 << np.array([0, 8, 16, 24]))
            first = rows.bias[group]
        else:
            a, b, c, d = padded(rows.weights[group], 2)
            packed = ((256 * d + c) << 16) + 256 * (b + 128) + a
            packed[rows.inputs :] = 0
            a, b, c, d = rows.bias[group, np.newaxis]
            first = np.concatenate([((256 * d + c) << 16) + 256 * b + a, 256 * d + c, a, c])
        words += [first, packed, scales[group].ravel()]
    return "sml_dense_cortex_m0plus" + ("_small" if rows.inputs < 16 else ""), words


def groups(rows: int, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """``rows`` cut into groups, the largest first: the first row and the size of each."""
    found, start = [], 0
    for size in sizes:
        while rows - start >= size:
            found.append((start, size))
            start += size
    return found


PORTABLE = Layout("portable", 0)
CORTEX_M4 = Layout("cortex-m4", 1, bytes=2, pack=pack_cortex_m4)
CORTEX_M0PLUS = Layout("cortex-m0plus", 2, offset=128, pack=pack_cortex_m0plus)

LAYOUTS = (PORTABLE, CORTEX_M4, CORTEX_M0PLUS)
