"""Anybody's table to rows: against a loop that walks from sample to sample, and case by case."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sample_tables import READ, gestures, weights

from scratchml import sensors, tasks
from scratchml.errors import ScratchmlError
from scratchml.front_end import MAX_WINDOW
from scratchml.rows import Dataset, Rows
from scratchml.sensors import Recipe, make_dataset
from scratchml.sensors.counts import MAX_COUNT, found_resolution
from scratchml.sensors.samples import category_codes, seconds
from scratchml.tables.reading import Reading
from scratchml.target import Target

AXES = ("ax", "ay", "az")
GESTURE = Recipe(features=AXES, label="gesture", group="person", window=25, step=10)
WEIGHT = Recipe(features=READ, target="weight", split="random")


def parts(data: Dataset) -> tuple[Rows, Rows, Rows]:
    return data.train, data.validation, data.test


def joined(data: Dataset) -> dict[int, tuple[list[int], float]]:
    """Counts and answer of every window, by the place of its newest sample; each comes once."""
    found: dict[int, tuple[list[int], float]] = {}
    for part in parts(data):
        y = part.target.real(part.y) if part.target else part.y
        for place, counts, answer in zip(
            part.index.tolist(), part.counts.tolist(), y.tolist(), strict=True
        ):
            assert place not in found
            found[place] = counts, answer
    return found


# Against a loop.


def patchy_table(n: int, holes: float, seed: int) -> pd.DataFrame:
    """Values in tenths, a target in quarters; holes, jumps of time and other sessions anywhere."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.integers(-20, 21, (n, 2)) / 10, columns=["p", "q"])
    table["y"] = rng.integers(1, 10, n) * 1.25
    for name, share in (("p", holes), ("q", holes / 2), ("y", holes / 4)):
        table.loc[rng.random(n) < share, name] = np.nan
    table["s"] = rng.choice(["a", "b"], n, p=[0.95, 0.05])
    table["time"] = rng.choice([1, 2, 0, -3], n, p=[0.94, 0.02, 0.02, 0.02]).cumsum() / 8
    return table


tables = st.builds(
    patchy_table, st.integers(40, 80), st.sampled_from([0.05, 0.4]), st.integers(0, 2**32)
)
recipes = st.builds(
    Recipe,
    features=st.just(("p", "q")),
    target=st.just("y"),
    session=st.sampled_from(["", "s"]),
    resolution=st.just((10,)),
    window=st.integers(1, 4),
    step=st.integers(1, 5),
    horizon=st.integers(0, 2),
    split=st.just("random"),
    missing=st.sampled_from(["drop", "previous", "median"]),
    seed=st.integers(0, 99),
)


def stretches(rows: list[dict[str, Any]], recipe: Recipe) -> list[list[dict[str, Any]]]:
    """The samples that are kept, in stretches that follow each other."""
    steps = []
    for above, row in pairwise(rows):
        same = not recipe.session or above["s"] == row["s"]
        if same and row["time"] > above["time"]:
            steps.append(row["time"] - above["time"])
    usual = statistics.median(steps) if steps else math.inf
    timed = recipe.window > 1 or recipe.horizon > 0 or recipe.missing == "previous"
    found: list[list[dict[str, Any]]] = []
    stretch: list[dict[str, Any]] = []
    last: dict[str, float] = {}
    for i, row in enumerate(rows):
        step = row["time"] - rows[i - 1]["time"] if i else 0
        jumps = timed and not 0 < step <= 1.5 * usual
        ends = jumps or (recipe.session and row["s"] != rows[i - 1]["s"])
        known = {name: row[name] for name in "pq" if not math.isnan(row[name])}
        lacks = math.isnan(row["y"]) or (recipe.missing == "drop" and len(known) < 2)
        if ends or lacks:
            stretch, last = [], {}
        if lacks:
            continue
        if recipe.missing == "previous":
            last = {**last, **known}
            if len(last) < 2:
                continue
            row = {**row, **last}
        if not stretch:
            found.append(stretch)
        stretch.append(row)
    return found


def expected_windows(
    rows: list[dict[str, Any]], recipe: Recipe
) -> dict[int, tuple[list[float], float]]:
    """In tenths, NaN where a median belongs, and the target; by the newest sample's place."""
    found: dict[int, tuple[list[float], float]] = {}
    first = 0
    for stretch in stretches(rows, recipe):
        for at in range(0, len(stretch), recipe.step):
            newest = at + recipe.window - 1
            if newest + recipe.horizon < len(stretch):
                window = stretch[at : at + recipe.window]
                values = [10 * row[name] for row in window for name in "pq"]
                found[first + newest] = values, stretch[newest + recipe.horizon]["y"]
        first += len(stretch)
    return found


def fill_in(
    windows: dict[int, tuple[list[float], float]], training: list[int], recipe: Recipe
) -> None:
    """A channel's median is that of the samples in training windows, each counted once."""
    for channel in range(2):
        known = {}
        for place in training:
            values = windows[place][0][channel::2]
            known |= {place - recipe.window + 1 + i: value for i, value in enumerate(values)}
        there = [value for value in known.values() if not math.isnan(value)]
        assume(there)
        median = round(statistics.median(there))
        for values, _ in windows.values():
            for i in range(channel, len(values), 2):
                values[i] = median if math.isnan(values[i]) else values[i]


