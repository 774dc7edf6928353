"""Windows, labels, split, balance and scaler against loops that are too simple to be wrong."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scratchml import weather
from scratchml.dataset import CHANNELS, PAPER, Recipe, WeatherDataset, is_snow, make_dataset
from scratchml.errors import ScratchmlError
from scratchml.rows import Dataset, Rows, Scaler
from scratchml.tables.reading import Reading

examples = settings(deadline=None, max_examples=60)

#: What a scaler's dictionary holds, for tests that change a part of it.
FEATURES: dict[str, Any] = {
    "names": ["temperature_2m", "relative_humidity_2m"],
    "units": ["C", "%"],
    "resolution": [100, 100],
    "mean": [1.5, 70.25],
    "std": [8.0, 20.0],
}

START = dt.datetime(2020, 1, 1)

#: Names, units and resolution of the channels, as ``Scaler.fit`` takes them.
WEATHER = (("temperature_2m", "relative_humidity_2m"), ("C", "%"), (100, 100))

#: Recipe choices under which half of the random hours below are snow.
HALF: dict[str, Any] = {"colder_than": 1e9, "snow_above": 0.95}


def table(
    n: int, seed: int = 0, *, gaps: Sequence[int] = (), step: Sequence[int] = (60,)
) -> pd.DataFrame:
    """``n`` random hours; a gap of some hours after each place in ``gaps``.

    Readings are tenths, and no two hours have one temperature. Of every two hours one is snow in
    the sense of ``HALF``, so that no stretch of some length is of one class.
    """
    rng = np.random.default_rng(seed)
    first = rng.random(n) < 0.5
    snow = np.column_stack([first, ~first]).ravel()[:n]
    minutes = np.tile(step, n)[: n - 1]
    for place in gaps:
        minutes[place % (n - 1)] += 60 * int(rng.integers(1, 30))
    times = [START]
    for pause in minutes:
        times.append(times[-1] + dt.timedelta(minutes=int(pause)))
    return pd.DataFrame(
        {
            "time": pd.to_datetime(times),
            "temperature_2m": (rng.permutation(n) - n // 2) / 10,
            "relative_humidity_2m": rng.integers(100, 1000, n) / 10,
            "snowfall": (10 * snow + rng.integers(0, 10, n)) / 10,
        }
    )


tables = st.builds(
    table,
    st.integers(500, 700),
    st.integers(0, 2**32),
    gaps=st.lists(st.integers(0, 1000), max_size=4),
)
windows = st.fixed_dictionaries({"window": st.integers(1, 6), "horizon": st.integers(0, 5)})


def naive(hours: pd.DataFrame, recipe: Recipe) -> dict[int, tuple[list[int], bool]]:
    """Counts and label by the place of the newest reading, hour after hour."""
    times = [time.to_pydatetime() for time in hours["time"]]
    readings = list(
        zip(hours["temperature_2m"].tolist(), hours["relative_humidity_2m"].tolist(), strict=True)
    )
    snowfall = hours["snowfall"].tolist()
    rows = {}
    for newest in range(len(times)):
        places = list(range(newest - recipe.window + 1, newest + recipe.horizon + 1))
        if places[0] < 0 or places[-1] >= len(times):
            continue
        if any(times[b] - times[b - 1] != dt.timedelta(hours=1) for b in places[1:]):
            continue
        counts = [round(100 * value) for p in places[: recipe.window] for value in readings[p]]
        label = places[-1]
        snow = snowfall[label] > recipe.snow_above and readings[label][0] < recipe.colder_than
        rows[newest] = (counts, snow)
    return rows


def parts(data: Dataset) -> tuple[Rows, Rows, Rows]:
    return data.train, data.validation, data.test


def everything(data: Dataset) -> dict[int, tuple[list[int], bool]]:
    """All rows of the three parts, as ``naive`` returns them."""
    rows = {}
    for part in parts(data):
        for place, counts, label in zip(part.index, part.counts, part.y, strict=True):
            assert int(place) not in rows
            rows[int(place)] = (counts.tolist(), bool(label))
    return rows


def hours_of(part: Rows, recipe: Recipe) -> set[int]:
    """Places of every hour that a row of this part has seen, its label's too."""
    return {
        place
        for newest in part.index.tolist()
        for place in range(newest - recipe.window + 1, newest + recipe.horizon + 1)
    }


