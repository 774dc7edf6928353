"""The embedded data are what data/README.md says, and the scripts beside them make them.

Not covered: whether the measurements are right, and how the package finds the file once installed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rebuild
import rebuild_digits
import rebuild_exercises
import rebuilding
from conftest import leave_out
from sklearn.datasets import load_digits

DATA = Path(__file__).resolve().parent.parent / "data"
DIGITS = DATA / "digits.csv.gz"
EXERCISES = DATA / "exercises.csv.gz"
HOURS = DATA / "reynolds_mountain_east_wy1999-2008.csv.gz"
TABLES = [HOURS, DIGITS, EXERCISES]
SCRIPT = DATA / "rebuild.py"


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """data/rebuild.py as a user runs it."""
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The line with which a failed run ended; it has to be the only one."""
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("rebuild.py: ")
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    return done.stderr.strip()


# What the file is.


@pytest.fixture(scope="module")
def hours() -> pd.DataFrame:
    return pd.read_csv(HOURS, parse_dates=["time"])


def test_columns_and_rows(hours: pd.DataFrame) -> None:
    expected = ["time", "temperature_2m", "relative_humidity_2m", "snowfall"]
    assert list(hours.columns) == expected
    assert len(hours) == 87_672
    assert not hours.isna().to_numpy().any()


def test_every_hour_of_ten_water_years_once(hours: pd.DataFrame) -> None:
    expected = pd.date_range("1998-10-01 01:00", "2008-10-01 00:00", freq="h")
    assert (hours["time"].to_numpy() == expected.to_numpy()).all()


@pytest.mark.parametrize(
    ("column", "lowest", "highest"),
    [
        ("temperature_2m", -24.8, 34.0),
        ("relative_humidity_2m", 4, 100),
        ("snowfall", 0, 10.85),
    ],
)
def test_ranges(hours: pd.DataFrame, column: str, lowest: float, highest: float) -> None:
    assert (hours[column].min(), hours[column].max()) == (lowest, highest)


def test_label_rates(hours: pd.DataFrame) -> None:
    cold = hours["temperature_2m"] < 2
    assert int(((hours["snowfall"] > 0.5) & cold).sum()) == 2_795
    assert int(((hours["snowfall"] > 0) & cold).sum()) == 8_641
    assert int((hours["snowfall"] > 0).sum()) == 9_284


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_the_readme_has_the_right_checksums_and_sizes(path: Path) -> None:
    packed = path.read_bytes()
    text = gzip.decompress(packed)
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"{hashlib.sha256(packed).hexdigest()}  {path.name}\n" in readme
    assert f"{hashlib.sha256(text).hexdigest()}  {path.name.removesuffix('.gz')}\n" in readme
    assert f"{len(packed):,} bytes compressed, {len(text):,} bytes as CSV" in readme


@pytest.mark.parametrize("source", [rebuild.SDIST, rebuild_exercises.WHEEL])
def test_the_readme_has_the_right_checksum_of_the_source(source: rebuilding.Source) -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"{source.sha256}  {source.file}\n" in readme


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_the_file_carries_no_time_stamp(path: Path) -> None:
    assert path.read_bytes()[4:8] == bytes(4)  # MTIME of RFC 1952: two builds are one file


def test_the_digits_are_those_of_scikit_learn() -> None:
    """Cell by cell, and as the script writes them."""
    header, *lines = gzip.decompress(DIGITS.read_bytes()).decode("ascii").splitlines()
    assert header.split(",") == [f"p{i}{j}" for i in range(8) for j in range(8)] + ["label"]
    source = load_digits()
    assert len(lines) == len(source.images) == 1_797
    for line, image, label in zip(lines, source.images, source.target, strict=True):
        *pixels, last = line.split(",")
        assert (np.array(pixels, float).reshape(8, 8) == image).all()
        assert int(last) == label


def test_the_readme_has_the_right_counts_of_digits() -> None:
    counts = np.bincount(load_digits().target)
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"| Images | {' | '.join(map(str, counts))} |\n" in readme


# How the hours are made.

# Lines of the source where the arithmetic is at its most delicate: a dew point at each of the
# three limits, products that end in half a hundredth, the first hour and the one before it.
SOURCE_LINES = """\
1998-09-30 23:00,0,280,12.1,719.97,1.7,12.3,0,0,0,2.3
1998-10-01 00:00,0,323,12.1,734.08,1.8,12,0,0,0,2.5
1998-11-17 09:00,5.69,296,1.6,685.92,2.8,2.1,0.6,0,0,1.6
1998-11-17 11:00,9.64,299,1.8,681.9,3.9,2.3,0.2,0,0,1.5
2000-02-14 00:00,0,289,1.7,690.86,1.3,0.7,4.6,0,0,1.7
2000-02-26 13:00,33.11,276,1.9,700.82,3.2,0.6,3,0,0,1.9
2001-11-21 23:00,0,270,2,705.85,1.6,2.5,3.8,0,0,2
2002-12-13 18:00,0,253,4.7,674.89,3.2,-0.4,0.2,0,0,1.4
2003-01-30 03:00,0,289,3.5,730.25,3.6,0.6,0.7,0,0,2.5
2004-05-12 15:00,157.06,287,3.8,729.82,2.2,3.7,1.3,0,0,2.5
2005-11-03 21:00,0,273,1.5,681.02,2.5,4.7,6.4,0,0,1.5
2006-01-11 01:00,0,281,2.7,704.86,3,0.7,0.2,0,0,2
"""


