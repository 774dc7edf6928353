"""Hours from chunks: joined, checked, kept in the cache, and told where they came from."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import weather_services as ws
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchml as sml
from scratchml import ScratchmlError
from scratchml.weather.cache import FRESH, Cache, default_folder
from scratchml.weather.client import Answer, Client, Patience
from scratchml.weather.download import download
from scratchml.weather.fetch import Access, fetch
from scratchml.weather.fetched import Fetched, side_file
from scratchml.weather.joining import joined
from scratchml.weather.places import Place
from scratchml.weather.sources import OpenMeteo

#: Five chunks.
MONTHS = "2020-01-30", "2020-05-02"
WWO = "worldweatheronline"
JANUARY = "2020-01-01", "2020-01-31"


@dataclass
class Fetching:
    """``download``, with what it needs, and what it has said."""

    services: ws.Services
    cache: Path
    notes: list[str] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)

    def __call__(
        self,
        span: tuple[str, str] = JANUARY,
        source: str = "open-meteo",
        *,
        today: str = "2026-11-29",
        offline: bool = False,
        refresh: bool = False,
        **options: Any,
    ) -> Fetched:
        self.progress.clear()
        self.notes.clear()
        access = Access(
            Cache(self.cache),
            offline=offline,
            refresh=refresh,
            today=date.fromisoformat(today),
            on_chunk=lambda done, total: self.progress.append((done, total)),
            note=self.notes.append,
        )
        if source == "meteostat":
            options = {"station": "16033", **options}
        else:
            options = {"latitude": 46.4767, "longitude": 11.7706, **options}
        return download(source, None, *span, access, **options)

    def fails(self, *arguments: Any, **options: Any) -> str:
        with pytest.raises(ScratchmlError) as caught:
            self(*arguments, **options)
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 500
        return message

    def requests(self) -> int:
        """Since it was last asked."""
        count = len(self.services.asked)
        self.services.asked.clear()
        return count

    def files(self) -> list[Path]:
        return sorted(path for path in self.cache.rglob("*") if path.is_file())


@pytest.fixture
def fetching(services: ws.Services, tmp_path: Path) -> Fetching:
    return Fetching(services, tmp_path / "cache")


def check(hours: pd.DataFrame, span: tuple[str, str], *, shift: int = 0) -> None:
    """Every hour is there, with the weather that it had."""
    first, last = map(date.fromisoformat, span)
    expected = [hour - timedelta(hours=shift) for hour in ws.hours_of(first, last)]
    assert [time.to_pydatetime() for time in hours["time"]] == expected
    for column in ("temperature_2m", "relative_humidity_2m", "snowfall"):
        np.testing.assert_allclose(hours[column], [ws.weather(h)[column] for h in expected])


# --- whole ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["open-meteo", "worldweatheronline", "meteostat"])
def test_chunks_are_joined_without_a_seam(fetching: Fetching, source: str) -> None:
    span = "2015-12-15", "2016-03-02"
    found = fetching(span, source)
    check(found.hours, span, shift=source == "worldweatheronline")
    chunks = 4 if source == "worldweatheronline" else 2
    assert fetching.requests() == chunks
    assert fetching.progress == [(n, chunks) for n in range(chunks + 1)]
    assert found.provenance["missing"]["hours"] == 0


def test_the_python_functions_give_tables_of_hours(services: ws.Services) -> None:
    tables = [
        sml.weather.open_meteo("Canazei", *JANUARY),
        sml.weather.world_weather_online("Canazei, Italy", *JANUARY, key="another-key"),
        sml.weather.meteostat("16033", date(2020, 1, 1), date(2020, 1, 31)),
    ]
    for table, shift in zip(tables, (0, 1, 0), strict=True):
        check(table, JANUARY, shift=shift)
        sml.weather.check_hours(table)
        assert table.attrs["provenance"]["hours"] == 744
    sml.make_dataset(tables[0])
    asked = [params for path, params, _ in services.asked if "past-weather" in path]
    assert {params["key"] for params in asked} == {"another-key"}


FUNCTIONS: dict[str, Callable[..., pd.DataFrame]] = {
    "open-meteo": lambda **options: sml.weather.open_meteo("Canazei", *JANUARY, **options),
    WWO: lambda **options: sml.weather.world_weather_online("Canazei", *JANUARY, **options),
    "meteostat": lambda **options: sml.weather.meteostat("16033", *JANUARY, **options),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_python_functions_take_the_cache_or_not(services: ws.Services, name: str) -> None:
    first = FUNCTIONS[name]()
    asked = services.paths()
    services.asked.clear()
    pd.testing.assert_frame_equal(FUNCTIONS[name](offline=True), first)
    assert services.asked == []
    pd.testing.assert_frame_equal(FUNCTIONS[name](refresh=True), first)
    assert services.paths() == asked
    with pytest.raises(ScratchmlError, match="exclude each other"):
        FUNCTIONS[name](offline=True, refresh=True)


@pytest.mark.parametrize("name", ["open-meteo", WWO])
def test_the_python_functions_take_gaps_if_told_so(services: ws.Services, name: str) -> None:
    def gap(values: dict[str, Any]) -> None:
        if "hourly" in values:
            for column in values["hourly"].values():
                del column[5]
        elif "data" in values:
            del values["data"]["weather"][0]["hourly"][5]

    services.always = ws.values_changed(gap)
    with pytest.raises(ScratchmlError, match="answers 743 of the 744 hours"):
        FUNCTIONS[name]()
    assert len(FUNCTIONS[name](allow_gaps=True)) == 743


def test_further_variables_are_further_columns(fetching: Fetching) -> None:
    hours = fetching(variables=["surface_pressure", "dew_point_2m", "snowfall"]).hours
    assert list(hours.columns) == [*sml.weather.COLUMNS, "surface_pressure", "dew_point_2m"]
    assert hours["surface_pressure"].iloc[0] == ws.weather(datetime(2020, 1, 1))["surface_pressure"]


def test_the_file_is_what_load_reads_and_the_side_file_says_so(
    fetching: Fetching, no_temporary_files: Path
) -> None:
    found = fetching()
    path = no_temporary_files / "new" / "hours.csv"
    about = found.save(path)
    contents = path.read_bytes()
    assert contents.startswith(b"time,temperature_2m,relative_humidity_2m,snowfall\n2020-01-01T00:")
    check(sml.weather.load(path), JANUARY)
    assert json.loads((path.parent / "hours.json").read_text("utf-8")) == about
    assert about["sha256"] == hashlib.sha256(contents).hexdigest()
    assert about["csv"] == "hours.csv"
    assert about["licence"] == "CC BY 4.0"
    assert about["place"] == {"latitude": 46.4767, "longitude": 11.7706}
    assert about["query"]["hourly"] == "temperature_2m,relative_humidity_2m,snowfall"
    assert (about["hours"], about["first"]) == (744, "2020-01-01T00:00")
    assert about["columns"] == {
        "temperature_2m": "C",
        "relative_humidity_2m": "%",
        "snowfall": "cm",
    }


def test_the_same_hours_give_the_same_bytes_on_another_day(
    fetching: Fetching, tmp_path: Path
) -> None:
    for name, today in (("a", "2026-11-29"), ("b", "2027-01-05")):
        found = fetching(today=today, refresh=True)
        for file in ("hours.csv", "packed.csv.gz"):
            found.save(tmp_path / name / file)
        check(sml.weather.load(tmp_path / name / "packed.csv.gz"), JANUARY)
    assert gzip.decompress((tmp_path / "a" / "packed.csv.gz").read_bytes()) == (
        (tmp_path / "a" / "hours.csv").read_bytes()
    )
    for file in ("hours.csv", "hours.json", "packed.csv.gz", "packed.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_json_file_of_someone_else_s_is_left_alone(fetching: Fetching, tmp_path: Path) -> None:
    found = fetching()
    (tmp_path / "metrics.json").write_text('{"accuracy": 0.9}')
    with pytest.raises(ScratchmlError, match=r"metrics\.json would be overwritten"):
        found.save(tmp_path / "metrics.csv")
    assert not (tmp_path / "metrics.csv").exists()
    for _ in range(2):
        found.save(tmp_path / "hours.csv")  # its own is replaced


@pytest.mark.parametrize(
    "side",
    [
        None,
        "",
        "{}",
        '["scratchml_weather"]',
        '{"csv": "own.csv"}',
        '{"scratchml_weather": 1}',
        '{"scratchml_weather": 1, "csv": ["own.csv"]}',
        '{"scratchml_weather": 1, "csv": "own.csv.gz"}',
    ],
)
def test_a_csv_file_of_someone_else_s_is_left_alone(
    fetching: Fetching, tmp_path: Path, side: str | None
) -> None:
    found = fetching()
    (tmp_path / "own.csv").write_text("my own")
    if side is not None:
        (tmp_path / "own.json").write_text(side)
    with pytest.raises(ScratchmlError, match="choose another name with -o"):
        found.save(tmp_path / "own.csv")
    assert (tmp_path / "own.csv").read_text() == "my own"
    assert side is None or (tmp_path / "own.json").read_text() == side


@pytest.mark.parametrize("option", [False, True])
@pytest.mark.parametrize("source", ["open-meteo", "worldweatheronline", "meteostat"])
def test_a_server_of_one_s_own_is_not_named_in_the_side_file(
    fetching: Fetching, tmp_path: Path, source: str, option: bool
) -> None:
    url = fetching.services.url
    about = fetching(source=source, url=url if option else None).save(tmp_path / "hours.csv")
    assert about["query"]["url"] == "a server of your own"
    assert url.removeprefix("http://") not in (tmp_path / "hours.json").read_text("utf-8")


@pytest.mark.parametrize("url", [None, "https://archive-api.open-meteo.com/"])
def test_the_public_server_is_named_in_the_side_file(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    monkeypatch.delenv("SCRATCHML_OPEN_METEO_URL", raising=False)
    source = OpenMeteo(Place(46.4767, 11.7706), url=url)
    first, last = map(date.fromisoformat, JANUARY)
    chunk = source.chunks(first, last)[0]
    body = ws.Services().body(*source.request(chunk))
    assert body is not None
    found = joined(source, first, last, [source.read(Answer(200, body, {}), chunk)])
    assert found.provenance["query"]["url"] == "https://archive-api.open-meteo.com"


@pytest.mark.parametrize("name", ["hours", "hours.txt", ".csv", ".csv.gz", "hours.json"])
def test_a_name_that_is_no_csv_file_s_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScratchmlError, match=r"has to end in \.csv or \.csv\.gz"):
        side_file(tmp_path / name)


def test_a_device_or_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "device.csv").symlink_to("/dev/full")
    for name in ("folder.csv", "device.csv"):
        with pytest.raises(ScratchmlError, match="is no ordinary file"):
            side_file(tmp_path / name)


# --- holes ---------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(data=st.data())
def test_hours_that_lack_a_value_are_left_out_and_counted(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The longest run, by walking from hour to hour."""
    chunk = date(2020, 1, 1), date(2020, 1, 3)
    source = OpenMeteo(Place(46.0, 11.0))
    values = ws.open_meteo(source.request(source.chunks(*chunk)[0])[1])
    names = list(source.variables)
    for name in names:
        for _ in range(data.draw(st.integers(0, 3))):
            first = data.draw(st.integers(0, 71))
            for row in range(first, min(first + data.draw(st.integers(1, 8)), 72)):
                values["hourly"][name][row] = None
    lacking = [any(values["hourly"][name][row] is None for name in names) for row in range(72)]
    run = longest = 0
    for lacks in lacking:
        run = run + 1 if lacks else 0
        longest = max(longest, run)

    access = Access(Cache(tmp_path_factory.mktemp("cache")), today=date(2026, 1, 1))
    client = AnsweringClient(json.dumps(values).encode())
    if sum(lacking) > 36:
        with pytest.raises(ScratchmlError, match=rf"lacks {sum(lacking)} of 72 hours"):
            fetch(source, *chunk, client, access)
        return
    found = fetch(source, *chunk, client, access)
    missing = found.provenance["missing"]
    assert missing["hours"] == sum(lacking)
    assert missing["longest_run"] == longest
    kept = [hour for hour, lacks in zip(ws.hours_of(*chunk), lacking, strict=True) if not lacks]
    assert [time.to_pydatetime() for time in found.hours["time"]] == kept
    sml.weather.check_hours(found.hours)
    if longest:
        start = ws.hours_of(*chunk).index(datetime.fromisoformat(missing["longest_run_from"]))
        assert all(lacking[start : start + longest])
    for name in names:
        assert missing["by_column"].get(name, 0) == values["hourly"][name].count(None)


