"""The worked examples: what each is made from, what it reaches, and what its models' files say."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sample_tables import READ, weights

import scratchml as sml
from scratchml import digits, exercises, sensors, tasks
from scratchml.tables.reading import Reading
from scratchml.target import Target
from scratchml.tasks import TASKS

TABLE = sensors.Recipe(
    features=READ, target="weight", reading=Reading(time_format="seconds"), split="random"
)


def test_there_are_four_under_their_names() -> None:
    assert list(TASKS) == ["snow", "digits", "exercises", "table"]
    assert [task.name for task in TASKS.values()] == list(TASKS)


@pytest.mark.parametrize(
    ("classes", "output"),
    [
        ((), ("linear", 1)),
        (("no", "yes"), ("sigmoid", 1)),
        (("a", "b", "c"), ("softmax", 3)),
        (TASKS["snow"].classes, ("sigmoid", 1)),
        (TASKS["digits"].classes, ("softmax", 10)),
        (TASKS["exercises"].classes, ("softmax", 7)),
    ],
)
def test_an_output_fits_the_classes(
    data: sml.Dataset, classes: tuple[str, ...], output: tuple[str, int]
) -> None:
    assert tasks.output_of(replace(data, classes=classes)) == output


def test_a_recipe_belongs_to_its_task() -> None:
    assert tasks.task_of(sml.Recipe()).name == "snow"
    assert tasks.task_of(digits.Recipe()).name == "digits"
    assert tasks.task_of(exercises.Recipe()).name == "exercises"
    assert tasks.task_of(TABLE).name == "table"


def test_only_anybodys_table_needs_a_file() -> None:
    for recipe in (sml.Recipe(), digits.Recipe(), exercises.Recipe()):
        assert not tasks.needs_file(recipe)
    assert tasks.needs_file(TABLE)


def trained(data: sml.Dataset, task: tasks.Task, seed: int) -> sml.MLP:
    """With the task's defaults."""
    output, outputs = tasks.output_of(data)
    options = asdict(task.training)
    sizes = [data.train.x.shape[1], *options.pop("hidden"), outputs]
    net = sml.MLP(sizes, output=output, dropout=options.pop("dropout"), seed=seed)
    sml.train(net, data.train, data.validation, **options)
    return net


def test_digits_reach_96_percent() -> None:
    """With the first seed and on average over five, of split and network; int8 is as good."""
    assert TASKS["digits"].training.hidden == (32,)
    accuracy, in_int8 = np.zeros(5), np.zeros(5)
    for seed in range(5):
        data = tasks.make(digits.Recipe(seed=seed))
        net = trained(data, TASKS["digits"], seed)
        accuracy[seed] = (net.predict(data.test.x).argmax(axis=1) == data.test.y).mean()
        model = sml.quantize(net, data.train)
        codes = model.run(model.prepare_input(data.test.counts))
        in_int8[seed] = (codes.argmax(axis=1) == data.test.y).mean()
    assert accuracy[0] >= 0.96 and accuracy.mean() >= 0.96
    assert abs(in_int8[0] - accuracy[0]) <= 0.005 and abs(in_int8 - accuracy).mean() <= 0.005


def test_make_gives_the_rows_of_the_recipe(hours: pd.DataFrame) -> None:
    weather = tasks.make(sml.Recipe(window=2, seed=3))
    assert weather.train.counts.shape[1] == 4
    assert np.array_equal(
        weather.test.counts, sml.make_dataset(hours, window=2, seed=3).test.counts
    )
    images = tasks.make(digits.Recipe(seed=3))
    assert np.array_equal(images.test.counts, digits.make_dataset(seed=3).test.counts)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "weights.csv"
    weights().to_csv(path, index=False)
    return path


def test_make_gives_the_rows_of_a_file(hours: pd.DataFrame, file: Path, tmp_path: Path) -> None:
    table = tasks.make(TABLE, file)
    expected = sensors.make_dataset(weights(), TABLE)
    assert np.array_equal(table.test.counts, expected.test.counts)
    assert table.fingerprint == expected.fingerprint
    some = hours[:2000]
    some.to_csv(tmp_path / "hours.csv", index=False)
    recipe = sml.Recipe(window=2, snow_above=0, colder_than=50)
    weather = tasks.make(recipe, tmp_path / "hours.csv")
    assert np.array_equal(weather.test.counts, sml.make_dataset(some, recipe).test.counts)


