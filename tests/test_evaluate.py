"""Metrics and curves against scikit-learn, thresholds against brute force; who judges whom."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml.errors import ScratchmlError
from scratchml.evaluate import (
    Array,
    Confusion,
    Evaluation,
    average_precision,
    choose_threshold,
    confusion_matrix,
    evaluate,
    evaluate_scores,
    precision_recall_curve,
    roc_auc,
    roc_curve,
    threshold_code,
)
from scratchml.multiclass import ClassEvaluation
from scratchml.regression import RegressionEvaluation
from scratchml.rows import Rows, Scaler

examples = settings(deadline=None, max_examples=100)

SCALER = Scaler(("t", "h"), ("C", "%"), (100, 100), (0.0, 0.0), (1.0, 1.0))


class Fixed:
    """A network that has its scores ``[n]`` or ``[n, outputs]`` already."""

    def __init__(self, scores: Array, threshold: float = 0.5, *, output: str = "sigmoid") -> None:
        self.scores, self.decision_threshold, self.output = scores, threshold, output
        self.sizes = (2, 1 if scores.ndim == 1 else scores.shape[1])

    def decision_scores(self, rows: Rows) -> Array:
        return self.scores.reshape(len(self.scores), -1)[:, 0]

    def predictions(self, rows: Rows) -> Array:
        return self.scores.reshape(len(self.scores), -1)


def labelled(y: npt.ArrayLike) -> Rows:
    """Rows of which nothing but the label matters."""
    labels = np.asarray(y, np.float32)
    n = len(labels)
    return Rows(np.zeros((n, 2), np.int32), labels, np.arange(n), SCALER)


@st.composite
def forecasts(draw: st.DrawFn) -> tuple[Array, Array]:
    """Labels of both classes, and scores of each kind with plenty of ties among them."""
    others = draw(st.lists(st.tuples(st.booleans(), st.integers(-128, 127)), max_size=40))
    if draw(st.booleans()):
        others = [(label, score // 32) for label, score in others]
    pairs = [
        (False, draw(st.integers(-128, 127))),
        (True, draw(st.integers(-128, 127))),
        *others,
    ]
    pairs = draw(st.permutations(pairs))
    y = np.array([label for label, _ in pairs], draw(st.sampled_from([np.float32, np.bool_])))
    scores = np.array([score for _, score in pairs])
    kind = draw(st.sampled_from(["int8", "bool", "float32", "float64"]))
    if kind == "bool":
        return y, scores > 0
    if kind == "int8":
        return y, scores.astype(np.int8)
    return y, ((scores + 128) / 256).astype(kind)


def plain(scores: Array) -> Array:
    """The same order in float64, for scikit-learn."""
    return scores.astype(np.float64)


# Counts and ratios.


@examples
@given(forecasts())
def test_counts_and_ratios_equal_scikit_learns(forecast: tuple[Array, Array]) -> None:
    y, scores = forecast
    predicted = scores > scores.mean()
    ours = confusion_matrix(y, predicted)
    expected = sklearn.metrics.confusion_matrix(y > 0, predicted, labels=[False, True])
    assert [[ours.tn, ours.fp], [ours.fn, ours.tp]] == expected.tolist()
    assert ours.accuracy == pytest.approx(sklearn.metrics.accuracy_score(y > 0, predicted))
    for name in ("precision", "recall", "f1"):
        oracle = getattr(sklearn.metrics, f"{name}_score")
        assert getattr(ours, name) == pytest.approx(oracle(y > 0, predicted, zero_division=0))


def test_ratios_with_nothing_below_the_line_are_0() -> None:
    nothing = Confusion(tn=0, fp=0, fn=0, tp=0)
    assert [nothing.accuracy, nothing.precision, nothing.recall, nothing.f1] == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.bool_])
def test_labels_and_predictions_of_any_type_are_counted_alike(dtype: type[np.generic]) -> None:
    y = np.array([0, 0, 0, 1, 1, 0, 1, 1, 1, 1], dtype)
    predicted = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], dtype)
    assert confusion_matrix(y, predicted) == Confusion(tn=3, fp=1, fn=2, tp=4)


# Curves and areas.


@examples
@given(forecasts())
def test_the_roc_curve_equals_scikit_learns(forecast: tuple[Array, Array]) -> None:
    y, scores = forecast
    fpr, tpr = roc_curve(y, scores)
    expected = sklearn.metrics.roc_curve(y > 0, plain(scores), drop_intermediate=False)
    np.testing.assert_allclose(fpr, expected[0], atol=1e-12)
    np.testing.assert_allclose(tpr, expected[1], atol=1e-12)


@examples
@given(forecasts())
def test_the_precision_recall_curve_equals_scikit_learns(forecast: tuple[Array, Array]) -> None:
    """It runs the other way round there, and ends in a point (1, 0) that no threshold reaches."""
    y, scores = forecast
    precision, recall, thresholds = precision_recall_curve(y, scores)
    expected = sklearn.metrics.precision_recall_curve(y > 0, plain(scores))
    np.testing.assert_allclose(precision, expected[0][-2::-1], atol=1e-12)
    np.testing.assert_allclose(recall, expected[1][-2::-1], atol=1e-12)
    np.testing.assert_array_equal(plain(thresholds), expected[2][::-1])


@examples
@given(forecasts())
def test_areas_equal_scikit_learns(forecast: tuple[Array, Array]) -> None:
    y, scores = forecast
    assert roc_auc(y, scores) == pytest.approx(sklearn.metrics.roc_auc_score(y > 0, plain(scores)))
    expected = sklearn.metrics.average_precision_score(y > 0, plain(scores))
    assert average_precision(y, scores) == pytest.approx(expected)


@examples
@given(forecasts())
def test_the_roc_area_is_the_chance_to_rank_a_pair_rightly(forecast: tuple[Array, Array]) -> None:
    """Mann and Whitney's definition, pair by pair: a tie counts one half."""
    y, scores = forecast
    yes, no = plain(scores[y > 0]), plain(scores[~(y > 0)])
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in yes for b in no]
    assert roc_auc(y, scores) == pytest.approx(sum(pairs) / len(pairs))