# Windows and labels.


@examples
@given(hours=tables, choices=windows)
def test_rows_equal_a_loop_over_the_hours(hours: pd.DataFrame, choices: dict[str, Any]) -> None:
    """No window and no forecast reaches across a gap, and no other row is missing."""
    recipe = Recipe(split="random", **HALF, **choices)
    assert everything(make_dataset(hours, recipe)) == naive(hours, recipe)


@examples
@given(hours=tables, choices=windows, seed=st.integers(0, 99), holes=st.integers(0, 9))
def test_an_hour_that_lacks_a_reading_is_a_gap(
    hours: pd.DataFrame, choices: dict[str, Any], seed: int, holes: int
) -> None:
    """As if its line were not there, which is told."""
    rng = np.random.default_rng(seed)
    torn = hours.copy()
    columns = list(hours.columns[1:])
    for row in rng.integers(0, len(hours), holes):
        torn.loc[int(row), columns[int(rng.integers(3))]] = np.nan
    lost = int(torn.isna().any(axis=1).sum())
    recipe = Recipe(split="random", missing="drop", **HALF, **choices)
    data = make_dataset(torn, recipe)
    without = torn.dropna().reset_index(drop=True)
    assert everything(data) == naive(without, recipe)
    pd.testing.assert_frame_equal(data.hours, without)
    assert data.fingerprint == weather.fingerprint(without)
    told = f"{lost:,} of {len(hours):,} hours lack a value and were left out"
    assert data.notes == ((told,) if lost else ())
    if lost:
        with pytest.raises(ScratchmlError, match="nan is outside"):
            make_dataset(torn, replace(recipe, missing="refuse"))


def test_holes_count_only_where_they_are_read() -> None:
    """A variable that is no feature may lack all it likes."""
    hours = table(600).assign(cloud_cover=np.nan, rain=np.arange(600) / 10)
    hours.loc[5, "rain"] = np.nan
    recipe = Recipe(features=("rain", "temperature_2m"), missing="drop", **HALF)
    assert len(make_dataset(hours, recipe).hours) == 599
    with pytest.raises(ScratchmlError, match="there is no hour that has all its values"):
        make_dataset(hours, replace(recipe, features=("cloud_cover",)))
    with pytest.raises(ScratchmlError, match="the table of hours has no column dew_point_2m"):
        make_dataset(hours, replace(recipe, features=("dew_point_2m",)))


@pytest.mark.parametrize("way", ["previous", "median", "zero", None])
def test_hours_know_no_other_way_with_holes(way: Any) -> None:
    with pytest.raises(ScratchmlError, match=f"missing {way!r}: of hours known are refuse, drop"):
        Recipe(missing=way)


@pytest.mark.parametrize("name", ["snowfall", "precipitation", "rain", "snow_depth"])
def test_it_is_said_where_the_network_reads_the_answer(name: str) -> None:
    """Of the hour that is asked about; of those before it is fair."""
    hours = table(600).assign(precipitation=1.0, rain=0.5, snow_depth=0.2)
    rng = np.random.default_rng(0)
    for column in ("precipitation", "rain", "snow_depth"):
        hours[column] = rng.random(600)
    told = f"the network reads {name} of the very hour that it is asked about"
    for features, horizon, expected in (
        ((name, "temperature_2m"), 0, True),
        ((name, "temperature_2m"), 1, False),
        (("temperature_2m",), 0, False),
    ):
        data = make_dataset(hours, Recipe(features=features, horizon=horizon, **HALF))
        assert [note.startswith(told) for note in data.notes] == [True] * expected


