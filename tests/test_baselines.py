"""The answers that need no network, against loops over the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sample_tables import READ, weights
from sklearn.neighbors import NearestCentroid

from scratchml import Dataset, Rows, baselines, digits, make_dataset, sensors
from scratchml.baselines import always, linear_regression, nearest_mean
from scratchml.evaluate import confusion_matrix

NAMES = ["always no", "T < 2 C and RH >= 95 %", "persistence"]


def snow(hours: pd.DataFrame, place: int) -> bool:
    hour = hours.iloc[place]
    return bool(hour["snowfall"] > 0.5 and hour["temperature_2m"] < 2)


def some(rows: Rows, n: int = 400) -> Rows:
    """Rows from one end to the other, and all around the first hours of snow."""
    kept = np.unique([*np.linspace(0, len(rows) - 1, n).astype(int), *np.flatnonzero(rows.y)[:n]])
    return Rows(rows.counts[kept], rows.y[kept], rows.index[kept], rows.scaler)


@pytest.fixture(scope="module", params=[0, 1, 3], ids=lambda horizon: f"horizon {horizon}")
def forecast(request: pytest.FixtureRequest, hours: pd.DataFrame) -> Dataset:
    return make_dataset(hours, horizon=request.param)


def test_there_are_three_with_an_answer_for_each_row(data: Dataset) -> None:
    answers = baselines(data, data.test)
    assert list(answers) == NAMES
    for answer in answers.values():
        assert (answer.shape, answer.dtype) == ((len(data.test),), np.bool_)


def test_always_no_says_no(data: Dataset) -> None:
    assert not baselines(data, data.test)["always no"].any()


def test_the_rule_looks_at_the_newest_reading_alone(forecast: Dataset, hours: pd.DataFrame) -> None:
    rows = some(forecast.test)
    answers = baselines(forecast, rows)[NAMES[1]].tolist()
    newest = [hours.iloc[place] for place in rows.index]
    expected = [h["temperature_2m"] < 2 and h["relative_humidity_2m"] >= 95 for h in newest]
    assert answers == expected
    assert {True, False} == set(expected)


def test_persistence_repeats_the_last_hour_whose_snow_is_known(
    forecast: Dataset, hours: pd.DataFrame
) -> None:
    """That is the newest one for a forecast; for the present hour it is the one before."""
    rows = some(forecast.test)
    answers = baselines(forecast, rows)["persistence"].tolist()
    back = 0 if forecast.recipe.horizon else 1
    expected = [snow(hours, place - back) for place in rows.index.tolist()]
    assert answers == expected
    assert {True, False} == set(expected)


def test_persistence_never_sees_the_hour_it_is_asked_about(
    forecast: Dataset, hours: pd.DataFrame
) -> None:
    """Whatever falls in that hour, the answer stays the same."""
    rows = forecast.test
    last = Rows(rows.counts[-1:], rows.y[-1:], rows.index[-1:], rows.scaler)
    place = int(last.index[0]) + forecast.recipe.horizon
    changed = hours.copy()
    changed.loc[place, ["snowfall", "temperature_2m"]] = (0, 20) if snow(hours, place) else (5, -9)
    after = make_dataset(changed, forecast.recipe)
    assert snow(hours, place) != snow(changed, place)
    answers = [baselines(data, last)["persistence"].tolist() for data in (forecast, after)]
    assert answers[0] == answers[1]


def test_persistence_keeps_to_the_limits_of_the_recipe(hours: pd.DataFrame) -> None:
    data = make_dataset(hours, snow_above=0.0, colder_than=-2.0)
    rows = some(data.test)
    expected = [
        hours["snowfall"].iloc[p] > 0 and hours["temperature_2m"].iloc[p] < -2 for p in rows.index
    ]
    assert baselines(data, rows)["persistence"].tolist() == expected


def test_the_next_hour_is_most_often_like_this_one(data: Dataset) -> None:
    """Three water years with snow in one hour of thirty, as documented."""
    answers = baselines(data, data.test)
    persistence = confusion_matrix(data.test.y, answers["persistence"])
    assert persistence.f1 == pytest.approx(0.624, abs=0.01)
    assert persistence.accuracy == pytest.approx(0.975, abs=0.003)
    nothing = confusion_matrix(data.test.y, answers["always no"])
    assert nothing.accuracy == pytest.approx(0.966, abs=0.003)
    assert nothing.f1 == 0


def test_the_rule_finds_nearly_all_snow_of_the_present_hour(hours: pd.DataFrame) -> None:
    """And is wrong five times out of six, as documented."""
    data = make_dataset(hours, horizon=0)
    rule = confusion_matrix(data.test.y, baselines(data, data.test)[NAMES[1]])
    assert rule.recall == pytest.approx(0.952, abs=0.01)
    assert rule.precision == pytest.approx(0.171, abs=0.01)
    assert rule.accuracy == pytest.approx(0.843, abs=0.01)


# Several classes.


def test_the_nearest_mean_is_that_of_a_loop() -> None:
    """A nearest centroid classifier, as scikit-learn has it too, and the distances row by row."""
    data = digits.make_dataset(seed=1)
    scores = nearest_mean(data, data.test)
    assert (scores.shape, scores.dtype) == ((len(data.test), 10), np.float64)
    reference = NearestCentroid().fit(data.train.x, data.train.y)
    assert np.array_equal(scores.argmax(axis=1), reference.predict(data.test.x))
    means = [data.train.x[data.train.y == label].mean(axis=0) for label in range(10)]
    for x, row in zip(data.test.x[:20], scores[:20], strict=True):
        distances = [float(((x - mean) ** 2).sum()) for mean in means]
        # the scores leave out what is the same for all classes, the square of the row
        assert np.allclose(float((x**2).sum()) - row, distances, rtol=1e-4)


def test_the_nearest_mean_sees_training_rows_only() -> None:
    data = digits.make_dataset()
    other = replace(data, test=data.train, validation=data.train)
    assert np.array_equal(nearest_mean(data, data.test), nearest_mean(other, data.test))


def test_one_class_for_all() -> None:
    scores = always(2, 4, 5)
    assert scores.shape == (5, 4)
    assert scores.argmax(axis=1).tolist() == [2] * 5
    assert (np.sort(scores, axis=1) == [0, 0, 0, 1]).all()


# A number.


def test_the_plane_is_that_of_least_squares() -> None:
    """Of training rows, each of them moved a little off a plane: no other plane is nearer."""
    data = sensors.make_dataset(
        weights(200), sensors.Recipe(features=READ, target="weight", split="random")
    )
    x, y = data.train.x.astype(float), data.train.y.astype(float)
    trained = linear_regression(data, data.train)
    best = float(((trained - y) ** 2).sum())
    for column in (*x.T, np.ones(len(x))):  # the errors stand upright on all that is read
        assert float((trained - y) @ column) == pytest.approx(0, abs=1e-3)
        for step in (-0.01, 0.01):
            assert float(((trained + step * column - y) ** 2).sum()) > best
