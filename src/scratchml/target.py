"""What a network that puts out a number is taught: its target, scaled to where it learns well.

A network's output is near 0 and 1 to begin with; pressures near 1,000 hPa would take it long to
reach, and int8 has 256 codes for all the way from 0. So it learns ``(target - mean) / std``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError

#: The largest count of a training row: what a network says beyond still fits in 32 bits.
MAX_COUNT = 2**29


@dataclass(frozen=True)
class Target:
    """The number that is to be told.

    Attributes:
        name, unit: of the column; ``resolution``: counts a unit on the board.
        mean, std: in units, over the training rows.
    """

    name: str
    unit: str
    resolution: int
    mean: float
    std: float

    @classmethod
    def fit(cls, values: npt.NDArray[np.float64], name: str, unit: str, resolution: int) -> Target:
        """From the targets ``[n]`` of the training rows.

        Raises:
            ScratchmlError: they are all the same, or too large to be told in counts.
        """
        if len(values) == 0 or (values == values[0]).all():
            raise ScratchmlError(f"{name} has one value in all training rows: nothing to learn")
        if not float(np.abs(values).max()) * resolution <= MAX_COUNT:
            raise ScratchmlError(
                f"{name}: {np.abs(values).max():g} at {resolution:,} counts a unit does not fit in "
                f"30 bits: use a larger unit"
            )
        return cls(name, unit, resolution, float(values.mean()), float(values.std()))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Target:
        """From what ``to_dict`` gives.

        Raises:
            ScratchmlError: a field is missing or not a usable number.
        """
        try:
            target = cls(
                str(values["name"]),
                str(values["unit"]),
                int(values["resolution"]),
                float(values["mean"]),
                float(values["std"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ScratchmlError(f"the model's target cannot be read ({error})") from None
        usable = math.isfinite(target.mean) and math.isfinite(target.std) and target.std > 0
        if not usable or not 0 < target.resolution < 2**31:
            raise ScratchmlError("the model's target is not a usable scale")
        return target

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as stored in a model's file."""
        return asdict(self)

    def standardize(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Targets in units to what the network learns, same shape."""
        return np.asarray((values - self.mean) / self.std, np.float32)

    def real(self, outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """What a network puts out to units, same shape."""
        return np.asarray(outputs, np.float64) * self.std + self.mean
