"""One table from the hours of many answers: without a seam, and with an account of its holes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.weather.fetched import TIME_FORMAT, Fetched
from scratchml.weather.sources import Parsed, Source
from scratchml.weather.table import check_hours
from scratchml.weather.variables import VARIABLES

#: Share of hours with a value that cannot be meant, above which the units must be others.
MOST_IMPLAUSIBLE = 0.01
IMPLAUSIBLE = "implausible_values"

#: What the side file has in place of an address that is not the public one.
OWN_SERVER = "a server of your own"


def joined(source: Source, start: date, end: date, parsed: Sequence[Parsed]) -> Fetched:
    """The hours of all chunks that lack no value, and where they came from.

    Raises:
        ScratchmlError: more than half of them lack one.
    """
    # an empty one, of a year that a station lacks, has no types to agree with
    filled = [part.hours for part in parsed if len(part.hours)] or [parsed[0].hours]
    table = pd.concat(filled, ignore_index=True)
    table = table.drop_duplicates("time").sort_values("time", ignore_index=True)
    span = source.span(start, end, table)
    everything = table.set_index("time").reindex(span)
    whole = everything.notna().all(axis=1)
    missing = _missing(everything, whole.to_numpy())
    _check_enough(source, missing, len(span))
    hours = everything[whole].rename_axis("time").reset_index()
    hours["time"] = hours["time"].astype("datetime64[s]")
    check_hours(hours)
    return Fetched(hours, _provenance(source, start, end, parsed, hours, missing))


def _provenance(
    source: Source,
    start: date,
    end: date,
    parsed: Sequence[Parsed],
    hours: pd.DataFrame,
    missing: dict[str, Any],
) -> dict[str, Any]:
    """What the side file says, but for the CSV's name and check sum."""
    facts = {name: value for part in reversed(parsed) for name, value in part.facts.items()}
    counts: dict[str, int] = {}
    for part in parsed:
        for name, count in part.counts.items():
            counts[name] = counts.get(name, 0) + count
    return {
        "source": source.name,
        "title": source.title,
        "attribution": source.attribution,
        "licence": source.licence,
        "licence_url": source.licence_url,
        "place": source.place(),
        **facts,
        "query": {"url": _server(source), **source.query(), "start": str(start), "end": str(end)},
        "clock_of_start_and_end": source.clock,
        "time": "UTC; sums are those of the hour that ends then",
        "columns": source.columns,
        "snowfall": source.snowfall,
        "hours": len(hours),
        "first": f"{hours['time'].iloc[0]:{TIME_FORMAT}}",
        "last": f"{hours['time'].iloc[-1]:{TIME_FORMAT}}",
        "missing": missing,
        **counts,
    }


def _server(source: Source) -> str:
    """Its public address; another may be nobody's business, and differs from machine to machine."""
    return source.home if source.url == source.home else OWN_SERVER


def drop_implausible(source: Source, table: pd.DataFrame) -> int:
    """Make values that cannot be meant NaN, and count them.

    Raises:
        ScratchmlError: there are too many for slips of an instrument.
    """
    total = 0
    for name in source.variables:
        known = VARIABLES[name]
        values = table[name]
        bad = values.notna() & ~values.between(known.low, known.high)
        if bad.sum() > max(MOST_IMPLAUSIBLE * len(table), 1):
            row = int(bad.to_numpy().argmax())
            raise ScratchmlError(
                f"{source.title} has {name} {values.iloc[row]:g} at "
                f"{table['time'].iloc[row]:{TIME_FORMAT}} and {bad.sum() - 1:,} more outside "
                f"{known.low:g} .. {known.high:g} {known.unit}: its units must be others; check "
                "--url"
            )
        table.loc[bad, name] = np.nan
        total += int(bad.sum())
    humidity = table["relative_humidity_2m"]
    if len(table) >= 24 and humidity.max() <= 1:
        raise ScratchmlError(
            f"{source.title} has no relative humidity above 1: its unit must be another than "
            "percent; check --url"
        )
    return total


def _missing(everything: pd.DataFrame, whole: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """What is left out: hours, the longest run of them, and which columns are to blame."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], whole, [True])).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    found: dict[str, Any] = {"hours": int((~whole).sum()), "longest_run": 0}
    if len(runs):
        first, last = runs[(runs[:, 1] - runs[:, 0]).argmax()]
        found["longest_run"] = int(last - first)
        found["longest_run_from"] = f"{everything.index[first]:{TIME_FORMAT}}"
    found["by_column"] = {
        name: int(count) for name, count in everything.isna().sum().items() if count
    }
    return found


def _check_enough(source: Source, missing: dict[str, Any], asked: int) -> None:
    gone = missing["hours"]
    if 2 * gone <= asked:
        return
    column, lacking = max(missing["by_column"].items(), key=lambda item: item[1])
    if gone == asked == lacking:
        raise ScratchmlError(f"{source.title} has no hours of it: {source.advice}")
    raise ScratchmlError(
        f"{source.title} lacks {gone:,} of {asked:,} hours ({column} is missing in {lacking:,}): "
        f"{source.advice}"
    )
