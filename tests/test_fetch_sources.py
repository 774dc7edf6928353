"""What the sources ask, and what they make of answers: samples, and those of a server."""

from __future__ import annotations

import calendar
import gzip
import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import weather_services as ws
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml import ScratchmlError
from scratchml.weather import places
from scratchml.weather.client import Answer
from scratchml.weather.network import TransientError
from scratchml.weather.places import Place
from scratchml.weather.snow import dew_point, snow_share
from scratchml.weather.sources import (
    Chunk,
    Meteostat,
    OpenMeteo,
    Parsed,
    Source,
    WorldWeatherOnline,
)
from scratchml.weather.sources.base import by_month, by_year

CANAZEI = Place(46.4767, 11.7706)
DAYS = st.dates(date(1990, 1, 1), date(2030, 12, 31))
KINDS: dict[str, Callable[..., Source]] = {
    "open-meteo": lambda **options: OpenMeteo(CANAZEI, **options),
    "worldweatheronline": lambda **options: WorldWeatherOnline(CANAZEI, **options),
    "meteostat": lambda **options: Meteostat("16033", **options),
}
NEW_YEAR = Chunk(date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 2))
#: The year 2020 is chunk enough for a station.
SERVER = ws.Services()


def right(source: Source, chunk: Chunk) -> bytes:
    """What the server answers to the source's own request."""
    body = SERVER.body(*source.request(chunk))
    assert body is not None
    return body


def parse(source: Source, body: bytes | str, chunk: Chunk = NEW_YEAR, status: int = 200) -> Parsed:
    data = body.encode() if isinstance(body, str) else body
    return source.read(Answer(status, data, {}), chunk)


def refusal(source: Source, body: bytes | str, chunk: Chunk = NEW_YEAR, status: int = 200) -> str:
    """The one line with which an answer is refused."""
    with pytest.raises(ScratchmlError) as caught:
        parse(source, body, chunk, status)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


def sample(name: str) -> bytes:
    return (ws.SAMPLES / name).read_bytes()


# --- what is asked -------------------------------------------------------------------------------


@given(start=DAYS, days=st.integers(0, 3000))
def test_chunks_cover_the_days_once_and_keep_to_a_year_or_a_month(start: date, days: int) -> None:
    end = start + timedelta(days=days)
    for split, unit in ((by_year, "%Y"), (by_month, "%Y-%m")):
        chunks = split(start, end)
        every = [c.start + timedelta(days=n) for c in chunks for n in range(c.days)]
        assert every == [start + timedelta(days=n) for n in range(days + 1)]
        for chunk in chunks:
            assert f"{chunk.start:{unit}}" == f"{chunk.end:{unit}}"
        assert len({f"{chunk.start:{unit}}" for chunk in chunks}) == len(chunks)


def test_ten_years_take_so_many_requests() -> None:
    span = date(2011, 1, 1), date(2020, 12, 31)
    assert {name: len(make().chunks(*span)) for name, make in KINDS.items()} == {
        "open-meteo": 10,
        "worldweatheronline": 120,
        "meteostat": 10,
    }


def test_requests_are_those_that_the_services_document() -> None:
    asked = {name: make().request(NEW_YEAR) for name, make in KINDS.items()}
    assert asked == {
        "open-meteo": (
            "/v1/archive",
            {
                "latitude": "46.4767",
                "longitude": "11.7706",
                "start_date": "2020-01-01",
                "end_date": "2020-01-02",
                "hourly": "temperature_2m,relative_humidity_2m,snowfall",
                "models": "era5",
                "timezone": "GMT",
            },
        ),
        "worldweatheronline": (
            "/premium/v1/past-weather.ashx",
            {
                "q": "46.4767,11.7706",
                "date": "2020-01-01",
                "enddate": "2020-01-02",
                "format": "json",
                "tp": "1",
                "extra": "utcDateTime",
            },
        ),
        "meteostat": ("/hourly/2020/16033.csv.gz", {}),
    }


@pytest.mark.parametrize("value", [-0.0000001, 1e-7, 12.3456789, -180.0, 90.0])
def test_coordinates_have_no_exponent(value: float) -> None:
    _, params = OpenMeteo(Place(value / 2, value)).request(NEW_YEAR)
    assert re.fullmatch(r"-?\d+(\.\d{1,6})?", params["longitude"])
    assert float(params["longitude"]) == pytest.approx(value, abs=5e-7)