@examples
@given(forecasts())
def test_areas_depend_on_the_order_of_scores_alone(forecast: tuple[Array, Array]) -> None:
    """So an int8 code may stand for its probability."""
    y, scores = forecast
    ranks = np.unique(scores, return_inverse=True)[1].astype(np.float32)
    assert roc_auc(y, ranks) == roc_auc(y, scores)
    assert average_precision(y, ranks) == average_precision(y, scores)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("curve", [roc_curve, roc_auc, precision_recall_curve, average_precision])
def test_one_class_has_no_curve(curve: Callable[[Array, Array], object], label: int) -> None:
    with pytest.raises(ScratchmlError, match="all 3 rows are of one class"):
        curve(np.full(3, label, np.float32), np.array([0.1, 0.2, 0.3]))


def test_no_rows_have_no_curve() -> None:
    with pytest.raises(ScratchmlError, match="all 0 rows"):
        roc_auc(np.zeros(0, np.float32), np.zeros(0, np.float32))


# The evaluation of a model.


@examples
@given(forecasts(), st.integers(-128, 127))
def test_a_model_is_judged_at_its_own_threshold(
    forecast: tuple[Array, Array], threshold: int
) -> None:
    y, scores = forecast
    result = evaluate(Fixed(scores, threshold), labelled(y))
    assert isinstance(result, Evaluation)
    expected = [bool(score >= threshold) for score in scores.tolist()]
    assert result.rows == len(y)
    assert result.threshold == threshold
    assert result.confusion == confusion_matrix(y, np.array(expected))
    assert result.roc_auc == roc_auc(y, scores)
    assert result.pr_auc == average_precision(y, scores)


def test_a_score_at_the_threshold_is_a_yes() -> None:
    y, scores = np.array([0, 1, 1], np.float32), np.array([-1, 0, 1], np.int8)
    assert evaluate_scores(y, scores, 0).confusion == Confusion(tn=1, fp=0, fn=0, tp=2)


def test_a_report_has_the_six_figures_in_order() -> None:
    y, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    result = evaluate_scores(y, scores, 0.5)
    assert result.metrics() == {
        "accuracy": 0.5,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "roc_auc": 0.75,
        "pr_auc": pytest.approx(1 / 2 + 1 / 2 * 2 / 3),
    }
    assert str(result) == (
        "4 rows, threshold 0.5: accuracy 0.500, precision 0.500, recall 0.500, "
        "f1 0.500, roc_auc 0.750, pr_auc 0.833"
    )


def test_rows_of_one_class_cannot_be_evaluated() -> None:
    with pytest.raises(ScratchmlError, match="one class"):
        evaluate(Fixed(np.array([0.1, 0.9])), labelled([1, 1]))


@examples
@given(forecasts(), st.floats(0, 1))
def test_a_result_as_json_has_every_figure(forecast: tuple[Array, Array], threshold: float) -> None:
    result = evaluate_scores(*forecast, threshold)
    values = json.loads(json.dumps(result.as_json(), allow_nan=False))
    cells = values.pop("confusion")
    assert Confusion(**cells) == result.confusion
    assert values == {"rows": result.rows, "threshold": threshold, **result.metrics()}


@pytest.mark.parametrize("wrong", [2.0, 9.0, -1.0, 0.5, math.nan])
def test_labels_of_more_than_two_classes_are_no_yes_or_no(wrong: float) -> None:
    """Any digit but 0 would otherwise count as a yes."""
    with pytest.raises(ScratchmlError, match="neither 0 nor 1") as caught:
        evaluate(Fixed(np.array([0.1, 0.9, 0.5])), labelled([0, 1, wrong]))
    assert "\n" not in str(caught.value)


