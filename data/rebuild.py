#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rebuild reynolds_mountain_east_wy1999-2008.csv.gz from the package that it was taken from.

    python data/rebuild.py                         # download the source, write the file anew
    python data/rebuild.py --check                 # download, compare row by row, write nothing
    python data/rebuild.py --source FILE.tar.gz    # with a source package that is already here

The source is the sdist of pysnobal 0.2.3, a snow model by USDA-ARS, which carries 25 years of
hourly weather as test data. Of it this script keeps ten years and makes four changes; README.md
says why:

    temperature   the shipped value - 2 C
    humidity      relative humidity of the shipped temperature and vapour pressure, kept as it is
    snowfall      precipitation * 0.7 cm per mm * share of snow at the new dew point
    time          the shipped label + 1 hour, which makes it the end of the hour

pip fetches the sdist and runs the setup.py inside, to read a name and a version, after it has
compared the sha256. With --source nothing of the package is run.

Exit status: 0 done or equal, 1 different or failed (one line on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rebuilding import (
    RebuildError,
    Source,
    committed_text,
    require_equal,
    require_writable,
    write,
)

SDIST = Source(
    requirement="pysnobal==0.2.3",
    file="pysnobal-0.2.3.tar.gz",
    sha256="78f97faf0452816038494b9fde332a2c2a14d92ec2e5960378abd7606d82fda2",
)
MEMBER = "pysnobal-0.2.3/pysnobal/tests/test_data_point/gold_csv/gold.snobal.data.input.csv"

OUTPUT = Path(__file__).resolve().parent / "reynolds_mountain_east_wy1999-2008.csv.gz"
HEADER = "time,temperature_2m,relative_humidity_2m,snowfall"
FIRST = "1998-10-01 00:00"  # label in the source; water year 1999 begins here
ROWS = 87_672  # ten water years, 3,653 days

Floats = npt.NDArray[np.float64]


# The arithmetic: source CSV in, committed CSV out.


def saturation_pressure(celsius: Floats) -> Floats:
    """Saturation vapour pressure in Pa, over water above 0 C and over ice at or below it.

    Goff & Gratch (1946) with the constants that the source's own functions use, 0 C taken as
    273.16 K. With any other formula the shipped vapour pressures would not come out as whole
    percents of relative humidity; with this one they do, to 0.006 %.
    """
    kelvin = celsius + 273.16
    steam = 373.15 / kelvin
    water = (
        -7.90298 * (steam - 1)
        + 5.02808 * np.log10(steam)
        - 1.3816e-7 * (10 ** (11.344 * (1 - 1 / steam)) - 1)
        + 8.1328e-3 * (10 ** (-3.49149 * (steam - 1)) - 1)
        + np.log10(101324.6)
    )
    melt = 273.16 / kelvin
    ice = (
        -9.09718 * (melt - 1)
        - 3.56654 * np.log10(melt)
        + 0.876793 * (1 - 1 / melt)
        + np.log10(610.71)
    )
    return np.asarray(10 ** np.where(celsius > 0, water, ice), dtype=np.float64)


def dew_point(pascal: Floats) -> Floats:
    """Dew point (below 0 C: frost point) in C, rounded to 0.01.

    e = 611 Pa * exp(a * t / (b + t)) solved for t: the Magnus formula with a = 17.62, b = 243.12
    over water and a = 22.46, b = 272.62 over ice (WMO-No. 8, which has 611.2 Pa). Goff & Gratch
    above jumps by 0.06 % at 0 C and has no unique inverse there. Which formula was used when the
    data set was first made is not on record: 611 Pa and the rounding were found by matching its
    rows, all of which they give. README.md says how many hours depend on it.
    """
    log = np.log(pascal / 611)
    water = 243.12 * log / (17.62 - log)
    ice = 272.62 * log / (22.46 - log)
    return np.asarray(np.round(np.where(log >= 0, water, ice), 2), dtype=np.float64)


def snow_share(dew: Floats) -> Floats:
    """Share of the precipitation that falls as snow: the source's table, by dew point."""
    return np.select([dew < -0.5, dew < 0, dew < 0.5], [1.0, 0.75, 0.25], 0.0)


def rebuild(source: str) -> str:
    """The text of the data set, header and all rows, from the text of the source's CSV file.

    Read from the source: air_temp (C), vapor_pressure (Pa), precip_mass (mm in the hour).
    """
    table = pd.read_csv(io.StringIO(source))
    table = table[table["date_time"] >= FIRST]
    shipped = table["air_temp"].to_numpy(dtype=np.float64)
    vapour = table["vapor_pressure"].to_numpy(dtype=np.float64)
    precipitation = table["precip_mass"].to_numpy(dtype=np.float64)

    tenths = np.rint(shipped * 10).astype(np.int64) - 20  # 2 C off, without binary fractions
    humidity = np.rint(100 * vapour / saturation_pressure(shipped)).astype(np.int64)
    dew = dew_point(humidity / 100 * saturation_pressure(tenths / 10))
    # Products that end in half a hundredth are rounded by their last bit: with the share as the
    # second factor 85 hours would come out differently by 0.01 cm.
    hundredths = np.rint(precipitation * 0.7 * snow_share(dew) * 100).astype(np.int64)
    hour_end = pd.to_datetime(table["date_time"]) + pd.Timedelta(hours=1)
    times = hour_end.dt.strftime("%Y-%m-%dT%H:%M")

    rows = zip(times, tenths.tolist(), humidity.tolist(), hundredths.tolist(), strict=True)
    lines = [f"{time},{t / 10:g},{rh},{snow / 100:g}" for time, t, rh, snow in rows]
    return "\n".join([HEADER, *lines, ""])


# Around it: get the source, compare, write.


def read_source(path: Path) -> str:
    """The one file that is needed, out of the sdist at `path`, in memory."""
    packed = SDIST.read(path)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        try:
            member = archive.getmember(MEMBER)
        except KeyError:
            raise RebuildError(f"{path}: has no {MEMBER}") from None
        stream = archive.extractfile(member) if member.isfile() else None  # no links, no devices
        if stream is None:
            raise RebuildError(f"{path}: {MEMBER} is not an ordinary file")
        return stream.read().decode("ascii")


def run(source: Path | None, output: Path, check: bool) -> str:
    """Do what the command line asks for; the answer is the line to print."""
    # What can be known to fail is told before the download, not after it.
    if check:
        committed = committed_text(output)
    else:
        require_writable(output)

    with tempfile.TemporaryDirectory() as folder:
        text = rebuild(read_source(source if source else SDIST.download(Path(folder))))
    rows = text.count("\n") - 1
    if rows != ROWS:
        raise RebuildError(f"{rows:,} hours came out, expected {ROWS:,}")

    if check:
        require_equal(output, committed, text, "the rebuilt table")
        return f"{output}: all {ROWS:,} hours are equal to the rebuilt ones"
    write(output, text)
    return f"{output}: {ROWS:,} hours written"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Rebuild the embedded weather data.")
    parser.add_argument(
        "--source", type=Path, metavar="FILE", help=f"{SDIST.file}, already downloaded"
    )
    where = "file to write, or with --check to compare; default: the committed one"
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", default=OUTPUT, help=where)
    parser.add_argument("--check", action="store_true", help="compare only; 1 if any row differs")
    options = parser.parse_args(arguments)
    try:
        print(run(options.source, options.output, options.check))
    except (RebuildError, OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        print("rebuild.py:", " ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
