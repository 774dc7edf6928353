"""A table of hours is read exactly, or refused with the line and the column that are wrong."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml import ScratchmlError
from scratchml.resources import find
from scratchml.tables.reading import Reading
from scratchml.weather import COLUMNS, check_hours, fingerprint, load, whole_hours
from scratchml.weather.table import EMBEDDED
from scratchml.weather.variables import NEEDED, VARIABLES

examples = settings(deadline=None, max_examples=100)

HEADER = "time,temperature_2m,relative_humidity_2m,snowfall"
GOOD = ["2020-01-01T00:00,-1.5,95,0.7", "2020-01-01T01:00,0.0,100,0", "2020-01-01T02:00,2,80,0"]

#: Hours of a year, with readings in tenths: time, temperature, humidity, snowfall.
HOURS = st.lists(
    st.tuples(
        st.integers(0, 8000), st.integers(-900, 600), st.integers(0, 1000), st.integers(0, 1000)
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row[0],
).map(sorted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hours")


def text(*lines: str) -> str:
    """A file of a header and these lines."""
    return "\n".join([HEADER, *lines]) + "\n"


def read(contents: str | bytes, folder: Path, features: Sequence[str] = ()) -> pd.DataFrame:
    path = folder / "hours.csv"
    path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return load(path, features=features)


def refusal(contents: str | bytes, folder: Path) -> str:
    """What is said of a file after its name; it has to be one printable line."""
    with pytest.raises(ScratchmlError) as caught:
        read(contents, folder)
    message = str(caught.value)
    assert message.isprintable()
    start = f"{folder / 'hours.csv'}: "
    assert message.startswith(start)
    return message.removeprefix(start)


def tenths(n: int) -> str:
    return f"{'-' if n < 0 else ''}{abs(n) // 10}.{abs(n) % 10}"


def stamp(hour: int) -> dt.datetime:
    return dt.datetime(2020, 1, 1) + dt.timedelta(hours=hour)


def csv_of(rows: list[tuple[int, int, int, int]]) -> str:
    return text(
        *(",".join([stamp(hour).isoformat(), *map(tenths, readings)]) for hour, *readings in rows)
    )


# What can be read.


def test_the_embedded_hours_are_those_of_the_file(hours: pd.DataFrame) -> None:
    packed = (find("data") / EMBEDDED).read_bytes()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    assert tuple(hours.columns) == COLUMNS == tuple(rows[0])
    assert len(hours) == len(rows) == 87_672
    expected = np.array([row["time"] for row in rows], "datetime64[s]")
    np.testing.assert_array_equal(hours["time"].to_numpy(), expected)
    for column in NEEDED:
        np.testing.assert_array_equal(hours[column], [float(row[column]) for row in rows])


@examples
@given(rows=HOURS)
def test_every_reading_comes_out_as_python_reads_it(
    rows: list[tuple[int, int, int, int]], folder: Path
) -> None:
    table = read(csv_of(rows), folder)
    assert [time.to_pydatetime() for time in table["time"]] == [stamp(row[0]) for row in rows]
    for place, column in enumerate(NEEDED, start=1):
        assert table[column].dtype == np.float64
        assert table[column].tolist() == [float(tenths(row[place])) for row in rows]
    assert list(table.index) == list(range(len(rows)))


def test_gzip_is_known_by_its_content_and_not_by_its_name(folder: Path) -> None:
    contents = text(*GOOD).encode()
    for name in ("plain.csv", "plain.csv.gz"):
        (folder / name).write_bytes(contents)
    for name in ("packed.csv", "packed.csv.gz"):
        (folder / name).write_bytes(gzip.compress(contents))
    expected = load(folder / "plain.csv")
    for name in ("plain.csv.gz", "packed.csv", "packed.csv.gz"):
        pd.testing.assert_frame_equal(load(folder / name), expected)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
def test_files_of_any_system_are_read(newline: str, mark: str, folder: Path) -> None:
    contents = mark + text(*GOOD).replace("\n", newline)
    pd.testing.assert_frame_equal(read(contents, folder), read(text(*GOOD), folder))


def test_columns_are_found_by_name_and_others_left_out(folder: Path) -> None:
    table = read(
        "pressure,snowfall,time,relative_humidity_2m,temperature_2m\n,3,2020-01-01,2,1\n", folder
    )
    assert table.to_dict("records") == [
        {
            "time": pd.Timestamp(2020, 1, 1),
            "temperature_2m": 1.0,
            "relative_humidity_2m": 2.0,
            "snowfall": 3.0,
        }
    ]


def test_gaps_are_allowed(folder: Path) -> None:
    table = read(text(GOOD[0], GOOD[2], "2021-07-01T00:00,20,50,0"), folder)
    assert table["time"].diff().tolist()[1:] == [
        pd.Timedelta(hours=2),
        pd.Timestamp(2021, 7, 1) - pd.Timestamp(2020, 1, 1, 2),
    ]


@pytest.mark.parametrize(
    "times",
    [
        ("2020-01-01T00:00Z", "2020-01-01T01:00Z", "2020-01-01T02:00Z"),
        ("2020-01-01T01:00+01:00", "2020-01-01T02:00+01:00", "2020-01-01T03:00+01:00"),
        ("2020-01-01T02:00+02:00", "2020-01-01T02:00+01:00", "2020-01-01T02:00+00:00"),
        ("2019-12-31T17:00-0700", "2019-12-31T18:00-0700", "2019-12-31T19:00-0700"),
        ("2020-01-01 00:00", "2020-01-01 01:00:00", "2020-01-01T02"),
    ],
    ids=["UTC", "winter time", "clocks put back", "negative", "no zone"],
)
def test_times_become_utc_and_lose_their_zone(times: tuple[str, ...], folder: Path) -> None:
    table = read(text(*(f"{time},1,50,0" for time in times)), folder)
    assert table["time"].dt.tz is None
    assert table["time"].tolist() == [pd.Timestamp(2020, 1, 1, hour) for hour in range(3)]


@pytest.mark.parametrize("column", NEEDED)
def test_the_least_and_greatest_value_are_allowed(column: str, folder: Path) -> None:
    for value in (VARIABLES[column].low, VARIABLES[column].high):
        cells = {"temperature_2m": 0.0, "relative_humidity_2m": 50.0, "snowfall": 0.0}
        cells[column] = value
        table = read(text(f"2020-01-01T00:00,{','.join(map(str, cells.values()))}"), folder)
        assert table[column].tolist() == [value]


WIDE = """Zeit;T;RH;Schnee;Td;Druck;Wind
01.01.2020 01:00;32,0;95;0,7;14;1013,2;12
01.01.2020 02:00;50,0;80;0;32;1013,1;15
"""
GERMAN = Reading(
    columns={
        "T": "temperature_2m",
        "RH": "relative_humidity_2m",
        "Schnee": "snowfall",
        "Td": "dew_point_2m",
        "Druck": "pressure_msl",
    },
    decimal=",",
    time="Zeit",
    time_format="%d.%m.%Y %H:%M",
    time_zone="Europe/Berlin",
    fahrenheit=True,
)


def test_a_file_of_other_names_and_units_is_read_with_the_features_that_are_wanted(
    folder: Path,
) -> None:
    (folder / "wide.csv").write_text(WIDE)
    table = load(folder / "wide.csv", GERMAN, features=["pressure_msl", "dew_point_2m"])
    assert table.to_dict("list") == {
        "time": [pd.Timestamp(2020, 1, 1, 0), pd.Timestamp(2020, 1, 1, 1)],
        "temperature_2m": [0.0, 10.0],
        "relative_humidity_2m": [95.0, 80.0],
        "snowfall": [0.7, 0.0],
        "dew_point_2m": [-10.0, 0.0],
        "pressure_msl": [1013.2, 1013.1],
    }
    check_hours(table, ["dew_point_2m", "pressure_msl"])
    assert tuple(load(folder / "wide.csv", GERMAN).columns) == COLUMNS


def test_limits_of_a_feature_are_those_of_its_variable(folder: Path) -> None:
    (folder / "wide.csv").write_text(WIDE.replace("1013,1", "101,31"))
    load(folder / "wide.csv", GERMAN)
    with pytest.raises(ScratchmlError, match=r"line 3, column Druck: the value '101,31' is outs"):
        load(folder / "wide.csv", GERMAN, features=["pressure_msl"])


@pytest.mark.parametrize("cell", ["", "NaN", "-", " null "])
def test_missing_readings_are_refused_or_nan(cell: str, folder: Path) -> None:
    contents = text(GOOD[0], f"2020-01-01T01:00,{cell},100,0", GOOD[2])
    assert "column temperature_2m: the value" in refusal(contents, folder)
    hours = load(folder / "hours.csv", missing=True)
    assert hours["temperature_2m"].isna().tolist() == [False, True, False]
    whole = whole_hours(hours)
    pd.testing.assert_frame_equal(whole, read(text(GOOD[0], GOOD[2]), folder))
    pd.testing.assert_frame_equal(whole_hours(whole), whole)
    with pytest.raises(ScratchmlError, match="nan is outside"):
        check_hours(hours)


def test_an_hour_out_of_order_is_named_by_its_column_in_the_file(folder: Path) -> None:
    (folder / "wide.csv").write_text(WIDE + "\n01.01.2020 01:00;32,0;95;0,7;14;1013,2;12\n")
    with pytest.raises(ScratchmlError, match=r"line 5, column Zeit: the value .* comes before"):
        load(folder / "wide.csv", GERMAN)


def test_an_unknown_or_absent_feature_is_refused(hours: pd.DataFrame, folder: Path) -> None:
    for refuse in (
        lambda: load(None, features=["humidity"]),
        lambda: check_hours(hours, ["humidity"]),
        lambda: fingerprint(hours, ["humidity"]),
    ):
        with pytest.raises(ScratchmlError, match="'humidity' is not known; known are temperature"):
            refuse()
    with pytest.raises(ScratchmlError, match="no column cloud_cover"):
        check_hours(hours, ["cloud_cover"])
    with pytest.raises(ScratchmlError, match="the column cloud_cover is missing; needed are time"):
        read(text(*GOOD).replace("\n", ",x\n", 1), folder, features=["cloud_cover"])


def test_reading_choices_are_not_for_the_embedded_hours() -> None:
    with pytest.raises(ScratchmlError, match="a file of your own"):
        load(None, Reading(fahrenheit=True))


def test_hours_need_dates(folder: Path) -> None:
    with pytest.raises(ScratchmlError, match="hours of weather need dates"):
        load(folder / "hours.csv", Reading(time_format="seconds"))


# What cannot.


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        load(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    "contents",
    ["", "\n", "\n\n", gzip.compress(b"", mtime=0)],
    ids=["nothing", "a blank line", "blank lines", "gzip of nothing"],
)
def test_an_empty_file_is_refused(contents: str | bytes, folder: Path) -> None:
    assert refusal(contents, folder) == "the file is empty"


def test_a_header_alone_is_refused(folder: Path) -> None:
    assert refusal(text(), folder) == "there is a header, but no line below it"


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column_is_named(missing: str, folder: Path) -> None:
    header = ",".join(column for column in COLUMNS if column != missing)
    said = refusal(f"{header}\n1,2,3\n", folder)
    assert said.startswith(
        f"the column {missing} is missing; needed are {', '.join(COLUMNS)}, and "
    )


@pytest.mark.parametrize(
    "header", [HEADER.replace(",", "/"), HEADER.upper(), "2020-01-01T00:00,1,50,0"]
)
def test_another_header_is_refused(header: str, folder: Path) -> None:
    assert "is missing; needed are time, temperature_2m" in refusal(
        f"{header}\n{GOOD[0]}\n", folder
    )


def test_gzip_cut_short_anywhere_is_refused(folder: Path) -> None:
    packed = gzip.compress(text(*GOOD).encode())
    for length in range(2, len(packed)):
        said = refusal(packed[:length], folder)
        assert said.startswith("the gzip file is cut short or damaged")


def test_damaged_gzip_is_refused(folder: Path) -> None:
    """Every byte of the text and of its check sum; a header's time stamp does no harm."""
    packed = gzip.compress(text(*GOOD).encode())
    for place in range(10, len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 0xFF
        assert refusal(bytes(damaged), folder).startswith("the gzip file is cut short or damaged")


@examples
@given(contents=st.binary(max_size=300))
def test_garbage_is_refused_in_one_line(contents: bytes, folder: Path) -> None:
    refusal(contents, folder)


@examples
@given(contents=st.binary(max_size=60))
def test_garbage_below_a_header_is_refused_in_one_line(contents: bytes, folder: Path) -> None:
    refusal(text(*GOOD).encode() + b"2020-01-01T03:00,1,50,x" + contents, folder)


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ("cold", "'cold' is not a number"),
        ("1.2.3", "'1.2.3' is not a number"),
        ('"1,5"', "'1,5' is not a number"),
        ("--5", "'--5' is not a number"),
        ("", "missing"),
        ("NaN", "missing"),
        ("null", "missing"),
    ],
)
@pytest.mark.parametrize("column", NEEDED)
def test_cells_that_are_no_numbers_are_named(
    column: str, cell: str, complaint: str, folder: Path
) -> None:
    cells = {"temperature_2m": "1", "relative_humidity_2m": "50", "snowfall": "0", column: cell}
    said = refusal(text(*GOOD, f"2020-01-01T03:00,{','.join(cells.values())}"), folder)
    assert said.startswith(f"line 5, column {column}: the value ")
    assert complaint in said


