"""A look at the data before anything is trained on it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from scratchml import explore_pictures, explore_report, pictures, weather
from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import guarded, note, print_json, show
from scratchml.dataset import CHANNELS, Recipe
from scratchml.explore_hours import columns_of_hours, explore_hours
from scratchml.files import staging

#: What a network reads, and no more: snowfall is what makes the classes.
DRAWN = tuple(name for name, _, _ in CHANNELS)


@app.command("explore")
@guarded
def explore_command(
    hours: Annotated[
        Path | None,
        typer.Argument(
            metavar="HOURS.csv",
            readable=False,  # whether it can be read is seen, and said, when it is read
            help="Hourly weather, plain or gzip, with the columns time, temperature_2m (C), "
            "relative_humidity_2m (%) and snowfall (cm). Default: the ten years that are built in.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the pictures.")] = Path(
        "build/explore"
    ),
    snow_above: opt.SnowAbove = None,
    colder_than: opt.ColderThan = None,
    draw: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw PNG files.")] = True,
    as_json: opt.Json = False,
) -> None:
    """The data before any training: ranges, quartiles, gaps, and when it snows.

    Tables of every column, of months and years, and of what the split would leave for training,
    validation and test. Pictures: scatter.png (temperature and humidity, by snow),
    distributions.png (before and after scaling), months.png (hours of snow). Times are UTC if the
    file says a zone, else as they stand in it.
    """
    given: dict[str, Any] = {"snow_above": snow_above, "colder_than": colder_than}
    recipe = Recipe(**{name: value for name, value in given.items() if value is not None})
    drawing = draw and pictures.available()
    with staging(output) if drawing else nullcontext() as folder:
        table = weather.load(hours)
        found = explore_hours(table, recipe)
        files: list[str] = []
        if folder:
            columns = columns_of_hours(table, recipe).only(DRAWN)
            files = explore_pictures.draw_hours(folder, columns, found)
    show(*explore_report.hours_tables(found), as_json=as_json)
    if as_json:
        values: dict[str, Any] = found.as_json()
        print_json({**values, "files": [str(output / name) for name in files]})
    if found.refused:
        note(f"training would refuse these hours: {found.refused}")
    if drawing:
        note(f"{output}: {', '.join(files)}")
    elif draw:
        note(f"no pictures: matplotlib is not installed ({pictures.INSTALL})")
