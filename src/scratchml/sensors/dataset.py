"""From a table of samples to rows: windows, labels or targets, split, scale.

A table has a row for each sample, a column for each channel and one for what is asked: a *label* to
tell classes apart, or a *target*, a number. As everywhere, what a network reads are counts: whole
numbers of each channel's own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml import splits
from scratchml.errors import ScratchmlError
from scratchml.front_end import Channel, FrontEnd
from scratchml.rows import Dataset, Rows, Scaler
from scratchml.sensors.recipe import Recipe
from scratchml.sensors.samples import (
    Counts,
    breaks_of,
    category_codes,
    counts_of,
    fingerprint,
    found_resolution,
    seconds,
    with_resolution,
    without_holes,
)
from scratchml.splits import PARTS, Parts, Places
from scratchml.target import Target
from scratchml.windows import is_uniform, window_starts


@dataclass(frozen=True, kw_only=True)
class SensorDataset(Dataset):
    """Rows of a table; ``index`` is the place of a window's newest sample in ``table``.

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
    table: pd.DataFrame, recipe: Recipe, *, scaler: Scaler | None = None
) -> SensorDataset:
    """Cut a table into rows and share them out to training, validation and test.

    Args:
        table: as ``load`` gives it, or made by hand with the recipe's columns.
        scaler: of a model that exists already; by default fitted to the training rows.

    Raises:
        ScratchmlError: a column is missing or unusable, counts do not fit in 30 bits, there are too
            few windows, or a part is left without some class.
    """
    whole = len(table)
    notes: list[str] = []
    fingerprint_ = fingerprint(table, recipe)
    table = without_holes(table, recipe, notes)
    recipe = with_resolution(table, recipe)
    values = table[list(recipe.features)].to_numpy(np.float64)
    breaks = breaks_of(table, recipe)
    starts = window_starts(breaks, recipe.window, recipe.step, recipe.horizon)
    starts, y, classes = _asked(table, recipe, starts, notes)
    if len(starts) == 0:
        raise ScratchmlError(
            f"no window of {recipe.window} samples fits between {int(breaks.sum()):,} breaks in "
            f"{whole:,} rows: use shorter windows, or more data"
        )
    rng = np.random.default_rng(recipe.seed)
    recipe, parts = _split(table, recipe, starts, y, classes, rng)
    if recipe.balance == "training":
        kept = splits.undersample(y[parts[0]].astype(np.int64), rng)
        parts = (parts[0][kept], *parts[1:])
    samples = counts_of(values, recipe, starts[parts[0]], notes)

    groups, group_codes = category_codes(table[recipe.group]) if recipe.group else ([], None)
    front_end = _front_end(recipe)
    cut = [_rows(samples, starts[part], recipe, front_end) for part in parts]
    scaler = _scaler(cut[0], recipe, front_end, notes) if scaler is None else scaler
    _check_scaler(scaler, recipe, front_end)
    target = _target(y[parts[0]], recipe) if recipe.target else None
    y_scaled = target.standardize(y) if target else y.astype(np.float32)
    newest = starts + recipe.window - 1
    train, validation, test = (
        Rows(c, y_scaled[part], newest[part], scaler, target)
        for c, part in zip(cut, parts, strict=True)
    )
    return SensorDataset(
        train=train,
        validation=validation,
        test=test,
        scaler=scaler,
        recipe=recipe,
        classes=classes,
        fingerprint=fingerprint_,
        front_end=front_end,
        notes=tuple(notes),
        samples=samples,
        groups=tuple(groups),
        group_codes=group_codes,
    )


def _asked(
    table: pd.DataFrame, recipe: Recipe, starts: Places, notes: list[str]
) -> tuple[Places, npt.NDArray[np.float64], tuple[str, ...]]:
    """The windows that have an answer, the answer (a class's place or a number), the classes."""
    asked = starts + recipe.window - 1 + recipe.horizon
    if recipe.target:
        return starts, table[recipe.target].to_numpy(np.float64)[asked], ()
    classes, codes = category_codes(table[recipe.label])
    if recipe.positive:
        if len(classes) != 2 or recipe.positive not in classes:
            raise ScratchmlError(
                f"positive {recipe.positive!r} is about two classes, and {recipe.label} has "
                f"{', '.join(classes[:10])}"
            )
        if classes[0] == recipe.positive:
            classes, codes = classes[::-1], 1 - codes
    if len(classes) < 2:
        raise ScratchmlError(
            f"the label {recipe.label} has one value only, {classes[0]}: nothing to tell apart"
        )
    if len(classes) > 511:
        raise ScratchmlError(
            f"the label {recipe.label} has {len(classes):,} values: is it a number? Then it is a "
            f"target (--target {recipe.label})"
        )
    if recipe.horizon == 0:
        uniform = is_uniform(codes, starts, recipe.window)
        if not uniform.all():
            mixed = int((~uniform).sum())
            notes.append(f"{mixed:,} of {len(uniform):,} windows hold two labels and were left out")
        starts, asked = starts[uniform], asked[uniform]
    return starts, codes[asked].astype(np.float64), tuple(classes)


