"""Download hours chunk by chunk, check and join them, and tell where they came from."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.files import staging
from scratchml.text import printable
from scratchml.weather import places
from scratchml.weather.cache import Cache, Entry
from scratchml.weather.client import Answer, Client
from scratchml.weather.places import Place
from scratchml.weather.sources import Chunk, Parsed, Source
from scratchml.weather.sources.base import checked_url
from scratchml.weather.table import check_hours
from scratchml.weather.variables import VARIABLES

T = TypeVar("T")

#: Share of hours with a value that cannot be meant, above which the units must be others.
MOST_IMPLAUSIBLE = 0.01
IMPLAUSIBLE = "implausible_values"
TIME_FORMAT = "%Y-%m-%dT%H:%M"
#: What every side file has, and hardly any other JSON.
MARK = "scratchml_weather"


@dataclass(frozen=True)
class Fetched:
    """Hours, and where they came from.

    Attributes:
        hours: a table of hours (UTC), without those that lack a value.
        provenance: what the side file says, but for the file's name and check sum.
    """

    hours: pd.DataFrame
    provenance: dict[str, Any]

    def save(self, path: Path) -> dict[str, Any]:
        """Write the table as CSV (gzip if the name ends in .gz), and the side file beside it.

        Both appear when both are written, or neither. The same hours give the same bytes.

        Returns:
            The contents of the side file.

        Raises:
            ScratchmlError: the name is no good for a CSV file, or something else has it.
            OSError: the folder cannot be written to.
        """
        beside = side_file(path)
        with staging(path.parent) as folder:
            contents = self.hours.to_csv(index=False, date_format=TIME_FORMAT).encode()
            if path.suffix == ".gz":
                contents = gzip.compress(contents, mtime=0)
            digest = hashlib.sha256(contents).hexdigest()
            about = {MARK: 1, "csv": path.name, "sha256": digest, **self.provenance}
            (folder / path.name).write_bytes(contents)
            text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
            (folder / beside.name).write_text(text, "utf-8", newline="\n")
        return about


def side_file(path: Path) -> Path:
    """canazei.json for canazei.csv and canazei.csv.gz.

    Raises:
        ScratchmlError: the name is no good for a CSV file, or something else is in its place.
    """
    name = path.name.removesuffix(".gz")
    stem = name.removesuffix(".csv")
    if stem == name or not stem:
        raise ScratchmlError(f"{path}: the file's name has to end in .csv or .csv.gz")
    beside = path.with_name(f"{stem}.json")
    for file in (path, beside):
        if file.exists() and not file.is_file():
            raise ScratchmlError(f"{file} is no ordinary file: choose another name with -o")
    if beside.exists():
        try:
            ours = MARK in json.loads(beside.read_bytes())
        except (ValueError, TypeError, RecursionError):
            ours = False
        if not ours:
            raise ScratchmlError(
                f"{beside} would be overwritten, and was not written by scratchml fetch: choose "
                "another name with -o"
            )
    return beside


@dataclass(frozen=True)
class Access:
    """How answers are come by.

    Attributes:
        offline: from the cache only.
        refresh: not from the cache.
        today: the day (UTC) by which the future and recent days are told; ``None``: the clock's.
        on_chunk: told how many chunks are done, of how many.
        note: told, in a line, what a user may want to know.
    """

    cache: Cache
    offline: bool = False
    refresh: bool = False
    today: date | None = None
    on_chunk: Callable[[int, int], None] = lambda done, total: None
    note: Callable[[str], None] = lambda line: None

    @property
    def day(self) -> date:
        return self.today or datetime.now(timezone.utc).date()

    def answer(
        self,
        client: Client,
        entry: Entry,
        read: Callable[[Answer], T],
        what: str,
        *,
        settled: bool = True,
    ) -> T:
        """What ``read`` makes of an answer, from the cache or else from the service.

        Only an answer that ``read`` takes is kept.

        Raises:
            ScratchmlError: there is none.
        """
        stored = None
        if not self.refresh:
            stored = self.cache.load(entry, settled=settled or self.offline)
        if stored is not None:
            try:
                return read(stored)
            except ScratchmlError:
                if self.offline:
                    raise
        if self.offline:
            damaged = self.cache.folder / entry.file in self.cache.damaged
            trouble = "is damaged" if damaged else "is not"
            raise ScratchmlError(
                f"{what} {trouble} in the cache {self.cache.folder}: repeat the command without "
                "--offline"
            )

        def read_and_keep(answer: Answer) -> T:
            result = read(answer)
            self.cache.store(entry, answer)
            return result

        return client.get(entry.url, entry.params, read_and_keep)


def find_place(name: str, client: Client, access: Access, url: str | None = None) -> Place:
    """The likeliest place of a name; ``access.note`` is told of it and of the others.

    Raises:
        ScratchmlError: there is none.
    """
    address = checked_url(url or places.HOME) + places.PATH
    entry = Entry("geocoding", name, address, places.search_params(name))
    found = access.answer(client, entry, places.reader(name), f"the place {printable(name)!r}")
    access.note(f"place: {found[0].label}")
    if len(found) > 1:
        others = "; ".join(place.label for place in found[1:4])
        access.note(
            f"other places of this name: {others}. Add a region or country after a comma to choose"
        )
    return found[0]


def fetch(source: Source, start: date, end: date, client: Client, access: Access) -> Fetched:
    """The hours from ``start`` to ``end``, both included.

    Raises:
        ScratchmlError: the days are no span that the source can have, a request fails, or there
            are too few hours. Finished chunks stay in the cache.
    """
    check_days(source, start, end, access.day)
    chunks = source.chunks(start, end)
    parsed: list[Parsed] = []
    for done, chunk in enumerate(chunks):
        access.on_chunk(done, len(chunks))
        try:
            parsed.append(_chunk(source, chunk, client, access))
        except ScratchmlError as error:
            if not done or access.offline:
                raise
            kept = f"{done} of {len(chunks)} chunks are kept: repeat the command to go on there"
            message = f"{error} ({kept})"
        else:
            continue
        raise ScratchmlError(message)
    access.on_chunk(len(chunks), len(chunks))
    for path in access.cache.damaged:
        access.note(f"{path} was damaged and was downloaded anew")
    return _joined(source, start, end, parsed)


def check_days(source: Source | type[Source], start: date, end: date, today: date) -> None:
    """Refuse days that a source cannot have."""
    if end < start:
        raise ScratchmlError(f"--end {end} lies before --start {start}")
    if start < source.first_day:
        raise ScratchmlError(f"--start {start}: {source.title} begins at {source.first_day}")
    if end > today:
        raise ScratchmlError(f"--end {end} lies in the future: today is {today} (UTC)")


def _chunk(source: Source, chunk: Chunk, client: Client, access: Access) -> Parsed:
    path, params = source.request(chunk)
    entry = Entry(source.name, f"{chunk.start}-{chunk.end}", source.url + path, params)
    settled = chunk.until + timedelta(days=source.settles) < access.day
    what = f"{source.title}'s weather from {chunk.name}"

    def read(answer: Answer) -> Parsed:
        parsed = source.read(answer, chunk)
        slips = _drop_implausible(source, parsed.hours)
        return replace(parsed, counts={**parsed.counts, IMPLAUSIBLE: slips})

    return access.answer(client, entry, read, what, settled=settled)


def _joined(source: Source, start: date, end: date, parsed: Sequence[Parsed]) -> Fetched:
    columns = source.columns
    table = pd.concat([part.hours for part in parsed], ignore_index=True)
    table = table.drop_duplicates("time").sort_values("time", ignore_index=True)
    span = source.span(start, end, table)
    everything = table.set_index("time").reindex(span)
    whole = everything.notna().all(axis=1)
    missing = _missing(everything, whole.to_numpy())
    _check_enough(source, missing, len(span))
    hours = everything[whole].rename_axis("time").reset_index()
    hours["time"] = hours["time"].astype("datetime64[s]")
    check_hours(hours)
    facts = {name: value for part in reversed(parsed) for name, value in part.facts.items()}
    counts: dict[str, int] = {}
    for part in parsed:
        for name, count in part.counts.items():
            counts[name] = counts.get(name, 0) + count
    path, _ = source.request(source.chunks(start, end)[0])
    address = source.url + (path if "{" not in path and not path.endswith(".gz") else "")
    provenance = {
        "source": source.name,
        "title": source.title,
        "attribution": source.attribution,
        "licence": source.licence,
        "licence_url": source.licence_url,
        "place": source.place(),
        **facts,
        "query": {"url": address, **source.query(), "start": str(start), "end": str(end)},
        "clock_of_start_and_end": source.clock,
        "time": "UTC; sums are those of the hour that ends then",
        "columns": columns,
        "snowfall": source.snowfall,
        "hours": len(hours),
        "first": f"{hours['time'].iloc[0]:{TIME_FORMAT}}",
        "last": f"{hours['time'].iloc[-1]:{TIME_FORMAT}}",
        "missing": missing,
        **counts,
    }
    return Fetched(hours, provenance)


def _drop_implausible(source: Source, table: pd.DataFrame) -> int:
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


def _missing(everything: pd.DataFrame, whole: np.ndarray) -> dict[str, Any]:
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