@pytest.mark.parametrize("name", KINDS)
def test_an_unknown_variable_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ScratchmlError, match=r"no variable 'soil'; it has .*precipitation"):
        KINDS[name](variables=["soil"])


@pytest.mark.parametrize(
    "url",
    "ftp://x http:// x http://a:b@c http://x?y=1 http://x#y http://[ http://x:99999 http://x:0".split(),
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ScratchmlError, match="--url takes"):
        OpenMeteo(CANAZEI, url=url)


def test_a_key_does_not_travel_in_the_open() -> None:
    with pytest.raises(ScratchmlError, match="the key would travel in the open: give --url with"):
        WorldWeatherOnline(CANAZEI, url="http://weather.example")


# --- right answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_values_are_those_of_the_service(name: str) -> None:
    source = KINDS[name](variables=["precipitation"] if name != "open-meteo" else ["dew_point_2m"])
    chunk = source.chunks(date(2020, 2, 28), date(2020, 2, 29))[0]
    table = parse(source, right(source, chunk), chunk).hours
    assert list(table.columns) == ["time", *source.columns]
    hours = ws.hours_of(chunk.start, chunk.end)
    if name == "worldweatheronline":  # days of the place's clock
        hours = [hour - timedelta(hours=1) for hour in hours]
    assert [time.to_pydatetime() for time in table["time"]] == hours
    for column in source.variables:
        expected = [ws.weather(hour)[column] for hour in hours]
        np.testing.assert_allclose(table[column], expected, atol=1e-9, err_msg=column)
        assert table[column].dtype == np.float64


def test_the_sample_answer_of_open_meteo() -> None:
    body = sample("openmeteo_archive_ok.json")
    chunk = Chunk(date(2011, 1, 1), date(2011, 1, 1), date(2011, 1, 1))
    assert "answers 5 of the 24 hours" in refusal(OpenMeteo(CANAZEI), body, chunk)
    parsed = parse(OpenMeteo(CANAZEI, allow_gaps=True), body, chunk)
    assert parsed.facts == {
        "cell": {"latitude": 46.467484, "longitude": 11.728814, "elevation": 1465.0}
    }
    assert parsed.hours["time"].tolist() == [pd.Timestamp(2011, 1, 1, hour) for hour in range(5)]
    np.testing.assert_array_equal(parsed.hours["snowfall"], [0, 0.07, 0.56, 0.21, np.nan])
    np.testing.assert_array_equal(parsed.hours["temperature_2m"], [-7.4, -7.6, -7.9, -8.2, np.nan])


def test_the_sample_answer_of_worldweatheronline() -> None:
    """Local times only: the zone of the place makes UTC of them."""
    body = sample("wwo_past_weather_ok.json")
    chunk = Chunk(date(2011, 1, 1), date(2011, 1, 1), date(2011, 1, 1))
    source = WorldWeatherOnline(Place(46.4767, 11.7706, timezone="Europe/Rome"))
    parsed = parse(source, body, chunk)
    assert parsed.facts == {"matched": "Canazei, Italy"}
    table = parsed.hours
    assert len(table) == 24
    assert table["time"].iloc[0] == pd.Timestamp(2010, 12, 31, 23)
    hourly = json.loads(body)["data"]["weather"][0]["hourly"]
    assert table["temperature_2m"].tolist() == [float(hour["tempC"]) for hour in hourly]
    assert table["relative_humidity_2m"].tolist() == [float(hour["humidity"]) for hour in hourly]
    # light snow all day, 326: 0.3 mm are 0.21 cm, and not the day's 4.6 in every hour
    assert set(table["snowfall"]) == {0.21}
    assert set(table["total_snow_day_cm"]) == {4.6}


def test_without_utc_and_without_a_zone_the_message_names_the_option() -> None:
    chunk = Chunk(date(2011, 1, 1), date(2011, 1, 1), date(2011, 1, 1))
    message = refusal(WorldWeatherOnline(CANAZEI), sample("wwo_past_weather_ok.json"), chunk)
    assert "--timezone Europe/Rome" in message
    with pytest.raises(ScratchmlError, match="'Mars/Base' is no known time zone"):
        WorldWeatherOnline(CANAZEI, timezone="Mars/Base")


def test_a_zone_that_is_not_needed_may_be_unknown() -> None:
    """As where a system has no list of zones."""
    source = WorldWeatherOnline(Place(46.4767, 11.7706, timezone="Mars/Base"))
    assert len(parse(source, right(source, NEW_YEAR)).hours) == 48


