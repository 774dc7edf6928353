"""Errors of predicted numbers against scikit-learn and exact fractions."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchml.errors import ScratchmlError
from scratchml.regression import Array, evaluate_numbers

examples = settings(deadline=None, max_examples=200)

#: Far apart and close together, but no numbers so small that their squares vanish beside 1.
NUMBERS = st.integers(-(10**6), 10**6).map(lambda n: n / 1000)


@st.composite
def forecasts(draw: st.DrawFn) -> tuple[Array, Array]:
    """Targets and predictions ``[n, outputs]`` in float32; some columns constant, some exact."""
    shape = (draw(st.integers(2, 12)), draw(st.integers(1, 4)))
    y, p = (draw(hnp.arrays(np.float32, shape, elements=NUMBERS)) for _ in range(2))
    for column in range(shape[1]):
        if draw(st.booleans()):
            y[:, column] = y[0, column]
        if draw(st.integers(0, 3)) == 0:
            p[:, column] = y[:, column]
    return y, p


@examples
@given(forecasts())
def test_every_figure_equals_scikit_learns(forecast: tuple[Array, Array]) -> None:
    y, p = forecast
    result = evaluate_numbers(y, p)
    assert (result.rows, len(result.outputs)) == y.shape
    assert list(result.metrics()) == ["mse", "rmse", "mae", "r2"]
    exact = y.astype(np.float64), p.astype(np.float64)
    mse = sklearn.metrics.mean_squared_error(*exact, multioutput="raw_values")
    expected = {
        "mse": mse,
        "rmse": np.sqrt(mse),
        "mae": sklearn.metrics.mean_absolute_error(*exact, multioutput="raw_values"),
        "r2": sklearn.metrics.r2_score(*exact, multioutput="raw_values"),
    }
    for name, each in expected.items():
        ours = [output.metrics()[name] for output in result.outputs]
        np.testing.assert_allclose(ours, each, rtol=1e-9, atol=1e-9)
        assert result.metrics()[name] == pytest.approx(each.mean(), rel=1e-9, abs=1e-9)


@examples
@given(forecasts())
def test_errors_equal_exact_fractions(forecast: tuple[Array, Array]) -> None:
    y, p = forecast
    result = evaluate_numbers(y, p)
    for column, output in enumerate(result.outputs):
        targets = [Fraction(v) for v in y[:, column].tolist()]
        errors = [t - Fraction(v) for t, v in zip(targets, p[:, column].tolist(), strict=True)]
        n = len(errors)
        mse = sum((e * e for e in errors), Fraction()) / n
        mean = sum(targets, Fraction()) / n
        spread = sum(((t - mean) ** 2 for t in targets), Fraction()) / n
        assert output.mse == pytest.approx(float(mse), rel=1e-12)
        assert output.rmse == pytest.approx(math.sqrt(mse), rel=1e-12)
        assert output.mae == pytest.approx(float(sum(map(abs, errors), Fraction()) / n), rel=1e-12)
        r2 = 1 - mse / spread if spread else Fraction(mse == 0)
        assert output.r2 == pytest.approx(float(r2), rel=1e-9, abs=1e-12)


@examples
@given(
    st.floats(-1e6, 1e6, width=32), st.integers(1, 300), st.sampled_from([np.float32, np.float64])
)
def test_constant_targets_have_an_r2_of_1_or_0(value: float, n: int, dtype: Any) -> None:
    """Their mean may differ from them in the last bit; nothing may be divided by that."""
    y = np.full((n, 1), value, dtype)
    assert evaluate_numbers(y, y).metrics() == {"mse": 0, "rmse": 0, "mae": 0, "r2": 1}
    off = y.copy()
    off[n // 2] = value + 1
    result = evaluate_numbers(y, off)
    assert result.metrics()["r2"] == 0
    assert result.metrics()["mse"] == pytest.approx(
        (float(off[n // 2, 0]) - float(y[0, 0])) ** 2 / n
    )


def test_always_saying_the_mean_has_an_r2_of_0() -> None:
    y = np.array([[1.0], [2.0], [6.0]])
    assert evaluate_numbers(y, np.full((3, 1), 3.0)).metrics()["r2"] == 0
    assert evaluate_numbers(y, np.full((3, 1), 4.0)).metrics()["r2"] < 0


def test_targets_of_a_single_output_may_be_a_vector() -> None:
    y, p = np.array([1.0, 2.0, 4.0], np.float32), np.array([[1.5], [2.0], [3.0]], np.float32)
    assert evaluate_numbers(y, p) == evaluate_numbers(y[:, None], p)
    assert str(evaluate_numbers(y, p)) == "3 rows: mse 0.4167, rmse 0.6455, mae 0.5, r2 0.7321"


def test_figures_in_all_are_means_over_the_outputs() -> None:
    """The root of the mean would be another figure than the mean of the roots."""
    y = np.array([[0.0, 0.0], [10.0, 10.0]])
    result = evaluate_numbers(y, y + np.array([[1.0, 3.0], [-1.0, -3.0]]))
    assert [output.rmse for output in result.outputs] == [1, 3]
    assert result.metrics()["rmse"] == 2
    assert result.metrics()["mse"] == 5


@examples
@given(forecasts())
def test_a_result_as_json_has_every_figure(forecast: tuple[Array, Array]) -> None:
    result = evaluate_numbers(*forecast)
    values = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert values.pop("outputs") == [output.metrics() for output in result.outputs]
    assert values == {"rows": result.rows, **result.metrics()}


# What cannot be evaluated.


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(wrong: float) -> None:
    good, bad = np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)
    bad[1, 1] = wrong
    with pytest.raises(ScratchmlError, match="some targets are NaN or infinite"):
        evaluate_numbers(bad, good)
    with pytest.raises(ScratchmlError, match="some predictions are NaN or infinite"):
        evaluate_numbers(good, bad)


@pytest.mark.parametrize("shape", [(0, 1), (0, 3)])
def test_no_rows_cannot_be_evaluated(shape: tuple[int, int]) -> None:
    with pytest.raises(ScratchmlError, match="there are no rows to evaluate"):
        evaluate_numbers(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize(
    ("y", "p"), [((3,), (3, 2)), ((3,), (2, 1)), ((3, 2), (3, 1)), ((3,), (3,)), ((), (1, 1))]
)
def test_shapes_that_do_not_fit_are_refused(y: tuple[int, ...], p: tuple[int, ...]) -> None:
    with pytest.raises(ScratchmlError, match="targets of shape") as caught:
        evaluate_numbers(np.zeros(y), np.zeros(p))
    assert "\n" not in str(caught.value)