@examples
@given(
    step=st.lists(st.sampled_from([60] * 8 + [30, 90, 120]), min_size=1, max_size=40),
    choices=st.fixed_dictionaries({"window": st.integers(1, 3), "horizon": st.integers(0, 2)}),
)
def test_readings_off_the_hour_make_no_window(step: list[int], choices: dict[str, Any]) -> None:
    """Three readings within two hours are not three hours in a row."""
    hours = table(600, step=step)
    recipe = Recipe(split="random", **HALF, **choices)
    expected = naive(hours, recipe)
    assume(len(expected) > 150)
    assert everything(make_dataset(hours, recipe)) == expected


@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_a_row_is_oldest_first_with_the_channels_of_an_hour_side_by_side(horizon: int) -> None:
    hours = table(200)
    data = make_dataset(hours, window=3, horizon=horizon, **HALF)
    part = data.train
    newest = int(part.index[10])
    t, h = (hours[column].tolist() for column in ("temperature_2m", "relative_humidity_2m"))
    readings = [(t[p], h[p]) for p in (newest - 2, newest - 1, newest)]
    expected = [round(value * 100) for reading in readings for value in reading]
    assert part.counts[10].tolist() == expected
    assert part.y[10] == (hours["snowfall"].iloc[newest + horizon] > 0.95)


def test_the_embedded_hours_give_the_rows_of_a_loop(hours: pd.DataFrame, data: Dataset) -> None:
    """Spread over the years; there is no gap, so the three hours lie side by side."""
    recipe = data.recipe
    assert (recipe.window, recipe.horizon) == (3, 1)
    t = [round(100 * value) for value in hours["temperature_2m"]]
    h = [round(100 * value) for value in hours["relative_humidity_2m"]]
    for part in parts(data):
        for row in range(0, len(part), 97):
            p = int(part.index[row])
            assert part.counts[row].tolist() == [t[p - 2], h[p - 2], t[p - 1], h[p - 1], t[p], h[p]]
            later = hours.iloc[p + 1]
            assert part.y[row] == (later["snowfall"] > 0.5 and later["temperature_2m"] < 2)


def test_half_a_count_is_rounded_to_the_even_one() -> None:
    hours = table(200)
    hours["relative_humidity_2m"] = np.tile([0.125, 0.375, 0.625, 0.875], 50)  # exact in binary
    data = make_dataset(hours, window=4, horizon=0, **HALF)
    assert set(data.train.counts[:, 1::2].ravel().tolist()) == {12, 38, 62, 88}


@examples
@given(
    snowfall=st.sampled_from([0, 0.4, 0.5, 0.6]),
    temperature=st.sampled_from([-5, 1.9, 2, 2.1]),
    above=st.sampled_from([0, 0.5]),
    below=st.sampled_from([0, 2]),
)
def test_an_hour_is_snow_above_one_limit_and_below_the_other(
    snowfall: float, temperature: float, above: float, below: float
) -> None:
    """Both limits themselves are not snow."""
    hours = pd.DataFrame({"snowfall": [snowfall], "temperature_2m": [temperature]})
    recipe = Recipe(snow_above=above, colder_than=below)
    assert is_snow(hours, recipe).tolist() == [snowfall > above and temperature < below]


def test_rows_have_the_documented_types_and_shapes(data: Dataset) -> None:
    for part in parts(data):
        n = len(part)
        assert (part.counts.shape, part.counts.dtype) == ((n, 6), np.int32)
        assert (part.x.shape, part.x.dtype) == ((n, 6), np.float32)
        assert (part.y.shape, part.y.dtype) == ((n,), np.float32)
        assert (part.index.shape, part.index.dtype) == ((n,), np.int64)


def test_a_data_set_of_weather_knows_its_hours_and_the_names_of_its_labels(
    hours: pd.DataFrame, data: WeatherDataset
) -> None:
    assert isinstance(data, Dataset)
    assert data.hours is hours
    assert data.classes == ("no snow", "snow")
    assert data.fingerprint == weather.fingerprint(hours)
    assert data.fingerprint != make_dataset(hours.iloc[:-1]).fingerprint


# The split.


