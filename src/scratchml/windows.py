"""Where windows begin in a table of samples: none reaches across a break.

A break is where another group or session begins, where samples are missing, or where time jumps.
Between breaks windows begin at the first sample and then every ``step`` samples, which is when the
stream on the board (``front_end``) is done with one.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

#: A sample this much later than usual comes after a gap.
GAP = 1.5


def changes(columns: Iterable[npt.NDArray[np.integer]], n: int) -> Bools:
    """``bool[n]``: whether some column has another value than in the row above; true at first."""
    new = np.zeros(n, bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def time_breaks(times: npt.NDArray[np.float64], breaks: Bools) -> Bools:
    """``bool[n]``: whether a sample does not follow the one above it in time.

    The usual step is the median of those inside the stretches that ``breaks`` leaves. Time that
    stands still or goes back is another recording.

    Args:
        times: ``[n]``, seconds.
    """
    steps = np.diff(times, prepend=np.nan)
    inside = steps[~breaks & (steps > 0)]
    if len(inside) == 0:
        return np.zeros(len(times), bool)
    usual = float(np.median(inside))
    return np.asarray(~(steps > 0) | (steps > GAP * usual)) & ~breaks


def window_starts(breaks: Bools, window: int, step: int, horizon: int = 0) -> Places:
    """``[m]``: where the windows begin that are followed by ``horizon`` samples before a break."""
    n = len(breaks)
    firsts = np.flatnonzero(breaks)
    lengths = np.diff(firsts, append=n)
    offset = np.arange(n) - np.repeat(firsts, lengths)
    left = np.repeat(lengths, lengths) - offset
    return np.flatnonzero((offset % step == 0) & (left >= window + horizon))


def is_uniform(codes: npt.NDArray[np.integer], starts: Places, window: int) -> Bools:
    """``bool[m]``: whether all samples of a window have the same code."""
    run = np.cumsum(np.diff(codes, prepend=codes[:1]) != 0)
    return np.asarray(run[starts] == run[starts + window - 1])
