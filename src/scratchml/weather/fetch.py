"""Download hours chunk by chunk, each from the cache if it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import TypeVar

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather import places
from scratchml.weather.cache import Cache, Entry
from scratchml.weather.client import Answer, Client
from scratchml.weather.fetched import Fetched
from scratchml.weather.joining import IMPLAUSIBLE, drop_implausible, joined
from scratchml.weather.places import Place
from scratchml.weather.sources import Chunk, Parsed, Source
from scratchml.weather.sources.base import service_url

T = TypeVar("T")


@dataclass(frozen=True)
class Access:
    """How answers are come by.

    Attributes:
        offline: from the cache only.
        refresh: not from the cache.
        today: the day (UTC) by which the future and recent days are told; ``None``: the clock's.
        on_chunk: told how many chunks are done, of how many.
        note: told, in a line, what a user may want to know.

    Raises:
        ScratchmlError: neither the cache nor the service may be asked.
    """

    cache: Cache
    offline: bool = False
    refresh: bool = False
    today: date | None = None
    on_chunk: Callable[[int, int], None] = lambda done, total: None
    note: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        if self.offline and self.refresh:
            raise ScratchmlError("--offline and --refresh exclude each other")

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


def find_place(name: str, client: Client, access: Access) -> Place:
    """The likeliest place of a name; ``access.note`` is told of it and of the others.

    Raises:
        ScratchmlError: there is none.
    """
    address = service_url(None, places.URL_VARIABLE, places.HOME) + places.PATH
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
    return joined(source, start, end, parsed)


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
        slips = drop_implausible(source, parsed.hours)
        return replace(parsed, counts={**parsed.counts, IMPLAUSIBLE: slips})

    return access.answer(client, entry, read, what, settled=settled)
