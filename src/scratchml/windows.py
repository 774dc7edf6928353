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
Floats = npt.NDArray[np.float64]
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


def time_breaks(times: Floats, breaks: Bools) -> Bools:
    """``bool[n]``: whether a sample does not follow the one above it in time.

    The usual step is the median of those inside the stretches that ``breaks`` leaves. Time that
    stands still or goes back is another recording.

    Args:
        times: ``[n]``, seconds.
    """
    steps = np.diff(times, prepend=np.nan)
    forward = steps > 0
    inside = steps[~breaks & forward]
    usual = float(np.median(inside)) if len(inside) else np.inf
    return np.asarray((~forward | (steps > GAP * usual)) & ~breaks)


def window_starts(breaks: Bools, window: int, step: int, horizon: int = 0) -> Places:
    """``[m]``: where the windows begin that are followed by ``horizon`` samples before a break."""
    firsts, lengths = _stretches(breaks)
    offset = np.arange(len(breaks)) - firsts
    return np.flatnonzero((offset % step == 0) & (lengths - offset >= window + horizon))


def too_short(breaks: Bools, least: int) -> int:
    """How many samples stand in stretches of fewer than ``least``."""
    return int((_stretches(breaks)[1] < least).sum())


def filled(values: Floats, breaks: Bools) -> Floats:
    """``[n, c]`` with the value before it in place of each NaN, unless a break is between them."""
    own = np.arange(len(values))[:, None]
    known = np.maximum.accumulate(np.where(np.isnan(values), -1, own), axis=0)
    before = known >= _stretches(breaks)[0][:, None]
    return np.where(before, np.take_along_axis(values, known, axis=0), np.nan)


def is_uniform(codes: npt.NDArray[np.integer], starts: Places, window: int) -> Bools:
    """``bool[m]``: whether all samples of a window have the same code."""
    run = np.cumsum(changes([codes], len(codes)))
    return np.asarray(run[starts] == run[starts + window - 1])


def _stretches(breaks: Bools) -> tuple[Places, Places]:
    """Where each sample's stretch begins, and how long it is, ``[n]`` both."""
    firsts = np.flatnonzero(breaks)
    lengths = np.diff(firsts, append=len(breaks))
    return np.repeat(firsts, lengths), np.repeat(lengths, lengths)