@pytest.mark.parametrize(
    ("column", "value", "limits"),
    [
        ("temperature_2m", "280.15", "-90 .. 60"),
        ("temperature_2m", "-90.01", "-90 .. 60"),
        ("temperature_2m", "inf", "-90 .. 60"),
        ("temperature_2m", "-inf", "-90 .. 60"),
        ("relative_humidity_2m", "100.5", "0 .. 100"),
        ("relative_humidity_2m", "-1.5", "0 .. 100"),
        ("snowfall", "-0.1", "0 .. 100"),
        ("snowfall", "inf", "0 .. 100"),
    ],
)
def test_values_that_cannot_be_meant_are_named_with_their_limits(
    column: str, value: str, limits: str, folder: Path
) -> None:
    cells = {"temperature_2m": "1", "relative_humidity_2m": "50", "snowfall": "0", column: value}
    said = refusal(text(GOOD[0], f"2020-01-01T01:00,{','.join(cells.values())}", GOOD[2]), folder)
    assert said.startswith(f"line 3, column {column}: the value ")
    assert said.endswith(f" is outside {limits}")


def test_a_number_beyond_all_doubles_is_refused(folder: Path) -> None:
    said = refusal(text(GOOD[0], f"2020-01-01T01:00,1,50,{'9' * 400}"), folder)
    assert said.startswith("line 3, column snowfall: the value ")


