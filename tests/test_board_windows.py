"""Windows of hours that a board is fed with."""

from __future__ import annotations

from dataclasses import replace

import host_firmware
import numpy as np
import pandas as pd
import pytest
from conftest import random_model

import scratchml as sml
from scratchml.board.windows import cut_windows, first_test_hour
from scratchml.errors import ScratchmlError

MODEL = host_firmware.model()


def test_windows_are_those_of_the_test_rows(hours: pd.DataFrame, data: sml.Dataset) -> None:
    recipe = data.recipe
    windows = cut_windows(hours, MODEL, first_test_hour(hours, recipe), 10**6)
    n = len(data.test.counts)
    assert len(windows) == n + recipe.horizon  # the last has nothing to be compared with
    assert (np.array([w.counts for w in windows[:n]]) == data.test.counts).all()
    assert [w.snow for w in windows[:n]] == (data.test.y == 1).tolist()
    assert (windows[-1].fell, windows[-1].snow) == (None, None)
    newest = hours.iloc[data.test.index[7]]
    assert windows[7].time == newest["time"]
    assert windows[7].ahead == newest["time"] + pd.Timedelta(hours=recipe.horizon)
    assert windows[7].temperature == newest["temperature_2m"]
    assert windows[7].humidity == newest["relative_humidity_2m"]


@pytest.mark.parametrize("horizon", [0, 2])
def test_the_hour_ahead_is_as_far_as_the_model_looks(hours: pd.DataFrame, horizon: int) -> None:
    metadata = {**MODEL.metadata, "recipe": {**MODEL.metadata["recipe"], "horizon": horizon}}
    start = hours["time"].iloc[1000]
    (window,) = cut_windows(hours, replace(MODEL, metadata=metadata), start, 1)
    assert window.time == hours["time"].iloc[1002]
    assert window.ahead == hours["time"].iloc[1002 + horizon]
    assert window.fell == hours["snowfall"].iloc[1002 + horizon]


def test_no_window_reaches_across_a_gap(hours: pd.DataFrame) -> None:
    table = hours.iloc[[0, 1, 2, 4, 5, 6, 7]].reset_index(drop=True)
    start = table["time"].iloc[0]
    windows = cut_windows(table, MODEL, start, 100)
    assert [(w.time - start) // pd.Timedelta(hours=1) for w in windows] == [2, 6, 7]
    assert [w.fell is None for w in windows] == [True, False, True]
    assert len(cut_windows(table, MODEL, start, 2)) == 2
    (last,) = cut_windows(table, MODEL, table["time"].iloc[4], 100)
    assert last.time == table["time"].iloc[6]
    with pytest.raises(ScratchmlError, match=r"no 3 hours in a row from .*; the table goes from "):
        cut_windows(table, MODEL, table["time"].iloc[5], 100)
    with pytest.raises(ScratchmlError, match="no 3 hours in a row"):
        cut_windows(table.iloc[:2], MODEL, start, 100)


def test_a_model_of_other_inputs_is_not_fed(hours: pd.DataFrame) -> None:
    with pytest.raises(ScratchmlError, match="the weather station measures"):
        cut_windows(hours, random_model([6, 1], 0), hours["time"].iloc[0], 1)