@settings(deadline=None, max_examples=150)
@given(tables, recipes)
def test_windows_and_targets_are_those_of_a_loop(table: pd.DataFrame, recipe: Recipe) -> None:
    """Whatever is missing, wherever time jumps or a session ends."""
    expected = expected_windows(table.to_dict("records"), recipe)
    answers = [answer for _, answer in expected.values()]
    assume(len(expected) >= 6 and len(set(answers)) > 1)
    try:
        data = make_dataset(table, recipe)
    except ScratchmlError as error:
        # of so few training rows all may be alike; that is tested elsewhere
        assume(not re.search("has (one|no) value in (all|the) training rows", str(error)))
        raise
    found = joined(data)
    fill_in(expected, data.train.index.tolist(), recipe)
    assert set(found) == set(expected)
    for place, (values, answer) in expected.items():
        assert found[place][0] == [round(value) for value in values]
        assert found[place][1] == pytest.approx(answer, abs=1e-5)


def expected_gestures(table: pd.DataFrame, window: int, step: int) -> dict[int, str]:
    """Windows that hold one gesture only; each recording begins at time 0."""
    firsts = [*np.flatnonzero(table["time"] == 0).tolist(), len(table)]
    found = {}
    for first, stop in pairwise(firsts):
        for at in range(first, stop - window + 1, step):
            labels = set(table["gesture"][at : at + window])
            if len(labels) == 1:
                found[at + window - 1] = labels.pop()
    return found


@settings(deadline=None, max_examples=12)
@given(st.integers(2, 30), st.integers(1, 40), st.integers(0, 60), st.sampled_from(["", "person"]))
def test_a_window_has_the_label_of_all_its_samples(
    window: int, step: int, cut: int, group: str
) -> None:
    table = gestures(4, 3.0)
    names = table["gesture"].to_numpy()
    names[cut : cut + 5] = "shake"  # in the first recording, which is of circles
    recipe = replace(GESTURE, window=window, step=step, group=group, split="random", seed=cut)
    data = make_dataset(table, recipe)
    found = {place: data.classes[int(label)] for place, (_, label) in joined(data).items()}
    assert found == expected_gestures(table, window, step)
    counts = np.rint(1000 * table[list(AXES)].to_numpy()).astype(int)
    for place, (row, _) in joined(data).items():
        assert row == counts[place - window + 1 : place + 1].ravel().tolist()


def test_a_label_ahead_is_that_of_a_later_sample() -> None:
    """Whatever the window itself holds; the recording must go on that long."""
    table = gestures(3)
    table.loc[table["time"] >= 2.5, "gesture"] = "idle"
    data = make_dataset(table, replace(GESTURE, horizon=7, split="random", step=1))
    found = joined(data)
    assert len(found) == 9 * (100 - 25 - 7 + 1)
    for place, (_, label) in found.items():
        assert data.classes[int(label)] == table["gesture"][place + 7]
    assert not any("two labels" in note for note in data.notes)


# The split.


def test_groups_stay_whole_and_the_chosen_ones_are_tested() -> None:
    table = gestures(7)
    data = make_dataset(table, replace(GESTURE, test_groups=("p2", "p5")))
    sets = [set(table["person"].iloc[part.index]) for part in parts(data)]
    assert sets[2] == {"p2", "p5"} == set(data.groups_of(data.test))
    assert not sets[0] & sets[1] and not (sets[0] | sets[1]) & sets[2]
    assert data.recipe.split == "group"


def test_a_group_that_comes_twice_in_the_file_is_still_one() -> None:
    """And no window reaches from one place to the other."""
    table = gestures(3)
    again = pd.concat([table, gestures(3, seed=1)], ignore_index=True)
    data = make_dataset(again, GESTURE)
    sets = [set(again["person"].iloc[part.index]) for part in parts(data)]
    assert sorted(map(len, sets)) == [1, 1, 1] and len(set.union(*sets)) == 3
    assert sum(map(len, parts(data))) == 2 * 3 * 3 * 8


def test_groups_may_be_numbers() -> None:
    table = gestures(12)
    table["person"] = table["person"].str[1:].astype(int)
    data = make_dataset(table, replace(GESTURE, test_groups=(2, 10)))
    assert data.groups == tuple(map(str, range(12)))
    assert data.groups_of(data.test) == ["2", "10"]


def test_by_time_no_sample_is_on_both_sides_though_windows_overlap() -> None:
    """Two load cells at once, one below the other in the file: borders are of the clock."""
    table = pd.concat([weights(400).assign(cell=c) for c in "ab"], ignore_index=True)
    recipe = replace(WEIGHT, split="time", group="cell", window=6, step=2, horizon=3)
    data = make_dataset(table, recipe)
    times = table["time"].to_numpy()
    latest = -1.0
    for part in parts(data):
        seen = np.unique(part.index[:, None] + np.arange(-5, 4))
        assert set(table["cell"].iloc[part.index]) == {"a", "b"}
        # at the border itself one cell's sample may be the last, the other's the first
        assert times[seen].min() >= latest
        latest = times[seen].max()
    assert len(np.concatenate([part.index for part in parts(data)])) > 0.9 * 2 * 400 / 2
    lengths = [len(part) / 400 for part in parts(data)]
    assert lengths == pytest.approx([0.5, 0.2, 0.3], abs=0.04)