class AnsweringClient(Client):
    """Has the answer already; for tests of what comes after."""

    def __init__(self, body: bytes) -> None:
        super().__init__("Open-Meteo", patience=Patience())
        self._answer = Answer(200, body, {})

    def get(self, url: str, params: Any, read: Callable[[Answer], Any]) -> Any:
        return read(self._answer)


def test_a_year_that_a_station_lacks_is_a_hole(fetching: Fetching, tmp_path: Path) -> None:
    fetching.services.missing_years = {2013}
    found = fetching(("2012-01-01", "2014-12-31"), "meteostat")
    assert found.provenance["missing"]["hours"] == 8760
    assert found.provenance["missing"]["longest_run"] == 8760
    assert found.provenance["missing"]["longest_run_from"] == "2013-01-01T00:00"
    assert set(found.hours["time"].dt.year) == {2012, 2014}
    assert fetching.requests() == 3
    fetching(("2012-01-01", "2014-12-31"), "meteostat", offline=True)  # that it lacks it is kept


def test_a_station_that_there_is_not(fetching: Fetching) -> None:
    message = fetching.fails(source="meteostat", station="99999")
    assert message.startswith("Meteostat has no hours of it: look the station and its years up at")


def test_more_than_half_missing_is_an_error(fetching: Fetching) -> None:
    fetching.services.missing_years = {2012, 2013}
    message = fetching.fails(("2012-01-01", "2014-12-31"), "meteostat")
    assert message.startswith(
        "Meteostat lacks 17,544 of 26,304 hours (temperature_2m is missing in"
    )


