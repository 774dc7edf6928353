"""A table of samples as columns to look at, before windows are cut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.explore.columns import LabelledColumns
from scratchml.sensors import Recipe
from scratchml.sensors.samples import category_codes


def columns_of_samples(table: pd.DataFrame, recipe: Recipe) -> tuple[LabelledColumns, list[str]]:
    """The features, or the features and the target; classes are the label's.

    A sample that lacks a value is left out, which the second result tells.

    Raises:
        ScratchmlError: no sample has all its values.
    """
    names = [*recipe.features, *filter(None, [recipe.target])]
    names = list(dict.fromkeys(names))
    whole = table[[*names, *filter(None, [recipe.label])]].notna().all(axis=1)
    notes = []
    if not whole.all():
        notes.append(f"{int((~whole).sum()):,} of {len(table):,} samples lack a value: left out")
    table = table[whole]
    if table.empty:
        raise ScratchmlError("no sample has all its values")
    classes, labels = ["all"], np.zeros(len(table), np.int64)
    if recipe.label:
        classes, labels = category_codes(table[recipe.label])
    columns = LabelledColumns(
        tuple(names),
        tuple(recipe.unit(name) for name in names),
        table[names].to_numpy(np.float64),
        labels,
        tuple(classes),
    )
    return columns, notes