@pytest.mark.parametrize(
    ("table", "recipe", "split"),
    [
        (gestures(), GESTURE, "group"),
        (weights(), replace(WEIGHT, split=""), "time"),
        (weights().drop(columns="time"), replace(WEIGHT, split=""), "random"),
        (gestures(), replace(GESTURE, split="random"), "random"),
    ],
    ids=["groups", "time", "neither", "chosen"],
)
def test_the_split_is_the_first_that_the_table_allows(
    table: pd.DataFrame, recipe: Recipe, split: str
) -> None:
    assert make_dataset(table, recipe).recipe.split == split


def test_a_random_split_of_classes_is_stratified() -> None:
    table = gestures(5)
    data = make_dataset(table, replace(GESTURE, group="", split="random", step=25))
    assert [np.bincount(part.y.astype(int)).tolist() for part in parts(data)] == [
        [10] * 3, [4] * 3, [6] * 3
    ]  # fmt: skip


@pytest.mark.parametrize(("step", "told"), [(24, True), (25, False), (40, False)])
def test_it_is_said_where_learnt_samples_are_tested(step: int, told: bool) -> None:
    """Only where windows share samples."""
    data = make_dataset(gestures(), replace(GESTURE, split="random", step=step))
    assert any("windows overlap" in note for note in data.notes) == told


@pytest.mark.parametrize(
    ("choices", "told"),
    [({"split": "time"}, True), ({"group": "", "session": "person"}, True), ({}, False)],
    ids=["chosen", "by default", "by group"],
)
def test_it_is_said_where_time_restarts(choices: dict[str, Any], told: bool) -> None:
    """Then the test is the end of recordings that were learnt."""
    data = make_dataset(gestures(), replace(GESTURE, window=5, step=5, **choices))
    assert any("time restarts" in note for note in data.notes) == told
    if told:  # which is so: every gesture is in every part
        for part in parts(data):
            assert set(gestures()["person"].iloc[part.index]) == {f"p{i}" for i in range(6)}


def test_time_that_goes_on_and_dates_in_any_order_are_later_indeed() -> None:
    recipe = replace(GESTURE, split="time", window=5, step=5)
    table = gestures()
    on = table.assign(time=np.arange(len(table)) / 25)
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(table["time"], unit="s")
    for times in (on["time"], dates):
        data = make_dataset(table.assign(time=times), recipe)
        assert not any("time restarts" in note for note in data.notes)
        seen = [times.iloc[part.index] for part in parts(data)]
        assert seen[0].max() <= seen[1].min() and seen[1].max() <= seen[2].min()


def test_the_seed_chooses_and_the_same_one_gives_the_same() -> None:
    one, same, other = (
        make_dataset(gestures(8), replace(GESTURE, seed=seed)) for seed in (1, 1, 2)
    )
    for a, b in zip(parts(one), parts(same), strict=True):
        assert np.array_equal(a.counts, b.counts) and np.array_equal(a.y, b.y)
    assert one.groups_of(one.test) != other.groups_of(other.test)


def test_balance_is_for_training_rows_only() -> None:
    table = gestures()
    table = table[(table["gesture"] != "idle") | (table["time"] < 2)].reset_index(drop=True)
    usual, even = (
        make_dataset(table, replace(GESTURE, balance=balance)) for balance in ("none", "training")
    )
    fewest = np.bincount(usual.train.y.astype(int)).min()
    assert np.bincount(even.train.y.astype(int)).tolist() == [fewest] * 3
    assert set(even.train.index) < set(usual.train.index)
    for one, other in zip(parts(even)[1:], parts(usual)[1:], strict=True):
        assert np.array_equal(one.index, other.index)
        assert len(np.unique(np.bincount(one.y.astype(int)))) > 1


# Labels.


def test_classes_are_in_order_numbers_by_size() -> None:
    table = gestures()
    table["gesture"] = table["gesture"].map({"circle": 10, "idle": 9, "shake": -1.5})
    assert make_dataset(table, GESTURE).classes == ("-1.5", "9.0", "10.0")
    table["gesture"] = table["gesture"].map({10: "10", 9: "9", -1.5: "x"})
    assert make_dataset(table, GESTURE).classes == ("10", "9", "x")


def test_yes_and_no() -> None:
    table = gestures()
    table["gesture"] = table["gesture"] == "shake"
    data = make_dataset(table, GESTURE)
    assert data.classes == ("False", "True")
    other = make_dataset(table, replace(GESTURE, positive="False"))
    assert other.classes == ("True", "False")
    assert tasks.output_of(data) == tasks.output_of(other) == ("sigmoid", 1)
    for one, two in zip(parts(data), parts(other), strict=True):
        assert np.array_equal(one.y, 1 - two.y) and one.y.any() and two.y.any()


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["b", "a", None, "b"], ["a", "b"]),
        (["10", "9", "10"], ["9", "10"]),
        (["1", "1.0", "0"], ["0", "1", "1.0"]),
        (["nan", "2", "10"], ["10", "2", "nan"]),
        (["-inf", "5"], ["-inf", "5"]),
        ([3, 1, 2], ["1", "2", "3"]),
        ([True, False], ["False", "True"]),
        ([None], []),
    ],
)
def test_the_order_of_categories_is_not_that_of_the_file(
    texts: list[Any], order: list[str]
) -> None:
    for column in (pd.Series(texts), pd.Series(texts[::-1]), pd.Series(texts, dtype="category")):
        names, codes = category_codes(column)
        assert names == order
        expected = [None if pd.isna(value) else str(value) for value in column]
        assert [names[code] if code >= 0 else None for code in codes] == expected


