"""Pictures of examples: what is drawn, that it can be read, and the same file each time."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from conftest import require
from sample_tables import READ, weights

import scratchml as sml
from scratchml import pictures, sensors
from scratchml.train import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run(NamedTuple):
    history: sml.History
    net: sml.MLP
    model: sml.QuantizedMLP
    data: sml.Dataset
    evaluations: dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def matplotlib() -> None:
    require("matplotlib")


def run_of(data: sml.Dataset, net: sml.MLP, **options: Any) -> Run:
    history = sml.train(net, data.train, data.validation, **options)
    if net.output == "sigmoid":
        net.threshold = sml.choose_threshold(net, data.validation)
    model = sml.quantize(net, data.train)
    evaluations = {
        name: sml.evaluate(n, data.test) for name, n in (("float", net), ("int8", model))
    }
    return Run(history, net, model, data, evaluations)


@pytest.fixture(scope="module")
def snow(data: sml.Dataset) -> Run:
    return run_of(data, sml.MLP([6, 12, 1], seed=0), epochs=2)


@pytest.fixture(scope="module")
def digits() -> Run:
    net = sml.MLP([64, 32, 10], output="softmax", seed=0)
    options = {"epochs": 40, "batch_size": 32, "learning_rate": 2e-3}
    return run_of(sml.digits.make_dataset(), net, **options)


@pytest.fixture(scope="module")
def number() -> Run:
    """A regression, whose target has a scale of its own."""
    data = sensors.make_dataset(weights(300), sensors.Recipe(features=READ, target="weight"))
    options = {"epochs": 20, "batch_size": 8, "learning_rate": 5e-3}
    return run_of(data, sml.MLP([3, 8, 1], output="linear", seed=0), **options)


@pytest.fixture(scope="module")
def drawn(
    snow: Run, digits: Run, number: Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A folder of pictures for each example, and one of a regression."""
    folders = {}
    for name, run in (("snow", snow), ("digits", digits), ("number", number)):
        folders[name] = tmp_path_factory.mktemp(name)
        pictures.draw_all(folders[name], *run)
    return folders


def words(figure: Figure) -> list[str]:
    from matplotlib.text import Text

    texts: list[Any] = figure.findobj(Text)  # a list of artists, by its type
    return [text.get_text() for text in texts]


