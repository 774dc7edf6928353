"""Pictures of a run, as PNG files; needs matplotlib, which is an extra.

Colours are two of the Okabe-Ito palette, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchml import digits
from scratchml.dataset import CLASSES
from scratchml.evaluate import AnyEvaluation, Evaluation, precision_recall_curve
from scratchml.mlp import MLP
from scratchml.multiclass import ClassEvaluation
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Dataset, Rows
from scratchml.train import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'scratchml[pictures]'"

FLOAT, INT8 = "#0072b2", "#d55e00"
#: Images of digits in one picture, in three lines.
MISTAKES = 24
#: Neither the version of matplotlib nor a date: the same figure gives the same file.
METADATA = {"Software": None}


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_all(
    folder: Path,
    history: History,
    net: MLP,
    model: QuantizedMLP,
    data: Dataset,
    evaluations: Mapping[str, AnyEvaluation],
) -> None:
    """Write ``history.png`` and what suits the data into ``folder``.

    ``confusion.png`` of classes, and ``precision_recall.png`` for a yes or no, ``mistakes.png`` for
    digits; ``predictions.png`` of a number.
    """
    figures = {"history": draw_history(history, net.output)}
    binary = {name: e for name, e in evaluations.items() if isinstance(e, Evaluation)}
    several = {n: e for n, e in evaluations.items() if isinstance(e, ClassEvaluation)}
    if binary:
        figures["confusion"] = draw_confusion(binary, data.classes)
        figures["precision_recall"] = draw_precision_recall(net, model, data.test, binary)
    elif several:
        figures["confusion"] = draw_class_confusion(several, data.classes)
    else:
        figures["predictions"] = draw_predictions(net, model, data.test)
    if isinstance(data.recipe, digits.Recipe):
        figures["mistakes"] = draw_mistakes(model, data)
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")


def draw_history(history: History, output: str) -> Figure:
    """Loss and score by epoch, training and validation, with the epoch that was kept.

    Where snow is rare hardly any probability passes 0.5, so the accuracy there is that of "no"; a
    scale that follows each row would make mountains of it.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_figure(2, (10, 4))
    numbers = [epoch.epoch for epoch in history.epochs]
    for ax, key in zip(axes, ("loss", "score"), strict=True):
        ax.plot(numbers, [getattr(e, key) for e in history.epochs], color=FLOAT, label="training")
        ax.plot(
            numbers,
            [getattr(e, f"validation_{key}") for e in history.epochs],
            color=INT8,
            label="validation",
        )
        ax.axvline(history.best_epoch, color="0.6", linestyle=":", label="weights kept")
        ax.set(xlabel="epoch", title=key.capitalize())
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
    low, high = axes[1].get_ylim()
    # the best is 1; a line there is not hidden by the frame
    axes[1].set_ylim(min(low, high - 0.05), min(max(high, low + 0.05), 1.005))
    metric = {"accuracy": "Accuracy", "r2": "R2"}[history.metric]
    axes[1].set_title(metric + (" at a probability of 0.5" if output == "sigmoid" else ""))
    axes[0].legend()
    return figure


def draw_confusion(evaluations: Mapping[str, Evaluation], classes: Sequence[str]) -> Figure:
    """A confusion matrix for each evaluation, coloured by the shares of each true class."""
    figure, axes = new_figure(len(evaluations), (4.6 * len(evaluations), 4.4))
    for ax, (name, e) in zip(axes, evaluations.items(), strict=True):
        c = e.confusion
        cells = np.array([[c.tn, c.fp], [c.fn, c.tp]])
        shares = cells / cells.sum(axis=1, keepdims=True)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(2, 2):
            share = shares[row, column]
            ax.text(
                column,
                row,
                f"{cells[row, column]:,}\n{share:.1%}",
                ha="center",
                va="center",
                color="white" if share > 0.5 else "black",
            )
        ax.set_xticks([0, 1], classes)
        ax.set_yticks([0, 1], classes, rotation=90, va="center")
        words = ("forecast", "happened") if tuple(classes) == CLASSES else ("taken for", "is")
        ax.set(xlabel=words[0], ylabel=words[1], title=f"{name}: {e.rows:,} test rows")
    return figure