@pytest.mark.parametrize(("day", "lost"), [("2020-03-29", 1), ("2020-10-25", 1), ("2020-06-01", 0)])
def test_hours_of_clock_changes_are_left_out_and_counted(day: str, lost: int) -> None:
    """Without UTC from the service: 02:00 does not exist, or exists twice."""
    source = WorldWeatherOnline(CANAZEI, timezone="Europe/Rome")
    chunk = source.chunks(date.fromisoformat(day), date.fromisoformat(day))[0]
    _, params = source.request(chunk)
    body = json.dumps(ws.world_weather_online({**params, "extra": ""}))
    parsed = parse(source, body, chunk)
    assert parsed.counts == {"hours_lost_to_clock_changes": lost}
    assert len(parsed.hours) == 24 - lost
    assert parsed.hours["time"].is_monotonic_increasing
    assert parsed.hours["time"].is_unique


def test_the_sample_year_of_meteostat() -> None:
    source = Meteostat("16033", variables=["pressure_msl"])
    chunk = source.chunks(date(2020, 1, 18), date(2020, 1, 18))[0]
    for name in ("meteostat_hourly_2020_16033.csv", "meteostat_hourly_2020_16033.csv.gz"):
        parsed = parse(source, sample(name), chunk)
        table = parsed.hours
        assert table["time"].tolist() == [
            pd.Timestamp(2020, 1, 18, 5),
            pd.Timestamp(2020, 1, 18, 6),
        ]
        # light snowfall, 0.8 mm; and an hour of which nothing is told
        np.testing.assert_array_equal(table["snowfall"], [0.56, np.nan])
        np.testing.assert_array_equal(table["pressure_msl"], [1012.3, 1012.1])
        assert parsed.counts == {"hours_of_snow_by_dew_point": 0}


def test_a_year_that_the_station_lacks_has_no_hours() -> None:
    source = Meteostat("16033")
    parsed = parse(source, b"not found", status=404)
    assert parsed.hours.empty
    assert list(parsed.hours.columns) == ["time", *source.columns]


def station_row(temperature: float, humidity: float, water: str, code: str) -> Parsed:
    """An hour of a station that has these cells."""
    header = "year,month,day,hour,temp,rhum,prcp,snwd,coco"
    row = f"2020,1,1,0,{temperature},{humidity},{water},,{code}"
    return parse(Meteostat("16033"), f"{header}\n{row}\n")


@pytest.mark.parametrize(
    ("temperature", "humidity", "water", "code", "snow", "by_dew_point"),
    [
        (-5, 90, "1.0", "15", 0.7, 0),  # snow
        (5, 90, "1.0", "15", 0.7, 0),  # snow, whatever the thermometer says
        (-5, 90, "1.0", "12", 0.35, 0),  # sleet: half
        (-5, 90, "1.0", "8", 0.0, 0),  # rain
        (-5, 90, "", "8", 0.0, 0),  # rain, of an unknown amount
        (-5, 90, "", "15", None, 0),  # snow, of an unknown amount
        (-5, 90, "0.0", "", 0.0, 0),  # nothing fell
        (-5, 90, "1.0", "", 0.7, 1),  # nobody said what: cold
        (9, 90, "1.0", "", 0.0, 1),  # nobody said what: warm
        (0.3, 100, "1.0", "", 0.18, 1),  # in between: a quarter of 0.7
        (-5, 90, "1.0", "3", 0.7, 1),  # cloudy at the hour, and something fell before it
        (-5, 90, "", "3", 0.0, 0),  # cloudy, and nobody measured
        (-5, 90, "", "", None, 0),  # nothing is known
        (9, 90, "", "", None, 0),  # not even where it is warm
        (-5, 90, "", "25", None, 0),  # a thunderstorm of something
    ],
)
def test_snow_of_a_station(
    temperature: float,
    humidity: float,
    water: str,
    code: str,
    snow: float | None,
    by_dew_point: int,
) -> None:
    parsed = station_row(temperature, humidity, water, code)
    value = parsed.hours["snowfall"].iloc[0]
    assert np.isnan(value) if snow is None else value == pytest.approx(snow, abs=0.005)
    assert parsed.counts["hours_of_snow_by_dew_point"] == by_dew_point


