"""Anybody's CSV is read exactly, or refused with the line and the column that are wrong."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scratchml import ScratchmlError
from scratchml.tables import read_table
from scratchml.tables.chunks import PlainChunk
from scratchml.tables.reading import Reading, pairs
from scratchml.tables.rows import BLOCK, LONGEST_LINE, NOT_TEXT

examples = settings(deadline=None, max_examples=100)

ENCODINGS = {
    "utf-8": "",
    "utf-8-sig": "",
    "utf-16": "",
    "utf-32": "",
    "cp1252": "cp1252",
    "utf-16-le": "utf-16-le",
}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.sampled_from("abz ,;|\t\"'#\n-.äÖ€"), min_size=1, max_size=6).filter(
    lambda word: word == word.strip()
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def read(
    contents: str | bytes, folder: Path, reading: Reading | None = None, **wanted: Any
) -> pd.DataFrame:
    path = folder / "table.csv"
    path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return read_table(path, reading, **({"numbers": ["temp"]} | wanted))


def refusal(
    contents: str | bytes, folder: Path, reading: Reading | None = None, **wanted: Any
) -> str:
    """What is said of a file after its name; it has to be one printable line."""
    with pytest.raises(ScratchmlError) as caught:
        read(contents, folder, reading, **wanted)
    message = str(caught.value)
    assert message.isprintable()
    start = f"{folder / 'table.csv'}: "
    assert message.startswith(start)
    return message.removeprefix(start)


# What is read.


@examples
@given(data=st.data())
def test_what_python_writes_is_read_back(data: st.DataObject, folder: Path) -> None:
    """Of any delimiter, decimal sign, encoding, quoting, line end; packed; with blank lines."""
    rows = data.draw(
        st.lists(
            st.tuples(NUMBERS, WORDS, NUMBERS, st.datetimes(dt.datetime(1700, 1, 1))), min_size=1
        )
    )
    rows = [row for row in rows if row[3].year < 2262] or [(0.5, "a", 1.0, dt.datetime(2020, 1, 1))]
    decimal = data.draw(st.sampled_from(".,"))
    delimiter = data.draw(st.sampled_from([d for d in ",;\t|" if d != decimal]))
    encoding = data.draw(st.sampled_from(list(ENCODINGS)))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator=end,
        quoting=data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(["note", "a b", "class", "x", "time"])
    lines = []
    for x, word, y, time in rows:
        text.write(data.draw(st.sampled_from(["", "", end, end + " " + end, delimiter * 4 + end])))
        lines.append(text.getvalue().count("\n") + 1)
        numbers = [repr(value).replace(".", decimal) for value in (x, y)]
        writer.writerow(["", numbers[0], word, numbers[1], time.isoformat()])
    contents = text.getvalue().encode(encoding)
    table = read(
        gzip.compress(contents) if data.draw(st.booleans()) else contents,
        folder,
        Reading(
            delimiter=data.draw(st.sampled_from(["", delimiter])),
            decimal=decimal,
            encoding=ENCODINGS[encoding],
        ),
        numbers=["x", "a b"],
        texts=["class"],
        time="time",
        block=data.draw(st.sampled_from([1, 7, 64, BLOCK])),
    )
    assert list(table.columns) == ["time", "x", "a b", "class"]
    assert table["a b"].tolist() == [row[0] for row in rows]
    assert table["x"].tolist() == [row[2] for row in rows]
    assert table["class"].tolist() == [row[1] for row in rows]
    assert table["class"].cat.categories.tolist() == sorted({row[1] for row in rows})
    assert table["time"].dtype == "datetime64[ns]"
    assert [time.to_pydatetime() for time in table["time"]] == [row[3] for row in rows]
    assert table.index.tolist() == lines


@examples
@given(cell=st.text(st.sampled_from("0123456789+-.eE_ xnaif٣"), max_size=8))
@example(cell="1_000")
@example(cell="1e999")
@example(cell="٣")
def test_a_number_is_what_python_takes_for_one_but_nothing_more(cell: str, folder: Path) -> None:
    """float() also takes digits of other scripts and 1_000; numbers that are none are refused."""
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else np.nan
    except ValueError:
        value = np.nan
    for contents in (f"temp,x\n{cell},1\n", f'temp,x\n"{cell}",1\n'):
        if np.isfinite(value):
            assert read(contents, folder)["temp"].tolist() == [value]
        else:
            assert refusal(contents, folder).startswith("line 2, column temp: the value")


@pytest.mark.parametrize(
    "cell", ["", " ", '""', "NA", "n/a", "#N/A", "nan", "NaN", "null", "NULL", "None", "-", " - "]
)
def test_missing_numbers_are_nan_if_they_may_be(cell: str, folder: Path) -> None:
    contents = f"temp,x\n1,1\n{cell},1\n2,1\n"
    np.testing.assert_array_equal(read(contents, folder, missing=True)["temp"], [1, np.nan, 2])
    said = refusal(contents, folder)
    assert said.startswith("line 3, column temp: the value ")
    assert said.endswith("is missing: fill it or leave the whole line out")


def test_of_texts_only_an_empty_cell_is_missing(folder: Path) -> None:
    contents = "label,x\nNA,1\n,1\nnone,1\n"
    table = read(contents, folder, numbers=[], texts=["label"], missing=True)
    assert table["label"].isna().tolist() == [False, True, False]
    assert table["label"].cat.categories.tolist() == ["NA", "none"]
    said = refusal(contents, folder, numbers=[], texts=["label"])
    assert said == "line 3, column label: the value is missing: fill it or leave the whole line out"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_lines_are_counted_in_files_of_any_system(newline: str, folder: Path) -> None:
    contents = 'temp,note\n1,"a\nb"\n\n2,c\n'.replace("\n", newline)
    table = read(contents, folder, texts=["note"])
    assert table.index.tolist() == [2, 5]
    assert table["note"].tolist() == ["a\nb", "c"]


def test_columns_get_the_names_that_are_asked_for(folder: Path) -> None:
    reading = Reading(columns={"T [C]": "temp", "temp": "other", "a=b": "c"}, time="Date")
    table = read(
        "T [C],temp,a=b,Date\n1,2,3,2020-01-01\n",
        folder,
        reading,
        numbers=["temp", "other", "c"],
        time="time",
    )
    assert table.to_dict("list") == {
        "time": [pd.Timestamp(2020, 1, 1)],
        "temp": [1.0],
        "other": [2.0],
        "c": [3.0],
    }


def test_the_delimiter_is_that_which_gives_the_wanted_names(folder: Path) -> None:
    """Though another is found more often."""
    for header in ("a;temp,x;b;c;d", '"a,b,c";temp'):
        wanted = "temp" if header[0] == '"' else "a"
        cells = header.count(";" if wanted == "temp" or "," in header else ",")
        table = read(f"{header}\n1{';2' * cells}\n", folder, numbers=[wanted])
        assert len(table) == 1


@pytest.mark.parametrize("delimiter", ["~", " ", "tab", "\\t", ":"])
def test_other_delimiters_can_be_named(delimiter: str, folder: Path) -> None:
    sign = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    contents = "x temp\n1 2\n3 4\n".replace(" ", sign)
    assert read(contents, folder, Reading(delimiter=delimiter))["temp"].tolist() == [2, 4]


def test_columns_that_spaces_line_up_are_read(folder: Path) -> None:
    contents = "  x    temp\n  1    2.5\n 10   20.5\n"
    assert read(contents, folder, Reading(delimiter="space"))["temp"].tolist() == [2.5, 20.5]


def test_lines_above_the_header_and_comments_are_left_out_but_counted(folder: Path) -> None:
    contents = "station 7\nheight,12,3\n# made by\ntemp\n1\n# a pause\n2\n"
    table = read(contents, folder, Reading(skip_lines=2, comment="#"))
    assert table["temp"].tolist() == [1, 2]
    assert table.index.tolist() == [5, 7]


def test_fahrenheit_becomes_celsius_where_there_are_temperatures(folder: Path) -> None:
    reading = Reading(fahrenheit=True)
    wanted = {"numbers": ["temp", "x"], "temperatures": ["temp"], "ranges": {"temp": (-90, 60)}}
    table = read("temp,x\n32,32\n-40,1\n140,2\n", folder, reading, **wanted)
    np.testing.assert_allclose(table["temp"], [0, -40, 60], rtol=1e-15)
    assert table["x"].tolist() == [32, 1, 2]
    said = refusal("temp,x\n32,1\n212,1\n", folder, reading, **wanted)
    assert said == ("line 3, column temp: the value '212' is outside -90 .. 60 degrees Celsius")
    with pytest.raises(ScratchmlError, match="--fahrenheit"):
        read("temp\n32\n", folder, reading)


def test_a_head_is_a_block_and_no_more(folder: Path) -> None:
    table = read("temp" + " " * 10 + "\n1\n2\nx\n", folder, block=1, head=True)
    assert table["temp"].tolist() == [1]


# Times.

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
FORMATS = ["%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y%m%d%H%M", "%d-%b-%y %H:%M", "%Y-%m-%d %H:%M"]


def times(cells: list[str], folder: Path, **reading: Any) -> list[dt.datetime]:
    contents = "time|x\n" + "".join(f"{cell}|1\n" for cell in cells)
    table = read(contents, folder, Reading(**reading), numbers=[], time="time")
    assert table["time"].dtype == "datetime64[ns]"
    return [time.to_pydatetime() for time in table["time"]]


def says(cells: list[str], folder: Path, **reading: Any) -> str:
    with pytest.raises(ScratchmlError) as caught:
        times(cells, folder, **reading)
    return str(caught.value).removeprefix(f"{folder / 'table.csv'}: ")


@settings(deadline=None, max_examples=200)
@given(
    zone=st.sampled_from(ZONES),
    minutes=st.one_of(
        st.integers(0, 60 * 24 * 365 * 60),
        # around the days on which clocks are set in Berlin, New York and on Lord Howe Island
        st.sampled_from(
            ["2021-03-28", "2021-10-31", "2021-11-07", "2021-03-14", "2021-10-03"]
        ).flatmap(
            lambda day: st.integers(0, 240).map(
                lambda m: int(dt.datetime.fromisoformat(day).timestamp() // 60) + m
            )
        ),
    ),
)
def test_local_times_become_utc_unless_clocks_do_not_tell(
    zone: str, minutes: int, folder: Path
) -> None:
    local = dt.datetime(1970, 1, 1) + dt.timedelta(minutes=minutes)
    both = [
        local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(dt.timezone.utc)
        for fold in (0, 1)
    ]
    cells = ["2000-01-01T12:00Z", local.isoformat()]
    if both[0].astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local:
        assert "line 3, column time" in says(cells, folder, time_zone=zone)
        assert "put forward" in says(cells, folder, time_zone=zone)
    elif both[0] != both[1]:
        assert "line 3, column time" in says(cells, folder, time_zone=zone)
        assert "put back" in says(cells, folder, time_zone=zone)
    else:
        expected = [dt.datetime(2000, 1, 1, 12), both[0].replace(tzinfo=None)]
        assert times(cells, folder, time_zone=zone) == expected


def test_a_doubled_hour_is_read_with_its_offsets(folder: Path) -> None:
    cells = ["2021-10-31T01:30", "2021-10-31T02:30+02:00", "2021-10-31T02:30+0100"]
    hours = [31 * 24 - 1, 31 * 24, 31 * 24 + 1]
    expected = [dt.datetime(2021, 9, 30, 0, 30) + dt.timedelta(hours=h) for h in hours]
    assert times(cells, folder, time_zone="Europe/Berlin") == expected


@examples
@given(
    pattern=st.sampled_from(FORMATS),
    moments=st.lists(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2060, 1, 1)), min_size=1),
)
def test_patterns_mean_what_they_mean_to_strptime(
    pattern: str, moments: list[dt.datetime], folder: Path
) -> None:
    cells = [moment.strftime(pattern) for moment in moments]
    expected = [dt.datetime.strptime(cell, pattern) for cell in cells]
    assert times(cells, folder, time_format=pattern) == expected


def test_patterns_take_offsets_and_zones(folder: Path) -> None:
    cells = ["1.7.2020 12:00 +0200", "1.7.2020 12:00 -0100"]
    expected = [dt.datetime(2020, 7, 1, 10), dt.datetime(2020, 7, 1, 13)]
    for zone in ("", "Asia/Tokyo"):
        found = times(cells, folder, time_format="%d.%m.%Y %H:%M %z", time_zone=zone)
        assert found == expected
    found = times(
        ["1.7.2020 12:00"], folder, time_format="%d.%m.%Y %H:%M", time_zone="America/New_York"
    )
    assert found == [dt.datetime(2020, 7, 1, 16)]


@examples
@given(micros=st.integers(-9_000_000_000, 9_000_000_000).map(lambda s: s * 10**6 + s % 10**6))
def test_seconds_and_milliseconds_since_1970_are_exact_to_the_microsecond(
    micros: int, folder: Path
) -> None:
    expected = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=micros)
    for unit, word in ((6, "unix"), (3, "unix_ms")):
        whole, rest = divmod(abs(micros), 10**unit)
        cell = f"{'-' if micros < 0 else ''}{whole}.{rest:0{unit}}"
        assert abs(times([cell], folder, time_format=word)[0] - expected) <= dt.timedelta(
            microseconds=1
        )
    assert times([str(micros // 10**6)], folder, time_format="unix") == [
        expected.replace(microsecond=0)
    ]


def test_elapsed_seconds_stay_numbers(folder: Path) -> None:
    table = read(
        "t,temp\n-0.5,1\n1e3,2\n", folder, Reading(time="t", time_format="seconds"), time="time"
    )
    assert table["time"].tolist() == [-0.5, 1000.0]


@pytest.mark.parametrize(
    ("cell", "reading", "complaint"),
    [
        ("noon", {}, "'noon' is not a time such as 2020-01-31T23:00"),
        ("", {}, "is not a time such as"),
        ("now", {}, "'now' is not a time"),
        ("2020-02-30", {}, "'2020-02-30' is not a time"),
        ("9999-01-01", {}, "is not a time"),
        ("0001-01-01", {}, "is not a time"),
        ("2020-01-01", {"time_format": "%d.%m.%Y"}, "is not a time of the format '%d.%m.%Y'"),
        ("31.02.2020", {"time_format": "%d.%m.%Y"}, "is not a time of the format"),
        ("01.02.2020 x", {"time_format": "%d.%m.%Y"}, "is not a time of the format"),
        ("now", {"time_format": "%Y"}, "is not a time of the format"),
        ("1e12", {"time_format": "unix"}, "is outside -9.2"),
        ("x", {"time_format": "unix"}, "'x' is not a number"),
        ("", {"time_format": "unix_ms"}, "is missing"),
        ("inf", {"time_format": "seconds"}, "'inf' is not a finite number"),
        ("NA", {"time_format": "seconds"}, "is missing"),
    ],
)
def test_what_is_no_time_is_named(
    cell: str, reading: dict[str, str], complaint: str, folder: Path
) -> None:
    good = {"%d.%m.%Y": "1.2.2020", "%Y": "2020", "": "2020-01-01"}
    contents = f"x|when\n1|{good.get(reading.get('time_format', ''), '0')}\n1|{cell}\n"
    said = refusal(
        contents, folder, Reading(time="when", **reading), numbers=[], time="time", missing=True
    )
    assert said.startswith("line 3, column when: the value")
    assert complaint in said


# What is refused.


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        ("", "the file is empty"),
        ("\n \n\n", "the file is empty"),
        ("\ufeff", "the file is empty"),
        ("temp\n", "there is a header, but no line below it"),
        ('""\n""\n', "the column temp is missing; needed are temp, and the file has no names"),
        ("temp,x\nTrue,1\nFalse,2\n", "line 2, column temp: the value 'True' is not a number"),
        ("temp\n\n  \n", "there is a header, but no line below it"),
        ("a,b\n1,2\n", "the column temp is missing; needed are temp, and the file has a, b"),
        (
            "Temp (C),b\n1,2\n",
            "the column temp is missing; needed are temp, and the file has Temp (C), b; perhaps "
            "--map 'Temp (C)=temp'",
        ),
        ("tmp,b\n1,2\n", "perhaps --map tmp=temp"),
        ("temp,temp\n1,2\n", "line 1: the column temp stands 2 times in the header"),
        ("temp,x\n1,2,3\n", "line 2: there are 3 cells, and the header has 2"),
        ("temp,x\n1,2\n\n1,2,\n", "line 4: there are 3 cells, and the header has 2"),
        ("temp,x\n1,2\n1\n", "line 3, column x: the value is missing"),
        ("temp\nwarm\n", "line 2, column temp: the value 'warm' is not a number"),
        ("temp;x\n1,5;1\n", "'1,5' is not a number: --decimal , if that is its sign"),
        ("temp\n1\ninf\n", "line 3, column temp: the value 'inf' is not a finite number"),
        ("temp\n1e999\n", "line 2, column temp: the value '1e999' is not a finite number"),
        (f"temp\n{'7' * 400}\n", f"the value '{'7' * 57}...' is not a finite number"),
        ("temp\n0x10\n", "'0x10' is not a number"),
        ("temp\n1 000\n", "'1 000' is not a number"),
        ("temp\nTrue\n", "'True' is not a number"),
        ("temp\n1\x1b[2J\n", r"'1\x1b[2J' is not a number"),
        ('temp,x\n1,"a\n2,b\n', "line 2: a quote opens here that is never closed"),
        ('temp,x\n1,"a\n' + "2,b\n" * 99_999, "line 2: a quote opens here that is never closed"),
        ('temp,x\n1,"a"b\n', "line 2: a closing quote must be followed by ','"),
        ("temp\n1\n\0\n", "line 3: there is a zero byte"),
        (
            b"temp\n1\n\n\xb0C\n",
            "line 4: the byte 0xb0 is not utf-8: name the file's encoding, such",
        ),
        (b"temp\n1\n2\xc3", "line 3: the byte 0xc3 is not utf-8"),
        (b"\xff\xfet\0e\0\x00\xd8", "line 1: the byte 0x00 is not utf-16-le"),
        ("x" * (LONGEST_LINE + 1), f"line 1 has more than {LONGEST_LINE} characters"),
        ("temp\n" + "x" * (2 * LONGEST_LINE), f"line 2 has more than {LONGEST_LINE} characters"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_table_is_refused_by_line(
    contents: str | bytes, complaint: str, folder: Path
) -> None:
    for block in (BLOCK, 1) if len(contents) < 1000 else (BLOCK,):
        assert complaint in refusal(contents, folder, block=block)


def test_a_truth_value_among_gaps_is_no_number(folder: Path) -> None:
    said = refusal("temp,x\n,1\nTrue,1\n,1\n", folder, missing=True)
    assert said == "line 3, column temp: the value 'True' is not a number"
    table = read("temp,x\n,1\n1,1\n0,1\n", folder, missing=True)
    np.testing.assert_array_equal(table["temp"], [np.nan, 1, 0])


@pytest.mark.parametrize("start", [start for start, _ in NOT_TEXT], ids=repr)
def test_files_of_other_programs_are_known(start: bytes, folder: Path) -> None:
    said = refusal(start + bytes(100), folder)
    assert said == f"this is {dict(NOT_TEXT)[start]}"


def test_a_single_column_asks_for_the_delimiter(folder: Path) -> None:
    said = refusal("temp/x\n1/2\n", folder, numbers=["temp", "x"])
    assert said.endswith("name what stands between the columns with --delimiter")


def test_every_column_that_is_spelt_alike_is_suggested(folder: Path) -> None:
    said = refusal(
        "Temp,timezone_abbreviation,hum.\n1,2,3\n", folder, numbers=["temp", "hum"], time="time"
    )
    assert said.endswith("; perhaps --map Temp=temp --map hum.=hum")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScratchmlError, match="this is a directory"):
        read_table(tmp_path, numbers=["temp"])


@pytest.mark.parametrize("place", [0.5, 0.99])
def test_gzip_cut_short_in_a_later_block_is_refused(place: float, folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "\n".join(map(repr, rng.random(100_000).tolist()))
    packed = gzip.compress(f"temp\n{rows}\n".encode(), 1)
    said = refusal(packed[: int(len(packed) * place)], folder)
    assert said.startswith("the gzip file is cut short or damaged")


def test_a_mapped_column_must_be_there(folder: Path) -> None:
    said = refusal("a,b\n1,2\n", folder, Reading(columns={"t": "temp"}))
    assert said == "--map names the column 't', and the file has a, b"
    said = refusal("temp,b\n1,2\n", folder, Reading(columns={"temp": "other"}))
    assert said.startswith("the column temp is missing")
    said = refusal(
        "a,b\n2020-01-01,2\n", folder, Reading(columns={"a": "time"}, time="b"), time="time"
    )
    assert said.startswith("'b' and 'a' cannot both be the column time")


def test_many_columns_are_not_all_listed(folder: Path) -> None:
    said = refusal(",".join(f"c{i}" for i in range(30)) + "\n1\n", folder)
    assert said.endswith("c18, c19 and 10 more")


def test_a_point_of_thousands_is_not_one_of_decimals(folder: Path) -> None:
    reading = Reading(decimal=",")
    assert read("temp;x\n1,5;2\n", folder, reading)["temp"].tolist() == [1.5]
    for cell in ("1.234", "1.234,5"):
        said = refusal(f"temp;x\n1;2\n{cell};3\n", folder, reading)
        assert said.startswith(f"line 3, column temp: the value '{cell}' is not a number")


def test_limits_are_those_of_the_column(folder: Path) -> None:
    limits = {"temp": (-1.5, 2.0)}
    assert len(read("temp\n-1.5\n2\n", folder, ranges=limits)) == 2
    assert len(read("temp\n-1.5\n\n2,\n".replace(",", ""), folder, ranges=limits)) == 2
    said = refusal("temp\n1\n2.001\n-9\n", folder, ranges=limits)
    assert said == "line 3, column temp: the value '2.001' is outside -1.5 .. 2"


@examples
@given(contents=st.binary(max_size=200))
def test_garbage_is_refused_in_one_line(contents: bytes, folder: Path) -> None:
    refusal(contents, folder)
    refusal(b"x,temp\n1,2\n3,?" + contents, folder)


@settings(deadline=None, max_examples=300)
@given(
    lines=st.lists(st.text(st.sampled_from("1,;ä \t."), max_size=6), min_size=1),
    delimiter=st.sampled_from(",;\t"),
    columns=st.integers(1, 3),
)
def test_chunks_cut_by_numpy_have_the_cells_that_a_parser_finds(
    lines: list[str], delimiter: str, columns: int
) -> None:
    """All such chunks whose rows are as wide as the header, and none of them blank, are cut."""
    for text in ("\n".join(lines) + "\n", "\n".join([*lines, "1"])):
        rows = list(csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter))
        chunk = PlainChunk.of(text, delimiter, columns, 7)
        if any(len(row) != columns or not "".join(row).strip() for row in rows):
            assert chunk is None
            continue
        assert chunk is not None
        assert chunk.lines.tolist() == list(range(7, 7 + len(rows)))
        for place in range(columns):
            assert chunk.cells(place) == [row[place] for row in rows]


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_wrong_cell_is_found_wherever_chunks_end(data: st.DataObject, folder: Path) -> None:
    n = 3000
    rows = [[str(i), f"{i / 8}", '"a\nb"' if i % 7 == 0 else "c"] for i in range(n)]
    at = data.draw(st.integers(0, n - 1))
    block = data.draw(st.integers(100, 30_000))
    place = data.draw(st.integers(0, 1))
    rows[at][place] = "?"
    before = "x,temp,note\n" + "".join(",".join(row) + "\n" for row in rows[:at])
    contents = before + "".join(",".join(row) + "\n" for row in rows[at:])
    said = refusal(contents, folder, numbers=["x", "temp"], block=block)
    line = before.count("\n") + 1
    assert said == f"line {line}, column {['x', 'temp'][place]}: the value '?' is not a number"


def test_memory_is_that_of_the_table_and_not_of_the_file(folder: Path) -> None:
    """A file of 14 MB, whose table has 800 kB; its rows as strings would have some 50 MB."""
    n = 100_000
    contents = "temp,note\n" + "".join(f"{i},{'x' * 130}\n" for i in range(n))
    path = folder / "large.csv.gz"
    path.write_bytes(gzip.compress(contents.encode(), 1))
    del contents
    tracemalloc.start()
    try:
        table = read_table(path, numbers=["temp"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert table["temp"].sum() == n * (n - 1) / 2
    assert peak < 20e6


# The choices themselves.


def test_choices_come_back_from_json(folder: Path) -> None:
    reading = Reading(
        columns=pairs(["temp = temperature_2m", "a=b=c"]),
        delimiter="tab",
        decimal=",",
        encoding="cp1252",
        time="Datum",
        time_format="%d.%m.%Y",
        time_zone="Europe/Berlin",
        fahrenheit=True,
        skip_lines=3,
        comment="#",
    )
    assert reading.columns == {"temp": "temperature_2m", "a=b": "c"}
    assert (reading.delimiter, reading.time) == ("\t", "Datum")
    assert Reading.from_json(reading.to_json()) == reading
    assert hash(Reading.from_json(reading.to_json())) == hash(reading)
    assert Reading() == Reading.from_json({})
    assert reading.name_in_file("c") == "a=b"
    assert reading.name_in_file("x") == "x"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"map": ["temp"]}, "--map 'temp': write the name in the file = the name here"),
        ({"map": ["=x"]}, "--map '=x'"),
        ({"map": ["x="]}, "--map 'x='"),
        ({"map": ["a=x", "a=y"]}, "--map names the column 'a' of the file twice"),
        ({"map": ["a=x", "b=x"]}, "--map gives 'a' and 'b' the one name 'x'"),
        ({"delimiter": ",,"}, "delimiter ',,': it is one character"),
        ({"delimiter": '"'}, "delimiter"),
        ({"delimiter": "e"}, "delimiter 'e'"),
        ({"delimiter": "\n"}, r"delimiter '\n'"),
        ({"delimiter": ",", "decimal": ","}, "cannot be both the delimiter and the decimal sign"),
        ({"decimal": "'"}, 'decimal "\'": known are . and ,'),
        ({"encoding": "klingon"}, "encoding 'klingon' is not known"),
        ({"encoding": "hex"}, "encoding 'hex' is not known"),
        ({"encoding": "a\0b"}, "is not known"),
        ({"time_format": "%H:%M"}, "time format '%H:%M' has no year"),
        ({"time_format": "ISO8601"}, "has no year"),
        ({"time_format": "%Y %Q"}, "time format '%Y %Q'"),
        ({"time_zone": "Mars"}, "time zone 'Mars' is not known"),
        ({"time_zone": "Europe"}, "time zone 'Europe' is not known"),
        ({"time_zone": "../etc"}, "time zone '../etc' is not known"),
        ({"time_zone": "UTC", "time_format": "unix"}, "times in unix have no time zone"),
        ({"skip_lines": -1}, "skip_lines must be a whole number from 0 on"),
    ],
    ids=str,
)
def test_choices_that_cannot_be_meant_are_refused(
    options: Mapping[str, Any], complaint: str
) -> None:
    with pytest.raises(ScratchmlError) as caught:
        given = dict(options)
        columns = pairs(given.pop("map", []))
        Reading(columns=columns, **given)
    assert complaint in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "values",
    [
        [],
        {"colums": {}},
        {"columns": ["a"]},
        {"columns": {"a": 1}},
        {"columns": {"": "a"}},
        {"delimiter": 1},
        {"fahrenheit": "yes"},
        {"skip_lines": True},
        {"skip_lines": 1.5},
        {"time": None},
    ],
    ids=str,
)
def test_what_is_no_reading_is_refused(values: object) -> None:
    with pytest.raises(ScratchmlError):
        Reading.from_json(values)
