"""The scaler in integers: from sensor counts to int8 codes, the same on the board as in numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scratchml.affine import Quantization, quantize_multiplier, round_half_away
from scratchml.errors import ScratchmlError
from scratchml.rows import Scaler


@dataclass(frozen=True)
class Features:
    """The scaler in integers: what ``sml_prepare_input`` needs, a value for each channel."""

    mean: npt.NDArray[np.int32]
    low: npt.NDArray[np.int32]
    high: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]

    @classmethod
    def of(cls, scaler: Scaler, target: Quantization) -> Features:
        """``code = (counts - mean) / (resolution * std * scale) + zero_point``.

        Counts are clamped to where the code has long saturated, so that nothing overflows.

        Raises:
            ScratchmlError: a channel's counts do not fit in 31 bits.
        """
        columns = []
        for name, resolution, mean, std in zip(
            scaler.names, scaler.resolution, scaler.mean, scaler.std, strict=True
        ):
            step = min(resolution, 2**31) * std * target.scale  # counts a code
            if (
                not resolution < 2**31
                or not 2**-30 < step < 2**20
                or not abs(mean * resolution) < 2**29
            ):
                raise ScratchmlError(f"{name}: {resolution} counts a unit do not fit in 31 bits")
            factor, center = 1 / step, round_half_away(mean * resolution)
            reach = math.ceil(257 * step)  # codes span 255, zero point included
            columns.append((center, center - reach, center + reach, *quantize_multiplier(factor)))
        mean_, low, high, multiplier, shift = np.array(columns, np.int32).T.copy()
        return cls(mean_, low, high, multiplier, shift.astype(np.int8))

    def tiled(self, inputs: int) -> Features:
        """A value for each of ``inputs`` inputs, which are whole windows of the channels."""
        windows = inputs // len(self.mean)
        return Features(
            np.tile(self.mean, windows),
            np.tile(self.low, windows),
            np.tile(self.high, windows),
            np.tile(self.multiplier, windows),
            np.tile(self.shift, windows),
        )