def test_all_null_is_an_error(fetching: Fetching) -> None:
    def nothing(values: dict[str, Any]) -> None:
        for name in ("temperature_2m", "relative_humidity_2m", "snowfall"):
            values["hourly"][name] = [None] * len(values["hourly"]["time"])

    fetching.services.always = ws.values_changed(nothing)
    assert fetching.fails().startswith("Open-Meteo has no hours of it: choose other days")


def test_a_value_that_cannot_be_meant_is_a_hole(fetching: Fetching) -> None:
    def slip(values: dict[str, Any]) -> None:
        values["hourly"]["temperature_2m"][7] = 999.9

    fetching.services.always = ws.values_changed(slip)
    about = fetching().provenance
    assert (about["missing"]["hours"], about["implausible_values"]) == (1, 1)
    assert about["missing"]["longest_run_from"] == "2020-01-01T07:00"


def test_values_in_other_units_are_an_error(fetching: Fetching) -> None:
    def kelvin(values: dict[str, Any]) -> None:
        values["hourly"]["temperature_2m"] = [
            value + 273.15 for value in values["hourly"]["temperature_2m"]
        ]

    fetching.services.always = ws.values_changed(kelvin)
    message = fetching.fails()
    assert "and 743 more outside -90 .. 60 C: its units must be others" in message

    def fraction(values: dict[str, Any]) -> None:
        values["hourly"]["relative_humidity_2m"] = [
            value / 100 for value in values["hourly"]["relative_humidity_2m"]
        ]

    fetching.services.always = ws.values_changed(fraction)
    assert "no relative humidity above 1" in fetching.fails()


