"""``run``, ``train`` and ``evaluate``: the files and figures of both worked examples, and the help.

What goes wrong is in ``test_cli_errors``.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import (
    COMMON,
    QUICK,
    called,
    json_of,
    one_line,
    output_of,
    refused,
    scratchml,
    write_hours,
)
from conftest import require
from typer.main import get_command

import scratchml as sml
from scratchml import sensors
from scratchml.cli import app
from scratchml.cli.choices import CHOICES, chosen
from scratchml.cli.steps import make_network
from scratchml.recipe import SECTIONS, run_of
from scratchml.tasks import TASKS

FILES = {*COMMON, "snow_model.c", "snow_model.h"}
DIGITS_FILES = {*COMMON, "digits_model.c", "digits_model.h"}
PICTURES = {"history.png", "confusion.png", "precision_recall.png"}
DIGITS_PICTURES = {"history.png", "confusion.png", "mistakes.png"}

GROUP: Any = get_command(app)  # of commands, which its type does not say

COMMANDS = [
    "fetch",
    "explore",
    "init",
    "run",
    "train",
    "evaluate",
    "quantize",
    "export",
    "verify",
    "info",
    "digest",
    "trace",
    "cost",
]


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand hours in which snow comes with cold and damp."""
    return write_hours(tmp_path_factory.mktemp("hours"))


