"""From a table of samples to rows: windows, labels or targets, split, scale.

A table has a row for each sample, a column for each channel and one for what is asked: a *label* to
tell classes apart, or a *target*, a number. As everywhere, what a network reads are counts: whole
numbers of each channel's own resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml import splits
from scratchml.errors import ScratchmlError
from scratchml.front_end import FrontEnd
from scratchml.rows import Dataset, Rows, Scaler
from scratchml.sensors.counts import Counts, counts_of, found_resolution, with_resolution
from scratchml.sensors.parts import check_parts, parts_of
from scratchml.sensors.recipe import Recipe
from scratchml.sensors.samples import (
    category_codes,
    check_columns,
    fingerprint,
    no_window,
    without_holes,
)
from scratchml.sensors.scale import check_scaler, fit_scaler, front_end_of
from scratchml.splits import Places
from scratchml.target import Target
from scratchml.windows import is_uniform, too_short, window_starts

#: Classes that a softmax has room for.
MOST_CLASSES = 511

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SensorDataset(Dataset):
    """Rows of a table; ``index`` is the place of a window's newest sample among ``samples``.

    Attributes:
        recipe: the resolutions and the split that were found are filled in.
        samples: ``[n, c]``, the table's counts: the stream that a board would see.
        groups: names of the groups, and ``group_codes[n]``, the place among them of each sample's.
    """

    samples: Counts = field(repr=False)
    groups: tuple[str, ...] = ()
    group_codes: Places | None = field(default=None, repr=False)

    def groups_of(self, rows: Rows) -> list[str]:
        """The names of the groups that the rows are of."""
        if self.group_codes is None:
            return []
        return [self.groups[code] for code in np.unique(self.group_codes[rows.index])]


def make_dataset(
    table: pd.DataFrame,
    recipe: Recipe,
    *,
    scaler: Scaler | None = None,
    target: Target | None = None,
    classes: Sequence[str] = (),
) -> SensorDataset:
    """Cut a table into rows and share them out to training, validation and test.

    Args:
        table: as ``load`` gives it, or made by hand with the recipe's columns.
        scaler, target, classes: of a model that exists already; by default as in the training
            rows, and in the table.

    Raises:
        ScratchmlError: a column is missing or unusable, a count is too large, there are too few
            windows, or a part is left without some class.
    """
    notes: list[str] = []
    check_columns(table, recipe)
    origin = fingerprint(table, recipe)
    table, breaks = without_holes(table, recipe, notes)
    recipe = with_resolution(table, recipe)
    starts = window_starts(breaks, recipe.window, recipe.step, recipe.horizon)
    if len(starts) == 0:
        raise no_window(table, recipe, breaks)
    if short := too_short(breaks, recipe.window + recipe.horizon):
        notes.append(
            f"{short:,} of {len(table):,} samples are in no window: too few of them between breaks"
        )
    if recipe.label:
        starts, y, classes = _labels(table, recipe, starts, tuple(classes), notes)
    else:
        y = table[recipe.target].to_numpy(np.float64)[_newest(starts, recipe) + recipe.horizon]
        classes = ()

    rng = np.random.default_rng(recipe.seed)
    recipe, parts = parts_of(table, recipe, starts, y, classes, rng, notes)
    check_parts(parts, recipe, y, classes)
    if recipe.balance == "training":
        kept = splits.undersample(y[parts[0]].astype(np.int64), rng)
        parts = (parts[0][kept], *parts[1:])

    values = table[list(recipe.features)].to_numpy(np.float64)
    samples = counts_of(values, recipe, starts[parts[0]])
    front_end = front_end_of(recipe)
    cut = [_rows(samples, starts[part], recipe, front_end) for part in parts]
    scaler = scaler or fit_scaler(cut[0], recipe, front_end, notes)
    check_scaler(scaler, recipe, front_end)
    target = (target or _target(y[parts[0]], recipe)) if recipe.target else None
    taught = target.standardize(y) if target else y.astype(np.float32)
    train, validation, test = (
        Rows(c, taught[part], _newest(starts[part], recipe), scaler, target)
        for c, part in zip(cut, parts, strict=True)
    )
    groups, group_codes = category_codes(table[recipe.group]) if recipe.group else ([], None)
    return SensorDataset(
        train=train,
        validation=validation,
        test=test,
        scaler=scaler,
        recipe=recipe,
        classes=tuple(classes),
        fingerprint=origin,
        front_end=front_end,
        notes=tuple(notes),
        samples=samples,
        groups=tuple(groups),
        group_codes=group_codes,
    )


def _newest(starts: Places, recipe: Recipe) -> Places:
    return starts + (recipe.window - 1)


def _labels(
    table: pd.DataFrame,
    recipe: Recipe,
    starts: Places,
    known: tuple[str, ...],
    notes: list[str],
) -> tuple[Places, Floats, tuple[str, ...]]:
    """The windows that have one class, the place of each one's class among all, and their names."""
    classes, codes = _classes(table, recipe, known)
    if recipe.horizon == 0:
        uniform = is_uniform(codes, starts, recipe.window)
        if not uniform.all():
            mixed = int((~uniform).sum())
            notes.append(f"{mixed:,} of {len(uniform):,} windows hold two labels and were left out")
        starts = starts[uniform]
    y = codes[_newest(starts, recipe) + recipe.horizon]
    absent = np.setdiff1d(codes, y)
    if len(absent):
        raise ScratchmlError(
            f"no window of {recipe.window} samples is of {recipe.label} "
            f"{classes[int(absent[0])]!r}: use shorter windows, or leave that label out"
        )
    return starts, y.astype(np.float64), classes


def _classes(
    table: pd.DataFrame, recipe: Recipe, known: tuple[str, ...]
) -> tuple[tuple[str, ...], Places]:
    """The names of the classes, in order, and the place of each sample's among them."""
    label = recipe.label
    names, codes = category_codes(table[label])
    if known:
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ScratchmlError(
                f"the model does not know {label} {unknown[0]!r}, only {', '.join(known[:10])}"
            )
        return known, np.array([known.index(name) for name in names])[codes]
    if len(names) < 2:
        raise ScratchmlError(f"{label} has one value only, {names[0]!r}: nothing to tell apart")
    if len(names) > MOST_CLASSES:
        raise ScratchmlError(
            f"{label} has {len(names):,} values, and {MOST_CLASSES} classes are possible: if it is "
            f"a number, it is a target (--target {label})"
        )
    if recipe.positive:
        if len(names) != 2 or recipe.positive not in names:
            raise ScratchmlError(
                f"positive {recipe.positive!r}: it is one of two classes, and {label} has "
                f"{', '.join(names[:10])}"
            )
        if names[0] == recipe.positive:
            names, codes = names[::-1], 1 - codes
    return tuple(names), codes


def _rows(samples: Counts, starts: Places, recipe: Recipe, front_end: FrontEnd | None) -> Counts:
    """What the network reads of the windows that begin at ``starts``, ``[n, inputs]``."""
    if front_end is None:
        return np.ascontiguousarray(samples[starts])
    every = np.lib.stride_tricks.sliding_window_view(samples, recipe.window, axis=0)
    rows = np.empty((len(starts), front_end.inputs), np.int32)
    block = max(1, 2**22 // (recipe.window * samples.shape[1]))
    for at in range(0, len(starts), block):
        part = slice(at, at + block)
        rows[part] = front_end.features(every[starts[part]].transpose(0, 2, 1))
    return rows


def _target(values: Floats, recipe: Recipe) -> Target:
    unit = recipe.unit(recipe.target)
    return Target.fit(values, recipe.target, unit, found_resolution(values))
