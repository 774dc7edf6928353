"""``scratchml fetch``: hourly weather of any place, as a file that the other commands take."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import fail, guarded, log, note, print_json, show
from scratchml.files import staging
from scratchml.report.tables import plain
from scratchml.weather.cache import Cache
from scratchml.weather.download import (
    KEY_VARIABLE,
    default_name,
    download,
    key_of_environment,
)
from scratchml.weather.fetch import Access
from scratchml.weather.fetched import side_file
from scratchml.weather.sources import SOURCES

WHERE, HOW = "Where", "How"


@app.command("fetch")
@guarded
def fetch_command(
    start: Annotated[str, typer.Option(metavar="DAY", help="First day, as in 2011-01-01 (UTC).")],
    end: Annotated[str, typer.Option(metavar="DAY", help="Last day, as in 2020-12-31.")],
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="PLACE",
            help="A place's name, as in Canazei or 'Canazei, Italy'. With coordinates or a station "
            "it is not looked up, and only names the file.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="CSV file; gzip if it ends in .csv.gz. Default: the place's name, as in "
            "canazei.csv. What it is and where it is from is written beside it, to canazei.json.",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(help="open-meteo, worldweatheronline (needs a key) or meteostat.")
    ] = "open-meteo",
    variables: Annotated[
        str | None,
        typer.Option(help="Further columns, as in surface_pressure,dew_point_2m."),
    ] = None,
    latitude: Annotated[
        float | None, typer.Option(help="Degrees, south negative.", rich_help_panel=WHERE)
    ] = None,
    longitude: Annotated[
        float | None, typer.Option(help="Degrees, west negative.", rich_help_panel=WHERE)
    ] = None,
    station: Annotated[
        str | None,
        typer.Option(
            help="Of meteostat: an identifier from meteostat.net, as in 16033.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            help="Of worldweatheronline: the place's time zone, as in Europe/Rome, should it "
            "answer in local time only. Default: the one that goes with the place's name.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Of open-meteo: era5 is one model for all years; best_match is finer, and changes "
            "in 2017. Default: era5.",
            rich_help_panel=HOW,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="The service's address, as in http://localhost:8080 for an Open-Meteo of your "
            "own. Default: that of the variable SCRATCHML_OPEN_METEO_URL, "
            "SCRATCHML_WORLDWEATHERONLINE_URL or SCRATCHML_METEOSTAT_URL, or the public one.",
            rich_help_panel=HOW,
        ),
    ] = None,
    allow_gaps: Annotated[
        bool,
        typer.Option(
            "--allow-gaps",
            help="Take an answer with fewer hours than asked for as it is.",
            rich_help_panel=HOW,
        ),
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Only what is in the cache.", rich_help_panel=HOW)
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="Download again what is in the cache.", rich_help_panel=HOW),
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Hourly weather of any place, as CSV for run and train.

    Asks one question at a time, keeps every finished chunk in a cache, and goes on there after a
    break. The key of worldweatheronline comes from the variable WORLDWEATHERONLINE_KEY, or is asked
    for; it is never an option.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bars = Progress(
        *columns, TimeElapsedColumn(), console=log, transient=True, disable=not log.is_terminal
    )
    done_of: list[tuple[int, int]] = []
    task = bars.add_task(SOURCES[source].title if source in SOURCES else "", total=None)

    def on_chunk(done: int, total: int) -> None:
        done_of[:] = [(done, total)]
        bars.update(task, completed=done, total=total)

    access = Access(Cache(), offline=offline, refresh=refresh, on_chunk=on_chunk, note=note)
    path = output or default_name(place, latitude, longitude, station)
    side_file(path)
    with staging(path.parent):
        pass  # a folder that cannot be written to is noticed before the download
    wanted = [name.strip() for name in (variables or "").split(",") if name.strip()]
    # asked for before the bar, which would write over the question
    key = _key() if source == "worldweatheronline" and not offline else None
    try:
        with bars:
            found = download(
                source, place, start, end, access,
                latitude=latitude, longitude=longitude, station=station, variables=wanted,
                model=model, timezone=timezone, url=url, allow_gaps=allow_gaps, key=key,
            )  # fmt: skip
        about = found.save(path)
    except KeyboardInterrupt:
        fail(_interrupted(done_of), status=130)
    show(_table(about), as_json=as_json)
    if as_json:
        print_json(about)
    _notes(about, path)


def _key() -> str:
    """From the environment, or else from a person at a terminal, unseen."""
    if os.environ.get(KEY_VARIABLE, "").strip() or not sys.stdin.isatty():
        return key_of_environment()
    return str(typer.prompt("Key of WorldWeatherOnline", hide_input=True, err=True))


def _interrupted(done_of: list[tuple[int, int]]) -> str:
    if not done_of or not done_of[0][0]:
        return "interrupted; nothing was written"
    done, total = done_of[0]
    return f"interrupted; {done} of {total} chunks are kept: repeat the command to go on there"


def _table(about: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE, show_header=False)
    place = about["place"]
    names = [str(place[key]) for key in ("name", "region", "country") if key in place]
    if "station" in place:
        names.append(f"station {place['station']}")
    rows = {
        "place": ", ".join(names) or f"{place['latitude']:g}, {place['longitude']:g}",
        "source": about["title"],
        "hours": f"{about['hours']:,}",
        "from": about["first"],
        "to": about["last"],
        "left out": f"{about['missing']['hours']:,} hours",
    }
    for name, value in rows.items():
        table.add_row(name, plain(value))
    return table


def _notes(about: dict[str, Any], path: Path) -> None:
    missing = about["missing"]
    if missing["hours"]:
        note(
            f"{missing['hours']:,} hours lack a value and are left out, at most "
            f"{missing['longest_run']:,} in a row, from {missing['longest_run_from']}"
        )
    if about["implausible_values"]:
        note(f"{about['implausible_values']:,} values that cannot be meant count as missing")
    if about.get("hours_of_snow_by_dew_point"):
        note(
            f"in {about['hours_of_snow_by_dew_point']:,} hours the dew point decides whether it "
            "snowed; see docs/weather.md"
        )
    note(f"{about['attribution']} ({about['licence']})")
    note(f"{path}, {side_file(path).name}; next: scratchml run {path}")