def draw_class_confusion(
    evaluations: Mapping[str, ClassEvaluation], classes: Sequence[str]
) -> Figure:
    """Who was taken for whom; coloured by the shares of each true class."""
    figure, axes = new_figure(len(evaluations), (5.6 * len(evaluations), 5.4))
    for ax, (name, e) in zip(axes, evaluations.items(), strict=True):
        shares = e.confusion / e.support[:, None]
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(shares.shape):
            if count := e.confusion[row, column]:
                color = "white" if shares[row, column] > 0.5 else "black"
                ax.text(column, row, f"{count:,}", ha="center", va="center", color=color)
        if max(map(len, classes)) > 3:
            ax.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        else:
            ax.set_xticks(range(len(classes)), classes)
        ax.set_yticks(range(len(classes)), classes)
        ax.set(xlabel="taken for", ylabel="is")
        ax.set_title(f"{name}: {e.accuracy:.1%} of {e.rows:,} test rows")
    return figure


def draw_mistakes(model: QuantizedMLP, data: Dataset) -> Figure:
    """The test images that the int8 network takes for another digit, those it is surest of first.

    Where there are fewer than ``MISTAKES``, the images that it is least sure of follow.
    """
    test, predictions = data.test, model.predictions(data.test)
    truth, taken = test.y.astype(np.int64), predictions.argmax(axis=1)
    sure = predictions.max(axis=1)
    order = np.lexsort((np.where(taken == truth, sure, -sure), taken == truth))[:MISTAKES]
    figure, axes = new_figure(MISTAKES // 3, (10, 4.6), rows=3)
    for ax, row in zip(axes, order, strict=True):
        ax.imshow(test.counts[row].reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set_xticks([])
        ax.set_yticks([])
        right = taken[row] == truth[row]
        said = f"{data.classes[taken[row]]} ({sure[row]:.0%})"
        label = said if right else f"{data.classes[truth[row]]}, said {said}"
        ax.set_title(label, fontsize=9, color="black" if right else INT8)
    count = int((taken != truth).sum())
    mistakes = f"{count} mistake{'' if count == 1 else 's'} in {len(truth):,} test images"
    if count > MISTAKES:
        figure.suptitle(f"The surest {MISTAKES} of {mistakes}")
    else:
        figure.suptitle(f"{mistakes}, then the least sure")
    return figure


def draw_predictions(net: MLP, model: QuantizedMLP, test: Rows) -> Figure:
    """What the networks say against what it was, for each test row."""
    figure, axes = new_figure(2, (9.6, 4.8))
    real = test.target.real if test.target else np.asarray
    truth = real(test.y)
    what = f"{test.target.name} {test.target.unit}".strip() if test.target else "target"
    for ax, name, predictions, color in zip(
        axes,
        ("float", "int8"),
        (net.predictions(test), model.predictions(test)),
        (FLOAT, INT8),
        strict=True,
    ):
        ax.scatter(truth, real(predictions[:, 0]), s=6, alpha=0.4, color=color, linewidths=0)
        ends = [truth.min(), truth.max()]
        ax.plot(ends, ends, color="0.3", linestyle=":", label="right")
        ax.set(xlabel=f"{what}, measured", ylabel=f"{what}, said")
        ax.set_title(f"{name}: {len(test):,} test rows")
        ax.grid(alpha=0.3)
        ax.legend()
    axes[1].sharey(axes[0])
    return figure


def draw_precision_recall(
    net: MLP, model: QuantizedMLP, test: Rows, evaluations: dict[str, Evaluation]
) -> Figure:
    """Precision against recall on the test rows, float and int8, with the chosen threshold."""
    figure, (ax,) = new_figure(1, (6.4, 5))
    for (name, e), scores, color, size in zip(
        evaluations.items(),
        (net.decision_scores(test), model.decision_scores(test)),
        (FLOAT, INT8),
        (10, 5),  # most often one lies upon the other
        strict=True,
    ):
        precision, recall, _ = precision_recall_curve(test.y, scores)
        label = f"{name}, area {e.pr_auc:.3f}"
        ax.step(recall, precision, where="pre", color=color, label=label)
        ax.plot(
            e.confusion.recall,
            e.confusion.precision,
            "o",
            color=color,
            markersize=size,
            label=f"{name} at threshold {e.threshold:.4g}",
        )
    share = float(test.y.mean())
    ax.axhline(share, color="0.6", linestyle=":", label=f"chance, {share:.3f}")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    ax.set_title("Precision and recall")
    ax.grid(alpha=0.3)
    ax.legend()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the PNG file; a letter that the font lacks is a box in it, and no warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.savefig(path, dpi=120, metadata=METADATA)


def new_figure(columns: int, size: tuple[float, float], rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with no window and no global state behind it; axes line by line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())