# What is missing.


def with_holes(column: str, *places: int) -> pd.DataFrame:
    table = gestures()
    table.loc[list(places), column] = np.nan if column in AXES else None
    return table


@pytest.mark.parametrize("column", ["ax", "gesture", "person"])
def test_a_hole_is_refused_by_its_line(column: str) -> None:
    with pytest.raises(ScratchmlError, match=rf"^line 17, column {column}: the value is missing"):
        make_dataset(with_holes(column, 17, 20), GESTURE)


@pytest.mark.parametrize("missing", ["drop", "previous", "median"])
@pytest.mark.parametrize("column", ["gesture", "person"])
def test_a_sample_without_what_is_asked_is_left_out(column: str, missing: str) -> None:
    """Nor does a window reach across it: 36 samples before it, and 63 behind, in a hundred."""
    whole = make_dataset(gestures(), GESTURE)
    data = make_dataset(with_holes(column, 36), replace(GESTURE, missing=missing))
    assert "1 of 1,800 samples lack a value and were left out" in data.notes
    before, after = sum(map(len, parts(whole))), sum(map(len, parts(data)))
    assert before - after == 8 - (2 + 4)


def test_medians_are_of_training_samples_alone() -> None:
    """Whatever stands elsewhere; it leaks neither into the training rows nor into the scaler."""
    table = with_holes("ax", *range(3, 1800, 50))
    recipe = replace(GESTURE, missing="median")
    data = make_dataset(table, recipe)
    seen = np.unique(data.train.index[:, None] + np.arange(-24, 1))
    elsewhere = np.setdiff1d(np.arange(1800), seen)
    changed = table.copy()
    changed.loc[elsewhere, "ax"] += 50
    other = make_dataset(changed, recipe)
    assert np.array_equal(data.train.counts, other.train.counts)
    assert data.scaler == other.scaler
    median = np.rint(np.median(np.rint(1000 * table["ax"].iloc[seen].dropna())))
    holes = np.flatnonzero(table["ax"].isna())
    assert (other.samples[holes, 0] == median).all()
    assert any(note.startswith("missing values, 36 of them, became") for note in data.notes)


def test_the_previous_value_comes_from_the_same_recording() -> None:
    """At the head of a recording there is none: not that of the group's last one either."""
    table = gestures(3)
    table = pd.concat([table, gestures(3, seed=1)], ignore_index=True)
    table.loc[[0, 1, 50, 900, 901], "ay"] = np.nan
    data = make_dataset(table, replace(GESTURE, missing="previous"))
    note = "missing values, 5 of them, took the one before; 4 samples had none before"
    assert any(text.startswith(note) for text in data.notes)
    assert len(data.samples) == len(table) - 4
    assert data.samples[48, 1] == data.samples[47, 1] == round(1000 * table["ay"][49])


def test_a_column_without_a_value_is_named() -> None:
    table = gestures().assign(ay=np.nan)
    with pytest.raises(ScratchmlError, match="ay has no value in the training rows"):
        make_dataset(table, replace(GESTURE, missing="median"))
    for missing in ("drop", "previous"):
        with pytest.raises(ScratchmlError, match="no sample that has all its values"):
            make_dataset(table, replace(GESTURE, missing=missing))


# Counts and scale.


@pytest.mark.parametrize(
    ("values", "resolution"),
    [
        ([3.0, -5.0, 1e7], 1),
        ([0.5, 2.0], 10),
        ([0.1 + 0.2, 0.3 - 0.1 - 0.2], 10),
        (np.float32([9.81, -0.13, 1.5]).astype(float), 100),
        ([47.123456, 47.1], 1_000_000),
        ([math.nan, 0.25], 100),
        ([1e12 + 0.5, 3.0], 1),
        ([], 1),
        ([0.0, -0.0], 1),
        ([1e-9, 3e-9], 10**9),
        (np.random.default_rng(0).normal(0, 1, 100), 10_000),
        (np.random.default_rng(0).normal(1e5, 1, 100), 100),
        (np.random.default_rng(0).normal(0, 1e-7, 100), 10**9),
    ],
)
def test_the_resolution_is_found(values: Any, resolution: int) -> None:
    assert found_resolution(np.asarray(values, float)) == resolution


@given(
    st.lists(st.integers(-9999, 9999), min_size=1, max_size=20),
    st.integers(0, 4),
    st.floats(-1e-13, 1e-13),
)
def test_decimals_are_found_though_floats_are_off_by_a_bit(
    numbers: list[int], decimals: int, noise: float
) -> None:
    """The least that is enough, from exact integers."""
    values = np.array(numbers) / 10**decimals * (1 + noise)
    least = next(d for d in range(5) if all(n * 10**d % 10**decimals == 0 for n in numbers))
    assert found_resolution(values) == 10**least