def test_a_value_is_shown_as_it_stands_in_the_file(folder: Path) -> None:
    said = refusal(text(*GOOD, "2020-01-01T03:00,280.15,50,0"), folder)
    assert said.replace("'", "") == (
        "line 5, column temperature_2m: the value 280.15 is outside -90 .. 60"
    )


@pytest.mark.parametrize(
    ("times", "line", "complaint"),
    [
        (["2020-01-01T01:00", "2020-01-01T00:00"], 3, "comes before the hour above it"),
        (["2020-01-01T00:00", "2020-01-01T00:00"], 3, "stands twice"),
        (["2020-01-01T00:00Z", "2020-01-01T01:00+01:00"], 3, "stands twice"),
        (["2020-01-01T00:00", "2020-01-02T00:00", "2020-01-01T23:00"], 4, "comes before"),
        (["2020-01-01T00:00", "01/02/2020 03:00"], 3, "is not a time"),
        (["2020-01-01T24:30"], 2, "is not a time"),
        (["2020-02-30T00:00"], 2, "is not a time"),
        (["noon"], 2, "is not a time"),
        (["2020-01-01T00:00", ""], 3, "is not a time"),
    ],
)
def test_times_that_are_wrong_are_named(
    times: list[str], line: int, complaint: str, folder: Path
) -> None:
    said = refusal(text(*(f"{time},1,50,0" for time in times)), folder)
    assert said.startswith(f"line {line}, column time: the value")
    assert complaint in said


