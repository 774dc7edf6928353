"""A look at the data before anything is trained on it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from scratchml import pictures, sensors
from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.choices import with_choices
from scratchml.cli.console import busy, guarded, note, print_json, show
from scratchml.cli.steps import read_choices
from scratchml.dataset import FEATURES, Recipe
from scratchml.explore import explore, report
from scratchml.explore import pictures as explore_pictures
from scratchml.explore.hours import columns_of_hours, explore_hours
from scratchml.explore.samples import columns_of_samples
from scratchml.files import staging
from scratchml.text import printable
from scratchml.weather import whole_hours


@app.command("explore")
@guarded
@with_choices("reading", "dataset")
def explore_command(
    data: opt.Data = "snow",
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="For the pictures.")
    ] = Path("build/explore"),
    draw: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw PNG files.")] = True,
    as_json: opt.Json = False,
    **choices: Any,
) -> None:
    """The data before any training: classes, ranges, quartiles; of weather gaps and when it snows.

    Pictures: scatter.png (the first two columns by class), distributions.png (before and after
    scaling), and months.png (hours of snow) or classes.png.
    """
    run = read_choices(data, None, False, choices)
    drawing = draw and pictures.available()
    with staging(output) if drawing else nullcontext() as folder:
        with busy(f"reading {printable(run.data)}"):
            table = run.table()
        if isinstance(run.dataset, Recipe):
            files, values = _hours(table, run.dataset, folder, as_json)
        elif isinstance(run.dataset, sensors.Recipe):
            files, values = _samples(table, run.dataset, folder, as_json)
    if as_json:
        print_json({**values, "files": [str(output / name) for name in files]})
    if drawing:
        note(f"{output}: {', '.join(files)}")
    elif draw:
        note(f"no pictures: matplotlib is not installed ({pictures.INSTALL})")


Found = tuple[list[str], dict[str, Any]]


def _hours(table: pd.DataFrame, recipe: Recipe, folder: Path | None, as_json: bool) -> Found:
    if recipe.missing == "drop":
        read, table = len(table), whole_hours(table, recipe.features)
        if lost := read - len(table):
            note(f"note: {lost:,} of {read:,} hours lack a value: left out")
    found = explore_hours(table, recipe)
    # what a network reads, and no more: snowfall is what makes the classes
    drawn = [*FEATURES, *(name for name in recipe.features if name not in FEATURES)]
    columns = columns_of_hours(table, recipe).only(drawn)
    files = explore_pictures.draw_hours(folder, columns, found) if folder else []
    show(*report.hours_tables(found), as_json=as_json)
    if found.refused:
        note(f"training would refuse these hours: {found.refused}")
    return files, found.as_json()


def _samples(
    table: pd.DataFrame, recipe: sensors.Recipe, folder: Path | None, as_json: bool
) -> Found:
    columns, notes = columns_of_samples(table, recipe)
    for line in notes:
        note(f"note: {line}")
    found = explore(columns)
    files = explore_pictures.draw_table(folder, columns) if folder else []
    show(*report.table_tables(found), as_json=as_json)
    return files, found.as_json()
