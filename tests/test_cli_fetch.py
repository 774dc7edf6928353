"""``scratchml fetch``: from a place's name to a trained network, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import weather_services as ws
from command_line import QUICK, called, complaint, json_of, output_of, scratchml, terminal_run
from conftest import ROOT

import scratchml as sml

JANUARY = ("--start", "2020-01-01", "--end", "2020-01-31")
YEARS = ("--start", "2011-01-01", "--end", "2015-12-31")
WWO = ("--source", "worldweatheronline")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(*arguments: str | Path) -> str:
    """The line with which it fails, leaving nothing; notes may stand before it."""
    before = names(Path())
    result = called("fetch", *arguments)
    assert names(Path()) == before
    return complaint(result)


# --- right ---------------------------------------------------------------------------------------


def test_from_a_name_to_a_model(services: ws.Services, folder: Path) -> None:
    result = called("fetch", "Canazei", "--start", "2011-01-01", "--end", "2012-12-31")
    assert result.returncode == 0, result.stderr
    assert names(folder) == ["canazei.csv", "canazei.json"]
    assert "place: Canazei, Trentino-Alto Adige, Italy (46.4767 N, 11.7706 E)" in result.stderr
    assert "CC BY 4.0" in result.stderr
    assert "next: scratchml run canazei.csv" in result.stderr
    assert "17,544" in result.stdout
    hours = sml.weather.load("canazei.csv")
    assert len(hours) == 17_544
    found = json_of("run", "canazei.csv", "-o", "out", *QUICK)
    assert all(pair["differing"] == 0 for pair in found["verify"])


def test_json_is_the_side_file(services: ws.Services, folder: Path) -> None:
    about = json_of("fetch", "Canazei", *JANUARY, "-o", "new/hours.csv.gz")
    assert about == json.loads((folder / "new" / "hours.json").read_text("utf-8"))
    contents = (folder / "new" / "hours.csv.gz").read_bytes()
    assert about["sha256"] == hashlib.sha256(contents).hexdigest()
    assert about["place"]["name"] == "Canazei"
    assert about["place"]["timezone"] == "Europe/Rome"
    assert len(sml.weather.load(folder / "new" / "hours.csv.gz")) == about["hours"] == 744


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["--latitude", "46.5", "--longitude", "-11.25"], "46.5_-11.25.csv"),
        (["Canazei, Italy"], "canazei_italy.csv"),
        (["Home", "--latitude", "46.5", "--longitude", "11"], "home.csv"),
        (["--source", "meteostat", "--station", "16033"], "meteostat_16033.csv"),
        (["Canazei", "--source", "meteostat", "--station", "16033"], "canazei.csv"),
        (["Canazei", *WWO], "canazei.csv"),
    ],
)
def test_the_file_is_named_after_the_place(
    services: ws.Services, folder: Path, arguments: list[str], file: str
) -> None:
    output_of("fetch", *arguments, *JANUARY)
    assert names(folder) == [file, file.replace(".csv", ".json")]
    assert len(sml.weather.load(file)) == 744
    looked_up = "/v1/search" in services.paths()
    assert looked_up == (arguments[0].startswith("Canazei") and "--station" not in arguments)


def test_further_variables(services: ws.Services) -> None:
    about = json_of("fetch", "Canazei", *JANUARY, "--variables", "surface_pressure, dew_point_2m")
    assert about["columns"]["surface_pressure"] == "hPa"
    header = Path("canazei.csv").read_text().splitlines()[0]
    assert header.endswith(",snowfall,surface_pressure,dew_point_2m")


def test_days_and_model_reach_the_service(services: ws.Services) -> None:
    output_of("fetch", "Canazei", *JANUARY, "--model", "best_match")
    params = services.asked[-1][1]
    assert (params["models"], params["start_date"]) == ("best_match", "2020-01-01")


def test_an_address_wins_over_the_environment(
    services: ws.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRATCHML_OPEN_METEO_URL", "http://127.0.0.1:9")
    assert "127.0.0.1:9 refuses the connection" in refused("Canazei", *JANUARY)
    output_of("fetch", "Canazei", *JANUARY, "--url", services.url + "/")


@pytest.mark.parametrize("name", ["SCRATCHML_OPEN_METEO_URL", "SCRATCHML_GEOCODING_URL"])
def test_a_variable_that_is_no_address_is_named(
    services: ws.Services, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "localhost:8080")
    assert f"the variable {name} takes a service's address" in refused("Canazei", *JANUARY)


def test_holes_are_told(services: ws.Services) -> None:
    services.missing_years = {2013}
    result = called("fetch", "--source", "meteostat", "--station", "16033", *YEARS)
    assert "8,760 hours lack a value and are left out, at most 8,760 in a row" in result.stderr
    assert "from 2013-01-01T00:00" in result.stderr


def test_a_value_that_cannot_be_meant_is_told(services: ws.Services, folder: Path) -> None:
    def slip(values: dict[str, Any]) -> None:
        values["hourly"]["temperature_2m"][7] = 999.9

    services.mishaps = [None, ws.values_changed(slip)]
    result = called("fetch", "Canazei", *JANUARY)
    assert result.returncode == 0, result.stderr
    assert "1 hours lack a value and are left out" in result.stderr
    assert "1 values that cannot be meant count as missing" in result.stderr
    assert "next: scratchml run canazei.csv" in result.stderr
    assert len(sml.weather.load("canazei.csv")) == 743


def test_waits_are_told(services: ws.Services) -> None:
    services.mishaps = [None, ws.status(503)]
    result = called("fetch", "Canazei", *JANUARY)
    assert result.returncode == 0
    assert "HTTP 503); waiting 0.01 s before attempt 2 of 5" in result.stderr


def test_the_second_time_nothing_is_asked(services: ws.Services) -> None:
    first = output_of("fetch", "Canazei", *JANUARY, "-o", "a.csv")
    services.asked.clear()
    assert output_of("fetch", "Canazei", *JANUARY, "-o", "b.csv") == first
    output_of("fetch", "Canazei", *JANUARY, "--offline", "-o", "c.csv")
    assert services.asked == []
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes() == Path("c.csv").read_bytes()
    output_of("fetch", "Canazei", *JANUARY, "--refresh")
    assert services.paths() == ["/v1/search", "/v1/archive"]


# --- wrong ---------------------------------------------------------------------------------------

WRONG = {
    "day": (["Canazei", "--start", "1.1.2020", "--end", "2020-02-01"], "is not a day such as"),
    "order": (["Canazei", "--start", "2020-01-02", "--end", "2020-01-01"], "lies before"),
    "future": (["Canazei", "--start", "2020-01-02", "--end", "2999-01-01"], "in the future"),
    "too early": (["Canazei", "--start", "1900-01-01", "--end", "1950-01-01"], "1940-01-01"),
    "wwo too early": (["Canazei", *WWO, "--start", "2008-06-30", "--end", "2009-01-01"], "2008-07"),
    "unknown": (["Nowhereville", *JANUARY], "no place is called 'Nowhereville'"),
    "no place": ([*JANUARY], "name a place, as in Canazei"),
    "no longitude": (["--latitude", "4", *JANUARY], "--longitude is missing"),
    "no latitude": (["--longitude", "4", *JANUARY], "--latitude is missing"),
    "latitude": (["--latitude", "95", "--longitude", "4", *JANUARY], "95 is outside -90 .. 90"),
    "longitude": (["--latitude", "5", "--longitude", "nan", *JANUARY], "nan is outside"),
    "source": (["Canazei", "--source", "aether", *JANUARY], "known are open-meteo, worldweather"),
    "no station": (["Canazei", "--source", "meteostat", *JANUARY], "takes a station"),
    "station": (["--source", "meteostat", "--station", "99999", *JANUARY], "look the station"),
    "odd station": (["--source", "meteostat", "--station", "../x", *JANUARY], "no identifier"),
    "other's": (["Canazei", "--station", "16033", *JANUARY], "goes with --source meteostat"),
    "other's model": (["Canazei", *WWO, "--model", "era5", *JANUARY], "with --source open-meteo"),
    "model": (["Canazei", "--model", "a&b", *JANUARY], "is no name such as era5"),
    "zone": (["Canazei", *WWO, "--timezone", "X/Y", *JANUARY], "no known time zone"),
    "variable": (["Canazei", "--variables", "soil", *JANUARY], "no variable 'soil'"),
    "both": (["Canazei", "--offline", "--refresh", *JANUARY], "exclude each other"),
    "offline": (["Canazei", "--offline", *JANUARY], "is not in the cache"),
    "url": (["Canazei", "--url", "weather", *JANUARY], "takes a service's address"),
    "output": (["Canazei", "-o", "hours.txt", *JANUARY], "has to end in .csv"),
    "device": (["Canazei", "-o", "/dev/full", *JANUARY], "has to end in .csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_refused_in_one_line(services: ws.Services, name: str) -> None:
    arguments, words = WRONG[name]
    assert words in refused(*arguments)
    if name not in ("unknown", "station"):
        assert not {"/v1/archive", "/premium/v1/past-weather.ashx"} & set(services.paths())


def test_days_are_needed(services: ws.Services) -> None:
    assert called("fetch", "Canazei", "--start", "2020-01-01").returncode == 2


BAD_DAYS = {
    "limit": (ws.status(429, "Daily API request limit exceeded."), "Daily API request limit"),
    "refusal": (ws.status(400, "Parameter 'start_date' is out of range"), "is out of range"),
    "overload": (ws.status(503), "HTTP 503), 5 times in a row: repeat the command later"),
    "page": (ws.instead("<html>Welcome to the hotel"), "if this network has a login page"),
    "redirect": (ws.instead("", 302, Location="http://hotel/login"), "redirects to hotel/login"),
    "cut": (ws.cut_short, "broke off"),
    "reset": (ws.hang_up, "broke off"),
    "stream": (
        ws.changed(lambda body: body[:99] + b"Unexpected error while streaming data: timeout"),
        "broke off in the middle of its answer",
    ),
    "empty": (ws.instead("{}"), "unexpected form"),
}


@pytest.mark.parametrize("name", BAD_DAYS)
def test_a_bad_day_of_the_service_leaves_what_was_there(services: ws.Services, name: str) -> None:
    mishap, words = BAD_DAYS[name]
    output_of("fetch", "Canazei", "--start", "2019-01-01", "--end", "2019-01-31")
    before = Path("canazei.csv").read_bytes(), Path("canazei.json").read_bytes()
    services.always = mishap  # the place is in the cache
    assert words in refused("Canazei", *JANUARY)
    assert (Path("canazei.csv").read_bytes(), Path("canazei.json").read_bytes()) == before


def test_a_folder_that_is_none_is_told_before_the_download(services: ws.Services) -> None:
    Path("file").write_text("")
    message = refused("Canazei", *JANUARY, "-o", "file/hours.csv")
    assert "file" in message
    assert services.asked == []


def test_a_json_of_someone_else_is_told_before_the_download(services: ws.Services) -> None:
    Path("hours.json").write_text("{}")
    assert "would be overwritten" in refused("Canazei", *JANUARY, "-o", "hours.csv")
    assert services.asked == []


def test_a_csv_of_someone_else_is_told_before_the_download(services: ws.Services) -> None:
    Path("own.csv").write_text("my own")
    message = refused("Canazei", *JANUARY, "-o", "own.csv")
    assert "own.csv would be overwritten, and was not written by scratchml fetch" in message
    assert "choose another name with -o" in message
    assert Path("own.csv").read_text() == "my own"
    assert services.asked == []


def test_a_csv_and_its_gzip_do_not_share_a_side_file(services: ws.Services) -> None:
    output_of("fetch", "Canazei", *JANUARY, "-o", "hours.csv")
    services.asked.clear()
    before = Path("hours.json").read_bytes()
    message = refused("Canazei", *JANUARY, "-o", "hours.csv.gz")
    assert "hours.json belongs to hours.csv: choose another name with -o" in message
    assert Path("hours.json").read_bytes() == before
    assert services.asked == []
    output_of("fetch", "Canazei", *JANUARY, "-o", "hours.csv")  # its own are replaced


def test_a_full_disk_leaves_nothing_half_written(
    services: ws.Services, no_temporary_files: Path
) -> None:
    """There is room for the side file, but not for the table."""
    output_of("fetch", "Canazei", *JANUARY, "-o", "../elsewhere/hours.csv")
    arguments = ["fetch", "Canazei", *JANUARY, "-o", "hours.csv", "--offline"]
    before = {path: path.read_bytes() for path in no_temporary_files.rglob("*") if path.is_file()}
    result = scratchml(
        *arguments,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)),
    )
    assert "File too large" in complaint(result)
    after = {path: path.read_bytes() for path in no_temporary_files.rglob("*") if path.is_file()}
    assert after == before


# --- breaks --------------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_is_finished(services: ws.Services, folder: Path) -> None:
    services.mishaps = [None, None, None]  # the geocoder and two years
    services.always = ws.silence
    result = terminal_run("fetch", "Canazei", *YEARS, until="2/5")
    assert result.returncode == 130
    assert result.stdout == ""
    assert "interrupted; 2 of 5 chunks are kept: repeat the command to go on there" in result.stderr
    assert "Traceback" not in result.stderr
    assert names(folder) == []
    services.always = None
    services.asked.clear()
    output_of("fetch", "Canazei", *YEARS)
    assert services.paths() == 3 * ["/v1/archive"]
    assert len(sml.weather.load("canazei.csv")) == 43_824


def test_a_process_that_is_killed_leaves_whole_chunks(services: ws.Services, folder: Path) -> None:
    services.mishaps = [None, None, None]
    services.always = ws.silence
    process = subprocess.Popen([sys.executable, "-m", "scratchml", "fetch", "Canazei", *YEARS])
    while len(services.asked) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert names(folder) == []
    services.always = None
    services.asked.clear()
    output_of("fetch", "Canazei", *YEARS)
    assert services.paths() == 3 * ["/v1/archive"]


# --- the key -------------------------------------------------------------------------------------


def test_without_a_key_the_variable_is_named(
    services: ws.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("", " "):
        monkeypatch.setenv("WORLDWEATHERONLINE_KEY", value)
        message = refused("Canazei", *WWO, *JANUARY)
        assert "needs a key: put it into the variable WORLDWEATHERONLINE_KEY" in message
    monkeypatch.setenv("WORLDWEATHERONLINE_KEY", "a b c d e f")
    message = refused("Canazei", *WWO, *JANUARY)
    assert "the key is not one" in message
    assert "a b c" not in message
    assert services.asked == []


@pytest.mark.parametrize(
    "mishap",
    [
        None,
        ws.status(403),
        ws.status(503),
        ws.hang_up,
        ws.instead('{"data": {"error": [{"msg": "The key is bad"}]}}'),
        lambda handler, _: handler.reply(handler.path.encode(), 400),
        lambda handler, _: handler.reply(b"", 302, Location=f"http://x{handler.path}"),
    ],
)
def test_the_key_is_nowhere_to_be_read(
    services: ws.Services,
    tmp_path: Path,
    mishap: ws.Mishap | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    services.mishaps = [None]
    services.always = mishap
    caplog.set_level(logging.DEBUG)
    result = called("fetch", "Canazei", *WWO, *JANUARY)
    assert result.returncode == (1 if mishap else 0)
    assert "past-weather.ashx" in caplog.text or mishap is ws.hang_up  # the library does log
    texts = [result.stdout, result.stderr, caplog.text]
    texts += [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    texts += [str(path) for path in tmp_path.rglob("*")]
    assert not any("s3cr3t" in text for text in texts)
    assert any(params.get("key") == ws.KEY for _, params, _ in services.asked)


def test_at_a_terminal_the_key_is_asked_for_and_not_shown(
    services: ws.Services, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLDWEATHERONLINE_KEY")
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "scratchml", "fetch", "Canazei", *WWO, *JANUARY]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    typed = False
    while process.poll() is None or select.select([terminal], [], [], 0.1)[0]:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # it has closed
                break
        if b"Key of WorldWeatherOnline" in shown and not typed:
            time.sleep(0.3)  # until it has stopped the echo
            os.write(terminal, b"typed-by-hand\n")
            typed = True
    os.close(terminal)
    assert process.wait() == 0, shown
    assert typed
    assert b"typed-by-hand" not in shown
    assert services.asked[-1][1]["key"] == "typed-by-hand"
    assert names(folder) == ["canazei.csv", "canazei.json"]


def test_the_key_is_no_option() -> None:
    page = output_of("fetch", "--help", columns=200)
    assert "--key" not in page
    assert "WORLDWEATHERONLINE_KEY" in page


# --- the page ------------------------------------------------------------------------------------


def test_the_page_names_every_option_and_variable() -> None:
    page = (ROOT / "docs" / "weather.md").read_text("utf-8")
    help_page = output_of("fetch", "--help", columns=200)
    for word in help_page.split():
        if word.startswith("--") and word not in ("--help", "--json", "--output"):
            assert word.strip("`.,") in page, word
    sources = ROOT / "src" / "scratchml" / "weather"
    code = "".join(path.read_text("utf-8") for path in sources.rglob("*.py"))
    for variable in set(re.findall(r"\b(?:SCRATCHML|WORLDWEATHERONLINE)_[A-Z_]+\b", code)):
        assert variable in page, variable
    for name, variable_of in sml.weather.variables.VARIABLES.items():
        assert f"`{name}`" in page
        assert variable_of.unit in page