@pytest.mark.parametrize("word", ["now", "today"])
def test_a_word_for_the_present_is_not_a_time(word: str, folder: Path) -> None:
    """Else the same file would be another table tomorrow."""
    said = refusal(text(f"{word},1,50,0"), folder)
    assert said.startswith(f"line 2, column time: the value '{word}' is not a time")


@examples
@given(data=st.data(), rows=HOURS)
def test_the_first_wrong_cell_of_a_column_is_found_wherever_it_is(
    data: st.DataObject, rows: list[tuple[int, int, int, int]], folder: Path
) -> None:
    lines = csv_of(rows).splitlines()
    line = data.draw(st.integers(2, len(lines)))
    place = data.draw(st.integers(0, 3))
    for number in (line, data.draw(st.integers(line, len(lines)))):
        cells = lines[number - 1].split(",")
        cells[place] = data.draw(st.sampled_from(["?", "n/a!", "1e", "x" * 50]))
        lines[number - 1] = ",".join(cells)
    said = refusal("\n".join(lines), folder)
    assert said.startswith(f"line {line}, column {COLUMNS[place]}: the value ")


def test_lines_are_counted_past_a_blank_one(folder: Path) -> None:
    said = refusal(text(GOOD[0], "", "2020-01-01T03:00,x,50,0"), folder)
    assert said.startswith("line 4, column temperature_2m: ")


def test_a_wrong_cell_at_the_end_of_a_long_file_is_found(hours: pd.DataFrame, folder: Path) -> None:
    """Such a file is parsed in pieces, of which only the last one has text in the column."""
    contents = hours.to_csv(index=False, date_format="%Y-%m-%dT%H:%M", float_format="%g")
    said = refusal(contents + "2030-01-01T00:00,cold,50,0\n", folder)
    assert said.startswith(f"line {len(hours) + 2}, column temperature_2m: the value 'cold' ")