@examples
@given(hours=tables, choices=windows)
def test_no_hour_is_shared_across_the_borders_of_a_split_by_time(
    hours: pd.DataFrame, choices: dict[str, Any]
) -> None:
    recipe = Recipe(**HALF, **choices)
    seen = [hours_of(part, recipe) for part in parts(make_dataset(hours, recipe))]
    assert max(seen[0]) < min(seen[1])
    assert max(seen[1]) < min(seen[2])


@examples
@given(
    hours=tables,
    choices=windows,
    validation=st.floats(0.2, 0.3),
    test=st.floats(0.2, 0.3),
)
def test_a_split_by_time_leaves_out_only_what_lies_across_a_border(
    hours: pd.DataFrame, choices: dict[str, Any], validation: float, test: float
) -> None:
    recipe = Recipe(validation=validation, test=test, **HALF, **choices)
    rows = naive(hours, recipe)
    n = len(hours)
    borders = [round(n * (1 - test - validation)), round(n * (1 - test))]
    across = {
        newest
        for newest in rows
        for border in borders
        if newest - recipe.window + 1 < border <= newest + recipe.horizon
    }
    assert everything(make_dataset(hours, recipe)) == {
        newest: row for newest, row in rows.items() if newest not in across
    }


def test_the_default_split_has_the_shares_it_promises(data: Dataset, hours: pd.DataFrame) -> None:
    shares = [len(part) / len(hours) for part in parts(data)]
    assert shares == pytest.approx([0.5, 0.2, 0.3], abs=1e-3)


@examples
@given(hours=tables, seed=st.integers(0, 2**32), test=st.floats(0.2, 0.4))
def test_a_random_split_is_a_partition(hours: pd.DataFrame, seed: int, test: float) -> None:
    recipe = Recipe(split="random", test=test, seed=seed, **HALF)
    data = make_dataset(hours, recipe)
    rows = naive(hours, recipe)
    assert sorted(np.concatenate([part.index for part in parts(data)])) == sorted(rows)
    assert len(data.test) == round(test * len(rows))
    assert len(data.validation) == round(0.2 * len(rows))


def test_a_random_split_is_random() -> None:
    data = make_dataset(table(300), split="random", **HALF)
    assert [part.index.max() > 250 and part.index.min() < 50 for part in parts(data)] == [True] * 3


# Balance.


@pytest.mark.parametrize("split", ["time", "random"])
def test_balance_none_keeps_the_natural_rate(split: str) -> None:
    hours = table(300)
    recipe = Recipe(split=split, colder_than=1e9, snow_above=1.5)
    data = make_dataset(hours, recipe)
    assert np.mean(data.train.y) < 0.4
    rows = naive(hours, recipe)
    assert all(bool(y) == rows[p][1] for p, y in zip(data.train.index, data.train.y, strict=True))


@examples
@given(hours=tables, limit=st.floats(0.55, 1.35), split=st.sampled_from(["time", "random"]))
def test_balance_training_drops_rows_of_the_majority_in_training_alone(
    hours: pd.DataFrame, limit: float, split: str
) -> None:
    choices: dict[str, Any] = {"split": split, "colder_than": 1e9, "snow_above": limit}
    natural = make_dataset(hours, **choices)
    balanced = make_dataset(hours, balance="training", **choices)
    minority = int(min(natural.train.y.sum(), len(natural.train) - natural.train.y.sum()))
    assert [int(balanced.train.y.sum()), len(balanced.train)] == [minority, 2 * minority]
    assert set(balanced.train.index) <= set(natural.train.index)
    assert (np.diff(balanced.train.index) > 0).all()
    for before, after in zip(parts(natural)[1:], parts(balanced)[1:], strict=True):
        np.testing.assert_array_equal(before.index, after.index)
        np.testing.assert_array_equal(before.counts, after.counts)


