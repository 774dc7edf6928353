"""Anybody's table through the command line: two classes, several in windows, a number.

From the file to verified C, by options and by a recipe, and each later command by itself.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import (
    COMMON,
    called,
    complaint,
    json_of,
    output_of,
    refused,
    write_gestures,
    write_hours,
    write_rooms,
)
from conftest import require

import scratchml as sml
from scratchml import oracle
from scratchml.engine import compiler
from scratchml.resources import engine_folder, engine_sources
from scratchml.tasks import TASKS

QUICK = ("--rows", "300", "--no-pictures", "--epochs", "4")

OPTIONS = {
    "binary": ("--features", "inside,outside", "--label", "kind", "--units", "C"),
    "classes": (
        *("--features", "ax,ay", "--label", "gesture", "--group", "person", "--window", "20"),
        *("--step", "5", "--statistics", "mean,std", "--scaling", "robust", "--horizon", "0"),
    ),
    "number": ("--features", "inside,outside", "--target", "power", "--balance", "none"),
}
ENDS = {"binary": (2, 1), "classes": (4, 3), "number": (2, 1)}
KINDS = list(OPTIONS)


AVAILABLE = oracle.available


@pytest.fixture(autouse=True)
def _no_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out TensorFlow Lite Micro, a process that takes a second, but where it is asked."""
    monkeypatch.setattr(oracle, "available", lambda: False)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    rooms, gestures = write_rooms(folder), write_gestures(folder)
    return {"binary": rooms, "classes": gestures, "number": rooms}