# --- days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "complaint"),
    [
        (("2020-02-01", "2020-01-31"), "--end 2020-01-31 lies before --start 2020-02-01"),
        (("1939-12-31", "2020-01-31"), "--start 1939-12-31: Open-Meteo begins at 1940-01-01"),
        (("2020-01-01", "2026-11-30"), "--end 2026-11-30 lies in the future: today is 2026-11-29"),
        (("2020-02-30", "2020-03-31"), "--start '2020-02-30' is not a day such as 2011-01-31"),
        (("20200101", "2020-03-31"), "--start '20200101' is not a day"),
        (("2020-01-01", ""), "--end '' is not a day"),
        (("2020-01-01", "2020-01-01T0"), "is not a day"),
    ],
)
def test_days_that_cannot_be(fetching: Fetching, span: tuple[str, str], complaint: str) -> None:
    assert complaint in fetching.fails(span)
    assert fetching.requests() == 0


# --- the cache -----------------------------------------------------------------------------------


def test_what_is_in_the_cache_is_not_asked_for_again(fetching: Fetching) -> None:
    first = fetching(MONTHS, WWO)
    assert fetching.requests() == 5
    again = fetching(MONTHS, WWO)
    assert fetching.requests() == 0
    pd.testing.assert_frame_equal(again.hours, first.hours)
    fetching(("2020-02-01", "2020-05-02"), WWO)  # all are the same months
    assert fetching.requests() == 0
    fetching(("2020-02-10", "2020-05-02"), WWO)
    assert fetching.requests() == 1
    fetching(MONTHS, WWO, refresh=True)
    assert fetching.requests() == 5