@examples
@given(hours=tables, limit=st.floats(0.45, 1.45))
def test_balance_all_drops_rows_of_the_majority_before_the_split(
    hours: pd.DataFrame, limit: float
) -> None:
    recipe = Recipe(split="random", balance="all", colder_than=1e9, snow_above=limit)
    rows = naive(hours, recipe)
    snow = sum(label for _, label in rows.values())
    minority = min(snow, len(rows) - snow)
    kept = everything(make_dataset(hours, recipe))
    assert len(kept) == 2 * minority
    assert sum(label for _, label in kept.values()) == minority
    assert all(rows[place] == row for place, row in kept.items())


# The scaler.


def test_the_scaler_is_mean_and_deviation_of_the_training_rows(data: Dataset) -> None:
    for channel in range(2):
        values = [n / 100 for n in data.train.counts[:, channel::2].ravel().tolist()]
        mean = math.fsum(values) / len(values)
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
        assert data.scaler.mean[channel] == pytest.approx(mean, rel=1e-9)
        assert data.scaler.std[channel] == pytest.approx(std, rel=1e-9)
    assert all(part.scaler is data.scaler for part in parts(data))


def test_training_inputs_have_mean_0_and_deviation_1(data: Dataset) -> None:
    for channel in range(2):
        values = data.train.x[:, channel::2].astype(float)
        assert values.mean() == pytest.approx(0, abs=1e-6)
        assert values.std() == pytest.approx(1, abs=1e-6)


def test_hours_of_validation_and_test_have_no_part_in_the_scaler() -> None:
    hours = table(300)
    before = make_dataset(hours, **HALF)
    changed = hours.copy()
    start = int(before.validation.index[0]) - before.recipe.window + 1
    changed.loc[start:, ["temperature_2m", "relative_humidity_2m"]] = 7.0
    after = make_dataset(changed, **HALF)
    assert after.scaler == before.scaler
    np.testing.assert_array_equal(after.train.x, before.train.x)
    assert not np.array_equal(after.test.x, before.test.x)


def test_a_given_scaler_is_used_as_it_is() -> None:
    scaler = Scaler.from_dict(FEATURES)
    data = make_dataset(table(200), scaler=scaler, **HALF)
    assert data.scaler is scaler
    for part in parts(data):
        for row in range(0, len(part), 10):
            expected = [
                (count / 100 - mean) / std
                for count, (mean, std) in zip(
                    part.counts[row].tolist(), [(1.5, 8.0), (70.25, 20.0)] * 3, strict=True
                )
            ]
            np.testing.assert_allclose(part.x[row], expected, rtol=1e-6)


@examples
@given(count=st.integers(-9000, 10000), n=st.integers(1, 300), channel=st.integers(0, 1))
def test_a_channel_with_one_value_is_refused_whatever_the_value(
    count: int, n: int, channel: int
) -> None:
    """The mean of equal values may differ from them in the last bit; nothing may be made of it."""
    counts = np.column_stack([np.arange(n), np.arange(n)]).astype(np.int32)
    counts[:, channel] = count
    counts[:, 1 - channel] += [0, *[1] * (n - 1)]
    with pytest.raises(ScratchmlError, match="has one value in all training rows") as caught:
        Scaler.fit(counts, *WEATHER)
    if n > 1:
        assert str(caught.value).startswith(CHANNELS[channel][0])