def test_each_feature_has_counts_of_its_own_resolution() -> None:
    data = make_dataset(weights(), WEIGHT)
    assert data.recipe.resolution == data.scaler.resolution == (1, 100, 1000)
    table = weights().iloc[data.test.index]
    for channel, name in enumerate(READ):
        expected = np.rint(table[name] * data.recipe.resolution[channel])
        assert np.array_equal(data.test.counts[:, channel], expected)
    coarse = make_dataset(weights(), replace(WEIGHT, resolution=(1,), units=("V",)))
    assert coarse.scaler.resolution == (1, 1, 1) and coarse.scaler.units == ("V", "V", "V")
    assert np.array_equal(coarse.test.counts[:, 1], np.rint(table["celsius"]))


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("scaling", ["standard", "robust"])
def test_the_scale_is_that_of_the_training_rows(scaling: str, window: int) -> None:
    """Means are whole counts; a robust one does not mind an outlier."""
    table = weights()
    table.loc[table.index % 50 == 0, "celsius"] = 2000.0
    data = make_dataset(table, replace(WEIGHT, scaling=scaling, window=window))
    for channel, resolution in enumerate(data.scaler.resolution):
        counts = data.train.counts[:, channel::3].astype(float).ravel()
        if scaling == "standard":
            mean, std = counts.mean(), counts.std()
        else:
            low, mean, high = np.percentile(counts, [25, 50, 75])
            std = (high - low) / (2 * statistics.NormalDist().inv_cdf(0.75))
        assert data.scaler.mean[channel] == round(mean) / resolution
        assert data.scaler.std[channel] == pytest.approx(std / resolution, rel=1e-4)
    assert (data.scaler.std[1] < 15) == (scaling == "robust")
    z = data.test.counts / np.tile(data.scaler.resolution, window) - np.tile(
        data.scaler.mean, window
    )
    np.testing.assert_allclose(
        data.test.x, z / np.tile(data.scaler.std, window), rtol=1e-5, atol=1e-6
    )


def test_a_column_of_mostly_one_value_has_a_spread_all_the_same() -> None:
    table = weights().assign(battery=np.where(np.arange(600) % 10, 4.0, 3.0))
    data = make_dataset(table, replace(WEIGHT, scaling="robust"))
    assert data.scaler.mean[2] == 4 and 0.2 < data.scaler.std[2] < 0.4


def test_what_does_not_change_is_refused_but_as_a_statistic() -> None:
    table = gestures().assign(az=0.5)
    with pytest.raises(ScratchmlError, match="az has one value in all training rows"):
        make_dataset(table, GESTURE)
    data = make_dataset(table, replace(GESTURE, statistics=("mean", "std")))
    assert [note.split(" has")[0] for note in data.notes] == ["az mean", "az std"]
    assert (data.test.x[:, 4:] == 0).all() and np.isfinite(data.test.x).all()


@pytest.mark.parametrize(
    ("factor", "choices", "reason"),
    [
        (1e12, {}, "counts at 1 a unit, and 67,108,864 are possible: use a larger unit"),
        (1e4, {"resolution": (10_000,)}, "67,108,864 are possible: choose a coarser --resolution"),
        (1e4, {"resolution": (1000,), "statistics": ("mean",), "window": 1000, "step": 1000},
         "1,073,741 are possible: choose a coarser"),
        (math.inf, {"resolution": (1,)}, "infinite"),
    ],
)  # fmt: skip
def test_counts_that_are_too_large_are_refused(
    factor: float, choices: dict[str, Any], reason: str
) -> None:
    table = gestures(6, 50.0)
    table["ay"] = np.where(table["ay"] > 0.5, factor, 1) * table["ay"]
    with pytest.raises(ScratchmlError, match=f"^ay.*{reason}"):
        make_dataset(table, replace(GESTURE, **choices))


