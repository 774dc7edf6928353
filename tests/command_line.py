"""Commands as a user types them, for the tests of the command line, and hours to run them on."""

from __future__ import annotations

import errno
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from conftest import ROOT
from typer.testing import CliRunner

from scratchml.cli import app

Result = subprocess.CompletedProcess[str]

FOREIGN = ROOT / "tests" / "golden" / "foreign"

#: What a run leaves, but for the C files, which are named after the task.
COMMON = {"model.npz", "model.tflite", "metrics.json", "history.csv"}
QUICK = ("--epochs", "2", "--rows", "500", "--no-pictures")


def scratchml(*arguments: str | Path, **options: Any) -> Result:
    """``scratchml`` in a process of its own, with no terminal."""
    command = [sys.executable, "-m", "scratchml", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def terminal_run(*arguments: str | Path, until: str | None = None) -> Result:
    """``scratchml`` with a terminal for standard error, and Ctrl-C once that shows ``until``."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "scratchml", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        # a shell's background job, such as the tests may be part of, ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    interrupted = False
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError as error:  # the last of its users has closed the terminal
            assert error.errno == errno.EIO
            break
        if until and until.encode() in shown and not interrupted:
            os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to children as well
            interrupted = True
    os.close(terminal)
    assert process.stdout is not None
    output = process.stdout.read().decode()
    process.stdout.close()
    return Result(arguments, process.wait(), output, shown.decode())


def called(*arguments: str | Path, columns: int = 100) -> Result:
    """The same in this process, which is quicker; a bug's traceback is the test's."""
    words = list(map(str, arguments))
    runner = CliRunner(env={"COLUMNS": str(columns)})
    result = runner.invoke(app, words, catch_exceptions=False)
    return Result(words, result.exit_code, result.stdout, result.stderr)


def output_of(*arguments: str | Path, columns: int = 100) -> str:
    """Standard output of a command that succeeds."""
    result = called(*arguments, columns=columns)
    assert result.returncode == 0, result.stderr
    return result.stdout


def json_of(*arguments: str | Path) -> dict[str, Any]:
    """The one JSON object on the standard output of a command that succeeds."""
    values = json.loads(output_of(*arguments, "--json"))
    assert isinstance(values, dict)
    return values


def complaint(result: Result, status: int = 1) -> str:
    """The one line with which a command failed."""
    assert result.returncode == status, result.stderr
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, result.stderr
    assert result.stderr.splitlines()[-1] == errors[0]
    assert "Traceback" not in result.stderr
    return errors[0]


def refused(*arguments: str | Path) -> str:
    """The one line with which a command refuses its arguments, before it prints anything else."""
    return complaint(called(*arguments))


def one_line(text: str) -> str:
    """Without the line breaks and frames of a page of help."""
    return " ".join(text.replace("│", " ").split())


def copied(source: Path, *names: str, to: Path) -> Path:
    """Copies of files of a folder; gives that of the last."""
    for name in names:
        shutil.copy(source / name, to)
    return to / names[-1]


def hours_table(n: int = 2000) -> pd.DataFrame:
    """Hours in which snow comes with cold and damp."""
    rng = np.random.default_rng(0)
    temperature = np.round(5 * np.sin(np.arange(n) / 40) + rng.normal(0, 1, n), 1)
    humidity = np.round(np.clip(80 - 3 * temperature + rng.normal(0, 8, n), 5, 100))
    snowfall = np.where((humidity > 85) & (rng.random(n) < 0.6), 1.4, 0.0)
    return pd.DataFrame(
        {
            "time": pd.date_range("2001-01-01", periods=n, freq="h").strftime("%Y-%m-%dT%H:%M"),
            "temperature_2m": temperature,
            "relative_humidity_2m": humidity,
            "snowfall": snowfall,
        }
    )


def write_hours(folder: Path, table: pd.DataFrame | None = None) -> Path:
    """A CSV file of hours."""
    path = folder / "hours.csv"
    (hours_table() if table is None else table).to_csv(path, index=False)
    return path


def write_gestures(folder: Path) -> Path:
    """Three movements of ten people, 30 samples each in turn: a table of two channels."""
    rng = np.random.default_rng(0)
    n = 1800
    kind = np.arange(n) // 30 % 3
    table = pd.DataFrame(
        {
            "ax": np.round(kind * np.sin(np.arange(n)) + rng.normal(0, 0.1, n), 2),
            "ay": np.round(0.5 * kind + rng.normal(0, 0.2, n), 2),
            "gesture": np.array(["circle", "rest", "shake"])[kind],
            "person": [f"p{i // 180}" for i in range(n)],
        }
    )
    path = folder / "gestures.csv"
    table.to_csv(path, index=False)
    return path


def write_rooms(folder: Path) -> Path:
    """Rooms that are hot or cold, and the power that heats them: a label and a target."""
    rng = np.random.default_rng(1)
    n = 600
    inside, outside = rng.normal(20, 4, n).round(1), rng.normal(5, 8, n).round(0)
    table = pd.DataFrame(
        {
            "inside": inside,
            "outside": outside,
            "kind": np.where(inside + rng.normal(0, 1, n) > 20, "hot", "cold"),
            "power": (100 * (inside - outside) + rng.normal(0, 50, n)).round(0),
        }
    )
    path = folder / "rooms.csv"
    table.to_csv(path, index=False)
    return path