@examples
@given(
    channels=st.integers(1, 4),
    window=st.integers(1, 4),
    n=st.integers(2, 20),
    seed=st.integers(0, 2**32),
)
def test_a_scaler_fits_whatever_channels_it_is_told(
    channels: int, window: int, n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(-1000, 1000, (n, window * channels), np.int32)
    counts[0], counts[1] = 1000, -1000  # no channel is constant
    names, units = [f"c{i}" for i in range(channels)], ["u"] * channels
    resolution = rng.integers(1, 1000, channels).tolist()
    scaler = Scaler.fit(counts, names, units, resolution)
    assert (scaler.names, scaler.units) == (tuple(names), tuple(units))
    assert scaler.resolution == tuple(resolution)
    for channel in range(channels):
        values = [
            v / resolution[channel] for row in counts.tolist() for v in row[channel::channels]
        ]
        mean = math.fsum(values) / len(values)
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
        assert scaler.mean[channel] == pytest.approx(mean, rel=1e-9, abs=1e-9)
        assert scaler.std[channel] == pytest.approx(std, rel=1e-9)


@pytest.mark.parametrize("shape", [(0, 6), (4, 3), (4, 5)])
def test_a_scaler_needs_rows_of_whole_windows(shape: tuple[int, int]) -> None:
    """Four rows of three would otherwise be reshaped to six pairs."""
    counts = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    with pytest.raises(ScratchmlError, match="whole windows of 2 channels"):
        Scaler.fit(counts, *WEATHER)


def test_a_scaler_comes_back_from_its_dictionary(data: Dataset) -> None:
    assert Scaler.from_dict(dataclasses.asdict(data.scaler)) == data.scaler
    assert Scaler.from_dict(FEATURES).mean == (1.5, 70.25)


@pytest.mark.parametrize("key", FEATURES)
def test_a_scaler_with_a_field_missing_is_refused(key: str) -> None:
    with pytest.raises(ScratchmlError, match=f"cannot be read.*{key}"):
        Scaler.from_dict({name: value for name, value in FEATURES.items() if name != key})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in FEATURES for value in (None, 3, [], FEATURES[key][:1])),
        ("resolution", [100, 0]),
        ("resolution", [100, -1]),
        ("resolution", ["fine", 100]),
        ("resolution", [math.inf, 100]),
        ("mean", [1.5, math.nan]),
        ("mean", [math.inf, 1.5]),
        ("mean", [1.5, None]),
        ("mean", [[1.5], [2.5]]),
        ("std", [8.0, 0.0]),
        ("std", [8.0, -1.0]),
        ("std", [8.0, math.nan]),
        ("std", [8.0, math.inf]),
        ("std", ["wide", 8.0]),
    ],
)
def test_a_scaler_that_cannot_scale_is_refused(key: str, value: object) -> None:
    with pytest.raises(ScratchmlError, match="the model's features"):
        Scaler.from_dict({**FEATURES, key: value})


# Choices.


@pytest.mark.parametrize("split", ["time", "random"])
@pytest.mark.parametrize("balance", ["none", "training", "all"])
def test_the_same_seed_gives_the_same_rows(split: str, balance: str) -> None:
    hours = table(400, gaps=[50, 300])
    choices: dict[str, Any] = {"split": split, "balance": balance, "colder_than": 1e9}
    one, same = (make_dataset(hours, seed=3, **choices) for _ in range(2))
    for a, b in zip(parts(one), parts(same), strict=True):
        np.testing.assert_array_equal(a.index, b.index)
        np.testing.assert_array_equal(a.x, b.x)


@pytest.mark.parametrize(
    "choices", [{"split": "random"}, {"balance": "training"}, {"balance": "all"}]
)
def test_another_seed_gives_other_rows(choices: dict[str, Any]) -> None:
    hours = table(400)
    one, other = (make_dataset(hours, seed=s, colder_than=1e9, **choices) for s in (1, 2))
    assert set(one.train.index) != set(other.train.index)


def test_a_seed_does_not_matter_where_nothing_is_random() -> None:
    hours = table(300)
    one, other = (make_dataset(hours, seed=seed, **HALF) for seed in (1, 2))
    np.testing.assert_array_equal(one.train.index, other.train.index)


def test_choices_by_name_replace_those_of_a_recipe() -> None:
    recipe = Recipe(window=2, horizon=3, **HALF)
    data = make_dataset(table(300), recipe, horizon=0)
    assert data.recipe == dataclasses.replace(recipe, horizon=0)
    assert data.train.counts.shape[1] == 2 * 2


def test_the_hours_are_left_alone() -> None:
    hours = table(300)
    before = hours.copy()
    make_dataset(hours, balance="training", **HALF)
    pd.testing.assert_frame_equal(hours, before)


