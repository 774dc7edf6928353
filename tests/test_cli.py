"""The commands as a user types them: files, exit status, one-line errors, nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import require

FILES = {
    "model.npz",
    "model.tflite",
    "snow_model.c",
    "snow_model.h",
    "metrics.json",
    "history.csv",
}
PICTURES = {"history.png", "confusion.png", "precision_recall.png"}
QUICK = ("--epochs", "2", "--rows", "500", "--no-pictures")


def scratchml(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """``scratchml`` in a process of its own, with no terminal."""
    command = [sys.executable, "-m", "scratchml", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def complaint(result: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The one line with which a command failed."""
    assert result.returncode == status, result.stderr
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, result.stderr
    assert result.stderr.splitlines()[-1] == errors[0]
    assert "Traceback" not in result.stderr
    return errors[0]


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand hours in which snow comes with cold and damp."""
    rng = np.random.default_rng(0)
    n = 2000
    temperature = np.round(5 * np.sin(np.arange(n) / 40) + rng.normal(0, 1, n), 1)
    humidity = np.round(np.clip(80 - 3 * temperature + rng.normal(0, 8, n), 5, 100))
    snowfall = np.where((humidity > 85) & (rng.random(n) < 0.6), 1.4, 0.0)
    times = pd.date_range("2001-01-01", periods=n, freq="h").strftime("%Y-%m-%dT%H:%M")
    table = pd.DataFrame(
        {
            "time": times,
            "temperature_2m": temperature,
            "relative_humidity_2m": humidity,
            "snowfall": snowfall,
        }
    )
    path = tmp_path_factory.mktemp("hours") / "hours.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run_folder(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves behind."""
    folder = tmp_path_factory.mktemp("run") / "snow"
    result = scratchml("run", csv, "-o", folder, *QUICK)
    assert result.returncode == 0, result.stderr
    return folder


