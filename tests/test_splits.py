"""How rows are shared out: by counts and sets, against what each split promises."""

from __future__ import annotations

import collections
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scratchml import digits
from scratchml.errors import ScratchmlError
from scratchml.splits import PARTS, Parts, at_random, by_class, by_group, by_time, undersample

examples = settings(deadline=None, max_examples=100)
shares = st.floats(0.1, 0.45)
seeds = st.integers(0, 2**32)


def is_partition(parts: Parts, n: int) -> bool:
    """Every place is in exactly one part, and in the old order there."""
    ordered = all((np.diff(part) > 0).all() for part in parts)
    return ordered and sorted(p for part in parts for p in part.tolist()) == list(range(n))


def counts_of(labels: npt.NDArray[np.int64]) -> dict[int, int]:
    return dict(collections.Counter(labels.tolist()))


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# At random.


@examples
@given(st.integers(0, 300), shares, shares, seeds)
def test_a_random_split_has_its_shares(n: int, validation: float, test: float, seed: int) -> None:
    parts = at_random(n, validation, test, random(seed))
    assert is_partition(parts, n)
    assert [len(part) for part in parts[1:]] == [round(n * validation), round(n * test)]
    again = at_random(n, validation, test, random(seed))
    assert all(map(np.array_equal, parts, again))


def test_every_row_may_come_into_every_part() -> None:
    seen = [set[int](), set[int](), set[int]()]
    for seed in range(100):
        for places, part in zip(seen, at_random(20, 0.2, 0.3, random(seed)), strict=True):
            places |= set(part.tolist())
    assert seen == [set(range(20))] * 3


# Class by class.