def test_truth_values_are_no_numbers(folder: Path) -> None:
    """A column of nothing else would be taken for 0 and 1."""
    said = refusal(text("2020-01-01T00:00,1,50,True", "2020-01-01T01:00,1,50,False"), folder)
    assert said == "line 2, column snowfall: the value 'True' is not a number"


def test_a_comma_too_many_in_every_row_is_not_blamed_on_the_times(folder: Path) -> None:
    """As with a table whose header lacks a name; its cells must not move one column over."""
    said = refusal(text(*(line + "," for line in GOOD)), folder)
    assert "time" not in said


def test_a_row_with_more_cells_than_the_header_is_refused(folder: Path) -> None:
    assert "line 3" in refusal(text(GOOD[0], GOOD[1] + ",7"), folder)


def test_a_row_with_fewer_cells_than_the_header_is_refused(folder: Path) -> None:
    said = refusal(text(GOOD[0], "2020-01-01T01:00,1,50"), folder)
    assert said.startswith("line 3, column snowfall: the value is missing")


# The fingerprint.


@examples
@given(rows=HOURS)
def test_a_fingerprint_is_the_sha256_of_the_values_column_by_column(
    rows: list[tuple[int, int, int, int]], folder: Path
) -> None:
    """Models keep it, so it may not change: seconds since 1970, then doubles, little-endian."""
    epoch = dt.datetime(1970, 1, 1)
    seconds = [int((stamp(row[0]) - epoch).total_seconds()) for row in rows]
    values = struct.pack(f"<{len(rows)}q", *seconds)
    for place in (1, 2, 3):
        values += struct.pack(f"<{len(rows)}d", *(float(tenths(row[place])) for row in rows))
    assert fingerprint(read(csv_of(rows), folder)) == hashlib.sha256(values).hexdigest()


def test_the_same_hours_have_one_fingerprint_from_any_file(folder: Path) -> None:
    files: list[str | bytes] = [
        text(*GOOD),
        gzip.compress(text(*GOOD).encode()),
        text(*GOOD).replace("\n", "\r\n"),
        text("2020-01-01T00:00,-1.50,95.0,.7", "2020-01-01T01:00,0,1e2,0.00", GOOD[2] + ".000"),
        text(GOOD[0], GOOD[1].replace(",0.0,", ",-0.0,"), GOOD[2]),
        text(*(f'"{line}"'.replace(",", '","') for line in GOOD)),
        text(*(line.replace("T", " ").replace(":00,", ":00:00Z,") for line in GOOD)),
        "\n".join(",".join(line.split(",")[::-1]) for line in text(*GOOD).splitlines()),
    ]
    assert len({fingerprint(read(contents, folder)) for contents in files}) == 1


@examples
@given(data=st.data(), rows=HOURS)
def test_other_hours_have_another_fingerprint(
    data: st.DataObject, rows: list[tuple[int, int, int, int]], folder: Path
) -> None:
    table = read(csv_of(rows), folder)
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(COLUMNS))
    cells = table[column].tolist()
    cells[place] += pd.Timedelta(hours=1) if column == "time" else 0.1
    other = table.assign(**{column: cells})
    assert fingerprint(other) != fingerprint(table)
    assert fingerprint(table.drop(index=place)) != fingerprint(table)


def test_a_fingerprint_does_not_depend_on_how_pandas_stores_the_times(folder: Path) -> None:
    table = read(text(*GOOD), folder)
    stored = {
        fingerprint(table.assign(time=table["time"].to_numpy().astype(f"datetime64[{unit}]")))
        for unit in ("s", "ms", "us", "ns")
    }
    assert stored == {fingerprint(table)}


def test_features_are_in_the_fingerprint_by_name_and_only_if_they_are_in_use(
    hours: pd.DataFrame,
) -> None:
    wide = hours.head(50).assign(rain=1.0, snow_depth=1.0)
    known = fingerprint(wide)
    assert known == fingerprint(hours.head(50)) == fingerprint(wide, ["temperature_2m"])
    both = fingerprint(wide, ["rain", "snow_depth"])
    assert both == fingerprint(wide, ["snow_depth", "rain"])
    others = {fingerprint(wide, [name]) for name in ("rain", "snow_depth")}
    assert len({known, both, *others, fingerprint(wide.assign(rain=2.0), ["rain"])}) == 5


def test_humidity_as_a_fraction_is_refused(tmp_path: Path) -> None:
    hours = load().head(48)
    hours["relative_humidity_2m"] /= 100
    hours.to_csv(tmp_path / "hours.csv", index=False)
    with pytest.raises(ScratchmlError, match="relative_humidity_2m is in percent"):
        load(tmp_path / "hours.csv")