def test_make_takes_a_scaler_over(file: Path) -> None:
    for recipe, path in ((sml.Recipe(), None), (digits.Recipe(), None), (TABLE, file)):
        scaler = tasks.make(recipe, path).scaler
        shifted = replace(scaler, mean=tuple(m + 1 for m in scaler.mean))
        data = tasks.make(recipe, path, shifted)
        assert data.scaler == data.train.scaler == shifted


def test_make_takes_target_and_classes_over(file: Path) -> None:
    """Of a table; what is in the package has its own, always the same."""
    target = Target("weight", "", 10, 700.0, 300.0)
    assert tasks.make(TABLE, file, target=target).test.target == target
    by_class = replace(TABLE, target="", label="weight")
    with pytest.raises(sml.ScratchmlError, match="the model does not know weight '"):
        tasks.make(by_class, file, classes=("1", "2"))


def test_a_file_is_given_where_it_belongs(file: Path) -> None:
    with pytest.raises(sml.ScratchmlError, match="name the file of the table"):
        tasks.make(TABLE)
    for recipe in (digits.Recipe(), exercises.Recipe()):
        with pytest.raises(sml.ScratchmlError, match="are in the package: no file here"):
            tasks.make(recipe, file)
    assert len(tasks.make(digits.Recipe()).test) == 539


def test_what_is_wrong_with_a_table_names_its_file(file: Path) -> None:
    with pytest.raises(sml.ScratchmlError, match=rf"^{re.escape(str(file))}: no training row"):
        tasks.make(replace(TABLE, split="time", window=400), file)


RECIPES = [
    sml.Recipe(),
    sml.Recipe(window=5, horizon=2, snow_above=0.1, split="random", balance="training", seed=9),
    digits.Recipe(),
    digits.Recipe(validation=0.1, test=0.25, seed=2**40),
    exercises.Recipe(),
    exercises.Recipe(window=20, statistics=(), test_groups=("3", "7")),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_recipe_survives_its_file(recipe: tasks.AnyRecipe) -> None:
    """Metadata are JSON, and so come back as JSON's types."""
    metadata = json.loads(json.dumps(tasks.to_metadata(recipe)))
    assert set(metadata) == {"task", "classes", "recipe"}
    assert metadata["classes"] == list(tasks.task_of(recipe).classes)
    assert tasks.from_metadata(metadata) == recipe


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_a_table_says_which_classes_it_has(classes: tuple[str, ...]) -> None:
    reading = Reading(columns={"Gewicht": "weight"}, decimal=",", time="Zeit")
    recipe = replace(TABLE, reading=reading, resolution=(1, 100, 1000), window=3)
    metadata = json.loads(json.dumps(tasks.to_metadata(recipe, classes)))
    assert metadata.get("classes", []) == list(classes)
    assert set(metadata["recipe"]["reading"]) == {"columns", "decimal", "time"}
    assert tasks.from_metadata(metadata) == recipe


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"task": "snow"},
        {"recipe": asdict(sml.Recipe())},
        {"task": "hail", "recipe": {}},
        {"task": ["snow"], "recipe": {}},
        {"task": None, "recipe": None},
        {"task": "snow", "recipe": None},
        {"task": "snow", "recipe": [1, 2]},
        {"task": "snow", "recipe": {"colour": "white"}},
        {"task": "digits", "recipe": asdict(sml.Recipe())},
    ],
    ids=str,
)
def test_metadata_that_name_no_data_are_refused(metadata: dict[str, Any]) -> None:
    with pytest.raises(sml.ScratchmlError, match="does not say what data it was trained on"):
        tasks.from_metadata(metadata)


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ({"window": "3"}, "window '3'"),
        ({"window": 10**30}, "window"),
        ({"test": None}, "test None"),
    ],
)
def test_a_recipe_with_impossible_choices_is_refused(recipe: dict[str, Any], reason: str) -> None:
    with pytest.raises(sml.ScratchmlError, match=reason):
        tasks.from_metadata({"task": "snow", "recipe": recipe})
