"""The worked examples: what each is made from, and how its network is trained by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from scratchml import dataset, digits
from scratchml.errors import ScratchmlError
from scratchml.rows import Dataset, Scaler


@dataclass(frozen=True)
class Task:
    """An example: the choices that make its data set, its classes, and the training's defaults.

    Attributes:
        hidden: units of the hidden layers.
        batch_size, learning_rate, dropout, epochs, patience: see ``train`` and ``MLP``.
    """

    name: str
    recipe: type[dataset.Recipe] | type[digits.Recipe]
    classes: tuple[str, ...]
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    dropout: float
    patience: int

    @property
    def output(self) -> str:
        """A key of ``mlp.OUTPUTS``."""
        return "sigmoid" if len(self.classes) == 2 else "softmax"

    @property
    def outputs(self) -> int:
        return 1 if self.output == "sigmoid" else len(self.classes)


TASKS = {
    task.name: task
    for task in (
        Task("snow", dataset.Recipe, dataset.CLASSES, (12,), 20, 64, 1e-3, 0.2, 5),
        Task("digits", digits.Recipe, digits.CLASSES, (32,), 100, 32, 2e-3, 0.1, 25),
    )
}


def task_of(recipe: dataset.Recipe | digits.Recipe) -> Task:
    """The task that a recipe belongs to."""
    return next(task for task in TASKS.values() if isinstance(recipe, task.recipe))


def make(
    recipe: dataset.Recipe | digits.Recipe,
    hours: pd.DataFrame | None = None,
    scaler: Scaler | None = None,
) -> Dataset:
    """The data set of a recipe; ``hours`` are needed for weather, and for nothing else."""
    if isinstance(recipe, digits.Recipe):
        return digits.make_dataset(recipe, scaler=scaler)
    if hours is None:
        raise ScratchmlError("a data set of weather needs a table of hours")
    return dataset.make_dataset(hours, recipe, scaler=scaler)


def to_metadata(recipe: dataset.Recipe | digits.Recipe) -> dict[str, Any]:
    """What a model's file says of its data set."""
    task = task_of(recipe)
    return {"task": task.name, "classes": list(task.classes), "recipe": asdict(recipe)}


def from_metadata(metadata: Mapping[str, Any]) -> dataset.Recipe | digits.Recipe:
    """The recipe in a model's metadata.

    Raises:
        ScratchmlError: there is none, as in a model that was not trained here.
    """
    try:
        return TASKS[metadata["task"]].recipe(**metadata["recipe"])
    except (KeyError, TypeError):
        raise ScratchmlError("the model does not say what data it was trained on") from None