def _split(
    table: pd.DataFrame,
    recipe: Recipe,
    starts: Places,
    y: npt.NDArray[np.float64],
    classes: tuple[str, ...],
    rng: np.random.Generator,
) -> tuple[Recipe, Parts]:
    """The recipe with the split that was chosen, and the windows of each part."""
    shares = (recipe.validation, recipe.test)
    split = recipe.split or ("group" if recipe.group else "time" if "time" in table else "random")
    if split == "group":
        names, codes = category_codes(table[recipe.group])
        unknown = [name for name in recipe.test_groups if str(name) not in names]
        if unknown:
            raise ScratchmlError(
                f"the column {recipe.group} has no {unknown[0]!r}; there are "
                f"{', '.join(names[:20])}"
            )
        tested = [names.index(str(name)) for name in recipe.test_groups]
        parts = splits.by_group(codes[starts], *shares, rng, tested)
    elif split == "time":
        places = np.arange(len(table))
        if "time" in table:  # samples of several groups at once: by the clock, not by the file
            order = np.argsort(seconds(table["time"]), kind="stable")
            places[order] = np.arange(len(table))
        newest = starts + recipe.window - 1 + recipe.horizon
        parts = splits.by_time(places[starts], places[newest], len(table), *shares)
    elif classes:
        parts = splits.by_class(y.astype(np.int64), *shares, rng, classes)
    else:
        parts = splits.at_random(len(y), *shares, rng)
    for name, part in zip(PARTS, parts, strict=True):
        if len(part) == 0:
            raise ScratchmlError(f"no {name} row is left by the split by {split}: use more data")
        absent = np.setdiff1d(np.arange(len(classes)), y[part])
        if len(absent):
            raise ScratchmlError(
                f"the {name} rows have none of {recipe.label} {classes[int(absent[0])]!r}: choose "
                f"another split than {split}, another seed or other shares"
            )
    return replace(recipe, split=split), parts


def _front_end(recipe: Recipe) -> FrontEnd | None:
    """What cuts the board's stream into windows; a sample by itself needs nothing of the kind."""
    if recipe.window == 1:
        return None
    channels = zip(recipe.features, recipe.units, recipe.resolution, strict=True)
    return FrontEnd(
        tuple(Channel(*channel) for channel in channels),
        recipe.window,
        recipe.step,
        recipe.statistics,
    )


def _rows(samples: Counts, starts: Places, recipe: Recipe, front_end: FrontEnd | None) -> Counts:
    if front_end is None:
        return np.ascontiguousarray(samples[starts])
    every = np.lib.stride_tricks.sliding_window_view(samples, recipe.window, axis=0)
    block = max(1, 2**22 // (recipe.window * samples.shape[1]))
    parts = [
        front_end.features(every[starts[at : at + block]].transpose(0, 2, 1))
        for at in range(0, len(starts), block)
    ]
    return np.concatenate(parts)


def _scaler(counts: Counts, recipe: Recipe, front_end: FrontEnd | None, notes: list[str]) -> Scaler:
    """Fitted to the training rows; means are whole counts, so that integers lose nothing."""
    channels = _channels(recipe, front_end)
    columns = counts.reshape(-1, len(channels)).astype(np.float64)
    mean, std = columns.mean(axis=0), columns.std(axis=0)
    if recipe.scaling == "robust":
        low, mean, high = np.quantile(columns, (0.25, 0.5, 0.75), axis=0)
        spread = (high - low) / 1.349  # of a normal distribution: its standard deviation
        std = np.where(spread > 0, spread, std)
    constant = (columns == columns[0]).all(axis=0)
    for channel in (c for c, same in zip(channels, constant, strict=True) if same):
        if not recipe.statistics:
            raise ScratchmlError(
                f"{channel.name} has one value in all training rows: nothing to learn; leave it out"
            )
        notes.append(f"{channel.name} has one value in all training rows and tells nothing")
    std[constant] = 1
    resolution = np.array([channel.resolution for channel in channels])
    return Scaler(
        tuple(channel.name for channel in channels),
        tuple(channel.unit for channel in channels),
        tuple(channel.resolution for channel in channels),
        tuple((np.rint(mean) / resolution).tolist()),
        tuple((std / resolution).tolist()),
    )


def _channels(recipe: Recipe, front_end: FrontEnd | None) -> tuple[Channel, ...]:
    if front_end:
        return front_end.feature_channels
    channels = zip(recipe.features, recipe.units, recipe.resolution, strict=True)
    return tuple(Channel(*channel) for channel in channels)


def _check_scaler(scaler: Scaler, recipe: Recipe, front_end: FrontEnd | None) -> None:
    wanted = tuple((c.name, c.unit, c.resolution) for c in _channels(recipe, front_end))
    if scaler.channels != wanted:
        raise ScratchmlError(
            f"the model reads {', '.join(scaler.names[:8])} in {scaler.resolution[:8]} counts a "
            f"unit; the table gives {wanted[:8]}"
        )


def _target(values: npt.NDArray[np.float64], recipe: Recipe) -> Target:
    unit = ""
    if recipe.target in recipe.features:
        unit = recipe.units[recipe.features.index(recipe.target)]
    return Target.fit(values, recipe.target, unit, found_resolution(values))
