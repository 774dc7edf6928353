"""``scratchml board monitor`` and ``feed``: what the board says of the weather."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from scratchml import weather
from scratchml.board import Forecast, Link, the_board
from scratchml.board.compare import expected_forecasts
from scratchml.board.windows import Window, cut_windows, first_test_hour, station_recipe
from scratchml.cli import options as opt
from scratchml.cli.board import Baud, Model, PortOption, Timeout, board_and_model, board_app
from scratchml.cli.console import fail, guarded, note, out, print_json
from scratchml.text import printable

DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]


@board_app.command("monitor")
@guarded
def monitor_command(
    log_file: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", readable=False, help="Append the lines to it, too."),
    ] = None,
    port: PortOption = None,
    baud: Baud = 115200,
    as_json: opt.Json = False,
) -> None:
    """What the board says, hour by hour, with the computer's time in front. Ctrl-C ends it.

    With --json each line is a JSON object.
    """
    with ExitStack() as stack:
        link = stack.enter_context(closing(Link(port or the_board(), baud)))
        file = stack.enter_context(log_file.open("a", encoding="utf-8")) if log_file else None
        note(f"listening at {link.port}; Ctrl-C ends it")
        try:
            for line in link.lines():
                time = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
                said = printable(line)
                text = json.dumps({"time": time, "line": said}) if as_json else f"{time}  {said}"
                if file:
                    file.write(f"{text}\n")
                    file.flush()
                typer.echo(text)
        except KeyboardInterrupt:
            pass  # the way to end it


@board_app.command("feed")
@guarded
def feed_command(
    hours: Annotated[
        Path | None,
        typer.Argument(
            metavar="HOURS.csv",
            readable=False,
            help="Hourly weather. Default: the embedded ten years.",
        ),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=DATES,
            metavar="DATE",
            help="The first hour that is sent: 2006-01-31, or 2006-01-31T06:00. Default: that of "
            "the test rows, or of HOURS.csv.",
        ),
    ] = None,
    n: Annotated[int, typer.Option("--hours", min=1, help="How many to forecast from.")] = 48,
    port: PortOption = None,
    baud: Baud = 115200,
    model: Model = None,
    timeout: Timeout = 10.0,
    as_json: opt.Json = False,
) -> None:
    """Hours of weather sent as a sensor's counts: the board's forecasts, and what really fell.

    Exit status 1 if a forecast is not Python's, byte for byte.
    """
    table = weather.load(hours)
    with board_and_model(port, baud, timeout, model) as (board, quantized):
        first = first_test_hour(table, station_recipe(quantized))
        if start or hours:
            first = pd.Timestamp(start) if start else table["time"].iloc[0]
        windows = cut_windows(table, quantized, first, n)
        expected = expected_forecasts(quantized, np.array([w.counts for w in windows]))
        forecasts: list[Forecast] = []
        for window in windows:
            forecasts += board.feed(window.counts[None])
            if not as_json:
                out.print(in_words(window, forecasts[-1]), soft_wrap=True)
    pairs = list(zip(windows, forecasts, expected, strict=True))
    wrong = [pair for pair in pairs if pair[1] != pair[2]]
    right = sum(forecast.snow == window.snow for window, forecast, _ in pairs)
    known = sum(window.snow is not None for window in windows)
    if as_json:
        answers = [as_values(*pair) for pair in pairs]
        print_json({"hours": answers, "differing": len(wrong), "right": right, "known": known})
    else:
        out.print(
            f"{len(pairs)} hours, {len(wrong)} differ from numpy; {right} of {known} forecasts are "
            "right",
            soft_wrap=True,
        )
    if wrong:
        window, got, wanted = wrong[0]
        fail(
            f"at {window.time:%Y-%m-%d %H:%M} the board says {tuple(asdict(got).values())}, numpy "
            f"{tuple(asdict(wanted).values())} for the counts {window.counts.tolist()}"
        )


def in_words(window: Window, forecast: Forecast) -> str:
    """The hour, the forecast, and what came of it."""
    answer = "yes" if forecast.snow else "no"
    line = (
        f"{window.time:%Y-%m-%d %H:%M}  {window.temperature:5.1f} C {window.humidity:5.1f} % -> "
        f"snow {forecast.percent:3d} % {f'({answer})':5}"
    )
    if window.fell is None:
        return f"{line}  {window.ahead:%H:%M} is not in the table"
    return f"{line}  {window.ahead:%H:%M}: {window.fell:.1f} cm{', snow' if window.snow else ''}"


def as_values(window: Window, got: Forecast, wanted: Forecast) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "time": window.time.isoformat(),
        "counts": window.counts.tolist(),
        "board": asdict(got),
        "numpy": asdict(wanted),
        "ahead": window.ahead.isoformat(),
        "fell": window.fell,
        "snow": window.snow,
    }