def test_a_download_goes_on_where_it_broke(fetching: Fetching) -> None:
    fetching.services.mishaps = [None, None, None]
    fetching.services.always = ws.status(503)
    message = fetching.fails(MONTHS, WWO)
    assert "HTTP 503" in message
    assert message.endswith("(3 of 5 chunks are kept: repeat the command to go on there)")
    assert fetching.progress[-1] == (3, 5)
    fetching.services.always = None
    fetching.requests()
    check(fetching(MONTHS, WWO).hours, MONTHS, shift=1)
    assert fetching.requests() == 2


def test_a_limit_of_the_day_is_not_waited_for(fetching: Fetching) -> None:
    reason = "Daily API request limit exceeded. Please try again tomorrow."
    fetching.services.mishaps = [None, ws.status(429, reason)]
    message = fetching.fails(("2018-01-01", "2020-01-02"))
    assert reason in message
    assert "repeat the command then (1 of 3 chunks are kept" in message
    assert fetching.requests() == 2


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_file_is_downloaded_anew(fetching: Fetching, seed: int) -> None:
    """One byte of one file, or its end."""
    first = fetching(MONTHS, WWO)
    fetching.requests()
    rng = random.Random(seed)
    path = rng.choice(fetching.files())
    contents = bytearray(path.read_bytes())
    if seed % 2:
        del contents[rng.randrange(len(contents)) :]
    else:
        contents[rng.randrange(len(contents))] ^= 1 << rng.randrange(8)
    path.write_bytes(contents)
    assert "is damaged in the cache" in fetching.fails(MONTHS, WWO, offline=True)
    again = fetching(MONTHS, WWO)
    pd.testing.assert_frame_equal(again.hours, first.hours)
    assert fetching.requests() == 1
    assert fetching.notes[-1] == f"{path} was damaged and was downloaded anew"
    fetching(MONTHS, WWO, offline=True)


def test_another_file_in_its_place_is_not_taken(fetching: Fetching) -> None:
    fetching(MONTHS, WWO)
    one, other = fetching.files()[:2]
    shutil.copy(one, other)
    check(fetching(MONTHS, WWO).hours, MONTHS, shift=1)


def test_offline_is_the_cache_alone(fetching: Fetching) -> None:
    message = fetching.fails(offline=True)
    assert "from 2020-01-01 to 2020-01-31 is not in the cache" in message
    assert message.endswith("repeat the command without --offline")
    fetching()
    fetching.requests()
    check(fetching(offline=True).hours, JANUARY)
    assert fetching.requests() == 0


