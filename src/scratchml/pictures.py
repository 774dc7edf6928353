"""Pictures of a run, as PNG files; needs matplotlib, which is an extra.

Colours are two of the Okabe-Ito palette, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchml.dataset import Rows
from scratchml.evaluate import Evaluation, precision_recall_curve
from scratchml.mlp import MLP
from scratchml.quantized import QuantizedMLP
from scratchml.train import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'scratchml[pictures]'"

FLOAT, INT8 = "#0072b2", "#d55e00"
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
    test: Rows,
    evaluations: dict[str, Evaluation],
) -> None:
    """Write ``history.png``, ``confusion.png`` and ``precision_recall.png`` into ``folder``."""
    for name, figure in (
        ("history", draw_history(history)),
        ("confusion", draw_confusion(evaluations)),
        ("precision_recall", draw_precision_recall(net, model, test, evaluations)),
    ):
        figure.savefig(folder / f"{name}.png", dpi=120, metadata=METADATA)


def draw_history(history: History) -> Figure:
    """Loss and accuracy by epoch, training and validation, with the epoch that was kept.

    Where snow is rare hardly any probability passes 0.5, so the accuracy there is that of "no"; a
    scale that follows each row would make mountains of it.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(2, (10, 4))
    numbers = [epoch.epoch for epoch in history.epochs]
    for ax, key in zip(axes, ("loss", "accuracy"), strict=True):
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
    axes[1].set_ylim(min(low, high - 0.05), min(max(high, low + 0.05), 1))
    axes[1].set_title("Accuracy at a probability of 0.5")
    axes[0].legend()
    return figure


def draw_confusion(evaluations: dict[str, Evaluation]) -> Figure:
    """A confusion matrix for each evaluation, coloured by the shares of each true class."""
    figure, axes = _figure(len(evaluations), (4.6 * len(evaluations), 4.4))
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
        ax.set_xticks([0, 1], ["no snow", "snow"])
        ax.set_yticks([0, 1], ["no snow", "snow"], rotation=90, va="center")
        ax.set(xlabel="forecast", ylabel="happened", title=f"{name}: {e.rows:,} test rows")
    return figure


def draw_precision_recall(
    net: MLP, model: QuantizedMLP, test: Rows, evaluations: dict[str, Evaluation]
) -> Figure:
    """Precision against recall on the test rows, float and int8, with the chosen threshold."""
    figure, (ax,) = _figure(1, (6.4, 5))
    for (name, e), scores, color in zip(
        evaluations.items(),
        (net.decision_scores(test), model.decision_scores(test)),
        (FLOAT, INT8),
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
            label=f"{name} at threshold {e.threshold:.4g}",
        )
    share = float(test.y.mean())
    ax.axhline(share, color="0.6", linestyle=":", label=f"chance, {share:.3f}")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    ax.set_title("Precision and recall")
    ax.grid(alpha=0.3)
    ax.legend()
    return figure


def _figure(columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure with no window and no global state behind it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(1, columns, squeeze=False)
    return figure, list(axes[0])