@given(temperature=st.floats(-20, 40), humidity=st.floats(10, 100), warmer=st.floats(0, 20))
def test_the_dew_point_is_where_the_vapour_saturates(
    temperature: float, humidity: float, warmer: float
) -> None:
    """By Buck's equation, another fit than Magnus' of what was measured over water."""

    def saturation(t: float) -> float:
        return float(6.1121 * np.exp((18.678 - t / 234.5) * t / (257.14 + t)))

    dew = float(dew_point(np.array([temperature]), np.array([humidity]))[0])
    assert dew <= temperature + 1e-9
    wanted = humidity / 100 * saturation(temperature)
    assert saturation(dew) == pytest.approx(wanted, rel=0.02)
    share = snow_share(np.array([dew, dew + warmer]))
    assert share[0] >= share[1]


WWO_CODES = {113: 0, 326: 1, 338: 1, 227: 1, 371: 1, 395: 1, 182: 0.5, 362: 0.5, 308: 0, 350: 0}


@pytest.mark.parametrize(("code", "share"), WWO_CODES.items())
def test_snow_of_worldweatheronline_follows_from_the_code(code: int, share: float) -> None:
    source = WorldWeatherOnline(CANAZEI)
    values = json.loads(right(source, NEW_YEAR))
    for day in values["data"]["weather"]:
        for hour in day["hourly"]:
            hour.update(weatherCode=str(code), precipMM="2.0")
    assert set(parse(source, json.dumps(values)).hours["snowfall"]) == {1.4 * share}


# --- wrong answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_web_page_is_told_from_an_answer(name: str) -> None:
    message = refusal(KINDS[name](), "<html><title>Log in</title></html>")
    assert "'<html><title>Log in" in message
    assert "log in" in message


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("body", ["", "  "])
def test_an_empty_answer_is_asked_for_again(name: str, body: str) -> None:
    if name == "meteostat" and body:
        return
    with pytest.raises(TransientError, match="is empty"):
        parse(KINDS[name](), body)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_an_answer_cut_anywhere_is_refused(name: str, data: st.DataObject) -> None:
    source = KINDS[name]()
    chunk = NEW_YEAR
    body = right(source, chunk)
    cut = data.draw(st.integers(0, len(body) - 1))
    if name == "meteostat" and cut < 2:
        return
    refusal(source, body[:cut], chunk)


@pytest.mark.parametrize("name", ["open-meteo", "worldweatheronline"])
@pytest.mark.parametrize(
    "body",
    ['{"a": ' * 20000, "{}", '{"data": null}', '{"data": []}', '{"data": {"error": "?"}}',
     '{"hourly": [], "hourly_units": 1, "utc_offset_seconds": 0}', '{"data": {"weather": [1]}}',
     b"{\xff}", '{"x": ' + "9" * 5000 + "}"],
)  # fmt: skip
def test_json_of_another_form_is_refused(name: str, body: str | bytes) -> None:
    refusal(KINDS[name](), body)


@pytest.mark.parametrize("name", KINDS)
@given(body=st.binary(max_size=200))
def test_garbage_is_refused_in_one_line(name: str, body: bytes) -> None:
    refusal(KINDS[name](), body)
    refusal(KINDS[name](), b"{" + body)
    refusal(KINDS[name](), b"year,month" + body)


def test_open_meteo_s_text_in_the_middle_of_the_stream() -> None:
    body = right(OpenMeteo(CANAZEI), NEW_YEAR)[:300]
    with pytest.raises(TransientError, match="broke off in the middle of its answer"):
        parse(OpenMeteo(CANAZEI), body + b"Unexpected error while streaming data: timeoutReached")


def test_refusals_of_open_meteo_repeat_its_reason() -> None:
    source = OpenMeteo(CANAZEI)
    message = refusal(source, sample("openmeteo_error_400.json"), status=400)
    assert "out of allowed range from 1940-01-01 to 2026-11-22" in message
    with pytest.raises(TransientError, match="Minutely API request limit exceeded") as caught:
        parse(source, sample("openmeteo_error_429.json"), status=429)
    assert caught.value.after == 60
    for word in ("Hourly", "Daily"):
        reason = f"{word} API request limit exceeded. Please try again tomorrow."
        message = refusal(source, json.dumps({"error": True, "reason": reason}), status=429)
        assert reason in message
        assert "repeat the command then" in message
    message = refusal(source, sample("openmeteo_error_400.json"), status=200)
    assert "refuses the request (Parameter 'start_date'" in message


