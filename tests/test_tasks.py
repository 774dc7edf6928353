"""The worked examples: what each is made from, what it reaches, and what its models' files say."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scratchml as sml
from scratchml import digits, tasks
from scratchml.tasks import TASKS


def test_there_are_two_under_their_names() -> None:
    assert list(TASKS) == ["snow", "digits"]
    assert [task.name for task in TASKS.values()] == ["snow", "digits"]


@pytest.mark.parametrize(
    ("name", "output", "outputs"), [("snow", "sigmoid", 1), ("digits", "softmax", 10)]
)
def test_an_output_fits_its_classes(name: str, output: str, outputs: int) -> None:
    assert (TASKS[name].output, TASKS[name].outputs) == (output, outputs)


def test_a_recipe_belongs_to_its_task() -> None:
    assert tasks.task_of(sml.Recipe()).name == "snow"
    assert tasks.task_of(digits.Recipe()).name == "digits"


def trained(data: sml.Dataset, task: tasks.Task, seed: int) -> sml.MLP:
    """With the task's defaults."""
    sizes = [data.train.x.shape[1], *task.hidden, task.outputs]
    net = sml.MLP(sizes, output=task.output, dropout=task.dropout, seed=seed)
    sml.train(
        net,
        data.train,
        data.validation,
        epochs=task.epochs,
        batch_size=task.batch_size,
        learning_rate=task.learning_rate,
        patience=task.patience,
    )
    return net


def test_digits_reach_96_percent() -> None:
    """With the first seed and on average over five, of split and network; int8 is as good."""
    assert TASKS["digits"].hidden == (32,)
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
    weather = tasks.make(sml.Recipe(window=2, seed=3), hours)
    assert weather.train.counts.shape[1] == 4
    assert np.array_equal(
        weather.test.counts, sml.make_dataset(hours, window=2, seed=3).test.counts
    )
    images = tasks.make(digits.Recipe(seed=3))
    assert np.array_equal(images.test.counts, digits.make_dataset(seed=3).test.counts)


def test_make_takes_a_scaler_over(hours: pd.DataFrame) -> None:
    for recipe in (sml.Recipe(), digits.Recipe()):
        scaler = tasks.make(recipe, hours).scaler
        shifted = replace(scaler, mean=tuple(m + 1 for m in scaler.mean))
        data = tasks.make(recipe, hours, shifted)
        assert data.scaler == data.train.scaler == shifted


def test_weather_needs_hours_and_digits_do_not() -> None:
    with pytest.raises(sml.ScratchmlError, match="needs a table of hours"):
        tasks.make(sml.Recipe())
    assert len(tasks.make(digits.Recipe()).test) == 539


RECIPES = [
    sml.Recipe(),
    sml.Recipe(window=5, horizon=2, snow_above=0.1, split="random", balance="training", seed=9),
    digits.Recipe(),
    digits.Recipe(validation=0.1, test=0.25, seed=2**40),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_recipe_survives_its_file(recipe: sml.Recipe | digits.Recipe) -> None:
    """Metadata are JSON, and so come back as JSON's types."""
    metadata = json.loads(json.dumps(tasks.to_metadata(recipe)))
    assert set(metadata) == {"task", "classes", "recipe"}
    assert metadata["classes"] == list(tasks.task_of(recipe).classes)
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
