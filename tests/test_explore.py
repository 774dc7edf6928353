"""``scratchml explore``: its numbers against pandas, its pictures, and what it refuses."""

from __future__ import annotations

import json
import re
import struct
import warnings
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from command_line import called, hours_table, json_of, output_of, refused, write_hours
from conftest import require
from hypothesis import given
from hypothesis import strategies as st

import scratchml as sml
from scratchml import pictures
from scratchml.errors import ScratchmlError
from scratchml.explore import LabelledColumns, explore
from scratchml.explore import pictures as explore_pictures
from scratchml.explore import report as explore_report
from scratchml.explore.hours import (
    HoursExploration,
    columns_of_hours,
    explore_hours,
    find_gaps,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = ["distributions.png", "months.png", "scatter.png"]
VARIABLES = ["temperature_2m", "relative_humidity_2m", "snowfall"]
FEATURES = VARIABLES[:2]

#: What pandas calls the fields of a summary.
DESCRIBED = {
    "least": "min",
    "lower_quartile": "25%",
    "median": "50%",
    "upper_quartile": "75%",
    "greatest": "max",
    "mean": "mean",
}


@pytest.fixture(scope="module")
def found(hours: pd.DataFrame) -> HoursExploration:
    """The embedded ten years."""
    return explore_hours(hours)


@pytest.fixture(scope="module")
def snow(hours: pd.DataFrame) -> pd.Series:
    """The label by the words of the README: more than 0.5 cm at less than 2 C."""
    return hours.eval("snowfall > 0.5 and temperature_2m < 2").rename("snow")


def table_of(n: int, classes: int, columns: int = 3, seed: int = 0) -> LabelledColumns:
    """Columns in which the classes lie apart; a few names that markup and formulas would eat."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    values = rng.normal(0, 1, (n, columns)) + 2 * labels[:, None]
    names = ("a_x$y$z", "[red]b[/]", *(f"c_{i}" for i in range(columns)))[:columns]
    units = ("m/s2", "", *("V" for _ in range(columns)))[:columns]
    return LabelledColumns(
        names, units, values, labels, tuple(f"class {i}" for i in range(classes))
    )


# --- numbers of any table ----------------------------------------------------------------------


def test_columns_are_described_as_by_pandas(
    hours: pd.DataFrame, snow: pd.Series, found: HoursExploration
) -> None:
    assert [(c.name, c.unit) for c in found.table.columns] == list(
        zip(VARIABLES, ("C", "%", "cm"), strict=True)
    )
    chosen = {"no snow": ~snow, "snow": snow}
    for column in found.table.columns:
        parts = {name: hours[column.name][mask] for name, mask in chosen.items()}
        summaries = {"all": column.all, **column.by_class}
        for name, values in {"all": hours[column.name], **parts}.items():
            summary, described = summaries[name], values.describe()
            assert summary is not None
            assert summary.rows == described["count"]
            assert summary.standard_deviation == pytest.approx(values.std(ddof=0), rel=1e-12)
            for ours, theirs in DESCRIBED.items():
                assert getattr(summary, ours) == pytest.approx(described[theirs], rel=1e-12)


def test_classes_are_counted_and_one_without_rows_is_named() -> None:
    labels = np.array([2, 0, 2, 2])
    table = LabelledColumns(("x",), ("V",), np.arange(4.0)[:, None], labels, ("a", "b", "c"))
    got = explore(table)
    assert (got.rows, got.classes) == (4, {"a": 1, "b": 0, "c": 3})
    by_class = got.columns[0].by_class
    assert by_class["b"] is None
    assert by_class["a"] and by_class["c"]
    assert (by_class["a"].least, by_class["a"].standard_deviation, by_class["c"].mean) == (
        1,
        0,
        5 / 3,
    )
    assert got.as_json()["classes"]["c"] == {"rows": 3, "share": 0.75}


def test_columns_are_chosen_by_name_in_any_order() -> None:
    table = table_of(5, 2)
    chosen = table.only(["c_0", "a_x$y$z"])
    assert (chosen.names, chosen.units) == (("c_0", "a_x$y$z"), ("V", "m/s2"))
    assert (chosen.values == table.values[:, [2, 0]]).all()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"values": np.array([[1.0], [np.nan]])}, "row 1, column x: nan is no number below 1e+30"),
        ({"values": np.array([[np.inf], [1.0]])}, "row 0, column x: inf is no number below 1e+30"),
        (
            {"values": np.array([[1.0], [-1e30]])},
            "row 1, column x: -1e+30 is no number below 1e+30",
        ),
        ({"labels": np.array([0, 2])}, "labels must be from 0 to 1"),
        ({"labels": np.array([-1, 0])}, "labels must be from 0 to 1"),
        ({"values": np.ones((3, 1))}, "2 labels do not go with values of shape (3, 1)"),
        ({"units": ()}, "1 names, 0 units"),
        ({"values": np.empty((0, 1)), "labels": np.array([], int)}, "there is nothing to explore"),
    ],
)
def test_a_table_that_does_not_fit_itself_is_refused(changed: dict[str, Any], said: str) -> None:
    fields: dict[str, Any] = {
        "names": ("x",), "units": ("V",), "values": np.array([[1.0], [2.0]]),
        "labels": np.array([0, 1]), "classes": ("no", "yes"),
    }  # fmt: skip
    with pytest.raises(ScratchmlError, match=re.escape(said)):
        LabelledColumns(**fields | changed)


# --- numbers of hours --------------------------------------------------------------------------


def test_months_and_years_are_pandas_groups(
    hours: pd.DataFrame, snow: pd.Series, found: HoursExploration
) -> None:
    for part, periods in (("month", found.months), ("year", found.years)):
        groups = snow.groupby(getattr(hours["time"].dt, part)).agg(["size", "sum", "mean"])
        assert [p.number for p in periods] == groups.index.tolist()
        assert [p.hours for p in periods] == groups["size"].tolist()
        assert [p.snow for p in periods] == groups["sum"].tolist()
        assert [p.share for p in periods] == pytest.approx(groups["mean"].tolist())
    cells = pd.crosstab(hours["time"].dt.year, hours["time"].dt.month, snow, aggfunc="sum")
    expected = cells.reindex(columns=range(1, 13)).fillna(0).to_numpy()
    assert [[p.snow for p in year] for year in found.calendar] == expected.tolist()


def test_the_embedded_hours_are_what_the_readme_says(found: HoursExploration) -> None:
    assert (found.first, found.last) == ("1998-10-01T01:00", "2008-10-01T00:00")
    assert found.gaps.number == found.gaps.missing == 0
    assert found.data is not None
    assert [len(part) for part in (found.data.train, found.data.test)] == [43_833, 26_299]


@given(kept=st.sets(st.integers(0, 60), min_size=1))
def test_missing_hours_are_those_that_are_not_there(kept: set[int]) -> None:
    times = pd.Series(pd.Timestamp("2001-01-31T20:00") + pd.to_timedelta(sorted(kept), unit="h"))
    every = pd.date_range(times.iloc[0], times.iloc[-1], freq="h")
    runs = "".join(".x"[time in set(times)] for time in every).split("x")
    holes = [len(run) for run in runs if run]
    gaps = find_gaps(times)
    assert (gaps.number, gaps.missing) == (len(holes), sum(holes))
    assert gaps.longest == max(holes, default=0)
    if gaps.after is None:
        assert not holes
    else:
        following = pd.Timestamp(gaps.after) + pd.to_timedelta(range(gaps.longest + 2), unit="h")
        assert [time in set(times) for time in following] == [True, *[False] * gaps.longest, True]


def test_steps_that_are_no_hour_are_counted_and_said() -> None:
    times = pd.to_datetime(["2001-01-01T00:00", "2001-01-01T00:30", "2001-01-01T02:00"])
    gaps = find_gaps(pd.Series(times))
    assert (gaps.number, gaps.missing, gaps.longest, gaps.after) == (2, 1, 1, "2001-01-01T00:30")
    table = hours_table(4).assign(time=times.insert(1, pd.Timestamp("2001-01-01T00:10")))
    table.loc[3, "time"] = pd.Timestamp("2001-01-01T00:45")
    said = explore_report.headline(explore_hours(table))[:2]
    assert said == ["  4 hours, 2001-01-01 00:00 to 2001-01-01 00:45", "  3 steps are not one hour"]


def test_limits_of_snow_are_the_recipe_s(hours: pd.DataFrame) -> None:
    got = explore_hours(hours, sml.Recipe(snow_above=1.0, colder_than=-5.0))
    assert got.table.classes["snow"] == len(hours.query("snowfall > 1 and temperature_2m < -5"))
    assert "more than 1 cm in the hour at less than -5 C" in explore_report.headline(got)[1]


# --- the command -------------------------------------------------------------------------------


def test_json_has_the_documented_shape(tmp_path: Path) -> None:
    table = hours_table()
    table = table.drop(index=[100, 500, 501])
    values = json_of("explore", write_hours(tmp_path, table), "--no-pictures")
    assert list(values) == [
        "rows", "classes", "columns", "recipe", "first", "last", "gaps", "months", "years",
        "parts", "refused", "files",
    ]  # fmt: skip
    assert values["rows"] == len(table)
    assert values["classes"]["no snow"]["rows"] + values["classes"]["snow"]["rows"] == len(table)
    assert (values["first"], values["last"]) == (table["time"].iloc[0], table["time"].iloc[-1])
    assert values["gaps"] == {
        "number": 2, "missing": 3, "longest": 2, "after": table["time"].loc[499],
    }  # fmt: skip
    assert [month["month"] for month in values["months"]] == list(range(1, 13))
    assert values["months"][11] == {"month": 12, "hours": 0, "snow": 0, "share": None}
    assert [year["year"] for year in values["years"]] == [2001]
    assert values["recipe"]["snow_above"] == 0.5
    made = sml.make_dataset(sml.weather.load(tmp_path / "hours.csv"))
    parts = {"train": made.train, "validation": made.validation, "test": made.test}
    assert values["parts"] == {
        name: {"rows": len(part), "snow": int(part.y.sum())} for name, part in parts.items()
    }
    assert (values["refused"], values["files"]) == (None, [])


def test_tables_say_the_same_and_fit_into_80_columns(
    found: HoursExploration, hours: pd.DataFrame
) -> None:
    page = output_of("explore", "--no-pictures", columns=80)
    assert "…" not in page
    assert "87,672 hours, 1998-10-01 01:00 to 2008-10-01 00:00, none missing" in page
    for column in found.table.columns:
        numbers = (f"{hours[column.name].mean():.3g}"[:4], f"{column.all.median:g}")
        line = next(line for line in page.splitlines() if column.name in line)
        assert all(number in line for number in numbers), line
    for period in (*found.months, *found.years):
        assert re.search(rf"{period.hours:,} +{period.snow:,} +{period.share:.2%}", page)
    assert re.search("July .* 0.00%", page)
    december = next(line for line in page.splitlines() if "December" in line)
    assert (
        december.count("█")
        == explore_report.BAR
        == max(line.count("█") for line in page.splitlines())
    )
    assert re.search(r"validation +17,531", page)


def test_gaps_are_told_in_words(tmp_path: Path) -> None:
    csv = write_hours(tmp_path, hours_table().drop(index=[100, 500, 501]))
    page = output_of("explore", csv, "--no-pictures")
    assert "  3 hours missing in 2 places, at most 2 on end (after 2001-01-21 19:00)\n" in page


def limited(table: pd.DataFrame, **columns: float) -> pd.DataFrame:
    return table.assign(**columns)


ODD: dict[str, Callable[[], pd.DataFrame]] = {
    "one hour": lambda: hours_table(1),
    "no snow": lambda: hours_table(200).assign(snowfall=0.0),
    "all snow": lambda: hours_table(200).assign(snowfall=1.0, temperature_2m=-1.0),
    "constant column": lambda: hours_table(200).assign(relative_humidity_2m=90.0),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_hours_are_explored_and_what_training_would_refuse_is_said(
    kind: str, tmp_path: Path
) -> None:
    csv = write_hours(tmp_path, ODD[kind]())
    result = called("explore", csv, "--no-pictures", "--json")
    values = json.loads(result.stdout)
    assert result.returncode == 0
    assert f"training would refuse these hours: {values['refused']}" in result.stderr
    assert values["parts"] is None
    page = output_of("explore", csv, "--no-pictures")
    assert "nan" not in page
    assert f"{values['classes']['snow']['rows']:,} of snow" in page


def test_a_file_without_hours_is_refused_and_nothing_is_left(no_temporary_files: Path) -> None:
    folder = no_temporary_files
    out = folder / "out"
    assert "No such file" in refused("explore", folder / "none.csv", "-o", out)
    empty = folder / "empty.csv"
    empty.touch()
    assert refused("explore", empty, "-o", out) == f"error: {empty}: the file is empty"
    header = folder / "header.csv"
    header.write_text(",".join(["time", *VARIABLES]) + "\n")
    assert "no line below it" in refused("explore", header, "-o", out)
    table = hours_table(30)
    table.loc[7, "temperature_2m"] = np.nan
    line = refused("explore", write_hours(folder, table), "-o", out)
    assert "line 9, column temperature_2m: the value is missing" in line
    assert not out.exists()


def test_hours_with_holes_are_looked_at_without_them(tmp_path: Path) -> None:
    table = hours_table(400)
    table.loc[[7, 9], "temperature_2m"] = np.nan
    path = write_hours(tmp_path, table)
    result = called("explore", path, "--missing", "drop", "--no-pictures", "--json")
    assert "note: 2 of 400 hours lack a value: left out" in result.stderr.splitlines()
    table["time"] = pd.to_datetime(table["time"])
    found = explore_hours(table, sml.Recipe(missing="drop"))
    assert (found.table.rows, found.gaps.missing) == (398, 2)
    assert json.loads(result.stdout)["gaps"] == found.as_json()["gaps"]
    with pytest.raises(ScratchmlError, match="nan is outside"):
        explore_hours(table)


def test_limits_that_are_no_numbers_are_refused() -> None:
    assert "colder_than nan: it must be a number" in refused("explore", "--colder-than", "nan")


def test_a_folder_that_cannot_be_written_is_noticed_before_the_work(tmp_path: Path) -> None:
    require("matplotlib")
    place = tmp_path / "file"
    place.touch()
    assert refused("explore", "-o", place) == f"error: {place}: File exists"
    assert "Not a directory" in refused("explore", "-o", place / "pictures")


def test_without_matplotlib_the_tables_still_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "available", lambda: False)
    result = called("explore", write_hours(tmp_path), "-o", tmp_path / "out")
    assert result.returncode == 0
    assert "Month" in result.stdout
    assert "no pictures: matplotlib is not installed (pip install" in result.stderr
    assert not (tmp_path / "out").exists()


# --- pictures ----------------------------------------------------------------------------------


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts that lie on one another, and texts that leave the picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
    axes = set(figure.axes)
    ticks = [
        t for a in axes for axis in (a.xaxis, a.yaxis) for t in axis.get_ticklabels(which="both")
    ]
    shown = [t for t in texts if t not in ticks]
    for a in axes:
        for axis in (a.xaxis, a.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis._update_ticks():
                if low <= tick.get_loc() <= high and tick.label1.get_text():
                    shown.append(tick.label1)
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in dict.fromkeys(shown)]
    width, height = canvas.get_width_height()
    outside = [
        (text, "the edge") for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]  # fmt: skip
    pairs = [
        (a, b) for (a, one), (b, other) in combinations(boxes, 2)
        if one.x0 < other.x1 - 1 and other.x0 < one.x1 - 1
        and one.y0 < other.y1 - 1 and other.y0 < one.y1 - 1
    ]  # fmt: skip
    return outside + pairs


def figures_of_hours(table: pd.DataFrame) -> list[Figure]:
    got = explore_hours(table)
    columns = columns_of_hours(table, got.recipe).only(FEATURES)
    return [
        explore_pictures.draw_scatter(columns, got.recipe),
        explore_pictures.draw_distributions(columns),
        explore_pictures.draw_calendar(got),
    ]


def figures_of_table(table: LabelledColumns) -> list[Figure]:
    drawn = [explore_pictures.draw_classes(table), explore_pictures.draw_distributions(table)]
    return [*drawn, explore_pictures.draw_scatter(table)] if len(table.names) > 1 else drawn


def test_pictures_are_png_files_and_the_same_each_time(tmp_path: Path) -> None:
    require("matplotlib")
    csv = write_hours(tmp_path)
    for name in ("one", "two"):
        result = called("explore", csv, "-o", tmp_path / name)
        assert result.stderr.splitlines()[-1] == f"{tmp_path / name}: {', '.join(PICTURES)}"
    for name in PICTURES:
        contents = (tmp_path / "one" / name).read_bytes()
        assert contents == (tmp_path / "two" / name).read_bytes()
        assert contents[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", contents[16:24])
        assert width > 600
        assert height > 300
        assert b"Software" not in contents
        assert str(tmp_path).encode() not in contents


@pytest.mark.parametrize("kind", [*ODD, "usual", "embedded"])
def test_nothing_in_a_picture_of_hours_hides_anything(kind: str, hours: pd.DataFrame) -> None:
    require("matplotlib")
    known = {"usual": hours_table, "embedded": lambda: hours, **ODD}
    table = known[kind]()
    table = table.assign(time=pd.to_datetime(table["time"]))
    for figure in figures_of_hours(table):
        assert overlapping(figure) == []


@pytest.mark.parametrize(
    ("n", "classes", "columns"),
    [(1, 1, 1), (1, 3, 2), (50, 2, 1), (400, 3, 3), (900, 10, 8), (20_000, 2, 2), (20_000, 1, 2)],
)
def test_nothing_in_a_picture_of_any_table_hides_anything(
    n: int, classes: int, columns: int
) -> None:
    require("matplotlib")
    for figure in figures_of_table(table_of(n, classes, columns)):
        assert overlapping(figure) == []


def test_any_table_gets_its_tables_and_pictures(tmp_path: Path) -> None:
    """Names from a file are neither markup nor formulas."""
    require("matplotlib")
    table = table_of(300, 3)
    names = explore_pictures.draw_table(tmp_path, table)
    assert names == ["classes.png", "distributions.png", "scatter.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    from rich.console import Console

    console = Console(width=100, record=True, file=(tmp_path / "out").open("w"))
    console.print(*explore_report.table_tables(explore(table)), sep="\n")
    page = console.export_text()
    console.file.close()
    for word in ("a_x$y$z", "[red]b[/]", "class 2"):
        assert word in page
    (x, y) = (f(explore_pictures.draw_scatter(table).axes[0]) for f in (
        lambda ax: ax.get_xlabel(), lambda ax: ax.get_ylabel()))  # fmt: skip
    assert (x, y) == (r"a x\$y\$z (m/s2)", "[red]b[/]")


def test_cells_and_shares_are_those_of_the_rows(hours: pd.DataFrame, snow: pd.Series) -> None:
    """The colours stand for counts that add up to the hours, and shares that are right."""
    require("matplotlib")
    figure = figures_of_hours(hours)[0]
    left, right = figure.axes[:2]
    counts, shares = (ax.collections[0].get_array() for ax in (left, right))
    assert counts.sum() == (~snow).sum()
    points = np.concatenate([c.get_offsets() for c in left.collections[1:]])
    assert sorted(map(tuple, points)) == sorted(
        hours.loc[snow, FEATURES].itertuples(index=False, name=None)
    )
    mesh = right.collections[0].get_coordinates()
    across, up = mesh[0, :, 0], mesh[:, 0, 1]
    cell = [pd.cut(hours[name], edges, labels=False) for name, edges in
            zip(FEATURES, (across, up), strict=True)]  # fmt: skip
    groups = snow.groupby([cell[1], cell[0]]).agg(["mean", "size"])
    assert groups["size"].sum() == len(hours)
    usable = groups[groups["size"] >= explore_pictures.FEW_ROWS]
    assert shares.count() == len(usable)
    for (row, column), share in usable["mean"].items():
        assert shares[row, column] == pytest.approx(share)


def test_z_scores_are_drawn_beside_the_readings(hours: pd.DataFrame) -> None:
    require("matplotlib")
    figure = figures_of_hours(hours)[1]
    for i, name in enumerate(FEATURES):
        mean, std = hours[name].mean(), hours[name].std(ddof=0)
        before, after = (
            np.concatenate([patch.get_xy() for patch in ax.patches])
            for ax in figure.axes[2 * i : 2 * i + 2]
        )
        assert (after[:, 0].min() * std + mean) == pytest.approx(before[:, 0].min())
        assert (after[:, 0].max() * std + mean) == pytest.approx(before[:, 0].max())
    limits = {ax.get_xlim() for ax in figure.axes[1::2]}
    assert len(limits) == 1


@given(
    values=st.one_of(
        st.lists(st.integers(-300, 300).map(lambda n: n / 10), min_size=1, max_size=80),
        st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80),
    ),
    cells=st.integers(1, 60),
)
def test_cells_hold_every_value(values: list[float], cells: int) -> None:
    readings = np.array(values)
    edges = explore_pictures.cell_edges(readings, cells)
    assert 2 <= len(edges) <= cells + 1
    assert (np.diff(edges) > 0).all()
    assert np.histogram(readings, edges)[0].sum() == len(readings)


def test_no_cell_has_a_step_more_than_its_neighbours() -> None:
    """Else a flat distribution of readings in tenths would have peaks."""
    readings = np.arange(-248, 341) / 10
    counts, edges = np.histogram(readings, explore_pictures.cell_edges(readings, 50))
    assert set(counts[:-1]) == {12}
    assert 0 < counts[-1] <= 12
    assert len(edges) == 51


@pytest.mark.parametrize("values", [[1e17] * 3, [1.0, 1.0 + 2**-52], [0.0, 5e-324], [-9e29, 9e29]])
def test_extreme_columns_are_drawn(values: list[float]) -> None:
    require("matplotlib")
    column = np.array(values)[:, None]
    table = LabelledColumns(("x", "y"), ("", ""), np.hstack([column, column]),
                            np.zeros(len(values), np.int64), ("all",))  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in figures_of_table(table):
            overlapping(figure)