def test_refusals_of_worldweatheronline_are_explained() -> None:
    source = WorldWeatherOnline(CANAZEI)
    message = refusal(source, sample("wwo_error_location.json"))
    assert "it knows no place at 46.4767 N, 11.7706 E; choose another" in message
    assert "it begins in July 2008" in refusal(source, sample("wwo_error_nodata.json"))
    for status in (401, 403):
        message = refusal(source, "<h1>Developer Inactive</h1>", status=status)
        assert "check WORLDWEATHERONLINE_KEY" in message
    assert "check WORLDWEATHERONLINE_KEY" in refusal(source, "<h1>Developer Over Rate</h1>")
    with pytest.raises(TransientError, match="Over Rate"):
        parse(source, "<h1>Developer Over Rate</h1>", status=429)
    error = json.dumps({"data": {"error": [{"msg": "The API key is invalid\n"}]}})
    assert "(The API key is invalid?): check WORLDWEATHERONLINE_KEY" in refusal(source, error)


def meteo(change: Callable[[dict[str, Any]], Any], **options: Any) -> Any:
    """A changed answer of Open-Meteo, refused."""
    source = OpenMeteo(CANAZEI, **options)
    values = json.loads(right(source, NEW_YEAR))
    change(values)
    return refusal(source, json.dumps(values))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v["hourly_units"].update(temperature_2m="°F"), "temperature_2m in '°F' instead"),
        (lambda v: v["hourly_units"].update(snowfall="inch"), "snowfall in 'inch' instead of 'cm'"),
        (lambda v: v["hourly_units"].pop("snowfall"), "snowfall in 'None' instead"),
        (lambda v: v.update(utc_offset_seconds=3600), "in local time, though UTC was asked for"),
        (lambda v: [c.pop() for c in v["hourly"].values()], "answers 47 of the 48 hours"),
        (lambda v: [c.append(c[-1]) for c in v["hourly"].values()], "2020-01-02T23:00 twice"),
        (lambda v: v["hourly"]["time"].__setitem__(0, "2019-12-31T23:00"), "not asked for"),
        (lambda v: v["hourly"]["time"].reverse(), "out of order"),
        (lambda v: v["hourly"]["time"].__setitem__(0, 5), "unexpected form (no times)"),
        (lambda v: [c.clear() for c in v["hourly"].values()], "no hours for 2020-01-01"),
        (lambda v: v["hourly"]["snowfall"].pop(), "no values of snowfall for every hour"),
        (lambda v: v["hourly"]["snowfall"].__setitem__(0, "1"), "snowfall is not numbers"),
        (lambda v: v["hourly"]["snowfall"].__setitem__(0, True), "snowfall is not numbers"),
        (lambda v: v["hourly"]["snowfall"].__setitem__(0, 10**400), "snowfall is not numbers"),
        (lambda v: v.pop("hourly"), "unexpected form (no hourly values)"),
    ],
)
def test_wrong_answers_of_open_meteo(change: Callable[[Any], Any], complaint: str) -> None:
    assert complaint in meteo(change)


def test_fewer_hours_can_be_allowed() -> None:
    for name in ("open-meteo", "worldweatheronline"):
        source = KINDS[name](allow_gaps=True)
        values = json.loads(right(source, NEW_YEAR))
        if name == "open-meteo":
            for column in values["hourly"].values():
                del column[5]
        else:
            del values["data"]["weather"][0]["hourly"][5]
        table = parse(source, json.dumps(values)).hours
        assert len(table) == 47
        assert table["time"].iloc[4:6].diff().iloc[-1] == pd.Timedelta(hours=2)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d[0]["hourly"].pop(), "answers 47 of the 48 hours"),
        (lambda d: d.pop(), "answers 24 of the 48 hours"),
        (lambda d: d.append(d[0]), "twice"),
        (lambda d: d.clear(), "has no hours for 2020-01-01 to 2020-01-02"),
        (lambda d: d[0].update(date="2019-01-01"), "which was not asked for"),
        (lambda d: d[0]["hourly"][0].update(tempC="mild"), "tempC is not numbers"),
        (lambda d: d[0]["hourly"][0].update(humidity="inf"), "humidity is not numbers"),
        (lambda d: d[0]["hourly"][0].update(time=0), "unexpected form"),
        (lambda d: d[0]["hourly"][0].update(UTCtime="25:00"), "unexpected form"),
        (lambda d: d[0].pop("hourly"), "unexpected form"),
    ],
)
def test_wrong_answers_of_worldweatheronline(change: Callable[[Any], Any], complaint: str) -> None:
    source = WorldWeatherOnline(CANAZEI)
    values = json.loads(right(source, NEW_YEAR))
    change(values["data"]["weather"])
    assert complaint in refusal(source, json.dumps(values))


