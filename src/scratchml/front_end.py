"""The front end: from a stream of raw counts to the counts that a network reads, window by window.

A window gives either all its samples, oldest first, or a few statistics of each channel. Every
statistic is an integer and computed in integers, so that what a network was trained on is what
``sml_stream_add`` computes on the board; docs/front_end.md is the specification of both, with the
proof that nothing overflows there. Values are held in int64 here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.checks import check_whole
from scratchml.errors import ScratchmlError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

#: What can be asked of each channel of a window; bit i of the C struct's mask is statistic i.
STATISTICS = (
    "mean",
    "minimum",
    "maximum",
    "range",
    "std",
    "rms",
    "mean_abs_diff",
    "zero_crossings",
    "mean_crossings",
)

#: Samples in a window, at most: keeps every sum of the statistics in 32 or 64 bits.
MAX_WINDOW = 4096
#: What the C struct counts in 16 bits: samples of a step, channels, inputs of a network.
MAX_16_BITS = 2**16 - 1

#: Values of the windows that are in work at once: bounds the memory, whatever the stream's length.
BLOCK = 2**20


@dataclass(frozen=True)
class Channel:
    """One quantity: ``name``, ``unit``, and ``resolution``, how many counts one unit is."""

    name: str
    unit: str
    resolution: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ScratchmlError(f"a channel named {self.name!r}: it needs a name")
        if not isinstance(self.unit, str):
            raise ScratchmlError(f"{self.name}: the unit {self.unit!r} is not a text")
        check_whole(f"{self.name}: counts a unit", self.resolution, 1, 2**31 - 1)


@dataclass(frozen=True)
class FrontEnd:
    """What is made of each window of a stream of samples.

    Attributes:
        channels: what a sample holds, one count of each.
        window: samples in a window; ``step``: from the start of one window to that of the next.
        statistics: names from ``STATISTICS``, kept in that order; none for the window itself,
            oldest sample first, the channels of a sample side by side.

    Raises:
        ScratchmlError: a name that is not known or there twice, a number out of its range.
    """

    channels: tuple[Channel, ...]
    window: int
    step: int
    statistics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if not names:
            raise ScratchmlError("a front end without channels: it needs one at least")
        check_unique("channel", names)
        check_whole("window", self.window, 1, MAX_WINDOW)
        check_whole("step", self.step, 1, MAX_16_BITS)
        check_statistics(self.statistics)
        ordered = tuple(name for name in STATISTICS if name in self.statistics)
        object.__setattr__(self, "statistics", ordered)
        if self.inputs > MAX_16_BITS:
            raise ScratchmlError(
                f"{self.inputs} values from a window: a network has {MAX_16_BITS} inputs at most"
            )

    @property
    def inputs(self) -> int:
        """Values that one window gives: the inputs of the network behind it."""
        return len(self.channels) * (len(self.statistics) or self.window)

    @property
    def feature_channels(self) -> tuple[Channel, ...]:
        """What the values are, for a ``Scaler``.

        Of statistics there is one for each value, ``ax mean``, ``ax std``, ``ay mean`` ...; of raw
        windows they are the channels themselves, which repeat from sample to sample.
        """
        if not self.statistics:
            return self.channels
        return tuple(
            Channel(f"{channel.name} {name}", "crossings", 1)
            if name.endswith("crossings")
            else Channel(f"{channel.name} {name}", channel.unit, channel.resolution)
            for channel in self.channels
            for name in self.statistics
        )

    @property
    def mask(self) -> int:
        """The statistics as the C struct has them: bit i is statistic i of ``STATISTICS``."""
        return sum(1 << STATISTICS.index(name) for name in self.statistics)

    def features(self, windows: npt.ArrayLike) -> Int32:
        """Windows ``[n, window, c]`` of int32 counts to int32 rows ``[n, inputs]``.

        Raises:
            ScratchmlError: another shape, or values that are not int32.
        """
        counts = self._checked(windows, (self.window, len(self.channels)))
        if not self.statistics:
            return counts.reshape(len(counts), -1)
        rows = np.empty((len(counts), len(self.channels), len(self.statistics)), np.int32)
        block = max(1, BLOCK // (self.window * len(self.channels)))
        for start in range(0, len(counts), block):
            part = slice(start, start + block)
            rows[part] = window_statistics(counts[part], self.statistics)
        return rows.reshape(len(counts), -1)

    def stream(self, samples: npt.ArrayLike) -> Int32:
        """Samples ``[n, c]`` in the order of time to int32 rows ``[m, inputs]``.

        The windows start at samples 0, step, 2 * step ...; what does not fill one at the end is
        left over. So computes ``sml_stream_add``, sample by sample.

        Raises:
            ScratchmlError: another shape, or values that are not int32.
        """
        counts = self.check_samples(samples)
        if len(counts) < self.window:
            return np.empty((0, self.inputs), np.int32)
        every = np.lib.stride_tricks.sliding_window_view(counts, self.window, axis=0)
        return self.features(every[:: self.step].transpose(0, 2, 1))

    def check_samples(self, samples: npt.ArrayLike) -> Int32:
        """``samples`` as int32 ``[n, c]``; what would not fit is refused."""
        return self._checked(samples, (len(self.channels),))

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as stored in a model's file."""
        fields = asdict(self)
        return {**fields, "channels": list(fields["channels"]), "statistics": [*self.statistics]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FrontEnd:
        """From what ``to_dict`` gives.

        Raises:
            ScratchmlError: a field is missing, of another kind or out of its range.
        """
        try:
            channels = tuple(
                Channel(fields["name"], fields["unit"], fields["resolution"])
                for fields in values["channels"]
            )
            statistics = tuple(map(str, values["statistics"]))
            return cls(channels, values["window"], values["step"], statistics)
        except (KeyError, TypeError) as error:
            raise ScratchmlError(f"the model's front end cannot be read ({error})") from None

    def _checked(self, given: npt.ArrayLike, shape: tuple[int, ...]) -> Int32:
        """``given`` as int32 ``[n, *shape]``; values that would not fit are refused."""
        counts = np.asarray(given)
        if counts.ndim != 1 + len(shape) or counts.shape[1:] != shape:
            raise ScratchmlError(
                f"counts of shape {counts.shape}: this front end takes "
                f"[n, {', '.join(map(str, shape))}] int32"
            )
        if counts.dtype == np.int32:
            return counts
        limits = np.iinfo(np.int32)
        if not np.issubdtype(counts.dtype, np.integer) or (
            counts.size and not limits.min <= int(counts.min()) <= int(counts.max()) <= limits.max
        ):
            raise ScratchmlError(f"counts of {counts.dtype.name}: they must be int32 values")
        return counts.astype(np.int32)


def window_statistics(windows: Int32, statistics: tuple[str, ...]) -> Int64:
    """Windows ``[n, window, c]`` to ``[n, c, s]``; each comment's width is the one that C needs."""
    n = windows.shape[1]
    limit = (2**30 - 1) // n
    x = np.clip(windows.astype(np.int64), -limit, limit)
    total = x.sum(axis=1)  # |total| < 2^30
    low, high = x.min(axis=1), x.max(axis=1)
    columns: list[Int64] = []
    for name in statistics:
        if name == "mean":
            value = np.sign(total) * ((np.abs(total) + n // 2) // n)
        elif name == "minimum":
            value = low
        elif name == "maximum":
            value = high
        elif name == "range":
            value = high - low
        elif name == "std":  # 4 * n^2 * variance <= 2^62
            value = rounded_root(4 * (n * (x * x).sum(axis=1) - total * total), n)
        elif name == "rms":
            value = rounded_root(4 * n * (x * x).sum(axis=1), n)
        elif name == "mean_abs_diff":  # the sum is below 2^31
            value = np.abs(np.diff(x, axis=1)).sum(axis=1)
            value = (value + (n - 1) // 2) // max(n - 1, 1)
        elif name == "zero_crossings":
            value = np.diff(x < 0, axis=1).sum(axis=1)
        else:
            value = np.diff(n * x < total[:, None], axis=1).sum(axis=1)
        columns.append(value)
    return np.stack(columns, axis=2)


def rounded_root(radicand: Int64, n: int) -> Int64:
    """``sqrt(radicand) / (2 * n)`` rounded to nearest, ties upwards; ``radicand`` 0 to 2^62."""
    return (integer_root(radicand) + n) // (2 * n)


def integer_root(radicand: npt.ArrayLike) -> Int64:
    """The floor of the square root, same shape, of 0 to 2^62; a bit of the root at a time.

    ``rest`` is what of the radicand the root found so far has not used up.
    """
    rest = np.array(radicand, np.int64)
    root = np.zeros_like(rest)
    for place in range(62, -1, -2):
        bit = np.int64(1) << np.int64(place)
        fits = rest >= root + bit
        rest -= np.where(fits, root + bit, 0)
        root = (root >> 1) + np.where(fits, bit, 0)
    return root


def check_statistics(names: tuple[str, ...]) -> None:
    """Refuse a statistic that is not known, or there twice."""
    for name in names:
        if name not in STATISTICS:
            raise ScratchmlError(
                f"the statistic {name!r} is not known: there are {', '.join(STATISTICS)}"
            )
    check_unique("statistic", names)


def check_unique(kind: str, names: list[str] | tuple[str, ...]) -> None:
    """Refuse a name that is there twice."""
    seen = set()
    for name in names:
        if name in seen:
            raise ScratchmlError(f"the {kind} {name!r} is there twice")
        seen.add(name)
