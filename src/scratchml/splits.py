"""How rows are shared out to training, validation and test.

A split decides what a figure means. Rows that overlap, or that come from one person, are no
strangers to each other: shared out at random, the test asks for what was learnt by heart.
``by_time`` and ``by_group`` keep them apart.

Each function returns places, three arrays of indices in the old order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError

Places: TypeAlias = npt.NDArray[np.int64]
Parts: TypeAlias = tuple[Places, Places, Places]

PARTS = ("training", "validation", "test")


def at_random(n: int, validation: float, test: float, rng: np.random.Generator) -> Parts:
    """A random share of ``n`` rows for each part."""
    training, validation_, test_ = _shares(rng.permutation(n), validation, test)
    return np.sort(training), np.sort(validation_), np.sort(test_)


def by_class(
    labels: npt.NDArray[np.integer],
    validation: float,
    test: float,
    rng: np.random.Generator,
    names: Sequence[str] = (),
) -> Parts:
    """The same class by class, so that every part has them in the same proportions (*stratified*).

    Args:
        labels: ``[n]``, the class of each row.
        names: of the classes, for the error; by default their numbers.

    Raises:
        ScratchmlError: a part would be left without some class.
    """
    parts: list[list[Places]] = [[], [], []]
    for label in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == label))
        shares = _shares(order, validation, test)
        for part, name, share in zip(parts, PARTS, shares, strict=True):
            if len(share) == 0:
                raise ScratchmlError(
                    f"no {name} row is left for class {names[label] if names else label} of "
                    f"{len(order)} rows: choose a larger share, or get more of them"
                )
            part.append(share)
    training, validation_, test_ = (np.sort(np.concatenate(part)) for part in parts)
    return training, validation_, test_


def by_group(
    groups: npt.NDArray[np.integer],
    validation: float,
    test: float,
    rng: np.random.Generator,
    test_groups: Sequence[int] = (),
) -> Parts:
    """Whole groups (persons, machines, days) for each part: those of the test are strangers.

    In random order, each goes to the part that has least of its share of the rows so far (the
    method of Adams, where all groups are of one size: no part has more than its share, rounded up).

    Args:
        groups: ``[n]``, the group of each row.
        test_groups: those of the test; none: random ones.

    Raises:
        ScratchmlError: there are fewer groups than parts, or no row is of a test group.
    """
    known, sizes = np.unique(groups, return_counts=True)
    order = rng.permutation(len(known))
    tested = np.isin(known[order], test_groups)
    shares = np.array([1 - validation - test, validation, test][: 2 if test_groups else 3])
    order = order[~tested]
    if len(order) < len(shares) or (test_groups and not tested.any()):
        raise ScratchmlError(
            f"{len(known)} groups{f', {tested.sum()} of them for the test,' if test_groups else ''}"
            f" are too few for training, validation and test: use more, or another split"
        )
    part_of, have = np.full(len(known), PARTS.index("test")), np.zeros(len(shares))
    for group in order:
        part = int((have / shares).argmin())  # one that has none comes first
        part_of[group] = part
        have[part] += sizes[group]
    return _places(part_of[np.searchsorted(known, groups)])


def by_time(
    oldest: npt.NDArray[np.integer],
    newest: npt.NDArray[np.integer],
    places: int,
    validation: float,
    test: float,
) -> Parts:
    """Three stretches of time; a row belongs to one if all of it lies there, label and all.

    Args:
        oldest, newest: ``[n]``, the first and last place that a row has seen, of ``places``.
    """
    test_from = round(places * (1 - test))
    validation_from = round(places * (1 - test - validation))
    borders = [(0, validation_from), (validation_from, test_from), (test_from, places)]
    training, validation_, test_ = (
        np.flatnonzero((oldest >= start) & (newest < stop)) for start, stop in borders
    )
    return training, validation_, test_


def undersample(
    labels: npt.NDArray[np.integer] | npt.NDArray[np.bool_], rng: np.random.Generator
) -> Places:
    """Places of as many rows of each class as the smallest one has, in the old order."""
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)[::-1]]
    n = min(map(len, classes))
    return np.sort(np.concatenate([rng.choice(c, n, replace=False) for c in classes]))


def _shares(order: Places, validation: float, test: float) -> list[Places]:
    n_test, n_validation = round(len(order) * test), round(len(order) * validation)
    return np.split(order, [len(order) - n_test - n_validation, len(order) - n_test])


def _places(parts: npt.NDArray[np.integer]) -> Parts:
    """Of the number of each row's part."""
    training, validation, test = (np.flatnonzero(parts == part) for part in range(len(PARTS)))
    return training, validation, test