def test_counts_that_were_found_fit_what_the_board_computes_with() -> None:
    """Statistics are clamped to 30 bits over the window's length: a long window is coarser."""
    table = gestures(6, 50.0)
    table["ay"] = 101_325 + table["ay"] / 3
    for window, resolution in ((50, 100), (1000, 10)):
        recipe = replace(GESTURE, statistics=("mean", "std"), window=window, step=window // 2)
        data = make_dataset(table, recipe)
        assert data.recipe.resolution == (1000, resolution, 1000)
        mean = table["ay"].iloc[data.test.index[0] - window + 1 : data.test.index[0] + 1].mean()
        assert data.test.counts[0, 2] / resolution == pytest.approx(mean, abs=0.6 / resolution)
    assert found_resolution(np.array([0.1234, MAX_COUNT / 10.0])) == 10


# Messages.


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("time", kind="stable").reset_index(drop=True)


@pytest.mark.parametrize(
    ("table", "choices", "reason"),
    [
        (gestures()[:30], {"window": 50}, "no window of 50 samples fits .* in 30 samples: use"),
        (gestures()[:30], {"horizon": 9}, "of 25 samples and 9 more fits"),
        (gestures(), {"window": 101}, "of which there are 18: use shorter windows"),
        (shuffled(gestures()), {}, "person changes 599 times; put the rows of each together"),
        (gestures()[::-1], {}, "goes back 1,782 times; sort each recording by time"),
        (gestures().assign(time=0), {}, "time stands still or goes back 1,799 times"),
        (gestures()[:0], {}, "no sample that has all its values"),
        (gestures().drop(columns="az"), {}, "no column az; there are time, ax, ay, gesture"),
        (gestures().assign(az="x"), {}, "the column az is of .*, not of numbers"),
        (gestures().assign(gesture="x"), {}, "gesture has one value only, 'x'"),
        (gestures().assign(gesture=range(1800)), {}, "gesture has 1,800 values, and 511 classes"),
        (gestures(2), {}, "2 groups are too few"),
        (gestures(), {"test_groups": ("p9",)}, "column person has no 'p9'; there are p0, p1"),
        (gestures(3), {"test_groups": ("p0", "p1")}, "3 groups, 2 of them for the test"),
        (gestures(), {"positive": "idle"}, "it is one of two classes, and gesture has circle"),
        (gestures(), {"split": "time"}, "no validation row is left of 144 by the split by time"),
        (gestures(), {"statistics": ("kurtosis",)}, "statistic 'kurtosis' is not known"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_said(
    table: pd.DataFrame, choices: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ScratchmlError, match=reason) as caught:
        make_dataset(table, replace(GESTURE, **choices))
    assert "\n" not in str(caught.value)


def test_a_label_without_a_window_and_a_part_without_a_label() -> None:
    table = gestures()
    rare = table["gesture"].where(table.index != 7, "tap")
    with pytest.raises(ScratchmlError, match="no window of 25 samples is of gesture 'tap'"):
        make_dataset(table.assign(gesture=rare), GESTURE)
    one = table["gesture"].where(table["person"] != "p3", "tap")
    with pytest.raises(ScratchmlError, match="rows have none of gesture 'tap': choose another"):
        make_dataset(table.assign(gesture=one), GESTURE)


def test_samples_in_no_window_are_counted() -> None:
    """A recording of another rate is all gaps, or short of a window."""
    table = gestures()
    slow = table["person"] == "p1"
    table.loc[slow, "time"] *= 2
    data = make_dataset(table, replace(GESTURE, split="random"))
    assert "300 of 1,800 samples are in no window: too few of them between breaks" in data.notes
    assert not slow.iloc[np.concatenate([part.index for part in parts(data)])].any()


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"features": ()}, "no features"),
        ({"features": "ax"}, "features 'ax': it must be a list"),
        ({"features": ("ax", "ax")}, "the column ax is named twice"),
        ({"features": ("ax", 3)}, "must be texts"),
        ({"label": ""}, "name one column of what is asked"),
        ({"target": "gesture"}, "name one column of what is asked"),
        ({"label": "ax"}, "the column ax is named twice"),
        ({"label": "", "target": "ax"}, "the column ax is named twice"),
        ({"group": "ax"}, "the column ax is read as numbers already"),
        ({"session": "ay"}, "the column ay is read as numbers already"),
        ({"group": "gesture"}, "the group is another column than the label"),
        ({"group": 3}, "group 3: it must be a text"),
        ({"window": MAX_WINDOW + 1}, "window 4097: it must be a whole number, 1 to 4096"),
        ({"window": 0}, "window 0"),
        ({"window": True}, "window True: it must be a whole number"),
        ({"window": 2.0}, r"window 2\.0"),
        ({"step": 2**16}, "step 65536"),
        ({"horizon": -1}, "horizon -1"),
        ({"seed": -1}, "seed -1"),
        ({"resolution": (0,)}, "resolution 0"),
        ({"resolution": (1, 2)}, "2 resolution for 3 features"),
        ({"units": ("g", "g")}, "2 units for 3 features"),
        ({"units": ("g",) * 4}, "4 units for 3 features: give one for each$"),
        (
            {"label": "", "target": "t", "units": ("g",) * 5},
            "5 units for 3 features: give one for each, and perhaps one for the target",
        ),
        (
            {"label": "", "target": "ax", "horizon": 1, "units": ("g", "g", "g", "m/s2")},
            "ax has the unit 'g' as a feature and 'm/s2' as the target",
        ),
        ({"validation": 0.8}, "must be positive and sum to below 1"),
        ({"split": "fair"}, "split 'fair': known are group, time, random"),
        ({"group": "", "split": "group"}, "needs the column of groups"),
        ({"split": "time", "test_groups": ("p1",)}, "test groups are about a split by group"),
        ({"scaling": "log"}, "scaling 'log'"),
        ({"missing": "zero"}, "missing 'zero'"),
        ({"balance": "all"}, "balance 'all'"),
        ({"label": "", "target": "t", "balance": "training"}, "balance is about classes"),
        ({"label": "", "target": "t", "positive": "x"}, "positive is about a label"),
        ({"window": 1, "statistics": ("mean",)}, "statistics of a window of 1 sample"),
    ],
)
def test_choices_that_are_none_are_refused(choices: dict[str, Any], reason: str) -> None:
    with pytest.raises(ScratchmlError, match=reason):
        replace(GESTURE, **choices)


# From a file.