@examples
@given(st.lists(st.integers(7, 40), min_size=1, max_size=6), shares, shares, seeds)
def test_every_part_has_its_share_of_every_class(
    sizes: list[int], validation: float, test: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    random(seed).shuffle(labels)
    parts = by_class(labels, validation, test, random(seed))
    assert is_partition(parts, len(labels))
    for part, share in zip(parts[1:], (validation, test), strict=True):
        expected = {label: round(size * share) for label, size in enumerate(sizes)}
        assert counts_of(labels[part]) == expected
    again = by_class(labels, validation, test, random(seed))
    assert all(map(np.array_equal, parts, again))


@examples
@given(st.integers(1, 9), st.floats(0.01, 0.98), st.floats(0.01, 0.98), st.booleans())
def test_a_class_too_small_for_the_shares_is_named(
    size: int, validation: float, test: float, named: bool
) -> None:
    assume(validation + test < 0.99)
    rows = [size - round(size * test) - round(size * validation)]
    rows += [round(size * validation), round(size * test)]
    labels = np.array([1] * size + [0] * 1000)
    names = ("idle", "wave") if named else ()
    if all(rows):
        parts = by_class(labels, validation, test, random(0), names)
        assert [counts_of(labels[part])[1] for part in parts] == rows
    else:
        part, name = PARTS[rows.index(0)], "wave" if named else "1"
        expected = f"no {part} row is left for class {name} of {size} rows"
        with pytest.raises(ScratchmlError, match=expected):
            by_class(labels, validation, test, random(0), names)


def test_the_split_by_class_is_random_and_another_seed_gives_another() -> None:
    labels = digits.load().labels
    one, other = (by_class(labels, 0.2, 0.3, random(seed)) for seed in (1, 2))
    for a, b in zip(one, other, strict=True):
        assert len(a) == len(b)
        assert set(a.tolist()) != set(b.tolist())
        assert a.min() < 50 and a.max() > 1_750


# Group by group.


@examples
@given(
    st.lists(st.integers(1, 50), min_size=3, max_size=12),
    shares,
    shares,
    seeds,
    st.lists(st.integers(0, 11), max_size=4, unique=True),
)
@example([1, 1, 1], 0.2, 0.3, 0, [])
@example([1000, 1, 1], 0.45, 0.45, 0, [])
def test_a_group_is_in_one_part_whole(
    sizes: list[int], validation: float, test: float, seed: int, tested: list[int]
) -> None:
    """Wherever its rows stand, and every part has one."""
    groups = np.repeat(np.arange(len(sizes)) * 7, sizes)  # numbers that are not places
    random(seed).shuffle(groups)
    wanted = [7 * group for group in tested]
    there = len({group for group in tested if group < len(sizes)})
    if tested and not 0 < there <= len(sizes) - 2:
        with pytest.raises(ScratchmlError, match="too few for training, validation and test"):
            by_group(groups, validation, test, random(seed), wanted)
        return
    parts = by_group(groups, validation, test, random(seed), wanted)
    assert is_partition(parts, len(groups))
    sets = [set(groups[part].tolist()) for part in parts]
    assert all(sets)
    assert sum(map(len, sets)) == len(sizes)
    if tested:
        assert sets[2] == set(wanted) & set(groups.tolist())
    again = by_group(groups, validation, test, random(seed), wanted)
    assert all(map(np.array_equal, parts, again))


@examples
@given(st.integers(10, 40), st.floats(0.15, 0.35), st.floats(0.15, 0.35), seeds)
def test_groups_of_one_size_are_shared_out_as_asked(
    n: int, validation: float, test: float, seed: int
) -> None:
    """As the method of Adams has it, which leaves no part more than its share, rounded up."""
    parts = by_group(np.repeat(np.arange(n), 5), validation, test, random(seed))
    for part, share in zip(parts, (1 - validation - test, validation, test), strict=True):
        assert len(part) % 5 == 0
        assert 1 <= len(part) / 5 <= math.ceil(share * n + 1e-9)


def test_chosen_test_groups_leave_the_shares_of_the_others() -> None:
    """Of seven that are left, which is 0.7 of all: five and two."""
    groups = np.repeat(np.arange(10), 5)
    training, validation, test = by_group(groups, 0.2, 0.3, random(3), [0, 4, 8])
    assert set(groups[test].tolist()) == {0, 4, 8}
    assert (len(training) / 5, len(validation) / 5) == (5, 2)


def test_which_group_comes_where_is_random() -> None:
    groups = np.repeat(np.arange(6), 4)
    tests = {tuple(groups[by_group(groups, 0.2, 0.3, random(seed))[2]]) for seed in range(50)}
    assert {group for test in tests for group in test} == set(range(6))


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_groups_than_parts_are_refused(n: int) -> None:
    with pytest.raises(ScratchmlError, match=f"^{n} groups are too few"):
        by_group(np.arange(20) % n, 0.2, 0.3, random(0))
    with pytest.raises(ScratchmlError, match=r"^3 groups, 2 of them for the test, are too few"):
        by_group(np.arange(20) % 3, 0.2, 0.3, random(0), [0, 1])


# By time.


@examples
@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 9), shares, shares)
def test_a_row_lies_in_the_stretch_of_its_part(
    places: int, span: int, step: int, validation: float, test: float
) -> None:
    """A row of a loop for each; those across a border are in no part."""
    oldest = np.arange(0, max(places - span + 1, 0), step)
    newest = oldest + span - 1
    parts = by_time(oldest, newest, places, validation, test)
    borders = [0, round(places * (1 - test - validation)), round(places * (1 - test)), places]
    expected: list[list[int]] = [[], [], []]
    for row, (first, last) in enumerate(zip(oldest.tolist(), newest.tolist(), strict=True)):
        for part in range(3):
            if borders[part] <= first and last < borders[part + 1]:
                expected[part].append(row)
    assert [part.tolist() for part in parts] == expected


# Undersampling.


@examples
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), seeds)
def test_each_class_has_as_many_rows_as_the_smallest(labels: list[int], seed: int) -> None:
    y = np.array(labels)
    places = undersample(y, random(seed))
    least = min(counts_of(y).values())
    assert counts_of(y[places]) == dict.fromkeys(set(labels), least)
    assert (np.diff(places) > 0).all()


def test_undersampling_is_random() -> None:
    y = np.array([0] * 50 + [1] * 5)
    kept = {tuple(undersample(y, random(seed)).tolist()) for seed in range(20)}
    assert len(kept) > 15
