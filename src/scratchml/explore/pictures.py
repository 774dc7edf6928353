"""Pictures of a table before anything is trained on it; needs matplotlib, which is an extra.

Of any table: its first two columns against each other, and the distribution of each column before
and after scaling, by class. Of hours also the calendar of snow.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchml.dataset import Recipe
from scratchml.explore.columns import Floats, LabelledColumns
from scratchml.explore.hours import HoursExploration
from scratchml.pictures import FLOAT, INT8, new_figure, save
from scratchml.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The Okabe-Ito palette; the first two are those of every other picture. More classes than colours
#: begin anew, with other marks and lines.
COLORS = (FLOAT, INT8, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000")
MARKS, LINES = "o^sD", ("-", "--", ":", "-.")
#: Rows of one class from which they are counted in cells: points would be one blot.
MANY_ROWS = 5000
#: Points of all classes are drawn in turns, so that none covers another whole.
TURNS = 10
#: Fewer rows in a cell say nothing about shares.
FEW_ROWS = 5
#: Columns whose distribution is drawn, the first ones.
MOST_COLUMNS = 6
#: Years whose hours of snow are written into the calendar.
MOST_YEARS = 20
#: With more classes areas would hide each other: lines only.
MOST_AREAS = 3
#: Letters of a column's or class's name.
LONGEST_NAME = 30
#: Values that differ by a smaller part of themselves are drawn as one.
EQUAL = 1e-9
GREY, ROUND = "0.45", (1, 2, 5, 10)


def draw_hours(folder: Path, table: LabelledColumns, found: HoursExploration) -> list[str]:
    """Write ``scatter.png``, ``distributions.png`` and ``months.png``; gives the names.

    ``table`` has the columns to draw, temperature and humidity first.
    """
    figures = {
        "scatter": draw_scatter(table, found.recipe),
        "distributions": draw_distributions(table),
        "months": draw_calendar(found),
    }
    return _save(folder, figures)


def draw_table(folder: Path, table: LabelledColumns) -> list[str]:
    """Write ``distributions.png``; ``classes.png`` of classes, ``scatter.png`` of two columns."""
    figures = {"distributions": draw_distributions(table)}
    if len(table.classes) > 1:
        figures["classes"] = draw_classes(table)
    if len(table.names) > 1:
        figures["scatter"] = draw_scatter(table)
    return _save(folder, figures)


def draw_scatter(table: LabelledColumns, recipe: Recipe | None = None) -> Figure:
    """The first two columns, rarer classes on top; one that most of many rows are of as cells.

    Of many rows of two classes also the share of the second class in each cell. With a recipe, the
    first column is a temperature: a line is where it can be snow.
    """
    counts = table.counts()
    shares = len(counts) == 2 and counts.min() > 0 and counts.max() > MANY_ROWS
    figure, axes = new_figure(1 + shares, (13 if shares else 8, 5.6))
    points = axes[0]
    on_top = np.argsort(np.argsort(-counts, kind="stable"))  # the rank of each class
    for label, (class_name, rows, rank) in enumerate(
        zip(table.classes, counts.tolist(), on_top.tolist(), strict=True)
    ):
        x, y = table.values[table.labels == label, :2].T
        name = f"{_plain(class_name)}, {_many(rows)}"
        if rank == 0 and rows > MANY_ROWS and 2 * rows > len(table):
            cells = _count(table, x, y)
            _draw_cells(points, table, cells, f"{name}: how many in a cell", "Blues", log=True)
        elif rows:
            size, alpha = (6, 0.35) if rows > 500 else (16, 0.7)
            for turn in range(TURNS):
                points.scatter(
                    x[turn::TURNS], y[turn::TURNS], s=size, alpha=alpha, lw=0,
                    color=_cycled(COLORS, label), marker=_cycled(MARKS, label // len(COLORS)),
                    label=name if turn == 0 else None, zorder=2 + turn / TURNS + rank / 1e6,
                )  # fmt: skip
    if shares:
        every = _count(table, *table.values[:, :2].T)
        second = _count(table, *table.values[table.labels == 1, :2].T)
        share = np.divide(second, every, out=np.zeros_like(every), where=every >= FEW_ROWS)
        name = f"share of {_plain(table.classes[1])} in cells of {FEW_ROWS} rows or more"
        _draw_cells(axes[1], table, np.ma.array(share, mask=every < FEW_ROWS), name, "Oranges")
    for ax in axes:
        if recipe:
            limit = f"below {recipe.colder_than:g} °C it can be snow"
            ax.axvline(recipe.colder_than, color=GREY, linestyle=":", label=limit)
        ax.set(xlabel=_label(table, 0), ylabel=_label(table, 1))
        ax.grid(alpha=0.3)
        ax.set_axisbelow(True)
    _legend_above(figure, points)
    return figure


def cell_edges(values: Floats, cells: int = 50) -> Floats:
    """Edges of at most ``cells`` cells that hold all ``values``, ``float64[cells + 1]``.

    Readings have a resolution, and every cell but the last holds equally many of its steps: else
    some would stand out that had one more, which is nothing in the data.
    """
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low <= EQUAL * size:
        reach = 0.5 + size / 1e6
        return np.array([low - reach, high + reach])
    steps = np.diff(np.unique(values))
    step = float(steps[steps > 1e-6 * (high - low)].min())
    first, last = low - step / 2, high + step / 2
    width = step * np.ceil((last - first) / step / cells - 1e-6)
    inner = first + width * np.arange(np.ceil((last - first) / width - 1e-6))
    return np.append(inner, last)


def _count(table: LabelledColumns, x: Floats, y: Floats) -> Floats:
    """How many points lie in each cell of the first two columns, ``float64[y, x]``."""
    across, up = (cell_edges(table.values[:, i]) for i in (0, 1))
    return np.asarray(np.histogram2d(y, x, bins=[up, across])[0])


def _draw_cells(
    ax: Axes, table: LabelledColumns, cells: Any, name: str, colors: str, *, log: bool = False
) -> None:
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import PercentFormatter, StrMethodFormatter

    x, y = (cell_edges(table.values[:, i]) for i in (0, 1))
    most = max(float(cells.max()), 1) if log else float(cells.max())
    norm = LogNorm(1, max(most, 2)) if log else Normalize(0, most or 1)
    shown = np.ma.masked_equal(cells, 0) if log else cells
    mesh = ax.pcolormesh(x, y, shown, norm=norm, cmap=colors)
    form = StrMethodFormatter("{x:,.0f}") if log else PercentFormatter(1, decimals=0)
    ax.figure.colorbar(mesh, ax=ax, label=name, format=form)


def draw_distributions(table: LabelledColumns) -> Figure:
    """Each column before scaling, in its unit, and after, as z-scores; a line for each class."""
    columns = min(len(table.names), MOST_COLUMNS)
    figure, axes = new_figure(2, (11, 1.2 + 2.6 * columns), rows=columns)
    values = table.values[:, :columns]
    std = values.std(axis=0)
    constant = std <= EQUAL * np.abs(values).max(axis=0)
    scores = (values - values.mean(axis=0)) / np.where(constant, 1, std)
    for i in range(columns):
        before, after = axes[2 * i : 2 * i + 2]
        _draw_densities(before, table, values[:, i])
        _draw_densities(after, table, scores[:, i])
        before.set(xlabel=_label(table, i), ylabel="share of the class")
        after.set(xlabel=f"{_name(table.names[i])}, standard deviations from the mean")
        after.sharex(axes[1])
    axes[0].set_title("Before scaling")
    axes[1].set_title("After scaling: mean 0, standard deviation 1")
    _legend_above(figure, axes[0])
    return figure


def _draw_densities(ax: Axes, table: LabelledColumns, values: Floats) -> None:
    from matplotlib.colors import to_rgba

    # Rice's rule: as many cells as twice the cube root of the rows
    edges = cell_edges(values, min(50, int(np.ceil(2 * len(values) ** (1 / 3))))).tolist()
    alpha = 0.35 if len(table.classes) <= MOST_AREAS else 0
    for label, name in enumerate(table.classes):
        chosen = values[table.labels == label]
        if len(chosen):
            color = _cycled(COLORS, label)
            ax.hist(
                chosen, edges, weights=np.full(len(chosen), 1 / len(chosen)), label=_plain(name),
                histtype="stepfilled", edgecolor=color, facecolor=to_rgba(color, alpha),
                linestyle=_cycled(LINES, label // len(COLORS)),
            )  # fmt: skip
    ax.grid(alpha=0.3)


def draw_calendar(found: HoursExploration) -> Figure:
    """Hours of snow by month, and by month of each year; grey where there is no hour at all."""
    from matplotlib.ticker import MaxNLocator

    height = min(max(4.2, 1.4 + 0.28 * len(found.years)), 8)
    figure, (bars, cells) = new_figure(2, (12, height))
    names = [calendar.month_abbr[p.number] for p in found.months]
    snow = [p.snow for p in found.months]
    bars.bar(names, snow, color=INT8)
    for place, p in enumerate(found.months):
        text = "no\nhours" if p.share is None else _percent(p.share) if p.snow else "0"
        bars.annotate(
            text, (place, p.snow), xytext=(0, 2), textcoords="offset points",
            ha="center", fontsize=8,
        )  # fmt: skip
    bars.set(ylabel="hours of snow", ylim=(0, max(1.12 * max(snow), 1)))
    bars.set_title("All years; above the bars: share of the hours")
    bars.yaxis.set_major_locator(MaxNLocator(integer=True, steps=ROUND))
    bars.grid(axis="y", alpha=0.3)
    bars.set_axisbelow(True)
    _draw_years(cells, found, names)
    return figure


def _draw_years(ax: Axes, found: HoursExploration, months: list[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    snow = np.array([[p.snow for p in year] for year in found.calendar])
    there = np.array([[p.hours > 0 for p in year] for year in found.calendar])
    most = max(int(snow.max()), 1)
    years = [p.number for p in found.years]
    extent = (-0.5, 11.5, years[-1] + 0.5, years[0] - 0.5)
    shown = np.ma.array(snow, mask=~there)
    image = ax.imshow(shown, cmap="Oranges", vmin=0, vmax=most, aspect="auto", extent=extent)
    ax.set_facecolor("0.85")
    for row, column in np.argwhere(there) if len(years) <= MOST_YEARS else ():
        count = snow[row, column]
        color = "white" if count > most / 2 else "black"
        ax.text(column, years[row], f"{count}", ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(12), months)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=MOST_YEARS, min_n_ticks=1))
    ax.set(title="Hours of snow in each month; grey: no hours")
    whole = MaxNLocator(integer=True, steps=ROUND)
    ax.figure.colorbar(image, ax=ax, label="hours of snow", ticks=whole)


def draw_classes(table: LabelledColumns) -> Figure:
    """Rows of each class, the first on top."""
    counts = table.counts()
    figure, (ax,) = new_figure(1, (7, 1.4 + 0.35 * len(counts)))
    colors = [_cycled(COLORS, label) for label in range(len(counts))]
    bars = ax.barh(range(len(counts)), counts, color=colors)
    ax.bar_label(bars, [f"{n:,} ({n / len(table):.1%})" for n in counts], padding=4)
    ax.set_yticks(range(len(counts)), [_plain(name) for name in table.classes])
    ax.invert_yaxis()
    ax.margins(x=0.2)
    ax.set(xlabel="rows")
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    return figure


def _legend_above(figure: Figure, ax: Axes) -> None:
    """Outside of the data; its points are large and opaque enough to be seen."""
    from matplotlib.collections import PathCollection

    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    room = figure.get_figwidth() - 0.5
    columns = int(room / (0.7 + 0.09 * max(map(len, labels))))  # inches of a mark, of a letter
    legend = figure.legend(
        handles, labels, loc="outside upper center", ncols=min(max(columns, 1), 5), frameon=False
    )
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set(alpha=1, sizes=[40])


def _cycled(items: Sequence[str], i: int) -> str:
    return items[i % len(items)]


def _save(folder: Path, figures: Mapping[str, Figure]) -> list[str]:
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")
    return sorted(f"{name}.png" for name in figures)


def _percent(share: float) -> str:
    return "<0.1%" if share < 0.001 else f"{share:.1%}"


def _many(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _label(table: LabelledColumns, i: int) -> str:
    unit = {"C": "°C", "degrees": "°"}.get(table.units[i], table.units[i])
    return _name(table.names[i]) + (f" ({_plain(unit)})" if unit else "")


def _name(name: str) -> str:
    """``relative_humidity_2m`` to "relative humidity": where it was measured says the table."""
    return _plain(re.sub(r"_\d+m$", "", name).replace("_", " "))


def _plain(text: str) -> str:
    """Text from a file: not endless, and a dollar is a dollar and begins no formula."""
    short = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."
    return printable(short).replace("$", r"\$")
