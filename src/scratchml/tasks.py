"""What a network can be trained for: each task's data set, and how it is trained by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from scratchml import dataset, digits, exercises, sensors, weather
from scratchml.checks import check_number, check_whole
from scratchml.errors import ScratchmlError
from scratchml.mlp import MAX_UNITS
from scratchml.rows import Dataset, Scaler
from scratchml.tables.reading import Reading
from scratchml.target import Target

AnyRecipe: TypeAlias = dataset.Recipe | digits.Recipe | sensors.Recipe


@dataclass(frozen=True)
class Training:
    """How a network is made and trained; see ``MLP`` and ``train``.

    Attributes:
        hidden: units of the hidden layers; none for a network of one layer.

    Raises:
        ScratchmlError: a choice is not one.
    """

    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    dropout: float
    patience: int

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, (list, tuple)):
            raise ScratchmlError(f"hidden {self.hidden!r}: it must be a list such as [32, 16]")
        object.__setattr__(self, "hidden", tuple(self.hidden))  # a list, if it comes from a file
        for units in self.hidden:
            check_whole("hidden", units, 1, MAX_UNITS)
        for name in ("epochs", "batch_size", "patience"):
            check_whole(name, getattr(self, name), 1, 2**31)
        for name in ("learning_rate", "dropout"):
            check_number(name, getattr(self, name))
        if self.learning_rate <= 0:
            raise ScratchmlError(f"learning_rate {self.learning_rate:g}: it must be above 0")
        if not 0 <= self.dropout < 1:
            raise ScratchmlError(f"dropout {self.dropout:g}: it must be from 0 to below 1")


@dataclass(frozen=True)
class Task:
    """An example, or anybody's table; of the latter the classes are not known beforehand."""

    name: str
    recipe: type[AnyRecipe]
    classes: tuple[str, ...]
    training: Training

    @property
    def about(self) -> str:
        """What its data is about, in a message."""
        return {"snow": "weather", "table": "tables of samples"}.get(self.name, self.name)


EXERCISES = Training((16,), 60, 32, 2e-3, 0.0, 10)

TASKS = {
    task.name: task
    for task in (
        Task("snow", dataset.Recipe, dataset.CLASSES, Training((12,), 20, 64, 1e-3, 0.2, 5)),
        Task("digits", digits.Recipe, digits.CLASSES, Training((32,), 100, 32, 2e-3, 0.1, 25)),
        Task("exercises", exercises.Recipe, exercises.CLASSES, EXERCISES),
        Task("table", sensors.Recipe, (), Training((32,), 100, 32, 2e-3, 0.1, 15)),
    )
}


def task_of(recipe: AnyRecipe) -> Task:
    """The task that a recipe belongs to."""
    return next(task for task in TASKS.values() if type(recipe) is task.recipe)


def output_of(data: Dataset) -> tuple[str, int]:
    """The output that the data asks of a network, a key of ``mlp.OUTPUTS``, and how many units."""
    if not data.classes:
        return "linear", 1
    return ("sigmoid", 1) if len(data.classes) == 2 else ("softmax", len(data.classes))


def needs_file(recipe: AnyRecipe) -> bool:
    """Whether the data is somebody's own, and not in the package."""
    return type(recipe) is sensors.Recipe


def make(
    recipe: AnyRecipe,
    path: Path | None = None,
    scaler: Scaler | None = None,
    *,
    target: Target | None = None,
    classes: Sequence[str] = (),
) -> Dataset:
    """The data set of a recipe.

    Args:
        path: the file of hours, or of samples; ``None`` for what is in the package.
        scaler, target, classes: of a model that exists already; by default those of the training
            rows. Only tables of samples have use for the latter two.

    Raises:
        ScratchmlError: the data cannot be read or used, or a file is missing or in the wrong place.
        OSError: the file cannot be read.
    """
    if isinstance(recipe, digits.Recipe):
        if path is not None:
            raise _takes_no_file(recipe, path)
        return digits.make_dataset(recipe, scaler=scaler)
    table = load(recipe, path)
    if isinstance(recipe, dataset.Recipe):
        return dataset.make_dataset(table, recipe, scaler=scaler)
    try:
        return sensors.make_dataset(table, recipe, scaler=scaler, target=target, classes=classes)
    except ScratchmlError as error:
        raise ScratchmlError(f"{path}: {error}" if path else str(error)) from None


def load(recipe: dataset.Recipe | sensors.Recipe, path: Path | None = None) -> pd.DataFrame:
    """The hours or samples that a data set is cut from; missing values are NaN if it copes with it.

    Raises:
        ScratchmlError, OSError: as ``make``.
    """
    if isinstance(recipe, dataset.Recipe):
        # how a file is to be read is no matter of the hours in the package
        reading = recipe.reading if path else None
        return weather.load(path, reading, recipe.features, missing=recipe.missing == "drop")
    if isinstance(recipe, exercises.Recipe):
        if path is not None:
            raise _takes_no_file(recipe, path)
        return exercises.load(recipe)
    if path is None:
        raise ScratchmlError("name the file of the table that the model was trained on")
    return sensors.load(path, recipe)


def _takes_no_file(recipe: AnyRecipe, path: Path) -> ScratchmlError:
    return ScratchmlError(f"{path}: the {task_of(recipe).name} are in the package: no file here")


def recipe_json(recipe: AnyRecipe) -> dict[str, Any]:
    """The choices as JSON values; how a file is read only where it is not as usual."""
    values = asdict(recipe)
    usual = Reading().to_json()
    reading = {n: v for n, v in values.pop("reading", usual).items() if v != usual[n]}
    return {**values, "reading": reading} if reading else values


def to_metadata(recipe: AnyRecipe, classes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a model's file says of its data set; ``classes`` are the task's unless given."""
    task = task_of(recipe)
    named = list(classes or task.classes)
    return {
        "task": task.name,
        **({"classes": named} if named else {}),
        "recipe": recipe_json(recipe),
    }


def from_metadata(metadata: Mapping[str, Any]) -> AnyRecipe:
    """The recipe in a model's metadata.

    Raises:
        ScratchmlError: there is none, as in a model that was not trained here.
    """
    try:
        return TASKS[metadata["task"]].recipe(**metadata["recipe"])
    except (KeyError, TypeError):
        raise ScratchmlError("the model does not say what data it was trained on") from None