@pytest.fixture(scope="module")
def run_folder(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves behind."""
    folder = tmp_path_factory.mktemp("run") / "snow"
    result = scratchml("run", csv, "-o", folder, *QUICK)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``run digits`` leaves behind, in the place that it chooses itself."""
    folder = tmp_path_factory.mktemp("digits")
    result = scratchml("run", "digits", "--rows", "3000", cwd=folder)
    assert result.returncode == 0, result.stderr
    (folder / "stdout").write_text(result.stdout, "utf-8")
    return folder / "build" / "digits"


# Snow.


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
    found = json_of("run", "--paper", "--rows", "500", "--no-pictures", "-o", tmp_path)
    evaluations = found["evaluations"]
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
    output_of("run", csv, "-o", tmp_path / "other", "--seed", "1", *QUICK)
    other = (tmp_path / "other" / "model.tflite").read_bytes()
    assert other != (run_folder / "model.tflite").read_bytes()


def test_each_step_alone_gives_what_run_gives(csv: Path, run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "steps"
    output_of("train", csv, "-o", folder, "--epochs", "2")
    output_of("quantize", folder / "model.npz", csv)
    output_of("export", folder / "model.tflite")
    output_of("verify", folder / "model.tflite", csv, "--rows", "500")
    for name in FILES - {"metrics.json"}:
        assert (folder / name).read_bytes() == (run_folder / name).read_bytes(), name
    metrics = json.loads((run_folder / "metrics.json").read_text("utf-8"))["evaluations"]
    for model, name in (("model.npz", "float"), ("model.tflite", "int8")):
        assert json_of("evaluate", folder / model, csv)[name] == metrics[name]


def test_the_json_of_a_run_is_its_metrics_file(csv: Path, tmp_path: Path) -> None:
    result = scratchml("run", csv, "-o", tmp_path, *QUICK, "--json")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert set(printed) == {"data", "evaluations", "model", "verify", "best_epoch"}


def test_the_json_of_a_training_has_every_epoch(csv: Path, tmp_path: Path) -> None:
    found = json_of("train", csv, "-o", tmp_path, "--epochs", "3", "--threshold", "0.25")
    assert [epoch["epoch"] for epoch in found["epochs"]] == [1, 2, 3]
    assert found["threshold"] == 0.25
    assert found["data"]["recipe"]["window"] == 3
    rows = [found["data"][part]["rows"] for part in ("train", "validation", "test")]
    assert 1900 < sum(rows) <= 2000


def test_other_hours_than_those_of_the_training_are_noted(run_folder: Path) -> None:
    result = called("evaluate", run_folder / "model.tflite")
    assert result.returncode == 0
    assert "note: this is not the data that the model was trained on" in result.stderr


def test_a_file_of_hours_needs_no_ending(csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "hours"
    path.write_bytes(csv.read_bytes())
    output_of("train", path, "-o", tmp_path / "out", "--epochs", "1")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"model.npz", "history.csv"}


def test_a_name_and_a_percentile_reach_the_model(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    """The same percentile, given to ``quantize``, makes the same model."""
    options = ("--name", "hail", "--percentile", "99")
    output_of("run", csv, "-o", tmp_path, *QUICK, *options)
    assert {p.name for p in tmp_path.iterdir()} == {*COMMON, "hail.c", "hail.h"}
    model = (tmp_path / "model.tflite").read_bytes()
    assert model != (run_folder / "model.tflite").read_bytes()
    output_of("quantize", tmp_path / "model.npz", csv, "-o", tmp_path / "q", "--percentile", "99")
    assert (tmp_path / "q" / "model.tflite").read_bytes() == model


def test_choices_of_the_user_win_over_the_paper_s(csv: Path, tmp_path: Path) -> None:
    options = ("--horizon", "2", "--window", "4", "--split", "time", "--epochs", "1")
    recipe = json_of("train", csv, "-o", tmp_path, "--paper", *options)["data"]["recipe"]
    assert (recipe["horizon"], recipe["window"], recipe["split"]) == (2, 4, "time")
    assert recipe["balance"] == "all"  # the paper's


def test_an_epoch_is_one_line_however_narrow_the_terminal(csv: Path, tmp_path: Path) -> None:
    words = ("train", csv, "-o", tmp_path, "--epochs", "3", "--learning-rate", "10")
    result = called(*words, columns=40)
    epochs = [line for line in result.stderr.splitlines() if line.startswith("epoch")]
    assert len(epochs) == 3
    for number, line in enumerate(epochs, start=1):
        pattern = r"epoch +(\d+)  loss \S+  accuracy \S+  validation loss \S+  accuracy \S+"
        match = re.fullmatch(pattern, line)
        assert match and int(match[1]) == number


# Digits.


def test_digits_from_images_to_verified_c(digits_folder: Path) -> None:
    """At least 96 % of the test images in float, and no more than half a point less in int8."""
    require("matplotlib")
    names = {path.name for path in digits_folder.iterdir()}
    assert names == DIGITS_FILES | DIGITS_PICTURES
    metrics = json.loads((digits_folder / "metrics.json").read_text("utf-8"))
    evaluations = metrics["evaluations"]
    assert list(evaluations) == ["float", "int8", "nearest mean"]
    accuracy = {name: e["accuracy"] for name, e in evaluations.items()}
    assert accuracy["float"] >= 0.96
    assert abs(accuracy["int8"] - accuracy["float"]) <= 0.005
    assert accuracy["nearest mean"] < accuracy["int8"]
    assert metrics["data"]["recipe"] == {"validation": 0.2, "test": 0.3, "seed": 0}
    assert metrics["data"]["test"]["rows"] == evaluations["int8"]["rows"] == 539
    implementations = {pair["implementation"] for pair in metrics["verify"]}
    assert implementations >= {"C engine", "exported C"}
    assert all(pair["differing"] == 0 for pair in metrics["verify"])
    assert {pair["rows"] for pair in metrics["verify"]} == {539, 3000}


def test_digits_are_reported_class_by_class(digits_folder: Path) -> None:
    text = (digits_folder.parents[1] / "stdout").read_text("utf-8")
    assert re.findall(r"(\w+), taken for +0 +1 +2 +3 +4 +5 +6 +7 +8 +9 +recall", text) == [
        "float",
        "int8",
    ]
    for label in ("nearest mean", "macro F1", "64-32-10", "3,000 rows, 0 differ", "539 rows, 0"):
        assert label in text
    assert "snow" not in text
    matrix = json.loads((digits_folder / "metrics.json").read_text("utf-8"))["evaluations"]["int8"]
    printed = text[text.index("int8, taken for") :].splitlines()[2:12]
    for label, (line, row) in enumerate(zip(printed, matrix["confusion"], strict=True)):
        cells = [0 if cell == "." else int(cell) for cell in line.split()[1:-1]]
        assert (int(line.split()[0]), cells) == (label, row)
        recall = f"{100 * row[label] / sum(row):.1f}%"
        assert line.split()[-1] == recall


def test_two_runs_of_digits_with_one_seed_give_the_same_bytes(
    digits_folder: Path, tmp_path: Path
) -> None:
    result = scratchml("run", "digits", "--rows", "3000", "-o", tmp_path)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in tmp_path.iterdir()} >= DIGITS_FILES
    for path in tmp_path.iterdir():  # pictures too
        assert path.read_bytes() == (digits_folder / path.name).read_bytes(), path.name


def test_each_step_of_digits_alone_gives_what_run_gives(
    digits_folder: Path, tmp_path: Path
) -> None:
    output_of("train", "digits", "-o", tmp_path)
    output_of("quantize", tmp_path / "model.npz")
    output_of("export", tmp_path / "model.tflite")
    for name in DIGITS_FILES - {"metrics.json"}:
        assert (tmp_path / name).read_bytes() == (digits_folder / name).read_bytes(), name
    metrics = json.loads((digits_folder / "metrics.json").read_text("utf-8"))["evaluations"]
    for model, name in (("model.npz", "float"), ("model.tflite", "int8")):
        found = json_of("evaluate", tmp_path / model)
        assert found == {name: metrics[name], "nearest mean": metrics["nearest mean"]}
    assert "0 differ" in output_of("verify", tmp_path / "model.tflite", "--rows", "300")


def test_evaluate_counts_the_images_that_were_told_right(digits_folder: Path) -> None:
    checkpoint = sml.Checkpoint.load(digits_folder / "model.npz")
    test = sml.digits.make_dataset(seed=0).test
    logits = test.x.astype(np.float64)
    for number, w in enumerate(checkpoint.net.weights, start=1):
        logits = logits @ w[:, :-1].T + w[:, -1]
        if number < len(checkpoint.net.weights):
            logits = np.maximum(logits, 0)
    right = int((logits.argmax(axis=1) == test.y).sum())
    found = json_of("evaluate", digits_folder / "model.npz")["float"]
    assert found["accuracy"] == pytest.approx(right / 539, abs=1e-12)
    assert sum(found["confusion"][k][k] for k in range(10)) == right


def test_another_seed_of_digits_is_another_split(digits_folder: Path, tmp_path: Path) -> None:
    output_of("train", "digits", "-o", tmp_path, "--seed", "1", "--epochs", "1")
    first, second = (
        sml.Checkpoint.load(folder / "model.npz") for folder in (digits_folder, tmp_path)
    )
    assert (first.recipe.seed, second.recipe.seed) == (0, 1)
    assert not np.array_equal(*(sml.digits.make_dataset(seed=s).test.index for s in (0, 1)))


OTHERS_OPTIONS = [
    (["--paper"], "weather"),
    (["--window", "3"], "weather, exercises and tables of samples"),
    (["--horizon", "1"], "weather, exercises and tables of samples"),
    (["--snow-above", "0.5"], "weather"),
    (["--colder-than", "2"], "weather"),
    (["--split", "random"], "weather, exercises and tables of samples"),
    (["--balance", "none"], "weather, exercises and tables of samples"),
    (["--label", "digit"], "exercises and tables of samples"),
]


@pytest.mark.parametrize(("options", "about"), OTHERS_OPTIONS, ids=lambda value: value[0])
@pytest.mark.parametrize("command", ["run", "train"])
def test_digits_have_no_choices_of_other_data(
    command: str, options: list[str], about: str, no_temporary_files: Path
) -> None:
    folder = no_temporary_files / "out"
    line = refused(command, "digits", "-o", folder, *options)
    name = options[0] if options[0] == "--paper" else options[0].strip("-").replace("-", "_")
    assert line == f"error: {name} is about {about}, not about digits"
    assert not folder.exists()


@pytest.mark.parametrize("command", ["run", "train"])
@pytest.mark.parametrize("threshold", ["0.5", "2"])
def test_digits_have_no_threshold_and_it_is_said_before_the_training(
    command: str, threshold: str, no_temporary_files: Path
) -> None:
    folder = no_temporary_files / "out"
    result = called(command, "digits", "-o", folder, "--threshold", threshold)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: --threshold is about yes or no; the likeliest class needs none"
    ]
    assert not folder.exists()


@pytest.mark.parametrize("name", ["model.npz", "model.tflite"])
@pytest.mark.parametrize("command", ["evaluate", "quantize", "verify"])
def test_a_digits_model_takes_no_hours(
    command: str, name: str, csv: Path, digits_folder: Path, tmp_path: Path
) -> None:
    if (command, name) in {("quantize", "model.tflite"), ("verify", "model.npz")}:
        name = {"quantize": "model.npz", "verify": "model.tflite"}[command]
    output = ["-o", tmp_path] if command == "quantize" else []
    line = refused(command, digits_folder / name, csv, *output)
    assert line == f"error: {csv}: the digits are in the package: no file here"


# Defaults and help.


@pytest.mark.parametrize("name", ["snow", "digits"])
def test_a_network_is_made_as_its_task_says_unless_told_otherwise(
    name: str, data: sml.Dataset
) -> None:
    rows = data if name == "snow" else sml.digits.make_dataset()
    inputs, outputs, output = {"snow": (6, 1, "sigmoid"), "digits": (64, 10, "softmax")}[name]
    usual = TASKS[name].training
    net = make_network(run_of({"": {"data": name}}), rows)
    assert (net.sizes, net.output) == ((inputs, *usual.hidden, outputs), output)
    assert (net.dropout, net.seed) == (usual.dropout, 0)
    chosen = {"": {"data": name, "seed": 2}, "training": {"hidden": [5, 4], "dropout": 0.0}}
    net = make_network(run_of(chosen), rows)
    assert (net.sizes, net.output) == ((inputs, 5, 4, outputs), output)
    assert (net.dropout, net.seed) == (0, 2)


def test_the_overview_lists_every_command_in_the_order_of_the_work() -> None:
    overview = scratchml("--help").stdout
    assert re.findall(r"^│ ([a-z]+) +[A-Z]", overview, re.MULTILINE) == [*COMMANDS, "board"]
    assert list(GROUP.commands) == [*COMMANDS, "board"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_every_option(command: str) -> None:
    page = one_line(output_of(command, "--help", columns=200))
    assert f" {command} [OPTIONS]" in page
    parameters = GROUP.commands[command].params
    assert parameters
    for parameter in parameters:
        for word in parameter.opts if parameter.param_type_name == "option" else []:
            assert f" {word} " in page
        assert one_line(parameter.help) in page
        assert len(parameter.help) > 5


def test_help_names_the_defaults_of_each_task() -> None:
    page = one_line(output_of("run", "--help", columns=200))
    options = {"hidden": "as in 32,16", "epochs": "At most", "batch_size": "Rows a step"}
    options |= {"learning_rate": "Of Adam", "dropout": "left out of a step"}
    options |= {"patience": "without a better validation loss"}
    for name, said in options.items():
        (text,) = re.findall(rf"{said}\. Default: (.*?)\. --", page)
        told = {}
        for part in text.split(", "):
            value, tasks = part.split(" for ")
            told |= {("table" if n == "tables" else n): value for n in tasks.split(" and ")}
        for task, training in ((name, task.training) for name, task in TASKS.items()):
            value = getattr(training, name)
            assert told[task] == (f"{value[0]}" if name == "hidden" else f"{value:g}")
    recipe = sml.Recipe()
    samples = sensors.Recipe(features=("a",), label="b")
    for option, choice in {
        "window": f"{recipe.window} hours, or {samples.window} sample",
        "horizon": f"{recipe.horizon} hour, or {samples.horizon} samples",
        "step": samples.step,
        "snow-above": f"{recipe.snow_above:g}",
        "colder-than": f"{recipe.colder_than:g}",
        "split": f"{recipe.split} for hours; ",
        "validation": samples.validation,
        "test": samples.test,
        "balance": samples.balance,
        "scaling": samples.scaling,
        "missing": samples.missing,
    }.items():
        assert re.search(rf" --{option} [^-]*Default: {re.escape(str(choice))}", page), option
    for shared in ("validation", "test", "balance"):
        assert getattr(recipe, shared) == getattr(samples, shared)


def test_every_choice_of_a_recipe_is_an_option_and_the_other_way_round() -> None:
    sections = {name: section for section, names in SECTIONS.items() for name in names}
    assert {name: choice.section for name, choice in CHOICES.items()} == {
        name: section for name, section in sections.items() if section
    }
    for command, left_out in {
        "run": set(),
        "init": set(),
        "train": {"quantization", "export"},
        "explore": {"training", "quantization", "export"},
    }.items():
        names = {parameter.name for parameter in GROUP.commands[command].params}
        offered = {name for name, choice in CHOICES.items() if choice.section not in left_out}
        assert names & {*CHOICES} == offered


def test_lists_on_the_command_line_are_split_as_in_csv() -> None:
    given = {"features": 'a, "b,c" ,d', "hidden": "32, 16", "test_groups": "", "columns": ["x=y"]}
    assert chosen({**given, "label": None}) == {
        "dataset": {"features": ["a", "b,c", "d"], "test_groups": []},
        "training": {"hidden": [32, 16]},
        "reading": {"columns": {"x": "y"}},
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_help_reads_as_sentences(command: str) -> None:
    """A docstring's line breaks are not the page's: no line ends early without a full stop."""
    page = output_of(command, "--help", columns=70)
    prose = page[: page.index("╭")].splitlines()
    for line, following in pairwise(prose):
        words = following.split()
        if line.strip() and words and "Usage" not in line:
            assert len(line.rstrip()) + 1 + len(words[0]) > 68, (line, following)
