"""Breaks and windows, against loops that walk from sample to sample."""

from __future__ import annotations

import math
import statistics

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scratchml.front_end import Channel, FrontEnd
from scratchml.windows import changes, filled, is_uniform, time_breaks, too_short, window_starts

examples = settings(deadline=None, max_examples=100)


def breaks_of(flags: list[bool]) -> np.ndarray:
    """As all functions here take them: the first sample begins a stretch."""
    return np.array([True, *flags[1:]], bool) if flags else np.zeros(0, bool)


flags = st.lists(st.integers(0, 5).map(lambda n: n == 0), max_size=60).map(breaks_of)


def stretches(breaks: np.ndarray) -> list[list[int]]:
    """The places between breaks, stretch by stretch."""
    found: list[list[int]] = []
    for place, is_first in enumerate(breaks.tolist()):
        if is_first:
            found.append([])
        found[-1].append(place)
    return found


# Breaks.


@examples
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30))
def test_a_change_is_a_row_that_differs_from_the_one_above(rows: list[tuple[int, int]]) -> None:
    columns = [np.array([row[i] for row in rows], np.int64) for i in range(2)]
    expected = [i == 0 or rows[i] != rows[i - 1] for i in range(len(rows))]
    assert changes(columns, len(rows)).tolist() == expected
    assert changes([], len(rows)).tolist() == [i == 0 for i in range(len(rows))]


def expected_time_breaks(times: list[float], breaks: list[bool]) -> list[bool]:
    inside = []
    for i in range(1, len(times)):
        if not breaks[i] and times[i] > times[i - 1]:
            inside.append(times[i] - times[i - 1])
    usual = statistics.median(inside) if inside else math.inf
    found = []
    for i in range(len(times)):
        step = times[i] - times[i - 1] if i else 0
        follows = 0 < step <= 1.5 * usual
        found.append(not breaks[i] and not follows)
    return found


@examples
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 1, 1, 1, 2, 3, -5]), st.integers(0, 7)), max_size=40)
)
@example([(1, 1), (0, 1), (0, 1)])
@example([(1, 1), (-5, 1), (-5, 1)])
def test_time_breaks_where_it_jumps_stands_still_or_goes_back(rows: list[tuple[int, int]]) -> None:
    """In steps of a sixteenth of a second, which floats add exactly."""
    times = np.cumsum([step for step, _ in rows]) / 16
    breaks = breaks_of([n == 0 for _, n in rows])
    expected = expected_time_breaks(times.tolist(), breaks.tolist())
    assert time_breaks(times, breaks).tolist() == expected


def test_a_jitter_is_no_break_and_the_breaks_that_are_known_have_no_say() -> None:
    """Ten seconds lie between the recordings, which are no usual steps."""
    times = np.array([0, 1.0, 2.3, 3.0, 13, 14, 15, 25, 26, 27.5, 29.1])
    breaks = np.array([1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0], bool)
    assert np.flatnonzero(time_breaks(times, breaks)).tolist() == [10]


def test_a_moment_that_is_not_known_breaks_on_both_sides() -> None:
    times = np.array([0, 1, 2, math.nan, 4, 5])
    breaks = breaks_of([True] + [False] * 5)
    assert np.flatnonzero(time_breaks(times, breaks)).tolist() == [3, 4]


def test_time_that_only_goes_back_is_all_breaks() -> None:
    """A file with the newest line on top has no windows that a board would see."""
    breaks = breaks_of([True] + [False] * 4)
    assert time_breaks(np.arange(5.0)[::-1], breaks).tolist() == [False, True, True, True, True]


# Windows.


@examples
@given(flags, st.integers(1, 12), st.integers(1, 15), st.integers(0, 4))
def test_windows_begin_where_a_loop_finds_them(
    breaks: np.ndarray, window: int, step: int, horizon: int
) -> None:
    expected = []
    for places in stretches(breaks):
        at = 0
        while at + window + horizon <= len(places):
            expected.append(places[at])
            at += step
    assert window_starts(breaks, window, step, horizon).tolist() == expected


@examples
@given(flags, st.integers(2, 12), st.integers(1, 15))
def test_the_board_s_stream_has_the_same_windows(
    breaks: np.ndarray, window: int, step: int
) -> None:
    """Started anew at each break, with the sample's place as the one channel."""
    front_end = FrontEnd((Channel("place", "", 1),), window, step)
    places = np.arange(len(breaks), dtype=np.int32)[:, None]
    streams = [front_end.stream(places[stretch]) for stretch in stretches(breaks)]
    seen = [int(row[0]) for rows in streams for row in rows]
    assert window_starts(breaks, window, step).tolist() == seen


def test_windows_longer_than_the_table_are_none() -> None:
    assert window_starts(breaks_of([True] * 3), 4096, 1).tolist() == []
    assert window_starts(np.zeros(0, bool), 1, 1).tolist() == []


@examples
@given(flags, st.integers(1, 20))
def test_samples_of_short_stretches_are_counted(breaks: np.ndarray, least: int) -> None:
    assert too_short(breaks, least) == sum(len(s) for s in stretches(breaks) if len(s) < least)


@examples
@given(st.data(), st.integers(1, 6))
def test_a_uniform_window_has_one_label(data: st.DataObject, window: int) -> None:
    labels = data.draw(st.lists(st.integers(-1, 1), min_size=window, max_size=40))
    starts = list(range(len(labels) - window + 1))
    expected = [len(set(labels[at : at + window])) == 1 for at in starts]
    assert is_uniform(np.array(labels), np.array(starts), window).tolist() == expected


# Filling.

cells = st.none() | st.integers(-9, 9)


@examples
@given(st.lists(st.tuples(cells, cells, st.integers(0, 5)), max_size=40))
def test_a_hole_takes_the_value_before_it_and_none_across_a_break(
    rows: list[tuple[int | None, int | None, int]],
) -> None:
    breaks = breaks_of([n == 0 for *_, n in rows])
    values = np.array([row[:2] for row in rows], np.float64).reshape(-1, 2)
    expected: list[list[float]] = []
    last: list[float] = []
    for row, is_first in zip(values.tolist(), breaks.tolist(), strict=True):
        if is_first:
            last = [math.nan] * 2
        last = [old if math.isnan(new) else new for old, new in zip(last, row, strict=True)]
        expected.append(last)
    found = filled(values, breaks)
    np.testing.assert_array_equal(found, np.array(expected).reshape(-1, 2))