def test_run_on_the_embedded_hours_writes_everything_from_any_folder(tmp_path: Path) -> None:
    require("matplotlib")
    result = scratchml("run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "build" / "snow"
    assert {path.name for path in folder.iterdir()} == FILES | PICTURES
    for label in ("accuracy", "PR AUC", "persistence", "always no", "snow, forecast", "flash"):
        assert label in result.stdout
    assert "100,000 rows, 0 differ" in result.stdout
    assert "26,299 rows, 0 differ" in result.stdout
    assert result.stderr.count("validation loss") == 20
    for picture in PICTURES:
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert metrics["evaluations"]["int8"]["roc_auc"] > 0.9
    assert all(pair["differing"] == 0 for pair in metrics["verify"])


def test_paper_reproduces_the_published_accuracy(tmp_path: Path) -> None:
    """About 0.87 in the original exercise."""
    result = scratchml("run", "--paper", "--json", "--rows", "500", "--no-pictures", cwd=tmp_path)
    evaluations = json.loads(result.stdout)["evaluations"]
    for name in ("float", "int8"):
        assert 0.85 <= evaluations[name]["accuracy"] <= 0.91
        assert evaluations[name]["threshold"] == (0.5 if name == "float" else 0)


def test_two_runs_with_one_seed_give_the_same_bytes(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    result = scratchml("run", csv, "-o", tmp_path / "again", *QUICK)
    assert result.returncode == 0
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (run_folder / name).read_bytes(), name


def test_another_seed_gives_another_model(csv: Path, run_folder: Path, tmp_path: Path) -> None:
    scratchml("run", csv, "-o", tmp_path / "other", "--seed", "1", *QUICK)
    other = (tmp_path / "other" / "model.tflite").read_bytes()
    assert other != (run_folder / "model.tflite").read_bytes()


def test_each_step_alone_gives_what_run_gives(csv: Path, run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "steps"
    steps = [
        scratchml("train", csv, "-o", folder, "--epochs", "2"),
        scratchml("quantize", folder / "model.npz", csv),
        scratchml("export", folder / "model.tflite"),
        scratchml("verify", folder / "model.tflite", csv, "--rows", "500"),
    ]
    assert [step.returncode for step in steps] == [0, 0, 0, 0], [s.stderr for s in steps]
    for name in FILES - {"metrics.json"}:
        assert (folder / name).read_bytes() == (run_folder / name).read_bytes(), name
    metrics = json.loads((run_folder / "metrics.json").read_text("utf-8"))["evaluations"]
    for model, name in (("model.npz", "float"), ("model.tflite", "int8")):
        result = scratchml("evaluate", folder / model, csv, "--json")
        assert json.loads(result.stdout)[name] == metrics[name]


@pytest.mark.parametrize("command", ["run", "train", "quantize", "export", "verify", "evaluate"])
def test_json_is_the_only_thing_on_standard_output(
    command: str, csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    arguments: dict[str, list[str | Path]] = {
        "run": [csv, "-o", tmp_path, *QUICK],
        "train": [csv, "-o", tmp_path, "--epochs", "1"],
        "quantize": [run_folder / "model.npz", csv, "-o", tmp_path],
        "export": [run_folder / "model.tflite", "-o", tmp_path],
        "verify": [run_folder / "model.tflite", csv, "--rows", "100"],
        "evaluate": [run_folder / "model.npz", csv],
    }
    result = scratchml(command, *arguments[command], "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)


def test_verify_fails_and_shows_the_first_difference(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    """A table entry is changed in the exported C: status 1, with input and both outputs."""
    source = tmp_path / "snow_model.c"
    text = (run_folder / "snow_model.c").read_text("utf-8")
    source.write_text(text.replace(".input_zero_point = ", ".input_zero_point = 1 + "))
    (tmp_path / "snow_model.h").write_bytes((run_folder / "snow_model.h").read_bytes())
    result = scratchml("verify", run_folder / "model.tflite", csv, "--c", source, "--rows", "100")
    assert result.returncode == 1
    assert "differs: row " in result.stderr
    assert "numpy integers [" in result.stderr
    assert "exported C [" in result.stderr


def test_verify_without_the_oracle_says_so_and_succeeds(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    """A package that cannot be found, in front of the real one, stands for its absence."""
    blocker = tmp_path / "sitecustomize.py"
    blocker.write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'tflite_micro' else find(name, *a)\n"
    )
    result = scratchml(
        "verify", run_folder / "model.tflite", csv, "--rows", "100",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 0
    assert "not available here" in result.stdout
    assert "TFLite Micro: not available here" in result.stderr


def test_other_hours_than_those_of_the_training_are_noted(run_folder: Path) -> None:
    result = scratchml("evaluate", run_folder / "model.tflite")
    assert result.returncode == 0
    assert "not the hours that the model was trained on" in result.stderr


def damaged(table: pd.DataFrame, **changes: Any) -> str:
    return table.assign(**changes).to_csv(index=False)


BAD_HOURS = {
    "empty": ("", "the file is empty"),
    "header only": ("time,temperature_2m,relative_humidity_2m,snowfall\n", "no hour below it"),
    "binary": ("\x00\x01\x02\x03", "hours.csv: "),
    "columns": ("a,b\n1,2\n", "the column time"),
    "text": (
        "time,temperature_2m,relative_humidity_2m,snowfall\n2001-01-01T00:00,mild,50,0\n",
        "line 2, column temperature_2m: the value 'mild' is not a number",
    ),
    "missing": (
        "time,temperature_2m,relative_humidity_2m,snowfall\n2001-01-01T00:00,1,,0\n",
        "line 2, column relative_humidity_2m: the value is missing",
    ),
    "order": (
        "time,temperature_2m,relative_humidity_2m,snowfall\n"
        "2001-01-01T01:00,1,50,0\n2001-01-01T00:00,1,50,0\n",
        "line 3, column time",
    ),
    "doubled": (
        "time,temperature_2m,relative_humidity_2m,snowfall\n"
        "2001-01-01T01:00,1,50,0\n2001-01-01T01:00,1,50,0\n",
        "stands twice",
    ),
}


@pytest.mark.parametrize("case", BAD_HOURS)
def test_bad_hours_end_in_one_line(case: str, no_temporary_files: Path) -> None:
    contents, message = BAD_HOURS[case]
    path = no_temporary_files / "hours.csv"
    path.write_text(contents)
    result = scratchml("run", path, "-o", no_temporary_files / "out", *QUICK)
    assert message in complaint(result)
    assert not (no_temporary_files / "out").exists()


def test_hours_cut_short_end_in_one_line(csv: Path, no_temporary_files: Path) -> None:
    import gzip

    path = no_temporary_files / "hours.csv.gz"
    path.write_bytes(gzip.compress(csv.read_bytes())[:-100])
    result = scratchml("run", path, "-o", no_temporary_files / "out", *QUICK)
    assert "cut short or damaged" in complaint(result)


BAD_OPTIONS = {
    "no snow": (["--snow-above", "50"], "hours of snow among"),
    "batch": (["--batch-size", "5000"], "fewer than one batch of 5000"),
    "hidden 0": (["--hidden", "0"], "each at least 1"),
    "hidden too many": (["--hidden", "70000"], "at most 65535 units"),
    "window beyond int64": (["--window", "9" * 25], "whole number"),
    "hidden word": (["--hidden", "big"], "is not a list such as"),
    "threshold": (["--threshold", "0.99"], "no validation row reaches the threshold"),
    "threshold 1": (["--threshold", "1"], "threshold 1"),
    "threshold nan": (["--threshold", "nan"], "threshold nan"),
    "dropout": (["--dropout", "1"], "dropout 1"),
    "epochs": (["--epochs", "0"], "must be positive"),
    "rate": (["--learning-rate", "1e30"], "not finite"),
    "split": (["--split", "never"], "known are time, random"),
    "window": (["--window", "0"], "window 0: it must be"),
    "name of a header": (["--name", "ScratchML"], "cannot name a C variable"),
    "window too long": (["--window", "3000"], "no available rows: too few hours"),
    "name": (["--name", "int"], "cannot name a C variable"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_end_in_one_line(case: str, csv: Path, no_temporary_files: Path) -> None:
    options, message = BAD_OPTIONS[case]
    result = scratchml("run", csv, "-o", no_temporary_files / "out", *QUICK, *options)
    result.stdout = ""  # the table of rows may have been printed by then
    assert message in complaint(result)
    assert not (no_temporary_files / "out").exists()


@pytest.mark.parametrize(
    "arguments", [["fly"], ["run", "--wings", "2"], ["run", "--seed", "-1"], ["run", "a", "b"]]
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = scratchml(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["evaluate", "quantize", "export", "verify"])
@pytest.mark.parametrize("contents", [None, b"", b"PK\x03\x04", b"\x1c\x00\x00\x00TFL3junk"])
def test_a_model_that_is_none_ends_in_one_line(
    command: str, contents: bytes | None, no_temporary_files: Path
) -> None:
    path = no_temporary_files / "model"
    if contents is not None:
        path.write_bytes(contents)
    assert str(path) in complaint(scratchml(command, path))


@pytest.mark.parametrize("cut", [10, 500, -1])
@pytest.mark.parametrize("name", ["model.npz", "model.tflite"])
def test_a_model_cut_short_ends_in_one_line(
    name: str, cut: int, run_folder: Path, csv: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes((run_folder / name).read_bytes()[:cut])
    result = scratchml("evaluate", path, csv)
    if result.returncode == 0:  # the last byte of a .tflite may be padding
        assert (name, cut) == ("model.tflite", -1)
    else:
        complaint(result)


def test_an_output_folder_that_cannot_be_is_noticed_before_training(
    csv: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    result = scratchml("run", csv, "-o", tmp_path / "file", *QUICK)
    assert str(tmp_path / "file") in complaint(result)
    assert "epoch" not in result.stderr
    result = scratchml("run", csv, "-o", "/proc/scratchml", *QUICK)
    assert "/proc/scratchml" in complaint(result)
    assert "epoch" not in result.stderr


def test_a_full_disk_leaves_nothing_half_written(csv: Path, no_temporary_files: Path) -> None:
    """A limit on file sizes fails a write in the middle, as a full disk does."""
    folder = no_temporary_files / "out"
    folder.mkdir()
    (folder / "model.npz").write_text("of an earlier run")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    result = scratchml("run", csv, "-o", folder, *QUICK, preexec_fn=limit)
    result.stdout = ""
    assert "File too large" in complaint(result)
    assert [path.name for path in folder.iterdir()] == ["model.npz"]
    assert (folder / "model.npz").read_text() == "of an earlier run"


def test_no_compiler_is_one_line_before_the_work(csv: Path, no_temporary_files: Path) -> None:
    for environment in ({"PATH": "/nowhere"}, {"CC": "no-such-compiler"}):
        result = scratchml(
            "run", csv, "-o", no_temporary_files / "out", *QUICK,
            env={**os.environ, "CC": "", **environment},
        )  # fmt: skip
        assert "compiler" in complaint(result)
        assert "epoch" not in result.stderr
    assert not (no_temporary_files / "out").exists()


def test_no_compiler_at_verify_time(csv: Path, run_folder: Path) -> None:
    result = scratchml(
        "verify", run_folder / "model.tflite", csv,
        env={**os.environ, "CC": "", "PATH": "/nowhere"},
    )  # fmt: skip
    assert "install gcc or clang" in complaint(result)


@pytest.mark.parametrize(("ending", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_ended_in_training_leaves_nothing(
    ending: signal.Signals, status: int, no_temporary_files: Path
) -> None:
    folder = no_temporary_files / "out"
    command = [sys.executable, "-m", "scratchml", "run", "-o", str(folder)]
    process = subprocess.Popen(
        [*command, "--epochs", "5000", "--patience", "5000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = [process.stderr.readline()]  # an epoch is over: training is under way
    assert folder.exists()
    process.send_signal(ending)
    lines += process.stderr.read().splitlines()
    process.stderr.close()
    assert process.wait() == status
    if ending == signal.SIGINT:
        assert lines[-1] == "error: interrupted; nothing was written"
    assert "Traceback" not in "".join(lines)
    assert not folder.exists()


def test_too_little_memory_ends_in_one_line(csv: Path, no_temporary_files: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))

    result = scratchml(
        "run", csv, "-o", no_temporary_files / "out", *QUICK, "--hidden", "60000,60000",
        preexec_fn=limit,
    )  # fmt: skip
    result.stdout = ""
    assert "not enough memory" in complaint(result)
    assert not (no_temporary_files / "out").exists()


def test_verify_asks_which_of_several_c_files_is_meant(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    for name in ("model.tflite", "snow_model.c", "snow_model.h"):
        (tmp_path / name).write_bytes((run_folder / name).read_bytes())
    assert scratchml("export", tmp_path / "model.tflite", "--name", "other").returncode == 0
    result = scratchml("verify", tmp_path / "model.tflite", csv, "--rows", "100")
    assert "choose one with --c" in complaint(result)


def test_files_of_the_user_are_not_imported(csv: Path, run_folder: Path, tmp_path: Path) -> None:
    """The oracle's process is Python as well, and looks for modules where it is started."""
    require("tflite_micro")
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')")
    command = [str(Path(sys.executable).parent / "scratchml"), "verify"]
    result = subprocess.run(
        [*command, str(run_folder / "model.tflite"), str(csv), "--rows", "100"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "TFLite Micro" in result.stdout


def test_help_teaches_every_command() -> None:
    names = ("run", "train", "evaluate", "quantize", "export", "verify")
    overview = scratchml("--help").stdout
    for name in names:
        assert name in overview
        assert "Usage: " in scratchml(name, "--help").stdout