def test_blank_values_of_worldweatheronline_are_missing() -> None:
    source = WorldWeatherOnline(CANAZEI)
    values = json.loads(right(source, NEW_YEAR))
    first, second, third = values["data"]["weather"][0]["hourly"][:3]
    first["tempC"] = ""
    del second["humidity"]
    third.update(weatherCode=None, precipMM="1.0")
    table = parse(source, json.dumps(values)).hours
    assert table.isna().to_numpy()[:4].tolist() == [
        [False, True, False, False, False],
        [False, False, True, False, False],
        [False, False, False, True, False],
        [False, False, False, False, False],
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.replace("temp,", "warmth,"), "no column temp"),
        (lambda t: t.replace("2020,1,1,0,", "2019,1,1,0,"), "a time that is not in 2020"),
        (lambda t: t.replace("2020,1,1,0,", "2020,13,1,0,"), "a time that is not in 2020"),
        (lambda t: t.replace("2020,1,1,1,", "2020,1,1,0,"), "2020-01-01T00:00 twice"),
        (lambda t: t.replace("isd_lite,200,", "isd_lite,?,", 1), "unexpected form"),
        (lambda t: t + "2020,1,1" + ",1" * 40 + "\n", "damaged"),
        (lambda t: re.sub(r"(?<=lite)\n", ",5\n", t), "more cells than the header has"),
    ],
)
def test_wrong_answers_of_meteostat(change: Callable[[str], str], complaint: str) -> None:
    source = Meteostat("16033", variables=["wind_direction_10m"])
    text = gzip.decompress(ws.meteostat(2020)).decode()
    assert complaint in refusal(source, gzip.compress(change(text).encode(), 1))


@pytest.mark.parametrize("station", ["", "1", "../etc", "16033/x", "a b c", "x" * 11])
def test_a_station_that_can_be_none_is_refused(station: str) -> None:
    with pytest.raises(ScratchmlError, match="is no identifier such as 16033"):
        Meteostat(station)


# --- places --------------------------------------------------------------------------------------


def found(name: str, entries: Any) -> list[Place]:
    return places.reader(name)(Answer(200, json.dumps({"results": entries}).encode(), {}))


def test_the_first_of_a_name_wins_and_a_comma_chooses() -> None:
    assert [place.country for place in found("Moscow", ws.TWINS)] == ["Russia", "United States"]
    (idaho,) = found("Moscow, idaho", ws.TWINS)
    assert idaho.label == "Moscow, Idaho, United States (46.7000 N, 11.7706 E)"
    assert [place.country for place in found("Moscow, RU", ws.TWINS)] == ["Russia"]
    assert Place(-33.5, -70.25).label == "33.5000 S, 70.2500 W"


@pytest.mark.parametrize(
    ("name", "entries", "complaint"),
    [
        ("Nowhere", [], "no place is called 'Nowhere': check the spelling"),
        ("Nowhere", None, "no place is called 'Nowhere'"),
        ("Moscow, Peru", ws.TWINS, "but there is Moscow, Moscow, Russia"),
        ("Moscow", [{}], "unexpected form"),
        ("Moscow", [{"latitude": "1", "longitude": 2}], "unexpected form"),
        ("Moscow", [{"latitude": 91, "longitude": 2}], "outside -90 .. 90"),
        ("Moscow", 5, "unexpected form"),
    ],
)
def test_places_that_are_not_found(name: str, entries: Any, complaint: str) -> None:
    with pytest.raises(ScratchmlError) as caught:
        found(name, entries)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", "x", ",Italy", "\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ScratchmlError, match="is no name of a place"):
        places.search_params(name)


@pytest.mark.parametrize(("latitude", "longitude"), [(91, 0), (0, 181), (float("nan"), 0)])
def test_coordinates_that_are_not_on_earth_are_refused(latitude: float, longitude: float) -> None:
    with pytest.raises(ScratchmlError, match="is outside"):
        Place(latitude, longitude)


def test_leap_years_have_their_day() -> None:
    for year in (2019, 2020):
        (chunk,) = by_year(date(year, 1, 1), date(year, 12, 31))
        assert chunk.days == 365 + calendar.isleap(year)
        assert len(ws.hours_of(chunk.start, chunk.end)) == 24 * chunk.days
    assert datetime(2020, 2, 29) in ws.hours_of(date(2020, 2, 1), date(2020, 2, 29))