def source_text() -> str:
    header = (
        "date_time,net_solar,incoming_thermal,air_temp,vapor_pressure,"
        "wind_speed,soil_temp,precip_mass,percent_snow,rho_snow,precip_temp\n"
    )
    return header + SOURCE_LINES


def test_delicate_hours_come_out_as_committed() -> None:
    committed = set(gzip.decompress(HOURS.read_bytes()).decode("ascii").splitlines())
    header, *rows = rebuild.rebuild(source_text()).splitlines()
    assert header == rebuild.HEADER
    assert rows[0] == "1998-10-01T01:00,10.1,52,0"  # what went before the first hour is left out
    assert len(rows) == SOURCE_LINES.count("\n") - 1
    assert [row for row in rows if row not in committed] == []


@pytest.mark.network
def test_all_hours_can_be_rebuilt_from_the_published_source() -> None:
    # One retry and a minute of patience: enough for a slow network, and no run hangs on a dead one.
    done = run("--check", PIP_RETRIES="1", PIP_TIMEOUT="60", PIP_DEFAULT_TIMEOUT="60")
    if rebuilding.UNREACHABLE in done.stderr:
        leave_out(f"{done.stderr.strip()}; connect to it and repeat: make test")
    assert done.returncode == 0, done.stderr
    assert "all 87,672 hours are equal" in done.stdout


# What goes wrong is told in one line and leaves nothing behind.


def sdist(path: Path, name: str = rebuild.MEMBER, *, link: bool = False) -> str:
    """Write a small stand-in for the source package; returns its sha256."""
    member = tarfile.TarInfo(name)
    body = b"" if link else source_text().encode("ascii")
    member.size = len(body)
    if link:
        member.type, member.linkname = tarfile.SYMTYPE, "elsewhere"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member, io.BytesIO(body))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def accept(monkeypatch: pytest.MonkeyPatch, sha256: str) -> None:
    """Let the script take another file than the published one."""
    monkeypatch.setattr(rebuild, "SDIST", replace(rebuild.SDIST, sha256=sha256))


def test_a_missing_source(tmp_path: Path) -> None:
    said = complaint(run("--source", tmp_path / "gone.tar.gz", "-o", tmp_path / "hours.csv.gz"))
    assert "gone.tar.gz" in said
    assert list(tmp_path.iterdir()) == []