@pytest.mark.parametrize(
    ("source", "today", "settled"),
    [
        ("open-meteo", "2020-05-11", True),
        ("open-meteo", "2020-05-10", False),
        ("worldweatheronline", "2020-03-02", True),
        ("worldweatheronline", "2020-03-01", False),
        ("meteostat", "2021-06-30", True),  # its file is one of the whole year
        ("meteostat", "2021-06-29", False),
    ],
)
def test_recent_days_are_asked_for_again_on_another_day(
    fetching: Fetching, source: str, today: str, settled: bool
) -> None:
    fetching(source=source, today=today)
    fetching(source=source, today=today)  # the same day: as after a break
    assert fetching.requests() == 1
    (path,) = fetching.files()
    yesterday = path.stat().st_mtime - FRESH - 60
    os.utime(path, (yesterday, yesterday))
    fetching(source=source, today=today, offline=True)  # better than nothing
    assert fetching.requests() == 0
    fetching(source=source, today=today)
    assert fetching.requests() == (0 if settled else 1)


def test_an_answer_that_is_refused_is_not_kept(fetching: Fetching) -> None:
    def celsius(values: dict[str, Any]) -> None:
        values["hourly_units"]["temperature_2m"] = "°F"

    for mishap in (ws.values_changed(celsius), ws.status(400, "no"), ws.instead("<html>")):
        fetching.services.mishaps = [mishap]
        fetching.fails()
        assert fetching.files() == []


def test_a_cache_that_cannot_be_written_to(fetching: Fetching, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fetching.cache = tmp_path / "file" / "cache"
    message = fetching.fails()
    assert "cannot be written to" in message
    assert "SCRATCHML_CACHE_DIR" in message


def test_no_unfinished_file_is_left_in_the_cache(fetching: Fetching) -> None:
    fetching.services.mishaps = [None, ws.cut_short, ws.cut_chunks, ws.hang_up]
    fetching(MONTHS, WWO)
    assert len(fetching.files()) == 5
    assert not any(path.name.startswith(".") for path in fetching.files())


def test_the_key_is_not_in_the_cache_and_not_in_the_side_file(
    fetching: Fetching, tmp_path: Path
) -> None:
    def echo(values: dict[str, Any]) -> None:
        values["data"]["request"] = [{"query": f"you sent {ws.KEY}"}]

    fetching.services.always = ws.values_changed(echo)
    found = fetching(source="worldweatheronline")
    found.save(tmp_path / "hours.csv")
    assert fetching.services.asked[0][1]["key"] == ws.KEY
    assert found.provenance["matched"] == "you sent ***"
    fragments = [ws.KEY, "s3cr3t"]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        text = path.read_text("utf-8") + str(path)
        assert not any(fragment in text for fragment in fragments)


def test_a_key_wins_over_the_environment_s_and_an_empty_one_is_none(fetching: Fetching) -> None:
    fetching(source=WWO, key="another-key")
    assert fetching.services.asked[0][1]["key"] == "another-key"
    assert fetching.fails(source=WWO, key="").startswith("the key is not one")


def test_another_key_finds_the_same_chunks(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(source="worldweatheronline")
    monkeypatch.setenv("WORLDWEATHERONLINE_KEY", "another-key")
    fetching(source="worldweatheronline")
    monkeypatch.delenv("WORLDWEATHERONLINE_KEY")
    fetching(source="worldweatheronline", offline=True)  # which needs none
    assert fetching.requests() == 1


def test_calls_left_are_told(fetching: Fetching) -> None:
    fetching.services.always = ws.changed(lambda body: body, X_WWO_Qpd_Left="123")
    fetching(source="worldweatheronline")
    assert fetching.notes[-1] == "WorldWeatherOnline: 123 calls left today"


def test_the_folder_is_the_platform_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SCRATCHML_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder().name == "weather"
    assert "scratchml" in default_folder().parts
    monkeypatch.setenv("SCRATCHML_CACHE_DIR", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"


def test_places_are_looked_up_once(fetching: Fetching) -> None:
    access = Access(Cache(fetching.cache), note=fetching.notes.append, today=date(2026, 11, 29))
    for _ in range(2):
        download("open-meteo", "Moscow, Idaho", *JANUARY, access)
    assert fetching.services.paths() == ["/v1/search", "/v1/archive"]
    assert fetching.notes[0] == "place: Moscow, Idaho, United States (46.7000 N, 11.7706 E)"
    download("open-meteo", "Moscow", *JANUARY, replace(access, offline=False))
    assert fetching.notes[-1].startswith("other places of this name: Moscow, Idaho, United States")
