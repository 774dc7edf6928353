"""Affine quantization: what an int8 code stands for, and how a real factor becomes two integers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError


@dataclass(frozen=True)
class Quantization:
    """What the codes of an activation stand for: ``real = scale * (code - zero_point)``."""

    scale: float  # a float32 value
    zero_point: int

    def real(self, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """What ``codes`` stand for, same shape; in float32, as DEQUANTIZE computes it."""
        return np.float32(self.scale) * (codes.astype(np.float32) - np.float32(self.zero_point))

    def codes(self, values: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """The nearest codes, ties away from zero, same shape; in float32, as QUANTIZE does it."""
        with np.errstate(over="ignore"):
            steps = np.asarray(values, np.float32) / np.float32(self.scale)
        return np.clip(nearest(steps) + self.zero_point, -128, 127).astype(np.int8)

    def code_of(self, value: float) -> int:
        """The code nearest to ``value``, clamped to int8: ``zero_point + value / scale`` in f32.

        Raises:
            ScratchmlError: the quotient leaves 32 bits.
        """
        with np.errstate(over="ignore"):
            quotient = float(np.float32(value) / np.float32(self.scale))
        if not abs(quotient) < 2**31:
            raise ScratchmlError(f"a scale of {self.scale:g} is too small for a bound at {value:g}")
        return min(max(self.zero_point + round_half_away(quotient), -128), 127)


#: Every probability, by convention: code -128 is 0 and 127 is 255/256.
PROBABILITY = Quantization(1 / 256, -128)


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """``factor`` as ``multiplier / 2^31 * 2^shift`` with 31 bits of multiplier, or (0, 0).

    A factor below 2^-32 counts as 0. Source: TensorFlow Lite Micro, ``QuantizeMultiplier``.
    """
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def round_half_away(value: float) -> int:
    """The nearest integer, ties away from zero: C's ``lround``, not Python's ``round``."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def nearest(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The same for float32 arrays; as float64, since a float32 sum with 0.5 would round."""
    wide = values.astype(np.float64)
    return np.asarray(np.copysign(np.floor(np.abs(wide) + 0.5), wide))
