"""What goes wrong on the command line: one line that says why, an exit status, no files left."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import (
    FOREIGN,
    QUICK,
    called,
    complaint,
    copied,
    output_of,
    refused,
    scratchml,
    terminal_run,
    write_hours,
)

MODEL_COMMANDS = ["evaluate", "quantize", "export", "verify", "info", "digest", "trace"]


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand hours in which snow comes with cold and damp."""
    return write_hours(tmp_path_factory.mktemp("hours"))


@pytest.fixture(scope="module")
def run_folder(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves behind."""
    folder = tmp_path_factory.mktemp("run") / "snow"
    output_of("run", csv, "-o", folder, *QUICK)
    return folder


BAD_HOURS = {
    "empty": ("", "the file is empty"),
    "header only": ("time,temperature_2m,relative_humidity_2m,snowfall\n", "no line below it"),
    "binary": ("\x00\x01\x02\x03", "hours.csv: "),
    "columns": ("a,b\n1,2\n", "no column of this file is one of weather (temperature_2m"),
    "a column": (
        "time,snowfall\n1,2\n",
        "the column temperature_2m, relative_humidity_2m is missing",
    ),
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
    assert message in refused("run", path, "-o", no_temporary_files / "out", *QUICK)
    assert not (no_temporary_files / "out").exists()


def test_hours_cut_short_end_in_one_line(csv: Path, no_temporary_files: Path) -> None:
    path = no_temporary_files / "hours.csv.gz"
    path.write_bytes(gzip.compress(csv.read_bytes())[:-100])
    line = refused("run", path, "-o", no_temporary_files / "out", *QUICK)
    assert "cut short or damaged" in line


BAD_OPTIONS = {
    "no snow": (["--snow-above", "50"], "hours of snow among"),
    "batch": (["--batch-size", "5000"], "fewer than one batch of 5000"),
    "hidden 0": (["--hidden", "0"], "hidden 0: it must be a whole number, 1 to"),
    "hidden too many": (
        ["--hidden", "70000"],
        "hidden 70000: it must be a whole number, 1 to 65535",
    ),
    "window beyond int64": (["--window", "9" * 25], "whole number"),
    "hidden word": (["--hidden", "big"], "is not a list such as"),
    "threshold": (["--threshold", "0.99"], "no validation row reaches the threshold"),
    "threshold 1": (["--threshold", "1"], "threshold 1"),
    "threshold nan": (["--threshold", "nan"], "threshold nan"),
    "dropout": (["--dropout", "1"], "dropout 1"),
    "epochs": (["--epochs", "0"], "epochs 0: it must be a whole number, 1 to"),
    "rate": (["--learning-rate", "1e30"], "not finite"),
    "split": (["--split", "never"], "known are time, random"),
    "window": (["--window", "0"], "window 0: it must be"),
    "name of a header": (["--name", "ScratchML"], "cannot name a C variable"),
    "window too long": (["--window", "3000"], "no available rows: too few hours"),
    "name": (["--name", "int"], "cannot name a C variable"),
    "percentile": (["--percentile", "50"], "percentile 50: it must be above 50"),
    "percentile 101": (["--percentile", "101"], "percentile 101: it must be above 50"),
    "percentile nan": (["--percentile", "nan"], "percentile nan: it must be a number"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_end_in_one_line(case: str, csv: Path, no_temporary_files: Path) -> None:
    options, message = BAD_OPTIONS[case]
    result = called("run", csv, "-o", no_temporary_files / "out", *QUICK, *options)
    result.stdout = ""  # the table of rows may have been printed by then
    assert message in complaint(result)
    assert not (no_temporary_files / "out").exists()


@pytest.mark.parametrize("command", ["run", "train"])
@pytest.mark.parametrize("threshold", ["0", "-1", "1", "nan"])
def test_an_impossible_threshold_is_refused_before_the_training(
    command: str, threshold: str, csv: Path, no_temporary_files: Path
) -> None:
    folder = no_temporary_files / "out"
    options = ("--threshold", threshold, "--epochs", "1")
    result = called(command, csv, "-o", folder, *options)
    assert result.returncode == 1
    assert "epoch" not in result.stderr
    assert not folder.exists()


@pytest.mark.parametrize("name", ["digit", "Snow", "weather", "DIGITS"])
def test_an_unknown_example_is_refused_by_name(name: str, no_temporary_files: Path) -> None:
    line = refused("run", name, "-o", no_temporary_files / "out")
    assert f"{name!r} is neither an example (snow, digits, exercises) nor a file" in line


@pytest.mark.parametrize(("name", "reason"), [(".", "directory"), ("none.csv", "No such file")])
def test_a_place_without_hours_is_named(
    name: str, reason: str, no_temporary_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(no_temporary_files)
    line = refused("train", name, "-o", "out")
    assert line.startswith(f"error: {name}: ")
    assert reason in line
    assert not Path("out").exists()


WRONG_USAGE = [
    ["fly"],
    ["run", "--wings", "2"],
    ["run", "--seed", "-1"],
    ["run", "--seed", "one"],
    ["run", "a", "b"],
    ["run", "--rows", "0"],
    ["verify", "model.tflite", "--rows", "1" + 20 * "0"],
    ["digest", "model.tflite", "--rows", "0"],
    ["digest", "model.tflite", "--rows", "1000000001"],
    ["digest", "model.tflite", "--seed", "-1"],
    ["digest", "model.tflite", "--seed", "4294967296"],
    ["evaluate"],
    ["info"],
    ["info", "a", "b"],
]


@pytest.mark.parametrize("arguments", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = called(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr
    assert "Traceback" not in result.stderr


def test_no_command_at_all_shows_the_overview() -> None:
    result = scratchml()
    assert result.returncode == 2
    assert "Start with: scratchml run" in result.stdout + result.stderr


@pytest.mark.parametrize("command", MODEL_COMMANDS)
@pytest.mark.parametrize("contents", [None, b"", b"PK\x03\x04", b"\x1c\x00\x00\x00TFL3junk"])
def test_a_model_that_is_none_ends_in_one_line(
    command: str, contents: bytes | None, no_temporary_files: Path
) -> None:
    path = no_temporary_files / "model"
    if contents is not None:
        path.write_bytes(contents)
    line = refused(command, path, "--json")
    assert line.startswith(f"error: {path}: ")


@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_folder_is_no_model(command: str, tmp_path: Path) -> None:
    assert refused(command, tmp_path) == f"error: {tmp_path}: Is a directory"


@pytest.mark.parametrize("command", ["info", "evaluate"])
def test_a_file_s_name_commands_no_terminal(command: str, tmp_path: Path) -> None:
    path = tmp_path / "[red]a\x1b[2Jb"
    path.write_bytes(b"junk")
    line = refused(command, path)
    assert line.startswith(f"error: {tmp_path}/[red]a?[2Jb: ")


@pytest.mark.parametrize(
    ("command", "name"),
    [("quantize", "model.tflite"), *((c, "model.npz") for c in ("export", "verify", "info"))],
)
def test_the_other_kind_of_model_is_refused(command: str, name: str, run_folder: Path) -> None:
    line = refused(command, run_folder / name)
    assert line.startswith(f"error: {run_folder / name}: this is not ")


@pytest.mark.parametrize("command", ["evaluate", "export", "verify", "info", "digest", "trace"])
@pytest.mark.parametrize("name", ["tf221_conv_2d", "tf221_float32"])
def test_what_is_no_int8_perceptron_is_refused_by_its_operator(command: str, name: str) -> None:
    path = FOREIGN / "refused" / f"{name}.tflite"
    line = refused(command, path)
    assert line.startswith(f"error: {path}: operator 0 ({'CONV_2D' if 'conv' in name else 'FUL'}")


@pytest.mark.parametrize("cut", [10, 500, -1])
@pytest.mark.parametrize("name", ["model.npz", "model.tflite"])
def test_a_model_cut_short_ends_in_one_line(
    name: str, cut: int, run_folder: Path, csv: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes((run_folder / name).read_bytes()[:cut])
    result = called("evaluate", path, csv)
    if result.returncode == 0:  # the last byte of a .tflite may be padding
        assert (name, cut) == ("model.tflite", -1)
    else:
        complaint(result)


def test_an_output_folder_that_cannot_be_is_noticed_before_training(
    csv: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", Path("/proc/scratchml")):
        result = called("run", csv, "-o", place, *QUICK)
        assert str(place) in complaint(result)
        assert "epoch" not in result.stderr


@pytest.mark.parametrize("command", ["train", "quantize", "export"])
def test_every_step_names_the_folder_that_cannot_be_written(
    command: str, csv: Path, run_folder: Path
) -> None:
    arguments: dict[str, list[str | Path]] = {
        "train": [csv, "--epochs", "1"],
        "quantize": [run_folder / "model.npz", csv],
        "export": [run_folder / "model.tflite", "--byte-array"],
    }
    line = refused(command, *arguments[command], "-o", "/proc/scratchml", "--json")
    assert line.startswith("error: /proc/scratchml: ")


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


@pytest.mark.parametrize("command", ["quantize", "export"])
def test_a_full_disk_leaves_what_was_there(
    command: str, csv: Path, run_folder: Path, no_temporary_files: Path
) -> None:
    """A header of C that fits would belong to another source."""
    names = {"quantize": ["model.npz", "model.tflite"], "export": ["model.tflite"]}[command]
    copied(run_folder, *names, to=no_temporary_files)
    header = no_temporary_files / "snow_model.h"
    header.write_text("of an earlier run")
    before = {path.name: path.read_bytes() for path in no_temporary_files.iterdir()}
    limits = {"quantize": 1000, "export": 2 * (run_folder / "snow_model.h").stat().st_size}
    assert limits["export"] < (run_folder / "snow_model.c").stat().st_size

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits[command], limits[command]))

    arguments = [no_temporary_files / names[0], *([csv] if command == "quantize" else [])]
    result = scratchml(command, *arguments, preexec_fn=limit)
    assert "File too large" in complaint(result)
    after = {path.name: path.read_bytes() for path in no_temporary_files.iterdir()}
    assert after == before


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
        # a shell's background job, such as the tests may be part of, ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
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


def test_too_many_rows_for_the_memory_end_in_one_line(run_folder: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))

    model = FOREIGN / "tf221_image.tflite"
    result = scratchml("verify", model, "--rows", "1000000000", preexec_fn=limit)
    assert "not enough memory" in complaint(result)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_reader_that_goes_away_gets_no_traceback(options: list[str], run_folder: Path) -> None:
    """As in ``scratchml info model.tflite | true``."""
    command = [sys.executable, "-m", "scratchml", "info", str(run_folder / "model.tflite")]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()  # long before the first line
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert errors == ""


@pytest.mark.parametrize(
    ("command", "rows", "until"),
    [("digest", "1000000000", "numpy"), ("verify", "3000000", "verifying")],
)
def test_ctrl_c_ends_a_long_command_in_one_line(
    command: str, rows: str, until: str, tmp_path: Path
) -> None:
    model = copied(FOREIGN, "tf221_sigmoid.tflite", to=tmp_path)
    result = terminal_run(command, model, "--rows", rows, until=until)
    assert result.returncode == 130
    assert result.stdout == ""
    assert "interrupted; nothing was written" in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [model.name]