def test_scores_that_are_nan_are_refused() -> None:
    """Each would otherwise count as a no."""
    model = Fixed(np.array([0.1, math.nan, 0.9], np.float32))
    with pytest.raises(ScratchmlError, match="some scores are NaN"):
        evaluate(model, labelled([0, 1, 1]))
    with pytest.raises(ScratchmlError, match="some scores are NaN"):
        choose_threshold(model, labelled([0, 1, 1]))


# Outputs of another kind.


def test_a_softmax_is_judged_by_its_classes() -> None:
    scores = np.array([[0.2, 0.5, 0.3], [0.6, 0.4, 0.0], [0.4, 0.1, 0.5], [0.1, 0.8, 0.1]])
    result = evaluate(Fixed(scores, output="softmax"), labelled([1, 0, 2, 2]))
    assert isinstance(result, ClassEvaluation)
    assert result.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]


def test_two_classes_of_a_softmax_are_judged_as_classes_too() -> None:
    scores = np.array([[0.2, 0.8], [0.6, 0.4]])
    result = evaluate(Fixed(scores, output="softmax"), labelled([1, 0]))
    assert isinstance(result, ClassEvaluation)
    assert result.accuracy == 1


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_linear_output_is_judged_by_its_errors(outputs: int) -> None:
    y = np.array([[1.0, 20.0], [2.0, 10.0]])[:, :outputs]
    result = evaluate(Fixed(y + np.array([[1], [-3]]), output="linear"), labelled(y))
    assert isinstance(result, RegressionEvaluation)
    assert [(output.mse, output.mae) for output in result.outputs] == [(5, 2)] * outputs


@pytest.mark.parametrize("outputs", [2, 3])
def test_several_sigmoids_have_no_single_yes_or_no(outputs: int) -> None:
    model = Fixed(np.full((2, outputs), 0.5))
    with pytest.raises(ScratchmlError, match=f"{outputs} outputs of kind sigmoid: use softmax"):
        evaluate(model, labelled([0, 1]))


def test_an_output_of_an_unknown_kind_is_named() -> None:
    with pytest.raises(ScratchmlError, match="1 outputs of kind tanh"):
        evaluate(Fixed(np.zeros(2), output="tanh"), labelled([0, 1]))


# Thresholds.


@examples
@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(0, 1, width=32) | st.sampled_from([0.25, 0.5, 0.75])),
        min_size=1,
        max_size=30,
    )
)
def test_the_chosen_threshold_is_the_lowest_of_the_best(
    pairs: list[tuple[bool, float]],
) -> None:
    """Every one of the 255 is tried, with F1 as an exact fraction."""
    best, expected = Fraction(-1), 0.0
    for k in range(1, 256):
        tp = sum(label and score >= k / 256 for label, score in pairs)
        wrong = sum(label != (score >= k / 256) for label, score in pairs)
        f1 = Fraction(2 * tp, 2 * tp + wrong) if tp else Fraction(0)
        if f1 > best:
            best, expected = f1, k / 256
    model = Fixed(np.array([score for _, score in pairs], np.float32))
    assert choose_threshold(model, labelled([label for label, _ in pairs])) == expected


@pytest.mark.parametrize("k", [1, 255])
def test_the_lowest_and_the_highest_candidate_can_be_chosen(k: int) -> None:
    model = Fixed(np.array([k - 0.5, k]) / 256)
    assert choose_threshold(model, labelled([0, 1])) == k / 256


def test_every_step_of_an_int8_output_has_its_code() -> None:
    codes = [threshold_code(k / 256) for k in range(1, 256)]
    assert codes == list(range(-127, 128))


@examples
@given(st.floats(0, 255 / 256, exclude_min=True))
def test_codes_round_thresholds_up(threshold: float) -> None:
    assert threshold_code(threshold) == math.ceil(256 * Fraction(threshold)) - 128


@examples
@given(st.floats(0, 255 / 256, exclude_min=True), st.integers(-128, 127))
def test_an_output_reaches_the_code_if_its_probability_reaches_the_threshold(
    threshold: float, output: int
) -> None:
    probability = Fraction(output + 128, 256)
    assert (output >= threshold_code(threshold)) == (probability >= Fraction(threshold))


@pytest.mark.parametrize(
    "threshold",
    [0.0, -0.0, -0.5, -math.inf, math.nextafter(255 / 256, 1), 1.0, 1e300, math.inf, math.nan],
)
def test_thresholds_without_a_code_are_refused(threshold: float) -> None:
    with pytest.raises(ScratchmlError, match="255/256"):
        threshold_code(threshold)
