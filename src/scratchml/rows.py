"""What a network learns from and is judged by, whatever the data: rows of counts, and their scale.

A row's readings are integers, *counts* of a fixed resolution, as a sensor delivers them on the
board; the floats that the network is trained on are computed from the counts. Where they come from
(``dataset`` cuts hours of weather, ``digits`` reads images) is nobody's business here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError
from scratchml.front_end import FrontEnd
from scratchml.target import Target


@dataclass(frozen=True)
class Scaler:
    """Z-scores channel by channel: ``(counts / resolution - mean) / std``.

    A row is whole windows of the channels, ``[T, RH, T, RH, T, RH]`` for three hours of two.

    Attributes:
        names, units: of the channels, ``c`` each; ``resolution``: counts a unit.
        mean, std: in units, over the training rows.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    resolution: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        counts: npt.NDArray[np.int32],
        names: Sequence[str],
        units: Sequence[str],
        resolution: Sequence[int],
    ) -> Scaler:
        """Mean and standard deviation of each channel of ``counts[n, window * c]``.

        Raises:
            ScratchmlError: there are no rows, they are not whole windows, or a channel has one
                value only.
        """
        if len(counts) == 0 or counts.shape[1] % len(names):
            raise ScratchmlError(
                f"counts of shape {counts.shape}: a scaler needs rows of whole windows of "
                f"{len(names)} channels"
            )
        values = counts.reshape(-1, len(names)) / np.array(resolution)
        std = values.std(axis=0)
        constant = (values == values[0]).all(axis=0)  # their std may differ from 0 in the last bit
        if constant.any():
            name = names[int(np.argmax(constant))]
            raise ScratchmlError(f"{name} has one value in all training rows: nothing to learn")
        return cls(
            tuple(names),
            tuple(units),
            tuple(resolution),
            tuple(values.mean(axis=0).tolist()),
            tuple(std.tolist()),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scaler:
        """From ``dataclasses.asdict``, as stored in a model's file.

        Raises:
            ScratchmlError: a field is missing, of another length or not a usable number.
        """
        try:
            lists = [values[key] for key in ("names", "units", "resolution", "mean", "std")]
            names, units = (tuple(map(str, items)) for items in lists[:2])
            resolution = tuple(map(int, lists[2]))
            mean, std = (tuple(map(float, items)) for items in lists[3:])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ScratchmlError(f"the model's features cannot be read ({error})") from None
        usable = np.isfinite([*mean, *std]).all() and min(std, default=0) > 0
        usable = usable and 0 < min(resolution, default=0) <= max(resolution) < 2**31
        if not names or len({len(items) for items in lists}) != 1 or not usable:
            raise ScratchmlError("the model's features do not fit each other")
        return cls(names, units, resolution, mean, std)

    @property
    def channels(self) -> tuple[tuple[str, str, int], ...]:
        """Name, unit and counts a unit of each channel."""
        return tuple(zip(self.names, self.units, self.resolution, strict=True))

    def standardize(self, counts: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """``counts[n, window * c]`` to z-scores of the same shape."""
        windows = counts.shape[1] // len(self.names)
        resolution, mean, std = (
            np.tile(v, windows) for v in (self.resolution, self.mean, self.std)
        )
        return np.asarray((counts / resolution - mean) / std, np.float32)


@dataclass(frozen=True)
class Rows:
    """``n`` rows: what was read, and what a network should make of it.

    Attributes:
        counts: ``[n, window * c]`` int32.
        y: float32; ``[n]`` the index of the class (of a yes or no: 1 is yes), or the target of a
            regression, ``[n, outputs]`` where there are several.
        index: ``[n]``, the row's place in what it was cut from (a table of hours, a list of
            images).
        scaler: of the counts.
        target: of a regression whose ``y`` is scaled: what it stands for.
    """

    counts: npt.NDArray[np.int32]
    y: npt.NDArray[np.float32]
    index: npt.NDArray[np.int64]
    scaler: Scaler
    target: Target | None = None

    @cached_property
    def x(self) -> npt.NDArray[np.float32]:
        """Z-scores ``[n, window * c]``, what the float network reads."""
        return self.scaler.standardize(self.counts)

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Dataset:
    """The rows of the three parts, and what they were made from.

    Attributes:
        recipe: the choices that made the rows, a dataclass of JSON values.
        classes: the names of the classes, by index; none of a regression.
        fingerprint: SHA-256 of what the rows were cut from.
        front_end: what cuts the rows from a stream of samples on the board, if anything does.
        notes: what happened to the data on the way, a line each.
    """

    train: Rows
    validation: Rows
    test: Rows
    scaler: Scaler
    recipe: Any
    classes: tuple[str, ...]
    fingerprint: str
    front_end: FrontEnd | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
