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

pip fetches the sdist, so that proxies, indexes and certificates come from its configuration. To
read a name and a version pip runs the setup.py inside; it is given the sha256 beforehand and
refuses any other file before that. With --source nothing of the package is run.

Exit status: 0 done or equal, 1 different or failed (one line on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

SDIST = "pysnobal-0.2.3.tar.gz"
REQUIREMENT = "pysnobal==0.2.3"
SHA256 = "78f97faf0452816038494b9fde332a2c2a14d92ec2e5960378abd7606d82fda2"
MEMBER = "pysnobal-0.2.3/pysnobal/tests/test_data_point/gold_csv/gold.snobal.data.input.csv"

OUTPUT = Path(__file__).resolve().parent / "reynolds_mountain_east_wy1999-2008.csv.gz"
HEADER = "time,temperature_2m,relative_humidity_2m,snowfall"
FIRST = "1998-10-01 00:00"  # label in the source; water year 1999 begins here
ROWS = 87_672  # ten water years, 3,653 days

UNREACHABLE = "no package index could be reached"  # the tests tell this failure from all others

Floats = npt.NDArray[np.float64]


class RebuildError(Exception):
    """What went wrong, for the one line that the user gets to see."""


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


def explain(output: str) -> str:
    """One line for the end of a failed pip run."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
    last = errors[-1] if errors else "no message"
    if "No module named pip" in output:
        return f"this Python has no pip; download {SDIST} by other means and use --source"
    if "DO NOT MATCH THE HASHES" in output:
        return f"the package index offers a {SDIST} with another sha256 than {SHA256}"
    silence = ("No matching distribution", "ConnectionError", "Timeout", "ProxyError", "HTTP error")
    if any(word in output for word in silence):
        named = re.search(r"(?:Looking in|Ignoring) indexes: (.+)", output)
        return f"{UNREACHABLE} ({named[1] if named else 'PyPI'}): {last}"
    return f"pip download failed: {last}"


def download(folder: Path) -> Path:
    """Have pip put the sdist into `folder`."""
    pinned = folder / "requirements.txt"  # the one way to tell `pip download` a hash
    pinned.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n", encoding="ascii")
    command = [sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps"]
    command += ["--no-binary", "pysnobal", "--progress-bar", "off"]
    command += ["--dest", str(folder), "--requirement", str(pinned)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        raise RebuildError(explain(done.stdout + "\n" + done.stderr))
    return folder / SDIST


def read_source(path: Path) -> str:
    """The one file that is needed, out of the sdist at `path`, in memory."""
    packed = path.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != SHA256:
        raise RebuildError(f"{path}: sha256 is {found}, expected {SHA256}")
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        try:
            member = archive.getmember(MEMBER)
        except KeyError:
            raise RebuildError(f"{path}: has no {MEMBER}") from None
        stream = archive.extractfile(member) if member.isfile() else None  # no links, no devices
        if stream is None:
            raise RebuildError(f"{path}: {MEMBER} is not an ordinary file")
        return stream.read().decode("ascii")


def first_difference(committed: str, rebuilt: str) -> str | None:
    """Where two texts differ first, or None where they are equal."""
    pairs = zip_longest(committed.split("\n"), rebuilt.split("\n"))
    for number, (old, new) in enumerate(pairs, start=1):
        if old != new:
            return f"line {number}: the file has {old!r}, the rebuilt table {new!r}"
    return None


def write(path: Path, text: str) -> None:
    """Write `text` to `path`, gzipped without a time stamp, completely or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # same folder: the rename is atomic
    try:
        part.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def run(source: Path | None, output: Path, check: bool) -> str:
    """Do what the command line asks for; the answer is the line to print."""
    # What can be known to fail is told before the download, not after it.
    if check:
        committed = gzip.decompress(output.read_bytes()).decode("ascii")
    elif output.is_dir() or not os.access(output.parent, os.W_OK):
        raise RebuildError(f"cannot write {output}")

    with tempfile.TemporaryDirectory() as folder:
        text = rebuild(read_source(source if source else download(Path(folder))))
    rows = text.count("\n") - 1
    if rows != ROWS:
        raise RebuildError(f"{rows:,} hours came out, expected {ROWS:,}")

    if check:
        difference = first_difference(committed, text)
        if difference:
            raise RebuildError(f"{output}: {difference}")
        return f"{output}: all {ROWS:,} hours are equal to the rebuilt ones"
    write(output, text)
    return f"{output}: {ROWS:,} hours written"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Rebuild the embedded weather data.")
    parser.add_argument("--source", type=Path, metavar="FILE", help=f"{SDIST}, already downloaded")
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