@pytest.mark.parametrize("name", ["snow", "digits", "number"])
def test_the_same_run_gives_the_same_files(
    name: str, drawn: dict[str, Path], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    others = {
        "snow": {"confusion.png", "precision_recall.png"},
        "digits": {"confusion.png", "mistakes.png"},
        "number": {"predictions.png"},
    }
    pictures.draw_all(tmp_path, *request.getfixturevalue(name))
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(files) == {"history.png"} | others[name]
    for file, contents in files.items():
        assert contents == (drawn[name] / file).read_bytes(), file


@pytest.mark.parametrize("name", ["snow", "digits", "number"])
def test_a_file_holds_a_picture_and_nothing_that_changes(name: str, drawn: dict[str, Path]) -> None:
    """Chunk by chunk: no text such as a version or a date, and not one colour only."""
    for path in drawn[name].iterdir():
        data, kinds, pixels, place = path.read_bytes(), [], b"", 8
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        while place < len(data):
            (size,) = struct.unpack(">I", data[place : place + 4])
            kinds.append(data[place + 4 : place + 8])
            if kinds[-1] == b"IDAT":
                pixels += data[place + 8 : place + 8 + size]
            place += size + 12
        assert set(kinds) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
        assert len(set(zlib.decompress(pixels))) > 50
        width, height = struct.unpack(">II", data[16:24])
        assert 600 <= width <= 1500 and 400 <= height <= 800


def figures_of(run: Run) -> dict[str, Figure]:
    found = {"history": pictures.draw_history(run.history, run.net.output)}
    if run.net.output == "sigmoid":
        found["confusion"] = pictures.draw_confusion(run.evaluations, run.data.classes)
        found["third"] = pictures.draw_precision_recall(
            run.net, run.model, run.data.test, run.evaluations
        )
    elif run.net.output == "linear":
        found["predictions"] = pictures.draw_predictions(run.net, run.model, run.data.test)
    else:
        found["confusion"] = pictures.draw_class_confusion(run.evaluations, run.data.classes)
        found["third"] = pictures.draw_mistakes(run.model, run.data)
    return found


@pytest.mark.parametrize("name", ["snow", "digits", "number"])
def test_no_text_lies_upon_another_or_leaves_the_picture(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    drawn: set[Text] = set()  # of all ticks that there are, only some
    draw = Text.draw

    def record(text: Text, *args: Any, **options: Any) -> None:
        draw(text, *args, **options)
        if text.get_text() and text.get_visible():
            drawn.add(text)

    monkeypatch.setattr(Text, "draw", record)
    for title, figure in figures_of(request.getfixturevalue(name)).items():
        drawn.clear()
        FigureCanvasAgg(figure).draw()
        assert len(drawn) > 10
        width, height = figure.get_size_inches() * figure.dpi
        boxes = [(text.get_text(), text.get_window_extent()) for text in drawn]
        for text, box in boxes:
            assert box.x0 > -1 and box.x1 < width + 1, (title, text)
            assert box.y0 > -1 and box.y1 < height + 1, (title, text)
        for (one, a), (other, b) in combinations(boxes, 2):
            assert not a.overlaps(b), (title, one, other)


def test_the_history_shows_every_epoch_and_the_one_that_was_kept(snow: Run) -> None:
    figure = pictures.draw_history(snow.history, "sigmoid")
    loss, score = figure.axes
    for ax, key in ((loss, "loss"), (score, "score")):
        lines: list[Any] = list(ax.get_lines())  # get_xdata() is "array-like", by its type
        training, validation, kept = lines
        epochs = snow.history.epochs
        assert training.get_xdata().tolist() == [e.epoch for e in epochs]
        assert training.get_ydata().tolist() == [getattr(e, key) for e in epochs]
        assert validation.get_ydata().tolist() == [getattr(e, f"validation_{key}") for e in epochs]
        assert set(kept.get_xdata()) == {snow.history.best_epoch}
    assert {"training", "validation", "weights kept", "epoch", "Loss"} <= set(words(figure))
    assert score.get_title() == "Accuracy at a probability of 0.5"


def test_a_score_of_1_is_not_hidden_by_the_frame() -> None:
    perfect = [Epoch(i, 1 / i, 1.0, 1 / i, 1.0) for i in range(1, 4)]
    figure = pictures.draw_history(sml.History(perfect, 3), "softmax")
    low, high = figure.axes[1].get_ylim()
    assert low <= 0.95 and 1 < high < 1.05
    assert figure.axes[1].get_title() == "Accuracy"


def test_the_history_of_a_regression_speaks_of_r2() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (300, 2)).astype(np.float32)
    scaler = sml.Scaler(("a",), ("",), (1,), (0.0,), (1.0,))
    rows = sml.Rows((100 * x).astype(np.int32), x[:, 0], np.arange(300), scaler)
    history = sml.train(sml.MLP([2, 4, 1], output="linear"), rows, rows, epochs=2)
    assert pictures.draw_history(history, "linear").axes[1].get_title() == "R2"


def test_the_four_cells_of_a_forecast(snow: Run) -> None:
    figure = pictures.draw_confusion(snow.evaluations, snow.data.classes)
    for ax, (name, e) in zip(figure.axes, snow.evaluations.items(), strict=True):
        c = e.confusion
        assert ax.get_title() == f"{name}: {e.rows:,} test rows"
        cells = {text.get_position(): text.get_text() for text in ax.texts}
        rows = {0: c.tn + c.fp, 1: c.fn + c.tp}
        for (column, row), count in {
            (0, 0): c.tn, (1, 0): c.fp, (0, 1): c.fn, (1, 1): c.tp
        }.items():  # fmt: skip
            assert cells[column, row] == f"{count:,}\n{count / rows[row]:.1%}"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("forecast", "happened")
        ticks = [
            [tick.get_text() for tick in axis]
            for axis in (ax.get_xticklabels(), ax.get_yticklabels())
        ]
        assert ticks == [["no snow", "snow"]] * 2


def test_other_classes_are_not_called_a_forecast(snow: Run) -> None:
    figure = pictures.draw_confusion(snow.evaluations, ("idle", "wave"))
    for ax in figure.axes:
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("taken for", "is")
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["idle", "wave"]


def test_what_is_said_against_what_was_measured(number: Run) -> None:
    """In units, float and int8; int8 has at most 256 answers."""
    test, target = number.data.test, number.data.test.target
    assert target is not None
    figure = pictures.draw_predictions(number.net, number.model, test)
    truth = test.y.astype(float) * target.std + target.mean
    for ax, name, net in zip(
        figure.axes, ("float", "int8"), (number.net, number.model), strict=True
    ):
        assert ax.get_title() == f"{name}: {len(test):,} test rows"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("weight, measured", "weight, said")
        points = np.asarray(ax.collections[0].get_offsets())
        np.testing.assert_allclose(points[:, 0], truth, rtol=1e-6)
        said = net.predictions(test)[:, 0].astype(float) * target.std + target.mean
        np.testing.assert_allclose(points[:, 1], said, rtol=1e-6)
    assert 5 < len(np.unique(points[:, 1])) <= 256


def test_a_number_without_a_unit_of_its_own_is_drawn_as_it_is(number: Run) -> None:
    rows = replace(number.data.test, target=None)
    figure = pictures.draw_predictions(number.net, number.model, rows)
    assert figure.axes[0].get_xlabel() == "target, measured"
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_array_equal(points[:, 0], rows.y)


def test_every_count_of_ten_classes_and_no_zero(digits: Run) -> None:
    figure = pictures.draw_class_confusion(digits.evaluations, digits.data.classes)
    for ax, (name, e) in zip(figure.axes, digits.evaluations.items(), strict=True):
        assert ax.get_title() == f"{name}: {e.accuracy:.1%} of 539 test rows"
        cells = {text.get_position(): text.get_text() for text in ax.texts}
        assert cells == {
            (column, row): str(count)
            for row, counts in enumerate(e.confusion.tolist())
            for column, count in enumerate(counts)
            if count
        }
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("taken for", "is")


def mistakes_in_order(
    run: Run,
) -> tuple[list[tuple[float, int, str]], list[tuple[float, int, str]]]:
    """Test images taken for another digit, the surest first, and the others, the surest last."""
    test = run.data.test
    codes = run.model.run(run.model.prepare_input(test.counts)).tolist()
    wrong, right = [], []
    for place, (row, label) in enumerate(zip(codes, test.y.astype(int).tolist(), strict=True)):
        taken, sure = row.index(max(row)), (max(row) + 128) / 256
        if taken == label:
            right.append((sure, place, f"{label} ({sure:.0%})"))
        else:
            wrong.append((-sure, place, f"{label}, said {taken} ({sure:.0%})"))
    return sorted(wrong), sorted(right)


def test_mistakes_come_first_and_the_surest_of_them_at_once(digits: Run) -> None:
    figure = pictures.draw_mistakes(digits.model, digits.data)
    wrong, right = mistakes_in_order(digits)
    assert 1 < len(wrong) < 24  # both kinds are shown
    expected = (wrong + right)[:24]
    assert [ax.get_title() for ax in figure.axes] == [label for _, _, label in expected]
    for ax, (_, place, _) in zip(figure.axes, expected, strict=True):
        (image,) = ax.get_images()
        counts = digits.data.test.counts[place]
        assert np.array_equal(np.asarray(image.get_array()), counts.reshape(8, 8))
    assert f"{len(wrong)} mistakes in 539 test images, then the least sure" in words(figure)


def test_of_many_mistakes_the_surest_are_shown() -> None:
    """Of a network that has not been trained, to be exact."""
    data = sml.digits.make_dataset()
    net = sml.MLP([64, 10], output="softmax", seed=0)
    model = sml.quantize(net, data.train)
    wrong, _ = mistakes_in_order(Run(sml.History([], 0), net, model, data, {}))
    figure = pictures.draw_mistakes(model, data)
    assert [ax.get_title() for ax in figure.axes] == [label for _, _, label in wrong[:24]]
    assert f"The surest 24 of {len(wrong)} mistakes in 539 test images" in words(figure)


def test_one_mistake_is_no_plural(digits: Run) -> None:
    wrong, right = mistakes_in_order(digits)
    kept = np.array([wrong[0][1], *(place for _, place, _ in right)])
    test = digits.data.test
    part = sml.Rows(test.counts[kept], test.y[kept], test.index[kept], test.scaler)
    figure = pictures.draw_mistakes(digits.model, replace(digits.data, test=part))
    assert f"1 mistake in {len(kept)} test images, then the least sure" in words(figure)


def test_precision_and_recall_with_both_thresholds(snow: Run) -> None:
    figure = pictures.draw_precision_recall(snow.net, snow.model, snow.data.test, snow.evaluations)
    (ax,) = figure.axes
    dots: list[Any] = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert len(dots) == 2
    for dot, (name, e) in zip(dots, snow.evaluations.items(), strict=True):
        assert list(dot.get_xdata()) == [e.confusion.recall]
        assert list(dot.get_ydata()) == [e.confusion.precision]
        assert f"{name}, area {e.pr_auc:.3f}" in words(figure)
        assert f"{name} at threshold {e.threshold:.4g}" in words(figure)
    assert dots[0].get_markersize() > dots[1].get_markersize()  # where one lies upon the other
