"""Every figure of a choice among classes against scikit-learn."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml.errors import ScratchmlError
from scratchml.multiclass import Array, ClassEvaluation, confusion_matrix, evaluate_classes

examples = settings(deadline=None, max_examples=200)


@st.composite
def choices(draw: st.DrawFn, *, every_class: bool) -> tuple[Array, Array]:
    """Labels ``[n]`` and scores ``[n, k]`` with plenty of ties, of each kind."""
    k = draw(st.integers(2, 6))
    others = draw(st.lists(st.integers(0, k - 1), min_size=0 if every_class else 1, max_size=30))
    labels = draw(st.permutations([*(range(k) if every_class else ()), *others]))
    top = draw(st.sampled_from([1, 3, 127]))
    row = st.lists(st.integers(-top - 1, top), min_size=k, max_size=k)
    scores = np.array([draw(row) for _ in labels], np.int8)
    if draw(st.booleans()):
        scores = ((scores + 128.0) / 256).astype(draw(st.sampled_from([np.float32, np.float64])))
    return np.array(labels, draw(st.sampled_from([np.float32, np.int64]))), scores


def first_of_the_highest(scores: Array) -> list[int]:
    """As a loop in C does it: a later class has to be higher to win."""
    winners = []
    for row in scores.tolist():
        best = 0
        for place, score in enumerate(row):
            if score > row[best]:
                best = place
        winners.append(best)
    return winners


def check(result: ClassEvaluation, y: Array, predicted: npt.ArrayLike) -> None:
    """Figure by figure; a class counts whether or not it occurs."""
    k = len(result.confusion)
    labels = range(k)
    expected = sklearn.metrics.confusion_matrix(y, predicted, labels=labels)
    assert result.confusion.tolist() == expected.tolist()
    assert result.confusion.dtype == np.int64
    assert (result.rows, result.support.tolist()) == (len(y), expected.sum(axis=1).tolist())
    metrics = result.metrics()
    assert list(metrics) == ["accuracy", "macro_precision", "macro_recall", "macro_f1"]
    assert metrics["accuracy"] == result.accuracy
    assert result.accuracy == pytest.approx(sklearn.metrics.accuracy_score(y, predicted))
    for name in ("precision", "recall", "f1"):
        oracle = getattr(sklearn.metrics, f"{name}_score")
        options: dict[str, Any] = {"labels": labels, "zero_division": 0}
        each = oracle(y, predicted, average=None, **options)
        np.testing.assert_allclose(getattr(result, name), each, atol=1e-12)
        macro = oracle(y, predicted, average="macro", **options)
        assert metrics[f"macro_{name}"] == pytest.approx(macro)


@examples
@given(choices(every_class=True))
def test_every_figure_equals_scikit_learns(choice: tuple[Array, Array]) -> None:
    y, scores = choice
    check(evaluate_classes(y, scores), y, first_of_the_highest(scores))


@examples
@given(choices(every_class=False))
def test_a_class_without_a_row_counts_0_as_in_scikit_learn(choice: tuple[Array, Array]) -> None:
    y, scores = choice
    predicted = np.array(first_of_the_highest(scores))
    check(ClassEvaluation(confusion_matrix(y, predicted, scores.shape[1])), y, predicted)


@examples
@given(choices(every_class=True))
def test_a_result_as_json_has_every_figure(choice: tuple[Array, Array]) -> None:
    result = evaluate_classes(*choice)
    values = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert values.pop("confusion") == result.confusion.tolist()
    classes = values.pop("classes")
    assert [c["rows"] for c in classes] == result.support.tolist()
    for name in ("precision", "recall", "f1"):
        assert [c[name] for c in classes] == getattr(result, name).tolist()
    assert values == {"rows": result.rows, **result.metrics()}


def test_rows_of_the_matrix_are_true_classes() -> None:
    """Two 0s taken for 2: nothing else is wrong."""
    y, predicted = np.array([0, 0, 0, 1, 2]), np.array([2, 0, 2, 1, 2])
    result = ClassEvaluation(confusion_matrix(y, predicted, 3))
    assert result.confusion.tolist() == [[1, 0, 2], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(result.recall, [1 / 3, 1, 1])
    np.testing.assert_allclose(result.precision, [1, 1, 1 / 3])
    assert str(result) == (
        "5 rows, 3 classes: accuracy 0.600, macro_precision 0.778, macro_recall 0.778, "
        "macro_f1 0.667"
    )


def test_a_matrix_without_rows_has_figures_of_0() -> None:
    assert set(ClassEvaluation(np.zeros((3, 3), np.int64)).metrics().values()) == {0}


# What cannot be evaluated.


def test_of_equal_scores_the_first_wins() -> None:
    scores = np.array([[7, 7, 7], [6, 7, 7], [-128, -128, -128]], np.int8)
    y = np.array([0, 1, 2], np.float32)
    assert evaluate_classes(y, scores).confusion.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("wrong", [3.0, -1.0, 0.5, math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("place", [0, 3])
def test_a_label_that_is_no_class_s_index_is_named(wrong: float, place: int) -> None:
    y = np.insert(np.array([0, 1, 2], np.float32), place, wrong)
    with pytest.raises(
        ScratchmlError, match=rf"row {place} is of class .*classes 0 to 2"
    ) as caught:
        evaluate_classes(y, np.zeros((4, 3)))
    assert "\n" not in str(caught.value)
    with pytest.raises(ScratchmlError, match=rf"row {place} is of class"):
        confusion_matrix(np.array([0, 1, 2, 2]), y, 3)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_class_that_never_occurs_is_named(missing: int) -> None:
    """A mean over classes would count a 0 for what nobody looked at."""
    y = np.array([c for c in (0, 1, 2, 0, 1, 2) if c != missing], np.float32)
    with pytest.raises(ScratchmlError, match=f"none of the 4 rows is of class {missing}") as caught:
        evaluate_classes(y, np.ones((4, 3)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_that_are_nan_are_refused(dtype: type[np.floating]) -> None:
    """An argmax would otherwise take NaN for the highest."""
    scores = np.eye(3, dtype=dtype)
    scores[1, 2] = math.nan
    with pytest.raises(ScratchmlError, match="some scores are NaN"):
        evaluate_classes(np.arange(3), scores)


@pytest.mark.parametrize("k", [1, 2, 10])
def test_no_rows_cannot_be_evaluated(k: int) -> None:
    with pytest.raises(ScratchmlError, match="there are no rows to evaluate"):
        evaluate_classes(np.zeros(0, np.float32), np.zeros((0, k), np.float32))


@pytest.mark.parametrize(
    ("y", "scores"), [((3,), (2, 3)), ((3,), (3,)), ((3, 1), (3, 3)), ((3,), (3, 3, 1))]
)
def test_shapes_that_do_not_fit_are_refused(y: tuple[int], scores: tuple[int]) -> None:
    with pytest.raises(ScratchmlError, match="labels of shape"):
        evaluate_classes(np.zeros(y), np.zeros(scores))
