"""Reading CSV beside pandas: seconds and memory of a million rows, in a process each.

A time and five columns of numbers, plain and gzip; with cells that are missing; with every cell
quoted; with decimal commas. ``pandas.read_csv`` is asked for the same: numbers as doubles, the time
parsed. CPU time, best of the rounds, after both were warmed up on a few rows. Memory is the peak of
the process above what it had before, and the table that comes out is part of it. On Linux. Run with
``make benchmark``, or ``python benchmarks/csv_reading.py --rows 1000000 --rounds 3``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from scratchml.tables import read_table
from scratchml.tables.reading import Reading

NAMES = [f"sensor_{i}" for i in range(5)]
READERS = ("scratchml", "pandas")


def write_files(folder: Path, rows: int) -> dict[str, Path]:
    """The files by what they are."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2000-01-01", periods=rows, freq="min").strftime("%Y-%m-%dT%H:%M")
    table = pd.DataFrame({"time": times})
    for i, name in enumerate(NAMES):
        table[name] = rng.normal(20, 10, rows).round(i)
    kinds = ("plain", "gaps", "quoted", "decimal comma")
    files = {kind: folder / f"{kind.replace(' ', '-')}.csv" for kind in kinds}
    table.to_csv(files["plain"], index=False)
    table.to_csv(files["quoted"], index=False, quoting=csv.QUOTE_ALL)
    table.to_csv(files["decimal comma"], index=False, sep=";", decimal=",")
    table.loc[rng.random(rows) < 0.05, NAMES[0]] = np.nan
    table.to_csv(files["gaps"], index=False)
    files["gzip"] = folder / "plain.csv.gz"
    files["gzip"].write_bytes(gzip.compress(files["plain"].read_bytes(), 6))
    return files


def read(reader: str, path: Path) -> pd.DataFrame:
    """The table; a file of decimal commas is known by its name."""
    comma = "comma" in path.name
    if reader == "scratchml":
        reading = Reading(decimal="," if comma else ".")
        return read_table(path, reading, numbers=NAMES, time="time", missing=True)
    types = dict.fromkeys(NAMES, np.float64)
    separators: dict[str, Any] = {"sep": ";", "decimal": ","} if comma else {}
    return pd.read_csv(path, dtype=types, parse_dates=["time"], **separators)


def measure(reader: str, path: Path, few: Path) -> dict[str, float]:
    """Seconds, and peak bytes above those of a process that has everything loaded."""
    read(reader, few)
    before = peak_bytes()
    start = time.process_time()
    table = read(reader, path)
    seconds = time.process_time() - start
    size = int(table.memory_usage(deep=True).sum())
    return {"seconds": seconds, "peak": peak_bytes() - before, "table": size}


def peak_bytes() -> int:
    """Of this process so far. Its resource usage would begin with that of the one before it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def in_a_process(reader: str, path: Path, few: Path) -> dict[str, float]:
    """As ``measure``, in a process of its own."""
    command = [sys.executable, __file__, "--measure", reader, str(path), str(few)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def main() -> None:
    """Print a table: files down, what either reader needs across."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        reader, path, few = options.measure
        print(json.dumps(measure(reader, Path(path), Path(few))))
        return
    table = Table("file", "MB", "", "s", "MB/s", "peak MB", "table MB", "s / pandas")
    with tempfile.TemporaryDirectory() as name:
        few = write_files(Path(name), 100)["plain"].rename(Path(name) / "few.csv")
        for kind, path in write_files(Path(name), options.rows).items():
            runs: dict[str, list[dict[str, float]]] = {reader: [] for reader in READERS}
            for _ in range(options.rounds):
                for reader in READERS:
                    runs[reader].append(in_a_process(reader, path, few))
            best = {r: min(run["seconds"] for run in runs[r]) for r in READERS}
            size = path.stat().st_size / 1e6
            for reader in READERS:
                table.add_row(
                    *((kind, f"{size:.0f}") if reader == READERS[0] else ("", "")),
                    reader,
                    f"{best[reader]:.2f}",
                    f"{size / best[reader]:.0f}",
                    f"{max(run['peak'] for run in runs[reader]) / 1e6:.0f}",
                    f"{runs[reader][0]['table'] / 1e6:.0f}",
                    f"{best[reader] / best['pandas']:.1f}",
                )
            table.add_section()
    table.title = f"{options.rows:,} rows, best of {options.rounds}"
    Console(width=90).print(table)


if __name__ == "__main__":
    main()
