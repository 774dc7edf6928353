"""Front ends, streams of samples and models that the tests of several files use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import scratchml as sml
from scratchml.front_end import STATISTICS, Channel, FrontEnd
from scratchml.rows import Rows, Scaler

AXES = tuple(Channel(name, "g", 1000) for name in ("ax", "ay", "az"))
CLASSES = ("rest", 'sh"a\\ke??/', "höher*/")


def front_end(
    statistics: tuple[str, ...] = ("mean", "std"),
    *,
    window: int = 20,
    step: int = 10,
    resolution: int = 1000,
) -> FrontEnd:
    """Of an accelerometer's three axes."""
    axes = tuple(Channel(axis.name, axis.unit, resolution) for axis in AXES)
    return FrontEnd(axes, window, step, statistics)


def some_samples(n: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.int32]:
    """A stream ``[n, channels]`` as of an accelerometer at rest, but for the last axis' offset."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 300, (n, channels)) + 150 * np.arange(channels)).astype(np.int32)


def any_samples(n: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.int32]:
    """Small counts, any counts and the ends, in stretches of 30 samples."""
    rng = np.random.default_rng(seed)
    kinds = [
        rng.integers(-50, 50, (n, channels)),
        rng.integers(-(2**31), 2**31, (n, channels)),
        rng.choice([-(2**31), -(2**30), -1, 0, 1, 2**30, 2**31 - 1], (n, channels)),
        np.full((n, channels), rng.integers(-1000, 1000)),
    ]
    kind = np.arange(n) // 30 % len(kinds)
    return np.choose(kind[:, None], kinds).astype(np.int32)


def front_end_model(
    statistics: tuple[str, ...] = STATISTICS, *, window: int = 20, step: int = 10
) -> sml.QuantizedMLP:
    """An untrained network of three classes behind a front end."""
    one = front_end(statistics, window=window, step=step)
    counts = one.stream(some_samples(2000))
    names, units, resolutions = zip(
        *((c.name, c.unit, c.resolution) for c in one.feature_channels), strict=True
    )
    scaler = Scaler.fit(counts, names, units, resolutions)
    rows = Rows(counts, np.zeros(len(counts), np.float32), np.arange(len(counts)), scaler)
    net = sml.MLP([one.inputs, 8, len(CLASSES)], output="softmax", seed=0)
    return sml.quantize(net, rows, metadata={"classes": list(CLASSES)}, front_end=one)