def test_the_papers_recipe_is_balanced_random_and_a_nowcast(hours: pd.DataFrame) -> None:
    data = make_dataset(hours, **PAPER)
    snow = int(((hours["snowfall"] > 0.5) & (hours["temperature_2m"] < 2))[2:].sum())
    assert (data.recipe.horizon, data.recipe.window) == (0, 3)
    n = sum(map(len, parts(data)))
    assert n == 2 * snow
    assert sum(int(part.y.sum()) for part in parts(data)) == snow
    assert [len(part) for part in parts(data)] == [
        n - round(0.1 * n) - round(0.15 * n),
        round(0.1 * n),
        round(0.15 * n),
    ]


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"window": 0}, "window 0: it must be a whole number, 1 to"),
        ({"window": -1}, "window -1: it must be"),
        ({"window": 2.5}, "window 2.5: it must be a whole number"),
        ({"window": 10**30}, "it must be a whole number"),
        ({"seed": -1}, "seed -1: it must be"),
        ({"snow_above": "a"}, "snow_above 'a': it must be a number"),
        ({"colder_than": None}, "colder_than None: it must be a number"),
        ({"horizon": -1}, "horizon -1: it must be a whole number, 0 to"),
        ({"horizon": 1.0}, "horizon 1.0: it must be a whole number"),
        ({"split": "fair"}, "'fair': known are time, random"),
        ({"balance": "half"}, "'half': known are none, training, all"),
        ({"validation": 0.0}, "must be positive and sum to below 1"),
        ({"test": 0.0}, "must be positive and sum to below 1"),
        ({"test": -0.3}, "must be positive and sum to below 1"),
        ({"validation": 0.5, "test": 0.5}, "must be positive and sum to below 1"),
        ({"validation": math.nan}, "validation nan: it must be a number"),
        ({"test": math.nan}, "test nan: it must be a number"),
    ],
)
def test_choices_out_of_range_are_refused(choice: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ScratchmlError, match=complaint):
        Recipe(**choice)
    with pytest.raises(ScratchmlError, match=complaint):
        make_dataset(table(200), **choice)


@pytest.mark.parametrize("balance", ["none", "training", "all"])
@pytest.mark.parametrize("limit", [-1.0, 99.0], ids=["all snow", "no snow"])
def test_hours_of_one_class_are_refused(limit: float, balance: str) -> None:
    with pytest.raises(ScratchmlError, match=r"available rows have \d+ hours of snow among"):
        make_dataset(table(200), balance=balance, snow_above=limit, colder_than=1e9)


@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_the_part_with_one_class_is_named(part: str) -> None:
    hours = table(200)
    stretch = {"training": (0, 100), "validation": (100, 140), "test": (140, 200)}[part]
    hours.loc[stretch[0] : stretch[1] - 1, "snowfall"] = 0.0
    with pytest.raises(ScratchmlError, match=f"the {part} rows have 0 hours of snow among"):
        make_dataset(hours, **HALF)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 6])
@pytest.mark.parametrize("split", ["time", "random"])
@pytest.mark.parametrize("balance", ["none", "all"])
def test_too_few_hours_are_refused(n: int, split: str, balance: str) -> None:
    with pytest.raises(
        ScratchmlError, match=r"too few hours without a gap|need both kinds: use more hours"
    ):
        make_dataset(table(20).iloc[:n], split=split, balance=balance, **HALF)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("temperature_2m", math.nan),
        ("temperature_2m", 280.0),
        ("relative_humidity_2m", math.inf),
        ("relative_humidity_2m", 101.0),
        ("snowfall", -1.0),
    ],
)
def test_hours_made_by_hand_are_looked_at_too(column: str, value: float) -> None:
    """A NaN would otherwise become a count of -2147483648."""
    hours = table(200)
    hours.loc[17, column] = value
    with pytest.raises(ScratchmlError, match=f"row 17, column {column}: {value}"):
        make_dataset(hours, **HALF)