@pytest.fixture(scope="module")
def runs(
    tables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Of each kind the folder that a run leaves, and its JSON."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oracle, "available", lambda: False)
        for kind, options in OPTIONS.items():
            values = json_of("run", tables[kind], "-o", folder / kind, *options, *QUICK)
            found[kind] = (folder / kind, values)
    return found


# A run.


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_leaves_a_verified_model_named_after_the_table(
    kind: str, tables: dict[str, Path], runs: dict[str, tuple[Path, dict[str, Any]]]
) -> None:
    folder, found = runs[kind]
    name = f"{tables[kind].stem}_model"
    assert {path.name for path in folder.iterdir()} == {*COMMON, f"{name}.c", f"{name}.h"}
    assert found == json.loads((folder / "metrics.json").read_text("utf-8"))
    inputs, outputs = ENDS[kind]
    assert found["model"]["sizes"] == [inputs, *TASKS["table"].training.hidden, outputs]
    assert all(pair["differing"] == 0 for pair in found["verify"])
    rows = {pair["rows_name"]: pair["rows"] for pair in found["verify"]}
    assert rows["test rows"] == found["data"]["test"]["rows"]
    assert ("windows of the test stream" in rows) == (kind == "classes")
    test = found["data"]["test"]["rows"]
    assert all(e["rows"] == test for e in found["evaluations"].values())


def test_two_classes_are_a_yes_or_no(runs: dict[str, tuple[Path, dict[str, Any]]]) -> None:
    folder, found = runs["binary"]
    assert list(found["evaluations"]) == ["float", "int8", "nearest mean", "always cold"]
    assert found["evaluations"]["int8"]["roc_auc"] > 0.8
    model = sml.QuantizedMLP.load(folder / "model.tflite")
    assert (model.output, model.classes) == ("sigmoid", ("cold", "hot"))
    assert model.scaler is not None and model.scaler.units == ("C", "C")


def test_several_classes_are_told_from_windows(
    runs: dict[str, tuple[Path, dict[str, Any]]], tables: dict[str, Path]
) -> None:
    folder, found = runs["classes"]
    assert list(found["evaluations"])[:3] == ["float", "int8", "nearest mean"]
    model = sml.QuantizedMLP.load(folder / "model.tflite")
    assert model.output == "softmax" and model.classes == ("circle", "rest", "shake")
    assert model.front_end is not None
    assert (model.front_end.window, model.front_end.step) == (20, 5)
    assert model.front_end.statistics == ("mean", "std")
    header = (folder / "gestures_model.h").read_text("utf-8")
    assert "GESTURES_MODEL" in header and "circle" in header
    text = output_of("evaluate", folder / "model.tflite", tables["classes"])
    assert re.search(r"int8, taken for +circle +rest +shake +recall", text)


def test_a_number_is_told_in_its_units(
    runs: dict[str, tuple[Path, dict[str, Any]]], tables: dict[str, Path]
) -> None:
    folder, found = runs["number"]
    evaluations = found["evaluations"]
    assert list(evaluations) == ["float", "int8", "always the mean", "linear regression"]
    power = pd.read_csv(tables["number"])["power"]
    assert evaluations["always the mean"]["rmse"] == pytest.approx(power.std(), rel=0.1)
    assert evaluations["int8"]["rmse"] < power.std()
    assert "extern const int32_t rooms_model_target[256];" in (folder / "rooms_model.h").read_text(
        "utf-8"
    )


def test_a_number_has_a_unit_of_its_own_in_c(tables: dict[str, Path], tmp_path: Path) -> None:
    options = (*OPTIONS["number"], "--units", "C,C,W", "--resolution", "10", "-o", tmp_path)
    called("run", tables["number"], *options, *QUICK)
    text = (tmp_path / "rooms_model.h").read_text("utf-8")
    assert "/* power in counts of 1/1 W: rooms_model_target[output[0] + 128]. */" in text
    assert "counts[1]: outside, counts of 1/10 C" in text


def test_rooms_in_fahrenheit_are_rooms_in_celsius(tables: dict[str, Path], tmp_path: Path) -> None:
    table = pd.read_csv(tables["binary"])
    for name in ("inside", "outside"):
        table[name] = 1.8 * table[name] + 32
    table.to_csv(tmp_path / "rooms.csv", index=False)
    options = (*OPTIONS["binary"], "--resolution", "10", "--epochs", "2", "-o")
    output_of("train", tables["binary"], *options, tmp_path / "c")
    output_of("train", tmp_path / "rooms.csv", "--fahrenheit", *options, tmp_path / "f")
    one, other = ((tmp_path / name / "history.csv").read_text("utf-8") for name in "cf")
    assert one == other
    unitless = ("--fahrenheit", *OPTIONS["binary"][:4], "-o", tmp_path / "g")
    line = refused("train", tmp_path / "rooms.csv", *unitless)
    assert "name the units" in line and "--units C" in line


@pytest.mark.parametrize("kind", KINDS)
def test_tables_for_people_name_what_the_data_names(
    kind: str, tables: dict[str, Path], tmp_path: Path
) -> None:
    text = output_of("run", tables[kind], "-o", tmp_path, *OPTIONS[kind], *QUICK)
    told = {
        "binary": ["cold", "hot", "hot, found", "ROC AUC", "nearest mean"],
        "classes": ["circle", "shake", "person", "macro F1", "of the test stream"],
        "number": ["RMSE", "R2", "linear regression"],
    }[kind]
    assert [word for word in told if word not in text] == []
    assert "snow" not in text


def test_tensorflow_runs_a_table_s_model_to_the_same_bytes(
    runs: dict[str, tuple[Path, dict[str, Any]]],
    tables: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require("tflite_micro")
    monkeypatch.setattr(oracle, "available", AVAILABLE)
    for kind in ("classes", "number"):
        result = json_of("verify", runs[kind][0] / "model.tflite", tables[kind], "--rows", "200")
        micro = [pair for pair in result["verify"] if pair["implementation"] == "TFLite Micro"]
        assert len(micro) == 2
        assert all(pair["differing"] == 0 for pair in result["verify"])


# By a recipe.


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_gives_the_same_bytes_as_its_options_and_as_itself(
    kind: str,
    tables: dict[str, Path],
    runs: dict[str, tuple[Path, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    recipe = tmp_path / f"{tables[kind].stem}.toml"  # what the model is called after
    output_of("init", tables[kind], "-o", recipe, *OPTIONS[kind], "--epochs", "4")
    for folder in (tmp_path / "one", tmp_path / "two"):
        output_of("run", recipe, "-o", folder, "--rows", "300", "--no-pictures")
        for path in runs[kind][0].iterdir():
            assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_options_win_over_the_recipe(tables: dict[str, Path], tmp_path: Path) -> None:
    recipe = tmp_path / "rooms.toml"
    output_of("init", tables["binary"], "-o", recipe, *OPTIONS["binary"])
    options = ("--target", "power", "--epochs", "2", "--seed", "5", "--test", "0.25")
    found = json_of("train", recipe, "-o", tmp_path / "out", *options)
    chosen = found["data"]["recipe"]
    assert (chosen["target"], chosen["label"], chosen["test"]) == ("power", "", 0.25)
    assert (len(found["epochs"]), chosen["seed"]) == (2, 5)
    assert chosen["units"] == ["C", "C"]  # the recipe's


def test_a_recipe_without_output_builds_in_a_folder_of_its_name(
    tables: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "any.TOML").write_text(
        f'data = "{tables["binary"].as_posix()}"\n[dataset]\nfeatures = ["inside"]\n'
        'label = "kind"\n[training]\nepochs = 1\n'
    )
    output_of("train", "any.TOML")
    names = {path.name for path in (tmp_path / "build" / "any").iterdir()}
    assert names == {"model.npz", "history.csv"}


def test_the_paper_gives_way_to_a_recipe_and_it_is_said(tmp_path: Path) -> None:
    path = write_hours(tmp_path)
    (tmp_path / "h.toml").write_text('data = "hours.csv"\n[dataset]\nhorizon = 2\n')
    result = called("train", tmp_path / "h.toml", "--paper", "--epochs", "1", "-o", tmp_path / "o")
    assert result.returncode == 0
    assert "note: what the recipe chooses wins over --paper" in result.stderr.splitlines()
    result = called("train", path, "--paper", "--horizon", "2", "--epochs", "1", "-o", tmp_path)
    assert "note: what the recipe" not in result.stderr


# Each command after it.


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_alone_gives_what_the_run_gives(
    kind: str,
    tables: dict[str, Path],
    runs: dict[str, tuple[Path, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    ran, metrics = runs[kind]
    folder = tmp_path / tables[kind].stem  # which names the C
    output_of("train", tables[kind], "-o", folder, *OPTIONS[kind], "--epochs", "4")
    output_of("quantize", folder / "model.npz", tables[kind])
    output_of("export", folder / "model.tflite")
    for path in ran.iterdir():
        if path.name != "metrics.json":
            assert (folder / path.name).read_bytes() == path.read_bytes(), path.name
    for model, name in (("model.npz", "float"), ("model.tflite", "int8")):
        found = json_of("evaluate", folder / model, tables[kind])
        assert found[name] == metrics["evaluations"][name]
    result = called("verify", folder / "model.tflite", tables[kind], "--rows", "100")
    assert result.returncode == 0
    assert f"exported C: {folder}/{folder.name}_model.c" in result.stderr.splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_table_what_needs_it_says_so_and_the_rest_works(
    kind: str, runs: dict[str, tuple[Path, dict[str, Any]]], tmp_path: Path
) -> None:
    folder, _ = runs[kind]
    asks = "error: name the file of the table that the model was trained on"
    assert refused("evaluate", folder / "model.npz") == asks
    assert refused("evaluate", folder / "model.tflite") == asks
    assert refused("quantize", folder / "model.npz", "-o", tmp_path) == asks
    assert refused("trace", folder / "model.tflite", "--row", "0") == asks
    found = json_of("verify", folder / "model.tflite", "--rows", "100")["verify"]
    names = {pair["rows_name"] for pair in found}
    assert "random rows" in names and "test rows" not in names
    assert all(pair["differing"] == 0 for pair in found)
    found = json_of("digest", folder / "model.tflite", "--rows", "500")
    assert found["numpy"] == found["c"]


def test_another_table_is_noted_and_a_wrong_one_refused(
    runs: dict[str, tuple[Path, dict[str, Any]]], tables: dict[str, Path], tmp_path: Path
) -> None:
    folder, _ = runs["binary"]
    other = pd.read_csv(tables["binary"])
    other["inside"] = other["inside"][::-1].to_numpy()
    other.to_csv(tmp_path / "other.csv", index=False)
    result = called("evaluate", folder / "model.tflite", tmp_path / "other.csv")
    assert result.returncode == 0
    assert "note: this is not the data that the model was trained on" in result.stderr
    for command, model in (("evaluate", "model.npz"), ("verify", "model.tflite")):
        line = refused(command, folder / model, tables["classes"])
        assert line.startswith(f"error: {tables['classes']}: the column inside, outside, kind is ")


def test_finer_samples_are_rounded_to_the_model_s_counts(
    runs: dict[str, tuple[Path, dict[str, Any]]], tables: dict[str, Path], tmp_path: Path
) -> None:
    """As its sensor would: a model's resolution is not found anew in another file."""
    folder, metrics = runs["binary"]
    finer = pd.read_csv(tables["binary"])
    finer["inside"] += 0.0123
    finer.to_csv(tmp_path / "finer.csv", index=False)
    found = json_of("evaluate", folder / "model.tflite", tmp_path / "finer.csv")
    assert found == {name: e for name, e in metrics["evaluations"].items() if name in found}


def test_a_model_s_file_says_what_it_reads_and_tells(
    runs: dict[str, tuple[Path, dict[str, Any]]],
) -> None:
    text = output_of("info", runs["classes"][0] / "model.tflite", columns=150)
    assert re.search(r"features +ax mean, ax std, ay mean, ay std", text)
    assert re.search(r"front end +20 samples of ax, ay, every 5: mean, std of each", text)
    assert re.search(r"classes +circle, rest, shake", text)
    assert re.search(r"recipe +balance: none, .*group: person", text)
    found = json_of("info", runs["classes"][0] / "model.tflite")
    assert found["front_end"]["window"] == 20 and found["target"] is None
    text = output_of("info", runs["number"][0] / "model.tflite", columns=150)
    assert re.search(r"target +power = [\d.]+ \* output \+ [\d.]+", text)
    assert "front end" not in text
    found = json_of("info", runs["number"][0] / "model.tflite")
    assert found["target"]["name"] == "power" and found["front_end"] is None


def test_a_trace_ends_in_the_units_of_the_target(
    runs: dict[str, tuple[Path, dict[str, Any]]], tables: dict[str, Path], tmp_path: Path
) -> None:
    """And in the counts that the exported C has for the output, as a compiler reads them."""
    path = runs["number"][0] / "model.tflite"
    found = json_of("trace", path, "--input", "20.5,-3")
    target, (code,) = found["target"], found["output"]["numpy"]
    program = tmp_path / "main.c"
    program.write_text(
        '#include <stdio.h>\n#include "rooms_model.h"\n'
        f'int main(void) {{ printf("%d", (int)rooms_model_target[{code} + 128]); return 0; }}\n'
    )
    sources = map(str, [program, runs["number"][0] / "rooms_model.c", *engine_sources()])
    folders = ["-I", str(runs["number"][0]), "-I", str(engine_folder())]
    command = [*compiler(), "-std=c11", *folders, *sources, "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True, capture_output=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True).stdout
    assert target["counts"] == int(printed)
    assert (target["name"], target["unit"]) == ("power", "")
    last = output_of("trace", path, "--input", "20.5,-3").splitlines()[-1]
    assert re.fullmatch(rf"code {code}: -?[\d.]+ \* [\d.]+ \+ -?[\d.]+ = {printed}: power *", last)
    assert json_of("trace", runs["classes"][0] / "model.tflite")["target"] is None


def test_a_trace_takes_a_row_of_the_table(
    runs: dict[str, tuple[Path, dict[str, Any]]], tables: dict[str, Path]
) -> None:
    path = runs["binary"][0] / "model.tflite"
    found = json_of("trace", path, tables["binary"], "--row", "5")
    model = sml.QuantizedMLP.load(path)
    row = [reading["counts"] for reading in found["input"]["readings"]]
    expected = model.prepare_input(np.array([row], np.int32))[0]
    assert found["input"]["numpy"] == expected.tolist()
    table = pd.read_csv(tables["binary"])
    there = (table["inside"] * 10).round() == row[0]
    assert (there & (table["outside"] == row[1])).any()
    line = refused("trace", path, tables["binary"])
    assert (
        line == f"error: {tables['binary']}: a file is for --row, which says which of its test rows"
    )
    line = refused("trace", runs["classes"][0] / "model.tflite", "--input", "1")
    assert "the model takes 4: ax mean, ax std, ay mean, ay std, with commas" in line


def test_a_table_s_model_goes_into_a_folder_with_its_engine(
    runs: dict[str, tuple[Path, dict[str, Any]]], tmp_path: Path
) -> None:
    folder = tmp_path / "hand"
    found = json_of("export", runs["classes"][0] / "model.tflite", "--with-engine", "-o", folder)
    names = {Path(file).name for file in found["files"]}
    assert {"classes_model.c", "classes_model.h", "front_end.c", "scratchml.h"} <= names
    sources = sorted(map(str, folder.glob("*.c")))
    command = [*compiler(), "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *sources]
    assert subprocess.run(command, capture_output=True).returncode == 0


# What goes wrong.

WRONG = {
    "no question": (["--features", "inside"], "of another table name what is asked as well"),
    "nothing": ([], "no column of this file is one of weather"),
    "no features": (["--label", "kind"], "no features: name the columns to read"),
    "both": (["--features", "inside", "--label", "kind", "--target", "power"], "one column of"),
    "absent": (["--features", "insid", "--label", "kind"], "the column insid is missing"),
    "texts": (["--features", "kind", "--target", "power"], "column kind: the value"),
    "many classes": (
        ["--features", "inside", "--label", "power"],
        "it is a target (--target power)",
    ),
    "snow": (
        ["--features", "inside", "--label", "kind", "--snow-above", "1"],
        "snow_above is about weather, not about tables of samples",
    ),
    "resolution": (
        ["--features", "inside", "--label", "kind", "--resolution", "fine"],
        "--resolution 'fine' is not a list such as",
    ),
    "map": (["--features", "a", "--label", "kind", "--map", "inside"], "--map 'inside': write"),
    "statistics": (
        ["--features", "inside", "--label", "kind", "--window", "3", "--statistics", "sum"],
        "sum",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_table_cannot_be_asked_ends_in_one_line(
    case: str, tables: dict[str, Path], no_temporary_files: Path
) -> None:
    options, message = WRONG[case]
    folder = no_temporary_files / "out"
    line = complaint(called("run", tables["binary"], "-o", folder, *options, *QUICK))
    assert message in line
    assert not folder.exists()


def test_hours_with_holes_are_dropped_and_that_is_told(tmp_path: Path) -> None:
    """By training, and by what reads the file again for the model."""
    hours = pd.read_csv(write_hours(tmp_path))
    torn = tmp_path / "torn.csv"
    holes = hours.assign(temperature_2m=hours["temperature_2m"].where(hours.index % 97 != 5))
    holes.to_csv(torn, index=False)
    out = tmp_path / "out"
    assert "the value is missing" in refused("train", torn, "-o", out)
    line = refused("train", torn, "--missing", "median", "-o", out)
    assert line == "error: missing 'median': of hours known are refuse, drop"
    result = called("train", torn, "--missing", "drop", "--epochs", "2", "-o", out)
    lost = int(holes["temperature_2m"].isna().sum())
    told = f"note: {lost:,} of {len(hours):,} hours lack a value and were left out"
    assert told in result.stderr.splitlines()
    again = called("evaluate", out / "model.npz", torn)
    assert again.returncode == 0, again.stderr


def test_hours_that_tell_the_answer_are_noted(tmp_path: Path) -> None:
    options = ("--features", "temperature_2m,snowfall", "--epochs", "1", "-o", tmp_path / "out")
    path = write_hours(tmp_path)
    result = called("train", path, "--horizon", "0", *options)
    assert "note: the network reads snowfall of the very hour" in result.stderr
    assert "note:" not in called("train", path, *options).stderr


@pytest.mark.parametrize("command", ["run", "train", "explore"])
def test_a_table_that_is_no_weather_is_told_what_to_say(
    command: str, tables: dict[str, Path], no_temporary_files: Path
) -> None:
    line = refused(command, tables["binary"], "-o", no_temporary_files / "out")
    assert line.startswith(f"error: {tables['binary']}: no column of this file is one of weather (")
    assert "(--features, and --label or --target), or let scratchml init look at it" in line


@pytest.mark.parametrize(
    ("kind", "needless"),
    [("classes", "the likeliest class needs none"), ("number", "a number has none")],
)
def test_only_a_yes_or_no_has_a_threshold(
    kind: str, needless: str, tables: dict[str, Path], no_temporary_files: Path
) -> None:
    folder = no_temporary_files / "out"
    options = (*OPTIONS[kind], "--threshold", "0.5", "-o", folder)
    result = called("train", tables[kind], *options)
    assert complaint(result) == f"error: --threshold is about yes or no; {needless}"
    assert "epoch" not in result.stderr


def test_a_recipe_that_is_wrong_is_named(no_temporary_files: Path) -> None:
    path = no_temporary_files / "a.toml"
    path.write_text("[training]\nepoch = 3\n")
    line = refused("run", path)
    assert line == f"error: {path}: unknown choice 'epoch' in [training]: did you mean epochs?"
    assert refused("run", no_temporary_files / "b.toml").endswith(
        "b.toml: No such file or directory"
    )
    path.write_text('data = "none.csv"\n[dataset]\nfeatures = ["a"]\nlabel = "b"\n')
    line = refused("train", path, "-o", no_temporary_files / "out")
    assert line == f"error: {no_temporary_files / 'none.csv'}: No such file or directory"


# A model and other data.


@pytest.mark.parametrize("name", ["model.npz", "model.tflite"])
def test_a_number_is_judged_by_the_target_that_was_learnt(
    name: str,
    tables: dict[str, Path],
    runs: dict[str, tuple[Path, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """Not by the mean and deviation of the other data: what is 10,000 more is an error of that."""
    other = pd.read_csv(tables["number"])
    other["power"] += 10_000
    other.to_csv(tmp_path / "other.csv", index=False)
    folder, found = runs["number"]
    key = "float" if name.endswith("npz") else "int8"
    judged = json_of("evaluate", folder / name, tmp_path / "other.csv")[key]
    assert judged["mae"] == pytest.approx(10_000, abs=3 * found["evaluations"][key]["mae"])
    assert found["evaluations"][key]["mae"] < 1_000


@pytest.mark.parametrize("name", ["model.npz", "model.tflite"])
def test_classes_keep_the_places_that_were_learnt(
    name: str,
    tables: dict[str, Path],
    runs: dict[str, tuple[Path, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    folder, _ = runs["classes"]
    other = pd.read_csv(tables["classes"])
    first, *_ = sorted(other["gesture"].unique())
    other["gesture"] = other["gesture"].replace(first, "zzz")
    other.to_csv(tmp_path / "other.csv", index=False)
    line = refused("evaluate", folder / name, tmp_path / "other.csv")
    assert "the model does not know gesture 'zzz'" in line


def test_a_value_in_a_recipe_is_refused_by_the_file_s_name(
    tables: dict[str, Path], tmp_path: Path
) -> None:
    recipe = tmp_path / "my.toml"
    recipe.write_text('data = "snow"\n[dataset]\nwindow = "3"\n')
    assert f"{recipe}: window '3'" in refused("train", recipe)
    recipe.write_text('data = "snow"\n')
    line = refused("train", recipe, "--window", "0")
    assert "window 0" in line and str(recipe) not in line


def test_letters_that_the_font_lacks_are_no_warning(tmp_path: Path) -> None:
    require("matplotlib")
    table = pd.DataFrame({"a": np.arange(60) % 7, "kind": ["猫", "犬"] * 30})
    table.to_csv(tmp_path / "t.csv", index=False)
    options = ("--features", "a", "--label", "kind", "-o", tmp_path / "out")
    quick = ("--epochs", "1", "--batch-size", "8", "--rows", "50")
    for command in (("explore",), ("run", *quick)):
        ended = called(command[0], tmp_path / "t.csv", *options, *command[1:])
        assert ended.returncode == 0 and "Glyph" not in ended.stderr