def test_a_file_gives_the_rows_of_its_table(tmp_path: Path) -> None:
    """Whatever its columns are called, and however it writes numbers and times."""
    table = gestures()
    expected = make_dataset(table, GESTURE)
    table.to_csv(tmp_path / "plain.csv", index=False)
    plain = replace(GESTURE, reading=Reading(time_format="seconds"))
    other = table.rename(columns={"time": "Zeit", "ax": "x", "gesture": "Geste"})
    other.to_csv(tmp_path / "other.csv", index=False, sep=";", decimal=",")
    names = {"x": "ax", "Geste": "gesture"}
    reading = Reading(columns=names, decimal=",", time="Zeit", time_format="seconds")
    for name, recipe in (("plain", plain), ("other", replace(GESTURE, reading=reading))):
        data = make_dataset(sensors.load(tmp_path / f"{name}.csv", recipe), recipe)
        assert data.fingerprint == expected.fingerprint
        for a, b in zip(parts(data), parts(expected), strict=True):
            assert np.array_equal(a.counts, b.counts) and np.array_equal(a.y, b.y)


def test_time_may_be_left_out_or_be_a_feature(tmp_path: Path) -> None:
    table = gestures()
    table.to_csv(tmp_path / "t.csv", index=False)
    out = replace(GESTURE, reading=Reading(columns={"time": "clock"}))
    assert "time" not in sensors.load(tmp_path / "t.csv", out)
    read = replace(GESTURE, features=("time", "ax"))
    assert sensors.load(tmp_path / "t.csv", read)["time"].dtype == np.float64
    both = replace(read, reading=Reading(time="ay"))
    with pytest.raises(ScratchmlError, match="the column time is read as something else"):
        sensors.load(tmp_path / "t.csv", both)


@pytest.mark.parametrize("role", ["label", "group", "session"])
def test_a_column_of_time_that_is_read_as_texts_is_no_clock(role: str, tmp_path: Path) -> None:
    """Days as a label or group, in ISO 8601 too."""
    table = gestures()
    days = table["person"].str.replace("p", "2024-05-0")
    if role == "label":  # every group has each of them
        days = table["gesture"].map({"circle": "2024-05-01", "idle": "2024-05-02"}).fillna("other")
    table.assign(time=days).to_csv(tmp_path / "days.csv", index=False)
    table.drop(columns="time").assign(day=days).to_csv(tmp_path / "plain.csv", index=False)
    named, plain = (replace(GESTURE, **{role: name}) for name in ("time", "day"))
    one = make_dataset(sensors.load(tmp_path / "days.csv", named), named)
    other = make_dataset(sensors.load(tmp_path / "plain.csv", plain), plain)
    assert one.fingerprint == other.fingerprint
    for a, b in zip(parts(one), parts(other), strict=True):
        assert np.array_equal(a.counts, b.counts) and np.array_equal(a.y, b.y)


def test_a_column_of_time_that_is_a_feature_neither_splits_nor_breaks() -> None:
    """It may jump as it likes, and the table without another clock is split at random."""
    jumps = weights()["time"].to_numpy().reshape(-1, 2)[:, ::-1].ravel()
    table = weights().assign(time=jumps)
    read = replace(WEIGHT, features=("time", "celsius"), split="", window=3, step=3)
    called = replace(read, features=("clock", "celsius"))
    one, other = (
        make_dataset(table, read),
        make_dataset(table.rename(columns={"time": "clock"}), called),
    )
    assert one.recipe.split == other.recipe.split == "random"
    for a, b in zip(parts(one), parts(other), strict=True):
        assert np.array_equal(a.counts, b.counts) and np.array_equal(a.index, b.index)


def test_a_clock_of_words_is_refused() -> None:
    table = gestures().assign(time="noon")
    with pytest.raises(ScratchmlError, match=r"the column time is of .*, not of times"):
        make_dataset(table, GESTURE)


def test_temperatures_in_fahrenheit_are_those_whose_unit_is_celsius(tmp_path: Path) -> None:
    """Of features and of the target; of what else there is, nothing changes."""
    table = pd.DataFrame({"a": [14.0, 32.0, 212.0], "b": [1.0, 2.0, 3.0], "c": [-40.0, 50.0, 95.0]})
    table.to_csv(tmp_path / "t.csv", index=False)
    recipe = Recipe(features=("a", "b"), target="c", reading=Reading(fahrenheit=True))
    for units, expected in (
        (("C", "V", "C"), ([-10, 0, 100], [1, 2, 3], [-40, 10, 35])),
        (("°C", "V"), ([-10, 0, 100], [1, 2, 3], [-40, 50, 95])),
    ):
        found = sensors.load(tmp_path / "t.csv", replace(recipe, units=units))
        np.testing.assert_allclose(found[["a", "b", "c"]].to_numpy().T, expected, atol=1e-12)
    for units in ((), ("F",), ("V", "V", "W")):
        with pytest.raises(ScratchmlError, match=r"^--fahrenheit: .* name the units, .*--units C"):
            sensors.load(tmp_path / "t.csv", replace(recipe, units=units))


def test_a_hole_in_a_file_is_told_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ax,ay,az,gesture,person\n\n1,2,3,a,p\n1,,3,a,p\n")
    table = sensors.load(tmp_path / "t.csv", GESTURE)
    with pytest.raises(ScratchmlError, match=r"^line 4, column ay: the value is missing"):
        make_dataset(table, GESTURE)


