"""The embedded exercises as a data set: rows, people, and how well they are told apart."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

import scratchml as sml
from scratchml import exercises, sensors, tasks
from scratchml.baselines import always, nearest_mean
from scratchml.evaluate import evaluate
from scratchml.multiclass import evaluate_classes
from scratchml.resources import find
from scratchml.rows import Rows
from scratchml.sensors import SensorDataset

PEOPLE = {str(number) for number in range(1, 11)}


@pytest.fixture(scope="module")
def data() -> SensorDataset:
    found = tasks.make(exercises.Recipe())
    assert isinstance(found, SensorDataset)
    return found


@pytest.fixture(scope="module")
def samples() -> pd.DataFrame:
    return pd.read_csv(find("data") / exercises.EMBEDDED)


def parts(data: sml.Dataset) -> tuple[Rows, Rows, Rows]:
    return data.train, data.validation, data.test


def test_each_part_has_people_of_its_own(data: SensorDataset, samples: pd.DataFrame) -> None:
    """Half of them, a fifth and three tenths."""
    people = [set(data.groups_of(part)) for part in parts(data)]
    assert [len(group) for group in people] == [5, 2, 3]
    assert set.union(*people) == PEOPLE
    for part, group in zip(parts(data), people, strict=True):
        assert set(samples["subject"].iloc[part.index].astype(str)) == group


def test_the_rows_are_three_seconds_of_one_recording_every_second(
    data: SensorDataset, samples: pd.DataFrame
) -> None:
    """Eighteen or so of twenty seconds; each recording gives those that fit."""
    keys = ["subject", "exercise", "side"]
    lengths = samples.groupby(keys).size()
    assert sum(map(len, parts(data))) == sum((n - 75) // 25 + 1 for n in lengths) == 2514
    assert [len(part) for part in parts(data)] == [1260, 504, 750]
    for part in parts(data):
        for place in part.index[::97]:
            window = samples.iloc[place - 74 : place + 1]
            assert len(window[keys].drop_duplicates()) == 1
            assert window["time"].iloc[-1] - window["time"].iloc[0] == pytest.approx(74 / 25)
    assert data.notes == ()


def test_every_class_has_a_like_share_in_every_part(data: SensorDataset) -> None:
    """Everybody did every exercise for about as long."""
    assert data.classes == exercises.CLASSES
    for part in parts(data):
        shares = np.bincount(part.y.astype(int), minlength=7) / len(part)
        assert np.abs(shares - 1 / 7).max() < 0.005


def test_inputs_are_statistics_of_thousandths_of_g(
    data: SensorDataset, samples: pd.DataFrame
) -> None:
    front_end = data.front_end
    assert front_end is not None
    assert (front_end.inputs, front_end.window, front_end.step) == (12, 75, 25)
    names = ("ax mean", "ax std", "ax mean_abs_diff", "ax mean_crossings")
    assert data.scaler.names[:4] == names
    assert data.scaler.channels[:3] == tuple((name, "g", 1000) for name in names[:3])
    assert data.scaler.channels[3] == ("ax mean_crossings", "crossings", 1)
    for place, row in zip(data.test.index[::50], data.test.counts[::50], strict=True):
        window = samples[["ax", "ay", "az"]].iloc[place - 74 : place + 1].to_numpy()
        changes = np.abs(np.diff(window, axis=0)).mean(axis=0)
        expected = np.column_stack([window.mean(axis=0), window.std(axis=0), changes])
        got = row.reshape(3, 4)
        assert np.abs(got[:, :3] / 1000 - expected).max() < 0.0006
        counts = np.rint(1000 * window).astype(np.int64)
        below = 75 * counts < counts.sum(axis=0)
        assert (got[:, 3] == (below[1:] != below[:-1]).sum(axis=0)).all()


def test_a_few_epochs_tell_strangers_exercises_apart(data: SensorDataset) -> None:
    """Better than the nearest mean, and far better than one answer for all; int8 as well."""
    options = asdict(tasks.TASKS["exercises"].training)
    net = sml.MLP([12, *options.pop("hidden"), 7], output="softmax", seed=0)
    options |= {"epochs": 25}
    assert options.pop("dropout") == 0
    sml.train(net, data.train, data.validation, **options)
    model = sml.quantize(net, data.train, front_end=data.front_end)
    same = evaluate_classes(data.test.y, always(3, 7, len(data.test)))
    near = evaluate_classes(data.test.y, nearest_mean(data, data.test))
    found, in_int8 = evaluate(net, data.test), evaluate(model, data.test)
    assert same.accuracy == pytest.approx(1 / 7, abs=0.005)
    assert found.metrics()["accuracy"] > near.accuracy > 2 * same.accuracy
    assert in_int8.metrics()["accuracy"] == pytest.approx(found.metrics()["accuracy"], abs=0.03)


def test_raw_windows_and_chosen_people() -> None:
    recipe = replace(exercises.Recipe(), statistics=(), test_groups=("1", "10"), step=50)
    table = exercises.load(recipe)
    data = sensors.make_dataset(table, recipe)
    assert data.groups_of(data.test) == ["1", "10"]
    assert data.train.counts.shape[1] == 225 and data.scaler.names == ("ax", "ay", "az")
    place = int(data.train.index[7])
    expected = np.rint(1000 * table[["ax", "ay", "az"]].iloc[place - 74 : place + 1].to_numpy())
    assert np.array_equal(data.train.counts[7], expected.ravel())