def test_a_source_with_another_sha256(tmp_path: Path) -> None:
    source = tmp_path / "pysnobal-0.2.3.tar.gz"
    found = sdist(source)
    said = complaint(run("--source", source, "-o", tmp_path / "hours.csv.gz"))
    assert found in said
    assert rebuild.SDIST.sha256 in said
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("name", "link", "expected"),
    [
        ("pysnobal-0.2.3/setup.py", False, "has no pysnobal-0.2.3/"),
        (rebuild.MEMBER, True, "is not an ordinary file"),
        (rebuild.MEMBER, False, "hours came out, expected 87,672"),
    ],
    ids=["no such member", "symbolic link", "too few hours"],
)
def test_a_source_with_other_contents(
    name: str,
    link: bool,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "source.tar.gz"
    accept(monkeypatch, sdist(source, name, link=link))
    assert rebuild.main(["--source", str(source), "-o", str(tmp_path / "hours.csv.gz")]) == 1
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == [source]


def test_an_output_in_a_missing_folder_or_in_place_of_one(tmp_path: Path) -> None:
    for output in (tmp_path / "missing" / "hours.csv.gz", tmp_path):
        assert f"cannot write {output}" in complaint(run("-o", output))  # before any download
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_takes_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """/proc refuses them to root as well, whom permission bits would not stop."""
    source = tmp_path / "source.tar.gz"
    accept(monkeypatch, sdist(source))
    monkeypatch.setattr(rebuild, "ROWS", SOURCE_LINES.count("\n") - 1)
    assert rebuild.main(["--source", str(source), "-o", "/proc/hours.csv.gz"]) == 1
    said = capsys.readouterr().err
    assert "/proc/hours.csv.gz" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_write_that_breaks_off_leaves_the_old_file_alone(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "source.tar.gz", tmp_path / "hours.csv.gz"
    accept(monkeypatch, sdist(source))
    monkeypatch.setattr(rebuild, "ROWS", SOURCE_LINES.count("\n") - 1)
    output.write_bytes(b"old")
    complete = Path.write_bytes

    def breaks_off(path: Path, *_: object) -> int:
        complete(path, b"half")
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, step, breaks_off)
    assert rebuild.main(["--source", str(source), "-o", str(output)]) == 1
    monkeypatch.undo()
    said = capsys.readouterr().err
    assert "Permission denied" in said
    assert said.count("\n") == 1
    assert output.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == [output, source]


def test_check_names_the_first_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "source.tar.gz", tmp_path / "hours.csv.gz"
    accept(monkeypatch, sdist(source))
    monkeypatch.setattr(rebuild, "ROWS", SOURCE_LINES.count("\n") - 1)
    write = ["--source", str(source), "-o", str(output)]
    assert rebuild.main(write) == 0
    assert rebuild.main([*write, "--check"]) == 0

    good = gzip.decompress(output.read_bytes()).decode("ascii")
    wrong = good.replace("1998-10-01T01:00,10.1,", "1998-10-01T01:00,10.2,")
    for text, line in (
        (wrong, "line 2:"),
        (good + "one more\n", "line 13:"),
        (good[:-1], "line 13:"),
    ):
        output.write_bytes(gzip.compress(text.encode("ascii")))
        before = output.read_bytes()
        capsys.readouterr()
        assert rebuild.main([*write, "--check"]) == 1
        said = capsys.readouterr().err
        assert line in said
        assert said.count("\n") == 1
        assert output.read_bytes() == before


@pytest.mark.parametrize(
    "contents", [None, b"no gzip", HOURS.read_bytes()[:1000]], ids=["missing", "no gzip", "cut off"]
)
def test_check_of_a_file_that_cannot_be_read(contents: bytes | None, tmp_path: Path) -> None:
    output = tmp_path / "hours.csv.gz"
    if contents is not None:
        output.write_bytes(contents)
    complaint(run("--check", "-o", output))  # before any download


def test_an_index_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9/simple"  # the discard port: refused at once
    said = complaint(
        run(
            "-o",
            tmp_path / "hours.csv.gz",
            PIP_CONFIG_FILE=os.devnull,
            PIP_INDEX_URL=nowhere,
            PIP_EXTRA_INDEX_URL="",
            PIP_FIND_LINKS="",
            PIP_RETRIES="0",
        )
    )
    assert rebuilding.UNREACHABLE in said
    assert nowhere in said
    assert list(tmp_path.iterdir()) == []


def test_other_failures_of_pip_do_not_pass_for_a_dead_network() -> None:
    mismatch = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
    for output in (mismatch, "/usr/bin/python: No module named pip", "ERROR: disk full", ""):
        said = rebuild.SDIST.explain(output)
        assert rebuilding.UNREACHABLE not in said
        assert "\n" not in said


# The digits, which need no download.


def test_the_digits_are_rebuilt_byte_for_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text is the committed one; compressed, it depends on zlib but not on the time."""
    first, second = tmp_path / "first.csv.gz", tmp_path / "second.csv.gz"
    for path in (first, second):
        assert rebuild_digits.main(["-o", str(path)]) == 0
        assert capsys.readouterr().out == f"{path}: 1,797 images written\n"
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()) == gzip.decompress(DIGITS.read_bytes())
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_check_compares_the_committed_digits(capsys: pytest.CaptureFixture[str]) -> None:
    before = DIGITS.stat()
    assert rebuild_digits.main(["--check"]) == 0
    assert "all 1,797 images are equal to scikit-learn's" in capsys.readouterr().out
    assert DIGITS.stat().st_mtime_ns == before.st_mtime_ns


def test_check_names_the_first_digit_that_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = gzip.decompress(DIGITS.read_bytes()).decode("ascii").splitlines(keepends=True)
    output = tmp_path / "digits.csv.gz"
    for text, place in (
        ("".join([*lines[:4], "1" + lines[4], *lines[5:]]), "line 5:"),
        ("".join(lines[:-1]), "line 1798:"),
        ("".join([*lines, lines[-1]]), "line 1799:"),
    ):
        output.write_bytes(gzip.compress(text.encode("ascii")))
        assert rebuild_digits.main(["--check", "-o", str(output)]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"rebuild_digits.py: {output}: {place}")
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    "contents",
    [None, b"no gzip", DIGITS.read_bytes()[:1000]],
    ids=["missing", "no gzip", "cut off"],
)
def test_check_of_digits_that_cannot_be_read(
    contents: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "digits.csv.gz"
    if contents is not None:
        output.write_bytes(contents)
    assert rebuild_digits.main(["--check", "-o", str(output)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_digits_that_cannot_be_written_leave_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "digits.csv.gz"
    output.write_bytes(b"old")

    def breaks_off(path: Path, _: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "replace", breaks_off)
    assert rebuild_digits.main(["-o", str(output)]) == 1
    assert "Permission denied" in capsys.readouterr().err
    assert output.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [output]


def test_without_scikit_learn_the_digits_say_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert rebuild_digits.main(["-o", str(tmp_path / "digits.csv.gz")]) == 1
    assert "pip install scikit-learn" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_another_scikit_learn_s_digits_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = load_digits(n_class=9)
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: fewer)
    assert rebuild_digits.main(["-o", str(tmp_path / "digits.csv.gz")]) == 1
    assert "other images than the 1,797" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