def test_moments_and_seconds_are_the_same_time() -> None:
    table = gestures()
    start = pd.Timestamp("2024-02-29T23:59:59.5")
    moments = table.assign(time=start + pd.to_timedelta(table["time"], unit="s"))
    one, other = make_dataset(table, GESTURE), make_dataset(moments, GESTURE)
    for a, b in zip(parts(one), parts(other), strict=True):
        assert np.array_equal(a.index, b.index)
    zoned = moments["time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    for times in (moments["time"], zoned, moments["time"].astype("datetime64[us]")):
        assert seconds(times)[1] - seconds(times)[0] == pytest.approx(0.04, abs=1e-6)
        assert seconds(times)[0] == start.timestamp()


# A model that exists already.


def test_a_model_s_scale_target_and_classes_are_taken_over() -> None:
    first = make_dataset(weights(), WEIGHT)
    target = first.train.target
    assert target is not None
    again = make_dataset(weights(seed=5), first.recipe, scaler=first.scaler, target=target)
    assert again.scaler == again.test.scaler == first.scaler
    assert again.test.target is target
    # the same units, so the same truth
    truth = weights(seed=5)["weight"].iloc[again.test.index]
    np.testing.assert_allclose(target.real(again.test.y), truth, rtol=1e-5)

    table = gestures()
    known = make_dataset(table, GESTURE)
    two = table[table["gesture"] != "circle"].reset_index(drop=True)
    with pytest.raises(ScratchmlError, match="training rows have none of gesture 'circle'"):
        make_dataset(two, GESTURE, scaler=known.scaler, classes=known.classes)
    other = table.assign(gesture=table["gesture"].replace("idle", "rest"))
    with pytest.raises(ScratchmlError, match="does not know gesture 'rest', only circle, idle"):
        make_dataset(other, GESTURE, scaler=known.scaler, classes=known.classes)
    order = known.classes[::-1]
    turned = make_dataset(table, GESTURE, scaler=known.scaler, classes=order)
    assert turned.classes == order
    assert np.array_equal(turned.test.y, 2 - known.test.y)


def test_a_scaler_of_other_channels_is_refused() -> None:
    data = make_dataset(weights(), WEIGHT)
    with pytest.raises(ScratchmlError, match="reads bridge in counts of 1/1; the table"):
        make_dataset(weights(), replace(WEIGHT, resolution=(10, 100, 1000)), scaler=data.scaler)
    with pytest.raises(ScratchmlError, match=r"reads 3 channels, bridge, .*; the table gives 2"):
        make_dataset(weights(), replace(WEIGHT, features=READ[:2]), scaler=data.scaler)


def test_the_recipe_that_comes_back_makes_the_same_rows() -> None:
    """With what was found filled in, and through its file's JSON."""
    for table, recipe in ((gestures(), GESTURE), (weights(), WEIGHT)):
        data = make_dataset(table, recipe)
        assert all(data.recipe.resolution) and data.recipe.split
        stored = tasks.from_metadata(tasks.to_metadata(data.recipe, data.classes))
        again = make_dataset(table, stored)
        assert again.recipe == data.recipe == stored
        assert np.array_equal(again.test.counts, data.test.counts)


def test_the_fingerprint_is_of_the_columns_that_are_read() -> None:
    table = gestures()
    one = make_dataset(table, GESTURE).fingerprint
    assert make_dataset(table.assign(more=1), GESTURE).fingerprint == one
    for column in ("ax", "time"):
        changed = table.copy()
        changed.loc[99, column] += 0.001
        assert make_dataset(changed, GESTURE).fingerprint != one
    for column in ("gesture", "person"):
        changed = table.assign(**{column: table[column].replace({"idle": "rest", "p1": "p9"})})
        assert make_dataset(changed, GESTURE).fingerprint != one


@pytest.mark.parametrize(("units", "unit"), [(("", "C", "V", "g"), "g"), (("V",), ""), ((), "")])
def test_a_target_s_unit_stands_behind_those_of_the_features(
    units: tuple[str, ...], unit: str
) -> None:
    recipe = replace(WEIGHT, units=units)
    data = make_dataset(weights(), recipe)
    assert data.test.target is not None and data.test.target.unit == unit
    assert data.scaler.units == (("V",) * 3 if len(units) == 1 else (*units, "", "", "")[:3])
    again = make_dataset(weights(), data.recipe)  # as a model's file has it
    assert again.test.target == data.test.target and again.scaler == data.scaler


def test_a_target_that_is_read_too_is_told_in_its_unit() -> None:
    """What it will be three samples ahead, from what it is."""
    features = (*READ, "weight")
    recipe = replace(WEIGHT, features=features, units=("", "C", "V", "g"), horizon=3, split="time")
    data = make_dataset(weights(), recipe)
    target = data.test.target
    assert target is not None and (target.unit, target.resolution) == ("g", 10)
    truth = weights()["weight"].iloc[data.test.index + 3]
    np.testing.assert_allclose(target.real(data.test.y), truth, rtol=1e-5)
    trained = weights()["weight"].iloc[data.train.index + 3].to_numpy()
    assert target == Target("weight", "g", 10, float(trained.mean()), float(trained.std()))


def test_what_no_front_end_computes_is_refused_before_a_file_is_read() -> None:
    with pytest.raises(ScratchmlError, match="the statistic 'median' is not known: there are mean"):
        Recipe(features=("a",), label="b", window=9, statistics=("median",))
    with pytest.raises(ScratchmlError, match="the statistic 'mean' is there twice"):
        Recipe(features=("a",), label="b", window=9, statistics=("mean", "mean"))
    with pytest.raises(ScratchmlError, match="a feature without a name"):
        Recipe(features=("a", ""), label="b")