def test_a_table_without_a_column_or_out_of_order_is_refused() -> None:
    hours = table(200)
    with pytest.raises(ScratchmlError, match="no column snowfall"):
        make_dataset(hours.drop(columns="snowfall"), **HALF)
    with pytest.raises(ScratchmlError, match="in the order of time"):
        make_dataset(hours.iloc[::-1].reset_index(drop=True), **HALF)
    with pytest.raises(ScratchmlError, match="datetime64"):
        make_dataset(hours.assign(time="2001-01-01"), **HALF)


@pytest.mark.parametrize(
    "changes",
    [{"names": ("dew_point", "relative_humidity_2m")}, {"resolution": (10, 100)}],
)
def test_a_scaler_of_other_channels_is_refused(changes: dict[str, Any]) -> None:
    """It comes from a model's file; with another resolution, counts would mean another thing."""
    scaler = make_dataset(table(200), **HALF).scaler
    with pytest.raises(ScratchmlError, match="the hours are cut into"):
        make_dataset(table(200), scaler=replace(scaler, **changes), **HALF)


# Other variables than the weather station's.


def more_variables(n: int = 400) -> pd.DataFrame:
    hours = table(n)
    rng = np.random.default_rng(1)
    hours["surface_pressure"] = rng.integers(80_000, 90_000, n) / 100
    hours["cloud_cover"] = rng.integers(0, 101, n).astype(float)
    hours["wind_speed_10m"] = rng.integers(0, 900, n) / 10
    return hours


def test_other_variables_are_read_in_counts_of_their_own() -> None:
    hours = more_variables()
    names = ("surface_pressure", "cloud_cover", "wind_speed_10m")
    data = make_dataset(hours, features=names, window=2, **HALF)
    assert data.scaler.names == names
    assert data.scaler.units == ("hPa", "%", "km/h")
    assert data.scaler.resolution == (100, 1, 10)
    for part in (data.train, data.validation, data.test):
        for newest, row in zip(part.index.tolist(), part.counts.tolist(), strict=True):
            assert row == [
                round(hours[name].iloc[place] * resolution)
                for place in (newest - 1, newest)
                for name, resolution in zip(names, (100, 1, 10), strict=True)
            ]


def test_the_label_is_the_same_whatever_is_read() -> None:
    """And the fingerprint that of what was."""
    hours = more_variables()
    usual, other = (
        make_dataset(hours, features=names, **HALF)
        for names in (("temperature_2m", "relative_humidity_2m"), ["cloud_cover"])
    )
    for one, two in zip(
        (usual.train, usual.validation, usual.test),
        (other.train, other.validation, other.test),
        strict=True,
    ):
        assert np.array_equal(one.y, two.y) and np.array_equal(one.index, two.index)
    assert other.recipe.features == ("cloud_cover",)
    assert usual.fingerprint != other.fingerprint
    assert usual.fingerprint == make_dataset(table(400), **HALF).fingerprint


@pytest.mark.parametrize(
    ("features", "complaint"),
    [
        ((), r"features \(\): it must be a list of variables"),
        ("cloud_cover", "features 'cloud_cover': it must be a list"),
        (None, "features None: it must be a list"),
        (("ax",), "feature 'ax': of weather there are temperature_2m, .*; of another table"),
        (("cloud_cover", "cloud_cover"), "feature 'cloud_cover' is named twice"),
    ],
)
def test_features_that_are_none_are_refused(features: Any, complaint: str) -> None:
    with pytest.raises(ScratchmlError, match=complaint):
        Recipe(features=features)


def test_a_feature_that_the_hours_lack_is_named() -> None:
    with pytest.raises(ScratchmlError, match="the table of hours has no column cloud_cover"):
        make_dataset(table(200), features=("cloud_cover",), **HALF)


def test_how_a_file_is_read_belongs_to_the_recipe() -> None:
    reading = Reading(delimiter=";", fahrenheit=True, columns={"T": "temperature_2m"})
    assert Recipe(reading=reading.to_json()).reading == reading  # type: ignore[arg-type]
    with pytest.raises(ScratchmlError, match="the reading of a file has no 'separator'"):
        Recipe(reading={"separator": ";"})  # type: ignore[arg-type]
